"""Leaf and stem area index from NetCDF files, in place of the model's own phenology."""

from __future__ import annotations

import math
from calendar import month_name
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from bmi_colm.forcing.config import Files, expand
from bmi_colm.forcing.netcdf import label, open_files
from bmi_colm.forcing.netcdf_series import ForcingSeries
from bmi_colm.forcing.units import converter
from bmi_common import Config, ConfigError, Domain
from bmi_common.calendar import DAY, Times, show, to_time
from bmi_common.errors import describe_cell, each_warning_once
from bmi_common.file_grid import Cells, horizontal
from bmi_common.netcdf_file import NetcdfFile
from bmi_common.netcdf_time import TimeAxis, bounds, first_month, stamps, time_axis, time_like

Floats = NDArray[np.float64]

LARGEST: Final = 15.0
"""Above all that has been measured of one canopy [m2 m-2]; unscaled integers of satellite products are above it."""

_LONGEST_GAP: Final = 100 * DAY  # of a climatology; four seasons are the coarsest that describe a year
_NOON: Final = np.timedelta64(12, "h")
_SECOND: Final = np.timedelta64(1, "s")


class LeafAreaConfig(Config):
    """The ``leaf_area:`` section: a series of leaf area index, and of stem area index if there is one.

    Attributes
    ----------
    file : list of Path
        NetCDF files; ``*`` and ``?`` in a file's name stand for all the files that match.
    variable, stem_area : str
        Variables of leaf and stem area index. Without `stem_area` stems are those of the land cover.
    time : str
        ``dated``: records of the days that they name. ``climatology``: records of one year that stand for every year;
        twelve are the months January to December, others need dates.
    interpolation : str
        ``linear`` between the centres of the records, or ``step``: the record that holds on the day.
    time_stamp : str
        Which instant of its period a date marks; not used where the file has bounds, or for twelve months.
    remap : str, optional
        ``nearest`` maps by coordinates; without it the file has the domain's own grid.
    missing : str
        Active cells without a value: an ``error``, or ``own``: they follow the model's own phenology.
    """

    file: Files
    variable: str
    stem_area: str | None = None
    time: Literal["climatology", "dated"]
    interpolation: Literal["linear", "step"] = "linear"
    time_stamp: Literal["start", "middle"] = "middle"
    remap: Literal["nearest"] | None = None
    missing: Literal["error", "own"] = "error"

    @model_validator(mode="after")
    def _two_variables(self) -> Self:
        if self.stem_area == self.variable:
            raise ValueError("stem_area: the same variable as that of leaf area")
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """Existing files that the section names."""
        return tuple(file for file in expand(self.file) if file.is_file())


@dataclass(frozen=True)
class _Periods:
    """What each record stands for: [start, end) and the centre, to which linear interpolation gives its value."""

    starts: Times
    centres: Times
    ends: Times

    def shifted(self, offset: np.timedelta64) -> _Periods:
        return _Periods(self.starts + offset, self.centres + offset, self.ends + offset)


