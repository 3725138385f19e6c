import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmi_common import van_genuchten as vg

alphas = st.floats(0.1, 20.0)
shapes = st.floats(1.1, 8.0)
residuals = st.floats(0.0, 0.4)
suctions = st.floats(1.0e-4, 1.0e3)


@pytest.fixture(autouse=True)
def _no_floating_point_surprises():
    with warnings.catch_warnings(), np.errstate(divide="raise", over="raise", invalid="raise"):
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("head", [-0.01, -0.5, -3.0, -150.0])
@pytest.mark.parametrize(("alpha", "n", "residual"), [(3.5, 2.0, 0.1), (0.5, 1.2, 0.2), (14.5, 2.68, 0.045)])
def test_functions_equal_the_published_formulas(head: float, alpha: float, n: float, residual: float) -> None:
    m = 1.0 - 1.0 / n
    x = alpha * -head
    effective = (1.0 + x**n) ** -m
    expected = (1.0 - x ** (n - 1.0) * (1.0 + x**n) ** -m) ** 2 / (1.0 + x**n) ** (m / 2.0)
    assert vg.saturation(head, alpha, n, residual) == pytest.approx(residual + (1.0 - residual) * effective, rel=1e-13)
    # the textbook form of kr loses digits in dry soil, where two nearly equal numbers are subtracted
    assert vg.relative_permeability(head, alpha, n) == pytest.approx(expected, rel=1e-6)
    mualem = effective**0.5 * (1.0 - (1.0 - effective ** (1.0 / m)) ** m) ** 2
    assert vg.relative_permeability(head, alpha, n) == pytest.approx(mualem, rel=1e-6)


@given(suctions, alphas, shapes, residuals, st.floats(0.6, 1.0))
def test_head_follows_from_the_saturation_it_gives(
    suction: float, alpha: float, n: float, residual: float, maximum: float
) -> None:
    s = vg.saturation(-suction, alpha, n, residual, maximum)
    effective = (s - residual) / (maximum - residual)
    if not 1.0e-6 < effective < 1.0 - 1.0e-6:
        return  # the saturation, a double near its limit, no longer tells the head
    # near the limits a rounding error of s is magnified by |ds/dh|^-1
    assert vg.pressure_head(s, alpha, n, residual, maximum) == pytest.approx(-suction, rel=1e-6)


@given(alphas, shapes, residuals)
def test_saturation_and_permeability_fall_monotonically_with_suction(alpha: float, n: float, residual: float) -> None:
    heads = -np.logspace(-6, 6, 200)
    s = vg.saturation(heads, alpha, n, residual)
    k = vg.relative_permeability(heads, alpha, n)
    assert np.all(np.diff(s) <= 0.0)
    assert np.all(np.diff(k) <= 1.0e-15)
    assert s.min() >= residual
    assert s.max() <= 1.0
    assert k.min() >= 0.0
    assert k.max() <= 1.0


@given(alphas, shapes, residuals, st.floats(0.6, 1.0), st.floats(0.0, 1.0e4))
def test_saturated_soil_holds_its_maximum_and_conducts_fully(
    alpha: float, n: float, residual: float, maximum: float, head: float
) -> None:
    assert vg.saturation(head, alpha, n, residual, maximum) == pytest.approx(maximum, rel=1e-15)
    assert vg.relative_permeability(head, alpha, n) == 1.0


@pytest.mark.parametrize("n", [1.05, 1.5, 3.0, 12.0])
def test_extremely_dry_soil_is_at_its_residual_without_overflow(n: float) -> None:
    head = np.array([-1.0e9, -1.0e300])
    s = vg.saturation(head, 3.5, n, 0.1)
    k = vg.relative_permeability(head, 3.5, n)
    assert np.all((s >= 0.1) & (s < 0.1 + 0.5))
    assert np.all((k >= 0.0) & (k < 1.0e-9))
    if n >= 1.5:
        assert s == pytest.approx([0.1, 0.1], abs=1e-4)


def test_permeability_of_dry_soil_keeps_its_asymptote() -> None:
    # kr -> m^2 x^(-2n - (n-1)/2); 1 - (1 + x^-n)^-m computed as written would be exactly 0 here
    alpha, n, head = 3.5, 3.0, -1.0e6
    m, x = 1.0 - 1.0 / n, alpha * 1.0e6
    assert vg.relative_permeability(head, alpha, n) == pytest.approx(m**2 * x ** (-2 * n - (n - 1) / 2), rel=1e-9)


def test_functions_broadcast_over_layers_and_cells() -> None:
    head = np.full((3, 2, 4), -1.0)
    alpha = np.array([1.0, 2.0, 3.0])[:, np.newaxis, np.newaxis]
    s = vg.saturation(head, alpha, 2.0, 0.1)
    assert s.shape == (3, 2, 4)
    assert np.all(np.diff(s, axis=0) < 0.0)


def test_nan_outside_the_domain_stays_nan() -> None:
    head = np.array([np.nan, -1.0])
    assert list(np.isnan(vg.saturation(head, 3.5, 2.0, 0.1))) == [True, False]
    assert list(np.isnan(vg.relative_permeability(head, 3.5, 2.0))) == [True, False]


@pytest.mark.parametrize("saturation", [0.1, 0.05, -1.0])
def test_no_head_is_invented_at_or_below_the_residual(saturation: float) -> None:
    with pytest.raises(ValueError, match="residual"):
        vg.pressure_head(np.array([0.5, saturation]), 3.5, 2.0, 0.1)


def test_no_infinite_head_is_returned_close_to_the_residual() -> None:
    with pytest.raises(ValueError, match="no finite pressure head"):
        vg.pressure_head(0.1 + 1e-12, 3.5, 1.01, 0.1)


def test_saturated_soil_has_head_zero() -> None:
    assert list(vg.pressure_head([1.0, 1.2], 3.5, 2.0, 0.1)) == [0.0, 0.0]
