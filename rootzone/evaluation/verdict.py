"""The acceptance verdict: in which hours, and until when, a run may be trusted.

An hour *holds* where the run's error is below the bound, or too small to matter, and not above the user's threshold.
The bound is the error that a run without lateral groundwater flow makes in the same hour. A variable meets its
criterion where no day fails.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array
from coupler.resolution import undercuts
from rootzone.evaluation.variables import EVALUATED

Flags = NDArray[np.bool_]

Relation = Literal["<=", "<", ">="]
_HOLDS: Mapping[Relation, Callable[[float, float], bool]] = {"<=": operator.le, "<": operator.lt, ">=": operator.ge}

DAY = 24
FAILING = 6
"""A day of which so many hours fail is a failing day. Not all need to: at night there is no flux to be wrong."""


@dataclass(frozen=True)
class AcceptanceVerdict:
    """For how long errors were acceptable; all attributes have the shape of the errors without the time axis.

    Attributes
    ----------
    hours : ndarray
        Hours that were judged; gaps do not count.
    below_bound, below_threshold, held : ndarray
        Hours that hold against the bound, against the threshold, and against both. Without a bound or a threshold
        every hour holds against it.
    first_failure : ndarray
        Hours from the start of the period to the first failing hour; NaN where none fails.
    horizon : ndarray
        Effective forecast horizon: hours from the start to the first failing hour that begins a failing day, `DAY`
        records of which `FAILING` or more fail; NaN where there is none.
    bound_horizon, threshold_horizon : ndarray
        The same horizon against the bound alone, and against the threshold alone.
    fails_for_good : ndarray
        Hours from the start to the hour from which on all fail; NaN where the last hour holds.
    """

    hours: Array
    below_bound: Array
    below_threshold: Array
    held: Array
    first_failure: Array
    horizon: Array
    bound_horizon: Array
    threshold_horizon: Array
    fails_for_good: Array


@dataclass(frozen=True)
class Criterion:
    """One criterion: the table has it as a row, the page as a card.

    Attributes
    ----------
    kind : str
        ``horizon`` of the whole period, or ``segments``.
    variable : str
        Variable of `EVALUATED` that it is about.
    criterion : str
        What is measured, with units.
    value : float
        NaN where the run is too short to say.
    relation : {"<=", "<", ">="}
        How the value must stand to the limit.
    limit : float
        The limit.
    note : str
        What it is held against, when or how often.
    """

    kind: str
    variable: str
    criterion: str
    value: float
    relation: Relation
    limit: float
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the criterion is met; None if the run is too short to say."""
        return None if np.isnan(self.value) else bool(_HOLDS[self.relation](self.value, self.limit))

    @property
    def outcome(self) -> str:
        """Return met, NOT MET, or too short to say."""
        return {True: "met", False: "NOT MET", None: "too short to say"}[self.met]


def criteria(verdicts: Mapping[str, AcceptanceVerdict], against: Mapping[str, str], length: int) -> list[Criterion]:
    """Make the criterion of every variable that has a verdict: its horizon must reach the end of the period.

    Parameters
    ----------
    verdicts : mapping
        Verdicts with scalar attributes, by variable of `EVALUATED`.
    against : mapping
        What the errors are held against, in words, by variable.
    length : int
        Hours of the period, gaps included.
    """
    found = []
    for key, verdict in verdicts.items():
        horizon = float(verdict.horizon)
        if np.isnan(horizon):  # in less than a day a failing day may only have begun
            horizon = float(length) if verdict.hours >= DAY or verdict.held == verdict.hours else np.nan
        title = f"{EVALUATED[key].title}: effective forecast horizon [h]"
        note = f"{describe(verdict, length)} (against {against[key]})"
        found.append(Criterion("horizon", key, title, horizon, ">=", float(length), note))
    return found


def segment_criteria(
    medians: Mapping[str, Sequence[Array]], hours: Sequence[NDArray[np.int64]], thresholds: Mapping[str, float]
) -> list[Criterion]:
    """Make the criteria on runs that were restarted from the reference's state: none may have a failing day.

    Parameters
    ----------
    medians : mapping
        Median absolute error of every segment by variable, each (records,).
    hours : sequence
        Number of each record from the start of its segment.
    thresholds : mapping
        Largest acceptable errors by variable; the bound did not restart, so it does not measure them.
    """
    found = []
    for key in EVALUATED:
        threshold = thresholds.get(key)
        if threshold is None or not hours or any(np.isnan(m).any() for m in medians[key]):
            continue
        verdicts = [
            judge(m, None, threshold, EVALUATED[key].resolution, h) for m, h in zip(medians[key], hours, strict=True)
        ]
        good = sum(bool(np.isnan(v.horizon)) for v in verdicts)
        title = f"{EVALUATED[key].title}: restarted segments without a failing day"
        note = f"against {threshold:g} {EVALUATED[key].label}"
        found.append(Criterion("segments", key, title, float(good), ">=", float(len(hours)), note))
    return found


