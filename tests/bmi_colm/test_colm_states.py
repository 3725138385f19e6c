"""The land's state files: sun and season go with the calendar, everything else with the columns."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest

from bmi_colm import BmiColm
from bmi_colm import variables as names
from bmi_colm.arrays import COLD_START_TEMPERATURE, ColumnState
from bmi_colm.forcing import names as forcing
from bmi_common import ConfigError

NY, NX = 3, 4
CONFIG = """
start: {start}
domain:
  grid: {{nx: 4, ny: 3, dx: 1000.0, dy: 1000.0}}
  layers: [5.0, 2.0, 1.0, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.08, 0.05, 0.02]
  latitude: 45.0
  longitude: 5.0
  porosity: {porosity}
  van_genuchten: {{alpha: 1.0, n: 2.0, residual_saturation: 0.1}}
land_cover: 10
soil_texture: loam
forcing: external
threads: 1
{more}
"""
WEATHER = {
    forcing.LONGWAVE: 340.0,
    forcing.PRECIPITATION: 1.0e-4,
    forcing.AIR_TEMPERATURE: 291.0,
    forcing.WIND_X: 2.0,
    forcing.WIND_Y: -1.0,
    forcing.AIR_PRESSURE: 9.9e4,
    forcing.SPECIFIC_HUMIDITY: 0.009,
}


def land(folder: Path, start: str = "2020-06-01T12:00", porosity: float = 0.4, more: str = "") -> BmiColm:
    file = folder / "land.yaml"
    file.write_text(CONFIG.format(start=start, porosity=porosity, more=more))
    component = BmiColm()
    component.initialize(str(file))
    return component


WINTER = WEATHER | {forcing.AIR_TEMPERATURE: 264.0, forcing.PRECIPITATION: 1.0e-3, forcing.SPECIFIC_HUMIDITY: 0.001}


def advance(component: BmiColm, hours: int = 1, weather: dict[str, float] = WEATHER) -> BmiColm:
    for _ in range(hours):
        component.set_value(names.PRESSURE_HEAD, np.full((10, NY, NX), -1.5))
        component.set_value(names.SATURATION, np.linspace(0.4, 0.8, 120))
        component.set_value(forcing.SHORTWAVE, np.linspace(300.0, 500.0, 12))
        for name, value in weather.items():
            component.set_value(name, np.full((NY, NX), value))
        component.update()
    return component


def outputs(component: BmiColm) -> dict[str, np.ndarray]:
    return {name: component.values[name].copy() for name in component.get_output_var_names()}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    advance(land(tmp_path), 24).save_state(tmp_path / "day.nc")
    return tmp_path / "day.nc"


def test_every_array_of_the_columns_is_in_the_file(saved: Path) -> None:
    with netCDF4.Dataset(saved) as data:
        memory = data["memory"].variables
        assert set(memory) == {*ColumnState.empty(1, 10).arrays(), "starts_cold"}
        assert memory["temperature"].units == "K"
        assert data.calendar_time == "2020-06-02T12:00:00"


def test_a_warm_start_on_the_next_day_is_that_day_of_the_long_run(tmp_path: Path, saved: Path) -> None:
    long = advance(land(tmp_path), 30)
    warm = advance(land(tmp_path, start="2020-06-02T12:00", more=f"initial: {{state: {saved}}}"), 6)
    assert warm.time == 6 * 3600.0
    for name, values in outputs(long).items():
        np.testing.assert_array_equal(values, warm.values[name], err_msg=name)


def test_snow_goes_on_bit_for_bit(tmp_path: Path) -> None:
    first, second = land(tmp_path), land(tmp_path)
    advance(first, 12, WINTER).save_state(tmp_path / "winter.nc")
    second.load_state(tmp_path / "winter.nc")
    assert (second.columns.state.snow_layers > 0).all()
    for component in (first, second):
        advance(advance(component, 6, WINTER), 6)  # more snow, then thaw
    for name, values in outputs(first).items():
        np.testing.assert_array_equal(values, second.values[name], err_msg=name)
    for name, array in first.columns.state.arrays().items():
        np.testing.assert_array_equal(array, second.columns.state.arrays()[name], err_msg=name)


def test_a_cold_start_is_283_kelvin_without_water(tmp_path: Path) -> None:
    state = land(tmp_path).columns.state
    assert np.unique(state.leaf_temperature) == COLD_START_TEMPERATURE == 283.0
    for name in ("snow_water", "ice", "canopy_water"):
        assert not getattr(state, name).any()


def test_the_temperature_of_a_cold_start_can_be_given(tmp_path: Path) -> None:
    component = land(tmp_path, more="initial: {temperature: 295.0}")
    state = component.columns.state
    assert np.unique(state.leaf_temperature) == np.unique(state.temperature[:, 5:]) == 295.0
    advance(component)


def test_a_warm_start_at_another_time_of_day_is_refused(tmp_path: Path, saved: Path) -> None:
    component = land(tmp_path, start="2020-07-01T18:00")
    before = outputs(component)
    with pytest.raises(ConfigError, match=r"holds the sun of that time of day .*start at 12:00, or save a state of 18"):
        component.start_from(saved)
    for name, values in before.items():
        np.testing.assert_array_equal(values, component.values[name])
    advance(component)  # nothing has happened to it


def test_a_state_that_was_never_stepped_starts_at_any_time(tmp_path: Path) -> None:
    land(tmp_path).save_state(tmp_path / "cold.nc")
    warm = advance(land(tmp_path, start="2020-07-01T18:00", more=f"initial: {{state: {tmp_path / 'cold.nc'}}}"))
    cold = advance(land(tmp_path, start="2020-07-01T18:00"))
    for name, values in outputs(cold).items():
        np.testing.assert_array_equal(values, warm.values[name], err_msg=name)


def test_a_state_of_another_calendar_time_is_no_restart(tmp_path: Path, saved: Path) -> None:
    with pytest.raises(ConfigError, match=r"a state of 2020-06-02T12:00 after 86400 s; this component starts at 2021"):
        land(tmp_path, start="2021-06-01T12:00").load_state(saved)


def test_a_state_of_another_soil_is_refused(tmp_path: Path, saved: Path) -> None:
    with pytest.raises(ConfigError, match=r"soil__porosity differs in 120 of 120 values.*0.4 in the file, 0.5 here"):
        land(tmp_path, porosity=0.5, more=f"initial: {{state: {saved}}}")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("initial: {stat: day.nc}", r"land\.yaml:\d+: initial\.stat: unknown key; did you mean 'state'"),
        ("initial: {state: nowhere.nc}", r"land\.yaml:\d+: initial\.state: no such file"),
        ("initial: {}", r"initial: give either state"),
        ("initial: {temperature: 12}", r"initial\.temperature: input should be greater"),
    ],
)
def test_mistakes_in_the_configuration_are_named(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        land(tmp_path, more=more)


def test_the_file_of_the_state_is_in_the_provenance(tmp_path: Path, saved: Path) -> None:
    assert str(saved) in land(tmp_path, more=f"initial: {{state: {saved}}}").provenance


def test_results_go_on_with_another_number_of_threads(tmp_path: Path, saved: Path) -> None:
    one, two = land(tmp_path), land(tmp_path)
    two.columns.threads = 2
    for component in (one, two):
        component.load_state(saved)
        advance(component, 3)
    for name, values in outputs(one).items():
        np.testing.assert_array_equal(values, two.values[name])
