"""One set of weights on several layerings and basins: physics to train on, and errors beside no learning at all.

    python benchmarks/layerings.py data RUN FOLDER
    python benchmarks/layerings.py table --demo RUN [--upper-verde DIR] [--little-washita DIR] --output DIR WEIGHTS...

`data` takes stormy weeks of the demo basin to its own and to other layers (6 of 0.4 to 80 m, 20 of 2 to 8 m):
properties of the layer in which a new one's centre lies, hydraulic head between the centres, and sources of RUN (hourly
`head.nc` and `fluxes.nc` of land + Richards) where layers overlap. The converged Richards solver makes the heads. In
FOLDER/NAME are `domain.yaml` and a `store`.

`table` starts from the heads of the demo's test year, of Upper Verde (5 layers) and of Little Washita (50 layers), and
drives the converged Richards solver, the structured surrogate without learning and with each of WEIGHTS by the same
sources for ten days: those of land + Richards, on Upper Verde those of ParFlow-CLM's two days, over and over. All solve
the same equations, so that differences are the surrogates' errors alone. Weights for other layers are left out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import netCDF4
import numpy as np
import yaml
from click.testing import CliRunner
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bmi_common import Domain, load_config, water_table
from bmi_common.domain import DomainConfig
from bmi_common.overland import boundary_outflow
from bmi_richards.config import prepare
from bmi_richards.options import SolverConfig
from bmi_richards.solver import RichardsSolver
from bmi_surrogate import (
    StructuredArchitecture,
    StructuredCheckpoint,
    StructuredEmulator,
    StructuredModel,
    StructuredOptions,
    load,
)
from bmi_surrogate.training.store import HEAD, SOURCE, WETTING, Description, Segment, mask_hash
from rootzone.bmi_run import main as bmi_run
from rootzone.evaluation.predictions import column_storage

Floats = NDArray[np.float64]

LAYERINGS: dict[str, list[float] | None] = {
    "eleven": None,
    "six": [80.0, 15.0, 4.0, 2.0, 1.0, 0.4],
    "twenty": [8.0] * 6 + [4.0] * 8 + [2.0] * 6,
}
ROOT_DEPTH = 3.4
STRETCHES = ((7660, 200), (13771, 200), (16480, 48))
"""First hours and lengths of what `data` takes, with the largest storms; the last one validates."""
HOURS, LOOKS = 240, (24, 240)
DEMO_STARTS = (5000,)
FIELDS = (
    "porosity", "alpha", "n", "residual_saturation", "maximum_saturation", "specific_storage", "conductivity_x",
    "conductivity_y", "conductivity_z",
)  # fmt: skip
PRESSURE_HEAD, NET_SOURCE = "soil_water__pressure_head", "soil_root_zone_water__net_volume_flux"
NET_SOURCE_NAME = "soil_root-zone_water__net_volume_flux"
DEMO = Path(__file__).parents[1] / "cfg" / "demo" / "domain.yaml"


PASSES = 4
"""Of the solver: within 4e-8 m of convergence on the demo basin."""


def exact(domain: Domain, head: Floats) -> RichardsSolver:
    """Make a Richards solver of more passes than runs have."""
    return RichardsSolver(domain, np.where(domain.mask, head, 0.0), SolverConfig(passes=PASSES, threads=1))


def full(source: Floats, domain: Domain) -> Floats:
    """Put sources [h-1] of the upper layers into all, 0 in inactive cells."""
    whole = np.zeros((domain.nz, *source.shape[1:]))
    whole[-len(source) :] = np.where(domain.mask, source, 0.0)
    return whole


def hours_of(run: Path, variable: str, first: int, hours: int) -> Floats:
    """Read records of a variable of a run, whichever of its files holds it."""
    for file in sorted(run.glob("*.nc")):
        with netCDF4.Dataset(file) as data:
            if variable in data.variables:
                values = data.variables[variable][first : first + hours]
                return np.ma.filled(values.astype(np.float64), np.nan)
    raise click.ClickException(f"{run}: no file holds {variable}")


# ------------------------------------------------------------------------ data


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
    return found + new[:, None, None]


def shares(domain: Domain, layers: Floats) -> Floats:
    """Water [m] of each old layer with a source that goes to each new one, (new, old), over its thickness [m-1]."""
    old, new = tops(domain.dz)[-domain.root_zone_layers - 1 :], tops(layers)
    overlap = np.minimum(new[:-1, None], old[None, :-1]) - np.maximum(new[1:, None], old[None, 1:])
    return np.maximum(overlap, 0.0) / layers[:, None]


def write_domain(folder: Path, domain: Domain, layers: list[float], root_layers: int) -> Domain:
    """Write `domain.yaml` of the demo basin with other layers, and read it."""
    folder.mkdir(parents=True, exist_ok=True)
    fields = relayered(domain, np.array(layers))
    surface = {"slope_x": domain.slope_x, "slope_y": domain.slope_y, "manning": domain.manning}
    np.savez(folder / "fields.npz", mask=domain.mask.astype(float), **fields, **surface)

    def named(name: str) -> dict[str, str]:
        return {"file": "fields.npz", "variable": name}

    content: dict[str, Any] = {
        "grid": {"nx": domain.nx, "ny": domain.ny, "dx": domain.dx, "dy": domain.dy},
        "layers": layers,
        "root_zone": {"layers": root_layers},
        "mask": named("mask"),
        "porosity": named("porosity"),
        "specific_storage": named("specific_storage"),
        "van_genuchten": {name: named(name) for name in ("alpha", "n", "residual_saturation", "maximum_saturation")},
        "conductivity": {axis: named(f"conductivity_{axis}") for axis in "xyz"},
        "slope": {axis: named(f"slope_{axis}") for axis in "xy"},
        "slope_formulation": domain.slope_formulation.value,
        "manning": named("manning"),
    }
    (folder / "domain.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return Domain.load(load_config(folder / "domain.yaml", DomainConfig))


@click.group()
def main() -> None:
    """Physics on other layerings, and the table."""


@main.command()
@click.argument("run", type=click.Path(path_type=Path, exists=True))
@click.argument("folder", type=click.Path(path_type=Path))
def data(run: Path, folder: Path) -> None:
    """Make the physics of the demo basin with other layers."""
    domain = Domain.load(load_config(DEMO, DomainConfig))
    for name, other_layers in LAYERINGS.items():
        layers = other_layers or domain.dz.tolist()
        thickness = np.array(layers)
        share = shares(domain, thickness)
        root_layers = int(np.count_nonzero(tops(thickness)[1:] < ROOT_DEPTH))
        other = write_domain(folder / name, domain, layers, root_layers)
        heads, sources = [], []
        for first, hours in STRETCHES:
            head = hours_of(run, PRESSURE_HEAD, first, 1)[0]
            solver = exact(other, relayered_head(domain, thickness, head))
            given = hours_of(run, NET_SOURCE, first + 1, hours)
            heads.append(solver.head)
            for source in given:
                there = np.tensordot(share, np.nan_to_num(source), axes=1)[-root_layers:]
                solver.step(full(there, other))
                heads.append(solver.head)
                sources.append(np.where(domain.mask, there, 0.0))
        store = folder / name / "store"
        store.mkdir(exist_ok=True)
        np.save(store / HEAD, np.where(domain.mask, np.stack(heads), 0.0))
        np.save(store / SOURCE, np.stack(sources).astype(np.float32))
        rain = np.maximum(np.stack(sources)[:, -1], 0.0) * thickness[-1]
        np.save(store / WETTING, rain[:, domain.mask].mean(axis=1))
        segments = tuple(Segment(hours) for _, hours in STRETCHES)
        Description(
            segments, tuple(layers), other.subsurface.shape, root_layers, mask_hash(other.mask), None, {}
        ).write(store)
        print(f"{name}: {sum(h for _, h in STRETCHES)} h, {len(layers)} layers, sources in {root_layers}")


# ----------------------------------------------------------------------- table


@dataclass(frozen=True)
class Case:
    """Where a table's rows come from: head [m] at the start, and sources [h-1] of every hour."""

    name: str
    domain: Domain
    head: Floats
    sources: list[Floats]


