"""All that an evaluation has found, from the statistics of hours and of cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from bmi_common import Domain
from bmi_common.arrays import Array
from bmi_common.calendar import HOUR, Times
from bmi_common.progress import Tell
from coupler.water_error import WaterError
from rootzone.evaluation.aggregator import REFERENCE, Aggregator
from rootzone.evaluation.cells import CellStatistics, cell_statistics, positions
from rootzone.evaluation.error_control import ErrorControlRecord
from rootzone.evaluation.gauges import GaugedFlow
from rootzone.evaluation.metrics import Metrics, metrics, running_mean
from rootzone.evaluation.reanalysis import Reanalysis
from rootzone.evaluation.variables import EVALUATED
from rootzone.evaluation.verdict import AcceptanceVerdict, Criterion, criteria, judge, segment_criteria
from rootzone.evaluation.windows import TimeWindow, of_kind, windows

REANALYSIS = "reanalysis"


@dataclass(frozen=True)
class Rain:
    """Precipitation in one window.

    Attributes
    ----------
    mean, deviation : float
        Mean and standard deviation of the hourly values [mm h-1]; NaN if no hour is known.
    total : float
        Sum of the known hours [mm].
    """

    mean: float
    deviation: float
    total: float


@dataclass(frozen=True)
class Pair:
    """Agreement of two series of domain means.

    Attributes
    ----------
    key : str
        Variable of `EVALUATED`.
    simulated, reference : str
        Names of the two sources.
    metrics : Metrics
        Scalars.
    """

    key: str
    simulated: str
    reference: str
    metrics: Metrics


@dataclass
class Assessment:
    """One run beside the reference; what is not given follows from the rest.

    Attributes
    ----------
    aggregator : Aggregator
        Statistics of every record, after the pass over the files.
    domain : Domain
        Grid and active cells.
    thresholds : mapping
        Largest acceptable errors by variable.
    segment_length : timedelta
        Length of the segments that maps and precipitation are given for.
    stages : tuple of timedelta, optional
        Where the early stage ends and the late one begins, from the start of the period.
    sources : mapping
        Folder or file of the reference and of the runs by name.
    segments : list of Aggregator
        Runs that were restarted from the reference's state.
    precipitation : ndarray, shape (hours,), or None
        Domain mean [mm h-1].
    reanalysis : Reanalysis or None
        Its domain means.
    control : ErrorControlRecord or None
        What error control did in the run.
    gauges : list of GaugedFlow
        Discharge at the gauges that both have; empty where one of them has written none.
    water : WaterError or None
        What the run's own water balance does not explain in the compared period; None without a record of it.
    notes : list of str
        What a reader must know: gaps, what was left out, how grids were matched.
    times : ndarray of datetime64[s], shape (hours,)
        End of every hour from the first to the last that both have, gaps included.
    hour : ndarray of int, shape (records,)
        Which of these hours have records.
    windows : list of TimeWindow
        Parts of the period; indices into `times`.
    cells : dict
        Statistics of every cell by variable, of those that both runs have.
    verdicts : dict
        Verdict on the median error over the columns, by variable.
    criteria : list of Criterion
        What the run had to reach.
    pairs : list of Pair
        Agreement of the domain means.
    rain : list of Rain
        In each window; empty without precipitation.
    """

    aggregator: Aggregator
    domain: Domain
    thresholds: Mapping[str, float]
    segment_length: timedelta
    sources: Mapping[str, str]
    segments: list[Aggregator]
    precipitation: Array | None
    reanalysis: Reanalysis | None
    control: ErrorControlRecord | None
    gauges: list[GaugedFlow]
    water: WaterError | None
    notes: list[str]
    stages: tuple[timedelta, timedelta] | None = None
    progress: InitVar[Tell | None] = None
    times: Times = field(init=False)
    hour: NDArray[np.int64] = field(init=False)
    windows: list[TimeWindow] = field(init=False)
    cells: dict[str, CellStatistics] = field(init=False)
    verdicts: dict[str, AcceptanceVerdict] = field(init=False)
    criteria: list[Criterion] = field(init=False)
    pairs: list[Pair] = field(init=False)
    rain: list[Rain] = field(init=False)

    def __post_init__(self, progress: Tell | None) -> None:
        self.times, self.hour = every_hour(self.aggregator.times)
        self.windows = windows(self.times, self.segment_length, self.stages)
        columns = int(self.domain.mask.sum())
        every = self.aggregator.series
        found = {}
        for number, (key, series) in enumerate(every.items()):

            def tell(done: int, before: int = number * columns) -> None:
                if progress is not None:
                    progress(before + done, len(every) * columns, "cells")

            limit = self.thresholds.get(key)
            found[key] = cell_statistics(series, key, columns, self.windows, self.hour, limit, tell)
        self.cells = {key: c for key, c in found.items() if c is not None}
        self.verdicts = self._verdicts()
        self.notes = self.notes + [
            f"No verdict on {EVALUATED[key].title}: a run does not have it."
            for key in self.thresholds
            if key not in self.verdicts
        ]
        self.criteria = criteria(
            self.verdicts, {key: self.against(key) for key in self.verdicts}, len(self.times)
        ) + segment_criteria(
            {key: [s.median(key) for s in self.segments] for key in EVALUATED},
            [every_hour(s.times)[1] for s in self.segments],
            self.thresholds,
        )
        self.pairs = [pair for key in EVALUATED for pair in _agreement(key, self.domain_means(key))]
        self.rain = [] if self.precipitation is None else [_rain(self.precipitation[w.part]) for w in self.windows]

    @property
    def run(self) -> str:
        """Name of the run."""
        return self.aggregator.run

    @property
    def bound(self) -> str | None:
        """Name of the bound."""
        return self.aggregator.bound

    @property
    def met(self) -> bool | None:
        """Whether every criterion is met; None without any."""
        return all(c.met for c in self.criteria) if self.criteria else None

    @property
    def has_whole_day(self) -> bool:
        """Whether 24 hours follow one another somewhere, so that there are running means to draw."""
        return bool(np.isfinite(running_mean(self.filled(np.zeros(len(self.hour))))).any())

    def against(self, key: str) -> str:
        """Say what the errors of a variable are held against."""
        limits = [] if self.aggregator.bound_median(key) is None else [f"{self.bound}'s error"]
        limits += [f"{self.thresholds[key]:g} {EVALUATED[key].label}"] if key in self.thresholds else []
        return " and ".join(limits)

    def domain_means(self, key: str) -> dict[str, Array]:
        """Domain means of a variable by source, the reanalysis last, each (hours,); NaN in gaps."""
        found = {source: self.filled(self.aggregator.means[key][source]) for source in self.aggregator.shown}
        if self.reanalysis is not None and key in self.reanalysis.means:
            found[REANALYSIS] = self.reanalysis.means[key]
        return found

    def filled(self, values: Array) -> Array:
        """Spread values of the records (records, ...) over all hours (hours, ...); NaN in gaps."""
        every = np.full((len(self.times), *values.shape[1:]), np.nan)
        every[self.hour] = values
        return every

    def on_grid(self, values: Array) -> Array:
        """Spread values of the active cells (..., columns) over the grid (..., y, x); NaN outside."""
        grid = np.full((*values.shape[:-1], *self.domain.mask.shape), np.nan)
        grid[..., self.domain.mask] = values
        return grid

    def of_kind(self, kind: str) -> list[TimeWindow]:
        """Return the windows of one kind."""
        return of_kind(self.windows, kind)

    def window_error(self, key: str, window: TimeWindow) -> float:
        """Mean over a window's records of the median absolute error; NaN without records."""
        part = self.aggregator.median(key)[positions(window, self.hour)]
        return float(part.mean()) if len(part) else float("nan")

    def window_deviation(self, key: str, window: TimeWindow) -> float:
        """Return the standard deviation over a window's records of the median absolute error; NaN without records."""
        part = self.aggregator.median(key)[positions(window, self.hour)]
        return float(part.std()) if len(part) else float("nan")

    @property
    def showers(self) -> TimeWindow | None:
        """The segment whose hourly rain varies most; None without rain, or with one segment only."""
        found = [(w, r.deviation) for w, r in zip(self.windows, self.rain, strict=False) if w.kind == "segment"]
        known = [(w, deviation) for w, deviation in found if deviation > 0.0]
        return max(known, key=lambda of: of[1])[0] if len(found) > 1 and known else None

    def _verdicts(self) -> dict[str, AcceptanceVerdict]:
        verdicts = {}
        for key, variable in EVALUATED.items():
            median, bound = self.aggregator.median(key), self.aggregator.bound_median(key)
            if not np.isnan(median).any() and (bound is not None or key in self.thresholds):
                verdicts[key] = judge(median, bound, self.thresholds.get(key), variable.resolution, self.hour)
        return verdicts


def every_hour(records: Times) -> tuple[Times, NDArray[np.int64]]:
    """All hours from the first to the last record, and which of them have one."""
    hour = ((records - records[0]) // HOUR).astype(np.int64)
    return records[0] + HOUR * np.arange(hour[-1] + 1), hour


def _agreement(key: str, means: Mapping[str, Array]) -> list[Pair]:
    """Compare every source with the reference and with the reanalysis; sources without any value are left out."""
    known = [name for name, series in means.items() if np.isfinite(series).any()]
    return [
        Pair(key, name, reference, metrics(means[name], means[reference]))
        for reference in (REFERENCE, REANALYSIS)
        if reference in known
        for name in known
        if name != reference and (reference, name) != (REFERENCE, REANALYSIS)
    ]


def _rain(values: Array) -> Rain:
    known = values[np.isfinite(values)]
    if not len(known):
        return Rain(np.nan, np.nan, np.nan)
    return Rain(float(known.mean()), float(known.std()), float(known.sum()))
