"""How dry soil can become: the head below which nothing takes water from it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FLOOR_HEAD = -1000.0
"""Default of land and groundwater [m]: air-dry soil (pF 5)."""


def reachable_floor(floor: float, porosity: ArrayLike, specific_storage: ArrayLike) -> NDArray[np.float64]:
    """Lowest head [m] at which a cell can give water, at least `floor`.

    Parameters
    ----------
    floor : float
        Wanted floor [m], below 0.
    porosity, specific_storage : array_like
        Pore volume [1] and specific storage [m-1] of the cells, or both times the same length.

    Notes
    -----
    Below -porosity / specific storage the water of a cell, S (porosity + specific storage h), grows again.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.maximum(floor, -0.5 * np.asarray(porosity) / np.asarray(specific_storage)))
