"""Values that follow a time cycle of ParFlow: ``Cycle``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isclose
from typing import Any

from rootzone.parflow_import.definition import Definition
from rootzone.parflow_import.notices import Notes


def read_cycle(definition: Definition, key: str, value: Callable[[str], Any]) -> list[dict[str, Any]]:
    """Intervals of a cycle and their values, as `cycle:` of a rate has them.

    Parameters
    ----------
    definition : Definition
        The run.
    key : str
        Key that names the cycle.
    value : callable
        Value in an interval, by its name: a number, or what a configuration says for a map.

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


def rate_of(definition: Definition, key: str, entries: list[dict[str, Any]]) -> Any:
    """Write the intervals of the cycle that a key names as a rate of the configuration; if all are equal, a number.

    ParFlow counts the intervals from the start of the run, but the passes from time 0 of its clock; after the last pass
    the last value holds.
    """
    last = entries[-1]["rate"]
    if all(entry["rate"] == last for entry in entries):
        return last
    repeat = definition.integer(f"Cycle.{definition.text(key)}.Repeat", -1)
    if repeat < 0:
        return {"cycle": entries, "repeat": True}
    before = definition.number("TimingInfo.StartTime", 0.0)
    length = sum(entry["hours"] for entry in entries)
    remaining = repeat * length - before
    if remaining <= 0.0:
        return last
    if before == 0.0:
        return {"cycle": entries, "repeat": repeat}
    written: list[dict[str, Any]] = []
    while remaining > 0.0:
        entry = entries[len(written) % len(entries)]
        written.append({**entry, "hours": min(entry["hours"], float(f"{remaining:.12g}"))})
        remaining -= entry["hours"]
    return {"cycle": [*written, {"hours": length, "rate": last}], "repeat": False}


def note_cycles(definition: Definition, groundwater: Mapping[str, Any], step: float, notes: Notes) -> None:
    """Say where rates of ``groundwater.yaml`` change at another time than in ParFlow, with steps of `step` [h]."""
    parts = [groundwater.get("surface", {}), *groundwater.get("boundaries", []), *groundwater.get("wells", [])]
    rates = [part.get(key) for part in parts for key in ("flux", "head", "rate")]
    cycles = [rate["cycle"] for rate in rates if isinstance(rate, dict) and "cycle" in rate]
    if not cycles:
        return
    unit = definition.number("TimingInfo.BaseUnit", 1.0)
    if step < unit and not isclose(step, unit):
        notes.notice(
            f"Cycle: ParFlow takes the value of a step from the whole units of time (TimingInfo.BaseUnit {unit:g} h) "
            f"that have passed at its end; with steps of {step:g} h every interval begins {unit - step:g} h late "
            "there, here on time"
        )
    elif any(not isclose(e["hours"] / step, round(e["hours"] / step), abs_tol=1e-9) for c in cycles for e in c):
        notes.notice(
            f"Cycle: intervals end within steps of {step:g} h, which ParFlow cuts there; here a step takes the mean of "
            "the values over it"
        )
