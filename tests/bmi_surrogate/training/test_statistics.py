"""Statistics of the training data equal NumPy's on everything at once."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_stores import make_domain, make_store, statics_of

from bmi_common import Domain
from bmi_surrogate.training import statistics
from bmi_surrogate.training.statistics import RunningMoments, data_statistics
from bmi_surrogate.training.store import Store


@pytest.fixture
def domain() -> Domain:
    return make_domain(inactive=0.3)


@pytest.fixture
def store(tmp_path: Path, domain: Domain) -> Store:
    return make_store(tmp_path / "store", domain, (40, 7, 30), validation_hours=9)


def everything(store: Store, mask: np.ndarray) -> dict[str, np.ndarray]:
    """(layers, values) of pressure, increments and source of the 68 training hours."""
    segments = [store.head[:41], store.head[41:49], store.head[49 : 49 + 22]]
    values = {
        "pressure": np.concatenate(segments),
        "increments": np.concatenate([np.diff(s, axis=0) for s in segments]),
        "source": store.source[:68].astype(np.float64),
    }
    return {name: v[..., mask].swapaxes(0, 1).reshape(v.shape[1], -1) for name, v in values.items()}


def test_they_are_those_of_all_training_hours_and_active_cells(store: Store, domain: Domain) -> None:
    found = data_statistics(store, domain, statics_of(domain))
    for name, values in everything(store, domain.mask).items():
        moments = getattr(found, name)
        np.testing.assert_allclose(moments.mean, values.mean(axis=1), rtol=1e-12, atol=1e-16)
        np.testing.assert_allclose(moments.std, values.std(axis=1, ddof=1), rtol=1e-11)
    np.testing.assert_allclose(found.statics.mean, statics_of(domain)[:, domain.mask].mean(axis=1), rtol=1e-12)


def test_validation_hours_do_not_count(store: Store, domain: Domain) -> None:
    more = Store.open(store.folder, validation_hours=0)
    a, b = (data_statistics(s, domain, statics_of(domain)) for s in (store, more))
    assert (a.pressure.mean != b.pressure.mean).all()


def test_they_are_computed_once(store: Store, domain: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    first = data_statistics(store, domain, statics_of(domain))
    monkeypatch.setattr(statistics, "_compute", lambda *_: pytest.fail("computed again"))
    again = data_statistics(store, domain, statics_of(domain))
    for part in ("pressure", "increments", "source", "statics"):
        np.testing.assert_array_equal(getattr(again, part).mean, getattr(first, part).mean)
        np.testing.assert_array_equal(getattr(again, part).std, getattr(first, part).std)


def test_other_statics_make_them_anew(store: Store, domain: Domain) -> None:
    first = data_statistics(store, domain, statics_of(domain))
    again = data_statistics(store, domain, statics_of(domain) * 2.0)
    np.testing.assert_allclose(again.statics.mean, 2.0 * first.statics.mean, rtol=1e-15)


def test_a_damaged_file_makes_them_anew(store: Store, domain: Domain) -> None:
    first = data_statistics(store, domain, statics_of(domain))
    file = store.folder / "statistics.yaml"
    file.write_text(file.read_text().split("source:")[0])
    np.testing.assert_array_equal(data_statistics(store, domain, statics_of(domain)).source.mean, first.source.mean)


def test_progress_is_told(store: Store, domain: Domain) -> None:
    told: list[tuple[int, int]] = []
    data_statistics(store, domain, statics_of(domain), lambda done, total: told.append((done, total)))
    assert told == [(24, 68), (40, 68), (47, 68), (68, 68)]


@given(
    sizes=st.lists(st.integers(0, 7), min_size=1, max_size=6).filter(lambda s: sum(s) > 1),
    mean=st.floats(-1e6, 1e6),
    seed=st.integers(0, 1000),
)
def test_pieces_merge_to_the_moments_of_all(sizes: list[int], mean: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    pieces = [mean + random.normal(size=(2, 3, n)) for n in sizes]
    running = RunningMoments(3)
    for piece in pieces:
        running.add(piece)
    values = np.concatenate(pieces, axis=-1).swapaxes(0, 1).reshape(3, -1)
    np.testing.assert_allclose(running.moments.mean, values.mean(axis=1), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(running.moments.std, values.std(axis=1, ddof=1), rtol=1e-9)