@dataclass
class Row:
    """Errors of a surrogate in a case, after each of `LOOKS` hours.

    `head`, `root_head` are the rms error [m] of pressure head in all layers and in those with sources, `table` the mean
    error of water table depth [m], `storage` that of a column's water [mm]; `mass` is the sum of the sizes of hourly
    residuals over the water turned over, `milliseconds` the CPU time of an hour.
    """

    case: str
    surrogate: str
    head: list[float]
    root_head: list[float]
    table: list[float]
    storage: list[float]
    mass: float
    milliseconds: float


def demo_cases(run: Path) -> Iterator[Case]:
    """Make cases of stretches of the demo basin's test year."""
    domain = Domain.load(load_config(DEMO, DomainConfig))
    for first in DEMO_STARTS:
        head, sources = hours_of(run, PRESSURE_HEAD, first, 1)[0], hours_of(run, NET_SOURCE, first + 1, HOURS)
        yield Case(f"demo, hour {first}", domain, head, list(sources))


def imported(definition: Path, folder: Path, hours: int | None) -> tuple[Domain, Floats, Floats]:
    """Import a ParFlow model, run it so many hours: domain, head at the start, sources of the run (none for None)."""
    call("--from-parflow", str(definition), "--output", str(folder), "--overwrite")
    if hours is None:
        sources = np.empty(0)
    else:
        run = folder / "run"
        written = f"[{{file: sources.nc, every: 1h, precision: double, variables: [land.{NET_SOURCE_NAME}]}}]"
        call(str(folder / "coupled.yaml"), "--output", str(run), "--overwrite", "--set", "figures=false",
             "--set", f"output={written}")  # fmt: skip
        sources = hours_of(run, NET_SOURCE, 0, hours)
    prepared = prepare(folder / "groundwater.yaml")
    return prepared.domain, prepared.head, sources


