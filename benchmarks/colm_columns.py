"""Cost of the land columns: microseconds per column and hour.

Run ``python benchmarks/colm_columns.py --columns 20000 --threads 1 2``; ``--json FILE`` also writes the table.
``--against CHECKOUT`` runs the code of another checkout by turns and prints the ratios (`compare.py`).
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from compare import compare

from bmi_colm.columns import ColumnModel
from bmi_colm.soil import SoilTexture

THICKNESS = np.array([0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 1.0, 1.5])  # m
MIXES = {
    "mixed covers": [1, 2, 4, 5, 8, 9, 10, 12, 14, 16],
    "forest": [2],
    "grassland": [10],
    "barren": [16],
    "land ice": [15],
    "open water": [17],
}
SNOW = "mixed, snow"
SNOW_DAYS = 10


def warm(hour: int) -> dict[str, float]:
    """Return the hour of a warm day with a shower in the afternoon."""
    sun = max(0.0, np.sin(np.pi * ((hour % 24) - 6) / 12))
    return {
        "shortwave": 800.0 * sun,
        "longwave": 360.0,
        "precipitation": 3e-4 if hour % 24 in (15, 16) else 0.0,
        "air_temperature": 290.0 + 6.0 * sun,
        "wind_x": 2.0,
        "wind_y": 1.0,
        "pressure": 9.9e4,
        "humidity": 0.009,
    }


def cold(hour: int) -> dict[str, float]:
    """Return the hour of a winter day with snowfall in the morning."""
    return warm(hour) | {
        "air_temperature": warm(hour)["air_temperature"] - 25.0,
        "longwave": 260.0,
        "humidity": 0.0015,
        "precipitation": 5e-4 if hour % 24 < 6 else 0.0,
    }


def measure(covers: Sequence[int], columns: int, hours: int, threads: int, snow: bool) -> tuple[float, float]:
    """Return microseconds per column-step, of wall clock and of processor time over all threads."""
    weather = cold if snow else warm
    model = ColumnModel(
        land_cover=np.resize(covers, columns),
        texture=SoilTexture.from_usda(np.resize(["sand", "loam", "clay"], columns)),
        thickness=THICKNESS,
        porosity=0.43,
        latitude=np.linspace(30.0, 50.0, columns),
        longitude=0.0,
        start=datetime(2020, 6, 1),
        threads=threads,
    )
    saturation = np.linspace(0.3, 0.9, columns)[:, None]
    for hour in range(24 * SNOW_DAYS if snow else 1):
        model.step(weather(hour), -1.0, saturation)
    begin, begin_cpu = perf_counter(), process_time()
    for hour in range(1, hours + 1):
        model.step(weather(hour), -1.0, saturation)
    per_step = 1e6 / (hours * columns)
    return (perf_counter() - begin) * per_step, (process_time() - begin_cpu) * per_step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, default=5000)
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", choices=[*MIXES, SNOW], nargs="+", default=[*MIXES, SNOW])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--against", type=Path, metavar="CHECKOUT")
    parser.add_argument("--rounds", type=int, default=5, help="of both checkouts")
    options = parser.parse_args()
    if options.against:
        given = [f"--columns={options.columns}", f"--hours={options.hours}"]
        given += ["--threads", *map(str, options.threads), "--only", *options.only]
        compare(Path(__file__), given, options.against, options.rounds, options.json)
        return
    rows = []
    print("microseconds per column-step")
    print(f"{'columns':>14}  {'threads':>7}  {'wall clock':>10}  {'processor':>10}")
    cases = [(name, covers, False) for name, covers in MIXES.items()]
    cases.append((SNOW, MIXES["mixed covers"], True))
    for name, covers, snow in (case for case in cases if case[0] in options.only):
        for threads in options.threads:
            wall, processor = measure(covers, options.columns, options.hours, threads, snow)
            rows.append({"columns": name, "threads": threads, "wall_us": wall, "processor_us": processor})
            print(f"{name:>14}  {threads:>7}  {wall:>10.2f}  {processor:>10.2f}")
    if options.json:
        content = {"machine": platform.machine(), "columns": options.columns, "hours": options.hours, "rows": rows}
        options.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
