"""ERA5-Land: accumulations, dew point, the Climate Data Store's dimensions."""

import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import netCDF4
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from bmi_colm.forcing import Era5LandForcing, Forcing, names, open_forcing
from bmi_colm.forcing.era5_land import deaccumulate
from bmi_colm.forcing.humidity import saturation_vapour_pressure, specific_humidity
from bmi_common import ConfigError
from bmi_common.errors import InputNotice

START = datetime(2020, 9, 30, 22)
HOUR = timedelta(hours=1)
SHAPE = (2, 3)
LATITUDE = np.array([24.6, 24.5])  # north first, as delivered
LONGITUDE = np.array([113.2, 113.3, 113.4])
UNITS = {
    "t2m": "K", "d2m": "K", "sp": "Pa", "u10": "m s**-1", "v10": "m s**-1",
    "ssrd": "J m**-2", "strd": "J m**-2", "tp": "m",
}  # fmt: skip
PER_HOUR = {"ssrd": 3600.0 * 200.0, "strd": 3600.0 * 300.0, "tp": 1.0e-3}
STATES = {"t2m": 290.0, "d2m": 285.0, "sp": 9.5e4, "u10": 2.0, "v10": -1.0}


def totals(amounts: np.ndarray, first: datetime) -> np.ndarray:
    """Accumulate the amounts of hours; the first amount is of the hour that ends at `first`."""
    result = np.empty_like(amounts)
    running = np.zeros_like(amounts[0])
    for n, amount in enumerate(amounts):
        stamp = first + n * HOUR
        running = amount if stamp.hour == 1 else running + amount
        result[n] = running
    return result


def write(
    path: Path,
    stamps: int = 40,
    *,
    first: datetime = START,
    time: str = "valid_time",
    amounts: dict[str, np.ndarray] | None = None,
    values: dict[str, np.ndarray] | None = None,
    only: tuple[str, ...] = tuple(UNITS),
    units: dict[str, str] | None = None,
    expver: bool = False,
    latitude: np.ndarray = LATITUDE,
) -> Path:
    shape = (stamps, latitude.size, LONGITUDE.size)
    with netCDF4.Dataset(path, "w") as nc:
        for name, size in ((time, stamps), ("number", 1), ("latitude", latitude.size), ("longitude", 3)):
            nc.createDimension(name, size)
        nc.createVariable(time, "i8", (time,))[:] = 3600 * np.arange(stamps)
        nc[time].units = f"seconds since {first:%Y-%m-%d %H:%M}"
        for name, array, unit in (
            ("latitude", latitude, "degrees_north"),
            ("longitude", LONGITUDE, "degrees_east"),
        ):
            nc.createVariable(name, "f8", (name,))[:] = array
            nc[name].units = unit
        dimensions: tuple[str, ...] = (time, "latitude", "longitude")
        if expver:
            nc.createDimension("expver", 2)
            dimensions = (time, "expver", "latitude", "longitude")
        else:
            dimensions = ("number", *dimensions)
        for name in only:
            variable = nc.createVariable(name, "f8", dimensions, fill_value=-9999.0)
            variable.units = (units or {}).get(name, UNITS[name])
            if name in PER_HOUR:
                amount = (amounts or {}).get(name, np.full(shape, PER_HOUR[name]))
                content = totals(np.asarray(amount, dtype=float), first)
            else:
                content = np.broadcast_to(np.asarray(STATES[name]), shape)
            content = (values or {}).get(name, content)
            if expver:  # final data for the first half, preliminary data for the rest
                half = stamps // 2
                variable[:half, 0] = content[:half]
                variable[half:, 1] = content[half:]
            else:
                variable[0] = content
    return path


def opened(files: Any, hours: int | None = 39, **more: Any) -> Forcing:
    files = files if isinstance(files, list) else [files]
    spec = Era5LandForcing(type="era5_land", file=files, **more.pop("spec", {}))
    latitude, longitude = np.meshgrid(LATITUDE[::-1], LONGITUDE, indexing="ij")
    start = more.pop("start", START)
    end = None if hours is None else start + hours * HOUR
    domain = {"shape": SHAPE, "latitude": latitude, "longitude": longitude, "start": start, "end": end}
    return open_forcing(spec, **{**domain, **more})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "era5.nc"


