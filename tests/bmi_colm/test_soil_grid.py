"""The land's layers of soil: parts of the root zone's layers, between which no water is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from land_basin import LAYERS, MASK, NX, NY, WEATHER, started, write_fields, write_land

from bmi_colm import BmiColm
from bmi_colm import variables as names
from bmi_colm.columns import FrozenSoil
from bmi_colm.config import prepare
from bmi_colm.forcing import names as forcing
from bmi_colm.soil_grid import STANDARD_THICKNESS, SoilGrid
from bmi_common import ConfigError

WINTER = {
    forcing.SHORTWAVE: 20.0,
    forcing.LONGWAVE: 200.0,
    forcing.AIR_TEMPERATURE: 253.0,
    forcing.SPECIFIC_HUMIDITY: 5e-4,
}
RAIN = {forcing.PRECIPITATION: 3.0e-4}
COVERS = np.array([[2, 4, 10, 12], [1, 5, 8, 11], [14, 10, 16, 7]])
CONUS = [100.0, 1.0, 0.6, 0.3, 0.1]
TWELVE = [50.0, 1.0, 0.5, 0.4, 0.3, 0.2, 0.2, 0.15, 0.1, 0.08, 0.05, 0.03, 0.02]


def domain(layers: list[float], root_zone: int) -> dict[str, Any]:
    return {
        "grid": {"nx": NX, "ny": NY, "dx": 1000.0, "dy": 1000.0},
        "layers": layers,
        "root_zone": {"layers": root_zone},
        "mask": {"file": "basin.nc", "variable": "mask"},
        "latitude": {"file": "basin.nc", "variable": "lat"},
        "longitude": {"file": "basin.nc", "variable": "lon"},
        "porosity": 0.4,
        "van_genuchten": {"alpha": 1.0, "n": 2.0, "residual_saturation": 0.1},
    }


def land(folder: Path, layers: list[float], root_zone: int, **changes: Any) -> BmiColm:
    folder.mkdir(exist_ok=True)
    write_fields(folder / "covers.nc", cover=COVERS)
    cover = {"file": "covers.nc", "variable": "cover"}
    return started(folder, domain=domain(layers, root_zone), land_cover=cover, threads=1, **changes)


def advance(bmi: BmiColm, head: np.ndarray, saturation: np.ndarray, weather: dict[str, float]) -> None:
    n = bmi.values[names.PRESSURE_HEAD].shape[0]
    bmi.set_value(names.PRESSURE_HEAD, np.broadcast_to(head[:, None, None], (n, NY, NX)))
    bmi.set_value(names.SATURATION, np.broadcast_to(saturation[:, None, None], (n, NY, NX)))
    for name, value in {**WEATHER, **weather}.items():
        bmi.set_value(name, np.full((NY, NX), value))
    bmi.update()


def test_ten_layers_are_the_root_zone_and_fewer_are_divided_as_finely_as_the_land_model_is() -> None:
    ten = SoilGrid.of(STANDARD_THICKNESS)
    assert ten.is_root_zone
    assert ten.thickness is STANDARD_THICKNESS
    assert SoilGrid.of(np.array(TWELVE[::-1][:-1])).is_root_zone
    four = SoilGrid.of(np.array([0.1, 0.3, 0.6, 1.0]))
    assert four.parts == (4, 3, 2, 2)
    np.testing.assert_allclose(four.add_up(four.thickness), [0.1, 0.3, 0.6, 1.0], rtol=1e-14)
    limits, depth = np.cumsum(STANDARD_THICKNESS), np.cumsum(four.thickness)
    allowed = STANDARD_THICKNESS[np.minimum(np.searchsorted(limits, depth - 1e-9), 9)]
    assert (four.thickness <= 1.1 * allowed).all()
    # layers whose boundaries are those of the Common Land Model are divided into its layers
    merged = np.array([STANDARD_THICKNESS[i:j].sum() for i, j in ((0, 3), (3, 6), (6, 8), (8, 10))])
    divided = SoilGrid.of(merged).thickness
    np.testing.assert_allclose(divided[:8], STANDARD_THICKNESS[:8], rtol=2e-3)
    np.testing.assert_allclose(divided[8:], STANDARD_THICKNESS[8:], rtol=0.15)  # its last layer is a thin one


def test_one_thin_layer_is_divided_and_heat_reaches_below_it_where_it_is_told_to() -> None:
    thin = SoilGrid.of(np.array([0.01]))
    assert thin.parts == (2,)
    deep = SoilGrid.of(np.array([0.01]), thermal_depth=10.0)
    assert (deep.parts, deep.rooted) == ((2,), 2)
    assert deep.thickness.sum() == pytest.approx(10.0, rel=1e-14)
    assert (np.diff(deep.thickness[2:]) > 0.0).all()
    np.testing.assert_array_equal(deep.share[2:], 0.0)


@pytest.mark.parametrize("thermal_depth", [None, 6.0])
def test_water_is_neither_lost_nor_made_between_the_two_grids(thermal_depth: float | None) -> None:
    random = np.random.default_rng(1)
    root_zone = random.uniform(0.02, 2.0, 5)
    grid = SoilGrid.of(root_zone, thermal_depth=thermal_depth and root_zone.sum() + thermal_depth)
    saturation, source = random.random((7, 5)), random.normal(size=(7, grid.layers))
    source[:, grid.rooted :] = 0.0
    water = grid.add_up(grid.spread(saturation) * grid.thickness)
    np.testing.assert_allclose(water, saturation * root_zone, rtol=1e-14)
    np.testing.assert_allclose(grid.add_up(saturation[..., grid.owner] * grid.share), saturation, rtol=1e-14)
    handed = (grid.mean(source) * root_zone).sum(axis=1)
    np.testing.assert_allclose(handed, (source * grid.thickness).sum(axis=1), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(grid.mean(grid.spread(saturation)), saturation, rtol=1e-14)


@pytest.mark.parametrize("mode", FrozenSoil)
def test_few_layers_of_the_root_zone_act_as_ten_with_the_same_water(tmp_path: Path, mode: FrozenSoil) -> None:
    thickness = np.array(LAYERS[2:])  # bottom first
    of_layer = np.repeat([0, 1, 2, 3], [2, 2, 3, 3])
    merged = [5.0, 2.0, *(float(thickness[of_layer == k].sum()) for k in range(4))]
    ten = land(tmp_path / "ten", LAYERS, 10, frozen_soil=mode.value)
    four = land(tmp_path / "four", merged, 4, frozen_soil=mode.value, soil_layers=thickness.tolist())
    head, saturation = np.array([-0.5, -1.0, -3.0, -8.0]), np.array([0.9, 0.7, 0.6, 0.5])
    for hour in range(60):
        weather = (RAIN if hour < 12 else {}) | (WINTER if 12 <= hour < 40 else {})
        advance(ten, head[of_layer], saturation[of_layer], weather)
        advance(four, head, saturation, weather)
        for v in ten.variables:
            if v.name in names.DIAGNOSTICS or ten.values[v.name].shape != four.values[v.name].shape:
                continue
            if not v.role.is_input:
                np.testing.assert_allclose(
                    four.values[v.name], ten.values[v.name], rtol=1e-7, atol=1e-9, err_msg=v.name
                )
        handed = [
            (b.values[names.NET_SOURCE] * b.values[names.LAYER_THICKNESS])[:, MASK].sum(axis=0) for b in (four, ten)
        ]
        np.testing.assert_allclose(handed[0], handed[1], rtol=1e-7, atol=1e-12)
    ice = [b.values[names.SOIL_ICE][:, MASK].sum(axis=0) for b in (four, ten)]
    np.testing.assert_allclose(ice[0], ice[1], rtol=1e-6, atol=1e-9)
    ten.finalize()
    four.finalize()


@pytest.mark.parametrize(
    ("layers", "root_zone", "changes"),
    [
        (CONUS, 4, {}),
        (CONUS, 4, {"thermal_depth": 12.0}),
        (CONUS, 1, {}),
        ([2.0], 1, {"thermal_depth": 5.0}),
        (TWELVE, 12, {}),
    ],
)
def test_energy_and_water_close_through_frost_and_thaw_whatever_the_root_zone(
    tmp_path: Path, layers: list[float], root_zone: int, changes: dict[str, Any]
) -> None:
    bmi = land(tmp_path / "land", layers, root_zone, **changes)
    random = np.random.default_rng(3)
    pores = 0.4 * np.array(layers[-root_zone:]) * 1000.0  # kg m-2
    for hour in range(96):
        weather = (WINTER if hour < 60 else {}) | (RAIN if hour % 5 < 2 else {})
        saturation = random.uniform(0.4, 1.0, root_zone)
        # a residual beyond 1e-6 W m-2 or 1e-12 kg m-2 s-1 ends the step with an error
        advance(bmi, random.uniform(-5.0, 0.0, root_zone), saturation, weather)
        ice = bmi.values[names.SOIL_ICE][:, MASK]
        assert (ice <= pores[:, None] * (1.0 + 1e-9)).all()
        if hour == 59:
            assert (ice[-1] > 0.0).any()
    handed = (bmi.values[names.NET_SOURCE] * bmi.values[names.LAYER_THICKNESS])[:, MASK].sum(axis=0) / 3600.0
    taken = bmi.values[names.INFILTRATION][MASK] - np.maximum(bmi.values[names.TRANSPIRATION][MASK], 0.0) / 1000.0
    np.testing.assert_allclose(handed, taken, rtol=1e-10, atol=1e-18)
    bmi.finalize()


def test_a_restart_on_divided_layers_goes_on_bit_for_bit(tmp_path: Path) -> None:
    head, saturation = np.full(4, -1.0), np.full(4, 0.7)
    whole, part = (land(tmp_path / name, CONUS, 4, thermal_depth=6.0) for name in ("whole", "part"))
    for bmi in (whole, part):
        for _ in range(6):
            advance(bmi, head, saturation, WINTER)
    part.save_state(tmp_path / "state.nc")
    resumed = land(tmp_path / "resumed", CONUS, 4, thermal_depth=6.0)
    resumed.load_state(tmp_path / "state.nc")
    for bmi in (whole, resumed):
        for _ in range(6):
            advance(bmi, head, saturation, RAIN)
    for v in whole.variables:
        np.testing.assert_array_equal(resumed.values[v.name], whole.values[v.name], err_msg=v.name)
    parts = np.diff(np.append(0.0, np.cumsum(whole._prepared.grid.thickness)))[: whole._prepared.grid.rooted]
    parts[:2] = 0.4 * parts[:2].sum(), 0.6 * parts[:2].sum()
    other = land(tmp_path / "other", CONUS, 4, thermal_depth=6.0, soil_layers=parts[::-1].tolist())
    with pytest.raises(ConfigError, match="division of the soil"):
        other.load_state(tmp_path / "state.nc")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"soil_layers": [1.0, 0.6, 0.3]}, "soil_layers: they are 1.9 m in sum, the root zone 2 m"),
        ({"soil_layers": [1.0, 0.5, 0.5]}, "soil_layers: none ends at a depth of 0.1 m"),
        ({"soil_layers": [2.0]}, "soil_layers: one layer cannot conduct heat"),
        ({"soil_layers": [1.0, -0.5]}, "soil_layers.1: input should be greater than 0"),
        ({"thermal_depth": 1.5}, "thermal_depth: 1.5 m is above the bottom of the root zone, 2 m"),
    ],
)
def test_soil_that_does_not_divide_the_root_zone_is_refused_with_its_key(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    config = write_land(tmp_path, domain=domain(CONUS, 4), **changes)
    with pytest.raises(ConfigError) as error:
        BmiColm().initialize(str(config))
    assert message in str(error.value).replace("Input", "input")
    assert "land.yaml" in str(error.value)


def test_soil_data_reach_the_parts_by_depth(tmp_path: Path) -> None:
    texture = {"thickness": [1.9, 0.1], "sand": [20.0, 60.0], "clay": 20.0}
    file = write_land(tmp_path, domain=domain(CONUS, 4), soil_texture=texture, soil_layers=[1.0, 0.6, 0.3, 0.05, 0.05])
    np.testing.assert_allclose(prepare(file).texture.sand[0], [60.0, 60.0, 20.0, 20.0, 20.0])
    texture["thickness"] = [1.95, 0.05]
    fine = prepare(write_land(tmp_path, domain=domain(CONUS, 4), soil_texture=texture, thermal_depth=5.0))
    sand = fine.texture.sand[0]
    assert sand.shape == (fine.grid.layers,)
    assert sand[0] == 60.0
    assert sand[-1] == 20.0
    assert (sand * fine.grid.thickness).sum() == pytest.approx(60.0 * 0.05 + 20.0 * 4.95)
