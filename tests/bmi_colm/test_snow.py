"""Snow on the ground, in the treatment that conserves water and energy."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from bmi_colm.arrays import N_SNOW, ColumnFluxes
from bmi_colm.columns import ColumnConfig, ColumnModel, FrozenSoil
from bmi_colm.soil import SoilTexture

THICKNESS = np.array([0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 1.0, 1.5])
SOIL_COVERS = (1, 4, 7, 10, 11, 12, 13, 16)
BLIZZARD = {
    "shortwave": 0.0,
    "longwave": 230.0,
    "precipitation": 1.0e-3,
    "air_temperature": 263.0,
    "wind_x": 4.0,
    "wind_y": 0.0,
    "pressure": 9.0e4,
    "humidity": 0.0015,
}
THAW = BLIZZARD | {
    "shortwave": 350.0,
    "longwave": 330.0,
    "precipitation": 0.0,
    "air_temperature": 281.0,
    "humidity": 0.005,
}
SATURATION = 0.6
HEAD = -1.0


def columns(covers=SOIL_COVERS, options: ColumnConfig | None = None, threads: int = 1) -> ColumnModel:
    model = ColumnModel(
        land_cover=covers,
        texture=SoilTexture.from_usda(np.full(len(covers), "loam")),
        thickness=THICKNESS,
        porosity=0.43,
        latitude=45.0,
        longitude=0.0,
        start=datetime(2020, 1, 10),
        options=options,
        threads=threads,
    )
    model.state.temperature[:, N_SNOW:] = 271.0
    model.state.leaf_temperature[:] = 266.0
    return model


def step(model: ColumnModel, weather: dict[str, float], hours: int = 1, **changes: float) -> ColumnFluxes:
    for _ in range(hours):
        fluxes = model.step(weather | changes, HEAD, SATURATION)
        assert np.abs(fluxes.energy_residual).max() < 1e-6
    return fluxes


def test_snow_builds_up_in_layers_that_add_up():
    model = columns()
    for _ in range(72):
        step(model, BLIZZARD)
        s = model.state
        inside = np.arange(N_SNOW) >= N_SNOW - s.snow_layers[:, None]
        assert ((s.snow_thickness > 0) == inside).all()
        assert not s.ice[:, :N_SNOW][~inside].any()
        layered = s.snow_layers > 0
        np.testing.assert_allclose(s.snow_thickness.sum(axis=1)[layered], s.snow_depth[layered], rtol=1e-12)
        water = (s.ice + s.liquid)[:, :N_SNOW].sum(axis=1)
        np.testing.assert_allclose(water[layered], s.snow_water[layered], rtol=1e-12)
    assert (s.snow_layers == N_SNOW).all()
    # thin at the surface, where temperature changes most
    assert (np.diff(s.snow_thickness, axis=1) > 0).all()


def test_snow_becomes_denser_with_time_but_not_denser_than_ice():
    model = columns()
    step(model, BLIZZARD, 24)
    fresh = model.state.snow_water / model.state.snow_depth
    step(model, BLIZZARD, 240, precipitation=0.0)
    settled = model.state.snow_water / model.state.snow_depth
    assert (fresh > 50).all()
    assert (settled > fresh).all()
    assert (settled < 917).all()


def test_all_snow_that_fell_leaves_as_melt_vapour_or_canopy_water():
    model = columns()
    fallen = 24 * 3600 * BLIZZARD["precipitation"]
    gone = np.zeros(model.n)
    for hour in range(24 + 24 * 40):
        fluxes = step(model, BLIZZARD if hour < 24 else THAW)
        gone += 3600 * (fluxes.evapotranspiration - fluxes.transpiration + fluxes.infiltration)
        if hour > 24 and not model.state.snow_water.any():
            break
    assert not model.state.snow_water.any()
    np.testing.assert_allclose(gone + model.state.canopy_water, fallen, rtol=1e-12)


def test_snow_insulates_the_soil():
    bare, covered = columns(), columns()
    step(covered, BLIZZARD, 72)
    covered.time = bare.time
    covered.state.temperature[:, N_SNOW:] = 271.0
    covered.state.ice[:, N_SNOW:], covered.state.liquid[:, N_SNOW:] = 0.0, 0.0
    frost = {"air_temperature": 243.0, "precipitation": 0.0, "longwave": 180.0}
    step(bare, BLIZZARD, 48, **frost)
    step(covered, BLIZZARD, 48, **frost)
    assert (covered.state.temperature[:, N_SNOW] > bare.state.temperature[:, N_SNOW] + 1.0).all()


def test_snow_brightens_the_ground_and_darkens_with_age():
    model = columns(covers=(16,))
    noon = {"shortwave": 300.0}
    while model.time.hour != 12:
        step(model, BLIZZARD)
    white = step(model, BLIZZARD, 1, **noon).reflected_shortwave / 300.0
    assert (white > 0.5).all()
    step(model, BLIZZARD, 24 * 10, precipitation=0.0, shortwave=100.0)
    aged = step(model, BLIZZARD, 1, precipitation=0.0, **noon).reflected_shortwave / 300.0
    assert (aged < white).all()


def test_rain_on_cold_snow_freezes_before_it_leaves():
    model = columns(covers=(16,))
    step(model, BLIZZARD, 96, air_temperature=253.0)
    rain = BLIZZARD | {"air_temperature": 276.0, "precipitation": 2e-4, "humidity": 0.004, "longwave": 315.0}
    assert step(model, rain, 6).infiltration[0] < 1e-5
    assert step(model, rain, 120).infiltration[0] > 1e-4


def test_every_thickness_from_a_dusting_to_a_deep_pack_conserves():
    model = columns()
    rng = np.random.default_rng(20)
    for _ in range(400):
        warm = rng.random() < 0.5
        weather = (THAW if warm else BLIZZARD) | {
            "precipitation": float(rng.choice([0.0, 1e-5, 3e-4, 3e-3])),
            "air_temperature": float(rng.uniform(268, 279)),
            "wind_x": float(rng.choice([0.1, 3.0, 15.0])),
        }
        before = model.state.snow_water + model.state.canopy_water
        fluxes = step(model, weather)
        change = model.state.snow_water + model.state.canopy_water - before
        out = fluxes.evapotranspiration - fluxes.transpiration + fluxes.infiltration
        np.testing.assert_allclose(change, 3600 * (weather["precipitation"] - out), rtol=0, atol=1e-11)
        assert (model.state.snow_layers <= N_SNOW).all()


@pytest.mark.parametrize("mode", FrozenSoil)
def test_a_deep_pack_is_stable_through_a_winter(mode):
    model = columns(options=ColumnConfig(frozen_soil=mode))
    for hour in range(24 * 60):
        night = BLIZZARD | {"precipitation": 2e-4, "air_temperature": 268.0 + 8.0 * np.sin(hour / 24 * 2 * np.pi)}
        step(model, night)
    assert (model.state.snow_depth > 0.3).all()
    assert (model.state.snow_depth < 6.0).all()
    top = N_SNOW - model.state.snow_layers
    surface = model.state.temperature[np.arange(model.n), top]
    assert ((surface > 240) & (surface <= 273.16 + 1e-9)).all()


def test_neither_threads_nor_neighbours_change_a_snowy_column():
    together, threaded, alone = columns(), columns(threads=2), columns(covers=SOIL_COVERS[3:4])
    for hour in range(96):
        weather = THAW if hour > 48 else BLIZZARD
        for model in (together, threaded, alone):
            step(model, weather)
    for name, values in together.state.arrays().items():
        np.testing.assert_array_equal(threaded.state.arrays()[name], values, err_msg=name)
        np.testing.assert_array_equal(alone.state.arrays()[name], values[3:4], err_msg=name)


def test_frost_under_snow_is_looked_for_in_the_soil_unless_the_published_slip_is_asked_for():
    uptake = {}
    for mode in FrozenSoil:
        model = columns(covers=(1,), options=ColumnConfig(frozen_soil=mode))
        step(model, BLIZZARD, 48)
        model.state.temperature[:, N_SNOW:] = 278.0  # a warm soil under cold snow
        model.state.ice[:, N_SNOW:] = 0.0
        uptake[mode] = step(model, THAW).root_stress[0]
    assert uptake[FrozenSoil.CONSERVING] > 0.4
    assert uptake[FrozenSoil.REFERENCE] < 0.5 * uptake[FrozenSoil.CONSERVING]
