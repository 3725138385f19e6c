"""Carry out a prepared run and write its files."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from bmi_common.owned_folder import OwnedFolder
from bmi_common.world import current
from coupler import checkpoint, provenance, random_state
from coupler.checkpoint import Checkpoint
from coupler.component import Component
from coupler.error_control.controller import ErrorControl
from coupler.errors import RunFailed, RunInterrupted, components_named, writing
from coupler.preparation import PreparedRun
from coupler.progress import RunProgress
from coupler.run_files import RunFiles
from coupler.run_folder import step_files
from coupler.stepper import Stepper
from coupler.water_balance import Balance
from coupler.water_error import WaterError

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
        Wall time [s] by component, and of `coupler` (exchange, checks, water balance) and `output`.
    totals : Balance, optional
        Sum of the water balance of all steps, those before a restart included.
    water_error : WaterError, optional
        Water of these steps that nothing explains.
    worst_residual : float
        Largest relative residual of a step.
    """

    steps: int = 0
    model_hours: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    totals: Balance | None = None
    water_error: WaterError | None = None
    worst_residual: float = 0.0


def run(
    prepared: PreparedRun,
    folder: OwnedFolder,
    console: Console,
    record: dict[str, object],
    restart: Checkpoint | None = None,
    interrupted: Callable[[], bool] = lambda: False,
) -> Summary:
    """Carry out the run and write its files into `folder`.

    Parameters
    ----------
    prepared : PreparedRun
        The run; for a restart, as `prepare_restart` left it.
    folder : OwnedFolder
        Folder of the run.
    console : Console
        For the progress.
    record : dict
        As `provenance.collect` makes it; empty in processes that write nothing.
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
            stepper.load_state_dict(restart)
    first, coming = stepper.done, config.time.steps - stepper.done
    folder.own(*step_files(config, stepper.water_balance is not None))
    control = _control(prepared, stepper, folder.path, restart)
    attributes = provenance.attributes(record, config.title or prepared.loaded.document.path.stem) if record else {}
    with ExitStack() as stack:
        files = stack.enter_context(
            RunFiles(
                folder,
                config,
                prepared.components,
                prepared.plan.substeps,
                prepared.plan.masks,
                attributes,
                stepper.water_balance is not None,
                {} if control is None else control.columns(),
                restart,
            )
        )
        advance: Callable[[], None] = stack.enter_context(
            RunProgress(config.title or "run", coming, config.time.step, console)
        )
        under_way = _UnderWay(prepared, stepper, files, folder, control)
        begin = time.perf_counter()
        for component in under_way.all_components:
            component.seconds = 0.0
        for _ in range(coming):
            under_way.step()
            advance()
            if current().any(interrupted()) and stepper.done < config.time.steps:
                under_way.stop()
        total = time.perf_counter() - begin
    return Summary(
        steps=stepper.done - first,
        model_hours=(stepper.done - first) * config.time.step / timedelta(hours=1),
        seconds=under_way.shares(total),
        totals=stepper.water_balance.totals if stepper.water_balance else None,
        water_error=stepper.water_balance.water_error if stepper.water_balance else None,
        worst_residual=stepper.worst_residual,
    )


def _control(prepared: PreparedRun, stepper: Stepper, folder: Path, restart: Checkpoint | None) -> ErrorControl | None:
    setup, config = prepared.error_control, prepared.loaded.config
    if setup is None:
        return None
    assert stepper.water_balance is not None  # there is no error control without one
    mask, time = prepared.plan.masks[stepper.water_balance.component.name], config.time
    control = ErrorControl(setup, prepared.components, stepper.water_balance, mask, time.start, time.step, folder)
    if restart is None:
        control.begin()
    else:
        with checkpoint.understood(restart.folder):
            control.load_state_dict(restart.run["error_control"])
    return control


class _UnderWay:
    """A run between its first step and its last: what steps, what watches, what writes."""

    def __init__(
        self,
        prepared: PreparedRun,
        stepper: Stepper,
        files: RunFiles,
        folder: OwnedFolder,
        control: ErrorControl | None,
    ) -> None:
        self._prepared, self._stepper, self._files, self._folder = prepared, stepper, files, folder
        self._control = control
        self._config = prepared.loaded.config
        self._seconds = {"output": 0.0, "checkpoint": 0.0}
        self.all_components = (*prepared.components.values(), *prepared.shadows)
        stepper.observer = self._observe

    def step(self) -> None:
        """Make a step with all that belongs to it: error control, output, a checkpoint where one is due."""
        stepper = self._stepper
        if self._control is not None:
            with stepper.told(), components_named():
                self._control.before_step(stepper.done)
        balance = stepper.step()
        with self._timed("output"):
            self._files.add_step(balance, None if stepper.water_balance is None else stepper.water_balance.water_error)
        if self._control is not None:
            self._judge(self._control, balance)
        if self._checkpoint_is_due():
            with self._timed("checkpoint"), _not_timed(self.all_components):
                self._save()

    def _observe(self, name: str) -> None:
        with self._timed("output"):
            self._files.add_substep(name)

    def stop(self) -> NoReturn:
        """End a run that was asked to, with a checkpoint where its components can save their states."""
        done = f"after {self._stepper.done} of {self._config.time.steps} steps"
        why = checkpoint.state_functions_lacking({c.name: c for c in self.all_components})
        if why is not None:
            raise RunInterrupted(f"interrupted {done}; what was written is readable, there is no checkpoint: {why}")
        if not self._checkpoint_is_due():
            self._save()
        raise RunInterrupted(f"interrupted {done}; go on with bmi-run --restart {self._folder.path}")

    def shares(self, total: float) -> dict[str, float]:
        """Wall time [s] of `total` by component and part; the coupler's is what the others leave."""
        seconds = {name: c.seconds for name, c in self._prepared.components.items()}
        if self._control is not None:
            seconds["error control"] = sum(c.seconds for c in self._prepared.shadows)
        seconds["output"] = self._seconds["output"]
        if self._config.checkpoint is not None:
            seconds["checkpoint"] = self._seconds["checkpoint"]
        seconds["coupler"] = max(total - sum(seconds.values()), 0.0)
        return seconds

    def _judge(self, control: ErrorControl, balance: Balance | None) -> None:
        with self._stepper.told():
            record, reason = control.after_step(self._stepper.done, balance)
        self._files.add_control(record)
        if reason is not None:
            raise RunFailed(f"{self._stepper.now:%Y-%m-%dT%H:%M}: {reason}")

    def _checkpoint_is_due(self) -> bool:
        """Tell whether a checkpoint belongs after the steps done: at every interval, and at the end."""
        spec, time_spec, done = self._config.checkpoint, self._config.time, self._stepper.done
        return spec is not None and (done % (spec.every // time_spec.step) == 0 or done == time_spec.steps)

    def _save(self) -> None:
        config, stepper, files = self._config, self._stepper, self._files
        contents = {
            "time": stepper.now,
            "steps": stepper.done,
            "settings": checkpoint.settings(config, self._prepared.configs),
            "run": {
                **stepper.state_dict(),
                "files": {name: asdict(position) for name, position in files.positions().items()},
                "random": random_state.state(),
                "error_control": None if self._control is None else self._control.state_dict(),
            },
        }
        with writing(self._folder.path), components_named():
            path = checkpoint.write(
                self._folder,
                1 if config.checkpoint is None else config.checkpoint.keep,
                self.all_components,
                contents,
                {**stepper.buffers(), **files.buffers()},
            )
        log.debug("wrote the checkpoint %s", path)

    @contextmanager
    def _timed(self, part: str) -> Iterator[None]:
        begin = time.perf_counter()
        yield
        self._seconds[part] += time.perf_counter() - begin


@contextmanager
def _not_timed(components: Iterable[Component]) -> Iterator[None]:
    # the time of state files is the checkpoint's
    before = {c: c.seconds for c in components}
    yield
    for component, seconds in before.items():
        component.seconds = seconds
