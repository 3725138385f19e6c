"""What the correction sees of a column: numbers without units, of order one, the same for every domain.

Nothing here names a place: two columns of different basins that are in the same situation look the same, so that
weights can go from one to another. Neighbours enter through the water that they give. Wide ranges are squashed by the
inverse hyperbolic sine, linear below its scale and logarithmic above.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bmi_surrogate.structured.base import Start, State
from bmi_surrogate.structured.medium import Medium

WATER_SCALE = 1.0e-4
"""Water in an hour [m] that separates linear from logarithmic."""
PONDING_SCALE = 1.0e-3
FINE = 0.01
"""Of the typical change: what a second solve changes is small."""
LAYERED = 11
SURFACE = 4


def count(layers: int) -> int:
    """Count the features of a column with so many layers."""
    return LAYERED * layers - 1 + SURFACE


def of(medium: Medium, start: Start, guess: State, change: Tensor, scale: Tensor) -> Tensor:
    """Features of every column.

    Parameters
    ----------
    medium, start
        Soil and terrain, and the start of the hour.
    guess : State
        At the end of the hour.
    change : Tensor, shape (layers, columns)
        Change of the coordinate u [m] that the next solve would make to the guess.
    scale : Tensor, shape (layers, 1)
        Typical change of u in an hour [m].

    Returns
    -------
    Tensor, shape (columns, features), float32
    """
    retention = medium.retention
    head = guess.head
    gradient = (head[:-1] - head[1:]) / medium.height - 1.0
    layered = [
        (guess.saturation - retention.residual) / (retention.maximum - retention.residual),
        torch.tanh(retention.alpha * head),
        torch.asinh(head / 0.1) / 3.0,
        torch.log10(guess.permeability.clamp(min=1.0e-12)) / 4.0 + 1.0,
        torch.asinh(gradient),
        torch.asinh(start.source / WATER_SCALE) / 3.0,
        torch.asinh(start.lateral / WATER_SCALE) / 3.0,
        torch.asinh((guess.coordinate - start.state.coordinate) / scale),
        torch.asinh(change / (FINE * scale)) / 2.0,
        torch.log10(medium.conductivity_z.clamp(min=1.0e-8)) / 2.0 + 1.0,
        torch.log(retention.n - 1.0) + 0.5,
    ]
    surface = [
        torch.asinh(start.ponded / PONDING_SCALE) / 3.0,
        torch.asinh(head[-1].clamp(min=0.0) / PONDING_SCALE) / 3.0,
        torch.asinh(start.inflow / PONDING_SCALE) / 3.0,
        torch.asinh(medium.outflow / 100.0) / 3.0,
    ]
    return torch.cat([*layered, torch.stack(surface)]).T.to(torch.float32)
