"""The files of a basin: its fields, and the YAML of components and runs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import netCDF4
import numpy as np

from bmi_common import groundwater as names
from bmi_common.arrays import Array
from bmi_common.errors import ConfigError
from bmi_common.grids import standard_root_zone_layers
from rootzone.case_files import coupled, gridded_netcdf, write_yaml
from rootzone.domain_builder.basin import Basin
from rootzone.domain_builder.config import BasinConfig
from rootzone.domain_builder.grid import BasinGrid
from rootzone.domain_builder.terrain_statistics import QUANTILES, TerrainStatistics

FIELDS: Final = "domain.nc"
TERRAIN: Final = "terrain.nc"
DOMAIN: Final = "domain.yaml"
LAND: Final = "land.yaml"
GROUNDWATER: Final = "groundwater.yaml"
RECHARGE: Final = "recharge.yaml"
SPIN_UP: Final = "spin_up.yaml"
RUN: Final = "coupled.yaml"
REPORT: Final = "report.html"
_FILES: Final = (FIELDS, DOMAIN, LAND, GROUNDWATER, RECHARGE, SPIN_UP, RUN, REPORT)

_SPIN_UP_FOLDER, _RUN_FOLDER = "spin_up", "run"
"""Of the runs, in the folder of the basin."""
STATE: Final = f"{_SPIN_UP_FOLDER}/spun_up/groundwater.nc"
"""Where the coupled run looks for the state of the spin-up, from the folder of the basin."""

_STEADY: Final = datetime(2000, 1, 1)
"""Start of the spin-up, whose recharge knows no date."""
_SPIN_UP_PASSES: Final = {"tolerance": 1.0e-3, "most": 200}
"""A millimetre is enough on the way to a steady state; on steep ground a step of a day may swing by less for good."""
_OUTLET: Final = "outlet"

_LAND_OUTPUT: Final = (
    "land_surface_air_heat~net~latent__energy_flux",
    "land_surface_air_heat~net~sensible__energy_flux",
    "land_surface_water_evapotranspiration__mass_flux",
    "soil_surface_water_infiltration__volume_flux",
    "snowpack__liquid-equivalent_depth",
    "land_surface__temperature",
)
_GROUNDWATER_OUTPUT: Final = (names.WATER_TABLE_DEPTH, names.PONDED_DEPTH, names.RUNOFF)
_STATES: Final = (names.PRESSURE_HEAD, names.SATURATION)
_PATHS: Final = ("file", "directory", "state", "colm", "vegetation_table", "soil_table")
"""Keys of the land's file whose values are paths."""


def files_of(config: BasinConfig) -> tuple[str, ...]:
    """Files that the folder of a basin may hold."""
    return _FILES if config.terrain_statistics is None else (*_FILES, TERRAIN)


def write_basin(config: BasinConfig, basin: Basin, folder: Path, source: Path, target: Path) -> None:
    """Write all files but the report.

    Parameters
    ----------
    config, basin
        What the user wants, and what the maps say.
    folder : Path
        Where to write.
    source : Path
        The folder that paths in ``basin.yaml`` are relative to.
    target : Path
        Where the files will lie.
    """
    title = config.title or target.resolve().name
    _write_fields(config, basin, folder / FIELDS)
    if basin.terrain is not None:
        _write_terrain(config, basin.grid, basin.terrain, folder / TERRAIN)
    write_yaml(folder / DOMAIN, f"{title}. Bottom layer, southern row, western column first.", _domain(config, basin))
    write_yaml(folder / GROUNDWATER, f"{title}.", _groundwater(config, basin))
    if basin.recharge is not None:
        recharge = {"domain": DOMAIN, "recharge": _field("recharge"), "time_step": 24.0}
        write_yaml(folder / RECHARGE, f"{title}: what enters the ground in the spin-up.", recharge)
        write_yaml(
            folder / SPIN_UP, f"{title}: the groundwater alone under a steady recharge.", _spin_up(config, title)
        )
    if config.forcing is not None:
        write_yaml(folder / LAND, f"{title}.", _land(config, basin, source, target))
        first = (
            f"; begin with {SPIN_UP}: it writes the state that this starts from" if basin.recharge is not None else ""
        )
        write_yaml(folder / RUN, f"{title}{first}.", _run(config, basin, title))


def _field(variable: str) -> dict[str, str]:
    return {"file": FIELDS, "variable": variable}


