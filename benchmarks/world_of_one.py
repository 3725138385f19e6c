"""Share of a coupled hour that one process spends on what several processes would ask each other.

A run on one process makes the calls of `bmi_common.world.World` that a run on several makes; there they return at once.
Land and Richards on the Pearl River's domain, dry; the seconds of the calls contain those of the clock that takes them:

    python benchmarks/world_of_one.py --data FOLDER [--hours 24] [--threads 1]
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from coupled_hour import measure
from rich.console import Console

from bmi_common.world import World, among

CALLS = ("sum", "any", "largest", "gathered", "collected", "shared", "dealt", "agree")


class TimedWorld(World):
    """One process that counts its calls and their seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.seconds, self._inside = 0, 0.0, False

    def _timed(self, call: Callable[..., Any], *arguments: Any) -> Any:
        if self._inside:  # of one that is timed
            return call(self, *arguments)
        self._inside, begin = True, time.perf_counter()
        try:
            return call(self, *arguments)
        finally:
            self.calls, self.seconds = self.calls + 1, self.seconds + time.perf_counter() - begin
            self._inside = False


def _wrapped(call: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *arguments: self._timed(call, *arguments)


for _name in CALLS:
    setattr(TimedWorld, _name, _wrapped(getattr(World, _name)))


@click.command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True, help="the reference data")
@click.option("--hours", default=24, show_default=True)
@click.option("--threads", default=1, show_default=True)
def main(data: Path, hours: int, threads: int) -> None:
    world = TimedWorld()
    with among(world):
        hour = sum(measure("Richards", "dry", data, hours, threads).values())
    asked = world.seconds / hours
    Console(highlight=False).print(
        f"{world.calls / hours:.0f} calls an hour take {1e6 * asked:.0f} µs of {hour:.3f} s: {asked / hour:.1e}"
    )


if __name__ == "__main__":
    main()
