"""CF NetCDF forcing: metadata, units, time, grids."""

import warnings
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr
from pydantic import TypeAdapter

from bmi_colm.forcing import Forcing, ForcingConfig, ForcingWarning, names, open_forcing
from bmi_common import ConfigError

START = datetime(2020, 2, 28)
HOUR = timedelta(hours=1)
SHAPE = (3, 4)
LATITUDE = 24.0 + 0.01 * np.arange(3)
LONGITUDE = 113.0 + 0.01 * np.arange(4)
CF = {
    "pr": ("precipitation_flux", "kg m-2 s-1", 1.0e-4),
    "tas": ("air_temperature", "K", 290.0),
    "ps": ("surface_air_pressure", "Pa", 9.0e4),
    "huss": ("specific_humidity", "1", 0.008),
    "rsds": ("surface_downwelling_shortwave_flux_in_air", "W m-2", 400.0),
    "rlds": ("surface_downwelling_longwave_flux_in_air", "W m-2", 300.0),
    "uas": ("eastward_wind", "m s-1", 2.0),
    "vas": ("northward_wind", "m s-1", -1.0),
}
Change = Callable[[netCDF4.Dataset], None]


def field(hours: int) -> np.ndarray:
    """Shortwave (hours, 3, 4) whose values tell hour, row (from the south) and column."""
    hour, row, column = np.meshgrid(np.arange(hours), np.arange(3), np.arange(4), indexing="ij")
    return hour + 0.1 * row + 0.01 * column


def write(
    path: Path,
    hours: int = 48,
    *,
    first: datetime = START,
    latitude: np.ndarray = LATITUDE,
    longitude: np.ndarray = LONGITUDE,
    gridded: bool = True,
    axes: tuple[str, str] = ("lat", "lon"),
    axis_attributes: tuple[dict[str, str], ...] = ({"units": "degrees_north"}, {"units": "degrees_east"}),
    calendar: str = "standard",
    step: float = 1.0,
    bounds: str | None = None,
    units: dict[str, str] | None = None,
    values: dict[str, Any] | None = None,
    change: Change | None = None,
) -> Path:
    with netCDF4.Dataset(path, "w") as nc:
        nc.createDimension("time", hours)
        time = nc.createVariable("time", "f8", ("time",))
        time.units, time.calendar = f"hours since {first:%Y-%m-%d %H:%M}", calendar
        time[:] = step * np.arange(hours)
        dimensions: tuple[str, ...] = ("time",)
        shape: tuple[int, ...] = (hours,)
        if bounds is not None:
            time.bounds = "time_bnds"
            nc.createDimension("nv", 2)
            before = {"stamp is start": 0.0, "stamp is end": 1.0}[bounds]
            starts = np.arange(hours) - before
            nc.createVariable("time_bnds", "f8", ("time", "nv"))[:] = np.stack([starts, starts + 1.0], axis=1)
            nc["time_bnds"].units = time.units
        if gridded:
            dimensions, shape = ("time", *axes), (hours, latitude.size, longitude.size)
            for name, array, attributes in zip(axes, (latitude, longitude), axis_attributes, strict=True):
                nc.createDimension(name, array.size)
                if attributes:
                    nc.createVariable(name, "f8", (name,))[:] = array
                    nc[name].setncatts(attributes)
        for name, (standard_name, unit, typical) in CF.items():
            variable = nc.createVariable(name, "f8", dimensions)
            variable.standard_name, variable.units = standard_name, (units or {}).get(name, unit)
            variable[:] = np.broadcast_to(np.asarray((values or {}).get(name, typical)), shape)
        if change is not None:
            change(nc)
    return path


def opened(files: Path | list[Path] | str, hours: int | None = 48, **more: Any) -> Forcing:
    spec = TypeAdapter(ForcingConfig).validate_python({"type": "netcdf", "file": files, **more.pop("spec", {})})
    latitude, longitude = np.meshgrid(LATITUDE, LONGITUDE, indexing="ij")
    end = None if hours is None else START + hours * HOUR
    domain = {"shape": SHAPE, "latitude": latitude, "longitude": longitude, "start": START, "end": end}
    return open_forcing(spec, **{**domain, **more})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "forcing.nc"


