"""The structured surrogate as a module: an hour of base solve, correction and closure."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from bmi_surrogate.structured import features
from bmi_surrogate.structured.base import advance, begin
from bmi_surrogate.structured.closure import close
from bmi_surrogate.structured.correction import Correction, StructuredArchitecture
from bmi_surrogate.structured.medium import Medium

DRIEST_HEAD = -1.0e4
"""Head [m] below which no layer goes."""


class Hour(NamedTuple):
    """Result of an hour, both (layers, columns): pressure head [m] and its coordinate u [m]."""

    head: Tensor
    coordinate: Tensor


class StructuredModel(nn.Module):
    """Advances the pressure head of columns by an hour.

    Parameters are those of the correction, in single precision; heads and balances are in double precision.

    Parameters
    ----------
    architecture : StructuredArchitecture
        Numbers of layers and channels, and effort.

    Attributes
    ----------
    scale : Tensor, shape (layers, 1)
        Typical change of the coordinate u in an hour [m], the unit of the correction; from the training data.
    """

    scale: Tensor

    def __init__(self, architecture: StructuredArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.correction = Correction(architecture)
        self.register_buffer("scale", torch.full((architecture.layers, 1), 0.01, dtype=torch.float64))

    def forward(self, medium: Medium, head: Tensor, source: Tensor, compact: bool = False) -> Hour:
        """Advance one hour.

        Parameters
        ----------
        medium : Medium
            Soil and terrain of the columns.
        head : Tensor, shape (layers, columns)
            Pressure head [m] at the start of the hour, float64.
        source : Tensor, shape (source layers, columns)
            Net source [h-1] of the uppermost layers during the hour.
        compact : bool
            See `closure.close`.
        """
        start = begin(medium, head, source.to(head.dtype))
        guess = advance(medium, start)
        if self.architecture.hidden:
            base = guess - start.coordinate
            change, weights = self.correction(features.of(medium, start, base, self.scale), base, self.scale)
            guess = guess + change
        else:
            weights = torch.ones_like(guess)
            weights[0] = 0.0
        coordinate = close(medium, start, guess, weights, self.architecture.effort, compact)
        return Hour(medium.retention.head(coordinate).clamp(min=DRIEST_HEAD), coordinate)
