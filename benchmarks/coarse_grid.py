"""What cells of a kilometre do not know: physics at 100 m as truth, at 1 km as it comes, and what can be learned.

    python benchmarks/coarse_grid.py learn FOLDER [--kind terrain]     # minutes a kind; goes on by rounds
    python benchmarks/coarse_grid.py coarse FOLDER                     # minutes
    python benchmarks/coarse_grid.py table FOLDER
    python benchmarks/coarse_grid.py figure FOLDER FILE
    python benchmarks/coarse_grid.py truth FOLDER [--basin learning]   # hours; goes on where it was stopped

Two invented basins, `learning` and `unseen`, of 16 x 12 km, one soil, one rock and one cover, are built by
``bmi-domain`` from an elevation model of 100 m, as cells of 100 m and of 1 km. Each comes to the balance of a steady
recharge by itself; then land and Richards run through the demo's weather hour by hour. The first three months are
dropped. In the basin `learning`, 2020 (1224 mm of precipitation) is learned from, and 2021 (1756 mm) is judged; of the
basin `unseen` there is only 2021. What is needed of the truth is kept in benchmarks/coarse_grid.

At 1 km there are physics as they come, and physics with streams within cells (docs/theory.md, equations (10c) to
(10i)), whose parameters nobody has learned. What is learned, and how, is told in coarse_grid_learning.py. The last is
run with the structured surrogate (three solves, no network) in the place of Richards, too.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import matplotlib
import numpy as np
import xarray as xr
import yaml
from coarse_grid_learning import Learning, learn, multiplied, run_days, seen_of, with_pace_of, write_copies
from invented_basins import COARSE, FINE, basin_file, compute, write_maps
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.stats import wasserstein_distance

import rootzone
from bmi_common import Domain, load_config
from bmi_common.domain import DomainConfig
from bmi_common.groundwater import BASEFLOW, DIRECT_RUNOFF, ROOT_ZONE_SATURATED_FRACTION
from bmi_common.subgrid import Streams, SubgridWeights, TerrainStatistics
from bmi_richards.config import prepare
from rootzone.domain_builder.build import build
from rootzone.evaluation.metrics import metrics

matplotlib.use("Agg")

Floats = NDArray[np.float64]

BASINS = {"learning": 1, "unseen": 2}
"""Seeds of the landscapes."""
LAYERS = [60.0, 20.0, 8.0, 4.0, 2.0, 1.2, 0.8, 0.5, 0.3, 0.2]  # m, bottom first
STARTS = {"learning": "2019-10-01T00:00", "unseen": "2020-10-01T00:00"}
YEARS = {"dry": ("2020-01-01T00:00", "2021-01-01T00:00"), "wet": ("2021-01-01T00:00", "2022-01-01T00:00")}
"""Of the demo's weather."""
SHALLOW = 2.0  # m
DRY_DAY = 110  # of the year
QUANTILES = 200
"""Of the depths of a day that the file of the truth keeps."""
FLOWS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)
"""Quantiles of the runoff of days that are learned from: floods are rare among the days."""
DEPTHS = (0.25, 0.5, 0.75, 0.9)
"""Quantiles that are learned from."""
KINDS = ("physics", "calibrated", "streams", "constants", "terrain", "terrain_mean")
"""Of runs at 1 km; the first and the third have learned nothing, and the land of the last sees the mean of a cell."""
LEARNED = {
    "calibrated": "calibrated",
    "constants_days": "constants_days",
    "terrain_days": "terrain_days",
    "constants": "constants",
    "terrain": "terrain",
    "terrain_mean": "terrain",
}
"""Files of what they have learned; `_days` are of days alone."""
STREAM_AREA = 0.1  # km2
RECHARGE = 450.0  # mm a-1, of the spin-up


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
    runoff_kge, root_kge, runoff_bias : float
        Of the hourly runoff, discharge of the outlet by area [-], of its root, which low flows matter to [-], and [%].
    """

    latent_heat_kge: float
    latent_heat_bias: float
    shallow: float
    shallow_truth: float
    water_table_distance: float
    water_table_rms: float
    runoff_kge: float
    root_kge: float
    runoff_bias: float


# ---------------------------------------------------------------------- basins


def build_basin(folder: Path, name: str) -> None:
    """Build a basin at both sizes of cell, unless it is there."""
    basin = folder / name
    outlet = write_maps(basin / "maps", BASINS[name])
    for cell in (FINE, COARSE):
        target = basin / f"{cell:.0f}m"
        if (target / "coupled.yaml").exists():
            continue
        content = {
            "title": f"Basin {name}, cells of {cell:.0f} m",
            "layers": LAYERS,
            "soil": {"sand": 42.0, "clay": 18.0, "bulk_density": 1.35, "depth_to_bedrock": 3.0, "anisotropy": 0.5},
            "permeability": {
                "log10_permeability": -12.2,
                "decay": {"a": 120, "b": 150, "minimum": 5},
                "porosity": 0.12,
            },
            "initial": {"recharge": RECHARGE},
            "period": {"start": STARTS[name], "end": YEARS["wet"][1]},
        }
        if cell == COARSE:
            content["terrain_statistics"] = {"cell": FINE, "stream_area": STREAM_AREA}
        file = basin / f"{cell:.0f}m.yaml"
        file.write_text(yaml.safe_dump(basin_file(cell, outlet, content), sort_keys=False))
        build(file, target)


def write_years(domain: Path, start: str, end: str, surrogate: bool) -> Path:
    """Write a run: that of ``bmi-domain`` with what the table needs as output, by Richards or the surrogate."""
    content = yaml.safe_load((domain / "coupled.yaml").read_text())
    content["time"] |= {"start": start, "end": end}
    if surrogate:
        head = {"file": "spin_up/spun_up/groundwater.nc", "variable": "soil_water__pressure_head"}
        content["components"]["groundwater"] |= {
            "class": "bmi_surrogate:BmiSurrogate",
            "options": {"initial": {"pressure_head": head}, "surrogate": {"architecture": "structured"}},
        }
    small = {"precision": "single", "significant_digits": 5}
    hourly = [
        "land.land_surface_air_heat~net~latent__energy_flux",
        "land.soil_root-zone_water__net_volume_flux",
        "groundwater.channel_water_x-section__volume_flow_rate",
    ]
    streams = "streams" in yaml.safe_load((domain / "groundwater.yaml").read_text())
    in_streams = [f"groundwater.{name}" for name in (BASEFLOW, DIRECT_RUNOFF)] if streams else []
    daily = ["groundwater.soil_water__pressure_head", "groundwater.soil_water_sat-zone_top__depth"]
    content["output"] = [
        {"file": "hourly.nc", "every": "1h", "variables": hourly + in_streams} | small,
        {"file": "daily.nc", "every": "1d", "method": "point", "variables": daily} | small,
    ]
    content["checkpoint"] = {"every": "720h"}
    content["figures"] = False
    file = domain / ("surrogate.yaml" if surrogate else "years.yaml")
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def compute_years(domain: Path, name: str, end: str = YEARS["wet"][1], surrogate: bool = False) -> Path:
    """Spin a domain of the basin `name` up under a steady recharge, and run it to the end."""
    compute(domain / "spin_up.yaml", domain / "spin_up")
    file = write_years(domain, STARTS[name], end, surrogate)
    return compute(file, domain / file.stem)


# --------------------------------------------------------------------- judging


@dataclass(frozen=True)
class Year:
    """What a run says of a year.

    Attributes
    ----------
    latent_heat : ndarray, shape (hours,)
        Mean of the domain [W m-2].
    runoff : ndarray, shape (hours,)
        Discharge of the outlet by the area of the domain [mm h-1]; cells of 1 km reach beyond the divide.
    water_table : ndarray, shape (days, columns)
        Depth in the cells of 1 km [m], in row-major order.
    depths : ndarray, shape (days, values)
        The same of equal shares of the basin: of cells, or with streams of the ground within them.
    """

    latent_heat: Floats
    runoff: Floats
    water_table: Floats
    depths: Floats

    @property
    def daily_runoff(self) -> Floats:
        """Mean of every day [mm h-1]."""
        return np.asarray(self.runoff[: 24 * len(self.depths)].reshape(-1, 24).mean(axis=1))


def year_of(run: Path, year: str, kilometres: NDArray[np.bool_] | None = None) -> Year:
    """Read a year of a run; of one at 100 m with the mask (ny, nx) of the cells of 1 km."""
    first, last = (np.datetime64(limit) + np.timedelta64(30, "m") for limit in YEARS[year])
    time = slice(first, last)  # records bear the time of their end
    with rootzone.RunResult(run) as result:
        hourly, daily = result["hourly"].sel(time=time), result["daily"].sel(time=time)
        latent_heat = hourly[variable(hourly, "latent")].mean(("y", "x")).values.astype(float)
        discharge = result.gauges.sel(time=time, gauge="outlet").values.astype(float)
        maps = daily[variable(daily, "sat-zone_top")].values.astype(float)
    streams, there = streams_of(run.parent), np.isfinite(maps[0])
    depths = water_table = maps[:, there]
    if streams is not None:
        depths = np.stack([streams.water_table_depths(day).ravel() for day in water_table])
    if kilometres is not None:
        water_table = of_kilometres(maps, kilometres)
    area = there.sum() * (COARSE if kilometres is None else FINE) ** 2
    return Year(latent_heat, discharge * 3.6e6 / area, water_table, depths)


def of_kilometres(maps: Floats, mask: NDArray[np.bool_]) -> Floats:
    """Mean over the cells of 100 m of each cell of 1 km, (n, columns); that of all where a cell has none.

    Both grids begin in the same corner.
    """
    ny, nx = mask.shape
    factor = round(COARSE / FINE)
    padded = np.full((len(maps), ny * factor, nx * factor), np.nan)
    padded[:, : maps.shape[1], : maps.shape[2]] = maps[:, : ny * factor, : nx * factor]
    blocks = padded.reshape(len(maps), ny, factor, nx, factor)
    there = np.isfinite(blocks).sum(axis=(2, 4))
    means = np.where(there > 0, np.nansum(blocks, axis=(2, 4)) / np.maximum(there, 1), np.nan)
    return np.where(np.isfinite(means), means, np.nanmean(maps, axis=(1, 2))[:, np.newaxis, np.newaxis])[:, mask]


def streams_of(domain: Path) -> Streams | None:
    """Read the streams within the cells of a domain, if it has any."""
    return prepare(domain / "groundwater.yaml").streams


def variable(data: xr.Dataset, part: str) -> str:
    """Name of the variable whose CSDMS name has a part."""
    return next(str(name) for name, values in data.data_vars.items() if part in values.attrs.get("csdms_name", ""))


def score(truth: Year, run: Year) -> Score:
    """Compare a year of 1 km with that of 100 m."""
    latent_heat = metrics(run.latent_heat, truth.latent_heat)
    apart = [wasserstein_distance(a, b) for a, b in zip(run.depths[::5], truth.depths[::5], strict=True)]
    return Score(
        float(latent_heat.kge),
        float(100.0 * latent_heat.bias / truth.latent_heat.mean()),
        shallow(run),
        shallow(truth),
        float(np.mean(apart)),
        float(np.sqrt(np.mean((run.water_table - truth.water_table) ** 2))),
        float(metrics(run.runoff, truth.runoff).kge),
        float(metrics(*(np.sqrt(np.maximum(year.runoff, 0.0)) for year in (run, truth))).kge),
        float(100.0 * (run.runoff.mean() / truth.runoff.mean() - 1.0)),
    )


def seconds_an_hour(run: Path) -> float:
    """Seconds that an hour of a run took."""
    with rootzone.RunResult(run) as result:
        return float(sum(result.timing["seconds"].values()) / result.timing["model_hours"])


def shallow(year: Year) -> float:
    """Share of the basin with a shallow water table, mean over the days."""
    return float((year.depths < SHALLOW).mean())


# ----------------------------------------------------------------------- truth


def write_truth(folder: Path, name: str) -> None:
    """Write what is learned from and judged by of a run at 100 m: a file of a few MB instead of gigabytes."""
    run, domain = folder / name / "100m" / "years", folder / name / f"{COARSE:.0f}m"
    mask = Domain.load(load_config(domain / "domain.yaml", DomainConfig)).mask
    shares = (np.arange(QUANTILES) + 0.5) / QUANTILES
    content: dict[str, Any] = {}
    for year in YEARS if name == "learning" else ("wet",):
        read = year_of(run, year, mask)
        content |= {
            f"{year}_latent_heat": ((f"{year}_hour",), read.latent_heat, {"units": "W m-2"}),
            f"{year}_runoff": ((f"{year}_hour",), read.runoff, {"units": "mm h-1"}),
            f"{year}_water_table": ((f"{year}_day", "column"), read.water_table, {"units": "m"}),
            f"{year}_depths": ((f"{year}_day", "share"), np.quantile(read.depths, shares, axis=1).T, {"units": "m"}),
        }
    if name == "learning":
        content["sources"] = (("day", "layer", "column"), sources_of(run, mask), {"units": "h-1"})
    attributes = {"seconds_an_hour": seconds_an_hour(run), "title": f"Truth at 100 m, basin {name}"}
    data = xr.Dataset(content, attrs=attributes).astype(np.float32)
    packed = {variable_name: {"zlib": True, "shuffle": True, "significant_digits": 5} for variable_name in content}
    data.to_netcdf(folder / f"truth_{name}.nc", encoding=packed)


def sources_of(run: Path, mask: NDArray[np.bool_]) -> Floats:
    """Net source that the land gave the truth, by day to the end of the dry year [h-1], (days, layers, columns)."""
    end = np.datetime64(YEARS["dry"][1]) + np.timedelta64(30, "m")
    with rootzone.RunResult(run) as result:
        hourly = result["hourly"].sel(time=slice(None, end))
        fluxes = hourly[variable(hourly, "net_volume_flux")]
        days = range(fluxes.sizes["time"] // 24)
        means = (fluxes[24 * day : 24 * (day + 1)].values.astype(float).mean(axis=0) for day in days)
        return np.stack([of_kilometres(mean, mask) for mean in means])


class Truth:
    """What `write_truth` wrote of a basin: in a folder, or, where that has none, beside this script."""

    def __init__(self, folder: Path, name: str) -> None:
        file = folder / f"truth_{name}.nc"
        if not file.exists():
            file = Path(__file__).with_name("coarse_grid") / file.name
        with xr.open_dataset(file) as data:
            self._data = data.load()

    @property
    def seconds_an_hour(self) -> float:
        """What an hour of it took."""
        return float(self._data.attrs["seconds_an_hour"])

    @property
    def sources(self) -> Floats:
        """Net source [h-1], (days, layers, columns)."""
        return np.asarray(self._data["sources"].values, dtype=float)

    def year(self, year: str) -> Year:
        """Return a year."""
        names = ("latent_heat", "runoff", "water_table", "depths")
        return Year(*(self._data[f"{year}_{name}"].values.astype(float) for name in names))


# -------------------------------------------------------------------- learning


def observations(runoff: Floats, water_table: Floats, depths: Floats, seen: Floats) -> Floats:
    """Return what is learned from a year of days, in the order of `deviations`.

    The root of the runoff of every day, that of its quantiles, and once a month the share that is shallow, quantiles of
    the water table depth, and how it depends on the features of the cells.

    Parameters
    ----------
    runoff : ndarray, shape (days,)
        [mm h-1].
    water_table, depths
        As in `Year`.
    seen : ndarray, shape (features, columns)
        Features of the cells.
    """
    days = len(water_table)
    months = np.linspace(15, days - 16, 12).astype(int)
    slopes = np.linalg.lstsq(np.vstack((seen, np.ones(seen.shape[1]))).T, water_table[months].T)[0][:-1]
    return np.concatenate(
        [
            np.sqrt(np.maximum(runoff, 0.0)),
            np.sqrt(np.quantile(runoff, FLOWS)),
            (depths[months] < SHALLOW).mean(axis=1),
            np.quantile(depths[months], DEPTHS, axis=1).ravel(),
            slopes.ravel(),
        ]
    )


def deviations(runoff: Floats, features: int) -> Floats:
    """Return the standard deviation from the truth that a good model may have, of each of `observations`."""
    root = float(np.sqrt(runoff).mean())
    flows = [(len(runoff), 0.3 * root), (len(FLOWS), 0.05 * root)]
    parts = [*flows, (12, 0.04), (12 * len(DEPTHS), 0.5), (12 * features, 0.3)]
    return np.concatenate([np.full(count, deviation) for count, deviation in parts])


def learn_kind(folder: Path, kind: str, members: int, rounds: int) -> None:
    """Learn from the dry year of `learning`, and write what was learned."""
    known = Truth(folder, "learning")
    source = domain_of(folder, "learning", "physics" if kind == "calibrated" else "streams")
    streams_domain = domain_of(folder, "learning", "streams")
    domain = Domain.load(load_config(source / "domain.yaml", DomainConfig))
    terrain = TerrainStatistics.read(streams_domain / "terrain.nc", domain)
    seen, _, _ = seen_of(terrain)
    truth, journal = known.year("dry"), folder / f"learning_{kind}"
    sources = np.zeros((*known.sources.shape[:2], *domain.mask.shape))
    sources[..., domain.mask] = known.sources
    area = domain.mask.sum() * COARSE**2

    def predict(maps: list[dict[str, Floats]]) -> Floats:
        copies = journal / "copies"
        write_copies(source, copies, maps)
        flows, depths = run_days(copies, sources, RECHARGE, len(truth.depths))
        streams, found = streams_of(copies), []
        cells = depths[:, np.isfinite(depths[0])].reshape(len(depths), len(maps), -1)
        ground = None if streams is None else [streams.water_table_depths(day.ravel()) for day in cells]
        for k in range(len(maps)):
            own = cells[:, k]
            if ground is not None:
                own = np.stack([day.reshape(len(day), len(maps), -1)[:, k].ravel() for day in ground])
            found.append(observations(flows[:, k] * 3.6e6 / area, cells[:, k], own, seen))
        return np.stack(found, axis=1)

    constants = None
    if kind == "terrain":
        best = folder / "learning_constants" / "best.json"
        if not best.exists():
            raise click.ClickException(f"{best}: missing; `learn --kind constants` comes before `--kind terrain`")
        constants = np.array(json.loads(best.read_text())["numbers"])
    learning = Learning.of(kind, terrain, constants)
    observed = observations(truth.daily_runoff, truth.water_table, truth.depths, seen)
    deviation = deviations(truth.daily_runoff, len(seen))
    numbers = learn(learning, observed, deviation, predict, journal, members, rounds, click.echo)
    if kind == "calibrated":
        factors = {name: float(values[0]) for name, values in learning.maps(numbers).items()}
        (folder / "calibrated.json").write_text(json.dumps(factors, indent=1))
    else:
        words = {"trained_on": "benchmarks/coarse_grid.py, basin learning, 2020", "kind": kind}
        learning.weights(numbers, words).save(folder / f"{kind}_days.json")
        learn_hours(folder, kind)


def learn_hours(folder: Path, kind: str) -> None:
    """Learn from the hours of the dry year when storms arrive, which days say little of; the rest stays.

    What streams get in a run with what was learned of the days flows down again with other velocities and delays, to
    the best Kling-Gupta efficiency of hourly runoff.
    """
    domain = domain_of(folder, "learning", f"{kind}_days")
    run = compute_years(domain, "learning", YEARS["dry"][1])
    prepared = prepare(domain / "groundwater.yaml")
    terrain = TerrainStatistics.read(domain / "terrain.nc", prepared.domain)
    with rootzone.RunResult(run) as result:
        hourly = result["hourly"]
        known = hourly["time"].values <= np.datetime64(YEARS["dry"][1]) + np.timedelta64(30, "m")
        parts = [hourly[variable(hourly, name)].values for name in ("baseflow", "saturation-excess")]
        mask, to_mm = prepared.domain.mask, 3.6e6  # m s-1 to mm in an hour
        groundwater, direct = (part[known][:, mask].astype(float) * to_mm for part in parts)
    truth, weights = Truth(folder, "learning").year("dry").runoff, SubgridWeights.load(folder / f"{kind}_days.json")
    paced = with_pace_of(truth, (groundwater, direct), weights, terrain, prepared.domain)
    click.echo(f"{kind}, hours: KGE of runoff {paced.kge:.3f}, {paced.before:.3f} with what days say")
    paced.weights.save(folder / f"{kind}.json")


def domain_of(folder: Path, name: str, kind: str) -> Path:
    """Write the domain of a basin at 1 km with what a kind has learned, unless it is there."""
    basin = folder / name
    target = basin / kind
    if target.exists():
        return target
    build_basin(folder, name)
    streams = kind not in ("physics", "calibrated")
    shutil.copytree(basin / f"{COARSE:.0f}m", target, ignore=shutil.ignore_patterns("spin_up", "years*"))
    groundwater = yaml.safe_load((target / "groundwater.yaml").read_text())
    groundwater.pop("streams", None)
    if streams:
        groundwater["streams"] = {"terrain": "terrain.nc"}
    learned = folder / f"{LEARNED[kind]}.json" if kind in LEARNED else None
    if streams and learned is not None:
        shutil.copy(learned, target / "streams.json")
        groundwater["streams"]["weights"] = "streams.json"
    if kind == "terrain_mean":
        run = yaml.safe_load((target / "coupled.yaml").read_text())
        run["exchanges"] = [e for e in run["exchanges"] if not e["from"].endswith(ROOT_ZONE_SATURATED_FRACTION)]
        (target / "coupled.yaml").write_text(yaml.safe_dump(run, sort_keys=False))
    if kind == "calibrated":
        assert learned is not None
        factors = json.loads(learned.read_text())
        with xr.open_dataset(target / "domain.nc", mask_and_scale=False) as data:
            known = data.load()
        multiplied(known, factors).to_netcdf(target / "domain.nc")
    (target / "groundwater.yaml").write_text(yaml.safe_dump(groundwater, sort_keys=False))
    return target


# -------------------------------------------------------------------- commands


@click.group()
def main() -> None:
    """Truth at 100 m, and what 1 km can make of it."""


folder_argument = click.argument("folder", type=click.Path(path_type=Path))


@main.command()
@folder_argument
@click.option("--basin", "names", type=click.Choice(list(BASINS)), multiple=True, default=list(BASINS))
def truth(folder: Path, names: tuple[str, ...]) -> None:
    """Build the basins and run them at 100 m."""
    for name in names:
        build_basin(folder, name)
        compute_years(folder / name / "100m", name)
        write_truth(folder, name)


@main.command()
@folder_argument
def coarse(folder: Path) -> None:
    """Run both basins at 1 km with all that is known."""
    for name in BASINS:
        for kind in KINDS:
            if kind not in LEARNED or (folder / f"{LEARNED[kind]}.json").exists():
                compute_years(domain_of(folder, name, kind), name)
        if (folder / "terrain.json").exists():
            compute_years(folder / name / "terrain", name, surrogate=True)


@main.command("learn")
@folder_argument
@click.option("--kind", "kinds", type=click.Choice(["calibrated", "constants", "terrain"]), multiple=True)
@click.option("--members", default=24, show_default=True, help="Copies of the basin.")
@click.option("--rounds", default=4, show_default=True, help="How often the truth is used.")
def learn_command(folder: Path, kinds: tuple[str, ...], members: int, rounds: int) -> None:
    """Learn from the dry year of `learning`, then run both basins with it."""
    for kind in kinds or ("calibrated", "constants", "terrain"):
        learn_kind(folder, kind, members, rounds)
        for name in BASINS:
            compute_years(domain_of(folder, name, kind), name)


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Compare all that has been computed with its truth."""
    for name in BASINS:
        truth = Truth(folder, name)
        years = {year: truth.year(year) for year in (YEARS if name == "learning" else ("wet",))}
        for kind, run in ((kind, folder / name / kind / run) for kind in KINDS for run in ("years", "surrogate")):
            if not (run / "timing.json").exists():
                continue
            label = kind + (", surrogate" if run.stem == "surrogate" else "")
            for year, known in years.items():
                found = asdict(score(known, year_of(run, year)))
                yield (
                    {"basin": name, "year": year, "run": label}
                    | found
                    | {"cost": seconds_an_hour(run) / truth.seconds_an_hour}
                )


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


