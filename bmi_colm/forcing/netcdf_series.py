"""NetCDF variables as series of hours, read a few at a time."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from bmi_colm.forcing.config import Remap
from bmi_colm.forcing.units import Converter
from bmi_common.arrays import Array
from bmi_common.bilinear import bilinear, bilinear_with_values
from bmi_common.calendar import HOUR, Times, show
from bmi_common.errors import ConfigError
from bmi_common.file_grid import (
    Cells,
    FileGrid,
    GridMap,
    by_position,
    file_grid,
    horizontal,
    nearest,
    nearest_with_values,
    same_grid,
)
from bmi_common.netcdf_file import NetcdfFile
from bmi_common.netcdf_time import TimeAxis, bounds, stamps, time_axis

TimeStamp = Literal["start", "middle", "end"]
FindTimeAxis = Callable[[NetcdfFile, str], TimeAxis]
"""From a variable of a file to its time dimensions and coordinate."""

_AFTER_START: Final = {"start": 0 * HOUR, "middle": HOUR // 2, "end": HOUR}
_RECORDS_SEARCHED: Final = 48
"""For cells that have values: files of forecasts begin with a day of empty records."""
_COMPARED_AT_ONCE: Final = 24

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class _Piece:
    """A variable in one of the files."""

    file: NetcdfFile
    variable: str
    times: Times  # of its records, in any order
    records: Indices  # their numbers in the file
    time: tuple[str, ...]  # dimensions
    y: str | None
    x: str | None
    grid: GridMap | None

    def read(self, records: Indices) -> Array:
        """Return records (numbers in the file's order, ascending), (n, ny, nx) or (n,)."""
        values = self._cut(records, self.grid.rows if self.grid else 0, self.grid.columns if self.grid else 0)
        return self.grid(values) if self.grid is not None else values

    def whole_grid(self, record: int) -> Array:
        """Return one record on the file's grid."""
        return np.asarray(self._cut(np.array([record]), slice(None), slice(None))[0])

    def without_empty_ends(self) -> "_Piece":
        """Leave out the empty records that forecasts have before their first and after their last step."""
        if len(self.time) == 1:
            return self
        kept = self.records
        for end in (0, -1):
            while kept.size and not np.isfinite(self.read(kept[[end]])).any():
                kept = np.delete(kept, end)
        return replace(self, times=self.times[np.isin(self.records, kept)], records=kept)

    @property
    def resolution(self) -> float:
        """Step between the values that packed integers can have."""
        return float(np.abs(self.file[self.variable].attributes.get("scale_factor", 0.0)).max())

    def _cut(self, records: Indices, rows: slice | int, columns: slice | int) -> Array:
        variable = self.file[self.variable]
        # of two dimensions, such as time and step of a forecast, the second is read whole
        steps = math.prod(self.file.size(d) for d in self.time[1:])
        first, last = int(records[0]) // steps, int(records[-1]) // steps
        parts = {self.time[0]: slice(first, last + 1), "expver": slice(None)}
        parts |= dict.fromkeys(self.time[1:], slice(None))
        if self.y and self.x and self.grid:
            parts |= {self.y: rows, self.x: columns}  # type: ignore[dict-item]
        index = [parts.get(d, 0) for d in variable.dimensions]
        order = [d for d, part in zip(variable.dimensions, index, strict=True) if isinstance(part, slice)]
        values = self.file.part(self.variable, tuple(index))
        wanted = [*self.time, *([self.y, self.x] if self.grid else []), *(["expver"] if "expver" in order else [])]
        values = values.transpose([order.index(d) for d in wanted if d])
        if "expver" in order:
            values = _first_finite(values)
        values = values.reshape(-1, *values.shape[len(self.time) :])
        return np.asarray(values[records - first * steps])


def _first_finite(values: Array) -> Array:
    """Return, along the last axis, the first finite value: ERA5 (expver 1), else its preliminary form (5)."""
    pick = np.argmax(np.isfinite(values), axis=-1)
    return np.asarray(np.take_along_axis(values, pick[..., np.newaxis], axis=-1)[..., 0])


class ForcingSeries:
    """One variable over all files that hold it, as hours that can be read a few at a time.

    Files, and records in them, may come in any order. A time that several have is one record, if they agree.

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
        How to map by coordinates; without it the file must have the domain's grid.
    column
        Accept a variable without horizontal dimensions (or of one cell) for all cells.
    fill
        With `remap`: take the nearest cell with values where a cell of the file never has one.
    axis
        Finds the time dimensions; by default those with dates.

    Raises
    ------
    ConfigError
        Dimensions do not fit, or records of the same time differ.
    """

    def __init__(
        self,
        found: list[tuple[NetcdfFile, str]],
        cells: Cells,
        *,
        convert: Converter,
        hours: Callable[[NetcdfFile, str], Times],
        remap: Remap | None,
        column: bool,
        fill: bool = False,
        axis: FindTimeAxis | None = None,
    ) -> None:
        self._convert = convert
        self._cells = cells
        self._remap, self._column, self._fill = remap, column, fill and remap is not None
        self._maps: dict[tuple[object, ...], GridMap] = {}
        pieces = [self._piece(file, name, hours, axis or time_axis) for file, name in found]
        self._pieces = sorted((piece for piece in pieces if piece.times.size), key=lambda piece: piece.times.min())
        if not self._pieces:
            raise ConfigError(f"{found[0][0].path}: {found[0][1]!r} has no times")
        if len({piece.grid is None for piece in self._pieces}) > 1:
            raise ConfigError(f"{self.label}: {self._pieces[0].variable!r} is gridded in some of the files only")
        times = np.concatenate([piece.times for piece in self._pieces])
        owner = np.repeat(np.arange(len(self._pieces)), [piece.times.size for piece in self._pieces])
        record = np.concatenate([piece.records for piece in self._pieces])
        order = np.argsort(times, kind="stable")
        times, owner, record = times[order], owner[order], record[order]
        self._merge_equal_times(times, owner, record)
        first = np.append(True, np.diff(times) > 0 * HOUR)
        self.times: Times = times[first]
        self._owner, self._record = owner[first], record[first]

    @property
    def gridded(self) -> bool:
        """Whether the variable has a value for each cell."""
        return self._pieces[0].grid is not None

    @property
    def label(self) -> str:
        """Files of the variable, for messages."""
        first, last = self._pieces[0].file.path, self._pieces[-1].file.path
        return str(first) if first == last else f"{first} … {last.name}"

    def read(self, times: Times) -> Array:
        """Return the values at `times` (ascending, some of the series' own), (n, ny, nx) or (n,)."""
        positions = np.searchsorted(self.times, times)
        return self._convert(self._raw(self._owner[positions], self._record[positions]))

    def _holder(self, time: np.datetime64) -> _Piece:
        position = min(int(np.searchsorted(self.times, time)), self.times.size - 1)
        return self._pieces[int(self._owner[position])]

    def variable(self, time: np.datetime64) -> str:
        """Return the name of the variable at `time`."""
        return self._holder(time).variable

    def source(self, time: np.datetime64) -> str:
        """Return file and variable at `time`, for messages."""
        return f"{self._holder(time).file.path}: {self.variable(time)!r}"

    def _raw(self, owners: Indices, records: Indices) -> Array:
        """Return records of the pieces that own them, in this order."""
        values: Array | None = None
        for owner in np.unique(owners):
            here = np.flatnonzero(owners == owner)
            wanted, back = np.unique(records[here], return_inverse=True)
            part = self._pieces[owner].read(wanted)[back]
            if values is None:
                values = np.empty((owners.size, *part.shape[1:]))
            values[here] = part
        assert values is not None
        return values

    def _merge_equal_times(self, times: Times, owner: Indices, record: Indices) -> None:
        """Check that records of the same time agree, and let one with values stand for empty ones, in place."""
        same = np.flatnonzero(np.diff(times) == 0 * HOUR)
        for at in range(0, same.size, _COMPARED_AT_ONCE):
            before = same[at : at + _COMPARED_AT_ONCE]
            first, second = (self._raw(owner[n], record[n]).reshape(before.size, -1) for n in (before, before + 1))
            for n, (a, b) in enumerate(zip(first, second, strict=True)):
                k = before[n]
                if not np.isfinite(b).any():
                    owner[k + 1], record[k + 1] = owner[k], record[k]
                elif not np.isfinite(a).any():
                    self._let_stand(k, k + 1, times, owner, record)
                else:
                    self._require_equal(a, b, times[k], owner[k], owner[k + 1])

    @staticmethod
    def _let_stand(empty: int, full: int, times: Times, owner: Indices, record: Indices) -> None:
        while empty >= 0 and times[empty] == times[full]:
            owner[empty], record[empty] = owner[full], record[full]
            empty -= 1

    def _require_equal(self, first: Array, second: Array, time: np.datetime64, *owners: int) -> None:
        one, other = (self._pieces[owner] for owner in owners)
        # files packed each in its own way differ by half a step of their integers
        rounding = 0.51 * (one.resolution + other.resolution)
        differ = ~((np.abs(first - second) <= rounding) | (np.isnan(first) & np.isnan(second)))
        if not differ.any():
            return
        k = int(np.argmax(differ))
        where = f"{one.file.path} and {other.file.path}" if one is not other else f"{one.file.path}"
        raise ConfigError(
            f"{where}: {other.variable!r} has {show(time)} twice, with different values, {first[k]:g} and "
            f"{second[k]:g} in the first of {int(differ.sum())} cells that differ; leave one out"
        )

    # ------------------------------------------------------------------ dimensions and grid

    def _piece(
        self, file: NetcdfFile, name: str, hours: Callable[[NetcdfFile, str], Times], axis: FindTimeAxis
    ) -> _Piece:
        variable, cells = file[name], self._cells
        sizes = dict(zip(variable.dimensions, variable.shape, strict=True))
        time = axis(file, name)
        y, x = horizontal(file, name, time.dimensions)
        spatial = [d for d in sizes if d not in (*time.dimensions, "expver") and (sizes[d] > 1 or d in (y, x))]
        unnamed = [d for d in spatial if d not in (y, x)]
        if len(unnamed) == (y is None) + (x is None):
            if len(unnamed) == 2:
                y, x = by_position(file, name, *unnamed)
            elif unnamed:
                y, x = y or unnamed[0], x or unnamed[0]
        where = f"{file.path}: {name!r}"
        if any(d not in (y, x) for d in spatial):
            raise ConfigError(
                f"{where}: dimensions {_dimensions(sizes)}; needed are time and the rows and columns of the grid"
            )
        alone = all(sizes[d] == 1 for d in spatial)
        gridded = not (alone and self._column and not (y and x and cells.shape == (1, 1)))
        if gridded and (y is None or x is None):
            raise ConfigError(
                f"{where}: dimensions {_dimensions(sizes)}; "
                f"needed are time, {cells.shape[0]} rows and {cells.shape[1]} columns"
            )
        times = hours(file, time.coordinate)
        piece = _Piece(file, name, times, np.arange(times.size), time.dimensions, y, x, None)
        if not gridded or y is None or x is None:
            return piece
        grid = file_grid(file, name, y, x)
        key = tuple(None if part is None else part.tobytes() if isinstance(part, np.ndarray) else part for part in grid)
        if key not in self._maps:
            self._maps[key] = self._map(piece, grid, where)
        return replace(piece, grid=self._maps[key]).without_empty_ends()

    def _map(self, piece: _Piece, grid: FileGrid, where: str) -> GridMap:
        if self._remap is None:
            return same_grid(grid, self._cells, where, assume=False)
        interpolates = self._remap == "bilinear"
        found = (bilinear if interpolates else nearest)(grid, self._cells, where)
        if not self._fill:
            return found
        mapped = replace(piece, grid=found)
        for record in range(min(piece.times.size, _RECORDS_SEARCHED)):
            if np.isfinite(mapped.read(np.array([record]))).any():
                has_value = np.isfinite(mapped.whole_grid(record))
                completed = bilinear_with_values if interpolates else nearest_with_values
                return completed(found, has_value, grid, self._cells, str(piece.file.path))
        return found


def hour_starts(time_stamp: TimeStamp) -> Callable[[NetcdfFile, str], Times]:
    """Return a function from a time coordinate to the starts of its hours: by its bounds, else by `time_stamp`."""

    def starts(file: NetcdfFile, coordinate: str) -> Times:
        marked = stamps(file, coordinate)
        intervals = bounds(file, coordinate)
        if intervals is None:
            found = marked - _AFTER_START[time_stamp]
            order = np.unique(found, return_index=True)[1]
            lengths = np.diff(found[order])
            wrong = lengths < HOUR
        else:
            found = intervals[:, 0]
            order = np.arange(found.size)
            lengths = intervals[:, 1] - found
            wrong = lengths != HOUR
        if wrong.any():
            at = int(np.argmax(wrong))
            minutes = lengths[at] / np.timedelta64(1, "m")
            raise ConfigError(
                f"{file.path}: the record at {show(marked[order[at]])} of {coordinate!r} covers {minutes:g} minutes; "
                "needed are hourly records"
            )
        if found.size > 1 and np.all(np.diff(np.sort(found)) > HOUR):
            step = np.diff(np.sort(found)).min() / HOUR
            raise ConfigError(f"{file.path}: one record in {step:g} h; needed are hourly records")
        return found

    return starts


def _dimensions(sizes: dict[str, int]) -> str:
    return "(" + ", ".join(f"{name}: {size}" for name, size in sizes.items()) + ")"
