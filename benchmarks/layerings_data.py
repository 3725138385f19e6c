"""Physics that weights for any layers are trained on and judged by; `layerings.py` has the commands.

Three sources, whose storms the converged Richards solver goes through on a domain of its own, driven by the sources
of a coupled run of land + Richards:

- the demo basin on its own 11 layers, and on 6 of 0.4 to 80 m and 20 of 0.05 to 30 m: properties of the layer in which
  a new one's centre lies, hydraulic head between the centres, and sources where layers overlap;
- two made-up basins of 16 x 12 km in cells of a kilometre (`invented_basins.py`): `dry`, sandy loam on 8 layers under
  two fifths of the demo's rain and in air 4 K warmer, and `third`, clay loam on 9 layers, which nothing trains on;
- two windows of the Pearl River's domain, 64 x 48 cells on 11 layers, under the humid year's largest storms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import netCDF4
import numpy as np
import xarray as xr
import yaml
from click.testing import CliRunner
from invented_basins import COARSE, ROOT, WEATHER, basin_file, compute, write_maps
from numpy.typing import NDArray

from bmi_common import Domain, load_config
from bmi_common.config import read_yaml, validate
from bmi_common.domain import DomainConfig
from bmi_common.netcdf_file import netcdf_name
from bmi_richards.config import prepare
from bmi_richards.options import SolverConfig
from bmi_richards.solver import RichardsSolver
from bmi_surrogate.training.store import HEAD, SOURCE, WETTING, Description, Segment, mask_hash
from rootzone.bmi_run import main as bmi_run
from rootzone.domain_builder.build import build

Floats = NDArray[np.float64]

LAYERINGS: dict[str, list[float] | None] = {
    "eleven": None,
    "six": [80.0, 15.0, 4.0, 2.0, 1.0, 0.4],
    "twenty": [
        30.0,
        20.0,
        15.0,
        10.0,
        7.0,
        5.0,
        3.5,
        2.5,
        1.8,
        1.3,
        0.9,
        0.65,
        0.45,
        0.35,
        0.25,
        0.18,
        0.13,
        0.1,
        0.07,
        0.05,
    ],
}
ROOT_DEPTH = 3.4
STRETCHES = ((7660, 200), (13771, 200), (16480, 48))
"""First hours and lengths of what is taken of the demo's two years, with the largest storms; the last one validates."""
FIELDS = (
    "porosity", "alpha", "n", "residual_saturation", "maximum_saturation", "specific_storage", "conductivity_x",
    "conductivity_y", "conductivity_z",
)  # fmt: skip
SURFACE_FIELDS = ("slope_x", "slope_y", "manning")
HEAD_NAME, SOURCE_NAME = "soil_water__pressure_head", "soil_root-zone_water__net_volume_flux"
DEMO = ROOT / "cfg" / "demo" / "domain.yaml"
PASSES = 4
"""Of the solver: within 4e-8 m of convergence on the demo basin."""


@dataclass(frozen=True)
class MadeUp:
    """A basin that is invented, and its weather: the demo's with `rain` times its precipitation, `warmer` [K]."""

    seed: int
    layers: list[float]
    soil: Mapping[str, float]
    log10_permeability: float
    recharge: float  # mm a-1
    rain: float
    warmer: float
    end: str


START = "2019-10-01T00:00"
MADE_UP = {
    "dry": MadeUp(
        3, [40.0, 20.0, 10.0, 4.0, 2.0, 1.0, 0.6, 0.4],
        {"sand": 65.0, "clay": 11.0, "bulk_density": 1.45, "depth_to_bedrock": 4.0},
        -12.0, 40.0, 0.4, 4.0, "2021-01-01T00:00",
    ),
    "third": MadeUp(
        4, [50.0, 25.0, 12.0, 6.0, 3.0, 2.0, 1.0, 0.6, 0.4],
        {"sand": 33.0, "clay": 33.0, "bulk_density": 1.3, "depth_to_bedrock": 6.0},
        -12.5, 300.0, 0.8, 1.0, "2022-01-01T00:00",
    ),
}  # fmt: skip
LENGTHS = (200, 200, 48)
"""Hours of the stretches of the dry basin."""
WINDOWS = {"pearl_north": (slice(90, 138), slice(20, 84)), "pearl_south": (slice(10, 58), slice(150, 214))}
"""Rows and columns of the Pearl River's domain."""
STORMS = (("2020-04-28", 200), ("2020-08-26", 48))
"""Checkpoints of the Pearl River's year and hours from there; the last one validates."""


