"""Irrigation of the land: where the water goes, and that water and energy close with it."""

from pathlib import Path

import numpy as np
import pytest
from land_basin import MASK, NX, NY, WEATHER, started, step

from bmi_colm import BmiColm
from bmi_colm import variables as names
from bmi_colm.forcing import names as forcing
from bmi_common import ModelError

DEPTH = 2.0 / 3600.0  # kg m-2 s-1, 2 mm in an hour
WARM = {forcing.AIR_TEMPERATURE: 291.0}
"""Rain is liquid, and as warm as irrigation."""
SNOWY = {forcing.AIR_TEMPERATURE: 270.0, forcing.PRECIPITATION: 1.0 / 3600.0, forcing.SPECIFIC_HUMIDITY: 0.0025}


def irrigate(land: BmiColm, canopy: float = 0.0, ground: float = 0.0) -> None:
    land.set_value(names.CANOPY_IRRIGATION, np.full((NY, NX), canopy))
    land.set_value(names.GROUND_IRRIGATION, np.full((NY, NX), ground))


def outputs(land: BmiColm) -> dict[str, np.ndarray]:
    return {v.name: np.nan_to_num(land.values[v.name]) for v in land.variables if not v.role.is_input}


def test_sprinklers_are_as_rain_of_that_depth(tmp_path: Path) -> None:
    rained, sprinkled = started(tmp_path), started(tmp_path)
    for _ in range(3):
        step(rained, weather={**WARM, forcing.PRECIPITATION: 2.0 * DEPTH})
        irrigate(sprinkled, canopy=DEPTH)
        step(sprinkled, weather={**WARM, forcing.PRECIPITATION: DEPTH})
        irrigate(sprinkled, canopy=0.0)
    expected, found = outputs(rained), outputs(sprinkled)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-9, atol=1e-9, err_msg=name)


def test_drip_wets_the_ground_and_not_the_leaves(tmp_path: Path) -> None:
    dry, dripped, sprinkled = (started(tmp_path) for _ in range(3))
    irrigate(dripped, ground=DEPTH)
    irrigate(sprinkled, canopy=DEPTH)
    for land in (dry, dripped, sprinkled):
        step(land)
    leaves = dry.values[names.CANOPY_WATER]
    np.testing.assert_array_equal(dripped.values[names.CANOPY_WATER], leaves)
    gained = dripped.values[names.INFILTRATION] + dripped.values[names.SURFACE_RUNOFF] / 1000.0
    gained -= dry.values[names.INFILTRATION] + dry.values[names.SURFACE_RUNOFF] / 1000.0
    # all of it but what evaporates more from cooler or warmer, wetter ground
    np.testing.assert_allclose(gained[MASK] * 1000.0, DEPTH, rtol=0.05)
    kept = (sprinkled.values[names.CANOPY_WATER] > leaves + 0.01)[MASK]
    assert kept.sum() == 6  # on the others leaves are dry again after the hour, or there are none


@pytest.mark.parametrize("weather", [WARM, SNOWY], ids=["warm", "snowy"])
def test_water_and_energy_close_with_irrigation(tmp_path: Path, weather: dict[str, float]) -> None:
    land = started(tmp_path)
    for hour in range(30):
        irrigate(land, canopy=DEPTH * (hour % 3), ground=DEPTH * (hour % 2))
        step(land, weather=weather)
        assert np.nanmax(np.abs(land.values[names.WATER_RESIDUAL])) <= 1e-12
        assert np.nanmax(np.abs(land.values[names.ENERGY_RESIDUAL])) <= 1e-6


def test_irrigation_stays_liquid_in_frost(tmp_path: Path) -> None:
    frosty = {**WEATHER, forcing.AIR_TEMPERATURE: 272.0, forcing.SPECIFIC_HUMIDITY: 0.003}
    land = started(tmp_path)
    irrigate(land, ground=DEPTH)
    step(land, weather=frosty)
    assert np.nanmax(land.values[names.SNOW_WATER]) == 0.0
    assert np.nanmin((land.values[names.INFILTRATION] + land.values[names.SURFACE_RUNOFF] / 1000.0)[MASK]) > 0.0


def test_what_is_set_holds_for_one_step(tmp_path: Path) -> None:
    once, never = started(tmp_path), started(tmp_path)
    irrigate(once, ground=DEPTH)
    step(once)
    step(never)
    assert np.nanmax(once.values[names.INFILTRATION] - never.values[names.INFILTRATION]) > 1e-7
    step(once)
    np.testing.assert_array_equal(once.values[names.GROUND_IRRIGATION][MASK], 0.0)


def test_impossible_irrigation_is_named_with_its_cell(tmp_path: Path) -> None:
    land = started(tmp_path)
    irrigate(land, canopy=2.0)
    with pytest.raises(ModelError, match=rf"{names.CANOPY_IRRIGATION} must lie between 0 and 0\.2 kg m-2 s-1, got 2"):
        step(land)
