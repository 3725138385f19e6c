"""A domain of the tests of the Richards solver, divided among the processes of MPI."""

from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from bmi_common.flow_order import build_network
from bmi_common.overland import SurfaceCondition
from bmi_common.partition import Part, deal, rerouted
from bmi_common.world import MpiWorld

KINEMATIC = SurfaceCondition.OVERLAND_KINEMATIC


def part_of(domain: SimpleNamespace, world: MpiWorld, condition: SurfaceCondition = KINEMATIC) -> Part:
    """The part of this process; where water flows by the slopes of cells, as a domain that knows both gives it."""
    terrain = domain.mask, domain.slope_x, domain.slope_y, domain.manning, domain.dx, domain.dx
    network = build_network(*terrain)
    if condition is KINEMATIC:
        return deal(world, domain.mask, network)
    other = build_network(*terrain, condition)
    return rerouted(deal(world, domain.mask, network, other.cycles), other)


def window_of(domain: SimpleNamespace, part: Part) -> SimpleNamespace:
    """The domain as the process of a part sees it."""
    fields = {
        name: part.cut(value) if isinstance(value, np.ndarray) and value.ndim > 1 else value
        for name, value in vars(domain).items()
    }
    return SimpleNamespace(**{**fields, "mask": part.mask})


def unlike(one: NDArray[np.float64], other: NDArray[np.float64]) -> int:
    """Count the values that differ in any bit."""
    return int((np.ascontiguousarray(one).view(np.int64) != np.ascontiguousarray(other).view(np.int64)).sum())
