"""Peak memory and time of bmi-evaluate on synthetic hourly fields of a large basin.

    python benchmarks/evaluate_year.py SCRATCH_FOLDER --hours 720
    python benchmarks/evaluate_year.py SCRATCH_FOLDER --hours 8760     # a year; the runs take some 26 GB

Three runs (reference, hybrid, free drainage) of 252 x 146 cells in eleven layers are written into the folder, as
bmi-run writes them but of invented fields that compress well, evaluated in a process of its own, and removed. The
memory grows until the chunk caches of HDF5 are full (64 MB a variable, after some 440 hours), then by the series of the
domain alone, some 8 kB an hour.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import netCDF4
import numpy as np
import yaml

NX, NY = 252, 146
LAYERS = [100.0, 1.137, 0.9133, 0.5539, 0.336, 0.2038, 0.1236, 0.0749, 0.0455, 0.0276, 0.0175]
HEAD, LATENT_HEAT = "soil_water__pressure_head", "land_surface_air_heat~net~latent__energy_flux"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--hours", type=int, default=720)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
        folder = Path(scratch)
        began = time.perf_counter()
        runs = write_runs(folder, arguments.hours)
        wrote = time.perf_counter() - began
        size = sum(f.stat().st_size for f in folder.rglob("*.nc")) / 1e9
        seconds, processor, peak = evaluate(folder, runs)
    print(json.dumps({
        "cells": NX * NY, "layers": len(LAYERS), "hours": arguments.hours, "runs_GB": round(size, 2),
        "writing_s": round(wrote), "evaluating_s": round(seconds), "processor_s": round(processor),
        "peak_memory_GB": round(peak, 2),
    }, indent=2))  # fmt: skip


def write_runs(folder: Path, hours: int) -> list[Path]:
    """Write reference, hybrid and free drainage."""
    domain = {
        "grid": {"nx": NX, "ny": NY, "dx": 1000.0, "dy": 1000.0},
        "layers": LAYERS,
        "porosity": 0.4,
        "van_genuchten": {"alpha": 1.0, "n": 2.0, "residual_saturation": 0.1},
    }
    groundwater = {"domain": "domain.yaml", "initial": {"water_table_depth": 2.0}}
    for name, content in (("domain", domain), ("groundwater", groundwater)):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return [write_run(folder, *run, hours) for run in (("physics", 0.0), ("hybrid", 0.02), ("bound", 2.0))]


def write_run(folder: Path, name: str, error: float, hours: int) -> Path:
    """Write a run whose water table differs from the physics by `error` [m] at its worst."""
    run = folder / name
    run.mkdir()
    record = {
        "time": {"start": "2020-01-01T00:00", "end": "2030-01-01T00:00", "step": "1h"},
        "components": {
            "groundwater": {"class": "bmi_richards:BmiRichards", "config": str(folder / "groundwater.yaml")}
        },
        "order": ["groundwater"],
        "output": [
            {"file": "head.nc", "every": "1h", "variables": [f"groundwater.{HEAD}"]},
            {"file": "fluxes.nc", "every": "1h", "variables": [f"groundwater.{LATENT_HEAT}"]},
        ],
    }
    (run / "run.yaml").write_text(yaml.safe_dump(record))
    y, x = np.mgrid[0.0 : 1.0 : NY * 1j, 0.0 : 1.0 : NX * 1j]
    terrain = 0.2 + 8.0 * (np.sin(7.0 * x) * np.cos(5.0 * y)) ** 2
    centres = np.cumsum(LAYERS) - 0.5 * np.array(LAYERS)
    with netCDF4.Dataset(run / "head.nc", "w") as deep, netCDF4.Dataset(run / "fluxes.nc", "w") as top:
        head = create(deep, HEAD, "m", (len(LAYERS), NY, NX))
        flux = create(top, LATENT_HEAT, "W m-2", (NY, NX))
        for hour in range(hours):
            season = np.sin(2.0 * np.pi * hour / 8760.0)
            depth = terrain * (1.0 + 0.2 * season) + error * np.sin(0.01 * hour + 20.0 * x) ** 2
            # rounded, so that files stay small; an evaluation does not compute less for it
            head[hour] = np.round((sum(LAYERS) - depth) - centres[:, None, None], 3)
            sun = max(0.0, np.sin(2.0 * np.pi * (hour - 6) / 24.0))
            flux[hour] = np.round(300.0 * sun / (1.0 + 0.2 * depth), 2)
            for data in (deep, top):
                data["time"][hour] = hour + 1.0
    return run


def create(data: netCDF4.Dataset, name: str, units: str, shape: tuple[int, ...]) -> netCDF4.Variable:
    """Make a variable as bmi-run does: compressed, a chunk an hour."""
    data.createDimension("time", None)
    dimensions = ("z", "y", "x")[-len(shape) :]
    for dimension, size in zip(dimensions, shape, strict=True):
        data.createDimension(dimension, size)
    time_axis = data.createVariable("time", "f8", ("time",))
    time_axis.units = "hours since 2020-01-01 00:00:00"
    made = data.createVariable(
        "v", "f4", ("time", *dimensions), zlib=True, complevel=1, shuffle=True, chunksizes=(1, *shape)
    )
    made.setncatts({"csdms_name": name, "units": units})
    return made


def evaluate(folder: Path, runs: list[Path]) -> tuple[float, float, float]:
    """Seconds by the clock and of the processor, and peak memory [GB], of the command."""
    reference, run, bound = map(str, runs)
    command = [sys.executable, "-c", "from rootzone.bmi_evaluate import main; main()", reference, run]
    command += ["--free-drainage", bound, "--threshold", "water_table=0.01m", "--output", str(folder / "report")]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"bmi-evaluate failed: {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6


if __name__ == "__main__":
    main()
