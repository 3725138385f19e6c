"""What determines the shape of the structured surrogate's parameters, and its numerical effort."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict

from bmi_surrogate.structured.closure import Effort


@dataclass(frozen=True)
class StructuredArchitecture:
    """What determines the shape of the structured surrogate's parameters, and its numerical effort.

    Attributes
    ----------
    layers : int or "any"
        Layers of the columns: so many, which one network sees together, or any number, with a network that all layers
        share.
    hidden : tuple of int
        Widths of the network's inner layers; empty for no network.
    refinements : int
        Solves after the first; the network scales the change by the last of them, so it needs one.
    routing, sweeps : int
        Effort of the closure; see `bmi_surrogate.structured.closure.Effort`.
    """

    layers: int | Literal["any"] = 11
    hidden: tuple[int, ...] = (64, 64)
    refinements: int = 1
    routing: int = Effort().routing
    sweeps: int = Effort().sweeps

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    def __post_init__(self) -> None:
        if self.layers != "any" and self.layers < 2:
            raise ValueError(f"layers must be at least 2, got {self.layers}")
        if any(width < 1 for width in self.hidden):
            raise ValueError(f"hidden must be widths of at least 1, got {list(self.hidden)}")
        if self.layers == "any" and not self.hidden:
            raise ValueError("hidden must have a width for layers: any")
        if self.refinements < (1 if self.hidden else 0):
            raise ValueError(f"refinements must be at least {1 if self.hidden else 0}, got {self.refinements}")
        if self.routing < 1 or self.sweeps < 1:
            raise ValueError("routing and sweeps must be at least 1")

    @property
    def effort(self) -> Effort:
        """Effort of the closure."""
        return Effort(self.routing, self.sweeps)
