"""The checks themselves: each faulty component is rejected by the check meant for it, and by no other."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conformance import zoo

from bmi_conformance.checks import CHECKS, Check, Fault, Outcome, Subject, run_all

NAMES = [check.name for check in CHECKS]


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    config = tmp_path / "reservoir.json"
    config.write_text(zoo.CONFIG)
    return Subject(zoo.Reservoir, str(config), zoo.INPUTS)


def failed(subject: Subject) -> dict[str, str]:
    return {r.check: r.reason for r in run_all(subject) if r.outcome is Outcome.FAILED}


def test_the_healthy_component_passes_every_check(subject: Subject) -> None:
    assert [(r.check, r.reason) for r in run_all(subject) if r.outcome is not Outcome.PASSED] == []


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_it_does_with_any_number_of_steps(subject: Subject, steps: int) -> None:
    assert failed(replace(subject, steps=steps)) == {}


@pytest.mark.parametrize("animal", zoo.FAULTY, ids=lambda c: f"{c.__name__}-{c.rejected_by}")
def test_a_fault_is_found_by_its_check_alone(subject: Subject, animal: type[zoo.Reservoir]) -> None:
    assert list(failed(replace(subject, create=animal))) == [animal.rejected_by]


def test_every_check_has_its_fault() -> None:
    assert {animal.rejected_by for animal in zoo.FAULTY} == set(NAMES)


def test_what_bmi_leaves_open_is_skipped_with_its_reason(subject: Subject) -> None:
    results = {r.check: r for r in run_all(replace(subject, create=zoo.Frugal))}
    skipped = {name: r.reason for name, r in results.items() if r.outcome is Outcome.SKIPPED}
    assert set(skipped) == {
        "pointers", "get_at_indices", "set_at_indices", "update_until", "state_restore", "grid_topology"
    }  # fmt: skip
    assert all(skipped.values())
    assert skipped["state_restore"] == "the component has no save_state(path)"
    assert not [r for r in results.values() if r.outcome is Outcome.FAILED]


def test_cells_outside_a_mask_may_be_nan(subject: Subject) -> None:
    assert failed(replace(subject, create=zoo.Masked)) == {}


def test_cells_marked_as_missing_may_be_nan_where_they_are_from_the_start(subject: Subject) -> None:
    class Unmasked(zoo.Masked):
        mask = property(lambda self: None, lambda self, value: setattr(self, "_mask", value))

        def update(self) -> None:
            super().update()

    class Plain(zoo.Reservoir):
        def initialize(self, config_file: str) -> None:
            super().initialize(config_file)
            self.values[zoo.TEMPERATURE][3] = np.nan

    assert list(failed(replace(subject, create=Plain))) == ["finite"]
    assert failed(replace(subject, create=Plain, missing=float("nan"))) == {}
    assert list(failed(replace(subject, create=zoo.NanLater, missing=float("nan")))) == ["finite"]


def test_checks_that_need_a_failed_one_say_nothing(subject: Subject) -> None:
    results = run_all(replace(subject, create=zoo.FailingUpdate))
    reasons = {r.reason for r in results if r.outcome is Outcome.SKIPPED}
    assert reasons == {"says nothing before the check lifecycle passes"}


def test_a_check_stands_after_those_that_it_needs() -> None:
    for n, check in enumerate(CHECKS):
        assert set(check.needs) <= set(NAMES[:n])


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.name)
def test_a_check_can_be_called_by_itself(subject: Subject, check: Check) -> None:
    check.function(subject)
    animal = next(a for a in zoo.FAULTY if a.rejected_by == check.name)
    with pytest.raises((Fault, ZeroDivisionError, OSError)):
        check.function(replace(subject, create=animal))


@pytest.mark.parametrize(
    ("animal", "words"),
    [
        (zoo.FailingUpdate, "update, step 2 raises ZeroDivisionError: division by zero"),
        (zoo.Celsius, "land_surface__temperature: \\[15.*K.*a temperature is within 100 and 2000 K"),
        (zoo.WrongBytes, "land_surface_water__depth: get_var_nbytes gives 88, but 12 values of 8 bytes are 96"),
        (zoo.UnknownUnits, "'fathoms_per_fortnite' is no unit that udunits knows"),
        (zoo.Undemanding, "configuration file that does not exist"),
    ],
)
def test_the_reason_names_variable_and_values(subject: Subject, animal: type[zoo.Reservoir], words: str) -> None:
    (reason,) = failed(replace(subject, create=animal)).values()
    assert re.search(words, reason)


def test_no_steps_are_refused(subject: Subject) -> None:
    with pytest.raises(ValueError, match="at least 1 step"):
        replace(subject, steps=0)
