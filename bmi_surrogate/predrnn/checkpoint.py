"""A trained PredRNN with what it needs to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bmi_surrogate.predrnn.network import PredRNN
from bmi_surrogate.predrnn.normalisation import Statistics

PUBLISHED_TILE = 16


@dataclass(frozen=True)
class PredRNNCheckpoint:
    """A trained PredRNN with what it needs to run.

    Attributes
    ----------
    network : PredRNN
        In evaluation mode, single precision, on the CPU.
    statistics : Statistics
        Normalisation; without those of the statics if read from the published format.
    tile : int or "whole"
        Side of the tiles [cells] that the network was trained on, or the whole domain at once.
    layer_thickness : tuple of float or None
        Layers [m], bottom first, that the network was trained on; None if unknown.
    provenance : mapping
        Where the network comes from, in words.
    files : tuple of Path
        Files that it was read from.
    """

    network: PredRNN
    statistics: Statistics
    tile: int | Literal["whole"] = PUBLISHED_TILE
    layer_thickness: tuple[float, ...] | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
