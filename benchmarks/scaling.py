"""Land and Richards on processes: what a run takes with more of them, on one domain and on one that grows with them.

    python benchmarks/scaling.py FOLDER [--copies 2x2] [--hours 6] [--rounds 3] [--json FILE]
    python benchmarks/scaling.py FOLDER --copies 4x4 --hours 24 --processes 2    # these alone
    python benchmarks/scaling.py FOLDER --copies 1x1 --hours 72 --storm --processes 1 --processes 2 --processes 3

The domain is copies of the Pearl River's, east by north, side by side, from midnight of a dry day on or from the onset
of a storm, with nine maps an hour as output. Runs are `bmi-run` as users start it, and take turns: one process, two
processes on the same domain, and two on one of twice as many copies, with the efficiency beside them: the seconds of
one process by those of two, halved on the same domain. Peak memory is that of the process that needs most. Whether all
runs of one domain wrote the same, to the last bit, is told below.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import click
import netCDF4
import numpy as np
import yaml
from growth import STARTS, write_case
from rich.console import Console
from rich.table import Table

from bmi_common.groundwater import NET_SOURCE, PONDED_DEPTH, PRESSURE_HEAD, RUNOFF, SATURATION, WATER_TABLE_DEPTH

LAND_OUTPUT = (
    "land_surface_air_heat~net~latent__energy_flux",
    "land_surface_air_heat~net~sensible__energy_flux",
    "land_surface_soil_heat~conduction__energy_flux",
    "land_surface_water_evapotranspiration__mass_flux",
    "soil_surface_water_infiltration__volume_flux",
    "land_surface__temperature",
)
Copies = tuple[int, int]


def write_run(folder: Path, data: Path, copies: Copies, hours: int, storm: bool) -> int:
    """Write a coupled run of so many copies; return the number of columns."""
    columns = write_case(folder, data, *copies, storm=storm)
    start = STARTS["storm" if storm else "dry"]
    period = {"start": start, "end": start + timedelta(hours=hours)}
    run = {
        "time": {**{name: time.isoformat(timespec="minutes") for name, time in period.items()}, "step": "1h"},
        "components": {
            "land": {"class": "bmi_colm:BmiColm", "config": "land.yaml"},
            "groundwater": {"class": "bmi_richards:BmiRichards", "config": "groundwater.yaml"},
        },
        "order": ["land", "groundwater"],
        "exchanges": [
            *({"from": f"groundwater.{name}", "to": f"land.{name}"} for name in (PRESSURE_HEAD, SATURATION)),
            {"from": f"land.{NET_SOURCE}", "to": f"groundwater.{NET_SOURCE}"},
        ],
        "output": [
            {
                "file": "hourly.nc",
                "every": "1h",
                "variables": [
                    *(f"land.{name}" for name in LAND_OUTPUT),
                    *(f"groundwater.{name}" for name in (WATER_TABLE_DEPTH, PONDED_DEPTH, RUNOFF)),
                ],
            }
        ],
        "figures": False,
    }
    (folder / "coupled.yaml").write_text(yaml.safe_dump(run, sort_keys=False), encoding="utf-8")
    return columns


def measure(folder: Path, processes: int) -> tuple[dict[str, float], str]:
    """Make the run of a folder once.

    Returns seconds an hour by part, of process 0, with the largest peak memory [GB], and a hash of what was written.
    """
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        output = Path(scratch) / "run"
        command = [sys.executable, __file__, "--run", str(folder), "--into", str(output)]
        if processes > 1:
            command = ["mpiexec", "-n", str(processes), *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
        timing = json.loads((output / "timing.json").read_text())
        peaks = [float(file.read_text()) for file in output.parent.glob("peak.*")]
        written = hashlib.sha256()
        with netCDF4.Dataset(output / "hourly.nc") as file:
            file.set_auto_maskandscale(False)
            for name in sorted(file.variables):
                written.update(np.ascontiguousarray(file[name][...]).tobytes())
    seconds = {part: s / timing["model_hours"] for part, s in timing["seconds"].items()}
    return {**seconds, "hour": sum(seconds.values()), "peak [GB]": max(peaks)}, written.hexdigest()


def run(folder: Path, output: Path) -> None:
    """Be one process of a run, and leave a note of its peak memory."""
    from rootzone.bmi_run import main as bmi_run

    bmi_run([str(folder / "coupled.yaml"), "--output", str(output)], standalone_mode=False)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1.0e6
    (output.parent / f"peak.{os.getpid()}").write_text(str(peak))


def as_copies(text: str) -> Copies:
    east, north = (int(part) for part in text.split("x"))
    return east, north


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True), required=False)
@click.option("--copies", default="2x2", show_default=True, help="East by north.")
@click.option("--hours", default=6, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--processes", type=int, multiple=True, help="Only as many, on the one domain.")
@click.option("--storm", is_flag=True, help="From the onset of a storm on.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the table here, too.")
@click.option("--run", "of", type=click.Path(path_type=Path), hidden=True)
@click.option("--into", type=click.Path(path_type=Path), hidden=True)
def main(
    data: Path | None,
    copies: str,
    hours: int,
    rounds: int,
    processes: tuple[int, ...],
    storm: bool,
    file: Path | None,
    of: Path | None,
    into: Path | None,
) -> None:
    if of is not None and into is not None:
        run(of, into)
        return
    if data is None:
        raise click.UsageError("FOLDER with the reference data is needed")
    east, north = as_copies(copies)
    once, twice = (east, north), (2 * east, north)
    cases: list[tuple[str, Copies, int, float]] = [
        ("1 process", once, 1, 1.0),
        ("2 processes, the same domain", once, 2, 0.5),
        ("2 processes, twice the domain", twice, 2, 1.0),
    ]
    if processes:
        cases = [(f"{count} process{'es' * (count > 1)}", once, count, processes[0] / count) for count in processes]
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folders, columns = {}, {}
        for domain in dict.fromkeys(domain for _, domain, _, _ in cases):
            folders[domain] = Path(scratch) / f"{domain[0]}x{domain[1]}"
            folders[domain].mkdir()
            columns[domain] = write_run(folders[domain], data, domain, hours, storm)
        found: dict[str, list[dict[str, float]]] = {name: [] for name, *_ in cases}
        written: dict[Copies, set[str]] = {domain: set() for domain in folders}
        for _ in range(rounds):
            for name, domain, count, _ in cases:
                figures, digest = measure(folders[domain], count)
                found[name].append(figures)
                written[domain].add(digest)
    table = Table(title=f"seconds an hour, medians of {rounds} runs of {hours} h")
    for name, domain, _, share in cases:
        row = {part: median(one[part] for one in found[name]) for part in found[name][0]}
        both = zip(found[cases[0][0]], found[name], strict=True)
        row["efficiency"] = median(first["hour"] * share / shared["hour"] for first, shared in both)
        rows.append({"run": name, "columns": columns[domain], **row})
    for heading in rows[0]:
        table.add_column(heading, justify="right")
    for row in rows:
        table.add_row(*(f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()))
    Console().print(table)
    for domain, digests in written.items():
        alike = "alike to the last bit" if len(digests) == 1 else f"{len(digests)} different outputs"
        print(f"runs of {domain[0]} x {domain[1]} copies: {alike}")
    if file is not None:
        file.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
