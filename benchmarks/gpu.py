"""Both surrogates on a GPU in ten minutes: an hour, ensembles, training, mixed precision, and whether it is the CPU's.

    python benchmarks/gpu.py --json gpu.json [--data FOLDER] [--minutes 10] [--device cpu] [--quick]

Four parts share the time: equality with the CPU and of precisions, after 24 hours of the same weather or as many as
there is time for; an hour of PredRNN and of the structured surrogate in dry weather and in a storm, for ensembles;
training. What there is no time or memory for, or what a device cannot do, is listed at the end as not measured. Each
time stands for the median of as many repetitions as there is time for, after two that are not counted; the device is
waited for.

PredRNN has the published shape (85 216 parameters) and, with ``--data``, the published weights, domain and start;
otherwise weights and fields are random on as many cells, which makes no difference to the time. The structured
surrogate is the shipped one, on the demo basin and on copies of it side by side, which are the members of an ensemble,
too. An hour of an ensemble is computed on the device alone; "component" is what a coupled run waits for, copies to and
from the host included.

Precisions: float32, in which no factor is rounded further; tf32, whose factors have ten bits; bf16 and fp16 by
autocast. The structured surrogate has heads and balances in float64 always; what changes is its network.

Training: PredRNN by the published recipe (tiles of 16, squared error of pressure and its differences), the structured
surrogate by that of `cfg/demo_training/train.yaml` (whole basin, one hour), both on made-up targets: a sample is a
window of so many hours.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from surrogate_step import DEMO, RAIN, row_of_basins, untrained
from torch import Tensor, nn

from bmi_surrogate import (
    PredRNNCheckpoint,
    PredRNNEmulator,
    PredRNNOptions,
    StructuredCheckpoint,
    StructuredEmulator,
    StructuredModel,
    StructuredOptions,
    load,
)
from bmi_surrogate.compute import find_device
from bmi_surrogate.config import prepare
from bmi_surrogate.predrnn import statics as static_channels
from bmi_surrogate.predrnn.normalisation import Moments, Normaliser, moments_of_statics, standardise_statics
from bmi_surrogate.predrnn.tiling import Tiling
from bmi_surrogate.training.predrnn_task import PredRNNConfig, PredRNNTask
from bmi_surrogate.training.structured_task import StructuredConfig, StructuredTask
from bmi_surrogate.training.task import Basin, Batch, DataStatistics, Origin, Rollout, Task
from bmi_surrogate.training.tiles import Ground, Place

TILE = 16
WARM_UP = 2
MOST = 200
"""Repetitions of a case."""
RESTART = 4
"""Hours after which a storm begins again with the same ground: it does not become a flood."""
PRECISIONS = ("float32", "tf32", "bf16", "fp16")
SHARES = {"equality": 2.0, "hour of PredRNN": 1.0, "hour of the structured surrogate": 1.0, "training": 1.0}
"""Of the time; the CPU, which is compared with, needs the most."""
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Lengths(NamedTuple):
    """How large things are: cells of PredRNN's domain, demo basins beside each other, members, hours, samples."""

    shape: tuple[int, int]
    basins: int
    members: tuple[int, ...]
    hours: int
    window: int
    batches: tuple[int, ...]


FULL = Lengths((146, 252), 15, (1, 16, 64), 24, 24, (16, 64, 256))
QUICK = Lengths((32, 48), 1, (1, 2), 4, 2, (2,))


Case = Callable[[float], dict[str, Any]]
"""Measures in so many seconds; returns a row."""


class NotMeasuredError(Exception):
    """A case cannot be measured; says why."""


@dataclass
class Budget:
    """Seconds that are left, dealt out to parts and, in these, to cases."""

    ends: float
    share: float = 0.0

    def begin(self, part: float) -> None:
        """Begin a part, which may take so much of what is left."""
        self.share = time.perf_counter() + max(0.0, self.ends - time.perf_counter()) * part

    def of_case(self, cases_left: int) -> float:
        """Seconds of the next case of the part."""
        return max(0.0, self.share - time.perf_counter()) / cases_left


