"""Which part of a domain each process has: rectangles of about as many active columns.

Each process loads the window of the domain that holds its cells and one cell around them. What a cycle of the slope
field links lies in one part, whatever the rectangles say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from bmi_common.arrays import Array
from bmi_common.errors import ConfigError
from bmi_common.flow_order import FlowNetwork
from bmi_common.world import World

Mask = NDArray[np.bool_]
Integers = NDArray[np.int32]


@dataclass(frozen=True)
class Part:
    """The part of a domain that one process has.

    Attributes
    ----------
    world : World
        The processes that share the domain.
    shape : (int, int)
        (ny, nx) of the whole domain.
    rows, columns : slice
        The window that is loaded: the part's cells, and one cell around them.
    active : ndarray of bool, shape (rows, columns)
        Cells of the window that take part, whichever process they belong to.
    owner : ndarray of int, shape (rows, columns)
        Process that each cell of the window belongs to, active or not.
    wave : ndarray of int, shape (rows, columns)
        Waves of overland flow between the parts that reach a column of the window before it is solved.
    levels : int
        Levels of the whole domain's flow order.
    order : ndarray of int, optional
        Flat indices of the active cells of the whole domain in flow order, in process 0.
    division : ndarray of int, optional
        Process that each cell of the whole domain belongs to, in process 0.
    """

    world: World
    shape: tuple[int, int]
    rows: slice
    columns: slice
    active: Mask
    owner: Integers
    wave: Integers
    levels: int
    order: NDArray[np.intp] | None = None
    division: Integers | None = None

    @property
    def own(self) -> Mask:
        """Cells of the window that belong to this process."""
        return np.asarray(self.owner == self.world.rank)

    @property
    def offset(self) -> tuple[int, int]:
        """Row and column of the whole domain at which the window begins."""
        return self.rows.start, self.columns.start

    def cut(self, field: Array) -> Array:
        """Window of a field of the whole domain, (…, ny, nx)."""
        return np.ascontiguousarray(field[..., self.rows, self.columns])

    def placed(self, cells: Mask) -> Mask:
        """Cells of the window among those of the whole domain, (ny, nx)."""
        found = np.zeros(self.shape, dtype=bool)
        found[self.rows, self.columns] = cells
        return found

    @property
    def mask(self) -> Mask:
        """Active cells of this part."""
        return np.asarray(self.active & self.own)

    @property
    def halo(self) -> Mask:
        """Active cells of other parts that share a face with an active one of this part."""
        near = np.pad(self.mask, 1)
        beside = near[1:-1, :-2] | near[1:-1, 2:] | near[:-2, 1:-1] | near[2:, 1:-1]
        return np.asarray(self.active & ~self.own & beside)

    def whole(self, window: NDArray[Any]) -> NDArray[Any] | None:
        """Put the cells of all parts together, (…, ny, nx), in process 0; None in the others."""
        parts = self.world.collected((self.rows, self.columns, self.own, window[..., self.own]))
        if parts is None:
            return None
        field = np.empty((*window.shape[:-2], *self.shape), dtype=window.dtype)
        for rows, columns, own, values in parts:
            field[..., rows, columns][..., own] = values
        return field

    def windows(self, field: NDArray[Any] | None) -> NDArray[Any]:
        """Give every process its window of a field of the whole domain (…, ny, nx) that process 0 has."""
        places = self.world.collected((self.rows, self.columns))
        cut = None
        if places is not None and field is not None:
            cut = [field[..., rows, columns].copy() for rows, columns in places]
        found: NDArray[Any] = self.world.dealt(cut)
        return found


def divide(mask: Mask, parts: int, decomposition: tuple[int, int] | None, cycles: list[NDArray[np.intp]]) -> Integers:
    """Return the part, from 0, that each cell (ny, nx) belongs to.

    Parameters
    ----------
    mask : ndarray of bool, shape (ny, nx)
        Active cells, which the parts have about as many of.
    parts : int
        How many.
    decomposition : (int, int), optional
        Parts from west to east and from south to north; by default those that have the shortest edges.
    cycles : list of ndarray of int
        Flat indices of cells that must lie in one part each; those that share cells lie in one together.

    Raises
    ------
    ConfigError
        If a part would have no active cell.
    """
    columns, rows = decomposition or arrangement(mask.shape, parts)
    owner = np.zeros(mask.shape, dtype=np.int32)
    for i, (west, east) in enumerate(pairwise(_cuts(mask.sum(axis=0), columns))):
        for j, (south, north) in enumerate(pairwise(_cuts(mask[:, west:east].sum(axis=1), rows))):
            owner[south:north, west:east] = j * columns + i
    flat = owner.reshape(-1)
    for cells in _joined(cycles):
        flat[cells] = flat[cells[0]]
    empty = np.setdiff1d(np.arange(parts), owner[mask])
    if empty.size:
        raise ConfigError(
            f"the domain, {int(mask.sum())} active columns in {mask.shape[0]} rows and {mask.shape[1]} columns, cannot "
            f"be divided among {parts} processes ({columns} from west to east, {rows} from south to north): "
            f"{empty.size} would have none; use fewer",
            key="mpi.decomposition" if decomposition else "",
        )
    return owner


def arrangement(shape: tuple[int, ...], parts: int) -> tuple[int, int]:
    """Return how many parts from west to east, and from south to north, have the shortest edges.

    Parameters
    ----------
    shape : (int, int)
        (ny, nx) of the domain.
    parts : int
        How many in all.
    """
    ny, nx = shape
    pairs = [(n, parts // n) for n in range(1, parts + 1) if parts % n == 0]
    return min(pairs, key=lambda pair: (pair[0] * ny + pair[1] * nx, pair))


def _cuts(count: NDArray[np.int64], parts: int) -> list[int]:
    """Where to cut a row of lines so that each part has about as many of what they hold `count` of."""
    until = np.cumsum(count)
    wanted = until[-1] * np.arange(1, parts) / parts
    return [0, *(int(i) + 1 for i in np.searchsorted(until, wanted)), count.size]


def _joined(cycles: list[NDArray[np.intp]]) -> list[NDArray[np.intp]]:
    """Join cycles that share cells; the cells of each in the order of their indices."""
    if not cycles:
        return []
    cells, number = np.unique(np.concatenate(cycles), return_inverse=True)
    first = np.cumsum([0, *(len(cycle) for cycle in cycles[:-1])])
    one, other = np.repeat(number[first], [len(cycle) for cycle in cycles]), number
    linked = csr_array((np.ones(one.size, dtype=np.int8), (one, other)), shape=(cells.size, cells.size))
    count, group = connected_components(linked, directed=False)
    order = np.argsort(group, kind="stable")
    return np.split(cells[order], np.cumsum(np.bincount(group, minlength=count))[:-1])


def waves(network: FlowNetwork, owner: Integers) -> Integers:
    """Wave of each cell (ny, nx): the highest of its donors', and one more where that is in another part; 0 elsewhere.

    Parameters
    ----------
    network : FlowNetwork
        Of the whole domain.
    owner : ndarray of int, shape (ny, nx)
        Part of each cell.
    """
    part = owner.reshape(-1)[network.cells]
    found = np.zeros(network.cells.size + 1, dtype=np.int32)  # by number of the column, 0 for none
    number = np.r_[-1, part]
    first = network.group_start - 1
    for begin, end in pairwise(network.level_start - 1):
        columns = slice(first[begin], first[end])
        donor = network.donor[:, columns]
        crosses = (donor > 0) & (number[donor] != part[columns])
        highest = (found[donor] + crosses).max(axis=0)
        groups = first[begin:end] - first[begin]
        sizes = np.diff(first[begin : end + 1])
        found[1:][columns] = np.repeat(np.maximum.reduceat(highest, groups), sizes)
    result = np.zeros(owner.shape, dtype=np.int32)
    result.reshape(-1)[network.cells] = found[1:]
    return result


def window(cells: Mask) -> tuple[slice, slice]:
    """Rows and columns that hold the cells, and one around them where the domain has it."""
    rows, columns = (np.flatnonzero(cells.any(axis=axis)) for axis in (1, 0))
    return (
        slice(max(int(rows[0]) - 1, 0), min(int(rows[-1]) + 2, cells.shape[0])),
        slice(max(int(columns[0]) - 1, 0), min(int(columns[-1]) + 2, cells.shape[1])),
    )


def deal(
    world: World,
    mask: Mask | None,
    network: FlowNetwork | None,
    cycles: Sequence[NDArray[np.intp]] = (),
    division: Integers | None = None,
) -> Part:
    """Give each process its part of a domain that process 0 knows; see `divide`.

    Parameters
    ----------
    world : World
        The processes.
    mask : ndarray of bool, shape (ny, nx), or None
        Active cells of the whole domain, in process 0.
    network : FlowNetwork or None
        Of the whole domain, in process 0.
    cycles : sequence of ndarray of int
        More cycles that must lie in one part, those of other networks that the part can be `rerouted` to.
    division : ndarray of int, shape (ny, nx), optional
        That of another domain on the same cells, which this one takes; in process 0.

    Raises
    ------
    ConfigError
        If the domain cannot be divided, or not as the other one.
    """
    parts = None
    if mask is not None and network is not None:
        if division is None:
            division = divide(mask, world.size, world.decomposition, [*network.cycles, *cycles])
        elif np.unique(division[mask]).size < world.size:
            raise ConfigError(
                "a process would have no active column, because the domain is divided as that of another component; "
                "use fewer processes, or `mpi: {decomposition: ...}`"
            )
        _require_whole(network.cycles, division)
        wave = waves(network, division)
        places = [window(division == rank) for rank in range(world.size)]
        parts = [
            (mask.shape, *place, *(field[place].copy() for field in (mask, division, wave)), network.levels)
            for place in places
        ]
    shape, rows, columns, active, owner, wave, levels = world.dealt(parts)
    order = None if network is None else network.cells
    return Part(world, shape, rows, columns, active, owner, wave, levels, order, division)


def rerouted(part: Part, network: FlowNetwork | None) -> Part:
    """Return the part with the waves and the order of another network of overland flow.

    Parameters
    ----------
    part : Part
        Of a domain that was dealt with the cycles of the network.
    network : FlowNetwork or None
        Of the whole domain, in process 0.

    Raises
    ------
    ConfigError
        If it was not, because another component has a domain without them.
    """
    found = levels = None
    if network is not None and part.division is not None:
        _require_whole(network.cycles, part.division)
        found, levels = waves(network, part.division), network.levels
    order = None if network is None else network.cells
    return replace(part, wave=part.windows(found), levels=part.world.shared(levels), order=order)


def _require_whole(cycles: Sequence[NDArray[np.intp]], division: Integers) -> None:
    """Refuse a division that cuts a cycle, because it was made for a domain without it."""
    flat = division.reshape(-1)
    for cells in cycles:
        if np.any(flat[cells] != flat[cells[0]]):
            j, i = divmod(int(cells[0]), division.shape[1])
            raise ConfigError(
                f"water flows in a circle through cell (j={j}, i={i}), across the edge of a part as the domain of "
                "another component is divided; give both the same domain"
            )
