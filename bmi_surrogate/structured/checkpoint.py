"""A trained structured surrogate with what it needs to run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bmi_surrogate.structured.model import StructuredModel


@dataclass(frozen=True)
class StructuredCheckpoint:
    """A trained structured surrogate with what it needs to run.

    Attributes
    ----------
    model : StructuredModel
        In evaluation mode, on the CPU.
    layer_thickness : tuple of float or None
        Layers [m], bottom first, that it is for; None for any.
    provenance : mapping
        Where the weights come from, in words.
    files : tuple of Path
        Files that it was read from.
    """

    model: StructuredModel
    layer_thickness: tuple[float, ...] | None
    provenance: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
