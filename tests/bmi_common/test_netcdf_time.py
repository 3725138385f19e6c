"""Dates of NetCDF files: units, zones, calendars and precision."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest

from bmi_common import ConfigError
from bmi_common.errors import InputNotice
from bmi_common.netcdf_file import NetcdfFile, NetcdfVariable
from bmi_common.netcdf_time import bounds, decode, stamps, time_axis

HOURS = np.datetime64("2020-07-01", "s") + np.arange(24) * np.timedelta64(3600, "s")


def coordinate(units: str, calendar: str = "standard", dtype: str = "f8") -> NetcdfVariable:
    return NetcdfVariable("time", ("time",), (24,), np.dtype(dtype), {"units": units, "calendar": calendar})


def dates(values: Any, units: str, calendar: str = "standard", dtype: str = "f8") -> np.ndarray:
    return decode(np.asarray(values, dtype), coordinate(units, calendar, dtype), "a.nc: 'time'")


@pytest.mark.parametrize(
    ("units", "first"),
    [
        ("hours since 2020-07-01", 0),
        ("hours since 2020-07-01 00:00:0.0", 0),
        ("Hours since 2020-7-1T00:00:00Z", 0),
        ("hours since 2020-07-01 02:00 UTC", -2),
        ("hours since 2020-07-01 01:00:00 +01:00", 0),
        ("hours since 2020-07-01 00:00:00 +1", 1),
        ("hours since 2020-06-30 18:00 -6:00", 0),
        ("hours since 2020-06-30 18:00:00.0 -0600", 0),
        ("hours since 1-1-1 00:00:0.0", 17702544 + 48),  # the mixed calendar begins two days before the proleptic one
        ("h since 1900-01-01", 1056264),
    ],
)
def test_whole_hours_in_any_units(units: str, first: int) -> None:
    for dtype in ("f8", "i4", "i8"):
        np.testing.assert_array_equal(dates(first + np.arange(24), units, dtype=dtype), HOURS)


@pytest.mark.parametrize("zone", ["CET", "EST", "Europe/Berlin", "UTC+1", "local"])
def test_zones_by_name_are_refused(zone: str) -> None:
    with pytest.raises(ConfigError, match=r"'time'.* time zone .*offset from it such as '\+01:00'") as caught:
        dates([0], f"hours since 2020-07-01 00:00 {zone}")
    assert repr(zone) in str(caught.value)


@pytest.mark.parametrize(
    "units", ["hours", "months since 2000-01-01", "hours since 20200701", "hours since 2020-13-01"]
)
def test_units_that_are_none_of_time_are_refused(units: str) -> None:
    with pytest.raises(ConfigError, match=f"'time': cannot read the units '{units}'"):
        dates([0], units)


@pytest.mark.parametrize("bad", [np.nan, np.inf, np.ma.masked])
def test_missing_dates_are_refused(bad: Any) -> None:
    values = np.ma.array([0.0, 1.0, 2.0])
    values[0] = bad
    with pytest.raises(ConfigError, match="'time' has missing values, the first is number 1"):
        decode(values, coordinate("hours since 2020-07-01"), "a.nc: 'time'")


def test_numbers_far_beyond_any_date_are_refused() -> None:
    with pytest.raises(ConfigError, match="are no dates"):
        dates([0.0, 1e300], "days since 2000-01-01")


def test_days_in_double_precision_are_whole_seconds() -> None:
    days = 44011.0 + np.arange(24) / 24.0
    np.testing.assert_array_equal(dates(days, "days since 1900-01-01"), HOURS)


def test_days_in_single_precision_are_the_hours_that_were_meant() -> None:
    days = 44011.0 + np.arange(24) / 24.0
    with pytest.warns(InputNotice, match=r"'time' is stored in single precision, which resolves 5\.6 minutes here"):
        np.testing.assert_array_equal(dates(days, "days since 1900-01-01", dtype="f4"), HOURS)
    with pytest.warns(InputNotice, match="half hours"):
        middles = dates(days + 0.5 / 24.0, "days since 1900-01-01", dtype="f4")
    np.testing.assert_array_equal(middles, HOURS + np.timedelta64(1800, "s"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(dates(np.arange(24), "hours since 2020-07-01", dtype="f4"), HOURS)


@pytest.mark.parametrize(("origin", "first"), [("0001-01-01", 737606), ("1900-01-01", 44011.01)])
def test_single_precision_that_cannot_tell_hours_is_refused(origin: str, first: float) -> None:
    with pytest.raises(ConfigError, match=r"single precision.* cannot be told"):
        dates(first + np.arange(24) / 24.0, f"days since {origin}", "proleptic_gregorian", dtype="f4")


def test_julian_days_of_our_time_are_those_of_the_real_calendar() -> None:
    with pytest.warns(InputNotice, match="the calendar is 'julian'.*2020-06-17"):
        assert dates([7473], "days since 2000-01-01", "julian", "i4")[0] == np.datetime64("2020-06-17")
    with pytest.raises(ConfigError, match="'julian' has other days"):
        dates([120000], "days since 1692-01-01", "julian")


@pytest.mark.parametrize("calendar", ["noleap", "365_day", "360_day", "all_leap", "none"])
def test_other_calendars_are_refused(calendar: str) -> None:
    with pytest.raises(ConfigError, match=f"calendar '{calendar}' has other days"):
        dates([0], "days since 2000-01-01", calendar)


def test_wrf_characters_and_bounds_are_read(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as nc:
        for name, size in (("Time", 2), ("DateStrLen", 19), ("nv", 2), ("time", 2)):
            nc.createDimension(name, size)
        texts = np.array([b"2020-07-01_00:00:00", b"2020-07-01_01:00:00"])
        nc.createVariable("Times", "S1", ("Time", "DateStrLen"))[:] = netCDF4.stringtochar(texts)
        nc.createVariable("T2", "f4", ("Time",))[:] = 280.0
        nc.createVariable("time", "f8", ("time",))[:] = [1.0, 2.0]
        nc["time"].setncatts({"units": "hours since 2020-07-01 02:00 +02:00", "bounds": "b"})
        nc.createVariable("b", "f8", ("time", "nv"))[:] = [[0.0, 1.0], [1.0, 2.0]]
    with NetcdfFile(tmp_path / "a.nc") as file:
        axis = time_axis(file, "T2")
        assert axis == (("Time",), "Times")
        np.testing.assert_array_equal(stamps(file, axis.coordinate), HOURS[:2])
        np.testing.assert_array_equal(bounds(file, "time"), np.stack([HOURS[:2], HOURS[1:3]], axis=1))
