"""Command line: ``bmi-evaluate``."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rootzone.evaluation.names import KEYS
from rootzone.path_option import PATH

if TYPE_CHECKING:  # what takes long to import is imported where it is used
    import numpy as np


EXIT_NOT_MET = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


@click.command()
@click.argument("reference", type=PATH)
@click.argument("run", type=PATH)
@click.option("--free-drainage", type=PATH, metavar="RUN", help="The bound: a run without lateral groundwater flow.")
@click.option(
    "--threshold",
    "thresholds",
    multiple=True,
    metavar="VARIABLE=VALUE",
    help=f"Largest acceptable error with units, such as water_table=0.5m; {', '.join(KEYS)}; repeatable.",
)
@click.option("--climatology", type=PATH, multiple=True, metavar="RUN", help="Earlier years; repeatable.")
@click.option(
    "--segment",
    "segments",
    type=PATH,
    multiple=True,
    metavar="RUN",
    help="A shorter run from the reference's state, such as of 720 h; repeatable.",
)
@click.option(
    "--segment-length", default="720h", show_default=True, help="Length of the parts that maps and rain are given for."
)
@click.option("--precipitation", type=PATH, metavar="FILE", help="Run or NetCDF file, if RUN has written none.")
@click.option("--reanalysis", type=PATH, metavar="FILE", help="NetCDF file with swvl1 and slhf of ERA5-Land.")
@click.option("--name", default="hybrid", show_default=True, help="What to call RUN in tables and figures.")
@click.option("--limits", hidden=True)
@click.option("--domain", type=PATH, metavar="FILE", help="Domain, if not in REFERENCE's record.")
@click.option("--initial", type=PATH, metavar="FILE", help="Head at the start, if not in REFERENCE's record.")
@click.option("--start", metavar="TIME", help="Time of dump 00000, if REFERENCE is of ParFlow [default: RUN's start].")
@click.option("--strict", is_flag=True, help="Exit with 1 if a criterion is not met.")
@click.option("--output", type=PATH, metavar="DIR", help="Write report, fields and figures here.")
@click.option("--overwrite", is_flag=True, help="Replace the evaluation that the folder holds.")
@click.version_option(package_name="rootzone")
def main(
    reference: Path,
    run: Path,
    free_drainage: Path | None,
    thresholds: tuple[str, ...],
    climatology: tuple[Path, ...],
    segments: tuple[Path, ...],
    segment_length: str,
    precipitation: Path | None,
    reanalysis: Path | None,
    name: str,
    limits: str | None,
    domain: Path | None,
    initial: Path | None,
    start: str | None,
    strict: bool,
    output: Path | None,
    overwrite: bool,
) -> None:
    """Compare the hourly records of RUN with those of REFERENCE, and say until when RUN may be trusted.

    Both are runs of bmi-run that have written soil_water__pressure_head and
    land_surface_air_heat~net~latent__energy_flux every hour; REFERENCE may also be the folder of a run of ParFlow, of
    which there is the pressure alone. The reference's record names the domain and the state at the start. Persistence
    stands beside the run; with --free-drainage the bound does, with --climatology the mean of the month.

    Exit codes: 0 compared, 1 a criterion is not met (with --strict), 2 bad input, 130 interrupted.
    """
    from bmi_common import terminal
    from bmi_common.config import require_names
    from bmi_common.errors import ConfigError, RootzoneError
    from bmi_common.interrupts import terminations_as_interrupts
    from rootzone.evaluation.evaluate import Wanted
    from rootzone.evaluation.report import tables
    from rootzone.evaluation.writing import evaluate_to

    console = terminal.console(stderr=True)
    try:
        _refuse(limits, strict and free_drainage is None and not thresholds)
        optional = (free_drainage, precipitation, reanalysis, domain, initial, output)
        require_names(reference, run, *climatology, *segments, *optional)
        wanted = Wanted(
            reference,
            run,
            free_drainage,
            climatology,
            segments,
            name,
            domain,
            initial,
            thresholds,
            _segment_length(segment_length),
            precipitation,
            reanalysis,
            _start(start),
        )
        if overwrite and output is None:
            raise ConfigError("--overwrite goes with --output, the folder of the evaluation to be replaced")
        with terminations_as_interrupts():
            found, made = evaluate_to(wanted, output, overwrite)
        for table in (tables.errors_table(found), tables.criteria_table(found.criteria)):
            if table.rows:
                terminal.console().print(table.rich())
        for note in found.notes:
            console.print(f"note: {note}", style="yellow")
        for path in made:
            console.print(f"wrote {path}")
    except RootzoneError as error:
        console.print(f"bmi-evaluate: {error}", style="red")
        sys.exit(EXIT_BAD_INPUT)
    except OSError as error:
        console.print(f"bmi-evaluate: cannot read or write: {error}", style="red")
        sys.exit(EXIT_BAD_INPUT)
    except MemoryError as error:
        console.print(f"bmi-evaluate: does not fit into memory: {error}; nothing was written", style="red")
        sys.exit(EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        console.print("bmi-evaluate: interrupted; nothing was written", style="red")
        sys.exit(EXIT_INTERRUPTED)
    if strict and not found.met:
        sys.exit(EXIT_NOT_MET)


def _refuse(limits: str | None, strict_without_criteria: bool) -> None:
    from bmi_common.errors import ConfigError

    if limits is not None:
        raise ConfigError(
            "--limits has gone: set limits of your own with --threshold and --free-drainage; what this project asks of "
            "its surrogates is judged by benchmarks/yardsticks.py, from the report"
        )
    if strict_without_criteria:
        raise ConfigError("--strict needs something to judge by; give --threshold or --free-drainage")


def _segment_length(text: str) -> timedelta:
    from bmi_common.durations import parse_duration
    from bmi_common.errors import ConfigError

    try:
        length = parse_duration(text)
    except ValueError as error:
        raise ConfigError(f"--segment-length: {error}") from error
    if length % timedelta(hours=1):
        raise ConfigError(f"--segment-length {text}: must be a whole number of hours")
    return length


def _start(text: str | None) -> np.datetime64 | None:
    import numpy as np

    from bmi_common.errors import ConfigError

    if text is None:
        return None
    try:
        return np.datetime64(text, "s")
    except ValueError as error:
        raise ConfigError(f"--start {text}: is not a time such as 2020-10-01T00:00") from error
