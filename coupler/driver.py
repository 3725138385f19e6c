"""Carry out a prepared run and write its files."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from bmi_common.errors import ConfigError
from coupler import checkpoint, provenance, randomness
from coupler.checkpoint import Checkpoint
from coupler.component import Component
from coupler.config import RunConfig
from coupler.control.controller import ErrorControl
from coupler.failures import RunFailed, RunInterrupted, components_named, writing
from coupler.ledger import Balance
from coupler.preparation import Prepared
from coupler.progress import RunProgress
from coupler.run_files import RunFiles
from coupler.stepper import Stepper

log = logging.getLogger("rootzone")


@dataclass
class Summary:
    """Figures of a finished run.

    Attributes
    ----------
    steps : int
        Coupling steps done, without those before a restart.
    model_hours : float
        Time simulated [h].
    seconds : dict
        Wall time [s] by component, and of `coupler` (exchange, checks, ledger) and `output`.
    totals : Balance, optional
        Sum of the water balance of all steps, those before a restart included.
    worst_residual : float
        Largest relative residual of a step.
    """

    steps: int = 0
    model_hours: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    totals: Balance | None = None
    worst_residual: float = 0.0


def run(
    prepared: Prepared,
    folder: Path,
    console: Console,
    record: dict[str, object],
    restart: Checkpoint | None = None,
    interrupted: Callable[[], bool] = lambda: False,
) -> Summary:
    """Carry out the run and write its files into `folder`.

    Parameters
    ----------
    prepared : Prepared
        The run; for a restart, as `prepare_restart` left it.
    folder : Path
        Folder of the run.
    console : Console
        For the progress.
    record : dict
        As `provenance.collect` makes it.
    restart : Checkpoint, optional
        Where to go on.
    interrupted : callable
        Asked after every step whether the run is to stop.

    Raises
    ------
    RunFailed
        If the run stops early; what was written until then is closed and readable.
    RunInterrupted
        If it was asked to stop; there is a checkpoint where the components can save their states.
    """
    config = prepared.loaded.config
    stepper = Stepper(prepared)
    if restart is not None:
        with checkpoint.understood(restart.folder):
            stepper.recall(restart)
    first = stepper.done
    control = _control(prepared, stepper, folder, restart)
    attributes = provenance.attributes(record, config.title or prepared.loaded.document.path.stem)
    output_seconds = checkpoint_seconds = 0.0
    with ExitStack() as stack:
        files = stack.enter_context(
            RunFiles(
                folder,
                config,
                prepared.components,
                prepared.plan.mask,
                attributes,
                stepper.ledger is not None,
                {} if control is None else control.columns(),
                restart,
            )
        )
        advance: Callable[[], None] = stack.enter_context(
            RunProgress(config.title or "run", config.time.steps - first, config.time.step, console)
        )
        begin = time.perf_counter()
        for component in (*prepared.components.values(), *prepared.shadows):
            component.seconds = 0.0
        for _ in range(config.time.steps - first):
            if control is not None:
                with stepper.told(), components_named():
                    control.before_step(stepper.done)
            balance = stepper.step()
            write_begin = time.perf_counter()
            files.add_step(balance)
            output_seconds += time.perf_counter() - write_begin
            if control is not None:
                _judge(control, stepper, files, balance)
            if _is_due(config, stepper.done):
                save_begin = time.perf_counter()
                with _not_timed((*prepared.components.values(), *prepared.shadows)):
                    _save(prepared, stepper, files, folder, control)
                checkpoint_seconds += time.perf_counter() - save_begin
            advance()
            if interrupted() and stepper.done < config.time.steps:
                _stop(prepared, stepper, files, folder, control)
        total = time.perf_counter() - begin
    seconds = {name: c.seconds for name, c in prepared.components.items()}
    if control is not None:
        seconds["error control"] = sum(c.seconds for c in prepared.shadows)
    seconds["output"] = output_seconds
    if config.checkpoint is not None:
        seconds["checkpoint"] = checkpoint_seconds
    seconds["coupler"] = max(total - sum(seconds.values()), 0.0)
    return Summary(
        steps=stepper.done - first,
        model_hours=(stepper.done - first) * config.time.step / timedelta(hours=1),
        seconds=seconds,
        totals=stepper.ledger.totals if stepper.ledger else None,
        worst_residual=stepper.worst_residual,
    )


def _control(prepared: Prepared, stepper: Stepper, folder: Path, restart: Checkpoint | None) -> ErrorControl | None:
    guard, config = prepared.guard, prepared.loaded.config
    if guard is None:
        return None
    assert stepper.ledger is not None  # there is no guard without one
    mask, time = prepared.plan.mask, config.time
    control = ErrorControl(guard, prepared.components, stepper.ledger, mask, time.start, time.step, folder)
    if restart is None:
        control.begin()
    else:
        with checkpoint.understood(restart.folder):
            control.recall(restart.run["error_control"])
    return control


def _judge(control: ErrorControl, stepper: Stepper, files: RunFiles, balance: Balance | None) -> None:
    with stepper.told():
        record, reason = control.after_step(stepper.done, balance)
    files.add_control(record)
    if reason is not None:
        raise RunFailed(f"{stepper.now:%Y-%m-%dT%H:%M}: {reason}")


def _stop(prepared: Prepared, stepper: Stepper, files: RunFiles, folder: Path, control: ErrorControl | None) -> None:
    """End a run that was asked to, with a checkpoint where its components can save their states."""
    done = f"after {stepper.done} of {prepared.loaded.config.time.steps} steps"
    try:
        checkpoint.require_state_functions({c.name: c for c in (*prepared.components.values(), *prepared.shadows)})
    except ConfigError as error:
        reason = str(error).removeprefix("checkpoint: ").split(";")[0]
        raise RunInterrupted(
            f"interrupted {done}; what was written is readable, there is no checkpoint: {reason}"
        ) from None
    if not _is_due(prepared.loaded.config, stepper.done):
        _save(prepared, stepper, files, folder, control)
    raise RunInterrupted(f"interrupted {done}; go on with bmi-run --restart {folder}")


def _is_due(config: RunConfig, done: int) -> bool:
    """Tell whether a checkpoint belongs after `done` steps: at every interval, and at the end."""
    spec = config.checkpoint
    return spec is not None and (done % (spec.every // config.time.step) == 0 or done == config.time.steps)


def _save(prepared: Prepared, stepper: Stepper, files: RunFiles, folder: Path, control: ErrorControl | None) -> None:
    config = prepared.loaded.config
    contents = {
        "time": stepper.now,
        "steps": stepper.done,
        "settings": checkpoint.settings(config, prepared.configs),
        "run": {
            **stepper.memory(),
            "files": {name: asdict(position) for name, position in files.positions().items()},
            "random": randomness.state(),
            "error_control": None if control is None else control.memory(),
        },
    }
    with writing(folder), components_named():
        path = checkpoint.write(
            folder,
            1 if config.checkpoint is None else config.checkpoint.keep,
            [*prepared.components.values(), *prepared.shadows],
            contents,
            {**stepper.buffers(), **files.buffers()},
        )
    log.debug("wrote the checkpoint %s", path)


@contextmanager
def _not_timed(components: Iterable[Component]) -> Iterator[None]:
    # the time of state files is the checkpoint's
    before = {c: c.seconds for c in components}
    yield
    for component, seconds in before.items():
        component.seconds = seconds
