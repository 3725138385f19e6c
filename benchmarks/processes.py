"""The Richards solver on processes against threads: the same heads, and what an hour takes, by turns.

    mpiexec -n 2 python benchmarks/processes.py [--reference FOLDER] [--hours 12] [--check 0]

Process 0 solves each hour alone, with one thread and with as many threads as there are processes, while the others
sleep; then all solve it in parts, with one thread each. A row is the ratio of medians over the hours, so that it holds
on a machine that others use, too; messages and bytes are those of an hour. With ``--check 1`` the hours are solved with
one thread and in parts only, and all must agree to the last bit. With ``--reference`` the domain is the Pearl River's.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from mpi4py import MPI
from richards_step import Case, pearl_river, synthetic

from bmi_common.flow_order import build_network
from bmi_common.partition import Part, deal
from bmi_common.world import MpiWorld
from bmi_richards.options import SolverConfig
from bmi_richards.solver import RichardsSolver


class CountingWorld(MpiWorld):
    """Counts what is sent."""

    messages = 0
    bytes = 0

    def send(self, values: Any, to: int, tag: int) -> Any:
        """See `MpiWorld.send`."""
        self.messages += 1
        self.bytes += values.nbytes
        return super().send(values, to, tag)


def window_of(case: Case, part: Part) -> SimpleNamespace:
    """Return the domain as the process of a part sees it."""
    fields = {
        name: part.cut(value) if isinstance(value, np.ndarray) and value.ndim > 1 else value
        for name, value in vars(case.domain).items()
    }
    return SimpleNamespace(**{**fields, "mask": part.mask})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--hours", type=int, default=12)
    parser.add_argument("--check", type=int, default=0)
    options = parser.parse_args()
    world = CountingWorld(MPI.COMM_WORLD)
    case = (
        synthetic(252, 146, options.hours)
        if options.reference is None
        else pearl_river(options.reference, options.hours)
    )
    d = case.domain
    part = deal(world, d.mask, build_network(d.mask, d.slope_x, d.slope_y, d.manning / 3600.0, d.dx, d.dy))
    single = SolverConfig(threads=1)
    alone = {1: RichardsSolver(d, case.head, single)} if world.leads else {}
    if world.leads and not options.check:
        alone[world.size] = RichardsSolver(d, case.head, SolverConfig(threads=world.size))
    mine = RichardsSolver(window_of(case, part), part.cut(case.head), single, part=part)
    wall: dict[str, list[float]] = {"1 thread": [], f"{world.size} threads": [], f"{world.size} processes": []}
    unlike = 0

    def timed(name: str, step: Callable[[], object]) -> None:
        begin = time.perf_counter()
        step()
        wall[name].append(time.perf_counter() - begin)

    for source in case.sources:
        own = part.cut(source)
        for threads, solver in alone.items():
            timed(f"{threads} thread{'s' if threads > 1 else ''}", lambda s=solver, q=source: s.step(q))  # type: ignore[misc]
        sleep_until_all_are_here(world)
        world.messages = world.bytes = 0
        timed(f"{world.size} processes", lambda q=own: mine.step(q))  # type: ignore[misc]
        messages, size = world.sum(world.messages, world.bytes)
        if options.check:
            together = part.whole(mine.head)
            if together is not None:
                unlike += int((together.view(np.int64) != alone[1].head.view(np.int64)).sum())
    counts = world.gathered(int(part.mask.sum()))
    late = world.gathered(int((part.wave[part.mask] > 0).sum()))
    if not world.leads:
        return
    print(f"{case.name}: {sum(counts)} columns in parts of {', '.join(map(str, counts))}; ", end="")
    print(f"{1.0 - sum(late) / sum(counts):.1%} in wave 0; {messages:.0f} messages and {size / 1e3:.0f} kB an hour")
    median = {name: statistics.median(values) for name, values in wall.items() if values}
    for name, seconds in median.items():
        print(f"{name:>14} {seconds:8.3f} s an hour, {median['1 thread'] / seconds:5.2f} times one thread")
    if options.check:
        print(f"{unlike} values of the heads of {options.hours} hours differ in any bit")


def sleep_until_all_are_here(world: CountingWorld) -> None:
    """Wait without taking a processor from whoever works."""
    request = MPI.COMM_WORLD.Ibarrier()
    while not request.Test():
        time.sleep(0.002)
    world.agree()


if __name__ == "__main__":
    main()
