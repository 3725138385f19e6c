"""Means over the intervals of measurements.

The hours of a model count with the part of them that lies in an interval; intervals shorter than an hour are averaged
to the hours that they fill. Where a part is missing there is no mean.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from bmi_common.arrays import Array
from bmi_common.calendar import HOUR, Times, show
from bmi_common.durations import describe
from bmi_common.errors import ConfigError
from rootzone.evaluation.observations.series import ObservedSeries


@dataclass(frozen=True)
class Hourly:
    """A value for each of consecutive hours.

    Attributes
    ----------
    begin : datetime64[s]
        Of the first hour, UTC.
    values : ndarray, shape (hours,)
        Mean of each hour; NaN in gaps.
    """

    begin: np.datetime64
    values: Array

    @property
    def ends(self) -> Times:
        """End of each hour, (hours,)."""
        return self.begin + HOUR * np.arange(1, len(self.values) + 1)

    def means(self, begin: Times, end: Times) -> Array:
        """Mean over intervals, (intervals,); NaN where an hour of one is not known."""
        first, last = ((times - self.begin) / HOUR for times in (begin, end))
        return np.array([self._mean(a, b) for a, b in zip(first, last, strict=True)])

    def largest(self, begin: Times, end: Times) -> Array:
        """Largest value of the hours that intervals touch, (intervals,); NaN where one is not known."""
        first, last = ((times - self.begin) / HOUR for times in (begin, end))
        return np.array([self._largest(a, b) for a, b in zip(first, last, strict=True)])

    def _part(self, first: float, last: float) -> Array | None:
        a, b = int(np.floor(first)), int(np.ceil(last))
        return None if a < 0 or b > len(self.values) else self.values[a:b]

    def _mean(self, first: float, last: float) -> float:
        part = self._part(first, last)
        if part is None:
            return np.nan
        if len(part) == 1:
            return float(part[0])
        weights = np.ones(len(part))
        weights[0] -= first - np.floor(first)
        weights[-1] -= np.ceil(last) - last
        return float((weights * part).sum() / weights.sum())

    def _largest(self, first: float, last: float) -> float:
        part = self._part(first, last)
        return np.nan if part is None else float(part.max())


def to_hours(series: ObservedSeries) -> ObservedSeries:
    """Average intervals that are shorter than an hour to the hours that they fill; return others as they are.

    Raises
    ------
    ConfigError
        If they lie in two hours each, or fill none.
    """
    lengths = series.end - series.begin
    if not isinstance(series.length, timedelta) or series.length >= timedelta(hours=1):
        return series
    seconds = np.timedelta64(1, "s")
    hour: Times = series.begin.astype("datetime64[h]").astype("datetime64[s]")
    over = np.flatnonzero(series.end > hour + HOUR)
    if over.size:
        i = int(over[0])
        raise ConfigError(
            f"the interval from {show(series.begin[i])} to {show(series.end[i])} UTC does not lie in one hour; "
            f"intervals shorter than an hour, here {describe(series.length)}, must fill the hours of UTC"
        )
    first = np.unique(hour, return_index=True)[1]
    begin = hour[first]
    filled = np.add.reduceat(lengths / seconds, first)
    values = np.add.reduceat(series.values * (lengths / seconds), first) / filled
    values[filled != 3600.0] = np.nan
    if np.isnan(values).all():
        raise ConfigError(
            f"no hour is filled by values of {describe(series.length)} each; if one stands for its hour, give "
            "`interval: 1h`"
        )
    return replace(
        series,
        begin=begin,
        end=begin + HOUR,
        values=values,
        length=timedelta(hours=1),
        reading=f"{series.reading}; averaged to hours",
    )
