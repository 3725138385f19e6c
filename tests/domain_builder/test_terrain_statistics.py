"""Statistics of the terrain within cells are those of the elevation map, in their places."""

from pathlib import Path

import domain_maps
import netCDF4
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from domain_maps import CELL, SIDE, SOUTH, UTM, WEST

from bmi_common.config import load_config
from bmi_common.errors import ConfigError
from bmi_richards.config import prepare
from rootzone.bmi_domain import main as bmi_domain
from rootzone.domain_builder.config import BasinConfig
from rootzone.domain_builder.grid import BasinGrid, divided, read_crs
from rootzone.domain_builder.natural_flow import natural_flow
from rootzone.domain_builder.region import read_fine_region, read_region
from rootzone.domain_builder.terrain_statistics import QUANTILES, read_terrain_statistics

FLOOR = 40
"""Column of the map with the valley's floor; the region of `domain_maps` has columns and rows 8 to 71."""
FALL, STEEP = 0.001, 0.2
ROUNDING = 1e-4
"""Of heights [m], as pits are filled in single precision."""
WEATHER = Path(__file__).parents[2] / "cfg" / "demo" / "weather.nc"
KEY = {"terrain_statistics": {"cell": CELL, "stream_area": 0.1}}
"""Streams from 40 cells on: more than a hillside has in a row, fewer than both."""
ROW, COLUMN = np.mgrid[0:SIDE, 0:SIDE].astype(float)


def v_valley() -> np.ndarray:
    """Falls gently to the south, between even hillsides; southern row first."""
    return 100.0 + CELL * (FALL * ROW + STEEP * np.abs(COLUMN - FLOOR))


def basin(folder, ground, changes=None):
    """Read a configuration and its region, with `ground` as elevation."""
    content = domain_maps.write_maps(folder)
    domain_maps.write(folder / "elevation.tif", ground, nodata=np.nan)
    config = load_config(domain_maps.write_basin(folder, content, KEY | (changes or {})), BasinConfig)
    return config, read_region(config)


def statistics(folder, ground, changes=None):
    config, region = basin(folder, ground, changes)
    return read_terrain_statistics(config, region, region.mask)


def polygon(folder, east):
    """Write a box that ends in the east so many metres from the edge of the map."""
    geopandas = pytest.importorskip("geopandas")
    from shapely.geometry import box

    shape = box(WEST + 400.0, SOUTH + 400.0, WEST + east, SOUTH + 3600.0)
    geopandas.GeoDataFrame(geometry=[shape], crs=UTM).to_file(folder / "region.gpkg")
    return {"region": {"polygon": "region.gpkg"}}


# ---------------------------------------------------------------------- known by hand


def test_a_valley_has_the_heights_slopes_and_streams_that_are_drawn(tmp_path):
    found = statistics(tmp_path, v_valley())
    # the column of cells 9 begins with the floor: cells 0 to 3 times 50 m away from it; 8 has those 1 to 4 times
    for column, heights in ((9, [0.0, 10.0, 20.0, 30.0]), (8, [10.0, 20.0, 30.0, 40.0])):
        expected = np.quantile(np.repeat(heights, 4), QUANTILES)
        np.testing.assert_allclose(found.height[:, 1:-1, column], np.tile(expected[:, None], 16), atol=ROUNDING)
        np.testing.assert_allclose(found.mean_height[1:-1, column], np.mean(heights), atol=ROUNDING)
    np.testing.assert_allclose(found.drainage_density[1:-1, 9], 4 * 50.0 / 200.0**2)
    assert (found.drainage_density[1:-1, 8] == 0.0).all()
    np.testing.assert_allclose(found.slope[:, 1:-1, 8], np.hypot(STEEP, FALL))
    np.testing.assert_allclose(found.slope[0, 1:-1, 9], FALL)  # the floor
    np.testing.assert_allclose(found.curvature[:, 1:-1, 8], 0.0, atol=1e-12)
    np.testing.assert_allclose(found.curvature[-1, 1:-1, 9], 2.0 * STEEP / CELL)
    # the southern row has all of the region, the northern one four rows of it
    np.testing.assert_allclose(found.upstream_area[[1, -2], 9], [64 * 64 * CELL**2, 4 * 64 * CELL**2])
    assert found.cells == 64 * 64
    assert found.density == pytest.approx(1.0 / (64 * 50.0))
    assert found.median_height == pytest.approx(np.median(10.0 * np.abs(np.arange(8, 72) - FLOOR)), abs=ROUNDING)


