"""NetCDF variables as series of hours, read a few at a time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import netCDF4
import numpy as np
from numpy.typing import NDArray

from bmi_colm.forcing._base import ConfigError
from bmi_colm.forcing.calendar import HOUR, Times, show
from bmi_colm.forcing.grid import Cells, FileGrid, GridMap, degrees_between, nearest, same_grid
from bmi_colm.forcing.humidity import FloatArray
from bmi_colm.forcing.units import Converter

CALENDARS: Final = ("standard", "gregorian", "proleptic_gregorian")

TimeStamp = Literal["start", "middle", "end"]
_AFTER_START: Final = {"start": 0 * HOUR, "middle": HOUR // 2, "end": HOUR}

Y_NAMES: Final = ("latitude", "projection_y_coordinate", "grid_latitude")
X_NAMES: Final = ("longitude", "projection_x_coordinate", "grid_longitude")


class NetcdfFile:
    """An open NetCDF file and what its metadata say.

    Raises
    ------
    ConfigError
        The file is missing or no NetCDF file.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise ConfigError(f"{path}: no such forcing file")
        self.path = path
        try:
            self._dataset = netCDF4.Dataset(path)
        except OSError as error:
            raise ConfigError(f"{path}: not a readable NetCDF file ({error})") from error

    def __getitem__(self, name: str) -> Any:
        return self._dataset.variables[name]

    def __contains__(self, name: str) -> bool:
        return name in self._dataset.variables

    @property
    def names(self) -> tuple[str, ...]:
        """All variables of the file."""
        return tuple(self._dataset.variables)

    def close(self) -> None:
        """Close the file."""
        if self._dataset.isopen():
            self._dataset.close()

    def attribute(self, name: str, key: str) -> str:
        """Return a variable's attribute, or an empty text."""
        return str(getattr(self[name], key, ""))

    def with_standard_name(self, standard_names: Iterable[str]) -> list[str]:
        """Return the variables that have one of the `standard_names`."""
        wanted = set(standard_names)
        return [name for name in self.names if self.attribute(name, "standard_name") in wanted]

    def axis(self, dimension: str, test: Callable[[str], bool]) -> str | None:
        """Return the one-dimensional coordinate of `dimension` that passes `test`, best the one of its name."""
        along = [name for name in self.names if self[name].dimensions == (dimension,) and test(name)]
        return dimension if dimension in along else next(iter(along), None)

    def is_time(self, name: str) -> bool:
        """Tell whether a variable holds dates."""
        return " since " in self.attribute(name, "units")

    def is_y(self, name: str) -> bool:
        """Tell whether a variable is a coordinate of rows."""
        return (
            self.attribute(name, "standard_name") in Y_NAMES
            or self.attribute(name, "axis") == "Y"
            or self.is_latitude(name)
        )

    def is_x(self, name: str) -> bool:
        """Tell whether a variable is a coordinate of columns."""
        return (
            self.attribute(name, "standard_name") in X_NAMES
            or self.attribute(name, "axis") == "X"
            or self.is_longitude(name)
        )

    def is_latitude(self, name: str) -> bool:
        """Tell whether a variable holds latitudes."""
        return self.attribute(name, "standard_name") == "latitude" or self.attribute(name, "units") in (
            "degrees_north", "degree_north", "degrees_N", "degree_N",
        )  # fmt: skip

    def is_longitude(self, name: str) -> bool:
        """Tell whether a variable holds longitudes."""
        return self.attribute(name, "standard_name") == "longitude" or self.attribute(name, "units") in (
            "degrees_east", "degree_east", "degrees_E", "degree_E",
        )  # fmt: skip

    def stamps(self, coordinate: str) -> Times:
        """Return the dates of a time coordinate.

        Raises
        ------
        ConfigError
            The calendar is not the real one, a date is missing, or dates do not ascend.
        """
        stamps = self._dates(self[coordinate][:], coordinate)
        if np.any(np.diff(stamps) <= 0 * HOUR):
            at = int(np.argmax(np.diff(stamps) <= 0 * HOUR))
            raise ConfigError(
                f"{self.path}: times of {coordinate!r} do not ascend: {show(stamps[at])} is followed by {show(stamps[at + 1])}"
            )
        return stamps

    def bounds(self, coordinate: str) -> NDArray[np.datetime64] | None:
        """Return starts and ends, (n, 2), of the intervals of a time coordinate, if the file tells."""
        name = self.attribute(coordinate, "bounds")
        if name not in self:
            return None
        return self._dates(self[name][:], coordinate)

    def _dates(self, values: Any, coordinate: str) -> NDArray[np.datetime64]:
        calendar = self.attribute(coordinate, "calendar").lower() or "standard"
        if calendar not in CALENDARS:
            raise ConfigError(
                f"{self.path}: calendar {calendar!r} of {coordinate!r} has other days than the real one; "
                f"usable are {', '.join(CALENDARS)}"
            )
        if np.ma.is_masked(values):
            raise ConfigError(f"{self.path}: {coordinate!r} has missing values")
        values = np.ma.getdata(values)
        try:
            dates = netCDF4.num2date(
                values,
                self.attribute(coordinate, "units"),
                calendar,
                only_use_cftime_datetimes=False,
                only_use_python_datetimes=True,
            )
        except (ValueError, OverflowError) as error:
            raise ConfigError(f"{self.path}: dates of {coordinate!r} cannot be read: {error}") from error
        exact = np.asarray(dates, dtype="datetime64[us]").reshape(values.shape)
        # dates held as days in floating point are off by some microseconds
        return (exact + np.timedelta64(500_000, "us")).astype("datetime64[s]")


