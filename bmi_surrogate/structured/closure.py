"""The water balance of every column, closed: what a column holds at the end of the hour is what it had and got.

After the solves and the correction, one number a column shifts the coordinates u of its layers, each by its own
positive weight, until stored water, ponded water and overland outflow add up to the water available. The balance grows
monotonically with the shift, so Newton's method within a bracket finds it; ponding is a kink on the way.

Overland inflow depends on the depths upstream, which depend on the shifts there. The search is repeated with a better
inflow each time: that of the new depths, corrected for what it changes on its way downstream (Newton's method on the
inflow, whose Jacobian is triangular in flow order).
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from torch import Tensor

from bmi_common.overland import OVERLAND_POWER
from bmi_surrogate.structured.column_solve import (
    Start,
    capacity,
    outflow_slope,
    overland_inflow,
    stored,
)
from bmi_surrogate.structured.columns import ColumnProperties, Soil, padded
from bmi_surrogate.structured.retention import KNEE

TOLERANCE = 1.0e-12
"""Of the balance of a column in an hour [m]."""
INFLOW_TOLERANCE = 1.0e-9
"""Of overland inflow, relative to 1 m and the inflow."""
_BLOCK = 2048
"""Columns searched together on a CPU: their intermediate results stay in its caches."""
_LARGEST_SHIFT = 0.5
LEAST_SLOPE = 1.0e-6
"""Of a balance [-]; that of a dry column which has nothing more to give."""


def balance(soil: Soil, coordinate: Tensor, weights: Tensor, available: Tensor) -> tuple[Tensor, Tensor]:
    """Water that columns hold and give away beyond what is available [m], and its derivative by the shift [-].

    Parameters
    ----------
    soil : Soil
        Of the columns.
    coordinate, weights : Tensor, shape (layers, columns)
        Coordinate u [m], and its derivative by the shift.
    available : Tensor, shape (columns,)
        Water that the columns had and got [m].
    """
    retention = soil.retention
    head = retention.head(coordinate)
    saturation, dsat_dh = retention.saturation_and_capacity(head)
    ponded = head[-1].clamp(min=0.0)
    excess = stored(soil, head, saturation) + soil.conveyance_out * ponded**OVERLAND_POWER - available
    by_head = capacity(soil, head, saturation, dsat_dh)
    spread = (head[-1] > 0.0).to(head.dtype) * (1.0 + outflow_slope(soil.conveyance_out, ponded))
    growth = (by_head * retention.stretch(coordinate) * weights).sum(dim=0) + weights[-1] * spread
    return excess, growth.clamp(min=LEAST_SLOPE)


class Effort(NamedTuple):
    """How long to search.

    Attributes
    ----------
    routing : int
        Most repetitions with better overland inflow; where columns that are closed drop out, all that it takes.
    sweeps : int
        Most Newton sweeps of the first search; later ones start close and take a third of them, but at least three.
    """

    routing: int = 8
    sweeps: int = 40

    @property
    def later_sweeps(self) -> int:
        """Newton sweeps of a repetition."""
        return max(3, self.sweeps // 3)

    def repetitions(self, levels: int) -> int:
        """Most repetitions where columns that are closed drop out: each settles one more level of the flow order."""
        return self.routing + levels + 1 if self.routing else 0


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


def close(
    columns: ColumnProperties,
    start: Start,
    guess: Tensor,
    weights: Tensor,
    effort: Effort,
    active_set: bool,
) -> Closed:
    """Shift `guess` until every column's balance is closed.

    Parameters
    ----------
    columns, start
        Soil and terrain, and the start of the hour.
    guess : Tensor, shape (layers, columns)
        Coordinates u [m].
    weights : Tensor, shape (layers, columns)
        Share of the shift that each layer takes, not negative.
    effort : Effort
        How long to search.
    active_set : bool
        Go on with the columns that are not closed yet only. This needs their number on the host, which a CPU has at
        once and a GPU would have to wait for.

    Returns
    -------
    Closed
        Gradients are those of one Newton step at the solution: exact to first order, but for those through overland
        inflow.
    """
    with torch.no_grad():
        fixed = guess.detach(), weights.detach()
        shift, inflow = _search(columns, start, *fixed, effort, active_set)
    found = guess + shift * weights
    if not torch.is_grad_enabled() or not (guess.requires_grad or weights.requires_grad):
        return Closed(found, inflow)
    excess, slope = balance(Soil.of(columns), found, weights.detach(), start.available + inflow)
    step = excess / slope.detach() * weights
    return Closed(found - (step - step.detach()), inflow)


class _Found(NamedTuple):
    """Shifts [m], how the balance grows with them [-], and whether it is closed, all (columns,)."""

    shift: Tensor
    growth: Tensor
    closed: Tensor


def _search(
    columns: ColumnProperties,
    start: Start,
    guess: Tensor,
    weights: Tensor,
    effort: Effort,
    active_set: bool,
) -> tuple[Tensor, Tensor]:
    soil, available, inflow = Soil.of(columns), start.available, start.inflow
    newton = _newton_in_blocks if active_set else _newton
    begin = _Found(torch.zeros_like(inflow), torch.ones_like(inflow), torch.zeros_like(inflow, dtype=torch.bool))
    found = newton(soil, guess, weights, available + inflow, begin, effort.sweeps)
    better = _routed(columns, guess, weights, found, inflow, active_set)
    for _ in range(effort.repetitions(len(columns.levels) - 1) if active_set else effort.routing):
        if not active_set:
            inflow = better
            found = newton(soil, guess, weights, available + inflow, found, effort.later_sweeps)
        else:
            changed = (better - inflow).abs() > INFLOW_TOLERANCE * (1.0 + inflow)
            which = torch.nonzero(changed | ~found.closed)[:, 0]
            if which.numel() == 0:
                return found.shift, inflow
            inflow = better
            some = newton(
                soil.some(which),
                guess[:, which],
                weights[:, which],
                (available + inflow)[which],
                _Found(*(part[which] for part in found)),
                effort.later_sweeps,
            )
            found = _Found(*(old.index_copy(0, which, new) for old, new in zip(found, some, strict=True)))
        better = _routed(columns, guess, weights, found, inflow, active_set)
    return found.shift, inflow if effort.routing else better


def _routed(
    columns: ColumnProperties, guess: Tensor, weights: Tensor, found: _Found, inflow: Tensor, active_set: bool
) -> Tensor:
    """Overland inflow [m] after columns were closed with `inflow`: that of their depths, routed to the end."""
    ponded = (guess[-1] + found.shift * weights[-1]).clamp(min=0.0)
    change = overland_inflow(columns, ponded) - inflow
    if active_set and not bool(change.any()):
        return inflow
    # how the flow out of a ponded column grows with the flow into it
    # a growth of before the last sweep may lack the pond
    growth = torch.maximum(found.growth, weights[-1] * (1.0 + outflow_slope(columns.conveyance_out, ponded)))
    response = OVERLAND_POWER * ponded ** (OVERLAND_POWER - 1.0) * weights[-1] / growth
    passed = columns.conveyance_in * padded(response)[columns.donors]
    total = padded(change)
    for first, last in itertools.pairwise(columns.levels[1:]):
        total[first:last] += (passed[:, first:last] * total[columns.donors[:, first:last]]).sum(dim=0)
    return (inflow + total[:-1]).clamp(min=0.0)


def _newton(soil: Soil, guess: Tensor, weights: Tensor, available: Tensor, begin: _Found, sweeps: int) -> _Found:
    shift, slope, closed = begin
    low, high = torch.full_like(shift, -torch.inf), torch.full_like(shift, torch.inf)
    for _ in range(sweeps):
        excess, slope = balance(soil, guess + shift * weights, weights, available)
        closed = excess.abs() <= TOLERANCE
        pond = (guess[-1] + shift * weights[-1]).clamp(min=0.0) / weights[-1]
        shift, low, high = _next(shift, low, high, excess, slope, pond)
    return _Found(shift, slope, closed)


def _newton_in_blocks(
    soil: Soil, guess: Tensor, weights: Tensor, available: Tensor, begin: _Found, sweeps: int
) -> _Found:
    columns = guess.shape[1]
    if columns <= _BLOCK:
        return _newton_active_set(soil, guess, weights, available, begin, sweeps)
    parts = []
    for first in range(0, columns, _BLOCK):
        some = slice(first, first + _BLOCK)
        start = _Found(*(part[some] for part in begin))
        parts.append(
            _newton_active_set(soil.some(some), guess[:, some], weights[:, some], available[some], start, sweeps)
        )
    return _Found(*(torch.cat(same) for same in zip(*parts, strict=True)))


def _newton_active_set(
    soil: Soil, guess: Tensor, weights: Tensor, available: Tensor, begin: _Found, sweeps: int
) -> _Found:
    """As `_newton`, but go on with the columns that are not closed yet only."""
    shift = begin.shift
    result, growth, closed = (part.clone() for part in begin)
    which = torch.arange(shift.shape[0], device=shift.device)
    low, high = torch.full_like(shift, -torch.inf), torch.full_like(shift, torch.inf)
    for _ in range(sweeps):
        coordinate = guess + shift * weights
        excess, slope = balance(soil, coordinate, weights, available)
        is_empty = (excess > 0.0) & (slope <= LEAST_SLOPE) & (coordinate[-1] * soil.retention.alpha[-1] < -KNEE)
        is_open = (excess.abs() > TOLERANCE) & ~is_empty
        growth[which], closed[which] = slope, ~is_open
        open_ = torch.nonzero(is_open)[:, 0]
        if open_.numel() == 0:
            break
        pond = (guess[-1] + shift * weights[-1]).clamp(min=0.0) / weights[-1]
        shift, low, high = _next(shift, low, high, excess, slope, pond)
        if 2 * open_.numel() < shift.numel():
            result[which] = shift
            which, shift, low, high = which[open_], shift[open_], low[open_], high[open_]
            guess, weights, available = guess[:, open_], weights[:, open_], available[open_]
            soil = soil.some(open_)
    result[which] = shift
    return _Found(result, growth, closed)


def _next(
    shift: Tensor, low: Tensor, high: Tensor, excess: Tensor, slope: Tensor, pond: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Newton's next shift, or the middle of the bracket where it would leave it; closed columns stay as they are.

    Steps are limited, but for those up and down through a pond, `pond` in units of the shift, where the balance is
    convex.
    """
    high = torch.where(excess > 0.0, shift, high)
    low = torch.where(excess < 0.0, shift, low)
    most = torch.where(pond > 0.0, torch.inf, _LARGEST_SHIFT)
    new = shift + torch.minimum(torch.maximum(-excess / slope, -_LARGEST_SHIFT - pond), most)
    outside = (new <= low) | (new >= high)
    middle = torch.where(torch.isfinite(low) & torch.isfinite(high), 0.5 * (low + high), new)
    new = torch.where(outside, middle, new)
    # near the solution rounding leaves the bracket, and at the onset of ponding a step may lead away from it
    return torch.where(excess.abs() > TOLERANCE, new, shift), low, high
