"""Measures of error against cases worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi_common import Domain, DomainSpec
from coupler.evaluate.baselines import monthly_climatology, persistence
from coupler.evaluate.efficiency import kling_gupta
from coupler.evaluate.errors import absolute_error, column_storage, storage_error, water_table_error

LAYERS = [10.0] + [1.0] * 10


def a_domain() -> Domain:
    return Domain.load(
        DomainSpec.model_validate(
            {
                "grid": {"nx": 2, "ny": 1, "dx": 100.0, "dy": 100.0},
                "layers": LAYERS,
                "porosity": 0.4,
                "van_genuchten": {"alpha": 1.0, "n": 2.0, "residual_saturation": 0.0},
                "specific_storage": 0.0,
            }
        )
    )


def test_a_perfect_series_has_an_efficiency_of_one() -> None:
    assert kling_gupta([1.0, 2.0, 4.0], [1.0, 2.0, 4.0]) == pytest.approx((1.0, 1.0, 1.0, 1.0))


def test_doubling_a_series_costs_variability_and_bias() -> None:
    got = kling_gupta([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    assert got == pytest.approx((1.0 - np.sqrt(2.0), 1.0, 2.0, 2.0))


def test_a_reversed_series_costs_correlation() -> None:
    assert kling_gupta([3.0, 2.0, 1.0], [1.0, 2.0, 3.0]) == pytest.approx((-1.0, -1.0, 1.0, 1.0))


def test_a_constant_simulation_has_no_correlation() -> None:
    assert kling_gupta([2.0, 2.0, 2.0], [1.0, 2.0, 3.0]) == pytest.approx((1.0 - np.sqrt(2.0), 0.0, 0.0, 1.0))


def test_missing_times_do_not_count() -> None:
    assert kling_gupta([1.0, np.nan, 2.0, 9.0], [1.0, 5.0, 2.0, np.nan]).efficiency == pytest.approx(1.0)


def test_an_efficiency_that_is_not_defined_is_nan() -> None:
    assert np.isnan(kling_gupta([1.0, 2.0], [3.0, 3.0]).efficiency)
    assert np.isnan(kling_gupta([1.0, 2.0], [-1.0, 1.0]).efficiency)


def test_series_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="same length"):
        kling_gupta([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="at least two"):
        kling_gupta([1.0], [1.0])


@given(st.lists(st.floats(0.5, 100.0), min_size=3, max_size=20, unique=True), st.floats(0.1, 10.0))
def test_the_efficiency_does_not_depend_on_units(series: list[float], factor: float) -> None:
    simulated = np.array(series)[::-1]
    plain = kling_gupta(simulated, series)
    assert kling_gupta(factor * simulated, factor * np.array(series)) == pytest.approx(plain, rel=1e-6, abs=1e-6)


def test_quantiles_of_errors_leave_out_missing_reference() -> None:
    reference = np.array([0.0, 0.0, np.nan, 0.0])
    assert absolute_error(np.array([1.0, -2.0, np.nan, 3.0]), reference) == pytest.approx((2.0, 2.8, 2.0))


def test_a_simulation_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="not finite"):
        absolute_error(np.array([np.nan]), np.array([0.0]))


def test_raising_hydrostatic_heads_raises_the_water_table() -> None:
    centres = np.cumsum(LAYERS) - 0.5 * np.array(LAYERS)
    head = (15.0 - centres)[:, np.newaxis]
    assert water_table_error(head + 0.25, head, np.array(LAYERS)) == pytest.approx((0.25, 0.25, 0.25))


def test_storage_of_a_saturated_column_is_its_pores_and_its_pond() -> None:
    head = np.full((11, 2), 0.5)
    head[-1] = (0.0, 0.3)
    assert column_storage(head, a_domain()) == pytest.approx([0.4 * 20.0, 0.4 * 20.0 + 0.3])


def test_storage_error_is_that_of_the_pond_where_only_ponds_differ() -> None:
    head = np.full((3, 11, 2), 0.5)
    assert storage_error(head + np.eye(11)[-1][:, None] * 0.02, head, a_domain()) == pytest.approx((0.02,) * 3)


def test_persistence_repeats_the_start() -> None:
    assert persistence(np.array([1.0, 2.0]), 3).tolist() == [[1.0, 2.0]] * 3


def test_climatology_is_the_mean_of_the_month() -> None:
    got = monthly_climatology(np.array([[1.0], [3.0], [10.0]]), [1, 1, 2], [2, 1, 3])
    assert got[:2].tolist() == [[10.0], [2.0]]
    assert np.isnan(got[2]).all()


def test_a_month_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="1 to 12"):
        monthly_climatology(np.zeros((1, 1)), [0], [1])
