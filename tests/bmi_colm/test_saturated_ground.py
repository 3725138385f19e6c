"""What the land sees where a share of a cell's ground is saturated though its mean is not: equation (10i)."""

from pathlib import Path

import numpy as np
import pytest
from land_basin import MASK, NX, NY, started, step

from bmi_colm import BmiColm
from bmi_colm import variables as names
from bmi_common import ConfigError, ModelError
from bmi_common.state_file import StateArray, read_state, write_state

DRY, DRY_SATURATION = -30.0, 0.4


def give(land: BmiColm, share: float | np.ndarray) -> None:
    name = names.ROOT_ZONE_SATURATED_FRACTION
    land.set_value(name, np.broadcast_to(share, land.values[name].shape).copy())


def hour(
    land: BmiColm, share: float | np.ndarray | None = None, head: float = DRY, wet: float = DRY_SATURATION
) -> None:
    if share is not None:
        give(land, share)
    step(land, head=head, saturation=wet)


def of_a_day(land: BmiColm, share: float, name: str, **soil: float) -> float:
    """Sum of an output over the cells and the hours of a day."""
    total = 0.0
    for _ in range(24):
        hour(land, share, **soil)
        total += float(np.nansum(land.values[name][..., MASK]))
    return total


def outputs(land: BmiColm) -> dict[str, np.ndarray]:
    return {v.name: np.nan_to_num(land.values[v.name]) for v in land.variables if not v.role.is_input}


def assert_same(one: BmiColm, other: BmiColm) -> None:
    expected, found = outputs(one), outputs(other)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)


def test_no_share_is_the_mean(tmp_path: Path) -> None:
    plain, none = started(tmp_path), started(tmp_path)
    for _ in range(3):
        hour(plain)
        hour(none, 0.0)
    assert_same(plain, none)


def test_all_of_the_ground_is_as_saturated_soil(tmp_path: Path) -> None:
    shared, wet = started(tmp_path), started(tmp_path)
    for _ in range(3):
        hour(shared, 1.0)
        hour(wet, head=0.0, wet=1.0)
    assert_same(shared, wet)


def test_half_of_the_ground_is_half_as_dry_and_half_as_empty(tmp_path: Path) -> None:
    shared, mixed = started(tmp_path), started(tmp_path)
    for _ in range(3):
        hour(shared, 0.5)
        hour(mixed, head=0.5 * DRY, wet=0.5 * (1.0 + DRY_SATURATION))
    assert_same(shared, mixed)


def test_ponds_stay_as_deep(tmp_path: Path) -> None:
    ponded, shared = started(tmp_path), started(tmp_path)
    hour(ponded, head=0.02, wet=1.0)
    hour(shared, 0.7, head=0.02, wet=1.0)
    assert_same(ponded, shared)


def test_a_share_holds_for_one_step(tmp_path: Path) -> None:
    forgotten, none = started(tmp_path), started(tmp_path)
    hour(forgotten, 0.5)
    hour(none, 0.5)
    hour(forgotten)
    hour(none, 0.0)
    assert_same(forgotten, none)


def test_more_saturated_ground_gives_off_more_vapour(tmp_path: Path) -> None:
    vapour = [of_a_day(started(tmp_path), share, names.EVAPOTRANSPIRATION) for share in (0.0, 0.3, 1.0)]
    assert vapour[0] < vapour[1] < vapour[2]


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_takes_no_more_than_the_cell_holds(tmp_path: Path, share: float) -> None:
    # soil at the floor of what groundwater can give
    given = of_a_day(started(tmp_path), share, names.NET_SOURCE, head=-1000.0, wet=0.05)
    assert given >= 0.0  # dew at most


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_refuses_what_is_no_share(tmp_path: Path, share: float) -> None:
    land = started(tmp_path)
    values = np.zeros((10, NY, NX))
    values[4, MASK] = share
    with pytest.raises(ModelError, match="soil_root-zone_saturated__area_fraction"):
        hour(land, values)


def test_refuses_a_state_that_lacks_a_share_that_had_been_given(tmp_path: Path) -> None:
    land = started(tmp_path)
    hour(land, 0.5)
    give(land, 0.5)
    land.save_state(tmp_path / "state.nc")
    state = read_state(tmp_path / "state.nc", land.component_name)
    lean = {n: StateArray(a) for n, a in state.arrays.items() if n != "soil_root_zone_saturated__area_fraction"}
    write_state(tmp_path / "lean.nc", state.header, lean)
    with pytest.raises(ConfigError, match=r"it lacks soil_root-zone_saturated__area_fraction, which had been given"):
        started(tmp_path).load_state(tmp_path / "lean.nc")
