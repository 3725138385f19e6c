"""Components of other makers beside ours, with the habits that public BMI classes have."""

from datetime import datetime

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from foreign import DEPTH, MAP, SLOPE, STEPS
from zoo import RAIN

from bmi_common.config import Document
from bmi_common.errors import ConfigError
from bmi_common.groundwater import NET_SOURCE as SOURCE
from bmi_common.groundwater import PRESSURE_HEAD as HEAD
from bmi_common.groundwater import WATER_TABLE_DEPTH as TABLE
from bmi_common.netcdf_file import netcdf_name
from coupler.cells import Fill
from coupler.component_config import ComponentConfig, ComponentFile, RunSettings, component_file
from coupler.grids import GridInfo
from rootzone.bmi_run import main


@pytest.fixture
def other(fake):
    """A run with a raster of somebody else's beside land and groundwater; `other.raster` is its file."""
    fake.raster = {"nx": 4, "ny": 3, "coordinates": "nodes"}
    write = fake.write

    def write_all():
        (fake.folder / "raster.yaml").write_text(yaml.safe_dump(fake.raster))
        return write()

    fake.write = write_all
    fake.run["components"]["raster"] = {"class": "foreign:Raster", "config": "raster.yaml"}
    fake.run["order"].append("raster")
    fake.output_of = lambda *names: fake.run.update(
        output=[{"file": "hourly.nc", "every": "1h", "method": "point", "variables": list(names)}]
    )
    fake.output_of(f"raster.{DEPTH}", f"raster.{STEPS}")
    return fake


def give_map(other, **keys):
    """Let the raster take a map of cell numbers, of a static component."""
    other.run["components"]["map"] = {"class": "foreign:StaticMap", "config": "map.yaml", "static": True}
    other.run["exchanges"].append({"from": f"map.{MAP}", "to": f"raster.{DEPTH}", **keys})
    other.map = {"nx": 4, "ny": 3}
    write = other.write

    def write_all():
        (other.folder / "map.yaml").write_text(yaml.safe_dump(other.map))
        return write()

    other.write = write_all
    return np.arange(1.0, 13.0).reshape(3, 4)


# ---------------------------------------------------------------- grids


@pytest.mark.parametrize("coordinates", ["nodes", "filled", "axes", "spacing"])
def test_coordinates_decide_however_they_are_told(other, coordinates):
    cells = give_map(other)
    other.raster["coordinates"] = coordinates
    other.map["north_first"] = True
    assert "rows turned round, static" in other.succeeds("--check").output
    other.succeeds()
    data = other.open()
    np.testing.assert_array_equal(data[DEPTH][-1], cells[::-1])
    np.testing.assert_allclose(data["x"], [500.0, 1500.0, 2500.0, 3500.0])
    other.raster["shift"] = 250.0
    shifted = "the x coordinates differ: 500, 1500, 2500, 3500 and 750, 1750, 2750, 3750 m"
    other.refuses(shifted, "`match: index`", arguments=("--check",))


@pytest.mark.parametrize("coordinates", ["curved", "no"])
def test_cells_can_be_matched_by_their_index(other, coordinates):
    cells = give_map(other, match="index")
    other.raster["coordinates"] = coordinates
    other.map["north_first"] = True
    other.succeeds()
    np.testing.assert_array_equal(other.open()[DEPTH][-1], cells)


def test_curved_grids_match_themselves_only(other):
    cells = give_map(other)
    other.raster["coordinates"] = "curved"
    other.refuses("the x coordinates differ")
    other.map["coordinates"] = "curved"
    other.succeeds()
    np.testing.assert_array_equal(other.open()[DEPTH][-1], cells)


def test_a_number_of_coordinates_that_fits_nothing_is_refused(other):
    other.raster["coordinates"] = "three"
    other.refuses(
        "raster: the grid of", "get_grid_x(0) gives 3 values", "4, one for each column, or 12, one for each node"
    )


def test_values_on_links_have_a_dimension_of_their_own(other):
    other.output_of(f"raster.{SLOPE}", f"raster.{STEPS}")
    other.succeeds()
    data = other.open()
    assert data[SLOPE].dims == ("time", "raster_grid0_edge")
    np.testing.assert_allclose(data[SLOPE][0], np.linspace(0.0, 1.0, 17), rtol=1e-6)
    assert data[SLOPE].units == "1"  # told as "-"


