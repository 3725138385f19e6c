"""Maps by depth interval onto the layers of the model."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bmi_colm.soil import layer_weights
from bmi_common.arrays import Array
from bmi_common.errors import ConfigError

DEPTHS: Final = {
    "soilgrids": (0.0, 0.05, 0.15, 0.30, 0.60, 1.00, 2.00),
    "gsde": (0.0, 0.045, 0.091, 0.166, 0.289, 0.493, 0.829, 1.383, 2.296),
}
"""Limits of the intervals [m]: SoilGrids 2.0 (Poggio et al., 2021); GSDE (Shangguan et al., 2014)."""


def interval_weights(limits: tuple[float, ...], dz: NDArray[np.float64]) -> Array:
    """Return the matrix that averages intervals over layers by the thickness that they share.

    Below the deepest interval its value goes on.

    Parameters
    ----------
    limits : tuple of float
        Of the intervals, from the surface down [m].
    dz : ndarray, shape (nz,)
        Thickness of the layers [m], bottom first.

    Returns
    -------
    ndarray, shape (nz, intervals)
        Layers bottom first, intervals topmost first; rows add up to one.
    """
    return np.ascontiguousarray(layer_weights(np.diff(limits)[::-1], dz)[:, ::-1])


def require_count(count: int, limits: tuple[float, ...], key: str) -> None:
    """Refuse as many maps as there are no intervals for.

    Raises
    ------
    ConfigError
        Neither one map nor one for each interval.
    """
    if count not in (1, len(limits) - 1):
        raise ConfigError(
            f"{count} maps; needed is one, or one for each of the {len(limits) - 1} intervals of soil.depths", key=key
        )
