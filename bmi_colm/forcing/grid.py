"""From the grid of a file to the cells of the domain."""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bmi_colm.forcing.humidity import FloatArray
from bmi_common.errors import ConfigError

_LONE_SPACING: Final = 0.1  # degrees; ERA5-Land's, where a file has one cell and shows no spacing


class Cells(NamedTuple):
    """Cell centres of the domain, (ny, nx) each, y 0 the southern row; no coordinates if they are unknown."""

    shape: tuple[int, int]
    latitude: FloatArray | None
    longitude: FloatArray | None


class FileGrid(NamedTuple):
    """Grid of a file, rows and columns in the file's order.

    Latitude and longitude are (rows,) and (columns,), or both (rows, columns), or None; `south_first` and
    `west_first` tell the directions and are None where the file does not.
    """

    shape: tuple[int, int]
    latitude: FloatArray | None
    longitude: FloatArray | None
    south_first: bool | None
    west_first: bool | None


@dataclass(frozen=True)
class GridMap:
    """Part of a file's grid to read, and the cells to take from it.

    `rows` and `columns` are what to read; `pick` are, within that, the row and column of each cell of the domain.
    """

    rows: slice
    columns: slice
    pick: tuple[NDArray[np.intp], NDArray[np.intp]]

    def __call__(self, values: FloatArray) -> FloatArray:
        """Return `values` (n, rows read, columns read) on the domain, (n, ny, nx)."""
        return np.asarray(values[:, self.pick[0], self.pick[1]])


def same_grid(file: FileGrid, cells: Cells, where: str) -> GridMap:
    """Map a file on the domain's own grid, whichever way its rows and columns run.

    Raises
    ------
    ConfigError
        Shapes differ; the direction of the rows is unknown; or the file's cells lie elsewhere than the domain's.
    """
    if file.shape != cells.shape:
        raise ConfigError(
            f"{where}: grid (ny, nx) is {file.shape}, the domain is {cells.shape}; "
            "remap: nearest takes the nearest cell of the file for each cell of the domain"
        )
    ny, nx = cells.shape
    if file.south_first is None and ny > 1:
        raise ConfigError(
            f"{where}: no coordinate tells whether row 0 is south or north; "
            "needed is a latitude or a projection_y_coordinate of the rows"
        )
    rows = np.arange(ny) if file.south_first in (True, None) else np.arange(ny)[::-1]
    columns = np.arange(nx) if file.west_first in (True, None) else np.arange(nx)[::-1]
    picked_rows, picked_columns = np.meshgrid(rows, columns, indexing="ij")
    grid = GridMap(slice(0, ny), slice(0, nx), (picked_rows, picked_columns))
    _check_place(file, cells, grid, where)
    return grid


def nearest(file: FileGrid, cells: Cells, where: str) -> GridMap:
    """Take the file's cell nearest to each cell of the domain.

    Raises
    ------
    ConfigError
        Coordinates are missing, or a cell of the domain lies outside the file's grid.
    """
    if cells.latitude is None or cells.longitude is None:
        raise ConfigError(f"{where}: remap: nearest needs latitude and longitude of the domain's cells")
    if file.latitude is None or file.longitude is None:
        raise ConfigError(f"{where}: remap: nearest needs latitude and longitude in the file")
    locate = _nearest_on_axes if file.latitude.ndim == 1 else _nearest_of_points
    rows, columns, inside = locate(file.latitude, file.longitude, cells.latitude, cells.longitude)
    if not inside.all():
        j, i = np.argwhere(~inside)[0]
        raise ConfigError(
            f"{where}: {np.count_nonzero(~inside)} of {inside.size} cells of the domain lie outside the file's grid, "
            f"first (row {j}, column {i}) at {cells.latitude[j, i]:g} N, {cells.longitude[j, i]:g} E; "
            f"the file covers {_extent(file.latitude)} N, {_extent(file.longitude)} E"
        )
    top, left = rows.min(), columns.min()
    return GridMap(
        slice(int(top), int(rows.max()) + 1),
        slice(int(left), int(columns.max()) + 1),
        (rows - top, columns - left),
    )


def degrees_between(first: FloatArray, second: FloatArray) -> FloatArray:
    """Return `first` - `second` of longitudes, within [-180, 180)."""
    return np.asarray((first - second + 180.0) % 360.0 - 180.0)


Located = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]


def _nearest_on_axes(
    file_latitude: FloatArray, file_longitude: FloatArray, latitude: FloatArray, longitude: FloatArray
) -> Located:
    down = np.abs(file_latitude[:, np.newaxis] - latitude.ravel())
    across = np.abs(degrees_between(file_longitude[:, np.newaxis], longitude.ravel()))
    rows, columns = down.argmin(axis=0), across.argmin(axis=0)
    spacings = [
        float(np.abs(steps).max())
        for steps in (np.diff(file_latitude), degrees_between(file_longitude[1:], file_longitude[:-1]))
        if steps.size
    ]
    reach = 0.5 * (max(spacings) if spacings else _LONE_SPACING) * (1.0 + 1e-3)
    inside = (down.min(axis=0) <= reach) & (across.min(axis=0) <= reach)
    shape = latitude.shape
    return rows.reshape(shape), columns.reshape(shape), inside.reshape(shape)


def _nearest_of_points(
    file_latitude: FloatArray, file_longitude: FloatArray, latitude: FloatArray, longitude: FloatArray
) -> Located:
    from scipy.spatial import KDTree  # imports slowly, and most files do not need it

    points = _on_sphere(file_latitude, file_longitude)
    distance, index = KDTree(points.reshape(-1, 3)).query(_on_sphere(latitude, longitude))
    rows, columns = np.unravel_index(index, file_latitude.shape)
    diagonals = points[1:, 1:] - points[:-1, :-1]
    reach = 0.5 * np.linalg.norm(diagonals, axis=-1).max(initial=np.radians(_LONE_SPACING)) * (1.0 + 1e-3)
    return rows, columns, np.asarray(distance <= reach)


def _on_sphere(latitude: FloatArray, longitude: FloatArray) -> FloatArray:
    north, east = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=-1)


def _check_place(file: FileGrid, cells: Cells, grid: GridMap, where: str) -> None:
    """Compare coordinates where both sides have them: at most half a cell apart."""
    if file.latitude is None or file.longitude is None or cells.latitude is None or cells.longitude is None:
        return
    latitude, longitude = file.latitude, file.longitude
    if latitude.ndim == 1:
        latitude, longitude = np.meshgrid(latitude, longitude, indexing="ij")
    latitude, longitude = latitude[grid.pick], longitude[grid.pick]
    spacings = [
        float(np.median(np.hypot(*(np.diff(values, axis=axis) for values in (latitude, longitude)))))
        for axis in (0, 1)
        if latitude.shape[axis] > 1
    ]
    reach = 0.5 * (max(spacings) if spacings else _LONE_SPACING) * (1.0 + 1e-3)
    apart = np.maximum(np.abs(latitude - cells.latitude), np.abs(degrees_between(longitude, cells.longitude)))
    worst = np.unravel_index(np.argmax(apart), apart.shape)
    if apart[worst] > reach:
        raise ConfigError(
            f"{where}: the grid has the domain's shape, but its cells lie elsewhere: cell "
            f"(row {worst[0]}, column {worst[1]}) at {latitude[worst]:g} N, {longitude[worst]:g} E, the domain's at "
            f"{cells.latitude[worst]:g} N, {cells.longitude[worst]:g} E; remap: nearest maps by coordinates"
        )


def _extent(values: FloatArray) -> str:
    return f"{values.min():g} to {values.max():g}"
