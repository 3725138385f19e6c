"""Scores of a simulated series beside the measured one."""

from __future__ import annotations

from typing import NamedTuple

from bmi_common.arrays import Array
from rootzone.evaluation.metrics import metrics, nash_sutcliffe, percent_bias


class Scores(NamedTuple):
    """Agreement of pairs of values; NaN where a score is not defined.

    Attributes
    ----------
    pairs : int
        Number of pairs.
    nse : float
        Nash-Sutcliffe efficiency [-].
    kge, r, alpha, beta : float
        Kling-Gupta efficiency [-] and its parts: correlation, ratio of standard deviations, ratio of means.
    bias, rmse : float
        Mean of simulated minus observed, root mean square error, in the units of the series.
    percent_bias : float
        Sum of simulated minus observed over the sum of the observed [%].
    """

    pairs: int
    nse: float
    kge: float
    r: float
    alpha: float
    beta: float
    bias: float
    percent_bias: float
    rmse: float


def scores(simulated: Array, observed: Array) -> Scores:
    """Compute all scores of two series (pairs,) in the same units, all values finite."""
    of = metrics(simulated, observed)
    return Scores(
        pairs=len(observed),
        nse=nash_sutcliffe(simulated, observed),
        kge=float(of.kge),
        r=float(of.r),
        alpha=float(of.alpha),
        beta=float(of.beta),
        bias=float(of.bias),
        percent_bias=percent_bias(simulated, observed),
        rmse=float(of.rmse),
    )
