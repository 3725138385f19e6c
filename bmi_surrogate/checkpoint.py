"""Trained surrogates on disk: of any format to read, of our own to write, which stores all that a run needs.

``NAME.safetensors`` holds the parameters and ``NAME.yaml`` the rest: the architecture (``predrnn`` or ``structured``)
and what determines its shapes, layer thickness, where the weights come from, and their hash; for ``predrnn`` also the
tile size and all statistics. The YAML file is written last, so that it never describes weights that are not there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, RootModel, model_validator
from safetensors.torch import save_file
from torch import nn

from bmi_common import ConfigError, load_config
from bmi_common.arrays import Array
from bmi_common.config import Config, ConfigPath
from bmi_common.hashing import sha256
from bmi_common.owned_folder import draft_name
from bmi_surrogate.parameters import fill, read_parameters
from bmi_surrogate.predrnn.checkpoint import PredRNNCheckpoint
from bmi_surrogate.predrnn.network import Architecture, PredRNN
from bmi_surrogate.predrnn.normalisation import Moments, Statistics, moments_of_statics
from bmi_surrogate.predrnn.published import load_published
from bmi_surrogate.structured import StructuredArchitecture, StructuredModel
from bmi_surrogate.structured.checkpoint import StructuredCheckpoint

FORMAT = "rootzone-surrogate"


class _MomentsConfig(Config):
    mean: list[float]
    std: list[float]

    def moments(self) -> Moments:
        return Moments.of(self.mean, self.std)


class _StatisticsConfig(Config):
    pressure: _MomentsConfig
    source: _MomentsConfig
    statics: _MomentsConfig

    @model_validator(mode="after")
    def _check(self) -> _StatisticsConfig:
        self.statistics()
        return self

    def statistics(self) -> Statistics:
        return Statistics(self.pressure.moments(), self.source.moments(), self.statics.moments())


class _WeightsConfig(Config):
    file: ConfigPath
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


_Thickness = Annotated[float, Field(gt=0)]


class _Common(Config):
    format: Literal["rootzone-surrogate"]
    version: Literal[1]
    weights: _WeightsConfig
    provenance: dict[str, str] = Field(default_factory=dict)


class _PredRNN(_Common):
    architecture: Literal["predrnn"]
    network: Architecture
    tile: Annotated[int, Field(ge=1)] | Literal["whole"]
    layer_thickness: list[_Thickness] | None = None
    statistics: _StatisticsConfig

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
    layer_thickness: list[_Thickness] | None

    @model_validator(mode="after")
    def _lengths(self) -> _Structured:
        if (self.layer_thickness is None) != (self.network.layers == "any"):
            raise ValueError("layer_thickness: must be null with layers: any, and with no other")
        if self.network.layers != "any":
            _require_layers(self.layer_thickness, self.network.layers)
        return self


class _Description(RootModel[Annotated[_PredRNN | _Structured, Field(discriminator="architecture")]]):
    pass


def _require_layers(thickness: list[float] | None, layers: int) -> None:
    if thickness is not None and len(thickness) != layers:
        raise ValueError(f"layer_thickness has {len(thickness)} layers, the network {layers}")


def load(
    path: Path, kind: Literal["auto", "published", "rootzone"] = "auto", statistics: Path | None = None
) -> PredRNNCheckpoint | StructuredCheckpoint:
    """Read a checkpoint of either format.

    Parameters
    ----------
    path : Path
        The file of weights; for our own format also the YAML file beside it.
    kind : {"auto", "published", "rootzone"}
        Format. ``"auto"`` takes safetensors with a YAML file of the same name beside it for our own.
    statistics : Path, optional
        Statistics of the published format.

    Raises
    ------
    ConfigError
        If a file is missing, damaged or belongs to another network; or if `statistics` is given for our own format.
    """
    own = _is_own(path) if kind == "auto" else kind == "rootzone"
    if not own:
        return load_published(path, statistics)
    if statistics is not None:
        raise ConfigError(f"{path}: the checkpoint stores its statistics; remove `statistics: {statistics}`")
    return load_rootzone(path)


def _is_own(path: Path) -> bool:
    return path.suffix == ".yaml" or (path.suffix == ".safetensors" and path.with_suffix(".yaml").is_file())


def load_rootzone(path: Path) -> PredRNNCheckpoint | StructuredCheckpoint:
    """Read a checkpoint of our own format from its ``.safetensors`` or its ``.yaml`` file.

    Raises
    ------
    ConfigError
        If a file is missing or damaged, or if the weights are not those that the YAML file describes.
    """
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; name the checkpoint in it, such as {path / 'best.yaml'}")
    if path.suffix not in (".yaml", ".safetensors"):
        raise ConfigError(f"{path}: is no checkpoint of rootzone, which is a NAME.yaml beside its NAME.safetensors")
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
    thickness = None if d.layer_thickness is None else tuple(d.layer_thickness)
    if isinstance(d, _Structured):
        model = fill(StructuredModel(d.network), parameters, weights)
        return StructuredCheckpoint(model, thickness, d.provenance, files)
    return PredRNNCheckpoint(
        fill(PredRNN(d.network), parameters, weights),
        d.statistics.statistics(),
        d.tile,
        thickness,
        d.provenance,
        files,
    )


def save(checkpoint: PredRNNCheckpoint | StructuredCheckpoint, path: Path) -> Path:
    """Write a checkpoint in our own format to ``path.safetensors`` and ``path.yaml``; returns the former.

    `path` may have either ending. Each file is written whole beside the place and then moved there.

    Raises
    ------
    ValueError
        If a PredRNN's checkpoint has no statistics of the statics.
    """
    # what follows another dot belongs to the name: v1.2
    name = path.stem if path.suffix in (".safetensors", ".yaml") else path.name
    weights, description = (path.with_name(f"{name}{ending}") for ending in (".safetensors", ".yaml"))
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


def convert_published(
    source: Path,
    destination: Path,
    statics: Array,
    *,
    statistics: Path | None = None,
    layer_thickness: tuple[float, ...] | None = None,
    provenance: Mapping[str, str] | None = None,
) -> Path:
    """Convert a published checkpoint into our own format.

    Parameters
    ----------
    source : Path
        Published checkpoint.
    destination : Path
        Where to write, with or without suffix.
    statics : ndarray, shape (channels, y, x)
        Static fields of the domain that the network was trained on: their statistics are stored.
    statistics : Path, optional
        As in `load_published`.
    layer_thickness : tuple of float, optional
        Layers [m], bottom first, of the training domain.
    provenance : mapping, optional
        What else is known of the network's origin.

    Returns
    -------
    Path
        The file of weights.
    """
    published = load_published(source, statistics)
    wanted = published.network.architecture.statics
    if statics.ndim != 3 or len(statics) != wanted:
        raise ConfigError(f"statics must have the shape ({wanted}, ny, nx), got {statics.shape}")
    origin = {"converted_from": source.name, "converted_from_sha256": sha256(source), **(provenance or {})}
    complete = dataclasses.replace(
        published,
        statistics=dataclasses.replace(published.statistics, statics=moments_of_statics(statics)),
        layer_thickness=layer_thickness,
        provenance=origin,
    )
    return save(complete, destination)
