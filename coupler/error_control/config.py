"""The section ``error_control:`` of ``coupled.yaml``."""

from __future__ import annotations

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from bmi_common.config import Config, ConfigPath
from bmi_common.durations import Duration, describe
from bmi_common.errors import ConfigError
from bmi_common.units import conversion
from coupler.component_config import ComponentConfig
from coupler.error_control.deviation import QUANTITIES

_NUMBER_AND_UNIT = re.compile(r"^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*$")


class Action(StrEnum):
    """What follows from a deviation beyond its limit."""

    WARN = "warn"
    STOP = "stop"
    RESYNC = "resync"
    SWITCH = "switch"
    AUDIT = "audit"


def _limits(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: _in_unit_of(str(name), text) for name, text in value.items()}


def _in_unit_of(name: str, text: Any) -> float:
    if name not in QUANTITIES:
        raise ValueError(f"no quantity {name!r}; there are {', '.join(QUANTITIES)}")
    wanted = QUANTITIES[name].units
    match = _NUMBER_AND_UNIT.match(str(text))
    if match is None or (not match.group(2) and wanted != "1"):
        raise ValueError(f"{name}: {text!r} must be a number with a unit, such as 0.1 {wanted}")
    try:
        change = conversion(match.group(2) or "1", wanted)
    except ConfigError as error:
        raise ValueError(f"{name}: {text!r}: {error}") from None
    value = float(match.group(1)) * change.factor + change.offset
    if not value > 0.0:
        raise ValueError(f"{name}: the limit {text!r} must be above 0")
    return value


Limits = Annotated[dict[str, float], BeforeValidator(_limits)]
"""Limits by quantity, in the units of `coupler.error_control.deviation.QUANTITIES`."""


def _some(value: dict[str, float]) -> dict[str, float]:
    if not value:
        raise ValueError(f"name at least one of {', '.join(QUANTITIES)}")
    return value


SomeLimits = Annotated[Limits, AfterValidator(_some)]


class SegmentsConfig(Config):
    """Take up the state of a reference again and again.

    Attributes
    ----------
    length : timedelta
        From one restart to the next, counted from the start of the run.
    restart_from : path or component
        Folder of a run that has written pressure head in double precision, or checkpoints, at these times; or a
        component that goes along all the time under the same sources.
    restart : {"groundwater", "all"}
        What is taken up; ``"all"``, all components, needs the checkpoints of a run.
    """

    length: Duration
    restart_from: ConfigPath | ComponentConfig
    restart: Literal["groundwater", "all"] = "groundwater"

    @model_validator(mode="after")
    def _all_needs_a_run(self) -> SegmentsConfig:
        if self.restart == "all" and isinstance(self.restart_from, ComponentConfig):
            raise ValueError("restart: all needs the folder of a run in restart_from, with its checkpoints")
        return self


class AuditConfig(Config):
    """Let physics run beside the surrogate for a window, from the same state and under the same sources.

    Attributes
    ----------
    component : ComponentConfig
        The physics.
    every, window : timedelta
        From the start of one window to the start of the next, and its length. The first starts with the run.
    thresholds : dict
        Limits of the deviation from physics, in the worst step of the window.
    free_drainage : ComponentConfig, optional
        A configuration with free drainage that goes along all the time; the surrogate must come closer to the physics
        than it does.
    action : {"warn", "stop", "resync", "switch"}
        What follows: a warning; the end of the run; the state of physics for the surrogate; physics in its place.
    come_back : bool
        With ``switch``: the surrogate goes on being tried, a window at a time, and takes over again when it passes.
    """

    component: ComponentConfig
    every: Duration
    window: Duration
    thresholds: SomeLimits
    free_drainage: ComponentConfig | None = None
    action: Literal[Action.WARN, Action.STOP, Action.RESYNC, Action.SWITCH] = Action.WARN
    come_back: bool = False

    @model_validator(mode="after")
    def _fits(self) -> AuditConfig:
        if self.window > self.every:
            raise ValueError(
                f"window: {describe(self.window)} is longer than every, {describe(self.every)}: windows would overlap"
            )
        if self.come_back and self.action is not Action.SWITCH:
            raise ValueError(f"come_back goes with action: switch only, not with {self.action}")
        return self


class ResidualConfig(Config):
    """Watch the water balance, which needs no reference.

    Attributes
    ----------
    limit : float
        Of the residual of the last steps, over the water turned over in them [-].
    over : timedelta
        How many steps count together.
    action : {"warn", "stop", "audit"}
        ``"audit"`` starts a window at once.
    """

    limit: Annotated[float, Field(gt=0)]
    over: Duration
    action: Literal[Action.WARN, Action.STOP, Action.AUDIT] = Action.WARN


class EnsembleConfig(Config):
    """Let the surrogate with other weights go along; where members part, none can be trusted.

    Attributes
    ----------
    checkpoints : list of path
        Weights of the members beside the run's own.
    limits : dict
        Of the largest deviation of a member from the run.
    action : {"warn", "stop", "audit"}
        As in `ResidualConfig`.
    """

    checkpoints: Annotated[list[ConfigPath], Field(min_length=1)]
    limits: SomeLimits
    action: Literal[Action.WARN, Action.STOP, Action.AUDIT] = Action.WARN


class ErrorControlConfig(Config):
    """What keeps an eye on the groundwater component while the run goes on."""

    segments: SegmentsConfig | None = None
    audit: AuditConfig | None = None
    residual: ResidualConfig | None = None
    ensemble: EnsembleConfig | None = None

    @model_validator(mode="after")
    def _something(self) -> ErrorControlConfig:
        if not (self.segments or self.audit or self.residual or self.ensemble):
            raise ValueError("name at least one of segments, audit, residual and ensemble")
        for key, trigger in (("residual", self.residual), ("ensemble", self.ensemble)):
            if trigger is not None and trigger.action is Action.AUDIT and self.audit is None:
                raise ValueError(f"{key}.action: audit needs the section `audit`")
        return self

    @property
    def lengths(self) -> dict[str, timedelta]:
        """Lengths of time that must be whole numbers of coupling steps, by key."""
        lengths: dict[str, timedelta] = {}
        if self.segments is not None:
            lengths["segments.length"] = self.segments.length
        if self.audit is not None:
            lengths |= {"audit.every": self.audit.every, "audit.window": self.audit.window}
        if self.residual is not None:
            lengths["residual.over"] = self.residual.over
        return lengths
