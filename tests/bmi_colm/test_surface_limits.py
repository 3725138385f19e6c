"""Vapour comes from what is there: from water that the soil can give, and from the vapour of the air."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from bmi_colm import BmiColm
from bmi_colm import variables as land_names
from bmi_colm.arrays import N_SNOW
from bmi_colm.columns import ColumnConfig, ColumnModel, EvaporationFactor, FrozenSoil, WaterStress
from bmi_colm.soil import SoilTexture
from bmi_common import ConfigError
from bmi_common import groundwater as names
from bmi_richards import BmiRichards

THICKNESS = np.array([0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 1.0, 1.5])
POROSITY = 0.43
COVERS = np.arange(1, 18)
SOIL_COVERS = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16])
MILD = {
    "shortwave": 600.0,
    "longwave": 330.0,
    "precipitation": 0.0,
    "air_temperature": 295.0,
    "wind_x": 3.0,
    "wind_y": 0.0,
    "pressure": 1.0e5,
    "humidity": 0.006,
}


def columns(covers: np.ndarray, **arguments: Any) -> ColumnModel:
    defaults = {
        "texture": SoilTexture.from_usda(np.full(len(covers), "loam")),
        "thickness": THICKNESS,
        "porosity": POROSITY,
        "latitude": 45.0,
        "longitude": 0.0,
        "start": datetime(2020, 6, 1, 11),
    }
    return ColumnModel(land_cover=covers, **(defaults | arguments))


# --- the soil


def write_column(folder: Path, land: dict[str, Any], soil: dict[str, Any]) -> tuple[str, str]:
    """Land and groundwater of one column in dry weather: the same day again and again."""
    hour = np.arange(24)
    sun = 900.0 * np.maximum(0.0, np.cos(2 * np.pi * (hour - 12) / 24))
    air = 295.0 + 8.0 * np.cos(2 * np.pi * (hour - 15) / 24)
    rest = (330.0, 0.0), (3.0, 0.0, 1.0e5, 0.006)
    np.savetxt(folder / "weather.txt", [(s, *rest[0], t, *rest[1]) for s, t in zip(sun, air, strict=True)])
    domain = {
        "grid": {"nx": 1, "ny": 1, "dx": 1000.0, "dy": 1000.0},
        "layers": THICKNESS[::-1].tolist(),
        "latitude": 35.0,
        "longitude": 0.0,
        "porosity": POROSITY,
        "slope": {"x": 0.0, "y": 0.0},
        "manning": 0.03,
        **soil,
    }
    content = {
        "land": {
            "start": "2020-05-01T00:00",
            "forcing": {"type": "column", "file": "weather.txt", "start": "2020-05-01T00:00", "cycle": True},
            "domain": domain,
            **land,
        },
        "groundwater": {"domain": domain, "initial": {"pressure_head": -2.0}},
    }
    for name, config in content.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(config))
    return str(folder / "land.yaml"), str(folder / "groundwater.yaml")


SAND = {
    "van_genuchten": {"alpha": 14.5, "n": 2.68, "residual_saturation": 0.12},
    "conductivity": {"x": 0.3, "z": 0.3},
}
# at -1000 m a tenth of the pores of such a clay still holds water that no sink can take
CLAY = {
    "van_genuchten": {"alpha": 1.5, "n": 1.3, "residual_saturation": 0.1},
    "conductivity": {"x": 0.01, "z": 0.01},
}
# where S h is not monotonic, the groundwater's storage leaves less water than the pores do
FINE_SAND = {
    "van_genuchten": {"alpha": 3.5, "n": 3.0, "residual_saturation": 0.0},
    "conductivity": {"x": 0.1, "z": 0.1},
    "specific_storage": 1.0e-3,
}
BARREN = {"land_cover": 16, "soil_texture": "sand", "residual_saturation": 0.0}
UNSTRESSED_GRASS = {"land_cover": 10, "soil_texture": "clay", "evaporation_factor": 0, "water_stress": 0}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("land", "soil"),
    [(BARREN, SAND), (UNSTRESSED_GRASS, CLAY), (UNSTRESSED_GRASS, FINE_SAND)],
    ids=["sand", "clay", "fine"],
)
def test_soil_that_dries_for_65_days_gives_all_that_the_land_takes(tmp_path, land, soil):
    land_file, groundwater_file = write_column(tmp_path, land, soil)
    surface, ground = BmiColm(), BmiRichards()
    surface.initialize(land_file)
    ground.initialize(groundwater_file)
    values = {name: ground.get_value_ptr(name) for name in (names.UNMET_VOLUME, names.STORAGE_VOLUME)}
    first, taken = float(values[names.STORAGE_VOLUME][0]), 0.0
    for _ in range(65 * 24):
        for name in (names.PRESSURE_HEAD, names.SATURATION):
            surface.set_value(name, ground.get_value_ptr(name)[-10:])
        surface.update()
        source = surface.get_value_ptr(land_names.NET_SOURCE).copy()
        ground.set_value(names.NET_SOURCE, source)
        ground.update()
        demand = -float((source.ravel() * THICKNESS[::-1]).sum()) * 1e6
        taken += demand
        assert values[names.UNMET_VOLUME][0] <= 1e-13 * max(demand, 1.0)
        assert abs(float(surface.get_value_ptr(land_names.ENERGY_RESIDUAL).item())) < 1e-6
        assert abs(float(surface.get_value_ptr(land_names.WATER_RESIDUAL).item())) < 1e-12
    lost = first - float(values[names.STORAGE_VOLUME][0])
    assert taken == pytest.approx(lost, rel=1e-9, abs=1e-5)  # m3, of 2e6 in the ground
    # the soil is dry at the top, and went on giving
    top = float(ground.get_value_ptr(names.PRESSURE_HEAD).ravel()[-1])
    assert top < -100.0
    assert lost > 50.0


def test_a_floor_head_that_does_nothing_is_refused(tmp_path):
    land, _ = write_column(tmp_path, BARREN | {"published_numerics": True, "floor_head": -500.0}, SAND)
    with pytest.raises(ConfigError, match="floor_head: without effect"):
        BmiColm().initialize(land)


def test_ground_and_roots_without_water_exchange_heat_like_ground_and_roots_that_are_shut():
    """The smaller flux is that of the whole energy balance, with its temperatures and heat fluxes."""
    empty = columns(SOIL_COVERS)
    shut = columns(SOIL_COVERS, options=ColumnConfig(residual_saturation=0.9, wilting_point=0.95))
    for _ in range(4):
        a = empty.step(MILD, -1.0, 0.6, 0.0)
        b = shut.step(MILD, -1.0, 0.6)
        assert np.abs(a.ground_evaporation).max() == 0.0
        assert np.abs(a.transpiration).max() == 0.0
        for name in ("latent_heat", "sensible_heat", "ground_heat", "outgoing_longwave"):
            np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=0, atol=0.05, err_msg=name)
        np.testing.assert_allclose(a.ground_temperature, b.ground_temperature, rtol=0, atol=1e-3)
    wet = columns(SOIL_COVERS)
    for _ in range(4):
        c = wet.step(MILD, -1.0, 0.6)
    assert (a.sensible_heat > c.sensible_heat + 50.0).all()


def test_the_published_numerics_take_water_that_is_not_there():
    results = []
    for available in (np.inf, 0.0):
        model = columns(SOIL_COVERS, options=ColumnConfig(published_numerics=True))
        for _ in range(3):
            fluxes = model.step(MILD, -1.0, 0.6, available)
        results.append(fluxes.arrays())
    for name, values in results[0].items():
        np.testing.assert_array_equal(results[1][name], values, err_msg=name)
    assert (results[1]["transpiration"] > 0.0).any()


def test_roots_take_from_each_layer_what_it_can_give_and_no_more():
    free_model, limited_model = (
        columns(np.array([10]), options=ColumnConfig(water_stress=WaterStress.NONE)) for _ in range(2)
    )
    for model in (free_model, limited_model):
        for _ in range(2):  # the ground warms up to the weather
            model.step(MILD, -1.0, 0.6)
    free = free_model.step(MILD, -1.0, 0.6)
    free_uptake = -free.source[0] * THICKNESS * 1000.0
    available = np.full(10, np.inf)
    available[3], available[5] = 0.25 * free_uptake[3], 0.0
    limited = limited_model.step(MILD, -1.0, 0.6, available[None])
    uptake = -limited.source[0] * THICKNESS * 1000.0
    assert uptake[3] == pytest.approx(available[3], rel=1e-12)
    assert uptake[5] == 0.0
    others = np.array([1, 2, 4, 6, 7, 8, 9])
    more = uptake[others] / free_uptake[others]
    np.testing.assert_allclose(more, more[0], rtol=1e-12)  # each still gives its share of the leaves' demand
    assert 1.0 < more[0] < 1.3  # which grows, because the canopy air gets drier
    assert uptake[1:].sum() < 0.95 * free_uptake[1:].sum()
    assert limited.latent_heat[0] < free.latent_heat[0]
    assert limited.sensible_heat[0] > free.sensible_heat[0]


@pytest.mark.parametrize("mode", FrozenSoil)
@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_weather_no_layer_gives_more_than_it_can_and_dry_air_gives_no_dew(mode, seed):
    rng = np.random.default_rng(seed)
    n = 10 * len(COVERS)
    model = columns(
        np.repeat(COVERS, 10),
        texture=SoilTexture.from_usda(rng.choice(["sand", "loam", "clay"], n)),
        latitude=rng.uniform(-60, 60, n),
        start=datetime(2020, 1 + 3 * seed, 1, 7),
        options=ColumnConfig(
            frozen_soil=mode,
            evaporation_factor=EvaporationFactor(seed % 3),
            water_stress=WaterStress.NONE if seed % 2 else WaterStress.SATURATION,
            residual_saturation=0.0,
            wilting_point=0.0,
        ),
    )
    air = rng.uniform(213.0, 325.0, n)
    if seed % 2:
        model.state.temperature[:, N_SNOW:] = rng.uniform(230.0, 310.0, n)[:, None]
    soil = model.parameters.ground < 3
    for _ in range(12):
        saturation = rng.uniform(0.0005, 1.0, (n, 10)) * rng.choice([0.02, 1.0], (n, 10))
        held = 1000.0 * THICKNESS * POROSITY * saturation
        available = np.maximum(0.0, held - rng.choice([0.0, 5.0]) * THICKNESS * POROSITY)
        rain = rng.choice([0.0, 0.0, 1e-4, 1e-3], n)
        weather = MILD | {
            "shortwave": rng.uniform(0.0, 1000.0),
            "longwave": 0.8 * 5.67e-8 * air**4,
            "air_temperature": air,
            "precipitation": rain,
            "wind_x": rng.choice([0.0, 0.5, 3.0, 20.0], n),
            "humidity": 0.0,
        }
        fluxes = model.step(weather, -1.0, saturation, available)
        taken = -fluxes.source * THICKNESS * 1000.0
        assert ((taken - available)[soil] <= 1e-13).all()
        assert (fluxes.evapotranspiration >= 0.0).all()
        assert np.abs(fluxes.energy_residual).max() < 1e-6
        if mode is FrozenSoil.CONSERVING:
            size = rain + fluxes.evapotranspiration + np.abs(fluxes.infiltration) + np.abs(fluxes.runoff)
            stored = (model.state.snow_water + model.state.canopy_water) / 3600
            assert (np.abs(fluxes.water_residual) <= 1e-12 * size + 4 * np.finfo(float).eps * stored).all()


# --- the air

FROST = MILD | {"shortwave": 0.0, "longwave": 150.0, "air_temperature": 233.15}


@pytest.mark.parametrize("humidity", [0.0, 1.0e-5, 1.0e-4])
@pytest.mark.parametrize("wind", [0.5, 3.0, 15.0])
def test_a_cold_start_under_air_far_below_freezing_draws_no_more_dew_than_its_vapour(humidity, wind):
    model = columns(COVERS, start=datetime(2020, 1, 1))
    vapour = 1.0e5 / (287.0 * 233.15) * humidity  # kg m-3
    for _ in range(6):
        fluxes = model.step(FROST | {"humidity": humidity, "wind_x": wind}, -5.0, 0.15)
        # the air brings it at an exchange velocity of a few per cent of the wind
        assert (fluxes.evapotranspiration >= -0.1 * wind * vapour).all()
        assert (fluxes.latent_heat >= -2.9e6 * 0.1 * wind * vapour).all()


def test_bare_ground_that_cools_far_but_stays_above_the_dew_point_takes_no_dew():
    """Dew falls from air above saturation at the ground's temperature, also at the end of the hour."""
    model = columns(np.array([16]), start=datetime(2020, 1, 1), options=ColumnConfig(initial_temperature=300.0))
    model.parameters.leaf_area_maximum[:] = model.parameters.leaf_area_minimum[:] = 0.0
    model.parameters.stem_area_index[:] = 0.0
    fluxes = model.step(FROST | {"air_temperature": 280.0, "humidity": 0.006}, -5.0, 0.15)
    assert fluxes.ground_temperature[0] > 281.0  # above the dew point, 279.7 K
    assert fluxes.ground_evaporation[0] >= 0.0