@dataclass(frozen=True)
class _Piece:
    """A variable in one of the files."""

    file: NetcdfFile
    variable: str
    times: Times
    time: str  # dimensions
    y: str | None
    x: str | None
    grid: GridMap | None

    def read(self, first: int, last: int) -> FloatArray:
        """Return [first, last) along time, (n, ny, nx) or (n,)."""
        variable = self.file[self.variable]
        index: list[slice | int] = []
        order: list[str] = []
        for dimension in variable.dimensions:
            part = self._part(dimension, first, last)
            index.append(part)
            if isinstance(part, slice):
                order.append(dimension)
        raw = variable[tuple(index)]
        values = np.ma.filled(np.ma.asarray(raw, dtype=np.float64), np.nan)
        wanted = [self.time, *([self.y, self.x] if self.grid else []), *(["expver"] if "expver" in order else [])]
        values = values.transpose([order.index(dimension) for dimension in wanted if dimension])
        if "expver" in order:
            values = _first_finite(values)
        return self.grid(values) if self.grid else np.asarray(values)

    def _part(self, dimension: str, first: int, last: int) -> slice | int:
        if dimension == self.time:
            return slice(first, last)
        if self.grid and dimension == self.y:
            return self.grid.rows
        if self.grid and dimension == self.x:
            return self.grid.columns
        if dimension == "expver":
            return slice(None)
        return 0


def _first_finite(values: FloatArray) -> FloatArray:
    """Return, along the last axis, the first finite value: ERA5 (expver 1), else its preliminary form (5)."""
    pick = np.argmax(np.isfinite(values), axis=-1)
    return np.asarray(np.take_along_axis(values, pick[..., np.newaxis], axis=-1)[..., 0])


