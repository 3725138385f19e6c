"""Which cells of which grid take part: from a box, a polygon, a mask or a pour point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, label

from bmi_common.arrays import Array
from bmi_common.errors import ConfigError
from rootzone.domain_builder.config import BasinConfig, RasterConfig
from rootzone.domain_builder.grid import BasinGrid, Bounds, grid_over, read_crs, require_metres
from rootzone.domain_builder.libraries import library
from rootzone.domain_builder.natural_flow import natural_flow, snap
from rootzone.domain_builder.raster import bounds_of, complete, crs_of, opened, read_map, read_shapes

Mask = NDArray[np.bool_]

FEWEST_CELLS = 4
RIVER_CELLS = 50.0
"""Cells that drain through one from which on it counts as a river, where no upstream area is given."""
_SNAP_CELLS = 3.0
_LARGEST_LOSS = 0.05
_OUTLET_CELLS = 1.5
"""How far from the outlet of the cells that of finer ones may lie."""


@dataclass(frozen=True)
class Region:
    """Grid, cells that take part, and the ground of all of the grid.

    Attributes
    ----------
    grid : BasinGrid
        With a frame of one inactive cell, where it is not that of a raster.
    mask : ndarray of bool, shape (ny, nx)
        In one piece across faces.
    elevation : ndarray, shape (ny, nx), optional
        [m], NaN where the map has none.
    outlet : (int, int), optional
        Cell of the pour point.
    left_out : int
        Cells of the region that no face connects with the rest.
    """

    grid: BasinGrid
    mask: Mask
    elevation: Array | None
    outlet: tuple[int, int] | None = None
    left_out: int = 0


def river_area(config: BasinConfig, grid: BasinGrid) -> float:
    """Upstream area [m2] from which a cell is a river."""
    given = config.rivers.upstream_area
    return given * 1e6 if given is not None else RIVER_CELLS * grid.cell_area


def read_region(config: BasinConfig) -> Region:
    """Read the region of a basin.

    Raises
    ------
    ConfigError
        The grid is not one of metres, the region holds too few cells or is not covered by the elevation map, or the
        pour point is off the river.
    """
    spec = config.region
    grid, fixed = _frame(config)
    elevation = None
    if config.elevation is not None:
        elevation = read_map(config.elevation, grid, "elevation", "m")
    outlet = None
    if spec.pour_point is not None:
        assert elevation is not None
        mask, outlet = _basin(config, grid, elevation)
    elif spec.bounding_box is not None:
        mask = np.zeros(grid.shape, dtype=np.bool_)
        mask[1:-1, 1:-1] = True
    else:
        mask = _drawn(config, grid, elevation)
    mask, left_out = _largest_piece(mask, outlet)
    if mask.sum() < FEWEST_CELLS:
        raise ConfigError(
            f"the region holds {int(mask.sum())} cells of {grid.dx:g} m; at least {FEWEST_CELLS} are needed",
            key="region",
        )
    if not fixed:
        grid, mask, elevation, outlet = _cropped(grid, mask, elevation, outlet)
    if config.elevation is not None:
        assert elevation is not None
        complete_ground = complete(elevation, config.elevation, grid, mask, "elevation")
        elevation = np.where(mask, complete_ground, elevation)
    return Region(grid, mask, elevation, outlet, left_out)


def read_fine_region(config: BasinConfig, region: Region, grid: BasinGrid) -> Region:
    """Read a region once more, on cells that divide those of its grid.

    What a polygon, a mask or the elevation map draws ends where it does on the fine cells, within cells of `region` or
    in cells that do not take part; so does the basin of a pour point, which is found anew from the fine cell beside the
    outlet whose upstream area is that of `region`. Of a bounding box it is the same ground.

    Raises
    ------
    ConfigError
        The elevation map has holes, or the fine cells have no such basin.
    """
    assert config.elevation is not None
    elevation = read_map(config.elevation, grid, "elevation", "m")
    known, within = np.isfinite(elevation), spread_over(region.mask, grid)
    outlet = None
    if region.outlet is not None:
        flow = natural_flow(elevation, known, grid)
        outlet = _same_outlet(region, flow.upstream_area, grid)
        mask = flow.basin(outlet)
    elif config.region.bounding_box is not None:
        mask = within
    else:
        # beyond the cells that take part the map may end
        mask = _drawn(config, grid, elevation) & (known | within)
    return Region(grid, mask, complete(elevation, config.elevation, grid, mask, "elevation"), outlet)


def spread_over(values: NDArray[Any], grid: BasinGrid) -> NDArray[Any]:
    """Values of cells (ny, nx), on each of the fine cells of `grid` that divide them."""
    along, across = (fine // coarse for fine, coarse in zip(grid.shape, values.shape, strict=True))
    return values.repeat(along, axis=0).repeat(across, axis=1)


def _same_outlet(region: Region, upstream_area: Array, grid: BasinGrid) -> tuple[int, int]:
    """Cell of a finer grid where the basin of a pour point ends."""
    assert region.outlet is not None
    coarse = region.grid
    area, near = float(region.mask.sum()) * coarse.cell_area, _OUTLET_CELLS * max(coarse.dx, coarse.dy)
    try:
        return snap(upstream_area, grid, coarse.centre(*region.outlet), near, area, "region.pour_point", 0.0)
    except ConfigError:
        raise ConfigError(
            f"on cells of {grid.dx:g} m no river within {near:g} m of the outlet has a basin like that of the domain, "
            f"{area / 1e6:.4g} km2: cells of {coarse.dx:g} m drain otherwise than the ground; take smaller ones, or "
            "give the region as a polygon",
            key="region.pour_point",
        ) from None


def _drawn(config: BasinConfig, grid: BasinGrid, elevation: Array | None) -> Mask:
    """Inside of a polygon, a mask, or what the elevation map covers."""
    spec = config.region
    if spec.polygon is not None:
        return _inside_polygon(config, grid)
    if spec.mask is not None:
        return read_map(spec.mask, grid, "region.mask", "1", "nearest") > 0.0
    if elevation is None or config.grid.like is not None:
        return np.ones(grid.shape, dtype=np.bool_)
    # a map ends within cells, or along a basin; holes in it are asked for, and told as missing
    return np.asarray(binary_fill_holes(np.isfinite(elevation)))


def _frame(config: BasinConfig) -> tuple[BasinGrid, bool]:
    """Grid that is large enough for the region, and whether it is fixed by a raster."""
    spec = config.grid
    if spec.like is not None:
        with opened(spec.like, "grid.like") as data:
            crs = crs_of(data, spec.like, "grid.like")
            require_metres(crs, "grid.like", tuple(data.lnglat()) if crs.is_geographic else None)
            a = data.transform
            if a.b or a.d or a.a <= 0.0:
                raise ConfigError(f"{spec.like.file}: its rows do not run from west to east", key="grid.like")
            south = min(a.f, a.f + data.height * a.e)
            return BasinGrid(crs, a.c, south, a.a, abs(a.e), data.width, data.height), True
    assert spec.crs is not None
    assert spec.cell is not None
    crs = read_crs(spec.crs, "grid.crs")
    require_metres(crs, "grid.crs", _near(config))
    west, south, east, north = _bounds(config, crs)
    margin = spec.cell
    return grid_over(crs, spec.cell, (west - margin, south - margin, east + margin, north + margin)), False


def _near(config: BasinConfig) -> tuple[float, float] | None:
    """Longitude and latitude of the region, as far as its elevation map tells."""
    spec = config.elevation
    if spec is None:
        return None
    try:
        with opened(spec, "elevation") as data:
            if data.crs is None:
                return None
            longitude, latitude = data.lnglat()
            return float(longitude), float(latitude)
    except ConfigError:
        return None


def _bounds(config: BasinConfig, crs: Any) -> Bounds:
    spec = config.region
    if spec.bounding_box is not None:
        own = crs if spec.crs is None else read_crs(spec.crs, "region.crs")
        if spec.crs is None and all(abs(v) <= 360.0 for v in spec.bounding_box):
            raise ConfigError(
                f"{list(spec.bounding_box)} looks like degrees, but the CRS of the grid is in metres; say "
                "`crs: EPSG:4326` beside it",
                key="region.bounding_box",
            )
        change = library("pyproj").Transformer.from_crs(own, crs, always_xy=True)
        west, south, east, north = change.transform_bounds(*spec.bounding_box)
        return west, south, east, north
    if spec.polygon is not None:
        west, south, east, north = _polygon(config, crs).total_bounds
        return float(west), float(south), float(east), float(north)
    raster: RasterConfig | None = spec.mask or config.elevation or (config.slopes.x if config.slopes else None)
    assert raster is not None
    return bounds_of(raster, "region.mask" if spec.mask else "elevation", crs)


def _polygon(config: BasinConfig, crs: Any) -> Any:
    assert config.region.polygon is not None
    return read_shapes(config.region.polygon, config.region.crs, crs, "region.polygon")


def _inside_polygon(config: BasinConfig, grid: BasinGrid) -> Mask:
    shapes = _polygon(config, grid.crs)
    burnt = library("rasterio.features").rasterize(
        shapes.geometry,
        out_shape=grid.shape,
        transform=grid.transform,
        dtype="uint8",
    )
    return np.ascontiguousarray(burnt[::-1] > 0)


def _basin(config: BasinConfig, grid: BasinGrid, elevation: Array) -> tuple[Mask, tuple[int, int]]:
    """All that drains through the pour point, and its cell."""
    spec = config.region.pour_point
    assert spec is not None
    point = in_crs((spec.x, spec.y), config.region.crs, grid, "region.pour_point")
    known = np.isfinite(elevation)
    known[[0, -1]] = known[:, [0, -1]] = False  # room for the frame
    if not known.any():
        raise ConfigError("the elevation map does not cover the region", key="elevation")
    flow = natural_flow(elevation, known, grid)
    within = spec.snap if spec.snap is not None else _SNAP_CELLS * grid.dx
    cell = snap(flow.upstream_area, grid, point, within, None, "region.pour_point", river_area(config, grid))
    mask = flow.basin(cell)
    edge = np.zeros_like(mask)
    wide = np.pad(known, 1)
    edge |= known & ~(wide[1:-1, :-2] & wide[1:-1, 2:] & wide[:-2, 1:-1] & wide[2:, 1:-1])
    touching = mask & edge
    touching[cell] = False
    if touching.any():
        j, i = np.argwhere(touching)[0]
        x, y = grid.centre(int(j), int(i))
        raise ConfigError(
            f"the basin reaches the edge of the elevation map in {int(touching.sum())} cells, the first at x {x:.0f}, "
            f"y {y:.0f}, so that a part of it may lie beyond; give a larger map or bounding_box, or leave `region` out "
            "if the map is cut out along the basin",
            key="region.pour_point",
        )
    return mask, cell


def in_crs(point: tuple[float, float], crs: str | None, grid: BasinGrid, key: str) -> tuple[float, float]:
    """Coordinates of a point in the CRS of the grid.

    Raises
    ------
    ConfigError
        They are degrees and no CRS says so.
    """
    if crs is None:
        if abs(point[0]) <= 360.0 and abs(point[1]) <= 90.0 and grid.cell(*point) is None:
            raise ConfigError(
                f"{point[0]:g}, {point[1]:g} looks like degrees, but the CRS of the grid is in metres; say "
                "`crs: EPSG:4326` beside it",
                key=key,
            )
        return point
    change = library("pyproj").Transformer.from_crs(read_crs(crs, f"{key}.crs"), grid.crs, always_xy=True)
    x, y = change.transform(*point)
    return float(x), float(y)


def _largest_piece(mask: Mask, outlet: tuple[int, int] | None) -> tuple[Mask, int]:
    """Leave out what no face connects with the rest."""
    pieces, count = label(mask)
    if count <= 1:
        return mask, 0
    sizes = np.bincount(pieces.ravel())[1:]
    kept = pieces == (1 + int(np.argmax(sizes)) if outlet is None else pieces[outlet])
    lost = int(mask.sum() - kept.sum())
    if lost > _LARGEST_LOSS * mask.sum():
        raise ConfigError(
            f"the region falls into {count} parts that no face of a cell connects; the largest has {int(kept.sum())} "
            f"of {int(mask.sum())} cells; build each by itself, or take smaller cells",
            key="region",
        )
    return kept, lost


def _cropped(
    grid: BasinGrid, mask: Mask, elevation: Array | None, outlet: tuple[int, int] | None
) -> tuple[BasinGrid, Mask, Array | None, tuple[int, int] | None]:
    """Cut the grid to the region and a frame of one cell."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    j0, j1 = max(int(rows[0]) - 1, 0), min(int(rows[-1]) + 2, grid.ny)
    i0, i1 = max(int(columns[0]) - 1, 0), min(int(columns[-1]) + 2, grid.nx)
    part = (slice(j0, j1), slice(i0, i1))
    moved = None if outlet is None else (outlet[0] - j0, outlet[1] - i0)
    cut = None if elevation is None else np.ascontiguousarray(elevation[part])
    return grid.part(*part), np.ascontiguousarray(mask[part]), cut, moved
