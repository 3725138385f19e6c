"""The folder of a run: nothing in it is touched before the run is known to be sound."""

from __future__ import annotations

import os
from pathlib import Path

from bmi_common.config import read_yaml
from bmi_common.errors import ConfigError
from coupler.checkpoint import SHADOWS
from coupler.checkpoint import files_of as checkpoint_files
from coupler.config import BALANCE_FILE, CHECKPOINTS, CONTROL_FILE, DECISIONS_FILE, STATE_FILE, STATES
from coupler.report_spec import REPORT, report_files

MARKER = "run.yaml"
_BEFORE_RECORD = {"run.log", "config", f".{MARKER}.partial"}
_ALWAYS = (MARKER, "provenance.json", "run.log", "timing.json", BALANCE_FILE, CONTROL_FILE, DECISIONS_FILE, STATE_FILE)


def check_folder(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that cannot take a run, without changing anything.

    Raises
    ------
    ConfigError
        If it is a file, is not writable, holds a run and `overwrite` is false, or holds something else.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise ConfigError(f"{folder}: is a file; --output needs a folder")
    parent = folder
    while not os.path.lexists(parent):  # unlike Path.exists, quiet about folders that cannot be entered
        parent = parent.parent
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise ConfigError(f"{folder}: cannot be written ({parent} is not writable)")
    if parent != folder or not any(folder.iterdir()):
        return
    if not (folder / MARKER).is_file():
        if _is_hardly_begun(folder):
            return
        raise ConfigError(f"{folder}: is not empty and holds no run; choose another folder")
    if not overwrite:
        raise ConfigError(f"{folder}: holds a run already; choose another folder or give --overwrite")


def claim_folder(folder: Path) -> None:
    """Create the folder, or remove from it what an earlier run made and nothing else.

    Raises
    ------
    ConfigError
        If the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in _made_by_run(folder):
            path.unlink(missing_ok=True)
        own = [folder / name for name in ("config", "figures", f"{REPORT}/figures", REPORT, STATES, CHECKPOINTS)]
        for part in (*(folder / CHECKPOINTS).glob("*"), *own):
            if part.is_dir() and not any(part.iterdir()):
                part.rmdir()
    except OSError as error:
        raise ConfigError(f"{folder}: cannot be written: {error}") from error


def _is_hardly_begun(folder: Path) -> bool:
    """Whether a run was killed there before it had written its record."""
    return {p.name for p in folder.iterdir()} <= _BEFORE_RECORD


def _made_by_run(folder: Path) -> list[Path]:
    """Files of the run that the folder's record describes; the record itself comes last."""
    if not (folder / MARKER).is_file():
        if not _is_hardly_begun(folder):
            return []
        return [folder / "run.log", folder / f".{MARKER}.partial", *(folder / "config").glob("*.yaml")]
    record = read_yaml(folder / MARKER).data
    record = record if isinstance(record, dict) else {}
    outputs = [str(o.get("file")) for o in record.get("output") or [] if isinstance(o, dict)]
    components = [str(name) for name in record.get("components") or {}]
    names = [name for name in (*outputs, *components) if Path(name).name == name]  # never outside the folder
    made = [folder / n for n in names if n in outputs]
    made += [folder / "config" / f"{n}.yaml" for n in names if n in components]
    made += (folder / "config").glob(SHADOWS)
    made += [folder / "figures" / f"{Path(n).stem}_{kind}.png" for n in names for kind in ("series", "maps")]
    made += report_files(folder) if record.get("report") else []
    made += [folder / STATES / f"{n}.nc" for n in names if n in components]
    made += checkpoint_files(folder, [n for n in names if n in components])
    made += [folder / f".{n}.partial" for n in (*outputs, *_ALWAYS)]
    return [*made, *(folder / n for n in reversed(_ALWAYS))]
