"""All that is known of a basin once its maps are read."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array
from bmi_common.errors import Mistakes
from rootzone.domain_builder.config import BasinConfig
from rootzone.domain_builder.gauges import Gauge, place_gauges
from rootzone.domain_builder.grid import BasinGrid
from rootzone.domain_builder.ground import Ground, read_ground, steepness
from rootzone.domain_builder.land_cover import LandCover, read_land_cover
from rootzone.domain_builder.permeability import read_rock
from rootzone.domain_builder.raster import read_field
from rootzone.domain_builder.region import Region, read_region
from rootzone.domain_builder.soil import Soil, read_soil
from rootzone.domain_builder.terrain_statistics import TerrainStatistics, read_terrain_statistics


@dataclass(frozen=True)
class Basin:
    """A basin on its grid; columns are the active cells in the order of ``mask.nonzero()``.

    Attributes
    ----------
    region, ground, cover : Region, Ground, LandCover
        Which cells, how they drain, what grows there.
    soil : Soil
        Texture and depth of the soil, and hydraulic parameters of all layers, rock included.
    rock : ndarray of bool, shape (nz, n)
        Which layers are rock.
    dz : ndarray, shape (nz,)
        Thickness of the layers [m], bottom first.
    recharge : ndarray, shape (ny, nx), optional
        [mm a-1].
    gauges : dict of Gauge
        By name.
    terrain : TerrainStatistics, optional
        Of the ground within the cells.
    """

    region: Region
    ground: Ground
    cover: LandCover
    soil: Soil
    rock: NDArray[np.bool_]
    dz: NDArray[np.float64]
    recharge: Array | None
    gauges: dict[str, Gauge]
    terrain: TerrainStatistics | None

    @property
    def grid(self) -> BasinGrid:
        """The cells."""
        return self.region.grid

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Active cells, (ny, nx)."""
        return self.ground.mask


def read_basin(config: BasinConfig) -> Basin:
    """Read all maps of a basin.

    Raises
    ------
    ConfigError
        For each thing that is wrong with them, as far as they do not hide each other.
    """
    region = read_region(config)
    ground = read_ground(config, region)
    grid, mask = region.grid, ground.mask
    needed = region.mask  # banks may lie beyond the maps
    dz = np.array(config.layers, dtype=np.float64)
    mistakes = Mistakes()
    soil = cover = recharge = terrain = None
    gauges: dict[str, Gauge] = {}
    rock = np.zeros((dz.size, int(mask.sum())), dtype=np.bool_)
    with mistakes.noted():
        soil = read_soil(config.soil, grid, mask, needed, dz, below=config.permeability is not None)
    if config.permeability is not None:
        with mistakes.noted():
            bottom = np.full(rock.shape[1], np.inf) if soil is None else soil.bottom
            steep = steepness(ground)[mask]
            below, rock = read_rock(config.permeability, grid, mask, needed, dz, bottom, steep)
            if soil is not None:
                soil = replace(soil, hydraulics=below.where(rock, soil.hydraulics))
    with mistakes.noted():
        cover = read_land_cover(config.land_cover, config.rivers, grid, needed, ground.river)
    if config.initial.recharge is not None:
        with mistakes.noted():
            recharge = read_field(config.initial.recharge, grid, needed, "initial.recharge", "mm common_year-1")
    with mistakes.noted():
        gauges = place_gauges(config, grid, ground)
    if config.terrain_statistics is not None:
        with mistakes.noted():
            terrain = read_terrain_statistics(config, region, mask)
    mistakes.require_none()
    assert soil is not None
    assert cover is not None
    return Basin(region, ground, cover, soil, rock, dz, recharge, gauges, terrain)