def test_variables_are_found_by_standard_name(file: Path) -> None:
    write(file, values={"rsds": field(48)})
    with opened(file) as forcing:
        values = forcing.read(START + 30 * HOUR)
    np.testing.assert_allclose(values[names.SHORTWAVE], field(48)[30])
    assert values[names.AIR_PRESSURE].shape == SHAPE
    assert values[names.WIND_Y][0, 0] == -1.0


@pytest.mark.parametrize("flip", ["lat", "lon", "both"])
def test_rows_become_south_first_and_columns_west_first(file: Path, flip: str) -> None:
    axes = {"lat": (1,), "lon": (2,), "both": (1, 2)}[flip]
    write(
        file,
        latitude=LATITUDE[::-1] if 1 in axes else LATITUDE,
        longitude=LONGITUDE[::-1] if 2 in axes else LONGITUDE,
        values={"rsds": np.flip(field(48), axes)},
    )
    with opened(file) as forcing:
        np.testing.assert_allclose(forcing.read(START)[names.SHORTWAVE], field(48)[0])


def test_hours_outside_the_run_may_be_missing_in_its_first_and_last_day(file: Path) -> None:
    shortwave = field(72)
    shortwave[:30] = shortwave[42:] = np.nan

    def fill(nc: netCDF4.Dataset) -> None:
        nc["rsds"][:] = shortwave

    write(file, hours=72, change=fill)
    with opened(file, start=START + 30 * HOUR, hours=42) as forcing:
        for hour in range(30, 42):
            np.testing.assert_array_equal(forcing.read(START + hour * HOUR)[names.SHORTWAVE], field(72)[hour])
        with pytest.raises(ConfigError, match=r"'rsds': values are missing .* 2020-02-29 18:00"):
            forcing.read(START + 42 * HOUR)
    with pytest.raises(ConfigError, match=r"'rsds': values are missing .* 2020-02-29 18:00"):
        opened(file, start=START + 30 * HOUR, hours=43)
    with pytest.raises(ConfigError, match=r"'rsds': values are missing .* 2020-02-29 18:00"):
        opened(file, start=START + 30 * HOUR, hours=None)  # without an end all of the record is the run's


def test_dimensions_may_come_in_any_order(file: Path) -> None:
    def transpose(nc: netCDF4.Dataset) -> None:
        nc.renameVariable("rsds", "old")
        nc["old"].standard_name = "other"
        new = nc.createVariable("rsds", "f8", ("lon", "lat", "time"))
        new.standard_name, new.units = CF["rsds"][:2]
        new[:] = field(48).transpose(2, 1, 0)

    write(file, change=transpose)
    with opened(file) as forcing:
        np.testing.assert_allclose(forcing.read(START + HOUR)[names.SHORTWAVE], field(48)[1])


def test_projected_coordinates_tell_the_direction(file: Path) -> None:
    attributes = tuple({"standard_name": f"projection_{axis}_coordinate", "units": "m"} for axis in ("y", "x"))
    write(
        file,
        axes=("northing", "easting"),
        axis_attributes=attributes,
        latitude=np.array([2.0e5, 1.0e5, 0.0]),
        values={"rsds": np.flip(field(48), 1)},
    )
    with opened(file) as forcing:
        np.testing.assert_allclose(forcing.read(START)[names.SHORTWAVE], field(48)[0])


@pytest.mark.parametrize("known", [({}, {"units": "degrees_east"}), ({}, {})])
def test_rows_without_coordinate_are_refused(file: Path, known: tuple[dict[str, str], ...]) -> None:
    write(file, axes=("j", "i"), axis_attributes=known)
    with pytest.raises(ConfigError, match="row 0 is south or north"):
        opened(file)


