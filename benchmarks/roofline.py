"""Share of the processor's peak that each kernel reaches, and what arithmetic and memory would allow; one thread.

    python benchmarks/roofline.py --data FOLDER [--only "land, dry"] [--rounds 5] [--json FILE]
    python benchmarks/roofline.py --data FOLDER --counts FILE    # operations of an earlier --json FILE

The domain is the paper's, 252 x 146 columns of 11 layers. Measured on this machine: the peak of double and of single
precision (a product of large matrices), of divisions (a quotient in the caches), the bandwidth of the memory
(y = a x + y of arrays far larger than the caches, 24 bytes an element), and the time of each kernel alone. All are
processor times, and of several rounds the least counts, hour by hour, so that they hold on a busy machine, too; what
others do to the caches and to the memory remains in them.

Operations are counted by Valgrind in the same hours of a sixteenth of the domain (`operations.py` says what counts as
one): of the land every sixteenth column from west to east, of the others, whose columns have to do with their
neighbours, a strip from the southern to the northern rim. What whole and part took, such as iterations, is told, so
that one sees whether they are alike. Those of PredRNN are the products and sums of its convolutions, from their sizes.
Bytes are those that cannot be avoided: every array that a kernel has is read once, and written once if it changes; in
each pass, where a kernel makes several. The limit by arithmetic is operations by peak; the one by divisions counts
these alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from operations import Count, NoCountError, count, counted
from rich.console import Console
from rich.table import Table
from richards_step import ALL

KERNELS = (
    "land, dry",
    "land, storm",
    "Richards, dry",
    "Richards, storm",
    "structured, dry",
    "structured, storm",
    "PredRNN",
)
SHAPE = (146, 252)
STRIP, SAMPLE = slice(118, 134), slice(7, None, 16)
HOURS = 2
WARM_UP = 2
LIBRARIES = r"/_kernel_\w+\.[^/]*so$|/libm(vec)?[.-][^/]*$"
"""Whose instructions are counted: those of the kernels, and of the elementary functions of the C library."""
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass
class Kernel:
    """Hours of a kernel that can be repeated.

    Attributes
    ----------
    columns : int
        Of the domain.
    rewind : callable
        Bring back the state at the beginning of the first hour.
    prepare, step : callable
        Make ready for an hour, and advance it; only the second is timed.
    holds : callable
        The arrays that the kernel has.
    passes : int
        How often it goes over them in an hour.
    effort : callable
        What it took, in words.
    """

    columns: int
    rewind: Callable[[], object]
    prepare: Callable[[int], object]
    step: Callable[[int], object]
    holds: Callable[[], Iterable[np.ndarray[Any, Any]]]
    passes: int = 1
    effort: Callable[[], str] = lambda: ""


def land(data: Path, storm: bool, part: slice) -> Kernel:
    from growth import run_hours, start, write_case

    with tempfile.TemporaryDirectory() as folder:
        number = write_case(Path(folder), data, 1, 1, storm=storm, part=part)
        component, groundwater = start(Path(folder))
    run_hours(component, groundwater, number, WARM_UP)
    columns = component.columns
    first = columns.time
    state = {name: entry.values.copy() for name, entry in columns.state_dict().items()}
    weather = []
    for _ in range(HOURS):
        run_hours(component, groundwater, number, 1)
        weather.append({name: array.copy() for name, array in columns.forcing.arrays().items()})

    def prepare(hour: int) -> None:
        for name, array in columns.forcing.arrays().items():
            array[...] = weather[hour][name]

    sets = (columns.forcing, columns.parameters, columns.state, columns.fluxes)
    iterations: list[float] = []

    def step(hour: int) -> None:
        fluxes = columns.advance()
        iterations.append(float(fluxes.leaf_iterations.mean()))

    return Kernel(
        number,
        lambda: columns.load_state_dict(state, first),
        prepare,
        step,
        lambda: (array for arrays in sets for array in arrays.arrays().values()),
        effort=lambda: f"{np.mean(iterations[-HOURS:]):.1f} iterations of the leaves",
    )


def richards(data: Path, storm: bool, part: slice) -> Kernel:
    from column_memory import arrays_of
    from richards_step import pearl_river

    from bmi_richards.options import SolverConfig
    from bmi_richards.solver import HourBalance, RichardsSolver

    case = pearl_river(data, 2 * (WARM_UP + HOURS), part)  # as many dry hours as hours of the storm
    options = SolverConfig(passes=2, threads=1)
    solver = RichardsSolver(case.domain, case.head, options)
    begin = WARM_UP + storm * (WARM_UP + HOURS)
    for source in case.sources[:begin]:
        solver.step(source)
    assert all(wet == storm for wet in case.wet[begin : begin + HOURS])
    state = {name: entry.values.copy() for name, entry in solver.state_dict().items()}
    balances: list[HourBalance] = []

    def effort() -> str:
        hours = balances[-HOURS:]
        each = np.mean([b.newton.mean / b.passes for b in hours])
        return f"{each:.2f} Newton iterations a pass, {np.mean([b.passes for b in hours]):g} passes"

    return Kernel(
        solver.network.cells.size,
        lambda: solver.load_state_dict(state),
        lambda hour: None,
        lambda hour: balances.append(solver.step(case.sources[begin + hour])),
        lambda: (held.array for held in arrays_of(solver=solver)),
        passes=2,
        effort=effort,
    )


def structured(data: Path, storm: bool, part: slice) -> Kernel:
    from column_memory import arrays_of
    from growth import write_case
    from surrogate_step import DEMO, hourly_source

    from bmi_richards.config import prepare as prepare_groundwater
    from bmi_surrogate import StructuredCheckpoint, load
    from bmi_surrogate.structured.columns import ColumnProperties
    from bmi_surrogate.structured.compiled import CompiledEngine

    with tempfile.TemporaryDirectory() as folder:
        write_case(Path(folder), data, 1, 1, part=part)
        prepared = prepare_groundwater(Path(folder) / "groundwater.yaml")
    checkpoint = load(DEMO / "surrogate.yaml")
    assert isinstance(checkpoint, StructuredCheckpoint)
    columns = ColumnProperties.of_domain(prepared.domain)
    engine = CompiledEngine(checkpoint.model, columns, threads=1)
    source = hourly_source("storm" if storm else "dry", columns)
    engine.head = columns.pack_array(prepared.head).numpy()
    for _ in range(WARM_UP):
        engine.step(source)
    head = engine.head
    return Kernel(
        columns.count,
        lambda: setattr(engine, "head", head),
        lambda hour: None,
        lambda hour: engine.step(source),
        lambda: (held.array for held in arrays_of(engine=engine)),
        effort=lambda: f"{1 + checkpoint.model.architecture.refinements} solves",
    )


def predrnn() -> Kernel:
    from surrogate_step import TILE, untrained

    from bmi_surrogate import PredRNNEmulator, PredRNNOptions

    random = np.random.default_rng(0)
    statics, head, source = (random.normal(size=(n, *SHAPE)) for n in (46, 11, 10))
    emulator = PredRNNEmulator(untrained(), statics, None, PredRNNOptions(TILE, device="cpu", threads=1))
    emulator.start(head)
    emulator.step(source)
    return Kernel(
        head[0].size,
        lambda: None,
        lambda hour: None,
        lambda hour: emulator.step(source),
        lambda: (entry.values for entry in emulator.state_dict().values()),
        effort=lambda: f"{emulator.tiling.count} tiles of {TILE} x {TILE} cells",
    )


def convolutions(kernel: Kernel) -> Count:
    """Operations of the convolutions in an hour of a network, from their sizes."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        kernel.step(0)
    return Count(float(counter.get_total_flops()), 0.0, float(counter.get_total_flops()), {})


