"""Does an error grow with time? The slope of its monthly means, and how large a slope chance alone would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from bmi_common.arrays import Array
from bmi_common.calendar import HOUR, Times

FULL_MONTH = 0.9
"""Share of a calendar month's hours that must be there for the month to count."""


@dataclass(frozen=True)
class Growth:
    """Trend of the monthly means of an error after the first month.

    Attributes
    ----------
    months : tuple of str
        The months that count, YYYY-MM.
    means : tuple of float
        Their means, in the units of the error.
    slope : float
        Least-squares slope, units per month; NaN with fewer than three months.
    limit : float
        Slope above which growth is significant: one-sided 95 % quantile of Student's t times the slope's standard
        error.
    """

    months: tuple[str, ...]
    means: tuple[float, ...]
    slope: float
    limit: float


def growth(times: Times, error: Array) -> Growth:
    """Fit the monthly means of an hourly error, the first month (spin-in) and incomplete months left out.

    Parameters
    ----------
    times : ndarray of datetime64[s], shape (hours,)
        End of the interval of each value.
    error : ndarray, shape (hours,)
        The error.
    """
    month = (times - HOUR).astype("datetime64[M]")
    complete = [m for m in np.unique(month)[1:] if (month == m).sum() >= FULL_MONTH * _hours_of(m)]
    means = np.array([error[month == m].mean() for m in complete])
    names = tuple(str(m) for m in complete)
    if len(means) < 3:
        return Growth(names, tuple(means.tolist()), np.nan, np.nan)
    if np.ptp(means) == 0.0:  # for which the regression gives no standard error
        return Growth(names, tuple(means.tolist()), 0.0, 0.0)
    fit = stats.linregress([int((m - complete[0]).astype(int)) for m in complete], means)  # months may be missing
    limit = float(stats.t.ppf(0.95, len(means) - 2) * fit.stderr)
    return Growth(names, tuple(means.tolist()), float(fit.slope), limit)


def _hours_of(month: np.datetime64) -> float:
    start = month.astype("datetime64[M]")
    return float(((start + 1).astype("datetime64[h]") - start.astype("datetime64[h]")) / np.timedelta64(1, "h"))