@pytest.mark.parametrize(
    ("variable", "units", "stored", "name", "expected"),
    [
        ("pr", "mm h-1", 3.6, names.PRECIPITATION, 1e-3),
        ("pr", "m s-1", 1e-6, names.PRECIPITATION, 1e-3),
        ("tas", "degC", 10.0, names.AIR_TEMPERATURE, 283.15),
        ("ps", "hPa", 900.0, names.AIR_PRESSURE, 9e4),
        ("huss", "g kg-1", 5.0, names.SPECIFIC_HUMIDITY, 5e-3),
        ("uas", "km h-1", 36.0, names.WIND_X, 10.0),
    ],
)
def test_units_are_converted(file: Path, variable: str, units: str, stored: float, name: str, expected: float) -> None:
    write(file, units={variable: units}, values={variable: stored})
    with opened(file) as forcing:
        np.testing.assert_allclose(forcing.read(START)[name], expected, rtol=1e-9)


@pytest.mark.parametrize("units", ["mm", "W m-2", "furlongs"])
def test_units_of_another_kind_are_refused(file: Path, units: str) -> None:
    write(file, units={"pr": units})
    with pytest.raises(ConfigError, match=f"'pr'.*{units}"):
        opened(file)


def test_missing_units_can_be_given(file: Path) -> None:
    write(file, units={"tas": ""}, values={"tas": 10.0})
    with pytest.raises(ConfigError, match=r"'tas' has no units.*air_temperature"):
        opened(file)
    given = {"variables": {"air_temperature": {"variable": "tas", "units": "celsius"}}}
    with opened(file, spec=given) as forcing:
        np.testing.assert_allclose(forcing.read(START)[names.AIR_TEMPERATURE], 283.15)


def test_units_that_are_not_what_they_say_are_refused_with_the_remedy(file: Path) -> None:
    write(file, values={"tas": 10.0})
    with pytest.raises(ConfigError, match=r"'tas': 10 K at .*degrees Celsius; units in forcing: variables"):
        opened(file)


def test_all_missing_variables_are_named_at_once(file: Path) -> None:
    def unname(nc: netCDF4.Dataset) -> None:
        for variable in ("tas", "pr"):
            del nc[variable].standard_name

    write(file, change=unname)
    with pytest.raises(ConfigError, match=r"{precipitation_flux: NAME, air_temperature: NAME}"):
        opened(file)
    with pytest.raises(ConfigError, match=r"no variable 'rain' and none with standard_name 'air_temperature'"):
        opened(file, spec={"variables": {"precipitation_flux": "rain"}})


def test_a_missing_variable_names_the_key_that_would_give_it(file: Path) -> None:
    def unname(nc: netCDF4.Dataset) -> None:
        nc["tas"].standard_name = "temperature"

    write(file, change=unname)
    with pytest.raises(ConfigError, match=r"'air_temperature'.*tas.*variables"):
        opened(file)
    with opened(file, spec={"variables": {"air_temperature": "tas"}}) as forcing:
        assert forcing.read(START)[names.AIR_TEMPERATURE][0, 0] == 290.0
    with pytest.raises(ConfigError, match="no variable 'T'"):
        opened(file, spec={"variables": {"air_temperature": "T"}})


def test_two_variables_of_one_standard_name_have_to_be_told_apart(file: Path) -> None:
    def second(nc: netCDF4.Dataset) -> None:
        nc["vas"].standard_name = "air_temperature"

    write(file, change=second)
    with pytest.raises(ConfigError, match="tas, vas"):
        opened(file)


@pytest.mark.parametrize(("stamp", "hour"), [("start", 5), ("end", 6), ("middle", 5)])
def test_the_stamp_marks_start_middle_or_end(file: Path, stamp: str, hour: int) -> None:
    first = START + timedelta(minutes=30) if stamp == "middle" else START
    write(file, first=first, values={"rsds": field(48)})
    hours = 47 if stamp == "end" else 48
    with opened(file, hours, spec={"time_stamp": stamp}) as forcing:
        np.testing.assert_allclose(forcing.read(START + 5 * HOUR)[names.SHORTWAVE], field(48)[hour])


