"""The horizontal grid of a basin: cells of a projected coordinate reference system."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor
from typing import Any, Final

import numpy as np

from bmi_common.arrays import Array
from bmi_common.errors import ConfigError
from rootzone.domain_builder.libraries import library

MOST_CELLS: Final = 20_000_000
"""Columns that a basin may have; more are a slip of units."""

Bounds = tuple[float, float, float, float]
"""West, south, east, north."""


@dataclass(frozen=True)
class BasinGrid:
    """Cells of `dx` by `dy` [m], row 0 in the south; (`x0`, `y0`) [m] is the lower left corner.

    Attributes
    ----------
    crs : pyproj.CRS
        Projected, in metres.
    """

    crs: Any
    x0: float
    y0: float
    dx: float
    dy: float
    nx: int
    ny: int

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        return self.ny, self.nx

    @property
    def cell_area(self) -> float:
        """Area of a cell [m2]."""
        return self.dx * self.dy

    @property
    def bounds(self) -> Bounds:
        """West, south, east, north [m]."""
        return self.x0, self.y0, self.x0 + self.nx * self.dx, self.y0 + self.ny * self.dy

    @property
    def easting(self) -> Array:
        """Of the centres of columns, (nx,) [m]."""
        return np.asarray(self.x0 + (np.arange(self.nx) + 0.5) * self.dx)

    @property
    def northing(self) -> Array:
        """Of the centres of rows, (ny,) [m]."""
        return np.asarray(self.y0 + (np.arange(self.ny) + 0.5) * self.dy)

    @property
    def transform(self) -> Any:
        """Affine transform of a raster with the northern row first."""
        affine = library("affine").Affine
        return affine(self.dx, 0.0, self.x0, 0.0, -self.dy, self.y0 + self.ny * self.dy)

    def geographic(self) -> tuple[Array, Array]:
        """Latitude and longitude of the centres, (ny, nx) [degrees]."""
        change = library("pyproj").Transformer.from_crs(self.crs, "EPSG:4326", always_xy=True)
        x, y = np.meshgrid(self.easting, self.northing)
        longitude, latitude = change.transform(x, y)
        return np.asarray(latitude), np.asarray(longitude)

    def cell(self, x: float, y: float) -> tuple[int, int] | None:
        """Cell (j, i) that holds a point [m], None outside the grid."""
        i, j = floor((x - self.x0) / self.dx), floor((y - self.y0) / self.dy)
        return (j, i) if 0 <= i < self.nx and 0 <= j < self.ny else None

    def centre(self, j: int, i: int) -> tuple[float, float]:
        """Coordinates [m] of the centre of a cell."""
        return self.x0 + (i + 0.5) * self.dx, self.y0 + (j + 0.5) * self.dy

    def part(self, rows: slice, columns: slice) -> BasinGrid:
        """Part of the grid."""
        return replace(
            self,
            x0=self.x0 + columns.start * self.dx,
            y0=self.y0 + rows.start * self.dy,
            nx=columns.stop - columns.start,
            ny=rows.stop - rows.start,
        )


def divided(grid: BasinGrid, cell: float, key: str) -> BasinGrid:
    """Divide the cells of a grid into squares of size `cell` [m].

    Raises
    ------
    ConfigError
        The squares do not divide the cells a whole number of times, at least 2, or are more than `MOST_CELLS`.
    """
    across, along = round(grid.dx / cell), round(grid.dy / cell)
    if not _divides(grid, cell):
        halves = (min(grid.dx, grid.dy) / n for n in range(2, 1001))
        fitting = [size for size in halves if float(f"{size:g}") == size and _divides(grid, size)]
        advice = f", such as {min(fitting, key=lambda size: abs(size - cell)):g}" if fitting else ""
        raise ConfigError(
            f"{cell:g} m does not divide the cells of the domain, {grid.dx:g} by {grid.dy:g} m, a whole number of "
            f"times, at least 2; give a size that does{advice}",
            key=key,
        )
    nx, ny = grid.nx * across, grid.ny * along
    if nx * ny > MOST_CELLS:
        raise ConfigError(
            f"{cell:g} m cells all over the domain: {nx * ny:.3g}, more than {MOST_CELLS:.3g}; is the size in metres?",
            key=key,
        )
    return replace(grid, dx=grid.dx / across, dy=grid.dy / along, nx=nx, ny=ny)


def _divides(grid: BasinGrid, cell: float) -> bool:
    counts = [size / cell for size in (grid.dx, grid.dy)]
    return all(n > 1.5 and abs(n - round(n)) < 1e-6 for n in counts)


def read_crs(text: str, key: str) -> Any:
    """Read a coordinate reference system: an EPSG code, PROJ or WKT.

    Raises
    ------
    ConfigError
        It is none that PROJ knows.
    """
    pyproj = library("pyproj")
    try:
        return pyproj.CRS.from_user_input(text)
    except pyproj.exceptions.CRSError:
        raise ConfigError(f"{text!r} is not a coordinate reference system; write an EPSG code", key=key) from None


def require_metres(crs: Any, key: str, near: tuple[float, float] | None = None) -> None:
    """Refuse a CRS whose coordinates are not metres; `near` is longitude and latitude of the region, if known."""
    if crs.is_geographic:
        advice = "such as that of its UTM zone"
        if near is not None:
            zone = int((near[0] + 180.0) % 360.0 // 6.0) + 1
            advice = f"such as EPSG:{(32600 if near[1] >= 0.0 else 32700) + zone}, UTM zone {zone}"
        raise ConfigError(f"{crs.name} is in degrees; cells need metres: a projected CRS, {advice}", key=key)
    units = {axis.unit_name for axis in crs.axis_info[:2]}
    if units != {"metre"}:
        raise ConfigError(f"{crs.name} has coordinates in {', '.join(sorted(units))}; needed are metres", key=key)


def grid_over(crs: Any, cell: float, bounds: Bounds, key: str = "grid.cell") -> BasinGrid:
    """Lay cells, whose corners are multiples of their size, over a rectangle.

    Raises
    ------
    ConfigError
        There would be more than `MOST_CELLS`.
    """
    west, south, east, north = bounds
    i0, j0 = floor(west / cell + 1e-9), floor(south / cell + 1e-9)
    nx, ny = ceil(east / cell - 1e-9) - i0, ceil(north / cell - 1e-9) - j0
    if nx * ny > MOST_CELLS:
        raise ConfigError(
            f"{cell:g} m cells over {(east - west) / 1000:.4g} km by {(north - south) / 1000:.4g} km: {nx * ny:.3g}, "
            f"more than {MOST_CELLS:.3g}; is the size in metres?",
            key=key,
        )
    return BasinGrid(crs, i0 * cell, j0 * cell, cell, cell, max(nx, 1), max(ny, 1))
