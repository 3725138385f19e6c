"""How demanding the demo basin is: a year of full physics against a year of free drainage from the same state.

    python benchmarks/demo_year.py --output FOLDER [--json FILE]

runs both with ``bmi-run``, side by side and one thread each (some ten minutes), and prints the monthly median of the
water table depth, the Kling-Gupta efficiency of the hourly domain-mean latent heat of free drainage, and what it took
the Richards solver: Newton iterations, columns that needed more than full steps, the largest residual of an hour.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bmi_common.netcdf_file import netcdf_name
from bmi_richards.statistics import SOLVER_VARIABLES

CONFIGURATION = Path(__file__).parents[1] / "cfg" / "coupled.yaml"
MODES = ("full", "free_drainage")
LATENT = "land_surface_air_heat_net_latent__energy_flux"
WATER_TABLE = "soil_water_sat_zone_top__depth"
COUNTS = tuple(v.name for v in SOLVER_VARIABLES)


def kling_gupta(simulated: NDArray[np.float64], observed: NDArray[np.float64]) -> dict[str, float]:
    """Efficiency of Gupta et al. (2009, J. Hydrol. 377, 80-91) and its components."""
    r = float(np.corrcoef(simulated, observed)[0, 1])
    alpha = float(simulated.std() / observed.std())
    beta = float(simulated.mean() / observed.mean())
    distance = np.sqrt((r - 1.0) ** 2 + (alpha - 1.0) ** 2 + (beta - 1.0) ** 2)
    return {"kge": float(1.0 - distance), "correlation": r, "variability": alpha, "bias": beta}


def start(mode: str, end: str, output: Path) -> subprocess.Popen[bytes]:
    """Start ``bmi-run`` of a mode with hourly fluxes and water table only."""
    settings = [
        f"time.end={end}",
        "figures=false",
        f"groundwater.options.richards.mode={mode}",
        "groundwater.options.richards.threads=1",
        "land.options.threads=1",
        "output=[{file: hourly.nc, every: 1h, variables: [land.land_surface_air_heat~net~latent__energy_flux, "
        "groundwater.soil_water_sat-zone_top__depth]}, "
        "{file: solver.nc, every: 1h, precision: double, variables: ["
        + ", ".join(f"groundwater.{name}" for name in COUNTS)
        + "]}]",
    ]
    command = [str(Path(sys.executable).with_name("bmi-run")), str(CONFIGURATION), "--output", str(output / mode)]
    return subprocess.Popen([*command, "--overwrite", *(a for s in settings for a in ("--set", s))])


def solver_work(folder: Path) -> dict[str, float]:
    """Sum up what the solver did in a run, by a word for each figure."""
    with xr.open_dataset(folder / "solver.nc") as data, xr.open_dataset(folder / "hourly.nc") as fields:
        columns = int(np.isfinite(fields[WATER_TABLE][0]).sum())
        hours = data.sizes["time"]
        counts = {name: data[netcdf_name(name)].values for name in COUNTS}
    solved = columns * counts["model_solver_pass__count"].sum()
    with xr.open_dataset(folder / "water_balance.nc") as ledger:
        residual, turnover = np.abs(ledger["residual"].values), ledger["turnover"].values
    seconds = json.loads((folder / "timing.json").read_text())["seconds"]["groundwater"]
    return {
        "hours": hours,
        "columns": columns,
        "seconds an hour": seconds / hours,
        "iterations a column and pass": counts["model_solver_newton__iteration_count"].sum() / solved,
        "most iterations of a column in an hour": counts["model_solver_newton__max_of_iteration_count"].max(),
        **{_words(name): float(values.sum()) for name, values in counts.items() if name.endswith("column_count")},
        "largest residual of an hour, m3": float(residual.max()),
        "the same over turnover": float((residual / turnover).max()),
    }


def _words(name: str) -> str:
    return "columns by " + name.removeprefix("model_solver_").removesuffix("__column_count").replace("-", " ")


@click.command()
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder for the two runs.")
@click.option("--end", default="2020-10-01T00:00", show_default=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures there too.")
def main(output: Path, end: str, json_file: Path | None) -> None:
    """Run both modes and print how far they are apart."""
    codes = [run.wait() for run in [start(mode, end, output) for mode in MODES]]
    if any(codes):
        sys.exit("a run failed; see its run.log")
    latent: dict[str, NDArray[np.float64]] = {}
    monthly: dict[str, NDArray[np.float64]] = {}
    for mode in MODES:
        with xr.open_dataset(output / mode / "hourly.nc") as data:
            latent[mode] = data[LATENT].mean(("x", "y")).values.astype(np.float64)
            monthly[mode] = data[WATER_TABLE].median(("x", "y")).resample(time="1MS").median().values
    score = kling_gupta(latent["free_drainage"], latent["full"])
    table = Table(title="water table depth in m, median of cells and hours by month")
    for heading in ("month", *MODES):
        table.add_column(heading, justify="right")
    for i in range(min(12, len(monthly["full"]))):
        table.add_row(str(i + 1), *(f"{monthly[mode][i]:.2f}" for mode in MODES))
    console = Console()
    console.print(table)
    swing = float(np.ptp(monthly["full"][:12]))
    console.print(f"full physics: the monthly median varies by {swing:.2f} m")
    means = ", ".join(f"{mode} {latent[mode].mean():.1f}" for mode in MODES)
    console.print(f"mean latent heat, W m-2: {means}")
    console.print("free drainage against full physics: " + ", ".join(f"{k} {v:.3f}" for k, v in score.items()))
    work = {mode: solver_work(output / mode) for mode in MODES}
    table = Table(title="the Richards solver, sums over all hours")
    for heading in ("", *MODES):
        table.add_column(heading, justify="left" if heading == "" else "right")
    for word in work["full"]:
        table.add_row(word, *(f"{work[mode][word]:.6g}" for mode in MODES))
    console.print(table)
    if json_file is not None:
        result = {"swing": swing, **score, "solver": work, "monthly": {m: v.tolist() for m, v in monthly.items()}}
        json_file.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
