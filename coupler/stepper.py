"""One coupling step after the other: exchange, water balance, and failures with the time they came at."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from bmi_common.state_file import StateArray
from coupler.checkpoint import Checkpoint
from coupler.component import ComponentError
from coupler.error_control.config import Action
from coupler.errors import RunFailed
from coupler.exchange import Exchanger
from coupler.preparation import PreparedRun
from coupler.water_balance import Balance, WaterBalance

log = logging.getLogger("rootzone")


class Stepper:
    """Carries a prepared run forward, one coupling step at a time."""

    def __init__(self, prepared: PreparedRun, label: str = "") -> None:
        self.prepared = prepared
        self._label = label  # stands before the time in messages
        config = prepared.loaded.config
        self._step = config.time.step
        self._exchanger = Exchanger(prepared.plan, prepared.components, _limits(prepared))
        self.water_balance = WaterBalance.of(prepared.components, prepared.plan)
        self._balance_check = config.checks.water_balance
        self.observer: Callable[[str], None] | None = None  # is told each component's step
        self.done = 0
        self.worst_residual = 0.0
        with self.told():
            for incoming in prepared.plan.incoming.values():
                for x in incoming:
                    if x.lagged or x.static:  # taken before its component has made a step
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
                self._exchanger.step(name, start, seconds, self._stepped)
            balance = None if self.water_balance is None else self.water_balance.close_step()
            if balance is not None:
                self._judge(balance)
        self.done += 1
        return balance

    def _stepped(self, name: str, seconds: float) -> None:
        if self.water_balance is not None:
            self.water_balance.book(name, seconds)
        if self.observer is not None:
            self.observer(name)

    def state_dict(self) -> dict[str, Any]:
        """Return what the coming steps depend on beside components and exchange, as values that JSON can hold."""
        kept = None if self.water_balance is None else self.water_balance.state_dict()
        return {"worst_residual": self.worst_residual, "ledger": kept}

    def buffers(self) -> dict[str, StateArray]:
        """Return the values in transit between components."""
        return self._exchanger.state_dict()

    def load_state_dict(self, found: Checkpoint) -> None:
        """Go on from a checkpoint whose components have their states already."""
        self.done = found.steps
        self.worst_residual = float(found.run["worst_residual"])
        self._exchanger.load_state_dict(found.buffers)
        if self.water_balance is not None:
            self.water_balance.load_state_dict(found.run["ledger"])

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


def _limits(prepared: PreparedRun) -> dict[tuple[str, str], tuple[float, float]]:
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