def _domain(config: BasinConfig, basin: Basin) -> dict[str, Any]:
    grid = basin.grid
    result: dict[str, Any] = {
        "grid": {"nx": grid.nx, "ny": grid.ny, "dx": grid.dx, "dy": grid.dy, "x0": grid.x0, "y0": grid.y0},
        "crs": _field("crs"),
        "layers": basin.dz.tolist(),
    }
    if config.root_zone is not None:
        result["root_zone"] = {"layers": config.root_zone}
    result |= {name: _field(name) for name in ("mask", "latitude", "longitude", "porosity")}
    if basin.ground.elevation is not None:
        result["elevation"] = _field("elevation")
    return result | {
        "van_genuchten": {name: _field(name) for name in ("alpha", "n", "residual_saturation")},
        "conductivity": {"x": _field("conductivity"), "z": _field("vertical_conductivity")},
        "slope": {"x": _field("slope_x"), "y": _field("slope_y")},
        "slope_formulation": basin.ground.formulation.value,
        "manning": _field("manning"),
    }


def _groundwater(config: BasinConfig, basin: Basin) -> dict[str, Any]:
    cells = {name: gauge.cell for name, gauge in basin.gauges.items()}
    drainage = basin.ground.drainage
    if not cells and drainage is not None:
        several = len(drainage.outlets) > 1
        cells = {f"{_OUTLET}_{n}" if several else _OUTLET: c for n, c in enumerate(drainage.outlets)}
    gauges = {name: {"x": i, "y": j} for name, (j, i) in cells.items()}
    depth = config.initial.water_table_depth
    return {
        "domain": DOMAIN,
        "initial": {"water_table_depth": depth},
        **({"gauges": gauges} if gauges else {}),
        **({"streams": {"terrain": TERRAIN}} if basin.terrain is not None else {}),
    }


def _spin_up(config: BasinConfig, title: str) -> dict[str, Any]:
    source = names.NET_SOURCE
    day = timedelta(days=1)
    return coupled(
        title=f"{title}, groundwater alone",
        folder=_SPIN_UP_FOLDER,
        time={"start": _STEADY, "end": _STEADY + 10 * day, "step": "1d"},
        components={
            "recharge": {"class": "bmi_common.prescribed:PrescribedSource", "config": RECHARGE},
            "groundwater": {
                "class": "bmi_richards:BmiRichards",
                "config": GROUNDWATER,
                "options": {"richards": {"time_step": 24.0, "passes": _SPIN_UP_PASSES}},
            },
        },
        exchanges=[(f"recharge.{source}", f"groundwater.{source}")],
        output=[{"file": "daily.nc", "every": "1d", "variables": [f"groundwater.{v}" for v in _GROUNDWATER_OUTPUT]}],
        checks={"water_balance": {"tolerance": 1.0e-5, "action": "stop"}},
        spin_up={
            "repeat": "P1Y",
            "max": config.initial.years,
            "until": {"storage_change": config.initial.storage_change},
        },
    )


def _run(config: BasinConfig, basin: Basin, title: str) -> dict[str, Any]:
    assert config.period is not None
    groundwater: dict[str, Any] = {"class": "bmi_richards:BmiRichards", "config": GROUNDWATER}
    if basin.recharge is not None:
        groundwater |= {"options": {"initial": {"state": STATE}}, "replace": ["initial"]}
    years = config.initial.coupled_years
    sections: dict[str, Any] = {"checks": {"water_balance": {"tolerance": 1.0e-5, "action": "stop"}}}
    if years is not None:
        until = {"storage_change": config.initial.storage_change}
        sections["spin_up"] = {"repeat": "P1Y", "max": years, "until": until}
    discharge = [f"groundwater.{names.DISCHARGE}"] if basin.gauges or basin.ground.drainage is not None else []
    fluxes = [f"land.{v}" for v in _LAND_OUTPUT] + [f"groundwater.{v}" for v in _GROUNDWATER_OUTPUT]
    output: list[dict[str, Any]] = [
        {"file": "daily.nc", "every": "1d", "variables": fluxes},
        {
            "file": "states.nc",
            "every": "1d",
            "method": "point",
            "variables": [f"groundwater.{v}" for v in (names.PRESSURE_HEAD, names.VOLUME_FRACTION)],
        },
    ]
    if discharge:
        rain = "land.atmosphere_water_precipitation__mass_flux"
        output.append({"file": "gauges.nc", "every": "1h", "variables": [*discharge, rain]})
    source = names.NET_SOURCE
    within = () if config.terrain_statistics is None else (names.ROOT_ZONE_SATURATED_FRACTION,)
    return coupled(
        title=title,
        folder=_RUN_FOLDER,
        time={"start": config.period.start, "end": config.period.end, "step": "1h"},
        components={"land": {"class": "bmi_colm:BmiColm", "config": LAND}, "groundwater": groundwater},
        exchanges=[
            *((f"groundwater.{v}", f"land.{v}") for v in (*_STATES, *within)),
            (f"land.{source}", f"groundwater.{source}"),
        ],
        output=output,
        **sections,
    )


