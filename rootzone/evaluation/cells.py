"""What the series of each cell say: agreement in every window, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array
from rootzone.evaluation.metrics import Metrics, metrics
from rootzone.evaluation.scratch import Scratch
from rootzone.evaluation.variables import EVALUATED
from rootzone.evaluation.verdict import AcceptanceVerdict, judge
from rootzone.evaluation.windows import TimeWindow

BLOCK_VALUES = 1_000_000
"""Values of one series read at once, so that memory grows neither with the grid nor with the period."""


@dataclass(frozen=True)
class CellStatistics:
    """Of one variable; the columns are the active cells.

    Attributes
    ----------
    reference, simulated : ndarray, shape (windows, columns)
        Means over the records at which both are known.
    agreement : Metrics
        Each measure (windows, columns).
    verdict : AcceptanceVerdict, optional
        Over the whole period, each attribute (columns,); without a bound or a threshold there is none.
    bound : ndarray, shape (windows, columns), optional
        Means of the bound.
    """

    reference: Array
    simulated: Array
    agreement: Metrics
    verdict: AcceptanceVerdict | None
    bound: Array | None = None


def positions(window: TimeWindow, hour: NDArray[np.int64]) -> slice:
    """Find the records of a window, where `hour` is the number of each record from the start of the period."""
    first, last = np.searchsorted(hour, [window.part.start, window.part.stop])
    return slice(int(first), int(last))


def cell_statistics(
    series: Mapping[str, Scratch],
    key: str,
    columns: int,
    windows: list[TimeWindow],
    hour: NDArray[np.int64],
    threshold: float | None,
    progress: Callable[[int], None] | None = None,
) -> CellStatistics | None:
    """Compute the statistics of one variable, some cells at a time.

    Parameters
    ----------
    series : mapping
        The variable's series of the reference, the run and, if there is one, the bound, in this order.
    key : str
        The variable.
    columns : int
        Number of active cells.
    windows : list of TimeWindow
        Parts of the period.
    hour : ndarray of int, shape (records,)
        Number of each record from the start of the period.
    threshold : float, optional
        Largest acceptable error.
    progress : callable, optional
        Is told how many columns are done.

    Returns
    -------
    CellStatistics or None
        None if the runs do not have the variable.
    """
    truth, run, *others = series.values()
    bound = others[0] if others else None
    step = max(1, BLOCK_VALUES // max(1, truth.records))
    shape = (len(windows), columns)
    means = np.full((2 if bound is None else 3, *shape), np.nan)
    agreement = Metrics(*(np.full(shape, np.nan) for _ in Metrics._fields))
    verdicts: list[AcceptanceVerdict] = []
    for cells in (slice(i, min(i + step, columns)) for i in range(0, columns, step)):
        o, s = truth.series(cells), run.series(cells)
        b = None if bound is None else bound.series(cells)
        if np.isnan(o).all() or np.isnan(s).all():
            return None
        for w, window in enumerate(windows):
            part = positions(window, hour)
            if part.stop == part.start:
                continue
            means[0, w, cells], means[1, w, cells] = o[:, part].mean(axis=1), s[:, part].mean(axis=1)
            if b is not None:
                means[2, w, cells] = b[:, part].mean(axis=1)
            for into, values in zip(agreement, metrics(s[:, part], o[:, part]), strict=True):
                into[w, cells] = values
        if b is not None or threshold is not None:
            of_bound = None if b is None else np.abs(b - o)
            verdicts.append(judge(np.abs(s - o), of_bound, threshold, EVALUATED[key].resolution, hour))
        if progress is not None:
            progress(cells.stop)
    return CellStatistics(means[0], means[1], agreement, _joined(verdicts), None if bound is None else means[2])


def _joined(parts: list[AcceptanceVerdict]) -> AcceptanceVerdict | None:
    if not parts:
        return None
    return AcceptanceVerdict(
        **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(AcceptanceVerdict)}
    )
