"""The project's yardsticks in benchmarks/, judged from reports on small runs whose errors are known."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
from evaluation_cases import Years, a_day, field

from rootzone.evaluation.verdict import Criterion

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "yardsticks.py"


@pytest.fixture(scope="module")
def yardsticks():
    spec = importlib.util.spec_from_file_location("yardsticks", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def judged(tmp_path: Path, yardsticks):
    """Return the runs' maker and what judges a report on them."""
    years = Years(tmp_path)

    def judge(*arguments: object, limits: str = "structured") -> list[Criterion]:
        years.report(*arguments)
        return yardsticks.judge(tmp_path / "report", yardsticks.YARDSTICKS[limits])

    return years, judge


def criterion(found: list[Criterion], start: str) -> Criterion:
    (one,) = [c for c in found if c.criterion.startswith(start)]
    return one


def test_a_run_better_than_all_baselines_meets_the_criteria(judged) -> None:
    years, judge = judged
    hours = 150 * 24
    rng = np.random.default_rng(0)
    noise = 0.001 * rng.standard_normal((hours, 1, 1))
    reference = years.run("reference", field(hours, 3.0), a_day(hours))
    run = years.run("run", field(hours, 3.0) + noise, a_day(hours) + 0.1)
    bound = years.run("bound", field(hours, 3.4), a_day(hours) + 1.0)
    found = judge(reference, run, "--free-drainage", bound)
    below = [c for c in found if "free drainage" in c.criterion]
    assert len(below) == 3
    assert all(c.met for c in below)
    latent = next(c for c in below if "latent" in c.criterion)
    assert latent.value == pytest.approx(0.1)
    assert all(c.met for c in found), found


def test_a_storage_error_that_grows_is_found(judged) -> None:
    years, judge = judged
    hours = 150 * 24
    drift = np.linspace(0.0, 0.01, hours)[:, None, None]
    reference = years.run("reference", field(hours, 3.0), a_day(hours))
    run = years.run("run", field(hours, 3.0) + drift, a_day(hours))
    everything = judge(reference, run)
    slope = criterion(everything, "slope")
    assert slope.met is False
    assert slope.value > 0.0
    assert criterion(everything, "median water table error, worst").met is True


def test_an_error_that_stays_as_it_is_does_not_grow(judged) -> None:
    years, judge = judged
    hours = 150 * 24
    reference = years.run("reference", field(hours, 3.0), a_day(hours))
    slope = criterion(judge(reference, years.run("run", field(hours, 3.0), a_day(hours))), "slope")
    assert (slope.value, slope.limit, slope.met) == (0.0, 0.0, True)


def test_one_bad_hour_fails_the_median(judged) -> None:
    years, judge = judged
    depth = field(48, 3.0)
    depth[30] += 0.05
    reference = years.run("reference", field(48, 3.0), a_day(48))
    found = criterion(judge(reference, years.run("run", depth, a_day(48))), "median water table error, worst")
    assert found.value == pytest.approx(0.05)
    assert found.met is False
    assert "2020-01-02T07:00" in found.note


def test_a_run_as_bad_as_the_bound_is_not_below_it(judged) -> None:
    years, judge = judged
    reference = years.run("reference", field(48, 3.0), a_day(48))
    run = years.run("run", field(48, 3.1), a_day(48) + 1.0)
    found = judge(reference, run, "--free-drainage", run)
    below = criterion(found, "24 h mean of the median error of water table")
    assert below.value == pytest.approx(1.0)
    assert below.met is False
    assert "24 of 24 hours" in below.note


def test_hours_in_which_neither_has_an_error_do_not_count_against_the_run(judged) -> None:
    years, judge = judged
    depth = field(96, 3.0)
    depth[72:] = 3.2
    reference = years.run("reference", field(96, 3.0), a_day(96))
    bound = years.run("bound", depth, a_day(96) + 1.0)
    better = years.run("better", 0.5 * (depth + 3.0), a_day(96) + 0.5)
    worse = years.run("worse", field(96, 3.001), a_day(96) + 0.5)
    title = "24 h mean of the median error of water table"
    below = criterion(judge(reference, better, "--free-drainage", bound), title)
    assert below.value == pytest.approx(0.5)
    assert "of 24 hours" in below.note  # of 72
    assert criterion(judge(reference, worse, "--free-drainage", bound), title).met is False


def test_segments_are_judged_against_their_own_hours(judged) -> None:
    years, judge = judged
    depth = field(96, 3.0) + np.arange(96)[:, None, None] * 0.01
    reference = years.run("reference", depth, a_day(96))
    run = years.run("run", depth, a_day(96))
    segment = years.run("segment", depth[48:72] + 0.003, a_day(24) * 1.1, start="2020-01-03")
    found = judge(reference, run, "--segment", segment)
    assert criterion(found, "1 segments: median").value == pytest.approx(0.003)
    assert criterion(found, "1 segments: KGE").value == pytest.approx(1.0 - np.sqrt(0.02))  # alpha, beta 1.1


def test_the_limits_of_the_other_architecture_are_looser(judged) -> None:
    years, judge = judged
    reference = years.run("reference", field(48, 3.0), a_day(48))
    run = years.run("run", field(48, 3.05), a_day(48))
    assert not all(c.met for c in judge(reference, run))
    assert all(c.met for c in judge(reference, run, limits="predrnn"))


def test_the_script_says_by_its_exit_code_whether_all_is_met(
    judged, yardsticks, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    years, judge = judged
    reference = years.run("reference", field(48, 3.0), a_day(48))
    judge(reference, years.run("run", field(48, 3.05), a_day(48)))
    arguments = ["yardsticks.py", str(years.folder / "report"), "--strict"]
    monkeypatch.setattr("sys.argv", [*arguments, "--limits", "predrnn"])
    yardsticks.main()
    assert "| met |" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", arguments)
    with pytest.raises(SystemExit, match="1"):
        yardsticks.main()
    assert "| NOT MET |" in capsys.readouterr().out
