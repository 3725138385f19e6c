"""All that can act on the Richards solver, for its tests."""

from math import inf
from types import SimpleNamespace

import numpy as np

from bmi_common.boundary_conditions import Barriers, Boundary, Conditions, Side, outer_faces
from bmi_common.overland import SurfaceCondition
from bmi_common.rates import Intervals, Rate
from bmi_richards.options import Convergence, SolverConfig
from bmi_richards.solver import HourBalance

CONVERGED = SolverConfig(passes=Convergence(tolerance=1e-12, most=200))


def rate(*values: float) -> Rate:
    """A cycle of intervals of two hours."""
    return Rate(Intervals(2.0 * np.arange(1, len(values) + 1), inf), np.array(values))


def boundary(
    domain: SimpleNamespace, side: Side, flux: Rate | None = None, head: Rate | None = None, layers: slice = slice(None)
) -> Boundary:
    faces = np.zeros(domain.porosity.shape, dtype=bool)
    faces[0 if side == "bottom" else layers] = outer_faces(domain.mask, side)
    if side == "top":
        tops = domain.dz.size - 1 if domain.top_layer is None else domain.top_layer
        faces &= np.arange(domain.dz.size)[:, np.newaxis, np.newaxis] == tops
    return Boundary(side, faces, flux, head)


def everything(domain: SimpleNamespace, random: np.random.Generator, surface: SurfaceCondition) -> Conditions:
    """A flux or a head on every side and the bottom, barriers, and rain that comes and goes.

    Closed ground is held at a head in every second row.
    """
    shape, top = domain.porosity.shape, float(domain.dz.sum())
    ground = boundary(domain, "top", head=rate(top + 0.1, top - 0.4))
    ground.faces[:, ::2] = False
    return Conditions(
        surface=surface,
        surface_flux=rate(0.03, -0.0002, 0.0),
        boundaries=(
            boundary(domain, "west", head=rate(top + 0.2, top - 1.0)),
            boundary(domain, "east", flux=rate(0.01, -0.001), layers=slice(0, 3)),
            boundary(domain, "south", head=Rate.steady(top - random.uniform(0.0, 3.0, size=shape[1:]))),
            boundary(domain, "north", flux=rate(-1e-4)),
            boundary(domain, "bottom", head=rate(top - 2.0)),
            *([ground] if surface is SurfaceCondition.CLOSED else []),
        ),
        barriers=Barriers(*(random.choice([0.0, 0.01, 1.0, 3.0], size=shape) for _ in range(3))),
    )


def assert_closed(balance: HourBalance) -> None:
    through = (
        abs(balance.source) + balance.outflow + balance.seepage + abs(balance.surface_flux)
        + abs(balance.boundary_inflow)
    )  # fmt: skip
    assert abs(balance.residual) <= max(1e-10 * through, 16.0 * np.finfo(float).eps * balance.storage)


def transposed(domain: SimpleNamespace) -> SimpleNamespace:
    """The domain with east and north exchanged."""
    swapped = {
        name: np.ascontiguousarray(np.swapaxes(value, -1, -2)) if np.ndim(value) > 1 else value
        for name, value in vars(domain).items()
    }
    for name in ("conductivity", "slope"):
        swapped[f"{name}_x"], swapped[f"{name}_y"] = swapped[f"{name}_y"], swapped[f"{name}_x"]
    return SimpleNamespace(**swapped)
