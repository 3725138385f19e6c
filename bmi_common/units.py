"""Unit conversion by udunits, with the one physical equivalence that water models need.

A mass of water (per area) and its volume are converted with 1000 kg m-3; nothing else is converted between
different dimensions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from math import isclose

from gimli._udunits2 import UdunitsError  # what its units raise; not among the public `gimli.errors`
from gimli.units import units as _system

from bmi_common.errors import ConfigError

SECONDS_PER_HOUR = 3600.0
WATER_DENSITY = 1000.0  # kg m-3

_ABBREVIATIONS = {
    "cfs": "ft3 s-1",
    "cusec": "ft3 s-1",
    "cusecs": "ft3 s-1",
    "kcfs": "1000 ft3 s-1",
    "cms": "m3 s-1",
    "cumec": "m3 s-1",
    "cumecs": "m3 s-1",
    "mgd": "1e6 US_liquid_gallon day-1",
    "mld": "1e6 l day-1",
    "gpm": "US_liquid_gallon min-1",
    "mbgl": "m",
    "mbgs": "m",
    "ftbgs": "ft",
}
"""What hydrologists write, in small letters, and udunits does not know."""
_FRACTIONAL_POWER = re.compile(r"[A-Za-z]+\^?[-+]?\d+/\d+")


@dataclass(frozen=True)
class Conversion:
    """A linear map ``target = factor * source + offset`` between two units."""

    source: str
    target: str
    factor: float
    offset: float = 0.0
    note: str = ""

    @property
    def is_identity(self) -> bool:
        """Whether values pass unchanged."""
        return self.factor == 1.0 and self.offset == 0.0

    def __str__(self) -> str:
        note = f" ({self.note})" if self.note else ""
        if self.is_identity:
            return f"{self.source} = {self.target}{note}" if self.source != self.target else self.source
        offset = f" {self.offset:+g}" if self.offset else ""
        return f"{self.source} -> {self.target}: x {self.factor:.10g}{offset}{note}"


@cache
def conversion(source: str, target: str) -> Conversion:
    """Find how values in `source` units become values in `target` units.

    Raises
    ------
    ConfigError
        If a unit cannot be parsed or the two do not convert.
    """
    if source.strip() == target.strip():
        parse(source)
        return Conversion(source, target, 1.0)
    first, second = _without_common_fraction(source, target)
    a, b = parse(first), parse(second)
    try:
        return _linear(source, target, a, b)
    except UdunitsError:
        pass
    density = parse(f"{WATER_DENSITY} kg m-3")
    for per, note in ((1.0 / WATER_DENSITY, "kg m-3 to volume"), (WATER_DENSITY, "volume to kg m-3")):
        name = f"({first}) / ({density})" if per < 1 else f"({first}) ({density})"
        try:
            bridge = _linear(source, target, parse(name), b)
        except UdunitsError:
            continue
        return Conversion(source, target, bridge.factor, 0.0, f"water, {WATER_DENSITY:g} {note}")
    raise ConfigError(f"units {source!r} do not convert to {target!r}")


def parse(name: str) -> object:
    """Return the udunits unit called `name`; raises `ConfigError` if there is none."""
    try:
        return _system.Unit(name.strip())
    except UdunitsError as error:
        known = _ABBREVIATIONS.get(name.strip().lower())
        hint = "" if known is None else f"; write {known!r}"
        raise ConfigError(f"{name!r} is no unit that udunits knows{hint}") from error


def is_angle(name: str) -> bool:
    """Tell whether a unit is one of plane angle, which udunits converts to and from plain numbers."""
    return "radian" in str(parse(name)) or "arc_" in str(parse(name))


def _linear(source: str, target: str, a: object, b: object) -> Conversion:
    converter = a.to(b)  # type: ignore[attr-defined]
    offset = float(converter(0.0))
    factor = float(converter(1.0)) - offset
    if not isclose(float(converter(1000.0)), 1000.0 * factor + offset, rel_tol=1e-9):  # decibels and the like
        raise ConfigError(f"units {source!r} do not convert to {target!r} by a factor")
    return Conversion(source, target, factor, offset)


def _without_common_fraction(source: str, target: str) -> tuple[str, str]:
    # udunits has no fractional powers and would read m-1/3 as a third of m-1; Manning's s m-1/3 and h m-1/3 differ
    # only before the fraction
    a, b = source.split(), target.split()
    fractions = [[part for part in parts if _FRACTIONAL_POWER.fullmatch(part)] for parts in (a, b)]
    if fractions[0] != fractions[1]:
        raise ConfigError(f"units {source!r} do not convert to {target!r}")
    first, second = ([part for part in parts if part not in fractions[0]] for parts in (a, b))
    return " ".join(first) or "1", " ".join(second) or "1"