def test_bounds_come_before_the_stamp(file: Path) -> None:
    write(file, bounds="stamp is end", values={"rsds": field(48)})
    with opened(file, 47, spec={"time_stamp": "start"}) as forcing:
        np.testing.assert_allclose(forcing.read(START)[names.SHORTWAVE], field(48)[1])


@pytest.mark.parametrize("calendar", ["noleap", "360_day", "all_leap"])
def test_calendars_with_other_days_are_refused(file: Path, calendar: str) -> None:
    write(file, calendar=calendar)
    with pytest.raises(ConfigError, match=f"calendar '{calendar}'"):
        opened(file)


def test_records_of_three_hours_are_refused(file: Path) -> None:
    write(file, step=3.0)
    with pytest.raises(ConfigError, match="one record in 3 h"):
        opened(file)


def test_a_missing_hour_is_named_with_its_file(file: Path) -> None:
    def skip(nc: netCDF4.Dataset) -> None:
        nc["time"][10:] = np.arange(11, 49)

    write(file, change=skip)
    with pytest.raises(ConfigError, match="2020-02-28 10:00") as caught:
        opened(file)
    assert str(file) in str(caught.value)


def test_a_run_over_the_leap_day_follows_the_real_calendar(file: Path) -> None:
    write(file, hours=72, values={"rsds": field(72)})
    with opened(file, 72) as forcing:
        np.testing.assert_allclose(forcing.read(datetime(2020, 2, 29, 12))[names.SHORTWAVE], field(72)[36])


def test_files_follow_each_other_and_may_be_named_by_a_pattern(tmp_path: Path) -> None:
    write(tmp_path / "2.nc", 24, first=START + 24 * HOUR, values={"rsds": field(24)})
    write(tmp_path / "1.nc", 24)
    with opened(tmp_path / "*.nc") as forcing:
        np.testing.assert_allclose(forcing.read(START + 25 * HOUR)[names.SHORTWAVE], field(24)[1])


def test_a_time_that_two_files_have_is_one_if_they_agree(tmp_path: Path) -> None:
    write(tmp_path / "1.nc", 30, values={"rsds": field(30)})
    write(tmp_path / "2.nc", 24, first=START + 24 * HOUR, values={"rsds": field(48)[24:]})
    with opened([tmp_path / "2.nc", tmp_path / "1.nc"]) as forcing:
        for hour in (23, 24, 29, 30, 47):
            np.testing.assert_array_equal(forcing.read(START + hour * HOUR)[names.SHORTWAVE], field(48)[hour])
    other = field(48)[24:]
    other[2, 1, 3] += 5.0
    write(tmp_path / "2.nc", 24, first=START + 24 * HOUR, values={"rsds": other})
    with pytest.raises(
        ConfigError, match=r"1\.nc and .*2\.nc: 'rsds' has 2020-02-29 02:00 twice.* 26\.13 and 31\.13 in .* 1 cells"
    ):
        opened([tmp_path / "1.nc", tmp_path / "2.nc"])


def test_records_may_come_in_any_order(file: Path) -> None:
    def shuffle(nc: netCDF4.Dataset) -> None:
        order = np.random.default_rng(1).permutation(48)
        nc["time"][:] = np.arange(48.0)[order]
        nc["rsds"][:] = field(48)[order]

    write(file, change=shuffle)
    with opened(file) as forcing:
        for hour in range(48):
            np.testing.assert_array_equal(forcing.read(START + hour * HOUR)[names.SHORTWAVE], field(48)[hour])


def test_the_coordinate_of_standard_name_time_decides(file: Path) -> None:
    def forecast(nc: netCDF4.Dataset) -> None:
        nc["time"].standard_name = "forecast_reference_time"
        nc["time"][:] = np.arange(48) - 6.0
        nc.createVariable("valid_time", "f8", ("time",))[:] = np.arange(48.0)
        nc["valid_time"].setncatts({"units": nc["time"].units, "standard_name": "time"})

    write(file, values={"rsds": field(48)}, change=forecast)
    with opened(file) as forcing:
        np.testing.assert_array_equal(forcing.read(START + 7 * HOUR)[names.SHORTWAVE], field(48)[7])

    def analyses_only(nc: netCDF4.Dataset) -> None:
        nc["time"].standard_name = "forecast_reference_time"

    write(file, change=analyses_only)
    with pytest.raises(ConfigError, match="'time' holds the times at which forecasts began"):
        opened(file)


