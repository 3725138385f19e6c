"""Runs beside what stations have measured: scores, intervals, formats of archives, mistakes, what is written."""

import csv
import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
from evaluation_cases import drawing
from rich.console import Console
from station_cases import CELL, DAYS, HOUR, HOURS, START, Stations

import rootzone
from bmi_common.errors import ConfigError
from rootzone.evaluation.observations import figures
from rootzone.evaluation.observations.comparison import Comparison, WantedStations, compare
from rootzone.evaluation.observations.config import StationConfig
from rootzone.evaluation.observations.flow_duration import curve
from rootzone.evaluation.observations.kinds import KINDS
from rootzone.evaluation.observations.peaks import peaks
from rootzone.evaluation.observations.tables import screen_table

DAY = 24 * HOUR
OUTLET = {"name": "outlet", "quantity": "discharge"}


@pytest.fixture(scope="module")
def basin(tmp_path_factory: pytest.TempPathFactory) -> Stations:
    return Stations(tmp_path_factory.mktemp("stations"))


def compared(basin: Stations, *stations: dict[str, Any], **runs: Path) -> Comparison:
    return compare(WantedStations(basin.observations(*stations), runs or {"run": basin.run_folder}))


def expected_scores(simulated: np.ndarray, observed: np.ndarray) -> dict[str, float]:
    """Write the definitions once more, from the papers."""
    error = simulated - observed
    r = np.corrcoef(simulated, observed)[0, 1]
    alpha, beta = np.std(simulated) / np.std(observed), np.mean(simulated) / np.mean(observed)
    return {
        "pairs": len(observed),
        "nse": 1.0 - np.sum(error**2) / np.sum((observed - np.mean(observed)) ** 2),
        "kge": 1.0 - np.sqrt((r - 1.0) ** 2 + (alpha - 1.0) ** 2 + (beta - 1.0) ** 2),
        "r": r,
        "alpha": alpha,
        "beta": beta,
        "bias": np.mean(error),
        "percent_bias": 100.0 * np.sum(error) / np.sum(observed),
        "rmse": np.sqrt(np.mean(error**2)),
    }


def agree(found: dict[str, float], expected: dict[str, float]) -> None:
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-12)


# ---------------------------------------------------------------------- scores


def test_measurements_made_from_the_run_with_known_noise_give_the_expected_scores(basin: Stations) -> None:
    rng = np.random.default_rng(1)
    # van Genuchten with alpha = 1, n = 2 and water at rest, in the layer from 1 to 2 m below the ground
    head = 1.5 - basin.depth
    moisture = 0.4 / np.sqrt(1.0 + np.minimum(head, 0.0) ** 2)
    truth = {
        "discharge": basin.discharge,
        "water_table_depth": basin.depth,
        "soil_moisture": moisture,
        "latent_heat": basin.latent,
        "sensible_heat": basin.sensible,
        "head": head - 1.5,  # the ground is at 0 m, the centre of the layer 1.5 m below it
    }
    places = {key: {"cell": CELL} for key in truth} | {"discharge": {"gauge": "outlet"}}
    places["soil_moisture"] = {"cell": CELL, "depth": 1.2}
    places["head"] = {"cell": CELL, "depth": 1.9}
    measured, stations = {}, []
    for key, values in truth.items():
        measured[key] = values + 0.05 * np.std(values) * rng.standard_normal(HOURS)
        if key == "soil_moisture":
            measured[key] = np.clip(measured[key], 0.0, 0.5)
        measured[key][rng.random(HOURS) < 0.1] = np.nan
        file = basin.hours_csv(f"{key}.csv", measured[key])
        stations.append({"name": key, "quantity": key, "file": file, **places[key]})
    found = compared(basin, *stations)
    for station in found.stations:
        o, s = measured[station.name], truth[station.name]
        there = np.isfinite(o)
        agree(station.scores["run"]["all"]._asdict(), expected_scores(s[there], o[there]))
        assert (station.recorded, station.missing, station.outside) == (HOURS, (~there).sum(), 0)
        for regime, low, high in (("dry", 0.0, 0.1), ("wet", 0.1, 2.5), ("storm", 2.5, np.inf)):
            inside = there & (basin.rain >= low) & (basin.rain < high)
            agree(station.scores["run"][regime]._asdict(), expected_scores(s[inside], o[inside]))


def test_scores_are_those_of_other_packages(basin: Stations) -> None:
    hydroerr = pytest.importorskip("HydroErr", reason="HydroErr is not installed")
    hydroeval = pytest.importorskip("hydroeval", reason="hydroeval is not installed")
    o = basin.discharge * np.exp(0.3 * np.random.default_rng(2).standard_normal(HOURS))
    found = compared(basin, {**OUTLET, "file": basin.hours_csv("q.csv", o)}).stations[0].scores["run"]["all"]
    assert found.nse == pytest.approx(hydroerr.nse(basin.discharge, o), rel=1e-12)
    assert found.kge == pytest.approx(hydroerr.kge_2009(basin.discharge, o), rel=1e-12)
    assert found.percent_bias == pytest.approx(
        -hydroeval.pbias(basin.discharge, o).item(), rel=1e-12
    )  # of its own sign


