"""All that is known of one run beside the reference, from the statistics of hours and of cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from bmi_common import Domain
from bmi_common.calendar import HOUR, Times
from coupler.evaluate.cells import CellStatistics, cell_statistics, positions
from coupler.evaluate.judged import JUDGED
from coupler.evaluate.pairs import REANALYSIS, Pair, agreement
from coupler.evaluate.reanalysis import Reanalysis
from coupler.evaluate.survey import Survey
from coupler.evaluate.verdict import Verdict, judge
from coupler.evaluate.windows import Window, of_kind, windows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Rain:
    """Precipitation in one window.

    Attributes
    ----------
    mean, deviation : float
        Mean and standard deviation of the hourly values [mm h-1]; NaN if no hour is known.
    total : float
        Sum of the known hours [mm].
    hours : int
        Known hours.
    """

    mean: float
    deviation: float
    total: float
    hours: int


@dataclass(frozen=True)
class Assessment:
    """One run beside the reference.

    Attributes
    ----------
    domain : Domain
        Grid and active cells.
    run : str
        Name of the run.
    bound : str or None
        Name of the bound.
    thresholds : mapping
        Largest acceptable errors by variable.
    times : ndarray of datetime64[s], shape (hours,)
        End of every hour from the first to the last that both have, gaps included.
    hour : ndarray of int, shape (records,)
        Which of these hours have records.
    windows : list of Window
        Parts of the period; indices into `times`.
    survey : Survey
        Statistics of every record.
    cells : dict
        Statistics of every cell by variable, of those that both runs have.
    verdicts : dict
        Verdict on the median error over the columns, by variable.
    pairs : list of Pair
        Agreement of the domain means.
    precipitation : ndarray, shape (hours,), or None
        Domain mean [mm h-1].
    rain : list of Rain
        In each window; empty without precipitation.
    reanalysis : Reanalysis or None
        Its domain means.
    notes : list of str
        What a reader must know: gaps, what was left out, how grids were matched.
    """

    domain: Domain
    run: str
    bound: str | None
    thresholds: Mapping[str, float]
    times: Times
    hour: NDArray[np.int64]
    windows: list[Window]
    survey: Survey
    cells: dict[str, CellStatistics]
    verdicts: dict[str, Verdict]
    pairs: list[Pair]
    precipitation: Array | None
    rain: list[Rain]
    reanalysis: Reanalysis | None
    notes: list[str]

    def filled(self, values: Array) -> Array:
        """Spread values of the records (records, ...) over all hours (hours, ...); NaN in gaps."""
        every = np.full((len(self.times), *values.shape[1:]), np.nan)
        every[self.hour] = values
        return every

    def on_grid(self, values: Array) -> Array:
        """Spread values of the active cells (..., columns) over the grid (..., y, x); NaN outside."""
        field = np.full((*values.shape[:-1], *self.domain.mask.shape), np.nan)
        field[..., self.domain.mask] = values
        return field

    def of_kind(self, kind: str) -> list[Window]:
        """Return the windows of one kind."""
        return of_kind(self.windows, kind)


def every_hour(records: Times) -> tuple[Times, NDArray[np.int64]]:
    """All hours from the first to the last record, and which of them have one."""
    hour = ((records - records[0]) // HOUR).astype(np.int64)
    return records[0] + HOUR * np.arange(hour[-1] + 1), hour


def assess(
    survey: Survey,
    records: Times,
    domain: Domain,
    run: str,
    bound: str | None,
    thresholds: Mapping[str, float],
    segment: timedelta,
    precipitation: Array | None,
    reanalysis: Reanalysis | None,
    notes: list[str],
) -> Assessment:
    """Judge what a pass over the files has collected.

    Parameters
    ----------
    survey : Survey
        After the pass.
    records : ndarray of datetime64[s], shape (records,)
        Hours that were compared.
    domain : Domain
        Grid and active cells.
    run, bound : str
        Names of the run and of the bound.
    thresholds : mapping
        Largest acceptable errors by variable.
    segment : timedelta
        Length of the segments.
    precipitation, reanalysis : optional
        On all hours from the first to the last record.
    notes : list of str
        What is to be said beside the numbers.
    """
    times, hour = every_hour(records)
    found = windows(times, segment)
    columns = int(domain.mask.sum())
    cells = {
        key: cell_statistics(series, key, columns, found, hour, thresholds.get(key))
        for key, series in survey.series.items()
    }
    means = {key: {s: _filled(v, times, hour) for s, v in of.items()} for key, of in survey.means.items()}
    for key, series in (reanalysis.means if reanalysis else {}).items():
        means[key][REANALYSIS] = series
    return Assessment(
        domain=domain,
        run=run,
        bound=bound,
        thresholds=dict(thresholds),
        times=times,
        hour=hour,
        windows=found,
        survey=survey,
        cells={key: c for key, c in cells.items() if c is not None},
        verdicts=_verdicts(survey, thresholds, hour),
        pairs=agreement(means),
        precipitation=precipitation,
        rain=[] if precipitation is None else [_rain(precipitation[w.part]) for w in found],
        reanalysis=reanalysis,
        notes=notes,
    )


def window_error(assessment: Assessment, key: str, window: Window) -> float:
    """Mean over a window's records of the median absolute error; NaN without records."""
    part = assessment.survey.bands[key][positions(window, assessment.hour), 2]
    return float(part.mean()) if len(part) else float("nan")


def _verdicts(survey: Survey, thresholds: Mapping[str, float], hour: NDArray[np.int64]) -> dict[str, Verdict]:
    verdicts = {}
    for key, variable in JUDGED.items():
        median, bound = survey.bands[key][:, 2], survey.bound_median.get(key)
        if bound is not None and np.isnan(bound).any():
            bound = None  # the bound does not have this variable
        known = not np.isnan(median).any()
        if known and (bound is not None or key in thresholds):
            verdicts[key] = judge(median, bound, thresholds.get(key), variable.resolution, hour)
    return verdicts


def _filled(values: Array, times: Times, hour: NDArray[np.int64]) -> Array:
    every = np.full(len(times), np.nan)
    every[hour] = values
    return every


def _rain(values: Array) -> Rain:
    known = values[np.isfinite(values)]
    if not len(known):
        return Rain(np.nan, np.nan, np.nan, 0)
    return Rain(float(known.mean()), float(known.std()), float(known.sum()), len(known))