def test_files_written_by_xarray_are_read(file: Path) -> None:
    write(file, values={"rsds": field(48)})
    with xr.open_dataset(file) as data:
        data = data.sortby("lat", ascending=False).load()
    packed = {"dtype": "int16", "scale_factor": 0.002, "add_offset": 50.0, "_FillValue": -32767}
    data.to_netcdf(file, encoding={"rsds": packed, "time": {"dtype": "int32"}}, unlimited_dims=["time"])
    with opened(file) as forcing:
        np.testing.assert_allclose(forcing.read(START + 30 * HOUR)[names.SHORTWAVE], field(48)[30], atol=0.001)


def test_dates_as_texts_and_variables_in_groups_are_read(file: Path) -> None:
    def rewrite(nc: netCDF4.Dataset) -> None:
        nc.renameVariable("time", "old")
        del nc["old"].units
        times = nc.createVariable("time", str, ("time",))
        for hour in range(48):
            times[hour] = f"{START + hour * HOUR:%Y-%m-%dT%H:%M:%SZ}"
        nc["rsds"].standard_name = "other"
        group = nc.createGroup("radiation")
        group.createVariable("down", "f4", ("time", "lat", "lon"))[:] = field(48)
        group["down"].setncatts({"standard_name": CF["rsds"][0], "units": "W m-2"})

    write(file, change=rewrite)
    with opened(file) as forcing:
        np.testing.assert_allclose(forcing.read(START + 30 * HOUR)[names.SHORTWAVE], field(48)[30], rtol=1e-7)


# ---------------------------------------------------------------------- other variables


def without(*variables: str, **others: tuple[str, str, Any]) -> Change:
    """Take variables away and add others (standard name, units, values)."""

    def change(nc: netCDF4.Dataset) -> None:
        for name in variables:
            del nc[name].standard_name
        for name, (standard_name, units, values) in others.items():
            nc.createVariable(name, "f8", ("time", "lat", "lon"))[:] = values
            nc[name].setncatts({"standard_name": standard_name, "units": units})

    return change


RAIN, SNOW = 1e-6 * field(48), 2e-4 * np.ones((48, *SHAPE))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"a": ("rainfall_flux", "kg m-2 s-1", RAIN), "b": ("snowfall_flux", "kg m-2 s-1", SNOW)}, RAIN + SNOW),
        ({"a": ("rainfall_flux", "m s-1", RAIN / 1e3), "b": ("snowfall_flux", "mm h-1", SNOW * 3600)}, RAIN + SNOW),
        (
            {
                "a": ("convective_precipitation_flux", "kg m-2 s-1", RAIN),
                "b": ("large_scale_precipitation_flux", "kg m-2 s-1", SNOW),
            },
            RAIN + SNOW,
        ),
        ({"a": ("lwe_precipitation_rate", "m h-1", RAIN * 3.6)}, RAIN),
    ],
)
def test_parts_of_precipitation_are_added(file: Path, parts: dict[str, Any], expected: np.ndarray) -> None:
    write(file, change=without("pr", **parts))
    with opened(file) as forcing:
        np.testing.assert_allclose(forcing.read(START + 30 * HOUR)[names.PRECIPITATION], expected[30], rtol=1e-12)


