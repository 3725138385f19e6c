"""Seconds per model hour of each component, of output and of the coupler itself, with either groundwater component.

Runs ``cfg/pearl_river.yaml`` (the paper's domain, 252 x 146 cells) twice in one go, so that the figures compare:

    python benchmarks/coupled_hour.py --data FOLDER [--hours 24] [--json FILE]
"""

from __future__ import annotations

import json
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from coupler import provenance
from coupler.config import load_run
from coupler.driver import prepare, run

CONFIGURATION = Path(__file__).parents[1] / "cfg" / "pearl_river.yaml"
GROUNDWATER = {"surrogate": "bmi_surrogate:BmiSurrogate", "richards": "bmi_richards:BmiRichards"}


def measure(class_path: str, data: Path, hours: int) -> dict[str, float]:
    """Run the Pearl River domain and return seconds per model hour by part."""
    first = load_run(CONFIGURATION, [f"data={data}"]).config.time.start
    end = first + timedelta(hours=hours)
    settings = [f"data={data}", f"groundwater.class={class_path}", f"time.end={end:%Y-%m-%dT%H:%M}"]
    loaded = load_run(CONFIGURATION, settings)
    with tempfile.TemporaryDirectory() as folder:
        staging, output = Path(folder) / "staging", Path(folder) / "output"
        output.mkdir()
        prepared = prepare(loaded, staging)
        record = provenance.collect(loaded, prepared.components)
        summary = run(prepared, output, Console(quiet=True), record)
        prepared.finalize()
    return {name: seconds / summary.model_hours for name, seconds in summary.seconds.items()}


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True, help="Reference data folder.")
@click.option("--hours", default=24, show_default=True, help="Model hours of each run; output is six-hourly.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures there too.")
def main(data: Path, hours: int, json_file: Path | None) -> None:
    """Measure both runs and print a table."""
    results = {name: measure(path, data, hours) for name, path in GROUNDWATER.items()}
    table = Table(title=f"seconds per model hour, 252 x 146 x 11, {hours} h")
    parts = ("land", "groundwater", "output", "coupler")
    for heading in ("groundwater is", *parts, "total", "coupler share"):
        table.add_column(heading, justify="right")
    for name, seconds in results.items():
        total = sum(seconds.values())
        share = f"{100.0 * seconds['coupler'] / total:.2f} %"
        table.add_row(name, *(f"{seconds[p]:.4f}" for p in parts), f"{total:.4f}", share)
    Console().print(table)
    if json_file is not None:
        measured = {"measured": datetime.now().isoformat(timespec="seconds"), "hours": hours, "seconds": results}
        json_file.write_text(json.dumps(measured, indent=2) + "\n")


if __name__ == "__main__":
    main()
