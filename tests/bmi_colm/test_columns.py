"""Laws that the column physics keeps, whatever the weather."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi_colm import _kernel
from bmi_colm.arrays import ColumnFluxes, ColumnInputs, ColumnParameters, ColumnState, StepOptions
from bmi_colm.columns import ColumnConfig, ColumnModel, FrozenSoil, WaterStress
from bmi_colm.soil import SoilTexture, usda_class
from bmi_colm.tables import carbon_dioxide, soil_table
from bmi_common.errors import ConfigError

THICKNESS = np.array([0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 1.0, 1.5])
COVERS = tuple(range(1, 18))
SOIL_COVERS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 16)
MILD = {
    "shortwave": 400.0,
    "longwave": 330.0,
    "precipitation": 0.0,
    "air_temperature": 290.0,
    "wind_x": 2.0,
    "wind_y": 0.0,
    "pressure": 1.0e5,
    "humidity": 0.008,
}
NOON = datetime(2020, 6, 1, 12)


def columns(n: int = len(SOIL_COVERS), **arguments) -> ColumnModel:
    covers = np.resize(SOIL_COVERS, n)
    defaults = {
        "land_cover": covers,
        "texture": SoilTexture.from_usda(np.resize(["sand", "loam", "clay"], n)),
        "thickness": THICKNESS,
        "porosity": 0.43,
        "latitude": 45.0,
        "longitude": 0.0,
        "start": NOON,
    }
    return ColumnModel(**(defaults | arguments))


weather = st.fixed_dictionaries(
    {
        "shortwave": st.floats(0.0, 1100.0),
        "longwave": st.floats(180.0, 500.0),
        "precipitation": st.one_of(st.just(0.0), st.floats(0.0, 0.01)),
        "air_temperature": st.floats(213.0, 328.0),
        "wind_x": st.floats(-20.0, 20.0),
        "wind_y": st.floats(-20.0, 20.0),
        "pressure": st.floats(6.0e4, 1.05e5),
        "humidity": st.floats(1.0e-4, 0.03),
    }
)


def assert_water_closes(model: ColumnModel, fluxes: ColumnFluxes, precipitation: float) -> None:
    """Within 1e-12 of the fluxes and the rounding of what is stored on the ground and the canopy."""
    size = precipitation + np.abs(fluxes.evapotranspiration) + np.abs(fluxes.infiltration) + np.abs(fluxes.runoff)
    stored = (model.state.snow_water + model.state.canopy_water) / model.options.time_step
    assert (np.abs(fluxes.water_residual) <= 1e-12 * size + 4 * np.finfo(float).eps * stored).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(weather, min_size=1, max_size=6), st.floats(-200.0, 2.0), st.floats(0.01, 1.0))
def test_energy_and_water_balance_in_any_weather(hours, head, saturation):
    model = columns(len(COVERS), land_cover=COVERS)
    for values in hours:
        fluxes = model.step(values, head, saturation)
        assert np.abs(fluxes.energy_residual).max() < 1e-6
        assert_water_closes(model, fluxes, values["precipitation"])
        water = (fluxes.source * THICKNESS).sum(axis=1) / 3.6
        np.testing.assert_allclose(water, fluxes.infiltration - fluxes.transpiration, rtol=0, atol=1e-16)
        np.testing.assert_allclose(
            fluxes.evapotranspiration, fluxes.canopy_evaporation + fluxes.ground_evaporation, rtol=0, atol=1e-15
        )
        assert (model.state.canopy_water >= 0).all()


def day(model: ColumnModel) -> list[dict[str, np.ndarray]]:
    result = []
    for hour in range(24):
        values = dict(MILD, shortwave=700 * max(0.0, np.cos(hour / 24 * 2 * np.pi)), precipitation=2e-4 * (hour == 7))
        fluxes = model.step(values, -2.0, np.linspace(0.2, 0.9, model.n)[:, None])
        result.append({name: array.copy() for name, array in fluxes.arrays().items()})
    return result


def assert_same(one: list[dict[str, np.ndarray]], other: list[dict[str, np.ndarray]]) -> None:
    for a, b in zip(one, other, strict=True):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_a_copied_state_continues_identically():
    model = columns()
    day(model)
    copy = ColumnState(**{name: array.copy(order="K") for name, array in model.state.arrays().items()})
    continued = columns(start=model.time, state=copy)
    assert_same(day(model), day(continued))


def test_kernel_works_on_the_arrays_themselves():
    model = columns()
    arrays = {**model.state.arrays(), **model.fluxes.arrays()}
    addresses = {name: array.ctypes.data for name, array in arrays.items()}
    before = model.state.temperature.copy()
    model.step(MILD, -1.0, 0.7)
    assert (model.state.temperature != before).any()
    for name, array in {**model.state.arrays(), **model.fluxes.arrays()}.items():
        assert array.ctypes.data == addresses[name]
    for arrays_of in (model.parameters, model.forcing, model.state, model.fluxes):
        # only such arrays pass from numpy to Fortran without a copy
        assert all(a.flags.f_contiguous and a.dtype in (np.float64, np.int32) for a in arrays_of.for_kernel().values())


def test_kernel_refuses_arrays_that_it_would_have_to_copy():
    model = columns()
    arrays = model._arrays | {"temperature": np.ascontiguousarray(model._arrays["temperature"])}
    with pytest.raises(ValueError, match=r"temperature|contiguous"):
        _kernel.advance(**vars(model._step_options()), **arrays, order=model._order, threads=1)


def test_the_kernel_takes_what_the_table_names_and_nothing_else():
    table = (StepOptions, ColumnParameters, ColumnState, ColumnInputs, ColumnFluxes)
    named = {f.name for part in table for f in fields(part)} | {"order", "threads"}
    call = re.match(r"advance\(([^)]*)\)", _kernel.advance.__doc__.replace("\n", ""))
    assert set(re.split(r"[,\s]+", call[1])) == named


def test_sunshine_before_sunrise_is_reflected():
    model = columns(start=datetime(2020, 6, 1, 0), longitude=0.0)
    fluxes = model.step(dict(MILD, shortwave=100.0), -1.0, 0.7)
    np.testing.assert_allclose(fluxes.reflected_shortwave, 100.0)


def test_ponded_water_is_a_valid_head():
    fluxes = columns().step(MILD, np.linspace(0.3, 3.0, 10), 1.0)
    assert np.isfinite(fluxes.latent_heat).all()
    assert not fluxes.clamped_heads.any()


def test_very_dry_heads_are_clamped_and_counted():
    model = columns()
    head = np.full((model.n, 10), -1.0)
    head[:, 0] = -1.0e9
    fluxes = model.step(MILD, head, 0.3)
    assert (fluxes.clamped_heads == 1).all()
    limited = columns().step(MILD, np.where(head < -1e5, -1e5, head), 0.3)
    np.testing.assert_array_equal(fluxes.latent_heat, limited.latent_heat)


def test_dry_soil_stops_transpiration():
    dry = columns().step(MILD, -1.0, 0.1)
    assert (dry.transpiration < 1e-12).all()
    free = columns(options=ColumnConfig(water_stress=WaterStress.NONE)).step(MILD, -1.0, 0.1)
    forest = np.resize(SOIL_COVERS, len(free.transpiration)) == 2
    assert (free.transpiration[forest] > 1e-6).all()


def freeze(option: FrozenSoil) -> ColumnModel:
    model = columns(options=ColumnConfig(frozen_soil=option), start=datetime(2020, 1, 1))
    cold = dict(MILD, shortwave=0.0, longwave=200.0, air_temperature=258.0, humidity=0.0003)
    for _ in range(240):
        model.step(cold, -0.5, 0.9)
    return model


def test_ice_stays_within_the_water_of_its_layer():
    model = freeze(FrozenSoil.CONSERVING)
    water = 0.9 * 0.43 * THICKNESS * 1000
    total = model.state.ice[:, 5:] + model.state.liquid[:, 5:]
    assert (model.state.ice[:, 5] > 0.9 * water[0]).all()
    # frost on the ground adds to what was given, until the next step
    np.testing.assert_allclose(total[:, 1:], np.broadcast_to(water[1:], (model.n, 9)), rtol=1e-12)
    assert (model.state.temperature[:, 5] < 272.0).all()


def test_published_frozen_soil_freezes_the_same_water_again():
    model = freeze(FrozenSoil.REFERENCE)
    assert (model.state.ice[:, 5] > 5 * 0.9 * 0.43 * THICKNESS[0] * 1000).all()
    np.testing.assert_allclose(model.state.temperature[:, 5], 273.16, atol=1e-6)


def test_a_class_that_does_not_exist_is_refused():
    with pytest.raises(ConfigError, match=r"land cover 99 .*no IGBP class"):
        columns(2, land_cover=[2, 99])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wilting_point": 1.0}, "field_capacity"),
        ({"wilting_point": -2.0}, "between 0 and 1"),
        ({"residual_saturation": 1.0}, "residual_saturation"),
        ({"reference_height": {"wind": 10.0}}, "tallest canopy"),
    ],
)
def test_options_that_cannot_work_are_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        columns(options=ColumnConfig(**change))


def test_a_year_without_carbon_dioxide_is_refused():
    assert carbon_dioxide(2020, 3) == pytest.approx(414.45e-6)
    with pytest.raises(ConfigError, match="no carbon dioxide for 1950"):
        columns(start=datetime(1950, 1, 1)).step(MILD, -1.0, 0.7)


def test_carbon_dioxide_goes_on_with_the_increase_of_the_tables_last_year():
    assert carbon_dioxide(2024, 7) == pytest.approx(428.22e-6)
    assert carbon_dioxide(2025, 7) == pytest.approx((428.22 + 3.5) * 1e-6)
    assert carbon_dioxide(2030, 12) == pytest.approx((428.22 + 6 * 3.5) * 1e-6)
    with pytest.raises(ConfigError, match=r"no carbon dioxide for 2031 .*2000-2024 .* until 2030"):
        carbon_dioxide(2031, 1)


def test_usda_classes_of_typical_textures():
    table = soil_table()
    sand = np.array([t.sand for t in table.textures.values()])
    clay = np.array([t.clay for t in table.textures.values()])
    assert list(usda_class(sand, clay)) == list(table.textures)


@settings(max_examples=200, deadline=None)
@given(st.floats(0, 100), st.floats(0, 100))
def test_every_texture_has_a_class(sand, share):
    clay = (100 - sand) * share / 100
    assert usda_class(np.array([sand]), np.array([clay]))[0] in soil_table().textures


def test_texture_by_number_equals_texture_by_name():
    by_name = SoilTexture.from_usda(["loam", "Clay", "sandy loam"])
    by_number = SoilTexture.from_usda([6, 12, 3])
    np.testing.assert_array_equal(by_name.sand, by_number.sand)
    np.testing.assert_array_equal(by_name.clay, by_number.clay)


def test_an_unknown_texture_is_refused():
    with pytest.raises(ConfigError, match=r"lom is no USDA texture class.*loam"):
        SoilTexture.from_usda(["lom"])
    with pytest.raises(ConfigError, match="13 is no USDA texture class"):
        SoilTexture.from_usda([13])