def test_snowfall_is_not_left_out_silently(file: Path) -> None:
    rain, snow = ("rainfall_flux", "kg m-2 s-1", RAIN), ("snowfall_flux", "kg m-2 s-1", SNOW)
    write(file, change=without("pr", rain=rain))
    with pytest.raises(ConfigError, match="'rain' is rainfall_flux, and snowfall_flux goes with it"):
        opened(file)
    write(file, change=without("pr", rain=rain, snow=snow))
    with pytest.warns(
        ForcingWarning, match=r"snowfall in 'snow' is left out.*{rainfall_flux: rain, snowfall_flux: snow}"
    ):
        opened(file, spec={"variables": {"precipitation_flux": "rain"}}).close()
    named = {"variables": {"rainfall_flux": "rain", "snowfall_flux": "snow"}}
    with opened(file, spec=named) as forcing:
        np.testing.assert_allclose(forcing.read(START)[names.PRECIPITATION], RAIN[0] + SNOW[0], rtol=1e-12)
    with pytest.raises(ConfigError, match="relative_humidity: without effect"):
        opened(
            file, spec={"variables": {**named["variables"], "relative_humidity": "tas", "specific_humidity": "huss"}}
        )


@pytest.mark.parametrize(
    ("humidity", "expected"),
    [
        # at 17 °C and 900 hPa; Goff-Gratch: e_s(17 °C) 1938 Pa, e_s(7 °C) 1002 Pa; q = 0.622 e / (p - 0.378 e)
        (("relative_humidity", "%", 60.0), 0.622 * 1163.0 / (9e4 - 0.378 * 1163.0)),
        (("dew_point_temperature", "degC", 7.0), 0.622 * 1002.0 / (9e4 - 0.378 * 1002.0)),
        (("water_vapor_partial_pressure_in_air", "hPa", 10.0), 0.622 * 1000.0 / (9e4 - 0.378 * 1000.0)),
        (("humidity_mixing_ratio", "g kg-1", 8.0), 0.008 / 1.008),
    ],
)
def test_humidity_follows_from_what_there_is(file: Path, humidity: tuple[str, str, float], expected: float) -> None:
    write(file, values={"tas": 290.15}, change=without("huss", h=humidity))
    with opened(file) as forcing:
        np.testing.assert_allclose(forcing.read(START)[names.SPECIFIC_HUMIDITY], expected, rtol=2e-3)


def test_wind_speed_alone_will_do(file: Path) -> None:
    write(file, change=without("uas", "vas", ws=("wind_speed", "m s-1", 3.0 + field(48))))
    with opened(file) as forcing:
        values = forcing.read(START + 5 * HOUR)
    np.testing.assert_array_equal(np.hypot(values[names.WIND_X], values[names.WIND_Y]), 3.0 + field(48)[5])


def test_totals_of_hours_are_told_apart_from_rates(file: Path) -> None:
    write(file, units={"pr": "mm", "rsds": "J m-2"}, values={"pr": 0.36, "rsds": 3.6e5})
    with pytest.raises(ConfigError, match=r"'pr'.*{precipitation_flux: {variable: pr, units: mm h-1}}"):
        opened(file)
    given = {
        "precipitation_flux": {"variable": "pr", "units": "mm h-1"},
        "surface_downwelling_shortwave_flux_in_air": {"variable": "rsds", "units": "J m-2 h-1"},
    }
    with opened(file, spec={"variables": given}) as forcing:
        np.testing.assert_allclose(forcing.read(START)[names.PRECIPITATION], 1e-4)
        np.testing.assert_allclose(forcing.read(START)[names.SHORTWAVE], 100.0)


def test_missing_and_damaged_files_are_refused(tmp_path: Path) -> None:
    for nothing in (tmp_path / "none.nc", tmp_path / "*.nc"):
        with pytest.raises(ConfigError, match="no such NetCDF file"):
            opened(nothing)
    (tmp_path / "text.nc").write_text("no NetCDF")
    with pytest.raises(ConfigError, match="not a readable NetCDF file"):
        opened(tmp_path / "text.nc")


def test_another_grid_is_refused_with_both_shapes(file: Path) -> None:
    write(file, latitude=LATITUDE[:2])
    with pytest.raises(ConfigError, match=r"\(2, 4\).*\(3, 4\).*remap: nearest"):
        opened(file)


def test_the_same_shape_elsewhere_is_refused(file: Path) -> None:
    write(file, latitude=LATITUDE + 1.0)
    with pytest.raises(ConfigError, match="cells lie elsewhere"):
        opened(file)