@dataclass
class Report:
    """Rows by part, and what was not measured, by part and reason."""

    device: torch.device
    budget: Budget
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    missing: dict[str, list[str]] = field(default_factory=dict)

    def measure(self, part: str, cases: dict[str, Case]) -> None:
        """Measure the cases of a part, which are given the seconds that they may take; keep what stands against one."""
        self.rows[part] = []
        for number, (name, case) in enumerate(cases.items()):
            seconds = self.budget.of_case(len(cases) - number)
            try:
                if seconds <= 0.0:
                    raise NotMeasuredError("out of time")
                self.rows[part].append({"case": name, **case(seconds)})
            except NotMeasuredError as error:
                self.missing.setdefault(f"{part}, {error}", []).append(name)
            except (torch.OutOfMemoryError, MemoryError):
                self.missing.setdefault(f"{part}, out of memory", []).append(name)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()


# ---------------------------------------------------------------------- precision and time


@contextmanager
def computing(precision: str, device: torch.device) -> Iterator[None]:
    """Compute in a precision; refuse, with `NotMeasuredError`, what the device does not have."""
    if precision == "tf32" and (device.type != "cuda" or torch.cuda.get_device_capability(device)[0] < 8):
        raise NotMeasuredError(f"{device} has no tf32")
    if precision == "fp16" and device.type == "cpu":
        raise NotMeasuredError("fp16 is for GPUs")
    with ExitStack() as stack:
        if device.type == "cuda":
            rounded = precision == "tf32"
            stack.enter_context(torch.backends.cudnn.flags(enabled=True, allow_tf32=rounded))
            before = torch.backends.cuda.matmul.allow_tf32
            torch.backends.cuda.matmul.allow_tf32 = rounded
            stack.callback(setattr, torch.backends.cuda.matmul, "allow_tf32", before)
        if precision in AUTOCAST:
            stack.enter_context(torch.autocast(device.type, AUTOCAST[precision]))
        yield


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def time_of(step: Callable[[], object], device: torch.device, seconds: float) -> dict[str, float]:
    """Median time [ms] of a step, and the memory [MiB] that it takes at most, where the device tells."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    begin = time.perf_counter()
    for _ in range(WARM_UP):
        step()
    wait(device)
    if time.perf_counter() - begin > 2.0 * seconds:
        raise NotMeasuredError(f"{WARM_UP} repetitions took {time.perf_counter() - begin:.0f} s")
    taken: list[float] = []
    while len(taken) < 3 or (time.perf_counter() - begin < seconds and len(taken) < MOST):
        before = time.perf_counter()
        step()
        wait(device)
        taken.append(1e3 * (time.perf_counter() - before))
    found = {"ms": float(np.median(taken)), "repetitions": float(len(taken))}
    if device.type == "cuda":
        found["memory_MiB"] = torch.cuda.max_memory_allocated(device) / 2**20
    return found


def apart(found: Any, reference: Any) -> dict[str, float]:
    """Differences of two results, infinite where one is not finite."""
    difference = np.abs(np.asarray(found, dtype=np.float64) - np.asarray(reference, dtype=np.float64))
    difference = np.where(np.isfinite(difference), difference, np.inf)
    return {"largest": float(difference.max()), "rms": float(np.sqrt(np.mean(difference**2)))}


# ---------------------------------------------------------------------- PredRNN


@dataclass(frozen=True)
class Paper:
    """PredRNN and what it runs on; head [m] or, of random weights, in units of its spread."""

    checkpoint: PredRNNCheckpoint
    statics: Any
    head: Any
    sources: dict[str, Any]
    units: str

    @classmethod
    def made_up(cls, shape: tuple[int, int]) -> Paper:
        """Make random weights and fields."""
        random = np.random.default_rng(0)
        statics, head, source = (random.normal(size=(channels, *shape)) for channels in (46, 11, 10))
        storm = source.copy()
        storm[-1] += 3.0
        return cls(untrained(), statics, head, {"dry": source, "storm": storm}, "spreads")

    @classmethod
    def published(cls, folder: Path) -> Paper:
        """Read the published weights and start, and their documented source."""
        from parflow.tools.io import read_pfb  # imports slowly

        found = load(folder / "pearl_river" / "model.ckpt-80000")
        assert isinstance(found, PredRNNCheckpoint)
        inputs = dict(np.load(folder / "surrogate" / "inputs.npz"))
        statics = inputs["statics"].astype(np.float64)
        statistics = dataclasses.replace(found.statistics, statics=moments_of_statics(statics))
        dry = (inputs["flux_profile"][0][:, None, None] * inputs["flux_pattern"])[1:]
        storm = dry.copy()
        storm[-1] += inputs["rain_rate"].max() * inputs["rain_pattern"]
        head = read_pfb(str(folder / "pearl_river" / "unname_test.out.press.00000.pfb"))
        return cls(dataclasses.replace(found, statistics=statistics), statics, head, {"dry": dry, "storm": storm}, "m")

    def emulator(self, device: str, precision: Any = "float32") -> PredRNNEmulator:
        """Start the component's emulator."""
        emulator = PredRNNEmulator(
            self.checkpoint, self.statics, None, PredRNNOptions(TILE, device=device, precision=precision)
        )
        emulator.start(self.head)
        return emulator

    def hours(self, device: str, precision: Any, hours: int) -> Iterator[Any]:
        """Heads of the hours of the component's emulator."""
        emulator = self.emulator(device, precision)
        for weather in weathers(hours):
            yield emulator.step(self.sources[weather])


