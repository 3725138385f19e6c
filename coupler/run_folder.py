"""The folder of a run: nothing in it is touched before the run is known to be sound."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from bmi_common.errors import ConfigError

MARKER = "run.yaml"
_MADE_BY_A_RUN = ("*.nc", MARKER, "provenance.json", "run.log", "timing.json")
_FOLDERS_OF_A_RUN = ("config", "figures")


def check_folder(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that cannot take a run, without changing anything.

    Raises
    ------
    ConfigError
        If it is a file, is not writable, holds a run and `overwrite` is false, or holds something else.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file; --output needs a folder")
    parent = folder
    while not parent.exists():
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise ConfigError(f"{folder}: cannot be written ({parent} is not writable)")
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not (folder / MARKER).is_file():
        raise ConfigError(f"{folder}: is not empty and holds no run; choose another folder")
    if not overwrite:
        raise ConfigError(f"{folder}: holds a run already; choose another folder or give --overwrite")


def claim_folder(folder: Path) -> None:
    """Create the folder, or remove from it what an earlier run made and nothing else."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for pattern in _MADE_BY_A_RUN:
            for path in folder.glob(pattern):
                path.unlink()
        for name in _FOLDERS_OF_A_RUN:
            if (folder / name).is_dir():
                shutil.rmtree(folder / name)
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error}") from error
