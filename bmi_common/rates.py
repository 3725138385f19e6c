"""Rates that change in time: a number, a cycle of intervals, or a series or map of a file."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf, isclose
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, field_validator, model_validator

from bmi_common.arrays import Array
from bmi_common.calendar import Times, naive_utc, show
from bmi_common.config import Config, ConfigPath
from bmi_common.domain import Domain
from bmi_common.errors import ConfigError
from bmi_common.fields import FieldConfig, read_netcdf_variable
from bmi_common.netcdf_file import NetcdfFile
from bmi_common.netcdf_time import entry_at, entry_starts
from bmi_common.suggest import did_you_mean
from bmi_common.units import conversion

_NETCDF = (".nc", ".nc4")
_INSTANT = 1.0e-9
"""Hours that rounding makes of a step's limits; what is shorter does not count as an interval."""

_SHORTEST_CYCLE = 1.0e-6
"""Hours."""


class IntervalConfig(Config):
    """An interval of a cycle: so many `hours` with this `rate`, a number or a map."""

    hours: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    rate: Annotated[float, Field(allow_inf_nan=False)] | FieldConfig


class RateConfig(Config):
    """Where a rate comes from, or a head: anything that holds over intervals of time.

    In YAML a plain number is a steady rate and the name of a PFB file a steady map.

    Attributes
    ----------
    value : float, optional
        Steady rate.
    cycle : list of IntervalConfig, optional
        Intervals that follow each other from time 0 of the run.
    repeat : bool or int
        Whether the cycle begins again, or how often it passes in all; afterwards its last rate holds.
    file : Path, optional
        CSV file with a header; NetCDF file; PFB file with a steady map.
    column : str, optional
        Column of a CSV file. If it is not the first, the first holds times: hours from the start of the run, or dates
        (UTC).
    variable : str, optional
        NetCDF variable (time), (time, y, x) or (y, x).
    interval : float
        Length [h] that an entry of a series holds. The run begins with the entry of its start by the times of the
        file, or with the first of a file that has none.
    units : str, optional
        Units of the values, where they are not the documented ones and no NetCDF attribute names them.
    """

    value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    cycle: Annotated[list[IntervalConfig], Field(min_length=1)] | None = None
    repeat: bool | Annotated[int, Field(ge=1)] = True
    file: ConfigPath | None = None
    column: str | None = None
    variable: str | None = None
    interval: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    units: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, data: Any) -> Any:
        if isinstance(data, int | float) and not isinstance(data, bool):
            return {"value": data}
        if isinstance(data, str | Path):
            return {"file": data}
        if not isinstance(data, dict | RateConfig):
            raise ValueError(f"expected a number, a cycle or a file, got {data}")
        return data

    @field_validator("repeat", mode="before")
    @classmethod
    def _passes(cls, repeat: Any) -> Any:
        if isinstance(repeat, bool) or (isinstance(repeat, int) and repeat >= 1):
            return repeat
        raise ValueError(
            f"must be true (again and again), false (once, then the last rate) or a number of passes from 1 on, got "
            f"{repeat!r}"
        )

    @model_validator(mode="after")
    def _one_source(self) -> RateConfig:
        if sum(s is not None for s in (self.value, self.cycle, self.file)) != 1:
            raise ValueError("give one of a number, cycle and file")
        if self.cycle is None and "repeat" in self.model_fields_set:
            raise ValueError("repeat: without effect, because no cycle is given beside it")
        if self.cycle is not None and sum(entry.hours for entry in self.cycle) < _SHORTEST_CYCLE:
            raise ValueError(f"cycle: lasts less than {_SHORTEST_CYCLE:g} h")
        suffix = None if self.file is None else self.file.suffix.lower()
        needs = {".csv": "column", **dict.fromkeys(_NETCDF, "variable")}.get(suffix or "")
        for key in ("column", "variable"):
            if key == needs and getattr(self, key) is None:
                raise ValueError(f"name the {key} of {self.file.name}: {{file: {self.file.name}, {key}: ...}}")  # type: ignore[union-attr]
            if key != needs and getattr(self, key) is not None:
                raise ValueError(f"{key}: without effect, because no {'CSV' if key == 'column' else 'NetCDF'} is given")
        if needs is None and "interval" in self.model_fields_set:
            raise ValueError("interval: without effect, because no series is given beside it")
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that the rate is read from."""
        maps = [entry.rate for entry in self.cycle or () if isinstance(entry.rate, FieldConfig)]
        own = () if self.file is None else (self.file,)
        return tuple(dict.fromkeys((*own, *(file for spec in maps for file in spec.files))))

    def read(self, name: str, units: str, domain: Domain, start: datetime | None = None) -> Rate:
        """Read the rate.

        Parameters
        ----------
        name : str
            What the rate is, for messages.
        units : str
            Units wanted.
        domain : Domain
            Where maps lie.
        start : datetime, optional
            Start of the run (UTC), which a series with dates needs.

        Raises
        ------
        ConfigError
            For a file that cannot be read, entries that are missing or do not follow each other, maps of another shape,
            units that do not convert, a series that has no entry for the start.
        """
        if self.cycle is not None:
            factor, offset = self._change(name, units, None)
            values = self._of_cycle(name, units, domain, factor, offset)
            passes = (inf if self.repeat else 1) if isinstance(self.repeat, bool) else self.repeat
            return Rate(Intervals(np.cumsum([entry.hours for entry in self.cycle]), passes), values)
        if self.file is None:
            assert self.value is not None
            factor, offset = self._change(name, units, None)
            return Rate.steady(np.array(self.value * factor + offset))
        suffix = self.file.suffix.lower()
        if suffix == ".csv":
            factor, offset = self._change(name, units, None)
            return self._series(read_csv_column(self.file, str(self.column), self.interval, start) * factor + offset)
        if suffix in _NETCDF:
            return self._from_netcdf(name, units, domain, start)
        field = FieldConfig(file=self.file, units=self.units)
        return Rate.steady(field.read(name, domain.surface.shape, units, domain.mask, cells=domain.cells))

    def _of_cycle(self, name: str, units: str, domain: Domain, factor: float, offset: float) -> Array:
        """Values (entries) of the intervals, or (entries, ny, nx) where one of them has a map."""
        assert self.cycle is not None
        rates = [
            entry.rate.read(name, domain.surface.shape, units, domain.mask, cells=domain.cells)
            if isinstance(entry.rate, FieldConfig)
            else np.asarray(entry.rate * factor + offset)
            for entry in self.cycle
        ]
        return np.stack(np.broadcast_arrays(*rates))

    def _from_netcdf(self, name: str, units: str, domain: Domain, start: datetime | None) -> Rate:
        assert self.file is not None
        source = f"{self.file} ({self.variable}): {name}"
        values, attribute = read_netcdf_variable(self.file, str(self.variable), domain.cells)
        factor, offset = self._change(name, units, attribute)
        surface = domain.surface.shape
        if values.shape not in (surface, values.shape[:1], (*values.shape[:1], *surface)):
            raise ConfigError(
                f"{source} has shape {values.shape}, needs (time), (time, y, x) or (y, x) with (y, x) = {surface}"
            )
        steady, first = values.shape == surface and values.ndim == 2, 0
        if not steady:
            interval = timedelta(hours=self.interval)
            with NetcdfFile(self.file) as file:
                times = entry_starts(file, str(self.variable), interval)
            first = first_entry(times, start, f"{self.file} ({self.variable})", interval)
            values = values[first:]
        bad = ~np.isfinite(values)
        if values.ndim > 1:
            bad &= domain.mask
        if bad.any():
            raise ConfigError(f"{source} is not finite in entry {first + int(np.argwhere(bad)[0][0])}")
        values = values * factor + offset
        return Rate.steady(values) if steady else self._series(values)

    def _series(self, values: Array) -> Rate:
        return Rate(Intervals.equal(len(values), self.interval), values)

    def _change(self, name: str, units: str, attribute: str | None) -> tuple[float, float]:
        given = self.units or attribute
        if given is None or given == units:
            return 1.0, 0.0
        try:
            change = conversion(given, units)
        except ConfigError as error:
            raise ConfigError(f"{name}: {error}") from None
        return change.factor, change.offset


def first_entry(times: Times | None, start: datetime | None, source: str, interval: timedelta) -> int:
    """Return the entry of a series that the run begins with, by the dates of its entries; 0 of one without dates.

    Raises
    ------
    ConfigError
        If there are dates and `start` (UTC) is not known, or no entry begins then.
    """
    if times is None:
        return 0
    if start is None:
        raise ConfigError(
            f"{source}: entries have dates, from {show(times[0])} on; give `start:` at the top of the configuration, "
            "the date (UTC) that the run begins with, which a coupled run replaces by its own"
        )
    try:
        return entry_at(times, start, "the start of the run", interval)
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}", of_period=True) from None


def read_csv_column(path: Path, column: str, interval: float, start: datetime | None = None) -> Array:
    """Read a series from a column of a CSV file, one entry for each `interval` [h] from the start of the run (UTC) on.

    Raises
    ------
    ConfigError
        If there is no such column, a value is missing or no number, or the times of the first column do not follow each
        other in steps of `interval`; names the line. If no line is that of the start.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [(n, row) for n, row in enumerate(csv.reader(file), start=1) if any(cell.strip() for cell in row)]
    except (OSError, ValueError, csv.Error) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    header = [name.strip() for name in rows[0][1]] if rows else []
    if column not in header:
        if len(header) == 1 and ";" in header[0]:
            raise ConfigError(f"{path}:{rows[0][0]}: columns must be separated by commas, and decimals by a point")
        raise ConfigError(f"{path}: no column {column!r}{did_you_mean(column, header)}")
    if header.count(column) > 1:
        raise ConfigError(f"{path}:{rows[0][0]}: {header.count(column)} columns are called {column!r}")
    lines = rows[1:]
    if not lines:
        raise ConfigError(f"{path}: no line follows the header")
    at = header.index(column)
    first = _first_line(path, [(n, row[0].strip()) for n, row in lines], interval, start) if at > 0 else 0
    return np.array([_number(path, n, row[at] if at < len(row) else "", column) for n, row in lines[first:]])


