"""Trained surrogates on disk, of any format and architecture."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from bmi_common import ConfigError
from bmi_surrogate.checkpoint import Checkpoint, StructuredCheckpoint, load_rootzone
from bmi_surrogate.published import load_published


def load(
    path: Path, kind: Literal["auto", "published", "rootzone"] = "auto", statistics: Path | None = None
) -> Checkpoint | StructuredCheckpoint:
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
