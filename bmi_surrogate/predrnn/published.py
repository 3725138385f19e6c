"""Networks in the format of the published checkpoints.

A PyTorch pickle with the parameters under ``net_param``, and the statistics of pressure and source in a YAML file.
Statistics of the statics, architecture and tile size are not stored: the architecture follows from the shapes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from bmi_common import ConfigError, load_config
from bmi_common.config import Config
from bmi_surrogate.parameters import SAVE_ANEW, Parameters, fill, read_parameters
from bmi_surrogate.predrnn.checkpoint import PUBLISHED_TILE, PredRNNCheckpoint
from bmi_surrogate.predrnn.network import Architecture, PredRNN
from bmi_surrogate.predrnn.normalisation import Moments, Statistics

PUBLISHED_STATISTICS = "stats_press_evap2.yaml"


class _PublishedStatistics(Config):
    target_mean: list[float]
    target_std: list[float]
    force_mean: list[float]
    force_std: list[float]


def load_published(path: Path, statistics: Path | None = None) -> PredRNNCheckpoint:
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
        If a file is missing, damaged or not such a checkpoint.
    """
    parameters = read_parameters(path)
    architecture = _infer_architecture(parameters, path)
    if statistics is None:
        statistics = path.with_name(PUBLISHED_STATISTICS)
        if not statistics.is_file():
            raise ConfigError(
                f"{path}: a published checkpoint does not store its statistics, and there is no {PUBLISHED_STATISTICS} "
                "beside it; name the file in `statistics:`"
            )
    return PredRNNCheckpoint(
        fill(PredRNN(architecture), parameters, path),
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
            raise ConfigError(
                f"{path}: not a checkpoint of this network: it has no {name!r}{_elsewhere(name, parameters)}"
            )
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
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"{path}: not a checkpoint of this network: {error}") from None


def _elsewhere(name: str, parameters: Parameters) -> str:
    """Say under which longer name the parameters have one that lacks."""
    longer = min((other for other in parameters if other.endswith(f".{name}")), key=len, default=None)
    if longer is None:
        return ""
    return f", but {longer!r}: its network lies under {longer.removesuffix(name)!r} in a larger one; {SAVE_ANEW}"
