"""Statistics of the terrain within cells, from the elevation map on finer ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from bmi_common.arrays import Array
from bmi_common.errors import ConfigError
from rootzone.domain_builder.config import BasinConfig
from rootzone.domain_builder.grid import BasinGrid, divided
from rootzone.domain_builder.natural_flow import natural_flow
from rootzone.domain_builder.raster import cell_width
from rootzone.domain_builder.region import Region, read_fine_region, spread_over

Mask = NDArray[np.bool_]

_KEY = "terrain_statistics"
_INTERVALS = 20
QUANTILES: Final[Array] = np.arange(_INTERVALS + 1) / _INTERVALS


@dataclass(frozen=True)
class TerrainStatistics:
    """Statistics over the fine cells of each cell, NaN in inactive ones.

    A fine cell counts if it lies in the region and in an active cell. Active cells without any have the statistics of
    the nearest that has some.

    Attributes
    ----------
    cell : float
        Size of the fine cells [m].
    stream_area : float
        Upstream area from which one of them is a stream [m2].
    height : ndarray, shape (quantile, ny, nx)
        Quantiles of the height above the nearest drainage [m].
    slope, curvature : ndarray, shape (quantile, ny, nx)
        Quantiles of the slope of the ground [1] and of its Laplacian [m-1], positive in hollows.
    drainage_density : ndarray, shape (ny, nx)
        Length of streams by area [m-1].
    mean_height : ndarray, shape (ny, nx)
        Mean height above the nearest drainage [m].
    upstream_area : ndarray, shape (ny, nx)
        The largest of the fine cells [m2].
    cells : int
        Fine cells that count.
    median_height, density : float
        Median height above drainage [m] and drainage density [m-1] of all of them.
    map_cell : float
        Width of the cells of the elevation map [m].
    """

    cell: float
    stream_area: float
    height: Array
    slope: Array
    curvature: Array
    drainage_density: Array
    mean_height: Array
    upstream_area: Array
    cells: int
    median_height: float
    density: float
    map_cell: float


def read_terrain_statistics(config: BasinConfig, region: Region, active: Mask) -> TerrainStatistics:
    """Read the elevation map on fine cells and make statistics of it.

    Pits of the fine ground are filled, and its water is followed as that of `natural_flow`, over all of the region, in
    inactive cells, too. Rivers that ``rivers`` burns in are not in it. Slope and curvature are those of the ground as
    it is in the map; none of what lies beyond the region is seen.

    Parameters
    ----------
    config : BasinConfig
        With `terrain_statistics` and `elevation`.
    region : Region
        Of the cells.
    active : ndarray of bool, shape (ny, nx)
        Cells that have statistics.

    Raises
    ------
    ConfigError
        The fine cells do not divide the cells, the map has holes, or none of them counts.
    """
    spec, elevation = config.terrain_statistics, config.elevation
    assert spec is not None
    assert elevation is not None
    grid = divided(region.grid, spec.cell, f"{_KEY}.cell")
    fine = read_fine_region(config, region, grid)
    assert fine.elevation is not None
    counted = fine.mask & spread_over(active, grid)
    if not counted.any():
        raise ConfigError(f"no cell of {spec.cell:g} m lies in the region", key=f"{_KEY}.cell")
    area = round(spec.stream_area * 1e6, 3)  # 0.07 km2 times a million is above the area of seven cells of 100 m
    flow = natural_flow(fine.elevation, fine.mask, grid)
    streams = fine.mask & (np.nan_to_num(flow.upstream_area) >= area)
    height = flow.height_above(streams)
    slope, curvature = slope_and_curvature(np.where(fine.mask, fine.elevation, np.nan), grid)

    shape = region.grid.shape
    filled = _by_cell(counted, shape).any(axis=-1)
    nearest = distance_transform_edt(
        ~filled, sampling=(region.grid.dy, region.grid.dx), return_distances=False, return_indices=True
    )

    def within(values: Array) -> Array:
        """Values of the fine cells of each cell that has some, (n, fine cells)."""
        return np.asarray(_by_cell(np.where(counted, values, np.nan), shape)[filled])

    def spread(values: Array) -> Array:
        """Put values (…, n) of cells on the grid."""
        whole = np.full((*values.shape[:-1], *shape), np.nan)
        whole[..., filled] = values
        return np.asarray(np.where(active, whole[..., nearest[0], nearest[1]], np.nan))

    heights = within(height)
    return TerrainStatistics(
        cell=spec.cell,
        stream_area=area,
        height=spread(_quantiles(heights)),
        slope=spread(_quantiles(within(slope))),
        curvature=spread(_quantiles(within(curvature))),
        drainage_density=spread(np.nanmean(within(streams.astype(np.float64)), axis=-1) / spec.cell),
        mean_height=spread(np.nanmean(heights, axis=-1)),
        upstream_area=spread(np.nanmax(within(flow.upstream_area), axis=-1)),
        cells=int(counted.sum()),
        median_height=float(np.median(height[counted])),
        density=float(streams[counted].mean()) / spec.cell,
        map_cell=cell_width(elevation, grid, "elevation"),
    )


def slope_and_curvature(ground: Array, grid: BasinGrid) -> tuple[Array, Array]:
    """Slope [1] and Laplacian [m-1] of the ground by central differences.

    Where it ends on one side of a cell it goes on straight; where it ends on both it is level.

    Parameters
    ----------
    ground : ndarray, shape (ny, nx)
        Elevation [m], NaN where there is none.
    grid : BasinGrid
        The cells.
    """
    gradients, bends = [], []
    for axis, size in ((0, grid.dy), (1, grid.dx)):
        wide = np.pad(ground, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], constant_values=np.nan)
        before, after = (np.take(wide, np.arange(ground.shape[axis]) + k, axis=axis) for k in (0, 2))
        first, last = np.isnan(before), np.isnan(after)
        before = np.where(first, np.where(last, ground, 2.0 * ground - after), before)
        after = np.where(last, 2.0 * ground - before, after)
        gradients.append((after - before) / (2.0 * size))
        bends.append((before - 2.0 * ground + after) / size**2)
    return np.hypot(*gradients), bends[0] + bends[1]


def _by_cell(values: NDArray[Any], shape: tuple[int, int]) -> NDArray[Any]:
    """Sort fine cells by the cells of a grid, (ny, nx, fine cells)."""
    (ny, nx), (fine_ny, fine_nx) = shape, values.shape
    return values.reshape(ny, fine_ny // ny, nx, fine_nx // nx).swapaxes(1, 2).reshape(ny, nx, -1)


def _quantiles(values: Array) -> Array:
    """Quantiles (quantile, n) of what is finite in each row of (n, m), linear between values."""
    ordered = np.sort(values, axis=-1)  # NaN last
    last = np.isfinite(values).sum(axis=-1) - 1
    # in whole numbers, so that a quantile that falls on a value is that value
    below, rest = np.divmod(np.arange(_INTERVALS + 1)[:, np.newaxis] * last, _INTERVALS)
    rows = np.arange(len(values))
    low, high = ordered[rows, below], ordered[rows, np.minimum(below + 1, last)]
    return np.asarray(low + (high - low) * (rest / _INTERVALS))