def call(*arguments: str) -> None:
    """Call ``bmi-run``."""
    result = CliRunner().invoke(bmi_run, list(arguments))
    if result.exit_code:
        raise click.ClickException(result.output)


def upper_verde(folder: Path, output: Path) -> Case:
    """Upper Verde under the sources of ParFlow's CLM."""
    domain, head, _ = imported(folder / "upper_verde_solid.pfidb", output / "upper_verde", None)
    with np.load(folder / "parflow_clm_48h.npz") as reference:
        sources = reference["evap_trans_f32"].astype(np.float64)[:, -domain.root_zone_layers :]
    return Case("Upper Verde", domain, head, [sources[hour % len(sources)] for hour in range(HOURS)])


def little_washita(folder: Path, output: Path) -> Case:
    """Little Washita under the sources of the land in its 72 h, over and over."""
    domain, head, sources = imported(folder / "LW_Test.pfidb", output / "little_washita", 72)
    return Case("Little Washita", domain, head, [sources[hour % len(sources)] for hour in range(HOURS)])


def rms(error: Floats) -> float:
    """Root mean square."""
    return float(np.sqrt(np.square(error).mean()))


class Judge:
    """Compares surrogates with the physics of a case."""

    def __init__(self, case: Case) -> None:
        self.case, self.truth = case, {}
        solver = exact(case.domain, case.head)
        for hour, source in enumerate(case.sources, start=1):
            solver.step(full(source, case.domain))
            if hour in LOOKS:
                self.truth[hour] = solver.head[:, case.domain.mask]

    def row(self, name: str, model: StructuredModel | None) -> Row:
        """Errors of a surrogate; of the state at the start without one."""
        domain, case = self.case.domain, self.case
        mask, roots = domain.mask, domain.root_zone_layers
        thickness = domain.dz[-roots:, None]
        head = np.where(mask, case.head, np.nan)
        emulator = None if model is None else StructuredEmulator(model, domain, StructuredOptions(threads=1))
        if emulator is not None:
            emulator.start(head)
        row = Row(case.name, name, [], [], [], [], 0.0, 0.0)
        stored, left, turned, seconds = column_storage(head[:, mask], domain).sum(), 0.0, 0.0, 0.0
        for hour, source in enumerate(case.sources, start=1):
            given = np.where(mask, source, 0.0)
            if emulator is not None:
                began = time.process_time()
                head = emulator.step(given)
                seconds += time.process_time() - began
            found = head[:, mask]
            water, outflow, now = given[:, mask] * thickness, self._outflow(found[-1]), column_storage(found, domain)
            left += abs(float(now.sum()) - stored - float(water.sum()) + outflow)
            turned += float(np.abs(water).sum()) + outflow
            stored = float(now.sum())
            if hour in LOOKS:
                true = self.truth[hour]
                row.head.append(rms(found - true))
                row.root_head.append(rms((found - true)[-roots:]))
                depths = (water_table.depth(h, domain.dz) for h in (found, true))
                row.table.append(float(np.abs(np.subtract(*depths)).mean()))
                row.storage.append(1e3 * float(np.abs(now - column_storage(true, domain)).mean()))
        row.mass, row.milliseconds = left / turned, 1e3 * seconds / len(case.sources)
        return row

    def _outflow(self, top: Floats) -> float:
        """Water [m] that leaves the domain over land in an hour, summed over its columns."""
        d = self.case.domain
        ponded = np.zeros(d.mask.shape)
        ponded[d.mask] = np.maximum(top, 0.0)
        slope_x, slope_y, manning = (d.require(name, "the outflow") for name in ("slope_x", "slope_y", "manning"))
        return float(np.nansum(boundary_outflow(ponded, slope_x, slope_y, manning, d.dx, d.dy, d.mask)) * 3600.0)


