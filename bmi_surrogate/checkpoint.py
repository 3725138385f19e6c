"""Trained networks on disk: the published format, and our own, which stores all that a run needs.

*published*
    A PyTorch pickle with the parameters under ``net_param``, and the statistics of pressure and source in a YAML file.
    Statistics of the statics, architecture and tile size are not stored.
*rootzone*
    ``NAME.safetensors`` with the parameters and ``NAME.yaml`` with the rest: architecture, tile size, layer thickness,
    all statistics, where the network comes from, and the hash of the weights.
"""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import safetensors
import torch
import yaml
from pydantic import Field, model_validator
from safetensors.torch import load_file, save_file
from torch import Tensor

from bmi_common import ConfigError, load_config
from bmi_common.config import Config, ConfigPath
from bmi_common.hashing import sha256
from bmi_surrogate.network import Architecture, PredRNN
from bmi_surrogate.normalisation import Array, Moments, Statistics, moments_of_statics

Parameters = dict[str, Tensor]

PUBLISHED_STATISTICS = "stats_press_evap2.yaml"
PUBLISHED_TILE = 16
FORMAT = "rootzone-predrnn"


@dataclass(frozen=True)
class Checkpoint:
    """A trained network with what it needs to run.

    Attributes
    ----------
    network : PredRNN
        In evaluation mode, single precision, on the CPU.
    statistics : Statistics
        Normalisation; without those of the statics if read from the published format.
    tile : int
        Side of the tiles [cells] that the network was trained on.
    layer_thickness : tuple of float or None
        Layers [m], bottom first, that the network was trained on; None if unknown.
    provenance : mapping
        Where the network comes from, in words.
    files : tuple of Path
        Files that it was read from.
    """

    network: PredRNN
    statistics: Statistics
    tile: int = PUBLISHED_TILE
    layer_thickness: tuple[float, ...] | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


def load(
    path: Path, kind: Literal["auto", "published", "rootzone"] = "auto", statistics: Path | None = None
) -> Checkpoint:
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


# ---------------------------------------------------------------------- published format


class _PublishedStatistics(Config):
    target_mean: list[float]
    target_std: list[float]
    force_mean: list[float]
    force_std: list[float]


def load_published(path: Path, statistics: Path | None = None) -> Checkpoint:
    """Read a checkpoint of the published format.

    Parameters
    ----------
    path : Path
        PyTorch pickle; or the same parameters as safetensors.
    statistics : Path, optional
        YAML file with ``target_mean``, ``target_std`` (pressure head [m]), ``force_mean``, ``force_std`` (source
        [h-1]), one number a layer, bottom first. By default the file ``stats_press_evap2.yaml`` beside the checkpoint.

    Raises
    ------
    ConfigError
        If a file is missing, damaged or no such checkpoint.
    """
    parameters = _read_parameters(path)
    architecture = _infer_architecture(parameters, path)
    if statistics is None:
        statistics = path.with_name(PUBLISHED_STATISTICS)
        if not statistics.is_file():
            raise ConfigError(
                f"{path}: a published checkpoint does not store its statistics, and there is no {PUBLISHED_STATISTICS} "
                "beside it; name the file in `statistics:`"
            )
    return Checkpoint(
        _network(architecture, parameters, path),
        _published_statistics(statistics, architecture),
        provenance={"format": "published"},
        files=(path, statistics),
    )


def _published_statistics(path: Path, architecture: Architecture) -> Statistics:
    raw = load_config(path, _PublishedStatistics)
    for name in _PublishedStatistics.model_fields:
        if len(getattr(raw, name)) != architecture.layers:
            raise ConfigError(
                f"{path}: {name} has {len(getattr(raw, name))} numbers, the checkpoint has {architecture.layers} layers"
            )
    try:
        upper = slice(architecture.layers - architecture.source_layers, None)
        return Statistics(
            Moments.of(raw.target_mean, raw.target_std), Moments.of(raw.force_mean[upper], raw.force_std[upper])
        )
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


def _infer_architecture(parameters: Parameters, path: Path) -> Architecture:
    def shape(name: str, dimension: int) -> int:
        if name not in parameters:
            raise ConfigError(f"{path}: not a checkpoint of this network: it has no {name!r}")
        if parameters[name].ndim <= dimension:
            raise ConfigError(f"{path}: {name!r} has an unexpected shape, {tuple(parameters[name].shape)}")
        return int(parameters[name].shape[dimension])

    cells = 0
    while f"cell_list.{cells}.conv_h.0.weight" in parameters:
        cells += 1
    attention: Literal["none", "pool", "xyconv"] = "none"
    if "attention.in_proj_weight" in parameters:
        attention = "xyconv" if "xy_reduce.0.weight" in parameters else "pool"
    try:
        return Architecture(
            layers=shape("conv_last.weight", 0),
            source_layers=shape("cell_list.0.conv_a.0.weight", 1),
            statics=shape("cell_encoder.weight", 1),
            hidden=tuple(shape(f"cell_list.{k}.conv_h.0.weight", 1) for k in range(cells)),
            kernel=shape("cell_list.0.conv_h.0.weight", 2),
            attention=attention,
            attention_form="published",
            attention_window=None,
            attention_side=shape("xy_reduce.0.weight", 2) if attention == "xyconv" else PUBLISHED_TILE,
        )
    except ValueError as error:
        raise ConfigError(f"{path}: not a checkpoint of this network: {error}") from None