def test_a_file_does_not_mix_rows_from_north_and_south(other):
    cells = give_map(other)
    other.map["north_first"] = True
    other.output_of(f"raster.{DEPTH}", f"map.{MAP}")
    other.succeeds()
    data = other.open()
    assert data[MAP].dims == ("map_y", "x")
    np.testing.assert_array_equal(data["map_y"], [2500.0, 1500.0, 500.0])
    np.testing.assert_array_equal(data[MAP].sel(map_y=500.0), data[DEPTH][-1].sel(y=500.0))
    np.testing.assert_array_equal(data[MAP], cells)


# ---------------------------------------------------------------- clocks


def test_every_step_is_made_once_and_seen(other):
    other.succeeds()
    np.testing.assert_array_equal(other.open()[STEPS][:, 0, 0], np.arange(1.0, 7.0))


def test_a_component_without_a_time_axis_can_be_static(other):
    cells = give_map(other)
    other.output_of(f"raster.{DEPTH}", f"map.{MAP}")
    other.succeeds()
    data = other.open()
    np.testing.assert_array_equal(data[DEPTH], np.broadcast_to(cells, (6, 3, 4)))
    assert data[MAP].dims == ("y", "x")
    other.run["components"]["map"].pop("static")
    other.run["order"].insert(0, "map")
    hint = "if its values never change, write `static: true` under components.map"
    other.refuses("map: time units:", "'1'", hint, arguments=("--check",))


def test_a_static_component_takes_nothing_and_has_one_value(other):
    give_map(other, method="mean")
    other.refuses("exchanges.3.method: map is `static: true`")
    other.run["exchanges"][-1] = {"from": f"raster.{DEPTH}", "to": f"map.{MAP}"}
    other.refuses("exchanges.3.to: map is `static: true`")


def test_a_run_with_a_static_component_restarts(other):
    give_map(other)
    del other.run["components"]["raster"]
    other.run["order"].remove("raster")
    other.run["exchanges"][-1]["to"] = f"land.{RAIN}"
    other.map |= {"units": "kg m-2 h-1", "scale": 0.1}
    other.run["checkpoint"] = {"every": "2h"}
    other.output_of(f"groundwater.{HEAD}")
    other.succeeds()
    expected = other.open()[HEAD]
    np.testing.assert_allclose(expected[-1, -1, 0, 1] - expected[-1, -1, 0, 0], 6 * 0.1e-3 / 0.5, rtol=1e-4)
    checkpoint = other.output / "checkpoints" / "2020-01-01T04-00-00"
    assert {p.stem for p in checkpoint.glob("*.nc")} == {"land", "groundwater", "coupler"}
    result = CliRunner().invoke(main, ["--restart", str(checkpoint)])
    assert result.exit_code == 0, result.output
    np.testing.assert_array_equal(other.open()[HEAD], expected)


# ---------------------------------------------------------------- cells without values


def test_missing_cells_that_the_target_needs_are_refused_or_filled(other):
    give_map(other)
    other.map["missing"] = [1, 6]
    told = f"map.{MAP} has no values in 2 cells that are active in raster, the first is cell (j=0, i=1)"
    other.refuses(f"exchanges.3: {told}", "`fill: 0.0`", "`fill: nearest`")
    other.run["exchanges"][-1]["fill"] = -5.0
    other.succeeds()
    np.testing.assert_array_equal(other.open()[DEPTH][-1].to_numpy().ravel(), [1, -5, 3, 4, 5, 6, -5, 8, 9, 10, 11, 12])


@pytest.mark.parametrize(("dy", "nearest"), [(100.0, {2.0, 10.0}), (5000.0, {5.0, 7.0})])
def test_the_nearest_cell_is_near_in_metres(other, dy, nearest):
    give_map(other, fill="nearest")
    other.map |= {"missing": [5], "dy": dy}
    other.raster["dy"] = dy
    other.succeeds()
    assert float(other.open()[DEPTH][-1, 1, 1]) in nearest


