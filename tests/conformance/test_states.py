"""State files of every component: what is loaded goes on exactly as what was saved."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest
from conformance.components import COMPONENTS, Component
from numpy.typing import NDArray

from bmi_common import BmiStateError, ConfigError, DeclaredBmi, Role, grids
from bmi_common.state_file import StateArray, read_state, write_state

BEFORE, AFTER = 3, 4


@pytest.fixture(params=COMPONENTS, ids=[c.path for c in COMPONENTS])
def case(request: pytest.FixtureRequest) -> Component:
    component: Component = request.param
    if not component.load().saves_state:
        pytest.skip(f"{component.path} says that it has no state files")
    return component


def fresh(case: Component, folder: Path) -> DeclaredBmi:
    component = case.load()()
    folder.mkdir(exist_ok=True)
    component.initialize(str(case.build(folder)[0]))
    return component


def advance(component: DeclaredBmi, case: Component, hours: int) -> None:
    """Advance with inputs that change from hour to hour and from cell to cell."""
    for _ in range(hours):
        for name, value in case.inputs.items():
            pointer = component.get_value_ptr(name)
            spread = 1.0 + 0.1 * np.sin(np.arange(pointer.size) + component.get_current_time() / 3600.0)
            component.set_value(name, value * spread)
        component.update()


def values(component: DeclaredBmi) -> dict[str, NDArray[np.float64]]:
    return {v.name: component.get_value_ptr(v.name).copy() for v in component.variables}


def assert_equal(a: dict[str, NDArray[np.float64]], b: dict[str, NDArray[np.float64]]) -> None:
    for name, array in a.items():
        np.testing.assert_array_equal(array, b[name], err_msg=name)  # bit for bit but for the payload of NaN


@pytest.fixture
def saved(case: Component, tmp_path: Path) -> tuple[DeclaredBmi, Path]:
    component = fresh(case, tmp_path / "a")
    advance(component, case, BEFORE)
    component.save_state(tmp_path / "state.nc")
    return component, tmp_path / "state.nc"


def test_a_state_without_outputs_that_its_version_did_not_have_goes_on_alike(
    case: Component, saved: tuple[DeclaredBmi, Path], tmp_path: Path
) -> None:
    component, path = saved
    optional = {name for name, array in component._state_arrays().items() if array.optional}
    state = read_state(path, component.component_name)
    assert optional < state.arrays.keys()
    lean = {name: StateArray(array) for name, array in state.arrays.items() if name not in optional}
    write_state(tmp_path / "lean.nc", state.header, lean)

    other = fresh(case, tmp_path / "b")
    for name in other.get_output_var_names():
        other.get_value_ptr(name)
    other.load_state(tmp_path / "lean.nc")
    for name in other.on_demand:
        found = other.get_value_ptr(name)
        assert np.isnan(found).all() or np.array_equal(found, component.get_value_ptr(name), equal_nan=True)
    for each in (component, other):
        advance(each, case, AFTER)
    assert_equal(values(other), values(component))


def test_values_and_time_are_those_saved(case: Component, saved: tuple[DeclaredBmi, Path], tmp_path: Path) -> None:
    other = fresh(case, tmp_path / "b")
    other.load_state(saved[1])
    assert other.get_current_time() == BEFORE * 3600.0
    assert_equal(values(saved[0]), values(other))


def test_goes_on_bit_for_bit(case: Component, saved: tuple[DeclaredBmi, Path], tmp_path: Path) -> None:
    other = fresh(case, tmp_path / "b")
    other.load_state(saved[1])
    for component in (saved[0], other):
        advance(component, case, AFTER)
    assert_equal(values(saved[0]), values(other))


def test_saving_changes_nothing(case: Component, saved: tuple[DeclaredBmi, Path], tmp_path: Path) -> None:
    other = fresh(case, tmp_path / "b")
    advance(other, case, BEFORE + AFTER)
    advance(saved[0], case, AFTER)
    assert_equal(values(saved[0]), values(other))


def test_loading_takes_a_component_back(case: Component, saved: tuple[DeclaredBmi, Path]) -> None:
    component = saved[0]
    advance(component, case, AFTER)
    later = values(component)
    component.load_state(saved[1])
    advance(component, case, AFTER)
    assert_equal(later, values(component))


def test_a_state_of_the_start_can_be_saved(case: Component, tmp_path: Path) -> None:
    first = fresh(case, tmp_path / "a")
    first.save_state(tmp_path / "state.nc")
    second = fresh(case, tmp_path / "b")
    second.load_state(tmp_path / "state.nc")
    for component in (first, second):
        advance(component, case, 2)
    assert_equal(values(first), values(second))


def test_a_warm_start_has_the_state_and_time_zero(case: Component, tmp_path: Path) -> None:
    first, second = fresh(case, tmp_path / "a"), fresh(case, tmp_path / "b")
    advance(first, case, 24 if "colm" in case.path else BEFORE)  # the sun stands as at the start
    first.save_state(tmp_path / "state.nc")
    second.start_from(tmp_path / "state.nc")
    assert second.get_current_time() == 0.0
    made = [v.name for v in second.variables if not v.role.is_input]
    assert_equal({n: values(first)[n] for n in made}, values(second))
    needed = [v.name for v in second.variables if v.role is Role.INPUT]
    assert all(np.isnan(second.get_value_ptr(n)).any() for n in needed)  # inputs have to be supplied again


def test_a_warm_start_after_the_first_step_is_refused(case: Component, saved: tuple[DeclaredBmi, Path]) -> None:
    with pytest.raises(BmiStateError, match="has made 3 steps"):
        saved[0].start_from(saved[1])


def test_files_need_an_initialized_component(case: Component, tmp_path: Path) -> None:
    component = case.load()()
    for function in (component.save_state, component.load_state, component.start_from):
        with pytest.raises(BmiStateError, match="initialize"):
            function(tmp_path / "state.nc")


def test_a_file_of_another_component_is_named(case: Component, saved: tuple[DeclaredBmi, Path], tmp_path: Path) -> None:
    other = next(c for c in COMPONENTS if c.path != case.path)
    component = fresh(other, tmp_path / "b")
    before = values(component)
    with pytest.raises(ConfigError, match=rf"state\.nc: a state of the component {saved[0].component_name}"):
        component.load_state(saved[1])
    assert_equal(before, values(component))


def test_anyone_can_read_the_published_values(case: Component, saved: tuple[DeclaredBmi, Path]) -> None:
    with netCDF4.Dataset(saved[1]) as data:
        for v in saved[0].variables:
            if v.part_of or v.grid in (
                grids.POINTS,
                grids.WELLS,
            ):
                continue  # there already, or chosen by a run and not part of its state
            variable = data["".join(c if c.isalnum() else "_" for c in v.name)]
            assert variable.units == v.units
            np.testing.assert_array_equal(np.ma.filled(variable[...], np.nan), saved[0].values[v.name])
        assert data.bmi_time == BEFORE * 3600.0


def test_a_component_that_says_that_it_has_no_state_files_refuses_them(tmp_path: Path) -> None:
    for case in (c for c in COMPONENTS if not c.load().saves_state):
        component = fresh(case, tmp_path / "a")
        for function in (component.save_state, component.load_state, component.start_from):
            with pytest.raises(BmiStateError):
                function(tmp_path / "state.nc")
        component.finalize()
