"""What a run leaves behind: CF NetCDF files, figures, log, timing, and a record from which it can be repeated."""

import hashlib
import json

import netCDF4
import numpy as np
import pytest
import yaml
from click.testing import CliRunner

from bmi_common.groundwater import (
    LAYER_THICKNESS,
    NET_SOURCE,
    POROSITY,
    PRESSURE_HEAD,
    STORAGE_VOLUME,
    WATER_TABLE_DEPTH,
)
from bmi_common.netcdf_file import netcdf_name
from bmi_common.owned_folder import taken
from coupler.compression import chunk
from rootzone.bmi_run import main

SOURCE = netcdf_name(NET_SOURCE)


def raw(fake, file="hourly.nc"):
    return netCDF4.Dataset(fake.output / file)


@pytest.fixture
def hourly(fake):
    """Run whose output entry is changed by keywords; returns the file's dataset as xarray reads it."""

    def run_with(**changes):
        fake.run["output"][0].update(changes)
        fake.succeeds("--overwrite")
        return fake.open()

    return run_with


# ---------------------------------------------------------------- means


def test_a_mean_is_that_of_all_steps_of_its_component(fake):
    fake.run["components"]["land"]["class"] = "zoo:Clock"
    fake.run["components"]["groundwater"]["class"] = "zoo:Clock"
    fake.land["step"] = 900
    fake.run["exchanges"] = []
    fake.run["time"]["end"] = "2020-01-01T06:00"
    variables = ["land.clock__time", "groundwater.clock__time"]
    for every, method in (("1h", "mean"), ("2h", "mean"), ("2h", "point")):
        file = f"{every}_{method}.nc"
        fake.run["output"].append({"file": file, "every": every, "method": method, "variables": variables})
    del fake.run["output"][0]
    fake.succeeds()
    for file, quarters, hours in (
        ("1h_mean.nc", [0.625, 1.625, 2.625, 3.625, 4.625, 5.625], [1, 2, 3, 4, 5, 6]),
        ("2h_mean.nc", [1.125, 3.125, 5.125], [1.5, 3.5, 5.5]),
        ("2h_point.nc", [2, 4, 6], [2, 4, 6]),
    ):
        data = fake.open(file)
        np.testing.assert_allclose(data["land_clock__time"][:, 0, 0], quarters)
        np.testing.assert_allclose(data["groundwater_clock__time"][:, 0, 0], hours)
    assert data["land_clock__time"].attrs["cell_methods"] == "time: point (interval: 0.25 hours)"
    assert data["groundwater_clock__time"].attrs["cell_methods"] == "time: point"


def test_grids_of_the_same_size_elsewhere_have_axes_of_their_own(fake):
    for side in fake.run["components"].values():
        side["class"] = "zoo:Clock"
    fake.groundwater["dx"] = 500.0
    fake.run["exchanges"] = []
    fake.run["output"][0]["variables"] = ["land.clock__time", "groundwater.clock__time"]
    fake.succeeds()
    data = fake.open()
    np.testing.assert_array_equal(data["x"], [500.0, 1500.0, 2500.0, 3500.0])
    np.testing.assert_array_equal(data["groundwater_x"], [250.0, 750.0, 1250.0, 1750.0])
    assert data["groundwater_clock__time"].dims == ("time", "y", "groundwater_x")


# ---------------------------------------------------------------- metadata


def test_variables_carry_cf_attributes(fake, hourly):
    depth = hourly(variables=[f"groundwater.{WATER_TABLE_DEPTH}"])[netcdf_name(WATER_TABLE_DEPTH)]
    assert depth.attrs == {
        "long_name": "water table depth below the land surface",
        "standard_name": "water_table_depth",
        "units": "m",
        "csdms_name": WATER_TABLE_DEPTH,
        "component": "groundwater",
        "cell_methods": "time: mean",
    }


def test_axes_carry_cf_attributes_and_coordinates(fake, hourly):
    data = hourly()
    assert data.attrs["Conventions"].startswith("CF-1.")
    assert [data[a].attrs["axis"] for a in ("x", "y", "z", "time")] == ["X", "Y", "Z", "T"]
    assert data.x.attrs["standard_name"] == "projection_x_coordinate"
    np.testing.assert_array_equal(data.x, [500.0, 1500.0, 2500.0, 3500.0])
    np.testing.assert_array_equal(data.z[:2], [5.0, 10.25])
    np.testing.assert_array_equal(data.root_zone_z, data.z[1:])
    np.testing.assert_array_equal(data.layer_thickness, [10.0] + [0.5] * 10)
    np.testing.assert_array_equal(data.depth, [10.0, *np.arange(4.75, 0.0, -0.5)])
    assert (data.depth.attrs["standard_name"], data.depth.attrs["positive"]) == ("depth", "down")
    with netCDF4.Dataset(fake.output / "hourly.nc") as raw:
        assert raw["time"].units_metadata == "leap_seconds: none"


