"""The report of bmi-evaluate on small runs made by hand: verdict, maps, gaps, other kinds of input, mistakes."""

import base64
import json
import re
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import netCDF4
import numpy as np
import pytest
import xarray as xr
from evaluation_cases import COLUMNS, INACTIVE, LAYERS, NX, NY, Years, a_day, at_rest, drawing, field
from parflow.tools.io import write_pfb

from bmi_common import ConfigError, Domain, DomainConfig
from rootzone.evaluation import cells, predictions, windows
from rootzone.evaluation.evaluate import Wanted, evaluate, name_of
from rootzone.evaluation.reanalysis import reanalysis

pytestmark = pytest.mark.slow

DAYS = 4
HOURS = 24 * DAYS


@pytest.fixture
def years(tmp_path: Path) -> Years:
    return Years(tmp_path)


@pytest.fixture
def four_days(years: Years) -> tuple[Years, tuple[object, ...]]:
    """A run that is half a metre off from the second day on in one column of cells, and a bound that is 2 m off."""
    depth = field(HOURS, 3.0) + 0.01 * np.arange(HOURS)[:, None, None]
    off = depth.copy()
    off[24:, :, 0] += 0.5
    rain = np.repeat([0.0, 1.0, 3.0, 0.0], 24)
    reference = years.run("reference", depth, a_day(HOURS), rain=rain)
    run = years.run("run", off, a_day(HOURS) + 5.0, rain=rain)
    bound = years.run("bound", depth + 2.0, a_day(HOURS) + 50.0)
    return years, (reference, run, "--free-drainage", bound, "--segment-length", "24h")


def fields(years: Years) -> netCDF4.Dataset:
    return netCDF4.Dataset(years.folder / "report" / "evaluation.nc")


def test_the_verdict_is_per_variable_for_the_domain_and_for_cells(four_days: tuple) -> None:
    years, arguments = four_days
    report = years.report(*arguments, "--threshold", "water_table=20cm", "--threshold", "latent_heat=10 W m-2")
    table = report["verdict"]["water_table"]
    # three of five columns are right, so the median is
    assert (table["hours"], table["hours_held"], table["threshold"]) == (HOURS, HOURS, pytest.approx(0.2))
    assert table["cells"]["count"] == COLUMNS
    assert table["cells"]["horizon_reached_end"] == 3
    assert table["cells"]["held_always"] == 3
    assert table["cells"]["share_of_hours_held"] == pytest.approx((3 + 2 * 0.25) / 5)
    assert report["verdict"]["latent_heat"]["in_words"] == f"holds in all {HOURS} hours"
    assert report["verdict"]["soil_moisture"]["threshold"] is None
    with fields(years) as data:
        np.testing.assert_array_equal(data["water_table_horizon"][:, 0], [24, 24])
        assert np.ma.getmaskarray(data["water_table_horizon"][:, 2]).all()
        assert data["water_table_held"][1].tolist() == [24, HOURS, HOURS]
        assert np.ma.is_masked(data["water_table_held"][INACTIVE])
        assert "0.2 m" in data["water_table_held"].threshold


def test_maps_and_windows(four_days: tuple) -> None:
    years, arguments = four_days
    report = years.report(*arguments)
    names = [w["name"] for w in report["windows"]]
    assert names == ["whole period", "early", "middle", "late", "segment 1", "segment 2", "segment 3", "segment 4"]
    with fields(years) as data:
        assert data["window_name"][:].tolist() == names
        np.testing.assert_allclose(data["water_table_bias"][names.index("segment 2"), :, 0], 0.5, rtol=1e-5)
        np.testing.assert_allclose(data["water_table_bias"][0, :, 0], 0.5 * 0.75, rtol=1e-5)
        np.testing.assert_allclose(data["water_table_bias"][names.index("segment 1")].compressed(), 0.0, atol=1e-6)
        np.testing.assert_allclose(data["water_table_spearman"][0].compressed(), 1.0, atol=1e-6)
        np.testing.assert_allclose(data["latent_heat_rmse"][0].compressed(), 5.0, rtol=1e-5)
        mean = data["water_table_reference"][0, 1, 2]
        assert mean == pytest.approx(3.0 + 0.01 * (HOURS - 1) / 2)
        assert data["time"].units == "hours since 2020-01-01 00:00:00"
        np.testing.assert_array_equal(data["time"][:], np.arange(1, HOURS + 1))