def test_a_peak_is_as_large_and_as_late_as_it_was_made() -> None:
    begin = START + HOUR * np.arange(240)
    observed = np.full(240, 1.0) + 0.001 * np.arange(240)
    simulated = observed.copy()
    for at, height in ((50, 10.0), (130, 30.0), (200, 20.0)):
        observed[at] = height
        simulated[at + 3] = 0.8 * height
    observed[135] = 29.0  # five hours after the largest, and part of it
    found = peaks(begin, begin + HOUR, observed, simulated)
    assert [p.observed for p in found][:3] == [30.0, 20.0, 10.0]
    assert [(p.percent_error, p.delay) for p in found[:3]] == [(pytest.approx(-20.0), 3.0)] * 3
    assert peaks(begin[:0], begin[:0], observed[:0], simulated[:0]) == []
    upside_down = peaks(begin, begin + HOUR, -observed, -simulated, sign=-1)
    assert [(-p.observed, p.time) for p in upside_down] == [(p.observed, p.time) for p in found]


def test_a_flow_duration_is_that_of_ranks() -> None:
    shares, ranked = curve(np.array([3.0, 1.0, 4.0, 2.0]))
    assert ranked.tolist() == [4.0, 3.0, 2.0, 1.0]
    assert shares.tolist() == [0.2, 0.4, 0.6, 0.8]


# ---------------------------------------------------------------------- intervals