def test_names_are_those_that_cf_recommends(fake, hourly):
    assert "soil_root_zone_water__net_volume_flux" in hourly()
    assert netcdf_name("land_surface_air_heat~net~latent__energy_flux").isidentifier()


def test_times_are_real_dates_at_the_end_of_each_interval(fake, hourly):
    time = hourly().time.values
    assert time[0] == np.datetime64("2020-01-01T01:00")
    assert time[-1] == np.datetime64("2020-01-01T06:00")


def test_bounds_enclose_each_interval_without_gaps(fake, hourly):
    data = hourly(every="3h")
    bounds = data.time_bounds.values.astype("datetime64[m]")
    expected = ["2020-01-01T00:00", "2020-01-01T03:00", "2020-01-01T06:00"]
    assert [str(b) for b in (*bounds[:, 0], bounds[-1, 1])] == expected
    np.testing.assert_array_equal(bounds[:, 1], data.time.values.astype("datetime64[m]"))


# ---------------------------------------------------------------- values


def test_mean_over_three_hours_against_the_last_of_them(fake, hourly):
    fake.run["components"]["land"]["class"] = "zoo:TypicalLand"
    each = hourly(precision="double")[SOURCE].values
    mean = hourly(every="3h")
    point = hourly(method="point")
    np.testing.assert_allclose(mean[SOURCE].values, each.reshape(2, 3, *each.shape[1:]).mean(axis=1), rtol=1e-14)
    np.testing.assert_array_equal(point[SOURCE].values, each[2::3])
    assert mean[SOURCE].attrs["cell_methods"] == "time: mean"
    assert point[SOURCE].attrs["cell_methods"] == "time: point"


def test_an_interval_that_is_not_full_is_not_written(fake, hourly):
    assert hourly(every="4h").sizes["time"] == 1


def test_cells_outside_the_watershed_are_missing(fake, hourly):
    fake.land["mask"] = fake.groundwater["mask"] = 5
    hourly()
    with raw(fake) as data:
        for name in (PRESSURE_HEAD, SOURCE):
            missing = np.ma.getmaskarray(data[name][0, -1])
            assert missing.sum() == 5
            assert missing.flat[:5].all()


def test_static_variables_have_no_time(fake, hourly):
    data = hourly(
        variables=[f"groundwater.{POROSITY}", f"groundwater.{LAYER_THICKNESS}", f"groundwater.{PRESSURE_HEAD}"]
    )
    assert data[POROSITY].dims == ("z", "y", "x")
    assert "cell_methods" not in data[POROSITY].attrs
    np.testing.assert_allclose(data[POROSITY], 0.4, rtol=1e-7)
    assert data[PRESSURE_HEAD].dims == ("time", "z", "y", "x")


def test_scalars_are_time_series(fake, hourly):
    data = hourly(variables=[f"groundwater.{STORAGE_VOLUME}"], precision="double")
    storage = data[netcdf_name(STORAGE_VOLUME)]
    assert storage.dims == ("time",)
    assert np.diff(storage.values) == pytest.approx([-3000.0] * 5)


def test_inputs_can_be_written(fake, hourly):
    data = hourly(variables=[f"land.{NET_SOURCE}", f"groundwater.{NET_SOURCE}"])
    np.testing.assert_array_equal(data[f"land_{SOURCE}"], data[f"groundwater_{SOURCE}"])


def test_double_precision_keeps_what_single_rounds(fake, hourly):
    hourly(precision="double")
    with raw(fake) as data:
        assert data[PRESSURE_HEAD].dtype == np.float64
        exact = data[PRESSURE_HEAD][:]
    hourly(precision="single")
    with raw(fake) as data:
        assert data[PRESSURE_HEAD].dtype == np.float32
        np.testing.assert_array_equal(data[PRESSURE_HEAD][:], exact.astype(np.float32))


@pytest.mark.parametrize("compression", ["zstd", "zlib"])
def test_fields_are_compressed_as_asked_and_hold_the_same(fake, hourly, compression):
    plain = hourly(compression="none")
    assert hourly(compression=compression).equals(plain)
    with raw(fake) as data:
        assert [name for name in ("zstd", "zlib") if data[SOURCE].filters()[name]] == [compression]