class Members:
    """An ensemble of PredRNNs on one device: tiles of all members, which start a little apart, in one batch."""

    @torch.inference_mode()
    def __init__(self, paper: Paper, members: int, device: torch.device) -> None:
        statistics = paper.checkpoint.statistics
        assert statistics.statics is not None
        self._tiling = Tiling(paper.head.shape[1:], (TILE, TILE), None, device)
        self._network = copy.deepcopy(paper.checkpoint.network).to(device, torch.float32).eval()
        self._pressure = Normaliser(statistics.pressure, device, torch.float32)
        of_source = Normaliser(statistics.source, device, torch.float32)

        def tiles(array: Any) -> Tensor:
            return self._tiling.split(torch.from_numpy(np.ascontiguousarray(array)).to(device, torch.float32))

        def repeated(one: Tensor) -> Tensor:
            return one.repeat(members, 1, 1, 1).contiguous(memory_format=torch.channels_last)

        x = repeated(self._pressure.normalise(tiles(paper.head)))
        x += 0.01 * torch.randn(members, generator=torch.Generator().manual_seed(1)).to(device).repeat_interleave(
            self._tiling.count
        ).view(-1, 1, 1, 1)
        self._statics = repeated(tiles(standardise_statics(paper.statics, statistics.statics)))
        self._sources = {name: repeated(of_source.normalise(tiles(s))) for name, s in paper.sources.items()}
        self._first = x
        self.start()

    @torch.inference_mode()
    def start(self) -> None:
        """Begin anew."""
        self._x = self._first
        self._memory = self._network.start(self._x, self._statics)

    @torch.inference_mode()
    def step(self, weather: str) -> None:
        """Advance an hour."""
        self._x, self._memory, _ = self._network.step(self._x, self._sources[weather], self._memory)

    @torch.inference_mode()
    def head(self) -> Any:
        """Head of the first member."""
        one = self._tiling.assemble(self._x[: self._tiling.count].float())
        return self._pressure.restore(one[None])[0].cpu().numpy()

    def hours(self, hours: int) -> Iterator[Any]:
        """Heads of the first member, hour by hour."""
        for weather in weathers(hours):
            self.step(weather)
            yield self.head()


