"""Error control of a run: what happens between its steps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bmi_common.durations import describe
from bmi_common.groundwater import PRESSURE_HEAD
from bmi_common.world import current
from coupler import whole
from coupler.component import Component
from coupler.config import DECISIONS_FILE
from coupler.error_control.audit import Verdict, Window
from coupler.error_control.config import Action
from coupler.error_control.decisions import Decisions
from coupler.error_control.deviation import QUANTITIES, Comparison, exceeded
from coupler.error_control.setup import ErrorControlSetup
from coupler.error_control.triggers import Ensemble, Residual
from coupler.error_control.words import compared
from coupler.water_balance import Balance, WaterBalance

Array = NDArray[Any]
Values = dict[str, float]

_RESIDUAL = "water_balance_residual"
_IN_CHARGE = "physics_in_charge"


class ErrorControl:
    """Watches the groundwater component, and acts between the steps.

    What an audit decides is done before the next step, so that the files of the run show what the surrogate gave.

    Parameters
    ----------
    setup : ErrorControlSetup
        What the run was prepared with.
    components : mapping
        Components of the run by name.
    water_balance : WaterBalance
        Of the run.
    mask : ndarray of bool, shape (ny, nx), or None
        Cells that take part.
    start : datetime
        Calendar time (UTC) of the start of the run.
    step : timedelta
        Coupling step.
    folder : Path
        Of the run.
    """

    def __init__(
        self,
        setup: ErrorControlSetup,
        components: Mapping[str, Component],
        water_balance: WaterBalance,
        mask: NDArray[np.bool_] | None,
        start: datetime,
        step: timedelta,
        folder: Path,
    ) -> None:
        self._setup = setup
        self._components = components
        self._groundwater = water_balance.component
        self._water_balance = water_balance
        self._start, self._step = start, step
        cells = np.ones(self._groundwater.shape(PRESSURE_HEAD)[1:], dtype=bool) if mask is None else mask
        self._compare = Comparison(self._groundwater, cells)
        spec = setup.spec
        self._window = None if spec.audit is None else Window(spec.audit, step)
        self._residual = None if spec.residual is None else Residual(spec.residual, step)
        self._ensemble = None
        if spec.ensemble is not None:
            self._ensemble = Ensemble(spec.ensemble, setup.members, self._compare)
        part = self._groundwater.part
        self._decisions = Decisions(folder / DECISIONS_FILE, part is None or part.world.leads)
        self._pending: Action | str | None = None
        self._audit_wanted = False

    def begin(self) -> None:
        """Let all that go along start where the run starts."""
        for shadow in self._setup.going_along:
            shadow.take_head(self._groundwater.get(PRESSURE_HEAD))
        self._decisions.write()

    # ------------------------------------------------------------------ between the steps

    def before_step(self, done: int) -> None:
        """Do what is due after `done` steps: what an audit decided, the start of a segment, the start of a window."""
        self._carry_out()
        segments = self._setup.spec.segments
        if segments is not None and done and done % (segments.length // self._step) == 0:
            self._restart(self._time(done))
        window = self._window
        if window is None or window.open or not self._tests_surrogate:
            return
        if self._audit_wanted or window.is_due(done):
            self._audit_wanted = False
            self._physics.catch_up(self._groundwater)
            self._physics.take_head(self._groundwater.get(PRESSURE_HEAD))
            window.begin()

    def after_step(self, done: int, balance: Balance | None) -> tuple[Values, str | None]:
        """Let the others follow, and judge.

        Returns
        -------
        dict
            Values for the record of the step, by the names of `columns`.
        str or None
            Why the run is to stop.
        """
        seconds = self._step.total_seconds()
        for shadow in self._setup.going_along:
            shadow.follow(self._groundwater, seconds)
        record = dict.fromkeys(self.columns(), math.nan)
        if _IN_CHARGE in record:
            record[_IN_CHARGE] = float(self._setup.switched)
        time = self._time(done)
        reasons = [
            self._watch_balance(time, balance, record),
            self._watch_ensemble(time, record),
            self._watch_window(time, record, seconds),
        ]
        return record, next((r for r in reasons if r is not None), None)

    def _watch_balance(self, time: datetime, balance: Balance | None, record: Values) -> str | None:
        if self._residual is None or balance is None:
            return None
        spec = self._residual.spec
        record[_RESIDUAL] = found = self._residual.add(balance)
        if not self._residual.is_new(found):
            return None
        reason = f"{found:.3g} of the water turned over in {describe(spec.over)} is not explained, limit {spec.limit:g}"
        return self._act(time, "residual", spec.action, reason, {"residual": found}, {"residual": spec.limit})

    def _watch_ensemble(self, time: datetime, record: Values) -> str | None:
        if self._ensemble is None or self._setup.switched:
            return None
        spread, spec = self._ensemble.spread(self._groundwater), self._ensemble.spec
        record.update({f"ensemble_{name}": value for name, value in spread.items()})
        if not self._ensemble.is_new(spread):
            return None
        above = exceeded(spread, spec.limits)
        reason = f"a member has parted: {compared(above, spec.limits)}"
        return self._act(time, "ensemble", spec.action, reason, spread, spec.limits)

    def _watch_window(self, time: datetime, record: Values, seconds: float) -> str | None:
        window, audit = self._window, self._setup.spec.audit
        if window is None or audit is None or not window.open:
            return None
        self._physics.follow(self._groundwater, seconds)
        found = self._compare.of(self._groundwater, self._physics.component)
        record.update({f"audit_{name}": value for name, value in found.items()})
        bound = None
        if self._setup.free_drainage is not None:
            physics = self._groundwater if self._setup.switched else self._physics.component
            bound = self._compare.of(self._setup.free_drainage.component, physics)
            record.update({f"free_drainage_{name}": value for name, value in bound.items()})
        verdict = window.add(found, bound)
        if verdict is None:
            return None
        if self._setup.switched:
            action: Action | str = "return" if verdict.passed else "stay"
        else:
            action = "none" if verdict.passed else audit.action
        return self._act(time, "audit", action, _words(verdict, audit.thresholds), verdict.worst, audit.thresholds)

    def _act(
        self, time: datetime, by: str, action: Action | str, reason: str, found: Values, limits: Values
    ) -> str | None:
        self._decisions.add(time, by, str(action), reason, found=found, limits=limits)
        if action == Action.STOP:
            return f"error control: {by}: {reason}"
        if action == Action.AUDIT:
            self._audit_wanted = True
        elif action in (Action.RESYNC, Action.SWITCH, "return"):
            self._pending = action
        return None

    # ------------------------------------------------------------------ replacing the state

    def _carry_out(self) -> None:
        action, self._pending = self._pending, None
        if action is None:
            return
        if action == Action.RESYNC:
            self._put(self._physics.head)
            return
        if action == "return":
            self._physics.take_head(self._groundwater.get(PRESSURE_HEAD))
        self._setup.switch(self._groundwater)
        self._water_balance.correct()
        if self._residual is not None:
            self._residual.forget()  # of the other component

    def _restart(self, time: datetime) -> None:
        setup, segments = self._setup, self._setup.spec.segments
        assert segments is not None
        if setup.companion is not None:
            head: Array = setup.companion.head
        else:
            reference = setup.reference  # in process 0
            head = whole.window(self._groundwater.part, None if reference is None else reference.head(time))
            if segments.restart == "all":
                self._restart_others(time)
        self._put(head)
        if self._window is not None and self._window.open:
            self._physics.take_head(self._groundwater.get(PRESSURE_HEAD))
        self._decisions.add(time, "segments", "restart", f"a new segment of {describe(segments.length)}")

    def _restart_others(self, time: datetime) -> None:
        reference = self._setup.reference
        folder: Path = current().shared(None if reference is None else reference.checkpoint(time).folder)
        for name, component in self._components.items():
            if component is not self._groundwater:
                component.load_state(folder / f"{name}.nc")

    def _put(self, head: Array) -> None:
        self._groundwater.set(PRESSURE_HEAD, head)
        for member in self._setup.members:
            member.take_head(head)
        self._water_balance.correct()

    # ------------------------------------------------------------------ what it is asked

    def columns(self) -> dict[str, tuple[str, str]]:
        """Meaning and units of the values that `after_step` gives, by name."""
        spec, found = self._setup.spec, {}
        if self._residual is not None:
            over = describe(self._residual.spec.over)
            found[_RESIDUAL] = (f"water balance residual of the last {over} over the water turned over in them", "1")
        kinds = {
            "audit": spec.audit,
            "ensemble": spec.ensemble,
            "free_drainage": spec.audit and spec.audit.free_drainage,
        }
        of_kind = {
            "audit": "groundwater component against physics",
            "free_drainage": "free drainage against physics",
            "ensemble": "largest of any member against the groundwater component",
        }
        for kind, wanted in kinds.items():
            if wanted is not None:
                found |= {f"{kind}_{n}": (f"{of_kind[kind]}: {q.meaning}", q.units) for n, q in QUANTITIES.items()}
        if spec.audit is not None and spec.audit.action is Action.SWITCH:
            found[_IN_CHARGE] = ("whether physics has the place of the groundwater component", "1")
        return found

    @property
    def shadows(self) -> Iterable[Component]:
        """Components beside the run."""
        return self._setup.components

    def state_dict(self) -> dict[str, Any]:
        """Return what the coming steps depend on beside the shadows, as values that JSON can hold."""
        return {
            "watched": self._groundwater.name,
            "switched": self._setup.switched,
            "behind": self._groundwater.behind,
            "pending": None if self._pending is None else str(self._pending),
            "audit_wanted": self._audit_wanted,
            "window": None if self._window is None else self._window.state_dict(),
            "residual": None if self._residual is None else self._residual.state_dict(),
            "ensemble_raised": self._ensemble is not None and self._ensemble.raised,
            "decisions": self._decisions.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave; components have their states already."""
        self._pending = state["pending"]
        self._audit_wanted = bool(state["audit_wanted"])
        if self._window is not None:
            self._window.load_state_dict(state["window"])
        if self._residual is not None:
            self._residual.load_state_dict(state["residual"])
        if self._ensemble is not None:
            self._ensemble.raised = bool(state["ensemble_raised"])
        self._decisions.load_state_dict(state["decisions"])

    @property
    def _physics(self) -> Any:
        assert self._setup.physics is not None
        return self._setup.physics

    @property
    def _tests_surrogate(self) -> bool:
        """Whether a window makes sense: not after a switch for good."""
        audit = self._setup.spec.audit
        return not self._setup.switched or (audit is not None and audit.come_back)

    def _time(self, done: int) -> datetime:
        return self._start + self._step * done


def _words(verdict: Verdict, thresholds: Values) -> str:
    if verdict.passed:
        return f"passed: {compared({n: verdict.worst[n] for n in thresholds}, thresholds)}"
    parts = []
    if verdict.above_threshold:
        parts.append(f"beyond the threshold: {compared(verdict.above_threshold, thresholds)}")
    if verdict.above_bound:
        parts.append(f"no better than free drainage: {compared(verdict.above_bound, verdict.bound)}")
    return "; ".join(parts)
