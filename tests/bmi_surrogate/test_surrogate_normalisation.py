"""Normalisation by stored statistics."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bmi_common import ConfigError, Domain
from bmi_surrogate.predrnn import statics as static_channels
from bmi_surrogate.predrnn.normalisation import Moments, Normaliser, Statistics, moments_of_statics, standardise_statics


@given(st.floats(-100.0, 100.0), st.floats(1e-6, 100.0), st.floats(-1e3, 1e3))
def test_restoring_undoes_normalising(mean: float, std: float, value: float) -> None:
    n = Normaliser(Moments.of([mean], [std]), torch.device("cpu"), torch.float64)
    field = torch.full((1, 2, 2), value, dtype=torch.float64)
    torch.testing.assert_close(n.restore(n.normalise(field)), field, rtol=1e-12, atol=1e-10)


def test_statics_are_standardised_over_active_cells() -> None:
    fields = np.random.default_rng(0).normal(3.0, 2.0, (6, 9, 8))
    mask = np.random.default_rng(1).random((9, 8)) < 0.7
    fields[:, ~mask] = np.nan
    standard = standardise_statics(fields, moments_of_statics(fields, mask), mask)
    np.testing.assert_allclose(standard[:, mask].mean(axis=1), 0.0, atol=1e-12)
    np.testing.assert_allclose(standard[:, mask].std(axis=1, ddof=1), 1.0, rtol=1e-7)
    np.testing.assert_array_equal(standard[:, ~mask], 0.0)


def test_constant_channel_is_zero_and_another_value_is_refused() -> None:
    trained = np.full((46, 4, 5), 0.1)
    trained[:22] = np.random.default_rng(0).normal(size=(22, 4, 5))
    moments = moments_of_statics(trained)
    # fields stored in single precision belong to the same constant
    np.testing.assert_array_equal(standardise_statics(trained.astype(np.float32), moments)[22:], 0.0)
    other = trained.copy()
    other[23, 2, 3] = 0.2
    with pytest.raises(ConfigError, match=r"van Genuchten alpha, layer 1.* was 0.1 .*has 0.2 .*j=2, i=3"):
        standardise_statics(other, moments)


def test_another_domain_keeps_the_statistics_of_training() -> None:
    trained = np.random.default_rng(0).normal(size=(6, 9, 8))
    moments = moments_of_statics(trained)
    shifted = standardise_statics(trained + 1.0, moments)
    np.testing.assert_allclose(shifted.mean(axis=(1, 2)), 1.0 / moments.std, rtol=1e-6)


def test_static_channels_come_in_the_published_order(domain: Domain) -> None:
    fields = static_channels.from_domain(domain)
    assert fields.shape == (46, 18, 21)
    assert domain.conductivity_x is not None
    assert domain.manning is not None
    slopes = (domain.require("slope_x", "this test"), domain.require("slope_y", "this test"))
    np.testing.assert_array_equal(fields[:11], domain.conductivity_x)
    np.testing.assert_array_equal(fields[11:22], domain.porosity)
    np.testing.assert_array_equal(fields[22:33], domain.alpha)
    np.testing.assert_array_equal(fields[33:44], domain.n)
    np.testing.assert_allclose(fields[44] ** 2, slopes[0] ** 2 + slopes[1] ** 2, rtol=1e-12)
    np.testing.assert_allclose(fields[45] * 3600.0, domain.manning, rtol=1e-14)
    assert static_channels.channel_name(44, 46) == "slope"
    assert static_channels.channel_name(12, 46) == "porosity, layer 1"


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [([0.0], [1.0, 2.0], "same length"), ([0.0], [-1.0], "not negative"), ([np.nan], [1.0], "finite")],
)
def test_impossible_moments_are_refused(mean: list[float], std: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Moments.of(mean, std)


def test_pressure_needs_a_spread_in_every_layer() -> None:
    good = Moments.of([0.0, 0.0], [1.0, 1.0])
    with pytest.raises(ValueError, match="pressure of layer 1 must be positive"):
        Statistics(Moments.of([0.0, 0.0], [1.0, 0.0]), good)