def predrnn_cases(paper: Paper, lengths: Lengths, device: torch.device) -> dict[str, Case]:
    cells = paper.head.shape[1] * paper.head.shape[2]

    def component(weather: str) -> Case:
        def case(seconds: float) -> dict[str, Any]:
            emulator = paper.emulator(str(device))
            return {"cells": cells, **time_of(lambda: emulator.step(paper.sources[weather]), device, seconds)}

        return case

    def ensemble(count: int, weather: str, precision: str) -> Case:
        def case(seconds: float) -> dict[str, Any]:
            with computing(precision, device):
                members = Members(paper, count, device)
                found = time_of(lambda: members.step(weather), device, seconds)
            return {"cells": count * cells, **found, "ms_a_member": found["ms"] / count}

        return case

    cases = {f"component, {weather}": component(weather) for weather in RAIN}
    for precision in PRECISIONS:  # what is most wanted comes first
        for count in lengths.members:
            for weather in RAIN if precision == "float32" else ("dry",):
                cases[f"{precision}, ensemble of {count}, {weather}"] = ensemble(count, weather, precision)
    return cases


# ---------------------------------------------------------------------- structured


def shipped() -> StructuredModel:
    checkpoint = load(DEMO / "surrogate.yaml")
    assert isinstance(checkpoint, StructuredCheckpoint)
    return checkpoint.model


def network_in(precision: str) -> StructuredModel:
    """Copy the shipped surrogate, its network in float64 or, as in training, in float32."""
    model = StructuredModel(shipped().architecture).eval()
    model.load_state_dict(shipped().state_dict())
    return model.double() if precision == "float64" else model


basins_in_a_row = functools.lru_cache(maxsize=4)(row_of_basins)
"""Remembered, because the flow order of millions of columns takes longer than what is to be timed."""


class Basins:
    """Demo basins on one device, the shipped surrogate in a precision of its network."""

    def __init__(self, count: int, precision: str, device: torch.device) -> None:
        columns, head = basins_in_a_row(count)
        self._columns, self._active_set = columns.to(device), device.type == "cpu"
        self._first = self._head = torch.from_numpy(head).to(device)
        self._model = network_in(precision).to(device)
        self._sources = {}
        for weather, rain in RAIN.items():
            source = torch.full((len(head) - 1, head.shape[1]), -1.0e-6, dtype=torch.float64, device=device)
            source[-1] = rain / float(columns.dz[-1])
            self._sources[weather] = source
        self._done = 0

    @property
    def cells(self) -> int:
        """Number of columns."""
        return self._columns.count

    @torch.inference_mode()
    def step(self, weather: str) -> None:
        """Advance an hour; every few hours from the start again."""
        if self._done % RESTART == 0:
            self._head = self._first
        self._done += 1
        self._head = self._model(self._columns, self._head, self._sources[weather], self._active_set).head

    def hours(self, hours: int) -> Iterator[Any]:
        """Heads, hour by hour, without beginning again."""
        head = self._first
        for weather in weathers(hours):
            with torch.inference_mode():
                head = self._model(self._columns, head, self._sources[weather], self._active_set).head
            yield head.cpu().numpy()