class LeafArea:
    """Leaf and stem area index by the day.

    The value of a day (UTC) is that of its noon and holds for the whole day, as the model's own phenology does.

    Parameters
    ----------
    spec
        The ``leaf_area:`` section.
    domain
        Grid, place and active cells.
    start, end
        Records that the run [start, end) needs are read and checked; without an end, all from the start on.

    Raises
    ------
    ConfigError
        Files, variables or dates do not fit, the run is not covered, or a value is no leaf area index.
    """

    def __init__(self, spec: LeafAreaConfig, domain: Domain, start: datetime, end: datetime | None) -> None:
        self._spec = spec
        self._mask = domain.mask
        self._files = open_files(spec.file)
        self._label = label(self._files)
        self._kept: dict[tuple[str, int], Floats] = {}
        try:
            self._bounds: dict[datetime, datetime] = {}
            names = [spec.variable] if spec.stem_area is None else [spec.variable, spec.stem_area]
            with each_warning_once():
                self._series = {name: self._open(name, domain.cells) for name in names}
            first, *others = (series.times for series in self._series.values())
            if any(not np.array_equal(first, times) for times in others):
                raise ConfigError(f"{self._label}: {spec.variable!r} and {spec.stem_area!r} have different times")
            self._times = first
            if spec.time == "dated":
                self._dated = self._periods()
            self._check_run(start, end)
        except BaseException:
            self.close()
            raise

    @property
    def end(self) -> datetime | None:
        """First midnight (UTC) that the series does not reach any more; None for a climatology."""
        if self._spec.time == "climatology":
            return None
        covered: np.datetime64 = (self._dated.ends[-1] - _NOON - _SECOND).astype("datetime64[D]") + np.timedelta64(
            1, "D"
        )
        return covered.astype("datetime64[us]").item()  # type: ignore[no-any-return]

    def on(self, time: datetime) -> tuple[Floats, Floats | None]:
        """Return leaf and stem area index [m2 m-2] of the active cells on the day of `time`.

        NaN where the model's own phenology is wanted; no stem area if the section names none.
        """
        before, after, weight = self._place(to_time(time))
        leaf, *stem = (
            (1.0 - weight) * self._record(name, before) + (weight * self._record(name, after) if weight else 0.0)
            for name in self._series
        )
        return leaf, (stem[0] if stem else None)

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()

    # ------------------------------------------------------------------ files

    def _open(self, name: str, cells: Cells) -> ForcingSeries:
        found = [(file, name) for file in self._files if name in file]
        if not found:
            self._files[0].require(name)  # raises
        file = found[0][0]
        where = f"{file.path}: {name!r}"
        months = self._spec.time == "climatology" and self._count(file, name) == 12
        return ForcingSeries(
            found,
            cells,
            convert=converter(file.attribute(name, "units") or "1", "1", where),
            hours=_months if months else self._stamps,
            remap=self._spec.remap,
            column=True,
            axis=_month_axis if months else time_axis,
        )

    @staticmethod
    def _count(file: NetcdfFile, name: str) -> int:
        return math.prod(file.size(dimension) for dimension in _month_axis(file, name).dimensions)

    def _stamps(self, file: NetcdfFile, coordinate: str) -> Times:
        """Dates of the records; starts of their periods where the file tells them."""
        intervals = bounds(file, coordinate)
        if intervals is None:
            return stamps(file, coordinate)
        self._bounds.update(zip(intervals[:, 0].tolist(), intervals[:, 1].tolist(), strict=True))
        return np.asarray(intervals[:, 0])

    # ------------------------------------------------------------------ dates

    def _periods(self) -> _Periods:
        times = self._times
        if self._bounds:
            ends = np.array([self._bounds.get(t) for t in times.tolist()], dtype="datetime64[s]")
            if np.isnat(ends).any():
                raise ConfigError(f"{self._label}: some of the files have time bounds, others have not")
            return _Periods(times, times + (ends - times) // 2, ends)
        if times.size < 2:
            raise ConfigError(
                f"{self._label}: one record without time bounds: it is not known for how long it holds; "
                "give more records, or bounds"
            )
        gaps = np.diff(times)
        if self._spec.time_stamp == "start":
            ends = np.append(times[1:], times[-1] + gaps[-1])
            return _Periods(times, times + (ends - times) // 2, ends)
        middles = times[:-1] + gaps // 2
        return _Periods(
            np.concatenate([[times[0] - gaps[0] // 2], middles]),
            times,
            np.append(middles, times[-1] + gaps[-1] // 2),
        )

    def _around(self, day: np.datetime64) -> _Periods:
        """Periods of a climatology in the year of `day` and in the years before and after it."""
        year = day.astype("datetime64[Y]")
        if self._times.size == 12:
            starts = (year.astype("datetime64[M]") + np.arange(-12, 25)).astype("datetime64[s]")
            return _Periods(starts[:-1], starts[:-1] + np.diff(starts) // 2, starts[1:])
        own = self._periods()
        own_year = own.centres[0].astype("datetime64[Y]")
        parts = [own.shifted((year + n).astype("datetime64[s]") - own_year.astype("datetime64[s]")) for n in (-1, 0, 1)]
        return _Periods(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("starts", "centres", "ends")))

    def _place(self, time: np.datetime64) -> tuple[int, int, float]:
        """Return the records before and after the noon of the day of `time`, and the weight of the latter."""
        day = time.astype("datetime64[D]")
        noon = day.astype("datetime64[s]") + _NOON
        cyclic = self._spec.time == "climatology"
        periods = self._around(day) if cyclic else self._dated
        count = self._times.size
        if not periods.starts[0] <= noon < periods.ends[-1]:
            raise ConfigError(
                f"{self._label}: no {self._spec.variable!r} for {day}; the records hold from {show(periods.starts[0])} "
                f"to {show(periods.ends[-1])}",
                of_period=True,
            )
        if self._spec.interpolation == "step":
            at = int(np.searchsorted(periods.starts, noon, side="right")) - 1
            return at % count, at % count, 0.0
        after = int(np.searchsorted(periods.centres, noon, side="right"))
        before = max(after - 1, 0)  # the halves of the first and the last period that are outside hold their value
        after = min(after, periods.centres.size - 1)
        if before == after:
            return before % count, after % count, 0.0
        weight = (noon - periods.centres[before]) / (periods.centres[after] - periods.centres[before])
        return before % count, after % count, float(weight)

    # ------------------------------------------------------------------ values

    def _record(self, name: str, number: int) -> Floats:
        """Return a record's values of the active cells; the last two of each variable are kept."""
        key = (name, number)
        if key not in self._kept:
            mine = [k for k in self._kept if k[0] == name]
            if len(mine) > 1:
                del self._kept[mine[0]]
            values = self._series[name].read(self._times[number : number + 1])[0]
            active = np.full(int(self._mask.sum()), float(values)) if values.ndim == 0 else values[self._mask]
            self._check_values(name, number, active)
            self._kept[key] = active
        return self._kept[key]

    def _check_run(self, start: datetime, end: datetime | None) -> None:
        if self._spec.time == "climatology":
            self._check_climatology()
            needed = set(range(self._times.size))
        else:
            last = self._times.size - 1
            before, after, _ = self._place(to_time(start))
            if end is not None:
                last = max(self._place(to_time(end) - _SECOND)[:2])
            needed = {*range(before, last + 1), after}
        for name in self._series:
            for number in sorted(needed):
                self._record(name, number)

    def _check_climatology(self) -> None:
        if self._times.size == 12:
            return
        centres = self._periods().centres
        years = centres.astype("datetime64[Y]")
        if years[0] != years[-1]:
            raise ConfigError(
                f"{self._label}: a climatology has records of one year, these reach from {years[0]} to "
                f"{years[-1]}; time: dated takes them as they are"
            )
        gaps = np.append(np.diff(centres), centres[0] + np.timedelta64(365, "D") - centres[-1])
        if gaps.max() > _LONGEST_GAP:
            raise ConfigError(
                f"{self._label}: {centres.size} records from {show(centres[0])} to {show(centres[-1])} leave "
                f"{gaps.max() // DAY} days of the year without one; a climatology describes a whole year"
            )

    def _check_values(self, name: str, number: int, active: Floats) -> None:
        time = self._times[number]
        when = f"record {number + 1}" + (f" ({show(time)})" if self._spec.time == "dated" else "")
        where = f"{self._series[name].source(time)}: {when}"
        missing = np.isnan(active)
        if missing.any() and self._spec.missing == "error":
            raise ConfigError(
                f"{where}: no value in {int(missing.sum())} of {active.size} active cells, the first at "
                f"{self._cell(int(np.argmax(missing)))}; fill them, or let them follow the model's own phenology "
                "(leaf_area: {missing: own})"
            )
        bad = ~missing & ~((active >= 0.0) & (active <= LARGEST))
        if not bad.any():
            return
        column = int(np.argmax(bad))
        scaled = np.all(active[~missing] >= 0.0) and np.all(active[~missing] <= 255.0)
        hint = (
            "; this looks like the stored integers of a satellite product, whose scale_factor (0.1 for MODIS) or "
            "_FillValue the file lacks"
            if scaled
            else ""
        )
        raise ConfigError(
            f"{where}: {active[column]:g} at {self._cell(column)}; a leaf or stem area index is 0 to {LARGEST:g} "
            f"m2 m-2{hint}"
        )

    def _cell(self, column: int) -> str:
        return describe_cell(tuple(int(v) for v in np.argwhere(self._mask)[column]))


def _month_axis(file: NetcdfFile, name: str) -> TimeAxis:
    """Find the time dimension, or else the one that is no coordinate of the grid."""
    try:
        return time_axis(file, name)
    except ConfigError:
        rows_and_columns = horizontal(file, name)
        free = [d for d in file[name].dimensions if d not in rows_and_columns]
        named = [d for d in free if time_like(d)]
        twelve = [d for d in free if file.size(d) == 12]
        if named or twelve:
            dimension = (named or twelve)[0]
            return TimeAxis((dimension,), dimension)
        raise


def _months(file: NetcdfFile, coordinate: str) -> Times:
    """Months of no particular year, whatever that of their dates."""
    first = first_month(file, coordinate)
    if first not in (None, 1):
        raise ConfigError(
            f"{file.path}: the first of the twelve months of {coordinate!r} is {month_name[first]}, and a climatology "
            "begins with January; put the records in that order, or take them as they are (time: dated)"
        )
    return (np.datetime64("2001-01", "M") + np.arange(12)).astype("datetime64[s]")
