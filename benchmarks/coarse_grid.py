"""What cells of a kilometre do not know: physics at 100 m as truth, at 1 km as it comes, and calibrated to the truth.

    python benchmarks/coarse_grid.py truth FOLDER [--basin learning]   # hours; goes on where it was stopped
    python benchmarks/coarse_grid.py coarse FOLDER                     # minutes
    python benchmarks/coarse_grid.py calibrate FOLDER                  # an hour
    python benchmarks/coarse_grid.py table FOLDER

Two invented basins, `learning` and `unseen`, of 16 x 12 km, one soil, one rock and one cover, are built by
``bmi-domain`` from an elevation model of 100 m, as cells of 100 m and of 1 km. Each comes to the balance of a steady
recharge by itself; then land and Richards run through the demo's weather hour by hour. The first three months are
dropped. In the basin `learning`, 2020 (1224 mm of precipitation) is calibrated on, and 2021 (1756 mm) is judged; of the
basin `unseen` there is only 2021.

Calibration looks for factors of the lateral and of the vertical conductivity and of the slopes that overland flow sees,
by the Nelder-Mead method on the sum of what `table` shows of the learning year.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import geopandas
import numpy as np
import xarray as xr
import yaml
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.optimize import minimize
from scipy.stats import wasserstein_distance

import rootzone
from rootzone.domain_builder.build import build
from rootzone.evaluation.metrics import metrics

Floats = NDArray[np.float64]

ROOT = Path(__file__).parents[1]
BASINS = {"learning": 1, "unseen": 2}
"""Seeds of the landscapes."""
WIDTH, HEIGHT, FINE, COARSE = 16_000.0, 12_000.0, 100.0, 1000.0  # m
RELIEF, LOWEST = 180.0, 100.0  # m
CREEP = 0.01  # m2 a-1, so that hillslopes are a few hundred metres long
UTM, WEST, NORTH = "EPSG:32649", 700_000.0, 2_712_000.0
LAYERS = [60.0, 20.0, 8.0, 4.0, 2.0, 1.2, 0.8, 0.5, 0.3, 0.2]  # m, bottom first
STARTS = {"learning": "2019-10-01T00:00", "unseen": "2020-10-01T00:00"}
YEARS = {"dry": ("2020-01-01T00:00", "2021-01-01T00:00"), "wet": ("2021-01-01T00:00", "2022-01-01T00:00")}
"""Of the demo's weather."""
SHALLOW = 2.0  # m
KEYS = ("lateral", "vertical", "slope")
"""What calibration multiplies."""
LATENT_HEAT = "land_surface_air_heat_net_latent_energy_flux"
WATER_TABLE, DISCHARGE = "soil_water_sat_zone_top_depth", "channel_water_x_section_volume_flow_rate"


@dataclass(frozen=True)
class Score:
    """How a run of 1 km compares with the truth in one year.

    Attributes
    ----------
    latent_heat_kge : float
        Of the hourly mean of the domain [-].
    latent_heat_bias : float
        [%].
    shallow : float
        Share of the basin with a water table within `SHALLOW` of the ground, mean over the days [-].
    shallow_truth : float
        That of the truth [-].
    water_table_distance : float
        Between the distributions of depth, each cell by its area, mean over the days [m] (first Wasserstein distance).
    water_table_rms : float
        Of the cells of 1 km, whose truth is the mean of their hundred [m].
    discharge_kge : float
        Of the hourly discharge of the outlet [-].
    """

    latent_heat_kge: float
    latent_heat_bias: float
    shallow: float
    shallow_truth: float
    water_table_distance: float
    water_table_rms: float
    discharge_kge: float

    def loss(self) -> float:
        """Sum of the errors, each in units of what a usable model would have."""
        return float(
            (1.0 - self.latent_heat_kge) / 0.05
            + abs(self.shallow - self.shallow_truth) / 0.05
            + self.water_table_distance / 1.0
            + (1.0 - self.discharge_kge) / 0.2
        )


# ---------------------------------------------------------------------- basins