def _first_line(path: Path, texts: list[tuple[int, str]], interval: float, start: datetime | None) -> int:
    """Return which of the times, as they are written in numbered lines, is the start of the run."""
    times = [_time(path, n, text) for n, text in texts]
    dates = [time for time in times if isinstance(time, datetime)]
    if dates and len(dates) < len(times):
        at = next(i for i, time in enumerate(times) if isinstance(time, datetime) != isinstance(times[0], datetime))
        raise ConfigError(f"{path}:{texts[at][0]}: the first column holds either hours or dates")
    hours = [(d - dates[0]) / timedelta(hours=1) for d in dates] or [t for t in times if isinstance(t, float)]
    for (n, _), before, after in zip(texts[1:], hours, hours[1:], strict=False):
        if not isclose(after - before, interval, rel_tol=1e-6):
            raise ConfigError(
                f"{path}:{n}: {after - before:g} h after the line before; needed is one line in {interval:g} h"
            )
    if dates:
        return first_entry(np.array(dates, dtype="datetime64[us]"), start, str(path), timedelta(hours=interval))
    begins = np.flatnonzero(np.isclose(hours, 0.0, atol=1e-6 * interval))
    if not begins.size:
        raise ConfigError(
            f"{path}:{texts[0][0]}: hours count from the start of the run; none of {hours[0]:g} to {hours[-1]:g} is 0"
        )
    return int(begins[0])


