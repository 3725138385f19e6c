"""Places: cells that a configuration names by number, by metres of the grid, or by latitude and longitude."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from bmi_common.config import Config
from bmi_common.domain import Domain
from bmi_common.errors import ConfigError
from bmi_common.grids import Grid, points
from bmi_common.world import ALONE

_EARTH_RADIUS = 6.371e6  # m


class PlaceConfig(Config):
    """Where a gauge or a well is.

    The cell's numbers from west (x) and south (y), from 0; metres east and north in the domain's grid, whose corner is
    (x0, y0); or degrees north and east.
    """

    x: Annotated[int, Field(ge=0)] | None = None
    y: Annotated[int, Field(ge=0)] | None = None
    easting: Annotated[float, Field(allow_inf_nan=False)] | None = None
    northing: Annotated[float, Field(allow_inf_nan=False)] | None = None
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=360)] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> PlaceConfig:
        given = {key for key in type(self).model_fields if getattr(self, key) is not None}
        if given not in ({"x", "y"}, {"easting", "northing"}, {"latitude", "longitude"}):
            raise ValueError(
                "give either x and y (the cell's numbers, from 0), easting and northing (metres in the grid), or "
                "latitude and longitude"
            )
        return self

    def cell(self, domain: Domain) -> tuple[int, int]:
        """Cell (j, i) of the place.

        Raises
        ------
        ConfigError
            If the place is outside the domain or its mask, or the domain's coordinates do not tell.
        """
        cell = self.cell_here(domain)
        assert cell is not None  # one process has all cells
        return cell

    def cell_here(self, domain: Domain) -> tuple[int, int] | None:
        """Cell (j, i) of the place in the window of the domain that this process has; None if another part has it.

        Processes that share the domain call it together.

        Raises
        ------
        ConfigError
            If the place is outside the domain or its mask, or the domain's coordinates do not tell.
        """
        part = domain.part
        ny, nx = (domain.ny, domain.nx) if part is None else part.shape
        if self.x is not None and self.y is not None:
            if self.x >= nx or self.y >= ny:
                raise ConfigError(
                    f"cell x = {self.x}, y = {self.y} is outside the domain, which has x from 0 to {nx - 1} and "
                    f"y from 0 to {ny - 1}"
                )
            y, x = self.y, self.x
        elif self.easting is not None and self.northing is not None:
            y, x = self._holding(domain, (ny, nx))
        else:
            y, x = self._nearest(domain, nx)
        above, beside = (0, 0) if part is None else part.offset
        j, i = y - above, x - beside
        if part is not None and not (0 <= j < domain.ny and 0 <= i < domain.nx and part.own[j, i]):
            return None
        if not domain.mask[j, i]:
            raise ConfigError(f"cell x = {x}, y = {y} takes no part: the mask of the domain leaves it out")
        return j, i

    def _holding(self, domain: Domain, shape: tuple[int, int]) -> tuple[int, int]:
        """Cell (y, x) of the whole domain whose area the point lies in."""
        found = []
        for what, at, centres, size, count, before in zip(
            ("northing", "easting"),
            (self.northing, self.easting),
            domain.surface.coordinates,
            (domain.dy, domain.dx),
            shape,
            (0, 0) if domain.part is None else domain.part.offset,
            strict=True,
        ):
            assert at is not None
            low = float(centres[0]) - (before + 0.5) * size
            high = low + count * size
            if not low <= at <= high:
                raise ConfigError(f"{what} {at:g} m is outside the domain, which reaches from {low:g} to {high:g} m")
            found.append(min(int((at - low) / size), count - 1))
        return found[0], found[1]

    def _nearest(self, domain: Domain, nx: int) -> tuple[int, int]:
        """Cell (y, x) of the whole domain whose centre is nearest."""
        assert self.latitude is not None
        assert self.longitude is not None
        north, east, world = domain.latitude, domain.longitude, ALONE if domain.part is None else domain.part.world
        varies = north is not None and east is not None and not np.ptp(north) == np.ptp(east) == 0.0
        if north is None or east is None or not (world.any(varies) or (domain.part is None and domain.mask.size == 1)):
            raise ConfigError(
                "the domain does not tell latitude and longitude of each cell; name the place by its cell, x and y"
            )
        across = (east - self.longitude + 180.0) % 360.0 - 180.0
        distance = _EARTH_RADIUS * np.hypot(
            np.deg2rad(north - self.latitude), np.cos(np.deg2rad(self.latitude)) * np.deg2rad(across)
        )
        above, beside = 0, 0
        if domain.part is not None:
            distance = np.where(domain.part.own, distance, np.inf)
            above, beside = domain.part.offset
        j, i = divmod(int(np.nanargmin(distance)), domain.nx)
        away, number = min(world.gathered((float(distance[j, i]), (above + j) * nx + beside + i)))
        if away > np.hypot(domain.dx, domain.dy):
            raise ConfigError(
                f"{self.latitude:g} N, {self.longitude:g} E is outside the domain: the nearest cell is "
                f"{away / 1000.0:.3g} km away"
            )
        y, x = divmod(number, nx)
        return y, x


def points_at(domain: Domain, labels: Sequence[str], cells: Sequence[tuple[int, int] | None]) -> Grid:
    """Named points at the centres of cells (j, i); where processes share the domain, each cell is in one of them."""
    rows, columns = domain.surface.coordinates
    places = [(0.0, 0.0) if cell is None else (float(rows[cell[0]]), float(columns[cell[1]])) for cell in cells]
    if domain.part is not None and places:
        told = domain.part.world.sum(*(value for place in places for value in place))
        places = [*zip(told[::2], told[1::2], strict=True)]
    return points(labels, [y for y, _ in places], [x for _, x in places])
