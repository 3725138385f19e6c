"""What a run will do, in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from math import prod

from bmi_common.durations import describe
from coupler.error_control.words import intentions
from coupler.preparation import PreparedRun


def plan_lines(prepared: PreparedRun) -> Iterator[str]:
    """Say what a run will do, line by line: time, cells, components in their order, exchanges, files."""
    config, plan = prepared.loaded.config, prepared.plan
    time = config.time
    yield f"{prepared.loaded.document.path}: sound"
    yield (
        f"time: {time.start:%Y-%m-%dT%H:%M} to {time.end:%Y-%m-%dT%H:%M} UTC, {time.steps} steps of "
        f"{describe(time.step)}"
    )
    part = next((c.part for c in prepared.components.values() if c.part is not None), None)
    if part is not None:
        counts = [int(count) for count in part.world.gathered(int(part.mask.sum()))]
        each = f"{len(counts)} processes have {_range(counts)} each"
        yield f"cells: {sum(counts)} of {prod(part.shape)} take part; {each}"
    elif plan.mask is not None:
        yield f"cells: {int(plan.mask.sum())} of {plan.mask.size} take part"
    for name in (n for n, component in prepared.components.items() if component.static):
        yield f"static: {_component(prepared, name)}, {config.components[name].config}"
        yield from (f"     {change}" for change in prepared.files[name].changes)
    for i, name in enumerate(plan.order, 1):
        component = prepared.components[name]
        own = describe(timedelta(seconds=component.time_step))
        yield f"{i}. {_component(prepared, name)}, step {own}, {config.components[name].config}"
        yield from (f"     {change}" for change in prepared.files[name].changes)
        yield from (f"     {line}" for line in component.description)
        yield from (f"     takes {exchange}" for exchange in plan.incoming[name])
    for o in config.output:
        yield f"writes {o.file} every {describe(o.every)} ({o.method}): " + ", ".join(map(str, o.variables))
    if config.checkpoint is not None:
        yield f"saves a checkpoint every {describe(config.checkpoint.every)}, keeps {config.checkpoint.keep}"
    if config.error_control is not None:
        yield from (f"error control: {line}" for line in intentions(config.error_control))
    yield from (f"note: {notice}" for notice in plan.notices)


def _range(counts: list[int]) -> str:
    return f"{min(counts)} to {max(counts)}" if len(set(counts)) > 1 else str(counts[0])


def _component(prepared: PreparedRun, name: str) -> str:
    title = prepared.components[name].bmi.get_component_name()
    return f"{name}: {title} ({prepared.loaded.config.components[name].where})"
