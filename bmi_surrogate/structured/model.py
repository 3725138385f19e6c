"""The structured surrogate as a module: an hour of solves, learned gains and closures."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from bmi_surrogate.structured.architecture import StructuredArchitecture
from bmi_surrogate.structured.closure import Effort, close
from bmi_surrogate.structured.column_solve import ColumnHeads, begin, solve
from bmi_surrogate.structured.columns import ColumnProperties
from bmi_surrogate.structured.correction import Correction
from bmi_surrogate.structured.shared_correction import DEPTHS, SharedCorrection, depth_of_centres, scale_at

ROUGHLY = Effort(routing=0, sweeps=4)
"""For guesses between solves."""


class Hour(NamedTuple):
    """Result of an hour, both (layers, columns): pressure head [m] and its coordinate u [m]."""

    head: Tensor
    coordinate: Tensor


class StructuredModel(nn.Module):
    """Advances the pressure head of columns by an hour.

    Parameters are those of the correction, in single precision, as in training; heads and balances are in double
    precision, and at work (`double`) the correction is, too.

    Parameters
    ----------
    architecture : StructuredArchitecture
        Numbers of layers and channels, and effort.

    Attributes
    ----------
    scale : Tensor, shape (layers, 1), or (depths,) for any number of layers
        Typical change of the coordinate u in an hour [m], the unit of the correction; from the training data. Of each
        layer, or at `bmi_surrogate.structured.shared_correction.DEPTHS`.
    """

    scale: Tensor

    def __init__(self, architecture: StructuredArchitecture) -> None:
        super().__init__()
        self.architecture = architecture
        if architecture.hidden:
            self.correction = (SharedCorrection if architecture.layers == "any" else Correction)(architecture)
        shape = (len(DEPTHS),) if architecture.layers == "any" else (architecture.layers, 1)
        self.register_buffer("scale", torch.full(shape, 0.01, dtype=torch.float64))

    def scale_of(self, columns: ColumnProperties) -> Tensor:
        """Typical change of the coordinate u in an hour [m] in the layers of some columns, (layers, 1)."""
        if self.architecture.layers != "any":
            return self.scale
        return scale_at(depth_of_centres(columns.dz), self.scale)

    def forward(self, columns: ColumnProperties, head: Tensor, source: Tensor, active_set: bool = False) -> Hour:
        """Advance one hour.

        Parameters
        ----------
        columns : ColumnProperties
            Soil and terrain of the columns.
        head : Tensor, shape (layers, columns)
            Pressure head [m] at the start of the hour, float64.
        source : Tensor, shape (source layers, columns)
            Net source [h-1] of the uppermost layers during the hour.
        active_set : bool
            See `closure.close`.
        """
        a = self.architecture
        start = begin(columns, head, source.to(head.dtype))
        weights = torch.ones_like(head)
        weights[0] = 0.0
        coordinate, inflow = start.state.coordinate + solve(columns, start, start.state, start.inflow), start.inflow
        for refinement in range(a.refinements):
            coordinate, inflow = close(columns, start, coordinate, weights, ROUGHLY, active_set)
            guess = ColumnHeads.of(columns, coordinate)
            change = solve(columns, start, guess, inflow)
            if a.hidden and refinement == a.refinements - 1:
                gain, weights = self.correction.judge(columns, start, guess, change, self.scale_of(columns))
                change = change * gain
            coordinate = coordinate + change
        coordinate = close(columns, start, coordinate, weights, a.effort, active_set).coordinate
        return Hour(columns.retention.head(coordinate), coordinate)
