"""Rasters of any CRS and order of rows onto the cells of a basin."""

import domain_maps
import numpy as np
import pytest
from domain_maps import CELL, SIDE, SOUTH, UTM, WEST

from bmi_common.errors import ConfigError
from rootzone.domain_builder.config import RasterConfig
from rootzone.domain_builder.grid import BasinGrid, read_crs
from rootzone.domain_builder.raster import majority, read_map, read_shares


def grid(cell: float, side: int, crs: str = UTM, west: float = WEST, south: float = SOUTH) -> BasinGrid:
    return BasinGrid(read_crs(crs, "crs"), west, south, cell, cell, side, side)


def ramp() -> np.ndarray:
    """Rises by 1 a cell to the north and by 100 to the east, southern row first."""
    row, column = np.mgrid[0:SIDE, 0:SIDE].astype(float)
    return row + 100.0 * column


def test_a_raster_on_the_same_grid_stays_bit_by_bit_and_its_first_row_is_the_southern(tmp_path):
    values = np.random.default_rng(1).random((SIDE, SIDE))
    spec = RasterConfig(file=domain_maps.write(tmp_path / "a.tif", values))
    np.testing.assert_array_equal(read_map(spec, grid(CELL, SIDE), "a", "1"), values)
    inner = grid(CELL, 10, west=WEST + 5 * CELL, south=SOUTH + 20 * CELL)
    np.testing.assert_array_equal(read_map(spec, inner, "a", "1"), values[20:30, 5:15])


def test_a_finer_raster_is_averaged_over_each_cell(tmp_path):
    values = np.random.default_rng(2).random((SIDE, SIDE))
    spec = RasterConfig(file=domain_maps.write(tmp_path / "a.tif", values))
    expected = values.reshape(SIDE // 4, 4, SIDE // 4, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(read_map(spec, grid(4 * CELL, SIDE // 4), "a", "1"), expected, rtol=1e-6)


def test_a_raster_in_another_zone_lands_in_its_place(tmp_path):
    spec = RasterConfig(file=domain_maps.write(tmp_path / "a.tif", ramp()))
    from pyproj import Transformer

    other = "EPSG:32632"
    x, y = Transformer.from_crs(UTM, other, always_xy=True).transform(WEST + 2000.0, SOUTH + 2000.0)
    there = grid(100.0, 5, other, x - 250.0, y - 250.0)
    found = read_map(spec, there, "a", "1")
    xs, ys = np.meshgrid(there.easting, there.northing)
    west, south = Transformer.from_crs(other, UTM, always_xy=True).transform(xs, ys)
    np.testing.assert_allclose(found, (south - SOUTH) / CELL - 0.5 + 100.0 * ((west - WEST) / CELL - 0.5), atol=60.0)
    assert abs(np.mean(found - ((south - SOUTH) / CELL - 0.5 + 100.0 * ((west - WEST) / CELL - 0.5)))) < 2.0


def test_units_scale_and_missing_values(tmp_path):
    values = np.full((SIDE, SIDE), 400.0)
    values[0, 0] = -9999.0
    path = domain_maps.write(tmp_path / "a.tif", values, nodata=-9999.0)
    found = read_map(RasterConfig(file=path, units="g/kg"), grid(CELL, SIDE), "a", "%")
    assert np.isnan(found[0, 0])
    assert found[5, 5] == pytest.approx(40.0)
    with pytest.raises(ConfigError, match=r"a\.units"):
        read_map(RasterConfig(file=path, units="m"), grid(CELL, SIDE), "a", "%")


def test_shares_of_classes_add_up_and_the_largest_is_taken(tmp_path):
    classes = np.full((SIDE, SIDE), 10, dtype=np.uint8)
    classes[:, ::4] = 30
    spec = RasterConfig(file=domain_maps.write(tmp_path / "a.tif", classes))
    cells = grid(4 * CELL, SIDE // 4)
    everywhere = np.ones(cells.shape, dtype=bool)
    shares = read_shares(spec, cells, everywhere, "a", {10: 5, 30: 10})
    np.testing.assert_allclose(shares[10], 0.25, atol=1e-6)
    np.testing.assert_allclose(sum(shares.values()), 1.0, atol=1e-6)
    np.testing.assert_array_equal(majority(shares), 5.0)
    with pytest.raises(ConfigError, match="class 30 has no row in the table"):
        read_shares(spec, cells, everywhere, "a", {10: 5})


def test_polygons_give_the_value_of_the_one_that_holds_the_centre_of_a_cell(tmp_path):
    geopandas = pytest.importorskip("geopandas")
    from shapely.geometry import box

    middle = WEST + 2000.0
    parts = [box(WEST, SOUTH, middle, SOUTH + 4000.0), box(middle, SOUTH, WEST + 4000.0, SOUTH + 3000.0)]
    geopandas.GeoDataFrame({"logK": [-1300, -1500]}, geometry=parts, crs=UTM).to_crs("EPSG:4326").to_file(
        tmp_path / "rock.gpkg"
    )
    spec = RasterConfig(file=tmp_path / "rock.gpkg", column="logK", scale=0.01)
    found = read_map(spec, grid(200.0, 20), "a", "1")
    np.testing.assert_allclose(found[:, :9], -13.0)
    np.testing.assert_allclose(found[:14, 11:], -15.0)
    assert np.isnan(found[16:, 11:]).all()
    with pytest.raises(ConfigError, match="no column 'logk'"):
        read_map(spec.model_copy(update={"column": "logk"}), grid(200.0, 20), "a", "1")
