"""Dates in NetCDF files: which coordinate holds them, and what they are."""

from __future__ import annotations

import re
import warnings
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

import cftime  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from bmi_common.calendar import HOUR, Times, show, to_time
from bmi_common.errors import ConfigError, InputNotice
from bmi_common.netcdf_file import NetcdfFile, NetcdfVariable, base_name
from bmi_common.units import conversion

REAL_CALENDARS: Final = ("standard", "gregorian", "proleptic_gregorian")
"""Calendars with the days of the real one; they differ before 1582 only."""

_JULIAN_AGREES: Final = (np.datetime64("1900-03-01", "us"), np.datetime64("2100-02-28T23:59:59", "us"))
_DATES: Final = (np.datetime64("0001-01-01", "us"), np.datetime64("9999-12-31", "us"))

_UNITS: Final = re.compile(
    r"\s*(?P<unit>[A-Za-z]+)\s+since\s+(?P<date>\d{1,4}-\d{1,2}-\d{1,2})"
    r"(?:(?:T|\s+)(?P<clock>\d{1,2}(?::\d{1,2}){0,2}(?:\.\d*)?))?\s*(?P<zone>.*?)\s*",
    re.IGNORECASE,
)
_UTC: Final = ("", "Z", "UTC", "UT", "GMT")
_OFFSET: Final = re.compile(r"(?P<sign>[+-])(?P<hours>\d{1,2})(?::?(?P<minutes>\d{2}))?")

_MICROSECOND: Final = np.timedelta64(1, "us")
_HOUR: Final = 3_600_000_000  # microseconds
_ANALYSES: Final = ("forecast_reference_time",)
_TEXT_NAMES: Final = ("time", "times", "valid_time", "date", "datetime", "timestamp")


class TimeAxis(NamedTuple):
    """Where a variable has its dates.

    Attributes
    ----------
    dimensions : tuple of str
        Of the variable; two if a coordinate such as ``valid_time(time, step)`` spans both.
    coordinate : str
        Variable that holds the dates; the dimension itself, if there is none.
    """

    dimensions: tuple[str, ...]
    coordinate: str


def is_time(variable: NetcdfVariable) -> bool:
    """Tell whether a variable holds dates."""
    return " since " in variable.text("units") or _is_text(variable)


def time_axis(file: NetcdfFile, name: str) -> TimeAxis:
    """Return where a variable has its dates: the coordinate whose standard name is ``time``, else one with dates.

    Raises
    ------
    ConfigError
        No dimension has dates, or only the dates at which forecasts began.
    """
    dimensions = file[name].dimensions
    found = _dated(file, dimensions)
    dates = [(v, own) for v, own in found if v.text("standard_name") not in _ANALYSES]
    if not dates:
        what = (
            f"{found[0][0].name!r} holds the times at which forecasts began; needed is a coordinate with the "
            "standard_name time, such as valid_time"
            if found
            else f"none of its dimensions {dimensions} has a coordinate with units like 'hours since 2000-01-01'"
        )
        raise ConfigError(f"{file.path}: {name!r} has no time axis: {what}")

    def rank(one: tuple[NetcdfVariable, tuple[str, ...]]) -> tuple[bool, int, bool, bool]:
        variable, own = one
        long = sum(file.size(d) > 1 for d in own)
        return variable.text("standard_name") == "time", long, variable.name in own, variable.text("axis") == "T"

    best, own = max(dates, key=rank)
    return TimeAxis(own, best.name)


def _dated(file: NetcdfFile, dimensions: tuple[str, ...]) -> list[tuple[NetcdfVariable, tuple[str, ...]]]:
    """Return the variables with dates along some of `dimensions`, and which these are."""
    return [
        (v, own) for v in file.variables if is_time(v) and (own := _own_dimensions(v)) and set(own) <= set(dimensions)
    ]


