"""Seconds per model hour of each component, of output and of the coupler itself, with each groundwater component.

Runs ``cfg/pearl_river.yaml`` (the paper's domain, 252 x 146 cells) once for each, dry and in a storm, all in one go, so
that the figures compare:

    python benchmarks/coupled_hour.py --data FOLDER [--hours 24] [--threads 2] [--json FILE] [--against CHECKOUT]

With ``--against`` the code of another checkout runs by turns, and the ratios are printed (`compare.py`).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import click
from compare import compare
from rich.console import Console
from rich.table import Table

from bmi_common.owned_folder import taken
from coupler import provenance
from coupler.config import LoadedRun, load_run
from coupler.preparation import PreparedRun, prepare
from coupler.run import Summary, run

CONFIGURATION = Path(__file__).parents[1] / "cfg" / "pearl_river.yaml"
WEIGHTS = CONFIGURATION.parent / "demo" / "surrogate.yaml"
_SURROGATE = "groundwater.class=bmi_surrogate:BmiSurrogate"
_KEYS = ("statistics=null", "statics=null", "statics_statistics=null", "tile=null", "format=auto")
_STRUCTURED = (_SURROGATE, *(f"groundwater.options.surrogate.{key}" for key in _KEYS))
GROUNDWATER = {
    "PredRNN": (_SURROGATE, "groundwater.options.surrogate.threads={threads}"),
    "structured": (
        *_STRUCTURED,
        f"groundwater.options.surrogate.checkpoint={WEIGHTS}",
        "groundwater.options.surrogate.threads={threads}",
    ),
    "Richards": ("groundwater.class=bmi_richards:BmiRichards", "groundwater.options.richards.threads={threads}"),
}
WEATHER: dict[str, tuple[str, ...]] = {
    "dry": (),
    "storm": (
        "land.options.forcing.file={data}/forcing_columns/humid_8760h.txt",
        "land.options.forcing.start=2019-10-01T00:00",
        "time.start=2020-03-09T13:00",
    ),
}


def run_within(loaded: LoadedRun, folder: Path, look: Callable[[PreparedRun], None] = lambda prepared: None) -> Summary:
    """Carry out a run in a folder, and `look` at it after every step."""
    staging, output = folder / "staging", folder / "output"
    prepared = prepare(loaded, staging)
    record = provenance.collect(loaded, prepared.components, prepared.configs, output)
    with taken(output, "run") as owned:
        summary = run(prepared, owned, Console(quiet=True), record, interrupted=lambda: bool(look(prepared)))
    prepared.finalize()
    return summary


def measure(groundwater: str, weather: str, data: Path, hours: int, threads: int) -> dict[str, float]:
    """Run the Pearl River domain and return seconds per model hour by part."""
    given = [text.format(data=data, threads=threads) for text in (*WEATHER[weather], *GROUNDWATER[groundwater])]
    settings = [f"data={data}", f"land.options.threads={threads}", "figures=false", *given]
    first = load_run(CONFIGURATION, settings).config.time.start
    loaded = load_run(CONFIGURATION, [*settings, f"time.end={first + timedelta(hours=hours):%Y-%m-%dT%H:%M}"])
    with tempfile.TemporaryDirectory() as folder:
        summary = run_within(loaded, Path(folder))
    return {name: seconds / summary.model_hours for name, seconds in summary.seconds.items()}


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True, help="Reference data folder.")
@click.option("--hours", default=24, show_default=True, help="Model hours of each run; output is six-hourly.")
@click.option("--threads", default=2, show_default=True, help="Of each component.")
@click.option(
    "--only", multiple=True, type=click.Choice([*GROUNDWATER]), help="Groundwater; repeatable [default: all]."
)
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the figures there too.")
@click.option("--against", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Another checkout.")
@click.option("--rounds", default=5, show_default=True, help="Of both checkouts.")
def main(
    data: Path,
    hours: int,
    threads: int,
    only: tuple[str, ...],
    json_file: Path | None,
    against: Path | None,
    rounds: int,
) -> None:
    """Measure all runs and print a table."""
    if against is not None:
        given = [f"--data={data.resolve()}", f"--hours={hours}", f"--threads={threads}"]
        compare(Path(__file__), [*given, *(f"--only={name}" for name in only)], against, rounds, json_file)
        return
    table = Table(title=f"seconds per model hour, 252 x 146 x 11, {hours} h, {threads} threads")
    parts = ("land", "groundwater", "output", "coupler")
    for heading in ("weather", "groundwater is", *parts, "total", "coupler share"):
        table.add_column(heading, justify="right")
    results = {}
    for weather in WEATHER:
        for name in only or GROUNDWATER:
            seconds = results[f"{weather}, {name}"] = measure(name, weather, data.resolve(), hours, threads)
            total = sum(seconds.values())
            share = f"{100.0 * seconds['coupler'] / total:.2f} %"
            table.add_row(weather, name, *(f"{seconds[p]:.4f}" for p in parts), f"{total:.4f}", share)
    Console().print(table)
    if json_file is not None:
        measured = {"measured": datetime.now().isoformat(timespec="seconds"), "hours": hours, "threads": threads}
        json_file.write_text(json.dumps({**measured, "seconds": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