def test_stages_end_where_the_user_says(four_days: tuple) -> None:
    years, arguments = four_days
    windows = {w["name"]: w for w in years.report(*arguments, "--stages", "10h,2d")["windows"]}
    assert [windows[name]["hours"] for name in ("early", "middle", "late")] == [10, 38, 48]
    for wrong, words in (("2d,10h", "the second larger"), ("90min,2d", "whole hours"), ("1d,9d", "has 96 h")):
        years.refuses(words, arguments=(*arguments, "--stages", wrong))


def test_hours_after_a_time_do_not_count(four_days: tuple) -> None:
    years, arguments = four_days
    report = years.report(*arguments, "--until", "2020-01-02T00:00")
    assert [w["hours"] for w in report["windows"] if w["name"] == "whole period"] == [24]
    assert report["verdict"]["latent_heat"]["in_words"] == "holds in all 24 hours"
    assert "72 hours after 2020-01-02T00:00:00 do not count (--until)." in report["notes"]
    for wrong, words in (("2020-01-01T00:30", "no hour in common before"), ("noon", "--until: noon is not a time")):
        years.refuses(words, arguments=(*arguments, "--until", wrong))


@pytest.mark.parametrize(("hours", "limits"), [(8760, (2500, 6000)), (8784, (2500, 6000)), (300, (100, 200))])
def test_stages_of_a_year_are_those_of_the_method_and_else_thirds(hours: int, limits: tuple[int, int]) -> None:
    times = np.datetime64("2020-01-01T00", "s") + np.arange(1, hours + 1) * np.timedelta64(3600, "s")
    stages = [w.part for w in windows.windows(times, timedelta(hours=720)) if w.kind == "stage"]
    assert [(part.start, part.stop) for part in stages] == [(0, limits[0]), limits, (limits[1], hours)]


def test_a_year_has_twelve_segments() -> None:
    times = np.datetime64("2020-01-01T00", "s") + np.arange(1, 8761) * np.timedelta64(3600, "s")
    assert sum(w.kind == "segment" for w in windows.windows(times, timedelta(hours=720))) == 12


def test_the_segment_of_the_most_variable_rain_is_found(years: Years) -> None:
    rain = np.concatenate([np.full(24, 5.0), np.tile([0.0, 6.0], 12), np.zeros(24)])
    reference = years.run("reference", field(72, 3.0), a_day(72), rain=rain)
    wanted = Wanted(reference, reference, segment_length=timedelta(hours=24))
    assert evaluate(wanted).showers.name == "segment 2"  # not the one with the most rain


def test_the_map_of_free_drainage_is_what_it_has_more_than_the_reference(four_days: tuple, tmp_path: Path) -> None:
    _, (reference, run, _, bound, *_) = four_days
    (tmp_path / "scratch").mkdir()
    found = evaluate(Wanted(reference, run, bound), tmp_path / "scratch")
    cells = found.cells["latent_heat"]
    np.testing.assert_allclose(cells.bound - cells.reference, 50.0, rtol=1e-5)


def test_a_run_is_called_as_its_folder_unless_that_name_is_taken(tmp_path: Path) -> None:
    assert name_of(tmp_path / "my-run") == "my-run"
    assert name_of(tmp_path / "free_drainage") == "run"


def test_precipitation_of_segments(four_days: tuple) -> None:
    years, arguments = four_days
    windows = {w["name"]: w["precipitation"] for w in years.report(*arguments)["windows"]}
    assert windows["segment 3"] == pytest.approx({"mean": 3.0, "deviation": 0.0, "total": 72.0})
    assert windows["whole period"]["mean"] == pytest.approx(1.0)
    assert windows["whole period"]["deviation"] == pytest.approx(np.std([0.0, 1.0, 3.0, 0.0]))


def test_precipitation_of_another_file(years: Years) -> None:
    reference = years.run("reference", field(24, 3.0), a_day(24))
    weather = years.folder / "weather.nc"
    with netCDF4.Dataset(weather, "w") as data:
        data.createDimension("time", 30)
        data.createDimension("n", 2)
        time = data.createVariable("time", "f8", ("time",))
        time.setncatts({"units": "hours since 2019-12-31 22:00:00", "bounds": "bounds"})
        time[:] = np.arange(30.0)  # starts of the hours
        data.createVariable("bounds", "f8", ("time", "n"))[:] = np.stack([np.arange(30.0), np.arange(1.0, 31.0)], 1)
        for name, units, share in (("rainfall_flux", "mm h-1", 0.75), ("snowfall_flux", "kg m-2 s-1", 0.25 / 3600.0)):
            fell = data.createVariable(name, "f8", ("time",))
            fell.setncatts({"standard_name": name, "units": units})
            fell[:] = share * np.arange(30.0)
    years.report(reference, reference, "--precipitation", weather)
    with fields(years) as data:
        np.testing.assert_allclose(data["precipitation"][:], np.arange(2.0, 26.0))
        assert data["precipitation_mean"][0] == pytest.approx(13.5)


