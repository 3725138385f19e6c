"""Maps are put in the domain's order by the coordinates of their files: whoever wrote them, the values are the same."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr
from parflow.tools.io import write_pfb

from bmi_common import ConfigError, Domain, DomainConfig, FieldConfig
from bmi_common.errors import InputNotice
from bmi_common.file_grid import Cells, GridMap

NY, NX = 3, 4
MAP = 10.0 * np.arange(NY)[:, None] + np.arange(NX)  # tells row (from the south) and column (from the west)
LAT, LON = 46.0 + 0.1 * np.arange(NY), 10.0 + 0.1 * np.arange(NX)
LAT_2D, LON_2D = np.meshgrid(LAT, LON, indexing="ij")
CELLS = Cells((NY, NX), LAT_2D, LON_2D, 500.0 + 1000.0 * np.arange(NY), 500.0 + 1000.0 * np.arange(NX), has_corner=True)
DEGREES_NORTH, DEGREES_EAST = {"units": "degrees_north"}, {"units": "degrees_east"}
PROJECTED = {axis: {"standard_name": f"projection_{axis}_coordinate", "units": "m"} for axis in "yx"}

Made = tuple[np.ndarray, tuple[str, ...], dict[str, Any]]


def north_first() -> Made:
    return MAP[::-1], ("lat", "lon"), {"lat": ("lat", LAT[::-1], DEGREES_NORTH), "lon": ("lon", LON, DEGREES_EAST)}


def east_first() -> Made:
    return MAP[:, ::-1], ("lat", "lon"), {"lat": ("lat", LAT), "lon": ("lon", LON[::-1])}


def longitude_from_0_to_360() -> Made:
    return MAP[::-1], ("lat", "lon"), {"lat": ("lat", LAT[::-1]), "lon": ("lon", LON + 360.0)}


def columns_before_rows() -> Made:
    return MAP[::-1].T, ("x", "y"), {"y": ("y", [2500.0, 1500.0, 500.0], PROJECTED["y"])}


def dimensions_called_x_and_y() -> Made:
    return MAP.T, ("x", "y"), {}


def projected_in_km() -> Made:
    km = {"standard_name": "projection_y_coordinate", "units": "km"}
    return MAP[::-1], ("r", "c"), {"r": ("r", [2.5, 1.5, 0.5], km)}


def told_by_axis() -> Made:
    return MAP[::-1], ("r", "c"), {"northing_of_row": ("r", [2500.0, 1500.0, 500.0], {"axis": "Y", "units": "m"})}


def called_northing() -> Made:
    return MAP[::-1], ("northing", "easting"), {"northing": ("northing", [5.2e6, 5.1e6, 5.0e6])}


def latitude_of_cells() -> Made:
    places = {"XLAT": (("Time", "south_north", "west_east"), LAT_2D[None, ::-1])}
    places["XLONG"] = (("Time", "south_north", "west_east"), LON_2D[None, ::-1])
    return MAP[None, ::-1], ("Time", "south_north", "west_east"), places


def latitude_of_cells_of_unnamed_dimensions() -> Made:
    places = {"lat": (("a", "b"), LAT_2D[::-1].T, DEGREES_NORTH), "lon": (("a", "b"), LON_2D[::-1].T, DEGREES_EAST)}
    return MAP[::-1].T, ("a", "b"), places


def one_time_in_front() -> Made:
    lat = {"lat": ("lat", LAT[::-1], DEGREES_NORTH), "time": ("time", [0.0], {"units": "days since 2000-01-01"})}
    return MAP[None, ::-1, :, None], ("time", "lat", "lon", "member"), lat


def latitude_of_cells_alone() -> Made:
    latitude = LAT_2D.copy()
    latitude[0, 0] = -9999.0
    return MAP[::-1], ("y", "x"), {"latitude": (("y", "x"), latitude[::-1])}


def no_coordinates() -> Made:
    return MAP, ("a", "b"), {}


WAYS: list[Callable[[], Made]] = [
    north_first,
    east_first,
    longitude_from_0_to_360,
    columns_before_rows,
    dimensions_called_x_and_y,
    projected_in_km,
    told_by_axis,
    called_northing,
    latitude_of_cells,
    latitude_of_cells_of_unnamed_dimensions,
    latitude_of_cells_alone,
    one_time_in_front,
    no_coordinates,
]


def write(path: Path, made: Made, encoding: dict[str, Any] | None = None, **more: Any) -> FieldConfig:
    values, dimensions, coordinates = made
    dataset = xr.Dataset({"v": (dimensions, values, {"units": "1"})}, coordinates)
    dataset.to_netcdf(path, encoding={"v": encoding or {}}, **more)
    return FieldConfig(file=path, variable=f"{more['group']}/v" if "group" in more else "v")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_rows_begin_in_the_south_and_columns_in_the_west(tmp_path: Path, way: Callable[[], Made]) -> None:
    spec = write(tmp_path / "map.nc", way())
    cells = None if way is called_northing else CELLS
    np.testing.assert_array_equal(spec.read("v", (NY, NX), "1", cells=cells), MAP)


@pytest.mark.parametrize(
    "encoding",
    [
        {"dtype": "int16", "scale_factor": 0.5, "add_offset": 3.0, "_FillValue": -32768},
        {"dtype": ">f4", "_FillValue": np.nan},
        {"dtype": "uint8", "_FillValue": 255},
    ],
    ids=["packed", "big-endian", "bytes"],
)
def test_values_do_not_depend_on_how_they_are_stored(tmp_path: Path, encoding: dict[str, Any]) -> None:
    values, dimensions, coordinates = north_first()
    values = values.copy()
    values[0, 0] = np.nan  # the north-western cell
    for group in ("", "soil/maps"):
        more: dict[str, Any] = {"group": group} if group else {}
        spec = write(tmp_path / f"{len(group)}.nc", (values, dimensions, coordinates), encoding, **more)
        expected = MAP.copy()
        expected[2, 0] = np.nan
        nowhere = np.zeros((NY, NX), dtype=bool)
        np.testing.assert_array_equal(spec.read("v", (NY, NX), "1", nowhere, cells=CELLS), expected)


def test_classes_are_looked_up_where_they_are(tmp_path: Path) -> None:
    spec = write(tmp_path / "map.nc", north_first()).model_copy(update={"lookup": {v: v + 0.5 for v in MAP.flat}})
    np.testing.assert_array_equal(spec.read("v", (NY, NX), "1"), MAP + 0.5)


# ---------------------------------------------------------------------- layers

LAYERS = np.array([0.1, 0.2, 0.3])  # of each layer, bottom first
STACK = LAYERS[:, None, None] + MAP


@pytest.mark.parametrize(
    ("coordinate", "top_first"),
    [
        (("z", [0.05, 0.2, 0.5], {"positive": "down", "units": "m"}), True),
        (("z", [0.5, 0.2, 0.05], {"positive": "down", "units": "m"}), False),
        (("z", [-0.05, -0.2, -0.5], {"positive": "up"}), True),
        (("z", [-0.5, -0.2, -0.05]), False),  # below ground
        (("z", [-0.05, -0.2, -0.5]), True),
        (("z", [5.0, 20.0, 50.0], {"long_name": "depth of the layer's centre", "units": "cm"}), True),
        (("z", [0.1, 0.3, 0.6], {"standard_name": "height"}), False),
        (("z", [0.6, 0.3, 0.1], {"standard_name": "height"}), True),
        (("z", [1, 2, 3]), False),  # numbers tell nothing: as documented
    ],
)
def test_layers_begin_at_the_bottom(tmp_path: Path, coordinate: Any, top_first: bool) -> None:
    stored = STACK[::-1] if top_first else STACK
    spec = write(
        tmp_path / "soil.nc",
        (stored[:, ::-1].transpose(1, 2, 0), ("lat", "lon", "z"), {"lat": LAT[::-1], "z": coordinate}),
    )
    np.testing.assert_array_equal(spec.read("v", STACK.shape, "1"), STACK)
    one = spec.model_copy(update={"layers": 0})  # of the file, in its own order
    np.testing.assert_array_equal(one.read("v", (NY, NX), "1"), STACK[-1 if top_first else 0])


def test_depth_beside_numbers_of_layers_tells_the_order(tmp_path: Path) -> None:
    coordinates = {"layer": [1, 2, 3], "depth": ("layer", [0.05, 0.2, 0.5], {"units": "m"})}
    spec = write(tmp_path / "soil.nc", (STACK[::-1], ("layer", "y", "x"), coordinates))
    np.testing.assert_array_equal(spec.read("v", STACK.shape, "1"), STACK)
    stack = FieldConfig(stack=[FieldConfig(value=7.0), spec])
    np.testing.assert_array_equal(stack.read("v", (4, NY, NX), "1")[:, 1, 2], [7.0, *STACK[:, 1, 2]])


def test_soil_of_climate_and_weather_models_begins_at_the_top(tmp_path: Path) -> None:
    level = {"levsoi": ("levsoi", [0.05, 0.2, 0.5], {"units": "m", "long_name": "coordinate soil levels"})}
    for dimensions, values, coordinates in (
        (("levsoi", "lat", "lon"), STACK[::-1], level),  # history of CESM
        (("lat", "lon", "nlevsoi"), STACK[::-1].transpose(1, 2, 0), {}),  # its surface data
        (("Time", "soil_layers_stag", "south_north", "west_east"), STACK[np.newaxis, ::-1], {}),  # WRF
    ):
        spec = write(tmp_path / "soil.nc", (values, dimensions, coordinates))
        np.testing.assert_array_equal(spec.read("v", STACK.shape, "1"), STACK)


def test_a_length_that_may_be_height_or_depth_is_refused(tmp_path: Path) -> None:
    for name, attributes in (("lev", {"axis": "Z"}), ("soil", {}), ("nav_lev", {})):
        level = {name: (name, [0.05, 0.2, 0.5], {"units": "m", **attributes})}
        for dimensions in ((name, "y", "x"), (name, "yc", "xc")):
            spec = write(tmp_path / "soil.nc", (STACK[::-1], dimensions, level))
            with pytest.raises(ConfigError, match=rf"'{name}' \[m\] of the layers does not tell .* attribute positive"):
                spec.read("v", STACK.shape, "1")
        level[name][2]["positive"] = "down"
        spec = write(tmp_path / "soil.nc", (STACK[::-1], (name, "y", "x"), level))
        np.testing.assert_array_equal(spec.read("v", STACK.shape, "1"), STACK)
    metres = {name: (name, np.arange(n) * 1000.0, {"units": "m"}) for name, n in (("yc", NY), ("xc", NX))}
    spec = write(tmp_path / "map.nc", (MAP, ("yc", "xc"), metres))
    np.testing.assert_array_equal(spec.read("v", MAP.shape, "1"), MAP)  # rows and columns are no layers
    height = {"z": ("z", [0.05, 0.2, 0.5], {"units": "m"})}
    spec = write(tmp_path / "soil.nc", (STACK, ("z", "y", "x"), height))
    np.testing.assert_array_equal(spec.read("v", STACK.shape, "1"), STACK)


def test_depths_of_other_layers_than_the_domains_are_noticed(tmp_path: Path) -> None:
    depth = {"z": ("z", [0.05, 0.2, 0.9], {"positive": "down", "units": "m"})}
    spec = write(tmp_path / "soil.nc", (STACK[::-1], ("z", "y", "x"), depth))
    cells = Cells((NY, NX), thickness=np.array([0.3, 0.2, 0.1]))  # 0.3 to 0.6 m, 0.1 to 0.3 m, 0 to 0.1 m
    with pytest.warns(InputNotice, match=r"layer 0 .* at 0\.9 m depth .* from 0\.3 to 0\.6 m"):
        np.testing.assert_array_equal(spec.read("v", STACK.shape, "1", cells=cells), STACK)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spec.read("v", STACK.shape, "1", cells=Cells((NY, NX), thickness=np.array([0.7, 0.2, 0.1])))


# ---------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("coordinates", "said"),
    [
        ({"y": ("y", [0.0, 2.0, 1.0], PROJECTED["y"])}, r"'y' neither rises nor falls all along: 2 is followed by 1"),
        (
            {"lat": (("y", "x"), LAT_2D * [[1], [1.1], [1]]), "lon": (("y", "x"), LON_2D)},
            "does not tell which way the rows",
        ),
        (
            {
                "y": ("y", [0.0, 1.0, 2.0], PROJECTED["y"]),
                "lat": (("y", "x"), LAT_2D[::-1]),
                "lon": (("y", "x"), LON_2D),
            },
            "contradict each other",
        ),
    ],
    ids=["to and fro", "mixed", "contradictory"],
)
def test_coordinates_that_tell_no_order_are_refused(tmp_path: Path, coordinates: Any, said: str) -> None:
    spec = write(tmp_path / "map.nc", (MAP, ("y", "x"), coordinates))
    with pytest.raises(ConfigError, match=said) as caught:
        spec.read("v", (NY, NX), "1")
    assert str(tmp_path / "map.nc") in str(caught.value)


def test_one_place_for_all_cells_tells_no_order(tmp_path: Path) -> None:
    places = {"lat": (("y", "x"), np.full((NY, NX), 46.0)), "lon": (("y", "x"), np.full((NY, NX), 10.0))}
    spec = write(tmp_path / "map.nc", (MAP, ("y", "x"), places))
    np.testing.assert_array_equal(spec.read("v", (NY, NX), "1"), MAP)


@pytest.mark.parametrize("by", ["latitude", "northing"])
def test_cells_elsewhere_are_refused_and_a_little_off_noticed(tmp_path: Path, by: str) -> None:
    def shifted(cells: float) -> FieldConfig:
        if by == "latitude":
            places = {"lat": ("lat", LAT + 0.1 * cells), "lon": ("lon", LON)}
            return write(tmp_path / f"{cells}.nc", (MAP, ("lat", "lon"), places))
        y = ("y", 500.0 + 1000.0 * (np.arange(NY) + cells), PROJECTED["y"])
        return write(tmp_path / f"{cells}.nc", (MAP, ("y", "x"), {"y": y}))

    with pytest.raises(ConfigError, match="cells lie elsewhere"):
        shifted(0.5).read("v", (NY, NX), "1", cells=CELLS)  # corners taken for centres
    with pytest.warns(InputNotice, match=r"0\.20 of a cell beside"):
        np.testing.assert_array_equal(shifted(0.2).read("v", (NY, NX), "1", cells=CELLS), MAP)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shifted(0.01).read("v", (NY, NX), "1", cells=CELLS)


def test_cells_of_another_size_are_refused(tmp_path: Path) -> None:
    spec = write(tmp_path / "map.nc", (MAP, ("y", "x"), {"y": ("y", [0.0, 500.0, 1000.0], PROJECTED["y"])}))
    with pytest.raises(ConfigError, match=r"500 m apart .* those of the domain 1000 m"):
        spec.read("v", (NY, NX), "1", cells=CELLS)


# ---------------------------------------------------------------------- a domain


def domain(folder: Path, made: dict[str, Any], **changes: Any) -> Domain:
    """Load a domain whose maps lie in one file."""
    xr.Dataset(made).to_netcdf(folder / "basin.nc")
    named = {name: {"file": folder / "basin.nc", "variable": name} for name in made}
    slope = {axis: named.pop(f"slope_{axis}", 0.01) for axis in "xy"}
    return Domain.load(
        DomainConfig.model_validate(
            {
                "grid": {"nx": NX, "ny": NY, "dx": 1000.0, "dy": 1000.0},
                "layers": [1.0] * 10,
                "porosity": 0.4,
                "van_genuchten": {"alpha": 1.0, "n": 2.0, "residual_saturation": 0.1},
                "slope": slope,
                **named,
                **changes,
            }
        )
    )


def from_north(values: np.ndarray) -> tuple[tuple[str, str], np.ndarray]:
    return ("y", "x"), values[::-1]


MASK = (MAP != 20.0).astype(float)  # without the north-western cell


def test_a_domain_whose_latitude_falls_along_the_rows_is_turned_as_a_whole(tmp_path: Path) -> None:
    maps = {"mask": MASK, "latitude": LAT_2D, "longitude": LON_2D, "elevation": MAP, "slope_x": 0.01 * MAP}
    made = domain(tmp_path, {name: from_north(values) for name, values in maps.items()})
    np.testing.assert_array_equal(made.mask, MASK > 0)
    np.testing.assert_array_equal(made.latitude, LAT_2D)
    np.testing.assert_array_equal(made.elevation, MAP)
    np.testing.assert_array_equal(made.slope_x, 0.01 * MAP)  # of the eastern face, wherever the rows begin


def test_slopes_along_a_turned_axis_are_refused(tmp_path: Path) -> None:
    maps = {"latitude": LAT_2D, "longitude": LON_2D, "slope_y": 0.01 * MAP}
    with pytest.raises(ConfigError, match=r"slope_y.*north to south.*northern face"):
        domain(tmp_path, {name: from_north(values) for name, values in maps.items()})
    with pytest.raises(ConfigError, match=r"slope_x.*east to west.*eastern face"):
        domain(
            tmp_path,
            {
                "slope_x": (("y", "x"), MAP),
                "longitude": (("y", "x"), LON_2D[:, ::-1]),
                "latitude": (("y", "x"), LAT_2D),
            },
        )


def test_a_domain_that_begins_in_the_north_without_saying_so_is_refused(tmp_path: Path) -> None:
    write_pfb(str(tmp_path / "lat.pfb"), LAT_2D[None, ::-1].copy(), dist=False)
    with pytest.raises(ConfigError, match=r"lat\.pfb: latitude falls from row to row"):
        domain(tmp_path, {"elevation": (("y", "x"), MAP)}, latitude=str(tmp_path / "lat.pfb"))


def test_files_without_coordinates_beside_a_turned_latitude_are_noticed(tmp_path: Path) -> None:
    write_pfb(str(tmp_path / "porosity.pfb"), np.full((10, NY, NX), 0.4), dist=False)
    maps = {"latitude": from_north(LAT_2D), "longitude": from_north(LON_2D)}
    with pytest.warns(InputNotice, match=r"porosity\.pfb: has no coordinates and is read with the southern row first"):
        domain(tmp_path, maps, porosity=str(tmp_path / "porosity.pfb"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"GRIB\x00\x00", "it is a GRIB file"),
        (b"<!DOCTYPE html>", "a web page"),
        (b"\x1f\x8b\x08\x00", "gzip; unpack it"),
    ],
)
def test_what_is_no_netcdf_file_is_told(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "map.nc").write_bytes(content * 20)
    with pytest.raises(ConfigError, match=said):
        FieldConfig(file=tmp_path / "map.nc", variable="v").read("v", (NY, NX), "1")


def test_more_files_than_may_be_open_are_read_in_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bmi_common import netcdf_file

    monkeypatch.setattr(netcdf_file, "MOST_OPEN", 3)
    files = []
    for k in range(8):
        with netCDF4.Dataset(tmp_path / f"{k}.nc", "w") as nc:
            nc.createDimension("t", 2)
            nc.createVariable("v", "f8", ("t",))[:] = [k, -k]
        files.append(netcdf_file.NetcdfFile(tmp_path / f"{k}.nc"))
        assert len(netcdf_file.NetcdfFile._open) <= 3
    for k in (0, 7, 3, 0, 5):
        np.testing.assert_array_equal(files[k].part("v", slice(0, 2)), [k, -k])
        assert len(netcdf_file.NetcdfFile._open) <= 3
    for file in files:
        file.close()


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (range(6), range(7)),
        (range(5, -1, -1), range(7)),
        (range(4, 1, -1), range(1, 5)),
        (range(2, 3), range(6, 3, -1)),
        ([0, 2, 3], range(7)),
        ([1, 1, 2], range(7)),
    ],
)
def test_cells_of_a_file_are_taken_alike_as_a_window_and_one_by_one(rows: Any, columns: Any) -> None:
    values = np.random.default_rng(0).random((2, 6, 7))
    wanted = values[:, list(rows)][:, :, list(columns)]
    pick = np.meshgrid(list(rows), list(columns), indexing="ij")
    found = GridMap(slice(0, 6), slice(0, 7), (pick[0], pick[1]))(values)
    np.testing.assert_array_equal(found, wanted)
    found[...] = -1.0
    assert values.min() >= 0.0  # what was read stays as it is
