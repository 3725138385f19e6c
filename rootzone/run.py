"""What ``bmi-run`` does; its options are in `rootzone.bmi_run`, which imports nothing that takes long."""

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
from typing import Any, NamedTuple

from rich.console import Console

from bmi_common import terminal
from bmi_common.config import require_name
from bmi_common.durations import describe
from bmi_common.errors import ConfigError, Mistakes, RootzoneError
from bmi_common.folder_lock import require_at_rest
from bmi_common.interrupts import deferred_interrupts, terminations_as_interrupts
from bmi_common.owned_folder import OwnedFolder, listed, new_folder, read_record, taken
from coupler import provenance
from coupler.checkpoint import Checkpoint, adopt, find, remove_later, run_folder_of
from coupler.config import LoadedRun, RunConfig, UnsoundRun, load_run
from coupler.error_control.words import intentions
from coupler.errors import RunInterrupted
from coupler.inputs import inputs_of
from coupler.preparation import PreparedRun, check_components, prepare, prepare_restart
from coupler.run import Summary, run
from coupler.run_folder import HOLDS, LOG, MARKER, PROVENANCE, STAGED, TIMING, all_files
from coupler.spin_up import spin_up, write_states
from coupler.warning_log import log_warnings

log = logging.getLogger("rootzone")

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


_OF_IMPORT = ("--ignore", "--period", "--clm-vegetation")


class ImportOptions(NamedTuple):
    """Options of ``--from-parflow``: keys to be left out, length of the run, parameters of ParFlow-CLM's vegetation."""

    ignore: tuple[str, ...] = ()
    period: str | None = None
    clm_vegetation: bool = False


def execute(
    file: Path | None,
    check: bool,
    settings: tuple[str, ...],
    output: Path | None,
    overwrite: bool,
    restart: Path | None,
    definition: Path | None,
    import_options: ImportOptions,
) -> None:
    """Do what the options of ``bmi-run`` ask for; report on the console.

    Raises
    ------
    SystemExit
        With the exit code of the command, unless all went well.
    """
    console = terminal.console(stderr=True)
    with _exit_codes(console), terminations_as_interrupts():
        for path in (file, output, restart, definition):
            if path is not None:
                require_name(path)
        if definition is not None:
            if file is not None or check or settings or restart is not None:
                raise ConfigError(f"--from-parflow goes with --output, --overwrite, {', '.join(_OF_IMPORT)} only")
            _import(definition, output, import_options, overwrite, console)
            return
        for option, given in zip(_OF_IMPORT, import_options, strict=True):
            if given:
                raise ConfigError(f"{option} goes with --from-parflow only")
        with tempfile.TemporaryDirectory() as staging:
            if restart is not None:
                if output is not None or overwrite:
                    given = "--output" if output is not None else "--overwrite"
                    raise ConfigError(f"{given} does not go with --restart, which goes on in the folder of the run")
                _restart(file, settings, Path(staging), restart, check, console)
            elif file is None:
                raise ConfigError("give the file of a run, or --restart and the folder of one")
            elif check:
                _check(_load(file, settings, check), Path(staging), None)
            else:
                loaded = _load(file, settings, check)
                with new_folder(output or Path("output") / file.stem, HOLDS, overwrite, (LOG, STAGED)) as folder:
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
    except MemoryError as error:
        message, code = f"does not fit into memory: {error}; what was written until now is readable", EXIT_FAILED
    except KeyboardInterrupt:
        message, code = "interrupted; what was written until now is readable", EXIT_INTERRUPTED
    console.print(f"bmi-run: {message}", style="red")
    sys.exit(code)


def _load(file: Path, settings: tuple[str, ...], check: bool) -> LoadedRun:
    try:
        return load_run(file, settings)
    except UnsoundRun as error:
        if not check:
            raise
        mistakes = Mistakes()
        mistakes.note(error)
        with tempfile.TemporaryDirectory() as staging, mistakes.noted():
            check_components(error.document, Path(staging))
        mistakes.require_none()
        raise


def _restart(
    file: Path | None, settings: tuple[str, ...], staging: Path, restart: Path, check: bool, console: Console
) -> None:
    folder = run_folder_of(restart)
    require_at_rest(folder)  # before its checkpoints are looked at, which come and go
    found = find(restart)
    loaded = _load(file or folder / MARKER, settings, check)
    if check:
        _check(loaded, staging, found)
        return
    with taken(folder, HOLDS) as owned:
        _continue(loaded, staging, find(restart), owned, console)


def _import(definition: Path, output: Path | None, options: ImportOptions, overwrite: bool, console: Console) -> None:
    if output is None:
        raise ConfigError("--from-parflow needs --output, the folder for the run")
    from rootzone.parflow_import import import_run  # imports slowly

    imported = import_run(definition, output, options.ignore, overwrite, options.period, options.clm_vegetation)
    for notice in imported.notes.notices:
        console.print(f"note: {notice}", style="yellow")
    for key, reason in imported.notes.ignored:
        console.print(f"left out: {key}: {reason}", style="yellow")
    console.print(f"made {imported.run}; what became of what is in {imported.run.with_name('import.md')}")


def _check(loaded: LoadedRun, staging: Path, checkpoint: Path | None) -> None:
    prepared = prepare(loaded, staging, _check_report)
    try:
        if checkpoint is not None:
            prepare_restart(prepared, checkpoint)
        print_plan(prepared, terminal.console())
    finally:
        prepared.finalize()


