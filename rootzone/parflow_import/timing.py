"""Period, step and output of the run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from rootzone.parflow_import.definition import Definition
from rootzone.parflow_import.notices import Notes

_STEP = "TimeStep"


@dataclass(frozen=True)
class Timing:
    """Calendar of the run: hours of ParFlow's clock counted from `start` (UTC); `dump` is the output interval [h]."""

    start: datetime
    hours: int
    dump: int

    @property
    def end(self) -> datetime:
        """End of the run."""
        return self.start + timedelta(hours=self.hours)


def read_timing(definition: Definition, start: datetime, notes: Notes) -> Timing:
    """Read ``TimingInfo`` and ``TimeStep``, with hours as units of time.

    Raises
    ------
    ConfigError
        If the period is no whole number of hours.
    """
    first = definition.number("TimingInfo.StartTime", 0.0)
    last = definition.number("TimingInfo.StopTime")
    hours = last - first
    if hours < 1 or hours != int(hours):
        raise definition.error(
            "TimingInfo.StopTime", f"the run of {hours:g} h from StartTime must be a whole number of hours, at least 1"
        )
    try:
        start + timedelta(hours=hours)
    except OverflowError:
        raise definition.error("TimingInfo.StopTime", f"{hours:g} h are longer than any calendar") from None
    kind = definition.text(f"{_STEP}.Type", "Constant")
    if kind != "Constant":
        notes.refuse(f"{_STEP}.Type", f"{kind}: steps of changing length; here a step is 1 h (ignored: 1 h)")
        definition.use(*definition.below(_STEP))
    else:
        step = definition.number(f"{_STEP}.Value")
        if step != 1.0:
            notes.refuse(
                f"{_STEP}.Value",
                f"steps of {step:g} h; here a step is 1 h (ignored: 1 h). States differ by centimetres around wetting "
                "fronts",
            )
    dump = definition.number("TimingInfo.DumpInterval", 1.0)
    # a negative interval counts steps, which are hours here
    every = abs(dump) if abs(dump) >= 1 and dump == int(dump) else 1.0
    if every != abs(dump) and dump != 0.0:
        notes.notice(f"TimingInfo.DumpInterval {dump:g}: states are written every hour")
    definition.use(*definition.below("TimingInfo"))
    notes.map("TimingInfo, TimeStep", f"coupled.yaml: time, {hours:g} steps of 1 h")
    return Timing(start, int(hours), int(every))
