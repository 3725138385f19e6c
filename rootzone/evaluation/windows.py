"""Parts of the compared period: the whole, its early, middle and late third, and segments of fixed length."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from bmi_common.calendar import HOUR, Times

WHOLE = "whole period"
STAGES = ("early", "middle", "late")


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


def windows(times: Times, segment: timedelta) -> list[TimeWindow]:
    """Split consecutive hours.

    The thirds are of equal length to an hour. Segments begin at the start of the period; what remains after the last
    full one counts only if there is no full one or it is half as long.

    Parameters
    ----------
    times : ndarray of datetime64[s], shape (hours,)
        End of each hour.
    segment : timedelta
        Length of a segment, a whole number of hours.
    """
    hours, step = len(times), int(segment / timedelta(hours=1))
    thirds = [round(hours * i / 3) for i in range(4)]
    found = [_window(WHOLE, "whole", 0, hours, times)]
    if hours >= len(STAGES):
        found += [
            _window(name, "stage", a, b, times) for name, a, b in zip(STAGES, thirds[:-1], thirds[1:], strict=True)
        ]
    for number, begin in enumerate(range(0, hours, step), 1):
        end = min(begin + step, hours)
        if number == 1 or end - begin >= 0.5 * step:
            found.append(_window(f"segment {number}", "segment", begin, end, times))
    return found


def of_kind(found: list[TimeWindow], kind: str) -> list[TimeWindow]:
    """Return the windows of one kind."""
    return [w for w in found if w.kind == kind]


def _window(name: str, kind: str, begin: int, end: int, times: Times) -> TimeWindow:
    return TimeWindow(name, kind, slice(begin, end), times[begin] - HOUR, times[end - 1])
