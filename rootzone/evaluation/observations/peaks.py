"""Peaks: the largest values that were measured, and how large and how late the run has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bmi_common.arrays import Array
from bmi_common.calendar import DAY, HOUR, Times

MOST = 5
"""Peaks that are looked at."""
_INTERVALS = 3
"""Intervals of the measurements that two peaks are apart, at least."""


@dataclass(frozen=True)
class Peak:
    """A peak that was measured, and what the run has nearby.

    Attributes
    ----------
    time, simulated_time : datetime64[s]
        Middle of the interval of the largest value, UTC.
    observed, simulated : float
        These values, in the units of the quantity.
    """

    time: np.datetime64
    observed: float
    simulated_time: np.datetime64
    simulated: float

    @property
    def error(self) -> float:
        """Simulated minus observed."""
        return self.simulated - self.observed

    @property
    def percent_error(self) -> float:
        """Its share in the observed peak [%]; NaN if that is 0."""
        return 100.0 * self.error / self.observed if self.observed else float("nan")

    @property
    def delay(self) -> float:
        """Hours that the simulated peak is late."""
        return float((self.simulated_time - self.time) / HOUR)


def peaks(begin: Times, end: Times, observed: Array, simulated: Array, sign: int = 1) -> list[Peak]:
    """Find the largest measured values, and the largest simulated ones around them.

    A peak is a value that none exceeds as far as half a separation before and after it, and that is above the median.
    Two are a separation apart: a day, or three intervals if these are longer. The simulated peak is the largest value
    within half a separation of the observed one.

    Parameters
    ----------
    begin, end : ndarray of datetime64[s], shape (pairs,)
        Intervals, ascending.
    observed, simulated : ndarray, shape (pairs,)
        Values, all finite.
    sign : int
        -1 where the smallest values are the peaks.

    Returns
    -------
    list of Peak
        At most `MOST`, the largest first.
    """
    if not len(observed):
        return []
    middle = begin + (end - begin) // 2
    separation = max(DAY, _INTERVALS * np.median(end - begin))
    o, s = sign * observed, sign * simulated
    found: list[Peak] = []
    for i in np.argsort(-o, kind="stable"):
        if len(found) == MOST or o[i] <= np.median(o):
            break
        # open at its end: a value half a separation away belongs to the next
        near = np.flatnonzero(np.abs(middle - middle[i]) < separation / 2)
        if o[near].max() > o[i] or any(abs(middle[i] - p.time) < separation for p in found):
            continue
        at = near[int(np.argmax(s[near]))]
        found.append(Peak(middle[i], float(observed[i]), middle[at], float(simulated[at])))
    return found
