"""A domain of the tests of the Richards solver, divided among the processes of MPI."""

from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from bmi_common.flow_order import build_network
from bmi_common.partition import Part, deal
from bmi_common.world import MpiWorld


def part_of(domain: SimpleNamespace, world: MpiWorld) -> Part:
    """The part of this process."""
    network = build_network(domain.mask, domain.slope_x, domain.slope_y, domain.manning, domain.dx, domain.dx)
    return deal(world, domain.mask, network)


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
