"""Trained surrogates on disk in our own format, which stores all that a run needs.

``NAME.safetensors`` holds the parameters and ``NAME.yaml`` the rest: the architecture (``predrnn`` or ``structured``)
and what determines its shapes, layer thickness, where the weights come from, and their hash; for ``predrnn`` also the
tile size and all statistics. The YAML file is written last, so that it never describes weights that are not there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, RootModel, model_validator
from safetensors.torch import save_file
from torch import nn

from bmi_common import ConfigError, load_config
from bmi_common.config import Config, ConfigPath
from bmi_common.hashing import sha256
from bmi_common.owned_folder import draft_name
from bmi_surrogate.network import Architecture, PredRNN
from bmi_surrogate.normalisation import Moments, Statistics
from bmi_surrogate.parameters import fill, read_parameters
from bmi_surrogate.structured import StructuredArchitecture, StructuredModel

PUBLISHED_TILE = 16
FORMAT = "rootzone-surrogate"


@dataclass(frozen=True)
class Checkpoint:
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


@dataclass(frozen=True)
class StructuredCheckpoint:
    """A trained structured surrogate with what it needs to run.

    Attributes
    ----------
    model : StructuredModel
        In evaluation mode, on the CPU.
    layer_thickness : tuple of float
        Layers [m], bottom first, that it was trained on.
    provenance : mapping
        Where the weights come from, in words.
    files : tuple of Path
        Files that it was read from.
    """

    model: StructuredModel
    layer_thickness: tuple[float, ...]
    provenance: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


class _MomentsSpec(Config):
    mean: list[float]
    std: list[float]

    def moments(self) -> Moments:
        return Moments.of(self.mean, self.std)


class _StatisticsSpec(Config):
    pressure: _MomentsSpec
    source: _MomentsSpec
    statics: _MomentsSpec

    @model_validator(mode="after")
    def _check(self) -> _StatisticsSpec:
        self.statistics()
        return self

    def statistics(self) -> Statistics:
        return Statistics(self.pressure.moments(), self.source.moments(), self.statics.moments())


class _WeightsSpec(Config):
    file: ConfigPath
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


_Thickness = Annotated[float, Field(gt=0)]


class _Common(Config):
    format: Literal["rootzone-surrogate"]
    version: Literal[1]
    weights: _WeightsSpec
    provenance: dict[str, str] = Field(default_factory=dict)


class _PredRNN(_Common):
    architecture: Literal["predrnn"]
    network: Architecture
    tile: Annotated[int, Field(ge=1)] | Literal["whole"]
    layer_thickness: list[_Thickness] | None = None
    statistics: _StatisticsSpec

    @model_validator(mode="after")
    def _lengths(self) -> _PredRNN:
        a, s = self.network, self.statistics
        wanted = {"pressure": a.layers, "source": a.source_layers, "statics": a.statics}
        for name, length in wanted.items():
            given = len(getattr(s, name).mean)
            if given != length:
                raise ValueError(f"statistics.{name} has {given} channels, the network {length}")
        _require_layers(self.layer_thickness, a.layers)
        return self


class _Structured(_Common):
    architecture: Literal["structured"]
    network: StructuredArchitecture
    layer_thickness: list[_Thickness]

    @model_validator(mode="after")
    def _lengths(self) -> _Structured:
        _require_layers(self.layer_thickness, self.network.layers)
        return self


class _Description(RootModel[Annotated[_PredRNN | _Structured, Field(discriminator="architecture")]]):
    pass


def _require_layers(thickness: list[float] | None, layers: int) -> None:
    if thickness is not None and len(thickness) != layers:
        raise ValueError(f"layer_thickness has {len(thickness)} layers, the network {layers}")


def load_rootzone(path: Path) -> Checkpoint | StructuredCheckpoint:
    """Read a checkpoint of our own format from its ``.safetensors`` or its ``.yaml`` file.

    Raises
    ------
    ConfigError
        If a file is missing or damaged, or if the weights are not those that the YAML file describes.
    """
    description_file = path.with_suffix(".yaml")
    d = load_config(description_file, _Description).root
    weights = d.weights.file
    found = sha256(weights)
    if found != d.weights.sha256:
        raise ConfigError(
            f"{weights}: SHA-256 is {found}, {description_file.name} describes weights with {d.weights.sha256}; "
            "the file is damaged or the two do not belong together"
        )
    parameters, files = read_parameters(weights), (weights, description_file)
    if isinstance(d, _Structured):
        model = fill(StructuredModel(d.network), parameters, weights)
        return StructuredCheckpoint(model, tuple(d.layer_thickness), d.provenance, files)
    return Checkpoint(
        fill(PredRNN(d.network), parameters, weights),
        d.statistics.statistics(),
        d.tile,
        None if d.layer_thickness is None else tuple(d.layer_thickness),
        d.provenance,
        files,
    )


def save(checkpoint: Checkpoint | StructuredCheckpoint, path: Path) -> Path:
    """Write a checkpoint in our own format to ``path.safetensors`` and ``path.yaml``; returns the former.

    Each file is written whole beside the place and then moved there.

    Raises
    ------
    ValueError
        If a PredRNN's checkpoint has no statistics of the statics.
    """
    weights, description = path.with_suffix(".safetensors"), path.with_suffix(".yaml")
    if isinstance(checkpoint, StructuredCheckpoint):
        network: nn.Module = checkpoint.model
        architecture, specific = "structured", _shapes(checkpoint.model.architecture)
        more: dict[str, Any] = {}
    else:
        network = checkpoint.network
        architecture, specific = "predrnn", _shapes(checkpoint.network.architecture)
        more = {"tile": checkpoint.tile, "statistics": _statistics(checkpoint.statistics)}
    thickness = checkpoint.layer_thickness
    weights.parent.mkdir(parents=True, exist_ok=True)
    draft = weights.with_name(draft_name(weights.name))
    save_file({k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}, draft)
    content = {
        "format": FORMAT,
        "version": 1,
        "architecture": architecture,
        "weights": {"file": weights.name, "sha256": sha256(draft)},
        "network": specific,
        "layer_thickness": None if thickness is None else [float(v) for v in thickness],
        **more,
        "provenance": dict(checkpoint.provenance),
    }
    text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=120)
    words = description.with_name(draft_name(description.name))
    words.write_text(text, encoding="utf-8")
    draft.chmod(words.stat().st_mode)  # safetensors lets nobody else read what it writes
    draft.replace(weights)
    words.replace(description)
    return weights


def _shapes(architecture: Architecture | StructuredArchitecture) -> dict[str, Any]:
    return {**dataclasses.asdict(architecture), "hidden": list(architecture.hidden)}


def _statistics(s: Statistics) -> dict[str, Any]:
    if s.statics is None:
        raise ValueError("a checkpoint must store the statistics of its statics; give them")
    moments = (("pressure", s.pressure), ("source", s.source), ("statics", s.statics))
    return {name: {"mean": m.mean.tolist(), "std": m.std.tolist()} for name, m in moments}
