"""Retention in tensors against the formulae in NumPy, and the coordinate in which heads add up."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bmi_common import van_genuchten
from bmi_surrogate.structured.retention import KNEE, Retention

HEADS = torch.tensor([-1.0e4, -300.0, -20.0, -3.0, -0.7, -0.1, -1e-3, -1e-9, -1e-25, -0.0, 0.0, 1e-12, 0.4, 50.0])
HEADS = HEADS.double()[:, None]


@st.composite
def soils(draw: st.DrawFn) -> Retention:
    number = {"allow_nan": False, "allow_subnormal": False}
    values = [
        draw(st.floats(0.05, 30.0, **number)),
        draw(st.floats(1.05, 6.0, **number)),
        draw(st.floats(0.0, 0.3, **number)),
        draw(st.floats(0.6, 1.0, **number)),
    ]
    return Retention(*(torch.tensor([[v]], dtype=torch.float64) for v in values))


def array(tensor: Tensor) -> np.ndarray:
    return tensor.numpy()


@given(soils())
def test_saturation_and_permeability_are_those_of_the_formulae(soil: Retention) -> None:
    alpha, n, residual, maximum = (array(p) for p in soil)
    expected = van_genuchten.saturation(HEADS, alpha, n, residual, maximum)
    np.testing.assert_allclose(array(soil.saturation(HEADS)), expected, rtol=1e-12)
    # the exponent n ln x is some tens, and its rounding that of the logarithm of the result
    expected = van_genuchten.relative_permeability(HEADS, alpha, n)
    np.testing.assert_allclose(array(soil.relative_permeability(HEADS)), expected, rtol=1e-10, atol=1e-300)


@given(soils(), st.floats(-100.0, -1e-3))
def test_wetness_has_the_derivative_of_saturation(soil: Retention, at: float) -> None:
    head = torch.tensor([[at]], dtype=torch.float64, requires_grad=True)
    saturation, slope = soil.saturation_and_capacity(head)
    (exact,) = torch.autograd.grad(saturation.sum(), head)
    step = 1.0e-5 * abs(at)
    difference = (soil.saturation(head + step) - soil.saturation(head - step)) / (2.0 * step)
    torch.testing.assert_close(slope, exact, rtol=1e-10, atol=1e-300)
    torch.testing.assert_close(slope, difference, rtol=1e-5, atol=1e-9 / step * 1e-6)


@given(soils())
def test_saturated_soil_is_at_its_maximum_and_conducts_fully(soil: Retention) -> None:
    wet = torch.tensor([[0.0], [1e-9], [30.0]], dtype=torch.float64)
    saturation, slope = soil.saturation_and_capacity(wet)
    assert torch.equal(saturation, soil.maximum.expand(3, 1))
    assert not slope.any()
    assert torch.equal(soil.relative_permeability(wet), torch.ones_like(wet))


@given(soils())
def test_coordinate_and_head_are_each_others_inverse(soil: Retention) -> None:
    there = soil.coordinate(HEADS)
    torch.testing.assert_close(soil.head(there), HEADS, rtol=1e-11, atol=0.0)
    torch.testing.assert_close(soil.coordinate(soil.head(there)), there, rtol=1e-12, atol=0.0)


@given(soils(), st.lists(st.floats(-1e4, 100.0), min_size=2, max_size=9, unique=True))
def test_coordinate_grows_with_head(soil: Retention, heads: list[float]) -> None:
    ordered = torch.tensor(sorted(heads), dtype=torch.float64)[:, None]
    assert (soil.coordinate(ordered).diff(dim=0) >= 0.0).all()
    apart = ordered.diff(dim=0) > 1e-9 * ordered[:-1].abs()
    assert (soil.coordinate(ordered).diff(dim=0)[apart] > 0.0).all()


@given(soils(), st.floats(-12.0, 5.0))
def test_stretch_is_the_derivative_of_head(soil: Retention, times: float) -> None:
    coordinate = (times * KNEE / soil.alpha).requires_grad_()
    head = soil.head(coordinate)
    (exact,) = torch.autograd.grad(head.sum(), coordinate)
    torch.testing.assert_close(soil.stretch(coordinate), exact, rtol=1e-12, atol=0.0)


@given(soils())
def test_coordinate_is_smooth_at_its_knee(soil: Retention) -> None:
    knee = -KNEE / soil.alpha
    torch.testing.assert_close(soil.coordinate(knee), knee, rtol=1e-14, atol=0.0)
    assert float(soil.stretch(knee)) == pytest.approx(1.0, rel=1e-12)
    below, above = (soil.coordinate(knee * f) - knee for f in (1.0 + 1e-6, 1.0 - 1e-6))
    torch.testing.assert_close(below, -above, rtol=1e-5, atol=0.0)


@given(soils())
def test_every_gradient_is_finite_also_where_the_soil_becomes_saturated(soil: Retention) -> None:
    for function in (
        soil.saturation,
        soil.relative_permeability,
        soil.coordinate,
        lambda h: soil.saturation_and_capacity(h)[1],
    ):
        head = torch.cat((HEADS, HEADS.new_full((1, 1), -1e-40))).requires_grad_()
        (gradient,) = torch.autograd.grad(function(head).sum(), head)
        assert torch.isfinite(gradient).all()
    coordinate = soil.coordinate(HEADS).requires_grad_()
    for function in (soil.head, soil.stretch):
        (gradient,) = torch.autograd.grad(function(coordinate).sum(), coordinate)
        assert torch.isfinite(gradient).all()