def test_nearest_takes_the_file_cell_around_each_cell(file: Path) -> None:
    coarse_latitude, coarse_longitude = np.array([24.1, 24.0, 23.9]), np.array([-247.1, -247.0, -246.9, -246.8])
    write(file, latitude=coarse_latitude, longitude=coarse_longitude, values={"rsds": field(48)})
    latitude, longitude = np.meshgrid([23.96, 24.04, 24.06], [112.96, 113.04, 113.06, 113.11], indexing="ij")
    with opened(file, spec={"remap": "nearest"}, latitude=latitude, longitude=longitude) as forcing:
        got = forcing.read(START)[names.SHORTWAVE]
    np.testing.assert_allclose(got, field(48)[0][np.ix_([1, 1, 0], [1, 1, 2, 2])])


def test_nearest_takes_cells_of_two_dimensional_coordinates(file: Path) -> None:
    def curvilinear(nc: netCDF4.Dataset) -> None:
        latitude, longitude = np.meshgrid(LATITUDE, LONGITUDE, indexing="ij")
        for name, array, units in (("lat", latitude, "degrees_north"), ("lon", longitude, "degrees_east")):
            nc.createVariable(name, "f8", ("j", "i"))[:] = array
            nc[name].units = units

    write(file, axes=("j", "i"), axis_attributes=({}, {}), values={"rsds": field(48)}, change=curvilinear)
    latitude, longitude = np.full((1, 1), 24.011), np.full((1, 1), 113.029)
    with opened(file, spec={"remap": "nearest"}, shape=(1, 1), latitude=latitude, longitude=longitude) as forcing:
        np.testing.assert_allclose(forcing.read(START)[names.SHORTWAVE], field(48)[0, 1, 3])
    with opened(file) as forcing:  # and the domain's own grid
        np.testing.assert_allclose(forcing.read(START)[names.SHORTWAVE], field(48)[0])


def test_a_domain_beyond_the_grid_is_refused(file: Path) -> None:
    write(file)
    latitude, longitude = np.meshgrid(LATITUDE + 0.02, LONGITUDE, indexing="ij")
    with pytest.raises(ConfigError, match=r"8 of 12 cells .* outside .*24 to 24.02 N"):
        opened(file, spec={"remap": "nearest"}, latitude=latitude, longitude=longitude)


def test_nearest_needs_the_coordinates_of_the_domain(file: Path) -> None:
    write(file)
    with pytest.raises(ConfigError, match="needs latitude and longitude of the domain"):
        opened(file, spec={"remap": "nearest"}, latitude=None, longitude=None)


def test_missing_values_matter_in_active_cells_only(file: Path) -> None:
    holes = np.full((48, 3, 4), 290.0)
    holes[40, 2, 1] = np.nan
    write(file, values={"tas": np.ma.masked_invalid(holes)})
    with pytest.raises(ConfigError, match=r"'tas'.*first \(row 2, column 1\) in the hour from 2020-02-29 16:00"):
        opened(file)
    mask = np.ones(SHAPE, dtype=bool)
    mask[2, 1] = False
    with opened(file, mask=mask) as forcing:
        assert np.isnan(forcing.read(START + 40 * HOUR)[names.AIR_TEMPERATURE][2, 1])


def test_a_fourth_dimension_is_refused(file: Path) -> None:
    def levels(nc: netCDF4.Dataset) -> None:
        nc.createDimension("level", 2)
        nc["tas"].standard_name = "other"
        nc.createVariable("ta", "f8", ("time", "level", "lat", "lon"))[:] = 290.0
        nc["ta"].standard_name, nc["ta"].units = "air_temperature", "K"

    write(file, change=levels)
    with pytest.raises(ConfigError, match="level: 2"):
        opened(file)


def test_a_variable_with_rows_but_no_columns_is_refused(file: Path) -> None:
    def rows_only(nc: netCDF4.Dataset) -> None:
        nc["tas"].standard_name = "other"
        nc.createVariable("zonal", "f8", ("time", "lat"))[:] = 290.0
        nc["zonal"].standard_name, nc["zonal"].units = "air_temperature", "K"

    write(file, change=rows_only)
    with pytest.raises(ConfigError, match="3 rows and 4 columns"):
        opened(file)


