"""From texture, depth and permeability to the parameters of layers."""

import numpy as np
import pytest
from domain_maps import Floats
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from bmi_colm.tables import soil_table
from rootzone.domain_builder.config import DecayConfig
from rootzone.domain_builder.depths import DEPTHS, interval_weights
from rootzone.domain_builder.permeability import (
    conductivity,
    density_of_water,
    folding_depth,
    mean_of_decay,
    viscosity_of_water,
)
from rootzone.domain_builder.texture import class_averages, rosetta, usda_class


def of(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)


# ------------------------------------------------------------------ texture


@pytest.mark.parametrize("name", sorted(soil_table().textures))
def test_the_centre_of_each_class_is_of_the_class(name):
    texture = soil_table().textures[name]
    assert usda_class(of(texture.sand), of(texture.clay))[0] == texture.number


def test_every_texture_has_a_class_and_all_classes_are_met():
    sand, clay = (part.ravel() for part in np.meshgrid(np.arange(101.0), np.arange(101.0)))
    here = sand + clay <= 100.0
    assert set(usda_class(sand[here], clay[here])) == set(range(1, 13))


def test_class_averages_are_those_that_were_published():
    # Rosetta's table of class averages: K of sand 642.7 cm/d, of loam 12.05 cm/d, of clay 14.75 cm/d
    found = class_averages(np.array([1, 6, 12]))
    np.testing.assert_allclose(found.conductivity * 2400.0, [642.7, 12.05, 14.76], rtol=1e-3)
    np.testing.assert_allclose(found.porosity, [0.375, 0.399, 0.459])
    np.testing.assert_allclose(found.residual_water, [0.053, 0.061, 0.098])
    np.testing.assert_allclose(found.alpha, [3.524, 1.112, 1.496], rtol=1e-3)
    np.testing.assert_allclose(found.n, [3.177, 1.472, 1.253], rtol=1e-3)


def test_rosetta_meets_the_class_averages_within_the_scatter_of_soils():
    textures = [t for t in soil_table().textures.values() if t.name not in ("silt", "sandy clay")]  # 6 and 11 soils
    sand, clay = of(*(t.sand for t in textures)), of(*(t.clay for t in textures))
    found = rosetta(sand, 100.0 - sand - clay, clay)
    averages = class_averages(np.array([t.number for t in textures]))
    # Schaap et al. (2001): root mean square error of texture alone 0.076 for water, 0.72 for log10 K
    assert np.abs(found.porosity - averages.porosity).max() < 0.076
    assert np.abs(np.log10(found.conductivity / averages.conductivity)).max() < 0.72
    assert (found.log_conductivity_deviation > 0.0).all()
    assert found.conductivity[0] == found.conductivity.max() or found.conductivity.argmax() == np.argmax(sand)


def test_dense_soil_conducts_less():
    loose, dense = rosetta(of(40.0, 40.0), of(40.0, 40.0), of(20.0, 20.0), of(1.1, 1.7)).conductivity
    assert loose > 3.0 * dense


# ------------------------------------------------------------------ depth


thicknesses = st.lists(st.floats(0.01, 30.0), min_size=1, max_size=12)


@given(layers=thicknesses, intervals=thicknesses)
def test_depth_mapping_conserves_means_weighted_by_thickness(layers, intervals):
    dz = of(*layers)
    limits = (0.0, *np.cumsum(intervals))
    weights = interval_weights(limits, dz)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    values = np.arange(1.0, 1.0 + len(intervals))
    held = float(dz @ (weights @ values))
    # the same integral by the intervals, cut or continued at the bottom of the layers
    bottom, edges = float(dz.sum()), np.array(limits)
    edges[-1] = max(edges[-1], bottom)
    shared = np.diff(np.minimum(edges, bottom))
    assert held == pytest.approx(float(shared @ values), rel=1e-9)


def test_layers_that_are_the_intervals_take_their_values():
    dz = np.diff(DEPTHS["soilgrids"])[::-1]
    np.testing.assert_allclose(interval_weights(DEPTHS["soilgrids"], dz), np.eye(6)[::-1], atol=1e-12)


# ------------------------------------------------------------------ rock


def test_water_is_as_tabulated():
    # CRC Handbook: 20 degrees 998.2 kg m-3 and 1.002 mPa s, 10 degrees 999.7 and 1.307
    assert density_of_water(20.0) == pytest.approx(998.2, abs=0.1)
    assert density_of_water(10.0) == pytest.approx(999.7, abs=0.1)
    assert viscosity_of_water(20.0) == pytest.approx(1.002e-3, rel=0.01)
    assert viscosity_of_water(10.0) == pytest.approx(1.307e-3, rel=0.01)


def test_a_darcy_is_as_tabulated():
    # 1e-12 m2 at 20 degrees: about 9.8e-6 m/s
    assert conductivity(of(-12.0), 20.0)[0] / 3600.0 == pytest.approx(9.77e-6, rel=0.01)


@given(top=st.floats(0.0, 50.0), thickness=st.floats(0.1, 100.0), slope=st.floats(0.0, 1.0))
def test_the_mean_of_a_layer_is_the_integral_of_the_decay(top, thickness, slope):
    decay = DecayConfig(a=120.0, b=150.0, minimum=5.0)
    folding = folding_depth(of(slope), decay)
    assert folding[0] == pytest.approx(max(120.0 / (1.0 + 150.0 * slope), 5.0))
    mean = mean_of_decay(of(top), of(top + thickness), folding)[0]
    expected = quad(lambda z: np.exp(-z / folding[0]), top, top + thickness)[0] / thickness
    assert mean == pytest.approx(expected, rel=1e-6, abs=1e-12)