def distinct(stamps: int, scale: float) -> np.ndarray:
    """Amounts that differ in hour, row (from the south) and column; rows as in the file."""
    hour, row, column = np.meshgrid(np.arange(stamps), [1, 0], np.arange(3), indexing="ij")
    return scale * (1.0 + hour + 0.1 * row + 0.01 * column)


@pytest.mark.parametrize("time", ["valid_time", "time"])
def test_fluxes_are_amounts_of_their_hour_over_midnight(file: Path, time: str) -> None:
    amounts = {"tp": distinct(40, 1e-5), "ssrd": distinct(40, 3600.0), "strd": 36e4 + distinct(40, 3600.0)}
    write(file, time=time, amounts=amounts)
    with opened(file) as forcing:
        for hour in range(39):  # 22 UTC to 13 UTC two days later
            values = forcing.read(START + hour * HOUR)
            expected = distinct(40, 1.0)[hour + 1, ::-1]  # the amount is stamped at the end; south first
            np.testing.assert_allclose(values[names.PRECIPITATION], expected * 1e-5 * 1000 / 3600, rtol=1e-9)
            np.testing.assert_allclose(values[names.SHORTWAVE], expected, rtol=1e-9)
            np.testing.assert_allclose(values[names.LONGWAVE], 100 + expected, rtol=1e-9)


def test_a_run_from_midnight_needs_no_total_of_the_day_before(file: Path) -> None:
    midnight = datetime(2020, 10, 1)
    write(file, first=midnight + HOUR, only=tuple(PER_HOUR))
    states = write(file.with_name("states.nc"), first=midnight, only=tuple(STATES))
    with opened([file, states], 24, start=midnight) as forcing:
        np.testing.assert_allclose(forcing.read(midnight)[names.SHORTWAVE], 200.0)


def test_states_are_means_of_both_stamps_or_the_first(file: Path) -> None:
    temperature = 280.0 + np.broadcast_to(np.arange(40.0)[:, None, None], (40, *SHAPE))
    write(file, values={"t2m": temperature})
    with opened(file) as forcing:
        np.testing.assert_allclose(forcing.read(START + 3 * HOUR)[names.AIR_TEMPERATURE], 283.5)
    with opened(file, spec={"states": "start"}) as forcing:
        np.testing.assert_allclose(forcing.read(START + 3 * HOUR)[names.AIR_TEMPERATURE], 283.0)


def test_humidity_follows_from_dew_point_and_pressure(file: Path) -> None:
    write(file)
    with opened(file) as forcing:
        humidity = forcing.read(START)[names.SPECIFIC_HUMIDITY]
    # e_s(285 K) = 13.88 hPa (WMO tables 13.89 hPa), q = 0.622 e / (p - 0.378 e)
    np.testing.assert_allclose(humidity, 0.622 * 1388.0 / (9.5e4 - 0.378 * 1388.0), rtol=2e-3)


def test_saturation_vapour_pressure_agrees_with_tables() -> None:
    # Goff-Gratch values of the Smithsonian meteorological tables, over water
    temperature = np.array([253.15, 273.16, 293.15, 313.15])
    np.testing.assert_allclose(saturation_vapour_pressure(temperature), [125.4, 611.6, 2337.3, 7377.7], rtol=5e-3)


def test_humidity_of_dry_air_is_zero_and_of_pure_vapour_one() -> None:
    np.testing.assert_allclose(specific_humidity(np.array([0.0, 1e5]), np.array([1e5, 1e5])), [0.0, 1.0])


def test_the_stamp_after_the_last_hour_is_needed(file: Path) -> None:
    write(file)
    with pytest.raises(ConfigError, match=r"hour from 2020-10-02 13:00.*needs the stamp 2020-10-02 14:00"):
        opened(file, 40)


