from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
from parflow.tools.io import write_pfb

from bmi_common import Config, ConfigError, FieldConfig, load_config
from bmi_common.fields import read_pfb

SHAPE = (3, 2, 4)


class Model(Config):
    porosity: FieldConfig


def pfb(path: Path, values: Any) -> Path:
    write_pfb(str(path), np.asarray(values, dtype=np.float64), dist=False)
    return path


def netcdf(path: Path, values: np.ndarray, units: str | None = None, fill: float | None = None) -> Path:
    with netCDF4.Dataset(path, "w") as dataset:
        names = tuple("tzyx"[-values.ndim :])
        for name, size in zip(names, values.shape, strict=True):
            dataset.createDimension(name, size)
        variable = dataset.createVariable("porosity", "f8", names, fill_value=fill)
        if units is not None:
            variable.units = units
        variable[...] = values
    return path


def field(write, text: str) -> FieldConfig:
    return load_config(write(f"porosity: {text}\n"), Model).porosity


def failure(spec: FieldConfig, shape: tuple[int, ...] = SHAPE, units: str = "1", mask: Any = None) -> str:
    with pytest.raises(ConfigError) as error:
        spec.read("porosity", shape, units, mask)
    return str(error.value)


# ---------------------------------------------------------------------- numbers


def test_a_number_fills_the_field(write) -> None:
    values = field(write, "0.4").read("porosity", SHAPE, "1")
    assert values.dtype == np.float64
    assert values.flags.c_contiguous
    np.testing.assert_array_equal(values, np.full(SHAPE, 0.4))
    assert field(write, "7").read("porosity", (2, 4), "1").shape == (2, 4)


def test_a_list_gives_one_number_a_layer_bottom_first(write) -> None:
    values = field(write, "[0.1, 0.2, 0.3]").read("porosity", SHAPE, "1")
    assert values.flags.c_contiguous
    assert values.flags.writeable
    np.testing.assert_array_equal(values[:, 1, 3], [0.1, 0.2, 0.3])
    assert np.all(values == values[:, :1, :1])


def test_a_list_of_another_length_than_the_layers_is_refused(write) -> None:
    assert failure(field(write, "[0.1, 0.2]")) == (
        "porosity: 2 numbers given, needs one number or 3 (one a layer, bottom first)"
    )
    assert "needs one number" in failure(field(write, "[0.1, 0.2]"), (2, 4))


