"""Conversion of a file's units to those of the component."""

from collections.abc import Callable

import gimli
import numpy as np
from gimli._udunits2 import UdunitsError  # not among its public names

from bmi_colm.forcing._base import ConfigError
from bmi_colm.forcing.humidity import FloatArray

Converter = Callable[[FloatArray], FloatArray]

_WATER_DENSITY = 1000.0  # kg m-3: water mass and volume are converted with this everywhere


def converter(units: str, target: str, where: str) -> Converter:
    """Return the conversion from `units` to `target`.

    A volume flux of water (``m s-1``, ``mm h-1``) becomes a mass flux with 1000 kg m-3.

    Raises
    ------
    ConfigError
        `units` are unknown or of another kind; `where` begins the message.
    """
    unit = _unit(units, where)
    wanted = gimli.units[target]
    if unit.is_convertible_to(wanted):
        return _conversion(unit.to(wanted), 1.0)
    depth = gimli.units["m s-1"]
    if target == "kg m-2 s-1" and unit.is_convertible_to(depth):
        return _conversion(unit.to(depth), _WATER_DENSITY)
    raise ConfigError(f"{where}: units {units!r} are not convertible to {target!r}")


def _unit(units: str, where: str) -> gimli.units.Unit:
    try:
        return gimli.units[units]
    except UdunitsError as error:
        raise ConfigError(f"{where}: {units!r} are no units that udunits knows") from error


def _conversion(convert: Callable[[FloatArray], FloatArray], factor: float) -> Converter:
    def apply(values: FloatArray) -> FloatArray:
        return np.asarray(convert(np.ascontiguousarray(values, dtype=np.float64))) * factor

    return apply