def test_a_missing_stamp_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.nc", 10)
    write(tmp_path / "b.nc", 29, first=START + 11 * HOUR)
    with pytest.raises(ConfigError, match=r"hour from 2020-10-01 07:00.*needs the stamp 2020-10-01 08:00"):
        opened([tmp_path / "a.nc", tmp_path / "b.nc"])


def test_variables_may_be_split_over_files(tmp_path: Path) -> None:
    write(tmp_path / "instant.nc", only=tuple(STATES))
    write(tmp_path / "accum.nc", only=tuple(PER_HOUR))
    with opened(tmp_path / "*.nc") as forcing:
        np.testing.assert_allclose(forcing.read(START)[names.LONGWAVE], 300.0)


def test_a_missing_variable_is_named(file: Path) -> None:
    write(file, only=tuple(name for name in UNITS if name != "strd"))
    with pytest.raises(ConfigError, match="no variable 'strd'"):
        opened(file)


def test_preliminary_data_fill_the_final_ones(file: Path) -> None:
    amounts = {"ssrd": distinct(40, 3600.0)}
    write(file, expver=True, amounts=amounts)
    with opened(file) as forcing:
        for hour in (3, 18, 19, 20, 35):
            np.testing.assert_allclose(
                forcing.read(START + hour * HOUR)[names.SHORTWAVE], distinct(40, 1.0)[hour + 1, ::-1], rtol=1e-9
            )


def test_round_off_of_totals_becomes_zero_and_more_is_an_error(file: Path) -> None:
    rain = np.zeros((40, *SHAPE))
    rain[5] = 1e-3
    rain[6] = -5e-6  # half of 0.01 mm, as packing leaves it
    write(file, amounts={"tp": rain})
    with opened(file) as forcing:
        np.testing.assert_array_equal(forcing.read(START + 5 * HOUR)[names.PRECIPITATION], 0.0)
    rain[6] = -5e-5
    write(file, amounts={"tp": rain})
    with pytest.raises(
        ConfigError,
        match=r"'tp' \(total at 2020-10-01 04:00 .*those of ERA5 are of single hours.*negative values are impossible",
    ):
        opened(file)


def test_wrong_units_are_refused(file: Path) -> None:
    write(file, units={"ssrd": "W m**-2"})
    with pytest.raises(ConfigError, match=r"'ssrd'.*W m\*\*-2"):
        opened(file)


def test_cells_without_land_matter_only_where_active(file: Path) -> None:
    sea = np.full((40, *SHAPE), 290.0)
    sea[:, 0, 2] = np.nan  # north-eastern cell
    write(file, values={"t2m": np.ma.masked_invalid(sea)})
    with pytest.raises(ConfigError, match=r"first \(row 1, column 2\)"):
        opened(file)
    mask = np.ones(SHAPE, dtype=bool)
    mask[1, 2] = False
    with opened(file, mask=mask) as forcing:
        assert np.isfinite(forcing.read(START)[names.AIR_TEMPERATURE][mask]).all()


def test_a_finer_domain_is_refused_without_remap_and_mapped_with_it(file: Path) -> None:
    write(file, amounts={"ssrd": distinct(40, 3600.0)})
    latitude, longitude = np.meshgrid(np.linspace(24.46, 24.64, 7), np.linspace(113.16, 113.44, 8), indexing="ij")
    fine = {"shape": (7, 8), "latitude": latitude, "longitude": longitude}
    with pytest.raises(ConfigError, match=r"\(2, 3\).*\(7, 8\)"):
        opened(file, **fine)
    with opened(file, spec={"remap": "nearest"}, **fine) as forcing:
        got = forcing.read(START)[names.SHORTWAVE]
    rows = np.rint((latitude - 24.5) / 0.1).astype(int)
    columns = np.rint((longitude - 113.2) / 0.1).astype(int)
    np.testing.assert_allclose(got, distinct(40, 1.0)[1, ::-1][rows, columns], rtol=1e-9)