def _land(config: BasinConfig, basin: Basin, source: Path, target: Path) -> dict[str, Any]:
    assert config.period is not None
    result: dict[str, Any] = {
        "start": config.period.start,
        "domain": DOMAIN,
        "land_cover": _field("land_cover"),
        "soil_texture": _texture(config, basin),
        "forcing": _rebased(config.forcing, source, target),
    }
    if result["forcing"].get("type") == "era5_land":
        result["forcing"].setdefault("remap", "bilinear")  # its cells are of degrees, those of the basin of metres
        result["reference_height"] = {"wind": 10.0, "temperature": 2.0, "humidity": 2.0}
    own: dict[str, Any] = _rebased(config.land, source, target)
    return result | own


def _texture(config: BasinConfig, basin: Basin) -> Any:
    if basin.soil.texture:
        layers = [basin.dz.size - root_zone_layers(config), basin.dz.size]
        return {name: {**_field(name), "layers": layers} for name in basin.soil.texture}
    if basin.soil.usda is not None:
        return {"usda": _field("soil_texture")}
    if "soil_texture" not in config.land:
        raise ConfigError(
            "classes of soil tell no texture, which the land needs for heat; say it here, such as `soil_texture: loam`",
            key="land.soil_texture",
        )
    return None


def root_zone_layers(config: BasinConfig) -> int:
    """Layers of the root zone."""
    return config.root_zone or standard_root_zone_layers(np.array(config.layers))


def _rebased(value: Any, source: Path, target: Path, key: str = "") -> Any:
    """Rewrite paths that are relative to one folder as relative to another."""
    if isinstance(value, Mapping):
        return {k: _rebased(v, source, target, k) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rebased(v, source, target, key) for v in value]
    if key in _PATHS and isinstance(value, str):
        path = (source / Path(value).expanduser()).resolve()
        return Path(os.path.relpath(path, target.resolve())).as_posix()
    return value


# ---------------------------------------------------------------------- domain.nc, terrain.nc


@contextmanager
def _mapped(config: BasinConfig, grid: BasinGrid, path: Path, layers: int | None) -> Iterator[netCDF4.Dataset]:
    """Begin a file of maps, which tells its title and CRS."""
    with gridded_netcdf(path, layers, grid.northing, grid.easting) as data:
        data.title = config.title or path.parent.name
        mapping = data.createVariable("crs", "i4", ())
        mapping.setncatts(dict(grid.crs.to_cf()))
        yield data


def _write_fields(config: BasinConfig, basin: Basin, path: Path) -> None:
    grid, mask = basin.grid, basin.mask
    latitude, longitude = grid.geographic()
    ground, cover, soil = basin.ground, basin.cover, basin.soil
    flat: dict[str, tuple[Array | None, str, str]] = {
        "elevation": (ground.elevation, "m", "elevation of the ground, all of which drains"),
        "slope_x": (ground.slope_x, "1", "slope of the eastern face, positive where the ground rises to the east"),
        "slope_y": (ground.slope_y, "1", "slope of the northern face, positive where the ground rises to the north"),
        "manning": (cover.manning, "s m-1/3", "Manning's roughness"),
        "land_cover": (cover.classes, "1", "IGBP class of land cover"),
        "recharge": (basin.recharge, "mm common_year-1", "recharge of the spin-up"),
    }
    if ground.drainage is not None:
        flat["upstream_area"] = (ground.drainage.upstream_area, "m2", "area that drains through the cell")
    if np.isfinite(soil.bottom).all():
        flat["soil_depth"] = (_spread(soil.bottom, mask), "m", "depth of the soil, above the rock")
    if soil.usda is not None:
        flat["soil_texture"] = (_spread(soil.usda.astype(np.float64), mask), "1", "USDA class of the top layer")
    with _mapped(config, grid, path, basin.dz.size) as data:
        _variable(data, "mask", mask.astype(np.int8), "1", "cells that take part", "i1")
        for name, degrees, units in (("latitude", latitude, "degrees_north"), ("longitude", longitude, "degrees_east")):
            _variable(data, name, degrees, units, f"{name} of the cell centre")
            data[name].standard_name = name
        for name, (values, units, meaning) in flat.items():
            if values is not None:
                _variable(data, name, np.where(mask, values, np.nan), units, meaning)
        height = data.createVariable("z", "f8", ("z",))
        height.units, height.positive, height.axis = "m", "up", "Z"
        height.long_name = "height of the layer centre above the bottom of the column"
        height[:] = np.cumsum(basin.dz) - 0.5 * basin.dz
        for field in fields(basin.soil.hydraulics):
            units, meaning = _HYDRAULICS[field.name]
            _variable(data, field.name, getattr(basin.soil.hydraulics, field.name), units, meaning, mask=mask)
        for name, part in soil.texture.items():
            units, meaning = _TEXTURE[name]
            _variable(data, name, part, units, meaning, mask=mask)
        if soil.log_conductivity_deviation is not None:
            meaning = "standard deviation of log10 of the conductivity of soil, by Rosetta"
            _variable(data, "log_conductivity_deviation", soil.log_conductivity_deviation, "1", meaning, mask=mask)
        if config.land_cover.shares:
            data.createDimension("land_cover_class", len(cover.shares))
            numbers = data.createVariable("land_cover_class", "i4", ("land_cover_class",))
            numbers[:] = sorted(cover.shares)
            shares = data.createVariable("land_cover_share", "f8", ("land_cover_class", "y", "x"), zlib=True)
            shares.units, shares.long_name, shares.grid_mapping = "1", "share of each IGBP class", "crs"
            for k, number in enumerate(sorted(cover.shares)):
                shares[k] = np.where(mask, cover.shares[number], np.nan)


