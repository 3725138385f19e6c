"""Components as modules of ngen: its rules for BMI, its order of calls, and its draft of serialization."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from ngen_engine import CREATE, FREE, SIZE, STATE, Engine, Formulation
from parflow_cases import install

from bmi_common import BmiStateError, ConfigError, UnknownNameError
from bmi_common import groundwater as names

pytest.importorskip("model_metadata", reason="model_metadata is not installed")

from pymt_cases import ROOT, plugin, setup  # the small case

pytestmark = pytest.mark.slow

TYPES = {
    "Colm": "bmi_colm.ngen.Colm",
    "Richards": "bmi_richards.ngen.Richards",
    "ParflowSurrogate": "bmi_surrogate.ngen.ParflowSurrogate",
    "Parflow": "bmi_parflow.ngen.Parflow",
}
STEPS = 3


@pytest.fixture(params=TYPES)
def model(request: pytest.FixtureRequest) -> str:
    """Name of each component in pymt."""
    found: str = request.param
    return found


@pytest.fixture
def engine(model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The component on its small case, in ngen's hands."""
    monkeypatch.setenv("PARFLOW_DIR", str(install(tmp_path / "parflow").home))
    return Engine(TYPES[model], str(setup(model, tmp_path / "case")))


def again(engine: Engine, tmp_path: Path) -> Engine:
    """A second module of the same case."""
    config = next((tmp_path / "case").glob("land.yaml"), tmp_path / "case" / "groundwater.yaml")
    cls = type(engine.module)
    return Engine(f"{cls.__module__}.{cls.__name__}", str(config))


def given(engine: Engine, hour: int = 0) -> dict[str, np.ndarray]:
    """Values for all inputs, others in every hour."""
    values = {names.NET_SOURCE: 1.0e-4 * (hour - 1), names.PRESSURE_HEAD: -0.5 - 0.1 * hour, names.SATURATION: 0.7}
    return {name: np.full(engine.length(name), values[name]) for name in engine.inputs}


def test_a_component_goes_through_the_engine_s_calls(engine: Engine) -> None:
    first = engine.advance(given(engine))
    for hour in range(1, STEPS):
        last = engine.advance(given(engine, hour))
    assert engine.module.get_current_time() == STEPS * 3600.0
    assert any(not np.array_equal(first[name], last[name], equal_nan=True) for name in engine.outputs)
    engine.module.finalize()


def test_inputs_can_be_read_back_unchanged(engine: Engine) -> None:
    values = given(engine, 1)
    engine.advance(values)
    for name, array in values.items():
        np.testing.assert_array_equal(engine.get(name), array)


def test_end_time_is_the_largest_number_or_a_real_end(engine: Engine, model: str) -> None:
    expected = 240 * 3600.0 if model == "Colm" else np.finfo(np.float64).max
    assert engine.module.get_end_time() == expected


def test_unknown_names_are_passed_over_when_set_and_nowhere_else(engine: Engine) -> None:
    before = {name: engine.get(name) for name in engine.outputs}
    engine.module.set_value("ngen_dt", np.array([3600.0]))
    engine.module.set_value("area_sqkm", np.array([12.0]))
    for name, values in before.items():
        np.testing.assert_array_equal(engine.get(name), values)
    for function in (engine.module.get_var_units, engine.module.get_var_type, engine.module.get_var_grid):
        with pytest.raises(UnknownNameError):
            function("area_sqkm")
    with pytest.raises(UnknownNameError):
        engine.module.get_value("area_sqkm", np.empty(1))


def test_what_the_component_makes_cannot_be_set(engine: Engine) -> None:
    made = names.POROSITY
    with pytest.raises(BmiStateError, match="made by this component"):
        engine.module.set_value(made, engine.get(made))


def test_forcing_read_from_files_is_no_input_but_may_be_set(tmp_path: Path) -> None:
    engine = Engine(TYPES["Colm"], str(setup("Colm", tmp_path / "case")))
    temperature = "atmosphere_bottom_air__temperature"
    assert set(engine.inputs) == {names.PRESSURE_HEAD, names.SATURATION}
    engine.set(temperature, np.full(engine.length(temperature), 300.0))
    warm = engine.advance(given(engine))
    cold = again(engine, tmp_path).advance(given(engine))
    flux = "land_surface_air_heat~net~sensible__energy_flux"
    assert not np.array_equal(warm[flux], cold[flux], equal_nan=True)


