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
        Flat indices ``j * nx + i`` of the cells.
    conveyance : ndarray, shape (gauges,)
        Of all faces that a cell drains through [h-1 m-2/3].
    cell_area : float
        Area of a cell [m2].
    """

    grid: Grid
    cells: NDArray[np.intp]
    conveyance: Array
    cell_area: float

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
        mistakes = Mistakes()
        cells: list[tuple[int, int]] = []
        for name, spec in named.items():
            with mistakes.noted(), errors_under(f"gauges.{name}"):
                cells.append(spec.cell(domain))
        mistakes.require_none()
        slope_x, slope_y, manning = (domain.require(f, "discharge") for f in ("slope_x", "slope_y", "manning"))
        conveyance = conveyance_out(
            domain.mask, slope_x, slope_y, manning / SECONDS_PER_HOUR, domain.dx, domain.dy, condition
        )
        at = np.array([j * domain.nx + i for j, i in cells], dtype=np.intp)
        return cls(
            grids.points_in_cells(domain.surface, list(named), cells),
            at,
            conveyance.ravel()[at],
            domain.dx * domain.dy,
        )

    def discharge(self, ponded: Array) -> Array:
        """Overland flow out of each gauge's cell [m3 s-1], to other cells or over the edge: equation (10b).

        Parameters
        ----------
        ponded : ndarray, shape (ny, nx)
            Ponded depth [m], 0 or above in the cells of the gauges.
        """
        depth = ponded.ravel()[self.cells]
        return np.asarray(self.conveyance * depth**OVERLAND_POWER * self.cell_area / SECONDS_PER_HOUR)
