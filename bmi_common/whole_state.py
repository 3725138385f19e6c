"""State files of a domain that processes share: those of the whole domain, as one process would write and read them.

Process 0 writes the file piece by piece, as the others send what they have of it; of what it reads, each process keeps
its window. So none has more of an array than a piece, and a run can go on with another number of processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bmi_common import state_file
from bmi_common.errors import ConfigError
from bmi_common.partition import Part
from bmi_common.state_file import Difference, SavedState, StateArray, StateHeader, of_shape

Array = NDArray[Any]

_OF_MAP, _OF_COLUMNS, _OF_TILES = ("y", "x"), "column", "tile"
"""Dimensions of what belongs to cells of the surface, to active columns in their order, and to tiles.

Of tiles, which are numbered in the order of the processes, each process has its own.
"""
_MASK = "active"
"""Array of a state file that has the active columns."""


def write(path: Path, header: StateHeader, part: Part, arrays: Mapping[str, StateArray]) -> None:
    """Write the arrays of all parts into one state file; all processes call it, and process 0 writes.

    Raises
    ------
    ModelError
        If the file cannot be written.
    """
    shapes = _whole_shapes(part, arrays)
    if part.world.leads:
        pieces = {name: _pieces(part, array) for name, array in arrays.items()}
        state_file.write_state(path, header, shapes, lambda name: (p for p in pieces[name] if p is not None))
        return
    for name in sorted(arrays):
        for _ in _pieces(part, arrays[name]):
            pass  # process 0 has it


def _whole_shapes(part: Part, arrays: Mapping[str, StateArray]) -> dict[str, StateArray]:
    """Return the arrays as of the whole domain, without values."""
    columns = round(part.world.sum(float(part.mask.sum()))[0])
    found = {}
    for name, array in arrays.items():
        values, dimensions = np.asarray(array.values), array.dimensions
        shape = values.shape
        if dimensions[-2:] == _OF_MAP:
            shape = (*shape[:-2], *part.shape)
        elif _is_axis(dimensions):
            shape = (part.shape[_OF_MAP.index(dimensions[0])],)
        elif dimensions[:1] == (_OF_COLUMNS,):
            shape = (columns, *shape[1:])
        elif dimensions[:1] == (_OF_TILES,):
            shape = (round(part.world.sum(float(len(values)))[0]), *shape[1:])
        found[name] = replace(array, values=of_shape(shape, values.dtype))
    return found


def _is_axis(dimensions: tuple[str, ...]) -> bool:
    return len(dimensions) == 1 and dimensions[0] in _OF_MAP


def _pieces(part: Part, array: StateArray) -> Iterator[Array | None]:
    """Put an array of the whole domain together, piece by piece along its first dimension; None in other processes."""
    values, dimensions = np.asarray(array.values), array.dimensions
    if dimensions[-2:] == _OF_MAP and values.ndim > 2:
        for index in state_file.slabs((*values.shape[:-2], *part.shape), values.itemsize):
            yield part.whole(values[index])
    elif dimensions[-2:] == _OF_MAP:
        yield part.whole(values)
    elif _is_axis(dimensions):
        yield _whole_axis(part, dimensions[0], values)
    elif dimensions[:1] == (_OF_COLUMNS,):
        yield from _bands(part, values)
    elif dimensions[:1] == (_OF_TILES,):
        parts = part.world.collected(values)
        yield None if parts is None else np.concatenate([p for p in parts if len(p)] or parts)
    else:
        yield values if part.world.leads else None  # the same in all


def _whole_axis(part: Part, dimension: str, values: Array) -> Array | None:
    parts = part.world.collected((part.rows if dimension == "y" else part.columns, values))
    if parts is None:
        return None
    found = np.empty(part.shape[0 if dimension == "y" else 1], dtype=values.dtype)
    for place, own in parts:
        found[place] = own
    return found


def _bands(part: Part, values: Array) -> Iterator[Array | None]:
    """Put values of columns together, those of a band of rows at a time; columns go from west to east and northward."""
    j, i = np.nonzero(part.mask)
    row, cell = j + part.rows.start, (j + part.rows.start) * part.shape[1] + i + part.columns.start
    a_column = max(1, values.itemsize * int(np.prod(values.shape[1:])))
    for band in state_file.slabs(part.shape, a_column):
        inside = (row >= band.start) & (row < band.stop)
        parts = part.world.collected((cell[inside], values[inside]))
        if parts is None:
            yield None
            continue
        order = np.argsort(np.concatenate([cells for cells, _ in parts]))
        yield np.concatenate([own for _, own in parts])[order]


def read(
    path: Path,
    component: str,
    part: Part,
    expected: Mapping[str, StateArray],
    grid: Sequence[str],
    statics: Sequence[str],
) -> SavedState:
    """Read the window of every process of a state of the whole domain; all processes call it.

    Parameters
    ----------
    path : Path
        The file, which all processes can read.
    component : str
        Whose state it is.
    part : Part
        Of the domain.
    expected : mapping
        What this process would write itself.
    grid, statics : sequence of str
        Those of them that describe the grid, and those whose values do not change either.

    Raises
    ------
    ConfigError
        As `state_file.read_state` and `state_file.require_fitting`.
    """
    shapes = _whole_shapes(part, expected)
    if part.world.leads:
        state_file.require_shapes(state_file.read_shapes(path, component), shapes, grid)
    part.world.agree()
    with state_file.opened(path, component) as file:
        columns = _Columns(part, file.read(_MASK, slice(0, part.rows.stop)) > 0) if _MASK in file.variables else None
        tiles = _own_tiles(part, expected)
        there = {name: array for name, array in expected.items() if name in file.variables}
        arrays = {name: _window(file, name, part, array, columns, tiles) for name, array in there.items()}
        header = file.header
    saved = SavedState(path, header, arrays)
    _require_same(saved, part, expected, (*grid, *statics))
    return saved


class _Columns:
    """Where the active columns of the rows of a window lie among those of the domain.

    Parameters
    ----------
    part : Part
        Of the domain.
    mask : ndarray of bool
        Active columns of the domain, as far north as the window goes.
    """

    def __init__(self, part: Part, mask: NDArray[np.bool_]) -> None:
        self._part, self._mask = part, mask[part.rows.start :]
        first = int(mask[: part.rows.start].sum())
        self.place = slice(first, first + int(self._mask.sum()))

    def cut(self, values: Array) -> Array:
        """Of values at `place`, return those of the part's own columns."""
        own = np.zeros_like(self._mask)
        own[:, self._part.columns] = self._part.mask
        return np.ascontiguousarray(values[own[self._mask]])


