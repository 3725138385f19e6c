"""The horizontal grid of a NetCDF variable."""

from collections.abc import Callable

import numpy as np

from bmi_colm.forcing.grid import FileGrid, degrees_between
from bmi_colm.forcing.humidity import FloatArray
from bmi_colm.forcing.netcdf_file import NetcdfFile


def file_grid(file: NetcdfFile, y: str, x: str) -> FileGrid:
    rows, columns = file.axis(y, file.is_y), file.axis(x, file.is_x)
    latitude = longitude = None
    if rows is not None and columns is not None and file.is_latitude(rows) and file.is_longitude(columns):
        latitude, longitude = file.values(rows), file.values(columns)
    else:
        latitude = next((_plane(file, n, y, x) for n in file.names if _is_plane(file, n, y, x, file.is_latitude)), None)
        longitude = next(
            (_plane(file, n, y, x) for n in file.names if _is_plane(file, n, y, x, file.is_longitude)), None
        )
        if latitude is None or longitude is None:
            latitude = longitude = None
    south_first = west_first = None
    if rows is not None:
        south_first = _ascends(file.values(rows))
    elif latitude is not None and latitude.ndim == 2:
        south_first = _ascends(latitude[:, 0])
    if columns is not None and file.is_longitude(columns):
        values = file.values(columns)
        west_first = _ascends(np.cumsum(np.append(0.0, degrees_between(values[1:], values[:-1]))))
    elif columns is not None:
        west_first = _ascends(file.values(columns))
    elif longitude is not None:
        west_first = _ascends(np.cumsum(np.append(0.0, degrees_between(longitude[0, 1:], longitude[0, :-1]))))
    shape = (file.size(y), file.size(x))
    return FileGrid(shape, latitude, longitude, south_first, west_first)


def _is_plane(file: NetcdfFile, name: str, y: str, x: str, test: Callable[[str], bool]) -> bool:
    return set(file[name].dimensions) == {y, x} and test(name)


def _plane(file: NetcdfFile, name: str, y: str, x: str) -> FloatArray:
    values = file.values(name)
    return values if file[name].dimensions == (y, x) else values.T


def _ascends(values: FloatArray) -> bool:
    return bool(values[-1] >= values[0])
