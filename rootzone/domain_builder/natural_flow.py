"""Where water runs by the elevation map alone, before any rule about rims: for basins, rivers, gauges and outlets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array
from bmi_common.errors import ConfigError
from rootzone.domain_builder.grid import BasinGrid
from rootzone.domain_builder.libraries import library

Mask = NDArray[np.bool_]

_NO_DATA = -9999.0
NO_CELL = -1


@dataclass(frozen=True)
class NaturalFlow:
    """Flow through faces from cell to cell, out of the map wherever the filled ground ends.

    Attributes
    ----------
    downstream : ndarray of int, shape (ny * nx,)
        Cell that each cell drains to; itself where water leaves, `NO_CELL` outside the map.
    upstream_area : ndarray, shape (ny, nx)
        Area that drains through each cell, its own included [m2]; NaN outside the map.
    filled : ndarray, shape (ny, nx)
        The ground with its pits filled [m]; NaN outside the map.
    network : pyflwdir.FlwdirRaster
        The same, northern row first.
    """

    downstream: NDArray[np.int64]
    upstream_area: Array
    filled: Array
    network: object

    @property
    def outlets(self) -> NDArray[np.intp]:
        """Flat indices of the cells where water leaves, the largest upstream area first."""
        ends = np.flatnonzero(self.downstream == np.arange(self.downstream.size))
        return np.asarray(ends[np.argsort(-self.upstream_area.ravel()[ends], kind="stable")])

    def basin(self, cell: tuple[int, int]) -> Mask:
        """All cells that drain through a cell, (ny, nx)."""
        ny, nx = self.upstream_area.shape
        flipped = (ny - 1 - cell[0]) * nx + cell[1]
        found = self.network.basins(idxs=np.array([flipped]))  # type: ignore[attr-defined]
        return np.ascontiguousarray(np.asarray(found)[::-1] > 0)

    def height_above(self, streams: Mask) -> Array:
        """Height [m] of the filled ground above the first stream on the way of the water, (ny, nx).

        Nobre et al. (2011), J. Hydrol. 404, 13, as pyflwdir has it. Water that meets no stream is followed to where it
        leaves the map, and that cell counts as one. Never negative; NaN outside the map.
        """
        known = np.isfinite(self.filled)
        north_first = (np.ascontiguousarray(a[::-1]) for a in (streams, np.where(known, self.filled, _NO_DATA)))
        found = np.asarray(self.network.hand(*north_first))[::-1]  # type: ignore[attr-defined]
        # pyflwdir floods in single precision: a cell may lie below the next by so much
        return np.where(known, np.maximum(found, 0.0), np.nan)


def natural_flow(elevation: Array, mask: Mask, grid: BasinGrid) -> NaturalFlow:
    """Fill the pits of the ground within `mask` and follow it through the four faces of each cell.

    Wang and Liu (2006), Int. J. Geogr. Inf. Sci. 20, 193, as pyflwdir has it.

    Parameters
    ----------
    elevation : ndarray, shape (ny, nx)
        Southern row first [m].
    mask : ndarray of bool, shape (ny, nx)
        Where there is ground.
    grid : BasinGrid
        The cells.
    """
    pyflwdir = library("pyflwdir")
    north_first = np.where(mask, elevation, _NO_DATA)[::-1]
    filled, directions = pyflwdir.dem.fill_depressions(
        np.ascontiguousarray(north_first), nodata=_NO_DATA, connectivity=4, outlets="edge"
    )
    network = pyflwdir.from_array(directions, ftype="d8", check_ftype=False)
    ny, nx = mask.shape
    below = np.asarray(network.idxs_ds).reshape(ny, nx).astype(np.int64)[::-1]
    j, i = np.divmod(below, nx)
    downstream = np.where(mask, (ny - 1 - j) * nx + i, NO_CELL).ravel()
    cells = np.asarray(network.upstream_area(unit="cell"), dtype=np.float64)[::-1]
    return NaturalFlow(
        downstream,
        np.where(mask, cells * grid.cell_area, np.nan),
        np.where(mask, np.asarray(filled, dtype=np.float64)[::-1], np.nan),
        network,
    )


def snap(
    upstream_area: Array,
    grid: BasinGrid,
    point: tuple[float, float],
    within: float,
    wanted: float | None,
    key: str,
    river: float,
) -> tuple[int, int]:
    """Find the cell of the river near a point.

    Parameters
    ----------
    upstream_area : ndarray, shape (ny, nx)
        [m2], NaN where no water may be looked for.
    grid, point, within
        Cells; the point and how far from it to look [m].
    wanted : float, optional
        Upstream area [m2] that the cell should have; without it the largest is taken.
    key : str
        Named by messages.
    river : float
        Upstream area [m2] from which a cell is a river.

    Returns
    -------
    (int, int)
        Row and column.

    Raises
    ------
    ConfigError
        The point is outside, no river is near, or none has the area wanted.
    """
    x, y = point
    if grid.cell(x, y) is None:
        west, south, east, north = grid.bounds
        raise ConfigError(
            f"x {x:.0f}, y {y:.0f} is outside the map, which has x {west:.0f} to {east:.0f} and y {south:.0f} to "
            f"{north:.0f} m",
            key=key,
        )
    xs, ys = np.meshgrid(grid.easting, grid.northing)
    distance = np.hypot(xs - x, ys - y)
    near = (distance <= within) & np.isfinite(upstream_area)
    near[grid.cell(x, y)] |= np.isfinite(upstream_area[grid.cell(x, y)])
    if not near.any():
        raise ConfigError(f"x {x:.0f}, y {y:.0f}: no cell of the basin is within {within:g} m", key=key)
    if wanted is None:
        best = np.where(near, upstream_area, -np.inf)
    else:
        best = np.where(near, -np.abs(np.log(upstream_area / wanted)), -np.inf)
    j, i = np.unravel_index(int(np.argmax(best)), best.shape)
    found = float(upstream_area[j, i])
    if wanted is not None and not 0.7 <= found / wanted <= 1.4:
        raise ConfigError(
            f"no cell within {within:g} m has an upstream area of {wanted / 1e6:g} km2; the nearest to it has "
            f"{found / 1e6:.4g} km2; look farther with `snap:` [m], or correct upstream_area",
            key=key,
        )
    if wanted is None and found < river:
        rivers = np.where(upstream_area >= river, distance, np.inf)
        j, i = np.unravel_index(int(np.argmin(rivers)), rivers.shape)
        where = (
            "; there is none on the map"
            if not np.isfinite(rivers[j, i])
            else f"; the nearest is {rivers[j, i]:.0f} m away, at x {grid.centre(int(j), int(i))[0]:.0f}, "
            f"y {grid.centre(int(j), int(i))[1]:.0f}: move the point, or look farther with `snap:` [m]"
        )
        raise ConfigError(
            f"x {x:.0f}, y {y:.0f} is off the river: the largest upstream area within {within:g} m is "
            f"{found / 1e6:.3g} km2, less than the {river / 1e6:.3g} km2 of a river{where}",
            key=key,
        )
    return int(j), int(i)
