"""The nearest cells that have values, which stand in for those that have none."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bmi_common.deliveries import Deliveries, by_process
from bmi_common.errors import ConfigError
from bmi_common.partition import Part
from bmi_common.world import MpiWorld
from coupler.grids import GridInfo

Array = NDArray[Any]
Cells = NDArray[np.bool_]
Integers = NDArray[np.intp]


def nearest(gaps: Cells, cells: Cells, places: Array) -> Integers:
    """Find the cells whose values stand in for others.

    Parameters
    ----------
    gaps : ndarray of bool, shape (..., *layer)
        Cells without a value.
    cells : ndarray of bool
        Of them, those to fill.
    places : ndarray, shape (*layer, 2)
        Where the cells of a layer are.

    Returns
    -------
    ndarray of int
        Flat index of the nearest cell of the layer with a value, for each of `cells` in their order.

    Raises
    ------
    ConfigError
        If a layer has none.
    """
    from scipy.spatial import cKDTree  # imports slowly

    layer = places.shape[:-1]
    lacking, wanted = gaps.reshape(-1, *layer), cells.reshape(-1, *layer)
    donors = np.array(np.nonzero(wanted))
    for k in np.unique(donors[0]):
        if lacking[k].all():
            raise ConfigError(f"nearest: there is no cell with a value in layer {k}")
        having = np.argwhere(~lacking[k])
        _, index = cKDTree(places[~lacking[k]]).query(places[wanted[k]])
        donors[1:, donors[0] == k] = having[index].T
    return np.asarray(np.ravel_multi_index(tuple(donors), wanted.shape), dtype=np.intp)


def places(grid: GridInfo, layer: tuple[int, ...], offset: tuple[int, int] = (0, 0)) -> Array:
    """Coordinates (*layer, 2) of all cells of a layer; where the grid has no axes, rows and columns from `offset` on.

    Raises
    ------
    ConfigError
        If it has neither.
    """
    y, x = grid.y, grid.x
    if len(layer) < 2:
        if not grid.is_points or y is None or x is None:
            raise ConfigError(f"nearest needs the places of the values, and {grid} has none")
        return np.stack((y, x), axis=-1)
    if y is None or x is None or not (y.ndim == x.ndim == 1 and (y.size, x.size) == layer):
        y, x = (first + np.arange(count) for first, count in zip(offset, layer, strict=True))
    return np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)


class SharedDonors:
    """Values of the nearest cells, whichever process has them; all processes create it, and call it, together.

    Parameters
    ----------
    part : Part
        Of the domain.
    gaps, cells : ndarray of bool, shape (..., rows, columns)
        Cells of the window without a value, and those of this process to fill.
    places : ndarray, shape (rows, columns, 2)
        Where the cells are.

    Raises
    ------
    ConfigError
        If a layer has no value; in all processes.
    """

    def __init__(self, part: Part, gaps: Cells, cells: Cells, places: Array) -> None:
        assert isinstance(part.world, MpiWorld)
        found = part.world.dealt(_lists(part, gaps, cells, places))
        if isinstance(found, ConfigError):
            raise found
        self._deliveries, self._count = Deliveries(part.world, *found), int(cells.sum())

    def __call__(self, values: Array) -> Array:
        """Values for the cells to fill, in their order."""
        return self._deliveries(values.reshape(-1), self._count)


def _lists(part: Part, gaps: Cells, cells: Cells, places: Array) -> list[Any] | None:
    """Cells that each process gives and takes, or the mistake that there are none, in process 0."""
    world, (ny, nx) = part.world, part.shape
    all_gaps, all_cells = part.whole(gaps), part.whole(cells)
    all_places = part.whole(np.moveaxis(places, -1, 0))
    windows = world.collected((part.rows, part.columns))
    if all_gaps is None or all_cells is None or all_places is None or windows is None or part.division is None:
        return None
    try:
        donors = nearest(all_gaps, all_cells, np.moveaxis(all_places, 0, -1))
    except ConfigError as error:
        return [error] * world.size
    owner = part.division.ravel()
    taker = owner[np.flatnonzero(all_cells) % (ny * nx)]
    giving: list[dict[int, Integers]] = [{} for _ in windows]
    taking: list[dict[int, Integers]] = [{} for _ in windows]
    for rank, of_rank in by_process(taker).items():
        for other, at in by_process(owner[donors[of_rank] % (ny * nx)]).items():
            rows, columns = windows[other]
            k, j, i = np.unravel_index(donors[of_rank[at]], (all_gaps.size // (ny * nx), ny, nx))
            width = columns.stop - columns.start
            giving[other][rank] = (k * (rows.stop - rows.start) + j - rows.start) * width + i - columns.start
            taking[rank][other] = at
    return list(zip(giving, taking, strict=True))
