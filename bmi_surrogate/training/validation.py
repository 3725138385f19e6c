"""How good weights are: a free rollout over the whole domain against physics that they were not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
import torch
from torch import Tensor, nn

from bmi_common import water_table
from bmi_common.arrays import Array
from bmi_surrogate.training.task import Batch, Rollout, Task

_LEAST = 1.0e-12
"""Error of a basin [m] below which it counts as this."""


@dataclass(frozen=True)
class Scores:
    """Errors over all columns and hours of a rollout [m].

    Attributes
    ----------
    water_table, head : float
        Mean absolute error of water table depth; root mean square error of pressure head.
    median, high : float
        Means over the hours of the median and the 90 % quantile of the absolute error of water table depth.
    """

    water_table: float
    head: float
    median: float
    high: float


def of_all(scores: Sequence[Scores]) -> Scores:
    """Geometric mean over basins: an error that halves counts as much in a basin of small errors as in one of large."""
    if len(scores) == 1:
        return scores[0]
    return Scores(*np.exp(np.log(np.maximum([astuple(s) for s in scores], _LEAST)).mean(axis=0)).tolist())


def validate(task: Task, module: nn.Module, batch: Batch, thickness: Array) -> Scores:
    """Roll a module out over a window of the whole domain; infinite errors if it leaves the finite numbers."""
    training = module.training
    module.eval()
    try:
        predicted = task.predict(module, batch, Rollout(batch.hours))
    finally:
        module.train(training)
    return score(predicted, batch, thickness)


def persistence(batch: Batch, thickness: Array) -> Scores:
    """Errors of the state at the start of the window, kept."""
    return score(batch.head[:, :1].expand(-1, batch.hours, -1, -1, -1), batch, thickness)


def score(predicted: Tensor, batch: Batch, thickness: Array) -> Scores:
    """Compare heads (1, hours, layers, y, x) with the batch's."""
    active = batch.active[0, 0].cpu().numpy()
    means, squares, medians, highs = [], [], [], []
    for found, true in zip(predicted[0], batch.head[0, 1:], strict=True):
        f, t = (h.detach().to("cpu", torch.float64).numpy()[:, active] for h in (found, true))
        if not np.isfinite(f).all():
            return Scores(np.inf, np.inf, np.inf, np.inf)
        error = np.abs(water_table.depth(f, thickness) - water_table.depth(t, thickness))
        means.append(error.mean())
        squares.append(np.square(f - t).mean())
        medians.append(np.median(error))
        highs.append(np.quantile(error, 0.9))
    return Scores(
        float(np.mean(means)), float(np.sqrt(np.mean(squares))), float(np.mean(medians)), float(np.mean(highs))
    )
