"""Command line: ``bmi-run``."""

from __future__ import annotations

import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from bmi_common.errors import ConfigError, RootzoneError
from bmi_common.interrupts import deferred_interrupts
from coupler import provenance
from coupler.checkpoint import Checkpoint, find, remove_later
from coupler.config import STATE_FILE, LoadedRun, load_run
from coupler.control.words import intentions
from coupler.driver import Summary, run
from coupler.durations import describe
from coupler.failures import RunInterrupted
from coupler.figures import draw
from coupler.parflow_import import import_run
from coupler.preparation import Prepared, prepare, prepare_restart
from coupler.run_folder import MARKER, check_folder, claim_folder
from coupler.spin_up import spin_up, write_states
from coupler.warning_log import keeping_warnings, log_warnings

log = logging.getLogger("rootzone")

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="COUPLED.YAML", required=False)
@click.option("--check", is_flag=True, help="Resolve everything and print the exchange plan without running.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Replace a value of the file; repeatable.")
@click.option("--output", type=click.Path(path_type=Path), metavar="DIR", help="Run folder [default: output/<name>].")
@click.option("--overwrite", is_flag=True, help="Replace the run that the folder holds.")
@click.option(
    "--restart",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Go on with the run in this folder from its newest checkpoint, or from this checkpoint, in the same folder.",
)
@click.option(
    "--from-parflow",
    "definition",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Make a run of this ParFlow run definition (.pfidb, .yaml) in the folder of --output.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="KEY",
    help="With --from-parflow: leave out what this key means; repeatable.",
)
@click.version_option(package_name="rootzone")
@keeping_warnings
def main(
    file: Path | None,
    check: bool,
    settings: tuple[str, ...],
    output: Path | None,
    overwrite: bool,
    restart: Path | None,
    definition: Path | None,
    ignore: tuple[str, ...],
) -> None:
    """Step the BMI components of COUPLED.YAML together.

    With --restart the file may be left out; the run's own record is taken then. With --from-parflow nothing is
    stepped: the run is made, to be looked at and started.

    An interrupt (Ctrl-C) or a termination ends a run after the step under way, with a checkpoint to go on from.

    Exit codes: 0 done, 1 failed while running, 2 bad input (nothing was computed or overwritten), 130 interrupted.
    """
    console = _console(stderr=True)
    with _exit_codes(console):
        if definition is not None:
            if file is not None or check or settings or restart is not None:
                raise ConfigError("--from-parflow goes with --output, --overwrite and --ignore only")
            _import(definition, output, ignore, overwrite, console)
            return
        if ignore:
            raise ConfigError("--ignore goes with --from-parflow only")
        found = None if restart is None else _checkpoint(restart, output, overwrite)
        if file is None and found is not None:
            file = found.parent.parent / MARKER
        if file is None:
            raise ConfigError("give the file of a run, or --restart and the folder of one")
        loaded = load_run(file, settings)
        if loaded.config.report is not None:
            from coupler.evaluate.at_end import check_report  # imports slowly

            check_report(loaded.config)
        with tempfile.TemporaryDirectory() as staging:
            if check:
                _check(loaded, Path(staging), found)
            elif found is not None:
                _continue(loaded, Path(staging), found, console)
            else:
                folder = output or Path("output") / file.stem
                check_folder(folder, overwrite)
                _execute(loaded, Path(staging), folder, console)


@contextmanager
def _exit_codes(console: Console) -> Iterator[None]:
    """End the process with one message and the code that belongs to what has gone wrong."""
    try:
        yield
        return
    except ConfigError as error:
        message, code = str(error), EXIT_BAD_INPUT
    except RunInterrupted as error:
        message, code = str(error), EXIT_INTERRUPTED
    except RootzoneError as error:
        message, code = str(error), EXIT_FAILED
    except OSError as error:
        message, code = f"cannot read or write: {error}", EXIT_FAILED
    except KeyboardInterrupt:
        message, code = "interrupted; what was written until now is readable", EXIT_INTERRUPTED
    console.print(f"bmi-run: {message}", style="red")
    sys.exit(code)


def _console(stderr: bool = False) -> Console:
    # no markup and no emoji: a path or a message may hold brackets and colons
    return Console(stderr=stderr, highlight=False, soft_wrap=True, markup=False, emoji=False)


def _checkpoint(restart: Path, output: Path | None, overwrite: bool) -> Path:
    if output is not None or overwrite:
        given = "--output" if output is not None else "--overwrite"
        raise ConfigError(f"{given} does not go with --restart, which goes on in the folder of the run")
    return find(restart)