def show(rows: list[Row]) -> Table:
    """Table for people."""
    first, last = LOOKS
    table = Table(title=f"errors after {first} h / {last} h")
    for heading in ("case", "surrogate", "head, rms [m]", "root zone [m]", "water table [m]", "mm", "mass", "ms"):
        table.add_column(heading, justify="left" if heading in ("case", "surrogate") else "right")
    for r in rows:
        pairs = (" / ".join(f"{v:.2g}" for v in values) for values in (r.head, r.root_head, r.table, r.storage))
        table.add_row(r.case, r.surrogate, *pairs, f"{r.mass:.1e}", f"{r.milliseconds:.1f}")
    return table


@main.command()
@click.argument("weights", type=click.Path(path_type=Path, exists=True), nargs=-1)
@click.option("--demo", type=click.Path(path_type=Path, exists=True), help="Physics of the demo's test year.")
@click.option("--upper-verde", "verde", type=click.Path(path_type=Path, exists=True), help="Folder of the model.")
@click.option("--little-washita", "washita", type=click.Path(path_type=Path, exists=True), help="Folder of the model.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder for imports and the figures.")
def table(weights: tuple[Path, ...], demo: Path | None, verde: Path | None, washita: Path | None, output: Path) -> None:
    """Judge weights on basins and layerings."""
    output.mkdir(parents=True, exist_ok=True)
    cases: list[Case] = [] if demo is None else list(demo_cases(demo))
    if verde is not None:
        cases.append(upper_verde(verde, output))
    if washita is not None:
        cases.append(little_washita(washita, output))
    rows: list[Row] = []
    for case in cases:
        judge = Judge(case)
        models: list[tuple[str, StructuredModel | None]] = [("persistence", None)]
        for refinements in (2, 3):
            bare = StructuredModel(StructuredArchitecture(case.domain.nz, (), refinements)).eval()
            models.append((f"untrained, {refinements + 1} solves", bare))
        for path in weights:
            found = load(path)
            if not isinstance(found, StructuredCheckpoint):
                raise click.ClickException(f"{path}: not a structured surrogate")
            if found.model.architecture.layers in ("any", case.domain.nz):
                models.append((path.parent.name, found.model))
        rows += [judge.row(name, model) for name, model in models]
        (output / "layerings.json").write_text(json.dumps([asdict(r) for r in rows], indent=1))
        Console(width=160).print(show([r for r in rows if r.case == case.name]))


if __name__ == "__main__":
    main()
