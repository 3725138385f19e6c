"""Surrogates driven by the true source of a physics run: errors of a continuous rollout and of four of 720 h, cost.

Each surrogate starts from the head of the physics run and gets the source that the land gave the physics, so that only
its own errors grow. Beside the given checkpoints stand persistence, and the structured surrogate without learning, with
one solve an hour, with two and with three. Minutes of training are from the log beside a checkpoint, if there is one.

    python benchmarks/surrogate_variants.py --domain cfg/demo/domain.yaml --run output/demo_training/physics_test_year \
        --store output/demo_training/test_store output/demo_training/*/best.yaml --json variants.json
"""

from __future__ import annotations

import argparse
import csv
import functools
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bmi_common import Domain, load_config, van_genuchten, water_table
from bmi_common.domain import DomainConfig
from bmi_common.overland import boundary_outflow
from bmi_surrogate import (
    ClosedEmulator,
    Emulator,
    PredRNNCheckpoint,
    PredRNNEmulator,
    PredRNNOptions,
    StructuredArchitecture,
    StructuredEmulator,
    StructuredModel,
    StructuredOptions,
    load,
)
from bmi_surrogate.predrnn import statics as static_channels
from bmi_surrogate.training.prepare import DataConfig, prepare
from bmi_surrogate.training.store import Store
from rootzone.evaluation.predictions import column_storage

Array = NDArray[np.float64]
SEGMENT, SEGMENT_EVERY = 720, 2160
EVERY = 12  # h between two looks at the errors


@dataclass
class Errors:
    """Of a rollout; of water table depth [m], saturation of the top layer [-] and column storage [mm].

    `median`, `high` are the means over the hours of the median and 90 % absolute error, `worst_median` and `worst_high`
    the largest of any hour; `mass` is the sum of the sizes of the residuals between looks, over the water turned over.
    """

    median: float
    high: float
    worst_median: float
    worst_high: float
    top_saturation: float
    storage: float
    mass: float | None


@dataclass
class Row:
    """A surrogate in the table."""

    name: str
    parameters: int | None
    training_minutes: float | None
    milliseconds: float | None
    segments: Errors
    continuous: Errors


class Judge:
    """Compares a rollout with the physics, hour by hour."""

    def __init__(self, domain: Domain, store: Store) -> None:
        self.domain, self.store, mask = domain, store, domain.mask
        soil = (domain.alpha, domain.n, domain.residual_saturation, domain.maximum_saturation)
        self.soil = [field[-1][mask] for field in soil]
        self.thickness = domain.dz[-store.source_layers :, np.newaxis]

    def judge(self, emulator: Emulator | None, first: int, hours: int) -> tuple[list[tuple[float, ...]], float]:
        """Errors of every hour, and seconds in the emulator; without an emulator, of the first head kept."""
        mask, dz = self.domain.mask, self.domain.dz
        heads, sources = self.store.window(first, hours)
        head, seconds = heads[0], 0.0
        stored = column_storage(np.asarray(head)[:, mask], self.domain).sum()
        if emulator is not None:
            emulator.start(np.where(mask, head, np.nan))
        rows: list[tuple[float, ...]] = []
        came = turned = 0.0
        for hour in range(hours):
            if emulator is not None:
                begin = time.perf_counter()
                head = emulator.step(sources[hour].astype(np.float64))
                seconds += time.perf_counter() - begin
            found = np.asarray(head)[:, mask]
            water, outflow = sources[hour][:, mask] * self.thickness, self._outflow(found)
            came += float(water.sum()) - outflow
            turned += float(np.abs(water).sum()) + outflow
            if (hour + 1) % EVERY:
                continue
            true = np.asarray(heads[hour + 1])[:, mask]
            table = np.abs(water_table.depth(found, dz) - water_table.depth(true, dz))
            wetness = [van_genuchten.saturation(h[-1], *self.soil) for h in (found, true)]
            columns = [column_storage(h, self.domain) for h in (found, true)]
            rows.append(
                (
                    float(np.median(table)),
                    float(np.quantile(table, 0.9)),
                    float(np.square(wetness[0] - wetness[1]).mean()),
                    float(np.abs(columns[0] - columns[1]).mean()) * 1e3,
                    abs(float(columns[0].sum() - stored) - came),
                    turned,
                )
            )
            stored, came, turned = columns[0].sum(), 0.0, 0.0
        return rows, seconds

    def _outflow(self, found: Array) -> float:
        d = self.domain
        ponded = np.zeros(d.mask.shape)
        ponded[d.mask] = np.maximum(found[-1], 0.0)
        slope_x, slope_y, manning = (d.require(name, "the outflow") for name in ("slope_x", "slope_y", "manning"))
        return float(np.nansum(boundary_outflow(ponded, slope_x, slope_y, manning, d.dx, d.dy, d.mask)) * 3600.0)


def summarised(rows: list[tuple[float, ...]], balances: bool) -> Errors:
    median, high, top, storage, residual, turnover = np.array(rows).T
    return Errors(
        median=float(median.mean()),
        high=float(high.mean()),
        worst_median=float(median.max()),
        worst_high=float(high.max()),
        top_saturation=float(np.sqrt(top.mean())),
        storage=float(storage.mean()),
        mass=float(residual.sum() / turnover.sum()) if balances else None,
    )


