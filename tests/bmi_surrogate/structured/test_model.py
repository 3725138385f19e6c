"""An hour of the structured surrogate against the exact solver, and what learning may and may not change."""

from typing import Literal

import numpy as np
import pytest
import torch
from richards_domains import Floats
from structured_cases import basin, columns_of, maps, packed, random_head, solver_of, trained, weather

from bmi_surrogate import StructuredArchitecture, StructuredModel
from bmi_surrogate.structured import closure
from bmi_surrogate.structured.correction import LARGEST_GAIN, Correction


def bare(refinements: int) -> StructuredModel:
    return StructuredModel(StructuredArchitecture(11, (), refinements)).eval()


def start_of(domain: object) -> Floats:
    return random_head(np.random.default_rng(5), domain)  # type: ignore[arg-type]


@torch.inference_mode()
def errors(model: StructuredModel, hours: int) -> list[float]:
    """Rms of saturation [-] against the solver over some hours with a storm, driven by the same sources."""
    domain, random = basin(), np.random.default_rng(8)
    columns, solver = columns_of(domain), solver_of(domain, start_of(domain), passes=6)
    for _ in range(240):  # random heads come to rest
        solver.step(np.zeros(domain.porosity.shape), 1.0)
    state = packed(columns, solver.head)
    found = []
    for hour in range(hours):
        source = weather(hour, domain, random)
        full = np.zeros(domain.porosity.shape)
        full[-10:] = np.where(domain.mask, source, 0.0)
        solver.step(full, 1.0)
        state = model(columns, state, packed(columns, source), True).head
        difference = columns.retention.saturation(state) - packed(columns, solver.saturation)
        found.append(float(difference.square().mean().sqrt()))
    return found


@pytest.mark.slow
def test_every_refinement_comes_closer_to_the_solver() -> None:
    quiet, storm = zip(*((max(e[:5]), np.mean(e[6:])) for e in (errors(bare(n), 48) for n in (0, 1, 2))), strict=True)
    assert quiet[0] < 1e-5
    assert quiet[1] < 0.1 * quiet[0]
    assert quiet[2] < 0.3 * quiet[1]
    # 15 mm in each of four hours on soils of which some take 1 mm: 0.043, 0.024 and 0.017 were seen
    assert storm[0] < 0.06
    assert storm[1] < 0.75 * storm[0]
    assert storm[2] < 0.85 * storm[1]


@pytest.mark.parametrize("layers", [11, "any"])
def test_an_untrained_network_changes_nothing(layers: int | Literal["any"]) -> None:
    domain = basin()
    columns, head = columns_of(domain), start_of(domain)
    untrained = StructuredModel(StructuredArchitecture(layers, (8,), 1)).eval()
    source = packed(columns, weather(7, domain, np.random.default_rng(0)))
    with torch.inference_mode():
        expected = bare(1)(columns, packed(columns, head), source, True)
        found = untrained(columns, packed(columns, head), source, True)
    assert torch.equal(found.head, expected.head)


@pytest.mark.parametrize(("layers", "refinements"), [(11, 1), (11, 2), ("any", 2)])
def test_balances_close_whatever_the_network_says(layers: int | Literal["any"], refinements: int) -> None:
    from structured_cases import imbalance

    domain = basin()
    columns, random = columns_of(domain), np.random.default_rng(1)
    head, model = packed(columns, start_of(domain)), trained(layers, seed=2, size=3.0, refinements=refinements)
    with torch.inference_mode():
        for hour in range(24):
            source = packed(columns, weather(hour, domain, random))
            after = model(columns, head, source, True).head
            assert imbalance(columns, head, after, source).abs().max() < 1e-7
            head = after


def test_gains_and_weights_are_bounded_and_fade_where_there_is_no_trouble() -> None:
    correction = trained(seed=4, size=50.0).correction
    assert isinstance(correction, Correction)
    seen = torch.randn(100, correction.inner[0].in_features, generator=torch.Generator().manual_seed(0))
    gain, weights = correction(seen, torch.full((100,), 1e9, dtype=torch.float64))
    assert gain.min() >= 1.0 - 0.5 * (LARGEST_GAIN + 1.0)
    assert gain.max() <= LARGEST_GAIN
    assert weights[1:].min() >= 0.124
    assert weights.max() <= 8.001
    assert not weights[0].any()
    gain, weights = correction(seen, torch.zeros(100, dtype=torch.float64))
    assert torch.equal(gain, torch.ones_like(gain))
    assert torch.equal(weights[1:], torch.ones_like(weights[1:]))


def test_an_hour_of_columns_does_not_depend_on_how_many_are_searched_together(monkeypatch: pytest.MonkeyPatch) -> None:
    domain = basin()
    columns, model = columns_of(domain), trained(seed=3)
    head = packed(columns, start_of(domain))
    source = packed(columns, weather(7, domain, np.random.default_rng(0)))
    with torch.inference_mode():
        active_set = model(columns, head, source, True).head
        plain = model(columns, head, source, False).head
        monkeypatch.setattr(closure, "_BLOCK", 5)
        blocks = model(columns, head, source, True).head
    torch.testing.assert_close(plain, active_set, rtol=0.0, atol=1e-6)
    torch.testing.assert_close(blocks, active_set, rtol=0.0, atol=1e-9)


@pytest.mark.parametrize("layers", [11, "any"])
def test_gradients_reach_all_parameters_through_several_hours(layers: int | Literal["any"]) -> None:
    domain = basin()
    columns, model = columns_of(domain), trained(layers, seed=1).train()
    head = packed(columns, start_of(domain))
    for hour in (6, 7, 8):
        head = model(columns, head, packed(columns, weather(hour, domain, np.random.default_rng(0))), True).head
    head.square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
    assert model.correction.last.weight.grad.abs().max() > 0.0  # type: ignore[union-attr]


def test_heads_of_maps_come_back_where_they_were() -> None:
    domain = basin()
    columns, head = columns_of(domain), start_of(domain)
    np.testing.assert_array_equal(maps(columns, packed(columns, head)), np.where(domain.mask, head, np.nan))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"layers": 1}, "layers must be at least 2"),
        ({"layers": "any", "hidden": ()}, "hidden must have a width for layers: any"),
        ({"hidden": (4, 0)}, "hidden must be widths of at least 1"),
        ({"refinements": 0}, "refinements must be at least 1"),
        ({"hidden": (), "refinements": -1}, "refinements must be at least 0"),
        ({"routing": 0}, "routing and sweeps must be at least 1"),
    ],
)
def test_impossible_architectures_are_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        StructuredArchitecture(**given)  # type: ignore[arg-type]