def test_a_record_of_one_place_serves_all_cells(file: Path) -> None:
    write(file, gridded=False, values={"rsds": np.arange(48.0)})
    with opened(file) as forcing:
        assert float(forcing.read(START + 7 * HOUR)[names.SHORTWAVE]) == 7.0


def test_a_record_of_one_place_can_be_adjusted_and_repeated(file: Path) -> None:
    write(file, gridded=False, values={"rsds": np.arange(48.0)})
    elevation = np.full(SHAPE, 1000.0)
    options = {"cycle": True, "reference_elevation": 0.0, "lapse_rate": 0.0065}
    with opened(file, 100, spec=options, elevation=elevation) as forcing:
        values = forcing.read(START + 50 * HOUR)
    assert float(values[names.SHORTWAVE]) == 2.0
    np.testing.assert_allclose(values[names.AIR_TEMPERATURE], 283.5)


def test_a_gridded_record_has_no_reference_elevation(file: Path) -> None:
    write(file)
    with pytest.raises(ConfigError, match="record of one place"):
        opened(file, spec={"reference_elevation": 0.0, "lapse_rate": 0.0065}, elevation=np.zeros(SHAPE))


def test_a_record_with_a_gap_is_not_repeated(file: Path) -> None:
    def skip(nc: netCDF4.Dataset) -> None:
        nc["time"][10:] = np.arange(11, 49)

    write(file, gridded=False, change=skip)
    with pytest.raises(ConfigError, match=r"gaps cannot be repeated.*2020-02-28 10:00"):
        opened(file, spec={"cycle": True})


def test_packed_integers_are_unpacked(file: Path) -> None:
    def pack(nc: netCDF4.Dataset) -> None:
        nc["tas"].standard_name = "other"
        packed = nc.createVariable("t", "i2", ("time", "lat", "lon"), fill_value=-32768)
        packed.standard_name, packed.units = "air_temperature", "K"
        packed.scale_factor, packed.add_offset = 0.01, 280.0
        packed[:] = 285.25

    write(file, change=pack)
    with opened(file) as forcing:
        np.testing.assert_allclose(forcing.read(START)[names.AIR_TEMPERATURE], 285.25, atol=0.005)


def said(file: Path, **values: Any) -> list[str]:
    write(file, 72, values={name: np.asarray(v)[:, None, None] for name, v in values.items()})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        opened(file, 72).close()
    return [str(warning.message) for warning in caught if warning.category is ForcingWarning]


def test_a_running_total_of_rain_is_told_from_rain(file: Path) -> None:
    rain = np.zeros(72)
    rain[5:9], rain[30:40] = 1.0e-4, 2.0e-4  # kg m-2 s-1
    assert said(file, pr=rain) == []
    assert said(file, pr=np.full(72, 1.0e-4)) == []
    (message,) = said(file, pr=np.cumsum(rain))
    assert "'pr': in no place less than in the hour before in all the 72 hours from 2020-02-28 00:00" in message
    assert "0.0024 kg m-2 s-1 in the last; this looks like a total since some start" in message


@pytest.mark.parametrize(
    ("standard_name", "units", "value", "percent"),
    [
        ("relative_humidity", "%", 0.6, 0.6),
        ("relative_humidity", "1", 60.0, 6000.0),
        ("specific_humidity", "g kg-1", 0.008, 0.06),
    ],
)
def test_air_that_is_never_near_saturation_is_told(
    file: Path, standard_name: str, units: str, value: float, percent: float
) -> None:
    def rename(nc: netCDF4.Dataset) -> None:
        nc["huss"].standard_name, nc["huss"].units = standard_name, units

    write(file, change=rename, values={"huss": value, "tas": 240.0 if percent > 100.0 else 290.0})
    bound = "at least" if percent > 100.0 else "at most"
    with pytest.warns(ForcingWarning, match=rf"'huss': the relative humidity is {bound} {percent:g}.* % in all the 48"):
        opened(file).close()
