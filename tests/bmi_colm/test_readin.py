"""``CoLM_readin.dat``, read and written."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi_colm.readin import LEVELS, NUMBERS, Readin, read_readin, to_layers, to_levels, write_readin
from bmi_colm.soil import SoilTexture
from bmi_common import ConfigError

MASK = np.array([[True, False, True], [True, True, False]])  # (ny, nx)


def some(n: int, seed: int = 0) -> Readin:
    random = np.random.default_rng(seed)

    def profile(low: float, high: float) -> np.ndarray:
        return np.round(random.uniform(low, high, (n, LEVELS)), 4)

    return Readin(
        random.integers(1, 18, n),
        random.uniform(-180.0, 360.0, n).round(6),
        random.uniform(-90.0, 90.0, n).round(6),
        SoilTexture(profile(5.0, 60.0), profile(1.0, 40.0), profile(0.0, 30.0), profile(0.0, 20.0), profile(0.5, 2.0)),
    )


def assert_equal(one: Readin, other: Readin) -> None:
    """Equal to the twelve digits that are written."""
    for name in ("land_cover", "longitude", "latitude"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-11)
    for field in fields(SoilTexture):
        np.testing.assert_allclose(getattr(one.texture, field.name), getattr(other.texture, field.name), rtol=1e-11)


def table() -> np.ndarray:
    """Numbers of a file for `MASK`: nonsense outside it, in every other place a number that tells where it stands."""
    rows = np.full((MASK.size, NUMBERS), -9999.0)
    for row in np.flatnonzero(MASK):
        rows[row] = [0, 0, 1 + row, 100.0 + row, 20.0 + row, *(0.1 * np.arange(5 * LEVELS) + row)]
    return rows


def save(folder: Path, rows: np.ndarray) -> Path:
    path = folder / "CoLM_readin.dat"
    np.savetxt(path, rows, fmt="%.10g")
    return path


def test_each_number_goes_to_its_quantity_level_and_unit(tmp_path):
    readin = read_readin(save(tmp_path, table()), MASK)
    row = np.array([0, 2, 3, 4])  # x fastest, southern row first
    np.testing.assert_array_equal(readin.land_cover, 1 + row)
    np.testing.assert_array_equal(readin.longitude, 100.0 + row)
    np.testing.assert_array_equal(readin.latitude, 20.0 + row)
    for first, name, unit in (
        (0.0, "gravel", 1.0), (0.8, "sand", 1.0), (1.6, "clay", 1.0), (2.4, "organic_carbon", 0.01),
        (3.2, "bulk_density", 0.01),
    ):  # fmt: skip
        level = (first + 0.1 * np.arange(8) + row[:, None]) * unit
        np.testing.assert_allclose(getattr(readin.texture, name), level, rtol=1e-9, err_msg=name)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 9), seed=st.integers(0, 10**6))
def test_what_is_written_is_read_again(tmp_path_factory, n, seed):
    path = tmp_path_factory.mktemp("readin") / "CoLM_readin.dat"
    readin = some(n, seed)
    write_readin(path, readin, np.stack([np.zeros(n, dtype=int), np.arange(n)], axis=1))
    assert_equal(read_readin(path, np.ones((1, n), dtype=bool)), readin)


def test_the_file_has_no_noise_of_the_last_bit_and_whole_indices(tmp_path):
    n = 2
    texture = SoilTexture(*(np.full((n, LEVELS), v) for v in (42.0, 18.0, 5.0, 0.57, 1.13)))
    path = tmp_path / "CoLM_readin.dat"
    write_readin(path, Readin(np.array([4, 17]), np.zeros(n), np.ones(n), texture), np.array([[0, 1], [7, 2]]))
    first, second = (line.split() for line in path.read_text().splitlines())
    assert first[:5] == ["2", "1", "4", "0", "1"]
    assert second[:3] == ["3", "8", "17"]
    assert first[5:] == [w for w in ("5", "42", "18", "57", "113") for _ in range(LEVELS)]


def test_levels_feed_the_layers_below_the_first(tmp_path):
    values = np.arange(8.0)[None, :]
    layers = to_layers(SoilTexture(values, values, values, values, values)).sand
    np.testing.assert_array_equal(layers[0], [0, 0, 1, 2, 3, 4, 5, 6, 7, 7])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_levels_and_layers_are_inverse_unless_the_outermost_layers_are_different(seed):
    texture = some(3, seed).texture
    levels, reduced = to_levels(to_layers(texture))
    assert not reduced.any()
    np.testing.assert_array_equal(levels.clay, texture.clay)
    layers = to_layers(texture)
    layers.gravel[1, 0] += 1.0
    layers.sand[2, 9] += 1.0
    assert to_levels(layers)[1].tolist() == [False, True, True]


def test_whole_columns_have_the_same_in_all_levels():
    levels, reduced = to_levels(SoilTexture(*(np.array([10.0, 20.0]) for _ in range(5))))
    np.testing.assert_array_equal(levels.sand, [[10.0] * LEVELS, [20.0] * LEVELS])
    assert not reduced.any()


def broken(row: int, column: int, value: float):
    def change(rows: np.ndarray) -> np.ndarray:
        rows[row, column] = value
        return rows

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows[:-1], r"CoLM_readin\.dat: 5 lines; a grid of 3 x 2 cells needs 6"),
        (lambda rows: np.vstack([rows, rows[0]]), "7 lines"),
        (lambda rows: rows[:, :-1], r"CoLM_readin\.dat:1: 44 columns instead of 45"),
        (broken(2, 2, 18), r"CoLM_readin\.dat:3: 18 is no IGBP class \(1-17\)"),
        (broken(3, 2, 0), r"CoLM_readin\.dat:4: 0 is no IGBP class"),
        (broken(3, 2, 2.5), r"CoLM_readin\.dat:4: 2\.5 is no IGBP class"),
        (broken(4, 4, 91.0), r"CoLM_readin\.dat:5: latitude must be -90 to 90, got 91"),
        (broken(4, 3, -181.0), r"CoLM_readin\.dat:5: longitude"),
        (broken(4, 15, 98.0), r"CoLM_readin\.dat:5: sand and clay together must be 0 to 100, got 10\d\.\d"),
        (broken(4, 5, -1.0), r"CoLM_readin\.dat:5: gravel must be 0 to 100, got -1"),
        (broken(4, 44, np.nan), r"CoLM_readin\.dat:5: bulk density must be 0 to 10, got nan"),
    ],
)
def test_mistakes_name_the_line(tmp_path, change, message):
    with pytest.raises(ConfigError, match=message):
        read_readin(save(tmp_path, change(table())), MASK)


def test_words_that_are_no_numbers_name_the_line(tmp_path):
    path = save(tmp_path, table())
    path.write_text(path.read_text().replace(" 102 ", " east "))
    with pytest.raises(ConfigError, match=r"CoLM_readin\.dat:3: 'east' is no number"):
        read_readin(path, MASK)


def test_exponents_of_fortran_are_numbers(tmp_path):
    path = save(tmp_path, table())
    path.write_text(path.read_text().replace(" 102 ", " 1.02D+02 "))
    assert read_readin(path, MASK).longitude[1] == 102.0


def test_an_impossible_cell_is_not_written(tmp_path):
    readin = some(2)
    readin.texture.sand[1, 3] = 99.0
    readin.texture.clay[1, 3] = 10.0
    with pytest.raises(ConfigError, match=r"cell \(j=4, i=6\): sand and clay together must be 0 to 100, got 109"):
        write_readin(tmp_path / "CoLM_readin.dat", readin, np.array([[0, 0], [4, 6]]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.reference
def test_the_texture_of_the_reference_survives(reference, tmp_path):
    from colm_reference import load, texture

    inputs = load(reference / "colm" / "humid_inputs.npz")
    layers = texture(inputs)
    levels, reduced = to_levels(layers)
    assert not reduced.any()
    n = len(levels.sand)
    path = tmp_path / "CoLM_readin.dat"
    write_readin(path, Readin(inputs["igbp"].astype(int), np.zeros(n), np.zeros(n), levels), np.zeros((n, 2), int))
    again = read_readin(path, np.ones((1, n), dtype=bool))
    for field in fields(SoilTexture):
        # twelve digits are written
        np.testing.assert_allclose(
            getattr(to_layers(again.texture), field.name), getattr(layers, field.name), rtol=1e-11, err_msg=field.name
        )
