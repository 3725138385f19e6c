"""Terms of the loss of networks that predict pressure head: the published ones, and two of our own.

The published loss (Bennett et al. 2024) is the squared error of normalised pressure, a tenth of the absolute error of
its horizontal differences, and the decoupling term of PredRNN (Wang et al. 2022, TPAMI 45, 2208-2225, eq. 8).
Ours are the error of hourly increments in units of their own spread, and that of the change of the water column.

Predictions and truths are (batch, hours, layers, y, x), the cells that count (batch, 1, y, x). Every term is a mean
over what counts, a scalar; one over nothing is 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from bmi_surrogate.predrnn.network import WET_HEAD

MILLIMETRES = 1000.0

_NO_LENGTH = 1.0e-16
"""Squares of lengths below are taken for this, so that vectors of no length have a cosine of 0, and a gradient."""

QUIET = 0.05
"""Activity of a column, in typical changes, that a quiet hour is taken to have."""
LEAST_CHANGE = 1.0e-7
"""Typical change of wetness in layers where nothing ever happens."""

STORAGE_FIELDS = ("alpha", "n", "residual_saturation", "maximum_saturation", "porosity", "specific_storage")
"""Fields of the domain that `column_storage` needs."""


def squared_error(prediction: Tensor, truth: Tensor, scored: Tensor) -> Tensor:
    """Mean squared error over the cells that count."""
    return _mean((prediction - truth).square(), scored[:, None])


def difference_error(prediction: Tensor, truth: Tensor, scored: Tensor) -> Tensor:
    """Mean absolute error of the differences between neighbours along x, plus the same along y.

    A difference counts if both its cells do.
    """
    error, cells = prediction - truth, scored[:, None]
    along_x = _mean(error.diff(dim=-1).abs(), cells[..., 1:] & cells[..., :-1])
    along_y = _mean(error.diff(dim=-2).abs(), cells[..., 1:, :] & cells[..., :-1, :])
    return along_x + along_y


def decoupling(c_increment: Tensor, m_increment: Tensor, scored: Tensor) -> Tensor:
    """Mean absolute cosine between what a cell adds to its memories c and M in an hour.

    Each channel of each sample is a vector over the cells that count.

    Parameters
    ----------
    c_increment, m_increment : Tensor, shape (batch, hidden, y, x)
        Increments after the network's adapter, finite everywhere.
    scored : Tensor of bool, shape (batch, 1, y, x)
        Cells that count.
    """
    # sums of products over the map as it lies in memory, in half the time of PyTorch's cosine_similarity
    c, m = c_increment * scored, m_increment * scored
    product, cc, mm = ((a * b).sum(dim=(2, 3)) for a, b in ((c, m), (c, c), (m, m)))
    lengths = (cc.clamp(min=_NO_LENGTH) * mm.clamp(min=_NO_LENGTH)).sqrt()
    return (product / lengths).abs().mean()


def increment_error(prediction: Tensor, truth: Tensor, scored: Tensor) -> Tensor:
    """Mean squared error of hourly changes, from `prediction` and `truth` at the start and the end of every hour.

    Both are (batch, hours + 1, layers, y, x), in units of the spread of hourly changes of each layer.
    """
    return squared_error(prediction.diff(dim=1), truth.diff(dim=1), scored)


def relative_error(prediction: Tensor, truth: Tensor, scored: Tensor) -> Tensor:
    """Error of wetness after every hour in units of what the hour changes in the column, so that quiet hours count.

    Wetness is asinh(h / 0.1 m), which resolves saturated and dry soil alike. Its unit is the typical hourly change of
    each layer, times the mean change of the column's layers in these units, but at least `QUIET`; beyond 1 errors count
    linearly (Huber).

    Parameters
    ----------
    prediction, truth : Tensor, shape (batch, hours + 1, layers, y, x)
        Pressure head [m] at the start and the end of every hour, in double precision.
    scored : Tensor of bool, shape (batch, 1, y, x)
        Cells that count.
    """
    cells = scored[:, None]
    here, there = (torch.asinh(torch.where(cells, h, 0.0) / WET_HEAD) for h in (prediction, truth))
    change = there.diff(dim=1)
    number = (scored.sum() * change.shape[1]).clamp(min=1)
    typical = (change.square().sum(dim=(0, 1, 3, 4), keepdim=True) / number).sqrt().clamp(min=LEAST_CHANGE)
    unit = typical * ((change / typical).abs().mean(dim=2, keepdim=True) + QUIET)
    error = (here - there)[:, 1:] / unit
    return _mean(functional.huber_loss(error, torch.zeros_like(error), reduction="none"), cells)


def storage_error(
    prediction: Tensor, truth: Tensor, scored: Tensor, thickness: Tensor, fields: Mapping[str, Tensor]
) -> Tensor:
    """Mean absolute error [mm] of the hourly change of the water column.

    Parameters
    ----------
    prediction, truth : Tensor, shape (batch, hours + 1, layers, y, x)
        Pressure head [m] at the start and the end of every hour. Better in double precision: the changes are small
        differences of tall columns.
    scored : Tensor of bool, shape (batch, 1, y, x)
        Cells that count; the values of others do not matter.
    thickness, fields
        As in `column_storage`.
    """
    cells = scored[:, None]
    # what lies outside is made harmless before, not after: NaN times a gradient of 0 is NaN
    safe = {name: torch.where(scored, fields[name], 1.0) for name in STORAGE_FIELDS}
    there, here = (column_storage(torch.where(cells, h, 0.0), thickness, safe) for h in (truth, prediction))
    return MILLIMETRES * _mean((here.diff(dim=1) - there.diff(dim=1)).abs().unsqueeze(2), cells)


def column_storage(head: Tensor, thickness: Tensor, fields: Mapping[str, Tensor]) -> Tensor:
    """Water in every column, ponded water included [m], as ParFlow counts it.

    Parameters
    ----------
    head : Tensor, shape (batch, hours, layers, y, x)
        Pressure head [m].
    thickness : Tensor, shape (layers,)
        Layer thickness [m].
    fields : mapping of str to Tensor, shape (batch, layers, y, x)
        `STORAGE_FIELDS`, by the attribute's name in `Domain`.

    Returns
    -------
    Tensor, shape (batch, hours, y, x)
        Sum of dz S(h) (porosity + Ss h) over the layers, plus the positive head of the top layer.
    """
    alpha, n, residual, maximum, porosity, specific = (fields[name].unsqueeze(1) for name in STORAGE_FIELDS)
    suction = (-head).clamp(min=0.0) * alpha
    effective = (1.0 + suction**n) ** (1.0 / n - 1.0)  # van Genuchten (1980)
    saturation = residual + (maximum - residual) * effective
    soil = saturation * (porosity + specific * head) * thickness[:, None, None]
    return soil.sum(dim=2) + head[:, :, -1].clamp(min=0.0)


def _mean(error: Tensor, counts: Tensor) -> Tensor:
    """Mean over where `counts` holds, which is broadcast."""
    number = counts.sum() * (error.numel() // counts.numel())
    return torch.where(counts, error, 0.0).sum() / number.clamp(min=1)