def test_errors_of_layers_and_quantiles(four_days: tuple) -> None:
    years, arguments = four_days
    years.report(*arguments)
    with fields(years) as data:
        # two of five columns are off: the median is not, the 90 % quantile is
        np.testing.assert_allclose(data["head_layers_error"][30, :, 2], 0.0, atol=1e-6)
        np.testing.assert_allclose(data["head_layers_error"][30, :, 4], 0.5, rtol=1e-5)
        assert data["soil_moisture_layers_error"].shape == (HOURS, 10, 5)
        np.testing.assert_allclose(data["water_table_error_of_bound"][:], 2.0, rtol=1e-5)
        assert data["water_table_error_by_depth"][:].sum() == HOURS * COLUMNS
        counted = sum(data[f"latent_heat_error_by_water_table_error_{r}"][:].sum() for r in ("intermediate", "shallow"))
        assert counted == HOURS * COLUMNS


def test_agreement_of_domain_means_for_each_pair(four_days: tuple) -> None:
    years, arguments = four_days
    pairs = {(p["variable"], p["simulated"]): p for p in years.report(*arguments)["domain_mean"]}
    assert pairs["latent_heat", "free drainage"]["bias"] == pytest.approx(50.0)
    assert pairs["latent_heat", "run"]["kge"] == pytest.approx(1.0 - 5.0 / a_day(HOURS).mean())
    assert pairs["latent_heat", "run"]["spearman"] == pytest.approx(1.0, abs=1e-3)  # rounding breaks ties
    assert pairs["water_table", "run"]["mae"] == pytest.approx(0.4 * 0.5 * 0.75, rel=1e-5)


def test_the_page_needs_no_other_file(four_days: tuple) -> None:
    years, arguments = four_days
    years.report(*arguments, "--name", "a <b> & c", figures={"verdict", "segments", "maps_water_table"})
    page = (years.folder / "report" / "report.html").read_text()
    images = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    drawn = sorted((years.folder / "report" / "figures").glob("*.png"))
    assert len(images) == len(drawn) == 3
    assert sorted(base64.b64decode(i) for i in images) == sorted(p.read_bytes() for p in drawn)
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "a &lt;b&gt; &amp; c" in page
    assert "a <b>" not in page
    assert "trusted for all 4 days" in page


def test_the_cards_say_what_the_criteria_say(four_days: tuple) -> None:
    years, arguments = four_days
    good, bad = (years.run(n, field(24, 3.0 + d), a_day(24)) for n, d in (("good_segment", 0.0), ("bad_segment", 9.0)))
    thresholds = ("--threshold", "water_table=20cm", "--threshold", "latent_heat=1 W m-2")
    report = years.report(*arguments, *thresholds, "--segment", good, "--segment", bad)
    page = (years.folder / "report" / "report.html").read_text()
    cards = re.findall(r'<div class="card (good|bad)"><h3>([^<]+)</h3>', page)
    rows = re.findall(r'<td class="text">([^<]+)</td><td>[^<]+</td><td>[^<]+</td><td class="text (met|unmet)">', page)
    criteria = report["criteria"]
    assert {c["met"] for c in criteria} == {True, False}
    assert {c["kind"] for c in criteria} == {"horizon", "segments"}
    assert report["met"] is False
    assert [kind == "good" for kind, _ in cards] == [c["met"] for c in criteria]
    assert rows == [(c["criterion"], "met" if c["met"] else "unmet") for c in criteria]
    for (_, title), criterion in zip(cards, criteria, strict=True):
        assert title.lower().startswith(criterion["criterion"].partition(":")[0])
    markdown = (years.folder / "report" / "report.md").read_text()
    assert markdown.count("| NOT MET |") == sum(not c["met"] for c in criteria)
    shown = years.evaluate(*arguments, *thresholds, "--segment", good, "--segment", bad).output
    assert shown.count("NOT MET") == sum(not c["met"] for c in criteria)


