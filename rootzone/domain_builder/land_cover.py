"""Land cover in the classes of IGBP, and the roughness that follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array
from bmi_common.errors import ConfigError
from rootzone.domain_builder.config import LandCoverConfig, RiverConfig
from rootzone.domain_builder.grid import BasinGrid
from rootzone.domain_builder.raster import majority, read_shares
from rootzone.domain_builder.tables import table

Mask = NDArray[np.bool_]

CLASSES: Final = range(1, 18)
"""Of IGBP."""


@dataclass(frozen=True)
class LandCover:
    """Class with the largest share of each cell, and the shares.

    Attributes
    ----------
    classes : ndarray, shape (ny, nx)
        IGBP class.
    shares : dict of ndarray, shape (ny, nx)
        Share of each class that there is [1], by its number.
    manning : ndarray, shape (ny, nx)
        Roughness [s m-1/3].
    """

    classes: Array
    shares: dict[int, Array]
    manning: Array


def read_land_cover(
    spec: LandCoverConfig, rivers: RiverConfig, grid: BasinGrid, needed: Mask, river: Mask
) -> LandCover:
    """Read land cover, which is `needed` in some cells; `river` are those with the roughness of rivers.

    Raises
    ------
    ConfigError
        A class is not in the legend, or the map does not cover the region.
    """
    tables = table("land_cover")
    legend = tables["legends"][spec.legend] if isinstance(spec.legend, str) else spec.legend
    try:
        shares = read_shares(spec, grid, needed, "land_cover", legend)
    except ConfigError as error:
        if isinstance(spec.legend, str) and "no row" in error.message:
            others = ", ".join(name for name in tables["legends"] if name != spec.legend)
            raise error.changed(
                message=f"{error.message}; the legend is {spec.legend}, there are {others}, or a table of your own"
            ) from None
        raise
    classes = majority(shares)
    roughness = {**tables["manning"], **spec.manning}
    manning = np.select([classes == c for c in CLASSES], [roughness[c] for c in CLASSES], default=np.nan)
    return LandCover(classes, shares, np.where(river, rivers.manning, manning))
