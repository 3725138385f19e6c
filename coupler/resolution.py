"""How small an error does not matter beside that of a bound, in audits as in evaluations."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

WATER_TABLE: Final = 1.0e-3  # m
SOIL_MOISTURE: Final = 1.0e-3  # m3 of water in a m3 of soil, or in a m3 of its pores
SOIL_WATER: Final = 0.1  # mm: a water table that moves by its resolution where a tenth of the soil drains
LATENT_HEAT: Final = 1.0  # W m-2


def undercuts(error: ArrayLike, bound: ArrayLike, resolution: float) -> NDArray[np.bool_]:
    """Say where absolute errors are below those of the bound, or too small to matter.

    Where both are exact, as under ponded water or in the first hours, there is nothing to undercut. An error that is
    not a number undercuts nothing.
    """
    found = np.asarray(error)
    return np.asarray((found < np.asarray(bound)) | (found <= resolution))
