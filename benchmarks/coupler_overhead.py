"""Seconds that the coupler itself needs for a coupling step: exchange, checks and ledger.

Two components whose own work is nothing are coupled as land and groundwater are, on a grid of the user's choice.
What the components' BMI functions take is told apart from what the coupler takes. Output is not part of it.

    python benchmarks/coupler_overhead.py [--nx 252 --ny 146 --layers 11] [--steps 50] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from bmi_common import DeclaredBmi, Role, Setup, Variable, grids
from bmi_common.groundwater import (
    GROUNDWATER_VARIABLES,
    LAYER_THICKNESS,
    NET_SOURCE,
    POROSITY,
    PRESSURE_HEAD,
    SATURATION,
    STORAGE_VOLUME,
)
from coupler.config import load_run
from coupler.preparation import prepare
from coupler.stepper import Stepper

ROOT_ZONE_LAYERS = 10
ACTIVE = 0.7  # fraction of cells inside the watershed


class _Idle(DeclaredBmi):
    def _initialize(self, config_file: Path) -> Setup:
        size = yaml.safe_load(config_file.read_text())
        thickness = np.array([10.0] + [0.5] * (size["layers"] - 1))
        surface = grids.surface(size["ny"], size["nx"], 1000.0, 1000.0)
        mask = np.zeros(surface.shape, dtype=bool)
        mask[:, : int(ACTIVE * size["nx"])] = True
        self.thickness = thickness
        return Setup(
            {
                grids.SURFACE: surface,
                grids.SUBSURFACE: grids.layered(surface, thickness),
                grids.ROOT_ZONE: grids.root_zone(surface, thickness, ROOT_ZONE_LAYERS),
                grids.SCALAR: grids.scalar(),
                grids.POINTS: grids.points((), (), ()),
            },
            mask=mask,
        )

    def _start(self) -> None:
        start = {PRESSURE_HEAD: -1.0, SATURATION: 0.5, POROSITY: 0.4, STORAGE_VOLUME: 1.0e9}
        for v in self.variables:
            if v.role is not Role.INPUT:
                self.values[v.name][...] = start.get(v.name, 0.0)
        thickness = self.values[LAYER_THICKNESS]
        thickness[...] = self.thickness[-thickness.shape[0] :, None, None]
        for v in self.variables:
            if self.values[v.name].ndim > 1:
                self.values[v.name][..., ~self.mask] = np.nan

    def _update(self) -> None:
        return


class IdleLand(_Idle):
    """Takes the state and gives no source."""

    component_name = "Idle land"
    variables = (
        Variable(PRESSURE_HEAD, "m", grids.ROOT_ZONE, Role.INPUT),
        Variable(SATURATION, "1", grids.ROOT_ZONE, Role.INPUT),
        Variable(NET_SOURCE, "h-1", grids.ROOT_ZONE, Role.OUTPUT, "net source", (-10.0, 10.0)),
        Variable(LAYER_THICKNESS, "m", grids.ROOT_ZONE, Role.STATIC),
        Variable(POROSITY, "1", grids.ROOT_ZONE, Role.STATIC),
    )


class IdleGroundwater(_Idle):
    """Takes the source and keeps its state."""

    component_name = "Idle groundwater"
    variables = GROUNDWATER_VARIABLES


def configuration(folder: Path, nx: int, ny: int, layers: int) -> Path:
    """Write the run's files and return the path of its `coupled.yaml`."""
    (folder / "grid.yaml").write_text(yaml.safe_dump({"nx": nx, "ny": ny, "layers": layers}))
    sys.modules.setdefault("coupler_overhead", sys.modules[__name__])
    run = {
        "time": {"start": "2020-01-01T00:00", "end": "2021-01-01T00:00", "step": "1h"},
        "components": {
            "land": {"class": "coupler_overhead:IdleLand", "config": "grid.yaml"},
            "groundwater": {"class": "coupler_overhead:IdleGroundwater", "config": "grid.yaml"},
        },
        "order": ["land", "groundwater"],
        "exchanges": [
            {"from": f"groundwater.{PRESSURE_HEAD}", "to": f"land.{PRESSURE_HEAD}"},
            {"from": f"groundwater.{SATURATION}", "to": f"land.{SATURATION}"},
            {"from": f"land.{NET_SOURCE}", "to": f"groundwater.{NET_SOURCE}"},
        ],
        "checks": {"water_balance": {"tolerance": 1.0e-6}},
    }
    path = folder / "coupled.yaml"
    path.write_text(yaml.safe_dump(run))
    return path


def measure(nx: int, ny: int, layers: int, steps: int) -> dict[str, Any]:
    """Time `steps` coupling steps after one to warm up.

    Returns
    -------
    dict
        Sizes, and milliseconds per step: median and 90 % quantile of the coupler's own, median of the components'.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared = prepare(load_run(configuration(folder, nx, ny, layers)), folder / "staging")
        stepper = Stepper(prepared)
        stepper.step()
        own, components = [], []
        for _ in range(steps):
            for component in prepared.components.values():
                component.seconds = 0.0
            begin = time.perf_counter()
            stepper.step()
            whole = time.perf_counter() - begin
            components.append(sum(c.seconds for c in prepared.components.values()))
            own.append(whole - components[-1])
        prepared.finalize()
    return {
        "nx": nx,
        "ny": ny,
        "layers": layers,
        "steps": steps,
        "machine": platform.processor() or platform.machine(),
        "coupler_ms_per_step": 1000.0 * float(np.median(own)),
        "coupler_ms_per_step_p90": 1000.0 * float(np.quantile(own, 0.9)),
        "components_ms_per_step": 1000.0 * float(np.median(components)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--nx", type=int, default=252)
    parser.add_argument("--ny", type=int, default=146)
    parser.add_argument("--layers", type=int, default=11)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    given = parser.parse_args()
    result = measure(given.nx, given.ny, given.layers, given.steps)
    print(f"{given.nx} x {given.ny} x {given.layers} cells, {given.steps} steps   median      90 %")
    p90 = result["coupler_ms_per_step_p90"]
    print(f"coupler (exchange, checks, water balance)  {result['coupler_ms_per_step']:10.2f} {p90:9.2f} ms per step")
    print(f"components' BMI functions           {result['components_ms_per_step']:10.2f}           ms per step")
    if given.json is not None:
        given.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
