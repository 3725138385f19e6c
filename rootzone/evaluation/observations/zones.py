"""Time zones: offsets from UTC, and names of the IANA data base."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import PlainSerializer, PlainValidator

from bmi_common.calendar import Times, show
from bmi_common.errors import ConfigError

_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+-])(\d{1,2})(?::?(\d{2}))?", re.IGNORECASE)
_LARGEST = 14
"""Hours that a clock is ahead of or behind UTC at most."""


def parse_zone(value: Any) -> tzinfo:
    """Read ``UTC``, ``+08:00``, ``UTC+8`` or ``Asia/Shanghai``.

    Raises
    ------
    ValueError
        If there is no such zone.
    """
    if isinstance(value, tzinfo):
        return value
    # YAML reads +10:00 as a number of the base 60, and +8 as one of hours
    if isinstance(value, int) and not isinstance(value, bool):
        value = ("-" if value < 0 else "+") + _clock(abs(value))
    text = str(value).strip()
    if text.upper() in ("UTC", "GMT", "Z"):
        return UTC
    match = _OFFSET.fullmatch(text)
    if match is not None:
        sign, hours, minutes = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        if offset <= timedelta(hours=_LARGEST) and int(minutes or 0) < 60:
            return timezone(-offset if sign == "-" else offset)
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):  # of a name that no file can have, too
        raise ValueError(
            f"no time zone {text!r}; write an offset from UTC such as +08:00, or a name such as Asia/Shanghai"
        ) from None


def _clock(number: int) -> str:
    return f"{number:02d}:00" if number <= _LARGEST else f"{number // 60:02d}:{number % 60:02d}"


Zone = Annotated[tzinfo, PlainValidator(parse_zone), PlainSerializer(str, return_type=str)]
"""Type of a key that names a time zone."""


def to_utc(local: Times, zone: tzinfo, error_at: Callable[[int, str], ConfigError] | None = None) -> Times:
    """Return in UTC what the clock of a zone shows.

    Of a time that the clock shows twice, in autumn, the second is meant if the times would not ascend otherwise.

    Parameters
    ----------
    local : ndarray of datetime64[s]
        What the clock shows.
    zone : tzinfo
        The zone.
    error_at : callable, optional
        Builds the error for a time, by its number, that the clock passes over in spring; without it such a time is the
        moment at which the clock goes forward.

    Raises
    ------
    ConfigError
        For a time that the clock passes over.
    """
    fixed = zone.utcoffset(None)
    if fixed is not None:
        return np.asarray(local - np.timedelta64(fixed, "s"))
    found = np.empty(len(local), "datetime64[s]")
    for i, time in enumerate(local):
        first, second = (_utc(time.item(), zone, fold) for fold in (0, 1))
        if first > second and error_at is not None:  # PEP 495: so it is where clocks go forward
            raise error_at(
                i,
                f"{show(time)} is no time in {zone}, where clocks go forward then; if the station keeps standard time, "
                "give its offset from UTC, such as +01:00",
            )
        found[i] = second if first < second and i and np.datetime64(first, "s") <= found[i - 1] else first
    return found


def _utc(local: datetime, zone: tzinfo, fold: int) -> datetime:
    return local.replace(tzinfo=zone, fold=fold).astimezone(UTC).replace(tzinfo=None)
