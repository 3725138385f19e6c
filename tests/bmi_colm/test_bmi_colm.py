"""The land component as its users see it: YAML in, BMI calls, messages out."""

from __future__ import annotations

import warnings
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from bmi_colm import BmiColm
from bmi_colm import variables as names
from bmi_colm.columns import ColumnModel
from bmi_colm.forcing import names as forcing
from bmi_colm.land import ClampedHeadWarning
from bmi_colm.soil import SoilTexture
from bmi_common import BmiStateError, ConfigError, ModelError

NY, NX = 3, 4
LAYERS = [5.0, 2.0, 1.0, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.08, 0.05, 0.02]  # bottom first, two below the root zone
MASK = np.ones((NY, NX), dtype=bool)
MASK[0, 0] = MASK[2, 3] = False
COVER = np.array([[2, 4, 10, 12], [1, 5, 8, 9], [14, 16, 13, 7]])

WEATHER = {
    forcing.SHORTWAVE: 500.0,
    forcing.LONGWAVE: 340.0,
    forcing.PRECIPITATION: 1.0e-4,
    forcing.AIR_TEMPERATURE: 291.0,
    forcing.WIND_X: 2.0,
    forcing.WIND_Y: -1.0,
    forcing.AIR_PRESSURE: 9.9e4,
    forcing.SPECIFIC_HUMIDITY: 0.009,
}
SHORT = {
    "shortwave": forcing.SHORTWAVE,
    "longwave": forcing.LONGWAVE,
    "precipitation": forcing.PRECIPITATION,
    "air_temperature": forcing.AIR_TEMPERATURE,
    "wind_x": forcing.WIND_X,
    "wind_y": forcing.WIND_Y,
    "pressure": forcing.AIR_PRESSURE,
    "humidity": forcing.SPECIFIC_HUMIDITY,
}
CONFIG = """
start: 2020-06-01T12:00
domain:
  grid: {{nx: 4, ny: 3, dx: 1000.0, dy: 1000.0}}
  layers: [5.0, 2.0, 1.0, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.08, 0.05, 0.02]
  mask: {{file: basin.nc, variable: mask}}
  latitude: 45.0
  longitude: 5.0
  porosity: [0.30, 0.31, 0.32, 0.33, 0.34, 0.35, 0.36, 0.37, 0.38, 0.39, 0.40, 0.41]
  van_genuchten: {{alpha: 1.0, n: 2.0, residual_saturation: 0.1}}
land_cover: {{file: basin.nc, variable: cover}}
soil_texture: loam
forcing: {forcing}
{more}
"""


@pytest.fixture
def basin(tmp_path: Path) -> Path:
    import xarray as xr

    cover = np.where(MASK, COVER, 17)  # water outside the mask must not matter
    xr.Dataset({"mask": (("y", "x"), MASK.astype(float)), "cover": (("y", "x"), cover.astype(float))}).to_netcdf(
        tmp_path / "basin.nc"
    )
    return tmp_path


def write(folder: Path, forcing: str = "external", more: str = "", **replaced: str) -> str:
    text = CONFIG.format(forcing=forcing, more=more)
    for old, new in replaced.items():
        lines = [f"{old}: {new}" if line.startswith(f"{old}:") else line for line in text.splitlines()]
        text = "\n".join(lines)
    path = folder / "land.yaml"
    path.write_text(text)
    return str(path)


def profile() -> np.ndarray:
    """Something different in every layer and cell, bottom first."""
    return 0.3 + 0.05 * np.arange(10)[:, None, None] + 0.01 * np.arange(NY * NX).reshape(NY, NX)


def give(bmi: BmiColm, weather: dict[str, float] = WEATHER, skip: tuple[str, ...] = ()) -> None:
    bmi.set_value(names.PRESSURE_HEAD, np.full((10, NY, NX), -1.5))
    bmi.set_value(names.SATURATION, profile())
    for name, value in weather.items():
        if name not in skip:
            bmi.set_value(name, np.full((NY, NX), value))


def started(folder: Path, **arguments) -> BmiColm:
    bmi = BmiColm()
    bmi.initialize(write(folder, **arguments))
    return bmi


def get(bmi: BmiColm, name: str) -> np.ndarray:
    return bmi.values[name].copy()


def test_results_are_those_of_the_columns_in_bottom_first_order(basin):
    bmi = started(basin)
    give(bmi)
    bmi.update()
    model = ColumnModel(
        land_cover=COVER[MASK],
        texture=SoilTexture.from_usda(np.full(MASK.sum(), "loam")),
        thickness=LAYERS[:1:-1],
        porosity=[0.41, 0.40, 0.39, 0.38, 0.37, 0.36, 0.35, 0.34, 0.33, 0.32],
        latitude=45.0,
        longitude=5.0,
        start=datetime(2020, 6, 1, 12),
    )
    saturation = profile()[::-1][:, MASK].T
    fluxes = model.step({short: WEATHER[name] for short, name in SHORT.items()}, -1.5, saturation)
    np.testing.assert_array_equal(get(bmi, names.LATENT_HEAT)[MASK], fluxes.latent_heat)
    np.testing.assert_array_equal(get(bmi, names.NET_SOURCE)[::-1][:, MASK].T, fluxes.source)
    np.testing.assert_allclose(get(bmi, names.INFILTRATION)[MASK], fluxes.infiltration / 1000, rtol=1e-15)
    assert (get(bmi, names.NET_SOURCE)[-1][MASK] > 0).any()  # rain goes into the top layer, which is the last


