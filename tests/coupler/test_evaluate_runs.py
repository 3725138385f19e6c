"""bmi-evaluate on small files made by hand, whose errors are known."""

import csv
import shutil
from pathlib import Path
from types import SimpleNamespace

import netCDF4
import numpy as np
import pytest
from evaluation_cases import CENTRES, COLUMNS, INACTIVE, LAYERS, NX, NY, TOP, Years, a_day, field

from bmi_common import ConfigError, Domain, DomainConfig, load_config
from bmi_common.run_records import LATENT_HEAT
from rootzone.evaluation import predictions
from rootzone.evaluation.evaluate import Wanted, evaluate
from rootzone.evaluation.growth import growth
from rootzone.evaluation.records import netcdf_records

pytestmark = pytest.mark.slow


@pytest.fixture
def years(tmp_path: Path) -> Years:
    return Years(tmp_path)


def test_a_run_that_is_the_reference_has_no_error(years: Years) -> None:
    reference = years.run("reference", field(72, 3.0), a_day(72))
    run = years.run("run", field(72, 3.0), a_day(72))
    errors = years.report(reference, run)["errors"]["run"]
    assert errors["water_table_median_worst"] == errors["storage_worst"] == errors["saturation_rms"] == 0.0
    assert errors["latent_heat_efficiency"] == pytest.approx(1.0)


def test_errors_are_those_of_the_columns_that_take_part(years: Years) -> None:
    shift = np.array([[0.1, 99.0, 0.2], [0.3, -0.4, 0.5]])  # 99 in the cell outside
    reference = years.run("reference", field(30, 3.0), a_day(30))
    run = years.run("run", field(30, 3.0) + shift, a_day(30) + 7.0)
    errors = years.report(reference, run)["errors"]
    assert errors["run"]["water_table_median"] == pytest.approx(0.3)
    assert errors["run"]["water_table_high"] == pytest.approx(np.quantile([0.1, 0.2, 0.3, 0.4, 0.5], 0.9))
    assert errors["run"]["latent_heat_median"] == pytest.approx(7.0)
    assert errors["run"]["latent_heat_bias"] == pytest.approx(1.0 + 7.0 / a_day(30).mean())
    assert errors["persistence"]["water_table_median"] == pytest.approx(1.0)  # it started at 2 m


def test_storage_and_saturation_follow_from_the_retention_curve(years: Years) -> None:
    reference = years.run("reference", field(24, 3.0), a_day(24))
    run = years.run("run", field(24, 3.5), a_day(24))
    errors = years.report(reference, run)["errors"]["run"]

    def wetness(depth: float) -> np.ndarray:
        head = np.minimum(TOP - depth - CENTRES, 0.0)
        return (1.0 + head**2) ** -0.5  # alpha 1 per metre, n 2

    less = wetness(3.5) - wetness(3.0)
    assert errors["storage"] == pytest.approx(-1000.0 * 0.4 * float(np.dot(LAYERS, less)))
    assert errors["storage_bias_end"] == pytest.approx(-errors["storage"])
    assert errors["saturation_rms"] == pytest.approx(np.sqrt((less[-10:] ** 2).mean()))
    assert errors["saturation_mean"] == pytest.approx(np.abs(less[-10:]).mean())


def test_storage_of_a_saturated_column_is_its_pores_and_its_pond(years: Years) -> None:
    head = np.full((len(LAYERS), COLUMNS), 0.5)
    head[-1] = np.linspace(0.0, 0.4, COLUMNS)
    domain = Domain.load(load_config(years.folder / "domain.yaml", DomainConfig))
    assert predictions.column_storage(head, domain) == pytest.approx(0.4 * TOP + head[-1])