def series(c: Comparison, number: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return c.stations[number].observed, c.stations[number].simulated["run"]


@pytest.mark.parametrize(("zone", "ahead"), [("UTC", 0), ("+08:00", 8), ("-05:00", -5), ("Asia/Shanghai", 8), (8, 8)])
def test_days_are_those_of_the_zone(basin: Stations, zone: str | int, ahead: int) -> None:
    dates = [str((START + DAY * i).astype("datetime64[D]")) for i in range(DAYS)]
    file = basin.write("days.csv", "date,q", *(f"{d},{i + 1.0}" for i, d in enumerate(dates)))
    found = compared(basin, {**OUTLET, "file": file, "zone": zone})
    observed, simulated = series(found)
    first = -ahead % 24 if ahead < 0 else 24 - ahead if ahead else 0
    days = [basin.discharge[h : h + 24].mean() for h in range(first, HOURS - 23, 24)]
    agree(dict(enumerate(simulated)), dict(enumerate(days)))
    assert observed[0] == (2.0 if ahead > 0 else 1.0)  # the first day began before the run
    assert found.stations[0].outside == (1 if ahead else 0)


def test_a_zone_of_half_hours_takes_its_part_of_the_hours(basin: Stations) -> None:
    file = basin.write("q.csv", "time,q", "2020-01-03 10:00,1", "2020-01-03 11:00,1", "2020-01-03 12:00,1")
    _, simulated = series(compared(basin, {**OUTLET, "file": file, "zone": "+05:30"}))
    q = basin.discharge[48 + 4 : 48 + 8]  # from 04:30 UTC on
    agree(dict(enumerate(simulated)), dict(enumerate(0.5 * (q[:-1] + q[1:]))))


def test_months_are_averaged_to_the_day(basin: Stations) -> None:
    file = basin.write("months.csv", "month,q", "2020-01,30", "2020-02,40", "2020-03,50")
    found = compared(basin, {**OUTLET, "file": file})
    observed, simulated = series(found)
    assert observed.tolist() == [30.0, 40.0]
    agree(dict(enumerate(simulated)), {0: basin.discharge[: 31 * 24].mean(), 1: basin.discharge[31 * 24 :].mean()})
    assert found.stations[0].outside == 1


@pytest.mark.parametrize(("times", "late"), [("start", 0), ("middle", 30), ("end", 60)])
def test_times_lie_where_the_user_says(basin: Stations, times: str, late: int) -> None:
    stamps = START + HOUR * np.arange(10) + np.timedelta64(late, "m")
    file = basin.write("q.csv", "time,q", *(f"{t},{i}" for i, t in enumerate(stamps)))
    observed, simulated = series(compared(basin, {**OUTLET, "file": file, "times": times}))
    np.testing.assert_array_equal(simulated, basin.discharge[:10])
    np.testing.assert_array_equal(observed, np.arange(10.0))


DATES = tuple(f"{str(START + DAY * i)[:10]},{i}" for i in range(4))
OF_THE_DAY_BEFORE = tuple(row.replace(",", " 00:00,") for row in DATES[1:])


def test_a_date_without_a_time_of_day_names_its_day(basin: Stations) -> None:
    """Whatever `times` says; with a time of day it is a moment, and the day ends or begins then."""
    day = [basin.discharge[h : h + 24].mean() for h in range(0, 96, 24)]
    dated = {**OUTLET, "file": basin.write("q.csv", "date,q", *DATES)}
    found = compared(basin, dated)
    agree(dict(enumerate(series(found)[1])), dict(enumerate(day)))
    assert "date names days" in found.stations[0].reading
    for times in ("middle", "end"):
        with pytest.raises(
            ConfigError, match=r"stations.0.times: '.*' is without effect, because a date .* whole day;"
        ):
            compared(basin, {**dated, "times": times})
    found = compared(basin, {**OUTLET, "file": basin.write("q.csv", "date,q", *OF_THE_DAY_BEFORE), "times": "end"})
    agree(dict(enumerate(series(found)[1])), dict(enumerate(day[:3])))
    assert "date at the end of the interval" in found.stations[0].reading


@pytest.mark.parametrize("dates", [("2020-01", "2020-02"), ("2020-01-01", "2020-02-01"), ("2020-01-31", "2020-02-29")])
def test_a_date_names_its_month(basin: Stations, dates: tuple[str, ...]) -> None:
    station = {**OUTLET, "file": basin.write("q.csv", "date,q", *(f"{d},1" for d in dates)), "interval": "month"}
    found = compared(basin, station)
    expected = {0: basin.discharge[: 31 * 24].mean(), 1: basin.discharge[31 * 24 :].mean()}
    agree(dict(enumerate(series(found)[1])), expected)
    assert re.search("date names (months|a day of each month)", found.stations[0].reading)
    with pytest.raises(ConfigError, match=r"stations.0.times: 'end' is without effect, .* whole month;"):
        compared(basin, {**station, "times": "end"})
    with pytest.raises(ConfigError, match=r"stations.0.interval: 1h is shorter than the (months|days) that the dates"):
        compared(basin, {**station, "interval": "1h"})


@pytest.mark.parametrize(("times", "first"), [("start", 8), ("middle", 7), ("end", 6)])
def test_a_date_names_the_first_the_middle_or_the_last_of_several_days(basin: Stations, times: str, first: int) -> None:
    station = {**OUTLET, "file": basin.write("q.csv", "date,q", "2020-01-09,1"), "interval": "3d", "times": times}
    found = compared(basin, station)
    assert series(found)[1][0] == pytest.approx(basin.discharge[24 * first : 24 * (first + 3)].mean(), rel=1e-12)
    assert f"the {({'start': 'first', 'end': 'last'}).get(times, times)} day of" in found.stations[0].reading


def test_half_hours_are_averaged_to_hours_and_gaps_stay_gaps(basin: Stations) -> None:
    values = ["1", "3", "", "5", "7", "8", "-9999", "NA"]
    stamps = START + HOUR // 2 * np.arange(8)
    lines = [f"{t};{v}" for t, v in zip(stamps, values, strict=True)] + [f"{START + 4 * HOUR};11"]
    found = compared(basin, {**OUTLET, "file": basin.write("q.csv", "time;q", *lines)})
    observed, simulated = series(found)
    assert observed.tolist() == [2.0, 7.5]  # one half of the second hour and of the last is missing
    np.testing.assert_array_equal(simulated, basin.discharge[[0, 2]])


def test_clocks_that_go_back_show_an_hour_twice(basin: Stations) -> None:
    shown = ["01:00", "01:30", "02:00", "02:30", "02:00", "02:30", "03:00", "03:30"]
    lines = [f"2019-10-27 {clock},{i}" for i, clock in enumerate(shown)]
    spring = ["2020-03-29 01:30,1", "2020-03-29 02:30,1", "2020-03-29 03:00,1"]
    station = {**OUTLET, "file": basin.write("q.csv", "time,q", *lines), "zone": "Europe/Berlin"}
    with pytest.raises(ConfigError, match="2019-10-26 23:00 to 2019-10-27 03:00 UTC; the run has no hour"):
        compared(basin, station)
    station["file"] = basin.write("q.csv", "time,q", *spring)
    with pytest.raises(ConfigError, match=r"q.csv:3: 2020-03-29 02:30 is no time in Europe/Berlin"):
        compared(basin, station)


def test_hours_that_the_run_lacks_make_no_pair(basin: Stations, tmp_path: Path) -> None:
    late = Stations(tmp_path).make_run("late", hours=slice(24 * 30, None))
    days = [f"{str(START + DAY * i)[:10]},1" for i in range(DAYS)]
    found = compared(basin, {**OUTLET, "file": basin.write("q.csv", "date,q", *days)}, run=late)
    assert (len(found.stations[0].observed), found.stations[0].outside) == (30, 30)


# ---------------------------------------------------------------------- files


def fluxnet(basin: Stations, *lines: str) -> str:
    return basin.write(
        "FLX_XX.csv", "TIMESTAMP_START,TIMESTAMP_END,LE_F_MDS,LE_F_MDS_QC,SWC_F_MDS_1,SWC_F_MDS_1_QC", *lines
    )


def test_fluxnet_is_recognised_with_its_flags_and_percents(basin: Stations) -> None:
    file = fluxnet(
        basin,
        "202001010800,202001010830,10,0,30,0",
        "202001010830,202001010900,20,0,32,0",
        "202001010900,202001010930,10,1,31,0",
        "202001010930,202001011000,20,0,31,0",
        "202001011000,202001011030,30,3,-9999,-9999",
        "202001011030,202001011100,50,0,31,0",
    )
    tower = {"name": "tower", "quantity": "latent_heat", "cell": CELL, "file": file, "zone": "+08:00"}
    filled = {**tower, "name": "filled", "quality": 1}
    probe = {**tower, "name": "probe", "quantity": "soil_moisture", "depth": 0.05}
    found = compared(basin, tower, filled, probe)
    assert [s.observed.tolist() for s in found.stations] == [[15.0], [15.0, 15.0], [pytest.approx(0.31)] * 2]
    assert found.stations[0].begin.tolist() == [START.item()]
    assert "fluxnet: LE_F_MDS [W m-2]" in found.stations[0].reading
    assert "SWC_F_MDS_1 [percent]" in found.stations[2].reading
    with pytest.raises(ConfigError, match=r"stations.0.zone: is missing; FLUXNET writes local standard time"):
        compared(basin, {key: value for key, value in tower.items() if key != "zone"})


def test_days_of_fluxnet_need_a_share_that_was_measured(basin: Stations) -> None:
    file = basin.write(
        "FLX_DD.csv", "TIMESTAMP,H_F_MDS,H_F_MDS_QC", "20200101,10,1", "20200102,20,0.7", "20200103,30,0.8"
    )
    tower = {"name": "tower", "quantity": "sensible_heat", "cell": CELL, "file": file, "zone": "UTC"}
    observed, simulated = series(compared(basin, tower))
    assert observed.tolist() == [10.0, 30.0]
    agree(dict(enumerate(simulated)), {0: basin.sensible[:24].mean(), 1: basin.sensible[48:72].mean()})
    assert series(compared(basin, {**tower, "quality": 0.5}))[0].tolist() == [10.0, 20.0, 30.0]


def test_grdc_and_gsim_are_recognised(basin: Stations) -> None:
    days = ("2020-01-01;--:--;    12.000", "2020-01-02;--:--;  -999.000", "2020-01-03;--:--;    14.000")
    lines = ["# Title:                 GRDC STATION DATA FILE", "# Unit of measure:   m³/s", "# DATA"]
    (basin.folder / "1234567_Q_Day.Cmd.txt").write_bytes(
        "\r\n".join([*lines, "YYYY-MM-DD;hh:mm; Value", *days]).encode("latin-1")
    )
    basin.write("months.mon", "# river: X", 'date,\t"MEAN",\t"SD",\t"n.missing",\t"n.available"',
                "2020-01-31,\t30,\t1,\t0,\t31", "2020-02-29,\tNA,\t1,\t0,\t29")  # fmt: skip
    found = compared(
        basin,
        {**OUTLET, "file": "1234567_Q_Day.Cmd.txt"},
        {**OUTLET, "name": "archive", "gauge": "bridge", "file": "months.mon"},
    )
    assert found.stations[0].observed.tolist() == [12.0, 14.0]
    assert found.stations[0].missing == 1
    observed, simulated = series(found, 1)
    assert observed.tolist() == [30.0]
    agree({0: simulated[0]}, {0: 0.5 * basin.discharge[: 31 * 24].mean()})
    assert ["grdc" in found.stations[0].reading, "gsim" in found.stations[1].reading] == [True, True]


RDB = ("# U.S. Geological Survey", "# retrieved: 2020-02-01", "#")


def test_tables_of_usgs_are_read_as_they_are_delivered(basin: Stations) -> None:
    times = [f"2019-12-31 19:{m:02d}" for m in (0, 15, 30, 45)] + [f"2019-12-31 20:{m:02d}" for m in (0, 15, 30, 45)]
    values = ["100", "200", "300", "400", "500", "Ice", "600", "***"]
    rows = [f"USGS\t01\t{t}\tEST\t{v}\tP" for t, v in zip(times, values, strict=True)]
    rows += [f"USGS\t01\t2019-12-31 22:{m}\tEDT\t{v}\tP:e" for m, v in (("00", 8), ("15", 8), ("30", 8), ("45", 12))]
    head = ("agency_cd\tsite_no\tdatetime\ttz_cd\t149022_00060\t149022_00060_cd", "5s\t15s\t20d\t6s\t14n\t10s")
    station = {**OUTLET, "file": basin.write("q.rdb", *RDB, *head, *rows)}
    found = compared(basin, station)
    foot = 0.3048**3
    assert series(found)[0].tolist() == pytest.approx([250.0 * foot, 9.0 * foot])
    np.testing.assert_array_equal(series(found)[1], basin.discharge[[0, 2]])  # 19:00 EST, 22:00 EDT
    assert "usgs: 149022_00060 [ft3 s-1], means of 15min; times of tz_cd" in found.stations[0].reading
    with pytest.raises(ConfigError, match=r"stations.0.zone: without effect, because tz_cd"):
        compared(basin, {**station, "zone": "-05:00"})
    basin.write("q.rdb", *RDB, *head, *rows[:2], rows[3].replace("EST", "XST"))
    with pytest.raises(ConfigError, match=r"q.rdb:8: no time zone 'XST'"):
        compared(basin, station)


def test_days_of_usgs_are_means_of_the_stations_days(basin: Stations) -> None:
    name = "14902_00060"
    head = (f"agency_cd\tsite_no\tdatetime\t{name}_00001\t{name}_00001_cd\t{name}_00003\t{name}_00003_cd",
            "5s\t15s\t20d\t14n\t10s\t14n\t10s")  # fmt: skip
    days = [f"USGS\t01\t2020-01-0{d}\t9{d}\tA\t{d}\tA" for d in (1, 2)]
    station = {**OUTLET, "file": basin.write("q.rdb", *RDB, *head, *days)}
    with pytest.raises(ConfigError, match=r"stations.0.zone: is missing; the days of USGS"):
        compared(basin, station)
    observed, simulated = series(compared(basin, {**station, "zone": "-06:00"}))
    assert observed.tolist() == pytest.approx([0.3048**3, 2.0 * 0.3048**3])
    agree(dict(enumerate(simulated)), {0: basin.discharge[6:30].mean(), 1: basin.discharge[30:54].mean()})
    basin.observations({**station, "column": "COLUMN"})
    text = (basin.folder / "observations.yaml").read_text().replace("COLUMN", f"{name}")
    (basin.folder / "observations.yaml").write_text(text)  # YAML 1.1 reads 14902300060
    with pytest.raises(ConfigError, match=r"stations.0.column: YAML reads a number, .*in quotes"):
        compare(WantedStations(basin.folder / "observations.yaml", {"run": basin.run_folder}))


@pytest.mark.parametrize(("said", "factor"), [("m³/s", 1.0), ("l/s", 1e-3)])
def test_grdc_is_in_the_units_of_its_header(basin: Stations, said: str, factor: float) -> None:
    lines = (f"# Unit of measure:                  {said}", "YYYY-MM-DD;hh:mm; Value", "2020-01-01;--:--; 12.5")
    station = {**OUTLET, "file": basin.write("grdc.txt", *lines)}
    assert series(compared(basin, station))[0].tolist() == pytest.approx([12.5 * factor])
    basin.write("grdc.txt", lines[0].replace(said, "mm"), *lines[1:])
    with pytest.raises(ConfigError, match=r"stations.0.units: discharge: units 'mm' do not convert"):
        compared(basin, station)


def test_dates_and_times_of_day_may_stand_in_columns_of_their_own(basin: Stations) -> None:
    lines = ("date,clock,q", *(f"2020-01-01,{h}:00,{h}" for h in range(8, 12)))
    station = {**OUTLET, "file": basin.write("q.csv", *lines)}
    with pytest.raises(ConfigError, match=r"stations.0.time_column: date has days and clock times .*\[date, clock\]"):
        compared(basin, {**station, "column": "q"})
    observed, simulated = series(compared(basin, {**station, "time_column": ["date", "clock"]}))
    assert observed.tolist() == [8.0, 9.0, 10.0, 11.0]
    np.testing.assert_array_equal(simulated, basin.discharge[8:12])


def test_what_stands_for_no_value_and_ends_of_lines_are_no_values(basin: Stations) -> None:
    words = ["NA", "n/a", "nan", "null", "None", "---", "Ice", "-1", "5"]
    lines = [f"{START + HOUR * i},{word}," for i, word in enumerate(words)]
    station = {**OUTLET, "file": basin.write("q.csv", "time,q,", *lines)}
    observed, simulated = series(compared(basin, {**station, "missing": ["ice", "-1"]}))
    assert (observed.tolist(), simulated.tolist()) == ([5.0], [basin.discharge[8]])
    with pytest.raises(ConfigError, match=r"q.csv:8: q is 'Ice', which is not a number; if it .*missing: \['Ice'\]"):
        compared(basin, station)


@pytest.mark.parametrize("with_bounds", [True, False])
def test_netcdf_series_have_units_and_bounds_of_their_own(basin: Stations, with_bounds: bool) -> None:
    with netCDF4.Dataset(basin.folder / "q.nc", "w") as data:
        data.createDimension("time", 3)
        data.createDimension("edge", 2)
        time = data.createVariable("time", "f8", ("time",))
        time.setncatts({"units": "days since 2020-01-01", "standard_name": "time"})
        time[:] = [0.5, 1.5, 2.5]
        if with_bounds:
            time.bounds = "edges"
            data.createVariable("edges", "f8", ("time", "edge"))[:] = [[0, 1], [1, 2], [2, 3]]
        q = data.createVariable("q", "f8", ("time",), fill_value=-1.0)
        q.units = "l s-1"
        q[:] = [20000.0, -1.0, 30000.0]
    own = {} if with_bounds else {"times": "middle"}
    found = compared(basin, {**OUTLET, "file": "q.nc", "variable": "q", **own})
    observed, simulated = series(found)
    assert observed.tolist() == [pytest.approx(20.0), pytest.approx(30.0)]
    agree(dict(enumerate(simulated)), {0: basin.discharge[:24].mean(), 1: basin.discharge[48:72].mean()})


def test_places_are_cells_metres_or_degrees(basin: Stations) -> None:
    file = basin.hours_csv("d.csv", basin.depth[:24])
    well = {"name": "a", "quantity": "water_table_depth", "file": file, "cell": CELL}
    found = compared(basin, well, {**well, "name": "b", "cell": {"easting": 201.0, "northing": 199.0}})
    assert [s.place for s in found.stations] == ["cell x = 2, y = 1"] * 2
    for cell, words in (
        ({"x": 1, "y": 0}, "takes no part"),
        ({"x": 3, "y": 0}, "outside the domain"),
        ({"easting": 301.0, "northing": 0.0}, "easting 301 m is outside the domain, which reaches from 0 to 300 m"),
        ({"latitude": 1.0, "longitude": 1.0}, "does not tell latitude"),
    ):
        with pytest.raises(ConfigError, match=rf"observations.yaml:5: stations.0.cell: .*{words}"):
            compared(basin, {**well, "cell": cell})


# ---------------------------------------------------------------------- mistakes

HOURLY = ("time,q", "2020-01-01 00:00,1", "2020-01-01 01:00,2", "2020-01-01 02:00,3")


@pytest.mark.parametrize(
    ("keys", "lines", "words"),
    [
        (
            {},
            (*HOURLY, "2020-01-01 02:00,4"),
            r"observations.yaml:4: stations.0.file: .*q.csv:5: .*is there twice, in line 4 and line 5",
        ),
        (
            {},
            (*HOURLY, "2020-01-01 01:30,4"),
            r"q.csv:5: the time 2020-01-01 01:30 comes after 2020-01-01 02:00 in line 4; sort",
        ),
        ({}, (HOURLY[0], *HOURLY[:0:-1]), r"q.csv:3: .* comes after 2020-01-01 02:00 in line 2, and so on; reverse"),
        ({}, (*HOURLY, "2020-01-01 03:00,x"), r"q.csv:5: q is 'x', which is not a number"),
        ({}, (*HOURLY, "yesterday,4"), r"q.csv:5: the time 'yesterday' is not a date"),
        ({}, (*HOURLY, "2020-01-02,4"), r"q.csv:5: the time '2020-01-02' names a day, those before a time"),
        ({}, (*HOURLY, "2020-01-01 03:17,4"), r"stations.0.interval: is missing; .*not evenly spaced"),
        ({}, (*HOURLY, "2020-01-01 03:00,-1e7"), r"q.csv:5: discharge must lie .* give `missing: \[-10000000\]`"),
        ({}, HOURLY[:1], "has no header with a row below it"),
        ({}, ("time,q,r", *HOURLY[1:]), r"stations.0.column: is missing; q.csv has the columns q, r"),
        (
            {},
            ("time,q", "2019-12-01 00:00,1", "2019-12-01 01:00,1"),
            r"2019-12-01 02:00 UTC; the run has no hour of that",
        ),
        ({}, ("time,q", "2020-01-01 00:00,", "2020-01-01 01:00,NA"), "has no value of discharge that counts"),
        ({}, HOURLY[1:], r"q.csv:1: '2020-01-01 00:00, 1' are values; a header"),
        ({}, ("2020-01-01,1", "2020-01-02,2"), r"q.csv:1: '2020-01-01, 1' are values; a header"),
        ({}, (*HOURLY, "2020-01-01 03:00,4,5"), r"q.csv:5: has 3 cells, the header 2"),
        ({"missing": [False]}, HOURLY, r"stations.0.missing: expected numbers and words, got False; .* quotes"),
        ({"units": "cfs"}, HOURLY, r"stations.0.units: .*'cfs' is no unit .*; write 'ft3 s-1'"),
        ({"units": "MGD"}, HOURLY, r"stations.0.units: .*; write '1e6 US_liquid_gallon day-1'"),
        ({"time_column": 2019}, HOURLY, r"stations.0.time_column: YAML reads a number, 2019; write .*in quotes"),
        ({"column": "Q"}, HOURLY, "no column 'Q'; known: time, q"),
        ({"units": "K"}, HOURLY, r"stations.0.units: discharge: units 'K' do not convert to 'm3 s-1'"),
        (
            {"interval": "1d"},
            HOURLY,
            r"q.csv:3: the time 2020-01-01 01:00 is nearer to the one before, in line 2, than .*1d",
        ),
        ({"interval": "45min", "times": "end"}, HOURLY, "no hour is filled by values of 45min each"),
        ({"gauge": "outlett"}, HOURLY, r"observations.yaml:5: stations.0.gauge: .*did you mean 'outlet'"),
        ({"quality": 1}, HOURLY, r"stations.0.quality: without effect, because no quality_column is named"),
        ({"format": "gsim"}, HOURLY, "no column"),
        ({"depth": 1.0}, HOURLY, "depth: without effect on discharge"),
        ({"cell": CELL}, HOURLY, "cell: discharge is known at the gauges of a run"),
        ({"variable": "q"}, HOURLY, "variable: without effect on a table"),
        ({"zone": "Mars/Phobos"}, HOURLY, r"stations.0.zone: no time zone 'Mars/Phobos'"),
    ],
)
def test_a_mistake_names_file_line_and_key(
    basin: Stations, keys: dict[str, Any], lines: tuple[str, ...], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        compared(basin, {**OUTLET, "file": basin.write("q.csv", *lines), **keys})


@pytest.mark.parametrize("quantity", KINDS)
@pytest.mark.parametrize("code", [-999.0, -9999.0, 9999.0])
def test_a_number_that_stands_for_no_value_is_never_a_value(basin: Stations, quantity: str, code: float) -> None:
    place = {"gauge": "outlet"} if quantity == "discharge" else {"cell": CELL}
    depth = {"depth": 1.0} if quantity == "soil_moisture" else {}
    file = basin.hours_csv("q.csv", np.array([0.5, code, 0.5]))
    station = {"name": "s", "quantity": quantity, "file": file, "missing": [], **place, **depth}
    if quantity == "discharge" and code > 0.0:  # rivers have it
        assert series(compared(basin, station))[0].tolist() == [0.5, code, 0.5]
        return
    with pytest.raises(ConfigError, match=rf"q.csv:3: .* must lie between .* give `missing: \[{code:g}\]`"):
        compared(basin, station)
    assert series(compared(basin, {**station, "missing": code}))[0].tolist() == [0.5, 0.5]


def test_water_tables_above_the_ground_are_told(basin: Stations) -> None:
    well = {"name": "well", "quantity": "water_table_depth", "cell": CELL}
    few = basin.depth[:10] * np.where(np.arange(10) < 4, -1.0, 1.0)
    assert compared(basin, {**well, "file": basin.hours_csv("d.csv", few)}).notes == []
    found = compared(basin, {**well, "file": basin.hours_csv("d.csv", -basin.depth[:10])})
    assert re.search("well: 10 of 10 water table depths are below 0.*`units: -1 m`", found.notes[0])
    turned = compared(basin, {**well, "file": "d.csv", "units": "-1 m"})
    assert turned.notes == []
    np.testing.assert_allclose(*series(turned), rtol=1e-12)
    with pytest.raises(ConfigError, match=r"must lie between -50 and .*a depth is positive downward"):
        compared(basin, {**well, "file": basin.hours_csv("d.csv", -100.0 * basin.depth[:10])})


def test_mistakes_of_several_stations_are_told_together(basin: Stations) -> None:
    file = basin.hours_csv("q.csv", basin.discharge)
    basin.write("bad.csv", *HOURLY, "2020-01-01 02:00,4")
    probe = {"name": "probe", "quantity": "soil_moisture", "cell": CELL, "depth": 99.0, "file": file}
    with pytest.raises(ConfigError) as caught:
        compared(basin, {**OUTLET, "file": "bad.csv"}, probe, {**OUTLET, "name": "b", "file": file, "units": "K"})
    text = str(caught.value)
    assert [w in text for w in ("is there twice", "99 m is below the bottom of the model, 14 m", "'K'")] == [True] * 3
    with pytest.raises(ConfigError, match=r"stations.1.name: 'outlet' is a station already, .*observations.yaml:2"):
        compared(basin, {**OUTLET, "file": file}, {**OUTLET, "file": file})


def test_what_the_run_has_not_written_every_hour_is_said(basin: Stations) -> None:
    run = basin.run("poor", basin.depth[:48, None, None] * np.ones((1, 2, 3)), np.ones((48, 2, 3)))
    with pytest.raises(ConfigError, match=r"stations.0.quantity: .*has not written channel_water.*give groundwater"):
        compared(basin, {**OUTLET, "file": basin.hours_csv("q.csv", basin.discharge)}, run=run)


# ---------------------------------------------------------------------- what is written


@pytest.mark.slow
def test_a_run_alone_gets_page_numbers_pairs_and_figures(basin: Stations) -> None:
    o = basin.discharge + np.random.default_rng(3).standard_normal(HOURS)
    path = basin.observations({**OUTLET, "file": basin.hours_csv("q.csv", o)})
    result = basin.evaluate(basin.run_folder, "--observations", path, "--output", basin.folder / "alone")
    assert result.exit_code == 0, result.output
    assert "outlet: discharge" in result.output
    folder = basin.folder / "alone"
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.name.startswith(".")} - {"figures"}
    written = {f"observations.{suffix}" for suffix in ("html", "json", "md", "csv", "nc")}
    assert names == written | {"figures/station_1_series.png", "figures/station_1_scatter.png"}
    report = json.loads((folder / "observations.json").read_text())
    agree(report["stations"][0]["scores"]["run"]["all"], expected_scores(basin.discharge, o))
    with (folder / "observations.csv").open() as file:
        pairs = list(csv.DictReader(file))
    assert [float(p["observed"]) for p in pairs] == o.tolist()
    assert [float(p["simulated run"]) for p in pairs] == basin.discharge.tolist()
    assert pairs[0]["begin"] == "2020-01-01T00:00:00"
    assert "KGE" in (folder / "observations.html").read_text()


def test_a_single_pair_is_drawn(basin: Stations) -> None:
    """A line through one value shows nothing."""
    found = compared(basin, {**OUTLET, "file": basin.write("q.csv", "time,q", f"{START},3"), "interval": "1h"})
    station = found.stations[0]
    drawn = [*figures.series(found, station).axes[-1].lines, *figures.relations(station).axes[1].lines]
    assert [line.get_label() for line in drawn] == ["run", "measured"] * 2
    assert [line.get_marker() for line in drawn] == ["o"] * 4
    plain = compared(basin, {**OUTLET, "file": basin.hours_csv("q.csv", basin.discharge[:9])})
    assert figures.series(plain, plain.stations[0]).axes[-1].lines[0].get_marker() == "None"


@pytest.mark.parametrize("width", [60, 80, 200])
def test_names_are_legible_on_a_narrow_screen_and_the_first_scores_whole(basin: Stations, width: int) -> None:
    file = basin.hours_csv("q.csv", basin.discharge + 1.0)
    runs = {"an-experiment-of-2019": basin.run_folder, "reference": basin.run_folder}
    long = {**OUTLET, "name": "gauge at the bridge below the town", "gauge": "bridge", "file": file}
    table = screen_table(compared(basin, {**OUTLET, "file": file}, long, **runs))
    screen = Console(width=width, file=StringIO(), record=True)
    screen.print(table.rich(width))
    text = screen.export_text()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert [word in text for word in ("discharge", "bridge", "KGE")] == [True] * 3, text
    assert ("NSE" in text) == (width > 60)
    assert ("β" in text) == (width == 200)


@pytest.mark.slow
def test_beside_a_reference_both_are_scored_and_its_report_stays_as_it_is(basin: Stations) -> None:
    reference = basin.make_run("reference", discharge=1.1 * basin.discharge)
    path = basin.observations({**OUTLET, "file": basin.hours_csv("q.csv", basin.discharge)})
    plain = basin.report(reference, basin.run_folder)
    both = basin.report(reference, basin.run_folder, "--observations", path)
    assert both == plain
    assert not any("one run" in note for note in plain["notes"])
    folder = basin.folder / "report"
    scores = json.loads((folder / "observations.json").read_text())["stations"][0]["scores"]
    assert scores["run"]["all"]["kge"] == pytest.approx(1.0)
    assert scores["reference"]["all"]["percent_bias"] == pytest.approx(10.0)
    assert 'href="observations.html"' in (folder / "report.html").read_text()
    assert 'href="report.html"' in (folder / "observations.html").read_text()
    same = basin.report(basin.run_folder, basin.run_folder / ".")
    assert any(note.startswith("reference and run are one run, ") for note in same["notes"])


@pytest.mark.slow
def test_the_function_compares_as_the_command(basin: Stations) -> None:
    path = basin.observations({**OUTLET, "file": basin.hours_csv("q.csv", basin.discharge)})
    found = rootzone.evaluate(None, basin.run_folder, observations=path)
    assert found.stations["outlet"]["scores"]["run"]["all"]["nse"] == 1.0
    assert (found.met, found.files, found.summary) == (None, [], {})
    assert "outlet: discharge" in repr(found)
    with pytest.raises(rootzone.ConfigError, match="neither is given"):
        rootzone.evaluate(None, basin.run_folder)
    with pytest.raises(rootzone.ConfigError, match="compare with a reference"):
        rootzone.evaluate(None, basin.run_folder, observations=path, thresholds={"water_table": "1 m"})


@pytest.mark.slow
def test_nothing_is_written_after_a_mistake(basin: Stations) -> None:
    path = basin.observations({**OUTLET, "file": basin.write("q.csv", *HOURLY, "2020-01-01 02:00,4")})
    target = basin.folder / "nothing"
    basin.refuses(
        "observations.yaml:4", "q.csv:5", "twice",
        arguments=(basin.run_folder, "--observations", path, "--output", target),
    )  # fmt: skip
    assert not target.exists()
    for arguments, words in (
        ((basin.run_folder,), "a run without a REFERENCE is compared with --observations"),
        ((), "Missing argument 'RUN'"),
        ((basin.run_folder, "--observations", path, "--initial", "x.nc"), "--initial: without effect"),
    ):
        result = basin.evaluate(*arguments)
        assert result.exit_code == 2
        assert words in result.output


@pytest.mark.slow
def test_a_reference_without_the_variable_is_left_out_and_this_is_said(basin: Stations) -> None:
    reference = basin.run("bare", basin.depth[:, None, None] * np.ones((1, 2, 3)), np.ones((HOURS, 2, 3)))
    path = basin.observations({**OUTLET, "file": basin.hours_csv("q.csv", basin.discharge)})
    with drawing(False):
        result = basin.evaluate(reference, basin.run_folder, "--observations", path)
    assert result.exit_code == 0, result.output
    assert "note: outlet: reference is left out" in result.output


@pytest.mark.slow
def test_discharge_at_the_gauges_of_both_runs_is_compared(basin: Stations) -> None:
    """With noise, by the definitions; the name of the bridge is known to one of them only."""
    noisy = 1.1 * basin.discharge * np.exp(0.2 * np.random.default_rng(3).standard_normal(HOURS))
    reference, run = basin.make_run("truth"), basin.make_run("noisy", noisy)
    with netCDF4.Dataset(run / "fluxes.nc", "a") as data:
        data["point_name"][1] = "ford"
    report = basin.report(reference, run, figures={"hydrographs"})
    assert list(report["discharge"]) == ["outlet"]
    found = report["discharge"]["outlet"]["noisy"]
    peak = found.pop("peak")
    agree(found, expected_scores(noisy, basin.discharge))
    largest = int(np.argmax(basin.discharge))
    assert peak["time"] == str(START + HOUR * largest + HOUR // 2)
    assert peak["reference"] == basin.discharge[largest]
    folder = basin.folder / "report"
    assert (folder / "figures" / "hydrographs.png").stat().st_size > 10_000
    assert 'id="discharge"' in (folder / "report.html").read_text()
    with drawing(False):
        printed = basin.evaluate(reference, run).output
    assert "Discharge beside the reference" in printed
    assert re.search(rf"outlet, noisy .*{found['kge']:.3g}", printed)


@pytest.mark.slow
def test_discharge_that_one_run_lacks_is_told(basin: Stations) -> None:
    depth, latent = basin.depth[:, None, None] * np.ones((1, 2, 3)), np.ones((HOURS, 2, 3))
    report = basin.report(basin.run("without", depth, latent), basin.run_folder)
    assert "discharge" not in report
    assert "No discharge is compared: run has written it every hour, reference has not." in report["notes"]


def test_every_key_of_a_station_is_in_the_guide() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    table = guide.partition("| key of a station |")[2].partition("\n\n")[0]
    named = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert named == set(StationConfig.model_fields)
    assert all(f"`{key}`" in guide for key in KINDS)
