"""What ``bmi-run`` does; its options are in `rootzone.bmi_run`, which imports nothing that takes long."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from bmi_common import terminal
from bmi_common.config import require_names
from bmi_common.errors import ConfigError, RootzoneError
from bmi_common.interrupts import signals_held
from bmi_common.progress import Progress
from bmi_common.world import OtherProcessFailed, among, current, is_first, of_launcher
from coupler.errors import RunInterrupted
from coupler.warning_log import forget_warnings
from rootzone import execution
from rootzone.command_line import EXIT_BAD_INPUT, EXIT_INTERRUPTED, fail
from rootzone.run_log import on_screen

EXIT_FAILED = 1


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
    quiet: bool = False,
    verbose: bool = False,
) -> None:
    """Do what the options of ``bmi-run`` ask for; report on the console.

    `quiet` prints errors only, `verbose` all that goes to the log.

    Raises
    ------
    SystemExit
        With the exit code of the command, unless all went well.
    """
    console = terminal.console(stderr=True, quiet=quiet, verbose=verbose)
    console.quiet = console.quiet or not is_first()  # one process speaks for all that a launcher has started
    try:
        with ExitStack() as joined:
            with signals_held():  # until the others can be told
                joined.enter_context(among(of_launcher(), _told_to_others))
            _execute(file, check, settings, output, overwrite, restart, definition, import_options, console)
        return
    except BaseException as error:
        told = _explained(error)
        if told is None:
            raise
    message, code = told
    if not is_first():
        forget_warnings()
        sys.exit(code)
    terminal.console(stderr=True)  # for what the encoding of the terminal lacks
    fail("bmi-run", message, code)


def _execute(
    file: Path | None,
    check: bool,
    settings: tuple[str, ...],
    output: Path | None,
    overwrite: bool,
    restart: Path | None,
    definition: Path | None,
    import_options: ImportOptions,
    console: Console,
) -> None:
    require_names(file, output, restart, definition)
    if definition is not None:
        if file is not None or check or settings or restart is not None:
            raise ConfigError(f"--from-parflow goes with --output, --overwrite, {', '.join(_OF_IMPORT)} only")
        if current().size > 1:
            raise ConfigError("--from-parflow is the work of one process")
        _import(definition, output, import_options, overwrite, console)
        return
    for option, given in zip(_OF_IMPORT, import_options, strict=True):
        if given:
            raise ConfigError(f"{option} goes with --from-parflow only")
    if restart is not None and (output is not None or overwrite):
        option = "--output" if output is not None else "--overwrite"
        raise ConfigError(f"{option} does not go with --restart, which goes on in the folder of the run")
    if file is None and restart is None:
        raise ConfigError("give the file of a run, or --restart and the folder of one")
    if check:
        lines = execution.check(file, settings, restart)
        current().agree()
        for line in lines if current().leads else ():
            terminal.console(quiet=console.quiet).print(line)
    elif restart is not None:
        execution.restart(file, settings, restart, console)
    elif file is not None:
        execution.run(file, settings, output, overwrite, console)


def _told_to_others(error: BaseException) -> tuple[str, int]:
    """Return what the other processes of a run are told of what ends it in this one."""
    return _explained(error) or (f"{type(error).__name__}: {error}", EXIT_FAILED)


def _explained(error: BaseException) -> tuple[str, int] | None:
    """Return the message of what has gone wrong and the exit code that belongs to it; None for what is unexpected."""
    match error:
        case ConfigError():
            return str(error), EXIT_BAD_INPUT
        case OtherProcessFailed():
            return str(error), error.code
        case RunInterrupted():
            return str(error), EXIT_INTERRUPTED
        case RootzoneError():
            return str(error), EXIT_FAILED
        case OSError():
            return f"cannot read or write: {error}", EXIT_FAILED
        case MemoryError():
            return f"does not fit into memory: {error}; what was written until now is readable", EXIT_FAILED
        case KeyboardInterrupt():
            return "interrupted; what was written until now is readable", EXIT_INTERRUPTED
    return None


def _import(definition: Path, output: Path | None, options: ImportOptions, overwrite: bool, console: Console) -> None:
    if output is None:
        raise ConfigError("--from-parflow needs --output, the folder for the run")
    from rootzone.parflow_import import import_run  # imports slowly

    with on_screen(console):
        imported = import_run(
            definition,
            output,
            options.ignore,
            overwrite,
            options.period,
            options.clm_vegetation,
            Progress(console, "import"),
        )
    for notice in imported.notes.notices:
        console.print(f"note: {notice}", style="yellow")
    for key, reason in imported.notes.ignored:
        console.print(f"left out: {key}: {reason}", style="yellow")
    console.print(f"made {imported.run}; what became of what is in {imported.run.with_name('import.md')}")
