"""What the land reads from maps lies where the coordinates of the files say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from land_basin import COVER, LATITUDE, LAYERS, LONGITUDE, MASK, started, step, write_land

from bmi_colm import variables as names
from bmi_colm.config import prepare
from bmi_common import ConfigError

DEPTHS = np.cumsum(LAYERS[:1:-1]) - 0.5 * np.array(LAYERS[:1:-1])  # of the root zone, from the top
SAND = 20.0 + np.arange(10)[:, None, None] + 0.1 * COVER  # from the top


def write(path: Path, name: str, values: np.ndarray, **leading: Any) -> dict[str, Any]:
    """Write a map that runs from north to south and from east to west, with coordinates of dimensions before those."""
    coordinates = {**leading, "lat": LATITUDE[::-1], "lon": LONGITUDE[::-1]}
    xr.Dataset({name: (tuple(coordinates), values[..., ::-1, ::-1])}, coordinates).to_netcdf(path)
    return {"file": path.name, "variable": name}


def test_land_cover_and_parameters_of_cells(tmp_path: Path) -> None:
    cover = write(tmp_path / "cover.nc", "class", np.where(MASK, COVER, 99))
    height = write(tmp_path / "height.nc", "h", 5.0 + COVER)
    land = prepare(write_land(tmp_path, land_cover=cover, vegetation_maps={"canopy_height": height}))
    np.testing.assert_array_equal(land.land_cover, COVER[MASK])
    np.testing.assert_array_equal(land.maps["canopy_height"], 5.0 + COVER[MASK])


@pytest.mark.parametrize("top_first", [True, False])
def test_soil_layers_by_depth(tmp_path: Path, top_first: bool) -> None:
    order = slice(None) if top_first else slice(None, None, -1)
    depth = ("depth", DEPTHS[order], {"units": "m", "positive": "down"})
    sand = write(tmp_path / "soil.nc", "sand", SAND[order], depth=depth)
    land = prepare(write_land(tmp_path, soil_texture={"sand": sand, "clay": 10.0}))
    np.testing.assert_allclose(land.texture.sand, SAND[:, MASK].T)


def test_leaf_area_by_coordinate_and_julian_days(tmp_path: Path) -> None:
    leaves = 0.5 + 0.1 * COVER + np.array([0.0, 0.2])[:, None, None]
    days = ("time", [7457, 7473], {"units": "days since 2000-01-01", "calendar": "julian"})  # 1 and 17 June 2020
    lai = write(tmp_path / "lai.nc", "lai", leaves, time=days)
    with pytest.warns(UserWarning, match="julian"):
        bmi = started(tmp_path, leaf_area={**lai, "time": "dated", "time_stamp": "start", "interpolation": "step"})
    step(bmi)
    values = np.asarray(bmi.get_value_ptr(names.LEAF_AREA)).reshape(MASK.shape)
    vegetated = MASK & ~np.isin(COVER, (13, 15, 17))
    np.testing.assert_allclose(values[vegetated], leaves[0][vegetated])


def test_depths_of_the_wrong_sign_are_refused(tmp_path: Path) -> None:
    depth = ("depth", -DEPTHS, {"units": "m", "positive": "down"})
    sand = write(tmp_path / "soil.nc", "sand", SAND, depth=depth)
    with pytest.raises(ConfigError, match=r"soil\.nc: 'depth': depths are positive downwards, but all negative"):
        started(tmp_path, soil_texture={"sand": sand, "clay": 10.0})