def test_cells_outside_the_mask_take_part_in_nothing(basin):
    bmi = started(basin)
    give(bmi)
    for name in (names.PRESSURE_HEAD, forcing.AIR_TEMPERATURE):
        bmi.values[name][..., ~MASK] = np.nan
    bmi.update()
    for variable in names.LAND_OUTPUTS:
        if variable.name != names.CLAMPED_HEADS:
            assert np.isnan(bmi.values[variable.name][..., ~MASK]).all(), variable.name
            assert np.isfinite(bmi.values[variable.name][..., MASK]).all(), variable.name
    assert bmi.columns.n == MASK.sum()


def test_geometry_and_porosity_can_be_compared_with_the_groundwater(basin):
    bmi = started(basin)
    np.testing.assert_allclose(get(bmi, names.LAYER_THICKNESS)[:, 1, 1], LAYERS[2:])
    np.testing.assert_allclose(get(bmi, names.POROSITY)[:, 1, 1], np.arange(0.32, 0.415, 0.01))
    assert bmi.get_grid_shape(bmi.get_var_grid(names.NET_SOURCE), np.empty(3, int)).tolist() == [10, NY, NX]
    heights = bmi.get_grid_z(bmi.get_var_grid(names.NET_SOURCE), np.empty(10))
    assert heights[0] == pytest.approx(7.5)  # above the bottom of the whole column


def test_names_are_known_before_initialize():
    bmi = BmiColm()
    assert names.PRESSURE_HEAD in bmi.get_input_var_names()
    assert set(WEATHER) <= set(bmi.get_input_var_names())
    assert names.NET_SOURCE in bmi.get_output_var_names()
    assert bmi.get_var_units(names.NET_SOURCE) == "h-1"


def test_external_forcing_is_required_in_every_step(basin):
    bmi = started(basin)
    give(bmi)
    bmi.update()
    give(bmi, skip=(forcing.WIND_X,))
    with pytest.raises(BmiStateError, match=rf"2020-06-01 13:00: {forcing.WIND_X}"):
        bmi.update()


def column_record(folder: Path, hours: int) -> str:
    rows = np.tile([500.0, 340.0, 0.0, 291.0, 2.0, -1.0, 9.9e4, 0.009], (hours, 1))
    rows[:, 3] += np.arange(hours)
    np.savetxt(folder / "forcing.txt", rows)
    return "{type: column, file: forcing.txt, start: 2020-06-01T12:00}"


def test_forcing_from_a_file_and_a_value_set_for_one_step(basin):
    bmi = started(basin, forcing=column_record(basin, 6))
    give(bmi, weather={})
    bmi.set_value(forcing.AIR_TEMPERATURE, np.full((NY, NX), 300.0))
    bmi.update()
    assert (get(bmi, forcing.AIR_TEMPERATURE)[MASK] == 300.0).all()
    bmi.update()
    assert (get(bmi, forcing.AIR_TEMPERATURE)[MASK] == 292.0).all()  # the file's second hour
    assert bmi.get_current_time() == 7200.0


def test_a_run_longer_than_the_record_is_refused_at_the_start(basin):
    with pytest.raises(ConfigError, match=r"land\.yaml.*forcing\.txt"):
        started(basin, forcing=column_record(basin, 6), more="end: 2020-06-02T12:00")


def test_root_zone_water_must_be_supplied(basin):
    bmi = started(basin)
    for name, value in WEATHER.items():
        bmi.set_value(name, np.full((NY, NX), value))
    with pytest.raises(BmiStateError, match=names.PRESSURE_HEAD):
        bmi.update()


@pytest.mark.parametrize(
    ("name", "value"), [(forcing.AIR_TEMPERATURE, 18.0), (names.SATURATION, 1.2), (forcing.LONGWAVE, np.nan)]
)
def test_impossible_inputs_name_variable_and_cell(basin, name, value):
    bmi = started(basin)
    give(bmi)
    bmi.values[name][..., 1, 2] = value
    with pytest.raises(ModelError, match=rf"{name} must lie .*j=1, i=2"):
        bmi.update()


def test_snowfall_lies_where_it_fell(basin):
    bmi = started(basin)
    give(bmi)
    bmi.values[forcing.PRECIPITATION][...] = 5.0e-3
    bmi.values[forcing.AIR_TEMPERATURE][2, 1] = 262.0
    bmi.update()
    snow = bmi.values[names.SNOW_WATER]
    assert snow[2, 1] > 5e-3
    assert np.nansum(snow) == snow[2, 1]