def _import(definition: Path, output: Path | None, ignore: tuple[str, ...], overwrite: bool, console: Console) -> None:
    if output is None:
        raise ConfigError("--from-parflow needs --output, the folder for the run")
    imported = import_run(definition, output, ignore, overwrite)
    for notice in imported.notes.notices:
        console.print(f"note: {notice}", style="yellow")
    for key, reason in imported.notes.ignored:
        console.print(f"left out: {key}: {reason}", style="yellow")
    console.print(f"made {imported.run}; what became of what is in {imported.run.with_name('import.md')}")


def _check(loaded: LoadedRun, staging: Path, checkpoint: Path | None) -> None:
    prepared = prepare(loaded, staging)
    try:
        if checkpoint is not None:
            prepare_restart(prepared, checkpoint)
        print_plan(prepared, _console())
    finally:
        prepared.finalize()


def _execute(loaded: LoadedRun, staging: Path, folder: Path, console: Console) -> None:
    prepared = prepare(loaded, staging)
    with _carrying_out(prepared):
        claim_folder(folder)
        _open_log(folder, console)
        record = provenance.collect(loaded, prepared.components)
        _keep_record(record, staging, folder)
        for notice in prepared.plan.notices:
            log.warning("%s", notice)
        if loaded.config.spin_up is not None:
            write_states(spin_up(prepared, folder, console), prepared, folder / STATE_FILE)
        _finish(prepared, folder, console, record, None)


def _continue(loaded: LoadedRun, staging: Path, checkpoint: Path, console: Console) -> None:
    prepared = prepare(loaded, staging)
    with _carrying_out(prepared):
        found = prepare_restart(prepared, checkpoint)
        folder = found.run_folder
        record, changed = provenance.renew(provenance.collect(loaded, prepared.components), folder, found.folder.name)
        _open_log(folder, console)
        log.info("restart from %s, after %d of %d steps", checkpoint, found.steps, loaded.config.time.steps)
        remove_later(found)
        for path in changed:
            log.warning("%s is not the file that the run began with", path)
        _keep_record(record, staging, folder)
        _finish(prepared, folder, console, record, found)


def _keep_record(record: dict[str, Any], staging: Path, folder: Path) -> None:
    if any(staging.iterdir()):
        try:
            shutil.copytree(staging, folder / "config", dirs_exist_ok=True)
        except shutil.Error as error:  # holds a list: source, target and message of every file that failed
            raise OSError(error.args[0][0][2]) from error
    provenance.write(record, folder)


def _finish(
    prepared: Prepared, folder: Path, console: Console, record: dict[str, Any], restart: Checkpoint | None
) -> None:
    config = prepared.loaded.config
    with deferred_interrupts("stopping after this step") as interrupted:
        summary = run(prepared, folder, console, record, restart, interrupted)
    _report(summary, folder)
    if config.figures:
        for path in draw(folder, [folder / o.file for o in config.output]):
            log.info("drew %s", path)
    if config.report is not None:
        from coupler.evaluate.at_end import write_report  # imports slowly

        log.info("wrote %s", write_report(config, folder))
    log.info("done; results are in %s", folder)


@contextmanager
def _carrying_out(prepared: Prepared) -> Iterator[None]:
    try:
        yield
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
    for name, component in prepared.components.items():
        if component.static:
            console.print(
                f"static: {name}: {component.bmi.get_component_name()} ({config.components[name].where}), "
                f"{config.components[name].config}"
            )
    for i, name in enumerate(plan.order, 1):
        component = prepared.components[name]
        own = describe(timedelta(seconds=component.time_step))
        console.print(
            f"{i}. {name}: {component.bmi.get_component_name()} "
            f"({config.components[name].where}), step {own}, {config.components[name].config}"
        )
        for change in prepared.changes[name]:
            console.print(f"     {change}")
        for x in plan.incoming[name]:
            console.print(f"     takes {x}")
    for o in config.output:
        console.print(
            f"writes {o.file} every {describe(o.every)} ({o.method}): " + ", ".join(map(str, o.variables)), markup=False
        )
    if config.checkpoint is not None:
        console.print(f"saves a checkpoint every {describe(config.checkpoint.every)}, keeps {config.checkpoint.keep}")
    if config.error_control is not None:
        for line in intentions(config.error_control):
            console.print(f"error control: {line}")
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
