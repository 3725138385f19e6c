"""Agreement of the series of domain means, each with each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coupler.evaluate.metrics import Metrics, metrics
from coupler.evaluate.survey import REFERENCE

Array = NDArray[np.float64]

REANALYSIS = "reanalysis"


@dataclass(frozen=True)
class Pair:
    """Agreement of two series of domain means.

    Attributes
    ----------
    key : str
        Variable of `JUDGED`.
    simulated, reference : str
        Names of the two sources.
    metrics : Metrics
        Scalars.
    """

    key: str
    simulated: str
    reference: str
    metrics: Metrics


def agreement(means: Mapping[str, Mapping[str, Array]]) -> list[Pair]:
    """Compare every source with the reference and with the reanalysis.

    Parameters
    ----------
    means : mapping
        Series by variable of `JUDGED` and source, (hours,); sources without any value are left out.
    """
    pairs = []
    for key, of in means.items():
        known = [name for name, series in of.items() if np.isfinite(series).any()]
        against = [name for name in (REFERENCE, REANALYSIS) if name in known]
        for reference in against:
            pairs += [
                Pair(key, name, reference, metrics(of[name], of[reference]))
                for name in known
                if name != reference and (reference, name) != (REFERENCE, REANALYSIS)
            ]
    return pairs
