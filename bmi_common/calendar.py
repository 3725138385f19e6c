"""Dates of the forcing: hours in UTC, held as ``datetime64[s]``."""

from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bmi_common.errors import ConfigError

Times = NDArray[np.datetime64]
"""Starts of hours (or time stamps), ascending, ``datetime64[s]``, UTC."""

HOUR: Final = np.timedelta64(3600, "s")
DAY: Final = np.timedelta64(86400, "s")


def naive_utc(time: datetime) -> datetime:
    """Return `time` without time zone, in UTC; a time without zone is UTC already."""
    return time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)


def to_time(time: datetime) -> np.datetime64:
    """Return `time` as ``datetime64[s]`` in UTC."""
    return np.datetime64(naive_utc(time), "s")


def parse_time(text: str) -> np.datetime64:
    """Return the time that a user has given, ``datetime64[s]``, UTC.

    Raises
    ------
    ConfigError
        If it is none.
    """
    try:
        return np.datetime64(text, "s")
    except ValueError as error:
        raise ConfigError(f"{text} is not a time such as 2020-10-01T00:00") from error


def hours_from(first: np.datetime64, count: int) -> Times:
    """Return the starts of `count` hours, the first at `first`."""
    return first + np.arange(count) * HOUR


def show(time: np.datetime64) -> str:
    """Return `time` as ``2020-10-01 05:00``."""
    text = str(time.astype("datetime64[s]")).replace("T", " ")
    return text.removesuffix(":00")
