"""Period, step and output of the run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil, floor, isclose
from typing import Final

from bmi_common.durations import describe
from bmi_common.errors import ConfigError
from rootzone.parflow_import.definition import Definition
from rootzone.parflow_import.notices import Notes

_STEP: Final = "TimeStep"
_STOP: Final = "TimingInfo.StopTime"
_DUMP: Final = "TimingInfo.DumpInterval"
_MOST_STEPS: Final = 10**8
_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Timing:
    """Calendar of the run, with hours as ParFlow's units of time.

    Attributes
    ----------
    start : datetime
        Time (UTC) at which ParFlow's clock begins.
    steps : int
        Steps of the coupler.
    step : timedelta
        Length of such a step.
    groundwater_step : float
        Length of a step of the groundwater [h], which divides `step`.
    dump : int
        Steps from one output of the states to the next.
    """

    start: datetime
    steps: int
    step: timedelta
    groundwater_step: float
    dump: int

    @property
    def end(self) -> datetime:
        """End of the run."""
        return self.start + self.steps * self.step

    @property
    def written_step(self) -> str:
        """The step as YAML has it."""
        return describe(self.step)

    @property
    def written_dump(self) -> str:
        """The interval of the states as YAML has it."""
        return describe(self.dump * self.step)

    @property
    def hours_of_step(self) -> float:
        """Length of a coupling step [h]."""
        return self.groundwater_step if self.step != _HOUR else 1.0

    @property
    def groundwater_steps(self) -> int:
        """Steps of the groundwater, which are those of ParFlow."""
        return round(self.steps * self.hours_of_step / self.groundwater_step)

    def shortened(self, steps: int) -> Timing:
        """Return the same with so many steps at most."""
        steps = min(steps, self.steps)
        return replace(self, steps=steps, dump=min(self.dump, steps))


def read_timing(
    definition: Definition, start: datetime, reuse: int | None, period: float | None, notes: Notes
) -> Timing:
    """Read ``TimingInfo`` and ``TimeStep``, with hours as units of time.

    Parameters
    ----------
    definition : Definition
        The run.
    start : datetime
        Time (UTC) at which it begins.
    reuse : int, optional
        With a land component, steps of ParFlow for a record of the weather; the land makes a step of 1 h for them.
    period : float, optional
        Length of the run [h] that the user asks for.
    notes : Notes
        Takes notices.

    Raises
    ------
    ConfigError
        If the period or the step is none, or, with a land component, these steps are not 1 h.
    """
    first = definition.number("TimingInfo.StartTime", 0.0)
    hours = definition.number(_STOP) - first
    if hours <= 0:
        raise definition.error(_STOP, f"must be after StartTime, {first:g} h")
    if period is not None:
        notes.notice(f"TimingInfo.StopTime: the run of {hours:g} h is made one of {period:g} h, as asked")
        hours = period
    end_key = _STOP if period is None else "--period"
    try:
        start + timedelta(hours=hours)
    except OverflowError:
        raise _error(definition, end_key, f"{hours:g} h are longer than any calendar") from None
    dump = definition.number(_DUMP, 1.0)
    own, growth = _step(definition, hours)
    lengths = {_step_key(definition): own, end_key: hours}
    if dump > 0:
        lengths[_DUMP] = dump
    # ParFlow cuts the steps so that one ends with the run, and one with each output
    key = min(lengths, key=lambda key: lengths[key])
    step = lengths[key]
    count = _whole_steps(hours, step)
    if count > _MOST_STEPS:
        raise _error(
            definition, key, f"{count} steps of {step:g} h in {hours:g} h; at most {_MOST_STEPS:g} are possible"
        )
    length = timedelta(hours=step)
    if length <= timedelta(0):
        raise _error(definition, key, f"{step:g} h is shorter than a microsecond")
    definition.use(*definition.below("TimingInfo"))
    if reuse is not None:
        length, count = _with_land(definition, key, step, count, reuse, notes)
    elif not isclose(length / _HOUR, step, rel_tol=1e-12):  # the calendar has whole microseconds
        step = length / _HOUR
        count = _whole_steps(hours, step)
    if growth is not None:
        notes.notice(
            f"{_STEP}.Type is Growth: {growth}; here all {count} steps are {describe(length)}. Around wetting fronts, "
            "heads differ by what the steps' error differs"
        )
    if count * length != timedelta(hours=hours):
        notes.notice(
            f"TimingInfo.StopTime: {hours:.12g} h are not a whole number of steps of {describe(length)}; the run ends "
            f"after {count} of them, {count * length / _HOUR:.15g} h"
        )
    every = abs(dump) if dump < 0 else dump / (length / _HOUR)
    whole = max(1, round(every))
    if dump != 0.0 and not isclose(whole, every, rel_tol=1e-6):
        notes.notice(f"TimingInfo.DumpInterval {dump:g}: states are written every {describe(whole * length)}")
    notes.map("TimingInfo, TimeStep", "coupled.yaml", "time", how=f": {count} steps of {describe(length)}")
    return Timing(start, count, length, step, min(whole, count))


def _whole_steps(hours: float, step: float) -> int:
    """Return how many steps of a length fill a period, up to rounding, or fit into it."""
    count = hours / step
    return round(count) if isclose(count, round(count), rel_tol=1e-9) else floor(count)


def _error(definition: Definition, key: str, message: str) -> ConfigError:
    """Return the mistake of a key of the definition, or of an option of the command line."""
    return ConfigError(f"{key}: {message}") if key.startswith("--") else definition.error(key, message)


def _step_key(definition: Definition) -> str:
    """Key that the length of the steps is wrong by, if it is."""
    return f"{_STEP}.{'Value' if definition.text(f'{_STEP}.Type', 'Constant') == 'Constant' else 'Type'}"


def _step(definition: Definition, hours: float) -> tuple[float, str | None]:
    """Return the length of ParFlow's steps [h]; steps that grow become as many of one length, and it is said how."""
    if definition.choice(f"{_STEP}.Type", ("Constant", "Growth"), "Constant") == "Constant":
        step = definition.number(f"{_STEP}.Value")
        if step <= 0:
            raise definition.error(f"{_STEP}.Value", f"must be above 0, got {step:g}")
        return step, None
    own = {name: definition.number(f"{_STEP}.{name}") for name in ("InitialStep", "GrowthFactor", "MaxStep")}
    definition.use(*definition.below(_STEP))
    for name, value in own.items():
        if value <= 0:
            raise definition.error(f"{_STEP}.{name}", f"must be above 0, got {value:g}")
    time, step, count = 0.0, own["InitialStep"], 0
    while time < hours and count < _MOST_STEPS / 100:
        time, count = time + step, count + 1
        following = min(own["GrowthFactor"] * step, own["MaxStep"])
        if following == step:  # from here on they stay
            count += max(0, ceil((hours - time) / step - 1e-9))
            break
        step = following
    if own["GrowthFactor"] == 1.0:
        return hours / count, None
    return hours / count, f"ParFlow's {count} steps grow from {own['InitialStep']:g} to {step:g} h"


def _with_land(
    definition: Definition, key: str, step: float, count: int, reuse: int, notes: Notes
) -> tuple[timedelta, int]:
    """Return length [h] and number of the land's steps; `key` is what gives the groundwater's steps their length."""
    own = key.startswith(_STEP)
    if not own and step < 1.0 / reuse:
        what = "states are written every" if key == _DUMP else "the run lasts"
        raise _error(definition, key, f"{what} {step:g} h; with a land component it must be at least 1 h")
    if own and reuse != 1:
        key = "Solver.CLM.ReuseCount"
    if not isclose(step * reuse, 1.0, rel_tol=1e-9):
        raise definition.error(
            key,
            f"{reuse} steps of {step:g} h use one record of the weather; with a land component that must be 1 h",
        )
    if reuse > 1:
        notes.notice(
            f"{key}: the groundwater makes {reuse} steps of {step:g} h in an hour, as in ParFlow; the land makes one, "
            "where ParFlow-CLM makes as many as the groundwater"
        )
    if count < reuse:
        raise definition.error(_STOP, "the run is shorter than the land's step of 1 h")
    return _HOUR, count // reuse
