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
        if self.x is not None and self.y is not None:
            if self.x >= domain.nx or self.y >= domain.ny:
                raise ConfigError(
                    f"cell x = {self.x}, y = {self.y} is outside the domain, which has x from 0 to {domain.nx - 1} and "
                    f"y from 0 to {domain.ny - 1}"
                )
            j, i = self.y, self.x
        elif self.easting is not None and self.northing is not None:
            j, i = self._holding(domain)
        else:
            j, i = self._nearest(domain)
        if not domain.mask[j, i]:
            raise ConfigError(f"cell x = {i}, y = {j} takes no part: the mask of the domain leaves it out")
        return j, i

    def cell_here(self, domain: Domain) -> tuple[int, int] | None:
        """Cell (j, i) of the place in the window of the domain that this process has; None if another part has it.

        Raises
        ------
        ConfigError
            As `cell`; or if processes share the domain and the place is not named by the cell's numbers.
        """
        part = domain.part
        if part is None:
            return self.cell(domain)
        if self.x is None or self.y is None:
            raise ConfigError("name the cell by x and y: several processes cannot find it by its coordinates yet")
        ny, nx = part.shape
        if self.x >= nx or self.y >= ny:
            raise ConfigError(
                f"cell x = {self.x}, y = {self.y} is outside the domain, which has x from 0 to {nx - 1} and "
                f"y from 0 to {ny - 1}"
            )
        j, i = self.y - part.rows.start, self.x - part.columns.start
        if not (0 <= j < domain.ny and 0 <= i < domain.nx and part.own[j, i]):
            return None
        if not domain.mask[j, i]:
            raise ConfigError(f"cell x = {self.x}, y = {self.y} takes no part: the mask of the domain leaves it out")
        return j, i

    def _holding(self, domain: Domain) -> tuple[int, int]:
        """Cell whose area the point lies in."""
        found = []
        for what, at, centres, size in zip(
            ("northing", "easting"),
            (self.northing, self.easting),
            domain.surface.coordinates,
            (domain.dy, domain.dx),
            strict=True,
        ):
            assert at is not None
            low, high = float(centres[0] - 0.5 * size), float(centres[-1] + 0.5 * size)
            if not low <= at <= high:
                raise ConfigError(f"{what} {at:g} m is outside the domain, which reaches from {low:g} to {high:g} m")
            found.append(min(int((at - low) / size), len(centres) - 1))
        return found[0], found[1]

    def _nearest(self, domain: Domain) -> tuple[int, int]:
        assert self.latitude is not None
        assert self.longitude is not None
        north, east = domain.latitude, domain.longitude
        if north is None or east is None or (domain.mask.size > 1 and np.ptp(north) == np.ptp(east) == 0.0):
            raise ConfigError(
                "the domain does not tell latitude and longitude of each cell; name the place by its cell, x and y"
            )
        across = (east - self.longitude + 180.0) % 360.0 - 180.0
        distance = _EARTH_RADIUS * np.hypot(
            np.deg2rad(north - self.latitude), np.cos(np.deg2rad(self.latitude)) * np.deg2rad(across)
        )
        nearest = int(np.nanargmin(distance))
        if distance.flat[nearest] > np.hypot(domain.dx, domain.dy):
            raise ConfigError(
                f"{self.latitude:g} N, {self.longitude:g} E is outside the domain: the nearest cell is "
                f"{distance.flat[nearest] / 1000.0:.3g} km away"
            )
        j, i = divmod(nearest, domain.nx)
        return j, i


def points_at(domain: Domain, labels: Sequence[str], cells: Sequence[tuple[int, int] | None]) -> Grid:
    """Named points at the centres of cells (j, i); where processes share the domain, each cell is in one of them."""
    rows, columns = domain.surface.coordinates
    places = [(0.0, 0.0) if cell is None else (float(rows[cell[0]]), float(columns[cell[1]])) for cell in cells]
    if domain.part is not None and places:
        told = domain.part.world.sum(*(value for place in places for value in place))
        places = [*zip(told[::2], told[1::2], strict=True)]
    return points(labels, [y for y, _ in places], [x for _, x in places])
