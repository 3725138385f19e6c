"""How many cells and hours have which error: counts in logarithmic bins, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array

PER_DECADE = 20


@dataclass(frozen=True)
class LogBins:
    """Bins of equal width in the logarithm; values outside count in the first and last, zeros in the first.

    Attributes
    ----------
    low, high : int
        Powers of ten of the outer edges.
    """

    low: int
    high: int

    @property
    def count(self) -> int:
        """Number of bins."""
        return (self.high - self.low) * PER_DECADE

    @property
    def edges(self) -> Array:
        """Edges, (count + 1,)."""
        return np.asarray(10.0 ** np.linspace(self.low, self.high, self.count + 1))

    @property
    def centres(self) -> Array:
        """Geometric centres, (count,)."""
        return np.asarray(np.sqrt(self.edges[:-1] * self.edges[1:]))

    def index(self, values: Array) -> NDArray[np.intp]:
        """Bin of each value that is not negative."""
        with np.errstate(divide="ignore"):
            position = (np.log10(values) - self.low) * PER_DECADE
        return np.asarray(np.clip(position, 0, self.count - 1).astype(np.intp))


@dataclass
class Histogram:
    """Counts of pairs (x, y) in logarithmic bins.

    Attributes
    ----------
    x, y : LogBins
        The bins.
    counts : ndarray of int, shape (x bins, y bins)
        Number of pairs.
    """

    x: LogBins
    y: LogBins
    counts: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.counts = np.zeros((self.x.count, self.y.count), np.int64)

    def add(self, x: Array, y: Array) -> None:
        """Count pairs; those of which one is not finite do not count."""
        there = np.isfinite(x) & np.isfinite(y)
        cell = self.x.index(x[there]) * self.y.count + self.y.index(y[there])
        self.counts += np.bincount(cell, minlength=self.counts.size).reshape(self.counts.shape)

    @property
    def total(self) -> int:
        """Number of pairs."""
        return int(self.counts.sum())

    def quantile(self, probability: float, least: int) -> Array:
        """Quantile of y in each bin of x, interpolated within the bin of y; NaN in bins of fewer than `least` pairs."""
        return np.array([_quantile(row, probability, self.y) if row.sum() >= least else np.nan for row in self.counts])

    def only(self, bins: NDArray[np.bool_]) -> Histogram:
        """Return the pairs in some bins of x."""
        part = Histogram(self.x, self.y)
        part.counts[bins] = self.counts[bins]
        return part

    def quantile_of_all(self, probability: float) -> float:
        """Quantile of y over all pairs; NaN without any."""
        return _quantile(self.counts.sum(axis=0), probability, self.y) if self.total else float("nan")


class PowerLaw(NamedTuple):
    """y = factor * x ** slope.

    Attributes
    ----------
    slope, factor : float
        NaN if there are too few bins to say.
    r2 : float
        Coefficient of determination of the logarithms.
    bins : int
        Bins that it was fitted to.
    span : ndarray, shape (2,)
        Smallest and largest x of these.
    """

    slope: float
    factor: float
    r2: float
    bins: int
    span: Array


LEAST = 100
"""Pairs that a bin needs to have a median."""
_LEAST_BINS = 5


def power_law(histogram: Histogram) -> PowerLaw:
    """Fit a power law to the medians of y in the bins of x by least squares of the logarithms.

    The outermost bins are left out, for they hold all that lies beyond them.
    """
    median = histogram.quantile(0.5, LEAST)
    inner = slice(1, -1)
    x, y = np.log10(histogram.x.centres[inner]), np.log10(median[inner])
    # a median in the lowest bin of y may be a zero
    there = np.isfinite(y) & (median[inner] > histogram.y.edges[1])
    if there.sum() < _LEAST_BINS:
        return PowerLaw(np.nan, np.nan, np.nan, int(there.sum()), np.full(2, np.nan))
    x, y = x[there], y[there]
    slope, intercept = np.polyfit(x, y, 1)
    spread = float(((y - y.mean()) ** 2).sum())
    left = float(((y - intercept - slope * x) ** 2).sum())
    r2 = 1.0 - left / spread if spread > 0.0 else np.nan
    return PowerLaw(float(slope), float(10.0**intercept), r2, int(there.sum()), 10.0 ** x[[0, -1]])


def _quantile(counts: NDArray[np.int64], probability: float, bins: LogBins) -> float:
    total = np.cumsum(counts)
    wanted = probability * total[-1]
    i = int(np.searchsorted(total, wanted))
    before = total[i - 1] if i else 0
    within = (wanted - before) / counts[i] if counts[i] else 0.0
    edges = bins.edges
    return float(edges[i] * (edges[i + 1] / edges[i]) ** within)
