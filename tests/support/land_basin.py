"""A small basin for tests of what a user gives the land component: YAML and NetCDF files in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import yaml

from bmi_colm import BmiColm
from bmi_colm import variables as names
from bmi_colm.forcing import names as forcing

NY, NX = 3, 4
MASK = np.ones((NY, NX), dtype=bool)
MASK[0, 0] = False
LATITUDE, LONGITUDE = 45.0 + 0.01 * np.arange(NY), 5.0 + 0.01 * np.arange(NX)
COVER = np.array([[2, 4, 10, 12], [1, 5, 8, 9], [14, 10, 13, 7]])
LAYERS = [5.0, 2.0, 1.0, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.08, 0.05, 0.02]  # bottom first, two below the root zone
WEATHER = {
    forcing.SHORTWAVE: 500.0,
    forcing.LONGWAVE: 340.0,
    forcing.PRECIPITATION: 0.0,
    forcing.AIR_TEMPERATURE: 291.0,
    forcing.WIND_X: 2.0,
    forcing.WIND_Y: -1.0,
    forcing.AIR_PRESSURE: 9.9e4,
    forcing.SPECIFIC_HUMIDITY: 0.009,
}


def write_fields(path: Path, units: dict[str, str] | None = None, **values: np.ndarray) -> Path:
    """Write fields (ny, nx) or (z, ny, nx) of the basin."""
    with netCDF4.Dataset(path, "w") as nc:
        nc.createDimension("y", NY)
        nc.createDimension("x", NX)
        for name, array in values.items():
            array = np.asarray(array, dtype=float)
            layers = () if array.ndim == 2 else (f"z{array.shape[0]}",)
            for dimension in layers:
                if dimension not in nc.dimensions:
                    nc.createDimension(dimension, array.shape[0])
            nc.createVariable(name, "f8", (*layers, "y", "x"))[...] = array
            if units and name in units:
                nc[name].units = units[name]
    return path


def write_land(folder: Path, **changes: Any) -> Path:
    """Write ``land.yaml``; `changes` replace or add keys."""
    lat, lon = np.meshgrid(LATITUDE, LONGITUDE, indexing="ij")
    write_fields(folder / "basin.nc", mask=MASK, cover=np.where(MASK, COVER, 99), lat=lat, lon=lon)
    config = {
        "start": "2020-06-01T12:00",
        "domain": {
            "grid": {"nx": NX, "ny": NY, "dx": 1000.0, "dy": 1000.0},
            "layers": LAYERS,
            "mask": {"file": "basin.nc", "variable": "mask"},
            "latitude": {"file": "basin.nc", "variable": "lat"},
            "longitude": {"file": "basin.nc", "variable": "lon"},
            "porosity": 0.4,
            "van_genuchten": {"alpha": 1.0, "n": 2.0, "residual_saturation": 0.1},
        },
        "land_cover": {"file": "basin.nc", "variable": "cover"},
        "soil_texture": "loam",
        "forcing": "external",
        **changes,
    }
    path = folder / "land.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def started(folder: Path, **changes: Any) -> BmiColm:
    """Initialize the land component on the basin."""
    bmi = BmiColm()
    bmi.initialize(str(write_land(folder, **changes)))
    return bmi


def step(
    bmi: BmiColm,
    count: int = 1,
    weather: dict[str, float] | None = None,
    head: float = -1.5,
    saturation: float = 0.7,
) -> None:
    """Make steps with soil, by default wet, and weather that are the same everywhere."""
    for _ in range(count):
        bmi.set_value(names.PRESSURE_HEAD, np.full((10, NY, NX), head))
        bmi.set_value(names.SATURATION, np.full((10, NY, NX), saturation))
        for name, value in {**WEATHER, **(weather or {})}.items():
            bmi.set_value(name, np.full((NY, NX), value))
        bmi.update()
