"""Lengths of time as users write them: ``1h``, ``15min``, ``30d``, ``P1Y``."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400, "day": 86400, "days": 86400, "w": 604800}
_SHORT = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$", re.IGNORECASE)
_CALENDAR = re.compile(r"^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?$")


def parse_duration(value: Any) -> timedelta:
    """Read ``1h``, ``15min``, ``30d``, ``90s`` or a `timedelta`; plain numbers are refused for want of a unit.

    Raises
    ------
    ValueError
        If the text is not a positive length of time.
    """
    if isinstance(value, timedelta):
        return value
    match = _SHORT.match(str(value))
    if not match or match.group(2).lower() not in _UNITS:
        raise ValueError(f"{value!r} is not a length of time; write for example 1h, 15min or 30d")
    try:
        result = timedelta(seconds=float(match.group(1)) * _UNITS[match.group(2).lower()])
    except OverflowError:
        raise ValueError(f"{value!r} is longer than any calendar") from None
    if result <= timedelta(0):
        raise ValueError(f"{value!r} must be longer than nothing")
    return result


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
"""A fixed length of time."""


def add_period(start: datetime, period: str) -> datetime:
    """Add a calendar period such as ``P1Y``, ``P6M`` or ``P30D``, or a fixed length such as ``365d``, to a date.

    A day that the target month lacks (29 February) becomes the month's last day.

    Raises
    ------
    ValueError
        If the period cannot be read.
    """
    match = _CALENDAR.match(period.strip())
    if not match or not any(match.groups()):
        try:
            return start + parse_duration(period)
        except OverflowError:
            raise ValueError(f"{period!r} is longer than any calendar") from None
    years, months, days = (int(g or 0) for g in match.groups())
    month_index = start.month - 1 + months
    year, month = start.year + years + month_index // 12, month_index % 12 + 1
    first_of_next = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=start.tzinfo)
    last_day = (first_of_next - timedelta(days=1)).day
    return start.replace(year=year, month=month, day=min(start.day, last_day)) + timedelta(days=days)


def describe(length: timedelta) -> str:
    """Write a length as users do, to the microsecond: ``1h``, ``15min``, ``30d``, ``1199.988s``."""
    for unit in ("d", "h", "min", "s"):
        whole, rest = divmod(length, timedelta(seconds=_UNITS[unit]))
        if whole and not rest:
            return f"{whole}{unit}"
    return f"{length.total_seconds():.6f}".rstrip("0") + "s"


def divides(part: timedelta, whole: timedelta) -> bool:
    """Whether `whole` is a whole number of `part`, to a microsecond."""
    return whole % part == timedelta(0)


def nearest_divisors(part: timedelta, whole: timedelta) -> list[timedelta]:
    """Return the lengths on both sides of `part` that divide `whole`."""
    count = whole / part
    candidates = {max(1, int(count)), int(count) + 1}
    return sorted({whole / c for c in candidates})
