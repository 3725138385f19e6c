"""The part of an hour that needs no learning: linearised implicit solves of every column.

Backward Euler for the Richards equation in ParFlow's discretisation, linearised (modified Picard; Celia et al. 1990,
Water Resour. Res. 26, 1483-1496) at some guess of the head at the end of the hour, first at the head at its start:
relative permeability is that of the guess, storage follows its derivative, overland outflow is implicit. Lateral Darcy
flow is that of the start of the hour.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from bmi_common.overland import OVERLAND_POWER
from bmi_surrogate.structured.columns import ColumnProperties, Soil, padded

Base = Literal["persistence", "solve"]
"""What the increments of a network are added to: the head at the start, or that of the column solve."""

LARGEST_CHANGE_DRY, LARGEST_CHANGE_WET = 0.15, 0.3
"""Of the coordinate u [m] by a solve, where the guess is unsaturated and saturated: fronts make it overshoot."""
_LEAST_CAPACITY = 1.0e-9
_SHALLOWEST = 1.0e-9


class ColumnHeads(NamedTuple):
    """What a head determines, all (layers, columns).

    Attributes
    ----------
    head, coordinate : Tensor
        Head [m] and its coordinate u [m].
    saturation, dsat_dh : Tensor
        Saturation [-] and its derivative with respect to head [m-1].
    permeability : Tensor
        Relative permeability [-].
    """

    head: Tensor
    coordinate: Tensor
    saturation: Tensor
    dsat_dh: Tensor
    permeability: Tensor

    @classmethod
    def of(cls, columns: ColumnProperties, coordinate: Tensor) -> ColumnHeads:
        """Evaluate at a coordinate u [m]."""
        soil = columns.retention
        head = soil.head(coordinate)
        return cls(head, coordinate, *soil.saturation_and_capacity(head), soil.relative_permeability(head))


class Start(NamedTuple):
    """What the head at the start of an hour and the source of the hour determine.

    Attributes
    ----------
    state : ColumnHeads
        At the start.
    source, lateral : Tensor, shape (layers, columns)
        Water from the source and from lateral Darcy flow in the hour [m].
    water : Tensor, shape (layers, columns)
        Water in each layer [m].
    ponded, inflow : Tensor, shape (columns,)
        Ponded depth [m], and overland inflow [m] as it would be from the ponding at the start.
    """

    state: ColumnHeads
    source: Tensor
    lateral: Tensor
    water: Tensor
    ponded: Tensor
    inflow: Tensor

    @property
    def available(self) -> Tensor:
        """Water of the column [m] but for overland flow: what it had, its source and its lateral flow."""
        return (self.water + self.source + self.lateral).sum(dim=0) + self.ponded


def begin(columns: ColumnProperties, head: Tensor, source: Tensor) -> Start:
    """Evaluate the start of an hour.

    Parameters
    ----------
    columns : ColumnProperties
        Soil and terrain.
    head : Tensor, shape (layers, columns)
        Pressure head [m].
    source : Tensor, shape (source layers, columns)
        Net source [h-1] of the uppermost layers.
    """
    saturation, dsat_dh = columns.retention.saturation_and_capacity(head)
    permeability = columns.retention.relative_permeability(head)
    state = ColumnHeads(head, columns.retention.coordinate(head), saturation, dsat_dh, permeability)
    ponded = head[-1].clamp(min=0.0)
    water = torch.zeros_like(head)
    water[-source.shape[0] :] = source * columns.dz[-source.shape[0] :]
    return Start(
        state=state,
        source=water,
        lateral=lateral_gain(columns, head, permeability),
        water=layer_water(columns, head, saturation),
        ponded=ponded,
        inflow=overland_inflow(columns, ponded),
    )


def layer_water(soil: ColumnProperties | Soil, head: Tensor, saturation: Tensor) -> Tensor:
    """Water in each layer [m]: S (porosity + specific storage h) dz."""
    return soil.dz * saturation * (soil.porosity + soil.specific_storage * head)


def stored(soil: ColumnProperties | Soil, head: Tensor, saturation: Tensor) -> Tensor:
    """Water in each column [m], ponded water included."""
    return layer_water(soil, head, saturation).sum(dim=0) + head[-1].clamp(min=0.0)


def capacity(soil: ColumnProperties | Soil, head: Tensor, saturation: Tensor, dsat_dh: Tensor) -> Tensor:
    """Differentiate the water stored in each layer with respect to head [-]."""
    return soil.dz * (dsat_dh * (soil.porosity + soil.specific_storage * head) + soil.specific_storage * saturation)


def lateral_gain(columns: ColumnProperties, head: Tensor, permeability: Tensor) -> Tensor:
    """Water that each layer gains from its neighbours in an hour by Darcy's law [m], permeability taken upwind."""
    heads, permeabilities = padded(head), padded(permeability)
    gain = torch.zeros_like(head)
    for conductance, rise, cosine, upper, lower in (
        (columns.east_conductance, columns.rise_east, columns.cosine_east, columns.east, columns.west),
        (columns.north_conductance, columns.rise_north, columns.cosine_north, columns.north, columns.south),
    ):
        drop = (head - heads[:, upper]) * cosine - rise
        flow = conductance * torch.where(drop > 0.0, permeability, permeabilities[:, upper]) * drop
        gain = gain - flow + padded(flow)[:, lower]
    return gain