def weathers(hours: int) -> list[str]:
    """Return the weather of some hours, the storm in the second quarter of them."""
    return ["storm" if hours // 4 <= hour < hours // 2 else "dry" for hour in range(hours)]


def hours_of_demo(device: str, engine: Any, hours: int) -> Iterator[Any]:
    """Heads [m] of the active cells of the demo basin, hour by hour of the component's emulator."""
    prepared = prepare(DEMO / "groundwater.yaml")
    emulator = StructuredEmulator(shipped(), prepared.domain, StructuredOptions(device, engine=engine))
    emulator.start(prepared.head)
    for weather in weathers(hours):
        yield emulator.step(demo_source(weather, prepared.domain))[:, prepared.domain.mask]


def demo_source(weather: str, domain: Any) -> Any:
    source = np.full((domain.root_zone_layers, domain.ny, domain.nx), -1.0e-6)
    source[-1] = RAIN[weather] / domain.dz[-1]
    return source


def structured_cases(lengths: Lengths, device: torch.device) -> dict[str, Case]:
    def component(weather: str) -> Case:
        def case(seconds: float) -> dict[str, Any]:
            prepared = prepare(DEMO / "groundwater.yaml")
            emulator = StructuredEmulator(shipped(), prepared.domain, StructuredOptions(str(device), engine="torch"))
            source, done = demo_source(weather, prepared.domain), 0

            def step() -> None:
                nonlocal done
                if done % RESTART == 0:
                    emulator.start(prepared.head)
                done += 1
                emulator.step(source)

            return {"cells": int(prepared.domain.mask.sum()), **time_of(step, device, seconds)}

        return case

    def ensemble(count: int, weather: str, precision: str) -> Case:
        def case(seconds: float) -> dict[str, Any]:
            with computing(precision, device):
                basins = Basins(count * lengths.basins, precision, device)
                found = time_of(lambda: basins.step(weather), device, seconds)
            return {"cells": basins.cells, **found, "ms_a_member": found["ms"] / count}

        return case

    cases = {f"component, demo basin, {weather}": component(weather) for weather in RAIN}
    for precision in ("float64", *PRECISIONS):
        for count in lengths.members:
            for weather in RAIN if precision == "float64" else ("storm",):
                cases[f"network in {precision}, ensemble of {count}, {weather}"] = ensemble(count, weather, precision)
    return cases


# ---------------------------------------------------------------------- equality


class Heads:
    """Heads of consecutive hours, computed when they are wanted and remembered."""

    def __init__(self, hours: Iterator[Any], context: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        self._coming, self._context = hours, context
        self.known: list[Any] = []

    def reach(self, hours: int, until: float) -> None:
        """Compute as many hours as there is time for, and one at least."""
        while len(self.known) < hours and (not self.known or time.perf_counter() < until):
            with self._context():
                self.known.append(next(self._coming))


def equality_cases(paper: Paper, lengths: Lengths, device: torch.device) -> dict[str, Case]:
    """Differences after as many hours as there is time for; what several cases need is computed once."""
    here, hours = str(device), lengths.hours

    def predrnn(where: str, precision: str) -> Heads:
        return Heads(paper.hours(where, precision, hours))

    def structured(where: str, engine: str) -> Heads:
        return Heads(hours_of_demo(where, engine, hours))

    def predrnn_in(precision: str) -> Heads:
        return Heads(Members(paper, 1, device).hours(hours), lambda: computing(precision, device))

    def structured_in(precision: str) -> Heads:
        return Heads(Basins(1, precision, device).hours(hours), lambda: computing(precision, device))

    remembered = functools.cache(lambda make, *key: make(*key))

    def between(units: str, found: tuple[Any, ...], reference: tuple[Any, ...]) -> Case:
        def case(seconds: float) -> dict[str, Any]:
            if found == reference:
                raise NotMeasuredError("the device is the CPU")
            begin, here_and_there = time.perf_counter(), (remembered(*found), remembered(*reference))
            for half, heads in enumerate(here_and_there, start=1):  # what the faster one leaves goes to the other
                heads.reach(hours, begin + 0.5 * half * seconds)
            reached = min(len(heads.known) for heads in here_and_there)
            pair = (heads.known[reached - 1] for heads in here_and_there)
            return {"hours": reached, "units": units, **apart(*pair)}

        return case

    network, basin = (functools.partial(between, units) for units in (paper.units, "m"))
    cases = {
        f"PredRNN: {here} in float32, CPU in float32": network((predrnn, here, "float32"), (predrnn, "cpu", "float32")),
        f"PredRNN: {here} in float32, CPU in float64": network((predrnn, here, "float32"), (predrnn, "cpu", "float64")),
        f"structured: PyTorch on {here}, kernel on the CPU": basin(
            (structured, here, "torch"), (structured, "cpu", "compiled")
        ),
        f"structured: PyTorch on {here}, PyTorch on the CPU": basin(
            (structured, here, "torch"), (structured, "cpu", "torch")
        ),
    }
    cases |= {f"PredRNN: {p}, float32": network((predrnn_in, p), (predrnn_in, "float32")) for p in PRECISIONS[1:]}
    cases |= {
        f"structured: network in {p}, float64": basin((structured_in, p), (structured_in, "float64"))
        for p in PRECISIONS
    }
    return cases


# ---------------------------------------------------------------------- training


def training_basin() -> tuple[Basin, Any]:
    """Return the demo basin with statistics of its start, and the start (layers, ny, nx)."""
    prepared = prepare(DEMO / "groundwater.yaml")
    domain, head = prepared.domain, prepared.head
    statics = static_channels.from_domain(domain)
    pressure = moments_of_statics(head, domain.mask)
    layers, sources = len(head), domain.root_zone_layers
    statistics = DataStatistics(
        pressure=Moments.of(pressure.mean, np.maximum(pressure.std, 0.1)),
        increments=Moments.of(np.zeros(layers), np.geomspace(1e-4, 5e-2, layers)),
        source=Moments.of(np.full(sources, 1e-4), np.full(sources, 1e-2)),
        statics=moments_of_statics(statics, domain.mask),
    )
    return Basin(domain, statics, statistics), head


def batch_of(basin: Basin, head: Any, places: list[Place], fields: tuple[str, ...], hours: int) -> Batch:
    """Windows at some places: the start, which goes on by noise, under little water."""
    random, ground = np.random.default_rng(0), Ground(basin.domain, basin.statics, fields)
    tiles = [ground.tile(place) for place in places]
    scale, layers = basin.statistics.increments.std[:, None, None], basin.domain.root_zone_layers
    heads, sources = [], []
    for place, tile in zip(places, tiles, strict=True):
        first = place.cut(head)
        steps = random.normal(size=(hours, *first.shape)) * scale
        heads.append(np.where(tile.active, np.concatenate([first[None], first + np.cumsum(steps, axis=0)]), 0.0))
        sources.append(np.where(tile.active, random.normal(1e-4, 1e-3, (hours, layers, *place.shape)), 0.0))

    def stacked(arrays: list[Any]) -> Tensor:
        return torch.from_numpy(np.stack(arrays))

    return Batch(
        head=stacked(heads),
        source=stacked(sources).float(),
        statics=stacked([t.statics for t in tiles]),
        fields={name: stacked([t.fields[name] for t in tiles]) for name in fields},
        active=stacked([t.active for t in tiles]),
        scored=stacked([t.scored for t in tiles]),
        origins=[Origin(0, place.row, place.column) for place in places],
    )


def training_cases(lengths: Lengths, device: torch.device) -> dict[str, Case]:
    def case_of(task: Task, tile: int | None, count: int, hours: int, precision: str) -> Case:
        def case(seconds: float) -> dict[str, Any]:
            basin, head = training_basin()
            ny, nx = basin.domain.ny, basin.domain.nx
            random = np.random.default_rng(1)
            places = [
                Place(0, 0, (ny, nx))
                if tile is None
                else Place(int(random.integers(ny - tile)), int(random.integers(nx - tile)), (tile, tile))
                for _ in range(count)
            ]
            torch.manual_seed(0)
            module = task.build([basin], tile).to(device)
            batch = batch_of(basin, head, places, task.fields, hours).to(device)
            optimiser = torch.optim.Adam(module.parameters(), 1e-4)
            scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

            def step() -> None:
                with computing(precision, device):
                    terms = task.loss(module, batch, Rollout(hours))
                    loss = torch.stack([task.weights[name] * term for name, term in terms.items()]).sum()
                optimiser.zero_grad(set_to_none=True)
                scaler.scale(loss).backward()
                scaler.unscale_(optimiser)
                nn.utils.clip_grad_norm_(module.parameters(), 1.0)
                scaler.step(optimiser)
                scaler.update()

            found = time_of(step, device, seconds)
            return {"hours": hours, **found, "samples_a_second": 1e3 * count / found["ms"]}

        return case

    cases = {}
    for precision in PRECISIONS:
        for count in lengths.batches:
            words = f"{precision}, batch of {count}"
            cases[f"PredRNN, {words} tiles"] = case_of(
                PredRNNTask(PredRNNConfig()), TILE, count, lengths.window, precision
            )
        for count in (2, 16) if len(lengths.batches) > 1 else (1,):
            cases[f"structured, {precision}, batch of {count} basins"] = case_of(
                StructuredTask(StructuredConfig(refinements=2, quiet=0.02)), None, count, 1, precision
            )
    return cases


# ---------------------------------------------------------------------- the whole


def show(console: Console, part: str, rows: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(*(n.replace("_", " ") for n in names), title=part)
    for row in rows:
        values = (row.get(name, "") for name in names)
        table.add_row(*(f"{v:.4g}" if isinstance(v, float) else str(v) for v in values))
    console.print(table)


def machine(device: torch.device) -> dict[str, Any]:
    found: dict[str, Any] = {"device": str(device), "torch": torch.__version__, "cpu": platform.machine()}
    if device.type == "cuda":
        found |= {"name": torch.cuda.get_device_name(device), "cuda": torch.version.cuda}
    else:
        found["threads"] = torch.get_num_threads()
    return found


@click.command()
@click.option("--device", default="cuda", show_default=True, help="cuda, cuda:N or cpu.")
@click.option("--minutes", default=10.0, show_default=True, help="Time for all parts.")
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="Reference data with the published weights.")
@click.option("--quick", is_flag=True, help="Small domains and ensembles, to see that all parts work.")
@click.option("--part", "only", multiple=True, help="This part alone; repeatable.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the figures to this file too.")
def main(device: str, minutes: float, data: Path | None, quick: bool, only: tuple[str, ...], file: Path | None) -> None:
    where, lengths = find_device(device), QUICK if quick else FULL
    paper = Paper.made_up(lengths.shape) if data is None else Paper.published(data)
    report = Report(where, Budget(time.perf_counter() + 60.0 * minutes))
    parts = {
        "equality": lambda: equality_cases(paper, lengths, where),
        "hour of PredRNN": lambda: predrnn_cases(paper, lengths, where),
        "hour of the structured surrogate": lambda: structured_cases(lengths, where),
        "training": lambda: training_cases(lengths, where),
    }
    unknown = [name for name in only if name not in parts]
    if unknown:
        raise click.BadParameter(f"{unknown[0]!r}; there are {', '.join(parts)}", param_hint="--part")
    wanted = {name: part for name, part in parts.items() if name in only or not only}
    console = Console(width=None if sys.stdout.isatty() else 120)
    console.print(", ".join(f"{k} {v}" for k, v in machine(where).items()))
    left = sum(SHARES[name] for name in wanted)
    for name, cases in wanted.items():
        report.budget.begin(SHARES[name] / left)
        left -= SHARES[name]
        report.measure(name, cases())
        show(console, name, report.rows[name])
    console.print("Not measured:" if report.missing else "All was measured.")
    for reason, names in report.missing.items():
        console.print(f"- {reason}: {'; '.join(names)}", soft_wrap=True)
    if file is not None:
        weights = "random" if data is None else "published"
        content = {"machine": machine(where), "predrnn": weights, **lengths._asdict(), "parts": report.rows}
        file.write_text(json.dumps({**content, "not_measured": report.missing}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
