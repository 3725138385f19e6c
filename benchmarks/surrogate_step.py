"""Time of an hourly step of the surrogate's network, eager and compiled, by threads and device.

The domain is synthetic, of the paper's size by default; the weights are random, which makes no difference to the time
a step takes. Every figure is the median of the steps after a warm-up, for the whole step of the domain: normalisation,
tiles, network and reassembly. Processor time is that of all threads; on a busy machine waiting threads count in it.

    python benchmarks/surrogate_step.py --threads 1 2 --compile --json surrogate.json
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bmi_surrogate import Architecture, Checkpoint, Emulator, Options, PredRNN
from bmi_surrogate.normalisation import Moments, Statistics


def untrained() -> Checkpoint:
    torch.manual_seed(0)

    def unit(channels: int) -> Moments:
        return Moments.of(np.zeros(channels), np.ones(channels))

    return Checkpoint(PredRNN(Architecture()).eval(), Statistics(unit(11), unit(10), unit(46)))


def time_steps(shape: tuple[int, int], steps: int, options: Options) -> dict[str, float]:
    random = np.random.default_rng(0)
    started = time.perf_counter()
    emulator = Emulator(untrained(), random.normal(size=(46, *shape)), None, options)
    emulator.start(random.normal(size=(11, *shape)))
    source = random.normal(size=(10, *shape))
    for _ in range(3):
        emulator.step(source)
    ready = time.perf_counter()
    wall, begin_cpu = [], time.process_time()
    for _ in range(steps):
        before = time.perf_counter()
        emulator.step(source)
        wall.append(1e3 * (time.perf_counter() - before))
    return {
        "median_ms": float(np.median(wall)),
        "fastest_ms": min(wall),
        "processor_ms": 1e3 * (time.process_time() - begin_cpu) / steps,
        "preparation_s": ready - started,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nx", type=int, default=252, help="cells west to east (252)")
    parser.add_argument("--ny", type=int, default=146, help="cells south to north (146)")
    parser.add_argument("--steps", type=int, default=20, help="steps timed (20)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads (1 2)")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (cpu)")
    parser.add_argument("--compile", action="store_true", help="time the compiled step too")
    parser.add_argument("--whole", action="store_true", help="the whole domain at once instead of tiles of 16 x 16")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    a = parser.parse_args()

    rows: list[dict[str, Any]] = []
    print(f"{a.nx} x {a.ny} x 11 cells, float32, {a.device}, {'whole domain' if a.whole else 'tiles of 16 x 16'}")
    print(f"{'mode':<10}{'threads':>8}{'median ms':>12}{'fastest ms':>12}{'processor ms':>14}{'preparation s':>15}")
    for compiled in (False, True) if a.compile else (False,):
        for threads in a.threads:
            options = Options("whole" if a.whole else 16, device=a.device, threads=threads, compile=compiled)
            row = {"compiled": compiled, "threads": threads, **time_steps((a.ny, a.nx), a.steps, options)}
            rows.append(row)
            mode = "compiled" if compiled else "eager"
            print(
                f"{mode:<10}{threads:>8}{row['median_ms']:>12.1f}{row['fastest_ms']:>12.1f}"
                f"{row['processor_ms']:>14.1f}{row['preparation_s']:>15.1f}",
                flush=True,
            )
    if a.json is not None:
        machine = {"processor": platform.processor() or platform.machine(), "torch": torch.__version__}
        if a.device.startswith("cuda"):
            machine["device"] = torch.cuda.get_device_name(a.device)
        domain = {"nx": a.nx, "ny": a.ny, "device": a.device, "whole": a.whole}
        a.json.write_text(json.dumps({"machine": machine, "domain": domain, "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
