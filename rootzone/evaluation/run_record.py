"""What the record of a run, ``run.yaml``, says: files, start, domain."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import numpy as np

from bmi_common import ConfigError, Domain, DomainField
from bmi_common.config import Config, load_config, read_yaml
from bmi_common.folder_lock import require_at_rest
from bmi_common.netcdf_file import folder_of, is_record_file
from coupler.config import OutputConfig, TimeConfig, load_run
from coupler.run_folder import MARKER, STAGED


def domain_of(path: Path) -> Domain:
    """Load the domain of the groundwater component of a run, from the run's record.

    Raises
    ------
    ConfigError
        If `path` is not a run folder or its groundwater component names no domain.
    """
    return _domain_named_by(groundwater_config(path))


def groundwater_config(path: Path) -> Path:
    """Return the file that the groundwater component of a run has read, as `component_config`."""
    return component_config(path, "groundwater")


def component_config(path: Path, name: str) -> Path:
    """Return the file that a component of a run has read, from the run's record.

    Raises
    ------
    ConfigError
        If `path` is not a run folder or the run has no such component.
    """
    record = path / MARKER
    if not record.is_file():
        raise ConfigError(f"{path}: not a run folder ({MARKER} is not there); give --domain and --initial")
    components = load_run(record).config.components
    if name not in components:
        raise ConfigError(f"{record}: no component {name}; give --domain and --initial")
    staged = path / STAGED / f"{name}.yaml"
    return staged if staged.is_file() else components[name].config


def start_of(path: Path) -> np.datetime64:
    """Start of a run, from its record; raises `ConfigError` if `path` is not a run folder."""
    record = path / MARKER
    if not record.is_file():
        raise ConfigError(f"{path}: not a run folder ({MARKER} is not there); give --start, the time of dump 00000")
    return np.datetime64(_part(record, _NamesTime).time.start, "s")


class _NamesDomain(Config):
    domain: DomainField


class _NamesTime(Config):
    time: TimeConfig


class _NamesOutput(Config):
    output: list[OutputConfig] = []


_Part = TypeVar("_Part", bound=Config)


def _part(record: Path, kind: type[_Part]) -> _Part:
    """Read some keys of a run's record: the components' files, which the others name, may be gone or elsewhere."""
    content = read_yaml(record).data
    keys = [str(key) for key in content] if isinstance(content, dict) else []
    return load_config(record, kind, ignore=[key for key in keys if key not in kind.model_fields])


def _domain_named_by(file: Path) -> Domain:
    content = read_yaml(file).data
    if not isinstance(content, dict) or "domain" not in content:
        raise ConfigError(f"{file}: names no `domain`; give the domain's file with --domain")
    others = [str(key) for key in content if key != "domain"]
    return Domain.load(load_config(file, _NamesDomain, ignore=others).domain)


def run_files(path: Path) -> list[Path]:
    """Return the output files and stores of a run that are there, or the one that `path` is.

    Raises
    ------
    ConfigError
        If `path` is neither a run folder nor a file or store, the run is under way, or nothing has been written.
    """
    require_at_rest(folder_of(path))
    if is_record_file(path):
        return [path]
    if not path.is_dir():
        raise ConfigError(f"{path}: neither a run folder nor a file")
    record = path / MARKER
    if not record.is_file():
        raise ConfigError(f"{path}: not a run folder ({MARKER} is not there)")
    outputs = [path / o.file for o in _part(record, _NamesOutput).output]
    there = [file for file in outputs if is_record_file(file)]
    if not there:
        raise ConfigError(f"{path}: the run has written none of its output files")
    return there