def _window(
    file: state_file.OpenedState,
    name: str,
    part: Part,
    expected: StateArray,
    columns: _Columns | None,
    tiles: slice,
) -> Array:
    dimensions = expected.dimensions
    if dimensions[-2:] == _OF_MAP:
        return np.ascontiguousarray(file.read(name, (..., part.rows, part.columns)))
    if dimensions == _OF_MAP[:1]:
        return file.read(name, part.rows)
    if dimensions == _OF_MAP[1:]:
        return file.read(name, part.columns)
    if dimensions[:1] == (_OF_COLUMNS,):
        if columns is None:
            raise ConfigError(f"it has no {_MASK!r}, the active columns, and {name} is of columns")
        return columns.cut(file.read(name, columns.place))
    if dimensions[:1] == (_OF_TILES,):
        return file.read(name, tiles)
    return file.read(name)


def _own_tiles(part: Part, expected: Mapping[str, StateArray]) -> slice:
    """Return which tiles are this process's; all processes call it."""
    own = max((len(array.values) for array in expected.values() if array.dimensions[:1] == (_OF_TILES,)), default=0)
    before = sum(part.world.gathered(own)[: part.world.rank])
    return slice(before, before + own)


def _require_same(saved: SavedState, part: Part, expected: Mapping[str, StateArray], names: Sequence[str]) -> None:
    """Refuse values that differ from those expected in a cell of any process; all raise the same."""
    own: dict[str, Difference] = {}
    for name in names:
        is_map = expected[name].dimensions[-2:] == _OF_MAP
        here = np.asarray(expected[name].values)
        found = state_file.difference_of(here, saved.arrays[name], part.own if is_map else None)
        if found is not None:
            row, column = part.offset if is_map else (0, 0)
            cell = (*found.cell[:-2], found.cell[-2] + row, found.cell[-1] + column) if is_map else found.cell
            own[name] = found._replace(cell=cell)
    every = part.world.gathered(own)
    for name in names:
        there = sorted((d[name] for d in every if name in d), key=lambda d: d.cell)
        if there:
            values, size = (sum(d[i] for d in there) for i in (0, 1))
            state_file.refuse(saved.path, name, there[0]._replace(values=values, size=size))
