"""What stations have measured: values, and the intervals of UTC that they are means of."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bmi_common.arrays import Array
from bmi_common.calendar import Times
from bmi_common.errors import ConfigError, out_of_range
from bmi_common.netcdf_file import NetcdfFile
from bmi_common.netcdf_time import bounds, stamps, time_axis
from bmi_common.units import conversion
from rootzone.evaluation.observations.config import StationConfig
from rootzone.evaluation.observations.formats import layout, time_texts
from rootzone.evaluation.observations.stamps import (
    Interval,
    Intervals,
    Places,
    Precision,
    from_local,
    intervals,
    parse,
    place_in_interval,
    word,
)
from rootzone.evaluation.observations.table import read_table


@dataclass(frozen=True)
class ObservedSeries:
    """The measurements of a station.

    Attributes
    ----------
    begin, end : ndarray of datetime64[s], shape (values,)
        Of the interval of each value, UTC, ascending; no two overlap.
    values : ndarray, shape (values,)
        In the units of the station's quantity; NaN where there is none.
    length : timedelta or "month"
        Of the intervals.
    reading : str
        How the file was read, for those who read the report.
    notes : tuple of str
        What its reader must know.
    """

    begin: Times
    end: Times
    values: Array
    length: Interval
    reading: str = field(default="", compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)


def read_series(station: StationConfig) -> ObservedSeries:
    """Read the file of a station.

    Raises
    ------
    ConfigError
        If the file cannot be read, lacks a column, holds something else than times and numbers, times that do not
        ascend or do not tell their interval, impossible values or none at all, or units that do not convert.
    """
    return _from_netcdf(station) if station.is_netcdf else _from_table(station)


def _from_table(station: StationConfig) -> ObservedSeries:
    table = read_table(station.file)
    where = layout(station, table)
    found = parse(time_texts(table, where), station.zone, table)
    spans = intervals(found, station.times, where.interval, station.zone, table)
    values = np.array(table.numbers(where.value, where.missing))
    if where.quality is not None:
        flags = np.array(table.numbers(where.quality, where.missing))
        with np.errstate(invalid="ignore"):
            good = flags >= where.limit if where.shares else flags <= where.limit
        values = np.where(good, values, np.nan)  # a value without a flag does not count
    units = where.units or station.kind.units
    reading = f"{station.file.name}, {where.format.value}: {where.value} [{units}], {_of(spans.length)}"
    if where.quality is not None:
        reading += f"; {where.quality} {'from' if where.shares else 'to'} {where.limit:g} counts"
    zone = station.zone if where.zone is None else f"of {where.zone}"
    reading += f"; times {zone}, {where.times} {place_in_interval(found.precision, spans.length, station.times)}"
    return _series(station, spans, values, units, reading, table)


def _of(length: Interval) -> str:
    return f"means of {word(length)}"


def _from_netcdf(station: StationConfig) -> ObservedSeries:
    assert station.variable is not None
    with NetcdfFile(station.file) as file:
        variable = file.require(station.variable)
        axis = time_axis(file, station.variable)
        if int(np.prod(variable.shape)) != file.size(axis.dimensions[0]) or len(axis.dimensions) != 1:
            sizes = ", ".join(f"{d}: {n}" for d, n in zip(variable.dimensions, variable.shape, strict=True))
            raise ConfigError(
                f"{station.file}: {station.variable} has the dimensions ({sizes}); one series along time is needed"
            )
        local, edges = stamps(file, axis.coordinate), bounds(file, axis.coordinate)
        values = file.values(station.variable).ravel()
        units = station.units or variable.text("units") or station.kind.units
    values[np.isin(values, station.missing)] = np.nan
    records = _Records(station.file, station.variable)
    if edges is None:
        found = from_local(local, Precision.TIME, station.zone, records)
        spans = intervals(found, station.times, station.interval, station.zone, records)
    else:
        if station.interval is not None or "times" in station.model_fields_set:
            raise ConfigError(
                f"without effect, because {station.file.name} has the bounds of its intervals",
                key="times" if station.interval is None else "interval",
            )
        begin, end = (
            from_local(np.ascontiguousarray(edges[:, i]), Precision.TIME, station.zone, records).utc for i in (0, 1)
        )
        wrong = np.flatnonzero((end <= begin) | np.append(begin[1:] < end[:-1], False))
        if wrong.size:
            raise records.error(int(wrong[0]), "its bounds do not follow each other")
        spans = Intervals(begin, end, (end - begin).min().item())
    reading = f"{station.file.name}, NetCDF: {station.variable} [{units}], {_of(spans.length)}; times {station.zone}"
    return _series(station, spans, values, units, reading, records)


@dataclass(frozen=True)
class _Records:
    """The records of a NetCDF variable, as `Places`."""

    file: Path
    variable: str

    def where(self, number: int) -> str:
        return f"record {number + 1}"

    def error(self, number: int, message: str) -> ConfigError:
        return ConfigError(f"{self.file}: {self.where(number)} of {self.variable}: {message}")


def _series(
    station: StationConfig, spans: Intervals, values: Array, units: str, reading: str, places: Places
) -> ObservedSeries:
    try:
        to = conversion(units, station.kind.units)
    except ConfigError as error:
        raise ConfigError(f"{station.kind.title}: {error}", key="units") from None
    converted = values * to.factor + to.offset
    notes = () if station.quantity != "water_table_depth" else _of_sign(converted, units)
    low, high = station.kind.limits
    wild = np.flatnonzero((converted < low) | (converted > high))
    if wild.size:
        i = int(wild[0])
        raise places.error(
            i,
            f"{station.kind.title} {out_of_range(converted[i], low, high, station.kind.units)}; if "
            f"{values[i]:.10g} stands for no value, give `missing: [{values[i]:.10g}]`; if the file's units are not "
            f"{units}, `units`{''.join(f'; {note}' for note in notes)}",
        )
    if np.isnan(converted).all():
        raise ConfigError(f"{station.file}: has no value of {station.kind.title} that counts; {reading}")
    return ObservedSeries(spans.begin, spans.end, converted, spans.length, reading, notes)


def _of_sign(depths: Array, units: str) -> tuple[str, ...]:
    """Note on depths of the water table most of which lie above the ground."""
    known = depths[np.isfinite(depths)]
    above = int((known < 0.0).sum())
    if 2 * above <= len(known):
        return ()
    return (
        f"{above} of {len(known)} water table depths are below 0, which is above the ground: a depth is positive "
        f"downward; if the file counts upward, give `units: -1 {units}`",
    )
