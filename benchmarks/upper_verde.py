"""Upper Verde, a CONUS1 watershed, imported and run: the groundwater alone, and with the land, beside ParFlow-CLM.

    python benchmarks/upper_verde.py FOLDER --output DIR [--figure FILE] [--json FILE]

FOLDER holds the reference (`upper_verde_solid.pfidb` with its files, and `parflow_clm_48h.npz`, two days of the real
ParFlow-CLM). The groundwater alone is driven by the sources of ParFlow's CLM; its heads should be ParFlow's. With our
land in the place of CLM the difference of heads and fluxes is that of the two land models.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
import matplotlib
import netCDF4
import numpy as np
import xarray as xr
import yaml
from click.testing import CliRunner
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rootzone.bmi_run import main as bmi_run

matplotlib.use("Agg")

Floats = NDArray[np.float64]

LATENT = "land_surface_air_heat_net_latent__energy_flux"
HEAD = "soil_water__pressure_head"
HOURS = 48
FRESH = ("--overwrite", "--set", "figures=false")
WRITTEN = ("sources.nc", "driven.yaml", "nothing.yaml", "driven_run.yaml")
"""Beside the import, which overwrites nothing that it has not written."""
CONVERGED = "groundwater.options.richards.passes={tolerance: 1.0e-10}"


def call(*arguments: str) -> float:
    """Call ``bmi-run`` and return how long it took [s]."""
    began = time.perf_counter()
    result = CliRunner().invoke(bmi_run, list(arguments))
    if result.exit_code:
        raise click.ClickException(result.output)
    return time.perf_counter() - began


def by_sources(imported: Path, source: Floats) -> Path:
    """Write a run of the imported groundwater with sources (hours, z, y, x) [h-1] in the place of the land."""
    with netCDF4.Dataset(imported / "sources.nc", "w") as data:
        for name, size in zip(("time", "z", "y", "x"), source.shape, strict=True):
            data.createDimension(name, size)
        variable = data.createVariable("source", "f8", ("time", "z", "y", "x"))
        variable.units = "h-1"
        variable[:] = source
    groundwater = yaml.safe_load((imported / "groundwater.yaml").read_text())
    groundwater["sources"] = {"file": "sources.nc", "variable": "source"}
    (imported / "driven.yaml").write_text(yaml.safe_dump(groundwater, sort_keys=False))
    (imported / "nothing.yaml").write_text("domain: domain.yaml\nrecharge: 0.0\n")
    run = yaml.safe_load((imported / "coupled.yaml").read_text())
    run["components"]["land"] = {"class": "bmi_common.prescribed:PrescribedSource", "config": "nothing.yaml"}
    run["components"]["groundwater"]["config"] = "driven.yaml"
    run["exchanges"] = [e for e in run["exchanges"] if e["from"].startswith("land.")]
    states = next(o for o in run["output"] if o["file"] == "states.nc")
    run["output"] = [{**states, "precision": "double"}]
    path = imported / "driven_run.yaml"
    path.write_text(yaml.safe_dump(run, sort_keys=False))
    return path


def heads(folder: Path) -> Floats:
    """Pressure heads of a run's states (hours, z, y, x), NaN outside the watershed."""
    with xr.open_dataset(folder / "states.nc") as data:
        return np.asarray(data[HEAD].values[-HOURS:], dtype=np.float64)


def rms(error: Floats) -> float:
    """Root mean square of what is not NaN."""
    return float(np.sqrt(np.nanmean(error**2)))


def draw(latent: dict[str, Floats], difference: Floats, path: Path) -> None:
    """Draw domain-mean latent heat by hour, and where the top layer is wetter than with CLM."""
    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1.0))
    for (name, values), colour in zip(latent.items(), ("black", "#0072B2", "#D55E00"), strict=True):
        left.plot(np.arange(HOURS) + 0.5, values, label=name, color=colour)
    left.set(
        title="latent heat, mean of the watershed [W m$^{-2}$]",
        xlabel="hours since 2005-10-01 00 UTC",
        xlim=(0, HOURS),
        xticks=range(0, HOURS + 1, 12),
    )
    left.set_ylim(top=1.2 * max(values.max() for values in latent.values()))
    left.legend(frameon=False, ncols=3, loc="upper left", columnspacing=1.0, handlelength=1.2)
    limit = float(np.nanpercentile(np.abs(difference), 98))
    image = right.pcolormesh(difference, cmap="BrBG", vmin=-limit, vmax=limit, rasterized=True)
    right.set(title="head of the top layer, hour 48:\nimported less ParFlow-CLM [m]", aspect="equal")
    right.set(xlabel="km", ylabel="km")
    figure.colorbar(image, ax=right, extend="both")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True))
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder for the imports and the runs.")
@click.option("--figure", type=click.Path(path_type=Path), help="Draw latent heat and head there.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures there too.")
def main(folder: Path, output: Path, figure: Path | None, json_file: Path | None) -> None:
    """Import, run, print."""
    definition = str(folder / "upper_verde_solid.pfidb")
    with np.load(folder / "parflow_clm_48h.npz") as reference:
        source, mask = reference["evap_trans_f32"].astype(np.float64), reference["mask"].astype(bool)
        exact = dict(zip(reference["hours_f64"].tolist(), reference["pressure_f64_at"], strict=True))
        clm = reference["latent_heat"][:, mask].mean(axis=1).astype(np.float64)
        evaporated = {"ParFlow-CLM": 3600.0 * float(reference["evapotranspiration"][:, mask].mean(axis=1).sum())}
    kinds: dict[str, tuple[str, ...]] = {"imported": (), "with --clm-vegetation": ("--clm-vegetation",)}
    latent, seconds, found = {"ParFlow-CLM": clm}, {}, {}
    for name in WRITTEN:
        (output / "imported" / name).unlink(missing_ok=True)
    for name, extra in kinds.items():
        imported = output / name.strip("-").replace(" ", "_").replace("--", "")
        call("--from-parflow", definition, "--output", str(imported), "--overwrite", *extra)
        run = imported / "run"
        seconds[name] = call(
            str(imported / "coupled.yaml"), "--output", str(run), "--overwrite", "--set", "figures=false"
        )
        with xr.open_dataset(run / "hourly.nc") as hourly:
            latent[name] = hourly[LATENT].mean(("y", "x")).values.astype(np.float64)
            water = hourly["land_surface_water_evapotranspiration__mass_flux"].mean(("y", "x")).sum()
            evaporated[name] = 3600.0 * float(water)
        found[name] = heads(run)[-1]
    driven = by_sources(output / "imported", source)
    call(str(driven), "--output", str(output / "driven"), "--set", CONVERGED, *FRESH)
    alone = heads(output / "driven")
    result = {
        "groundwater_alone_rms_m": {int(hour): rms(alone[int(hour) - 1] - head) for hour, head in exact.items()},
        "groundwater_alone_largest_m": {
            int(hour): float(np.nanmax(np.abs(alone[int(hour) - 1] - head))) for hour, head in exact.items()
        },
        "latent_heat_W_m2": {name: float(values.mean()) for name, values in latent.items()},
        "evapotranspiration_mm": evaporated,
        "head_rms_by_layer_m": {
            name: [rms(layer - other) for layer, other in zip(head, exact[HOURS], strict=True)]
            for name, head in found.items()
        },
        "run_seconds": seconds,
    }
    print(json.dumps(result, indent=1))
    if figure is not None:
        draw(latent, found["imported"][-1] - exact[HOURS][-1], figure)
    if json_file is not None:
        json_file.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
