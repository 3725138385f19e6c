"""How the solver works: boundary conditions, relative permeability, passes and threads."""

from dataclasses import dataclass
from enum import Enum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bmi_common.config import Config, Threads
from bmi_common.floor_head import FLOOR_HEAD
from bmi_common.groundwater_config import Mode


class Drainage(Enum):
    """How the bottom drains in the free-drainage mode: by K_z kr of the bottom layer (unit gradient), or as given."""

    IMPLICIT = "implicit"
    """kr of the new head."""
    LAGGED = "lagged"
    """kr of the head at the start of the step."""
    PRESCRIBED = "prescribed"
    """A flux given with every step."""


@dataclass(frozen=True)
class PermeabilityTable:
    """Relative permeability by linear interpolation, as ParFlow does with ``RelPerm.NumSamplePoints``.

    Attributes
    ----------
    points : int
        Number of nodes between ``min_head`` and 0, at least 2.
    min_head : float or (nz, ny, nx)
        Lowest head of the table [m], < 0; relative permeability is 0 below it.
    """

    points: int
    min_head: float | NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.points < 2:
            raise ValueError(f"a table of relative permeability needs at least 2 points, not {self.points}")
        if not np.all(np.asarray(self.min_head) < 0.0):
            raise ValueError("min_head of the table of relative permeability must be below 0 m everywhere")


class Convergence(Config):
    """Pass until no positive head [m] and no saturation [-] changes by more than `tolerance`, `most` times at most."""

    tolerance: Annotated[float, Field(gt=0)] = 1.0e-6
    most: Annotated[int, Field(ge=3)] = 100


class CommonConfig(Config):
    """What the solver and the section ``richards:`` of a configuration file have in common.

    Attributes
    ----------
    mode : Mode
        What flows.
    passes : int or Convergence
        Passes over the domain per step. Two leave 3e-6 m to the converged solution on 1 km cells. A step whose last
        pass still changes a head or a saturation by more than 0.01 (fine grids, long steps) is repeated with passes to
        the tolerance of :class:`Convergence`.
    floor_head : float
        Sinks take no water from a cell below this head [m]; what they cannot take is reported as unmet demand.
    threads : int, optional
        Number of OpenMP threads; default as OpenMP decides (``OMP_NUM_THREADS``), but no
        more than one per 500 columns. Results do not depend on it.
    """

    mode: Mode = Mode.FULL
    passes: Annotated[int, Field(ge=1)] | Convergence = 2
    floor_head: Annotated[float, Field(ge=-1.0e4, lt=0)] = FLOOR_HEAD
    threads: Threads | None = None


class SolverConfig(CommonConfig):
    """Options of :class:`~bmi_richards.solver.RichardsSolver`.

    Attributes
    ----------
    drainage : Drainage
        Used in the free-drainage mode.
    tolerance : float
        Largest residual of a cell [m], unless rounding leaves more. 1e-8 drifts by 1e-3 m in 480 h.
    table : PermeabilityTable, optional
        Relative permeability from a table instead of the formula.
    """

    drainage: Drainage = Drainage.IMPLICIT
    tolerance: Annotated[float, Field(gt=0)] = 1.0e-14
    table: PermeabilityTable | None = None