def find(name: str, data: Path, part: slice = ALL) -> Kernel:
    what, _, weather = name.partition(", ")
    if what == "PredRNN":
        return predrnn()
    return {"land": land, "Richards": richards, "structured": structured}[what](data, weather == "storm", part)


def traffic(kernel: Kernel) -> float:
    """Bytes a column and hour that have to be read and written."""
    kernel.rewind()
    kernel.prepare(0)
    before = [array.tobytes() for array in kernel.holds()]
    kernel.step(0)
    after = [array.tobytes() for array in kernel.holds()]
    both = sum(len(new) * (1 + (new != old)) for old, new in zip(before, after, strict=True))
    return kernel.passes * both / kernel.columns


def measure(name: str, data: Path, rounds: int) -> dict[str, Any]:
    """Time a kernel; µs a column and hour."""
    kernel = find(name, data)
    least = np.full(HOURS, np.inf)
    for _ in range(rounds):
        kernel.rewind()
        for hour in range(HOURS):
            kernel.prepare(hour)
            begin = time.process_time()
            kernel.step(hour)
            least[hour] = min(least[hour], time.process_time() - begin)
    found: dict[str, Any] = {"us": 1e6 * float(least.mean()) / kernel.columns, "effort": kernel.effort()}
    if name == "PredRNN":
        found["operations"] = asdict(convolutions(kernel).per(kernel.columns))
    return found | {"bytes": traffic(kernel)}