def as_cfgrib(path: Path, days: int, amounts: dict[str, np.ndarray]) -> Path:
    """Write forecasts (time, step) from a day before `days` whole days, as cfgrib makes them of GRIB files."""
    first = datetime(2020, 10, 1)
    stamps = 24 * days + 1
    flat = path.with_name("flat.nc")
    write(flat, stamps, first=first, amounts=amounts)
    with netCDF4.Dataset(flat) as source, netCDF4.Dataset(path, "w") as nc:
        sizes = {"time": days + 1, "step": 24, "latitude": LATITUDE.size, "longitude": LONGITUDE.size}
        for name, size in sizes.items():
            nc.createDimension(name, size)
        nc.createVariable("time", "i8", ("time",))[:] = np.arange(days + 1)
        nc["time"].setncatts({"units": "days since 2020-09-30", "standard_name": "forecast_reference_time"})
        nc.createVariable("step", "f8", ("step",))[:] = np.arange(1.0, 25.0)
        nc["step"].setncatts({"units": "hours", "standard_name": "forecast_period"})
        nc.createVariable("valid_time", "f8", ("time", "step"))[:] = np.arange(1.0, 24.0 * (days + 1) + 1).reshape(
            -1, 24
        )
        nc["valid_time"].setncatts({"units": "hours since 2020-09-30", "standard_name": "time"})
        for name in ("latitude", "longitude"):
            nc.createVariable(name, "f8", (name,))[:] = source[name][:]
            nc[name].units = source[name].units
        for name, units in UNITS.items():
            records = np.full((24 * (days + 1), *SHAPE), np.nan)
            records[23 : 23 + stamps] = source[name][0]
            nc.createVariable(name, "f8", tuple(sizes), fill_value=np.nan)[:] = records.reshape(-1, 24, *SHAPE)
            nc[name].units = units
    flat.unlink()
    return path


def test_forecasts_of_a_day_from_grib_are_read(file: Path) -> None:
    amounts = {"tp": distinct(49, 1e-5)}
    as_cfgrib(file, 2, amounts)
    with opened(file, None, start=datetime(2020, 10, 1)) as forcing:
        assert forcing.end == datetime(2020, 10, 3)
        for hour in (0, 1, 23, 24, 47):
            values = forcing.read(datetime(2020, 10, 1) + hour * HOUR)
            expected = distinct(49, 1.0)[hour + 1, ::-1] * 1e-5 * 1000 / 3600
            np.testing.assert_allclose(values[names.PRECIPITATION], expected, rtol=1e-9)
            np.testing.assert_allclose(values[names.AIR_TEMPERATURE], 290.0)


def test_a_day_without_the_total_at_its_end_names_file_variable_and_stamp(file: Path) -> None:
    write(file, 24, first=datetime(2020, 10, 1))
    with pytest.raises(
        ConfigError,
        match=r"hour from 2020-10-01 23:00.*needs the stamp 2020-10-02 00:00 .*no record of .*era5\.nc: 'tp'",
    ):
        opened(file, 24, start=datetime(2020, 10, 1))


def test_days_that_share_midnight_are_joined(tmp_path: Path) -> None:
    amounts = distinct(49, 3600.0)
    write(tmp_path / "all.nc", 49, first=datetime(2020, 10, 1), amounts={"ssrd": amounts})
    with netCDF4.Dataset(tmp_path / "all.nc") as nc:
        stored = {name: np.asarray(nc[name][0]) for name in PER_HOUR}
    (tmp_path / "all.nc").unlink()
    for day in (0, 1):
        part = {name: values[24 * day : 24 * day + 25] for name, values in stored.items()}
        write(tmp_path / f"{day}.nc", 25, first=datetime(2020, 10, 1 + day), values=part)
    with opened(tmp_path / "*.nc", 48, start=datetime(2020, 10, 1)) as forcing:
        for hour in (0, 23, 24, 25, 47):
            values = forcing.read(datetime(2020, 10, 1) + hour * HOUR)
            expected = distinct(49, 1.0)[hour + 1, ::-1]
            np.testing.assert_allclose(values[names.SHORTWAVE], expected, rtol=1e-9)


