"""Parts of the compared period: the whole, its early, middle and late stage, and segments of fixed length."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from bmi_common import ConfigError
from bmi_common.calendar import HOUR, Times
from bmi_common.durations import parse_duration

WHOLE = "whole period"
STAGES = ("early", "middle", "late")

_OF_A_YEAR = (2500, 6000)
_YEAR = range(8000, 9001)
"""Hours of a period that counts as a year."""


@dataclass(frozen=True)
class TimeWindow:
    """Some consecutive hours.

    Attributes
    ----------
    name : str
        What it is called in tables and figures.
    kind : str
        ``whole``, ``stage`` or ``segment``.
    part : slice
        Its hours among those of the period.
    begin, end : datetime64
        Begin of its first and end of its last hour, UTC.
    """

    name: str
    kind: str
    part: slice
    begin: np.datetime64
    end: np.datetime64

    @property
    def hours(self) -> int:
        """Number of hours."""
        return int(self.part.stop - self.part.start)


def windows(times: Times, segment: timedelta, stages: tuple[timedelta, timedelta] | None = None) -> list[TimeWindow]:
    """Split consecutive hours.

    Segments begin at the start of the period; what remains after the last full one counts only if there is no full one
    or it is half as long.

    Parameters
    ----------
    times : ndarray of datetime64[s], shape (hours,)
        End of each hour.
    segment : timedelta
        Length of a segment, a whole number of hours.
    stages : tuple of timedelta, optional
        From the start to the end of the early and to the begin of the late stage, whole hours. By default after 2500
        and 6000 hours of a year, and thirds, to an hour, of any other period.

    Raises
    ------
    ConfigError
        If the period is shorter than its stages.
    """
    hours, step = len(times), int(segment / timedelta(hours=1))
    found = [_window(WHOLE, "whole", 0, hours, times)]
    if hours >= len(STAGES):
        limits = [0, *_stages(hours, stages), hours]
        found += [
            _window(name, "stage", a, b, times) for name, a, b in zip(STAGES, limits[:-1], limits[1:], strict=True)
        ]
    for number, begin in enumerate(range(0, hours, step), 1):
        end = min(begin + step, hours)
        if number == 1 or end - begin >= 0.5 * step:
            found.append(_window(f"segment {number}", "segment", begin, end, times))
    return found


def parse_stages(text: str) -> tuple[timedelta, timedelta]:
    """Read where stages end, such as ``2500h,6000h``.

    Raises
    ------
    ConfigError
        If it is not two whole numbers of hours, the second larger.
    """
    try:
        found = [parse_duration(part.strip()) for part in text.split(",")]
    except ValueError as error:
        raise ConfigError(str(error)) from error
    whole = all(not limit % timedelta(hours=1) for limit in found)
    if len(found) != 2 or not whole or not timedelta() < found[0] < found[1]:
        raise ConfigError(f"{text}: give two lengths in whole hours, the second larger, such as 2500h,6000h")
    return found[0], found[1]


def _stages(hours: int, given: tuple[timedelta, timedelta] | None) -> tuple[int, int]:
    if given is None:
        return _OF_A_YEAR if hours in _YEAR else (round(hours / 3), round(hours * 2 / 3))
    early, late = (int(limit / timedelta(hours=1)) for limit in given)
    if late >= hours:
        raise ConfigError(f"stages: the late one begins after {late} h, the compared period has {hours} h")
    return early, late


def of_kind(found: list[TimeWindow], kind: str) -> list[TimeWindow]:
    """Return the windows of one kind."""
    return [w for w in found if w.kind == kind]


def _window(name: str, kind: str, begin: int, end: int, times: Times) -> TimeWindow:
    return TimeWindow(name, kind, slice(begin, end), times[begin] - HOUR, times[end - 1])
