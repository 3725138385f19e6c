"""Who feeds whom: the network of overland flow, and the order in which columns are solved.

Kinematic overland flow goes through the east and north faces of the cells, away from the side that the slope of the
face raises, or leaves each cell by its own slopes, so the depth of a cell depends on upstream cells only. Columns are
therefore grouped in levels: a column's level is one more than the highest level among its donors. A cycle of the slope
field (a strongly connected component) is kept together as one group, which the kernel iterates.

Where a domain is divided among processes, water that flows from one part to another makes waves: a column's wave is
the highest of its donors', and one more where that donor lies in another part. Each process solves its columns wave by
wave.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from bmi_common.overland import SMALLEST_SLOPE, SurfaceCondition

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]

_WEST, _EAST, _SOUTH, _NORTH = range(4)


@dataclass(frozen=True)
class FlowNetwork:
    """Columns in flow order, their neighbours and the overland faces between them.

    Column numbers count from 1 in flow order, as the kernel does, and 0 means "none".

    Attributes
    ----------
    cells : (ncol,) int
        Flat index ``j * nx + i`` of each column.
    east, west, north, south : (ncol,) int32
        Neighbouring active columns.
    level_start : (nlevels + 1,) int32
        First group of each level.
    group_start : (ngroups + 1,) int32
        First column of each group; a group of more than one column is a cycle. The last entry is one past the last
        column that is solved here; columns of other parts of the domain follow.
    donor : (4, ncol) int32
        Columns whose ponded water flows into each column.
    inflow : (4, ncol)
        Conveyance c of those faces [h-1 m-2/3]: with the donor's depth H, a face carries c H^(5/3) [m h-1] per area
        of a cell.
    outflow, boundary : (ncol,)
        Sum of the conveyances of all faces that a column feeds, and of those on the edge of the domain.
    """

    cells: NDArray[np.intp]
    east: Integers
    west: Integers
    north: Integers
    south: Integers
    level_start: Integers
    group_start: Integers
    donor: Integers
    inflow: Floats
    outflow: Floats
    boundary: Floats

    @property
    def own(self) -> int:
        """Number of columns that are solved here."""
        return int(self.group_start[-1]) - 1

    @property
    def levels(self) -> int:
        """Number of levels of the flow order."""
        return self.level_start.size - 1

    @property
    def level_of_column(self) -> NDArray[np.intp]:
        """Level of each column, from 0."""
        first = self.group_start[self.level_start[:-1] - 1] - 1
        return np.repeat(np.arange(self.levels), np.diff(np.r_[first, self.cells.size]))

    @property
    def cycles(self) -> list[NDArray[np.intp]]:
        """Flat cell indices of each cycle of the slope field."""
        sizes = np.diff(self.group_start)
        several = np.flatnonzero(sizes > 1)
        return [self.cells[s - 1 : s - 1 + sizes[g]] for g, s in zip(several, self.group_start[several], strict=True)]


def build_network(
    mask: NDArray[np.bool_],
    slope_x: Floats,
    slope_y: Floats,
    manning: Floats,
    dx: float,
    dy: float,
    condition: SurfaceCondition = SurfaceCondition.OVERLAND_KINEMATIC,
    own: NDArray[np.bool_] | None = None,
    wave: NDArray[np.int32] | None = None,
) -> FlowNetwork:
    """Order the active cells by overland flow.

    Parameters
    ----------
    mask : (ny, nx) bool
        Active cells. Water leaves the domain across the edge of the mask where the ground falls that way.
    slope_x, slope_y : (ny, nx)
        Slope of the east and of the north face of each cell [-], positive where the ground rises towards east or north.
    manning : (ny, nx)
        Manning's coefficient [h m-1/3]: s m-1/3 divided by 3600.
    dx, dy : float
        Cell size [m].
    condition : SurfaceCondition
        How water flows over the ground; nothing does over a seepage face or closed ground.
    own : (ny, nx) bool, optional
        Cells that are solved here, where the domain is divided; the other cells of `mask` come last in the order.
    wave : (ny, nx) int32, optional
        Wave of each of them; the order is one of waves first.
    """
    neighbours = _neighbours(mask)
    donor, inflow, outflow, boundary = _overland(mask, slope_x, slope_y, manning, neighbours, dx, dy, condition)
    order, level_start, group_start = _order(
        donor, None if own is None else own[mask], None if wave is None else wave[mask]
    )

    rank = np.zeros(order.size + 1, dtype=np.int32)  # new number of each old number, both from 1; 0 stays "none"
    rank[order + 1] = np.arange(1, order.size + 1)
    east, west = rank[neighbours[_EAST][order]], rank[neighbours[_WEST][order]]
    north, south = rank[neighbours[_NORTH][order]], rank[neighbours[_SOUTH][order]]
    return FlowNetwork(
        cells=np.flatnonzero(mask)[order],
        east=east,
        west=west,
        north=north,
        south=south,
        level_start=level_start,
        group_start=group_start,
        donor=np.asfortranarray(rank[donor[:, order]]),
        inflow=np.asfortranarray(inflow[:, order]),
        outflow=outflow[order],
        boundary=boundary[order],
    )


def conveyance_out(
    mask: NDArray[np.bool_],
    slope_x: Floats,
    slope_y: Floats,
    manning: Floats,
    dx: float,
    dy: float,
    condition: SurfaceCondition = SurfaceCondition.OVERLAND_KINEMATIC,
) -> Floats:
    """Conveyance [h-1 m-2/3] of all faces that each cell drains through, (ny, nx); NaN in inactive cells.

    Parameters as of `build_network`, whose `FlowNetwork.outflow` it is.
    """
    outflow = np.full(mask.shape, np.nan)
    outflow[mask] = _overland(mask, slope_x, slope_y, manning, _neighbours(mask), dx, dy, condition)[2]
    return outflow


def _overland(
    mask: NDArray[np.bool_],
    slope_x: Floats,
    slope_y: Floats,
    manning: Floats,
    neighbours: Integers,
    dx: float,
    dy: float,
    condition: SurfaceCondition,
) -> tuple[Integers, Floats, Floats, Floats]:
    """Donors of each active cell in row-major order, and conveyances in, out, and out over the edge of the domain."""
    if condition is SurfaceCondition.OVERLAND_KINEMATIC:
        conveyance = 1.0 / (manning * np.sqrt(np.maximum(np.hypot(slope_x, slope_y), SMALLEST_SLOPE)))
        return _faces(mask, slope_x, slope_y, conveyance, neighbours, dx, dy)
    flows = condition is SurfaceCondition.OVERLAND_FLOW
    west, south = (np.sign(s[mask]) * np.sqrt(np.abs(s[mask])) / manning[mask] * flows for s in (slope_x, slope_y))
    return _faces_by_cell(west, south, neighbours, dx, dy)


def _neighbours(mask: NDArray[np.bool_]) -> Integers:
    """(4, ncol): number from 1, in row-major order of the active cells, of each cell's neighbours."""
    number = np.zeros((mask.shape[0] + 2, mask.shape[1] + 2), dtype=np.int32)
    number[1:-1, 1:-1][mask] = np.arange(1, np.count_nonzero(mask) + 1)
    shifted = {
        _WEST: number[1:-1, :-2],
        _EAST: number[1:-1, 2:],
        _SOUTH: number[:-2, 1:-1],
        _NORTH: number[2:, 1:-1],
    }
    return np.stack([shifted[side][mask] for side in range(4)])


