"""Solid files (``.pfsol``): cells of the grid that a solid holds, and where each of its patches lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bmi_common.pfsol import Solid
from rootzone.parflow_import.grid import ParflowGrid
from rootzone.parflow_import.sources import Floats, Mask

_ASIDE: Final = (1.1e-6, 1.7e-6)
"""Columns are looked at this much of a cell beside their centres, where diagonals of quadrilaterals pass."""
_SLACK: Final = 1.0e-3
"""A solid may reach this much of a cell over the grid: coordinates are rounded."""
_AT_ONCE: Final = 4_000_000
"""Pairs of column and triangle that are tried at a time."""


class Face(Enum):
    """Where a patch lies."""

    TOP = "top"
    BOTTOM = "bottom"
    SIDE = "side"


@dataclass(frozen=True)
class Patch:
    """A part of the surface of a geometry.

    Attributes
    ----------
    faces : set of Face
        Where on the geometry it has area.
    walls : ndarray, shape (n, 2, 2)
        Where its vertical parts stand: the two ends (x, y) [m] of each.
    ground : ndarray of bool, shape (ny, nx)
        Columns whose uppermost face is its.
    """

    faces: set[Face]
    walls: Floats
    ground: Mask


@dataclass(frozen=True)
class Shape:
    """Cells of a geometry, and its patches.

    Attributes
    ----------
    cells : ndarray of bool, shape (nz, ny, nx)
    patches : list of Patch
    is_box : bool
        Whether it is a box, whose patches are its six sides.
    """

    cells: Mask
    patches: list[Patch]
    is_box: bool = False


def outside(solid: Solid, grid: ParflowGrid) -> str:
    """Say how a solid reaches over the computational grid, seen from above; nothing if it does not."""
    corners = solid.vertices[np.unique(solid.triangles)]
    for axis, name, start, size, count in ((0, "x", grid.x0, grid.dx, grid.nx), (1, "y", grid.y0, grid.dy, grid.ny)):
        low, high, end = corners[:, axis].min(), corners[:, axis].max(), start + size * count
        if low < start - _SLACK * size or high > end + _SLACK * size:
            return f"reaches from {name} = {low:g} to {high:g} m, the computational grid from {start:g} to {end:g} m"
    return ""


def rasterise(solid: Solid, grid: ParflowGrid) -> Shape:
    """Find the cells whose centres lie in a solid, as a line upwards through each column enters and leaves it.

    Sides may lie anywhere; where the surface folds, a column may enter the solid several times.
    """
    column, height, triangle = (np.concatenate(part) for part in zip(*_crossings(solid, grid), strict=True))
    layer = np.clip(np.ceil((height - grid.z0) / grid.dz - 0.5), 0, grid.nz).astype(np.int64)  # first centre above
    passed = np.zeros((grid.nz + 1, grid.ny * grid.nx), dtype=np.int64)
    np.add.at(passed, (layer, column), 1)
    cells = np.cumsum(passed, axis=0)[:-1] % 2 == 1

    order = np.lexsort((height, column))
    column, triangle = column[order], triangle[order]
    first = np.flatnonzero(np.diff(column, prepend=-1))
    position = np.arange(len(column)) - np.repeat(first, np.diff(first, append=len(column)))
    upper = set(triangle[position % 2 == 1].tolist())
    lower = set(triangle[position % 2 == 0].tolist())
    uppermost = np.full(grid.ny * grid.nx, -1)
    uppermost[column] = triangle  # the last of each column stays
    vertical = _plan_area(solid.vertices[solid.triangles]) == 0.0
    patches = []
    for patch in solid.patches:
        own = patch.tolist()
        faces = {
            face
            for face, there in (
                (Face.TOP, not upper.isdisjoint(own)),
                (Face.BOTTOM, not lower.isdisjoint(own)),
                (Face.SIDE, bool(vertical[patch].any())),
            )
            if there
        }
        patches.append(
            Patch(
                faces,
                _stands(solid.vertices[solid.triangles[patch[vertical[patch]]]]),
                np.isin(uppermost, patch).reshape(grid.surface),
            )
        )
    return Shape(np.asarray(cells.reshape(grid.shape)), patches)


def _stands(corners: Floats) -> Floats:
    """Return the ends (n, 2, 2) of the lines on which vertical triangles (n, 3, 3) stand, seen from above."""
    plan = corners[:, :, :2]
    edges = np.stack([plan, np.roll(plan, -1, axis=1)], axis=2)
    longest = ((edges[:, :, 1] - edges[:, :, 0]) ** 2).sum(axis=2).argmax(axis=1)
    return np.asarray(edges[np.arange(len(edges)), longest])


def _plan_area(corners: Floats) -> Floats:
    """Twice the area of triangles (n, 3, 3) seen from above, positive where they turn counterclockwise."""
    (ax, ay), (bx, by), (cx, cy) = (corners[:, k, :2].T for k in range(3))
    return np.asarray((bx - ax) * (cy - ay) - (cx - ax) * (by - ay))


def _crossings(solid: Solid, grid: ParflowGrid) -> Iterator[tuple[NDArray[np.int64], Floats, NDArray[np.int64]]]:
    """Yield flat column, height and number of triangle wherever a column's line goes through a triangle."""
    corners = solid.vertices[solid.triangles]
    flat = np.flatnonzero(_plan_area(corners))
    corners = corners[flat]
    spans = []
    for axis, start, size, count in ((0, grid.x0, grid.dx, grid.nx), (1, grid.y0, grid.dy, grid.ny)):
        # centres i + 0.5 + aside between the least and the greatest coordinate
        place = (corners[:, :, axis] - start) / size - 0.5 - _ASIDE[axis]
        first = np.clip(np.ceil(place.min(axis=1)), 0, count).astype(np.int64)
        spans.append((first, np.clip(np.floor(place.max(axis=1)) + 1, first, count).astype(np.int64) - first))
    (i0, across), (j0, along) = spans
    pairs = across * along
    begin = 0
    ends = np.cumsum(pairs)
    yield np.empty(0, dtype=np.int64), np.empty(0), np.empty(0, dtype=np.int64)
    while begin < len(pairs):
        done = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + _AT_ONCE, side="right")))
        number = np.repeat(np.arange(begin, end), pairs[begin:end])
        within = np.arange(len(number)) - np.repeat(ends[begin:end] - pairs[begin:end] - done, pairs[begin:end])
        j, i = np.divmod(within, across[number])
        i, j = i + i0[number], j + j0[number]
        x = grid.x0 + (i + 0.5 + _ASIDE[0]) * grid.dx
        y = grid.y0 + (j + 0.5 + _ASIDE[1]) * grid.dy
        a, b, c = (corners[number, k] for k in range(3))
        weights = [(p[:, 0] - x) * (q[:, 1] - y) - (q[:, 0] - x) * (p[:, 1] - y) for p, q in ((b, c), (c, a), (a, b))]
        inside = np.logical_and.reduce([w > 0 for w in weights]) | np.logical_and.reduce([w < 0 for w in weights])
        total = sum(weights)
        with np.errstate(invalid="ignore"):
            height = sum(w * p[:, 2] for w, p in zip(weights, (a, b, c), strict=True)) / total
        yield (j * grid.nx + i)[inside], height[inside], flat[number[inside]]
        begin = end
