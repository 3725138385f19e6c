"""Soil water retention and relative permeability of van Genuchten (1980, SSSAJ 44, 892-898) with Mualem (1976).

With m = 1 - 1/n and x = alpha |h| for pressure head h < 0: effective saturation (1 + x^n)^-m. For h >= 0 the soil
is at its maximum saturation. All functions are elementwise and broadcast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from bmi_common.arrays import Array


def _effective_saturation(head: ArrayLike, alpha: ArrayLike, n: ArrayLike) -> Array:
    suction = np.maximum(-np.asarray(head, dtype=np.float64), 0.0) * alpha
    exponent = np.asarray(n, dtype=np.float64)
    with np.errstate(over="ignore"):  # x^n beyond the largest double gives saturation 0, which is the limit
        return np.asarray((1.0 + suction**exponent) ** (1.0 / exponent - 1.0))


def saturation(head: ArrayLike, alpha: ArrayLike, n: ArrayLike, residual: ArrayLike, maximum: ArrayLike = 1.0) -> Array:
    """Saturation [-] from pressure head [m].

    Parameters
    ----------
    head : array_like
        Pressure head [m]; negative where unsaturated.
    alpha : array_like
        Inverse air-entry head [m-1].
    n : array_like
        Shape parameter [-], above 1.
    residual, maximum : array_like
        Residual and maximum saturation [-].

    Notes
    -----
    S = Sr + (Ss - Sr) (1 + (alpha |h|)^n)^-(1 - 1/n) for h < 0, Ss otherwise.
    """
    residual = np.asarray(residual, dtype=np.float64)
    return np.asarray(residual + (maximum - residual) * _effective_saturation(head, alpha, n))


def pressure_head(
    saturation: ArrayLike, alpha: ArrayLike, n: ArrayLike, residual: ArrayLike, maximum: ArrayLike = 1.0
) -> Array:
    """Pressure head [m] from saturation [-]; 0 at or above the maximum saturation.

    Parameters are those of `saturation`. At or below the residual saturation the head has no finite value.

    Raises
    ------
    ValueError
        If a saturation is at or below the residual saturation.
    """
    s = np.asarray(saturation, dtype=np.float64)
    residual = np.asarray(residual, dtype=np.float64)
    n = np.asarray(n, dtype=np.float64)
    effective = np.minimum((s - residual) / (np.asarray(maximum, dtype=np.float64) - residual), 1.0)
    if np.any(effective <= 0.0):
        raise ValueError("no pressure head gives a saturation at or below the residual saturation")
    # expm1/log keep the digits of x near saturation, where effective is close to 1
    with np.errstate(over="ignore"):
        x = np.expm1(-np.log(effective) * n / (n - 1.0)) ** (1.0 / n)
    if not np.all(np.isfinite(x)):
        raise ValueError("a saturation so close to the residual saturation that no finite pressure head gives it")
    return np.asarray(-x / alpha)


def relative_permeability(head: ArrayLike, alpha: ArrayLike, n: ArrayLike) -> Array:
    """Relative permeability [-] from pressure head [m].

    Notes
    -----
    kr = (1 - x^(n-1) b)^2 sqrt(b), b = (1 + x^n)^-m, x = alpha |h| for h < 0; 1 otherwise.
    """
    n = np.asarray(n, dtype=np.float64)
    suction = np.maximum(-np.asarray(head, dtype=np.float64), 0.0) * alpha
    b = _effective_saturation(head, alpha, n)
    # x^(n-1) b = (1 + x^-n)^-m does not overflow; expm1 keeps the digits of 1 - (1 + x^-n)^-m in dry soil
    with np.errstate(divide="ignore", over="ignore"):
        emptied = -np.expm1((1.0 / n - 1.0) * np.log1p(suction ** (-n)))
    return np.asarray(emptied**2 * np.sqrt(b))