def _faces(
    mask: NDArray[np.bool_],
    slope_x: Floats,
    slope_y: Floats,
    conveyance: Floats,
    neighbours: Integers,
    dx: float,
    dy: float,
) -> tuple[Integers, Floats, Floats, Floats]:
    """Donors, conveyances of the faces they feed a column through, and conveyances out of each column."""
    columns = np.count_nonzero(mask)
    donor = np.zeros((4, columns), dtype=np.int32)
    inflow, outflow, boundary = np.zeros((4, columns)), np.zeros(columns), np.zeros(columns)
    for slope_map, width, lower, upper in ((slope_x, dx, _WEST, _EAST), (slope_y, dy, _SOUTH, _NORTH)):
        slope = slope_map[mask]
        own = np.abs(slope) * conveyance[mask] / width
        above, below = neighbours[upper], neighbours[lower]

        # upper face: slope and Manning are the cell's own
        feeds_above = slope < 0.0
        outflow += np.where(feeds_above, own, 0.0)
        boundary += np.where(feeds_above & (above == 0), own, 0.0)
        fed_from_above = (slope > 0.0) & (above > 0)
        donor[upper] = np.where(fed_from_above, above, 0)
        inflow[upper] = np.where(fed_from_above, own, 0.0)

        # lower face: those of the lower neighbour, or the cell's own where there is none
        inner = below > 0
        face_slope = np.where(inner, slope[below - 1], slope)
        face = np.where(inner, own[below - 1], own)
        outflow += np.where(face_slope > 0.0, face, 0.0)
        boundary += np.where((face_slope > 0.0) & ~inner, face, 0.0)
        fed_from_below = inner & (face_slope < 0.0)
        donor[lower] = np.where(fed_from_below, below, 0)
        inflow[lower] = np.where(fed_from_below, face, 0.0)
    return donor, inflow, outflow, boundary


