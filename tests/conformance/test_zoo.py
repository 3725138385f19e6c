"""The checks themselves: each faulty component is rejected by the check meant for it, and by no other."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conformance import zoo

from bmi_conformance.checks import CHECKS, Check, Fault, Outcome, Subject, run_all
from bmi_conformance.quantities import QUANTITIES, quantity_of

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
        (zoo.UnknownUnits, "does not know the unit 'fathoms_per_fortnite'"),
        (zoo.Undemanding, "configuration file that does not exist"),
    ],
)
def test_the_reason_names_variable_and_values(subject: Subject, animal: type[zoo.Reservoir], words: str) -> None:
    (reason,) = failed(replace(subject, create=animal)).values()
    assert re.search(words, reason)


def test_no_steps_are_refused(subject: Subject) -> None:
    with pytest.raises(ValueError, match="at least 1 step"):
        replace(subject, steps=0)


@pytest.fixture(scope="module")
def guide() -> str:
    return (Path(__file__).parents[2] / "docs" / "conformance.md").read_text()


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.name)
def test_the_guide_has_a_line_for_each_check_with_its_faults(guide: str, check: Check) -> None:
    faults = [(a.__doc__ or "").rstrip(".") for a in zoo.FAULTY if a.rejected_by == check.name]
    assert f"| `{check.name}` | {check.asks} | {'; '.join(faults)} |" in guide


def test_the_guide_has_the_table_of_quantities(guide: str) -> None:
    for q in QUANTITIES:
        pattern = q.pattern.replace("|", "\\|")
        assert f"| `{pattern}` | {q.what} | {', '.join(q.units)} | {q.low:g} | {q.high:g} |" in guide


@pytest.mark.parametrize(
    ("name", "unit", "limits"),
    [
        ("land_surface__temperature", "K", (100.0, 2000.0)),
        ("land_surface__temperature", "degC", (-173.15, 1726.85)),
        ("soil_water__saturation", "%", (-1.0e-4, 100.0001)),
        ("atmosphere_water_precipitation__mass_flux", "kg m-2 h-1", (0.0, 3600.0)),
        ("atmosphere_water_precipitation__mass_flux", "mm s-1", (0.0, 1.0)),
        ("land_surface__temperature", "m", None),
    ],
)
def test_ranges_are_given_in_the_units_of_the_variable(
    name: str, unit: str, limits: tuple[float, float] | None
) -> None:
    quantity = quantity_of(name)
    assert quantity is not None
    assert quantity.limits(unit) == (None if limits is None else pytest.approx(limits))
    assert quantity.fits(unit) is (limits is not None)


@pytest.mark.parametrize("name", ["soil_root-zone_water__net_volume_flux", "model__count", "temperature"])
def test_nothing_is_said_of_other_names(name: str) -> None:
    assert quantity_of(name) is None
