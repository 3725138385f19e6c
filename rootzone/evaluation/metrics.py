"""Measures of agreement between series, each over the last axis of its arrays.

One function serves one series, shape (times,), and a block of cells, shape (cells, times). Values at which either
side is not finite do not count; where fewer than two count, or a measure is not defined, it is NaN.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from bmi_common.arrays import Array


class Metrics(NamedTuple):
    """Measures of agreement; shapes are those of the series without the time axis.

    Attributes
    ----------
    number : ndarray
        Number of values that count.
    bias : ndarray
        Mean of simulated minus reference, in the units of the series.
    rmse, mae : ndarray
        Root mean square and mean absolute error, in the units of the series.
    kge : ndarray
        Kling-Gupta efficiency [-].
    r, alpha, beta : ndarray
        Its parts [-]: Pearson correlation, ratio of the standard deviations, ratio of the means.
    spearman : ndarray
        Rank correlation [-].
    """

    number: Array
    bias: Array
    rmse: Array
    mae: Array
    kge: Array
    r: Array
    alpha: Array
    beta: Array
    spearman: Array


def metrics(simulated: ArrayLike, reference: ArrayLike) -> Metrics:
    """Compute all measures over the last axis.

    KGE after Gupta et al. (2009), J. Hydrol. 377, 80-91. A simulation that does not vary has r = 0 and alpha = 0; KGE
    and its parts are NaN where the reference does not vary or has a mean of 0. Spearman's correlation is Pearson's of
    the ranks, ties at their mean rank, and NaN where either side does not vary.

    Parameters
    ----------
    simulated, reference : array_like, shape (..., times)
        Series in the same units.

    Raises
    ------
    ValueError
        If the shapes differ or there is no time axis.
    """
    s, o = np.asarray(simulated, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if s.ndim == 0 or s.shape != o.shape:
        raise ValueError(f"series of the same shape are needed, got {s.shape} and {o.shape}")
    there = np.isfinite(s) & np.isfinite(o)
    s, o = np.where(there, s, np.nan), np.where(there, o, np.nan)
    count = there.sum(axis=-1).astype(np.float64)
    enough = count >= 2
    error = s - o
    bias, mae = (_where(enough, _mean(v, count)) for v in (error, np.abs(error)))
    rmse = _where(enough, np.sqrt(_mean(error**2, count)))
    kge, r, alpha, beta = _kling_gupta(s, o, count, enough)
    return Metrics(count, bias, rmse, mae, kge, r, alpha, beta, spearman(s, o))


def nash_sutcliffe(simulated: ArrayLike, reference: ArrayLike) -> float:
    """Efficiency [-] after Nash and Sutcliffe (1970), J. Hydrol. 10, 282-290, of one series.

    1 minus the mean square error over the variance of the reference. NaN where fewer than two values count, or the
    reference does not vary.

    Parameters
    ----------
    simulated, reference : array_like, shape (times,)
        Series in the same units; times at which either is not finite do not count.
    """
    s, o = _finite_pairs(simulated, reference)
    if len(o) < 2 or not _varies(o):
        return float("nan")
    return float(1.0 - ((s - o) ** 2).sum() / ((o - o.mean()) ** 2).sum())


def percent_bias(simulated: ArrayLike, reference: ArrayLike) -> float:
    """Sum of simulated minus reference over the sum of the reference [%], positive where too much is simulated.

    NaN where fewer than two values count, or the reference adds up to 0. Parameters are those of `nash_sutcliffe`.
    """
    s, o = _finite_pairs(simulated, reference)
    if len(o) < 2 or o.sum() == 0.0:
        return float("nan")
    return float(100.0 * (s - o).sum() / o.sum())


def _finite_pairs(simulated: ArrayLike, reference: ArrayLike) -> tuple[Array, Array]:
    s, o = np.asarray(simulated, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    there = np.isfinite(s) & np.isfinite(o)
    return s[there], o[there]


def running_mean(values: Array, hours: int = 24) -> Array:
    """Mean of each hour and those before it, (hours,); NaN until so many are there."""
    result = np.full(values.shape, np.nan)
    if len(values) >= hours:
        result[hours - 1 :] = np.convolve(values, np.full(hours, 1.0 / hours), mode="valid")
    return result


def spearman(simulated: Array, reference: Array) -> Array:
    """Spearman's rank correlation over the last axis; times at which either side is NaN do not count."""
    there = np.isfinite(simulated) & np.isfinite(reference)
    a, b = (_centred_ranks(v, there) for v in (simulated, reference))
    spread = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(spread > 0.0, (a * b).sum(axis=-1) / spread, np.nan))


def _kling_gupta(s: Array, o: Array, count: Array, enough: NDArray[np.bool_]) -> tuple[Array, Array, Array, Array]:
    mean_s, mean_o = _mean(s, count), _mean(o, count)
    ds, do = s - mean_s[..., np.newaxis], o - mean_o[..., np.newaxis]
    # a constant series has rounding for a standard deviation: ask its values whether they differ
    varies_s, varies_o = _varies(s), _varies(o)
    with np.errstate(invalid="ignore", divide="ignore"):
        std_s, std_o = (np.sqrt(_mean(d**2, count)) for d in (ds, do))
        r = np.where(varies_s, _mean(ds * do, count) / (std_s * std_o), 0.0)
        alpha = np.where(varies_s, std_s / std_o, 0.0)
        beta = mean_s / mean_o
    defined = enough & varies_o & (mean_o != 0.0)
    r, alpha, beta = (_where(defined, v) for v in (r, alpha, beta))
    return 1.0 - np.sqrt((r - 1.0) ** 2 + (alpha - 1.0) ** 2 + (beta - 1.0) ** 2), r, alpha, beta


def _mean(values: Array, count: Array) -> Array:
    return np.asarray(np.nansum(values, axis=-1) / np.maximum(count, 1.0))


def _varies(values: Array) -> NDArray[np.bool_]:
    low = np.where(np.isnan(values), np.inf, values).min(axis=-1, initial=np.inf)
    high = np.where(np.isnan(values), -np.inf, values).max(axis=-1, initial=-np.inf)
    return np.asarray(high > low)


def _where(condition: NDArray[np.bool_], values: Array) -> Array:
    return np.asarray(np.where(condition, values, np.nan))


def _centred_ranks(values: Array, there: NDArray[np.bool_]) -> Array:
    """Ranks minus their mean, 0 where nothing is."""
    if not values.shape[-1]:
        return np.zeros(values.shape)
    # the missing ones sort behind all others and leave the ranks of these alone
    ranks = stats.rankdata(np.where(there, values, np.inf), axis=-1)
    middle = 0.5 * (there.sum(axis=-1, keepdims=True) + 1.0)
    return np.asarray(np.where(there, ranks - middle, 0.0))