def test_without_streams_heights_are_those_above_the_end_of_the_way(tmp_path):
    plane = 100.0 + CELL * 0.1 * COLUMN + 0.0 * ROW  # falls to the west
    found = statistics(tmp_path, plane, {"terrain_statistics": {"cell": CELL, "stream_area": 20.0}})
    assert (found.drainage_density[1:-1, 1:-1] == 0.0).all()
    assert found.density == 0.0
    first = 4 * np.arange(16)  # cells of the map from the western rim
    np.testing.assert_allclose(found.height[0, 1:-1, 1:-1], np.tile(5.0 * first, (16, 1)), atol=ROUNDING)
    np.testing.assert_allclose(found.height[-1, 1:-1, 1:-1], np.tile(5.0 * (first + 3), (16, 1)), atol=ROUNDING)


def test_oblong_cells_are_divided_into_squares():
    grid = BasinGrid(read_crs(UTM, "crs"), WEST, SOUTH, 200.0, 100.0, 3, 5)
    fine = divided(grid, 50.0, "cell")
    assert (fine.dx, fine.dy, fine.nx, fine.ny, fine.bounds) == (50.0, 50.0, 12, 10, grid.bounds)
    with pytest.raises(ConfigError, match=r"200 by 100 m, a whole number of times, at least 2; .* such as 50$"):
        divided(grid, 100.0, "cell")


# ---------------------------------------------------------------------- in its place


def test_every_cell_has_what_the_map_has_there(tmp_path):
    """A landscape without any symmetry, in a region longer than wide."""
    ground = domain_maps.fractal(3, SIDE, pits=0.0)
    box = [WEST + 400.0, SOUTH + 800.0, WEST + 2600.0, SOUTH + 3600.0]
    config, region = basin(tmp_path, ground, {"region.bounding_box": box})
    found = read_terrain_statistics(config, region, region.mask)
    slope = np.hypot(*np.gradient(ground, CELL))
    bends = [np.diff(ground, 2, axis=a) / CELL**2 for a in (0, 1)]
    curvature = np.full_like(ground, np.nan)
    curvature[1:-1, 1:-1] = bends[0][:, 1:-1] + bends[1][1:-1]
    inner = np.argwhere(region.mask)
    inner = inner[((inner > 1) & (inner < np.array(region.mask.shape) - 2)).all(axis=1)]
    assert len(inner) == 9 * 12
    for j, i in inner:
        x, y = region.grid.centre(j, i)
        here = np.s_[round((y - SOUTH) / CELL) - 2 :, round((x - WEST) / CELL) - 2 :]
        for quantiles, values in ((found.slope, slope), (found.curvature, curvature)):
            expected = np.quantile(values[here][:4, :4], QUANTILES)
            np.testing.assert_allclose(quantiles[:, j, i], expected, rtol=1e-9, atol=1e-12)


def test_heights_are_those_of_a_walk_along_the_water():
    ground = domain_maps.fractal(5, 40)[:30]
    mask = np.hypot(*(np.mgrid[0:30, 0:40] - np.array([14.0, 19.0])[:, None, None])) < 14.3
    grid = BasinGrid(read_crs(UTM, "crs"), WEST, SOUTH, CELL, CELL, 40, 30)
    flow = natural_flow(ground, mask, grid)
    streams = mask & (np.nan_to_num(flow.upstream_area) >= 20 * CELL**2)
    height = flow.height_above(streams)
    assert (flow.filled[mask] >= ground[mask] - ROUNDING).all()
    assert (flow.filled[mask] > ground[mask] + 1.0).any()  # there were pits
    assert np.isnan(height[~mask]).all()
    assert (height[mask] >= 0.0).all()
    reached = 0
    for start in np.flatnonzero(mask):
        cell = start
        while not streams.flat[cell] and flow.downstream[cell] != cell:
            cell = flow.downstream[cell]
        reached += bool(streams.flat[cell])
        assert height.flat[start] == pytest.approx(flow.filled.flat[start] - flow.filled.flat[cell], abs=ROUNDING)
    assert 0 < reached < mask.sum()  # some leave the region before