def test_without_bound_and_threshold_there_is_no_verdict(years: Years) -> None:
    reference = years.run("reference", field(24, 3.0), a_day(24))
    assert years.report(reference, reference)["verdict"] == {}
    assert "No verdict" in (years.folder / "report" / "report.html").read_text()


def test_the_verdict_is_printed(four_days: tuple) -> None:
    years, arguments = four_days
    shown = years.evaluate(*arguments).output
    assert "Criteria" in shown
    assert "holds in all 96" in shown
    assert shown.count("NOT MET") == 0
    assert not (years.folder / "report").exists()


def test_blocks_change_nothing(four_days: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    years, arguments = four_days
    whole = years.report(*arguments)
    monkeypatch.setattr(predictions, "BLOCK_VALUES", 7 * 11 * NY * NX)
    monkeypatch.setattr(cells, "BLOCK_VALUES", 2 * HOURS)
    assert years.report(*arguments) == whole
    assert not list(years.folder.rglob("*.f32"))


# ---------------------------------------------------------------------- gaps


def test_gaps_are_left_as_gaps(years: Years) -> None:
    hour = np.concatenate([np.arange(1, 31), np.arange(41, 61)])
    depth = 3.0 + 0.01 * hour[:, None, None] + field(len(hour), 0.0)
    reference = years.run("reference", 3.0 + 0.01 * np.arange(1, 61)[:, None, None] + field(60, 0.0), a_day(60))
    run = years.run("run", depth + 0.1, a_day(60)[hour - 1], hours=hour)
    report = years.report(reference, run)
    assert (report["compared_hours"], report["period_hours"]) == (50, 60)
    assert any("10 in between missing" in note for note in report["notes"])
    assert report["errors"]["run"]["water_table_median"] == pytest.approx(0.1)
    with fields(years) as data:
        gap = np.ma.getmaskarray(data["water_table_error"][:, 2])
        np.testing.assert_array_equal(np.flatnonzero(gap), np.arange(30, 40))
        np.testing.assert_allclose(data["water_table_error"][:, 2].compressed(), 0.1, rtol=1e-5)


def test_hours_that_only_one_has_are_named(years: Years) -> None:
    reference = years.run("reference", field(48, 3.0), a_day(48))
    run = years.run("run", field(48, 3.0), a_day(48), start="2020-01-02")
    report = years.report(reference, run)
    assert report["compared_hours"] == 24
    assert sum("24 of them have no counterpart" in note for note in report["notes"]) == 2
    # the state at the start of what is compared, not of the reference
    assert report["errors"]["persistence"]["water_table_median"] == 0.0


def test_a_bound_with_fewer_hours_is_refused(years: Years) -> None:
    reference = years.run("reference", field(48, 3.0), a_day(48))
    bound = years.run("bound", field(40, 3.0), a_day(40))
    years.refuses("bound", "lacks 8 of the 48 hours", "2020-01-02T17:00",
                  arguments=(reference, reference, "--free-drainage", bound))  # fmt: skip


# ---------------------------------------------------------------------- a run of ParFlow


def parflow_run(years: Years, depth: np.ndarray, numbers: list[int], name: str = "parflow") -> Path:
    folder = years.folder / name
    folder.mkdir()
    for number, head in zip(numbers, at_rest(depth), strict=True):
        write_pfb(str(folder / f"basin.out.press.{number:05d}.pfb"), head, p=1, q=1, r=1, dx=1.0, dy=1.0, dz=1.0)
    return folder


def test_the_reference_may_be_a_run_of_parflow(years: Years) -> None:
    reference = parflow_run(years, field(49, 3.0), list(range(49)))
    run = years.run("run", field(48, 3.2), a_day(48))
    report = years.report(reference, run, "--threshold", "water_table=10cm", "--threshold", "latent_heat=1 W m-2")
    assert report["compared_hours"] == 48
    assert report["errors"]["run"]["water_table_median"] == pytest.approx(0.2, rel=1e-5)
    assert report["errors"]["run"]["latent_heat_efficiency"] is None
    assert report["verdict"]["water_table"]["horizon_hours"] == 0
    assert "latent_heat" not in report["verdict"]
    assert report["errors"]["persistence"]["water_table_median"] == pytest.approx(0.0, abs=1e-6)
    with fields(years) as data:
        assert "water_table_bias" in data.variables
        assert "latent_heat_bias" not in data.variables


def test_missing_dumps_are_gaps(years: Years) -> None:
    reference = parflow_run(years, field(20, 3.0), [*range(10), *range(15, 25)])
    run = years.run("run", field(24, 3.2), a_day(24))
    report = years.report(
        reference, run, "--threshold", "water_table=1m", figures={"maps_water_table", "maps_latent_heat"}
    )
    drawn = {p.stem for p in (years.folder / "report" / "figures").glob("*.png")}
    assert "maps_water_table" in drawn
    assert "maps_latent_heat" not in drawn
    assert (report["compared_hours"], report["period_hours"]) == (19, 24)


def test_the_start_of_a_run_of_parflow_may_be_given(years: Years) -> None:
    reference = parflow_run(years, field(25, 3.0), list(range(25)))
    run = years.run("run", field(24, 3.2), a_day(24))
    assert years.report(reference, run, "--start", "2020-01-01T12:00")["compared_hours"] == 12
    years.refuses("no hour in common", arguments=(reference, run, "--start", "2021-01-01"))
    years.refuses("--start", "not a time", arguments=(reference, run, "--start", "noon"))


def test_a_run_of_parflow_on_another_grid_is_refused(years: Years) -> None:
    reference = parflow_run(years, np.full((3, NY, NX + 1), 3.0), [0, 1, 2])
    run = years.run("run", field(24, 3.2), a_day(24))
    years.refuses("(11, 2, 4) cells, the domain (11, 2, 3)", arguments=(reference, run))


# ---------------------------------------------------------------------- a reanalysis


def era5(years: Years, hours: int = 48, units: str = "J m**-2", lat: tuple[float, ...] = (10.1, 10.0)) -> Path:
    """ERA5-Land as it is distributed: north first, totals since 00 UTC, downward positive."""
    path = years.folder / f"era5_{hours}.nc"
    with netCDF4.Dataset(path, "w") as data:
        for name, size in (("valid_time", hours + 1), ("latitude", len(lat)), ("longitude", 2)):
            data.createDimension(name, size)
        time = data.createVariable("valid_time", "i8", ("valid_time",))
        time.units = "seconds since 1970-01-01"
        start = int(np.datetime64("2020-01-01T00:00", "s").astype(int))
        time[:] = start + 3600 * np.arange(hours + 1)
        data.createVariable("latitude", "f8", ("latitude",))[:] = lat
        data.createVariable("longitude", "f8", ("longitude",))[:] = [20.0, 20.1]
        shape = ("valid_time", "latitude", "longitude")
        water = data.createVariable("swvl1", "f4", shape)
        water.units = "m**3 m**-3"
        water[:] = 0.3
        flux = data.createVariable("slhf", "f8", shape)
        flux.units = units
        upward = a_day(hours)[:, 0, 0] * 3600.0
        total = np.zeros(hours + 1)
        for h in range(1, hours + 1):
            total[h] = (total[h - 1] if (h - 1) % 24 else 0.0) - upward[h - 1]
        flux[:] = total[:, None, None]
    return path


def test_a_reanalysis_stands_beside_the_runs(years: Years) -> None:
    reference = years.run("reference", field(48, 3.0), a_day(48) + 7.0)
    report = years.report(reference, reference, "--reanalysis", era5(years))
    pairs = {(p["variable"], p["simulated"], p["reference"]): p for p in report["domain_mean"]}
    flux = pairs["latent_heat", "run", "reanalysis"]
    assert (flux["bias"], flux["r"]) == pytest.approx((7.0, 1.0), rel=1e-4)
    assert ("soil_moisture", "reference", "reanalysis") in pairs
    assert any("mean over all 4 cells" in note for note in report["notes"])
    with fields(years) as data:
        np.testing.assert_allclose(data["latent_heat_mean_reanalysis"][:], a_day(48)[:, 0, 0], rtol=1e-3)
        np.testing.assert_allclose(data["soil_moisture_mean_reanalysis"][:], 0.3, rtol=1e-5)


def domain_at(latitude: float, longitude: float) -> Domain:
    spec = {
        "grid": {"nx": NX, "ny": NY, "dx": 100.0, "dy": 100.0},
        "layers": LAYERS,
        "porosity": 0.4,
        "van_genuchten": {"alpha": 1.0, "n": 2.0, "residual_saturation": 0.0},
        "latitude": latitude,
        "longitude": longitude,
    }
    return Domain.load(DomainConfig.model_validate(spec))


def test_columns_take_the_nearest_cell_of_the_reanalysis(years: Years) -> None:
    path = era5(years)
    with netCDF4.Dataset(path, "a") as data:
        data["swvl1"][:] = [[0.1, 0.2], [0.3, 0.4]]  # north first
        data["longitude"][:] = [-340.0, -339.9]  # 20 and 20.1 degrees east
    times = np.datetime64("2020-01-01T00:00:00", "s") + np.timedelta64(3600, "s") * np.arange(1, 25)
    for at, expected in (((10.09, 20.01), 0.1), ((10.0, 20.09), 0.4)):
        got = reanalysis(path, times, domain_at(*at))
        np.testing.assert_allclose(got.means["soil_moisture"], expected, rtol=1e-6)
        assert "nearest" in got.method
    with pytest.raises(ConfigError, match=r"reaches from 10 to 10\.1 N.*domain from 45 to 45 N"):
        reanalysis(path, times, domain_at(45.0, 20.0))


def test_a_reanalysis_with_columns_before_rows_is_refused(years: Years) -> None:
    path = years.folder / "transposed.nc"
    with xr.open_dataset(era5(years)) as data:  # as many columns as rows
        data.transpose("valid_time", "longitude", "latitude").to_netcdf(path)
    times = np.datetime64("2020-01-01T01:00:00", "s") + np.timedelta64(3600, "s") * np.arange(24)
    with pytest.raises(ConfigError, match=r"dimensions \(time, latitude, longitude\)"):
        reanalysis(path, times, domain_at(10.0, 20.0))


def test_hours_that_the_reanalysis_lacks_stay_gaps(years: Years) -> None:
    times = np.datetime64("2020-01-02T12:00:00", "s") + np.timedelta64(3600, "s") * np.arange(24)
    flux = reanalysis(era5(years), times, domain_at(10.0, 20.0)).means["latent_heat"]
    np.testing.assert_allclose(flux[:13], a_day(48)[35:, 0, 0], rtol=1e-6)
    assert np.isnan(flux[13:]).all()


def test_wrong_reanalyses_are_refused(years: Years) -> None:
    reference = years.run("reference", field(48, 3.0), a_day(48))
    later = years.run("later", field(48, 3.0), a_day(48), start="2021-01-01")
    years.refuses("slhf", "'W m-2'", arguments=(reference, reference, "--reanalysis", era5(years, units="W m-2")))
    years.refuses("none of the compared hours", arguments=(later, later, "--reanalysis", era5(years)))
    years.refuses("swvl1", arguments=(reference, reference, "--reanalysis", reference / "head.nc"))


# ---------------------------------------------------------------------- mistakes


def test_mistakes_write_nothing(years: Years) -> None:
    reference = years.run("reference", field(24, 3.0), a_day(24))
    out = years.folder / "out"
    for words, arguments in (
        (("threshold", "no units"), ("--threshold", "water_table=1")),
        (("threshold", "do not convert"), ("--threshold", "water_table=1 K")),
        (("--segment-length", "is not a length of time"), ("--segment-length", "720")),
        (("--segment-length", "whole number of hours"), ("--segment-length", "90min")),
        (("nowhere",), ("--free-drainage", years.folder / "nowhere")),
        (("no precipitation",), ("--precipitation", reference / "head.nc")),
        (("--name: 'reference'",), ("--name", "reference")),
    ):
        years.refuses(*words, arguments=(reference, reference, "--output", out, *arguments))
        assert not out.exists()
    before = sorted(years.folder.rglob("*"))
    depth = field(24, 3.0)
    depth[5, 1, 2] = np.nan
    broken = years.run("broken", depth, a_day(24))
    before = sorted(years.folder.rglob("*"))
    years.refuses("head.nc", arguments=(reference, broken, "--output", out))
    assert sorted(years.folder.rglob("*")) == before


def test_a_run_is_read_without_the_files_of_its_components(years: Years) -> None:
    reference = years.run("reference", field(24, 3.0), a_day(24))
    run = years.run("run", field(24, 3.0), a_day(24))
    record = run / "run.yaml"
    record.write_text(record.read_text().replace("groundwater.yaml", "gone.yaml"))
    assert years.report(reference, run)["errors"]["run"]["water_table_median"] == 0.0


# ---------------------------------------------------------------------- short runs, failures


@pytest.mark.parametrize("hours", [1, 5])
def test_a_run_of_any_length_has_a_verdict_and_figures(years: Years, hours: int) -> None:
    rain = np.arange(hours, dtype=float)
    reference = years.run("reference", field(hours, 3.0), a_day(hours), rain=rain)
    run = years.run("run", field(hours, 3.2), a_day(hours) + 5.0, rain=rain)
    bound = years.run("bound", field(hours, 5.0), a_day(hours) + 50.0)
    earlier = years.run("earlier", field(48, 3.0), a_day(48))
    arguments = (reference, run, "--free-drainage", bound, "--segment-length", "1h", "--segment", run)
    thresholds = ("--threshold", "water_table=10cm", "--climatology", earlier)
    few = {"verdict", "domain_means", "water_table_error", "segments", "segments_water_table", "showers"}
    report = years.report(*arguments, *thresholds, figures=few if hours > 1 else True)
    assert {key: of["hours_held"] for key, of in report["verdict"].items()} == {
        "water_table": 0.0,  # 20 cm
        "soil_moisture": hours,
        "latent_heat": hours,
    }
    assert report["errors"]["run"]["water_table_median"] == pytest.approx(0.2)
    assert report["windows"][0]["precipitation"]["total"] == pytest.approx(rain.sum())
    assert len([w for w in report["windows"] if w["kind"] == "segment"]) == hours
    drawn = {p.stem for p in (years.folder / "report" / "figures").glob("*.png")}
    assert {"verdict", "domain_means", "water_table_error"} <= drawn


def test_a_single_record_without_bounds_need_not_be_an_hour(years: Years) -> None:
    run = years.run("run", field(1, 3.0), a_day(1))
    with netCDF4.Dataset(run / "head.nc", "a") as data:
        data["time_bounds"][0, 0] = -23.0
    years.refuses("head.nc", "no hourly records", arguments=(run, run))


def test_an_evaluation_that_fails_leaves_its_folder_as_it_was(years: Years) -> None:
    reference = years.run("reference", field(3, 3.0), a_day(3))
    run = years.run("run", field(3, 3.2), a_day(3))
    before = sorted(years.folder.rglob("*"))
    with patch("rootzone.evaluation.writing.draw_all", side_effect=OSError("no room")):
        result = years.evaluate(reference, run, "--output", years.folder / "report")
    assert (result.exit_code, "no room" in result.output) == (2, True)
    assert sorted(years.folder.rglob("*")) == before
    years.report(reference, run)
    good = {p: p.read_bytes() for p in (years.folder / "report").rglob("*") if p.is_file()}
    with patch("rootzone.evaluation.writing.draw_all", side_effect=OSError("no room")):
        years.evaluate(reference, reference, "--output", years.folder / "report")
    assert {p: p.read_bytes() for p in (years.folder / "report").rglob("*") if p.is_file()} == good


def test_rain_of_other_intervals_than_hours_is_not_taken_for_hours(years: Years) -> None:
    reference = years.run("reference", field(6, 3.0), a_day(6))
    weather = years.folder / "weather.nc"
    with netCDF4.Dataset(weather, "w") as data:
        data.createDimension("time", 12)
        time = data.createVariable("time", "f8", ("time",))
        time.units = "minutes since 2020-01-01"
        time[:] = 30.0 * np.arange(1, 13)
        fell = data.createVariable("pr", "f8", ("time",))
        fell.setncatts({"standard_name": "precipitation_flux", "units": "mm h-1"})
        fell[:] = np.arange(12.0)
    years.refuses("weather.nc: pr has no hourly", arguments=(reference, reference, "--precipitation", weather))


def test_the_water_that_a_run_has_lost_and_gained_is_told_in_both_ways(years: Years) -> None:
    reference = years.run("reference", field(3, 3.0), a_day(3))
    run = years.run("run", field(3, 3.2), a_day(3))
    with netCDF4.Dataset(run / "water_balance.nc", "w") as data:
        data.createDimension("time", None)
        data.createVariable("time", "f8", ("time",)).units = "hours since 2020-01-01 00:00:00"
        for name, values in (("residual", [5.0, -3.0, 2.0, 999.0]), ("turnover", [10.0, 20.0, 10.0, 999.0])):
            data.createVariable(name, "f8", ("time",))[:] = values
        data["time"][:] = np.arange(1, 5)  # the last hour is not compared
    report = years.report(reference, run)
    assert report["water_balance"] == {"net_residual_m3": 4.0, "absolute_residual_m3": 10.0, "turnover_m3": 40.0}
    told = "unexplained: 4 m3 net (10 % of the 40 m3 turned over), 10 m3 (25 %) if nothing cancels"
    assert told in (years.folder / "report" / "report.html").read_text()


# ---------------------------------------------------------------------- error control


def with_control(run: Path, decisions: list[dict[str, object]]) -> None:
    """Put the record of an audit into the folder of a run."""
    (run / "error_control.json").write_text(json.dumps({"decisions": decisions}))
    with netCDF4.Dataset(run / "error_control.nc", "w") as data:
        data.createDimension("time", None)
        data.createVariable("time", "f8", ("time",)).units = "hours since 2020-10-01 00:00:00"
        deviation = data.createVariable("audit_water_table", "f8", ("time",), fill_value=np.nan)
        deviation.units = "m"
        data["time"][:] = np.arange(1, HOURS + 1)
        deviation[:] = np.where(np.arange(HOURS) < 24, 0.03, np.nan)


RESYNC = {
    "time": "2020-10-02T00:00:00",
    "by": "audit",
    "action": "resync",
    "reason": "beyond the threshold: water_table 0.03 of 0.02 m",
    "found": {"water_table": 0.03},
    "limits": {"water_table": 0.02},
}


def test_what_error_control_did_is_in_the_report(four_days: tuple) -> None:
    years, arguments = four_days
    with_control(arguments[1], [RESYNC])
    assert years.report(*arguments, figures={"error_control", "verdict"})["error_control"] == [RESYNC]
    page = (years.folder / "report" / "report.html").read_text()
    assert "beyond the threshold: water_table 0.03 of 0.02 m" in page
    assert (years.folder / "report" / "figures" / "error_control.png").stat().st_size > 5000


def test_a_run_without_error_control_has_no_such_section(four_days: tuple) -> None:
    years, arguments = four_days
    assert "error_control" not in years.report(*arguments)
    assert "Error control" not in (years.folder / "report" / "report.html").read_text()


def test_a_damaged_record_of_error_control_is_named(four_days: tuple) -> None:
    years, arguments = four_days
    (arguments[1] / "error_control.json").write_text("{")
    years.refuses("what error control has left there cannot be read", arguments=arguments)


# ---------------------------------------------------------------- the folder


def test_an_evaluation_is_replaced_when_asked_and_files_of_the_users_stay(four_days: tuple) -> None:
    years, arguments = four_days
    years.report(*arguments, "--threshold", "water_table=20cm", figures={"verdict"})
    out = years.folder / "report"
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    years.refuses("holds an evaluation already", "--overwrite", arguments=(*arguments, "--output", out))
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    (out / "figures" / "mine.png").write_text("mine")
    years.report(*arguments)  # without figures
    assert [p.name for p in (out / "figures").iterdir()] == ["mine.png"]


@pytest.mark.parametrize("name", ["report.html", "thesis.tex"])
def test_a_folder_of_the_users_takes_no_evaluation(four_days: tuple, name: str) -> None:
    years, arguments = four_days
    (years.folder / "report").mkdir()
    (years.folder / "report" / name).write_text("mine")
    for more in ((), ("--overwrite",)):
        years.refuses(
            "is not empty and holds no evaluation", arguments=(*arguments, "--output", years.folder / "report", *more)
        )
    assert [p.name for p in (years.folder / "report").iterdir()] == [name]


def test_an_evaluation_that_fails_while_it_is_drawn_leaves_the_earlier_one(
    four_days: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    years, arguments = four_days
    years.report(*arguments)
    before = {p: p.read_bytes() for p in (years.folder / "report").rglob("*") if p.is_file()}

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("rootzone.evaluation.writing.page.write", full)
    with drawing({"segments"}):
        years.refuses("no space left", arguments=(*arguments, "--output", years.folder / "report", "--overwrite"))
    assert {p: p.read_bytes() for p in (years.folder / "report").rglob("*") if p.is_file()} == before


def test_an_evaluation_does_not_remove_what_it_reads(four_days: tuple) -> None:
    years, arguments = four_days
    years.report(*arguments)
    weather = years.folder / "report" / "evaluation.nc"
    given = (*arguments, "--precipitation", weather, "--output", years.folder / "report", "--overwrite")
    years.refuses("evaluation.nc: is read by the evaluation that is to begin", arguments=given)
    assert weather.exists()
