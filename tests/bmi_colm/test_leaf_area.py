"""Series of leaf and stem area index: dates, interpolation, and the steps in which the columns take them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
from land_basin import LATITUDE, LONGITUDE, MASK, NX, NY, started, step

from bmi_colm import BmiColm
from bmi_colm.leaf_area import LeafArea, LeafAreaConfig
from bmi_common import ConfigError, Domain
from bmi_common.domain import DomainConfig

MONTHS = np.array([0.5, 0.6, 1.0, 1.8, 3.0, 4.0, 4.2, 3.9, 3.0, 1.9, 1.0, 0.6])


def write(
    path: Path,
    values: np.ndarray,
    dates: list[datetime] | None = None,
    bounds: list[tuple[datetime, datetime]] | None = None,
    stem: np.ndarray | None = None,
    north_first: bool = False,
) -> Path:
    """Write records (n,) for all cells, or (n, ny, nx)."""
    values = np.asarray(values, dtype=float)
    if values.ndim == 1:
        values = np.broadcast_to(values[:, None, None], (values.size, NY, NX))
    with netCDF4.Dataset(path, "w") as nc:
        nc.createDimension("time", len(values))
        for name, axis, units in (("lat", LATITUDE, "degrees_north"), ("lon", LONGITUDE, "degrees_east")):
            nc.createDimension(name, axis.size)
            nc.createVariable(name, "f8", (name,))[:] = axis[::-1] if north_first and name == "lat" else axis
            nc[name].units = units
        units = "days since 2000-01-01"
        if dates is not None:
            nc.createVariable("time", "f8", ("time",))[:] = netCDF4.date2num(dates, units)
            nc["time"].units = units
        if bounds is not None:
            nc["time"].bounds = "time_bnds"
            nc.createDimension("nv", 2)
            nc.createVariable("time_bnds", "f8", ("time", "nv"))[:] = netCDF4.date2num(bounds, units)
        for name, array in (("LAI", values), ("SAI", stem)):
            if array is not None:
                variable = nc.createVariable(name, "f8", ("time", "lat", "lon"), fill_value=-1.0)
                array = np.broadcast_to(array, values.shape)
                variable[:] = np.ma.masked_invalid(array[:, ::-1] if north_first else array)
    return path


@pytest.fixture
def domain() -> Domain:
    spec = DomainConfig(
        grid={"nx": NX, "ny": NY, "dx": 1000.0, "dy": 1000.0},
        layers=[1.0] * 10,
        porosity=0.4,
        van_genuchten={"alpha": 1.0, "n": 2.0, "residual_saturation": 0.1},
    )
    whole = Domain.load(spec)
    latitude, longitude = np.meshgrid(LATITUDE, LONGITUDE, indexing="ij")
    return Domain(**{**whole.__dict__, "mask": MASK, "latitude": latitude, "longitude": longitude})


def opened(domain: Domain, file: Path | str, start: datetime, end: datetime | None = None, **spec: Any) -> LeafArea:
    return LeafArea(LeafAreaConfig(**{"file": file, "variable": "LAI", **spec}), domain, start, end)


def on(series: LeafArea, *date: int) -> float:
    leaf, _ = series.on(datetime(*date))
    assert leaf.shape == (MASK.sum(),)
    assert np.ptp(leaf) == 0.0
    return float(leaf[0])


JANUARY = datetime(2021, 1, 1)
EVERY_8_DAYS = [datetime(2021, 1, 1) + timedelta(days=8 * n) for n in range(46)]


# ------------------------------------------------------------------ dates


def test_twelve_months_are_joined_by_lines_between_their_middles(tmp_path, domain):
    series = opened(domain, write(tmp_path / "lai.nc", MONTHS), JANUARY, time="climatology")
    assert on(series, 2021, 4, 15) == pytest.approx(MONTHS[3], abs=0.02)  # April's centre is midnight after the 15th
    assert on(series, 2021, 1, 16) == MONTHS[0]  # January's centre is the noon of the 16th
    # from the middle of December to that of January are 31 days, and the noon of 1 January is 16 of them on
    assert on(series, 2021, 1, 1) == pytest.approx(MONTHS[11] + 16 / 31 * (MONTHS[0] - MONTHS[11]))
    assert on(series, 1999, 7, 4) == on(series, 2050, 7, 4)  # any year, leap years differ in February
    assert on(series, 2020, 2, 29) == pytest.approx(MONTHS[1] + (14 / 30) * (MONTHS[2] - MONTHS[1]), abs=0.01)
    assert series.end is None


def test_a_day_has_one_value(tmp_path, domain):
    series = opened(domain, write(tmp_path / "lai.nc", MONTHS), JANUARY, time="climatology")
    early, late = series.on(datetime(2021, 5, 3, 0)), series.on(datetime(2021, 5, 3, 23))
    np.testing.assert_array_equal(early[0], late[0])


def test_months_in_steps_change_on_the_first(tmp_path, domain):
    file = write(tmp_path / "lai.nc", MONTHS)
    series = opened(domain, file, JANUARY, time="climatology", interpolation="step")
    assert [on(series, 2021, 4, d) for d in (1, 15, 30)] == [MONTHS[3]] * 3
    assert on(series, 2021, 5, 1) == MONTHS[4]
    assert on(series, 2021, 12, 31) == MONTHS[11]


@pytest.mark.parametrize("dates", [None, EVERY_8_DAYS])
def test_a_climatology_goes_on_without_a_jump_through_every_day_of_all_years(tmp_path, domain, dates):
    values = MONTHS if dates is None else 3.0 + np.sin(np.arange(46) / 46 * 2 * np.pi)
    series = opened(domain, write(tmp_path / "lai.nc", values, dates), JANUARY, time="climatology")
    days = [datetime(2019, 1, 1) + timedelta(days=d) for d in range(3 * 366)]  # 2020 is a leap year
    daily = np.array([on(series, d.year, d.month, d.day) for d in days])
    assert values.min() <= daily.min() <= daily.max() <= values.max()
    shortest = 28 if dates is None else 3.9  # days between centres: the 46th and the first record are four apart
    assert np.abs(np.diff(daily)).max() <= np.abs(np.diff(values, append=values[0])).max() / shortest * 1.01
    assert np.ptp(daily) > 0.9 * np.ptp(values)


def test_twelve_months_need_no_dates_and_any_are_ignored(tmp_path, domain):
    dated = write(tmp_path / "dated.nc", MONTHS, dates=[datetime(1850, m, 3) for m in range(1, 13)])
    series = opened(domain, dated, JANUARY, time="climatology")
    plain = opened(domain, write(tmp_path / "lai.nc", MONTHS), JANUARY, time="climatology")
    assert on(series, 2021, 3, 9) == on(plain, 2021, 3, 9)


@pytest.mark.parametrize("first", [datetime(2001, 1, 1), datetime(2000, 12, 31, 21), datetime(2001, 2, 1)])
def test_twelve_months_may_be_stamped_at_their_start_or_end(tmp_path, domain, first):
    dates = [first + timedelta(days=30.4 * n) for n in range(12)]
    series = opened(domain, write(tmp_path / "lai.nc", MONTHS, dates), JANUARY, time="climatology")
    assert on(series, 2021, 1, 16) == MONTHS[0]


def test_twelve_months_that_begin_in_another_one_are_no_january(tmp_path, domain):
    seasons = np.roll(MONTHS, -6)
    dates = [datetime(2001 + (m > 12), (m - 1) % 12 + 1, 15) for m in range(7, 19)]
    bounds = [
        (datetime(2001 + (m > 12), (m - 1) % 12 + 1, 1), datetime(2001 + (m > 11), m % 12 + 1, 1)) for m in range(7, 19)
    ]
    for more in ({}, {"bounds": bounds}):
        file = write(tmp_path / "lai.nc", seasons, dates, **more)
        with pytest.raises(ConfigError, match=r"the first of the twelve months of 'time' is July.*time: dated"):
            opened(domain, file, JANUARY, time="climatology")
    series = opened(domain, file, datetime(2001, 12, 1), datetime(2002, 1, 2), time="dated")
    assert on(series, 2001, 12, 16) == MONTHS[11]


def test_eight_daily_records_of_one_year_stand_for_every_year(tmp_path, domain):
    values = 2.0 + np.arange(46) / 46
    file = write(tmp_path / "lai.nc", values, EVERY_8_DAYS)
    series = opened(domain, file, JANUARY, time="climatology", interpolation="step", time_stamp="start")
    assert on(series, 2033, 1, 8) == values[0]
    assert on(series, 2033, 1, 9) == values[1]
    assert on(series, 2033, 12, 31) == values[45]
    linear = opened(domain, file, JANUARY, time="climatology", time_stamp="start")
    between = [on(linear, 2033, 12, 31), on(linear, 2034, 1, 2)]
    assert values[45] > between[0] > between[1] > values[0]  # across the turn of the year


def test_dated_records_hold_at_their_dates(tmp_path, domain):
    dates = [datetime(2021, 6, 1, 12), datetime(2021, 6, 5, 12), datetime(2021, 6, 6, 12)]
    series = opened(domain, write(tmp_path / "lai.nc", [1.0, 3.0, 2.0], dates), datetime(2021, 6, 1), time="dated")
    assert [on(series, 2021, 6, d) for d in range(1, 7)] == [1.0, 1.5, 2.0, 2.5, 3.0, 2.0]


def test_dates_at_the_start_of_a_composite_mark_its_whole_length(tmp_path, domain):
    file = write(tmp_path / "lai.nc", np.arange(46.0) / 4, EVERY_8_DAYS)
    series = opened(domain, file, JANUARY, time="dated", time_stamp="start")
    # the first composite is centred on midnight before 5 January, the second eight days later
    assert on(series, 2021, 1, 4) == 0.0
    assert on(series, 2021, 1, 12) == pytest.approx(0.25 * 7.5 / 8)
    assert series.end == datetime(2022, 1, 4)


def test_bounds_go_before_the_kind_of_time_stamp(tmp_path, domain):
    starts = [datetime(2021, m, 1) for m in range(1, 13)]
    bounds = list(zip(starts, [*starts[1:], datetime(2022, 1, 1)], strict=True))
    values = [(b - a).days / 10 for a, b in bounds]
    file = write(tmp_path / "lai.nc", values, dates=starts, bounds=bounds)
    series = opened(domain, file, JANUARY, time="dated", interpolation="step", time_stamp="middle")
    assert [on(series, 2021, 2, d) for d in (1, 28)] == [2.8, 2.8]
    assert on(series, 2021, 3, 1) == 3.1
    assert series.end == datetime(2022, 1, 1)


def test_daily_records_in_several_files(tmp_path, domain):
    for month in (1, 2):
        days = [datetime(2021, month, d, 12) for d in range(1, 29 if month == 2 else 32)]
        write(tmp_path / f"lai_{month}.nc", [month + d.day / 100 for d in days], days)
    series = opened(domain, tmp_path / "lai_*.nc", JANUARY, datetime(2021, 3, 1), time="dated")
    assert on(series, 2021, 1, 31) == pytest.approx(1.31)
    assert on(series, 2021, 2, 1) == pytest.approx(2.01)


def test_rows_are_turned_and_a_stem_area_is_read(tmp_path, domain):
    field = np.arange(12.0).reshape(NY, NX) / 4
    file = write(tmp_path / "lai.nc", np.repeat(field[None], 12, axis=0), stem=0.5 * field, north_first=True)
    leaf, stem = opened(domain, file, JANUARY, time="climatology", stem_area="SAI").on(JANUARY)
    np.testing.assert_allclose(leaf, field[MASK])
    np.testing.assert_allclose(stem, 0.5 * field[MASK])


# ------------------------------------------------------------------ mistakes


@pytest.mark.parametrize(
    ("end", "start", "message"),
    [
        (datetime(2022, 1, 8), JANUARY, r"no 'LAI' for 2022-01-07; the records hold from 2021-01-01 .* to 2022-01-04"),
        (datetime(2021, 2, 1), datetime(2020, 12, 30), "no 'LAI' for 2020-12-30"),
    ],
)
def test_a_run_that_the_records_do_not_cover_is_refused(tmp_path, domain, start, end, message):
    file = write(tmp_path / "lai.nc", np.ones(46), EVERY_8_DAYS)
    with pytest.raises(ConfigError, match=message):
        opened(domain, file, start, end, time="dated", time_stamp="start")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            np.nan,
            r"lai\.nc: 'LAI': record 6: no value in 1 of 11 active cells, the first at cell \(j=1, i=2\).*missing: own",
        ),
        (35.0, r"record 6: 35 at cell \(j=1, i=2\); a leaf or stem area index is 0 to 15 .*scale_factor"),
        (-0.5, r"record 6: -0.5 at cell \(j=1, i=2\); a leaf or stem area index is 0 to 15"),
    ],
)
def test_impossible_values_name_record_and_cell_before_the_run(tmp_path, domain, value, message):
    values = np.repeat(MONTHS[:, None], NY * NX, axis=1).reshape(12, NY, NX)
    values[:, 0, 0] = 99.0  # outside the mask
    values[5, 1, 2] = value
    with pytest.raises(ConfigError, match=message):
        opened(domain, write(tmp_path / "lai.nc", values), JANUARY, time="climatology")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"variable": "lai"}, "no variable 'lai'; did you mean 'LAI'"),
        ({"stem_area": "SAI"}, "no variable 'SAI'"),
        ({"file": "none.nc"}, "none.nc: no such NetCDF file"),
        ({"time": "dated"}, "'LAI' has no time axis"),
    ],
)
def test_mistakes_in_the_section_are_named(tmp_path, domain, spec, message):
    file = write(tmp_path / "lai.nc", MONTHS)
    with pytest.raises(ConfigError, match=message):
        opened(domain, **{"file": file, "start": JANUARY, "time": "climatology", **spec})


def test_a_climatology_describes_a_whole_year(tmp_path, domain):
    dates = [datetime(2021, 1, 1) + timedelta(days=8 * n) for n in range(20)]
    with pytest.raises(ConfigError, match="leave 213 days of the year without one"):
        opened(domain, write(tmp_path / "lai.nc", np.ones(20), dates), JANUARY, time="climatology")
    dates = [datetime(2020, 1, 1) + timedelta(days=30 * n) for n in range(20)]
    with pytest.raises(ConfigError, match=r"records of one year.*time: dated"):
        opened(domain, write(tmp_path / "long.nc", np.ones(20), dates), JANUARY, time="climatology")


def test_one_record_without_bounds_says_nothing_of_its_length(tmp_path, domain):
    with pytest.raises(ConfigError, match="it is not known for how long it holds"):
        opened(domain, write(tmp_path / "lai.nc", [1.0], [JANUARY]), JANUARY, time="dated")


# ------------------------------------------------------------------ in the component


def land(folder: Path, values: np.ndarray = MONTHS, dates: list[datetime] | None = None, **changes: Any) -> BmiColm:
    write(folder / "lai.nc", values, dates, stem=np.full((NY, NX), 0.7))
    kind = "climatology" if dates is None else "dated"
    section = {"file": "lai.nc", "variable": "LAI", "stem_area": "SAI", "time": kind, **changes.pop("section", {})}
    return started(folder, leaf_area=section, **changes)


def leaf(bmi: BmiColm) -> np.ndarray:
    return bmi.columns.state.leaf_area


def test_the_first_step_already_has_the_prescribed_areas(tmp_path):
    bmi, own = land(tmp_path), started(tmp_path)
    step(bmi)
    step(own)
    np.testing.assert_allclose(leaf(bmi), MONTHS[5], atol=0.6)  # 1 June, between May and June
    assert np.ptp(leaf(bmi)) == 0.0
    np.testing.assert_array_equal(bmi.columns.state.stem_area, 0.7)
    assert (leaf(own) != leaf(bmi)).all()
    # radiation of the first step was computed with them, not only what follows it
    assert (bmi.columns.fluxes.reflected_shortwave != own.columns.fluxes.reflected_shortwave).all()
    assert str(tmp_path / "lai.nc") in bmi.provenance


def test_areas_change_at_the_end_of_the_step_that_starts_the_day(tmp_path):
    dates = [datetime(2020, 6, d, 12) for d in (1, 2, 3)]
    bmi = land(tmp_path, np.array([1.0, 2.0, 4.0]), dates, section={"interpolation": "step"})
    seen = []
    for _ in range(48):
        step(bmi)
        seen.append(leaf(bmi)[0])
    # from 12 UTC: eleven steps and the one that ends at 00 UTC are of the first day
    assert seen == [1.0] * 12 + [2.0] * 24 + [4.0] * 12


def test_radiation_of_the_coming_step_uses_the_new_area(tmp_path):
    dates = [datetime(2020, 6, d, 12) for d in (1, 2, 3)]
    changing = land(tmp_path, np.array([1.0, 3.0, 3.0]), dates, section={"interpolation": "step"})
    (tmp_path / "constant").mkdir()
    constant = land(tmp_path / "constant", np.array([1.0, 1.0, 1.0]), dates, section={"interpolation": "step"})
    for bmi in (changing, constant):
        step(bmi, 12)
    np.testing.assert_array_equal(changing.columns.state.longwave_gap, constant.columns.state.longwave_gap)
    for bmi in (changing, constant):
        step(bmi, 12)  # until noon of the second day
    assert (changing.columns.state.longwave_gap < constant.columns.state.longwave_gap).all()


def test_without_stem_area_stems_are_those_of_the_cover(tmp_path):
    bmi, own = land(tmp_path, section={"stem_area": None}), started(tmp_path)
    step(bmi)
    step(own)
    np.testing.assert_array_equal(bmi.columns.state.stem_area, own.columns.state.stem_area)


def test_cells_without_a_value_may_follow_the_models_own_phenology(tmp_path):
    values = np.repeat(MONTHS[:, None], NY * NX, axis=1).reshape(12, NY, NX)
    values[:, 2, 1] = np.nan
    bmi, own = land(tmp_path, values, section={"missing": "own", "stem_area": None}), started(tmp_path)
    step(bmi)
    step(own)
    hole = (np.argwhere(MASK) == (2, 1)).all(axis=1)
    np.testing.assert_array_equal(leaf(bmi)[hole], leaf(own)[hole])
    assert (leaf(bmi)[~hole] != leaf(own)[~hole]).all()


def test_water_and_ice_have_no_leaves_whatever_the_series_says(tmp_path):
    bmi = land(tmp_path, land_cover=17)
    step(bmi, 2)
    assert (leaf(bmi) == 0.0).all()


def test_no_leaves_at_all_is_a_valid_series(tmp_path):
    bmi = land(tmp_path, np.zeros(12))
    step(bmi, 30)
    assert (leaf(bmi) == 0.0).all()
    assert np.abs(bmi.columns.fluxes.energy_residual).max() < 1e-6
    np.testing.assert_array_equal(bmi.columns.fluxes.transpiration, 0.0)


def test_the_run_can_last_as_long_as_the_series(tmp_path):
    dates = [datetime(2020, 6, d) for d in (1, 2, 3)]
    bmi = land(tmp_path, np.array([1.0, 2.0, 4.0]), dates)
    assert (
        bmi.get_end_time() == 36 * 3600.0
    )  # 3 June, 00 UTC: the noon of that day is beyond the last record's half day


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"time": "monthly"}, r"land\.yaml:\d+: leaf_area\.time: .*'climatology' or 'dated'"),
        ({"stem_areas": "SAI"}, r"leaf_area\.stem_areas: .*did you mean 'stem_area'"),
        ({"stem_area": "LAI"}, r"the same variable"),
        ({"variable": "time"}, r"land\.yaml: leaf_area: .*'time'"),
    ],
)
def test_mistakes_in_the_configuration_name_file_and_key(tmp_path, section, message):
    with pytest.raises(ConfigError, match=message):
        land(tmp_path, section=section)
