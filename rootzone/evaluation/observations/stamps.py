"""Times as files of measurements write them, and the intervals that they stand for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import IntEnum
from typing import Literal, Protocol

import numpy as np

from bmi_common.calendar import DAY, Times, show
from bmi_common.durations import describe
from bmi_common.errors import ConfigError
from rootzone.evaluation.observations.config import MONTH
from rootzone.evaluation.observations.zones import to_utc

Interval = timedelta | Literal["month"]


class Places(Protocol):
    """Where in its file each time of a series stands."""

    def where(self, number: int) -> str:
        """Name the place of a time, such as ``line 5``."""

    def error(self, number: int, message: str) -> ConfigError:
        """Return the error that names file and place of a time."""


_DIGITS = {6: "%Y%m", 8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_MONTH = re.compile(r"(\d{4})-(\d{2})(?:-00)?")
_SECOND = np.timedelta64(1, "s")


class Precision(IntEnum):
    """What a written time names."""

    MONTH = 0
    DAY = 1
    TIME = 2


@dataclass(frozen=True)
class Stamps:
    """The times of a series.

    Attributes
    ----------
    local, utc : ndarray of datetime64[s]
        As the clock of the file shows them, and in UTC, ascending.
    precision : Precision
        What all of them name.
    """

    local: Times
    utc: Times
    precision: Precision


@dataclass(frozen=True)
class Intervals:
    """What the values of a series are means of.

    Attributes
    ----------
    begin, end : ndarray of datetime64[s]
        UTC.
    length : timedelta or "month"
        Of each.
    """

    begin: Times
    end: Times
    length: Interval


def parse(texts: list[str], zone: tzinfo, places: Places) -> Stamps:
    """Read times such as ``2019-10-01 05:30``, ``2019-10-01``, ``2019-10``, ``201910010530``.

    A time may name its own offset, as in ``2019-10-01T05:30+08:00``; it is brought to the clock of `zone`.

    Raises
    ------
    ConfigError
        For what is no time, and where some are days and others hours.
    """
    local = np.empty(len(texts), "datetime64[s]")
    precision: Precision | None = None
    for i, text in enumerate(texts):
        try:
            time, of = written(text)
        except ValueError:
            raise places.error(i, f"the time {text[:40]!r} is not a date such as 2019-10-01 05:30") from None
        if precision not in (None, of):
            raise places.error(
                i, f"the time {text[:40]!r} names a {of.name.lower()}, those before a {precision.name.lower()}"
            )
        precision = of
        if time.tzinfo is not None:
            time = time.astimezone(zone).replace(tzinfo=None)
        local[i] = np.datetime64(time, "s")
    return from_local(local, Precision.TIME if precision is None else precision, zone, places)


def from_local(local: Times, precision: Precision, zone: tzinfo, places: Places) -> Stamps:
    """Bring times to UTC; raises `ConfigError` unless every one is later than the one before."""
    utc = to_utc(local, zone, places.error if precision is Precision.TIME else None)
    steps = np.diff(utc)
    for i in map(int, np.flatnonzero(steps <= 0 * _SECOND)[:1] + 1):
        if steps[i - 1] == 0 * _SECOND:
            said = f"is there twice, in {places.where(i - 1)} and {places.where(i)}; each time must be there once"
        elif len(steps) > 1 and (steps < 0 * _SECOND).all():
            said = f"comes after {show(local[i - 1])} in {places.where(i - 1)}, and so on; reverse the file"
        else:
            said = f"comes after {show(local[i - 1])} in {places.where(i - 1)}; sort the file so that times ascend"
        raise places.error(i, f"the time {show(local[i])} {said}")
    return Stamps(local, utc, precision)


def written(text: str) -> tuple[datetime, Precision]:
    """Read one time, and what it names; raises `ValueError` for what is not a time."""
    if text.isdigit() and len(text) in _DIGITS:
        time = datetime.strptime(text, _DIGITS[len(text)])
        return time, {6: Precision.MONTH, 8: Precision.DAY}.get(len(text), Precision.TIME)
    match = _MONTH.fullmatch(text)
    if match is not None:
        return datetime(int(match[1]), int(match[2]), 1), Precision.MONTH
    time = datetime.fromisoformat(text)
    return time, Precision.DAY if len(text) <= 10 else Precision.TIME


def intervals(stamps: Stamps, times: str, given: Interval | None, zone: tzinfo, places: Places) -> Intervals:
    """Return what the values at some times are means of.

    A day or a month that is named is meant as a whole; of an interval of several days a date names the first, the
    middle or the last. Days and months are those of the zone, so that a day may have 23 hours.

    Parameters
    ----------
    stamps : Stamps
        Their times, ascending.
    times : str
        Where in its interval a time lies: ``start``, ``middle`` or ``end``.
    given : timedelta or "month", optional
        Length of the intervals; by default what the times tell.
    zone : tzinfo
        Of the times.
    places : Places
        Name the place of a time.

    Raises
    ------
    ConfigError
        If the times do not tell, name more than an interval is long, say all that `times` could say, or if intervals
        overlap.
    """
    length = _length(stamps) if given is None else given
    _refuse_idle(stamps.precision, length, times)
    local = stamps.local
    if length == MONTH:
        # of times at the end of their month, midnight is that of the last day
        inside = local - _SECOND if times == "end" and stamps.precision is Precision.TIME else local
        months = inside.astype("datetime64[M]")
        begin, end = months.astype("datetime64[s]"), (months + 1).astype("datetime64[s]")
        found = Intervals(to_utc(begin, zone), to_utc(end, zone), MONTH)
    else:
        step = np.timedelta64(length, "s")
        beyond = step - DAY if stamps.precision is Precision.DAY else step  # what a time does not name of its interval
        back = {"start": 0 * step, "middle": beyond // 2, "end": beyond}[times]
        if step % DAY == 0 * step:  # days of the clock, which are not all of 24 hours
            begin, end = to_utc(local - back, zone), to_utc(local - back + step, zone)
        else:
            begin = stamps.utc - back
            end = begin + step
        found = Intervals(begin, end, length)
    overlap = np.flatnonzero(found.begin[1:] < found.end[:-1])
    if overlap.size:
        i = int(overlap[0]) + 1
        raise places.error(
            i,
            f"the time {show(local[i])} is nearer to the one before, in {places.where(i - 1)}, than the interval, "
            f"{word(length)}, is long",
        )
    return found


def _refuse_idle(precision: Precision, length: Interval, times: str) -> None:
    """Refuse intervals shorter than what a date names, and a place in an interval that the date names as a whole."""
    if precision is Precision.TIME:
        return
    named = "months" if precision is Precision.MONTH else "days"
    if length != MONTH and (precision is Precision.MONTH or length < timedelta(days=1)):
        raise ConfigError(
            f"{word(length)} is shorter than the {named} that the dates of the file name; give the time of day with "
            "each date, or leave `interval` out",
            key="interval",
        )
    if times != "start" and length in (MONTH, timedelta(days=1)):
        raise ConfigError(
            f"{times!r} is without effect, because a date without a time of day names the whole "
            f"{'month' if length == MONTH else 'day'}; leave `times` out, or, if a value is of the "
            f"{'month' if length == MONTH else 'day'} that ends as its date begins, write the time of day: "
            "2019-10-02 00:00",
            key="times",
        )


def place_in_interval(precision: Precision, length: Interval, times: str) -> str:
    """Say what a time of a series names of the interval of its value."""
    if length == MONTH and precision is not Precision.TIME:
        return "names months" if precision is Precision.MONTH else "names a day of each month"
    if precision is Precision.DAY:
        which = {"start": "first", "middle": "middle", "end": "last"}[times]
        return "names days" if length == timedelta(days=1) else f"names the {which} day of the interval"
    return f"at the {times} of the interval"


def word(length: Interval) -> str:
    """Write an interval as users do."""
    return length if isinstance(length, str) else describe(length)


def _length(stamps: Stamps) -> Interval:
    """Return the interval that times tell."""
    steps = np.diff(stamps.utc)
    if stamps.precision is Precision.MONTH:
        return MONTH
    if stamps.precision is Precision.DAY:
        if steps.size and (steps >= 28 * DAY).all() and (steps <= 31 * DAY).all():
            raise ConfigError(
                "is missing; the dates of the file are a month apart: give `month` for means of months, `1d` for "
                "values of these days",
                key="interval",
            )
        return timedelta(days=1)
    if not steps.size:
        raise ConfigError("is missing; the file has a single time: give what its value is the mean of", key="interval")
    shortest = steps.min()
    regular = shortest <= DAY and (steps % shortest == 0 * _SECOND).all() and np.median(steps) == shortest
    if not regular:
        raise ConfigError(
            "is missing; the times of the file are not evenly spaced: give what a value is the mean of, such as 1h",
            key="interval",
        )
    return timedelta(seconds=int(shortest / _SECOND))
