"""Hand the run's own settings to components through their configuration files.

A component knows nothing but the path of its file. Where the run adds something (``options:``, named folders, its
period), a completed copy of the YAML file is written into the run's folder and given instead.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from bmi_common.config import Document, Position, folders, read_yaml
from bmi_common.errors import ConfigError
from coupler.component_spec import ComponentSpec


@dataclass(frozen=True)
class Handed:
    """What a run hands to its components.

    Attributes
    ----------
    named : mapping
        Folders of ``paths:``.
    start, end : datetime or None
        Period (UTC) in which components are stepped, if it is known.
    folder : Path
        For completed files.
    document : Document
        ``coupled.yaml``, for messages.
    """

    named: Mapping[str, Path]
    start: datetime | None
    end: datetime | None
    folder: Path
    document: Document


def staged_config(
    name: str, spec: ComponentSpec, key: str, handed: Handed, takes_end: bool = False
) -> tuple[Path, list[str]]:
    """Return the file for a component to read, and what differs in it from the user's file.

    The run adds: ``options`` of the component's entry, key by key; folders of the run's ``paths:`` whose name the
    file has under its own ``paths:``; ``start`` (UTC), if the file has a time under that key or the component
    `takes_end`; to such a component also ``end`` (UTC), unless the file names an earlier one. A file that is no YAML
    mapping is given as it is.

    Parameters
    ----------
    name : str
        Of the component.
    spec : ComponentSpec
        Its entry.
    key : str
        Where the entry stands in ``coupled.yaml``.
    handed : Handed
        What the run hands over.
    takes_end : bool
        Whether the component reads the keys ``start`` and ``end``.

    Raises
    ------
    ConfigError
        If ``options`` are given for a file that is no YAML mapping.
    """
    no_mapping = ConfigError(f"{key}.options: {spec.config} is no YAML file of keys and values to put them into")
    if spec.config.suffix.lower() not in (".yaml", ".yml"):
        if spec.options:
            raise no_mapping
        return spec.config, []
    try:
        document = read_yaml(spec.config)
    except ConfigError:
        if spec.options:
            raise
        return spec.config, []  # the component is to judge, which may read more of YAML, or something else
    if not isinstance(document.data, dict):
        if spec.options:
            raise no_mapping
        return spec.config, []
    data: dict[str, Any] = copy.deepcopy(document.data)
    changes: list[str] = []
    own_paths = data.get("paths")
    if isinstance(own_paths, dict):
        for folder in own_paths:
            if folder in handed.named:
                own_paths[folder] = str(handed.named[folder])
                changes.append(f"paths.{folder} = {handed.named[folder]}")
    # a number is no calendar time, but the start of the clock of a component that counts otherwise
    takes_start = handed.start is not None and (
        takes_end or ("start" in data and not isinstance(data["start"], int | float))
    )
    if takes_start and _date(data.get("start")) != handed.start:
        data["start"] = handed.start
        changes.append(f"start = {handed.start:%Y-%m-%dT%H:%M} (the run's)")
    options: dict[Position, Any] = {}
    _merge(data, spec.options, (), spec.replace, options)
    changes += [f"{_dotted(at)} = {value}" for at, value in options.items()]
    if takes_end and handed.end is not None and _is_later(data.get("end"), handed.end):
        data["end"] = handed.end
        changes.append(f"end = {handed.end:%Y-%m-%dT%H:%M} (the run's)")
    if not changes:
        return spec.config, []
    base, _ = folders(document, {})
    data["relative_to"] = str(base.resolve())
    data["staged_from"] = str(spec.config.resolve())
    entry = tuple(key.split("."))
    origins = {_dotted(at): handed.document.where((*entry, "options", *at)) for at in options}
    if origins:
        data["origins"] = origins
    handed.folder.mkdir(parents=True, exist_ok=True)
    target = handed.folder / f"{name}.yaml"
    target.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return target, changes


def _dotted(position: Position) -> str:
    return ".".join(map(str, position))


def _date(value: Any) -> datetime | None:
    try:
        return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None


def _is_later(own: Any, end: datetime) -> bool:
    """Whether a component's own end is none, or later than the run's; what is no date is left to the component."""
    if own is None:
        return True
    date = _date(own)
    return date is not None and date.tzinfo is None and date > end


def _merge(
    data: dict[Any, Any], options: Mapping[Any, Any], above: Position, whole: list[str], made: dict[Position, Any]
) -> None:
    """Put `options` into `data`; sections that `whole` names take the place of those that are there."""
    for written, value in options.items():
        key = next((k for k in data if str(k) == str(written)), written)
        at = (*above, written)
        if isinstance(value, Mapping) and isinstance(data.get(key), dict) and _dotted(at) not in whole:
            _merge(data[key], value, at, whole, made)
        else:
            data[key] = value
            made[at] = value
