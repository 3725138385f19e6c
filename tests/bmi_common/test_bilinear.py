"""Bilinear interpolation from the grid of a file to the cells of a domain."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from bmi_common.bilinear import bilinear, bilinear_with_values
from bmi_common.errors import ConfigError, InputNotice
from bmi_common.file_grid import Cells, FileGrid, nearest


def grid(latitude: np.ndarray, longitude: np.ndarray) -> FileGrid:
    shape = (latitude.shape[0], longitude.shape[-1])
    return FileGrid(shape, latitude, longitude, None, None, None, None)


def cells(latitude: np.ndarray, longitude: np.ndarray, mask: np.ndarray | None = None) -> Cells:
    return Cells(latitude.shape, latitude, longitude, mask=mask)


def mapped(file: FileGrid, domain: Cells, values: np.ndarray) -> np.ndarray:
    found = bilinear(file, domain, "weather")
    return found(values[..., found.rows, found.columns])


@given(
    seed=st.integers(0, 1000),
    north_first=st.booleans(),
    east_first=st.booleans(),
    start=st.sampled_from([-180.0, -10.0, 0.0, 113.0, 179.5, 359.0]),
)
def test_a_field_that_is_bilinear_in_degrees_is_met_exactly(
    seed: int, north_first: bool, east_first: bool, start: float
) -> None:
    random = np.random.default_rng(seed)
    rise, run = np.cumsum(random.uniform(0.05, 0.2, 6)), np.cumsum(random.uniform(0.05, 0.2, 7))
    rows = 24.0 + (rise[::-1] if north_first else rise)
    offsets = run[::-1] if east_first else run
    file = grid(rows, (start + offsets + 180.0) % 360.0 - 180.0)
    y, x = random.uniform(rise[0], rise[-1], (3, 5)), random.uniform(run[0], run[-1], (3, 5))

    def field(y, x):
        return 2.0 + 3.0 * y - x + 0.7 * y * x

    values = field(*np.meshgrid(rows - 24.0, offsets, indexing="ij"))
    domain = cells(24.0 + y, (start + x) % 360.0)  # the date line lies elsewhere than in the file
    np.testing.assert_allclose(mapped(file, domain, values), field(y, x), rtol=1e-9, atol=1e-9)


def test_at_the_centres_of_the_file_its_values_stay_bit_for_bit() -> None:
    rows, columns = np.array([24.5, 24.25, 24.0]), np.array([113.0, 113.25, 113.5])
    latitude, longitude = np.meshgrid(rows, columns, indexing="ij")
    values = np.random.default_rng(1).standard_normal((2, 3, 3))
    np.testing.assert_array_equal(mapped(grid(rows, columns), cells(latitude, longitude), values), values)


def test_beyond_the_outermost_centres_values_are_those_of_the_rim_and_farther_out_is_refused() -> None:
    file = grid(np.array([24.0, 24.1]), np.array([113.0, 113.1]))
    values = np.array([[1.0, 2.0], [3.0, 4.0]])
    point = cells(np.array([[23.96]]), np.array([[113.05]]))
    np.testing.assert_allclose(mapped(file, point, values), 1.5)
    with pytest.raises(ConfigError, match=r"weather: 1 of 1 cells of the domain lie outside the file's grid"):
        bilinear(file, cells(np.array([[23.94]]), np.array([[113.05]])), "weather")


def test_round_the_globe_the_last_column_is_beside_the_first() -> None:
    longitude = np.arange(0.0, 360.0, 10.0)
    values = np.cos(np.radians(longitude))[np.newaxis] + np.zeros((2, 1))
    point = cells(np.array([[0.5]]), np.array([[-5.0]]))
    expected = 0.5 * (values[0, -1] + values[0, 0])
    np.testing.assert_allclose(mapped(grid(np.array([0.0, 1.0]), longitude), point, values), expected)


def test_cells_of_the_sea_take_the_nearest_land_and_neighbours_without_weight_do_not_matter() -> None:
    rows, columns = np.array([24.0, 24.1, 24.2]), np.array([113.0, 113.1, 113.2])
    file, values = grid(rows, columns), np.arange(9.0).reshape(3, 3)
    land = np.ones((3, 3), dtype=bool)
    land[:, 2] = False  # the sea in the east
    known = np.where(land, values, np.nan)
    domain = cells(np.array([[24.05, 24.1, 24.1]]), np.array([[113.05, 113.1, 113.15]]))
    with pytest.warns(InputNotice, match=r"1 of 3 active cells lie beside cells .* at most 10\.\d km away"):
        found = bilinear_with_values(bilinear(file, domain, "weather"), land, file, domain, "weather")
    got = found(known[found.rows, found.columns])
    np.testing.assert_allclose(got, [[2.0, 4.0, 4.0]])  # the last one between land and land that stands for sea


def test_far_from_land_is_refused() -> None:
    file = grid(np.array([24.0, 24.1]), 113.0 + 0.1 * np.arange(9))
    land = np.zeros((2, 9), dtype=bool)
    land[:, 0] = True
    domain = cells(np.array([[24.05]]), np.array([[113.75]]))
    with pytest.raises(ConfigError, match=r"nearest cell with values is \d+ km away, more than 3 cells"):
        bilinear_with_values(bilinear(file, domain, "weather"), land, file, domain, "weather")


def test_a_curvilinear_grid_is_refused_with_what_to_take() -> None:
    latitude, longitude = np.meshgrid([24.0, 24.1], [113.0, 113.1], indexing="ij")
    file = grid(latitude, longitude)
    domain = cells(np.array([[24.05]]), np.array([[113.05]]))
    nearest(file, domain, "weather")
    with pytest.raises(ConfigError, match="remap: nearest"):
        bilinear(file, domain, "weather")
