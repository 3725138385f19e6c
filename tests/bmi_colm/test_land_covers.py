"""Land covers that are no vegetated soil: wetland, urban, land ice and open water."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from bmi_colm.arrays import N_SNOW
from bmi_colm.columns import ColumnConfig, ColumnModel, FrozenSoil
from bmi_colm.soil import SoilTexture

THICKNESS = np.array([0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 1.0, 1.5])
WETLAND, URBAN, ICE, WATER = 11, 13, 15, 17
MILD = {
    "shortwave": 300.0,
    "longwave": 320.0,
    "precipitation": 0.0,
    "air_temperature": 288.0,
    "wind_x": 3.0,
    "wind_y": 0.0,
    "pressure": 1.0e5,
    "humidity": 0.007,
}
FROST = MILD | {"shortwave": 0.0, "longwave": 200.0, "air_temperature": 253.0, "humidity": 0.0006}
SATURATION = 0.7


def column(cover: int, **options) -> ColumnModel:
    return ColumnModel(
        land_cover=[cover],
        texture=SoilTexture.from_usda(np.array(["loam"])),
        thickness=THICKNESS,
        porosity=0.43,
        latitude=60.0,
        longitude=0.0,
        start=datetime(2020, 3, 20, 12),
        options=ColumnConfig(**options),
    )


def run(model: ColumnModel, weather: dict[str, float], hours: int = 1):
    for _ in range(hours):
        fluxes = model.step(weather, -0.5, SATURATION)
        assert np.abs(fluxes.energy_residual).max() < 1e-6
        assert np.abs(fluxes.water_residual).max() < 1e-15
    return fluxes


@pytest.mark.parametrize("cover", [ICE, WATER])
def test_ice_and_water_neither_give_to_nor_take_from_the_groundwater(cover):
    model = column(cover)
    for weather in (MILD, MILD | {"precipitation": 1e-3}, FROST, FROST | {"precipitation": 1e-4}):
        fluxes = run(model, weather, 12)
        assert not fluxes.source.any()
        assert fluxes.transpiration[0] == 0
        assert fluxes.clamped_heads[0] == 0


def test_rain_on_open_water_runs_off_at_once():
    model = column(WATER)
    fluxes = run(model, MILD | {"precipitation": 1e-3})
    assert fluxes.runoff[0] == pytest.approx(1e-3 - fluxes.evapotranspiration[0], rel=1e-12)


def test_open_water_warms_as_a_mixed_body():
    model = column(WATER)
    before = model.state.temperature[0, N_SNOW:].copy()
    gained = 0.0
    for _ in range(48):
        gained += 3600 * run(model, MILD).ground_heat[0]
    after = model.state.temperature[0, N_SNOW:]
    np.testing.assert_allclose(after, after[0], rtol=1e-12)
    # the top layer's inertia is that of its thermal skin (Dai et al. 2003), not of its full thickness
    assert 4188e3 * THICKNESS.sum() * (after[0] - before[0]) == pytest.approx(gained, rel=5e-3)


def test_open_water_freezes_from_the_top_and_bears_snow():
    model = column(WATER)
    model.state.temperature[:, N_SNOW:] = 274.0
    run(model, FROST, 240)
    ice = model.state.ice[0, N_SNOW:] / (1000 * THICKNESS)
    assert ice[0] == 1.0
    assert ice[-1] == 0.0
    assert (np.diff(ice) <= 0).all()
    run(model, FROST | {"precipitation": 5e-4}, 48)
    assert model.state.snow_layers[0] > 0
    bright = model.state.albedo.copy()
    for _ in range(24 * 60):
        run(model, MILD)
    assert model.state.ice[0, N_SNOW:].sum() == 0
    assert (model.state.albedo[bright < 1] < 0.3).all() if (bright < 1).any() else True


def test_snow_melts_in_open_water_and_cools_it():
    dry, wet = column(WATER), column(WATER)
    for model in (dry, wet):
        model.state.temperature[:, N_SNOW:] = 278.0
    run(dry, FROST)
    run(wet, FROST | {"precipitation": 1e-3})
    assert wet.state.snow_water[0] == 0
    lost = 1000 * 4188 * THICKNESS.sum() * (dry.state.temperature[0, -1] - wet.state.temperature[0, -1])
    assert lost == pytest.approx(3.6 * (3.336e5 + 4188 * 25), rel=0.01)  # fusion, and warming from 253 K


def test_land_ice_melts_at_the_freezing_point_and_loses_mass():
    model = column(ICE)
    fluxes = run(model, MILD | {"shortwave": 700.0}, 12)
    assert fluxes.ground_temperature[0] <= 273.16 + 1e-9
    assert fluxes.runoff[0] > 0
    assert fluxes.body_gain[0] < 0
    np.testing.assert_allclose(model.state.ice[0, N_SNOW:], 917 * THICKNESS)


def test_land_ice_and_water_are_darker_than_snow_and_water_darker_than_ice():
    reflected = {}
    for cover in (ICE, WATER):
        reflected[cover] = run(column(cover), MILD, 2).reflected_shortwave[0] / MILD["shortwave"]
    assert 0.45 < reflected[ICE] < 0.6
    assert 0.02 < reflected[WATER] < 0.2


def test_urban_ground_is_vegetated_soil():
    fluxes = run(column(URBAN), MILD, 2)
    assert fluxes.transpiration[0] > 0
    assert (fluxes.source[0] < 0).any()


def test_wetland_gives_its_water_to_the_groundwater_where_water_is_conserved():
    fluxes = run(column(WETLAND), MILD | {"precipitation": 1e-3})
    assert fluxes.infiltration[0] > 5e-4
    assert fluxes.runoff[0] == 0


def test_wetland_of_the_published_coupling_keeps_only_transpiration_and_its_rain_is_accounted_for():
    fluxes = run(column(WETLAND, frozen_soil=FrozenSoil.REFERENCE), MILD | {"precipitation": 1e-3})
    assert fluxes.infiltration[0] == 0
    assert fluxes.runoff[0] > 5e-4
    assert (fluxes.source[0] * THICKNESS).sum() / 3.6 == pytest.approx(-fluxes.transpiration[0])


def test_ground_without_any_vegetation_still_closes():
    model = column(10)
    model.parameters.leaf_area_maximum[:] = 0.0
    model.parameters.leaf_area_minimum[:] = 0.0
    model.parameters.stem_area_index[:] = 0.0
    fluxes = run(model, MILD, 24)
    assert fluxes.transpiration[0] == 0
    assert fluxes.canopy_evaporation[0] == 0
    assert fluxes.ground_evaporation[0] > 0
