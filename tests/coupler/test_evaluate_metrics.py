"""Metrics against hand-made cases and against independent implementations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from rootzone.evaluation.metrics import Metrics, metrics, running_mean, spearman


def random_pair(seed: int = 0, cells: int = 5, times: int = 200) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    reference = rng.gamma(2.0, 3.0, (cells, times))
    return 0.8 * reference + rng.normal(1.0, 2.0, (cells, times)), reference


def numbers(got: Metrics, cell: int | None = None) -> list[float]:
    return [float(value if cell is None else value[cell]) for value in got]


def test_a_perfect_series() -> None:
    got = metrics([1.0, 3.0, 2.0], [1.0, 3.0, 2.0])
    assert got == pytest.approx(Metrics(3.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0))


def test_a_shifted_series() -> None:
    got = metrics([3.0, 5.0, 4.0], [1.0, 3.0, 2.0])
    assert got == pytest.approx(Metrics(3.0, 2.0, 2.0, 2.0, 0.0, 1.0, 1.0, 2.0, 1.0))


def test_a_scaled_series() -> None:
    got = metrics([2.0, 6.0, 4.0], [1.0, 3.0, 2.0])
    rmse, kge = np.sqrt((1.0 + 9.0 + 4.0) / 3.0), 1.0 - np.sqrt(2.0)
    assert got == pytest.approx(Metrics(3.0, 2.0, rmse, 2.0, kge, 1.0, 2.0, 2.0, 1.0))


def test_a_reversed_series() -> None:
    got = metrics([3.0, 2.0, 1.0], [1.0, 2.0, 3.0])
    assert (got.r, got.spearman, got.bias, got.mae) == pytest.approx((-1.0, -1.0, 0.0, 4.0 / 3.0))


def test_a_constant_simulation_has_no_correlation_and_no_variability() -> None:
    # 0.1 has no exact mean: rounding must not make a variability of it
    got = metrics(np.full(30, 0.1), np.arange(1.0, 31.0))
    assert (got.r, got.alpha) == (0.0, 0.0)
    assert np.isnan(got.spearman)
    assert np.isfinite(got.kge)


def test_against_a_constant_reference_nothing_relative_is_defined() -> None:
    got = metrics([1.0, 2.0, 3.0], [0.1, 0.1, 0.1])
    assert np.isnan([got.kge, got.r, got.alpha, got.beta, got.spearman]).all()
    assert got.bias == pytest.approx(1.9)


def test_missing_values_do_not_count() -> None:
    got = metrics([1.0, np.nan, 3.0, 9.0, np.inf], [2.0, 5.0, 4.0, np.nan, 1.0])
    assert numbers(got) == pytest.approx(numbers(metrics([1.0, 3.0], [2.0, 4.0])))
    assert got.number == 2


def test_fewer_than_two_values_say_nothing() -> None:
    for series in ([], [1.0], [np.nan, 1.0]):
        got = metrics(series, np.ones(len(series)))
        assert np.isnan(got[1:]).all()


def test_ties_have_their_mean_rank() -> None:
    s, o = [1.0, 1.0, 2.0, 3.0, 3.0, 3.0], [2.0, 1.0, 2.0, 2.0, 5.0, 4.0]
    assert metrics(s, o).spearman == pytest.approx(stats.spearmanr(s, o).statistic)


def test_cells_do_not_see_one_another() -> None:
    s, o = random_pair()
    s[1, ::3], o[2, 10:40] = np.nan, np.nan
    together = metrics(s, o)
    for cell in range(len(s)):
        assert numbers(together, cell) == pytest.approx(numbers(metrics(s[cell], o[cell])), rel=1e-12)


def test_series_of_different_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="same shape"):
        metrics(np.ones((2, 3)), np.ones((3, 2)))
    with pytest.raises(ValueError, match="same shape"):
        metrics(1.0, 1.0)


def test_correlations_are_those_of_scipy() -> None:
    s, o = random_pair()
    got = metrics(s, o)
    for cell in range(len(s)):
        assert got.r[cell] == pytest.approx(stats.pearsonr(s[cell], o[cell]).statistic)
        assert got.spearman[cell] == pytest.approx(stats.spearmanr(s[cell], o[cell]).statistic)


def test_hydroerr_agrees() -> None:
    hydroerr = pytest.importorskip("HydroErr", reason="HydroErr is not installed")
    s, o = random_pair(1)
    got = metrics(s, o)
    for cell in range(len(s)):
        pair = s[cell], o[cell]
        r, alpha, beta, kge = hydroerr.kge_2009(*pair, return_all=True)
        # its standard deviations divide by n - 1, which cancels
        assert (got.r[cell], got.alpha[cell], got.beta[cell], got.kge[cell]) == pytest.approx((r, alpha, beta, kge))
        assert got.rmse[cell] == pytest.approx(hydroerr.rmse(*pair))
        assert got.mae[cell] == pytest.approx(hydroerr.mae(*pair))
        assert got.bias[cell] == pytest.approx(hydroerr.me(*pair))
        assert got.spearman[cell] == pytest.approx(hydroerr.spearman_r(*pair))


def test_hydroeval_agrees() -> None:
    hydroeval = pytest.importorskip("hydroeval", reason="hydroeval is not installed")
    s, o = random_pair(2)
    got = metrics(s, o)
    for cell in range(len(s)):
        expected = hydroeval.kge(s[cell], o[cell]).ravel()
        assert (got.kge[cell], got.r[cell], got.alpha[cell], got.beta[cell]) == pytest.approx(tuple(expected))


def test_the_efficiency_is_not_defined_beside_a_mean_of_zero() -> None:
    assert np.isnan(metrics([1.0, 2.0], [-1.0, 1.0]).kge)


@given(st.lists(st.floats(0.5, 100.0), min_size=3, max_size=20, unique=True), st.floats(0.1, 10.0))
def test_the_efficiency_does_not_depend_on_units(series: list[float], factor: float) -> None:
    simulated = np.array(series)[::-1]
    plain = metrics(simulated, series).kge
    assert metrics(factor * simulated, factor * np.array(series)).kge == pytest.approx(plain, rel=1e-6, abs=1e-6)


def test_a_running_mean_holds_the_hours_before() -> None:
    got = running_mean(np.arange(30.0), 24)
    assert np.isnan(got[:23]).all()
    np.testing.assert_allclose(got[23:], np.arange(30.0)[23:] - 11.5)


values = hnp.arrays(np.float64, st.integers(3, 30), elements=st.floats(-100, 100, width=32), unique=True)


@given(values, st.floats(0.1, 10.0), st.floats(-5.0, 5.0))
def test_ranks_do_not_see_growing_transformations(series: np.ndarray, factor: float, shift: float) -> None:
    other = series[::-1]
    plain = spearman(series, other)
    # a factor may let neighbours fall together in rounding, so the transformation is one of the ranks
    ranks = factor * stats.rankdata(series) + shift
    assert spearman(ranks, other) == pytest.approx(plain, abs=1e-9)
    assert -1.0 - 1e-9 <= plain <= 1.0 + 1e-9
