"""Prepare and carry out a run."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from bmi_common.errors import ConfigError
from bmi_common.groundwater import LAYER_THICKNESS, NET_SOURCE, RUNOFF, STORAGE_VOLUME
from bmi_common.state_file import StateArray
from coupler import checkpoint, provenance, randomness
from coupler.checkpoint import Checkpoint
from coupler.component import Component, ComponentError
from coupler.config import Action, LoadedRun, RunConfig
from coupler.continuing import FilePosition, check_file
from coupler.control.controller import ErrorControl
from coupler.control.prepared import Guard, make_guard, restore
from coupler.exchange import Exchanger
from coupler.failures import RunFailed, RunInterrupted, components_named, writing
from coupler.ledger import Balance, Ledger
from coupler.plan import Plan, make_plan
from coupler.progress import RunProgress
from coupler.run_files import RunFiles
from coupler.staging import staged_config

log = logging.getLogger("rootzone")


@dataclass
class Prepared:
    """A run whose components are initialized and whose plan is resolved.

    Attributes
    ----------
    loaded : LoadedRun
        The configuration.
    components : dict of Component
        Initialized components by name.
    plan : Plan
        Resolved exchanges.
    changes : dict
        By component, what its staged configuration adds to the user's file.
    """

    loaded: LoadedRun
    components: dict[str, Component]
    plan: Plan
    changes: dict[str, list[str]]
    configs: dict[str, Path]  # the file that each component has read
    guard: Guard | None = None  # what error control needs

    @property
    def shadows(self) -> list[Component]:
        """Components of error control."""
        return [] if self.guard is None else self.guard.components

    def finalize(self) -> None:
        """Finalize all components; a component that fails to is logged, not raised."""
        for component in (*self.components.values(), *self.shadows):
            try:
                component.finalize()
            except Exception as error:
                log.warning("%s: finalize failed: %s", component.name, error)


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


def prepare(loaded: LoadedRun, staging: Path) -> Prepared:
    """Import and initialize the components and resolve the plan.

    Raises
    ------
    ConfigError
        For anything that would keep the run from working, before anything is computed.
    """
    config = loaded.config
    with _keys_in(loaded):
        components = {name: Component.of(name, spec) for name, spec in config.components.items()}
    randomness.seed(config.seed)
    changes: dict[str, list[str]] = {}
    configs: dict[str, Path] = {}
    with ExitStack() as undo:
        for name, spec in config.components.items():
            with _keys_in(loaded):
                path, changes[name] = staged_config(name, spec, loaded.named, config.time.start, staging)
            configs[name] = path.resolve()
            try:
                components[name].initialize(configs[name])
            except ConfigError as error:
                # the user knows their own file, not the completed copy
                raise ConfigError(str(error).replace(str(configs[name]), str(spec.config))) from error
            undo.callback(components[name].finalize)
        with _keys_in(loaded):
            plan = make_plan(config, components)
            _check_balance(config, components)
            guard = _guard(loaded, components, staging)
            if config.checkpoint is not None:
                shadows = [] if guard is None else guard.components
                checkpoint.require_state_functions({**components, **{c.name: c for c in shadows}})
        undo.pop_all()
    return Prepared(loaded, components, plan, changes, configs, guard)


def prepare_restart(prepared: Prepared, folder: Path) -> Checkpoint:
    """Put a prepared run where a checkpoint was written; nothing in the run's folder is changed yet.

    Raises
    ------
    ConfigError
        If the checkpoint is damaged or belongs to another run, or an output file cannot be continued.
    """
    config = prepared.loaded.config
    found = checkpoint.read(folder)
    with checkpoint.understood(found.folder):
        with _keys_in(prepared.loaded):
            checkpoint.require_same_settings(found, config, prepared.configs)
        for name, position in found.run["files"].items():
            check_file(found.run_folder / name, FilePosition(**position))
        if prepared.guard is not None:
            restore(prepared.guard, found, prepared.components)
        checkpoint.load_states(found, prepared.components)
        randomness.restore(found.run["random"])
    return found


def _guard(loaded: LoadedRun, components: dict[str, Component], staging: Path) -> Guard | None:
    config = loaded.config
    if config.error_control is None:
        return None
    watched = next((c for c in components.values() if Ledger.is_kept_by(c)), None)
    if watched is None:
        raise ConfigError(
            "error_control: no component takes up the net source of the root zone; there is nothing to watch"
        )
    others = [name for name in components if name != watched.name]
    own = config.components[watched.name]
    return make_guard(config.error_control, config.time, watched, own, others, loaded.named, staging)


def _check_balance(config: RunConfig, components: Mapping[str, Component]) -> None:
    if any(Ledger.is_kept_by(c) for c in components.values()):
        return
    until = None if config.spin_up is None else config.spin_up.until
    for key, wanted in (("checks.water_balance", config.checks.water_balance), ("spin_up", until)):
        if wanted is not None:
            raise ConfigError(
                f"{key}: no component takes {NET_SOURCE} and publishes {STORAGE_VOLUME}, {RUNOFF} and "
                f"{LAYER_THICKNESS}, which the water balance needs"
            )


@contextmanager
def _keys_in(loaded: LoadedRun) -> Iterator[None]:
    # the plan names keys of coupled.yaml; put file and line before them
    try:
        yield
    except ConfigError as error:
        key, colon, message = str(error).partition(": ")
        position = tuple(int(p) if p.isdigit() else p for p in key.split("."))
        if colon and position[0] in type(loaded.config).model_fields:
            raise loaded.document.error(position, message) from None
        raise ConfigError(f"{loaded.document.path}: {error}") from None


class Stepper:
    """Carries a prepared run forward, one coupling step at a time."""

    def __init__(self, prepared: Prepared, label: str = "") -> None:
        self.prepared = prepared
        self._label = label  # stands before the time in messages
        config = prepared.loaded.config
        self._step = config.time.step
        self._exchanger = Exchanger(prepared.plan, prepared.components, _limits(prepared))
        self.ledger = Ledger.of(prepared.components, prepared.plan)
        self._balance_check = config.checks.water_balance
        self.done = 0
        self.worst_residual = 0.0
        with self.told():
            for incoming in prepared.plan.incoming.values():
                for x in incoming:
                    if x.lagged:  # taken before its component has made a step
                        self._exchanger.check(x.source.component, [x.source.variable])

    @property
    def now(self) -> datetime:
        """Calendar time (UTC) at the start of the step that comes next."""
        return self.prepared.loaded.config.time.start + self._step * self.done

    def step(self) -> Balance | None:
        """Do one coupling step and return its water balance.

        Raises
        ------
        RunFailed
            If a component fails, a guard trips, or the water balance is off and the check says stop.
        """
        seconds = self._step.total_seconds()
        start = seconds * self.done
        with self.told():
            for name in self.prepared.plan.order:
                self._exchanger.step(name, start, seconds, None if self.ledger is None else self.ledger.book)
            balance = None if self.ledger is None else self.ledger.close_step()
            if balance is not None:
                self._judge(balance)
        self.done += 1
        return balance

    def memory(self) -> dict[str, Any]:
        """Return what the coming steps depend on beside components and exchange, as values that JSON can hold."""
        kept = None if self.ledger is None else self.ledger.memory()
        return {"worst_residual": self.worst_residual, "ledger": kept}

    def buffers(self) -> dict[str, StateArray]:
        """Return the values in transit between components."""
        return self._exchanger.memory()

    def recall(self, found: Checkpoint) -> None:
        """Go on from a checkpoint whose components have their states already."""
        self.done = found.steps
        self.worst_residual = float(found.run["worst_residual"])
        self._exchanger.recall(found.buffers)
        if self.ledger is not None:
            self.ledger.recall(found.run["ledger"])

    def _judge(self, balance: Balance) -> None:
        relative = balance.relative_residual
        self.worst_residual = max(self.worst_residual, relative)
        check = self._balance_check
        if check is None or relative <= check.tolerance:
            return
        message = (
            f"water balance: {balance.residual:.6g} m3 of {balance.turnover:.6g} m3 turned over are not explained "
            f"({relative:.3g} > {check.tolerance:g})"
        )
        if check.action is Action.STOP:
            raise ComponentError(message)
        log.warning("%s%s: %s", self._label, f"{self.now:%Y-%m-%dT%H:%M}", message)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Let the failure of a component end the run, with the time of the coming step."""
        try:
            yield
        except ComponentError as error:
            hours = (self.now - self.prepared.loaded.config.time.start) / timedelta(hours=1)
            raise RunFailed(f"{self._label}{self.now:%Y-%m-%dT%H:%M} (hour {hours:g}): {error}") from error


def _limits(prepared: Prepared) -> dict[tuple[str, str], tuple[float, float]]:
    """Return the allowed range of every guarded variable: what is exchanged, what is written, what the user names.

    What a component writes but hands to nobody is guarded only where it says which cells take part: elsewhere a
    missing value may be meant.
    """
    config, components = prepared.loaded.config, prepared.components
    limits: dict[tuple[str, str], tuple[float, float]] = {}
    written = [v for o in config.output for v in o.variables if v.variable in components[v.component].outputs]
    written = [v for v in written if components[v.component].mask is not None]
    exchanged = [x.source for incoming in prepared.plan.incoming.values() for x in incoming]
    for end in (*written, *exchanged):
        declared = getattr(components[end.component].bmi, "variable", None)
        known = getattr(declared(end.variable), "valid_range", None) if callable(declared) else None
        limits[end.component, end.variable] = known or (-np.inf, np.inf)
    for key, value in config.checks.ranges.items():
        component, _, variable = key.partition(".")
        limits[component, variable] = value
    return limits


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