def test_quantiles_rise_and_nothing_is_missing_or_below_its_drainage(tmp_path):
    config, region = basin(tmp_path, domain_maps.fractal(7, SIDE))  # with pits and a flat
    found = read_terrain_statistics(config, region, region.mask)
    for values in (found.height, found.slope, found.curvature):
        assert np.isfinite(values[:, region.mask]).all()
        assert np.isnan(values[:, ~region.mask]).all()
        assert (np.diff(values[:, region.mask], axis=0) >= 0.0).all()
        assert (values[-1] > values[0])[region.mask].any()
    assert (found.height[0, region.mask] >= 0.0).all()
    assert (found.mean_height <= found.height[-1])[region.mask].all()


# ---------------------------------------------------------------------- the region


def test_ground_beyond_the_divide_does_not_count(tmp_path):
    cliff = v_valley() + np.where(COLUMN >= 55, 500.0, 0.0)  # from 2750 m on
    found = statistics(tmp_path, cliff, polygon(tmp_path, east=2750.0))
    last = found.height.shape[2] - 2  # three quarters of its cells are in the region, columns 52 to 54
    heights = np.quantile(np.repeat([120.0, 130.0, 140.0], 4), QUANTILES)
    np.testing.assert_allclose(found.height[:, 1:-1, last], np.tile(heights[:, None], 16), atol=ROUNDING)
    np.testing.assert_allclose(found.slope[:, 1:-1, last], np.hypot(STEEP, FALL))
    np.testing.assert_allclose(found.curvature[:, 1:-1, last], 0.0, atol=1e-12)
    assert found.cells == 64 * (55 - 8)


def test_water_of_the_region_runs_through_cells_that_do_not_take_part(tmp_path):
    found = statistics(tmp_path, v_valley(), polygon(tmp_path, east=2650.0))
    assert found.cells == 64 * (52 - 8)  # column 52 of the map is in the region, but the cell there is not
    assert np.nanmax(found.upstream_area) == pytest.approx(64 * (53 - 8) * CELL**2)


def test_cells_beside_the_region_are_like_the_nearest(tmp_path):
    config, region = basin(tmp_path, v_valley())
    active = region.mask.copy()
    active[0, 8:10] = True  # banks
    found = read_terrain_statistics(config, region, active)
    for values in (found.height, found.slope, found.drainage_density, found.upstream_area):
        np.testing.assert_array_equal(values[..., 0, 8:10], values[..., 1, 8:10])
    assert np.isnan(found.mean_height[~active]).all()
    assert found.cells == 64 * 64


def closed_valley(divide: float) -> np.ndarray:
    """Falls to the south from a row on, and lies between divides 30.3 columns beside its floor."""
    along, across = np.minimum(ROW, 2.0 * divide - ROW), np.abs(COLUMN - FLOOR)
    return 100.0 + CELL * (0.01 * along + STEEP * np.minimum(across, 60.6 - across))


POUR_POINT = {"region": {"pour_point": {"x": WEST + 2025.0, "y": SOUTH + 1025.0, "snap": 150.0}}}


def test_the_basin_of_a_pour_point_ends_at_the_divide_of_the_map(tmp_path):
    config, region = basin(tmp_path, closed_valley(65.4), POUR_POINT)
    grid = divided(region.grid, CELL, "cell")
    fine = read_fine_region(config, region, grid)
    row, column = (np.round((v - start) / CELL - 0.5) for v, start in ((grid.northing, SOUTH), (grid.easting, WEST)))
    inside = (row[:, None] <= 65) & (np.abs(column - FLOOR) <= 30)
    outlet = int(row[np.flatnonzero(fine.mask.any(axis=1))[0]])
    np.testing.assert_array_equal(fine.mask, inside & (row[:, None] >= outlet))
    assert abs(outlet - 20) <= 6  # within a cell and a half of that of the domain


