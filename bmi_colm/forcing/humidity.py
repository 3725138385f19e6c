"""Humidity of the air from dew point and pressure."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

EPSILON: Final = 287.0597 / 461.5250
"""Ratio of the gas constants of dry air and vapour (ECMWF 2023, chapter 12)."""


def saturation_vapour_pressure(temperature: FloatArray) -> FloatArray:
    """Saturation vapour pressure over liquid water.

    Parameters
    ----------
    temperature
        [K]

    Returns
    -------
    FloatArray
        [Pa]

    Notes
    -----
    Buck (1981) in the form of ECMWF (2023), IFS documentation Cy48r1, part IV, equation 7.5. ECMWF's dew point is
    defined over liquid water at all temperatures, so that this is the formula that inverts it.
    """
    return np.asarray(611.21 * np.exp(17.502 * (temperature - 273.16) / (temperature - 32.19)))


def specific_humidity(vapour_pressure: FloatArray, pressure: FloatArray) -> FloatArray:
    """Specific humidity [kg kg-1] of air at `pressure` [Pa] that holds vapour of `vapour_pressure` [Pa]."""
    return np.asarray(EPSILON * vapour_pressure / (pressure - (1.0 - EPSILON) * vapour_pressure))


def relative_humidity(specific: FloatArray, pressure: FloatArray, temperature: FloatArray) -> FloatArray:
    """Relative humidity [1], over liquid water, of air of `specific` humidity, `pressure` [Pa], `temperature` [K]."""
    vapour_pressure = pressure * specific / (EPSILON + (1.0 - EPSILON) * specific)
    return np.asarray(vapour_pressure / saturation_vapour_pressure(temperature))
