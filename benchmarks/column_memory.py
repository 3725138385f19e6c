"""Which arrays the memory of a column is in: land and Richards on copies of the Pearl River's domain.

    python benchmarks/column_memory.py FOLDER [--copies 2] [--least 0.02] [--json FILE]

Arrays are those that the components hold after an hour, each counted once under the shortest name that leads to it.
Beside them stands what the process has grown by since Python and its packages were there (resident, and at the peak); kB are of 1024 bytes.
"""

from __future__ import annotations

import json
import resource
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

import click
import numpy as np
from growth import resident, run_hours, start, write_case
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Held:
    """An array that something holds."""

    name: str
    array: np.ndarray[Any, Any]


def arrays_of(**roots: object) -> list[Held]:
    """Arrays that objects hold, the largest first; views count as what they are views of, and each once."""
    found: dict[int, Held] = {}
    seen: set[int] = set()
    waiting: deque[tuple[str, object]] = deque(roots.items())
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
    return sorted(found.values(), key=lambda held: -held.array.nbytes)


def _parts(thing: object) -> Iterator[tuple[str, object]]:
    """What an object holds, each with how to get there."""
    if isinstance(thing, Mapping):
        yield from ((f"[{key}]", value) for key, value in dict.items(thing) if isinstance(thing, dict))
    elif isinstance(thing, list | tuple | deque):
        if len(thing) < 100:
            yield from ((f"[{i}]", value) for i, value in enumerate(thing))
    elif isinstance(thing, partial):
        yield from ((f"({i})", value) for i, value in enumerate((thing.func, *thing.args, thing.keywords)))
    elif isinstance(thing, MethodType):
        yield ".__self__", thing.__self__
    elif not isinstance(thing, type | ModuleType | FunctionType) and hasattr(thing, "__dict__"):
        yield from ((f".{key}", value) for key, value in vars(thing).items())


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option("--copies", default=2, show_default=True, help="Of the domain, along both directions.")
@click.option("--least", default=0.02, show_default=True, help="Smaller arrays are added up [kB a column].")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the table here, too.")
def main(data: Path, copies: int, least: float, file: Path | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        columns = write_case(Path(folder), data, copies, copies)
        before = resident()
        land, groundwater = start(Path(folder))
        ready = resident()
        run_hours(land, groundwater, columns, 1)
        after, peak = resident(), float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    table = Table(title=f"kB a column, {columns} columns")
    for heading in ("array", "type", "shape", "kB a column"):
        table.add_column(heading, justify="right" if heading == "kB a column" else "left")
    rows: list[dict[str, object]] = []
    small = whole = 0.0
    for held in arrays_of(land=land, groundwater=groundwater):
        size = held.array.nbytes / 1024.0 / columns
        whole += size
        if size < least:
            small += size
            continue
        rows.append({"array": held.name, "kB a column": size})
        table.add_row(held.name, str(held.array.dtype), "x".join(map(str, held.array.shape)), f"{size:.3f}")
    for name, size in (
        ("smaller ones", small),
        ("all arrays", whole),
        ("process, ready", (ready - before) / columns),
        ("process, after an hour", (after - before) / columns),
        ("process, at its peak", (peak - before) / columns),
    ):
        rows.append({"array": name, "kB a column": size})
        table.add_row(name, "", "", f"{size:.3f}")
    Console(width=140).print(table)
    if file is not None:
        file.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
