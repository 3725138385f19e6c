"""Life of an instance: functions, steps, times, second lives and neighbours."""

from __future__ import annotations

import math
import os

import numpy as np
from bmipy import Bmi

from bmi_conformance.outcome import Fault, optional, require
from bmi_conformance.subject import Subject, same
from bmi_conformance.units import convert

_FUNCTIONS = tuple(name for name in vars(Bmi) if not name.startswith("_"))


def interface(subject: Subject) -> None:
    """Every function of BMI 2.0 is there and the component tells its name."""
    bmi = subject.create()
    missing = [name for name in _FUNCTIONS if not callable(getattr(bmi, name, None))]
    require(not missing, "missing functions: " + ", ".join(missing))
    name = bmi.get_component_name()
    require(isinstance(name, str) and name.strip(), f"get_component_name gives {name!r}, no name")


def lifecycle(subject: Subject) -> None:
    """The component initializes, makes its steps, gives its values and finalizes, without an error."""
    stage = "creating it"
    try:
        bmi = subject.create()
        stage = "initialize"
        bmi.initialize(subject.config)
        for step in range(1, subject.steps + 1):
            stage = f"supplying the inputs of step {step}"
            for name, value in subject.inputs.items():
                count = int(bmi.get_var_nbytes(name)) // int(bmi.get_var_itemsize(name))
                bmi.set_value(name, np.full(count, value, dtype=str(bmi.get_var_type(name))))
            stage = f"update, step {step}"
            bmi.update()
        stage = "finalize"
        bmi.finalize()
    except Exception as error:
        hint = "" if subject.inputs else " (inputs that must be supplied are given by --bmi-input NAME=VALUE)"
        raise Fault(f"{stage} raises {type(error).__name__}: {error}{hint if 'update' in stage else ''}") from error


def missing_configuration(subject: Subject) -> None:
    """A configuration file that is not there is an error, and not a run with values that nobody chose."""
    bmi = subject.create()
    nowhere = os.path.join(os.path.dirname(subject.config), "no-such-file-of-this-name.yaml")  # noqa: PTH118, PTH120
    try:
        bmi.initialize(nowhere)
    except Exception:
        return
    bmi.finalize()
    raise Fault("initialize accepts a configuration file that does not exist")


def exact_times(subject: Subject) -> None:
    """Time starts at the start time and advances by exactly the step, in units of time, up to the end time."""
    with subject.running() as run:
        bmi = run.bmi
        unit = str(bmi.get_time_units()).split(" since ")[0]
        require(convert(1.0, unit, "s") is not None, f"get_time_units: {unit!r} is not a unit of time")
        start, end, now = bmi.get_start_time(), bmi.get_end_time(), bmi.get_current_time()
        require(now == start, f"after initialize the time is {now!r}, but the start time is {start!r}")
        require(end > start, f"the end time {end!r} is not after the start time {start!r}")
        expected = start
        for n in range(1, subject.steps + 1):
            step = bmi.get_time_step()
            require(math.isfinite(step) and step > 0, f"get_time_step gives {step!r}")
            expected += step
            run.step()
            now = bmi.get_current_time()
            tolerance = 4 * n * np.spacing(abs(expected))  # rounding of a sum of n steps
            require(abs(now - expected) <= tolerance, f"after {n} steps the time is {now!r} instead of {expected!r}")
        require(bmi.get_start_time() == start, "the start time changes with the steps")
        require(bmi.get_end_time() == end, "the end time changes with the steps")


def update_until(subject: Subject) -> None:
    """`update_until` arrives, gives what as many updates give, and does nothing for a time that has passed."""
    with subject.running() as stepped, subject.running() as run:
        bmi = run.bmi
        for _ in range(subject.steps):
            stepped.bmi.update()
        goal = stepped.bmi.get_current_time()
        optional(bmi.update_until, goal)
        require(bmi.get_current_time() == goal, f"update_until({goal!r}) arrives at {bmi.get_current_time()!r}")
        before = run.read_all()
        name = same(stepped.read_all(), before)
        require(not name, f"update_until gives another {name} than {subject.steps} times update")
        for past in (goal, bmi.get_start_time()):
            try:
                bmi.update_until(past)
            except Exception as error:
                raise Fault(
                    f"update_until raises {type(error).__name__} for a time that has passed: {error}"
                ) from error
            require(bmi.get_current_time() == goal, "update_until goes back to a time that has passed")
            require(not same(before, run.read_all()), "update_until changes values for a time that has passed")
        between = goal + 0.5 * bmi.get_time_step()
        try:
            bmi.update_until(between)
        except Exception:
            return  # refused, and the caller knows
        now = bmi.get_current_time()
        close = math.isclose(now, between, rel_tol=1e-12)
        require(close, f"update_until({between!r}), between two steps, arrives at {now!r} and does not say so")


def reinitialisation(subject: Subject) -> None:
    """After finalize the same instance starts anew and repeats its run bit for bit."""
    with subject.running() as run:
        first, start = run.read_all(), run.bmi.get_current_time()
        run.step(subject.steps)
        last, time = run.read_all(), run.bmi.get_current_time()
        run.finalize()
        try:
            run.bmi.initialize(subject.config)
        except Exception as error:
            raise Fault(f"initialize after finalize raises {type(error).__name__}: {error}") from error
        run.finalized = False
        now = run.bmi.get_current_time()
        require(now == start, f"in its second life it starts at the time {now!r} instead of {start!r}")
        run.supply()
        name = same(first, run.read_all())
        require(not name, f"in its second life {name} starts from other values")
        run.step(subject.steps)
        name = same(last, run.read_all())
        require(not name, f"in its second life {name} ends at other values")
        require(run.bmi.get_current_time() == time, "in its second life it ends at another time")


def independent_instances(subject: Subject) -> None:
    """Two instances share nothing: one does not notice the steps and inputs of the other."""
    with subject.running() as alone:
        alone.step(subject.steps)
        expected, time = alone.read_all(), alone.bmi.get_current_time()
    with subject.running() as run, subject.running() as neighbour:
        before = run.read_all()
        start = run.bmi.get_current_time()
        for name in neighbour.inputs if neighbour.inputs and subject.inputs else ():
            if name in subject.inputs:
                neighbour.set(name, neighbour.other_values(name))
        neighbour.bmi.update()
        neighbour.step(max(subject.steps - 1, 1), change=1.1)
        name = same(before, run.read_all())
        require(not name, f"{name} changes when another instance is updated")
        require(run.bmi.get_current_time() == start, "the time changes when another instance is updated")
        run.step(subject.steps)
        name = same(expected, run.read_all())
        require(not name, f"{name} has other values where another instance runs beside")
        require(run.bmi.get_current_time() == time, "the time is another where another instance runs beside")