# --- the first hour and falling snow


def test_the_first_hour_evaporates_like_any_other_unless_the_published_numerics_are_asked_for():
    factors = {}
    for published in (False, True):
        model = columns(np.array([16]), options=ColumnConfig(published_numerics=published))
        factors[published] = [float(model.step(MILD, -1.0, 0.6).evaporation_factor[0]) for _ in range(2)]
    assert factors[False] == pytest.approx([0.5, 0.5], rel=1e-12)
    assert factors[True] == pytest.approx([1.0, 0.5], rel=1e-12)


def test_the_first_albedo_as_published_is_that_of_dry_ground():
    reflected = {}
    for published in (False, True):
        for saturation in (0.0, 0.9):
            model = columns(np.array([16]), options=ColumnConfig(published_numerics=published))
            reflected[published, saturation] = model.step(MILD, -1.0, saturation).reflected_shortwave[0]
    assert reflected[True, 0.9] == reflected[True, 0.0] == reflected[False, 0.0]
    assert reflected[False, 0.9] < 0.9 * reflected[False, 0.0]


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("layered", [False, True])
def test_new_snow_covers_more_ground_only_where_it_falls_on_a_layer_and_frees_evaporation_at_once(published, layered):
    model = columns(np.array([16]), options=ColumnConfig(published_numerics=published))
    model.step(MILD, -1.0, 0.6)
    s = model.state
    s.temperature[:, N_SNOW:] = 275.0
    s.snow_fraction[:] = 0.3
    s.snow_water[:], s.snow_depth[:] = 0.5, 0.004
    if layered:
        s.snow_water[:], s.snow_depth[:], s.snow_layers[:] = 5.0, 0.03, 1
        s.ice[:, N_SNOW - 1], s.snow_thickness[:, N_SNOW - 1], s.temperature[:, N_SNOW - 1] = 5.0, 0.03, 270.0
    amount = 0.2  # mm
    snowfall = {"shortwave": 0.0, "air_temperature": 268.0, "humidity": 0.002, "precipitation": amount / 3600.0}
    fluxes = model.step(MILD | snowfall, -1.0, 0.6)
    fallen = amount - 3600.0 * fluxes.interception[0]
    covered = 1.0 - (1.0 - np.tanh(0.1 * fallen)) * 0.7 if layered else 0.3
    assert covered > 0.31 or not layered
    assert fluxes.evaporation_factor[0] == pytest.approx((1.0 - covered) * 0.5 + covered, rel=1e-12)