def _faces_by_cell(
    west: Floats, south: Floats, neighbours: Integers, dx: float, dy: float
) -> tuple[Integers, Floats, Floats, Floats]:
    """As `_faces`, where water leaves each cell by its own slopes.

    `west` and `south`, (ncol), are what it moves that way; what is negative goes east and north. Two cells whose slopes
    fall towards each other give each other water.
    """
    columns = west.size
    donor = np.zeros((4, columns), dtype=np.int32)
    inflow, outflow, boundary = np.zeros((4, columns)), np.zeros(columns), np.zeros(columns)
    for side, opposite, leaving in (
        (_WEST, _EAST, np.maximum(west, 0.0) / dx),
        (_EAST, _WEST, np.maximum(-west, 0.0) / dx),
        (_SOUTH, _NORTH, np.maximum(south, 0.0) / dy),
        (_NORTH, _SOUTH, np.maximum(-south, 0.0) / dy),
    ):
        outflow += leaving
        boundary += np.where(neighbours[side] == 0, leaving, 0.0)
        giver = neighbours[opposite]
        received = np.where(giver > 0, leaving[giver - 1], 0.0)
        donor[opposite] = np.where(received > 0.0, giver, 0)
        inflow[opposite] = received
    return donor, inflow, outflow, boundary


def _order(
    donor: Integers, own: NDArray[np.bool_] | None = None, wave: Integers | None = None
) -> tuple[NDArray[np.intp], Integers, Integers]:
    """Columns sorted by wave and level, and the starts of levels and groups (numbers from 1)."""
    columns = donor.shape[1]
    receiver = np.tile(np.arange(columns), 4)[donor.ravel() > 0]
    giver = donor.ravel()[donor.ravel() > 0] - 1
    if own is not None and wave is not None:  # what comes from another part or an earlier wave is there before
        within = own[giver] & own[receiver] & (wave[giver] == wave[receiver])
        receiver, giver = receiver[within], giver[within]
    feeds = csr_array((np.ones(giver.size, dtype=np.int8), (giver, receiver)), shape=(columns, columns))
    groups, group_of = connected_components(feeds, directed=True, connection="strong")

    between = group_of[giver] != group_of[receiver]
    level = _levels(groups, group_of[giver[between]], group_of[receiver[between]])[group_of]
    if own is not None and wave is not None:
        level = np.unique(np.where(own, wave.astype(np.int64) * (level.max() + 1) + level, -1), return_inverse=True)[1]
        level -= int(not own.all())  # -1 in other parts
    order = np.lexsort((np.arange(columns), group_of, level))
    if own is not None:
        order = np.r_[order[own[order]], order[~own[order]]]
        columns = int(own.sum())

    sorted_group = group_of[order[:columns]]
    first = np.flatnonzero(np.r_[True, sorted_group[1:] != sorted_group[:-1]])
    group_start = np.r_[first, columns].astype(np.int32) + 1
    level_sizes = np.bincount(level[order[first]])
    level_start = np.r_[0, np.cumsum(level_sizes)].astype(np.int32) + 1
    return order, level_start, group_start


def _levels(nodes: int, giver: NDArray[np.intp], receiver: NDArray[np.intp]) -> NDArray[np.intp]:
    """Length of the longest path that ends in each node of an acyclic graph."""
    by_giver = np.argsort(giver, kind="stable")
    receiver = receiver[by_giver]
    start = np.searchsorted(giver[by_giver], np.arange(nodes + 1))
    waiting = np.bincount(receiver, minlength=nodes)
    level = np.zeros(nodes, dtype=np.intp)
    front = np.flatnonzero(waiting == 0)
    current = 0
    while front.size:
        level[front] = current
        counts = start[front + 1] - start[front]
        offsets = np.repeat(start[front] - np.r_[0, np.cumsum(counts)[:-1]], counts)
        reached = receiver[offsets + np.arange(counts.sum())]
        np.subtract.at(waiting, reached, 1)
        candidates = np.unique(reached)
        front = candidates[waiting[candidates] == 0]
        current += 1
    return level