def exact(domain: Domain, head: Floats, passes: int = PASSES) -> RichardsSolver:
    """Make a Richards solver, by default of more passes than runs have."""
    return RichardsSolver(domain, np.where(domain.mask, head, 0.0), SolverConfig(passes=passes, threads=1))


def full(source: Floats, domain: Domain) -> Floats:
    """Put sources [h-1] of the upper layers into all, 0 in inactive cells."""
    whole = np.zeros((domain.nz, *source.shape[1:]))
    whole[-len(source) :] = np.where(domain.mask, source, 0.0)
    return whole


def hours_of(run: Path, name: str, first: int, hours: int) -> Floats:
    """Read records of a variable of a run, whichever of its files holds it."""
    variable = netcdf_name(name)
    for file in sorted(run.glob("*.nc")):
        with netCDF4.Dataset(file) as data:
            if variable in data.variables:
                values = data.variables[variable][first : first + hours]
                return np.ma.filled(values.astype(np.float64), np.nan)
    raise click.ClickException(f"{run}: no file holds {variable}")


def call(*arguments: str) -> None:
    """Call ``bmi-run``."""
    result = CliRunner().invoke(bmi_run, list(arguments))
    if result.exit_code:
        raise click.ClickException(result.output)


# ---------------------------------------------------------------------- stores


def write_store(folder: Path, domain: Domain, stretches: Iterable[tuple[Floats, Floats]]) -> None:
    """Write a training store: what the solver makes of heads [m] at the start under sources [h-1] of the root zone."""
    heads, sources, segments = [], [], []
    for head, given in stretches:
        solver = exact(domain, head)
        heads.append(solver.head)
        for source in given:
            solver.step(full(source, domain))
            heads.append(solver.head)
            sources.append(np.where(domain.mask, source, 0.0))
        segments.append(Segment(len(given)))
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / HEAD, np.where(domain.mask, np.stack(heads), 0.0))
    np.save(folder / SOURCE, np.stack(sources).astype(np.float32))
    rain = np.maximum(np.stack(sources)[:, -1], 0.0) * domain.dz[-1]
    np.save(folder / WETTING, rain[:, domain.mask].mean(axis=1))
    layers, roots = tuple(domain.dz.tolist()), domain.root_zone_layers
    shape = (domain.nz, *domain.mask.shape)
    Description(tuple(segments), layers, shape, roots, mask_hash(domain.mask), None, {}).write(folder)


def write_domain(
    folder: Path, like: Domain, layers: list[float], root_layers: int, fields: Mapping[str, Floats]
) -> Domain:
    """Write `domain.yaml` with cells and formulation of another domain and the `fields` given, and read it."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "fields.npz", allow_pickle=False, **fields)

    def named(name: str) -> dict[str, str]:
        return {"file": "fields.npz", "variable": name}

    ny, nx = fields["mask"].shape
    content: dict[str, Any] = {
        "grid": {"nx": nx, "ny": ny, "dx": like.dx, "dy": like.dy},
        "layers": layers,
        "root_zone": {"layers": root_layers},
        "mask": named("mask"),
        "porosity": named("porosity"),
        "specific_storage": named("specific_storage"),
        "van_genuchten": {name: named(name) for name in ("alpha", "n", "residual_saturation", "maximum_saturation")},
        "conductivity": {axis: named(f"conductivity_{axis}") for axis in "xyz"},
        "slope": {axis: named(f"slope_{axis}") for axis in "xy"},
        "slope_formulation": like.slope_formulation.value,
        "manning": named("manning"),
    }
    (folder / "domain.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return read_domain(folder)


def read_domain(folder: Path) -> Domain:
    """Read the domain of a folder."""
    return Domain.load(load_config(folder / "domain.yaml", DomainConfig))


# -------------------------------------------------------------- the demo basin


def tops(layers: Floats) -> Floats:
    """Depth [m] of the top of each layer, bottom first, and of the bottom of the lowest one before them."""
    return np.append(np.cumsum(layers[::-1])[::-1], 0.0)


def relayered(domain: Domain, layers: Floats) -> dict[str, Floats]:
    """Properties of other layers: those of the layer in which the centre lies, the lowest one's below."""
    depth = tops(domain.dz)
    centre = 0.5 * (tops(layers)[1:] + tops(layers)[:-1])
    number = np.clip(np.searchsorted(-depth, -centre) - 1, 0, domain.nz - 1)
    return {name: domain.require(name, "the data")[number] for name in FIELDS}


