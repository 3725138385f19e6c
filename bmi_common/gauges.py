"""Gauges: named cells whose discharge every groundwater component publishes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bmi_common import grids
from bmi_common.arrays import Array
from bmi_common.domain import Domain
from bmi_common.errors import ConfigError, Mistakes, errors_under
from bmi_common.flow_order import conveyance_out
from bmi_common.grids import Grid
from bmi_common.overland import OVERLAND_POWER, SurfaceCondition
from bmi_common.partition import Part
from bmi_common.places import PlaceConfig
from bmi_common.units import SECONDS_PER_HOUR


@dataclass(frozen=True)
class Gauges:
    """Where discharge is published, and what flows there.

    Attributes
    ----------
    grid : Grid
        Points at the centres of the gauges' cells, with their names.
    cells : ndarray of int, shape (gauges,)
        Flat indices ``j * nx + i`` of the cells; -1 in the other parts of a domain that processes share.
    conveyance : ndarray, shape (gauges,)
        Of all faces that a cell drains through [h-1 m-2/3]; 0 in other parts.
    cell_area : float
        Area of a cell [m2].
    part : Part, optional
        The part of the domain that this process has.
    """

    grid: Grid
    cells: NDArray[np.intp]
    conveyance: Array
    cell_area: float
    part: Part | None = None

    @classmethod
    def none(cls) -> Gauges:
        """No gauge."""
        return cls(grids.points((), (), ()), np.zeros(0, dtype=np.intp), np.zeros(0), 0.0)

    @classmethod
    def read(cls, named: Mapping[str, PlaceConfig], domain: Domain, condition: SurfaceCondition) -> Gauges:
        """Find the cells.

        Parameters
        ----------
        named : mapping
            The section ``gauges``.
        domain : Domain
            Grid and terrain.
        condition : SurfaceCondition
            How water flows over the ground.

        Raises
        ------
        ConfigError
            As `PlaceConfig.cell`, with the gauge's name; for a domain without slopes or roughness; where no water
            flows over the ground.
        """
        if not named:
            return cls.none()
        if not condition.has_water_standing:
            raise ConfigError(f"no water flows over {condition.ground}, where a gauge could be", key="gauges")
        part = domain.part
        grid, at = _locate(named, domain) if part is None else _locate_in_parts(named, domain, part)
        slope_x, slope_y, manning = (domain.require(f, "discharge") for f in ("slope_x", "slope_y", "manning"))
        active = domain.mask if part is None else part.active
        conveyance = conveyance_out(
            active, slope_x, slope_y, manning / SECONDS_PER_HOUR, domain.dx, domain.dy, condition
        )
        return cls(grid, at, np.where(at < 0, 0.0, conveyance.ravel()[at]), domain.dx * domain.dy, part)

    def discharge(self, ponded: Array) -> Array:
        """Overland flow out of each gauge's cell [m3 s-1], to other cells or over the edge: equation (10b).

        Parameters
        ----------
        ponded : ndarray, shape (ny, nx)
            Ponded depth [m], 0 or above in the cells of the gauges.
        """
        depth = np.where(self.cells < 0, 0.0, ponded.ravel()[self.cells])
        flow = np.asarray(self.conveyance * depth**OVERLAND_POWER * self.cell_area / SECONDS_PER_HOUR)
        if self.part is None or not flow.size:
            return flow
        return np.array(self.part.world.sum(*flow))


def _locate(named: Mapping[str, PlaceConfig], domain: Domain) -> tuple[Grid, NDArray[np.intp]]:
    """Return the grid of the gauges and their flat cell indices."""
    mistakes = Mistakes()
    cells: list[tuple[int, int]] = []
    for name, spec in named.items():
        with mistakes.noted(), errors_under(f"gauges.{name}"):
            cells.append(spec.cell(domain))
    mistakes.require_none()
    at = np.array([j * domain.nx + i for j, i in cells], dtype=np.intp)
    return grids.points_in_cells(domain.surface, list(named), cells), at


def _locate_in_parts(named: Mapping[str, PlaceConfig], domain: Domain, part: Part) -> tuple[Grid, NDArray[np.intp]]:
    """As `_locate`; each gauge is where a part has its cell."""
    cells, places = [], []
    for name, spec in named.items():
        with errors_under(f"gauges.{name}"):
            if spec.x is None or spec.y is None:
                raise ConfigError("name the cell by x and y: several processes cannot find it by its coordinates yet")
            ny, nx = part.shape
            if spec.x >= nx or spec.y >= ny:
                raise ConfigError(
                    f"cell x = {spec.x}, y = {spec.y} is outside the domain, which has x from 0 to {nx - 1} and "
                    f"y from 0 to {ny - 1}"
                )
            j, i = spec.y - part.rows.start, spec.x - part.columns.start
            inside = 0 <= j < domain.ny and 0 <= i < domain.nx and bool(part.own[j, i])
            if inside and not domain.mask[j, i]:
                raise ConfigError(
                    f"cell x = {spec.x}, y = {spec.y} takes no part: the mask of the domain leaves it out"
                )
            cells.append(j * domain.nx + i if inside else -1)
            y, x = domain.surface.coordinates
            places.append((float(y[j]), float(x[i])) if inside else (0.0, 0.0))
    told = part.world.sum(*(value for place in places for value in place)) if places else ()
    return grids.points(list(named), told[::2], told[1::2]), np.array(cells, dtype=np.intp)
