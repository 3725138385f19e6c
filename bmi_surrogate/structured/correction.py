"""The learned part: a network that sees one column, and says how far to go and who closes the balance.

A solve linearised at a good guess knows the direction in which the guess is wrong, and fades where there is nothing to
correct; how far to follow it in each layer, where a front passes or the soil saturates, is learned.

What it sees of a column are numbers without units, of order one, the same for every domain. They do not name a place:
two columns of different basins in the same situation look the same, so that weights can go from one basin to another.
Neighbours enter through the water that they give. Wide ranges are squashed by the inverse hyperbolic sine, linear below
its scale and logarithmic above.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

from bmi_surrogate.structured.architecture import StructuredArchitecture
from bmi_surrogate.structured.column_solve import ColumnHeads, Start
from bmi_surrogate.structured.columns import ColumnProperties

LARGEST_GAIN = 3.0
"""Of a solve's change; the least is -1."""
FADING_SCALE = 0.02
"""Change by the last solve, in units of the typical hourly change, at which half of the learned is applied."""
LARGEST_WEIGHT = 8.0
"""Of a layer in the closure; the least is the inverse."""
WATER_SCALE = 1.0e-4
"""Water in an hour [m] that separates linear from logarithmic."""
PONDING_SCALE = 1.0e-3
FINE = 0.01
"""Of the typical change: what a second solve changes is small."""
LAYERED = 11
SURFACE = 4


def bounded(gain: Tensor, weights: Tensor, residual_scale: Tensor) -> tuple[Tensor, Tensor]:
    """Bring what a network says within its bounds, and let it fade where there is nothing to correct.

    Parameters
    ----------
    gain : Tensor, shape (layers, columns), float64
        Of the last solve's change; 0 for a gain of 1.
    weights : Tensor, shape (layers - 1, columns), float64
        Of the closure, for all layers but the bottom one; 0 for a weight of 1.
    residual_scale : Tensor, shape (columns,)
        As in `Correction.forward`.

    Returns
    -------
    gain, weights : Tensor, shape (layers, columns), float64
        As `Correction.forward` gives them.
    """
    half = 0.5 * (LARGEST_GAIN + 1.0)
    fade = residual_scale / (residual_scale + FADING_SCALE)
    gain = 1.0 + fade * half * torch.tanh(gain / half)
    share = math.log(LARGEST_WEIGHT)
    weights = torch.exp(fade * share * torch.tanh(weights / share))
    return gain, torch.cat((torch.zeros_like(weights[:1]), weights))


class Correction(nn.Module):
    """Multilayer perceptron from the features of a column to gains of the last solve and weights of the closure.

    Untrained all are 1, but for the bottom layer's weight: the last layer starts from zero.

    Parameters
    ----------
    architecture : StructuredArchitecture
        Numbers of layers and channels.
    """

    def __init__(self, architecture: StructuredArchitecture) -> None:
        super().__init__()
        assert architecture.layers != "any"  # which is the shared network's
        self.layers = architecture.layers
        widths = (feature_count(self.layers), *architecture.hidden)
        parts: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            parts += [nn.Linear(before, after), nn.SiLU()]
        self.inner = nn.Sequential(*parts)
        self.last = nn.Linear(widths[-1], 2 * self.layers - 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, seen: Tensor, residual_scale: Tensor) -> tuple[Tensor, Tensor]:
        """Judge columns.

        Parameters
        ----------
        seen : Tensor, shape (columns, features)
            From `features`; taken in the precision of the parameters.
        residual_scale : Tensor, shape (columns,)
            Largest change by the last solve, in units of each layer's typical hourly change. Gains and weights go to 1
            as it vanishes: a solve linearised at a nearly exact guess needs no advice.

        Returns
        -------
        gain : Tensor, shape (layers, columns), float64
            Of the solve's change in each layer.
        weights : Tensor, shape (layers, columns), float64
            Of the closure; 0 for the bottom layer, whose head follows from its own equation.
        """
        out: Tensor = self.last(self.inner(seen.to(self.last.weight.dtype))).T.to(torch.float64)
        return bounded(out[: self.layers], out[self.layers :], residual_scale)

    def judge(
        self, columns: ColumnProperties, start: Start, guess: ColumnHeads, change: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Gains and weights for the last solve's change; arguments as in `features`, results as of `forward`."""
        seen = features(columns, start, guess, change, scale)
        return self.forward(seen, (change / scale).abs().amax(dim=0))


def feature_count(layers: int) -> int:
    """Count the features of a column with so many layers."""
    return LAYERED * layers - 1 + SURFACE


def soil_features(columns: ColumnProperties) -> Tensor:
    """Compute the features that do not change, (2 x layers, columns)."""
    conductivity = torch.log10(columns.conductivity_z.clamp(min=1.0e-8)) / 2.0 + 1.0
    return torch.cat((conductivity, torch.log(columns.retention.n - 1.0) + 0.5))


def features(columns: ColumnProperties, start: Start, guess: ColumnHeads, change: Tensor, scale: Tensor) -> Tensor:
    """Features of every column.

    Parameters
    ----------
    columns, start
        Soil and terrain, and the start of the hour.
    guess : ColumnHeads
        At the end of the hour.
    change : Tensor, shape (layers, columns)
        Change of the coordinate u [m] that the next solve would make to the guess.
    scale : Tensor, shape (layers, 1)
        Typical change of u in an hour [m].

    Returns
    -------
    Tensor, shape (columns, features), float64
    """
    layered = layered_features(columns, start, guess, change, scale)
    return torch.cat([*layered, soil_features(columns), surface_features(columns, start, guess)]).T


def layered_features(
    columns: ColumnProperties, start: Start, guess: ColumnHeads, change: Tensor, scale: Tensor
) -> list[Tensor]:
    """Features of the layers that change from hour to hour, each (layers, columns); arguments as in `features`.

    The fifth, the gradient to the layer above, is (layers - 1, columns).
    """
    retention = columns.retention
    head = guess.head
    gradient = (head[:-1] - head[1:]) / columns.height - 1.0
    return [
        (guess.saturation - retention.residual) / (retention.maximum - retention.residual),
        torch.tanh(retention.alpha * head),
        torch.asinh(head / 0.1) / 3.0,
        torch.log10(guess.permeability.clamp(min=1.0e-12)) / 4.0 + 1.0,
        torch.asinh(gradient),
        torch.asinh(start.source / WATER_SCALE) / 3.0,
        torch.asinh(start.lateral / WATER_SCALE) / 3.0,
        torch.asinh((guess.coordinate - start.state.coordinate) / scale),
        torch.asinh(change / (FINE * scale)) / 2.0,
    ]


def surface_features(columns: ColumnProperties, start: Start, guess: ColumnHeads) -> Tensor:
    """Features of the surface, (`SURFACE`, columns)."""
    surface = [
        torch.asinh(start.ponded / PONDING_SCALE) / 3.0,
        torch.asinh(guess.head[-1].clamp(min=0.0) / PONDING_SCALE) / 3.0,
        torch.asinh(start.inflow / PONDING_SCALE) / 3.0,
        torch.asinh(columns.conveyance_out / 100.0) / 3.0,
    ]
    return torch.stack(surface)
