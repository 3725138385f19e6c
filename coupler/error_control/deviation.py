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
    """Compares components on one grid.

    Parameters
    ----------
    component : Component
        Any of them, for layers, root zone and porosity.
    mask : ndarray of bool, shape (ny, nx)
        Cells that count.
    """

    def __init__(self, component: Component, mask: NDArray[np.bool_]) -> None:
        self._mask = mask
        self._thickness: Array = np.array(component.get_in("m", LAYER_THICKNESS)[:, mask])
        self._pores = self._thickness * component.get_in("1", POROSITY)[:, mask]
        self._layers = self._thickness.mean(axis=1)
        self._root_zone = slice(-component.shape(NET_SOURCE)[0], None)

    def of(self, one: Component, other: Component) -> dict[str, float]:
        """All `QUANTITIES` of two components as they are now."""
        (head, saturation), (other_head, other_saturation) = (self._state(c) for c in (one, other))
        depths = [water_table.depth(h, self._layers) for h in (head, other_head)]
        table = np.abs(depths[0] - depths[1])
        root_zone = np.abs(saturation[self._root_zone] - other_saturation[self._root_zone])
        water = [
            (s * self._pores).sum(axis=0) + np.maximum(h[-1], 0.0)
            for h, s in ((head, saturation), (other_head, other_saturation))
        ]
        return {
            "water_table": float(np.median(table)),
            "water_table_90": float(np.quantile(table, 0.9)),
            "root_zone_saturation": float(root_zone.mean()),
            "soil_water": float(np.abs(water[0] - water[1]).mean()) * _MILLIMETRES,
        }

    def _state(self, component: Component) -> tuple[Array, Array]:
        return (
            np.asarray(component.get_in("m", PRESSURE_HEAD)[:, self._mask], dtype=np.float64),
            np.asarray(component.get_in("1", SATURATION)[:, self._mask], dtype=np.float64),
        )


def not_undercut(found: dict[str, float], bound: dict[str, float]) -> dict[str, float]:
    """Those deviations that are neither below the bound's nor too small to matter."""
    return {n: found[n] for n, b in bound.items() if not undercuts(found[n], b, QUANTITIES[n].resolution)}


def exceeded(found: dict[str, float], limits: dict[str, float]) -> dict[str, float]:
    """Those deviations that are not below their limit; one that is not a number is not."""
    return {name: found[name] for name, limit in limits.items() if not found[name] <= limit}
