"""Units by udunits, as the checks need them."""

from __future__ import annotations

from gimli._udunits2 import UdunitsError  # what its units raise; not among the public `gimli.errors`
from gimli.units import units


def is_unit(name: str) -> bool:
    """Whether udunits knows a unit."""
    try:
        units.Unit(name.strip())
    except UdunitsError:
        return False
    return True


def convert(value: float, source: str, target: str) -> float | None:
    """Convert a value; None where the units do not convert.

    A flux or a depth of water may be that of its mass, with 1000 kg m-3.
    """
    for equivalent in (source, f"({source}) (1000 kg m-3)", f"({source}) / (1000 kg m-3)"):
        try:
            return float(units.Unit(equivalent).to(units.Unit(target))(value))
        except UdunitsError:
            continue
    return None
