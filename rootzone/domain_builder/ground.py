"""The ground of a basin: outlets, conditioned elevation, slopes and rivers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array
from bmi_common.errors import ConfigError
from bmi_common.slopes import SlopeFormulation
from rootzone.domain_builder.config import BasinConfig, ElevationConfig, RimOutletsConfig, SlopesConfig
from rootzone.domain_builder.drainage import Drainage, drain
from rootzone.domain_builder.grid import BasinGrid
from rootzone.domain_builder.libraries import library
from rootzone.domain_builder.natural_flow import NaturalFlow, natural_flow
from rootzone.domain_builder.raster import complete, read_map, read_shapes
from rootzone.domain_builder.region import Region, in_crs, river_area

Mask = NDArray[np.bool_]
Cell = tuple[int, int]

_SECOND_OUTLET = 0.1
"""Share of the region that drains over another place of the rim, from which on one outlet contradicts the map."""


@dataclass(frozen=True)
class Ground:
    """Active cells, slopes, and what is known of the way of the water.

    Attributes
    ----------
    mask : ndarray of bool, shape (ny, nx)
        Active cells.
    slope_x, slope_y : ndarray, shape (ny, nx)
        Of the eastern and northern face [-], positive where the ground rises that way.
    formulation : SlopeFormulation
        How they enter groundwater flow.
    elevation : ndarray, shape (ny, nx), optional
        Conditioned [m].
    drainage : Drainage, optional
        How it was made.
    river : ndarray of bool, shape (ny, nx)
        River cells.
    """

    mask: Mask
    slope_x: Array
    slope_y: Array
    formulation: SlopeFormulation
    elevation: Array | None
    drainage: Drainage | None
    river: Mask


def steepness(ground: Ground) -> Array:
    """Slope of the ground within each cell (ny, nx) [1]: the mean of those of its faces."""
    parts = []
    for slope, axis in ((ground.slope_x, 1), (ground.slope_y, 0)):
        before = np.roll(slope, 1, axis=axis)
        first = np.arange(slope.shape[axis]) == 0
        before = np.where(first if axis == 1 else first[:, np.newaxis], slope, before)
        parts.append(0.5 * (before + slope))
    return np.hypot(*parts)


def read_ground(config: BasinConfig, region: Region) -> Ground:
    """Make the ground of a region drain, or take the slopes that the user has.

    Raises
    ------
    ConfigError
        A map does not cover the region, or the outlets do not fit it.
    """
    if config.slopes is not None:
        return _given(config.slopes, region)
    spec, grid = config.elevation, region.grid
    assert spec is not None
    assert region.elevation is not None
    burnt = _burnt(config, region)
    flow = natural_flow(burnt, region.mask, grid)
    outlets = [region.outlet] if region.outlet is not None else _outlets(spec, config, region, flow)
    threshold = river_area(config, grid)
    river = region.mask & (np.nan_to_num(flow.upstream_area) >= threshold)
    if config.rivers.upstream_area is not None and config.rivers.depth:
        burnt = np.where(river, burnt - config.rivers.depth, burnt)
    drainage = drain(
        region.elevation,
        region.mask,
        grid,
        outlets,
        river=river,
        burnt=burnt,
        pits=spec.pits,
        minimum_slope=spec.minimum_slope,
    )
    river = np.nan_to_num(drainage.upstream_area) >= threshold
    return Ground(
        drainage.mask,
        drainage.slope_x,
        drainage.slope_y,
        SlopeFormulation.UPWIND,
        drainage.elevation,
        drainage,
        river,
    )


def _given(spec: SlopesConfig, region: Region) -> Ground:
    slope_x, slope_y = (
        np.where(
            region.mask,
            complete(read_map(s, region.grid, key, "1", "nearest"), s, region.grid, region.mask, key),
            0.0,
        )
        for s, key in ((spec.x, "slopes.x"), (spec.y, "slopes.y"))
    )
    none = np.zeros(region.grid.shape, dtype=np.bool_)
    return Ground(region.mask, slope_x, slope_y, spec.formulation, None, None, none)


def _burnt(config: BasinConfig, region: Region) -> Array:
    """Elevation with the rivers of a vector file burnt in."""
    assert region.elevation is not None
    path, depth = config.rivers.vector, config.rivers.depth
    if path is None:
        return region.elevation
    if not depth:
        raise ConfigError("say how deep the rivers are burnt: depth [m]", key="rivers.depth")
    lines = read_shapes(path, None, region.grid.crs, "rivers.vector")
    on = library("rasterio.features").rasterize(
        lines.geometry,
        out_shape=region.grid.shape,
        transform=region.grid.transform,
        dtype="uint8",
        all_touched=True,
    )[::-1]
    if not (on.astype(bool) & region.mask).any():
        raise ConfigError(f"{path}: no river of it lies in the region", key="rivers.vector")
    return np.where(on > 0, region.elevation - depth, region.elevation)


def _outlets(spec: ElevationConfig, config: BasinConfig, region: Region, flow: NaturalFlow) -> list[Cell]:
    grid, key = region.grid, "elevation.outlets"
    nx = grid.nx
    ends = [divmod(int(c), nx) for c in flow.outlets]
    areas = [float(flow.upstream_area[cell]) for cell in ends]
    if isinstance(spec.outlets, RimOutletsConfig):
        least = spec.outlets.upstream_area * 1e6
        chosen = [cell for cell, area in zip(ends, areas, strict=True) if area >= least]
        if not chosen:
            raise ConfigError(
                f"{spec.outlets.upstream_area:g} km2 drain over the rim nowhere; the most is {areas[0] / 1e6:.4g} km2",
                key=key,
            )
        return chosen
    if spec.outlets == "largest":
        whole = float(region.mask.sum()) * grid.cell_area
        large = [(cell, area) for cell, area in zip(ends, areas, strict=True) if area > _SECOND_OUTLET * whole]
        if len(large) > 1:
            told = "; ".join(_described(cell, area, grid) for cell, area in large)
            raise ConfigError(
                f"one outlet was asked for, but water leaves the region in {len(large)} places: {told}; take "
                "`region: {pour_point: …}` for the basin of one of them, or "
                f"`outlets: {{upstream_area: {0.9 * large[-1][1] / 1e6:.3g}}}` for all",
                key=key,
            )
        return [ends[0]]
    return [_rim_cell(p, config, region, f"{key}.{n}") for n, p in enumerate(spec.outlets)]


def _described(cell: Cell, area: float, grid: BasinGrid) -> str:
    x, y = grid.centre(*cell)
    return f"{area / 1e6:.4g} km2 at x {x:.0f}, y {y:.0f}"


def _rim_cell(point: tuple[float, float], config: BasinConfig, region: Region, key: str) -> Cell:
    """Cell of the rim next to a point."""
    x, y = in_crs(point, config.region.crs, region.grid, key)
    wide = np.pad(region.mask, 1)
    inner = wide[1:-1, :-2] & wide[1:-1, 2:] & wide[:-2, 1:-1] & wide[2:, 1:-1]
    xs, ys = np.meshgrid(region.grid.easting, region.grid.northing)
    distance = np.where(region.mask & ~inner, np.hypot(xs - x, ys - y), np.inf)
    j, i = np.unravel_index(int(np.argmin(distance)), distance.shape)
    if distance[j, i] > 3.0 * region.grid.dx:
        raise ConfigError(f"the rim of the region is {distance[j, i]:.0f} m away", key=key)
    return int(j), int(i)