def execute(names: Iterable[str], data: Path) -> None:
    """Make the hours of kernels on a part of the domain, counted; print its number of columns and what each took."""
    told = {}
    for name in names:
        kernel = find(name, data, SAMPLE if name.startswith("land") else STRIP)
        kernel.rewind()
        kernel.prepare(0)
        kernel.step(0)  # the first call of all makes what is kept
        kernel.rewind()
        for hour in range(HOURS):
            kernel.prepare(hour)
            with counted():
                kernel.step(hour)
        told[name] = {"columns": kernel.columns, "effort": kernel.effort()}
    print(json.dumps(told))


def fastest(call: Callable[[], object], rounds: int = 7) -> float:
    """Least processor time [s] of a call."""
    seconds = []
    for _ in range(rounds):
        begin = time.process_time()
        call()
        seconds.append(time.process_time() - begin)
    return min(seconds)


def machine() -> dict[str, float]:
    """Peaks of this processor, one thread: GFLOP/s, and GB/s of the memory."""
    from scipy.linalg.blas import daxpy

    n = 1600
    random = np.random.default_rng(0)
    square = random.random((n, n))
    single = square.astype(np.float32)
    peaks = {
        "double": 2.0e-9 * n**3 / fastest(lambda: square @ square),
        "single": 2.0e-9 * n**3 / fastest(lambda: single @ single, 14),
    }
    lengths, repeats = (2048, 8192), 400  # their difference is free of what a call costs
    seconds = []
    for length in lengths:
        a, b, c = random.random(length) + 0.5, random.random(length) + 0.5, np.empty(length)

        def divide(a: Any = a, b: Any = b, c: Any = c) -> None:
            for _ in range(repeats):
                np.divide(a, b, out=c)

        seconds.append(fastest(divide, 15))
    peaks["divisions"] = 1e-9 * repeats * (lengths[1] - lengths[0]) / (seconds[1] - seconds[0])
    x, y = np.ones(40_000_000), np.ones(40_000_000)
    peaks["bandwidth"] = 24.0e-9 * x.size / fastest(lambda: daxpy(x, y, a=1.0e-9), 5)
    return peaks


def processor() -> tuple[str, int, float]:
    """Name of the processor, operations a cycle by its vectors (two units of fused products), nominal clock [GHz]."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    entries = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    known = {key.strip(): value.strip() for key, value in entries.items()}
    flags = known.get("flags", "").split()
    lanes = 8 if "avx512f" in flags else 4 if "avx2" in flags else 2
    return known.get("model name", "?"), 2 * lanes * (2 if "fma" in flags else 1), float(known.get("cpu MHz", 0)) / 1e3


def child(*arguments: str) -> str:
    """Run a part in a process of its own; what it prints last."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | ONE_THREAD)
    return done.stdout.splitlines()[-1]


def counts_of(names: Sequence[str], data: Path, file: Path | None) -> dict[str, dict[str, Any]]:
    """Operations a column and hour of the kernels, from a file or by running them once more."""
    if file is not None:
        known = json.loads(file.read_text(encoding="utf-8"))["kernels"]
        missing = [name for name in names if "operations" not in known.get(name, {})]
        if missing:
            raise click.ClickException(f"{file} has no operations of {' nor of '.join(missing)}")
        return {name: known[name]["operations"] for name in names}
    if not names:
        return {}
    os.environ |= ONE_THREAD
    try:
        told, parts = count([__file__, f"--data={data}", *(f"--execute={name}" for name in names)], LIBRARIES)
    except NoCountError as error:
        raise click.ClickException(str(error)) from error
    part = json.loads(told.splitlines()[-1])
    hours = {name: parts[HOURS * i : HOURS * (i + 1)] for i, name in enumerate(names)}
    return {
        name: asdict(mean(each).per(part[name]["columns"])) | {"effort": part[name]["effort"]}
        for name, each in hours.items()
    }


def mean(counts: list[Count]) -> Count:
    """Mean of hours."""
    n = len(counts)
    kinds = {kind: sum(c.instructions[kind] for c in counts) / n for kind in counts[0].instructions}
    return Count(*(sum(getattr(c, f) for c in counts) / n for f in ("operations", "divisions", "in_vectors")), kinds)


def limits(name: str, kernel: dict[str, Any], peaks: dict[str, float]) -> dict[str, Any]:
    """Share of peak, and what the machine would need at least [µs a column and hour]."""
    operations = kernel["operations"]
    peak = peaks["single" if name == "PredRNN" else "double"]
    rate = 1e-3 * operations["operations"] / kernel["us"]
    bounds = {
        "arithmetic": 1e-3 * operations["operations"] / peak,
        "divisions": 1e-3 * operations["divisions"] / peaks["divisions"],
        "memory": 1e-3 * kernel["bytes"] / peaks["bandwidth"],
    }
    binds = max(bounds, key=lambda bound: bounds[bound])
    return {"GFLOP/s": rate, "share of peak": rate / peak, "limits_us": bounds, "binds": binds}


