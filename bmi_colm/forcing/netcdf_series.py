"""NetCDF variables as series of hours, read a few at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from bmi_colm.forcing.calendar import HOUR, Times, show
from bmi_colm.forcing.grid import Cells, GridMap, nearest, same_grid
from bmi_colm.forcing.humidity import FloatArray
from bmi_colm.forcing.netcdf_file import NetcdfFile
from bmi_colm.forcing.netcdf_grid import file_grid
from bmi_colm.forcing.units import Converter
from bmi_common.errors import ConfigError

TimeStamp = Literal["start", "middle", "end"]
TimeAxis = Callable[[NetcdfFile, str], tuple[str, str]]
"""From a variable of a file to its time dimension and coordinate."""

_AFTER_START: Final = {"start": 0 * HOUR, "middle": HOUR // 2, "end": HOUR}


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
        values = self.file.part(self.variable, tuple(index))
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
    axis
        Finds the time dimension; by default the one with dates.

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
        axis: TimeAxis | None = None,
    ) -> None:
        self._convert = convert
        pieces = [_piece(file, name, cells, hours, remap, column, axis or time_axis) for file, name in found]
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
    axis: TimeAxis,
) -> _Piece:
    dimensions: tuple[str, ...] = file[name].dimensions
    sizes = dict(zip(dimensions, file[name].shape, strict=True))
    time, coordinate = axis(file, name)
    y = next((d for d in dimensions if d != time and file.axis(d, file.is_y)), None)
    x = next((d for d in dimensions if d != time and file.axis(d, file.is_x)), None)
    spatial = [d for d in dimensions if d not in (time, "expver") and (sizes[d] > 1 or d in (y, x))]
    unnamed = [d for d in spatial if d not in (y, x)]
    if len(unnamed) == (y is None) + (x is None):
        unnamed.reverse()  # rows before columns, as CF recommends
        y, x = y or unnamed.pop(), x or unnamed.pop()
    where = f"{file.path}: {name!r}"
    if any(d not in (y, x) for d in spatial):
        raise ConfigError(
            f"{where}: dimensions {_dimensions(sizes)}; needed are time and the rows and columns of the grid"
        )
    alone = all(sizes[d] == 1 for d in spatial)
    grid: GridMap | None = None
    if not (alone and column and not (y and x and cells.shape == (1, 1))):
        if y is None or x is None:
            raise ConfigError(
                f"{where}: dimensions {_dimensions(sizes)}; "
                f"needed are time, {cells.shape[0]} rows and {cells.shape[1]} columns"
            )
        grid = (nearest if remap else same_grid)(file_grid(file, y, x), cells, where)
    return _Piece(file, name, hours(file, coordinate), time, y, x, grid)


def time_axis(file: NetcdfFile, name: str) -> tuple[str, str]:
    """Return the time dimension of a variable and the coordinate that holds its dates.

    Raises
    ------
    ConfigError
        No dimension has dates.
    """
    for dimension in file[name].dimensions:
        coordinate = file.axis(dimension, file.is_time)
        if coordinate is not None:
            return dimension, coordinate
    raise ConfigError(
        f"{file.path}: {name!r} has no time axis: none of its dimensions {file[name].dimensions} has a coordinate "
        "with units like 'hours since 2000-01-01'"
    )


def _dimensions(sizes: dict[str, int]) -> str:
    return "(" + ", ".join(f"{name}: {size}" for name, size in sizes.items()) + ")"
