"""The part of the YAML that all groundwater components share: domain, state at the start, boundary conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from bmi_common.arrays import Array
from bmi_common.boundary_conditions import Conditions, ConditionsConfig
from bmi_common.domain import Domain, DomainField
from bmi_common.errors import Mistakes
from bmi_common.gauges import Gauges
from bmi_common.grids import POINTS, Grid
from bmi_common.initial import InitialConfig
from bmi_common.places import PlaceConfig
from bmi_common.subgrid import Streams

_OF_SOLVERS = ("conductivity_x", "conductivity_y", "conductivity_z", "slope_x", "slope_y", "manning")


class Mode(Enum):
    """What flows."""

    FULL = "full"
    """Lateral groundwater flow, overland flow, no flow through the bottom."""
    FREE_DRAINAGE = "free_drainage"
    """No lateral groundwater flow, overland flow, gravity drainage through the bottom. ParFlow has no boundary of unit
    gradient: there it is a sink, K_z kr of the bottom layer's head at the start of each hour."""


class GroundwaterConfig(ConditionsConfig):
    """What stands beside the section of the component."""

    domain: DomainField
    initial: InitialConfig
    gauges: dict[str, PlaceConfig] = {}

    def solver_domain(self, solver: str) -> Domain:
        """Read the domain; raises `ConfigError` if it lacks what lateral and overland flow need, naming `solver`."""
        domain = Domain.load(self.domain)
        mistakes = Mistakes()
        for name in _OF_SOLVERS:
            with mistakes.noted():
                domain.require(name, solver)
        mistakes.require_none()
        return domain


@dataclass(frozen=True, kw_only=True)
class PreparedGroundwater:
    """What the configuration of a groundwater component describes, read from its files.

    Attributes
    ----------
    domain : Domain
        Grid, soil and terrain.
    head : ndarray, shape (nz, ny, nx)
        Initial pressure head [m].
    files : tuple of Path
        Every file that was read.
    initial_state : Path, optional
        State file to start from.
    streams : Streams, optional
        Streams within the cells.
    conditions : Conditions
        What acts beside the land.
    gauges : Gauges
        Cells whose discharge is published.
    """

    domain: Domain
    head: Array
    files: tuple[Path, ...]
    initial_state: Path | None = None
    streams: Streams | None = None
    conditions: Conditions = field(default_factory=Conditions)
    gauges: Gauges = field(default_factory=Gauges.none)

    @property
    def grids(self) -> Mapping[int, Grid]:
        """Grids of the variables that all groundwater components have, by their numbers in BMI."""
        return {**self.domain.published_grids, POINTS: self.gauges.grid}
