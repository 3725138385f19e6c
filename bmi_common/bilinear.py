"""Bilinear interpolation from the grid of a file to the cells of the domain."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array
from bmi_common.errors import ConfigError, InputNotice
from bmi_common.file_grid import (
    EARTH_RADIUS,
    FARTHEST,
    Cells,
    FileGrid,
    GridMap,
    Mask,
    degrees_between,
    of_each_cell,
    on_sphere,
    part_of,
    require_inside,
    typical_spacing,
)

Indices = NDArray[np.intp]


class _Between(NamedTuple):
    """Neighbours of targets on an axis, (n,) each, and the share of the second [1]."""

    first: Indices
    second: Indices
    share: Array


def bilinear(file: FileGrid, cells: Cells, where: str) -> GridMap:
    """Interpolate between the four centres of the file around each cell of the domain.

    Within half a cell of the rim of the file's grid, beyond its outermost centres, values are those of the rim.

    Raises
    ------
    ConfigError
        Coordinates are missing or not those of rows and columns, or a cell of the domain lies outside the file's grid.
    """
    require_inside(file, cells, where, "bilinear")
    assert file.latitude is not None
    assert file.longitude is not None
    assert cells.latitude is not None
    assert cells.longitude is not None
    if file.latitude.ndim == 2:
        raise ConfigError(
            f"{where}: remap: bilinear needs a grid with latitudes of rows and longitudes of columns; this one has a "
            "latitude and a longitude of each cell: take remap: nearest"
        )
    down = _between(file.latitude, cells.latitude.ravel(), turns=False)
    across = _between(file.longitude, cells.longitude.ravel(), turns=True)
    shape = (4, *cells.shape)
    rows = np.stack([down.first, down.first, down.second, down.second]).reshape(shape)
    columns = np.stack([across.first, across.second, across.first, across.second]).reshape(shape)
    sides = ((1.0 - down.share, down.share), (1.0 - across.share, across.share))
    weights = np.stack([one * other for one in sides[0] for other in sides[1]]).reshape(shape)
    return part_of(rows, columns, weights)


def bilinear_with_values(grid: GridMap, has_value: Mask, file: FileGrid, cells: Cells, where: str) -> GridMap:
    """Let the nearest cell with values stand for each cell of the file that never has one, as the sea.

    Parameters
    ----------
    grid
        From `bilinear`.
    has_value : ndarray of bool
        Of the whole grid of the file.
    file, cells, where
        As for `bilinear`.

    Raises
    ------
    ConfigError
        For an active cell there is none within three cells of the file.

    Warns
    -----
    InputNotice
        Counts the active cells, and says how far the farthest value comes from.
    """
    rows, columns = grid.rows.start + grid.pick[0], grid.columns.start + grid.pick[1]
    bare = ~has_value[rows, columns]
    if not bare.any() or not has_value.any():
        return grid
    from scipy.spatial import KDTree  # imports slowly, and most files do not need it

    points = on_sphere(*of_each_cell(file))
    known = np.argwhere(has_value)
    distance, index = KDTree(points[has_value]).query(points[rows[bare], columns[bare]])
    rows, columns = rows.copy(), columns.copy()
    rows[bare], columns[bare] = known[index].T
    assert grid.weights is not None
    matters = bare & (grid.weights > 0.0)
    if cells.mask is not None:
        matters &= cells.mask
    if matters.any():
        concerned = int(matters.any(axis=0).sum())
        count = matters[0].size if cells.mask is None else int(cells.mask.sum())
        farthest = float(distance[matters[bare]].max())
        if farthest > FARTHEST * typical_spacing(points):
            raise ConfigError(
                f"{where}: {concerned} of {count} active cells have no value in the file around them, and the nearest "
                f"cell with values is {farthest * EARTH_RADIUS:.0f} km away, more than {FARTHEST:g} cells"
            )
        warnings.warn(
            f"{where}: {concerned} of {count} active cells lie beside cells of the file without values (a coast?); "
            f"the nearest cells with values stand for these, at most {farthest * EARTH_RADIUS:.1f} km away",
            InputNotice,
            stacklevel=2,
        )
    return part_of(rows, columns, grid.weights)


def _between(axis: Array, targets: Array, *, turns: bool) -> _Between:
    """Find the centres of an axis on both sides of each target; `turns` where it is one of longitudes."""
    numbers = np.arange(axis.size)
    if turns:  # counted from the middle, so that the date line lies elsewhere
        middle = axis[axis.size // 2]
        steps = degrees_between(axis[1:], axis[:-1])
        along = np.concatenate([[0.0], np.cumsum(steps)])
        axis, targets = along - along[axis.size // 2], degrees_between(targets, middle)
    if axis.size > 1 and axis[-1] < axis[0]:
        axis, numbers = axis[::-1], numbers[::-1]
    if turns and axis.size > 1 and 360.0 - (axis[-1] - axis[0]) < 1.5 * float(np.diff(axis).max()):
        # all round the globe: the last column is beside the first
        axis = np.concatenate([[axis[-1] - 360.0], axis, [axis[0] + 360.0]])
        numbers = np.concatenate([numbers[-1:], numbers, numbers[:1]])
    if axis.size == 1:
        none = np.zeros(targets.size, dtype=np.intp)
        return _Between(none, none, np.zeros(targets.size))
    lower = np.clip(np.searchsorted(axis, targets, side="right") - 1, 0, axis.size - 2)
    share = np.clip((targets - axis[lower]) / (axis[lower + 1] - axis[lower]), 0.0, 1.0)
    return _Between(numbers[lower], numbers[lower + 1], share)
