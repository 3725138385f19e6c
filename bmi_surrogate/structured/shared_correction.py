"""The learned part for columns of any number of layers: one network that all layers share.

It goes along the column like a convolution: what it says of a layer follows from the layer, the one below and the one
above, the surface, and, from the second inner layer on, from the mean and the largest over the column of what the inner
layer before has found. Nothing counts the layers, so that weights go from one layering to another. Beyond the ends of a
column are zeros; the feature that is 1 in every layer tells them from a layer.

Equation (15b) of docs/theory.md.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from bmi_common.arrays import Array
from bmi_surrogate.structured.architecture import StructuredArchitecture
from bmi_surrogate.structured.column_solve import ColumnHeads, Start
from bmi_surrogate.structured.columns import ColumnProperties
from bmi_surrogate.structured.correction import SURFACE, bounded, layered_features, soil_features, surface_features

LAYER_FEATURES = 14
"""Features of a layer, the last of which is 1."""
SOIL_FEATURES = 5
"""Those of them at the end that do not change."""
DEPTHS = np.logspace(-2.0, 2.0, 13)
"""Depths [m] between which the typical hourly change is interpolated."""
_SMOOTH = 1.0e-2
"""Weight of differences between neighbouring depths beside the data, in the fit of the typical change."""


class Seen(NamedTuple):
    """Features of columns.

    Attributes
    ----------
    layers : Tensor, shape (layers, columns, `LAYER_FEATURES`)
        Of each layer.
    surface : Tensor, shape (columns, `SURFACE`)
        Of the surface.
    """

    layers: Tensor
    surface: Tensor


class InnerLayer(nn.Module):
    """What is found of every layer from what it and its neighbours were before, and from the column's summary.

    Parameters
    ----------
    inputs, summary, outputs : int
        Numbers of a layer before, of the summary, and of a layer after.
    """

    def __init__(self, inputs: int, summary: int, outputs: int) -> None:
        super().__init__()
        self.near = nn.Linear(3 * inputs, outputs, bias=False)
        self.whole = nn.Linear(summary, outputs)

    def forward(self, state: Tensor, summary: Tensor) -> Tensor:
        """Go from (layers, columns, inputs) and (columns, summary) to (layers, columns, outputs)."""
        return nn.functional.silu(self.near(_with_neighbours(state)) + self.whole(summary))


class SharedCorrection(nn.Module):
    """Network along the layers of a column, from their features to gains of the last solve and weights of the closure.

    Untrained all are 1, but for the bottom layer's weight: the last layer starts from zero.

    Parameters
    ----------
    architecture : StructuredArchitecture
        Widths of the inner layers.
    """

    def __init__(self, architecture: StructuredArchitecture) -> None:
        super().__init__()
        self.inner = nn.ModuleList()
        width, summary = LAYER_FEATURES, SURFACE
        for outputs in architecture.hidden:
            self.inner.append(InnerLayer(width, summary, outputs))
            width, summary = outputs, 2 * outputs + SURFACE
        self.last = nn.Linear(width, 2)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, seen: Seen, residual_scale: Tensor) -> tuple[Tensor, Tensor]:
        """Judge columns; arguments and results but for `seen` are those of `bmi_surrogate.structured.Correction`."""
        state, surface = (part.to(self.last.weight.dtype) for part in seen)
        summary = surface
        for inner in self.inner:
            state = inner(state, summary)
            summary = torch.cat((state.mean(dim=0), state.amax(dim=0), surface), dim=-1)
        gain, weights = self.last(state).to(torch.float64).unbind(dim=-1)
        return bounded(gain, weights[1:], residual_scale)

    def judge(
        self, columns: ColumnProperties, start: Start, guess: ColumnHeads, change: Tensor, scale: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Gains and weights for the last solve's change; see `bmi_surrogate.structured.Correction.judge`."""
        seen = features_of_layers(columns, start, guess, change, scale)
        return self.forward(seen, (change / scale).abs().amax(dim=0))


def _with_neighbours(state: Tensor) -> Tensor:
    """Put the layer below before each layer (layers, columns, width), and the one above behind it."""
    beyond = state.new_zeros((1, *state.shape[1:]))
    return torch.cat((torch.cat((beyond, state[:-1])), state, torch.cat((state[1:], beyond))), dim=-1)


def features_of_layers(
    columns: ColumnProperties, start: Start, guess: ColumnHeads, change: Tensor, scale: Tensor
) -> Seen:
    """Features of every layer and of the surface; arguments as in `bmi_surrogate.structured.correction.features`."""
    layered = layered_features(columns, start, guess, change, scale)
    gradient = layered[4]
    layered[4] = torch.cat((gradient, torch.zeros_like(gradient[:1])))  # above the top layer is none
    layers = torch.stack((*layered, *soil_features_of_layers(columns)), dim=-1)
    return Seen(layers, surface_features(columns, start, guess).T)


def soil_features_of_layers(columns: ColumnProperties) -> Tensor:
    """Compute the features that do not change, (`SOIL_FEATURES`, layers, columns).

    They are those of a column, and the layer's thickness and the depth of its centre in units of the soil's capillary
    length, 1 / alpha.
    """
    conductivity, shape = soil_features(columns).chunk(2)
    thickness, depth = (
        torch.log(columns.retention.alpha * length) / 4.0 for length in (columns.dz, depth_of_centres(columns.dz))
    )
    return torch.stack((conductivity, shape, thickness, depth, torch.ones_like(depth)))


def depth_of_centres(dz: Tensor) -> Tensor:
    """Depth [m] of the centres of layers of thickness `dz` [m], (layers, 1), bottom first."""
    return dz.flip(0).cumsum(dim=0).flip(0) - 0.5 * dz


def scale_at(depth: Tensor, known: Tensor) -> Tensor:
    """Typical hourly change of u [m] at depths [m], (layers, 1), from that at `DEPTHS`.

    Its logarithm is linear in that of depth between `DEPTHS`, and constant beyond them.
    """
    return torch.exp(_shares(depth[:, 0]) @ torch.log(known))[:, None]


def _shares(depth: Tensor) -> Tensor:
    """Share of each of `DEPTHS` in the interpolation, (layers, depths)."""
    first, step = float(np.log(DEPTHS[0])), float(np.log(DEPTHS[1] / DEPTHS[0]))
    place = ((torch.log(depth) - first) / step).clamp(min=0.0, max=len(DEPTHS) - 1.0)
    nodes = torch.arange(len(DEPTHS), dtype=depth.dtype, device=depth.device)
    return (1.0 - (place[:, None] - nodes).abs()).clamp(min=0.0)


def fitted_scale(depth: Array, scale: Array) -> Array:
    """Typical hourly change of u [m] at `DEPTHS` that comes closest to that of layers.

    Parameters
    ----------
    depth, scale : ndarray, shape (layers,)
        Depth of the centre [m] and typical change [m] of layers, of one layering or of several.
    """
    shares = _shares(torch.from_numpy(depth)).numpy()
    differences = np.sqrt(_SMOOTH) * np.diff(np.eye(len(DEPTHS)), axis=0)
    right = np.append(np.log(scale), np.zeros(len(differences)))
    found: Array = np.exp(np.linalg.lstsq(np.vstack((shares, differences)), right)[0])
    return found
