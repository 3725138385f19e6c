"""What BMI and its users expect of every component, by the public checker, our own checks and beyond them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from conformance.bmi_test import run_bmi_test
from conformance.components import COMPONENTS, Component, with_root_zone
from standard_names.standardname import is_valid_name

from bmi_common import BmiStateError, ConfigError, DeclaredBmi, Role, State
from bmi_conformance.checks import CHECKS, Outcome, Report, Subject, run_all

STEPS = 3

# what does not apply, and why: nothing else may be skipped
NO_GAUGES = {"grid_topology": "no unstructured grids"}
SKIPPED = {
    "fakes:Bucket": NO_GAUGES,
    "bmi_richards:BmiRichards": {},
    "bmi_parflow:BmiParflow": {},
    "bmi_common.prescribed:PrescribedSource": {
        **NO_GAUGES,
        "possible_values": "no name of an output",
        **dict.fromkeys(("set_get", "set_at_indices", "set_effect"), "no inputs"),
    },
    "bmi_surrogate:BmiSurrogate": {},
    "bmi_colm:BmiColm": NO_GAUGES,
    "bmi_colm:BmiColmLibrary": {**NO_GAUGES, "state_restore": "no state files"},
}

every_component = pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: f"{c.path}-{c.build.__name__}")


@pytest.fixture(scope="module")
def reports() -> dict[int, Report]:
    return {}


@pytest.mark.parametrize("check", [check.name for check in CHECKS])
@pytest.mark.parametrize("number", range(len(COMPONENTS)), ids=lambda n: f"{COMPONENTS[n].path}-{n}", scope="module")
def test_our_own_checks_pass(
    number: int, check: str, reports: dict[int, Report], tmp_path_factory: pytest.TempPathFactory
) -> None:
    component = COMPONENTS[number]
    if number not in reports:
        config = component.build(tmp_path_factory.mktemp("component"))[0]
        reports[number] = Report(Subject(component.load(), str(config), component.inputs))
    result = reports[number].result(check)
    reason = SKIPPED[component.path].get(check)
    if reason is None:
        assert (result.outcome, result.reason) == (Outcome.PASSED, "")
    else:
        assert result.outcome is Outcome.SKIPPED
        assert reason in result.reason


# what ParFlow makes of its layers is Richards' code, and an hour of it is dear
ROOT_ZONES = [
    (number, layers)
    for number, component in enumerate(COMPONENTS)
    for layers in ([4] if component.path == "bmi_parflow:BmiParflow" else [1, 4, 11])
    if number > 0
]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "layers"), ROOT_ZONES, ids=lambda n: str(n))
def test_our_own_checks_pass_whatever_the_root_zone(number: int, layers: int, tmp_path: Path) -> None:
    component = with_root_zone(COMPONENTS[number], layers)
    config = component.build(tmp_path)[0]
    if component.path == "bmi_colm:BmiColmLibrary":
        with pytest.raises(ConfigError, match=rf"root_zone.layers: {layers} layers, but a CoLM library has 10"):
            component.load()().initialize(str(config))
        return
    for result in run_all(Subject(component.load(), str(config), component.inputs)):
        assert result.outcome is not Outcome.FAILED, f"{result.check}: {result.reason}"
        assert (result.outcome is Outcome.SKIPPED) == (result.check in SKIPPED[component.path]), result.check


@dataclass
class Running:
    """An initialized instance with all it needs for the next step."""

    component: Component
    config: Path
    bmi: DeclaredBmi

    def step(self) -> None:
        for name, value in self.component.inputs.items():
            self.bmi.set_value(name, np.full(self.bmi.get_value_ptr(name).size, value))
        self.bmi.update()


@pytest.fixture
def running(component: Component, tmp_path: Path) -> Iterator[Running]:
    bmi = component.load()()
    config = component.build(tmp_path)[0]
    bmi.initialize(str(config))
    yield Running(component, config, bmi)
    bmi.finalize()


@pytest.mark.parametrize("component", {c.path: c for c in COMPONENTS}.values(), ids=lambda c: c.path)
def test_the_public_checker_passes(component: Component, tmp_path: Path) -> None:
    component.load()
    assert run_bmi_test(component.path, component.build(tmp_path), tmp_path) > 20


@every_component
def test_inputs_given_here_are_those_that_must_be_supplied(component: Component) -> None:
    needed = {v.name for v in component.load().variables if v.role is Role.INPUT}
    assert needed <= set(component.inputs)


@every_component
def test_names_follow_the_standard_syntax(component: Component) -> None:
    for v in component.load().variables:
        assert is_valid_name(v.name), v.name


@every_component
def test_outputs_lie_within_their_declared_range(running: Running) -> None:
    for _ in range(STEPS):
        running.step()
    bmi = running.bmi
    for v in bmi.variables:
        if not v.role.is_input and v.valid_range is not None:
            values = bmi.values[v.name]
            values = values if bmi.mask is None or values.ndim < 2 else values[..., bmi.mask]
            assert v.valid_range[0] <= values.min() <= values.max() <= v.valid_range[1], v.name


@every_component
def test_arrays_of_the_component_are_those_of_its_pointers(running: Running) -> None:
    before = {v.name: running.bmi.get_value_ptr(v.name) for v in running.bmi.variables}
    running.step()
    for name, pointer in before.items():
        assert running.bmi.get_value_ptr(name) is pointer, name
        assert np.shares_memory(pointer, running.bmi.values[name]), f"{name}: the array in `values` was replaced"


@every_component
def test_static_variables_do_not_change(running: Running) -> None:
    static = [v.name for v in running.bmi.variables if v.role is Role.STATIC]
    start = {name: running.bmi.get_value_ptr(name).copy() for name in static}
    for _ in range(STEPS):
        running.step()
    for name in static:
        np.testing.assert_array_equal(running.bmi.get_value_ptr(name), start[name], err_msg=name)


@every_component
def test_a_finalized_component_says_that_it_is(running: Running) -> None:
    running.step()
    running.bmi.finalize()
    assert running.bmi.state is State.FINALIZED
    with pytest.raises(BmiStateError, match="finalized"):
        running.bmi.update()


@every_component
def test_outputs_outside_the_mask_are_nan(running: Running) -> None:
    running.step()
    bmi = running.bmi
    if bmi.mask is None or bmi.mask.all():
        pytest.skip("all cells of this configuration take part")
    for v in bmi.variables:
        if v.role in (Role.OUTPUT, Role.STATE) and bmi.values[v.name].ndim >= 2:
            assert np.isnan(bmi.values[v.name][..., ~bmi.mask]).all(), v.name


@every_component
def test_wrong_configuration_is_an_error_that_names_the_file(component: Component, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("no_such_key: 1\n")
    with pytest.raises(ValueError, match=r"wrong\.yaml.*no_such_key: unknown key"):
        component.load()().initialize(str(wrong))