@main.command()
@folder_argument
@click.argument("target", type=click.Path(path_type=Path))
def figure(folder: Path, target: Path) -> None:
    """Draw the unseen basin in the wet year: runoff, share with a shallow water table, depths on a dry day."""
    drawn = {"1 km": "physics", "1 km, calibrated": "calibrated", "1 km, streams learned": "terrain"}
    years = {"truth, 100 m": Truth(folder, "unseen").year("wet")}
    years |= {label: year_of(folder / "unseen" / kind / "years", "wet") for label, kind in drawn.items()}
    colours = dict(zip(years, ("black", "tab:orange", "tab:red", "tab:blue"), strict=True))
    shown = Figure(figsize=(9.0, 7.5), layout="constrained")
    flow, share, depths = shown.subplots(3, 1)
    days = np.datetime64(YEARS["wet"][0]) + np.arange(len(years["truth, 100 m"].depths)).astype("timedelta64[D]")
    for label, year in years.items():
        style: dict[str, Any] = {
            "color": colours[label],
            "label": label,
            "lw": 1.6 if colours[label] == "black" else 1.0,
        }
        flow.semilogy(days, (24.0 * year.daily_runoff).clip(1.0e-2), **style)
        share.plot(days, (year.depths < SHALLOW).mean(axis=1), **style)
        ordered = np.sort(year.depths[DRY_DAY])
        depths.plot(ordered, np.linspace(0.0, 1.0, ordered.size), **style)
    flow.set_ylabel("runoff [mm d⁻¹]")
    share.set_ylabel(f"share with a water table\nwithin {SHALLOW:g} m [-]")
    depths.set(
        xlabel=f"water table depth on {days[DRY_DAY].astype('datetime64[D]')} [m]", ylabel="share of the basin [-]"
    )
    flow.legend(ncols=4, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    for axes in (flow, share, depths):
        axes.grid(alpha=0.3)
    shown.savefig(target, dpi=130)


if __name__ == "__main__":
    main()
