"""One set of weights on several layerings and basins: physics to train on, and errors beside no learning at all.

    python benchmarks/layerings.py data FOLDER --demo RUN [--pearl-river DATA --states DIR]
    python benchmarks/layerings.py table FOLDER [--demo RUN] [--earlier RUN] [--upper-verde DIR] \
        [--little-washita DIR] --output DIR WEIGHTS...

`data` makes the stores that cfg/demo_training/variants/any_layers.yaml trains on (`layerings_data.py` tells what they
are): of the demo basin, whose years of land + Richards are RUN (hourly `head.nc` and `fluxes.nc`), of a dry made-up
basin, and of the Pearl River's domain, from DIR/*, checkpoints of its year (cfg/pearl_river_year.sh).

`table` starts from the heads of the demo's test year RUN (`--earlier`: its training years, for climatology), of a third
made-up basin (9 layers), of Upper Verde (5 layers) and of Little Washita (50 layers), and drives the converged
Richards solver, the solver with one pass, the structured surrogate without learning and with each of WEIGHTS by the
same sources for ten days: those of land + Richards, on Upper Verde those of ParFlow-CLM's two days, over and over. All
solve the same equations, so that differences are the surrogates' errors alone. Weights for other layers are left out.
Climatology is the mean head of the calendar month in earlier years of land + Richards.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import click
import numpy as np
import xarray as xr
from layerings_data import (
    DEMO,
    HEAD_NAME,
    SOURCE_NAME,
    call,
    demo_stores,
    dry_store,
    exact,
    full,
    hours_of,
    made_up,
    read_domain,
    wettest,
    window_stores,
)
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bmi_common import Domain, water_table
from bmi_common.netcdf_file import netcdf_name
from bmi_common.overland import boundary_outflow
from bmi_richards.config import prepare
from bmi_surrogate import (
    StructuredArchitecture,
    StructuredCheckpoint,
    StructuredEmulator,
    StructuredModel,
    StructuredOptions,
    load,
)
from rootzone.evaluation.predictions import column_storage

Floats = NDArray[np.float64]

HOURS, LOOKS = 240, (24, 240)
DEMO_START = 5000
"""Hour of the demo's test year."""
THIRD_FIRST = 366 * 24 + 2208
"""Hour, the first of 2021, from which on the third basin's storms are looked for; the year before is its climate."""


@click.group()
def main() -> None:
    """Physics on other layerings, and the table."""


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--demo", type=click.Path(path_type=Path, exists=True), required=True, help="Two years of physics.")
@click.option("--pearl-river", "data", type=click.Path(path_type=Path, exists=True), help="Folder of its data.")
@click.option("--states", type=click.Path(path_type=Path, exists=True), help="Checkpoints of its year of physics.")
def data(folder: Path, demo: Path, data: Path | None, states: Path | None) -> None:
    """Make the physics to train on."""
    demo_stores(demo, folder)
    dry_store(folder)
    if data is not None and states is not None:
        window_stores(data, states, folder)


# ----------------------------------------------------------------------- table


@dataclass(frozen=True)
class Case:
    """Where rows come from: head [m] at the start, sources [h-1] of every hour, mean head [m] of the month."""

    name: str
    domain: Domain
    head: Floats
    sources: list[Floats]
    climate: Floats | None = None


class Stepped(Protocol):
    """What is judged."""

    def step(self, source: Floats) -> Floats:
        """Go on by an hour under sources [h-1] of the root zone; return the head [m]."""
        ...


class Physics:
    """The Richards solver as it is judged."""

    def __init__(self, domain: Domain, head: Floats, passes: int) -> None:
        self._domain, self._solver = domain, exact(domain, head, passes)

    def step(self, source: Floats) -> Floats:
        """Go on by an hour."""
        self._solver.step(full(source, self._domain))
        return np.asarray(self._solver.head)


class Constant:
    """A head that stays."""

    def __init__(self, head: Floats) -> None:
        self._head = head

    def step(self, source: Floats) -> Floats:
        """Return the head."""
        return self._head


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


def month_of(run: Path, hour: int) -> int:
    """Calendar month of a record of a run."""
    with xr.open_dataset(run / "head.nc") as data:
        return int(data["time"].dt.month[hour])


def climate(run: Path, month: int, before: int | None = None) -> Floats:
    """Mean head [m] of a calendar month in a run, in the hours before one if that is given."""
    with xr.open_dataset(run / "head.nc") as data:
        heads = data[netcdf_name(HEAD_NAME)][:before]
        days = heads[heads["time"].dt.month.values == month][::24]
        return np.asarray(days.mean("time").values, dtype=float)


def demo(run: Path, earlier: Path | None) -> Case:
    """Take ten days of the demo basin's test year."""
    head, sources = hours_of(run, HEAD_NAME, DEMO_START, 1)[0], hours_of(run, SOURCE_NAME, DEMO_START + 1, HOURS)
    mean = None if earlier is None else climate(earlier, month_of(run, DEMO_START))
    return Case("demo", read_domain(DEMO.parent), head, list(sources), mean)


