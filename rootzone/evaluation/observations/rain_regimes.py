"""Dry, wet and storm: intervals told apart by the rain of their wettest hour."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array

RAIN_REGIMES: Mapping[str, tuple[float, float]] = {
    "dry": (0.0, 0.1),
    "wet": (0.1, 2.5),
    "storm": (2.5, np.inf),
}
"""Rain [mm h-1] of the wettest hour, from the first to below the second. 0.1 mm is what gauges resolve; from 2.5 mm
in an hour on rain is moderate (American Meteorological Society, Glossary of Meteorology, "rain")."""


def of_regime(name: str, wettest: Array) -> NDArray[np.bool_]:
    """Tell which intervals belong to a regime; those of unknown rain (NaN) belong to none.

    Parameters
    ----------
    name : str
        One of `RAIN_REGIMES`.
    wettest : ndarray, shape (intervals,)
        Rain of the wettest hour of each [mm h-1].
    """
    low, high = RAIN_REGIMES[name]
    return np.asarray((wettest >= low) & (wettest < high))


def names_of(wettest: Array) -> list[str]:
    """Name the regime of each interval; empty where the rain is unknown."""
    names = np.full(len(wettest), "", dtype=object)
    for name in RAIN_REGIMES:
        names[of_regime(name, wettest)] = name
    return [str(name) for name in names]