def overland_inflow(columns: ColumnProperties, ponded: Tensor) -> Tensor:
    """Water [m] that flows onto each column in an hour in which its donors are ponded by so much [m]."""
    flow = padded(ponded**OVERLAND_POWER)
    return (columns.conveyance_in * flow[columns.donors]).sum(dim=0)


def outflow_slope(conveyance: Tensor, ponded: Tensor) -> Tensor:
    """Differentiate the overland outflow in an hour with respect to ponded depth [-]."""
    # the power has no derivative at 0
    return conveyance * OVERLAND_POWER * ponded.clamp(min=_SHALLOWEST) ** (OVERLAND_POWER - 1.0)


def solve(columns: ColumnProperties, start: Start, guess: ColumnHeads, inflow: Tensor) -> Tensor:
    """Change of the coordinate u [m] that the solve linearised at a guess makes to it, (layers, columns).

    Parameters
    ----------
    columns, start
        Soil and terrain, and the start of the hour.
    guess : ColumnHeads
        At the end of the hour; ``start.state`` for the first solve.
    inflow : Tensor, shape (columns,)
        Overland inflow in the hour [m].
    """
    k, head = guess.permeability, guess.head
    gradient = (head[:-1] - head[1:]) / columns.height - 1.0
    upwind = columns.vertical * torch.where(gradient > 0.0, k[:-1], k[1:])
    rise, coupling = upwind * gradient, upwind / columns.height
    ponded = head[-1].clamp(min=0.0)

    excess = -(start.source + start.lateral)
    if guess is not start.state:
        excess = excess + layer_water(columns, head, guess.saturation) - start.water
    excess[:-1] += rise
    excess[1:] -= rise
    excess[-1] += ponded - start.ponded + columns.conveyance_out * ponded**OVERLAND_POWER - inflow
    diagonal = capacity(columns, head, guess.saturation, guess.dsat_dh).clamp(min=_LEAST_CAPACITY)
    diagonal[:-1] += coupling
    diagonal[1:] += coupling
    diagonal[-1] += (head[-1] > 0.0).to(head.dtype) * (1.0 + outflow_slope(columns.conveyance_out, ponded))

    change = columns.retention.coordinate(head + _thomas(-coupling, diagonal, -excess)) - guess.coordinate
    # numbers alone would be taken in single precision
    limit = torch.where(head < 0.0, head.new_tensor(LARGEST_CHANGE_DRY), head.new_tensor(LARGEST_CHANGE_WET))
    return torch.minimum(torch.maximum(change, -limit), limit)


def _thomas(beside: Tensor, diagonal: Tensor, right: Tensor) -> Tensor:
    """Solve symmetric tridiagonal systems, one a column."""
    layers = diagonal.shape[0]
    factor: list[Tensor] = []
    value = [right[0] / diagonal[0]]
    for k in range(1, layers):
        factor.append(beside[k - 1] / (diagonal[k - 1] - (beside[k - 2] * factor[k - 2] if k > 1 else 0.0)))
        value.append((right[k] - beside[k - 1] * value[k - 1]) / (diagonal[k] - beside[k - 1] * factor[k - 1]))
    for k in range(layers - 2, -1, -1):
        value[k] = value[k] - factor[k] * value[k + 1]
    return torch.stack(value)
