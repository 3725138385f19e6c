"""Prepare and carry out a run."""

from __future__ import annotations

import logging
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from bmi_common.errors import ConfigError, RootzoneError
from bmi_common.groundwater import LAYER_THICKNESS, NET_SOURCE, RUNOFF, STORAGE_VOLUME
from bmi_common.variables import Role
from coupler import provenance
from coupler.component import Component, ComponentError
from coupler.config import Action, LoadedRun, RunConfig
from coupler.durations import add_period
from coupler.exchange import Exchanger
from coupler.ledger import Balance, Ledger
from coupler.output import BalanceFile, OutputFile
from coupler.plan import Plan, make_plan
from coupler.progress import RunProgress
from coupler.staging import staged_config

log = logging.getLogger("rootzone")

States = dict[tuple[str, str], NDArray[np.float64]]


class RunFailed(RootzoneError):  # noqa: N818  # reads better where it is raised and caught
    """A run stopped while computing; the message names time, component, variable and cell."""


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
    configs: dict[str, Path]

    def finalize(self) -> None:
        """Finalize all components; a component that fails to is logged, not raised."""
        for component in self.components.values():
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
        Coupling steps done.
    model_hours : float
        Time simulated [h].
    seconds : dict
        Wall time [s] by component, and of `coupler` (exchange, checks, ledger) and `output`.
    totals : Balance, optional
        Sum of the water balance of all steps.
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
        components = {name: Component.load(name, spec.class_path) for name, spec in config.components.items()}
    _seed(config.seed)
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
        undo.pop_all()
    return Prepared(loaded, components, plan, changes, configs)


def _seed(seed: int) -> None:
    """Seed the generators that components in this process may draw from: Python's, NumPy's and PyTorch's."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # the global generator is what a component that knows no seed draws from
    torch = sys.modules.get("torch")  # not imported for runs that do not need it
    if torch is not None:
        torch.manual_seed(seed)


def _check_balance(config: RunConfig, components: Mapping[str, Component]) -> None:
    if any(Ledger.is_kept_by(c) for c in components.values()):
        return
    for key, wanted in (("checks.water_balance", config.checks.water_balance), ("spin_up", config.spin_up)):
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
        with self._told():
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
        with self._told():
            for name in self.prepared.plan.order:
                self._exchanger.step(name, start, seconds, None if self.ledger is None else self.ledger.book)
            balance = None if self.ledger is None else self.ledger.close_step()
            if balance is not None:
                self._judge(balance)
        self.done += 1
        return balance

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
    def _told(self) -> Iterator[None]:
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


def states(prepared: Prepared) -> States:
    """Copy every variable that is made by a component and can also be set: what carries a run on."""
    found: States = {}
    for name, component in prepared.components.items():
        declared = getattr(component.bmi, "variable", None)
        for variable in component.outputs:
            if callable(declared) and declared(variable).role is Role.STATE:
                found[name, variable] = component.get(variable).copy()
    return found


def put_states(prepared: Prepared, values: States) -> None:
    """Set the copies that `states` made."""
    for (name, variable), array in values.items():
        prepared.components[name].set(variable, array)


def renew(prepared: Prepared) -> None:
    """Put fresh components at the start time in place of the run's components."""
    prepared.finalize()
    for name, spec in prepared.loaded.config.components.items():
        prepared.components[name] = Component.load(name, spec.class_path)
        prepared.components[name].initialize(prepared.configs[name])


def spin_up(prepared: Prepared, console: Console) -> States:
    """Repeat the first period of the run until the groundwater storage settles.

    The groundwater state is carried from one repetition to the next; a component without a settable state, such
    as the land, starts each repetition anew from its own cold start.

    Afterwards the run has fresh components at its start, with the spun-up states.

    Returns
    -------
    dict
        The spun-up states.

    Raises
    ------
    RunFailed
        As `Stepper.step`; the message names the repetition.
    """
    config = prepared.loaded.config
    spec = config.spin_up
    if spec is None:
        raise ValueError("the run asks for no spin-up")
    end = add_period(config.time.start, spec.repeat)
    steps = (end - config.time.start) // config.time.step
    for repetition in range(1, spec.max + 1):
        stepper = Stepper(prepared, f"spin-up {repetition}, ")
        if stepper.ledger is None:
            raise ValueError("a spin-up needs a water balance")  # `prepare` has refused the run
        with RunProgress(f"spin-up {repetition} of at most {spec.max}", steps, config.time.step, console) as advance:
            for _ in range(steps):
                stepper.step()
                advance()
        totals = stepper.ledger.totals
        fraction = abs(totals.storage_change) / max(abs(totals.source), 1e-30)
        log.info(
            "spin-up %d: storage change %.6g m3 is %.3g of the net source %.6g m3 (wanted: %g)",
            repetition,
            totals.storage_change,
            fraction,
            totals.source,
            spec.until.storage_change,
        )
        carried = states(prepared)
        renew(prepared)
        put_states(prepared, carried)
        if fraction <= spec.until.storage_change:
            break
    else:
        log.warning(
            "the spin-up ended after %d repetitions with a storage change of %.3g of the net source, above %g",
            spec.max,
            fraction,
            spec.until.storage_change,
        )
    return carried


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    # a full disk: the NetCDF library raises RuntimeError, the system OSError
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise RunFailed(f"{path}: cannot be written: {error}") from error


def run(prepared: Prepared, folder: Path, console: Console, record: dict[str, object]) -> Summary:
    """Carry out the run and write its files into `folder`.

    Raises
    ------
    RunFailed
        If the run stops early; what was written until then is closed and readable.
    """
    config = prepared.loaded.config
    attributes = provenance.attributes(record, config.title or prepared.loaded.document.path.stem)
    stepper = Stepper(prepared)
    output_seconds = 0.0
    with ExitStack() as stack:
        files = [
            stack.enter_context(
                OutputFile(
                    folder, o, prepared.components, prepared.plan.mask, config.time.start, config.time.step, attributes
                )
            )
            for o in config.output
        ]
        ledger_file: BalanceFile | None = None
        if stepper.ledger is not None:
            ledger_file = BalanceFile(folder, config.time.start, config.time.step, attributes)
            stack.callback(ledger_file.close)
        advance: Callable[[], None] = stack.enter_context(
            RunProgress(config.title or "run", config.time.steps, config.time.step, console)
        )
        begin = time.perf_counter()
        for component in prepared.components.values():
            component.seconds = 0.0
        for _ in range(config.time.steps):
            balance = stepper.step()
            write_begin = time.perf_counter()
            for file in files:
                with _writing(file.path):
                    file.add_step()
            if ledger_file is not None and balance is not None:
                with _writing(ledger_file.path):
                    ledger_file.add(balance)
            output_seconds += time.perf_counter() - write_begin
            advance()
        total = time.perf_counter() - begin
    seconds = {name: c.seconds for name, c in prepared.components.items()}
    seconds["output"] = output_seconds
    seconds["coupler"] = max(total - sum(seconds.values()), 0.0)
    return Summary(
        steps=stepper.done,
        model_hours=stepper.done * config.time.step / timedelta(hours=1),
        seconds=seconds,
        totals=stepper.ledger.totals if stepper.ledger else None,
        worst_residual=stepper.worst_residual,
    )
