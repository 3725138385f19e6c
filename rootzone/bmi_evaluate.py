"""Command line: ``bmi-evaluate``."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from rootzone.command_line import (
    EXIT_BAD_INPUT,
    EXIT_INTERRUPTED,
    Command,
    examples,
    fail,
    output_option,
    quiet_option,
    verbose_option,
)
from rootzone.evaluation.names import KEYS
from rootzone.path_option import PATH

if TYPE_CHECKING:  # what takes long to import is imported where it is used
    import numpy as np


EXIT_NOT_MET = 1

_OF_REFERENCE = (
    "free_drainage",
    "thresholds",
    "climatology",
    "segments",
    "segment_length",
    "stages",
    "reanalysis",
    "initial",
    "start",
    "until",
    "strict",
)
"""Parameters that mean something beside a reference only."""


_EXAMPLES = examples(
    "bmi-evaluate physics my-run -o report",
    "bmi-evaluate physics my-run --free-drainage free --threshold water_table=0.1m -o report --strict",
    "bmi-evaluate --observations observations.yaml my-run -o stations",
)


@click.command("bmi-evaluate", cls=Command, epilog=_EXAMPLES)
@click.argument("first", type=PATH, required=False, metavar="[REFERENCE]")
@click.argument("second", type=PATH, required=False, metavar="RUN")
@click.option(
    "--observations",
    type=PATH,
    metavar="OBSERVATIONS.YAML",
    help="Stations with measurements; RUN, and REFERENCE if it is given, are compared with them.",
)
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
@click.option(
    "--stages",
    metavar="EARLY,LATE",
    help="Where the early stage ends and the late one begins, from the start. [default: 2500h,6000h of a year, thirds "
    "of another period]",
)
@click.option("--name", help="What to call RUN in tables and figures. [default: the name of its folder]")
@click.option("--limits", hidden=True)
@click.option("--domain", type=PATH, metavar="FILE", help="Domain, if not in the record of REFERENCE, or of RUN alone.")
@click.option("--initial", type=PATH, metavar="FILE", help="Head at the start, if not in REFERENCE's record.")
@click.option("--start", metavar="TIME", help="Time of dump 00000, if REFERENCE is of ParFlow [default: RUN's start].")
@click.option("--until", metavar="TIME", help="Compare the hours before this time. [default: all that the runs share]")
@click.option("--strict", is_flag=True, help="Exit with 1 if a criterion is not met.")
@output_option("Write report, fields and figures here.")
@click.option("--overwrite", is_flag=True, help="Replace the evaluation that the folder holds.")
@quiet_option
@verbose_option("Print all files that are written, not only the pages.")
@click.version_option(package_name="rootzone")
def main(
    first: Path | None,
    second: Path | None,
    observations: Path | None,
    free_drainage: Path | None,
    thresholds: tuple[str, ...],
    climatology: tuple[Path, ...],
    segments: tuple[Path, ...],
    segment_length: str,
    precipitation: Path | None,
    reanalysis: Path | None,
    stages: str | None,
    name: str | None,
    limits: str | None,
    domain: Path | None,
    initial: Path | None,
    start: str | None,
    until: str | None,
    strict: bool,
    output: Path | None,
    overwrite: bool,
    quiet: bool,
    verbose: bool,
) -> None:
    """Compare the hourly records of RUN with those of REFERENCE, and say until when RUN may be trusted.

    Both are runs of bmi-run that have written soil_water__pressure_head and
    land_surface_air_heat~net~latent__energy_flux every hour; REFERENCE may also be the folder of a run of ParFlow, of
    which there is the pressure alone. The reference's record names the domain and the state at the start. Persistence
    stands beside the run; with --free-drainage the bound does, with --climatology the mean of the month.

    With --observations, runs are compared with what stations have measured; REFERENCE may be left out then.

    Exit codes: 0 compared, 1 a criterion is not met (with --strict), 2 bad input, 130 interrupted.
    """
    from bmi_common import terminal
    from bmi_common.config import require_names
    from bmi_common.errors import ConfigError, RootzoneError
    from rootzone.evaluation.evaluate import Wanted
    from rootzone.evaluation.observations.comparison import stations_of
    from rootzone.evaluation.writing import evaluate_to
    from rootzone.run_log import on_screen

    if second is None:
        _require_alone(first, observations, _idle(click.get_current_context()))
    console = terminal.console(stderr=True, quiet=quiet, verbose=verbose)
    try:
        _refuse(limits, strict and free_drainage is None and not thresholds)
        if overwrite and output is None:
            raise ConfigError("--overwrite goes with --output, the folder of the evaluation to be replaced")
        reference, run = (first, second) if second is not None else (None, first)
        assert run is not None
        wanted = stations = None
        if reference is not None:
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
                _time(start, "--start"),
                _stages(stages),
                _time(until, "--until"),
            )
        if observations is not None:
            stations = stations_of(observations, reference, run, name, domain, precipitation)
        require_names(*(wanted.inputs if wanted is not None else (run,)), observations, precipitation, domain, output)
        with on_screen(console):
            found = evaluate_to(wanted, stations, output, overwrite, console)
        for table in found.tables:
            screen = terminal.console(quiet=quiet)
            screen.print(table.rich(screen.width))
        for note in found.notes:
            console.print(f"note: {note}", style="yellow")
        for path in found.files:
            if verbose or path.suffix == ".html":
                console.print(f"wrote {path}")
    except RootzoneError as error:
        fail("bmi-evaluate", str(error), EXIT_BAD_INPUT)
    except OSError as error:
        fail("bmi-evaluate", f"cannot read or write: {error}", EXIT_BAD_INPUT)
    except MemoryError as error:
        fail("bmi-evaluate", f"does not fit into memory: {error}; nothing was written", EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        fail("bmi-evaluate", "interrupted; nothing was written", EXIT_INTERRUPTED)
    if strict and found.assessment is not None and not found.assessment.met:
        sys.exit(EXIT_NOT_MET)


def _idle(context: click.Context) -> list[str]:
    """Options that are given without a reference, beside which alone they mean something."""
    return [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in _OF_REFERENCE
        and context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]


def _require_alone(run: Path | None, observations: Path | None, idle: list[str]) -> None:
    """Refuse, as click does, a run that nothing is compared with, and options that need a reference."""
    if run is None:
        raise click.UsageError("Missing argument 'RUN'.")
    if observations is None:
        raise click.UsageError("Missing argument 'RUN'; a run without a REFERENCE is compared with --observations.")
    if idle:
        raise click.UsageError(f"{', '.join(idle)}: without effect, because no REFERENCE is given before RUN.")


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


def _stages(text: str | None) -> tuple[timedelta, timedelta] | None:
    from bmi_common.errors import errors_under
    from rootzone.evaluation.windows import parse_stages

    if text is None:
        return None
    with errors_under("--stages"):
        return parse_stages(text)


def _time(text: str | None, option: str) -> np.datetime64 | None:
    from bmi_common.calendar import parse_time
    from bmi_common.errors import errors_under

    if text is None:
        return None
    with errors_under(option):
        return parse_time(text)
