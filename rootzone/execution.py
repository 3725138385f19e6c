"""Runs, restarts and checks, as the command ``bmi-run`` and the functions of the package carry them out."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from bmi_common.errors import ConfigError, Mistakes, RootzoneError, errors_under
from bmi_common.folder_lock import lock_token, require_at_rest
from bmi_common.interrupts import deferred_interrupts, interrupts_kept, require_not_interrupted
from bmi_common.owned_folder import FolderOfProcessZero, OwnedFolder, listed, new_folder, read_record, taken
from bmi_common.world import current
from coupler import provenance
from coupler.checkpoint import Checkpoint, adopt, find, remove_later, run_folder_of
from coupler.config import LoadedRun, RunConfig, UnsoundRun, load_run
from coupler.errors import RunInterrupted
from coupler.inputs import inputs_of
from coupler.preparation import PreparedRun, check_components, prepare, prepare_restart
from coupler.run import Summary
from coupler.run import run as step_all
from coupler.run_folder import HOLDS, LOG, MARKER, PROVENANCE, STAGED, TIMING, all_files
from coupler.spin_up import spin_up, write_states
from rootzone.balance_text import balance_lines
from rootzone.plan_text import plan_lines
from rootzone.run_log import OtherLogs, RunLog

log = logging.getLogger("rootzone")

_SEEN_WITHIN = 10.0
"""Seconds until a new file is seen on other machines, at most."""


@interrupts_kept()
def run(file: Path, settings: Sequence[str], output: Path | None, overwrite: bool, console: Console) -> Path:
    """Carry out the run that a file describes; return its folder.

    Parameters
    ----------
    file : Path
        ``coupled.yaml``.
    settings : sequence of str
        ``key=value``, in the place of values of the file.
    output : Path, optional
        The run's folder; by default the `folder` of the file, else ``output/<name of the file>``.
    overwrite : bool
        Whether the run that the folder holds may be replaced.
    console : Console
        For messages and progress.

    Raises
    ------
    ConfigError
        For bad input; nothing was computed or overwritten.
    RunFailed, RunInterrupted
        If the run stops early; what was written until then is readable.
    """
    with tempfile.TemporaryDirectory() as staging:
        _require_alike(work="a run")
        loaded = _load(file, settings, checking=False)
        target = output or loaded.config.folder or Path("output") / file.stem
        _require_alike(folder=str(target))
        if not current().leads:
            _require_one_folder(target, _use_of_folder(loaded.config))
            _follow(loaded, Path(staging), FolderOfProcessZero(target, HOLDS), console, None)
            return target
        with new_folder(target, HOLDS, overwrite, (LOG, STAGED)) as folder:
            _require_one_folder(target, _use_of_folder(loaded.config))
            _execute(loaded, Path(staging), folder, console)
            return folder.path


@interrupts_kept()
def restart(file: Path | None, settings: Sequence[str], start: Path, console: Console) -> Path:
    """Go on with the run in the folder `start`, or from this checkpoint of one; return the run's folder.

    Without a `file` the run's own record is taken. Raises as `run` does.
    """
    with tempfile.TemporaryDirectory() as staging:
        _require_alike(work="a restart", folder=str(start))
        folder, found, loaded = _load_restart(file, settings, start, checking=False)
        if not current().leads:
            _require_one_folder(folder, "read its checkpoint")
            _follow(loaded, Path(staging), FolderOfProcessZero(folder, HOLDS), console, found)
            return folder
        with taken(folder, HOLDS) as owned:
            _require_one_folder(folder, "read its checkpoint")
            _continue(loaded, Path(staging), find(start), owned, console)
    return folder


@interrupts_kept()
def check(file: Path | None, settings: Sequence[str], start: Path | None = None) -> list[str]:
    """Resolve everything that a run, or its restart from `start`, needs; return the lines of its plan.

    Raises
    ------
    ConfigError
        With all mistakes that can be found.
    """
    with tempfile.TemporaryDirectory() as staging:
        found = None
        _require_alike(work="a check", folder=str(start))
        if start is not None:
            _, found, loaded = _load_restart(file, settings, start, checking=True)
        else:
            assert file is not None
            loaded = _load(file, settings, checking=True)
        prepared = prepare(loaded, Path(staging), _check_results)
        with _finalized(prepared):
            if found is not None:
                prepare_restart(prepared, found)
            return list(plan_lines(prepared))


def _load(file: Path, settings: Sequence[str], checking: bool) -> LoadedRun:
    try:
        loaded = load_run(file, settings)
        with errors_under(file=loaded.document.path):
            current().decompose(loaded.config.mpi.decomposition)
        current().timeout = loaded.config.mpi.timeout.total_seconds()
        _require_same_everywhere(loaded)
        return loaded
    except UnsoundRun as error:
        if not checking:
            raise
        mistakes = Mistakes()
        mistakes.note(error)
        with tempfile.TemporaryDirectory() as staging, mistakes.noted():
            check_components(error.document, Path(staging))
        mistakes.require_none()
        raise


def _require_alike(shown: bool = True, **here: str) -> None:
    """Refuse processes that share a run and were told to do different things, which are named, or `shown`, too."""
    world = current()
    if world.size == 1:
        return
    for rank, there in enumerate(world.gathered(here)):
        for what in (what for what, value in here.items() if there.get(what) != value):
            values = f" ({here[what]} and {there.get(what)})" if shown else ""
            raise ConfigError(
                f"processes {world.rank} and {rank} have another {what.replace('_', ' ')}{values}; start all of them "
                "with the same command, on the same files"
            )


def _require_same_everywhere(loaded: LoadedRun) -> None:
    """Refuse processes that share a run and have another version of the software, or read another file."""
    if current().size == 1:
        return
    files = {name: spec.config for name, spec in loaded.config.components.items() if spec.config.is_file()}
    digests = {f"file of {name}": hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
    with errors_under(file=loaded.document.path):
        _require_alike(version_of_the_software=provenance.version())
        _require_alike(shown=False, content_of_the_file=repr(loaded.document.data), **digests)


def _require_one_folder(folder: Path, use: str) -> None:
    """Refuse a folder, locked by process 0, that is another one for another process, which has a `use` for it.

    All processes call it together; an empty `use` is none.
    """
    world = current()
    if world.size == 1 or not use:
        return
    token = world.shared(lock_token(folder) if world.leads else None)
    until = time.monotonic() + _SEEN_WITHIN
    while not (seen := lock_token(folder) == token) and time.monotonic() < until:
        time.sleep(0.1)
    blind = [rank for rank, sees in enumerate(world.gathered(seen)) if not sees]
    if blind:
        raise ConfigError(
            f"{folder}: process {blind[0]} has another folder there than process 0, because it has another working "
            f"folder or disk; all processes {use}, so give a folder that all have"
        )


def _use_of_folder(config: RunConfig) -> str:
    """Say what other processes than the first do in the folder of a run; nothing without a store."""
    stores = [output.file for output in config.output if output.is_store]
    return f"write into {listed(stores)}" if stores else ""


def _load_restart(
    file: Path | None, settings: Sequence[str], start: Path, checking: bool
) -> tuple[Path, Path, LoadedRun]:
    """Return the folder of the run, the checkpoint, and the configuration."""
    folder, found = run_folder_of(start), start
    if current().leads:
        require_at_rest(folder)  # before its checkpoints are looked at, which come and go
        found = find(start)
    found = current().shared(found)
    return folder, found, _load(file or folder / MARKER, settings, checking)


def _check_results(config: RunConfig) -> None:
    """Refuse what could not be made of the run in the end."""
    if config.animation is not None:
        from rootzone.figures.animation import check_animation  # imports slowly

        check_animation(config)
    if config.report is not None:
        from rootzone.final_report import check_report  # imports slowly

        check_report(config)


def _execute(loaded: LoadedRun, staging: Path, folder: OwnedFolder, console: Console) -> None:
    prepared = prepare(loaded, staging, _check_results)
    with RunLog(folder, console) as run_log, _finalized(prepared):
        current().agree()  # that nobody refuses the run
        record = provenance.collect(loaded, prepared.components, prepared.configs, folder.path)
        folder.require_not_removed(inputs_of(loaded, prepared.configs, record["inputs"]))
        folder.require_room(all_files(loaded.config, _staged(staging)))
        folder.clear()
        run_log.open()
        stay = folder.others()
        if stay:
            log.info("in %s stays what the run has not written: %s", folder.path, listed(stay))
        _keep_record(record, staging, folder)
        _log_notices(prepared)
        if loaded.config.spin_up is not None:
            write_states(spin_up(prepared, folder, console), prepared, folder)
        _finish(prepared, folder, console, record, None)


def _follow(loaded: LoadedRun, staging: Path, folder: OwnedFolder, console: Console, checkpoint: Path | None) -> None:
    """Take part in a run, or its restart from a checkpoint, as a process that writes nothing."""
    prepared = prepare(loaded, staging, _check_results)
    with OtherLogs() as log_of_process, _finalized(prepared):
        found = None if checkpoint is None else prepare_restart(prepared, checkpoint)
        current().agree()
        if found is None and loaded.config.spin_up is not None:
            write_states(spin_up(prepared, folder, console), prepared, folder)
        with deferred_interrupts("stopping after this step") as interrupted:
            step_all(prepared, folder, console, {}, found, interrupted)
        current().collected(log_of_process.messages)


def _tell_warnings_of_others() -> None:
    for message in dict.fromkeys(m for messages in current().collected([]) or () for m in messages):
        log.warning("%s", message)


def _continue(loaded: LoadedRun, staging: Path, checkpoint: Path, folder: OwnedFolder, console: Console) -> None:
    prepared = prepare(loaded, staging, _check_results)
    with RunLog(folder, console) as run_log, _finalized(prepared):
        found = prepare_restart(prepared, checkpoint)
        current().agree()
        names = all_files(loaded.config, _staged(staging))
        collected = provenance.collect(loaded, prepared.components, prepared.configs, folder.path)
        record, changed = provenance.renew(collected, folder.path, found.folder.name)
        if read_record(folder.path) is None:
            adopt(folder, names)
        folder.require_room(names)
        run_log.open()
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
        summary = step_all(prepared, folder, console, record, restart, interrupted)
    _tell_warnings_of_others()
    _report(summary, folder)
    try:
        _show(config, folder)
    except KeyboardInterrupt:
        raise RunInterrupted("interrupted; the run is complete, but figures, film or report are missing") from None
    log.info("done; results are in %s", folder.path)


def _show(config: RunConfig, folder: OwnedFolder) -> None:
    """Draw the figures, make the film and the report that are asked for."""
    if config.figures:
        from rootzone.figures import draw  # imports slowly

        for path in draw(folder, [o.file for o in config.output]):
            log.info("drew %s", path)
    if config.animation is not None:
        from rootzone.figures.animation import write_animation  # imports slowly

        log.info("filmed %s", write_animation(config, folder))
    if config.report is not None:
        from rootzone.final_report import write_report  # imports slowly

        log.info("wrote %s", write_report(config, folder))


@contextmanager
def _finalized(prepared: PreparedRun) -> Iterator[None]:
    try:
        require_not_interrupted()
        yield
    except RootzoneError as error:
        log.debug("stopped: %s", error)  # who asked for the run tells it; the log file keeps it
        raise
    finally:
        prepared.finalize()


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
    for line in balance_lines(summary):
        log.info("%s", line)
    folder.own(TIMING)
    (folder.path / TIMING).write_text(
        json.dumps({"model_hours": summary.model_hours, "steps": summary.steps, "seconds": summary.seconds}, indent=2)
    )