def entry_starts(file: NetcdfFile, name: str, interval: timedelta) -> Times | None:
    """Return when each entry of a variable begins that has one for each `interval`; None of a file without dates.

    Raises
    ------
    ConfigError
        The entries do not follow each other in steps of `interval`, or as `stamps`.
    """
    if not _dated(file, file[name].dimensions):
        return None
    coordinate = time_axis(file, name).coordinate
    intervals = bounds(file, coordinate)
    found = stamps(file, coordinate) if intervals is None else intervals[:, 0]
    wrong = np.diff(found) != np.timedelta64(interval)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ConfigError(
            f"{file.path}: {name!r}: the entry of {show(found[at])} is followed by that of {show(found[at + 1])}; "
            f"needed is one entry in {interval / timedelta(hours=1):g} h"
        )
    return np.asarray(found)


def entry_at(times: Times, begin: datetime, whose: str, interval: timedelta) -> int:
    """Return the entry of a series with dates that begins at a date (UTC), which `whose` names for the message.

    Raises
    ------
    ConfigError
        No entry begins then.
    """
    found = np.flatnonzero(times == to_time(begin))
    if not found.size:
        raise ConfigError(
            f"no entry begins at {show(to_time(begin))}, {whose}; they begin from {show(times[0])} to "
            f"{show(times[-1])}, one in {interval / timedelta(hours=1):g} h",
            of_period=True,
        )
    return int(found[0])


def first_month(file: NetcdfFile, coordinate: str) -> int | None:
    """Return the month, 1 to 12, of the first entry of a time coordinate in any calendar; None if there is no date.

    Without bounds a stamp within a day of the turn of a month may belong to either, and counts as January's if it can.
    """
    if coordinate not in file or not is_time(file[coordinate]):
        return None
    variable = file[coordinate]
    name = variable.text("bounds")
    try:
        if name in file:
            low, high = np.ma.asarray(file.raw(name)).reshape(-1, 2)[0]
            numbers = [0.5 * (float(low) + float(high))]
        else:
            number, day = float(np.ma.asarray(file.raw(coordinate)).ravel()[0]), _day(variable)
            numbers = [number, number - day, number + day]
        calendar = variable.text("calendar").lower() or "standard"
        months = [int(cftime.num2date(n, variable.text("units"), calendar).month) for n in numbers]
    except (ConfigError, ValueError, TypeError, OverflowError):
        return None  # of a year that no calendar has, say
    return 1 if 1 in months else months[0]


def _day(variable: NetcdfVariable) -> float:
    unit = variable.text("units").split(" since ")[0]
    return conversion("day", unit).factor


def stamps(file: NetcdfFile, coordinate: str) -> Times:
    """Return the dates of a time coordinate in the file's order, flat.

    Raises
    ------
    ConfigError
        The calendar is not the real one, the units name a time zone, or a date is missing.
    """
    variable = file[coordinate]
    where = f"{file.path}: {coordinate!r}"
    if _is_text(variable):
        return _from_texts(file.read(coordinate), where)
    return decode(file.raw(coordinate), variable, where).ravel()


def bounds(file: NetcdfFile, coordinate: str) -> NDArray[np.datetime64] | None:
    """Return starts and ends, (n, 2), of the intervals of a time coordinate, if the file tells; raises as `stamps`."""
    variable = file[coordinate]
    name = variable.text("bounds")
    if name not in file:
        return None
    if file[name].shape != (*variable.shape, 2):
        raise ConfigError(
            f"{file.path}: {name!r}, the bounds of {coordinate!r}, does not have two entries for each of it"
        )
    # bounds have the units of their coordinate, and need not repeat them
    return decode(file.raw(name), variable, f"{file.path}: {name!r}").reshape(-1, 2)