def landscapes() -> ModuleType:
    """Import the script that invents the demo's landscape."""
    spec = importlib.util.spec_from_file_location("make_landscape", ROOT / "cfg" / "demo" / "make_landscape.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def write_maps(folder: Path, seed: int) -> tuple[float, float]:
    """Write elevation, divide and cover; return where the basin's water leaves [m]."""
    land = landscapes()
    nx, ny = round(WIDTH / FINE), round(HEIGHT / FINE)
    frame = land.Frame(WEST, NORTH, nx, ny, FINE, margin=FINE, outlet_x=WEST + 0.45 * WIDTH)
    random = np.random.Generator(np.random.PCG64(seed))
    divide = land.draw_divide(random, frame)
    mask = land.inside(divide, frame)
    ground = land.evolve(mask, np.zeros(mask.shape), random, frame, CREEP)
    elevation = LOWEST + ground * RELIEF / ground.max()
    south = int(np.where(mask[:, frame.outlet_column])[0][-1])
    folder.mkdir(parents=True, exist_ok=True)
    geopandas.GeoDataFrame(geometry=[divide], crs=UTM).to_file(folder / "divide.geojson", driver="GeoJSON")
    # beyond the divide the ground is as high as it is anywhere, so that averages of 1 km do not fall across it
    land.write_raster(
        folder / "elevation.tif",
        np.where(mask, elevation, elevation[mask].max()).astype(np.float32),
        UTM, WEST, NORTH, FINE, -9999.0,
    )  # fmt: skip
    land.write_raster(folder / "cover.tif", np.full(mask.shape, 10, np.uint8), UTM, WEST, NORTH, FINE, 0)
    return frame.outlet_x, NORTH - (south + 0.5) * FINE


def build_basin(folder: Path, name: str) -> None:
    """Build a basin at both sizes of cell, unless it is there."""
    basin = folder / name
    done = basin / "outlet.json"
    if not done.exists():
        outlet = write_maps(basin / "maps", BASINS[name])
        done.write_text(json.dumps(outlet))
    x, y = json.loads(done.read_text())
    for cell in (FINE, COARSE):
        target = basin / f"{cell:.0f}m"
        if target.exists():
            continue
        content = {
            "title": f"Basin {name}, cells of {cell:.0f} m",
            "grid": {"crs": UTM, "cell": cell},
            "region": {"polygon": "maps/divide.geojson"},
            "elevation": {"file": "maps/elevation.tif", "outlets": [[x, y]]},
            "rivers": {"upstream_area": 2.0},
            "layers": LAYERS,
            "soil": {"sand": 42.0, "clay": 18.0, "bulk_density": 1.35, "depth_to_bedrock": 3.0, "anisotropy": 0.5},
            "permeability": {
                "log10_permeability": -12.2,
                "decay": {"a": 120, "b": 150, "minimum": 5},
                "porosity": 0.12,
            },
            "land_cover": "maps/cover.tif",
            "initial": {"recharge": 450},
            "period": {"start": STARTS[name], "end": YEARS["wet"][1]},
            "forcing": {"type": "netcdf", "file": str(ROOT / "cfg" / "demo" / "weather.nc")},
            "land": {"reference_height": {"wind": 50.0, "temperature": 40.0, "humidity": 40.0}},
            "gauges": {"outlet": {"x": x, "y": y}},
        }
        file = basin / f"{cell:.0f}m.yaml"
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        build(file, target)


def write_years(domain: Path, last: str) -> Path:
    """Write the run to the end of the year `last`: that of ``bmi-domain`` with what the table needs as output."""
    content = yaml.safe_load((domain / "coupled.yaml").read_text())
    content["time"]["end"] = YEARS[last][1]
    small = {"precision": "single", "significant_digits": 5}
    hourly = [
        "land.land_surface_air_heat~net~latent__energy_flux",
        "land.soil_root-zone_water__net_volume_flux",
        "groundwater.channel_water_x-section__volume_flow_rate",
    ]
    daily = ["groundwater.soil_water__pressure_head", "groundwater.soil_water_sat-zone_top__depth"]
    content["output"] = [
        {"file": "hourly.nc", "every": "1h", "variables": hourly} | small,
        {"file": "daily.nc", "every": "1d", "method": "point", "variables": daily} | small,
    ]
    content["checkpoint"] = {"every": "720h"}
    content["figures"] = False
    file = domain / "years.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def compute(file: Path, output: Path, quiet: bool = False) -> Path:
    """Make a run, go on with it, or find that it has ended."""
    if not (output / "timing.json").exists():
        if any(output.glob("checkpoints/*/")):
            rootzone.restart(output, quiet=quiet).close()
        else:
            rootzone.run(file, output, overwrite=True, quiet=quiet).close()
    return output


def compute_years(domain: Path, last: str = "wet", quiet: bool = False) -> Path:
    """Spin a domain up under a steady recharge and run it to the end of the year `last`."""
    compute(domain / "spin_up.yaml", domain / "spin_up", quiet)
    return compute(write_years(domain, last), domain / "years", quiet)


# --------------------------------------------------------------------- judging


@dataclass(frozen=True)
class Year:
    """What a run says of a year.

    Attributes
    ----------
    latent_heat : ndarray, shape (hours,)
        Mean of the domain [W m-2].
    discharge : ndarray, shape (hours,)
        Of the outlet [m3 s-1].
    water_table : ndarray, shape (days, y, x)
        Depth [m], NaN outside the domain.
    """

    latent_heat: Floats
    discharge: Floats
    water_table: Floats


def year_of(run: Path, year: str) -> Year:
    """Read a year of a run."""
    first, last = (np.datetime64(limit) + np.timedelta64(30, "m") for limit in YEARS[year])
    time = slice(first, last)  # records bear the time of their end
    with rootzone.RunResult(run) as result:
        hourly, daily = result["hourly"].sel(time=time), result["daily"].sel(time=time)
        return Year(
            hourly[variable(hourly, "latent")].mean(("y", "x")).values.astype(float),
            result.gauges.sel(time=time, gauge="outlet").values.astype(float),
            daily[variable(daily, "sat-zone_top")].values.astype(float),
        )


def variable(data: xr.Dataset, part: str) -> str:
    """Name of the variable whose CSDMS name has a part."""
    return next(str(name) for name, values in data.data_vars.items() if part in values.attrs.get("csdms_name", ""))


def score(truth: Year, run: Year) -> Score:
    """Compare a year of 1 km with that of 100 m."""
    latent_heat = metrics(run.latent_heat, truth.latent_heat)
    factor = round(COARSE / FINE)
    return Score(
        float(latent_heat.kge),
        float(100.0 * latent_heat.bias / truth.latent_heat.mean()),
        shallow(run),
        shallow(truth),
        float(np.mean([distance(a, b) for a, b in zip(run.water_table[::5], truth.water_table[::5], strict=True)])),
        float(
            np.sqrt(np.nanmean((run.water_table - coarsened(truth.water_table, run.water_table.shape, factor)) ** 2))
        ),
        float(metrics(run.discharge, truth.discharge).kge),
    )


def shallow(year: Year) -> float:
    """Share of the basin with a shallow water table, mean over the days."""
    there = np.isfinite(year.water_table)
    return float((year.water_table < SHALLOW).sum() / there.sum())


def distance(a: Floats, b: Floats) -> float:
    """Distance of the distributions of two maps."""
    return float(wasserstein_distance(a[np.isfinite(a)], b[np.isfinite(b)]))


def coarsened(fine: Floats, shape: tuple[int, ...], factor: int) -> Floats:
    """Mean of the fine cells that are there, of each coarse one; both grids begin in the same corner."""
    days, ny, nx = shape
    padded = np.full((days, ny * factor, nx * factor), np.nan)
    padded[:, : fine.shape[1], : fine.shape[2]] = fine[:, : ny * factor, : nx * factor]
    blocks = padded.reshape(days, ny, factor, nx, factor)
    there = np.isfinite(blocks).sum(axis=(2, 4))
    return np.where(there > 0, np.nansum(blocks, axis=(2, 4)) / np.maximum(there, 1), np.nan)


# ----------------------------------------------------------------- calibration


def scaled(domain: Path, target: Path, factors: dict[str, float]) -> Path:
    """Copy a domain with its conductivities and slopes multiplied."""
    target.mkdir(parents=True, exist_ok=True)
    for file in domain.glob("*.yaml"):
        shutil.copy(file, target)
    with xr.open_dataset(domain / "domain.nc", mask_and_scale=False) as data:
        changed = data.load().copy()
    for key, names in {
        "lateral": ["conductivity"],
        "vertical": ["vertical_conductivity"],
        "slope": ["slope_x", "slope_y"],
    }.items():
        for name in names:
            changed[name] = changed[name] * factors[key]
            changed[name].attrs = data[name].attrs
    changed.to_netcdf(target / "domain.nc")
    return target


def calibrate_factors(folder: Path, evaluations: int, say: Callable[[str], None]) -> dict[str, float]:
    """Find the factors that fit the dry year; every trial is kept, and not made again."""
    basin = folder / "learning"
    truth = year_of(basin / "100m" / "years", "dry")
    journal = basin / "calibration.json"
    tried: dict[str, float] = json.loads(journal.read_text()) if journal.exists() else {}

    def loss(logs: Floats) -> float:
        factors = dict(zip(KEYS, (float(10.0**value) for value in logs), strict=True))
        key = ",".join(f"{value:.4f}" for value in logs)
        if key not in tried:
            trial = scaled(basin / "1000m", basin / "trial", factors)
            for old in ("spin_up", "years"):
                shutil.rmtree(trial / old, ignore_errors=True)
            tried[key] = score(truth, year_of(compute_years(trial, "dry", quiet=True), "dry")).loss()
            journal.write_text(json.dumps(tried, indent=1))
        say(f"{len(tried)} of about {evaluations}: {factors} loss {tried[key]:.3f}")
        return tried[key]

    start = np.zeros(len(KEYS))
    simplex = np.vstack([start, start + np.diag([1.0, 0.5, -0.5])])
    minimize(
        loss,
        start,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "maxfev": evaluations, "xatol": 0.03, "fatol": 0.02},
    )
    best = min(tried, key=lambda key: tried[key])
    return dict(zip(KEYS, (float(10.0 ** float(value)) for value in best.split(",")), strict=True))


