"""Record of what a run was made of: resolved configuration, versions, hashes of inputs and weights."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from bmi_common.config import folders
from bmi_common.errors import ConfigError
from bmi_common.hashing import sha256
from bmi_common.owned_folder import draft_name
from bmi_common.state_file import commit
from coupler.component import Component
from coupler.config import LoadedRun
from coupler.run_folder import MARKER, PROVENANCE

_PACKAGES = ("rootzone", "numpy", "torch", "netCDF4", "pydantic", "bmipy", "gimli.units", "pftools")


def collect(
    loaded: LoadedRun, components: Mapping[str, Component], configs: Mapping[str, Path], folder: Path
) -> dict[str, Any]:
    """Gather the record of a run.

    Parameters
    ----------
    loaded : LoadedRun
        The run.
    components : mapping
        Its components.
    configs : mapping
        The file that each component reads; copies that the run has completed are no inputs.
    folder : Path
        Folder of the run, whose own record is no input either.

    Returns
    -------
    dict
        ``configuration`` (with the settings of the command line; it can be run as it is), ``command``, ``versions``,
        ``inputs`` (SHA-256 by path, of the configuration files and of what the components say that they read),
        ``seed``, ``created``.
    """
    document = loaded.document
    configuration = json.loads(json.dumps(document.data, default=str))
    # so that the record, which lies elsewhere, finds the files that the configuration names
    configuration["relative_to"] = str(folders(document, {})[0].resolve())
    inputs = {str(document.path.resolve()): sha256(document.path)}
    inputs.pop(str((folder / MARKER).resolve()), None)
    for name, component in components.items():
        config = loaded.config.components[name].config
        if config.is_file():
            inputs[str(config.resolve())] = sha256(config)
        told = {str(k): v for k, v in component.provenance.items()}
        if configs[name] != config.resolve():
            told.pop(str(configs[name]), None)
        inputs.update(told)
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "configuration": configuration,
        "seed": loaded.config.seed,
        "versions": {"python": platform.python_version(), **{p: _version(p) for p in _PACKAGES}},
        "inputs": inputs,
    }


def renew(record: dict[str, Any], folder: Path, checkpoint: str) -> tuple[dict[str, Any], list[str]]:
    """Make the record of a run that goes on from a checkpoint.

    Parameters
    ----------
    record : mapping
        As `collect` makes it for the part that begins now.
    folder : Path
        Folder of the run, with the record that it began with.
    checkpoint : str
        Name of the checkpoint.

    Returns
    -------
    record : dict
        The new one, with the creation, the command, the versions and the inputs of the run's beginning and, under
        ``restarts``, those of each restart and the inputs that had changed until then.
    changed : list of str
        Input files whose content is not what the run began with.
    """
    try:
        before = json.loads((folder / PROVENANCE).read_text(encoding="utf-8"))
        known, earlier = dict(before.get("inputs", {})), list(before.get("restarts", []))
        kept = {key: before[key] for key in ("created", "command", "versions") if key in before}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{folder / PROVENANCE}: the record of the run cannot be read: {error}") from error
    changed = {path: digest for path, digest in record["inputs"].items() if known.get(path, digest) != digest}
    restart = {key: record[key] for key in ("created", "command", "versions")}
    restart |= {"checkpoint": checkpoint, "changed_inputs": changed}
    inputs = {**record["inputs"], **known}
    return {**record, **kept, "inputs": inputs, "restarts": [*earlier, restart]}, list(changed)


@cache  # packages stay as they are imported
def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def version() -> str:
    """Version of this software."""
    return _version("rootzone")


def write(record: Mapping[str, Any], folder: Path) -> None:
    """Write ``run.yaml``, the resolved configuration, and ``provenance.json``, everything."""
    text = yaml.safe_dump(record["configuration"], sort_keys=False, allow_unicode=True)
    _replace(folder / MARKER, text)
    _replace(folder / PROVENANCE, json.dumps(record, indent=2) + "\n")


def _replace(path: Path, text: str) -> None:
    # a run that is killed during its restart must not lose the record
    partial = path.with_name(draft_name(path.name))
    partial.write_text(text, encoding="utf-8")
    commit(partial, path)


def attributes(record: Mapping[str, Any], title: str) -> dict[str, str]:
    """Global attributes for output files."""
    now = record["restarts"][-1] if record.get("restarts") else record
    program, *arguments = now["command"]
    return {
        "title": title,
        "source": f"rootzone {record['versions']['rootzone']}",
        "history": f"{now['created']}: {' '.join([Path(program).name, *arguments])}",
        "run_configuration": yaml.safe_dump(record["configuration"], sort_keys=False, allow_unicode=True),
        "software_versions": json.dumps(record["versions"]),
        "input_sha256": json.dumps(record["inputs"]),
        "seed": str(record["seed"]),
    }
