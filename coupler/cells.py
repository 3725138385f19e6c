"""Cells that a component has no values in, and what is handed over in their place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bmi_common.errors import ConfigError
from bmi_common.partition import Part
from coupler.component import Component, ComponentError
from coupler.grids import NODE, GridInfo
from coupler.nearest import SharedDonors, nearest, places

Array = NDArray[Any]
Cells = NDArray[np.bool_]

NEAREST: Literal["nearest"] = "nearest"


def gaps(component: Component, variable: str) -> Cells | None:
    """Cells, in the variable's shape, in which a component has no values of it; None where that is not known yet.

    They are those outside its mask. Of a component that has none they are those without a value at the start, if
    there are values elsewhere.
    """
    shape, mask = component.shape(variable), component.cells_of(variable, component.mask)
    if mask is not None:
        inside = len(shape) >= 2 and shape[-mask.ndim :] == mask.shape
        return np.broadcast_to(~mask, shape) if inside else np.zeros(shape, dtype=bool)
    values = _at_start(component, variable)
    if values is None or not (component.static or np.isfinite(values).any()):
        return None
    return ~np.isfinite(values)


def active_cells(component: Component, variable: str) -> Cells | None:
    """Cells, in the variable's shape, in which a component takes part; None where it does not tell.

    They are those of its mask. Of a component that has none they are those in which any of its variables on the same
    rows and columns has a value at the start.
    """
    shape = component.shape(variable)
    mask = component.cells_of(variable, component.mask)
    if mask is not None:
        inside = len(shape) >= 2 and shape[-mask.ndim :] == mask.shape
        return np.broadcast_to(mask, shape) if inside else np.ones(shape, dtype=bool)
    grid = component.grid(variable)
    columns = shape[-2:]
    found = np.zeros(columns, dtype=bool)
    for other in dict.fromkeys((*component.inputs, *component.outputs)):
        if _same_columns(component, other, grid, columns) and (values := _at_start(component, other)) is not None:
            found |= np.isfinite(values).reshape(-1, *columns).any(axis=0)
    return np.broadcast_to(found, shape) if found.any() else None


def _same_columns(component: Component, variable: str, grid: GridInfo, columns: tuple[int, ...]) -> bool:
    try:
        other = component.grid(variable)
    except ConfigError:  # nobody has asked for this variable
        return False
    if other.location != NODE or grid.location != NODE:
        return other == grid
    return other.is_points == grid.is_points and other.shape[-2:] == columns


def _at_start(component: Component, variable: str) -> Array | None:
    try:
        values = component.get(variable)
        return values if np.issubdtype(values.dtype, np.floating) else np.zeros(values.shape)
    except ComponentError:  # some components have values after their first step only
        return None


class Fill:
    """Gives values to the cells that a source has none in.

    Parameters
    ----------
    key, ends : str
        Where the exchange stands and what it joins, for messages.
    what : float or "nearest"
        The value [units of the target], or that of the nearest cell of the layer which has one.
    grid : GridInfo
        The target's.
    cells : ndarray of bool, optional
        Cells to fill, in the target's shape. Without them, those that have no value when the fill is first used.
    among : ndarray of bool, optional
        Cells that may be filled; elsewhere a missing value is nothing that the target takes.
    part : Part, optional
        Of the domain, where processes share it; they create the fill, and use it, together.
    """

    def __init__(
        self,
        key: str,
        ends: str,
        what: float | Literal["nearest"],
        grid: GridInfo,
        cells: Cells | None,
        among: Cells | None,
        part: Part | None = None,
    ) -> None:
        self._key, self._ends, self._what, self._grid, self._among, self._part = key, ends, what, grid, among, part
        self._cells: Cells | None = None
        self._nearest: Callable[[Array], Array] | None = None
        self._gaps = cells
        later = cells is None if part is None else part.world.any(cells is None)  # processes choose together
        if cells is not None and not later:
            self._choose(cells)

    def _choose(self, gaps: Cells) -> None:
        cells = gaps if self._among is None else gaps & self._among
        if self._what == NEAREST:
            try:
                layer = gaps.shape[-2:]
                if self._part is None:
                    donors = np.unravel_index(nearest(gaps, cells, places(self._grid, layer)), gaps.shape)
                    self._nearest = lambda values: values[donors]
                else:
                    cells = cells & self._part.own
                    where = places(self._grid, layer, self._part.offset)
                    self._nearest = SharedDonors(self._part, gaps, cells, where)
            except ConfigError as error:
                raise ConfigError(f"{self._ends}: fill: {error}", key=self._key) from None
        self._cells = cells

    def __call__(self, values: Array) -> Array:
        """Return a copy of the values, filled.

        Raises
        ------
        ComponentError
            If there is no value to fill with.
        """
        if self._cells is None:
            try:
                self._choose(~np.isfinite(values) if self._gaps is None else self._gaps)
            except ConfigError as error:
                raise ComponentError(str(error)) from error
        filled = np.array(values, dtype=np.float64)
        filled[self._cells] = self._what if self._nearest is None else self._nearest(values)
        return filled
