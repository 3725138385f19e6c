"""Command line: ``bmi-run``."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import netCDF4
import numpy as np
from rich.console import Console

from bmi_common.errors import ConfigError, RootzoneError
from coupler import provenance
from coupler.config import STATE_FILE, LoadedRun, load_run
from coupler.driver import Prepared, States, Summary, prepare, run, spin_up
from coupler.durations import describe
from coupler.figures import draw
from coupler.output import netcdf_name
from coupler.run_folder import check_folder, claim_folder
from coupler.warning_log import keeping_warnings, log_warnings

log = logging.getLogger("rootzone")

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="COUPLED.YAML")
@click.option("--check", is_flag=True, help="Resolve everything and print the exchange plan without running.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Replace a value of the file; repeatable.")
@click.option("--output", type=click.Path(path_type=Path), metavar="DIR", help="Run folder [default: output/<name>].")
@click.option("--overwrite", is_flag=True, help="Replace the run that the folder holds.")
@click.version_option(package_name="rootzone")
@keeping_warnings
def main(file: Path, check: bool, settings: tuple[str, ...], output: Path | None, overwrite: bool) -> None:
    """Step the BMI components of COUPLED.YAML together.

    Exit codes: 0 done, 1 failed while running, 2 bad input (nothing was computed or overwritten).
    """
    console = _console(stderr=True)
    try:
        loaded = load_run(file, settings)
        if check:
            with tempfile.TemporaryDirectory() as staging:
                prepared = prepare(loaded, Path(staging))
                try:
                    print_plan(prepared, _console())
                finally:
                    prepared.finalize()
            return
        folder = output or Path("output") / file.stem
        check_folder(folder, overwrite)
        with tempfile.TemporaryDirectory() as staging:
            _execute(loaded, Path(staging), folder, console)
    except ConfigError as error:
        console.print(f"bmi-run: {error}", style="red")
        sys.exit(EXIT_BAD_INPUT)
    except RootzoneError as error:
        console.print(f"bmi-run: {error}", style="red")
        sys.exit(EXIT_FAILED)
    except OSError as error:
        console.print(f"bmi-run: cannot read or write: {error}", style="red")
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        console.print("bmi-run: interrupted; what was written until now is readable", style="red")
        sys.exit(EXIT_FAILED)


def _console(stderr: bool = False) -> Console:
    # no markup and no emoji: a path or a message may hold brackets and colons
    return Console(stderr=stderr, highlight=False, soft_wrap=True, markup=False, emoji=False)


def _execute(loaded: LoadedRun, staging: Path, folder: Path, console: Console) -> None:
    prepared = prepare(loaded, staging)
    config = loaded.config
    try:
        claim_folder(folder)
        _open_log(folder, console)
        if any(staging.iterdir()):
            shutil.copytree(staging, folder / "config", dirs_exist_ok=True)
        record = provenance.collect(loaded, prepared.components)
        provenance.write(record, folder)
        for notice in prepared.plan.notices:
            log.warning("%s", notice)
        if config.spin_up is not None:
            write_states(spin_up(prepared, console), prepared, folder / STATE_FILE)
        summary = run(prepared, folder, console, record)
        _report(summary, folder)
        if config.figures:
            for path in draw(folder, [folder / o.file for o in config.output]):
                log.info("drew %s", path)
        log.info("done; results are in %s", folder)
    except RootzoneError as error:
        log.debug("stopped: %s", error)  # the console gets it from main; the log file keeps it
        raise
    finally:
        prepared.finalize()
        _close_log()


class _Screen(logging.Handler):
    """Messages on the console of the progress bar, above the bar."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print the bare message, warnings in yellow."""
        style = "yellow" if record.levelno >= logging.WARNING else ""
        self._console.print(record.getMessage(), style=style)


def _open_log(folder: Path, console: Console) -> None:
    log.setLevel(logging.DEBUG)
    to_file = logging.FileHandler(folder / "run.log", encoding="utf-8")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for handler in (to_file, _Screen(console)):
        log.addHandler(handler)
    log.propagate = False
    log_warnings()


def _close_log() -> None:
    for handler in [*log.handlers]:
        log.removeHandler(handler)
        handler.close()


def print_plan(prepared: Prepared, console: Console) -> None:
    """Print what a run will do: components, their steps, order, exchanges, files."""
    config, plan = prepared.loaded.config, prepared.plan
    time = config.time
    console.print(f"{prepared.loaded.document.path}: sound")
    console.print(
        f"time: {time.start:%Y-%m-%dT%H:%M} to {time.end:%Y-%m-%dT%H:%M} UTC, {time.steps} steps of "
        f"{describe(time.step)}"
    )
    if plan.mask is not None:
        console.print(f"cells: {int(plan.mask.sum())} of {plan.mask.size} take part")
    for i, name in enumerate(plan.order, 1):
        component = prepared.components[name]
        own = describe(timedelta(seconds=component.time_step))
        console.print(
            f"{i}. {name}: {component.bmi.get_component_name()} "
            f"({config.components[name].class_path}), step {own}, {config.components[name].config}"
        )
        for change in prepared.changes[name]:
            console.print(f"     {change}")
        for x in plan.incoming[name]:
            console.print(f"     takes {x}")
    for o in config.output:
        console.print(
            f"writes {o.file} every {describe(o.every)} ({o.method}): " + ", ".join(map(str, o.variables)), markup=False
        )
    for notice in plan.notices:
        console.print(f"note: {notice}")


def _report(summary: Summary, folder: Path) -> None:
    total = sum(summary.seconds.values())
    log.info("%.0f model hours in %.1f s (%.1f h/s)", summary.model_hours, total, summary.model_hours / total)
    for name, seconds in summary.seconds.items():
        log.info(
            "  %-12s %9.2f s  %8.4f s per step  %5.1f %%",
            name,
            seconds,
            seconds / summary.steps,
            100.0 * seconds / total,
        )
    if summary.totals is not None:
        t = summary.totals
        log.info(
            "water balance [m3]: net source %.6g, storage change %.6g, outflow %.6g, drainage %.6g, unmet demand "
            "%.6g, residual %.3g; worst step %.2g of its turnover",
            t.source,
            t.storage_change,
            t.outflow,
            t.drainage,
            t.unmet_demand,
            t.residual,
            summary.worst_residual,
        )
    (folder / "timing.json").write_text(
        json.dumps({"model_hours": summary.model_hours, "steps": summary.steps, "seconds": summary.seconds}, indent=2)
    )


def write_states(values: States, prepared: Prepared, path: Path) -> None:
    """Write carried states as NetCDF in double precision, to start other runs from."""
    with netCDF4.Dataset(path, "w", format="NETCDF4") as data:
        data.setncatts(
            {
                "Conventions": "CF-1.11",
                "title": "state at the end of the spin-up",
                "history": f"{datetime.now(UTC).isoformat(timespec='seconds')}: bmi-run",
            }
        )
        for (name, variable), array in values.items():
            dimensions = tuple(f"{name}_{axis}" for axis in ("z", "y", "x")[3 - array.ndim :])
            for dimension, size in zip(dimensions, array.shape, strict=True):
                if dimension not in data.dimensions:
                    data.createDimension(dimension, size)
            v = data.createVariable(netcdf_name(variable), "f8", dimensions, zlib=True, shuffle=True)
            v[...] = np.ma.masked_invalid(array)
            v.setncatts({"units": prepared.components[name].units(variable), "csdms_name": variable, "component": name})
