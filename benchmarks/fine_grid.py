"""Passes and seconds of the Richards solver on ever finer cells of one basin, for steps of an hour and of a day.

    python benchmarks/fine_grid.py [--size 6] [--cells 1000 200 100 50] [--steps 1 24] [--count 5] [--conductivity 0.1]

The basin is an invented valley with side valleys and 127 m of soil and rock. Its water table starts 3 m below the
ground and comes to it in the valley; every column takes recharge. The error is the largest difference of a positive
head from the same steps with a tolerance of 1e-11.
"""

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray

from bmi_common.slopes import SlopeFormulation
from bmi_richards.options import Convergence, SolverConfig
from bmi_richards.solver import RichardsSolver

Floats = NDArray[np.float64]
LAYERS = np.array([100.0, 20.0, 5.0, 1.0, 0.6, 0.3, 0.1])
DECAY = np.array([0.1, 0.3, 0.5, 1.0, 1.0, 1.0, 1.0])
"""Conductivity of the layers by that of the soil."""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    cell_m: float
    step_h: float
    columns: int
    passes: list[int]
    seconds: float
    error_m: float

    def __str__(self) -> str:
        """Return the line."""
        return (
            f"{self.cell_m:6.0f} m {self.step_h:5.0f} h {self.columns:8d} columns  passes {self.passes}  "
            f"{self.seconds:8.3f} s {self.seconds / self.columns * 1e6:7.1f} µs a column  error {self.error_m:.1e} m"
        )


def elevation(x: Floats, y: Floats, size: float) -> Floats:
    """Return a main valley that falls to the south, with side valleys and hills [m]."""
    across = np.abs(x - 0.5 * size) / size
    side = np.cos(2.0 * np.pi * (y + 0.3 * np.abs(x - 0.5 * size)) / 1500.0)
    return 0.004 * y + 120.0 * across**1.2 + 8.0 * side * np.minimum(4.0 * across, 1.0)


def basin(size: float, dx: float, conductivity: float) -> SimpleNamespace:
    """Cells of `dx` [m] over `size` [m] squared."""
    count = round(size / dx)
    x = (np.arange(count + 1) + 0.5) * dx
    ground = elevation(x[np.newaxis, :], x[:, np.newaxis], size)
    shape = (LAYERS.size, count, count)
    lateral = np.full(shape, conductivity) * DECAY[:, np.newaxis, np.newaxis]
    return SimpleNamespace(
        dx=dx,
        dy=dx,
        dz=LAYERS,
        mask=np.ones(shape[1:], bool),
        porosity=np.full(shape, 0.35),
        alpha=np.full(shape, 2.0),
        n=np.full(shape, 1.8),
        residual_saturation=np.full(shape, 0.1),
        maximum_saturation=np.ones(shape),
        conductivity_x=lateral,
        conductivity_y=lateral,
        conductivity_z=0.1 * lateral,
        specific_storage=np.full(shape, 1e-4),
        slope_x=np.diff(ground, axis=1)[:count] / dx,
        slope_y=np.diff(ground, axis=0)[:, :count] / dx,
        manning=np.full(shape[1:], 0.05),
        slope_formulation=SlopeFormulation.UPWIND,
        top_layer=None,
        relative_permeability_alpha=None,
        relative_permeability_n=None,
    )


def measure(domain: SimpleNamespace, step: float, count: int, recharge: float) -> Row:
    """Take `count` steps."""
    centres = LAYERS.sum() - np.cumsum(LAYERS) + 0.5 * LAYERS
    head = np.broadcast_to((centres - 3.0)[:, np.newaxis, np.newaxis], domain.porosity.shape)
    source = np.zeros(head.shape)
    source[-1] = recharge / 1000.0 / 8766.0 / LAYERS[-1]
    solver = RichardsSolver(domain, head, SolverConfig(passes=Convergence()))
    exact = RichardsSolver(domain, head, SolverConfig(passes=Convergence(tolerance=1e-11)))
    began = time.perf_counter()
    passes = [solver.step(source, step).passes for _ in range(count)]
    seconds = (time.perf_counter() - began) / count
    for _ in range(count):
        exact.step(source, step)
    error = np.abs(np.maximum(solver.head, 0.0) - np.maximum(exact.head, 0.0)).max()
    return Row(domain.dx, step, domain.mask.size, passes, seconds, float(error))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=float, default=6.0, help="of the basin, km")
    parser.add_argument("--cells", type=float, nargs="+", default=[1000.0, 200.0, 100.0, 50.0], help="m")
    parser.add_argument("--steps", type=float, nargs="+", default=[1.0, 24.0], help="h")
    parser.add_argument("--count", type=int, default=5, help="steps of each kind")
    parser.add_argument("--conductivity", type=float, default=0.1, help="of the soil, m/h")
    parser.add_argument("--recharge", type=float, default=300.0, help="mm a year")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for dx in arguments.cells:
        domain = basin(arguments.size * 1000.0, dx, arguments.conductivity)
        for step in arguments.steps:
            rows.append(measure(domain, step, arguments.count, arguments.recharge))
            print(rows[-1], flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