def row(
    judge: Judge, name: str, emulator: Emulator | None, parameters: int | None, minutes: float | None, hours: int
) -> Row:
    continuous, seconds = judge.judge(emulator, 0, hours)
    segments: list[tuple[float, ...]] = []
    for first in range(0, hours - SEGMENT + 1, SEGMENT_EVERY):
        segments += judge.judge(emulator, first, SEGMENT)[0]
    return Row(
        name,
        parameters,
        minutes,
        None if emulator is None else 1e3 * seconds / hours,
        summarised(segments or continuous, emulator is not None),
        summarised(continuous, emulator is not None),
    )


def emulator_of(path: Path, domain: Domain, threads: int) -> tuple[Emulator, int]:
    trained = load(path)
    if isinstance(trained, PredRNNCheckpoint):
        options = PredRNNOptions(threads=threads)
        network = PredRNNEmulator(trained, static_channels.from_domain(domain), domain.mask, options)
        closed = trained.network.architecture.balance == "closed"
        emulator: Emulator = ClosedEmulator(network, domain) if closed else network
        module: torch.nn.Module = trained.network
    else:
        emulator, module = StructuredEmulator(trained.model, domain, StructuredOptions(threads=threads)), trained.model
    return emulator, sum(p.numel() for p in module.parameters())


def minutes_of_training(path: Path) -> float | None:
    """Longest of the seeds' times."""
    seconds = []
    for log in path.parent.glob("seed_*/log.csv"):
        with log.open(newline="", encoding="utf-8") as file:
            seconds += [float(r["seconds"]) for r in csv.DictReader(file)]
    return max(seconds) / 60.0 if seconds else None


def untrained(domain: Domain, refinements: int, threads: int) -> tuple[Emulator, int]:
    model = StructuredModel(StructuredArchitecture(domain.nz, (), refinements)).eval()
    return StructuredEmulator(model, domain, StructuredOptions(threads=threads)), 0


def show(rows: list[Row]) -> Table:
    table = Table(title="water table: median / 90 % / worst hour's median error [m]; S: top saturation; column storage")
    headings = ("surrogate", "parameters", "training [min]", "step [ms]", "720 h", "S", "mm", "continuous", "S", "mm")
    for heading in (*headings, "mass"):
        table.add_column(heading, justify="left" if heading == "surrogate" else "right")
    for r in rows:
        s, c = r.segments, r.continuous
        table.add_row(
            r.name,
            "" if r.parameters is None else str(r.parameters),
            "" if r.training_minutes is None else f"{r.training_minutes:.1f}",
            "" if r.milliseconds is None else f"{r.milliseconds:.1f}",
            f"{s.median:.2g} / {s.high:.2g} / {s.worst_median:.2g}",
            f"{s.top_saturation:.2g}",
            f"{s.storage:.2g}",
            f"{c.median:.2g} / {c.high:.2g} / {c.worst_median:.2g}",
            f"{c.top_saturation:.2g}",
            f"{c.storage:.2g}",
            "" if c.mass is None else f"{c.mass:.1e}",
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", type=Path, nargs="*", help="trained surrogates (.yaml)")
    parser.add_argument("--domain", type=Path, required=True, help="domain of the run (.yaml)")
    parser.add_argument("--run", type=Path, required=True, help="run of physics: hourly heads and sources")
    parser.add_argument("--store", type=Path, required=True, help="folder to prepare the run in")
    parser.add_argument("--no-untrained", dest="untrained", action="store_false", help="leave the untrained ones out")
    parser.add_argument("--hours", type=int, help="hours from the start (all)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the rows here too")
    arguments = parser.parse_args()

    domain = Domain.load(load_config(arguments.domain, DomainConfig))
    store = prepare(DataConfig(store=arguments.store, runs=[arguments.run], validation_hours=0), domain)
    hours = arguments.hours or store.hours
    judge, console = Judge(domain, store), Console(width=180)
    emulators: list[tuple[str, Callable[[], tuple[Emulator | None, int | None]], float | None]] = []
    for path in arguments.checkpoints:
        load_it = functools.partial(emulator_of, path, domain, arguments.threads)
        emulators.append((path.parent.name, load_it, minutes_of_training(path)))
    if arguments.untrained:
        for refinements, solves in ((0, "one solve"), (1, "two solves"), (2, "three solves")):
            make = functools.partial(untrained, domain, refinements, arguments.threads)
            emulators.append((f"structured, untrained, {solves}", make, None))
        emulators.append(("persistence", lambda: (None, None), None))
    rows = []
    for name, make_emulator, minutes in emulators:
        emulator, parameters = make_emulator()
        rows.append(row(judge, name, emulator, parameters, minutes, hours))
        console.print(f"{name}: done", style="dim")
        if arguments.json:
            arguments.json.write_text(json.dumps([asdict(r) for r in rows], indent=1), encoding="utf-8")
    console.print(show(rows))


if __name__ == "__main__":
    main()