def holds(error: Array, bound: Array | None, threshold: float | None, resolution: float) -> tuple[Flags, Flags]:
    """Say in which hours absolute errors are below the bound's, and not above the threshold.

    Parameters
    ----------
    error, bound : ndarray
        Absolute errors of the run and of the bound.
    threshold : float, optional
        Largest acceptable error.
    resolution : float
        Errors up to this size are below any bound: where both runs are exact there is nothing to undercut.

    Returns
    -------
    below_bound, below_threshold : ndarray of bool
    """
    below_bound = np.ones(error.shape, bool) if bound is None else undercuts(error, bound, resolution)
    below_threshold = np.ones(error.shape, bool) if threshold is None else error <= threshold
    return below_bound, below_threshold


def judge(
    error: Array, bound: Array | None, threshold: float | None, resolution: float, hour: NDArray[np.int64]
) -> AcceptanceVerdict:
    """Judge series of absolute errors.

    Parameters
    ----------
    error, bound : ndarray, shape (..., records)
        Absolute errors of the run and of the bound; finite.
    threshold : float, optional
        Largest acceptable error.
    resolution : float
        Errors up to this size count as none against the bound.
    hour : ndarray of int, shape (records,)
        Hours from the start of the period to the begin of each record; larger than its index after gaps. A gap is not
        a failure, and a day that begins before it goes on after it.

    Raises
    ------
    ValueError
        If there is neither bound nor threshold, or no record.
    """
    if bound is None and threshold is None:
        raise ValueError("a verdict needs a bound or a threshold")
    if not error.shape[-1]:
        raise ValueError("a verdict needs at least one record")
    below_bound, below_threshold = holds(error, bound, threshold, resolution)
    held = below_bound & below_threshold
    failed = ~held
    return AcceptanceVerdict(
        hours=np.full(error.shape[:-1], float(error.shape[-1])),
        below_bound=_count(below_bound),
        below_threshold=_count(below_threshold),
        held=_count(held),
        first_failure=_first(failed, hour),
        horizon=_first(_failing_days(failed), hour),
        bound_horizon=_first(_failing_days(~below_bound), hour),
        threshold_horizon=_first(_failing_days(~below_threshold), hour),
        fails_for_good=_first(_for_good(failed), hour),
    )


def describe(verdict: AcceptanceVerdict, length: float) -> str:
    """Put the verdict on one series into words.

    Parameters
    ----------
    verdict : AcceptanceVerdict
        With scalar attributes.
    length : float
        Hours of the period.
    """
    if np.isnan(verdict.first_failure):
        return f"holds in all {verdict.hours:.0f} hours"
    share = f"holds in {verdict.held:.0f} of {verdict.hours:.0f} hours"
    if np.isnan(verdict.horizon):
        return f"{share}, fails in single hours only"
    return f"{share}; may be trusted for {span(float(verdict.horizon))} of {span(length)}"


def span(hours: float) -> str:
    """Write a length of time in days, up to two of them in hours."""
    return f"{hours:.0f} h" if hours < 2 * DAY else f"{hours / DAY:.4g} days"


def _count(flags: Flags) -> Array:
    return np.asarray(flags.sum(axis=-1), dtype=np.float64)


def _first(flags: Flags, hour: NDArray[np.int64]) -> Array:
    return np.asarray(np.where(flags.any(axis=-1), hour[flags.argmax(axis=-1)].astype(np.float64), np.nan))


def _failing_days(failed: Flags) -> Flags:
    """Mark the failing records with which a failing day begins."""
    n = failed.shape[-1]
    total = np.zeros((*failed.shape[:-1], n + 1), np.int64)
    np.cumsum(failed, axis=-1, out=total[..., 1:])
    end = np.minimum(np.arange(n) + DAY, n)
    return failed & (total[..., end] - total[..., :-1] >= FAILING)


def _for_good(failed: Flags) -> Flags:
    """Mark the records from which on all fail."""
    return np.asarray(np.logical_and.accumulate(failed[..., ::-1], axis=-1)[..., ::-1])