def interval_ends(file: NetcdfFile, variable: NetcdfVariable) -> Times:
    """Return the end of each record of `variable` to the nearest hour, by its time bounds if it has any.

    Raises
    ------
    ConfigError
        The first dimension has no coordinate of its name; otherwise as `stamps`.
    """
    time = variable.dimensions[0]
    if time not in file or file[time].dimensions != (time,):
        raise ConfigError(f"{file.path}: {variable.name} has no time with units such as 'hours since 2020-01-01'")
    own, intervals = stamps(file, time), bounds(file, time)  # the coordinate first: units and calendar are its own
    ends = own if intervals is None else intervals[:, 1]
    return np.asarray(((ends + HOUR // 2).astype(np.int64) // 3600 * 3600).astype("datetime64[s]"))


def decode(values: Any, coordinate: NetcdfVariable, where: str) -> Times:
    """Return the dates, to the nearest second and in UTC, of numbers in the units of a time coordinate.

    Parameters
    ----------
    values : array_like
        Numbers, possibly masked.
    coordinate : NetcdfVariable
        Gives units, calendar and precision.
    where : str
        Begins messages.

    Raises
    ------
    ConfigError
        See `stamps`.

    Warns
    -----
    InputNotice
        Dates in single precision were taken for the whole hours nearest to them, or Julian ones for Gregorian ones.
    """
    numbers = np.ma.asarray(values)
    missing = np.ma.getmaskarray(numbers) | ~np.isfinite(np.ma.filled(numbers, 0))
    if missing.any():
        raise ConfigError(f"{where} has missing values, the first is number {int(np.argmax(missing)) + 1}")
    units = coordinate.text("units")
    calendar = coordinate.text("calendar").lower() or "standard"
    if calendar not in (*REAL_CALENDARS, "julian"):
        raise ConfigError(
            f"{where}: calendar {calendar!r} has other days than the real one; usable are {', '.join(REAL_CALENDARS)}"
        )
    try:
        origin, unit = _reference(units, "proleptic_gregorian" if calendar == "julian" else calendar)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    plain = np.ma.getdata(numbers)
    limits = [(date - origin) / _MICROSECOND for date in _DATES]
    with np.errstate(over="ignore"):
        since = np.rint(plain.astype(np.float64) * unit)
    if since.size and not (limits[0] <= since.min() and since.max() <= limits[1]):
        raise ConfigError(f"{where}: {plain.min():g} to {plain.max():g} {units!r} are no dates")
    whole = plain.astype(np.int64) * unit if plain.dtype.kind in "iu" else since.astype(np.int64)
    if coordinate.is_single_precision and plain.size:
        whole = _whole_hours(plain, whole, unit, where)
    dates = origin + whole * _MICROSECOND
    if calendar == "julian":
        _check_julian(np.append(dates, origin), where)
    # dates held as days in floating point are off by some microseconds
    return np.asarray((dates + np.timedelta64(500_000, "us")).astype("datetime64[s]"))


@lru_cache(maxsize=64)  # all variables of a file, and often all files, count alike
def _reference(units: str, calendar: str) -> tuple[np.datetime64, int]:
    """Return the date that is counted from, UTC, and the microseconds of a unit."""
    match = _UNITS.fullmatch(units)
    if match is None:
        raise ConfigError(f"cannot read the units {units!r}; needed is, say, 'hours since 2000-01-01 00:00'")
    counted = f"{match['unit']} since {match['date']} {match['clock'] or '00:00'}"
    try:
        # of the calendars' own arithmetic only the origin is needed: all count the same days from there on
        origin = cftime.num2date(0, counted, calendar)
        unit = (cftime.num2date(1, counted, calendar) - origin) // timedelta(microseconds=1)
        date = np.datetime64(origin.change_calendar("proleptic_gregorian").isoformat(), "us")
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigError(f"cannot read the units {units!r}: {error}") from error
    return date + _to_utc(match["zone"], units), int(unit)


def _to_utc(zone: str, units: str) -> np.timedelta64:
    """Return what is to be added to a zone's time."""
    if zone.upper() in _UTC:
        return np.timedelta64(0, "us")
    match = _OFFSET.fullmatch(zone)
    if match is None:
        raise ConfigError(
            f"the units {units!r} name the time zone {zone!r}, which CF does not allow (a name does not tell "
            "whether summer time holds); give UTC, or an offset from it such as '+01:00'"
        )
    minutes = 60 * int(match["hours"]) + int(match["minutes"] or 0)
    return np.timedelta64(60_000_000 * (-minutes if match["sign"] == "+" else minutes), "us")


def _whole_hours(numbers: Any, since: NDArray[np.int64], unit: int, where: str) -> NDArray[np.int64]:
    """Return microseconds `since` the origin, of `numbers` in single precision, as the hours that were meant."""
    rounding = float(np.spacing(np.float32(np.abs(numbers).max()))) * unit
    if rounding < 1_000_000:
        return since
    for step in (_HOUR, _HOUR // 2):  # stamps at the ends of hours, or in their middle
        nearest = np.rint(since / step).astype(np.int64) * step
        off = np.abs(nearest - since)
        if rounding <= step / 2 and off.max() <= rounding:
            if off.max() >= 500_000:
                warnings.warn(
                    f"{where} is stored in single precision, which resolves {rounding / 6e7:.2g} minutes here; its "
                    f"dates are taken for the whole {'hours' if step == _HOUR else 'half hours'} nearest to them",
                    InputNotice,
                    stacklevel=2,
                )
            return nearest
    raise ConfigError(
        f"{where} is stored in single precision, which resolves {rounding / 6e7:.2g} minutes here, so that its hours "
        "cannot be told; store it in double precision, or count from a nearer date"
    )


def _check_julian(dates: NDArray[np.datetime64], where: str) -> None:
    if dates.min() < _JULIAN_AGREES[0] or dates.max() > _JULIAN_AGREES[1]:
        raise ConfigError(
            f"{where}: calendar 'julian' has other days than the real one before March 1900 and after February 2100; "
            f"it counts from {show(dates[-1])}; usable are {', '.join(REAL_CALENDARS)}"
        )
    warnings.warn(
        f"{where}: the calendar is 'julian', which has the same days in every month from March 1900 to February 2100; "
        f"its dates are read as those of the real one ({show(dates[0])} first)",
        InputNotice,
        stacklevel=2,
    )


def _is_text(variable: NetcdfVariable) -> bool:
    """Tell whether a variable holds dates as texts, or as arrays of characters such as WRF's ``Times``."""
    named = variable.label in _TEXT_NAMES or variable.text("standard_name") == "time"
    return named and (variable.dtype is str or getattr(variable.dtype, "kind", "") in "SU")


def _own_dimensions(variable: NetcdfVariable) -> tuple[str, ...]:
    characters = getattr(variable.dtype, "kind", "") == "S"
    return variable.dimensions[:-1] if characters else variable.dimensions


def _from_texts(texts: Any, where: str) -> Times:
    array = np.ma.filled(np.ma.asarray(texts), "")
    if array.dtype.kind == "S":
        array = np.array([b"".join(row).decode(errors="replace") for row in array.reshape(-1, array.shape[-1])])
    words = [str(text).strip("\x00 ").replace("_", "T", 1).removesuffix("Z") for text in array.ravel()]
    try:
        dates = np.array([np.datetime64(word, "s") for word in words], dtype="datetime64[s]")
    except ValueError as error:
        raise ConfigError(f"{where}: cannot read its dates: {error}; needed are texts like 2020-10-01T05:00") from error
    if np.isnat(dates).any():
        raise ConfigError(f"{where} has missing values, the first is number {int(np.argmax(np.isnat(dates))) + 1}")
    return dates


def time_like(dimension: str) -> bool:
    """Tell whether a dimension is called like one of time."""
    return base_name(dimension) in ("time", "month", "months", "t", "valid_time")