def third(folder: Path) -> Case:
    """Take the wettest ten days of the third basin's second year."""
    run = made_up(folder, "third")
    (start,) = wettest(run, [HOURS], THIRD_FIRST)
    head, sources = hours_of(run, HEAD_NAME, start - 1, 1)[0], hours_of(run, SOURCE_NAME, start, HOURS)
    mean = climate(run, month_of(run, start), before=THIRD_FIRST)
    return Case("third", prepare(run.parent / "groundwater.yaml").domain, head, list(sources), mean)


def imported(definition: Path, folder: Path, hours: int | None) -> tuple[Domain, Floats, Floats]:
    """Import a ParFlow model, run it so many hours: domain, head at the start, sources of the run (none for None)."""
    call("--from-parflow", str(definition), "--output", str(folder), "--overwrite")
    if hours is None:
        sources = np.empty(0)
    else:
        run = folder / "run"
        written = f"[{{file: sources.nc, every: 1h, precision: double, variables: [land.{SOURCE_NAME}]}}]"
        call(str(folder / "coupled.yaml"), "--output", str(run), "--overwrite", "--set", "figures=false",
             "--set", f"output={written}")  # fmt: skip
        sources = hours_of(run, SOURCE_NAME, 0, hours)
    prepared = prepare(folder / "groundwater.yaml")
    return prepared.domain, prepared.head, sources


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

    def surrogate(self, name: str, model: StructuredModel) -> Row:
        """Errors of a structured surrogate."""
        emulator = StructuredEmulator(model, self.case.domain, StructuredOptions(threads=1))
        emulator.start(np.where(self.case.domain.mask, self.case.head, np.nan))
        return self.row(name, emulator)

    def row(self, name: str, judged: Stepped) -> Row:
        """Errors of what goes on from the head at the start."""
        domain, case = self.case.domain, self.case
        mask, roots = domain.mask, domain.root_zone_layers
        thickness = domain.dz[-roots:, None]
        head = np.where(mask, case.head, np.nan)
        row = Row(case.name, name, [], [], [], [], 0.0, 0.0)
        stored, left, turned, seconds = column_storage(head[:, mask], domain).sum(), 0.0, 0.0, 0.0
        for hour, source in enumerate(case.sources, start=1):
            given = np.where(mask, source, 0.0)
            began = time.process_time()
            head = judged.step(given)
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
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("weights", type=click.Path(path_type=Path, exists=True), nargs=-1)
@click.option("--demo", "test", type=click.Path(path_type=Path, exists=True), help="Physics of the demo's test year.")
@click.option("--earlier", type=click.Path(path_type=Path, exists=True), help="Physics of the years before it.")
@click.option("--upper-verde", "verde", type=click.Path(path_type=Path, exists=True), help="Folder of the model.")
@click.option("--little-washita", "washita", type=click.Path(path_type=Path, exists=True), help="Folder of the model.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder for imports and the figures.")
def table(
    folder: Path,
    weights: tuple[Path, ...],
    test: Path | None,
    earlier: Path | None,
    verde: Path | None,
    washita: Path | None,
    output: Path,
) -> None:
    """Judge weights on basins and layerings; FOLDER is that of `data`, for the third basin."""
    output.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for case in cases(folder, test, earlier, verde, washita, output):
        judge = Judge(case)
        found = [judge.row("persistence", Constant(np.where(case.domain.mask, case.head, np.nan)))]
        if case.climate is not None:
            found.append(judge.row("climatology", Constant(case.climate)))
        found.append(judge.row("Richards, one pass", Physics(case.domain, case.head, passes=1)))
        for solves in (1, 3, 4):
            bare = StructuredModel(StructuredArchitecture(case.domain.nz, (), solves - 1)).eval()
            found.append(judge.surrogate(f"untrained, {solves} solve{'s' if solves > 1 else ''}", bare))
        for path in weights:
            checkpoint = load(path)
            if not isinstance(checkpoint, StructuredCheckpoint):
                raise click.ClickException(f"{path}: not a structured surrogate")
            if checkpoint.model.architecture.layers in ("any", case.domain.nz):
                found.append(judge.surrogate(path.parent.name, checkpoint.model))
        rows += found
        (output / "layerings.json").write_text(json.dumps([asdict(r) for r in rows], indent=1))
        Console(width=160).print(show(found))


def cases(
    folder: Path, test: Path | None, earlier: Path | None, verde: Path | None, washita: Path | None, output: Path
) -> Iterator[Case]:
    """Make all cases whose data are given."""
    if test is not None:
        yield demo(test, earlier)
    yield third(folder)
    if verde is not None:
        yield upper_verde(verde, output)
    if washita is not None:
        yield little_washita(washita, output)


if __name__ == "__main__":
    main()
