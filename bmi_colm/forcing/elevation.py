"""Adjustment of a record to the elevation of the cells."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from bmi_colm.forcing.config import Remap
from bmi_colm.forcing.humidity import saturation_vapour_pressure, specific_humidity
from bmi_colm.forcing.names import AIR_PRESSURE, AIR_TEMPERATURE, LONGWAVE, SPECIFIC_HUMIDITY
from bmi_common.arrays import Array
from bmi_common.bilinear import bilinear
from bmi_common.errors import ConfigError
from bmi_common.file_grid import Cells, file_grid, horizontal, nearest
from bmi_common.netcdf_file import NetcdfFile
from bmi_common.units import conversion

GRAVITY: Final = 9.80665  # m s-2
GAS_CONSTANT_DRY_AIR: Final = 287.0597  # J kg-1 K-1


@dataclass(frozen=True)
class ElevationAdjustment:
    """Temperature by a constant lapse rate, pressure by hydrostatic balance, humidity capped at saturation.

    Specific humidity is kept where the colder air can hold it, and is at most saturated. Shortwave radiation,
    precipitation and wind stay as recorded, and so does longwave radiation unless `longwave` is set: then it keeps the
    ratio to the emission of the air near the ground, equation (24a) of docs/theory.md. The adjustment is
    that of Cosgrove et al. (2003), J. Geophys. Res. 108, 8842.

    Parameters
    ----------
    height
        Elevation of the cells above that of the record, (ny, nx) [m].
    lapse_rate
        Decrease of air temperature with height [K m-1].
    longwave
        Whether longwave radiation follows.
    """

    height: Array
    lapse_rate: float
    longwave: bool = False

    def __call__(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Return `values` of one hour with temperature, pressure and humidity at the cells' elevation."""
        adjusted = dict(values)
        recorded = values[AIR_TEMPERATURE]
        temperature = recorded - self.lapse_rate * self.height
        # d ln p = -g dz / (R T); the logarithmic mean of both temperatures is exact for a linear profile
        scale_height = GAS_CONSTANT_DRY_AIR * _logarithmic_mean(recorded, temperature) / GRAVITY
        pressure = values[AIR_PRESSURE] * np.exp(-self.height / scale_height)
        saturated = specific_humidity(saturation_vapour_pressure(temperature), pressure)
        adjusted[AIR_TEMPERATURE] = temperature
        adjusted[AIR_PRESSURE] = pressure
        adjusted[SPECIFIC_HUMIDITY] = np.minimum(values[SPECIFIC_HUMIDITY], saturated)
        if self.longwave:
            before = _emission(recorded, values[AIR_PRESSURE], values[SPECIFIC_HUMIDITY])
            after = _emission(temperature, pressure, adjusted[SPECIFIC_HUMIDITY])
            adjusted[LONGWAVE] = values[LONGWAVE] * after / before
        return adjusted


def _emission(temperature: Array, pressure: Array, humidity: Array) -> Array:
    """Emission of clear air over that of a black body at 1 K: Satterlund (1979), Water Resour. Res. 15, 1649."""
    vapour_pressure = 0.01 * humidity * pressure / (0.622 + 0.378 * humidity)  # hPa
    emissivity = 1.08 * (1.0 - np.exp(-(np.maximum(vapour_pressure, 1e-6) ** (temperature / 2016.0))))
    return np.asarray(emissivity * temperature**4)


def read_elevation(path: Path, variable: str, units: str | None, cells: Cells, remap: Remap = "nearest") -> Array:
    """Read the elevation [m] that a record's values hold for in each cell of the domain, (ny, nx).

    `remap` is how the record is mapped: interpolated air temperature holds for interpolated elevation.

    Raises
    ------
    ConfigError
        There is no such map, it does not cover the domain, or it is neither a length nor a geopotential.
    """
    where = f"{path} ({variable})"
    with NetcdfFile(path) as file:
        metadata = file.require(variable)
        y, x = horizontal(file, variable)
        if y is None or x is None:
            raise ConfigError(f"{where}: needed is a map with latitude and longitude")
        index = tuple(slice(None) if d in (y, x) else 0 for d in metadata.dimensions)
        values = file.part(variable, index)
        if metadata.dimensions.index(y) > metadata.dimensions.index(x):
            values = values.T
        mapped = bilinear if remap == "bilinear" else nearest
        grid = mapped(file_grid(file, variable, y, x), cells, where)
        given = units or metadata.text("units")
    values = grid(values[grid.rows, grid.columns])
    for wanted, factor in (("m", 1.0), ("m2 s-2", 1.0 / GRAVITY)):
        try:
            change = conversion(given, wanted)
        except ConfigError:
            continue
        return np.asarray((values * change.factor + change.offset) * factor)
    raise ConfigError(f"{where}: has units {given!r}; needed is a height, or a geopotential in m2 s-2")


def _logarithmic_mean(first: Array, second: Array) -> Array:
    """Return (b - a) / ln(b / a), also where a and b are nearly equal."""
    ratio = second / first - 1.0
    near = np.abs(ratio) < 1e-6
    safe = np.where(near, 1.0, ratio)
    return np.asarray(first * np.where(near, 1.0 + 0.5 * ratio, safe / np.log1p(safe)))
