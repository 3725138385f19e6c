"""The water balance of every column, closed: what a column holds at the end of the hour is what it had and got.

After the solves and the correction, one number a column shifts the coordinates u of its layers, each by its own
positive weight, until stored water, ponded water and overland outflow add up to the water available. The balance grows
monotonically with the shift, so Newton's method within a bracket finds it; ponding is a kink on the way. How much
water can stand is limited by what the soil below takes; see `standing_water`.

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
from bmi_surrogate.structured.standing_water import Changing, Surface

TOLERANCE = 1.0e-12
"""Of the balance of a column in an hour [m]."""
INFLOW_TOLERANCE = 1.0e-10
"""Of overland inflow, relative to 1 m and the inflow."""
_BLOCK = 2048
"""Columns searched together on a CPU: their intermediate results stay in its caches."""
_LARGEST_SHIFT = 0.5
LEAST_SLOPE = 1.0e-6
"""Of a balance [-]; that of a dry column which has nothing more to give."""


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
        shift, closed_with, inflow = _search(columns, start, guess.detach(), weights.detach(), effort, active_set)
    found = _Open.of(columns, start, guess, weights).with_inflow(closed_with).balance(shift)
    if not torch.is_grad_enabled() or not (guess.requires_grad or weights.requires_grad):
        return Closed(found.coordinate, inflow)
    step = found.excess / found.growth.detach() * found.rising.detach()
    return Closed(found.coordinate - (step - step.detach()), inflow)


class _Balance(NamedTuple):
    """Columns after a shift.

    Attributes
    ----------
    coordinate, rising : Tensor, shape (layers, columns)
        Coordinate u [m], and its derivative by the shift [-].
    by_inflow : Tensor, shape (columns,)
        Derivative of the top layer's coordinate by overland inflow, with the shift as it is [-].
    excess, growth : Tensor, shape (columns,)
        Water that columns hold and give away beyond what is available [m], and its derivative by the shift [-].
    """

    coordinate: Tensor
    rising: Tensor
    by_inflow: Tensor
    excess: Tensor
    growth: Tensor


class _Open(NamedTuple):
    """Columns whose balance is to be closed; see `close`."""

    soil: Soil
    surface: Surface
    guess: Tensor
    weights: Tensor
    available: Tensor

    @classmethod
    def of(cls, columns: ColumnProperties, start: Start, guess: Tensor, weights: Tensor) -> _Open:
        """Take all columns, without overland inflow."""
        return cls(Soil.of(columns), Surface.of(columns, start), guess, weights, start.available)

    def some(self, which: Tensor | slice) -> _Open:
        """Take some columns."""
        layered = self.guess[:, which], self.weights[:, which]
        return _Open(self.soil.some(which), self.surface.some(which), *layered, self.available[which])

    def with_inflow(self, inflow: Tensor) -> _Open:
        """Return them with overland inflow [m]."""
        return self._replace(surface=self.surface.with_inflow(inflow), available=self.available + inflow)

    def balance(self, shift: Tensor) -> _Balance:
        """Evaluate after a shift [m], (columns,)."""
        soil, retention, weights = self.soil, self.soil.retention, self.weights
        coordinate = self.guess + shift * weights
        head, stretch = retention.head(coordinate), retention.stretch(coordinate)
        saturation, dsat_dh = retention.saturation_and_capacity(head)
        pores, rising = (soil.dz * soil.porosity)[:-1], (stretch * weights)[:-1]
        moves = (weights[:-1] > 0.0).to(head.dtype)
        room = (pores * moves * (retention.maximum - saturation)[:-1]).sum(dim=0)
        filling = (pores * dsat_dh[:-1] * rising).sum(dim=0)
        top = self.surface.bounded(
            Changing(coordinate[-1], weights[-1]), Changing(head[-2], rising[-1]), Changing(room, -filling)
        )
        # what is bounded stands above 0 with and without its limit, where u is the head
        lowered = top.coordinate - coordinate[-1]
        head, coordinate = (torch.cat((u[:-1], (u[-1] + lowered)[None])) for u in (head, coordinate))
        weights = torch.cat((weights[:-1], top.by_shift[None]))
        ponded = head[-1].clamp(min=0.0)
        excess = stored(soil, head, saturation) + soil.conveyance_out * ponded**OVERLAND_POWER - self.available
        spread = (head[-1] > 0.0).to(head.dtype) * (1.0 + outflow_slope(soil.conveyance_out, ponded))
        growth = (capacity(soil, head, saturation, dsat_dh) * stretch * weights).sum(dim=0) + top.by_shift * spread
        return _Balance(coordinate, weights, top.by_inflow, excess, growth.clamp(min=LEAST_SLOPE))

    def pond(self, coordinate: Tensor) -> Tensor:
        """Water that stands [m], in units of the shift."""
        return coordinate[-1].clamp(min=0.0) / self.weights[-1]


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
) -> tuple[Tensor, Tensor, Tensor]:
    """Shifts, the overland inflow that balances were closed with last, and that which they lead to [m]."""
    inflow = start.inflow
    dry = _Open.of(columns, start, guess, weights)
    newton = _newton_in_blocks if active_set else _newton
    begin = _Found(torch.zeros_like(inflow), torch.ones_like(inflow), torch.zeros_like(inflow, dtype=torch.bool))
    task = dry.with_inflow(inflow)
    found = newton(task, begin, effort.sweeps)
    better = _routed(columns, task, found, inflow, active_set)
    for _ in range(effort.repetitions(len(columns.levels) - 1) if active_set else effort.routing):
        task = dry.with_inflow(better)
        if not active_set:
            inflow = better
            found = newton(task, found, effort.later_sweeps)
        else:
            changed = (better - inflow).abs() > INFLOW_TOLERANCE * (1.0 + inflow)
            which = torch.nonzero(changed | ~found.closed)[:, 0]
            if which.numel() == 0:
                return found.shift, inflow, inflow
            inflow = better
            some = newton(task.some(which), _Found(*(part[which] for part in found)), effort.later_sweeps)
            found = _Found(*(old.index_copy(0, which, new) for old, new in zip(found, some, strict=True)))
        better = _routed(columns, task, found, inflow, active_set)
    return found.shift, inflow, inflow if effort.routing else better


def _routed(columns: ColumnProperties, task: _Open, found: _Found, inflow: Tensor, active_set: bool) -> Tensor:
    """Overland inflow [m] after columns were closed with `inflow`: that of their depths, routed to the end."""
    coordinate, rising, by_inflow, _, _ = task.balance(found.shift)
    ponded = coordinate[-1].clamp(min=0.0)
    change = overland_inflow(columns, ponded) - inflow
    if active_set and not bool(change.any()):
        return inflow
    # how the flow out of a ponded column grows with the flow into it
    spread = 1.0 + outflow_slope(columns.conveyance_out, ponded)
    # a growth of before the last sweep may lack the pond
    growth = torch.maximum(found.growth, rising[-1] * spread)
    deeper = by_inflow + rising[-1] * (1.0 - spread * by_inflow) / growth
    response = OVERLAND_POWER * ponded ** (OVERLAND_POWER - 1.0) * deeper
    passed = columns.conveyance_in * padded(response)[columns.donors]
    total = padded(change)
    for first, last in itertools.pairwise(columns.levels[1:]):
        total[first:last] += (passed[:, first:last] * total[columns.donors[:, first:last]]).sum(dim=0)
    return (inflow + total[:-1]).clamp(min=0.0)


def _newton(task: _Open, begin: _Found, sweeps: int) -> _Found:
    shift, slope, closed = begin
    low, high = torch.full_like(shift, -torch.inf), torch.full_like(shift, torch.inf)
    for _ in range(sweeps):
        coordinate, _, _, excess, slope = task.balance(shift)
        closed = excess.abs() <= TOLERANCE
        shift, low, high = _next(shift, low, high, excess, slope, task.pond(coordinate))
    return _Found(shift, slope, closed)


def _newton_in_blocks(task: _Open, begin: _Found, sweeps: int) -> _Found:
    columns = task.guess.shape[1]
    if columns <= _BLOCK:
        return _newton_active_set(task, begin, sweeps)
    parts = []
    for first in range(0, columns, _BLOCK):
        some = slice(first, first + _BLOCK)
        parts.append(_newton_active_set(task.some(some), _Found(*(part[some] for part in begin)), sweeps))
    return _Found(*(torch.cat(same) for same in zip(*parts, strict=True)))


def _newton_active_set(task: _Open, begin: _Found, sweeps: int) -> _Found:
    """As `_newton`, but go on with the columns that are not closed yet only."""
    shift = begin.shift
    result, growth, closed = (part.clone() for part in begin)
    which = torch.arange(shift.shape[0], device=shift.device)
    low, high = torch.full_like(shift, -torch.inf), torch.full_like(shift, torch.inf)
    for _ in range(sweeps):
        coordinate, _, _, excess, slope = task.balance(shift)
        is_dry = coordinate[-1] * task.soil.retention.alpha[-1] < -KNEE
        is_open = (excess.abs() > TOLERANCE) & ~((excess > 0.0) & (slope <= LEAST_SLOPE) & is_dry)
        growth[which], closed[which] = slope, ~is_open
        open_ = torch.nonzero(is_open)[:, 0]
        if open_.numel() == 0:
            break
        shift, low, high = _next(shift, low, high, excess, slope, task.pond(coordinate))
        if 2 * open_.numel() < shift.numel():
            result[which] = shift
            which, shift, low, high = which[open_], shift[open_], low[open_], high[open_]
            task = task.some(open_)
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