@pytest.mark.parametrize(("precision", "digits"), [("single", 4), ("double", 6)])
def test_numbers_keep_the_digits_that_are_asked_for_in_a_smaller_file(fake, hourly, precision, digits):
    exact = hourly(precision="double", compression="none")[SOURCE].values
    rounded = hourly(precision=precision, compression="none", significant_digits=digits)[SOURCE].values
    np.testing.assert_allclose(rounded, exact, rtol=0.5 * 10.0 ** (1 - digits), atol=0.0)
    assert not np.array_equal(rounded, exact)
    with raw(fake) as data:
        assert data[SOURCE].quantization() == (digits, "GranularBitRound")


def test_more_digits_than_the_numbers_have_and_a_library_that_cannot_round_are_refused(fake, monkeypatch):
    fake.run["output"][0]["significant_digits"] = 8
    fake.refuses("output.0", "8 significant_digits in single precision, which has 7")
    fake.run["output"][0]["significant_digits"] = 4
    monkeypatch.setattr(netCDF4, "__has_quantization_support__", False)
    fake.refuses("significant_digits", "cannot round to digits")


def test_without_zstandard_in_the_library_the_default_is_zlib_and_zstd_is_refused(fake, hourly, monkeypatch):
    monkeypatch.setattr(netCDF4, "__has_zstandard_support__", False)
    hourly()
    with raw(fake) as data:
        assert data[SOURCE].filters()["zlib"]
    fake.run["output"][0]["compression"] = "zstd"
    fake.refuses("output.0.compression", "lacks Zstandard; write zlib", arguments=("--overwrite",))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((), ()),
        ((300,), (300,)),
        ((11, 252, 146), (11, 252, 146)),
        ((10, 1888, 3342), (1, 1255, 3342)),
        ((100, 1000, 1000), (4, 1000, 1000)),
        ((2, 8_000_000), (1, 4_194_304)),
    ],
)
def test_chunks_fit_into_sixteen_megabytes(shape, expected):
    assert chunk(shape, 4) == expected
    assert 4 * np.prod(chunk(shape, 4), dtype=int) <= 16 * 2**20


def test_several_files_have_their_own_intervals(fake):
    fake.run["output"] += [
        {"file": "point.nc", "every": "2h", "method": "point", "variables": [f"groundwater.{PRESSURE_HEAD}"]},
        {"file": "whole.nc", "every": "6h", "variables": [f"land.{NET_SOURCE}"]},
    ]
    fake.succeeds()
    assert [fake.open(f).sizes["time"] for f in ("hourly.nc", "point.nc", "whole.nc")] == [6, 3, 1]


def test_a_run_without_output_has_its_balance_and_record(fake):
    fake.run["output"] = None
    fake.succeeds()
    made = {p.name for p in fake.output.iterdir()}
    assert made == {".rootzone.files", "provenance.json", "run.log", "run.yaml", "timing.json", "water_balance.nc"}


# ---------------------------------------------------------------- record


