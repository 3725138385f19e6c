"""Kling-Gupta efficiency of a series."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from coupler.evaluate.metrics import metrics

Array = NDArray[np.float64]


class KlingGupta(NamedTuple):
    """Kling-Gupta efficiency and its three parts, each 1 for a perfect match.

    Attributes
    ----------
    efficiency : float
        1 - sqrt((r - 1)^2 + (alpha - 1)^2 + (beta - 1)^2).
    correlation : float
        Pearson's r.
    variability : float
        alpha, standard deviation of the simulation over that of the reference.
    bias : float
        beta, mean of the simulation over that of the reference.
    """

    efficiency: float
    correlation: float
    variability: float
    bias: float


def kling_gupta(simulated: ArrayLike, reference: ArrayLike) -> KlingGupta:
    """Kling-Gupta efficiency (Gupta et al. 2009, J. Hydrol. 377, 80-91).

    Times at which either series is NaN do not count. A simulation that does not vary has no correlation with anything:
    r is 0. All parts are NaN where the reference does not vary or has a mean of 0, for which they are not defined.

    Parameters
    ----------
    simulated, reference : array_like, shape (times,)
        Two series in the same units.

    Raises
    ------
    ValueError
        If the shapes differ or fewer than two times count.
    """
    s, o = _pair(simulated, reference)
    there = np.isfinite(s) & np.isfinite(o)
    if there.sum() < 2:
        raise ValueError(f"the Kling-Gupta efficiency needs at least two values in both series, got {there.sum()}")
    found = metrics(s, o)
    return KlingGupta(*(float(part) for part in (found.kge, found.r, found.alpha, found.beta)))


def _pair(simulated: ArrayLike, reference: ArrayLike) -> tuple[Array, Array]:
    s, o = np.asarray(simulated, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if s.ndim != 1 or s.shape != o.shape:
        raise ValueError(f"two series of the same length are needed, got the shapes {s.shape} and {o.shape}")
    return s, o
