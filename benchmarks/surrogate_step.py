"""Time of an hourly step of the surrogates: eager and compiled, by threads; PredRNN tiled and whole, by memory format.

The domain of PredRNN is synthetic, of the paper's size by default; its weights are random, which makes no difference to
the time a step takes. The first table is of the whole step of the domain: normalisation, tiles, network and reassembly.
The second one is of the network alone, with its maps in memory channels last, as the surrogate keeps them, and channels
first. The third one is of the structured surrogate in dry and in stormy hours, on the demo basin beside itself as often
as makes so many columns; "compiled" is the Fortran kernel there, "eager" PyTorch. All cases take turns, a few steps
each, so that what else the machine does falls on all of them alike; ratios between the rows of a table are to be
trusted, times only on an idle machine.

Columns: median and fastest step; the median beside that of the first row with as many threads; processor time of all
threads (waiting ones count on a busy machine); time until the first step is done, compilation included, but for what
PyTorch has kept of earlier compilations; largest difference of normalised pressure, or of head [m], from the eager one
after that step.

    python benchmarks/surrogate_step.py --compile --json surrogate.json
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bmi_surrogate import (
    Architecture,
    PredRNN,
    PredRNNCheckpoint,
    PredRNNEmulator,
    PredRNNOptions,
    StructuredCheckpoint,
    load,
)
from bmi_surrogate.compute import find_device, using_threads
from bmi_surrogate.config import prepare
from bmi_surrogate.predrnn.network import Memory
from bmi_surrogate.predrnn.normalisation import Moments, Statistics
from bmi_surrogate.structured.columns import FIELDS, ColumnProperties
from bmi_surrogate.structured.compiled import CompiledEngine
from bmi_surrogate.structured.emulator import Engine, TorchEngine

TILE = 16
BLOCK = 32
STEPS_IN_A_ROW = 3
DEMO = Path(__file__).parents[1] / "cfg" / "demo"
COLUMNS_OF_DEMO = 2501
RAIN = {"dry": 0.0, "storm": 0.015}
"""Water that falls in an hour [m]."""
FORMATS = {"channels last": torch.channels_last, "channels first": torch.contiguous_format}


@dataclass
class Case:
    """Something to time: what it is, its step, normalised pressure after the first one, and what was found."""

    name: str
    compiled: bool
    threads: int
    step: Callable[[], object]
    pressure: Tensor
    warm_up_s: float
    wall_ms: list[float] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)

    def run(self, steps: int) -> None:
        """Time so many steps."""
        for _ in range(steps):
            wall, processor = time.perf_counter(), time.process_time()
            self.step()
            self.wall_ms.append(1e3 * (time.perf_counter() - wall))
            self.processor_ms.append(1e3 * (time.process_time() - processor))


def untrained() -> PredRNNCheckpoint:
    torch.manual_seed(0)

    def unit(channels: int) -> Moments:
        return Moments.of(np.zeros(channels), np.ones(channels))

    return PredRNNCheckpoint(PredRNN(Architecture()).eval(), Statistics(unit(11), unit(10), unit(46)))


def whole_step(shape: tuple[int, int], options: PredRNNOptions) -> Case:
    random = np.random.default_rng(0)
    statics, head, source = (random.normal(size=(channels, *shape)) for channels in (46, 11, 10))
    started = time.perf_counter()
    emulator = PredRNNEmulator(untrained(), statics, None, options)
    emulator.start(head)
    emulator.step(source)
    ready = time.perf_counter() - started
    name = "whole domain" if options.tile == "whole" else f"tiles of {options.tile}"
    assert options.threads is not None
    return Case(name, options.compile, options.threads, lambda: emulator.step(source), emulator.tile_pressure(), ready)


class Alone:
    """The network without its surroundings, on one block of tiles."""

    def __init__(self, layout: torch.memory_format, device: torch.device, compiled: bool, threads: int) -> None:
        network = untrained().network.to(device).to(memory_format=layout)
        random = torch.Generator().manual_seed(0)
        self.pressure, self.source, statics = (
            torch.randn((BLOCK, channels, TILE, TILE), generator=random).to(device).contiguous(memory_format=layout)
            for channels in (11, 10, 46)
        )
        self._threads, self._device = threads, device
        with torch.inference_mode():
            h, c, m, history, seen = network.start(self.pressure, statics)
        own = [tuple(t.contiguous(memory_format=layout) for t in maps) for maps in (h, c, (m,))]
        self.memory = Memory(own[0], own[1], own[2][0], history, seen)
        self._step = torch.compile(network.step, dynamic=False, fullgraph=True) if compiled else network.step

    @torch.inference_mode()
    def step(self) -> None:
        """Advance an hour."""
        with using_threads(self._threads):
            self.pressure, self.memory, _ = self._step(self.pressure, self.source, self.memory)
            if self._device.type == "cuda":
                torch.cuda.synchronize(self._device)


def network_alone(name: str, device: torch.device, compiled: bool, threads: int) -> Case:
    started = time.perf_counter()
    alone = Alone(FORMATS[name], device, compiled, threads)
    alone.step()
    return Case(name, compiled, threads, alone.step, alone.pressure, time.perf_counter() - started)


def row_of_basins(count: int) -> tuple[ColumnProperties, Any]:
    """Columns of the demo basin beside itself so often, and their initial head (layers, columns)."""
    prepared = prepare(DEMO / "groundwater.yaml")
    domain = prepared.domain

    def row(field: Any) -> Tensor:
        values = np.where(domain.mask, field, 1.0)
        return torch.from_numpy(np.concatenate([values] * count, axis=-1)).reshape(1, -1, domain.ny, count * domain.nx)

    fields = {name: row(domain.require(name, "the structured surrogate")) for name in FIELDS}
    active = torch.from_numpy(np.concatenate([domain.mask] * count, axis=-1))[None]
    spacing = (domain.dx, domain.dy)
    columns = ColumnProperties.of_maps(active, fields, domain.dz.tolist(), spacing, domain.slope_formulation)
    return columns, columns.pack(row(prepared.head)).numpy()


def hourly_source(weather: str, columns: ColumnProperties) -> Any:
    """Net source [h-1] of all layers but the lowest (layers, ny, nx): a little uptake, and rain on the uppermost."""
    source = np.zeros((len(columns.dz) - 1, *columns.shape[1:]))
    source[:-1] = -1.0e-6
    source[-1] = RAIN[weather] / float(columns.dz[-1])
    return source


def structured_step(weather: str, columns: ColumnProperties, head: Any, compiled: bool, threads: int) -> Case:
    checkpoint = load(DEMO / "surrogate.yaml")
    assert isinstance(checkpoint, StructuredCheckpoint)
    source = hourly_source(weather, columns)
    started = time.perf_counter()
    engine: Engine
    if compiled:
        engine = CompiledEngine(checkpoint.model, columns, threads)
    else:
        engine = TorchEngine(checkpoint.model, columns, torch.device("cpu"), threads)
    done = 0

    def step() -> None:
        nonlocal done
        if done % (STEPS_IN_A_ROW + 1) == 0:  # not among those that are timed; the storm does not become a flood
            engine.head = head
        done += 1
        engine.step(source)

    step()
    found = torch.from_numpy(engine.head)
    done = 0
    return Case(weather, compiled, threads, step, found, time.perf_counter() - started)


def measure(cases: list[Case], steps: int) -> list[dict[str, Any]]:
    """Time the cases in turns; compare each with the eager one of its name and threads."""
    left = steps
    while left > 0:
        for case in cases:
            case.step()  # brings its data back into the caches
            case.run(min(left, STEPS_IN_A_ROW))
        left -= STEPS_IN_A_ROW
    rows = []
    for case in cases:
        first = next(c for c in cases if c.threads == case.threads)
        eager = next((c for c in cases if (c.name, c.threads, c.compiled) == (case.name, case.threads, False)), case)
        apart = (case.pressure - eager.pressure).abs().max().item()
        rows.append(
            {
                "case": case.name,
                "compiled": case.compiled,
                "threads": case.threads,
                "median_ms": float(np.median(case.wall_ms)),
                "fastest_ms": min(case.wall_ms),
                "relative": float(np.median(case.wall_ms) / np.median(first.wall_ms)),
                "processor_ms": float(np.median(case.processor_ms)),
                "warm_up_s": case.warm_up_s,
                "difference": apart,
            }
        )
    return rows


def show(title: str, rows: list[dict[str, Any]]) -> None:
    print(f"\n{title}")
    print(
        f"{'case':<16}{'mode':<10}{'threads':>8}{'median ms':>11}{'fastest ms':>12}{'relative':>10}"
        f"{'processor ms':>14}{'warm-up s':>11}{'difference':>12}"
    )
    for r in rows:
        print(
            f"{r['case']:<16}{'compiled' if r['compiled'] else 'eager':<10}{r['threads']:>8}{r['median_ms']:>11.1f}"
            f"{r['fastest_ms']:>12.1f}{r['relative']:>10.2f}{r['processor_ms']:>14.1f}{r['warm_up_s']:>11.1f}"
            f"{r['difference']:>12.1e}",
            flush=True,
        )


def predrnn_tables(a: argparse.Namespace, device: torch.device) -> dict[str, list[dict[str, Any]]]:
    torch._dynamo.config.recompile_limit = 64  # one graph for every row
    modes = [(compiled, threads) for compiled in ((False, True) if a.compile else (False,)) for threads in a.threads]
    tiles: tuple[Any, ...] = (TILE, "whole")
    step = measure(
        [
            whole_step((a.ny, a.nx), PredRNNOptions(tile, device=a.device, threads=threads, compile=compiled))
            for tile in tiles
            for compiled, threads in modes
        ],
        a.steps,
    )
    show(f"step of the domain, {a.nx} x {a.ny} x 11 cells, float32, {a.device}", step)
    layouts = measure([network_alone(name, device, *mode) for name in FORMATS for mode in modes], a.steps)
    show(f"network alone, {BLOCK} tiles of {TILE} x {TILE}", layouts)
    return {"step": step, "memory_format": layouts}


def structured_table(a: argparse.Namespace) -> list[dict[str, Any]]:
    columns, head = row_of_basins(max(1, round(a.nx * a.ny / COLUMNS_OF_DEMO)))
    modes = [(compiled, threads) for threads in a.threads for compiled in (False, True)]
    rows = []
    for weather in RAIN:
        rows += measure([structured_step(weather, columns, head, *mode) for mode in modes], a.steps)
    show(f"step of the structured surrogate, {columns.count} columns, cpu", rows)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nx", type=int, default=252, help="cells west to east (252)")
    parser.add_argument("--ny", type=int, default=146, help="cells south to north (146)")
    parser.add_argument("--steps", type=int, default=24, help="steps timed in each case (24)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads (1 2)")
    parser.add_argument("--only", choices=["predrnn", "structured"], help="one of the surrogates (both)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (cpu)")
    parser.add_argument("--compile", action="store_true", help="time compiled steps too")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    a = parser.parse_args()

    device = find_device(a.device)
    tables: dict[str, list[dict[str, Any]]] = {}
    if a.only != "structured":
        tables |= predrnn_tables(a, device)
    if a.only != "predrnn":
        tables["structured"] = structured_table(a)
    if a.json is not None:
        machine = {"processor": platform.processor() or platform.machine(), "torch": torch.__version__}
        if device.type == "cuda":
            machine["device"] = torch.cuda.get_device_name(device)
        domain = {"nx": a.nx, "ny": a.ny, "device": a.device, "steps": a.steps}
        content = {"machine": machine, "domain": domain, **tables}
        a.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
