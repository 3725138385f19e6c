"""Saving and restoring the state, where the component can."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from bmi_conformance.outcome import NotApplicable, require
from bmi_conformance.subject import Subject, same


def state_restore(subject: Subject) -> None:
    """An instance that loads a state goes on bit for bit as the one that saved it, whom saving does not disturb.

    Functions ``save_state(path)`` and ``load_state(path)`` are no part of BMI; an attribute ``saves_state`` that is
    false says that the component has them, but cannot use them as it is configured.
    """
    with subject.running() as undisturbed, subject.running() as run, subject.running() as other:
        saver: Any = run.bmi
        for function in ("save_state", "load_state"):
            if not callable(getattr(saver, function, None)):
                raise NotApplicable(f"the component has no {function}(path)")
        if not getattr(saver, "saves_state", True):
            raise NotApplicable("the component says that it has no state files (saves_state is false)")
        run.step(subject.steps)
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder) / "state")
            saver.save_state(path)
            loader: Any = other.bmi
            loader.load_state(path)
        time = run.bmi.get_current_time()
        require(other.bmi.get_current_time() == time, f"the restored time is {other.bmi.get_current_time()!r}")
        name = same(run.read_all(), other.read_all())
        require(not name, f"{name} is not restored bit for bit")
        undisturbed.step(2 * subject.steps)
        for instance in (run, other):
            instance.step(subject.steps)
        name = same(undisturbed.read_all(), run.read_all())
        require(not name, f"saving the state changes {name} of the coming steps")
        name = same(run.read_all(), other.read_all())
        require(not name, f"{name} differs {subject.steps} steps after a restored state: something is not in the file")
