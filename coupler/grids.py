"""The grids of components: what a component tells of one, and how the values on one become values on another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from bmipy import Bmi
from numpy.typing import NDArray

from bmi_common.errors import ConfigError, describe_cell

Array = NDArray[Any]

NODE = "node"

_POINTS = ("points", "unstructured")
_AXES = ("x", "y", "z")
_LINES = {"x": "column", "y": "row", "z": "layer"}
"""What has one coordinate along each axis."""


@dataclass(frozen=True)
class GridInfo:
    """What the coupler needs of a component's grid.

    Attributes
    ----------
    identifier : int
        BMI grid identifier.
    type : str
        BMI grid type.
    shape : tuple of int
        Shape, slowest dimension first.
    x, y, z : ndarray or None
        Cell-centre coordinates [m], one a column, row or layer; of shape `shape` where the grid is curvilinear. None
        where the grid does not tell.
    labels : tuple of str
        Names of points, where the component tells them.
    location : str
        Where on the grid the values are, if not one at each of its nodes: ``"edge"`` or ``"face"``.
    """

    identifier: int
    type: str
    shape: tuple[int, ...]
    x: Array | None = None
    y: Array | None = None
    z: Array | None = None
    labels: tuple[str, ...] = ()
    location: str = NODE

    @property
    def is_points(self) -> bool:
        """Whether the grid is a number of points."""
        return self.type in _POINTS and self.location == NODE

    def __str__(self) -> str:
        where = "" if self.location == NODE else f"{self.location}s of "
        return f"{where}grid {self.identifier} ({self.type}, {' x '.join(map(str, self.shape)) or '1 value'})"


def read_grid(bmi: Bmi, identifier: int) -> GridInfo:
    """Ask a component for one of its grids.

    Coordinates are taken as components give them, one a column (row, layer) or one a node; where there are none, a
    uniform grid's follow from origin and spacing.

    Raises
    ------
    ConfigError
        If a coordinate has neither as many values as columns (rows, layers) nor as many as nodes.
    """
    kind = str(bmi.get_grid_type(identifier))
    rank = int(bmi.get_grid_rank(identifier))
    if kind == "scalar" or rank == 0:
        return GridInfo(identifier, "scalar", ())
    grid = GridInfo(identifier, kind, _shape(bmi, identifier, rank))
    tell = getattr(bmi, "grid_labels", None)
    labels = tuple(tell(identifier)) if callable(tell) else ()
    if grid.is_points:
        size = (prod(grid.shape),)
        found = [_told(getattr(bmi, f"get_grid_{letter}"), identifier, size) for letter in _AXES[:rank]]
    else:
        last = len(grid.shape) - 1
        found = [_axis(bmi, grid, letter, last - i) for i, letter in enumerate(_AXES[: last + 1])]
    x, y, z = (*found, None, None, None)[:3]
    return GridInfo(identifier, kind, grid.shape, x, y, z, labels)


def _shape(bmi: Bmi, identifier: int, rank: int) -> tuple[int, ...]:
    try:
        return tuple(int(n) for n in bmi.get_grid_shape(identifier, np.empty(rank, dtype=np.int64)))
    except (NotImplementedError, AttributeError):
        return (int(bmi.get_grid_size(identifier)),)


def _axis(bmi: Bmi, grid: GridInfo, letter: str, dimension: int) -> Array | None:
    """Coordinates along a dimension of a grid that has a shape; of all nodes where they differ across it."""
    length, size = grid.shape[dimension], prod(grid.shape)
    function = f"get_grid_{letter}"
    values = _told(getattr(bmi, function), grid.identifier, (length, size))
    if values is None:
        return _uniform(bmi, grid, dimension)
    if values.size == length:
        return values
    if values.size != size:
        raise ConfigError(
            f"{function}({grid.identifier}) gives {values.size} values for {grid}; {length}, one for each "
            f"{_LINES[letter]}, or {size}, one for each node, would be right"
        )
    nodes = np.moveaxis(values.reshape(grid.shape), dimension, -1)
    axis = nodes.reshape(-1, length)[0]
    return axis if _equal(nodes, axis) else values.reshape(grid.shape)


def _told(function: Callable[..., Any], identifier: int, lengths: tuple[int, ...]) -> Array | None:
    """Values of a coordinate, whether they are returned or filled in; None where the component gives none."""
    for length in lengths:  # how many there will be is known only by trying
        given = np.full(length, np.nan)
        try:
            returned = function(identifier, given)
        except Exception:  # a coordinate that a component does not tell is not compared
            continue
        values = np.array(given if returned is None else returned, dtype=np.float64).reshape(-1)
        if np.isfinite(values).all():
            return values
    return None


def _uniform(bmi: Bmi, grid: GridInfo, dimension: int) -> Array | None:
    if grid.type != "uniform_rectilinear":
        return None
    rank = (len(grid.shape),)
    origin = _told(bmi.get_grid_origin, grid.identifier, rank)
    spacing = _told(bmi.get_grid_spacing, grid.identifier, rank)
    if origin is None or spacing is None or origin.shape != rank or spacing.shape != rank:
        return None
    along: Array = origin[dimension] + spacing[dimension] * np.arange(grid.shape[dimension])
    return along


def first_cell(cells: NDArray[np.bool_]) -> str:
    """Name the first of the cells that are true, for a message."""
    return cell_name(tuple(int(i) for i in np.argwhere(cells)[0]))


def cell_name(cell: tuple[int, ...]) -> str:
    """Name a cell by its indices, for a message."""
    return describe_cell(cell) if 1 < len(cell) <= 3 else f"index {cell[0] if len(cell) == 1 else cell}"


def _equal(a: Array, b: Array) -> bool:
    return bool(np.allclose(a, b, rtol=1e-9, atol=1e-6))


# ---------------------------------------------------------------------- from one grid to another


@dataclass(frozen=True)
class GridMapping:
    """How values on a source's grid become values on a target's.

    Attributes
    ----------
    shape : tuple of int
        Shape of the target's values.
    index : tuple of slice, optional
        What the target takes along each dimension of the source; without it, all as it is.
    notes : tuple of str
        The same in words.
    """

    shape: tuple[int, ...]
    index: tuple[slice, ...] | None = None
    notes: tuple[str, ...] = ("same grid",)

    @property
    def is_identity(self) -> bool:
        """Whether the target takes all values as they are."""
        return self.index is None

    def __call__(self, values: Array) -> Array:
        """Return the values for the target; a view where that is possible."""
        return values if self.index is None else values[self.index].reshape(self.shape)

    def __str__(self) -> str:
        return ", ".join(self.notes)


def map_grids(key: str, source: GridInfo, target: GridInfo, by_index: bool = False) -> GridMapping:
    """Map a source grid onto a target grid: the same cells, or some of the source's layers at equal heights.

    Rows, columns and layers that run the other way are turned round. A grid of one layer stands for its surface.

    Parameters
    ----------
    key : str
        Where the exchange stands, for messages.
    source, target : GridInfo
        The grids.
    by_index : bool
        Take value after value, whatever the coordinates say.

    Raises
    ------
    ConfigError
        If the horizontal grids differ, or a target layer has no source layer at its height.
    """
    extra = len(source.shape) - len(target.shape)
    here, there = source.shape[max(extra, 0) :], target.shape[max(-extra, 0) :]
    single = all(n == 1 for n in (*source.shape[: max(extra, 0)], *target.shape[: max(-extra, 0)]))
    if source.location != target.location or not single or here[-2:] != there[-2:] or here[:-3] != there[:-3]:
        raise ConfigError(f"{key}: {source} does not match {target}")
    if by_index and here != there:
        raise ConfigError(f"{key}: `match: index` needs as many layers on both sides: {source} and {target}")
    index = [slice(None)] * len(source.shape)
    notes = ["one layer"] if extra else []
    if not by_index:
        for i, letter in enumerate(_AXES[: len(here)]):
            a, b = getattr(source, letter), getattr(target, letter)
            index[-1 - i] = _along(key, letter, a, b, here[-1 - i], there[-1 - i], source.is_points)
            if index[-1 - i] != slice(None):
                notes.insert(0, _told_in_words(letter, index[-1 - i], here[-1 - i]))
        if source.is_points:  # one dimension, but coordinates of all of space
            for letter in _AXES[1:]:
                _along(key, letter, getattr(source, letter), getattr(target, letter), here[0], there[0], True)
    return GridMapping(target.shape, tuple(index), tuple(notes)) if notes else GridMapping(target.shape)


def _along(key: str, letter: str, a: Array | None, b: Array | None, m: int, n: int, only_equal: bool) -> slice:
    """Find what a target of `n` cells at `b` takes of a source of `m` cells at `a`."""
    if a is None or b is None:
        if m == n:
            return slice(None)
        raise ConfigError(f"{key}: {m} and {n} layers differ, and one grid does not tell their heights")
    if a.shape == b.shape and _equal(a, b):
        return slice(None)
    if a.ndim == b.ndim == 1 and not only_equal:
        if m == n and _equal(a[::-1], b):
            return slice(None, None, -1)
        for first in range(m - n + 1) if m != n else ():
            if _equal(a[first : first + n], b):
                return slice(first, first + n)
    if m != n:
        raise ConfigError(
            f"{key}: no {n} layers of the source lie at the target's heights; "
            f"source z [m]: {_short(a)}; target z [m]: {_short(b)}"
        )
    raise ConfigError(
        f"{key}: the {letter} coordinates differ: {_short(a)} and {_short(b)} m; if they are the same cells in the "
        "same order all the same, add `match: index` to the exchange"
    )


def _told_in_words(letter: str, taken: slice, of: int) -> str:
    if taken.step == -1:
        return f"{_LINES[letter]}s turned round"
    return f"{_LINES[letter]}s {taken.start}..{taken.stop - 1} of {of} (equal heights)"


def _short(axis: Array) -> str:
    shown = [f"{v:.6g}" for v in axis.reshape(-1)]
    return ", ".join(shown if len(shown) <= 12 else [*shown[:3], "...", *shown[-3:]])
