"""Which arrays the memory of a column is in: a coupled run of land and Richards on copies of the Pearl River's domain.

    python benchmarks/column_memory.py FOLDER [--copies 2] [--least 0.02] [--json FILE]

Arrays are those that components, coupler and output hold after an hour, each counted once, under the shortest name that
leads to it from the first that has it. Beside them stands what the process has grown by since Python and its packages
were there, resident and at the peak. kB are of 1024 bytes.
"""

from __future__ import annotations

import gc
import json
import re
import resource
import tempfile
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

import click
import numpy as np
from coupled_hour import run_within
from growth import give_back, resident
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from scaling import write_run

from coupler.config import load_run
from coupler.preparation import PreparedRun
from coupler.run_files import RunFiles
from coupler.stepper import Stepper


@dataclass(frozen=True)
class Held:
    """An array that something holds."""

    name: str
    array: np.ndarray[Any, Any]


def arrays_of(**roots: object) -> list[Held]:
    """Arrays that objects hold, the largest first; views count as what they are views of, and each once."""
    found: dict[int, Held] = {}
    seen: set[int] = set()
    for root, whole in roots.items():
        _follow(root, whole, found, seen)
    return sorted(found.values(), key=lambda held: -held.array.nbytes)


def _follow(root: str, whole: object, found: dict[int, Held], seen: set[int]) -> None:
    """Find what an object leads to, the nearest first."""
    waiting: deque[tuple[str, object]] = deque([(root, whole)])
    while waiting:
        name, thing = waiting.popleft()
        if isinstance(thing, np.ndarray):
            base = thing
            while isinstance(base.base, np.ndarray):
                base = base.base
            found.setdefault(id(base), Held(name, base))
        elif id(thing) not in seen:
            seen.add(id(thing))
            waiting.extend((f"{name}{step}", part) for step, part in _parts(thing))


def _parts(thing: object) -> Iterator[tuple[str, object]]:
    """Yield what an object holds, each with how to get there."""
    if isinstance(thing, dict):
        yield from ((f"[{key}]", value) for key, value in thing.items())
    elif isinstance(thing, list | tuple | deque):
        if len(thing) < 100:
            yield from ((f"[{i}]", value) for i, value in enumerate(thing))
    elif isinstance(thing, partial):
        yield from ((f"({i})", value) for i, value in enumerate((thing.func, *thing.args, thing.keywords)))
    elif isinstance(thing, MethodType):
        yield ".__self__", thing.__self__
    elif not isinstance(thing, type | ModuleType | FunctionType) and hasattr(thing, "__dict__"):
        yield from ((f".{key}", value) for key, value in vars(thing).items())


def held_in_run(data: Path, copies: int) -> tuple[int, list[Held], dict[str, float]]:
    """Make an hour of a coupled run.

    Returns
    -------
    columns : int
        Of the domain.
    arrays : list of Held
        What all parts of the run hold after the hour.
    process : dict
        Memory [kB] by which the process has grown when the run is ready, after the hour, and at its peak.
    """
    found: list[Held] = []
    process: dict[str, float] = {}

    def look(prepared: PreparedRun) -> None:
        process["after an hour"] = resident() - before
        gc.collect()
        alive = gc.get_objects()
        parts: dict[str, object] = {name: component.bmi for name, component in prepared.components.items()}
        for kind in (Stepper, RunFiles):
            parts[kind.__name__] = next(thing for thing in alive if isinstance(thing, kind))
        found.extend(arrays_of(**parts))

    with tempfile.TemporaryDirectory() as folder:
        columns = write_run(Path(folder), data, (copies, copies), 1, storm=False)
        give_back()
        before = resident()
        run_within(load_run(Path(folder) / "coupled.yaml"), Path(folder), look)
    process["at its peak"] = float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) - before
    return columns, found, process


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option("--copies", default=2, show_default=True, help="Of the domain, along both directions.")
@click.option("--least", default=0.02, show_default=True, help="Smaller arrays are added up [kB a column].")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the table here, too.")
def main(data: Path, copies: int, least: float, file: Path | None) -> None:
    """Make an hour of a coupled run, and tell what its arrays take."""
    columns, found, process = held_in_run(data, copies)
    sizes = {held.name: held.array.nbytes / 1024.0 / columns for held in found}
    parts: dict[str, float] = {}
    for name, size in sizes.items():
        part = ".".join(re.split(r"[.\[]", name)[:2])
        parts[part] = parts.get(part, 0.0) + size
    table = Table(title=f"kB a column, {columns} columns")
    for heading in ("array", "type", "shape", "kB a column"):
        table.add_column(heading, justify="right" if heading == "kB a column" else "left")
    for held in found:
        if sizes[held.name] >= least:
            shape = " x ".join(map(str, held.array.shape))
            table.add_row(escape(held.name), str(held.array.dtype), shape, f"{sizes[held.name]:.3f}")
    small = [size for size in sizes.values() if size < least]
    sums = {f"{len(small)} smaller ones": sum(small), "all arrays": sum(sizes.values())}
    sums |= {f"process, {when}": memory / columns for when, memory in process.items()}
    for name, size in sums.items():
        table.add_row(name, "", "", f"{size:.3f}")
    Console(width=140).print(table)
    table = Table(title="by what holds them first")
    for heading in ("part", "kB a column"):
        table.add_column(heading, justify="right" if heading == "kB a column" else "left")
    for part, size in sorted(parts.items(), key=lambda row: -row[1]):
        if size >= least:
            table.add_row(part, f"{size:.3f}")
    Console(width=140).print(table)
    if file is not None:
        content = {"columns": columns, "arrays": sizes, "parts": parts, **sums}
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
