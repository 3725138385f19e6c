"""The water balance of every column, closed: what a column holds at the end of the hour is what it had and got.

After the base solve and the correction, one number a column shifts the coordinates u of its layers, each by its own
positive weight, until stored water, ponded water and overland outflow add up to the water available. The balance grows
monotonically with the shift, so Newton's method within a bracket finds it; ponding is a kink on the way. Overland
inflow depends on the depths upstream, so the search is repeated a few times with the new inflow.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from bmi_surrogate.structured.base import OVERLAND_POWER, Start, outflow_slope, overland_inflow
from bmi_surrogate.structured.medium import Medium
from bmi_surrogate.structured.retention import Retention

TOLERANCE = 1.0e-10
"""Of the balance of a column in an hour [m]."""
_LARGEST_SHIFT = 0.5
_LEAST_SLOPE = 1.0e-6


class Effort(NamedTuple):
    """How long to search.

    Attributes
    ----------
    routing : int
        Most repetitions with new overland inflow.
    sweeps : int
        Most Newton sweeps the first time; a third of them, but at least three, later, when the start is close.
    """

    routing: int = 16
    sweeps: int = 40

    def plan(self) -> list[int]:
        """Newton sweeps of each repetition."""
        return [self.sweeps] + [max(3, self.sweeps // 3)] * (self.routing - 1)


class Closed(NamedTuple):
    """Columns whose balance is closed.

    Attributes
    ----------
    coordinate : Tensor, shape (layers, columns)
        Coordinate u [m] at the end of the hour.
    inflow : Tensor, shape (columns,)
        Overland inflow in the hour [m].
    """

    coordinate: Tensor
    inflow: Tensor


class _Soil(NamedTuple):
    """The part of a medium that the balance of some columns needs."""

    dz: Tensor
    porosity: Tensor
    specific_storage: Tensor
    retention: Retention
    outflow: Tensor


def close(medium: Medium, start: Start, guess: Tensor, weights: Tensor, effort: Effort, compact: bool) -> Closed:
    """Shift `guess` until every column's balance is closed.

    Parameters
    ----------
    medium, start
        Soil and terrain, and the start of the hour.
    guess : Tensor, shape (layers, columns)
        Coordinates u [m].
    weights : Tensor, shape (layers, columns)
        Share of the shift that each layer takes, not negative.
    effort : Effort
        How long to search.
    compact : bool
        Go on with the columns that are not closed yet only. This needs their number on the host, which a CPU has at
        once and a GPU would have to wait for.

    Returns
    -------
    Closed
        Gradients are those of one Newton step at the solution: exact to first order, but for those through overland
        inflow.
    """
    with torch.no_grad():
        search = _search_compact if compact else _search
        shift, inflow = search(medium, start, guess.detach(), weights.detach(), effort)
    found = guess + shift * weights
    if not torch.is_grad_enabled() or not (guess.requires_grad or weights.requires_grad):
        return Closed(found, inflow)
    excess, slope = _balance(_soil(medium), medium.retention, found, weights.detach(), start.available + inflow)
    step = excess / slope.detach() * weights
    return Closed(found - (step - step.detach()), inflow)


def _search(medium: Medium, start: Start, guess: Tensor, weights: Tensor, effort: Effort) -> tuple[Tensor, Tensor]:
    soil = _soil(medium)
    shift, inflow = torch.zeros_like(guess[0]), start.inflow
    for sweeps in effort.plan():
        shift = _newton(soil, guess, weights, start.available + inflow, shift, sweeps)
        inflow = overland_inflow(medium, (guess[-1] + shift * weights[-1]).clamp(min=0.0))
    return shift, inflow


def _search_compact(
    medium: Medium, start: Start, guess: Tensor, weights: Tensor, effort: Effort
) -> tuple[Tensor, Tensor]:
    shift, inflow = torch.zeros_like(guess[0]), start.inflow
    all_soil, available = _soil(medium), start.available
    which = torch.arange(guess.shape[1], device=guess.device)
    for sweeps in effort.plan():
        soil = all_soil if which.numel() == guess.shape[1] else _some(all_soil, which)
        some = _newton_compact(
            soil, guess[:, which], weights[:, which], (available + inflow)[which], shift[which], sweeps
        )
        shift = shift.index_copy(0, which, some)
        new = overland_inflow(medium, (guess[-1] + shift * weights[-1]).clamp(min=0.0))
        which = torch.nonzero((new - inflow).abs() > TOLERANCE)[:, 0]
        if which.numel() == 0:
            break
        inflow = new
    return shift, inflow


def _newton(soil: _Soil, guess: Tensor, weights: Tensor, available: Tensor, shift: Tensor, sweeps: int) -> Tensor:
    low, high = torch.full_like(shift, -torch.inf), torch.full_like(shift, torch.inf)
    for _ in range(sweeps):
        excess, slope = _balance(soil, soil.retention, guess + shift * weights, weights, available)
        shift, low, high = _next(shift, low, high, excess, slope)
    return shift


def _newton_compact(
    soil: _Soil, guess: Tensor, weights: Tensor, available: Tensor, shift: Tensor, sweeps: int
) -> Tensor:
    result = shift.clone()
    which = torch.arange(shift.shape[0], device=shift.device)
    low, high = torch.full_like(shift, -torch.inf), torch.full_like(shift, torch.inf)
    for _ in range(sweeps):
        excess, slope = _balance(soil, soil.retention, guess + shift * weights, weights, available)
        open_ = torch.nonzero(excess.abs() > TOLERANCE)[:, 0]
        if open_.numel() == 0:
            break
        shift, low, high = _next(shift, low, high, excess, slope)
        if 2 * open_.numel() < shift.numel():
            result[which] = shift
            which, shift, low, high = which[open_], shift[open_], low[open_], high[open_]
            guess, weights, available = guess[:, open_], weights[:, open_], available[open_]
            soil = _some(soil, open_)
    result[which] = shift
    return result


def _next(shift: Tensor, low: Tensor, high: Tensor, excess: Tensor, slope: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Newton's next shift, or the middle of the bracket where it would leave it."""
    high = torch.where(excess > 0.0, shift, high)
    low = torch.where(excess < 0.0, shift, low)
    new = shift + (-excess / slope).clamp(-_LARGEST_SHIFT, _LARGEST_SHIFT)
    outside = (new <= low) | (new >= high)
    middle = torch.where(torch.isfinite(low) & torch.isfinite(high), 0.5 * (low + high), new)
    return torch.where(outside & (excess != 0.0), middle, new), low, high


