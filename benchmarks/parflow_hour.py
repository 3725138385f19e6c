"""What an hour through the user's own ParFlow costs: solving, start-up, files.

A basin of synthetic relief, half of the hours dry and half with rain. Every hour is one start of ParFlow; the table
also has the first hour, which writes all fields of the domain and loads pftools, and all dry hours in one call, which
pays for the start once. Seconds are medians; `solver` is what ParFlow's own
timing says, `start-up` the rest of the process, `files` what this package adds (writing inputs, reading results).

    PARFLOW_DIR=... python benchmarks/parflow_hour.py [--size 64 48] [--processes 1 1] [--hours 12] [--solver KEY=VALUE]
"""

from __future__ import annotations

import csv
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import netCDF4
import numpy as np
import yaml
from numpy.typing import NDArray

from bmi_common import groundwater as names
from bmi_parflow import BmiParflow, process
from bmi_parflow.definition import RUN_NAME

Floats = NDArray[np.float64]

LAYERS = [100.0, 1.137, 0.9133, 0.5539, 0.336, 0.2038, 0.1236, 0.0749, 0.0455, 0.0276, 0.0175]
CELL = 1000.0


def write_basin(folder: Path, nx: int, ny: int, section: dict[str, Any]) -> Path:
    """Write a valley that falls to the south, with soil over rock and water in 1 to 3 m depth."""
    y, x = np.mgrid[0:ny, 0:nx]
    relief = 0.004 * CELL * (y + 3.0 * np.abs(x - nx / 2.0 + 0.5)) + 2.0 * np.sin(0.7 * x + 0.4 * y)
    slopes = {
        "slope_x": np.diff(relief, axis=1, append=relief[:, -1:]) / CELL,
        "slope_y": np.diff(relief, axis=0, append=relief[-1:]) / CELL,
        "water_table": 2.0 + np.sin(0.2 * x) * np.cos(0.3 * y),
    }
    with netCDF4.Dataset(folder / "basin.nc", "w") as dataset:
        dataset.createDimension("y", ny)
        dataset.createDimension("x", nx)
        for name, values in slopes.items():
            dataset.createVariable(name, "f8", ("y", "x"))[...] = values
    rock = [True, True] + [False] * (len(LAYERS) - 2)
    content = {
        "domain": {
            "grid": {"nx": nx, "ny": ny, "dx": CELL, "dy": CELL},
            "layers": LAYERS,
            "porosity": [0.1 if r else 0.43 for r in rock],
            "van_genuchten": {
                "alpha": [0.5 if r else 1.5 for r in rock],
                "n": [2.3 if r else 2.5 for r in rock],
                "residual_saturation": 1e-4,
            },
            "conductivity": {"x": [0.03 if r else 0.01 for r in rock], "z": [0.003 if r else 0.01 for r in rock]},
            "slope": {s[-1]: {"file": "basin.nc", "variable": s} for s in ("slope_x", "slope_y")},
            "manning": 0.05,
        },
        "initial": {"water_table_depth": {"file": "basin.nc", "variable": "water_table"}},
        "parflow": {**section, "working_directory": "work", "keep": True},
    }
    file = folder / "groundwater.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


@contextmanager
def timed_calls() -> Iterator[list[float]]:
    """Collect the seconds of each ParFlow process."""
    seconds: list[float] = []
    call = process.call

    def timed(*args: Any, **kwargs: Any) -> process.StepOutcome:
        begin = time.perf_counter()
        outcome = call(*args, **kwargs)
        seconds.append(time.perf_counter() - begin)
        return outcome

    process.call = timed
    try:
        yield seconds
    finally:
        process.call = call


def solver_seconds(folder: Path) -> float:
    """Seconds that ParFlow itself says it solved."""
    with (folder / f"{RUN_NAME}.out.timing.csv").open() as file:
        rows = {row[0]: row[1] for row in csv.reader(file) if len(row) > 1}
    return float(rows["Solver"])


def measure(model: BmiParflow, work: Path, source: Floats, hours: list[int]) -> None:
    """Print a row: as many calls as `hours` has entries, each over that many hours."""
    totals, processes, solvers = [], [], []
    with timed_calls() as seconds:
        for length in hours:
            model.set_value(names.NET_SOURCE, source)
            begin = time.perf_counter()
            model.update_until(model.get_current_time() + 3600.0 * length)
            totals.append((time.perf_counter() - begin) / length)
            processes.append(seconds[-1] / length)
            solvers.append(solver_seconds(work) / length)
    total, whole, solver = (statistics.median(s) for s in (totals, processes, solvers))
    click.echo(f"{total:10.3f} {solver:10.3f} {whole - solver:10.3f} {total - whole:10.3f}")


@click.command(help=__doc__)
@click.option("--size", nargs=2, type=int, default=(64, 48), show_default=True, help="cells along x and y")
@click.option("--processes", nargs=2, type=int, default=(1, 1), show_default=True)
@click.option("--hours", type=int, default=12, show_default=True)
@click.option("--solver", multiple=True, metavar="KEY=VALUE", help="keys of ParFlow")
def main(size: tuple[int, int], processes: tuple[int, int], hours: int, solver: tuple[str, ...]) -> None:
    nx, ny = size
    keys = {key: yaml.safe_load(value) for key, value in (item.split("=", 1) for item in solver)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = BmiParflow()
        model.initialize(str(write_basin(folder, nx, ny, {"processes": list(processes), "solver": keys})))
        dry = np.full((10, ny, nx), -2e-5)
        dry[-1] = -1e-4 / LAYERS[-1]
        wet = dry.copy()
        wet[-1] = 0.002 / LAYERS[-1]
        click.echo(f"{nx} x {ny} x {len(LAYERS)} cells, {processes[0]} x {processes[1]} processes; seconds an hour")
        click.echo(f"{'':24}{'total':>10} {'solver':>10} {'start-up':>10} {'files':>10}")
        rows = [
            ("first hour", dry, [1]),
            ("dry, call an hour", dry, [1] * (hours // 2)),
            ("wet, call an hour", wet, [1] * (hours // 2)),
        ]
        for what, source, calls in [*rows, ("dry, one call", dry, [hours // 2])]:
            click.echo(f"{what:24}", nl=False)
            measure(model, folder / "work", source, calls)
        model.finalize()


if __name__ == "__main__":
    main()
