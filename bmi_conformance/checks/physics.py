"""Values that can be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bmi_conformance.outcome import NotApplicable, require
from bmi_conformance.quantities import quantity_of
from bmi_conformance.subject import Array, Instance, Subject


def _through_the_run(subject: Subject) -> Iterator[tuple[Instance, int, str, Array]]:
    """Give the active floating-point values of every output at the start and after each step."""
    with subject.running() as run:
        names = [name for name in run.outputs if np.issubdtype(run.dtype(name), np.floating)]
        if not names:
            raise NotApplicable("the component has no outputs of floating-point numbers")
        first = {name: run.read(name) for name in names}
        active = {name: run.active(name, subject.missing, values) for name, values in first.items()}
        for step in range(subject.steps + 1):
            for name in names:
                yield run, step, name, run.read(name)[active[name]]
            if step < subject.steps:
                run.step()


def finite(subject: Subject) -> None:
    """No output is NaN or infinite, from the start and in every step, where the component has values."""
    for _, step, name, values in _through_the_run(subject):
        bad = int((~np.isfinite(values)).sum())
        require(not bad, f"{name}: {bad} of {values.size} values are NaN or infinite after {step} steps")


def possible_values(subject: Subject) -> None:
    """Outputs lie within what is possible on Earth for the quantity that their name ends with."""
    known = False
    for run, step, name, values in _through_the_run(subject):
        quantity = quantity_of(name)
        limits = None if quantity is None else quantity.limits(run.bmi.get_var_units(name))
        if quantity is None or limits is None:
            continue
        known = True
        values = values[np.isfinite(values)]
        wrong = values[(values < limits[0]) | (values > limits[1])]
        unit = run.bmi.get_var_units(name)
        require(
            not wrong.size,
            f"{name}: {wrong[:1]} {unit} after {step} steps; {quantity.what} is within "
            f"{limits[0]:g} and {limits[1]:g} {unit}",
        )
    if not known:
        raise NotApplicable("no name of an output ends with a quantity of the table of ranges")