def show(peaks: dict[str, float], kernels: dict[str, dict[str, Any]]) -> None:
    console = Console(width=150)
    name, each_cycle, clock = processor()
    console.print(
        f"{name}, one thread: {peaks['double']:.1f} GFLOP/s in double precision, {peaks['single']:.1f} in single, "
        f"{peaks['divisions']:.2f} G divisions/s, {peaks['bandwidth']:.1f} GB/s"
    )
    console.print(
        f"in theory {each_cycle} operations a cycle in double precision: {each_cycle * clock:.0f} GFLOP/s at the "
        f"nominal clock of {clock:.2f} GHz; what was reached takes {peaks['double'] / each_cycle:.2f} GHz at least"
    )
    table = Table(title="a column and hour")
    heads = ("kernel", "µs", "operations", "divisions", "GFLOP/s", "of peak", "bytes")
    for head in (*heads, "arithmetic µs", "divisions µs", "memory µs", "binds", "in vectors"):
        table.add_column(head, justify="left" if head in ("kernel", "binds") else "right")
    for kernel, found in kernels.items():
        of, bounds = found["operations"], found["limits_us"]
        table.add_row(
            kernel,
            f"{found['us']:.2f}",
            f"{of['operations']:.0f}",
            f"{of['divisions']:.0f}",
            f"{found['GFLOP/s']:.2f}",
            f"{found['share of peak']:.1%}",
            f"{found['bytes']:.0f}",
            *(f"{bounds[bound]:.3f}" for bound in ("arithmetic", "divisions", "memory")),
            found["binds"],
            f"{of['in_vectors'] / of['operations']:.1%}",
        )
    console.print(table)
    for kernel, found in kernels.items():
        part = found["operations"].get("effort")
        console.print(f"{kernel}: {found['effort']}" + (f" (where counted: {part})" if part else ""))
    counted_ones = {kernel: found for kernel, found in kernels.items() if found["operations"]["instructions"]}
    if not counted_ones:
        return
    kinds = list(next(iter(counted_ones.values()))["operations"]["instructions"])
    table = Table(title="instructions a column and hour, and their shares")
    for head in ("kernel", "instructions", "a ns", *kinds):
        table.add_column(head, justify="left" if head == "kernel" else "right")
    for kernel, found in counted_ones.items():
        shares = found["operations"]["instructions"]
        whole = sum(shares.values())
        table.add_row(
            kernel,
            f"{whole:.0f}",
            f"{1e-3 * whole / found['us']:.2f}",
            *(f"{n / whole:.1%}" for n in shares.values()),
        )
    console.print(table)


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True, help="Reference data folder.")
@click.option("--only", multiple=True, type=click.Choice(KERNELS), help="Repeatable [default: all].")
@click.option("--rounds", default=5, show_default=True, help="Times that each hour is measured.")
@click.option("--counts", type=click.Path(exists=True, path_type=Path), help="Take operations from this JSON.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures there too.")
@click.option("--execute", "executed", multiple=True, hidden=True, help="Make the hours of this kernel, and count.")
@click.option("--measure", "measured", hidden=True, help="Time this kernel, and print JSON.")
@click.option("--machine", "peaks_only", is_flag=True, hidden=True, help="Measure the peaks, and print JSON.")
def main(
    data: Path,
    only: tuple[str, ...],
    rounds: int,
    counts: Path | None,
    json_file: Path | None,
    executed: tuple[str, ...],
    measured: str | None,
    peaks_only: bool,
) -> None:
    """Measure the machine and all kernels, and print what they reach."""
    if executed:
        execute(executed, data)
    elif measured is not None:
        print(json.dumps(measure(measured, data, rounds)))
    elif peaks_only:
        print(json.dumps(machine()))
    else:
        names = only or KERNELS
        given = f"--data={data.resolve()}"
        peaks = json.loads(child(given, "--machine"))
        kernels = {name: json.loads(child(given, f"--rounds={rounds}", f"--measure={name}")) for name in names}
        wanted = [name for name in names if "operations" not in kernels[name]]
        for name, operations in counts_of(wanted, data.resolve(), counts).items():
            kernels[name]["operations"] = operations
        for name, kernel in kernels.items():
            kernel |= limits(name, kernel, peaks)
        show(peaks, kernels)
        if json_file is not None:
            content = {"machine": peaks, "kernels": kernels}
            json_file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
