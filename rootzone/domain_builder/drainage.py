"""Ground that drains: flow through faces to the outlets, and over no other rim.

The slope of a cell belongs to its eastern (northern) face, and to its western (southern) face, too, where it has no
neighbour there. Water that flows through the eastern face into a cell on the western rim would therefore leave over the
rim as well. So no cell on the western rim may be fed from the east, and none on the southern rim from the north, unless
it is an outlet. The flood below goes round such faces; a river that follows the rim keeps its bed and gets a cell of
dry ground between it and the rim, the bank.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array
from bmi_common.errors import ConfigError
from rootzone.domain_builder.grid import BasinGrid

Mask = NDArray[np.bool_]
Cell = tuple[int, int]
Pits = Literal["fill", "carve"]

_EVERY = 1e-9  # part of the least fall by which the flood rises from cell to cell, so that its order is one


@dataclass(frozen=True)
class Drainage:
    """Ground and slopes of a basin all of whose cells drain to its outlets.

    Attributes
    ----------
    mask : ndarray of bool, shape (ny, nx)
        Active cells: those of the region, and the banks.
    elevation : ndarray, shape (ny, nx)
        Conditioned [m].
    slope_x, slope_y : ndarray, shape (ny, nx)
        Of the eastern and the northern face of each cell, positive where the ground rises that way; 0 where no water
        may pass.
    downstream : ndarray of int, shape (ny * nx,)
        Cell that each active cell drains to along the flood; -1 for outlets and inactive cells.
    upstream_area : ndarray, shape (ny, nx)
        [m2]; NaN in inactive cells.
    outlets : tuple of (int, int)
        Rows and columns of the outlets.
    banks : int
        Cells added to the region beside rivers on the western or southern rim.
    raised, lowered : float
        Volume [m3] by which the ground was filled and carved.
    closed_faces : int
        Faces that let no water pass although the ground falls: those into the western and southern rim.
    """

    mask: Mask
    elevation: Array
    slope_x: Array
    slope_y: Array
    downstream: NDArray[np.int64]
    upstream_area: Array
    outlets: tuple[Cell, ...]
    banks: int
    raised: float
    lowered: float
    closed_faces: int


def drain(
    elevation: Array,
    mask: Mask,
    grid: BasinGrid,
    outlets: Sequence[Cell],
    *,
    river: Mask | None = None,
    burnt: Array | None = None,
    pits: Pits = "fill",
    minimum_slope: float = 1.0e-4,
) -> Drainage:
    """Make all of a region drain to its outlets.

    Parameters
    ----------
    elevation : ndarray, shape (ny, nx)
        Of the ground [m], southern row first. Where it is known beside the region, banks have it.
    mask : ndarray of bool, shape (ny, nx)
        The region, in one piece across faces.
    grid : BasinGrid
        The cells.
    outlets : sequence of (int, int)
        Cells of the rim where water leaves.
    river : ndarray of bool, shape (ny, nx), optional
        Cells whose water keeps its way along the western and southern rim.
    burnt : ndarray, shape (ny, nx), optional
        Elevation that decides where water runs in the place of `elevation`, such as one with rivers burnt in.
    pits : {"fill", "carve"}
        Whether the ground is raised or lowered along the way of the water.
    minimum_slope : float
        Least slope along the way of the water.

    Raises
    ------
    ConfigError
        Some cells have no way to an outlet.

    Notes
    -----
    Priority flood after Barnes, Lehman and Mulla (2014), Comput. Geosci. 62, 117.
    """
    flood = _Flood(elevation if burnt is None else burnt, mask, outlets, river, (grid.dx, grid.dy), minimum_slope)
    flood.run()
    conditioned, raised, lowered = _condition(elevation, flood, grid, pits, minimum_slope)
    active = flood.mask()
    slope_x, slope_y, closed = _face_slopes(conditioned, active, grid, outlets, minimum_slope)
    downstream, upstream = flood.network(grid.cell_area)
    return Drainage(
        mask=active,
        elevation=conditioned,
        slope_x=slope_x,
        slope_y=slope_y,
        downstream=downstream,
        upstream_area=np.where(active, upstream, np.nan),
        outlets=tuple(outlets),
        banks=len(flood.banks),
        raised=raised,
        lowered=lowered,
        closed_faces=closed,
    )


@dataclass
class _Flood:
    """The way of the water: from the outlets upwards, the lowest ground first.

    Cells are numbered in a grid with a frame of one inactive cell, so that neighbours need no test.
    """

    ground: Array
    region: Mask
    outlets: Sequence[Cell]
    river: Mask | None
    size: tuple[float, float]
    minimum_slope: float
    order: list[int] = field(default_factory=list)
    banks: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        ny, nx = self.region.shape
        self.width: int = nx + 2
        self._active = bytearray(np.pad(self.region, 1).astype(np.uint8).tobytes())
        inside = np.zeros((ny + 2, nx + 2), dtype=np.uint8)
        inside[1:-1, 1:-1] = 1
        self._inside = inside.tobytes()
        self._level: list[float] = np.pad(self.ground, 1, constant_values=np.nan).ravel().tolist()
        rivers = np.zeros_like(self.region) if self.river is None else self.river
        self._river = np.pad(rivers, 1).astype(np.uint8).tobytes()
        self.parent = [-1] * ((ny + 2) * self.width)

    def _number(self, cell: Cell) -> int:
        return int((cell[0] + 1) * self.width + cell[1] + 1)

    def run(self) -> None:
        """Find the cell that each cell drains to, and the order from the outlets upwards."""
        active, level, parent, river, width = self._active, self._level, self.parent, self._river, self.width
        fall_x, fall_y = (_EVERY * self.minimum_slope * size for size in self.size)
        seen = bytearray(len(active))
        exits = {self._number(cell) for cell in self.outlets}
        heap = [(level[c], c) for c in sorted(exits)]
        heapq.heapify(heap)
        for c in exits:
            seen[c] = 1
        blocked: list[tuple[float, int, int]] = []
        remaining = sum(active) - len(exits)
        pop, push = heapq.heappop, heapq.heappush
        # a neighbour; whether the cell must not be on the other rim to be fed by it; least rise
        sides = ((1, True, fall_x), (-1, False, fall_x), (width, True, fall_y), (-width, False, fall_y))
        while heap or remaining:
            if not heap:
                n = self._open_a_bank(blocked, seen, fall_x, fall_y)
                push(heap, (level[n], n))
                seen[n] = 1
                remaining -= 1
                continue
            height, c = pop(heap)
            self.order.append(c)
            free = c in exits
            for side, rim, fall in sides:
                n, beyond = c + side, c - side
                if not active[n] or seen[n]:
                    continue
                if rim and not free and not active[beyond]:
                    if not river[n] or not self._inside[beyond]:
                        push(blocked, (max(level[n], height + fall), n, c))
                        continue
                    self._add_bank(beyond, c, seen, height + fall)
                seen[n] = 1
                parent[n] = c
                level[n] = max(level[n], height + fall)
                push(heap, (level[n], n))
                remaining -= 1

    def _open_a_bank(self, blocked: list[tuple[float, int, int]], seen: bytearray, fall_x: float, fall_y: float) -> int:
        """Let the lowest of the cells that nothing else reaches drain into the rim, behind a bank."""
        while blocked:
            height, n, c = heapq.heappop(blocked)
            beyond = 2 * c - n
            if seen[n] or not (self._active[beyond] or self._inside[beyond]):
                continue
            if not self._active[beyond]:
                self._add_bank(beyond, c, seen, self._level[c] + max(fall_x, fall_y))
            self.parent[n] = c
            self._level[n] = height
            return int(n)
        lost = [c for c, on in enumerate(self._active) if on and not seen[c]]
        row, column = divmod(lost[0], self.width)
        raise ConfigError(
            f"{len(lost)} cells, the first at (j={row - 1}, i={column - 1}), have no way to an outlet across faces "
            "that does not leave over the western or southern rim; choose another outlet, or a region that leaves the "
            "first column and row of the grid free"
        )

    def _add_bank(self, bank: int, beside: int, seen: bytearray, height: float) -> None:
        self._active[bank] = seen[bank] = 1
        self.parent[bank] = beside
        known = self._level[bank]
        self._level[bank] = max(known, height) if known == known else height
        self.banks.append(bank)
        self.order.append(bank)

    def mask(self) -> Mask:
        """Active cells, banks included, (ny, nx)."""
        whole = np.frombuffer(bytes(self._active), dtype=np.uint8).reshape(-1, self.width)
        return np.ascontiguousarray(whole[1:-1, 1:-1] > 0)

    def network(self, cell_area: float) -> tuple[NDArray[np.int64], Array]:
        """Cell downstream of each cell (flat, -1 for none), and upstream area [m2] (ny, nx)."""
        area = [0.0] * len(self.parent)
        for c in reversed(self.order):
            area[c] += cell_area
            if self.parent[c] >= 0:
                area[self.parent[c]] += area[c]
        shape = (-1, self.width)
        parent = np.array(self.parent, dtype=np.int64)
        row, column = np.divmod(parent, self.width)
        nx = self.width - 2
        flat = np.where(parent >= 0, (row - 1) * nx + column - 1, -1)
        return flat.reshape(shape)[1:-1, 1:-1].ravel(), np.array(area).reshape(shape)[1:-1, 1:-1]


def _condition(
    elevation: Array, flood: _Flood, grid: BasinGrid, pits: Pits, minimum_slope: float
) -> tuple[Array, float, float]:
    """Return the ground that falls along the way of the water, and the volumes [m3] raised and lowered."""
    ground = np.pad(elevation, 1, constant_values=np.nan)
    level: list[float] = ground.ravel().tolist()
    parent, width = flood.parent, flood.width
    fall_x, fall_y = minimum_slope * grid.dx, minimum_slope * grid.dy
    unknown = [c for c in flood.banks if level[c] != level[c]]
    for c in unknown:
        level[c] = level[parent[c]]
    before = np.array(level)
    if pits == "carve":
        for c in reversed(flood.order):
            p = parent[c]
            if p >= 0:
                level[p] = min(level[p], level[c] - (fall_x if abs(p - c) == 1 else fall_y))
    else:
        for c in flood.order:
            p = parent[c]
            if p >= 0:
                level[c] = max(level[c], level[p] + (fall_x if abs(p - c) == 1 else fall_y))
    after = np.array(level)
    change = np.zeros_like(after)
    change[flood.order] = (after - before)[flood.order]
    whole = after.reshape(-1, width)[1:-1, 1:-1]
    raised, lowered = (float(np.maximum(sign * change, 0.0).sum()) * grid.cell_area for sign in (1.0, -1.0))
    return np.ascontiguousarray(whole), raised, lowered


def _face_slopes(
    elevation: Array, mask: Mask, grid: BasinGrid, outlets: Sequence[Cell], minimum_slope: float
) -> tuple[Array, Array, int]:
    """Slopes of the eastern and northern faces, and how many faces are closed to keep the rim tight."""
    wide = np.pad(mask, 1)
    west, east, south, north = wide[1:-1, :-2], wide[1:-1, 2:], wide[:-2, 1:-1], wide[2:, 1:-1]
    slope_x, slope_y = np.zeros(mask.shape), np.zeros(mask.shape)
    slope_x[:, :-1] = np.diff(elevation, axis=1) / grid.dx
    slope_y[:-1] = np.diff(elevation, axis=0) / grid.dy
    slope_x[~(mask & east)] = 0.0
    slope_y[~(mask & north)] = 0.0
    is_outlet = np.zeros(mask.shape, dtype=np.bool_)
    is_outlet[tuple(np.array(outlets).T)] = True
    closed = 0
    for slope, inner in ((slope_x, west), (slope_y, south)):
        leaks = mask & ~inner & ~is_outlet & (slope > 0.0)
        closed += int(leaks.sum())
        slope[leaks] = 0.0
    for j, i in outlets:
        _open_outlet(slope_x, slope_y, mask, (j, i), minimum_slope)
    return slope_x, slope_y, closed


def _open_outlet(slope_x: Array, slope_y: Array, mask: Mask, outlet: Cell, minimum_slope: float) -> None:
    """Let all water of an outlet leave over the rim, in place."""
    j, i = outlet
    wide = np.pad(mask, 1)
    west, east, south, north = wide[j + 1, i], wide[j + 1, i + 2], wide[j, i + 1], wide[j + 2, i + 1]
    # what flows in, by face; nothing flows to a neighbour
    slope_x[j, i], slope_y[j, i] = max(slope_x[j, i], 0.0), max(slope_y[j, i], 0.0)
    inflow = [slope_x[j, i], slope_y[j, i]]
    if west:
        slope_x[j, i - 1] = min(slope_x[j, i - 1], 0.0)
        inflow.append(-slope_x[j, i - 1])
    if south:
        slope_y[j - 1, i] = min(slope_y[j - 1, i], 0.0)
        inflow.append(-slope_y[j - 1, i])
    steep = max(minimum_slope, *inflow)
    if not east:
        slope_x[j, i] = -steep
    elif not north:
        slope_y[j, i] = -steep
    elif not west:
        slope_x[j, i] = max(slope_x[j, i], minimum_slope)
    elif not south:
        slope_y[j, i] = max(slope_y[j, i], minimum_slope)
    else:
        raise ConfigError(f"the outlet at cell (j={j}, i={i}) is not on the rim of the region")
