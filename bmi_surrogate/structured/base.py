"""The part of an hour that needs no learning: one linearised implicit solve of every column.

Backward Euler for the Richards equation in ParFlow's discretisation, linearised once (Picard; Celia et al. 1990, Water
Resour. Res. 26, 1483-1496) at the head at the start of the hour: relative permeability stays, storage follows its
derivative, lateral Darcy flow and overland inflow are those of the start, overland outflow is implicit.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from bmi_surrogate.structured.medium import Medium, padded

OVERLAND_POWER = 5.0 / 3.0
"""Of the depth in Manning's formula."""
LARGEST_CHANGE = 0.15
"""Of the coordinate u [m] in an hour: a linear solve overshoots where a front passes."""
_LEAST_CAPACITY = 1.0e-9


class Start(NamedTuple):
    """What the head at the start of an hour and the source of the hour determine.

    Attributes
    ----------
    head, coordinate, saturation, permeability : Tensor, shape (layers, columns)
        Head [m], its coordinate u [m], saturation [-] and relative permeability [-].
    source, lateral : Tensor, shape (layers, columns)
        Water from the source and from lateral Darcy flow in the hour [m].
    capacity : Tensor, shape (layers, columns)
        Derivative of the water stored in a layer with respect to its head [-].
    ponded, inflow : Tensor, shape (columns,)
        Ponded depth [m], and overland inflow [m] as it would be from the ponding at the start.
    stored : Tensor, shape (columns,)
        Water in the column [m], ponded water included.
    """

    head: Tensor
    coordinate: Tensor
    saturation: Tensor
    permeability: Tensor
    source: Tensor
    lateral: Tensor
    capacity: Tensor
    ponded: Tensor
    inflow: Tensor
    stored: Tensor

    @property
    def available(self) -> Tensor:
        """Water of the column [m] but for overland flow: what it had, its source and its lateral flow."""
        return self.stored + (self.source + self.lateral).sum(dim=0)


def begin(medium: Medium, head: Tensor, source: Tensor) -> Start:
    """Evaluate the start of an hour.

    Parameters
    ----------
    medium : Medium
        Soil and terrain.
    head : Tensor, shape (layers, columns)
        Pressure head [m].
    source : Tensor, shape (source layers, columns)
        Net source [h-1] of the uppermost layers.
    """
    saturation, slope = medium.retention.wetness(head)
    permeability = medium.retention.relative_permeability(head)
    ponded = head[-1].clamp(min=0.0)
    water = torch.zeros_like(head)
    water[-source.shape[0] :] = source * medium.dz[-source.shape[0] :]
    return Start(
        head=head,
        coordinate=medium.retention.coordinate(head),
        saturation=saturation,
        permeability=permeability,
        source=water,
        lateral=lateral_gain(medium, head, permeability),
        capacity=capacity(medium, head, saturation, slope),
        ponded=ponded,
        inflow=overland_inflow(medium, ponded),
        stored=stored(medium, head, saturation),
    )


def stored(medium: Medium, head: Tensor, saturation: Tensor) -> Tensor:
    """Water in each column [m], ponded water included: S (porosity + specific storage h) dz, and the depth."""
    water = medium.dz * saturation * (medium.porosity + medium.specific_storage * head)
    return water.sum(dim=0) + head[-1].clamp(min=0.0)


def capacity(medium: Medium, head: Tensor, saturation: Tensor, slope: Tensor) -> Tensor:
    """Differentiate the water stored in each layer with respect to head [-]."""
    return medium.dz * (
        slope * (medium.porosity + medium.specific_storage * head) + medium.specific_storage * saturation
    )


def lateral_gain(medium: Medium, head: Tensor, permeability: Tensor) -> Tensor:
    """Water that each layer gains from its neighbours in an hour by Darcy's law [m], permeability taken upwind."""
    heads, permeabilities = padded(head), padded(permeability)
    gain = torch.zeros_like(head)
    for conductance, rise, upper, lower in (
        (medium.east_conductance, medium.slope_x, medium.east, medium.west),
        (medium.north_conductance, medium.slope_y, medium.north, medium.south),
    ):
        drop = head - heads[:, upper] - rise
        flow = conductance * torch.where(drop > 0.0, permeability, permeabilities[:, upper]) * drop
        gain = gain - flow + padded(flow)[:, lower]
    return gain


def overland_inflow(medium: Medium, ponded: Tensor) -> Tensor:
    """Water [m] that flows onto each column in an hour in which its donors are ponded by so much [m]."""
    flow = padded(ponded**OVERLAND_POWER)
    return (medium.inflow * flow[medium.donors]).sum(dim=0)


def advance(medium: Medium, start: Start) -> Tensor:
    """Coordinate u [m] at the end of the hour, (layers, columns), by the linearised solve."""
    k, head = start.permeability, start.head
    gradient = (head[:-1] - head[1:]) / medium.height - 1.0
    upwind = medium.vertical * torch.where(gradient > 0.0, k[:-1], k[1:])
    rise, coupling = upwind * gradient, upwind / medium.height

    excess = -(start.source + start.lateral)
    excess[:-1] += rise
    excess[1:] -= rise
    excess[-1] += medium.outflow * start.ponded**OVERLAND_POWER - start.inflow
    diagonal = start.capacity.clamp(min=_LEAST_CAPACITY)
    diagonal[:-1] += coupling
    diagonal[1:] += coupling
    wet = (head[-1] > 0.0).to(head.dtype)
    spread = medium.outflow * OVERLAND_POWER * start.ponded ** (OVERLAND_POWER - 1.0)
    diagonal[-1] += wet * (1.0 + spread)

    after = medium.retention.coordinate(head + _thomas(-coupling, diagonal, -excess))
    return start.coordinate + (after - start.coordinate).clamp(-LARGEST_CHANGE, LARGEST_CHANGE)


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
