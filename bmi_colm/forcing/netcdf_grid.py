"""The horizontal grid of a NetCDF variable."""

from collections.abc import Callable

from bmi_colm.forcing.grid import FileGrid, degrees_between
from bmi_colm.forcing.humidity import FloatArray
from bmi_colm.forcing.netcdf_file import NetcdfFile
from bmi_common.errors import ConfigError


def file_grid(file: NetcdfFile, y: str, x: str) -> FileGrid:
    """Return shape, coordinates and directions of the grid with dimensions `y` (rows) and `x` (columns).

    Coordinates may be latitude and longitude of rows and columns, latitude and longitude of cells, or projected
    ones; the latter tell directions only.

    Raises
    ------
    ConfigError
        A dimension has no length.
    """
    for dimension in (y, x):
        if not file.size(dimension):
            raise ConfigError(f"{file.path}: the dimension {dimension!r} has length 0: the grid has no cell")
    rows, columns = file.axis(y, file.is_y), file.axis(x, file.is_x)
    latitude = longitude = None
    if rows is not None and columns is not None and file.is_latitude(rows) and file.is_longitude(columns):
        latitude, longitude = file.values(rows), file.values(columns)
    else:
        of_cells = (_of_cells(file, y, x, file.is_latitude), _of_cells(file, y, x, file.is_longitude))
        if of_cells[0] is not None and of_cells[1] is not None:
            latitude, longitude = of_cells
    return FileGrid(
        (file.size(y), file.size(x)),
        latitude,
        longitude,
        _south_first(file, rows, latitude),
        _west_first(file, columns, longitude),
    )


def _of_cells(file: NetcdfFile, y: str, x: str, test: Callable[[str], bool]) -> FloatArray | None:
    name = next((name for name in file.names if set(file[name].dimensions) == {y, x} and test(name)), None)
    if name is None:
        return None
    values = file.values(name)
    return values if file[name].dimensions == (y, x) else values.T


def _south_first(file: NetcdfFile, rows: str | None, latitude: FloatArray | None) -> bool | None:
    if rows is not None:
        return _ascends(file.values(rows))
    return None if latitude is None else _ascends(latitude[:, 0])


def _west_first(file: NetcdfFile, columns: str | None, longitude: FloatArray | None) -> bool | None:
    if columns is not None and not file.is_longitude(columns):
        return _ascends(file.values(columns))
    if columns is not None:
        along = file.values(columns)
    elif longitude is not None:
        along = longitude[0]
    else:
        return None
    # step by step, because the date line may lie within the grid
    return bool(degrees_between(along[1:], along[:-1]).sum() >= 0.0)


def _ascends(values: FloatArray) -> bool:
    return bool(values[-1] >= values[0])
