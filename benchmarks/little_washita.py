"""ParFlow's Little Washita test case, imported and run with land and Richards solver.

    python benchmarks/little_washita.py FOLDER --output DIR [--json FILE] [--figure FILE]

FOLDER holds the published run (`LW_Test.pfidb`, its .pfb and drv_ files, 41 x 41 cells of 1 km, 50 layers of 2 m, 72 h
from 1998-10-01 05 UTC). Prints domain means by hour, the change of the water table, the water balance and wall times.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import matplotlib
import numpy as np
import xarray as xr
from click.testing import CliRunner
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from rootzone.bmi_run import main as bmi_run

matplotlib.use("Agg")

Floats = NDArray[np.float64]

LATENT = "land_surface_air_heat_net_latent__energy_flux"
SENSIBLE = "land_surface_air_heat_net_sensible__energy_flux"
GROUND = "land_surface_soil_heat_conduction__energy_flux"
WATER_TABLE = "soil_water_sat_zone_top__depth"
HEAD = "soil_water__pressure_head"


@dataclass(frozen=True)
class Result:
    """Figures of a run; heat fluxes are domain means by hour [W m-2]."""

    import_seconds: float
    run_seconds: float
    component_seconds: dict[str, float]
    latent: list[float]
    sensible: list[float]
    ground: list[float]
    evapotranspiration_mm: float
    water_table_start: float
    water_table_change_mean: float
    water_table_change_range: tuple[float, float]
    worst_residual_relative: float
    worst_residual_mm: float
    outflow_m3: float


def call(*arguments: str) -> float:
    """Call ``bmi-run`` and return how long it took [s]."""
    began = time.perf_counter()
    result = CliRunner().invoke(bmi_run, list(arguments))
    if result.exit_code:
        raise click.ClickException(result.output)
    return time.perf_counter() - began


def means(data: xr.DataArray) -> list[float]:
    """Domain means by hour."""
    return [float(v) for v in data.mean(("y", "x")).values]


def evaluate(folder: Path, imported: float, ran: float) -> tuple[Result, Floats, Floats]:
    """Read a run's files; returns also the water table depth at the start of the first hour and at the end [m]."""
    timing = json.loads((folder / "timing.json").read_text())
    with xr.open_dataset(folder / "hourly.nc") as hourly, xr.open_dataset(folder / "water_balance.nc") as balance:
        depth = hourly[WATER_TABLE].values.astype(np.float64)
        change = depth[-1] - depth[0]
        turned_over = np.maximum(np.abs(balance["source"]), np.abs(balance["storage_change"]))
        area = 1.0e6 * depth[0].size
        result = Result(
            import_seconds=imported,
            run_seconds=ran,
            component_seconds=timing["seconds"],
            latent=means(hourly[LATENT]),
            sensible=means(hourly[SENSIBLE]),
            ground=means(hourly[GROUND]),
            evapotranspiration_mm=float(
                3600.0 * hourly["land_surface_water_evapotranspiration__mass_flux"].mean(("y", "x")).sum()
            ),
            water_table_start=float(depth[0].mean()),
            water_table_change_mean=float(change.mean()),
            water_table_change_range=(float(change.min()), float(change.max())),
            worst_residual_relative=float((np.abs(balance["residual"]) / turned_over).max()),
            worst_residual_mm=float(np.abs(balance["residual"]).max() / area * 1e3),
            outflow_m3=float(balance["outflow"].sum()),
        )
    return result, depth[0], depth[-1]


def tables(result: Result, console: Console) -> None:
    """Print fluxes by hour of the day and the single figures."""
    hours = Table(title="domain means [W m-2] by hour (UTC), three days")
    for heading in ("hour", *(f"{kind} {day}" for day in (1, 2, 3) for kind in ("latent", "sensible"))):
        hours.add_column(heading, justify="right")
    for i in range(24):
        values = [series[i + 24 * day] for day in range(3) for series in (result.latent, result.sensible)]
        hours.add_row(f"{(5 + i) % 24:02d}", *(f"{v:.0f}" for v in values))
    console.print(hours)
    for key, value in asdict(result).items():
        if not isinstance(value, list):
            console.print(f"{key}: {value}")


def draw(result: Result, first: Floats, last: Floats, path: Path) -> None:
    """Draw the fluxes and the water table."""
    figure = Figure(figsize=(9.0, 6.0), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.0, 1.25))
    axes = top.subplots()
    hours = np.arange(len(result.latent)) + 0.5
    for name, values in (("latent", result.latent), ("sensible", result.sensible), ("ground", result.ground)):
        axes.plot(hours, values, label=name)
    axes.set(xlabel="hours since 1998-10-01 05 UTC", ylabel="W m$^{-2}$", xlim=(0, len(hours)))
    axes.set_xticks(np.arange(0, len(hours) + 1, 12))
    axes.axhline(0.0, color="0.7", lw=0.6)
    axes.legend(frameon=False, ncols=3, loc="upper left")
    left, right = bottom.subplots(1, 2)
    _map(left, first, "water table depth, first hour [m]", cmap="viridis_r")
    limit = float(np.percentile(np.abs(last - first), 98)) or 1.0
    _map(right, last - first, "deeper after 72 h by [m]", cmap="BrBG_r", vmin=-limit, vmax=limit)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _map(axes: Any, values: Floats, title: str, **options: Any) -> None:
    image = axes.pcolormesh(values, rasterized=True, **options)
    axes.set(title=title, aspect="equal", xlabel="km", ylabel="km")
    axes.figure.colorbar(image, ax=axes, extend="both" if "vmin" in options else "neither")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder for the import and the run.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures there too.")
@click.option("--figure", type=click.Path(path_type=Path), help="Draw fluxes and water table there.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="As of bmi-run; repeatable.")
def main(folder: Path, output: Path, json_file: Path | None, figure: Path | None, settings: tuple[str, ...]) -> None:
    """Import, run, print."""
    definition, imported = folder / "LW_Test.pfidb", output / "imported"
    import_seconds = call("--from-parflow", str(definition), "--output", str(imported), "--overwrite")
    chosen = [argument for setting in ("figures=false", *settings) for argument in ("--set", setting)]
    ran = call(str(imported / "coupled.yaml"), "--output", str(output / "run"), "--overwrite", *chosen)
    result, first, last = evaluate(output / "run", import_seconds, ran)
    tables(result, Console())
    if figure is not None:
        draw(result, first, last, figure)
    if json_file is not None:
        json_file.write_text(json.dumps(asdict(result), indent=2) + "\n")


if __name__ == "__main__":
    main()
