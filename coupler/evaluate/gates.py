"""What a surrogate must reach in a year beside full physics: criterion, value, limit, met or not."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from coupler.evaluate.comparison import Comparison, running_mean
from coupler.evaluate.growth import growth
from coupler.evaluate.names import DEFAULT, PREDRNN

Array = NDArray[np.float64]

Relation = Literal["<=", "<", ">="]
_HOLDS: Mapping[Relation, Callable[[float, float], bool]] = {"<=": operator.le, "<": operator.lt, ">=": operator.ge}

DAY = 24


@dataclass(frozen=True)
class Limits:
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
    below_bound : bool
        Whether the running means of the median errors must stay below those of free drainage.
    no_growth : bool
        Whether the storage error must not grow.
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


LIMITS: Mapping[str, Limits] = {
    DEFAULT: Limits(
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
    PREDRNN: Limits(median=0.10, efficiency=0.985),
}
"""What is asked of the default surrogate, and of the improved PredRNN."""


@dataclass(frozen=True)
class Gate:
    """One criterion.

    Attributes
    ----------
    criterion : str
        What is measured, with units.
    value : float
        NaN where the run is too short to say.
    relation : {"<=", "<", ">="}
        How the value must stand to the limit.
    limit : float
        The limit.
    note : str
        When or how often, where that helps.
    """

    criterion: str
    value: float
    relation: Relation
    limit: float
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the criterion is met; None if the run is too short to say."""
        return None if np.isnan(self.value) else bool(_HOLDS[self.relation](self.value, self.limit))


def year_gates(comparison: Comparison, name: str, limits: Limits, bound: str | None, persistence: str) -> list[Gate]:
    """Judge one prediction over a continuous run.

    Parameters
    ----------
    comparison : Comparison
        All predictions beside the reference.
    name : str
        The prediction to judge.
    limits : Limits
        What is asked of it.
    bound, persistence : str
        Names of the predictions that it must beat; without a bound the criteria that need it are left out.
    """
    compared = comparison.predictions[name]
    errors, times = compared.errors, comparison.times
    gates = [_worst("median water table error, worst hour [m]", errors.water_table_median, limits.median, times)]
    if limits.high is not None:
        high = _worst("90 % water table error, worst hour [m]", errors.water_table_high, limits.high, times, "<")
        gates.append(high)
    efficiency = compared.latent_heat.efficiency
    gates.append(Gate("KGE of domain-mean latent heat", efficiency, ">=", limits.efficiency))
    if limits.storage is not None:
        gates.append(_worst("mean column storage error, worst hour [mm]", errors.storage_mean, limits.storage, times))
    if limits.below_bound and bound is not None:
        of_bound = comparison.predictions[bound].errors
        for title, series in _MEDIANS.items():
            gates.append(_below(title, getattr(errors, series), getattr(of_bound, series)))
    if limits.of_persistence is not None:
        mine, other = errors.water_table_median, comparison.predictions[persistence].errors.water_table_median
        gates.append(_share(mine, other, limits.of_persistence))
    if limits.no_growth:
        trend = growth(times, errors.storage_mean)
        note = f"{len(trend.months)} months; the limit is the slope significant at 95 %"
        criterion = "slope of the storage error after the first month [mm/month]"
        gates.append(Gate(criterion, trend.slope, "<=", trend.limit, note))
    return gates


def segment_gates(segments: Sequence[Comparison], name: str, limits: Limits) -> list[Gate]:
    """Judge runs that were restarted from the reference's state, such as every 720 h."""
    if not segments:
        return []
    compared = [s.predictions[name] for s in segments]
    gates = []
    if limits.segment_median is not None:
        median = np.concatenate([c.errors.water_table_median for c in compared])
        times = np.concatenate([s.times for s in segments])
        title = f"{len(segments)} segments: median water table error, worst hour [m]"
        gates.append(_worst(title, median, limits.segment_median, times))
    if limits.segment_efficiency is not None:
        worst = min(c.latent_heat.efficiency for c in compared)
        title = f"{len(segments)} segments: KGE of domain-mean latent heat, worst segment"
        gates.append(Gate(title, worst, ">=", limits.segment_efficiency))
    return gates


_MEDIANS = {
    "water table": "water_table_median",
    "root-zone saturation": "saturation_median",
    "latent heat": "latent_heat_median",
}


def _worst(title: str, series: Array, limit: float, times: NDArray[np.datetime64], relation: Relation = "<=") -> Gate:
    at = int(np.argmax(series))
    note = f"at {times[at].astype('datetime64[m]')}; mean over the hours {series.mean():.3g}"
    return Gate(title, float(series[at]), relation, limit, note)


def _below(title: str, mine: Array, bound: Array) -> Gate:
    """Largest ratio of the running means; the running mean of an hour holds the 23 hours before it."""
    a, b = running_mean(mine, DAY)[DAY:], running_mean(bound, DAY)[DAY:]
    criterion = f"24 h mean of the median error of {title} over free drainage's, from the second day on, worst"
    if not len(a):
        return Gate(criterion, np.nan, "<", 1.0, "shorter than a day")
    judged = (a > 0.0) | (b > 0.0)  # where both are exact, such as under ponded water, there is nothing to undercut
    if not judged.any():
        return Gate(criterion, np.nan, "<", 1.0, "neither has any error")
    ratio = np.divide(a[judged], b[judged], out=np.full(int(judged.sum()), np.inf), where=b[judged] > 0.0)
    return Gate(criterion, float(ratio.max()), "<", 1.0, f"{int((ratio >= 1.0).sum())} of {len(ratio)} hours not below")


def _share(mine: Array, persistence: Array, limit: float) -> Gate:
    criterion = "median water table error over persistence's, means over the hours"
    if persistence.mean() == 0.0:
        return Gate(criterion, np.inf, "<=", limit, "persistence has no error")
    note = f"above in {int((mine > limit * persistence).sum())} of {len(mine)} hours"
    return Gate(criterion, float(mine.mean() / persistence.mean()), "<=", limit, note)