class Series:
    """One variable over all files that hold it, as hours that can be read a few at a time.

    Parameters
    ----------
    found
        Files and the variable's name in each.
    cells
        The domain.
    convert
        To the units wanted; applied to what is read.
    hours
        Starts of hours (or whatever dates are wanted) of a time coordinate of a file.
    remap
        Map by coordinates instead of asking for the domain's grid.
    column
        Accept a variable without horizontal dimensions (or of one cell) for all cells.

    Raises
    ------
    ConfigError
        Dimensions do not fit, or files overlap in time.
    """

    def __init__(
        self,
        found: list[tuple[NetcdfFile, str]],
        cells: Cells,
        *,
        convert: Converter,
        hours: Callable[[NetcdfFile, str], Times],
        remap: bool,
        column: bool,
    ) -> None:
        self._convert = convert
        pieces = [_piece(file, name, cells, hours, remap, column) for file, name in found]
        self._pieces = sorted((piece for piece in pieces if piece.times.size), key=lambda piece: piece.times[0])
        if not self._pieces:
            raise ConfigError(f"{found[0][0].path}: {found[0][1]!r} has no times")
        for before, after in zip(self._pieces, self._pieces[1:], strict=False):
            if before.times[-1] >= after.times[0]:
                raise ConfigError(
                    f"{before.file.path} and {after.file.path}: {after.variable!r} has {show(after.times[0])} in both; "
                    "files must not overlap in time"
                )
        self.times: Times = np.concatenate([piece.times for piece in self._pieces])
        self._owner = np.repeat(np.arange(len(self._pieces)), [piece.times.size for piece in self._pieces])
        self._offset = np.concatenate([np.arange(piece.times.size) for piece in self._pieces])
        if len({piece.grid is None for piece in self._pieces}) > 1:
            raise ConfigError(f"{self.label}: {self._pieces[0].variable!r} is gridded in some of the files only")

    @property
    def gridded(self) -> bool:
        """Whether the variable has a value for each cell."""
        return self._pieces[0].grid is not None

    @property
    def label(self) -> str:
        """Files of the variable, for messages."""
        first, last = self._pieces[0].file.path, self._pieces[-1].file.path
        return str(first) if first == last else f"{first} … {last.name}"

    def read(self, times: Times) -> FloatArray:
        """Return the values at `times` (ascending, some of the series' own), (n, ny, nx) or (n,)."""
        positions = np.searchsorted(self.times, times)
        parts = []
        for owner in np.unique(self._owner[positions]):
            local = self._offset[positions[self._owner[positions] == owner]]
            first = int(local[0])
            parts.append(self._pieces[owner].read(first, int(local[-1]) + 1)[local - first])
        return self._convert(np.concatenate(parts))

    def source(self, time: np.datetime64) -> str:
        """Return file and variable at `time`, for messages."""
        position = min(int(np.searchsorted(self.times, time)), self.times.size - 1)
        piece = self._pieces[self._owner[position]]
        return f"{piece.file.path}: {piece.variable!r}"


def hour_starts(time_stamp: TimeStamp) -> Callable[[NetcdfFile, str], Times]:
    """Return a function from a time coordinate to the starts of its hours: by its bounds, else by `time_stamp`."""

    def starts(file: NetcdfFile, coordinate: str) -> Times:
        stamps = file.stamps(coordinate)
        bounds = file.bounds(coordinate)
        if bounds is None:
            found = stamps - _AFTER_START[time_stamp]
            lengths = np.diff(found)
            wrong = lengths < HOUR
        else:
            found = bounds[:, 0]
            lengths = bounds[:, 1] - bounds[:, 0]
            wrong = lengths != HOUR
        if wrong.any():
            at = int(np.argmax(wrong))
            minutes = lengths[at] / np.timedelta64(1, "m")
            raise ConfigError(
                f"{file.path}: the record at {show(stamps[at])} of {coordinate!r} covers {minutes:g} minutes; "
                "needed are hourly records"
            )
        if stamps.size > 1 and np.all(np.diff(found) > HOUR):
            step = np.diff(found).min() / HOUR
            raise ConfigError(f"{file.path}: one record in {step:g} h; needed are hourly records")
        return found

    return starts


