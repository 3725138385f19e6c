"""Getting and setting values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bmi_conformance.outcome import NotApplicable, optional, require, skipped_only_if_all
from bmi_conformance.subject import Array, Instance, Subject, same


def _equal(a: Array, b: Array) -> bool:
    return not same({"values": a}, {"values": b})


def pointers(subject: Subject) -> None:
    """A pointer shows the values of its variable in every step, and stays the same array to the end."""
    with subject.running() as run:
        first: dict[str, tuple[Array, int]] = {}
        with skipped_only_if_all("variables") as tally:
            for name in run.names:
                with tally.one():
                    pointer = optional(run.bmi.get_value_ptr, name)
                    first[name] = pointer, pointer.ctypes.data
                    require(pointer.dtype == run.dtype(name), f"{name}: the pointer is to values of {pointer.dtype}")
                    count = run.count(name)
                    require(pointer.size == count, f"{name}: the pointer is to {pointer.size} of {count} values")
        for step in range(subject.steps + 1):
            for name, (pointer, address) in first.items():
                again = run.bmi.get_value_ptr(name)
                still = pointer.ctypes.data == again.ctypes.data == address
                require(still, f"{name}: get_value_ptr gives another array after {step} steps")
                shown = _equal(np.ravel(pointer), run.read(name))
                require(shown, f"{name}: the pointer does not show the values of step {step}")
            if step < subject.steps:
                run.step()


def copies(subject: Subject) -> None:
    """`get_value` fills the array it is given, which then belongs to the caller alone."""
    with subject.running() as run, skipped_only_if_all("variables") as tally:
        run.step()
        taken: list[tuple[str, Array, Array]] = []
        for name in run.names:
            with tally.one():
                dest = run.empty(name)
                returned = optional(run.bmi.get_value, name, dest)
                require(returned is dest, f"{name}: get_value does not return the array that it was given")
                before = dest.copy()
                dest[...] = run.other_values(name)
                require(_equal(before, run.read(name)), f"{name}: changing what get_value gave changes the component")
                dest[...] = before
                taken.append((name, dest, before))
        run.step()
        for name, dest, before in taken:
            require(_equal(dest, before), f"{name}: what get_value gave changes with the next step")


def _index_sets(count: int) -> Iterator[NDArray[np.int_]]:
    yield np.array([0])
    yield np.array([count - 1])
    yield np.arange(count)[::-1].copy()
    yield np.array([count // 2, 0, count // 2])


def get_at_indices(subject: Subject) -> None:
    """`get_value_at_indices` gives the values of `get_value` at these flat indices, in their order."""
    with subject.running() as run, skipped_only_if_all("variables with values") as tally:
        _vary_inputs(run)  # or all values may be equal, at whatever index
        run.bmi.update()
        for name in run.names:
            if not run.count(name):
                continue
            with tally.one():
                values = run.read(name)
                for indices in _index_sets(values.size):
                    dest = np.empty(indices.size, dtype=values.dtype)
                    returned = optional(run.bmi.get_value_at_indices, name, dest, indices)
                    require(returned is dest, f"{name}: get_value_at_indices does not return the array it was given")
                    require(_equal(dest, values[indices]), f"{name}: other values at the indices {indices[:4]} ...")


def set_at_indices(subject: Subject) -> None:
    """`set_value_at_indices` sets the values at these flat indices and no others."""
    with subject.running() as run, skipped_only_if_all("inputs") as tally:
        for name in run.inputs:
            if not run.count(name):
                continue
            with tally.one():
                run.set(name, run.other_values(name))
                for indices in (np.array([0]), np.array([run.count(name) - 1]), np.arange(run.count(name))[::-1]):
                    expected = run.read(name)
                    new = run.other_values(name)[indices]
                    expected[indices] = new
                    optional(run.bmi.set_value_at_indices, name, np.ascontiguousarray(indices), new)
                    require(
                        _equal(run.read(name), expected),
                        f"{name}: set_value_at_indices does not set the values at {indices[:4]} and no others",
                    )


def set_get(subject: Subject) -> None:
    """What is set is what is got; the component keeps a copy, and other inputs keep their values."""
    with subject.running() as run, skipped_only_if_all("inputs") as tally:
        for name in run.inputs:
            with tally.one():
                others = {other: run.read(other) for other in run.inputs if other != name}
                new = run.other_values(name)
                given = new.copy()
                optional(run.bmi.set_value, name, given)
                require(_equal(run.read(name), new), f"{name}: get_value does not give what set_value was given")
                given[...] = run.other_values(name)
                require(_equal(run.read(name), new), f"{name}: set_value keeps the caller's array instead of a copy")
                changed = same(others, {other: run.read(other) for other in others})
                require(not changed, f"setting {name} changes {changed}")


def set_effect(subject: Subject) -> None:
    """Inputs of other values make other outputs: what is set is used."""
    with subject.running() as run, subject.running() as other:
        if not run.inputs:
            raise NotApplicable("the component has no inputs")
        for _ in range(subject.steps):
            run.step()
            if not _vary_inputs(other):
                raise NotApplicable(
                    "no input has values that could be set otherwise; give some by --bmi-input NAME=VALUE"
                )
            other.bmi.update()
        changed = same(run.read_all(), other.read_all())
        require(changed, f"after {subject.steps} steps with other values of all inputs no output differs")


def _vary_inputs(run: Instance) -> int:
    """Set every input that can be set to other values than the given ones; returns their number.

    Inputs without values are left alone: what the component does not know and the user does not give cannot be made up.
    """
    run.supply()
    count = 0
    for name in run.inputs:
        if not np.isfinite(run.read(name)).any():
            continue
        try:
            run.set(name, 0.9 * run.other_values(name))
            count += 1
        except NotApplicable:
            continue
    return count
