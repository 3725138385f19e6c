"""Weeks of extreme but possible weather on every land cover: nothing blows up and nothing is lost."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from bmi_colm.arrays import N_SNOW
from bmi_colm.columns import ColumnModel
from bmi_colm.soil import SoilTexture

pytestmark = pytest.mark.slow

THICKNESS = np.array([0.0175, 0.0276, 0.0455, 0.0749, 0.1236, 0.2038, 0.336, 0.5539, 0.9133, 1.137])
PLACES = 24  # climates for each land cover
DAYS = 15
BOUNDS = {
    # K above the air: dry ground in full sun and calm air is up to 45 K warmer, snow at night 45 K colder
    "ground_temperature": (-60.0, 60.0),
    "screen_temperature": (-60.0, 60.0),
    "radiative_temperature": (-60.0, 60.0),
    # a wet canopy in dry wind of 20 m/s takes up to 1.7 kW m-2 from the air
    "latent_heat": (-2500.0, 2500.0),
    "sensible_heat": (-2500.0, 2500.0),
}


def vapour_pressure(temperature: np.ndarray) -> np.ndarray:
    """Over water or ice [Pa] (Murray 1967)."""
    water = 610.78 * np.exp(17.269 * (temperature - 273.16) / (temperature - 35.86))
    ice = 610.78 * np.exp(21.875 * (temperature - 273.16) / (temperature - 7.66))
    return np.where(temperature > 273.16, water, ice)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_fluxes_stay_bounded_and_balances_close(seed):
    rng = np.random.default_rng(seed)
    covers = np.repeat(np.arange(1, 18), PLACES)
    n = covers.size
    latitude = rng.uniform(-80, 80, n)
    mean, swing = rng.uniform(223, 318, n), rng.uniform(0, 15, n)
    humidity = rng.choice([0.01, 0.3, 0.7, 1.0], n)
    wind = rng.choice([0.0, 0.5, 3.0, 20.0], n)
    pressure = rng.uniform(5e4, 1.04e5, n)
    saturation = np.repeat(rng.uniform(0.02, 1.0, n)[:, None], 10, axis=1)
    head = np.where(saturation > 0.99, 0.1, -0.1 * (1 - saturation) / saturation**6)
    model = ColumnModel(
        land_cover=covers,
        texture=SoilTexture.from_usda(rng.choice(["sand", "loam", "clay"], n)),
        thickness=THICKNESS,
        porosity=0.43,
        latitude=latitude,
        longitude=0.0,
        start=datetime(2020, 3, 1),
        threads=2,
    )
    # a soil at 283 K under air at 220 K is no possible state, nor is liquid water at 220 K
    model.state.temperature[:, N_SNOW:] = mean[:, None]
    frozen = (mean < 273.16)[:, None]
    model.state.ice[:, N_SNOW:] = np.where(frozen, saturation * 0.43 * 1000.0 * THICKNESS, 0.0)
    model.state.leaf_temperature[:] = mean
    cloud, weather_system = rng.random(n), np.zeros(n)
    for hour in range(24 * DAYS):
        if hour % 24 == 0:
            cloud = np.clip(cloud + rng.normal(0, 0.3, n), 0, 1)
        weather_system = 0.98 * weather_system + rng.normal(0, 1.0, n)
        air = np.clip(mean + weather_system + swing * np.sin(2 * np.pi * (hour % 24 - 9) / 24), 213, 328)
        e = np.minimum(humidity * vapour_pressure(air), 0.1 * pressure)
        sun = np.maximum(0.0, np.cos(np.radians(latitude)) * np.cos(2 * np.pi * (hour % 24 - 12) / 24))
        clear = np.clip(0.55 + 0.065 * np.sqrt(e / 100), 0.5, 0.95)
        rain = rng.choice([0.0, 1e-6, 1e-4, 1e-3, 100 / 3600], n, p=[0.9, 0.03, 0.05, 0.0185, 0.0015])
        fluxes = model.step(
            {
                "shortwave": 1100 * sun * (1 - 0.8 * cloud),
                "longwave": (clear * (1 - cloud) + 0.97 * cloud) * 5.67e-8 * air**4,
                "precipitation": rain,
                "air_temperature": air,
                "wind_x": wind,
                "wind_y": 0.0,
                "pressure": pressure,
                "humidity": 0.622 * e / (pressure - 0.378 * e),
            },
            head,
            saturation,
        )
        size = rain + np.abs(fluxes.evapotranspiration) + np.abs(fluxes.infiltration) + np.abs(fluxes.runoff)
        stored = (model.state.snow_water + model.state.canopy_water) / 3600
        assert (np.abs(fluxes.water_residual) <= 1e-12 * size + 4 * np.finfo(float).eps * stored).all()
        assert np.abs(fluxes.energy_residual).max() < 1e-6
        assert ((fluxes.screen_humidity >= 0) & (fluxes.screen_humidity < 0.2)).all()
        if hour >= 48:  # the start is not in balance with the weather
            for name, (low, high) in BOUNDS.items():
                values = getattr(fluxes, name) - (air if name.endswith("temperature") else 0.0)
                wrong = np.flatnonzero(~((values > low) & (values < high)))
                assert not wrong.size, f"{name} {values[wrong[0]]:.4g}, column {wrong[0]}, cover {covers[wrong[0]]}"
        assert (model.state.ice >= 0).all()
        assert (model.state.liquid >= 0).all()