def test_a_pour_point_whose_fine_basin_is_another_one_is_refused(tmp_path):
    config, region = basin(tmp_path, closed_valley(65.4), POUR_POINT)
    domain_maps.write(tmp_path / "elevation.tif", closed_valley(35.4))
    with pytest.raises(ConfigError, match=r"cells of 50 m no river within 300 m of the outlet has a basin like .* km2"):
        read_terrain_statistics(config, region, region.mask)


# ---------------------------------------------------------------------- files and words


def run(*arguments: object) -> str:
    result = CliRunner().invoke(bmi_domain, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_file_lies_on_the_grid_of_the_domain_and_goes_with_the_key(tmp_path):
    content = domain_maps.write_maps(tmp_path)
    domain_maps.write(tmp_path / "elevation.tif", v_valley())
    path = domain_maps.write_basin(tmp_path, content, KEY)
    said = run(path, "--output", tmp_path / "basin")
    assert "terrain: 4096 cells of 50 m, in the median 160 m above their drainage, 0.312 km of streams in a km2" in said
    assert "look at this: terrain" not in said
    with (
        netCDF4.Dataset(tmp_path / "basin/terrain.nc") as data,
        netCDF4.Dataset(tmp_path / "basin/domain.nc") as domain,
    ):
        assert (data.fine_cell, data.stream_area) == (50.0, 1e5)
        for name in "xy":
            np.testing.assert_array_equal(data[name][:], domain[name][:])
        np.testing.assert_array_equal(data["quantile"][:], QUANTILES)
        assert data["crs"].crs_wkt == domain["crs"].crs_wkt
        for name in ("height_above_drainage", "terrain_slope", "terrain_curvature"):
            assert data[name].dimensions == ("quantile", "y", "x")
        for name in set(data.variables) - {"crs", "x", "y", "quantile"}:
            assert data[name].grid_mapping == "crs"
            gaps = np.ma.getmaskarray(data[name][:])
            np.testing.assert_array_equal(gaps, np.broadcast_to(domain["mask"][:] == 0, gaps.shape))
        area = data["upstream_area"][:]
        assert area[1, 9] == pytest.approx(64 * 64 * CELL**2)  # in the south, where water leaves
        assert area[-2, 9] < area[1, 9]
        assert data["drainage_density"][5, 9] == pytest.approx(0.005)
        assert data["height_above_drainage"][10, 5, 9] == pytest.approx(15.0, abs=ROUNDING)
    assert prepare(tmp_path / "basin/groundwater.yaml").streams is not None
    run(domain_maps.write_basin(tmp_path, content), "--output", tmp_path / "basin", "--overwrite")
    assert prepare(tmp_path / "basin/groundwater.yaml").streams is None
    assert not (tmp_path / "basin/terrain.nc").exists()


def test_the_land_of_the_coupled_run_sees_the_saturated_ground(tmp_path):
    content = domain_maps.write_maps(tmp_path)
    run_keys = {
        "period": {"start": "2020-01-01", "end": "2020-01-02"},
        "forcing": {"type": "netcdf", "file": str(WEATHER)},
        "land": {"reference_height": {"wind": 50.0, "temperature": 40.0, "humidity": 40.0}},
    }
    for name, key in (("with", KEY), ("without", {})):
        run(domain_maps.write_basin(tmp_path, content, run_keys | key), "--output", tmp_path / name)
    exchanges = [
        {(e["from"], e["to"]) for e in yaml.safe_load((tmp_path / name / "coupled.yaml").read_text())["exchanges"]}
        for name in ("with", "without")
    ]
    share = "soil_root-zone_saturated__area_fraction"
    assert exchanges[0] - exchanges[1] == {(f"groundwater.{share}", f"land.{share}")}
    assert exchanges[0] > exchanges[1]


def test_a_map_coarser_than_the_fine_cells_is_told(tmp_path):
    changes = {"terrain_statistics": {"cell": 20.0, "stream_area": 0.1}}
    said = run(domain_maps.write_basin(tmp_path, domain_maps.write_maps(tmp_path), changes), "--check")
    assert "look at this: terrain: the elevation map has cells of 50 m, wider than the 20 m" in said
