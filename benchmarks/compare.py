"""Run one benchmark with the code of two checkouts in turn, and print the ratio of what it measures.

    python benchmarks/compare.py CHECKOUT [--rounds 5] [--json FILE] -- colm_columns.py --columns 5000 --threads 1

The script is that of this checkout, so that both are asked the same; only the packages differ. It takes ``--json FILE``
and writes its figures there. Each checkout has its ``.venv``. Rounds alternate, for the speed of a shared machine
varies more from minute to minute than between two versions. A benchmark offers the same as ``--against CHECKOUT``.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import click
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parents[1]


def figures(content: Any, name: tuple[str, ...] = ()) -> Iterator[tuple[str, float]]:
    """Yield the floating-point numbers of a benchmark's JSON, each with the keys that lead to it as its name.

    An entry of a list has no key: its texts and integers stand for one.
    """
    if isinstance(content, dict):
        for key, value in content.items():
            yield from figures(value, (*name, key))
    elif isinstance(content, list):
        for entry in content:
            labels = [v if isinstance(v, str) else f"{v} {k}" for k, v in entry.items() if isinstance(v, str | int)]
            yield from figures(entry, (*name, *labels))
    elif isinstance(content, float):
        yield ", ".join(name), content


def measure(checkout: Path, script: Path, arguments: Sequence[str]) -> dict[str, float]:
    """Run the benchmark once with the packages of a checkout; its figures by name."""
    python = checkout / ".venv" / "bin" / "python"
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"  # ninja, should the kernels be compiled first
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures.json"
        command = [str(python), str(script), *arguments, "--json", str(file)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "PATH": path}, cwd=folder)
        return dict(figures(json.loads(file.read_text())))


def compare(
    script: Path, arguments: Sequence[str], against: Path, rounds: int = 5, json_file: Path | None = None
) -> dict[str, dict[str, float]]:
    """Print and return medians of both checkouts, their ratio, and the range of the rounds' ratios.

    Parameters
    ----------
    script : Path
        Benchmark of this checkout that takes ``--json FILE``.
    arguments : sequence of str
        Its other arguments; files are named absolutely.
    against : Path
        The checkout that counts as before; this one is after.
    rounds : int
        Times that each is run.
    json_file : Path, optional
        Where the table is written, too.
    """
    before: list[dict[str, float]] = []
    after: list[dict[str, float]] = []
    for turn in range(rounds):
        both = [(against.resolve(), before), (HERE, after)]
        for checkout, results in both if turn % 2 == 0 else reversed(both):
            results.append(measure(checkout, script.resolve(), arguments))
    table = Table(title=f"{script.name} {' '.join(arguments)}: medians of {rounds}")
    for heading in ("", "before", "after", "ratio", "range"):
        table.add_column(heading, justify="left" if not heading else "right")
    rows: dict[str, dict[str, float]] = {}
    for name in before[0]:
        old, new = median(r[name] for r in before), median(r[name] for r in after)
        if old <= 0.0:
            continue
        ratios = [b[name] / a[name] for a, b in zip(before, after, strict=True) if a[name] > 0.0]
        rows[name] = {"before": old, "after": new, "ratio": new / old, "least": min(ratios), "most": max(ratios)}
        table.add_row(name, f"{old:.4g}", f"{new:.4g}", f"{new / old:.3f}", f"{min(ratios):.3f}-{max(ratios):.3f}")
    Console(width=120).print(table)
    if json_file is not None:
        json_file.write_text(json.dumps({"rounds": rounds, "figures": rows}, indent=2) + "\n")
    return rows


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("against", metavar="CHECKOUT", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--rounds", default=5, show_default=True, help="Times that each checkout is measured.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the table there too.")
def main(against: Path, command: tuple[str, ...], rounds: int, json_file: Path | None) -> None:
    """Run COMMAND, a script beside this one with its arguments, in this checkout and in CHECKOUT by turns."""
    compare(Path(__file__).parent / Path(command[0]).name, command[1:], against, rounds, json_file)


if __name__ == "__main__":
    main()
