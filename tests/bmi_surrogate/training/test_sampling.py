"""Batches are a pure function of iteration and seed, and hold what they say."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from training_stores import make_domain, make_store, statics_of

from bmi_common import ConfigError, Domain
from bmi_surrogate.training.sampling import Sampler, SamplingConfig
from bmi_surrogate.training.store import WETTING, Store
from bmi_surrogate.training.task import Batch

pytestmark = pytest.mark.slow

FIELDS = ("slope_x", "slope_y", "porosity", "conductivity_x")
NY, NX = 14, 11
SEGMENTS = (300, 5, 280)
VALIDATION = 30


@pytest.fixture(scope="module")
def domain() -> Domain:
    """With a stretch of the north that is inactive, larger than a tile."""
    mask = np.random.default_rng(4).random((NY, NX)) > 0.2
    mask[8:, :6] = False
    mask[0, 0] = mask[-1, -1] = True
    return make_domain(NY, NX, mask=mask)


@pytest.fixture(scope="module")
def store(domain: Domain, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make_store(tmp_path_factory.mktemp("store"), domain, SEGMENTS, VALIDATION)


def sampler(store: Store, domain: Domain, seed: int = 0, **options: Any) -> Sampler:
    defaults: dict[str, Any] = {"tile": 4, "batch": 8}
    if options.get("mode") != "published":
        defaults["flips"] = True
    return Sampler(store, domain, statics_of(domain), FIELDS, SamplingConfig(**defaults | options), seed)


def assert_equal(a: Batch, b: Batch) -> None:
    assert a.origins == b.origins
    for name in ("head", "source", "statics", "active", "scored"):
        assert torch.equal(getattr(a, name), getattr(b, name))
    assert all(torch.equal(a.fields[n], b.fields[n]) for n in FIELDS)


def assert_is_the_data(batch: Batch, store: Store, hours: int) -> None:
    """Every sample is the window and the tile that its origin names."""
    size = batch.head.shape[-2:]
    for n, o in enumerate(batch.origins):
        head, source = store.window(o.hour, hours, slice(o.row, o.row + size[0]), slice(o.column, o.column + size[1]))
        turn = (..., slice(None, None, -1 if o.flip_y else 1), slice(None, None, -1 if o.flip_x else 1))
        np.testing.assert_array_equal(batch.head[n], head[turn])
        np.testing.assert_array_equal(batch.source[n], source[turn])


@pytest.mark.parametrize("mode", ["published", "random"])
def test_batches_have_the_agreed_shapes_and_types(store: Store, domain: Domain, mode: str) -> None:
    batch = sampler(store, domain, mode=mode).batch(0, 3)
    assert batch.head.shape == (8, 4, 11, 4, 4)
    assert batch.head.dtype == torch.float64
    assert batch.source.shape == (8, 3, 10, 4, 4)
    assert batch.statics.shape == (8, 46, 4, 4)
    assert batch.fields["porosity"].shape == (8, 11, 4, 4)
    assert batch.fields["slope_x"].shape == (8, 1, 4, 4)
    assert {t.dtype for t in (batch.source, batch.statics, *batch.fields.values())} == {torch.float32}
    assert batch.active.shape == batch.scored.shape == (8, 1, 4, 4)
    assert batch.active.dtype == batch.scored.dtype == torch.bool
    assert all(t.is_contiguous() for t in (batch.head, batch.source, batch.statics, batch.active))
    assert batch.hours == 3


@settings(max_examples=25)
@given(
    iteration=st.integers(0, 10_000),
    hours=st.sampled_from([1, 4, 24, 120]),
    seed=st.integers(0, 5),
    mode=st.sampled_from(["published", "random"]),
)
def test_batches_are_reproducible_data_of_the_training_hours(
    store: Store, domain: Domain, iteration: int, hours: int, seed: int, mode: str
) -> None:
    drawing = sampler(store, domain, seed, mode=mode, halo=1)
    batch = drawing.batch(iteration, hours)
    drawing.batch(iteration + 7, hours)
    assert_equal(drawing.batch(iteration, hours), batch)
    assert_equal(sampler(store, domain, seed, mode=mode, halo=1).batch(iteration, hours), batch)
    assert_is_the_data(batch, store, hours)  # a window that crosses a segment raises
    assert max(o.hour for o in batch.origins) + hours <= store.training_hours
    assert batch.scored.flatten(1).any(dim=1).all()
    assert not (batch.scored & ~batch.active).any()


@pytest.mark.parametrize("mode", ["published", "random"])
def test_iterations_and_seeds_differ(store: Store, domain: Domain, mode: str) -> None:
    first = sampler(store, domain, mode=mode)
    assert first.batch(0, 2).origins != first.batch(1, 2).origins
    assert first.batch(0, 2).origins != sampler(store, domain, seed=1, mode=mode).batch(0, 2).origins


def test_published_epochs_draw_every_window_of_every_tile_once(store: Store, domain: Domain) -> None:
    drawing = sampler(store, domain, mode="published", batch=1)
    tiles = len({(o.row, o.column) for i in range(200) for o in drawing.batch(i, 100).origins})
    size = 2 * tiles + 2 * tiles  # windows at hours 0, 120 of the first and the third segment
    epochs = [[drawing.batch(i, 100).origins[0] for i in range(e * size, (e + 1) * size)] for e in range(2)]
    assert len(set(epochs[0])) == size
    assert set(epochs[0]) == set(epochs[1])
    assert epochs[0] != epochs[1]
    assert {o.hour for o in epochs[0]} == {0, 120, 305, 425}
    assert not any(o.flip_x or o.flip_y for o in epochs[0])


def test_published_windows_do_not_overlap(store: Store, domain: Domain) -> None:
    with pytest.raises(ConfigError, match="windows of 121 h overlap in the mode published"):
        sampler(store, domain, mode="published").batch(0, 121)


def test_published_tiles_cover_every_active_cell_and_none_is_empty(store: Store, domain: Domain) -> None:
    drawing = sampler(store, domain, mode="published", batch=64)
    batch = drawing.batch(0, 1)
    covered = np.zeros((NY, NX), dtype=bool)
    for n, o in enumerate(batch.origins):
        assert batch.active[n].any()
        covered[o.row : o.row + 4, o.column : o.column + 4] = True
    assert covered[domain.mask].all()
    assert max(o.row for o in batch.origins) == NY - 4  # the last row is shifted inward
    assert not covered[10:, :4].any()  # tile (8, 0) has no active cell, nor has (10, 0)


def test_random_tiles_reach_every_active_cell_about_as_often(store: Store, domain: Domain) -> None:
    drawing = sampler(store, domain, batch=256, halo=1)
    scored = np.zeros((NY, NX))
    for i in range(20):
        batch = drawing.batch(i, 1)
        for o, cells in zip(batch.origins, batch.scored[:, 0].numpy(), strict=True):
            y, x = (-1 if o.flip_y else 1), (-1 if o.flip_x else 1)
            scored[o.row : o.row + 4, o.column : o.column + 4] += cells[::y, ::x]
    often = scored[domain.mask]
    assert often.min() > 0.1 * often.mean()
    assert (scored[~domain.mask] == 0.0).all()


def test_flips_turn_half_of_the_tiles_in_each_direction(store: Store, domain: Domain) -> None:
    origins = sampler(store, domain, batch=2000).batch(0, 1).origins
    for flips in ([o.flip_x for o in origins], [o.flip_y for o in origins]):
        assert 0.45 < np.mean(flips) < 0.55  # 4.5 standard deviations
    assert not any(o.flip_x or o.flip_y for o in sampler(store, domain, batch=200, flips=False).batch(0, 1).origins)


def storm_store(store: Store, domain: Domain, folder: Path, wetting: np.ndarray) -> Store:
    copy = make_store(folder, domain, SEGMENTS, VALIDATION)
    np.save(folder / WETTING, wetting)
    return Store.open(copy.folder, VALIDATION)


def test_storm_windows_come_more_often(store: Store, domain: Domain, tmp_path: Path) -> None:
    wetting = np.zeros(sum(SEGMENTS))
    wetting[100] = 1.0
    stormy = storm_store(store, domain, tmp_path, wetting)

    def share(storms: float) -> float:
        origins = sampler(stormy, domain, tile=2, batch=4000, storms=storms).batch(0, 10).origins
        return float(np.mean([91 <= o.hour <= 100 for o in origins]))

    windows = len(stormy.starts(10))
    assert share(0.0) == pytest.approx(10 / windows, abs=0.01)
    assert share(0.5) == pytest.approx(0.5 + 5 / windows, abs=0.04)  # 5 standard deviations
    assert share(1.0) == 1.0


def test_data_without_storms_are_drawn_evenly(store: Store, domain: Domain, tmp_path: Path) -> None:
    dry = storm_store(store, domain, tmp_path, np.zeros(sum(SEGMENTS)))
    hours = {o.hour for o in sampler(dry, domain, tile=2, batch=1500, storms=1.0).batch(0, 200).origins}
    assert hours == set(dry.starts(200))


def test_the_whole_domain_is_one_tile(store: Store, domain: Domain) -> None:
    drawing = sampler(store, domain, tile="whole", batch=3)
    batch = drawing.batch(0, 2)
    assert batch.head.shape[-2:] == (NY, NX)
    assert torch.equal(batch.scored, batch.active)
    assert_is_the_data(batch, store, 2)


def test_validation_takes_the_whole_domain_as_it_is(store: Store, domain: Domain) -> None:
    hour = store.training_hours
    batch = sampler(store, domain, halo=1).whole(hour, VALIDATION)
    assert batch.head.shape == (1, VALIDATION + 1, 11, NY, NX)
    np.testing.assert_array_equal(batch.scored[0, 0], domain.mask)
    np.testing.assert_array_equal(batch.head[0], store.window(hour, VALIDATION)[0])
    assert [(o.hour, o.row, o.column, o.flip_x) for o in batch.origins] == [(hour, 0, 0, False)]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"mode": "published", "flips": True}, "flips: without effect in the mode published"),
        ({"mode": "published", "storms": 0.1}, "storms: without effect"),
        ({"tile": "whole", "halo": 1}, "halo: without effect"),
        ({"tile": 4, "halo": 2}, "halo: 2 cells on each side leave nothing of a tile of 4"),
        ({"storms": 1.5}, "storms"),
        ({"tiles": 3}, "did you mean 'tile'"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SamplingConfig(**spec)


def test_a_domain_smaller_than_a_tile_is_refused(store: Store, domain: Domain) -> None:
    with pytest.raises(ConfigError, match=r"11 cells long.*a tile of 12"):
        sampler(store, domain, tile=12)


def test_windows_longer_than_the_data_are_refused(store: Store, domain: Domain) -> None:
    with pytest.raises(ConfigError, match=r"training hours.*301 h long"):
        sampler(store, domain).batch(0, 301)


def test_a_store_of_another_domain_is_refused(store: Store) -> None:
    with pytest.raises(ConfigError, match="another domain"):
        sampler(store, make_domain(NY, NX))
