"""Values that follow a time cycle of ParFlow: ``Cycle``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rootzone.parflow_import.definition import Definition


def read_cycle(definition: Definition, key: str, value: Callable[[str], float]) -> list[dict[str, float]]:
    """Intervals of a cycle and their values, as `cycle:` of a rate has them.

    Parameters
    ----------
    definition : Definition
        The run.
    key : str
        Key that names the cycle.
    value : callable
        Value in an interval, by its name.

    Raises
    ------
    ConfigError
        For a cycle without intervals, or intervals without a length.
    """
    cycle = definition.text(key)
    names = definition.names(f"Cycle.{cycle}.Names")
    if not names:
        raise definition.error(f"Cycle.{cycle}.Names", "the cycle has no interval")
    unit = definition.number("TimingInfo.BaseUnit", 1.0)
    entries = []
    for name in names:
        rate = value(name)
        hours = unit * definition.integer(f"Cycle.{cycle}.{name}.Length")
        if hours <= 0:
            raise definition.error(f"Cycle.{cycle}.{name}.Length", f"must be above 0, got {hours:g}")
        entries.append({"hours": float(f"{hours:.12g}"), "rate": rate})
    return entries


def rate_of(definition: Definition, key: str, entries: list[dict[str, float]]) -> Any:
    """Write the intervals of the cycle that a key names as a rate of the configuration; if all are equal, a number."""
    first = entries[0]["rate"]
    if all(entry["rate"] == first for entry in entries):
        return first
    repeat = definition.integer(f"Cycle.{definition.text(key)}.Repeat", -1)
    return {"cycle": entries, "repeat": True if repeat < 0 else repeat if repeat > 0 else False}
