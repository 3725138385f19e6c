"""The learned part: a network that sees one column and says how the base solve is wrong and who closes the balance."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import ClassVar

import torch
from pydantic import ConfigDict
from torch import Tensor, nn

from bmi_surrogate.structured import features
from bmi_surrogate.structured.closure import Effort

LARGEST_CORRECTION = 20.0
"""Bound of the correction, in units of each layer's typical hourly change."""
_QUIET = 0.05


@dataclass(frozen=True)
class StructuredArchitecture:
    """What determines the shape of the structured surrogate's parameters, and its numerical effort.

    Attributes
    ----------
    layers : int
        Layers of the columns.
    hidden : tuple of int
        Widths of the network's inner layers; empty for no network: the base solve and the closure alone.
    routing, sweeps : int
        Effort of the closure; see `bmi_surrogate.structured.closure.Effort`.
    """

    layers: int = 11
    hidden: tuple[int, ...] = (64, 64)
    routing: int = Effort().routing
    sweeps: int = Effort().sweeps

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    def __post_init__(self) -> None:
        if self.layers < 2:
            raise ValueError(f"layers must be at least 2, got {self.layers}")
        if any(width < 1 for width in self.hidden):
            raise ValueError(f"hidden must be widths of at least 1, got {list(self.hidden)}")
        if self.routing < 1 or self.sweeps < 1:
            raise ValueError("routing and sweeps must be at least 1")

    @property
    def effort(self) -> Effort:
        """Effort of the closure."""
        return Effort(self.routing, self.sweeps)


class Correction(nn.Module):
    """Multilayer perceptron from the features of a column to a correction of u and weights of the closure.

    Untrained it corrects nothing and gives all layers but the bottom one the weight 1: the last layer starts from zero.

    Parameters
    ----------
    architecture : StructuredArchitecture
        Numbers of layers and channels.
    """

    def __init__(self, architecture: StructuredArchitecture) -> None:
        super().__init__()
        self.layers = architecture.layers
        widths = (features.count(self.layers), *architecture.hidden)
        parts: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            parts += [nn.Linear(before, after), nn.SiLU()]
        self.inner = nn.Sequential(*parts)
        self.last = nn.Linear(widths[-1], 2 * self.layers - 1) if architecture.hidden else None
        if self.last is not None:
            nn.init.zeros_(self.last.weight)
            nn.init.zeros_(self.last.bias)

    def forward(self, seen: Tensor, base: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Correct.

        Parameters
        ----------
        seen : Tensor, shape (columns, features)
            From `features.of`.
        base : Tensor, shape (layers, columns)
            Change of u by the base solve [m].
        scale : Tensor, shape (layers, 1)
            Typical change of u in an hour [m].

        Returns
        -------
        correction : Tensor, shape (layers, columns)
            To be added to u [m]; bounded, and fading where the base solve changes nothing.
        weights : Tensor, shape (layers, columns)
            Of the closure; 0 for the bottom layer, whose head follows from its own equation.
        """
        weights = torch.ones_like(base)
        weights[0] = 0.0
        if self.last is None:
            return torch.zeros_like(base), weights
        out: Tensor = self.last(self.inner(seen)).T.to(base.dtype)
        activity = (base / scale).abs().amax(dim=0)
        fade = activity / (activity + _QUIET)
        bounded = LARGEST_CORRECTION * torch.tanh(out[: self.layers] / LARGEST_CORRECTION)
        weights = torch.cat((weights[:1], torch.exp(2.0 * torch.tanh(0.5 * out[self.layers :]))))
        return scale * fade * bounded, weights
