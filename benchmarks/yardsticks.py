"""What this project asks of its own surrogates in a year beside full physics, judged from a report of bmi-evaluate.

    python benchmarks/yardsticks.py output/demo_training/report
    python benchmarks/yardsticks.py REPORT --limits predrnn --strict

The report must be of a run beside free drainage (`--free-drainage`). Errors must hold in the worst hour, not in the
mean. "Below free drainage" is the worst ratio of the two 24 h running means from hour 25 on; hours in which neither has
any error do not count. Exit code 1 with --strict if a criterion is not met.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rootzone.evaluation.growth import growth
from rootzone.evaluation.metrics import running_mean
from rootzone.evaluation.report.tables import criteria_table
from rootzone.evaluation.verdict import Criterion, Relation

Array = NDArray[np.float64]
Hourly = Mapping[str, Array]
Times = NDArray[np.datetime64]

DAY = 24


@dataclass(frozen=True)
class Yardstick:
    """Limits of a run beside full physics; None leaves the criterion out.

    Attributes
    ----------
    median, high : float
        Median and 90 % absolute water table error of any hour [m].
    efficiency : float
        Kling-Gupta efficiency of the domain-mean latent heat.
    storage : float, optional
        Mean absolute column storage error [mm].
    of_persistence : float, optional
        Largest share of persistence's median water table error, means over the period.
    below_bound, no_growth : bool
        Whether the running means of the median errors must stay below free drainage's; whether the storage error must
        not grow.
    segment_median, segment_efficiency : float, optional
        Median water table error of any hour [m], and efficiency, of runs restarted from the reference's state.
    """

    median: float
    efficiency: float
    high: float | None = None
    storage: float | None = None
    of_persistence: float | None = None
    below_bound: bool = False
    no_growth: bool = False
    segment_median: float | None = None
    segment_efficiency: float | None = None


YARDSTICKS: Mapping[str, Yardstick] = {
    "structured": Yardstick(
        median=0.02,
        efficiency=0.995,
        high=0.10,
        storage=10.0,
        of_persistence=1.0 / 3.0,
        below_bound=True,
        no_growth=True,
        segment_median=0.005,
        segment_efficiency=0.9995,
    ),
    "predrnn": Yardstick(median=0.10, efficiency=0.985),
}
"""What is asked of the default surrogate, and of the improved PredRNN."""

_MEDIANS = {
    "water table": "water_table_median",
    "root-zone saturation": "saturation_median",
    "latent heat": "latent_heat_median",
}


def judge(folder: Path, yardstick: Yardstick) -> list[Criterion]:
    """Judge the run of a report.

    Parameters
    ----------
    folder : Path
        Folder with ``report.json`` and ``hourly_errors.csv``.
    yardstick : Yardstick
        What is asked of the run.
    """
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    times, hourly = read_hourly(folder / "hourly_errors.csv")
    name = next(iter(report["errors"]))
    errors, mine = report["errors"][name], hourly[name]
    found = [_worst("median water table error, worst hour [m]", mine["water_table_median"], yardstick.median, times)]
    if yardstick.high is not None:
        title = "90 % water table error, worst hour [m]"
        found.append(_worst(title, mine["water_table_high"], yardstick.high, times, "<"))
    efficiency = _number(errors["latent_heat_efficiency"])
    found.append(_criterion("KGE of domain-mean latent heat", efficiency, ">=", yardstick.efficiency))
    if yardstick.storage is not None:
        title = "mean column storage error, worst hour [mm]"
        found.append(_worst(title, mine["storage_mean"], yardstick.storage, times))
    if yardstick.below_bound and "free drainage" in hourly:
        found += [_below(title, mine[m], hourly["free drainage"][m]) for title, m in _MEDIANS.items()]
    if yardstick.of_persistence is not None:
        persistence = hourly["persistence"]["water_table_median"]
        found.append(_share(mine["water_table_median"], persistence, yardstick.of_persistence))
    if yardstick.no_growth:
        trend = growth(times, mine["storage_mean"])
        note = f"{len(trend.months)} months; the limit is the slope significant at 95 %"
        title = "slope of the storage error after the first month [mm/month]"
        found.append(_criterion(title, trend.slope, "<=", trend.limit, note))
    return found + _segments(report["segments"], yardstick)


def read_hourly(path: Path) -> tuple[Times, dict[str, dict[str, Array]]]:
    """Read the times and, by source and measure, the series of ``hourly_errors.csv``; NaN where there is none."""
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    times = np.array([row[0] for row in rows], dtype="datetime64[s]")
    hourly: dict[str, dict[str, Array]] = {}
    for i, column in enumerate(head[1:], 1):
        source, _, measure = column.rpartition(".")
        hourly.setdefault(source, {})[measure] = np.array([_number(row[i] or None) for row in rows])
    return times, hourly


def _segments(segments: list[dict[str, Any]], yardstick: Yardstick) -> list[Criterion]:
    errors, found = [s["errors"] for s in segments], []
    if errors and yardstick.segment_median is not None:
        worst = max(e["water_table_median_worst"] for e in errors)
        title = f"{len(errors)} segments: median water table error, worst hour [m]"
        found.append(_criterion(title, worst, "<=", yardstick.segment_median))
    if errors and yardstick.segment_efficiency is not None:
        least = min(_number(e["latent_heat_efficiency"]) for e in errors)
        title = f"{len(errors)} segments: KGE of domain-mean latent heat, worst segment"
        found.append(_criterion(title, least, ">=", yardstick.segment_efficiency))
    return found


def _worst(title: str, series: Array, limit: float, times: Times, relation: Relation = "<=") -> Criterion:
    at = int(np.argmax(series))
    note = f"at {times[at].astype('datetime64[m]')}; mean over the hours {series.mean():.3g}"
    return _criterion(title, float(series[at]), relation, limit, note)


def _below(title: str, mine: Array, bound: Array) -> Criterion:
    """Largest ratio of the running means; the running mean of an hour holds the 23 hours before it."""
    a, b = running_mean(mine, DAY)[DAY:], running_mean(bound, DAY)[DAY:]
    title = f"24 h mean of the median error of {title} over free drainage's, from the second day on, worst"
    if not len(a):
        return _criterion(title, np.nan, "<", 1.0, "shorter than a day")
    judged = (a > 0.0) | (b > 0.0)  # where both are exact, such as under ponded water, there is nothing to undercut
    if not judged.any():
        return _criterion(title, np.nan, "<", 1.0, "neither has any error")
    ratio = np.divide(a[judged], b[judged], out=np.full(int(judged.sum()), np.inf), where=b[judged] > 0.0)
    note = f"{int((ratio >= 1.0).sum())} of {len(ratio)} hours not below"
    return _criterion(title, float(ratio.max()), "<", 1.0, note)


def _share(mine: Array, persistence: Array, limit: float) -> Criterion:
    title = "median water table error over persistence's, means over the hours"
    if persistence.mean() == 0.0:
        return _criterion(title, np.inf, "<=", limit, "persistence has no error")
    note = f"above in {int((mine > limit * persistence).sum())} of {len(mine)} hours"
    return _criterion(title, float(mine.mean() / persistence.mean()), "<=", limit, note)


def _criterion(title: str, value: float, relation: Relation, limit: float, note: str = "") -> Criterion:
    return Criterion("yardstick", "", title, value, relation, limit, note)


def _number(value: float | str | None) -> float:
    return float("nan") if value is None else float(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report", type=Path)
    parser.add_argument("--limits", choices=list(YARDSTICKS), default="structured")
    parser.add_argument("--strict", action="store_true")
    arguments = parser.parse_args()
    found = judge(arguments.report, YARDSTICKS[arguments.limits])
    print(criteria_table(found).markdown(), end="")
    if arguments.strict and not all(criterion.met for criterion in found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