def _balance(
    soil: _Soil, retention: Retention, coordinate: Tensor, weights: Tensor, available: Tensor
) -> tuple[Tensor, Tensor]:
    """Water that columns hold and give away beyond what is available [m], and its derivative by the shift [-]."""
    head = retention.head(coordinate)
    saturation, slope = retention.wetness(head)
    ponded = head[-1].clamp(min=0.0)
    water = soil.dz * saturation * (soil.porosity + soil.specific_storage * head)
    excess = water.sum(dim=0) + ponded + soil.outflow * ponded**OVERLAND_POWER - available
    by_head = soil.dz * (slope * (soil.porosity + soil.specific_storage * head) + soil.specific_storage * saturation)
    spread = (head[-1] > 0.0).to(head.dtype) * (1.0 + outflow_slope(soil.outflow, ponded))
    growth = (by_head * retention.stretch(coordinate) * weights).sum(dim=0) + weights[-1] * spread
    return excess, growth.clamp(min=_LEAST_SLOPE)


def _soil(medium: Medium) -> _Soil:
    return _Soil(medium.dz, medium.porosity, medium.specific_storage, medium.retention, medium.outflow)


def _some(soil: _Soil, which: Tensor) -> _Soil:
    return _Soil(
        soil.dz,
        soil.porosity[:, which],
        soil.specific_storage[:, which],
        Retention(*(p[:, which] for p in soil.retention)),
        soil.outflow[which],
    )
