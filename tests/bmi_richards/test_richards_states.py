"""State files of the Richards component."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from bmi_common import ConfigError
from bmi_common import groundwater as names
from bmi_richards import BmiRichards

LAYERS = [20.0, 1.1, 0.9, 0.55, 0.34, 0.2, 0.12, 0.075, 0.045, 0.028, 0.0175]
NY, NX = 3, 4
MODES: list[dict[str, Any]] = [
    {"mode": "full"},
    {"mode": "full", "passes": {"tolerance": 1.0e-7}},
    {"mode": "full", "relative_permeability": {"table": 200, "min_head": -50.0}},
    {"mode": "free_drainage"},
    {"mode": "free_drainage", "drainage": "lagged"},
]


def configuration(**changes: Any) -> dict[str, Any]:
    return {
        "domain": {
            "grid": {"nx": NX, "ny": NY, "dx": 1000.0, "dy": 1000.0},
            "layers": LAYERS,
            "porosity": 0.4,
            "van_genuchten": {"alpha": 2.0, "n": 2.2, "residual_saturation": 0.1},
            "conductivity": {"x": 0.02, "z": 0.01},
            "slope": {"x": 0.01, "y": 0.002},
            "manning": 0.05,
        },
        "initial": {"water_table_depth": 1.5},
        **changes,
    }


def model(folder: Path, content: dict[str, Any]) -> BmiRichards:
    file = folder / "groundwater.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    component = BmiRichards()
    component.initialize(str(file))
    return component


def advance(component: BmiRichards, hours: int) -> BmiRichards:
    """Storms and droughts in turn, different in every cell."""
    for _ in range(hours):
        source = np.zeros((10, NY, NX))
        hour = round(component.time / 3600.0)
        source[-1] = (0.02 if hour % 3 == 0 else -0.0005) * np.arange(1, 1 + NY * NX).reshape(NY, NX) / LAYERS[-1] / 12
        component.set_value(names.NET_SOURCE, source)
        component.update()
    return component


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    advance(model(tmp_path, configuration()), 5).save_state(tmp_path / "state.nc")
    return tmp_path / "state.nc"


@pytest.mark.parametrize("richards", MODES, ids=str)
def test_every_mode_goes_on_bit_for_bit(tmp_path: Path, richards: dict[str, Any]) -> None:
    first = advance(model(tmp_path, configuration(richards=richards)), 5)
    first.save_state(tmp_path / "state.nc")
    second = model(tmp_path, configuration(richards={**richards, "threads": 2}))
    second.load_state(tmp_path / "state.nc")
    for component in (first, second):
        advance(component, 5)
    for name in first.get_output_var_names():
        np.testing.assert_array_equal(first.values[name], second.values[name], err_msg=name)


def test_a_run_starts_warm_from_the_configuration(tmp_path: Path, saved: Path) -> None:
    first = model(tmp_path, configuration())
    first.load_state(saved)
    second = model(tmp_path, configuration(initial={"state": str(saved)}))
    assert second.time == 0.0
    np.testing.assert_array_equal(first.values[names.PRESSURE_HEAD], second.values[names.PRESSURE_HEAD])
    source = np.full((10, NY, NX), 1.0e-4)
    for component in (first, second):
        component.set_value(names.NET_SOURCE, source)
        component.update()
    for name in first.get_output_var_names():
        np.testing.assert_array_equal(first.values[name], second.values[name], err_msg=name)
    assert str(saved) in second.provenance


def test_a_state_file_also_gives_its_pressure_head_alone(tmp_path: Path, saved: Path) -> None:
    field = {"file": str(saved), "variable": "soil_water__pressure_head"}
    component = model(tmp_path, configuration(initial={"pressure_head": field}))
    first = model(tmp_path, configuration())
    first.load_state(saved)
    np.testing.assert_array_equal(component.values[names.PRESSURE_HEAD], first.values[names.PRESSURE_HEAD])


def test_a_state_of_another_soil_is_refused_with_a_way_out(tmp_path: Path, saved: Path) -> None:
    content = configuration(initial={"state": str(saved)})
    content["domain"]["van_genuchten"]["alpha"] = 3.0
    with pytest.raises(ConfigError, match=r"state\.nc: made with another soil .*initial\.pressure_head"):
        model(tmp_path, content)


def test_a_state_of_other_layers_is_refused_with_the_layer(tmp_path: Path, saved: Path) -> None:
    content = configuration(initial={"state": str(saved)})
    content["domain"]["layers"] = [21.0, *LAYERS[1:]]
    with pytest.raises(ConfigError, match=r"belongs to another domain: z differs in 11 of 11 values, .*10 in the file"):
        model(tmp_path, content)


@pytest.mark.parametrize("initial", [{}, {"state": "state.nc", "pressure_head": -1.0}])
def test_initial_values_exclude_each_other(tmp_path: Path, saved: Path, initial: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"initial: give either pressure_head, water_table_depth or state"):
        model(tmp_path, configuration(initial=initial))


def test_a_head_set_after_a_warm_start_replaces_that_of_the_state(tmp_path: Path, saved: Path) -> None:
    component = model(tmp_path, configuration(initial={"state": str(saved)}))
    component.set_value(names.PRESSURE_HEAD, np.full((11, NY, NX), -2.0))
    fresh = model(tmp_path, configuration(initial={"pressure_head": -2.0}))
    for c in (component, fresh):
        advance(c, 3)
    np.testing.assert_array_equal(component.values[names.PRESSURE_HEAD], fresh.values[names.PRESSURE_HEAD])


def test_the_balance_of_the_step_before_is_published_after_loading(tmp_path: Path, saved: Path) -> None:
    component = model(tmp_path, configuration())
    component.load_state(saved)
    assert component.balance is None
    assert float(component.values[names.SOURCE_VOLUME]) != 0.0
