"""What BMI and its users expect of every component, by the public checker and beyond it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from conformance.bmi_test import run_bmi_test
from conformance.components import COMPONENTS, Component
from standard_names.standardname import is_valid_name

from bmi_common import BmiStateError, DeclaredBmi, Role, State, units

STEPS = 3

pytestmark = pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.path)


@dataclass
class Running:
    """An initialized instance with all it needs for the next step."""

    component: Component
    config: Path
    bmi: DeclaredBmi

    def supply(self, bmi: DeclaredBmi | None = None, scale: float = 1.0) -> None:
        bmi = bmi or self.bmi
        for name, value in self.component.inputs.items():
            bmi.set_value(name, np.full(bmi.get_value_ptr(name).size, scale * value))

    def step(self, scale: float = 1.0) -> None:
        self.supply(scale=scale)
        self.bmi.update()

    def outputs(self) -> dict[str, np.ndarray]:
        return {name: self.bmi.get_value_ptr(name).copy() for name in self.bmi.get_output_var_names()}


@pytest.fixture
def running(component: Component, tmp_path: Path) -> Iterator[Running]:
    bmi = component.load()()
    config = component.build(tmp_path)[0]
    bmi.initialize(str(config))
    run = Running(component, config, bmi)
    run.supply()
    yield run
    bmi.finalize()


def active(bmi: DeclaredBmi, name: str) -> np.ndarray:
    values = bmi.values[name]
    return values if bmi.mask is None or values.ndim < 2 else values[..., bmi.mask]


def test_the_public_checker_passes(component: Component, tmp_path: Path) -> None:
    component.load()
    assert run_bmi_test(component.path, component.build(tmp_path), tmp_path) > 20


def test_inputs_given_here_are_those_that_must_be_supplied(component: Component) -> None:
    needed = {v.name for v in component.load().variables if v.role is Role.INPUT}
    assert needed <= set(component.inputs)


def test_units_are_known_and_names_follow_the_standard_syntax(component: Component) -> None:
    for v in component.load().variables:
        units.parse(v.units)
        assert is_valid_name(v.name), v.name


def test_outputs_are_finite_where_active_from_the_start_and_after_every_step(running: Running) -> None:
    for step in range(STEPS + 1):
        for name in running.bmi.get_output_var_names():
            assert np.isfinite(active(running.bmi, name)).all(), (name, step)
        running.step()


def test_outputs_lie_within_their_declared_range(running: Running) -> None:
    for _ in range(STEPS):
        running.step()
    for v in running.bmi.variables:
        if v.role is not Role.INPUT and v.valid_range is not None:
            low, high = v.valid_range
            values = active(running.bmi, v.name)
            assert low <= values.min() <= values.max() <= high, v.name


def test_time_advances_by_exactly_the_step(running: Running) -> None:
    step = running.bmi.get_time_step()
    assert running.bmi.get_current_time() == running.bmi.get_start_time() == 0.0
    for n in range(1, STEPS + 1):
        running.step()
        assert running.bmi.get_current_time() == n * step


def test_update_until_equals_as_many_updates(running: Running) -> None:
    other = type(running.bmi)()
    other.initialize(str(running.config))
    running.supply(other)
    for _ in range(2):
        running.bmi.update()
    other.update_until(2 * running.bmi.get_time_step())
    for name, values in running.outputs().items():
        np.testing.assert_array_equal(other.get_value_ptr(name), values, err_msg=name)
    other.finalize()


def test_pointers_stay_the_same_and_live(running: Running) -> None:
    bmi = running.bmi
    every = (*bmi.get_input_var_names(), *bmi.get_output_var_names())
    before = {name: (bmi.get_value_ptr(name), bmi.get_value_ptr(name).ctypes.data) for name in every}
    start = running.outputs()
    for _ in range(STEPS):
        running.step()
    for name, (pointer, address) in before.items():
        assert bmi.get_value_ptr(name) is pointer, name
        assert pointer.ctypes.data == address, name
        assert np.shares_memory(pointer, bmi.values[name]), f"{name}: the array in `values` was replaced"
        np.testing.assert_array_equal(bmi.get_value(name, np.empty_like(pointer)), pointer)
    assert any(not np.array_equal(bmi.get_value_ptr(n), v, equal_nan=True) for n, v in start.items())


def test_static_variables_do_not_change(running: Running) -> None:
    static = [v.name for v in running.bmi.variables if v.role is Role.STATIC]
    start = running.outputs()
    for _ in range(STEPS):
        running.step()
    for name in static:
        np.testing.assert_array_equal(running.bmi.get_value_ptr(name), start[name], err_msg=name)


def test_initialize_after_finalize_repeats_the_run_exactly(running: Running) -> None:
    start = running.outputs()
    for _ in range(STEPS):
        running.step()
    end = running.outputs()
    running.bmi.finalize()
    assert running.bmi.state is State.FINALIZED
    with pytest.raises(BmiStateError):
        running.bmi.update()
    running.bmi.initialize(str(running.config))
    for name, values in running.outputs().items():
        np.testing.assert_array_equal(values, start[name], err_msg=name)
    for _ in range(STEPS):
        running.step()
    for name, values in running.outputs().items():
        np.testing.assert_array_equal(values, end[name], err_msg=name)


def test_two_instances_do_not_know_of_each_other(running: Running) -> None:
    other = type(running.bmi)()
    other.initialize(str(running.config))
    before = {name: other.get_value_ptr(name).copy() for name in other.get_output_var_names()}
    for _ in range(STEPS):
        running.step(scale=2.0)
    for name, values in before.items():
        np.testing.assert_array_equal(other.get_value_ptr(name), values, err_msg=name)
        assert not np.shares_memory(other.get_value_ptr(name), running.bmi.get_value_ptr(name))
    alone = type(running.bmi)()  # what the other does next must not depend on its neighbour
    alone.initialize(str(running.config))
    for bmi in (other, alone):
        running.supply(bmi)
        bmi.update()
    for name in before:
        np.testing.assert_array_equal(other.get_value_ptr(name), alone.get_value_ptr(name), err_msg=name)
    other.finalize()
    alone.finalize()


def test_outputs_outside_the_mask_are_nan(running: Running) -> None:
    running.step()
    bmi = running.bmi
    if bmi.mask is None or bmi.mask.all():
        pytest.skip("all cells of this configuration take part")
    for v in bmi.variables:
        if v.role in (Role.OUTPUT, Role.STATE) and bmi.values[v.name].ndim >= 2:
            assert np.isnan(bmi.values[v.name][..., ~bmi.mask]).all(), v.name


def test_wrong_configuration_is_an_error_that_names_the_file(component: Component, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("no_such_key: 1\n")
    with pytest.raises(ValueError, match=r"wrong\.yaml.*no_such_key: unknown key"):
        component.load()().initialize(str(wrong))