def test_external_forcing_is_what_the_engine_must_supply(tmp_path: Path) -> None:
    config = setup("Colm", tmp_path / "case")
    data = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**data, "forcing": "external"}))
    engine = Engine(TYPES["Colm"], str(config))
    assert len(engine.inputs) == 10
    weather = {
        "land_surface_radiation~incoming~shortwave__energy_flux": 300.0,
        "land_surface_radiation~incoming~longwave__energy_flux": 380.0,
        "atmosphere_water_precipitation__mass_flux": 1.0e-4,
        "atmosphere_bottom_air__temperature": 295.0,
        "land_surface_wind__x_component_of_velocity": 2.0,
        "land_surface_wind__y_component_of_velocity": 1.0,
        "atmosphere_bottom_air__pressure": 9.9e4,
        "atmosphere_bottom_air_water~vapor__specific_humidity": 0.012,
    }
    arrays = {name: np.full(engine.length(name), value) for name, value in weather.items()}
    arrays |= {names.PRESSURE_HEAD: np.full(1200, -0.5), names.SATURATION: np.full(1200, 0.7)}
    engine.advance(arrays)
    with pytest.raises(AssertionError, match="no provider"):
        engine.advance({k: v for k, v in arrays.items() if "wind" not in k})


def test_the_realization_of_the_guide_names_what_exists(tmp_path: Path) -> None:
    guide = (ROOT / "docs/ngen.md").read_text()
    realization = json.loads(guide.split("```json")[1].split("```")[0])
    params = realization["global"]["formulations"][0]["params"]
    config = setup("Colm", tmp_path / "case")
    data = yaml.safe_load(config.read_text())
    heights = {"wind": 10.0, "temperature": 2.0, "humidity": 2.0}
    # grass: 2 m must be above the canopy
    config.write_text(yaml.safe_dump({**data, "forcing": "external", "reference_height": heights, "land_cover": 10}))
    engine = Engine(params["python_type"], str(config))
    assert {*params["variables_names_map"], names.PRESSURE_HEAD, names.SATURATION} == set(engine.inputs)
    assert params["main_output_variable"] in engine.outputs
    for python_type in TYPES.values():
        assert f"`{python_type}`" in guide


@pytest.mark.parametrize("groundwater", ["Richards", "ParflowSurrogate"])
def test_a_realization_links_land_and_groundwater(tmp_path: Path, groundwater: str) -> None:
    guide = (ROOT / "docs/ngen.md").read_text()
    realization = json.loads(guide.split("```json")[2].split("```")[0])
    params = realization["global"]["formulations"][0]["params"]
    params["modules"][1]["params"]["python_type"] = TYPES[groundwater]
    files = {"land.yaml": setup("Colm", tmp_path / "a"), "groundwater.yaml": setup(groundwater, tmp_path / "b")}
    formulation = Formulation(params, lambda name: str(files[name]))
    land, soil = plugin("Colm")(), plugin(groundwater)()
    land.initialize(str(files["land.yaml"]))
    soil.initialize(str(files["groundwater.yaml"]))
    for hour in range(1, 25):
        formulation.advance()
        for name in (names.PRESSURE_HEAD, names.SATURATION):
            land.set_value(name, soil.values[name][-10:])
        land.update_until(hour * 3600.0)
        soil.set_value(names.NET_SOURCE, land.get_value_ptr(names.NET_SOURCE))
        soil.update_until(hour * 3600.0)
    for ours, engine in zip((land, soil), formulation.engines, strict=True):
        for name in engine.outputs:
            np.testing.assert_array_equal(engine.get(name), ours.get_value_ptr(name), err_msg=name)
    assert np.nanmax(np.abs(land.values[names.NET_SOURCE])) > 0.0


# ---------------------------------------------------------------- serialization