def test_diagnostics_add_up(basin):
    bmi = started(basin)
    give(bmi)
    bmi.update()
    get = bmi.values.__getitem__
    turbulent = get(names.LATENT_HEAT) + get(names.SENSIBLE_HEAT)
    stored = get(names.NET_RADIATION) + get(names.PRECIPITATION_HEAT) - turbulent - get(names.GROUND_HEAT)
    inside = ~np.isnan(stored)
    np.testing.assert_allclose(stored[inside], 0.0, atol=1e-6)
    evaporation = get(names.TRANSPIRATION) + get(names.CANOPY_EVAPORATION) + get(names.SOIL_EVAPORATION)
    np.testing.assert_allclose(evaporation[inside], get(names.EVAPOTRANSPIRATION)[inside], rtol=1e-12)
    np.testing.assert_allclose(
        get(names.ABSORBED_SHORTWAVE)[inside],
        ((1 - get(names.ALBEDO)) * get(forcing.SHORTWAVE))[inside],
        rtol=1e-12,
    )
    assert np.abs(get(names.WATER_RESIDUAL)[inside]).max() < 1e-15


def test_diagnostics_hold_before_the_first_step(basin):
    bmi = started(basin)
    mask = ~np.isnan(bmi.values[names.GROUND_TEMPERATURE])
    assert (bmi.values[names.SOIL_TEMPERATURE][:, mask] == 283.0).all()
    assert (bmi.values[names.GROUND_TEMPERATURE][mask] == 283.0).all()
    assert (bmi.values[names.SCREEN_TEMPERATURE][mask] == 283.0).all()
    assert (bmi.values[names.LATENT_HEAT][mask] == 0.0).all()


def test_dry_soil_is_clamped_with_a_warning_and_a_count(basin):
    bmi = started(basin, more="lowest_head: -100.0")
    give(bmi)
    bmi.values[names.PRESSURE_HEAD][9, 1, :2] = -1.0e6
    with pytest.warns(ClampedHeadWarning, match="below -100 m in 2 cells"):
        bmi.update()
    assert bmi.get_value(names.CLAMPED_HEADS, np.empty(1))[0] == 2
    give(bmi)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bmi.update()
    assert bmi.get_value(names.CLAMPED_HEADS, np.empty(1))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"land_cover": "18"}, r"land\.yaml: land_cover: 18 is no IGBP class \(1-17\).*first at .*j=0, i=1"),
        ({"land_cover": "2.5"}, "land_cover: 2.5 is no IGBP class"),
        ({"soil_texture": "lom"}, r"land\.yaml:\d+: soil_texture.*did you mean 'loam'"),
        ({"soil_texture": "{sand: 60.0}"}, "give a USDA class, or sand and clay"),
        ({"soil_texture": "{sand: 60.0, clay: 60.0}"}, "more than 100 %"),
        ({"soil_texture": "13"}, "13.* is no USDA texture class"),
        ({"more": "evaporation_facter: 1"}, r"land\.yaml:\d+: evaporation_facter.*did you mean 'evaporation_factor'"),
        ({"more": "evaporation_factor: 3"}, "evaporation_factor"),
        ({"more": "water_stress: 1"}, r"water_stress 1.*below 0"),
        ({"more": "frozen_soil: melt"}, "frozen_soil: input should be 'reference' or 'conserving', got 'melt'"),
        ({"more": "reference_height: {wind: 10.0, below_canopy: refuse}"}, "reference height of wind"),
        ({"more": "end: 2019-01-01T00:00"}, "must be after start"),
        ({"forcing": "externel"}, "forcing"),
    ],
)
def test_mistakes_in_the_configuration_are_named(basin, arguments, message):
    with pytest.raises(ConfigError, match=message):
        started(basin, **arguments)


def test_a_texture_profile_is_read_bottom_first(basin):
    sand = "[" + ", ".join(str(10.0 + 5 * k) for k in range(10)) + "]"
    bmi = started(basin, soil_texture=f"{{sand: {sand}, clay: 20.0}}")
    give(bmi)
    bmi.update()
    # sandier soil conducts better when saturated, and the top layer, the last in the list, is the sandiest
    conductivity = bmi.columns.parameters.of_columns("conductivity_saturated")
    assert (conductivity[:, 0] > conductivity[:, -1]).all()


def test_instances_are_independent(basin):
    one, other = started(basin), started(basin)
    give(one)
    one.update()
    give(other)
    give(one, WEATHER | {forcing.AIR_TEMPERATURE: 300.0})
    one.update()
    other.update()
    alone = started(basin)
    give(alone)
    alone.update()
    np.testing.assert_array_equal(get(other, names.LATENT_HEAT), get(alone, names.LATENT_HEAT))


def test_provenance_lists_the_files(basin):
    files = {Path(f).name for f in started(basin).provenance}
    assert files == {"land.yaml", "basin.nc"}
