"""What pymt does with the package's metadata, in the few lines of it that matter here."""

from __future__ import annotations

import contextlib
import importlib
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bmi_common import DeclaredBmi

metadata = pytest.importorskip("model_metadata", reason="model_metadata is not installed")

from model_metadata.model_data_files import FileTemplate  # noqa: E402
from model_metadata.model_setup import FileSystemLoader  # noqa: E402

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PLUGINS: dict[str, str] = PROJECT["entry-points"]["pymt.plugins"]


def plugin(name: str) -> type[DeclaredBmi]:
    """Import what an entry point names."""
    module, _, attribute = PLUGINS[name].partition(":")
    found: type[DeclaredBmi] = getattr(importlib.import_module(module), attribute)
    return found


def metadata_of(name: str) -> Any:
    """Read the metadata as pymt does: through an instance."""
    return metadata.ModelMetadata.from_obj(plugin(name)())


def setup(name: str, folder: Path, **parameters: Any) -> Path:
    """Set up a case as the model's `setup` does; returns the file to initialize from."""
    meta = metadata_of(name)
    values = {key: item["value"]["default"] for key, item in meta.parameters.items()} | parameters
    FileSystemLoader(meta.base).stage_all(str(folder), **values)
    config = meta.run["config_file"]
    with contextlib.chdir(folder):
        return folder / FileTemplate.write(config["contents"], config["path"], **values)
