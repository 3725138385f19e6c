"""How far two groundwater components are apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bmi_common import water_table
from bmi_common.arrays import Array
from bmi_common.groundwater import LAYER_THICKNESS, NET_SOURCE, POROSITY, PRESSURE_HEAD, SATURATION
from coupler import resolution
from coupler.component import Component
from coupler.resolution import undercuts
from coupler.whole import whole


@dataclass(frozen=True)
class ControlledQuantity:
    """What is compared: its units, in words, and up to which size it counts as none beside the bound."""

    units: str
    meaning: str
    resolution: float


QUANTITIES = {
    "water_table": ControlledQuantity(
        "m", "median over the columns of the absolute difference of water table depth", resolution.WATER_TABLE
    ),
    "water_table_90": ControlledQuantity(
        "m", "90 % of the columns have a smaller absolute difference of water table depth", resolution.WATER_TABLE
    ),
    "root_zone_saturation": ControlledQuantity(
        "1", "mean over the root zone of the absolute difference of saturation", resolution.SOIL_MOISTURE
    ),
    "soil_water": ControlledQuantity(
        "mm", "mean over the columns of the absolute difference of soil and ponded water", resolution.SOIL_WATER
    ),
}
"""Deviations by the names that limits and records use."""

NEEDED = (PRESSURE_HEAD, SATURATION, LAYER_THICKNESS, POROSITY)
"""Variables that a component must publish to be compared."""

_MILLIMETRES = 1000.0


class Comparison:
    """Compares components on one grid; processes that share it call all of this together, and get the same.

    Parameters
    ----------
    component : Component
        Any of them, for layers, root zone and porosity.
    mask : ndarray of bool, shape (ny, nx)
        Cells of this process that count.
    """

    def __init__(self, component: Component, mask: NDArray[np.bool_]) -> None:
        self._part = component.part
        self._mask = whole(self._part, mask)
        thickness, porosity = (
            self._of_columns(component.get_in(units, name)) for units, name in (("m", LAYER_THICKNESS), ("1", POROSITY))
        )
        self._root_zone = slice(-component.shape(NET_SOURCE)[0], None)
        if thickness is not None and porosity is not None:
            self._pores = thickness * porosity
            self._layers = thickness.mean(axis=1)

    def of(self, one: Component, other: Component) -> dict[str, float]:
        """All `QUANTITIES` of two components as they are now."""
        states = [self._state(component) for component in (one, other)]
        known = [(head, saturation) for head, saturation in states if head is not None and saturation is not None]
        found = self._apart(*known) if len(known) == len(states) else None  # in process 0
        return found if self._part is None else self._part.world.shared(found)  # type: ignore[return-value]

    def _apart(self, one: tuple[Array, Array], other: tuple[Array, Array]) -> dict[str, float]:
        (head, saturation), (other_head, other_saturation) = one, other
        depths = [water_table.depth(h, self._layers) for h in (head, other_head)]
        table = np.abs(depths[0] - depths[1])
        root_zone = np.abs(saturation[self._root_zone] - other_saturation[self._root_zone])
        water = [(s * self._pores).sum(axis=0) + np.maximum(h[-1], 0.0) for h, s in (one, other)]
        return {
            "water_table": float(np.median(table)),
            "water_table_90": float(np.quantile(table, 0.9)),
            "root_zone_saturation": float(root_zone.mean()),
            "soil_water": float(np.abs(water[0] - water[1]).mean()) * _MILLIMETRES,
        }

    def _state(self, component: Component) -> tuple[Array | None, Array | None]:
        return (
            self._of_columns(component.get_in("m", PRESSURE_HEAD)),
            self._of_columns(component.get_in("1", SATURATION)),
        )

    def _of_columns(self, values: Array) -> Array | None:
        """Values (layers, columns) of the whole domain, in process 0."""
        field = whole(self._part, values)
        return None if field is None else np.asarray(field[:, self._mask], dtype=np.float64)


def not_undercut(found: dict[str, float], bound: dict[str, float]) -> dict[str, float]:
    """Those deviations that are neither below the bound's nor too small to matter."""
    return {n: found[n] for n, b in bound.items() if not undercuts(found[n], b, QUANTITIES[n].resolution)}


def exceeded(found: dict[str, float], limits: dict[str, float]) -> dict[str, float]:
    """Those deviations that are not below their limit; one that is not a number is not."""
    return {name: found[name] for name, limit in limits.items() if not found[name] <= limit}