def _number(path: Path, line: int, text: str, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise ConfigError(f"{path}:{line}: {column} is {text.strip()!r}, and must be a number")
    return value


def _time(path: Path, line: int, text: str) -> float | datetime:
    """Hours, or a date (UTC)."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return naive_utc(datetime.fromisoformat(text))
    except ValueError:
        raise ConfigError(f"{path}:{line}: the time {text!r} is neither hours nor a date") from None


@dataclass(frozen=True)
class Intervals:
    """Intervals of time that follow each other from the start of the run.

    Attributes
    ----------
    ends : ndarray, shape (entries,)
        When each ends [h].
    passes : float
        How often they are passed through; infinite for ever.
    last_holds : bool
        Whether the last goes on after the last pass; otherwise nothing is known of that time.
    """

    ends: Array
    passes: float = 1
    last_holds: bool = True

    @classmethod
    def equal(cls, entries: int, length: float) -> Intervals:
        """Entries of a series, each of a `length` [h]; nothing is known of the time after them."""
        return cls(np.asarray(length * np.arange(1, entries + 1), dtype=np.float64), last_holds=False)

    @property
    def end(self) -> float:
        """Time [h] that is known of."""
        return inf if self.last_holds else float(self.ends[-1] * self.passes)

    def shares(self, start: float, length: float) -> dict[int, float]:
        """Shares [-] of the entries in a step of `length` [h] from the time `start` [h] on."""
        hours: dict[int, float] = {}
        time, stop = start, start + length
        while stop - time > _INSTANT:
            entry, remaining = self._at(time)
            part = min(remaining, stop - time)
            hours[entry] = hours.get(entry, 0.0) + part
            time += part
        return {entry: part / sum(hours.values()) for entry, part in hours.items()}

    def _at(self, time: float) -> tuple[int, float]:
        """Entry that holds at a time [h], and for how long it still does."""
        period = float(self.ends[-1])
        passed = np.floor((time + _INSTANT) / period)
        if passed >= self.passes:
            return len(self.ends) - 1, inf
        within = max(time - passed * period, 0.0)
        entry = int(np.searchsorted(self.ends, within + _INSTANT, side="right"))
        return entry, float(self.ends[entry]) - within


@dataclass(frozen=True)
class Rate:
    """A rate that holds over intervals of time.

    Attributes
    ----------
    intervals : Intervals
        When each entry holds.
    values : ndarray, shape (entries,) or (entries, ny, nx)
        Rate of each entry.
    """

    intervals: Intervals
    values: Array

    @classmethod
    def steady(cls, value: Array) -> Rate:
        """Hold one value, () or (ny, nx), for ever."""
        return cls(Intervals(np.ones(1)), np.asarray(value)[np.newaxis])

    @property
    def end(self) -> float:
        """Time [h] up to which the rate is known."""
        return self.intervals.end

    def mean(self, start: float, length: float) -> Array:
        """Mean over a step of `length` [h] from the time `start` [h] on: shape () or (ny, nx)."""
        shares = self.intervals.shares(start, length)
        return np.asarray(np.sum([share * self.values[entry] for entry, share in shares.items()], axis=0))