# -------------------------------------------------------------------- commands


@click.group()
def main() -> None:
    """Truth at 100 m and physics at 1 km."""


folder_argument = click.argument("folder", type=click.Path(path_type=Path))


@main.command()
@folder_argument
@click.option("--basin", "names", type=click.Choice(list(BASINS)), multiple=True, default=list(BASINS))
def truth(folder: Path, names: tuple[str, ...]) -> None:
    """Build the basins and run them at 100 m."""
    for name in names:
        build_basin(folder, name)
        compute_years(folder / name / "100m")


@main.command()
@folder_argument
def coarse(folder: Path) -> None:
    """Run both basins at 1 km."""
    for name in BASINS:
        build_basin(folder, name)
        compute_years(folder / name / "1000m")


@main.command()
@folder_argument
@click.option("--evaluations", default=40, show_default=True, help="Runs of two years at most.")
def calibrate(folder: Path, evaluations: int) -> None:
    """Calibrate the 1 km of `learning`, and run both basins with the factors found."""
    factors = calibrate_factors(folder, evaluations, click.echo)
    (folder / "factors.json").write_text(json.dumps(factors, indent=1))
    for name in BASINS:
        build_basin(folder, name)
        domain = folder / name / "calibrated"
        if not (domain / "domain.nc").exists():
            scaled(folder / name / "1000m", domain, factors)
        compute_years(domain)


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Compare all that has been computed with its truth."""
    for name in BASINS:
        fine = folder / name / "100m" / "years"
        for kind in ("1000m", "calibrated"):
            run = folder / name / kind / "years"
            if not all((path / "timing.json").exists() for path in (fine, run)):
                continue
            cost = [sum(rootzone.RunResult(path).timing["seconds"].values()) for path in (run, fine)]
            for year in ("dry", "wet") if name == "learning" else ("wet",):
                found = score(year_of(fine, year), year_of(run, year))
                yield {"basin": name, "year": year, "run": kind} | asdict(found) | {"cost": cost[0] / cost[1]}


@main.command()
@folder_argument
@click.option("--json", "target", type=click.Path(path_type=Path))
def table(folder: Path, target: Path | None) -> None:
    """Print the comparison."""
    found = list(rows(folder))
    if not found:
        raise click.ClickException(f"{folder}: no basin has both its truth and a run of 1 km; see --help")
    shown = Table(*[key.replace("_", " ") for key in found[0]])
    for row in found:
        shown.add_row(*[f"{value:.3g}" if isinstance(value, float) else str(value) for value in row.values()])
    Console(width=180).print(shown)
    if target is not None:
        target.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
