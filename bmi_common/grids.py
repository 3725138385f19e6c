"""The grids that components publish: their BMI identifiers and descriptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

SURFACE = 0
SUBSURFACE = 1
ROOT_ZONE = 2
SCALAR = 3
POINTS = 4
WELLS = 5

_STANDARD_LAYERS = 10
_STANDARD_DEPTH = 4.0  # m
_ROOTED_DEPTH = 3.5  # m


@dataclass(frozen=True)
class Grid:
    """What BMI asks of a grid.

    Attributes
    ----------
    type : str
        ``"uniform_rectilinear"``, ``"rectilinear"``, ``"unstructured"`` (points) or ``"scalar"``.
    shape : tuple of int
        (ny, nx) or (nz, ny, nx), the number of points; empty for a scalar.
    coordinates : tuple of ndarray
        Cell-centre coordinates [m] of every axis in the order of `shape`. The vertical one gives nominal heights
        of layer centres above the bottom; the true geometry is in layer thickness and land surface elevation.
        Of points: y and x of each.
    spacing : tuple of float
        Cell sizes [m] of a uniform grid in the order of `shape`; empty for the others.
    labels : tuple of str
        Names of points; empty for the others.
    """

    type: str
    shape: tuple[int, ...]
    coordinates: tuple[NDArray[np.float64], ...]
    spacing: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Number of cells."""
        return prod(self.shape)

    def window(self, rows: slice, columns: slice) -> Grid:
        """Return the grid of some rows and columns."""
        *above, y, x = self.coordinates
        y, x = y[rows], x[columns]
        return replace(self, shape=(*self.shape[:-2], y.size, x.size), coordinates=(*above, y, x))

    @property
    def is_points(self) -> bool:
        """Whether the grid is a number of points."""
        return self.type == "unstructured"

    @property
    def rank(self) -> int:
        """Number of dimensions."""
        return len(self.coordinates)


def surface(ny: int, nx: int, dy: float, dx: float, y0: float = 0.0, x0: float = 0.0) -> Grid:
    """Uniform surface grid; (`x0`, `y0`) [m] is the lower left corner of the domain."""
    y: NDArray[np.float64] = y0 + dy * (np.arange(ny, dtype=np.float64) + 0.5)
    x: NDArray[np.float64] = x0 + dx * (np.arange(nx, dtype=np.float64) + 0.5)
    return Grid("uniform_rectilinear", (ny, nx), (y, x), (dy, dx))


def layered(horizontal: Grid, thickness: NDArray[np.float64]) -> Grid:
    """Layers of `thickness` [m], bottom first, over a surface grid."""
    top = np.cumsum(thickness)
    return Grid("rectilinear", (len(thickness), *horizontal.shape), (top - 0.5 * thickness, *horizontal.coordinates))


def root_zone(horizontal: Grid, thickness: NDArray[np.float64], layers: int) -> Grid:
    """Top `layers` of the layers of `thickness` [m], bottom first, at their heights above the bottom of the column."""
    top = np.cumsum(thickness)
    z = (top - 0.5 * thickness)[-layers:]
    return Grid("rectilinear", (len(z), *horizontal.shape), (z, *horizontal.coordinates))


def standard_root_zone_layers(thickness: NDArray[np.float64]) -> int:
    """Say how many layers a root zone has that nobody has chosen.

    Ten, as the published coupling has them, where the top ten of the layers of `thickness` [m], bottom first, are at
    most 4 m in sum; else all that lie within the upper 3.5 m, but at least one.
    """
    depth = np.cumsum(thickness[::-1]) * (1.0 - 1.0e-9)  # thicknesses that add up to 4 m may do so with rounding
    if len(depth) >= _STANDARD_LAYERS and depth[_STANDARD_LAYERS - 1] <= _STANDARD_DEPTH:
        return _STANDARD_LAYERS
    return max(1, int(np.count_nonzero(depth <= _ROOTED_DEPTH)))


def points(labels: Sequence[str], y: Sequence[float], x: Sequence[float]) -> Grid:
    """Named points at (`x`, `y`) [m]: an unstructured grid of nodes without edges and faces."""
    coordinates = (np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64))
    return Grid("unstructured", (len(labels),), coordinates, labels=tuple(labels))


def points_in_cells(horizontal: Grid, labels: Sequence[str], cells: Sequence[tuple[int, int]]) -> Grid:
    """Named points at the centres of cells (j, i) of a surface grid."""
    y, x = horizontal.coordinates
    return points(labels, [float(y[j]) for j, _ in cells], [float(x[i]) for _, i in cells])


def scalar() -> Grid:
    """Grid of one value."""
    return Grid("scalar", (), ())