def test_a_zip_archive_says_what_is_in_it(tmp_path: Path) -> None:
    write(tmp_path / "accum.nc")
    with zipfile.ZipFile(tmp_path / "download.nc", "w") as archive:
        archive.write(tmp_path / "accum.nc", "data_accum.nc")
        archive.writestr("data_instant.nc", b"")
    with pytest.raises(ConfigError, match=r"download\.nc.*zip archive.*holds data_accum\.nc, data_instant\.nc.*unzip"):
        opened(tmp_path / "download.nc")


def test_cells_at_the_coast_take_the_nearest_with_values(file: Path) -> None:
    amounts = distinct(40, 3600.0)
    sea = np.zeros(SHAPE, dtype=bool)
    sea[0, 2] = True  # north-eastern cell; south of it is nearer than west of it
    hole = {name: np.where(sea, np.nan, np.broadcast_to(value, (40, *SHAPE))) for name, value in STATES.items()}
    write(file, amounts={"ssrd": amounts})
    with netCDF4.Dataset(file, "a") as nc:
        for name in UNITS:
            values = hole.get(name, np.where(sea, np.nan, nc[name][0]))
            nc[name][0] = np.ma.masked_invalid(values)
    with pytest.raises(ConfigError, match=r"1 of 6 active cells"):
        opened(file)
    domain = {"latitude": np.meshgrid(LATITUDE[::-1], LONGITUDE, indexing="ij")[0] - 0.01}
    with pytest.warns(InputNotice, match=r"1 of 6 active cells have no value .* at most 10\.\d km away"):
        forcing = opened(file, spec={"remap": "nearest"}, **domain)
    with forcing:
        expected = distinct(40, 1.0)[4, ::-1].copy()
        expected[1, 2] = expected[0, 2]
        np.testing.assert_allclose(forcing.read(START + 3 * HOUR)[names.SHORTWAVE], expected, rtol=1e-9)


@given(
    amounts=arrays(np.float64, st.tuples(st.integers(2, 60), st.just(2)), elements=st.floats(0.0, 1e3)),
    hour=st.integers(0, 23),
)
def test_deaccumulation_inverts_accumulation(amounts: np.ndarray, hour: int) -> None:
    first = datetime(2020, 10, 1, hour)
    stored = totals(amounts, first)
    starts = [first + n * HOUR for n in range(len(amounts) - 1)]
    first_of_day = np.array([start.hour == 0 for start in starts])
    got = deaccumulate(stored[:-1], stored[1:], first_of_day)
    np.testing.assert_allclose(got, amounts[1:], atol=1e-9)  # 1e-14 of a day's total


@given(amounts=arrays(np.float64, st.tuples(st.just(24), st.just(2)), elements=st.floats(0.0, 1e3)))
def test_the_hours_of_a_day_sum_to_the_total_at_its_end(amounts: np.ndarray) -> None:
    midnight = datetime(2020, 10, 1)
    stored = totals(np.concatenate([np.full((1, 2), 7.0), amounts]), midnight)
    first_of_day = np.arange(24) == 0
    got = deaccumulate(stored[:-1], stored[1:], first_of_day)
    np.testing.assert_allclose(got.sum(axis=0), stored[-1], rtol=1e-12)


def write_geopotential(path: Path, height: np.ndarray) -> Path:
    """Write the elevation of the record's cells as ERA5-Land has it, northern row first."""
    with netCDF4.Dataset(path, "w") as nc:
        for name, values, unit in (("latitude", LATITUDE, "degrees_north"), ("longitude", LONGITUDE, "degrees_east")):
            nc.createDimension(name, values.size)
            nc.createVariable(name, "f8", (name,))[:] = values
            nc[name].units = unit
        nc.createDimension("time", 1)
        nc.createVariable("z", "f8", ("time", "latitude", "longitude"))[0] = height * 9.80665
        nc["z"].units = "m**2 s**-2"
    return path


