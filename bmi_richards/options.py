"""How the solver works: boundary conditions, relative permeability, passes and threads."""

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from bmi_common.floor_head import FLOOR_HEAD


class Drainage(Enum):
    """How the bottom drains in the free-drainage mode: by K_z kr of the bottom layer (unit gradient), or as given."""

    IMPLICIT = "implicit"
    """kr of the new head."""
    LAGGED = "lagged"
    """kr of the head at the start of the step."""
    PRESCRIBED = "prescribed"
    """A flux given with every step."""


class Mode(Enum):
    """What flows."""

    FULL = "full"
    """Lateral groundwater flow, overland flow, no flow through the bottom."""
    FREE_DRAINAGE = "free_drainage"
    """No lateral groundwater flow, overland flow, gravity drainage through the bottom."""


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


@dataclass(frozen=True)
class Options:
    """Options of :class:`~bmi_richards.solver.RichardsSolver`.

    Attributes
    ----------
    mode : Mode
    drainage : Drainage
        Used in the free-drainage mode.
    passes : int
        Passes over the domain per step. Two leave 3e-6 m to the converged solution on 1 km cells.
    pass_tolerance : float
        If above 0: pass until no positive head [m] and no saturation [-] changes by more than this, with at most
        ``passes`` passes. For fine grids (below about 200 m), where a fixed number of passes does not converge.
    tolerance : float
        Largest residual of a cell [m], unless rounding leaves more. 1e-8 drifts by 1e-3 m in 480 h.
    floor_head : float
        Sinks take no water from a cell below this head [m]; what they cannot take is reported as unmet demand.
    table : PermeabilityTable, optional
        Relative permeability from a table instead of the formula.
    threads : int, optional
        Number of OpenMP threads; default as OpenMP decides (``OMP_NUM_THREADS``), but no
        more than one per 500 columns. Results do not depend on it.
    """

    mode: Mode = Mode.FULL
    drainage: Drainage = Drainage.IMPLICIT
    passes: int = 2
    pass_tolerance: float = 0.0
    tolerance: float = 1.0e-14
    floor_head: float = FLOOR_HEAD
    table: PermeabilityTable | None = field(default=None)
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.passes < 1:
            raise ValueError(f"passes must be at least 1, not {self.passes}")
        if not self.tolerance > 0.0:
            raise ValueError(f"tolerance must be above 0 m, not {self.tolerance}")
        if self.pass_tolerance < 0.0:
            raise ValueError(f"pass_tolerance must not be negative, not {self.pass_tolerance}")
        if self.pass_tolerance > 0.0 and self.passes < 3:
            raise ValueError(f"a pass_tolerance needs passes of at least 3, not {self.passes}")
        if not -1.0e4 <= self.floor_head < 0.0:
            raise ValueError(f"floor_head must be between -10000 m and 0, not {self.floor_head}")
        if self.threads is not None and self.threads < 1:
            raise ValueError(f"threads must be at least 1, not {self.threads}")