def _piece(
    file: NetcdfFile,
    name: str,
    cells: Cells,
    hours: Callable[[NetcdfFile, str], Times],
    remap: bool,
    column: bool,
) -> _Piece:
    dimensions: tuple[str, ...] = file[name].dimensions
    sizes = dict(zip(dimensions, file[name].shape, strict=True))
    time, coordinate = _time(file, name)
    y = next((d for d in dimensions if d != time and file.axis(d, file.is_y)), None)
    x = next((d for d in dimensions if d != time and file.axis(d, file.is_x)), None)
    spatial = [d for d in dimensions if d not in (time, "expver") and (sizes[d] > 1 or d in (y, x))]
    if y is None and x is None and len(spatial) == 2:
        y, x = spatial  # rows before columns, as CF recommends
    where = f"{file.path}: {name!r}"
    if any(d not in (y, x) for d in spatial):
        raise ConfigError(
            f"{where}: dimensions {_dimensions(sizes)}; needed are time and the rows and columns of the grid"
        )
    alone = y is None or x is None or (sizes[y] == sizes[x] == 1)
    grid: GridMap | None = None
    if not (alone and column and not (y and x and cells.shape == (1, 1))):
        if y is None or x is None:
            raise ConfigError(
                f"{where}: dimensions {_dimensions(sizes)}; needed are time, {cells.shape[0]} rows and {cells.shape[1]} columns"
            )
        grid = (nearest if remap else same_grid)(_file_grid(file, y, x), cells, where)
    return _Piece(file, name, hours(file, coordinate), time, y, x, grid)


def _time(file: NetcdfFile, name: str) -> tuple[str, str]:
    for dimension in file[name].dimensions:
        coordinate = file.axis(dimension, file.is_time)
        if coordinate is not None:
            return dimension, coordinate
    raise ConfigError(
        f"{file.path}: {name!r} has no time axis: none of its dimensions {file[name].dimensions} has a coordinate "
        "with units like 'hours since 2000-01-01'"
    )


def _file_grid(file: NetcdfFile, y: str, x: str) -> FileGrid:
    rows, columns = file.axis(y, file.is_y), file.axis(x, file.is_x)
    latitude = longitude = None
    if rows is not None and columns is not None and file.is_latitude(rows) and file.is_longitude(columns):
        latitude, longitude = _values(file, rows), _values(file, columns)
    else:
        latitude = next((_plane(file, n, y, x) for n in file.names if _is_plane(file, n, y, x, file.is_latitude)), None)
        longitude = next((_plane(file, n, y, x) for n in file.names if _is_plane(file, n, y, x, file.is_longitude)), None)
        if latitude is None or longitude is None:
            latitude = longitude = None
    south_first = west_first = None
    if rows is not None:
        south_first = _ascends(_values(file, rows))
    elif latitude is not None and latitude.ndim == 2:
        south_first = _ascends(latitude[:, 0])
    if columns is not None and file.is_longitude(columns):
        values = _values(file, columns)
        west_first = _ascends(np.cumsum(np.append(0.0, degrees_between(values[1:], values[:-1]))))
    elif columns is not None:
        west_first = _ascends(_values(file, columns))
    elif longitude is not None:
        west_first = _ascends(np.cumsum(np.append(0.0, degrees_between(longitude[0, 1:], longitude[0, :-1]))))
    shape = (file_size(file, y), file_size(file, x))
    return FileGrid(shape, latitude, longitude, south_first, west_first)


def file_size(file: NetcdfFile, dimension: str) -> int:
    """Return the length of a dimension."""
    return int(file._dataset.dimensions[dimension].size)


def _is_plane(file: NetcdfFile, name: str, y: str, x: str, test: Callable[[str], bool]) -> bool:
    return set(file[name].dimensions) == {y, x} and test(name)


def _plane(file: NetcdfFile, name: str, y: str, x: str) -> FloatArray:
    values = _values(file, name)
    return values if file[name].dimensions == (y, x) else values.T


def _values(file: NetcdfFile, name: str) -> FloatArray:
    return np.ma.filled(np.ma.asarray(file[name][:], dtype=np.float64), np.nan)


def _ascends(values: FloatArray) -> bool:
    return bool(values[-1] >= values[0])


def _dimensions(sizes: dict[str, int]) -> str:
    return "(" + ", ".join(f"{name}: {size}" for name, size in sizes.items()) + ")"
