"""The variables on which a run is evaluated: water table, top soil moisture, latent heat."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from bmi_common import ConfigError, Domain
from bmi_common.arrays import Array
from bmi_common.suggest import did_you_mean
from bmi_common.units import conversion
from coupler import resolution
from rootzone.evaluation.names import LATENT_HEAT, SOIL_MOISTURE, WATER_TABLE
from rootzone.evaluation.predictions import Quantities


@dataclass(frozen=True)
class EvaluatedVariable:
    """A variable with one value per column and hour.

    Attributes
    ----------
    key : str
        Name on the command line, in JSON and in NetCDF.
    title : str
        Name in tables and figures.
    units : str
        Units, for udunits.
    label : str
        Units as figures write them.
    resolution : float
        Errors up to this size, in `units`, count as none.
    """

    key: str
    title: str
    units: str
    label: str
    resolution: float

    def of(self, quantities: Quantities, domain: Domain) -> Array:
        """Pick the variable, (hours, columns)."""
        if self.key == WATER_TABLE:
            return quantities.water_table
        if self.key == LATENT_HEAT:
            return quantities.latent_heat
        return np.asarray(quantities.saturation[:, -1] * domain.porosity[-1][domain.mask])


EVALUATED: Mapping[str, EvaluatedVariable] = {
    WATER_TABLE: EvaluatedVariable(WATER_TABLE, "water table depth", "m", "m", resolution.WATER_TABLE),
    SOIL_MOISTURE: EvaluatedVariable(SOIL_MOISTURE, "top soil moisture", "m3 m-3", "m³ m⁻³", resolution.SOIL_MOISTURE),
    LATENT_HEAT: EvaluatedVariable(LATENT_HEAT, "latent heat", "W m-2", "W m⁻²", resolution.LATENT_HEAT),
}
"""By key. Soil moisture is the volumetric water content of the top layer."""

_THRESHOLD = re.compile(r"^\s*([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(.*?)\s*$")


_LONGEST = 100


def parse_thresholds(given: Iterable[str]) -> dict[str, float]:
    """Read thresholds such as ``water_table=0.5m`` or ``latent_heat=20 W m-2``.

    Returns
    -------
    dict
        Largest acceptable error by key of `EVALUATED`, in the units of these.

    Raises
    ------
    ConfigError
        For an unknown variable, one given twice, no positive number, no units or units that do not convert.
    """
    found: dict[str, float] = {}
    for text in given:
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals or len(text) > _LONGEST:
            raise ConfigError(
                f"threshold {text[:_LONGEST]!r}: write it as VARIABLE=NUMBER UNITS, such as water_table=0.5m"
            )
        if key not in EVALUATED:
            raise ConfigError(f"threshold {text!r}: no variable {key!r}{did_you_mean(key, EVALUATED)}")
        if key in found:
            raise ConfigError(f"threshold {text!r}: {key} has a threshold already")
        found[key] = _value(text, value, EVALUATED[key])
    return found


def _value(text: str, value: str, variable: EvaluatedVariable) -> float:
    match = _THRESHOLD.match(value)
    try:
        number = float(match.group(1)) if match else math.nan
    except ValueError:
        number = math.nan
    if match is None or not (0.0 < number < math.inf):
        raise ConfigError(f"threshold {text!r}: {value!r} is not a positive number with units, such as 0.5m")
    if not match.group(2):
        raise ConfigError(f"threshold {text!r}: has no units; {variable.title} is in {variable.units}")
    try:
        to = conversion(match.group(2), variable.units)
    except ConfigError as error:
        raise ConfigError(f"threshold {text!r}: {error}; {variable.title} is in {variable.units}") from error
    if to.offset:
        raise ConfigError(f"threshold {text!r}: a difference has no units with an offset such as {to.source}")
    return number * to.factor
