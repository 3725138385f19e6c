"""The verdict, the windows, thresholds, densities and the series on disk, against cases worked out by hand."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bmi_common import ConfigError
from rootzone.evaluation import scratch
from rootzone.evaluation.cells import positions
from rootzone.evaluation.histogram import Histogram, LogBins, power_law
from rootzone.evaluation.scratch import Scratch
from rootzone.evaluation.variables import parse_thresholds
from rootzone.evaluation.verdict import DAY, FAILING, AcceptanceVerdict, criteria, describe, judge
from rootzone.evaluation.windows import windows

SMALL = 0.001


def judged(error: object, bound: object = None, threshold: float | None = None) -> AcceptanceVerdict:
    e = np.asarray(error, dtype=float)
    b = None if bound is None else np.asarray(bound, dtype=float)
    return judge(e, b, threshold, SMALL, np.arange(e.shape[-1]))


def some_hours(length: int, *failing: int) -> np.ndarray:
    error = np.zeros(length)
    error[list(failing)] = 1.0
    return error


def test_an_hour_holds_below_both_limits() -> None:
    got = judged([0.1, 0.3, 0.1, 0.3], [0.2, 0.4, 0.05, 0.2], threshold=0.2)
    assert (got.hours, got.below_bound, got.below_threshold, got.held) == (4, 2, 2, 1)
    assert got.first_failure == 1


def test_the_threshold_itself_is_acceptable_the_bound_is_not() -> None:
    assert judged([0.2], threshold=0.2).held == 1
    assert judged([0.2], [0.2]).held == 0


def test_errors_too_small_to_matter_are_below_any_bound_but_not_below_any_threshold() -> None:
    assert judged([SMALL], [0.0]).held == 1
    assert judged([2 * SMALL], [0.0]).held == 0
    assert judged([SMALL], [0.0], threshold=0.5 * SMALL).held == 0


def test_a_run_that_always_holds_has_no_failure() -> None:
    got = judged(np.zeros(100), np.ones(100))
    assert got.held == 100
    assert np.isnan([got.first_failure, got.horizon, got.fails_for_good]).all()


def test_single_failures_do_not_finish_the_horizon() -> None:
    got = judged(some_hours(200, 50, 80, 110, 140), threshold=0.5)
    assert got.first_failure == 50
    assert np.isnan(got.horizon)
    assert np.isnan(got.fails_for_good)


def test_a_failing_day_finishes_the_horizon() -> None:
    failing = [30, *range(100, 100 + FAILING)]
    assert judged(some_hours(200, *failing), threshold=0.5).horizon == 100
    assert np.isnan(judged(some_hours(200, *failing[:-1]), threshold=0.5).horizon)


def test_the_failures_of_a_day_need_not_follow_one_another() -> None:
    spread_out = [100 + 4 * i for i in range(FAILING)]
    assert spread_out[-1] < 100 + DAY
    assert judged(some_hours(200, *spread_out), threshold=0.5).horizon == 100
    too_wide = [100 + 5 * i for i in range(FAILING)]
    assert too_wide[-1] >= 100 + DAY
    assert np.isnan(judged(some_hours(200, *too_wide), threshold=0.5).horizon)


def test_each_limit_has_a_horizon_of_its_own() -> None:
    error = np.full(100, 0.3)
    bound, high = np.ones(100), np.zeros(100)
    bound[20:] = 0.1
    high[60:] = 0.5
    got = judged(error + high, bound, threshold=0.5)
    assert (got.bound_horizon, got.threshold_horizon, got.horizon) == (20, 60, 20)
    alone = judged(error + high, threshold=0.5)
    assert np.isnan(alone.bound_horizon)
    assert alone.horizon == alone.threshold_horizon == 60


def test_what_fails_until_the_end_fails_for_good() -> None:
    got = judged(some_hours(100, 20, *range(90, 100)), threshold=0.5)
    assert (got.first_failure, got.horizon, got.fails_for_good) == (20, 90, 90)
    assert judged(np.ones(10), threshold=0.5).fails_for_good == 0


def test_times_count_the_hours_of_gaps() -> None:
    error = some_hours(60, *range(40, 60))
    hour = np.concatenate([np.arange(30), 100 + np.arange(30)])
    got = judge(error, None, 0.5, SMALL, hour)
    assert (got.hours, got.horizon) == (60, 110)


def test_cells_are_judged_one_by_one() -> None:
    errors = np.stack([some_hours(100), some_hours(100, *range(10, 30)), np.ones(100)])
    got = judged(errors, threshold=0.5)
    assert got.held.tolist() == [100, 80, 0]
    np.testing.assert_array_equal(got.horizon, [np.nan, 10, 0])


def test_a_verdict_needs_something_to_judge_by() -> None:
    with pytest.raises(ValueError, match="bound or a threshold"):
        judged([1.0])
    with pytest.raises(ValueError, match="at least one"):
        judged([], threshold=1.0)


def test_the_verdict_in_words() -> None:
    assert describe(judged(np.zeros(100), threshold=0.5), 100) == "holds in all 100 hours"
    assert "single hours" in describe(judged(some_hours(100, 4), threshold=0.5), 100)
    words = describe(judged(some_hours(240, *range(72, 240)), threshold=0.5), 240)
    assert words == "holds in 72 of 240 hours; may be trusted for 3 days of 10 days"


@pytest.mark.parametrize(
    ("length", "failing", "met"),
    [(5, 0, True), (5, 5, None), (23, 5, None), (23, 6, False), (24, 5, True), (24, 6, False)],
)
def test_a_criterion_is_met_where_no_day_fails(length: int, failing: int, met: bool | None) -> None:
    verdict = judged(some_hours(length, *range(failing)), threshold=0.5)
    (found,) = criteria({"water_table": verdict}, {"water_table": "0.5 m"}, length)
    assert found.met is met
    assert found.outcome == {True: "met", False: "NOT MET", None: "too short to say"}[met]
    assert "0.5 m" in found.note


@given(hnp.arrays(np.float64, st.integers(1, 80), elements=st.floats(0, 2)), st.floats(0.1, 1.5))
def test_the_three_times_are_in_order(error: np.ndarray, threshold: float) -> None:
    got = judged(error, threshold=threshold)
    first, horizon, good = (np.inf if np.isnan(v) else v for v in (got.first_failure, got.horizon, got.fails_for_good))
    assert first <= horizon
    assert first <= good
    looser = judged(error, threshold=2.0 * threshold)
    assert looser.held >= got.held


# ---------------------------------------------------------------------- thresholds


def test_thresholds_are_converted() -> None:
    got = parse_thresholds(["water_table=50 cm", "latent_heat=0.02kW m-2", "soil_moisture = 2 percent"])
    assert got == pytest.approx({"water_table": 0.5, "latent_heat": 20.0, "soil_moisture": 0.02})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("water_table=0.5", "no units; water table depth is in m"),
        ("water_table=0.5 K", "do not convert"),
        ("water_table=0.5 parsec2", "water table depth is in m"),
        ("water_table=half a metre", "not a positive number"),
        ("water_table=-1m", "not a positive number"),
        ("water_table=0m", "not a positive number"),
        ("water_table=1.2.3m", "not a positive number"),
        ("watertable=1m", "did you mean 'water_table'"),
        ("water_table 1m", "VARIABLE=NUMBER UNITS"),
        ("latent_heat=1 furlongs per fortnight per", "is no unit"),
    ],
)
def test_wrong_thresholds_are_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match="threshold") as caught:
        parse_thresholds([text])
    assert words in str(caught.value)
    assert text in str(caught.value)


def test_two_thresholds_of_one_variable_are_refused() -> None:
    with pytest.raises(ConfigError, match="already"):
        parse_thresholds(["water_table=1m", "water_table=2m"])


# ---------------------------------------------------------------------- windows


def hours_of(number: int) -> np.ndarray:
    return np.datetime64("2020-01-01T00:00:00", "s") + np.timedelta64(3600, "s") * np.arange(1, number + 1)


def test_windows_cover_the_period() -> None:
    found = windows(hours_of(100), timedelta(hours=24))
    assert [w.name for w in found[:4]] == ["whole period", "early", "middle", "late"]
    assert [w.hours for w in found[:4]] == [100, 33, 34, 33]
    assert [(w.part.start, w.part.stop) for w in found[4:]] == [(0, 24), (24, 48), (48, 72), (72, 96)]
    assert (str(found[5].begin), str(found[5].end)) == ("2020-01-02T00:00:00", "2020-01-03T00:00:00")


def test_a_remainder_counts_if_it_is_half_a_segment() -> None:
    assert len(windows(hours_of(84), timedelta(hours=24))) == 4 + 4
    assert len(windows(hours_of(83), timedelta(hours=24))) == 4 + 3
    assert [w.hours for w in windows(hours_of(10), timedelta(hours=24))][-1] == 10


def test_records_of_a_window_leave_out_gaps() -> None:
    hour = np.array([0, 1, 2, 30, 31, 60])
    second = windows(hours_of(72), timedelta(hours=24))[5]
    assert positions(second, hour) == slice(3, 5)


# ---------------------------------------------------------------------- densities


def test_pairs_are_counted_in_their_bins() -> None:
    density = Histogram(LogBins(0, 2), LogBins(-1, 1))
    density.add(np.array([1.05, 50.0, 0.0, np.nan]), np.array([0.11, 1e9, 0.0, 1.0]))
    assert density.total == 3
    assert density.counts[0, 0] == 2  # 0 counts in the first bin
    assert density.counts[density.x.index(np.array([50.0]))[0], -1] == 1


def test_quantiles_of_a_density_are_those_of_its_values() -> None:
    rng = np.random.default_rng(0)
    y = 10.0 ** rng.normal(0.0, 0.7, 40_000)
    density = Histogram(LogBins(-1, 1), LogBins(-5, 5))
    density.add(np.ones(len(y)), y)
    for probability in (0.1, 0.5, 0.9):
        # a bin is a twentieth of a decade wide
        assert density.quantile_of_all(probability) == pytest.approx(np.quantile(y, probability), rel=0.03)
    there = density.quantile(0.5, least=100)
    assert np.isfinite(there).sum() == 1


def test_a_power_law_is_found() -> None:
    rng = np.random.default_rng(1)
    x = 10.0 ** rng.uniform(-3.0, 1.0, 100_000)
    density = Histogram(LogBins(-4, 2), LogBins(-5, 5))
    density.add(x, 7.0 * x**0.6 * 10.0 ** rng.normal(0.0, 0.3, len(x)))
    law = power_law(density)
    assert law.slope == pytest.approx(0.6, abs=0.02)
    assert law.factor == pytest.approx(7.0, rel=0.05)
    assert law.r2 > 0.99
    assert law.span == pytest.approx([1e-3, 10.0], rel=0.15)


def test_too_few_bins_have_no_power_law() -> None:
    density = Histogram(LogBins(-4, 2), LogBins(-5, 5))
    density.add(np.ones(1000), np.ones(1000))
    assert np.isnan(power_law(density).slope)


# ---------------------------------------------------------------------- series on disk


@given(st.integers(1, 7), st.lists(st.integers(1, 90), min_size=1, max_size=8))
def test_series_come_back_as_they_went(columns: int, blocks: list[int]) -> None:
    rng = np.random.default_rng(0)
    values = [rng.random((n, columns)).astype(np.float32).astype(float) for n in blocks]
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        series = Scratch(Path(folder) / "series", columns)
        for block in values:
            series.append(block)
        every = np.concatenate(values).T
        assert series.records == every.shape[1]
        np.testing.assert_array_equal(series.series(slice(0, columns)), every)
        np.testing.assert_array_equal(series.series(slice(columns // 2, columns)), every[columns // 2 :])


def test_no_more_than_a_block_waits_in_memory(tmp_path: Path) -> None:
    series = Scratch(tmp_path / "series", 3)
    for _ in range(4 * scratch.HOURS):
        series.append(np.ones((1, 3)))
    assert (tmp_path / "series").stat().st_size == 4 * scratch.HOURS * 3 * 4