# ---------------------------------------------------------------------- our own format


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


class _Description(Config):
    format: Literal["rootzone-predrnn"]
    version: Literal[1]
    weights: _WeightsSpec
    architecture: Architecture
    tile: Annotated[int, Field(ge=1)]
    layer_thickness: list[Annotated[float, Field(gt=0)]] | None = None
    statistics: _StatisticsSpec
    provenance: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _lengths(self) -> _Description:
        a, s = self.architecture, self.statistics
        wanted = {"pressure": a.layers, "source": a.source_layers, "statics": a.statics}
        for name, length in wanted.items():
            given = len(getattr(s, name).mean)
            if given != length:
                raise ValueError(f"statistics.{name} has {given} channels, the architecture {length}")
        if self.layer_thickness is not None and len(self.layer_thickness) != a.layers:
            raise ValueError(f"layer_thickness has {len(self.layer_thickness)} layers, the architecture {a.layers}")
        return self


def load_rootzone(path: Path) -> Checkpoint:
    """Read a checkpoint of our own format from its ``.safetensors`` or its ``.yaml`` file.

    Raises
    ------
    ConfigError
        If a file is missing or damaged, or if the weights are not those that the YAML file describes.
    """
    description_file = path.with_suffix(".yaml")
    d = load_config(description_file, _Description)
    weights = d.weights.file
    found = sha256(weights)
    if found != d.weights.sha256:
        raise ConfigError(
            f"{weights}: SHA-256 is {found}, {description_file.name} describes weights with {d.weights.sha256}; "
            "the file is damaged or the two do not belong together"
        )
    return Checkpoint(
        _network(d.architecture, _read_parameters(weights), weights),
        d.statistics.statistics(),
        d.tile,
        None if d.layer_thickness is None else tuple(d.layer_thickness),
        d.provenance,
        (weights, description_file),
    )


def save(checkpoint: Checkpoint, path: Path) -> Path:
    """Write a checkpoint in our own format to ``path.safetensors`` and ``path.yaml``; returns the former.

    Raises
    ------
    ValueError
        If the checkpoint has no statistics of the statics.
    """
    s = checkpoint.statistics
    if s.statics is None:
        raise ValueError("a checkpoint must store the statistics of its statics; give them")
    weights, description = path.with_suffix(".safetensors"), path.with_suffix(".yaml")
    parameters = {k: v.detach().cpu().contiguous() for k, v in checkpoint.network.state_dict().items()}
    weights.parent.mkdir(parents=True, exist_ok=True)
    save_file(parameters, weights)
    architecture = dataclasses.asdict(checkpoint.network.architecture)
    thickness = None if checkpoint.layer_thickness is None else [float(v) for v in checkpoint.layer_thickness]
    content = {
        "format": FORMAT,
        "version": 1,
        "weights": {"file": weights.name, "sha256": sha256(weights)},
        "architecture": {**architecture, "hidden": list(architecture["hidden"])},
        "tile": checkpoint.tile,
        "layer_thickness": thickness,
        "statistics": {
            name: {"mean": m.mean.tolist(), "std": m.std.tolist()}
            for name, m in (("pressure", s.pressure), ("source", s.source), ("statics", s.statics))
        },
        "provenance": dict(checkpoint.provenance),
    }
    description.write_text(
        yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=120), encoding="utf-8"
    )
    return weights


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


# ---------------------------------------------------------------------- parameters


def _read_parameters(path: Path) -> Parameters:
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    try:
        # by content, not by name: published checkpoints are called model.ckpt-80000
        with path.open("rb") as file:
            start = file.read(9)
        content = load_file(path) if start[8:9] == b"{" else torch.load(path, map_location="cpu", weights_only=True)
    except safetensors.SafetensorError as error:
        raise ConfigError(f"{path}: not a whole safetensors file: {error}") from None
    except pickle.UnpicklingError:
        # PyTorch's own text advises to load the file in a way that runs code from it
        raise ConfigError(f"{path}: not a PyTorch checkpoint, or one that holds more than plain tensors") from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"{path}: not a whole PyTorch checkpoint of plain tensors: {reason}") from None
    if isinstance(content, Mapping):
        content = content.get("net_param", content)
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()):
        raise ConfigError(
            f"{path}: no parameters found; a checkpoint maps names to tensors, or `net_param` to such a map"
        )
    return {str(k): v for k, v in content.items()}


def _network(architecture: Architecture, parameters: Parameters, path: Path) -> PredRNN:
    network = PredRNN(architecture)
    wanted = network.state_dict()
    missing, unknown = sorted(wanted.keys() - parameters.keys()), sorted(parameters.keys() - wanted.keys())
    if missing or unknown:
        parts = [f"{what} {_some(names)}" for what, names in (("it lacks", missing), ("it has also", unknown)) if names]
        raise ConfigError(f"{path}: not a checkpoint of this network: {', '.join(parts)}")
    for name, value in parameters.items():
        if value.shape != wanted[name].shape:
            raise ConfigError(
                f"{path}: {name} has the shape {tuple(value.shape)}, this network needs {tuple(wanted[name].shape)}"
            )
        if not (value.is_floating_point() and bool(torch.isfinite(value).all())):
            raise ConfigError(f"{path}: {name} holds values that are not finite numbers")
    network.load_state_dict(parameters)
    return network.eval()


def _some(names: list[str], limit: int = 3) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