def test_record_has_the_hashes_of_what_was_read(fake):
    (fake.folder / "head.txt").write_text("-2.0")
    fake.use("FileBucket", head_file="head.txt").succeeds()
    inputs = json.loads((fake.output / "provenance.json").read_text())["inputs"]
    files = [fake.folder / n for n in ("coupled.yaml", "land.yaml", "groundwater.yaml", "head.txt")]
    assert inputs == {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_record_tells_versions_command_and_seed(fake):
    fake.run["seed"] = 7
    fake.succeeds()
    record = json.loads((fake.output / "provenance.json").read_text())
    assert record["seed"] == 7
    assert record["versions"]["numpy"] == np.__version__
    assert {"python", "rootzone", "netCDF4"} <= set(record["versions"])
    assert record["command"]


def test_outputs_carry_the_record(fake, hourly):
    fake.run["title"] = "A run of fakes"
    data = hourly()
    record = json.loads((fake.output / "provenance.json").read_text())
    assert data.attrs["title"] == "A run of fakes"
    assert yaml.safe_load(data.attrs["run_configuration"]) == record["configuration"]
    assert json.loads(data.attrs["input_sha256"]) == record["inputs"]
    assert record["created"] in data.attrs["history"]


def test_recorded_configuration_repeats_the_run(fake, tmp_path):
    fake.run["components"]["land"]["class"] = "zoo:TypicalLand"
    fake.succeeds("--set", "land.options.rain=0.004", "--set", "time.end=2020-01-01T04:00")
    expected = fake.open()
    again = tmp_path / "again"
    arguments = [str(fake.output / "run.yaml"), "--output", str(again)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    with netCDF4.Dataset(again / "hourly.nc") as data:
        np.testing.assert_array_equal(data[PRESSURE_HEAD][:], expected[PRESSURE_HEAD].values)
        np.testing.assert_array_equal(data[SOURCE][:], expected[SOURCE].values)


def test_recorded_configuration_is_the_same_when_repeated(fake, tmp_path):
    fake.run["paths"] = {"here": "."}
    fake.run["components"]["land"]["config"] = "${here}/land.yaml"
    fake.succeeds()
    first = (fake.output / "run.yaml").read_text()
    again = tmp_path / "again"
    assert CliRunner().invoke(main, [str(fake.output / "run.yaml"), "--output", str(again)]).exit_code == 0
    assert (again / "run.yaml").read_text() == first


def test_timing_accounts_for_all_parts(fake):
    fake.use("SlowBucket", sleep=0.01).succeeds()
    timing = json.loads((fake.output / "timing.json").read_text())
    assert timing["model_hours"] == 6.0
    assert timing["steps"] == 6
    assert set(timing["seconds"]) == {"land", "groundwater", "output", "coupler"}
    assert timing["seconds"]["groundwater"] >= 0.06
    assert timing["seconds"]["land"] < 0.06


def test_log_file_and_screen_tell_the_same(fake):
    result = fake.succeeds()
    text = (fake.output / "run.log").read_text()
    for words in ("6 model hours", "from the land, less what it took               -18000", "done; results are in"):
        assert words in text
        assert words in result.output


def test_log_holds_one_run_only(fake):
    fake.succeeds()
    fake.succeeds("--overwrite")
    assert (fake.output / "run.log").read_text().count("done; results are in") == 1


# ---------------------------------------------------------------- figures


def test_figures_are_drawn_when_asked(fake):
    fake.run["figures"] = True
    fake.succeeds()
    drawn = sorted((fake.output / "figures").iterdir())
    assert [p.name for p in drawn] == ["hourly_series.png"]  # all cells are alike: there is nothing to map
    assert all(p.read_bytes().startswith(b"\x89PNG") and p.stat().st_size > 5000 for p in drawn)


@pytest.mark.parametrize(("method", "first"), [("mean", "2020-01-01T01:30"), ("point", "2020-01-01T03:00")])
def test_a_series_has_means_in_the_middle_of_their_interval_and_other_values_at_its_end(
    fake, monkeypatch, method, first
):
    drawn = []
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, *_, **__: drawn.append(figure))
    fake.run["figures"] = True
    fake.run["output"][0] |= {"every": "3h", "method": method}
    fake.succeeds()
    line = drawn[0].axes[0].lines[0]
    assert list(line.get_xdata()) == [np.datetime64(first), np.datetime64(first) + np.timedelta64(3, "h")]


def test_figures_are_not_drawn_unasked(fake):
    fake.succeeds()
    assert not (fake.output / "figures").exists()


def test_figures_of_scalars_are_series_only(fake):
    fake.run["figures"] = True
    fake.run["output"][0]["variables"] = [f"groundwater.{STORAGE_VOLUME}"]
    fake.succeeds()
    assert [p.name for p in (fake.output / "figures").iterdir()] == ["hourly_series.png"]


def test_figures_of_a_file_without_records_are_passed_over(fake):
    fake.run["figures"] = True
    fake.run["output"][0]["every"] = "1d"
    fake.succeeds()
    assert list((fake.output / "figures").iterdir()) == []


def test_warnings_of_components_are_in_the_log_of_the_run(fake):
    fake.use("WarningBucket")
    result = fake.succeeds()
    text = (fake.output / "run.log").read_text()
    assert text.count("WARNING UserWarning: the bucket was never cleaned") == 1  # from before the log was open
    assert text.count("WARNING UserWarning: the bucket is nearly full") == 1
    assert "the bucket is nearly full" in result.output


def test_warnings_of_a_run_that_never_begins_are_not_lost(fake):
    with pytest.warns(UserWarning, match="never cleaned"):
        fake.use("WarningBucket").succeeds("--check")
    assert not fake.output.exists()


def test_a_run_killed_before_it_had_a_record_leaves_no_obstacle(fake):
    with taken(fake.output, "run") as folder:
        folder.own("run.log", "config/error_control.audit.component.yaml", "run.yaml")
        (fake.output / "config").mkdir(parents=True)
        (fake.output / "run.log").write_text("of the killed run")
        (fake.output / ".run.yaml.partial").write_text("half")
        (fake.output / "config" / "error_control.audit.component.yaml").write_text("of the killed run")
    fake.succeeds()
    assert not (fake.output / ".run.yaml.partial").exists()
    assert "of the killed run" not in (fake.output / "run.log").read_text()
    assert not list(fake.output.rglob("error_control*"))


def test_a_log_among_other_files_is_no_run(fake):
    fake.output.mkdir()
    (fake.output / "run.log").write_text("mine")
    (fake.output / "thesis.tex").write_text("mine")
    fake.refuses("is not empty and holds no run")
