"""What a prediction without a model would be: the last state, and the mean of the month."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def persistence(initial: Array, times: int) -> Array:
    """Repeat the state at the start, shape (...), for so many times: (times, ...), a read-only view."""
    return np.broadcast_to(initial, (times, *initial.shape))


def monthly_climatology(values: Array, months: ArrayLike, wanted: ArrayLike) -> Array:
    """Mean of all values of the same calendar month.

    Parameters
    ----------
    values : ndarray, shape (times, ...)
        What is known, such as the training years.
    months : array_like of int, shape (times,)
        Calendar month of each value, 1 to 12.
    wanted : array_like of int, shape (wanted times,)
        Months to be predicted.

    Returns
    -------
    ndarray, shape (wanted times, ...)
        NaN for months that `values` does not have.

    Raises
    ------
    ValueError
        If the lengths differ or a month is none.
    """
    known, asked = np.asarray(months), np.asarray(wanted)
    if known.shape != values.shape[:1]:
        raise ValueError(f"{len(values)} values, but {known.shape} months")
    for given in (known, asked):
        if given.size and not (np.issubdtype(given.dtype, np.integer) and given.min() >= 1 and given.max() <= 12):
            raise ValueError("months must be whole numbers from 1 to 12")
    means = np.full((13, *values.shape[1:]), np.nan)
    for month in np.unique(known):
        means[month] = values[known == month].mean(axis=0)
    return np.asarray(means[asked])