def _write_terrain(config: BasinConfig, grid: BasinGrid, terrain: TerrainStatistics, path: Path) -> None:
    flat = {
        "drainage_density": (terrain.drainage_density, "m-1", "length of streams by area"),
        "mean_height_above_drainage": (terrain.mean_height, "m", "mean height above the nearest drainage"),
        "upstream_area": (terrain.upstream_area, "m2", "largest area that drains through a fine cell"),
    }
    by_quantile = {
        "height_above_drainage": (terrain.height, "m", "height above the nearest drainage"),
        "terrain_slope": (terrain.slope, "1", "slope of the ground"),
        "terrain_curvature": (terrain.curvature, "m-1", "Laplacian of the ground, positive in hollows"),
    }
    with _mapped(config, grid, path, None) as data:
        data.fine_cell, data.stream_area = terrain.cell, terrain.stream_area
        data.createDimension("quantile", QUANTILES.size)
        quantile = data.createVariable("quantile", "f8", ("quantile",))
        quantile.units, quantile.long_name = "1", "share of the fine cells of a cell that have at most the value"
        quantile[:] = QUANTILES
        for name, (values, units, meaning) in flat.items():
            _variable(data, name, values, units, meaning, fill=np.nan)
        for name, (values, units, meaning) in by_quantile.items():
            _variable(data, name, values, units, f"{meaning}, by quantile", fill=np.nan, first="quantile")


_HYDRAULICS: Final = {
    "porosity": ("1", "porosity"),
    "alpha": ("m-1", "van Genuchten's alpha"),
    "n": ("1", "van Genuchten's n"),
    "residual_saturation": ("1", "residual saturation"),
    "conductivity": ("m h-1", "saturated hydraulic conductivity along the layers"),
    "vertical_conductivity": ("m h-1", "saturated hydraulic conductivity across the layers"),
}
_TEXTURE: Final = {
    "sand": ("%", "sand, of the weight of the fine earth"),
    "clay": ("%", "clay, of the weight of the fine earth"),
    "bulk_density": ("g cm-3", "bulk density of the fine earth"),
    "organic_carbon": ("%", "organic carbon, of the weight of the fine earth"),
}


def _spread(values: Array, mask: Any) -> Array:
    whole = np.full(mask.shape, np.nan)
    whole[mask] = values
    return whole


def _variable(
    data: netCDF4.Dataset,
    name: str,
    values: Any,
    units: str,
    meaning: str,
    kind: str = "f8",
    mask: Any = None,
    first: str = "z",
    fill: float | None = None,
) -> None:
    """Write a map, or with a mask the layers (nz, n) of active columns, one after the other to spare memory.

    Several maps (n, ny, nx) have their dimension `first`; `fill` is the value of inactive cells, if the file tells it.
    """
    dimensions = ("y", "x") if mask is None and np.ndim(values) == 2 else (first, "y", "x")
    variable = data.createVariable(name, kind, dimensions, zlib=True, complevel=1, shuffle=True, fill_value=fill)
    variable.units, variable.long_name = units, meaning
    variable.grid_mapping = "crs"
    if mask is None:
        variable[:] = values
        return
    for k, layer in enumerate(values):
        variable[k] = _spread(layer, mask)