def test_the_hourly_errors_are_written(years: Years) -> None:
    drift = 0.01 * np.arange(1, 49)[:, None, None]
    reference = years.run("reference", field(48, 3.0), a_day(48))
    run = years.run("run", field(48, 3.0) + drift, a_day(48))
    years.report(reference, run, figures={"errors"})
    with (years.folder / "report" / "hourly_errors.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [rows[i]["time"] for i in (0, -1)] == ["2020-01-01T01:00", "2020-01-03T00:00"]
    np.testing.assert_allclose([float(r["run.water_table_median"]) for r in rows], drift[:, 0, 0], rtol=1e-5)
    assert float(rows[0]["reference.water_table_depth"]) == pytest.approx(3.0)
    assert (years.folder / "report" / "errors.png").stat().st_size > 10_000


@pytest.mark.parametrize("head", [1e300, -1e8])
def test_heads_and_fluxes_that_no_run_has_are_refused(years: Years, head: float) -> None:
    reference = years.run("reference", field(48, 3.0), a_day(48))
    depth = field(48, 3.0)
    depth[30, 1, 2] = -head
    run = years.run("run", depth, a_day(48))
    years.refuses(
        "head.nc: soil_water__pressure_head, record ending 2020-01-02 07:00: must lie between",
        "between -10000000 and 10000 m, got ",
        "in the active cell (k=0, j=1, i=2)",
        arguments=(reference, run),
    )
    latent = a_day(48)
    latent[5, 0, 0] = 1e5
    run = years.run("hot", field(48, 3.0), latent)
    years.refuses("must lie between -10000 and 10000 W m-2, got 100000", arguments=(reference, run))


def test_reading_in_blocks_changes_nothing(years: Years, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    reference = years.run("reference", 3.0 + rng.random((50, NY, NX)), a_day(50) + rng.random((50, NY, NX)))
    run = years.run("run", 3.0 + rng.random((50, NY, NX)), a_day(50) + rng.random((50, NY, NX)))
    arguments = (reference, run, "--climatology", reference)
    whole = years.report(*arguments)["errors"]
    monkeypatch.setattr(predictions, "BLOCK_VALUES", 7 * len(LAYERS) * NY * NX)
    assert [len(range(*b.indices(50))) for b in predictions.blocks(50, (len(LAYERS), NY, NX))] == [7] * 7 + [1]
    in_blocks = years.report(*arguments)["errors"]
    for name, errors in whole.items():
        # the climatology's sums are added up in another order
        for measure, value in errors.items():
            expected = value if value is None else pytest.approx(value, rel=1e-9, abs=1e-12)
            assert in_blocks[name][measure] == expected, (name, measure)


def test_the_climatology_is_the_mean_of_the_month_and_for_latent_heat_of_its_hour(years: Years) -> None:
    hours = (31 + 29) * 24
    depth = field(hours, 4.0)
    depth[: 15 * 24] = 2.0  # of 31 days of January
    known = years.run("known", depth, a_day(hours))
    reference = years.run("reference", field(48, 3.0), a_day(48), start="2021-01-01")
    run = years.run("run", field(48, 3.0), a_day(48), start="2021-01-01")
    errors = years.report(reference, run, "--climatology", known)["errors"]["climatology"]
    assert errors["water_table_median"] == pytest.approx(abs((15 * 2.0 + 16 * 4.0) / 31 - 3.0))
    assert errors["latent_heat_efficiency"] == pytest.approx(1.0)  # every day is the same


def test_persistence_repeats_the_latent_heat_of_the_day_before(years: Years) -> None:
    known = years.run("known", field(72, 3.0), a_day(72) + np.repeat([0.0, 0.0, 5.0], 24)[:, None, None])
    reference = years.run("reference", field(48, 3.0), a_day(48), start="2020-01-04")
    run = years.run("run", field(48, 3.0), a_day(48), start="2020-01-04")
    errors = years.report(reference, run, "--climatology", known)["errors"]["persistence"]
    assert errors["latent_heat_median"] == pytest.approx(5.0)
    assert years.report(reference, run)["errors"]["persistence"]["latent_heat_median"] is None


def test_months_that_are_missing_do_not_make_an_error_grow_faster() -> None:
    times = np.datetime64("2020-01-01T01:00", "s") + np.timedelta64(1, "h") * np.arange(366 * 24)
    month = (times - np.timedelta64(1, "h")).astype("datetime64[M]").astype(int) % 12
    there = ~np.isin(month, (3, 4, 5, 8))  # neither April to June nor September
    found = growth(times[there], 0.5 * month[there])
    assert found.slope == pytest.approx(0.5)
    assert found.months[2:4] == ("2020-07", "2020-08")


def test_persistence_behind_a_gap_of_the_reference_is_its_last_state_before_the_period(years: Years) -> None:
    hours = np.array([1.0, 2.0, 10.0, 11.0])
    reference = years.run("reference", field(4, 3.0) + hours[:, None, None], a_day(4), hours=hours)
    run = years.run("run", field(2, 3.0), a_day(2), hours=hours[2:])
    errors = years.report(reference, run)["errors"]["persistence"]
    assert errors["water_table_median"] == pytest.approx(8.5)  # 10 and 11 h behind the 2nd, not behind the 0th


def test_other_layers_of_the_same_number_are_refused(years: Years) -> None:
    reference = years.run("reference", field(3, 3.0), a_day(3))
    run = years.run("run", field(3, 3.0), a_day(3))
    with netCDF4.Dataset(run / "head.nc", "a") as data:
        data.createVariable("layer_thickness", "f8", ("z",))[:] = [4.0, 1.0, 1.0, 1.25, 0.75] + 6 * [1.0]
    years.refuses("run: layer 3", "1.25 m", "1 m", arguments=(reference, run))


def test_hours_of_segments_count_in_the_progress(years: Years) -> None:
    depth = field(72, 3.0)
    reference, run = (years.run(name, depth, a_day(72)) for name in ("reference", "run"))
    parts = tuple(years.run(f"part{d}", depth[:24], a_day(24), start=f"2020-01-0{d}") for d in (1, 2))
    told: list[tuple[int, int, str]] = []
    evaluate(Wanted(reference=reference, run=run, segments=parts), progress=lambda *of: told.append(of))
    assert [done for done, _, _ in told] == [24, 48, 120]
    assert {(total, words) for _, total, words in told} == {(120, "hours")}


def test_cells_count_in_the_progress_after_the_hours(years: Years) -> None:
    reference = years.run("reference", field(24, 3.0), a_day(24))
    told: list[tuple[int, int, str]] = []
    evaluate(Wanted(reference, reference), scratch=years.folder, progress=lambda *of: told.append(of))
    assert told == [(24, 24, "hours"), *((n * COLUMNS, 3 * COLUMNS, "cells") for n in (1, 2, 3))]


@pytest.mark.parametrize(("depth", "told"), [(2.0, 0), (3.0, 1)])
def test_a_segment_that_began_from_another_state_is_told(years: Years, depth: float, told: int) -> None:
    reference = years.run("reference", field(48, depth), a_day(48))
    segment = years.run("part", field(24, depth), a_day(24), start="2020-01-02")  # its record begins at 2 m
    notes = evaluate(Wanted(reference, reference, segments=(segment,))).notes
    found = [note for note in notes if "began from heads that are" in note]
    assert len(found) == told
    assert all(note.startswith("segment 1, ") and " 1 m rms" in note for note in found)


def test_all_segments_are_checked_before_the_first_is_compared(years: Years, monkeypatch: pytest.MonkeyPatch) -> None:
    depth = field(24, 3.0)
    reference = years.run("reference", depth, a_day(24))
    later = years.run("later", depth, a_day(24), start="2020-02-01")
    monkeypatch.setattr("rootzone.evaluation.evaluate.aggregate", lambda *_, **__: pytest.fail("compared"))
    with pytest.raises(ConfigError, match=r"later.*not all in the reference"):
        evaluate(Wanted(reference=reference, run=reference, segments=(reference, later)))


def test_a_disk_without_room_for_the_series_is_told_before_anything_is_compared(
    years: Years, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = years.run("reference", field(24, 3.0), a_day(24))
    needed = 3 * 2 * COLUMNS * 24 * 4
    usage = SimpleNamespace(free=needed - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    output = years.folder / "report"
    with monkeypatch.context() as m:
        m.setattr("rootzone.evaluation.evaluate.aggregate", lambda *_, **__: pytest.fail("compared"))
        years.refuses("report: ", "make room", arguments=(reference, reference, "--output", output))
    assert not output.exists()
    usage.free = needed
    years.report(reference, reference)


def test_segments_are_judged_against_the_threshold_and_their_own_hours(years: Years) -> None:
    depth = field(96, 3.0) + np.arange(96)[:, None, None] * 0.01
    reference = years.run("reference", depth, a_day(96))
    run = years.run("run", depth, a_day(96))
    segment = years.run("segment", depth[48:72] + 0.003, a_day(24) * 1.1, start="2020-01-03")
    arguments = (reference, run, "--segment", segment, "--threshold")
    report = years.report(*arguments, "water_table=5mm")
    (found,) = report["segments"]
    assert (found["hours"], found["first"]) == (24, "2020-01-03T01:00:00")
    assert found["errors"]["water_table_median_worst"] == pytest.approx(0.003)
    assert found["errors"]["latent_heat_efficiency"] == pytest.approx(1.0 - np.sqrt(0.02))  # alpha, beta 1.1
    assert [(c["kind"], c["value"], c["met"]) for c in report["criteria"]] == [
        ("horizon", 96.0, True),
        ("segments", 1.0, True),
    ]
    assert [c["met"] for c in years.report(*arguments, "water_table=1mm")["criteria"]] == [True, False]


def test_limits_of_the_project_are_no_longer_those_of_users(years: Years) -> None:
    reference = years.run("reference", field(24, 3.0), a_day(24))
    years.refuses("--threshold", "yardsticks.py", arguments=(reference, reference, "--limits", "predrnn"))


def test_strict_makes_an_unmet_criterion_the_exit_code(years: Years) -> None:
    reference = years.run("reference", field(24, 3.0), a_day(24))
    run = years.run("run", field(24, 3.2), a_day(24))
    for threshold, code in (("30cm", 0), ("10cm", 1)):
        arguments = (reference, run, "--threshold", f"water_table={threshold}")
        assert years.evaluate(*arguments).exit_code == 0
        assert years.evaluate(*arguments, "--strict").exit_code == code
    years.refuses("--strict", "--threshold", arguments=(reference, run, "--strict"))


def test_records_are_found_in_the_files_of_the_run(years: Years) -> None:
    run = netcdf_records(years.run("run", field(5, 3.0), a_day(5)))
    assert run.shape == (11, NY, NX)
    assert run.hours == 5
    mask = np.ones((NY, NX), dtype=bool)
    mask[INACTIVE] = False
    assert run.head(1, 3, mask).shape == (2, 11, COLUMNS)


# ---------------------------------------------------------------------- mistakes


def test_a_file_without_a_variable_is_refused(years: Years) -> None:
    reference = years.run("reference", field(24, 3.0), a_day(24))
    run = years.run("run", field(24, 3.0), a_day(24), without=LATENT_HEAT)
    years.refuses(str(run), LATENT_HEAT, "output", arguments=(reference, run))


def test_daily_records_are_refused(years: Years) -> None:
    reference = years.run("reference", field(24, 3.0), a_day(24))
    run = years.run("run", field(24, 3.0), a_day(24), every=24.0)
    years.refuses("head.nc", "hourly", "every: 1h", arguments=(reference, run))


def test_other_times_are_refused(years: Years) -> None:
    reference = years.run("reference", field(24, 3.0), a_day(24))
    run = years.run("run", field(24, 3.0), a_day(24), start="2020-01-02")
    years.refuses("2020-01-02T01:00", "2020-01-01T01:00", "24 hours", arguments=(reference, run))
    years.refuses("segment", "2020-01-03T00:00", arguments=(reference, reference, "--segment", run))


def test_another_grid_is_refused(years: Years) -> None:
    reference = years.run("reference", field(24, 3.0), a_day(24))
    larger = years.run("larger", np.full((24, NY, NX + 1), 3.0), np.ones((24, NY, NX + 1)))
    elsewhere = years.run("elsewhere", field(24, 3.0), a_day(24), x0=950.0)
    years.refuses("11 x 2 x 4", "11 x 2 x 3", arguments=(reference, larger))
    years.refuses("x goes from 950", arguments=(reference, elsewhere))


def test_missing_values_in_active_cells_are_refused(years: Years) -> None:
    depth = field(24, 3.0)
    depth[5, 1, 2] = np.nan
    reference = years.run("reference", field(24, 3.0), a_day(24))
    run = years.run("run", depth, a_day(24))
    years.refuses("head.nc", "2020-01-01 06:00: is nan", "j=1, i=2", arguments=(reference, run))


def test_a_month_that_the_climatology_lacks_is_refused(years: Years) -> None:
    reference = years.run("reference", field(24, 3.0), a_day(24))
    known = years.run("known", field(24, 3.0), a_day(24), start="2019-06-01")
    years.refuses("climatology", "2020-01-01", arguments=(reference, reference, "--climatology", known))


def test_what_is_no_run_is_refused(years: Years) -> None:
    reference = years.run("reference", field(24, 3.0), a_day(24))
    years.refuses("nowhere", arguments=(reference, years.folder / "nowhere"))
    years.refuses("run.yaml", arguments=(reference, years.folder))
    years.refuses("NetCDF", arguments=(reference, reference / "run.yaml"))
    years.refuses("baseline", arguments=(reference, reference, "--name", "persistence"))


def test_a_segment_without_its_first_hours_is_not_said_to_begin_elsewhere(years: Years) -> None:
    reference = years.run("reference", field(48, 3.0), a_day(48))
    segment = years.run("part", field(24, 3.0), a_day(24), hours=np.arange(25, 49))
    assert not [note for note in evaluate(Wanted(reference, reference, segments=(segment,))).notes if "began" in note]