def _check_report(config: RunConfig) -> None:
    if config.report is not None:
        from rootzone.final_report import check_report  # imports slowly

        check_report(config)


def _execute(loaded: LoadedRun, staging: Path, folder: OwnedFolder, console: Console) -> None:
    prepared = prepare(loaded, staging, _check_report)
    with _carrying_out(prepared):
        record = provenance.collect(loaded, prepared.components, prepared.configs, folder.path)
        folder.require_not_removed(inputs_of(loaded, prepared.configs, record["inputs"]))
        folder.require_room(all_files(loaded.config, _staged(staging)))
        folder.clear()
        _open_log(folder, console)
        stay = folder.others()
        if stay:
            log.info("in %s stays what the run has not written: %s", folder.path, listed(stay))
        _keep_record(record, staging, folder)
        _log_notices(prepared)
        if loaded.config.spin_up is not None:
            write_states(spin_up(prepared, folder, console), prepared, folder)
        _finish(prepared, folder, console, record, None)


def _continue(loaded: LoadedRun, staging: Path, checkpoint: Path, folder: OwnedFolder, console: Console) -> None:
    prepared = prepare(loaded, staging, _check_report)
    with _carrying_out(prepared):
        found = prepare_restart(prepared, checkpoint)
        names = all_files(loaded.config, _staged(staging))
        collected = provenance.collect(loaded, prepared.components, prepared.configs, folder.path)
        record, changed = provenance.renew(collected, folder.path, found.folder.name)
        if read_record(folder.path) is None:
            adopt(folder, names)
        folder.require_room(names)
        _open_log(folder, console)
        log.info("restart from %s, after %d of %d steps", checkpoint, found.steps, loaded.config.time.steps)
        remove_later(folder, found)
        for path in changed:
            log.warning("%s is not the file that the run began with", path)
        _log_notices(prepared)
        _keep_record(record, staging, folder)
        _finish(prepared, folder, console, record, found)


def _log_notices(prepared: PreparedRun) -> None:
    for notice in prepared.plan.notices:
        log.warning("%s", notice)


def _staged(staging: Path) -> list[str]:
    return sorted(p.name for p in staging.iterdir())


def _keep_record(record: dict[str, Any], staging: Path, folder: OwnedFolder) -> None:
    names = _staged(staging)
    if names:
        folder.own(*(f"{STAGED}/{name}" for name in names))
        target = folder.path / STAGED
        target.mkdir(exist_ok=True)  # not a copy of `staging`, which is closed to others as temporary folders are
        for name in names:
            shutil.copyfile(staging / name, target / name)
    folder.own(MARKER, PROVENANCE)
    provenance.write(record, folder.path)


def _finish(
    prepared: PreparedRun, folder: OwnedFolder, console: Console, record: dict[str, Any], restart: Checkpoint | None
) -> None:
    config = prepared.loaded.config
    with deferred_interrupts("stopping after this step") as interrupted:
        summary = run(prepared, folder, console, record, restart, interrupted)
    _report(summary, folder)
    if config.figures:
        from rootzone.figures import draw  # imports slowly

        for path in draw(folder, [o.file for o in config.output]):
            log.info("drew %s", path)
    if config.report is not None:
        from rootzone.final_report import write_report  # imports slowly

        log.info("wrote %s", write_report(config, folder))
    log.info("done; results are in %s", folder.path)


@contextmanager
def _carrying_out(prepared: PreparedRun) -> Iterator[None]:
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


def _open_log(folder: OwnedFolder, console: Console) -> None:
    folder.own(LOG)
    log.setLevel(logging.DEBUG)
    to_file = logging.FileHandler(folder.path / LOG, encoding="utf-8")
    to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    for handler in (to_file, _Screen(console)):
        log.addHandler(handler)
    log.propagate = False
    log_warnings()


def _close_log() -> None:
    for handler in [*log.handlers]:
        log.removeHandler(handler)
        handler.close()


def print_plan(prepared: PreparedRun, console: Console) -> None:
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
            for change in prepared.files[name].changes:
                console.print(f"     {change}")
    for i, name in enumerate(plan.order, 1):
        component = prepared.components[name]
        own = describe(timedelta(seconds=component.time_step))
        console.print(
            f"{i}. {name}: {component.bmi.get_component_name()} "
            f"({config.components[name].where}), step {own}, {config.components[name].config}"
        )
        for change in prepared.files[name].changes:
            console.print(f"     {change}")
        for line in component.description:
            console.print(f"     {line}", markup=False)
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


def _report(summary: Summary, folder: OwnedFolder) -> None:
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
            "%.6g; %s; worst step %.2g of its turnover",
            t.source,
            t.storage_change,
            t.outflow,
            t.drainage,
            t.unmet_demand,
            summary.water_error,
            summary.worst_residual,
        )
        if any((t.extraction, t.injection, t.irrigation, t.unmet_extraction)):
            log.info(
                "wells [m3]: extraction %.6g, injection %.6g, irrigation %.6g, unmet extraction %.6g",
                t.extraction,
                t.injection,
                t.irrigation,
                t.unmet_extraction,
            )
    folder.own(TIMING)
    (folder.path / TIMING).write_text(
        json.dumps({"model_hours": summary.model_hours, "steps": summary.steps, "seconds": summary.seconds}, indent=2)
    )
