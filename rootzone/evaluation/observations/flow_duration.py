"""Flow duration: how large a share of the time a discharge is exceeded."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bmi_common.arrays import Array

EXCEEDANCES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""Shares of the time for which tables give the discharge that is exceeded."""


def curve(values: Array) -> tuple[Array, Array]:
    """Return shares of the time, ascending, and the discharges that are exceeded for these.

    Of n values the i-th largest is exceeded for i / (n + 1) of the time: Weibull (1939).
    """
    ranked = np.sort(values)[::-1]
    return np.arange(1, len(ranked) + 1) / (len(ranked) + 1.0), ranked


def exceeded(values: Array) -> Mapping[str, float]:
    """Return the discharge that is exceeded for each of `EXCEEDANCES`, as ``Q5`` and so on."""
    found = np.quantile(values, [1.0 - share for share in EXCEEDANCES], method="weibull")
    return {f"Q{100.0 * share:g}": float(q) for share, q in zip(EXCEEDANCES, found, strict=True)}