def relayered_head(domain: Domain, layers: Floats, head: Floats) -> Floats:
    """Pressure head [m] of other layers whose hydraulic head is between those of the old ones, even beyond them."""
    old, new = (0.5 * (tops(dz)[1:] + tops(dz)[:-1]) for dz in (domain.dz, layers))
    hydraulic = head - old[:, None, None]
    found = np.empty((len(layers), *head.shape[1:]))
    for j, i in np.ndindex(*head.shape[1:]):
        found[:, j, i] = np.interp(-new, -old, hydraulic[:, j, i])
    return np.asarray(found + new[:, None, None])


def shares(domain: Domain, layers: Floats) -> Floats:
    """Water [m] of each old layer with a source that goes to each new one, (new, old), over its thickness [m-1]."""
    old, new = tops(domain.dz)[-domain.root_zone_layers - 1 :], tops(layers)
    overlap = np.minimum(new[:-1, None], old[None, :-1]) - np.maximum(new[1:, None], old[None, 1:])
    return np.maximum(overlap, 0.0) / layers[:, None]


def demo_stores(run: Path, folder: Path) -> None:
    """Take storms of `run`, land + Richards on the demo basin, to its own and to other layers."""
    domain = read_domain(DEMO.parent)
    surface = {name: domain.require(name, "the data") for name in SURFACE_FIELDS}
    for name, other_layers in LAYERINGS.items():
        layers = other_layers or domain.dz.tolist()
        thickness = np.array(layers)
        share = shares(domain, thickness)
        roots = int(np.count_nonzero(tops(thickness)[1:] < ROOT_DEPTH))
        fields = relayered(domain, thickness) | surface | {"mask": domain.mask.astype(float)}
        other = write_domain(folder / name, domain, layers, roots, fields)
        stretches = []
        for first, hours in STRETCHES:
            head = relayered_head(domain, thickness, hours_of(run, HEAD_NAME, first, 1)[0])
            given = np.nan_to_num(hours_of(run, SOURCE_NAME, first + 1, hours))
            there = np.moveaxis(np.tensordot(share, given, axes=(1, 1)), 0, 1)
            stretches.append((head, there[:, -roots:]))
        write_store(folder / name / "store", other, stretches)


# ------------------------------------------------------------- made-up basins


def write_weather(file: Path, basin: MadeUp) -> None:
    """Write the demo's weather with other precipitation and temperature; humidity stays, so warmer air is drier."""
    with xr.open_dataset(WEATHER) as data:
        weather = data.load()
    for name, change in (("precipitation_flux", (basin.rain, 0.0)), ("air_temperature", (1.0, basin.warmer))):
        attributes = weather[name].attrs
        weather[name] = weather[name] * change[0] + change[1]
        weather[name].attrs = attributes
    weather.to_netcdf(file)


def made_up(folder: Path, name: str) -> Path:
    """Build a made-up basin, spin it up and run land + Richards on it, unless that is done; return the run.

    The basin, with `domain.yaml`, is the folder above.
    """
    basin, place = MADE_UP[name], folder / name
    outlet = write_maps(place / "maps", basin.seed)
    domain = place / "basin"
    if not (domain / "coupled.yaml").exists():
        write_weather(place / "weather.nc", basin)
        content = basin_file(
            COARSE,
            outlet,
            {
                "title": f"Made-up basin, {name}",
                "layers": basin.layers,
                "soil": dict(basin.soil),
                "permeability": {"log10_permeability": basin.log10_permeability, "porosity": 0.12},
                "initial": {"recharge": basin.recharge},
                "period": {"start": START, "end": basin.end},
                "forcing": {"type": "netcdf", "file": "weather.nc"},
            },
        )
        file = place / "basin.yaml"
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        build(file, domain)
    compute(domain / "spin_up.yaml", domain / "spin_up")
    run = yaml.safe_load((domain / "coupled.yaml").read_text())
    head = {"file": "spin_up/spun_up/groundwater.nc", "variable": HEAD_NAME}
    run["components"]["groundwater"]["options"] = {"initial": {"pressure_head": head}}  # of any groundwater
    run["output"] = [
        {"file": "head.nc", "every": "1h", "method": "point", "variables": [f"groundwater.{HEAD_NAME}"]},
        {"file": "sources.nc", "every": "1h", "variables": [f"land.{SOURCE_NAME}"]},
    ]
    run |= {"checkpoint": {"every": "720h", "keep": 1}, "figures": False}
    (domain / "hourly.yaml").write_text(yaml.safe_dump(run, sort_keys=False))
    return compute(domain / "hourly.yaml", domain / "hourly")


