"""Command line: ``bmi-evaluate``."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.console import Console

from bmi_common import ConfigError, RootzoneError
from coupler.evaluate.evaluation import Wanted, evaluate
from coupler.evaluate.figure import draw
from coupler.evaluate.gates import LIMITS

EXIT_NOT_MET = 1
EXIT_BAD_INPUT = 2

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("reference", type=_PATH)
@click.argument("run", type=_PATH)
@click.option("--free-drainage", type=_PATH, metavar="RUN", help="The bound: a run without lateral groundwater flow.")
@click.option("--climatology", type=_PATH, multiple=True, metavar="RUN", help="Earlier years; repeatable.")
@click.option(
    "--segment",
    "segments",
    type=_PATH,
    multiple=True,
    metavar="RUN",
    help="A shorter run from the reference's state, such as of 720 h; repeatable.",
)
@click.option("--name", default="hybrid", show_default=True, help="What to call RUN in tables and figure.")
@click.option(
    "--limits", type=click.Choice([*LIMITS]), default="default", show_default=True, help="What is asked of it."
)
@click.option("--domain", type=_PATH, metavar="FILE", help="Domain, if not in REFERENCE's record.")
@click.option("--initial", type=_PATH, metavar="FILE", help="Head at the start, if not in REFERENCE's record.")
@click.option("--strict", is_flag=True, help="Exit with 1 if a criterion is not met.")
@click.option("--output", type=_PATH, metavar="DIR", help="Write report, hourly errors and figure here.")
@click.version_option(package_name="rootzone")
def main(
    reference: Path,
    run: Path,
    free_drainage: Path | None,
    climatology: tuple[Path, ...],
    segments: tuple[Path, ...],
    name: str,
    limits: str,
    domain: Path | None,
    initial: Path | None,
    strict: bool,
    output: Path | None,
) -> None:
    """Compare the hourly records of RUN with those of REFERENCE, two runs of bmi-run from the same state.

    Both must have written soil_water__pressure_head and land_surface_air_heat~net~latent__energy_flux every hour, and
    the reference's record names the domain and the state at the start. Persistence stands beside the run;
    with --free-drainage the bound does, with --climatology the mean of the month.

    Exit codes: 0 compared, 1 a criterion is not met (with --strict), 2 bad input.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)
    wanted = Wanted(reference, run, free_drainage, climatology, segments, name, limits, domain, initial)
    try:
        if output is not None and output.exists() and not output.is_dir():
            raise ConfigError(f"{output}: is a file; --output needs a folder")
        found = evaluate(wanted)
        report, domain_read = found.report, found.domain
        shown = Console(highlight=False, markup=False, emoji=False)
        for table in report.tables():
            shown.print(table)
        if output is not None:
            chosen = LIMITS[limits]
            lines = {"limit": chosen.median} | ({} if chosen.high is None else {"limit ": chosen.high})
            made = report.write(output)
            draw(report.comparison, name, lines, domain_read, output / "errors.png")
            for path in (*made, output / "errors.png"):
                console.print(f"wrote {path}")
    except RootzoneError as error:
        console.print(f"bmi-evaluate: {error}", style="red")
        sys.exit(EXIT_BAD_INPUT)
    except OSError as error:
        console.print(f"bmi-evaluate: cannot read or write: {error}", style="red")
        sys.exit(EXIT_BAD_INPUT)
    if strict and not report.met:
        sys.exit(EXIT_NOT_MET)
