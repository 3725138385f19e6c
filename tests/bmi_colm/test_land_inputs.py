"""Impossible weather at the step, and the user's guide that names every key."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from land_basin import NX, NY, started, step, write_land

from bmi_colm.config import LandConfig, TextureConfig, prepare
from bmi_colm.forcing import ForcingWarning, names
from bmi_colm.forcing.config import ColumnForcing, Era5LandForcing, NetcdfForcing, ParflowForcing
from bmi_colm.leaf_area import LeafAreaConfig
from bmi_colm.maps import SoilMaps, VegetationMaps
from bmi_colm.tables.schema import CoverEntry
from bmi_common import Config, ConfigError, ModelError

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "land.md"


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        (names.AIR_PRESSURE, 990.0, "20000 and 120000 Pa, got 990; this looks like hPa"),
        (names.AIR_TEMPERATURE, 18.0, "degrees Celsius"),
        (names.SPECIFIC_HUMIDITY, 9.0, "g kg-1"),
        (names.SPECIFIC_HUMIDITY, 0.6, "relative humidity"),
        (names.PRECIPITATION, 2.0, "mm h-1"),
        (names.SHORTWAVE, -40.0, "0 and 2000 W m-2, got -40"),
        (names.LONGWAVE, 1.1e6, "J m-2"),
        (names.WIND_X, 130.0, "km h-1"),
        (names.WIND_Y, -9999.0, "code of a missing value"),
    ],
)
def test_impossible_weather_that_is_set_names_time_cell_and_what_it_looks_like(tmp_path, name, value, hint):
    bmi = started(tmp_path)
    step(bmi, 2)
    with pytest.raises(ModelError, match=rf"2020-06-01 14:00: {name} must lie .*{hint}.*cell \(j=0, i=1\)"):
        step(bmi, weather={name: value})


def gridded(folder: Path, **values: float) -> dict:
    """Two days of weather on the basin's grid."""
    standard = {
        "precipitation_flux": ("kg m-2 s-1", 0.0),
        "air_temperature": ("K", 290.0),
        "air_pressure": ("Pa", 9.9e4),
        "specific_humidity": ("1", 0.008),
        "surface_downwelling_shortwave_flux_in_air": ("W m-2", 300.0),
        "surface_downwelling_longwave_flux_in_air": ("W m-2", 320.0),
        "eastward_wind": ("m s-1", 2.0),
        "northward_wind": ("m s-1", 1.0),
    }
    with netCDF4.Dataset(folder / "weather.nc", "w") as nc:
        for dimension, size in (("time", 48), ("y", NY), ("x", NX)):
            nc.createDimension(dimension, size)
        for axis in "yx":
            nc.createVariable(axis, "f8", (axis,))[:] = np.arange(nc.dimensions[axis].size)
            nc[axis].standard_name = f"projection_{axis}_coordinate"
        nc.createVariable("time", "f8", ("time",))[:] = np.arange(48)
        nc["time"].units = "hours since 2020-06-01"
        for name, (units, typical) in standard.items():
            v = nc.createVariable(name, "f8", ("time", "y", "x"))
            v.standard_name, v.units = name, units
            v[...] = typical
            if name in values:
                v[40, 1, 2] = values[name]
    return {"type": "netcdf", "file": "weather.nc"}


def test_an_impossible_value_in_a_file_is_found_before_the_first_step(tmp_path):
    with pytest.raises(
        ConfigError, match=r"weather\.nc: 'air_pressure': 990 Pa at \(row 1, column 2\) .*2020-06-02 16:00"
    ):
        started(tmp_path, forcing=gridded(tmp_path, air_pressure=990.0))


def test_an_unlikely_value_in_a_file_warns_before_the_first_step(tmp_path):
    with pytest.warns(ForcingWarning, match="'precipitation_flux': .*0 to 0.03 expected; this looks like mm h-1"):
        started(tmp_path, forcing=gridded(tmp_path, precipitation_flux=0.09))


@pytest.mark.parametrize(
    "section",
    [
        LandConfig, TextureConfig, LeafAreaConfig, VegetationMaps, SoilMaps, CoverEntry,
        NetcdfForcing, Era5LandForcing, ParflowForcing, ColumnForcing,
    ],
)  # fmt: skip
def test_the_users_guide_names_every_key(section: type[Config]):
    text = GUIDE.read_text(encoding="utf-8")
    words = set(re.findall(r"[a-z0-9_]+", " ".join(re.findall(r"`[^`]+`", re.sub(r"```.*?```", "", text, flags=re.S)))))
    words |= set(re.findall(r"^ *([a-z_]+):", text, flags=re.M))
    assert set(section.model_fields) - words == set()


def test_links_in_the_users_guide_lead_somewhere():
    text = GUIDE.read_text(encoding="utf-8")
    headings = {re.sub(r"\W+", "-", h.lower()).strip("-") for h in re.findall(r"^#+ (.+)$", text, flags=re.M)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


def test_maps_of_the_soil_are_let_go_once_the_columns_have_them(tmp_path):
    texture = {"sand": 40.0, "clay": [20.0] * 10}
    path = write_land(tmp_path, soil_texture=texture, soil_maps={"conductivity_dry": 0.2})
    whole = prepare(path)
    assert whole.texture.clay.shape == (NX * NY - 1, 10)
    assert list(whole.maps)
    kept = whole.without_properties()
    assert not kept.maps
    assert not any(getattr(kept.texture, f.name).strides[0] for f in fields(kept.texture))  # one number, not a map
    assert not kept.domain.has_properties
    assert kept.land_cover.tolist() == whole.land_cover.tolist()