def test_points_take_the_value_of_the_nearest_point_and_links_have_no_place():
    gaps = np.array([True, False, False])
    points = GridInfo(4, "unstructured", (3,), np.array([0.0, 9.0, 3.0]), np.array([0.0, 0.0, 4.0]))
    np.testing.assert_array_equal(
        Fill("exchanges.0", "a.x -> b.x", "nearest", points, gaps, None)(np.array([np.nan, 1.0, 2.0])), [2.0, 1.0, 2.0]
    )
    with pytest.raises(ConfigError, match=r"x: fill: nearest needs the places of the values, and edges of grid 4"):
        Fill("exchanges.0", "a.x -> b.x", "nearest", GridInfo(4, "unstructured", (3,), location="edge"), gaps, None)


def test_cells_outside_the_mask_reach_no_component_that_has_none(other):
    other.land["mask"] = other.groundwater["mask"] = 2
    other.run["exchanges"].append({"from": f"groundwater.{TABLE}", "to": f"raster.{DEPTH}"})
    told = f"groundwater.{TABLE} has no values in 2 cells that are active in raster, the first is cell (j=0, i=0)"
    other.refuses(told)
    other.run["exchanges"][-1]["fill"] = 3.0
    other.run["components"]["raster"]["class"] = "foreign:Watched"
    other.succeeds()
    taken = np.load(other.folder / "taken.npy")
    np.testing.assert_array_equal(taken.ravel(), [3.0, 3.0] + [0.0] * 10)


def test_components_of_other_cells_can_be_coupled_with_a_fill(other):
    other.use("Bucket", mask=2)
    for x in other.run["exchanges"][:2]:
        x["fill"] = "nearest"
    del other.run["components"]["raster"]
    other.run["order"].remove("raster")
    other.output_of(f"groundwater.{HEAD}", f"land.{SOURCE}")
    other.succeeds()
    data = other.open()
    assert np.isnan(data[HEAD][:, :, 0, :2]).all()
    assert np.isfinite(data[netcdf_name(SOURCE)]).all()
    handed = 0.5 * 1.0e6 * data[netcdf_name(SOURCE)].to_numpy().reshape(6, 10, 12)[:, :, 2:].sum(axis=(1, 2))
    np.testing.assert_allclose(other.open("water_balance.nc")["source"], handed, rtol=1e-6)  # of its own ten cells


def test_a_value_that_goes_missing_where_it_is_needed_ends_the_run(other):
    other.raster["nan_after"] = 2.0
    other.run["exchanges"].append({"from": f"raster.{STEPS}", "to": f"land.{RAIN}"})
    other.run["order"] = ["raster", "land", "groundwater"]
    other.raster["units"] = "kg m-2 h-1"
    other.breaks("2020-01-01T02:00", f"raster: {STEPS} is nan", "at cell (j=1, i=2)")


def test_what_is_missing_in_a_file_only_is_told_once(other):
    other.raster["nan_after"] = 2.0
    output = other.succeeds().output
    told = f"hourly.nc: raster.{STEPS} has no finite value in 1 of 12 active cells, the first is cell (j=1, i=2)"
    assert output.count(told) == 1
    assert (other.output / "run.log").read_text().count(told) == 1
    assert np.isnan(other.open()[STEPS][:, 1, 2]).sum() == 4


# ---------------------------------------------------------------- configuration files


@pytest.mark.parametrize(
    "text", ["start: 0.0\n", "start: 3\nend: 7\n", "paths: [a, b]\n", "a: !own {x: 1}\n", "a: 1\n---\nb: 2\n"]
)
def test_a_file_in_the_way_of_others_is_handed_over_as_it_is(tmp_path, text):
    config = tmp_path / "model.yaml"
    config.write_text(text)
    spec = ComponentConfig.model_validate({"class": "a:B", "config": config})
    document = Document(tmp_path / "coupled.yaml", {}, {})
    settings = RunSettings({}, datetime(2020, 1, 1), datetime(2020, 1, 2), tmp_path / "staged", document)
    assert component_file("model", spec, "components.model", settings) == ComponentFile(config)
