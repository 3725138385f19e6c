"""How a variable is shown: its title in the field's words, units that people read, and a colour map of its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.colors import Colormap

from bmi_common.groundwater import (
    DISCHARGE,
    NET_SOURCE,
    PONDED_DEPTH,
    PRESSURE_HEAD,
    RUNOFF,
    SATURATION,
    VOLUME_FRACTION,
    WATER_TABLE_DEPTH,
)
from bmi_common.units import SECONDS_PER_HOUR
from rootzone.figures.colours import cm

RAIN: Final = "atmosphere_water_precipitation__mass_flux"

SOIL_MOISTURE: Final = {
    "csdms_name": VOLUME_FRACTION,
    "long_name": "soil moisture, volume of water per volume of soil",
    "units": "m3 m-3",
}
"""Attributes of saturation times porosity."""

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_KELVIN = 273.15
_WATER_FLUXES: Final = {"m s-1": 1000.0, "kg m-2 s-1": 1.0, "m h-1": 1000.0 / SECONDS_PER_HOUR}
"""Factors to mm s-1."""

_TITLES: Final = {
    RAIN: "precipitation",
    PRESSURE_HEAD: "pressure head",
    SATURATION: "saturation",
    VOLUME_FRACTION: "volumetric soil moisture",
    WATER_TABLE_DEPTH: "water table depth",
    PONDED_DEPTH: "ponded water",
    NET_SOURCE: "net water source of the land",
    DISCHARGE: "discharge",
    "soil_surface_water_infiltration__volume_flux": "infiltration less evaporation at the ground",
    "land_surface__temperature": "surface temperature",
    RUNOFF: "overland outflow over the boundary",
}
_FIXED: Final[dict[str, Colormap]] = {
    WATER_TABLE_DEPTH: cm.deep_r,  # dark where water is near
    PONDED_DEPTH: cm.dense,
    SATURATION: matplotlib.colormaps["YlGnBu"],
    VOLUME_FRACTION: matplotlib.colormaps["YlGnBu"],
}


@dataclass(frozen=True)
class Quantity:
    """What is shown of a variable.

    Attributes
    ----------
    title : str
        What it is.
    units : str
        Units of `values`, as they are printed.
    values : DataArray
        The variable in these units.
    depth : bool
        Whether it grows downwards.
    """

    title: str
    units: str
    values: xr.DataArray
    depth: bool = False

    @property
    def label(self) -> str:
        """Title and units, for an axis."""
        return f"{self.title} [{self.units}]" if self.units else self.title

    def colours(self, values: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[Colormap, bool]:
        """Return a colour map for some values, and whether its middle is 0: for what has both signs."""
        name = str(self.values.attrs.get("csdms_name", ""))
        if name in _FIXED:
            return _FIXED[name], False
        share = float(np.mean(values < 0.0)) if values.size else 0.0
        signed = 0.02 < share < 0.98 and self.units != "°C"
        if self.units.startswith(("mm", "m", "h")):  # water: brown where it is lost or lacking
            return (matplotlib.colormaps["BrBG"], True) if signed else (cm.rain, False)
        if self.units.startswith("W"):
            return (cm.balance, True) if signed else (cm.matter, False)
        if self.units == "°C":
            return cm.thermal, False
        return (cm.balance, True) if signed else (matplotlib.colormaps["viridis"], False)


def quantity(variable: xr.DataArray, *, by_day: bool) -> Quantity:
    """Say how a variable is shown; fluxes of water are given by the day or by the hour."""
    name, units = str(variable.attrs.get("csdms_name", "")), str(variable.attrs.get("units", ""))
    long_name = str(variable.attrs.get("long_name", variable.name))
    title = _TITLES.get(name, long_name.split(",")[0])
    if "layer" in variable.attrs:
        title = f"{title}, {variable.attrs['layer']}"
    depth = name == WATER_TABLE_DEPTH or "depth below" in long_name
    if units == "K":
        return Quantity(title, "°C", variable - _KELVIN, depth)
    if units in _WATER_FLUXES:
        seconds = 24.0 * SECONDS_PER_HOUR if by_day else SECONDS_PER_HOUR
        shown = (variable * (_WATER_FLUXES[units] * seconds)).assign_attrs(variable.attrs)
        return Quantity(title, "mm d⁻¹" if by_day else "mm h⁻¹", shown, depth)
    return Quantity(title, _pretty(units), variable, depth)


def boundary_outflow(variable: xr.DataArray) -> Quantity:
    """Sum overland outflow per cell area [m s-1] (…, y, x) over the cells: it leaves through few of them."""
    x, y = (abs(np.diff(variable[d].values[:2]).sum()) for d in ("x", "y"))
    return Quantity(_TITLES[RUNOFF], _pretty("m3 s-1"), variable.sum(("y", "x")) * (x * y))


def _pretty(units: str) -> str:
    """Write exponents above the line: ``W m-2`` as W m⁻²."""
    if units == "1":
        return ""
    words = []
    for word in units.split():
        base = word.rstrip("-0123456789")
        words.append(base + word[len(base) :].translate(_SUPERSCRIPTS) if base else word)
    return " ".join(words)
