"""Times as files of measurements write them, and the intervals that they stand for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import IntEnum
from typing import Literal

import numpy as np

from bmi_common.calendar import DAY, Times, show
from bmi_common.durations import describe
from bmi_common.errors import ConfigError
from rootzone.evaluation.observations.config import MONTH
from rootzone.evaluation.observations.zones import to_utc

Interval = timedelta | Literal["month"]
ErrorAt = Callable[[int, str], ConfigError]
"""Builds the error that names the place of a time, by its number."""

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


def parse(texts: list[str], zone: tzinfo, error_at: ErrorAt) -> Stamps:
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
            time, of = _written(text)
        except ValueError:
            raise error_at(i, f"the time {text[:40]!r} is not a date such as 2019-10-01 05:30") from None
        if precision not in (None, of):
            raise error_at(
                i, f"the time {text[:40]!r} names a {of.name.lower()}, those before a {precision.name.lower()}"
            )
        precision = of
        if time.tzinfo is not None:
            time = time.astimezone(zone).replace(tzinfo=None)
        local[i] = np.datetime64(time, "s")
    return from_local(local, Precision.TIME if precision is None else precision, zone, error_at)


def from_local(local: Times, precision: Precision, zone: tzinfo, error_at: ErrorAt) -> Stamps:
    """Bring times to UTC; raises `ConfigError` unless every one is later than the one before."""
    utc = to_utc(local, zone, error_at if precision is Precision.TIME else None)
    for i in np.flatnonzero(np.diff(utc) <= 0 * _SECOND)[:1] + 1:
        what = "is there twice" if local[i] == local[i - 1] else f"comes after {show(local[i - 1])}"
        raise error_at(int(i), f"the time {show(local[i])} {what}; times must ascend")
    return Stamps(local, utc, precision)


def _written(text: str) -> tuple[datetime, Precision]:
    if text.isdigit() and len(text) in _DIGITS:
        time = datetime.strptime(text, _DIGITS[len(text)])
        return time, {6: Precision.MONTH, 8: Precision.DAY}.get(len(text), Precision.TIME)
    match = _MONTH.fullmatch(text)
    if match is not None:
        return datetime(int(match[1]), int(match[2]), 1), Precision.MONTH
    time = datetime.fromisoformat(text)
    return time, Precision.DAY if len(text) <= 10 else Precision.TIME


def intervals(stamps: Stamps, times: str, given: Interval | None, zone: tzinfo, error_at: ErrorAt) -> Intervals:
    """Return what the values at some times are means of.

    A day or a month that is named is meant as a whole. Days and months are those of the zone, so that a day may have
    23 hours.

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
    error_at : callable
        Names the place of a time.

    Raises
    ------
    ConfigError
        If the times do not tell, or intervals overlap.
    """
    length = _length(stamps) if given is None else given
    local = stamps.local
    if length == MONTH:
        # of times at the end of their month, midnight is that of the last day
        inside = local - _SECOND if times == "end" and stamps.precision is Precision.TIME else local
        months = inside.astype("datetime64[M]")
        begin, end = months.astype("datetime64[s]"), (months + 1).astype("datetime64[s]")
        found = Intervals(to_utc(begin, zone), to_utc(end, zone), MONTH)
    else:
        step = np.timedelta64(length, "s")
        names_days = stamps.precision is Precision.DAY and step == DAY
        back = step * 0 if names_days else {"start": 0 * step, "middle": step // 2, "end": step}[times]
        if step % DAY == 0 * step:  # days of the clock, which are not all of 24 hours
            begin, end = to_utc(local - back, zone), to_utc(local - back + step, zone)
        else:
            begin = stamps.utc - back
            end = begin + step
        found = Intervals(begin, end, length)
    overlap = np.flatnonzero(found.begin[1:] < found.end[:-1])
    if overlap.size:
        i = int(overlap[0]) + 1
        raise error_at(
            i, f"the time {show(local[i])} is nearer to the one before than the interval, {word(length)}, is long"
        )
    return found


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
