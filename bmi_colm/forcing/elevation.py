"""Adjustment of a station's record to the elevation of the cells."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from bmi_colm.forcing.humidity import saturation_vapour_pressure, specific_humidity
from bmi_colm.forcing.names import AIR_PRESSURE, AIR_TEMPERATURE, SPECIFIC_HUMIDITY
from bmi_common.arrays import Array

GRAVITY: Final = 9.80665  # m s-2
GAS_CONSTANT_DRY_AIR: Final = 287.0597  # J kg-1 K-1


@dataclass(frozen=True)
class ElevationAdjustment:
    """Temperature by a constant lapse rate, pressure by hydrostatic balance, humidity capped at saturation.

    Specific humidity is kept where the colder air can hold it, and is at most saturated. Longwave radiation,
    shortwave radiation, precipitation and wind stay as recorded. The adjustment of temperature and pressure is
    that of Cosgrove et al. (2003), J. Geophys. Res. 108, 8842.

    Parameters
    ----------
    height
        Elevation of the cells above that of the record, (ny, nx) [m].
    lapse_rate
        Decrease of air temperature with height [K m-1].
    """

    height: Array
    lapse_rate: float

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
        return adjusted


def _logarithmic_mean(first: Array, second: Array) -> Array:
    """Return (b - a) / ln(b / a), also where a and b are nearly equal."""
    ratio = second / first - 1.0
    near = np.abs(ratio) < 1e-6
    safe = np.where(near, 1.0, ratio)
    return np.asarray(first * np.where(near, 1.0 + 0.5 * ratio, safe / np.log1p(safe)))
