"""What CSDMS Standard Names tell of units and possible values.

Each range holds what is possible on Earth, with room to spare: it finds degrees Celsius called kelvin, percent called
fractions, filled-in numbers and models that ran away, not values that are merely unlikely.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import inf

from bmi_conformance.units import convert


@dataclass(frozen=True)
class Quantity:
    """A quantity that names end with.

    Attributes
    ----------
    pattern : str
        Regular expression that the whole name must match.
    what : str
        The quantity in words.
    units : tuple of str
        Its units; the range is in the first.
    low, high : float
        Smallest and largest possible value.
    """

    pattern: str
    what: str
    units: tuple[str, ...]
    low: float = -inf
    high: float = inf

    def fits(self, unit: str) -> bool:
        """Whether values in `unit` convert to one of the units of the quantity."""
        return any(convert(0.0, unit, own) is not None for own in self.units)

    def limits(self, unit: str) -> tuple[float, float] | None:
        """Return the range in `unit`; None where it does not convert to the units of the range."""
        first, last = (convert(end, self.units[0], unit) for end in (self.low, self.high))
        return None if first is None or last is None else (min(first, last), max(first, last))


_ROUNDING = 1.0e-6  # of a fraction kept in single precision

QUANTITIES = (
    Quantity(r".*__temperature", "a temperature", ("K",), 100.0, 2000.0),
    Quantity(r".*__(.*_)?(saturation|porosity)", "a fraction", ("1",), -_ROUNDING, 1.0 + _ROUNDING),
    Quantity(r".*__(.*_)?(area|volume|mass)_fraction", "a fraction", ("1",), -_ROUNDING, 1.0 + _ROUNDING),
    Quantity(r".*__(.*_)?(albedo|emissivity|reflectance)", "a fraction", ("1",), -_ROUNDING, 1.0 + _ROUNDING),
    Quantity(r"(land_surface_water|snowpack|channel_water.*)__depth", "a depth of water or snow", ("m",), -1e-9, 1.2e4),
    Quantity(r".*__depth", "a depth", ("m",), -1.0e4, 7.0e6),
    Quantity(r".*__thickness", "a thickness", ("m",), 0.0, 7.0e6),
    Quantity(r".*__pressure_head", "a pressure head", ("m",), -1.0e9, 1.2e4),
    Quantity(r"land_surface__elevation", "a height of the land", ("m",), -1.0e3, 9.0e3),
    Quantity(r".*__elevation", "a height", ("m",), -1.2e4, 1.0e5),
    Quantity(r"atmosphere_.*__(static_)?pressure", "a pressure of the air", ("Pa",), 0.0, 1.2e5),
    Quantity(r"atmosphere_.*precipitation.*__mass_flux", "precipitation", ("kg m-2 s-1",), 0.0, 1.0),
    Quantity(r"atmosphere_.*precipitation.*__.*volume_flux", "precipitation", ("m s-1",), 0.0, 1.0e-3),
    Quantity(r".*__.*energy_flux", "a flux of energy", ("W m-2",), -1.0e5, 1.0e5),
    Quantity(r".*__storage_volume", "a volume of water", ("m3",), 0.0, 2.0e18),
    Quantity(r"channel_.*__volume_flow_rate", "discharge", ("m3 s-1",), -1.0e7, 1.0e7),
    Quantity(r".*__.*component_of_velocity", "a velocity", ("m s-1",), -1.0e3, 1.0e3),
    Quantity(r".*__speed", "a speed", ("m s-1",), 0.0, 1.0e3),
    Quantity(r".*__latitude", "a latitude", ("degrees",), -90.0, 90.0),
    Quantity(r".*__longitude", "a longitude", ("degrees",), -180.0, 360.0),
    Quantity(r".*__(.*_)?hydraulic_conductivity", "a hydraulic conductivity", ("m s-1",), 0.0, 10.0),
)
"""The first whose pattern matches a name holds for it."""


def quantity_of(name: str) -> Quantity | None:
    """Find the quantity of a CSDMS Standard Name; None where nothing is known of it."""
    for quantity in QUANTITIES:
        if re.fullmatch(quantity.pattern, name):
            return quantity
    return None
