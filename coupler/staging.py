"""Hand the run's own settings to components through their configuration files.

A component knows nothing but the path of its file. Where the run adds something (``options:``, named folders, the
calendar start), a completed copy of the YAML file is written into the run's folder and given instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from bmi_common.config import read_yaml
from bmi_common.errors import ConfigError
from coupler.component_spec import ComponentSpec


def staged_config(
    name: str, spec: ComponentSpec, named: Mapping[str, Path], start: datetime, folder: Path
) -> tuple[Path, list[str]]:
    """Return the file for a component to read, and what differs in it from the user's file.

    The run adds: ``options`` of the component's entry, key by key; folders of the run's ``paths:`` whose name the
    file has under its own ``paths:``; and ``start`` (UTC), if the file has a time under that key. A file that is no
    YAML mapping is given as it is.

    Raises
    ------
    ConfigError
        If ``options`` are given for a file that is no YAML mapping.
    """
    if spec.config.suffix.lower() not in (".yaml", ".yml"):
        if spec.options:
            raise _no_mapping(name, spec)
        return spec.config, []
    try:
        document = read_yaml(spec.config)
    except ConfigError:
        if spec.options:
            raise
        return spec.config, []  # the component is to judge, which may read more of YAML, or something else
    if not isinstance(document.data, dict):
        if spec.options:
            raise _no_mapping(name, spec)
        return spec.config, []
    data: dict[str, Any] = document.data
    changes: list[str] = []
    own_paths = data.get("paths")
    if isinstance(own_paths, dict):
        for key in own_paths:
            if key in named:
                own_paths[key] = str(named[key])
                changes.append(f"paths.{key} = {named[key]}")
    if "start" in data and _is_another_time(data["start"], start):
        data["start"] = start
        changes.append(f"start = {start:%Y-%m-%dT%H:%M} (the run's)")
    _merge(data, spec.options, "", changes)
    if not changes:
        return spec.config, []
    data["relative_to"] = str((spec.config.parent / str(data.get("relative_to", ""))).resolve())
    data["staged_from"] = str(spec.config.resolve())
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}.yaml"
    target.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return target, changes


def _no_mapping(name: str, spec: ComponentSpec) -> ConfigError:
    return ConfigError(f"components.{name}.options: {spec.config} is no YAML file of keys and values to put them into")


def _is_another_time(value: Any, start: datetime) -> bool:
    # a number is no calendar time, but the start of the clock of a component that counts otherwise
    if isinstance(value, int | float):
        return False
    try:
        return (value if isinstance(value, datetime) else datetime.fromisoformat(str(value))) != start
    except ValueError:
        return True


def _merge(data: dict[str, Any], options: Mapping[str, Any], at: str, changes: list[str]) -> None:
    for key, value in options.items():
        where = f"{at}.{key}" if at else str(key)
        if isinstance(value, Mapping) and isinstance(data.get(key), dict):
            _merge(data[key], value, where, changes)
        else:
            data[key] = value
            changes.append(f"{where} = {value}")