def test_a_number_with_units_is_converted(write) -> None:
    values = field(write, "{value: 25, units: cm}").read("depth", (1, 1), "m")
    assert values[0, 0] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{value: 1.0, file: x.pfb}", "no such file"),
        ("{units: m}", "give one of value, file and stack"),
        ("{valu: 1.0}", "did you mean 'value'"),
        ("yes", "expected a number, a list with one number a layer or a file, got True"),
        ("[0.1, wet]", "should be a valid number"),
    ],
)
def test_a_field_that_is_neither_is_refused_with_its_line(write, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml:1: porosity[^ ]*: .*" + said):
        field(write, text)


def test_a_value_and_a_file_together_are_refused(write, tmp_path: Path) -> None:
    pfb(tmp_path / "x.pfb", np.ones(SHAPE))
    with pytest.raises(ConfigError, match="give one of value, file and stack"):
        field(write, "{value: 1.0, file: x.pfb}")


# ---------------------------------------------------------------------- PFB


def test_a_pfb_file_is_read_bottom_layer_and_southern_row_first(write, tmp_path: Path) -> None:
    expected = np.arange(24.0).reshape(SHAPE)
    pfb(tmp_path / "porosity.pfb", expected)
    spec = field(write, "porosity.pfb")
    assert spec.file == tmp_path / "porosity.pfb"
    values = spec.read("porosity", SHAPE, "1")
    assert values.flags.c_contiguous
    np.testing.assert_array_equal(values, expected)


def test_a_pfb_file_of_subgrids_is_put_together(tmp_path: Path) -> None:
    expected = np.random.default_rng(1).normal(size=(3, 6, 8))
    write_pfb(str(tmp_path / "x.pfb"), expected, p=2, q=3, r=1, dist=False)
    np.testing.assert_array_equal(read_pfb(tmp_path / "x.pfb"), expected)


def test_a_pfb_file_whose_subgrids_leave_cells_out_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pfb"
    write_pfb(str(path), np.arange(24.0).reshape(2, 3, 4), p=2, q=1, r=1, dist=False)
    good = path.read_bytes()
    second = 64 + 36 + 8 * 12  # behind the header and the first half
    for position, number, words in (
        (60, 1, "1 subgrids have 12 values for 12 of the 24 cells"),  # the header counts one subgrid only
        (second, 0, "2 subgrids have 24 values for 12 of the 24 cells"),  # the second half lies on the first
        (second, 3, "2 x 3 x 2 cells from 3, 0, 0 on lies outside the grid of 4 x 3 x 2"),
        (second, -1, "outside the grid"),
        (second + 12, 1, "have 18 values for 18 of the 24 cells"),  # it is narrower than its values are many
    ):
        path.write_bytes(good[:position] + np.array(number, ">i4").tobytes() + good[position + 4 :])
        with pytest.raises(ConfigError, match="not a whole PFB file") as told:
            read_pfb(path)
        assert str(path) in str(told.value)
        assert words in str(told.value)


def test_a_pfb_file_of_one_layer_is_a_surface_field(write, tmp_path: Path) -> None:
    pfb(tmp_path / "slope.pfb", np.arange(8.0).reshape(1, 2, 4))
    values = field(write, "slope.pfb").read("slope.x", (2, 4), "1")
    np.testing.assert_array_equal(values, np.arange(8.0).reshape(2, 4))


def test_a_map_stands_for_all_layers_only_where_that_is_meant(write, tmp_path: Path) -> None:
    surface = np.arange(8.0).reshape(2, 4)
    pfb(tmp_path / "soil.pfb", surface[np.newaxis])
    netcdf(tmp_path / "soil.nc", surface)
    for text in ("soil.pfb", "{file: soil.nc, variable: porosity}"):
        values = field(write, text).read("porosity", SHAPE, "1", map_in_all_layers=True)
        assert values.flags.writeable
        np.testing.assert_array_equal(values, np.broadcast_to(surface, SHAPE))
        assert "the domain needs (3, 2, 4)" in failure(field(write, text))


def test_a_map_is_one_layer_of_a_stack(write, tmp_path: Path) -> None:
    surface = np.arange(8.0).reshape(2, 4)
    netcdf(tmp_path / "soil.nc", surface)
    values = field(write, "{stack: [0.2, 0.3, {file: soil.nc, variable: porosity}]}").read("porosity", SHAPE, "1")
    np.testing.assert_array_equal(values[:, 1, 3], [0.2, 0.3, 7.0])


def test_a_pfb_file_of_another_shape_is_refused_with_both_shapes(write, tmp_path: Path) -> None:
    pfb(tmp_path / "porosity.pfb", np.ones((3, 4, 2)))
    said = failure(field(write, "porosity.pfb"))
    assert said == f"{tmp_path / 'porosity.pfb'}: porosity has shape (3, 4, 2), the domain needs (3, 2, 4)"


def test_a_pfb_file_in_other_units_is_converted(write, tmp_path: Path) -> None:
    pfb(tmp_path / "k.pfb", np.full(SHAPE, 0.024))
    values = field(write, "{file: k.pfb, units: m d-1}").read("conductivity.z", SHAPE, "m h-1")
    assert values == pytest.approx(np.full(SHAPE, 0.001))


@pytest.mark.parametrize("keep", [0, 20, 64, 100, 200])
def test_a_truncated_pfb_file_is_refused(write, tmp_path: Path, keep: int) -> None:
    path = pfb(tmp_path / "porosity.pfb", np.ones(SHAPE))
    path.write_bytes(path.read_bytes()[:keep])
    assert failure(field(write, "porosity.pfb")).startswith(f"{path}: ")


def test_a_pfb_file_that_lacks_only_its_end_is_refused(write, tmp_path: Path) -> None:
    path = pfb(tmp_path / "porosity.pfb", np.ones(SHAPE))
    path.write_bytes(path.read_bytes()[:-8])
    assert failure(field(write, "porosity.pfb")).startswith(f"{path}: not a ")


def test_another_file_in_place_of_a_pfb_file_is_refused(write, tmp_path: Path) -> None:
    (tmp_path / "porosity.pfb").write_bytes(b"a text that is no ParFlow binary file at all, " * 20)
    assert "porosity.pfb: not a" in failure(field(write, "porosity.pfb"))


def test_reading_a_pfb_file_says_nothing(tmp_path: Path, capfd) -> None:
    path = pfb(tmp_path / "x.pfb", np.ones(SHAPE))
    capfd.readouterr()
    read_pfb(path)
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------------- NetCDF


def test_a_netcdf_variable_is_read_and_converted_by_its_attribute(write, tmp_path: Path) -> None:
    netcdf(tmp_path / "basin.nc", np.full(SHAPE, 40.0), units="percent")
    values = field(write, "{file: basin.nc, variable: porosity}").read("porosity", SHAPE, "1")
    assert values.flags.c_contiguous
    assert values == pytest.approx(np.full(SHAPE, 0.4))


def test_units_of_the_configuration_outrank_the_attribute(write, tmp_path: Path) -> None:
    netcdf(tmp_path / "basin.nc", np.full(SHAPE, 40.0), units="-")
    values = field(write, "{file: basin.nc, variable: porosity, units: percent}").read("porosity", SHAPE, "1")
    assert values == pytest.approx(np.full(SHAPE, 0.4))


def test_a_temperature_is_converted_with_its_offset(write, tmp_path: Path) -> None:
    netcdf(tmp_path / "basin.nc", np.full((2, 4), 10.0), units="degC")
    values = field(write, "{file: basin.nc, variable: porosity}").read("temperature", (2, 4), "K")
    assert values == pytest.approx(np.full((2, 4), 283.15))


def test_units_that_do_not_convert_are_refused_with_file_and_variable(write, tmp_path: Path) -> None:
    path = netcdf(tmp_path / "basin.nc", np.ones(SHAPE), units="s")
    said = failure(field(write, "{file: basin.nc, variable: porosity}"))
    assert said == f"{path} (porosity): porosity: units 's' do not convert to '1'"


def test_a_missing_variable_is_refused_with_the_nearest(write, tmp_path: Path) -> None:
    path = netcdf(tmp_path / "basin.nc", np.ones(SHAPE))
    said = failure(field(write, "{file: basin.nc, variable: porosty}"))
    assert said == f"{path}: no variable 'porosty'; did you mean 'porosity'?"


def test_a_netcdf_file_without_a_variable_is_refused(write, tmp_path: Path) -> None:
    netcdf(tmp_path / "basin.nc", np.ones(SHAPE))
    with pytest.raises(ConfigError, match=r"name the variable of basin\.nc"):
        field(write, "basin.nc")


def test_a_damaged_netcdf_file_is_refused(write, tmp_path: Path) -> None:
    (tmp_path / "basin.nc").write_bytes(b"CDF is what it should be")
    assert "not a readable NetCDF file" in failure(field(write, "{file: basin.nc, variable: porosity}"))


def test_one_entry_in_time_is_a_field(write, tmp_path: Path) -> None:
    netcdf(tmp_path / "basin.nc", np.ones((1, *SHAPE)))
    assert field(write, "{file: basin.nc, variable: porosity}").read("porosity", SHAPE, "1").shape == SHAPE
    netcdf(tmp_path / "basin.nc", np.ones((2, *SHAPE)))
    assert "has shape (2, 3, 2, 4)" in failure(field(write, "{file: basin.nc, variable: porosity}"))


# ---------------------------------------------------------------------- not finite


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_not_finite_are_refused_in_active_cells_only(write, tmp_path: Path, bad: float) -> None:
    values = np.ones(SHAPE)
    values[1, 0, 3] = bad
    path = pfb(tmp_path / "porosity.pfb", values)
    spec = field(write, "porosity.pfb")
    mask = np.ones(SHAPE[1:], dtype=bool)
    assert failure(spec, mask=mask) == (
        f"{path}: porosity is not finite in 1 active cells, the first at cell (k=1, j=0, i=3)"
    )
    assert "not finite" in failure(spec)
    mask[0, 3] = False
    np.testing.assert_array_equal(spec.read("porosity", SHAPE, "1", mask), values)


def test_missing_values_of_netcdf_are_not_finite(write, tmp_path: Path) -> None:
    values = np.ma.masked_equal(np.array([[1.0, 2.0], [3.0, -9999.0]]), -9999.0)
    netcdf(tmp_path / "basin.nc", values, fill=-9999.0)
    spec = field(write, "{file: basin.nc, variable: porosity}")
    assert "first at cell (j=1, i=1)" in failure(spec, (2, 2))
    mask = np.array([[True, True], [True, False]])
    assert np.isnan(spec.read("elevation", (2, 2), "1", mask)[1, 1])


# ---------------------------------------------------------------------- archives, stacks and classes


def test_an_array_of_a_numpy_archive_is_read(write, tmp_path: Path) -> None:
    np.savez(tmp_path / "basin.npz", porosity=np.arange(24.0).reshape(SHAPE).astype("f4"))
    values = field(write, "{file: basin.npz, variable: porosity}").read("porosity", SHAPE, "1")
    np.testing.assert_array_equal(values, np.arange(24.0).reshape(SHAPE))
    assert "no array 'porosty'; did you mean" in failure(field(write, "{file: basin.npz, variable: porosty}"))


def test_an_archive_that_would_execute_code_or_is_damaged_is_refused(write, tmp_path: Path) -> None:
    np.savez(tmp_path / "basin.npz", porosity=np.array([{"an": "object"}], dtype=object))
    assert "not a readable NumPy archive" in failure(field(write, "{file: basin.npz, variable: porosity}"))
    (tmp_path / "basin.npz").write_bytes(b"PK\x03\x04 no archive")
    assert "not a readable NumPy archive" in failure(field(write, "{file: basin.npz, variable: porosity}"))


def test_a_stack_is_built_from_the_bottom_up(write, tmp_path: Path) -> None:
    pfb(tmp_path / "two.pfb", np.arange(16.0).reshape(2, 2, 4))
    spec = field(write, "{stack: [{value: 20, units: percent}, two.pfb]}")
    values = spec.read("porosity", SHAPE, "1")
    np.testing.assert_array_equal(values[0], np.full((2, 4), 0.2))
    np.testing.assert_array_equal(values[1:], np.arange(16.0).reshape(2, 2, 4))
    assert spec.files == (tmp_path / "two.pfb",)
    assert "have 2 layers, the domain has 3" in failure(field(write, "{stack: [0.2, 0.3]}"))
    assert "this field has none" in failure(field(write, "{stack: [0.2, 0.3]}"), (2, 4))


@pytest.mark.parametrize(("layers", "expected"), [("0", [0.0]), ("[1, 3]", [1.0, 2.0])])
def test_layers_of_a_file_are_taken_out(write, tmp_path: Path, layers: str, expected: list[float]) -> None:
    pfb(tmp_path / "x.pfb", np.broadcast_to(np.arange(4.0)[:, np.newaxis, np.newaxis], (4, 2, 4)))
    values = field(write, f"{{file: x.pfb, layers: {layers}}}").read("porosity", (len(expected), 2, 4), "1")
    np.testing.assert_array_equal(values[:, 0, 0], expected)


@pytest.mark.parametrize("layers", ["4", "-1", "[2, 2]", "[0, 5]"])
def test_layers_that_a_file_does_not_have_are_refused(write, tmp_path: Path, layers: str) -> None:
    pfb(tmp_path / "x.pfb", np.ones((4, 2, 4)))
    assert "the file has 4 entries" in failure(field(write, f"{{file: x.pfb, layers: {layers}}}"))


def test_classes_are_looked_up_and_unknown_ones_refused(write, tmp_path: Path) -> None:
    classes = np.array([[1.0, 2.0, np.nan], [2.0, 1.0, 1.0]])
    np.savez(tmp_path / "soil.npz", classes=classes.astype("f4"))
    mask = np.isfinite(classes)
    spec = field(write, "{file: soil.npz, variable: classes, lookup: {1: 0.4, 2: 0.5}}")
    values = spec.read("porosity", (2, 3), "1", mask)
    np.testing.assert_array_equal(values, [[0.4, 0.5, np.nan], [0.5, 0.4, 0.4]])
    spec = field(write, "{file: soil.npz, variable: classes, lookup: {1: 0.4}}")
    assert "`lookup:` has no value for class 2" in failure(spec, (2, 3), mask=mask)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("{value: 0.4, lookup: {1: 0.4}}", "lookup"),
        ("{value: 0.4, layers: 1}", "layers"),
        ("{stack: [0.4], variable: porosity}", "variable"),
        ("{stack: [0.4], units: percent}", "units"),
        ("{file: x.pfb, variable: porosity}", "variable"),
    ],
)
def test_keys_that_would_do_nothing_are_refused(write, tmp_path: Path, text: str, key: str) -> None:
    pfb(tmp_path / "x.pfb", np.ones(SHAPE))
    with pytest.raises(ConfigError, match=rf"config\.yaml:1: porosity: {key}: without effect"):
        field(write, text)


def test_an_angle_is_no_slope(tmp_path: Path) -> None:
    values = np.full((2, 4), 30.0)
    for units in ("degrees", "arc_degree", "radian"):
        spec = FieldConfig(file=netcdf(tmp_path / "map.nc", values, units), variable="porosity")
        assert f"units {units!r} are of an angle; needed is a ratio, of a slope the tangent" in failure(spec, (2, 4))
    spec = FieldConfig(file=netcdf(tmp_path / "map.nc", values, "%"), variable="porosity")
    np.testing.assert_allclose(spec.read("porosity", (2, 4), "1"), 0.3)
    spec = FieldConfig(file=netcdf(tmp_path / "map.nc", values, "degrees_north"), variable="porosity")
    np.testing.assert_allclose(spec.read("latitude", (2, 4), "degrees"), 30.0)