def wettest(run: Path, lengths: Iterable[int], first: int = 0) -> list[int]:
    """Find first hours of stretches of these lengths, apart from each other, with the most water for the soil."""
    sources = hours_of(run, SOURCE_NAME, first, 100_000)
    wet = np.nanmean(np.maximum(sources[:, -1], 0.0), axis=(1, 2))
    free, found = np.ones(len(wet), dtype=bool), []
    for hours in lengths:
        sums = np.convolve(np.where(free, wet, -np.inf), np.ones(hours), "valid")
        sums[~np.isfinite(sums)] = -np.inf
        start = int(np.argmax(sums))
        free[max(start - hours, 0) : start + hours] = False
        found.append(first + start)
    return found


def dry_store(folder: Path) -> None:
    """Take the largest storms of the dry basin."""
    run = made_up(folder, "dry")
    domain = prepare(run.parent / "groundwater.yaml").domain
    starts = wettest(run, LENGTHS, first=720)
    # record k of heads is the end of hour k + 1, of which record k of sources is the mean
    stretches = [
        (hours_of(run, HEAD_NAME, start - 1, 1)[0], hours_of(run, SOURCE_NAME, start, hours))
        for start, hours in zip(starts, LENGTHS, strict=True)
    ]
    write_store(folder / "dry" / "store", domain, stretches)


# ------------------------------------------------------------- the Pearl River


def window_stores(data: Path, states: Path, folder: Path) -> None:
    """Take two windows of the Pearl River's domain through storms from checkpoints of land + Richards in its year.

    `data` is the folder that cfg/pearl_river_year.yaml names so, `states` the checkpoints of the physics that
    cfg/pearl_river_year.sh runs.
    """
    runs = []
    for day, hours in STORMS:
        state, run = states / f"{day}T00-00-00", folder / f"pearl_{day}"
        end = np.datetime64(day, "m") + np.timedelta64(hours, "h")
        settings = {
            "data": data.resolve(),
            "groundwater.class": "bmi_richards:BmiRichards",
            "time.start": f"{day}T00:00",
            "time.end": end,
            "checkpoint": "null",
            "figures": "false",
            "output": f"[{{file: sources.nc, every: 1h, precision: single, variables: [land.{SOURCE_NAME}]}}]",
            "land.options.initial.state": (state / "land.nc").resolve(),
            "groundwater.options.initial.pressure_head.file": (state / "groundwater.nc").resolve(),
            "groundwater.options.initial.pressure_head.variable": netcdf_name(HEAD_NAME),
        }
        if not (run / "timing.json").exists():
            changes = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
            call(str(ROOT / "cfg" / "pearl_river_year.yaml"), "--output", str(run), "--overwrite", *changes)
        runs.append((state, run, hours))
    definition = read_yaml(ROOT / "cfg" / "pearl_river" / "domain.yaml")
    domain = Domain.load(validate(definition, DomainConfig, paths={"data": data.resolve()}))
    for name, (rows, columns) in WINDOWS.items():
        fields = {field: domain.require(field, "the data")[:, rows, columns] for field in FIELDS}
        fields |= {field: domain.require(field, "the data")[rows, columns] for field in SURFACE_FIELDS}
        fields["mask"] = domain.mask[rows, columns].astype(float)
        window = write_domain(folder / name, domain, domain.dz.tolist(), domain.root_zone_layers, fields)
        stretches = []
        for state, run, hours in runs:
            with netCDF4.Dataset(state / "groundwater.nc") as content:
                head = np.ma.filled(content[netcdf_name(HEAD_NAME)][:].astype(float), np.nan)
            head = head.reshape(domain.subsurface.shape)[:, rows, columns]
            stretches.append((head, hours_of(run, SOURCE_NAME, 0, hours)[:, :, rows, columns]))
        write_store(folder / name / "store", window, stretches)
