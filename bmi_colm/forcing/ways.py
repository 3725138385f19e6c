"""The variables of a CF file that give each variable of the forcing: itself, its parts, or what it follows from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from bmi_colm.forcing.config import StandardName
from bmi_colm.forcing.humidity import saturation_vapour_pressure, specific_humidity
from bmi_colm.forcing.names import (
    AIR_PRESSURE,
    AIR_TEMPERATURE,
    LONGWAVE,
    PRECIPITATION,
    SHORTWAVE,
    SPECIFIC_HUMIDITY,
    UNITS,
    WIND_X,
    WIND_Y,
)
from bmi_common.arrays import Array

Known = Mapping[str, Array]
Make = Callable[[list[Array], Known], tuple[Array, ...]]


@dataclass(frozen=True)
class Way:
    """One way to get one or two variables of the forcing.

    Attributes
    ----------
    reads : dict of str
        Units wanted by CF standard name.
    make : callable
        From what is read, in this order, and what is known already, by BMI name, to the variables of the forcing.
    """

    reads: dict[StandardName, str]
    make: Make


def _same(read: list[Array], _known: Known) -> tuple[Array, ...]:
    return tuple(read)


def _sum(read: list[Array], _known: Known) -> tuple[Array, ...]:
    return (read[0] + read[1],)


def _from_vapour_pressure(vapour_pressure: Array, known: Known) -> tuple[Array, ...]:
    vapour_pressure, pressure = aligned(vapour_pressure, known[AIR_PRESSURE])
    return (specific_humidity(vapour_pressure, pressure),)


def _from_relative_humidity(read: list[Array], known: Known) -> tuple[Array, ...]:
    relative, temperature = aligned(read[0], known[AIR_TEMPERATURE])
    return _from_vapour_pressure(relative * saturation_vapour_pressure(temperature), known)


def _only(name: str, standard_name: StandardName) -> Way:
    return Way({standard_name: UNITS[name]}, _same)


def _total(*parts: StandardName) -> Way:
    return Way(dict.fromkeys(parts, UNITS[PRECIPITATION]), _sum)


WAYS: Final[dict[tuple[str, ...], tuple[Way, ...]]] = {
    (PRECIPITATION,): (
        _only(PRECIPITATION, "precipitation_flux"),
        _only(PRECIPITATION, "lwe_precipitation_rate"),
        _total("rainfall_flux", "snowfall_flux"),
        _total("convective_precipitation_flux", "large_scale_precipitation_flux"),
        _total("convective_precipitation_flux", "stratiform_precipitation_flux"),
    ),
    (AIR_TEMPERATURE,): (_only(AIR_TEMPERATURE, "air_temperature"),),
    (AIR_PRESSURE,): (_only(AIR_PRESSURE, "air_pressure"), _only(AIR_PRESSURE, "surface_air_pressure")),
    (SPECIFIC_HUMIDITY,): (
        _only(SPECIFIC_HUMIDITY, "specific_humidity"),
        Way({"humidity_mixing_ratio": "1"}, lambda read, _: (read[0] / (1.0 + read[0]),)),
        Way({"water_vapor_partial_pressure_in_air": "Pa"}, lambda read, known: _from_vapour_pressure(read[0], known)),
        Way(
            {"dew_point_temperature": "K"},
            lambda read, known: _from_vapour_pressure(saturation_vapour_pressure(read[0]), known),
        ),
        Way({"relative_humidity": "1"}, _from_relative_humidity),
    ),
    (SHORTWAVE,): (_only(SHORTWAVE, "surface_downwelling_shortwave_flux_in_air"),),
    (LONGWAVE,): (_only(LONGWAVE, "surface_downwelling_longwave_flux_in_air"),),
    (WIND_X, WIND_Y): (
        Way({"eastward_wind": "m s-1", "northward_wind": "m s-1"}, _same),
        Way({"x_wind": "m s-1", "y_wind": "m s-1"}, _same),
        # the land uses the speed alone
        Way({"wind_speed": "m s-1"}, lambda read, _: (read[0], np.zeros_like(read[0]))),
    ),
}
"""By BMI names, the best way first; what others follow from stands before them."""


def aligned(first: Array, second: Array) -> tuple[Array, Array]:
    """Return two arrays of hours, (n,) or (n, ny, nx), that broadcast against each other."""
    rank = max(first.ndim, second.ndim)
    one, other = (a.reshape(a.shape + (1,) * (rank - a.ndim)) for a in (first, second))
    return one, other