def test_the_weather_is_brought_from_the_elevation_of_its_cells_to_that_of_the_domain(file: Path) -> None:
    write(file)
    height = np.array([[500.0, 500.0, 800.0], [200.0, 100.0, 0.0]])
    z = write_geopotential(file.with_name("z.nc"), height)
    own = height[::-1]  # southern row first
    elevation = own + np.array([[0.0, 300.0, -200.0], [0.0, 100.0, 1000.0]])
    with opened(file) as forcing:
        plain = {name: np.array(v) for name, v in forcing.read(START).items()}
    spec = {"remap": "nearest", "elevation": {"file": z, "variable": "z"}}
    with opened(file, spec=spec, elevation=elevation) as forcing:
        adjusted = forcing.read(START)
    rise = elevation - own
    same = rise == 0.0
    for name, values in adjusted.items():
        np.testing.assert_allclose(values[same], plain[name][same], rtol=1e-14, err_msg=name)
    np.testing.assert_allclose(adjusted[names.AIR_TEMPERATURE], plain[names.AIR_TEMPERATURE] - 0.0065 * rise)
    # barometric height formula
    fall = (plain[names.AIR_TEMPERATURE] - 0.0065 * rise) / plain[names.AIR_TEMPERATURE]
    exponent = 9.80665 / (287.0597 * 0.0065)
    np.testing.assert_allclose(adjusted[names.AIR_PRESSURE], plain[names.AIR_PRESSURE] * fall**exponent, rtol=1e-9)
    up, down = rise > 0.0, rise < 0.0
    assert (adjusted[names.LONGWAVE][up] < plain[names.LONGWAVE][up]).all()
    assert (adjusted[names.LONGWAVE][down] > plain[names.LONGWAVE][down]).all()
    # about 3 W m-2 in 100 m, as observed in mountains (Marty et al., 2002)
    np.testing.assert_allclose((plain[names.LONGWAVE] - adjusted[names.LONGWAVE])[1, 2] / 10.0, 2.9, atol=0.8)
    np.testing.assert_array_equal(adjusted[names.SHORTWAVE], plain[names.SHORTWAVE])


def test_bilinear_weather_is_continuous_but_for_precipitation_and_comes_from_interpolated_elevation(file: Path) -> None:
    height = np.array([[500.0, 500.0, 800.0], [200.0, 100.0, 0.0]])
    air = 290.0 + np.broadcast_to(np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]), (40, 2, 3))
    write(file, values={"t2m": air}, amounts={"tp": distinct(40, 1e-5), "ssrd": distinct(40, 3600.0)})
    z = write_geopotential(file.with_name("z.nc"), height)
    # a quarter of a cell north and east of the south-western centre
    domain = {"shape": (1, 1), "latitude": np.array([[24.525]]), "longitude": np.array([[113.225]])}
    at = {name: {"remap": name} for name in ("bilinear", "nearest")}
    with opened(file, spec=at["bilinear"], **domain) as forcing, opened(file, spec=at["nearest"], **domain) as single:
        got, there = forcing.read(START + 3 * HOUR), single.read(START + 3 * HOUR)
        np.testing.assert_allclose(got[names.AIR_TEMPERATURE], 290.0 + 3.0 - 0.75 + 0.25)
        weights = np.outer([0.75, 0.25], [0.75, 0.25, 0.0])
        sun = (weights * distinct(40, 1.0)[4, ::-1]).sum()  # southern row first
        np.testing.assert_allclose(got[names.SHORTWAVE], sun)
        np.testing.assert_array_equal(got[names.PRECIPITATION], there[names.PRECIPITATION])
        assert there[names.AIR_TEMPERATURE] == pytest.approx(293.0)
    own = (weights * height[::-1]).sum()
    spec = at["bilinear"] | {"elevation": {"file": z, "variable": "z"}}
    with opened(file, spec=spec, elevation=np.array([[own + 100.0]]), **domain) as forcing:
        adjusted = forcing.read(START + 3 * HOUR)
    np.testing.assert_allclose(adjusted[names.AIR_TEMPERATURE], got[names.AIR_TEMPERATURE] - 0.65)


def test_a_lapse_rate_needs_the_elevation_of_the_record() -> None:
    with pytest.raises(ValueError, match="lapse_rate: without effect"):
        Era5LandForcing(type="era5_land", file="a.nc", lapse_rate=0.006)