def test_reserved_names_are_known_but_listed_nowhere(engine: Engine) -> None:
    assert engine.supports_serialization()
    for name, dtype in {CREATE: "int32", FREE: "int32", SIZE: "int64", STATE: "uint8"}.items():
        assert name not in (*engine.inputs, *engine.outputs)
        assert engine.module.get_var_type(name) == dtype
        assert engine.module.get_var_nbytes(name) == engine.get(name).nbytes
    assert engine.get(SIZE)[0] == 0
    assert engine.get(STATE).size == 0


def test_a_capture_changes_nothing_and_free_drops_it(engine: Engine, tmp_path: Path) -> None:
    undisturbed = again(engine, tmp_path)
    for hour in range(STEPS):
        expected, found = undisturbed.advance(given(engine, hour)), engine.advance(given(engine, hour))
        assert len(engine.save()) > 1000
        assert engine.get(SIZE)[0] == 0
        assert engine.get(STATE).size == 0
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values, err_msg=name)


@pytest.mark.parametrize("announced", [True, False])
def test_restored_before_the_first_step_it_starts_warm_at_time_0(
    engine: Engine, tmp_path: Path, announced: bool
) -> None:
    hours = 24 if "Colm" in type(engine.module).__name__ else STEPS  # the land's state knows the time of day
    for hour in range(hours):
        engine.advance(given(engine, hour % STEPS))
    content = engine.save()
    other = again(engine, tmp_path)
    other.restore(content, announced)
    assert other.module.get_current_time() == 0.0
    for name in engine.outputs:
        np.testing.assert_array_equal(other.get(name), engine.get(name), err_msg=name)
    engine_next, other_next = engine.advance(given(engine, 1)), other.advance(given(engine, 1))
    assert other.module.get_current_time() == 3600.0
    if "Colm" in type(engine.module).__name__:
        return  # another day's weather
    for name, values in engine_next.items():
        np.testing.assert_array_equal(other_next[name], values, err_msg=name)


def test_restored_later_it_goes_back_bit_for_bit(engine: Engine) -> None:
    engine.advance(given(engine))
    content = engine.save()
    first = [engine.advance(given(engine, hour)) for hour in (1, 2)]
    engine.restore(content)
    assert engine.module.get_current_time() == 3600.0
    engine.time = 3600.0
    for hour, expected in zip((1, 2), first, strict=True):
        for name, values in engine.advance(given(engine, hour)).items():
            np.testing.assert_array_equal(values, expected[name], err_msg=name)


def test_a_module_that_resumes_takes_the_clock_too(engine: Engine, tmp_path: Path, monkeypatch) -> None:
    engine.advance(given(engine))
    content = engine.save()
    expected = engine.advance(given(engine, 1))
    other = again(engine, tmp_path)
    monkeypatch.setattr(type(other.module), "resumes", True)
    other.restore(content)
    assert other.module.get_current_time() == 3600.0
    other.time = 3600.0
    for name, values in other.advance(given(engine, 1)).items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)


def test_bytes_that_are_no_state_are_refused_and_change_nothing(engine: Engine) -> None:
    engine.advance(given(engine))
    content = engine.save()
    before = {name: engine.get(name) for name in engine.outputs}
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 0xFF
    wrong = {
        "no state": b"\0" * 100,
        "cut off": content[:-10],
        "no state of": b"",
        "SHA-256|damaged|truncated|does not fit|belongs to|made with": bytes(damaged),
    }
    for words, payload in wrong.items():
        with pytest.raises(ConfigError, match=words):
            engine.restore(payload, announced=False)
        for name, values in before.items():
            np.testing.assert_array_equal(engine.get(name), values, err_msg=name)
    engine.restore(content + b"\0" * 7)  # what pads a record does not matter
    assert engine.module.get_current_time() == 3600.0


def test_serialization_needs_an_initialized_module() -> None:
    from bmi_richards.ngen import Richards

    for name in (CREATE, FREE, SIZE, STATE):
        with pytest.raises(BmiStateError, match="initialize"):
            Richards().set_value(name, np.zeros(1))
        assert Richards().get_var_units(name)
