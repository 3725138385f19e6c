"""How a component is named in ``coupled.yaml``, and the file that it is given.

A component knows nothing but the path of its file. Where the run adds something (``options:``, named folders, its
period), a completed copy of the YAML file is written into the run's folder and given instead: a component of any
origin, here or behind a server, can read it, and it stays as the record of what was run. Errors about the copy carry
their key, so that messages can name the user's own file and line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, Field, model_validator

from bmi_common.config import Config, ConfigPath, Document, Position, dotted, folders, read_yaml
from bmi_common.durations import Duration
from bmi_common.errors import ConfigError


def _class_path(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", value):
        raise ValueError(f"{value!r} must be written as package:Class")
    return value


def _address(value: str) -> str:
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+):(\d+)", value)
    if not match or not 0 < int(match[2]) < 65536:
        raise ValueError(f"{value!r} must be written as host:port")
    return value


class ComponentConfig(Config):
    """One component: where it is, its configuration file, and values that replace some of that file's.

    Attributes
    ----------
    class_path : str, optional
        ``package:Class`` to import, written ``class``.
    grpc : str, optional
        ``host:port`` of a grpc4bmi server that has the component; in the place of a class.
    isolate : bool
        Whether the class gets a process of its own.
    timeout : timedelta, optional
        How long a call to another process may take.
    static : bool
        Whether its values never change, so that it is not stepped.
    config : Path
        Configuration file.
    options : mapping
        Values that replace some of that file's, key by key.
    replace : list of str
        Sections of the options, by dotted key, that take the place of the file's section as a whole.
    """

    class_path: Annotated[Annotated[str, AfterValidator(_class_path)] | None, Field(alias="class")] = None
    grpc: Annotated[str, AfterValidator(_address)] | None = None
    isolate: bool = False
    timeout: Duration | None = None
    static: bool = False
    config: ConfigPath
    options: dict[str, Any] = {}
    replace: list[str] = []

    @model_validator(mode="after")
    def _in_one_place(self) -> ComponentConfig:
        if self.class_path is None and self.grpc is None:
            raise ValueError("name its class (class: package:Class), or the server that has it (grpc: host:port)")
        if self.class_path is not None and self.grpc is not None:
            raise ValueError("give either class or grpc: the server knows the class of its component")
        if self.isolate and self.grpc is not None:
            raise ValueError("isolate: without effect, because a component behind grpc is in another process anyway")
        if self.timeout is not None and self.grpc is None and not self.isolate:
            raise ValueError("timeout: only calls to another process can be given up; add isolate: true")
        return self

    @model_validator(mode="after")
    def _replaces_what_is_given(self) -> ComponentConfig:
        for name in self.replace:
            section: Any = self.options
            for part in name.split("."):
                section = next((v for k, v in section.items() if str(k) == part), None)
                if not isinstance(section, dict):
                    raise ValueError(f"replace: options have no section {name!r} to put in the place of the file's")
        return self

    @property
    def where(self) -> str:
        """Where the component is, for people."""
        if self.grpc is not None:
            return f"grpc {self.grpc}"
        return f"{self.class_path}, process of its own" if self.isolate else str(self.class_path)


@dataclass(frozen=True)
class RunSettings:
    """What a run adds to the files of its components.

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


@dataclass(frozen=True)
class ComponentFile:
    """The file that a component reads.

    Attributes
    ----------
    path : Path
        The user's file, or the completed copy.
    completed : Document, optional
        The user's file with the values of the run, if `path` is a copy.
    changes : list of str
        What differs in the copy.
    """

    path: Path
    completed: Document | None = None
    changes: list[str] = field(default_factory=list)

    @property
    def user_path(self) -> Path:
        """The user's file."""
        return self.path if self.completed is None else self.completed.path

    def as_the_user_knows_it(self, error: ConfigError) -> ConfigError:
        """Return an error about the copy as one about the user's file, or about the values of the run."""
        return error if self.completed is None else self.completed.located_as(self.path, error)


def component_file(
    name: str, spec: ComponentConfig, key: str, run: RunSettings, takes_end: bool = False
) -> ComponentFile:
    """Return the file for a component to read, completed by what the run adds.

    The run adds: ``options`` of the component's entry, key by key; folders of the run's ``paths:`` whose name the
    file has under its own ``paths:``; ``start`` (UTC), if the file has a time under that key or the component
    `takes_end`; to such a component also ``end`` (UTC), unless the file names an earlier one. A file that is not a
    YAML mapping is given as it is.

    Parameters
    ----------
    name : str
        Of the component.
    spec : ComponentConfig
        Its entry.
    key : str
        Where the entry stands in ``coupled.yaml``.
    run : RunSettings
        What the run adds.
    takes_end : bool
        Whether the component reads the keys ``start`` and ``end``.

    Raises
    ------
    ConfigError
        If ``options`` are given for a file that is not a YAML mapping.
    """
    document = _read(spec, key)
    if document is None:
        return ComponentFile(spec.config.resolve())
    data: dict[Any, Any] = document.data
    changes: list[str] = []

    def change(at: Position, value: Any, told: str, origin: str | None = None) -> None:
        document.put(at, value, origin)
        changes.append(f"{dotted(at)} = {told}")

    own_paths = data.get("paths")
    for folder in own_paths if isinstance(own_paths, dict) else ():
        if folder in run.named:
            change(("paths", folder), str(run.named[folder]), str(run.named[folder]))
    # a number is not a calendar time, but the start of the clock of a component that counts otherwise
    takes_start = takes_end or ("start" in data and not isinstance(data["start"], int | float))
    if run.start is not None and takes_start and _date(data.get("start")) != run.start:
        change(("start",), run.start, f"{run.start:%Y-%m-%dT%H:%M} (the run's)")
    entry = tuple(key.split("."))
    for written, at, value in _replacements(data, spec.options, (), (), spec.replace):
        change(at, value, str(value), run.document.where((*entry, "options", *written)))
    if takes_end and run.end is not None and _is_later(data.get("end"), run.end):
        change(("end",), run.end, f"{run.end:%Y-%m-%dT%H:%M} (the run's)")
    if not changes:
        return ComponentFile(spec.config.resolve())
    base, _ = folders(document, {})
    run.folder.mkdir(parents=True, exist_ok=True)
    copy = run.folder.resolve() / f"{name}.yaml"
    text = yaml.safe_dump({**data, "relative_to": str(base.resolve())}, sort_keys=False, allow_unicode=True)
    copy.write_text(text, encoding="utf-8")
    return ComponentFile(copy, document, changes)


def _read(spec: ComponentConfig, key: str) -> Document | None:
    """Read the user's file; None if nothing can be put into it."""
    document = None
    if spec.config.suffix.lower() in (".yaml", ".yml"):
        try:
            document = read_yaml(spec.config)
        except ConfigError:
            if spec.options:
                raise
            return None  # the component is to judge, which may read more of YAML, or something else
    if document is not None and isinstance(document.data, dict):
        return document
    if spec.options:
        raise ConfigError(f"{spec.config} is not a YAML file of keys and values to put them into", key=f"{key}.options")
    return None


def _date(value: Any) -> datetime | None:
    try:
        return value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        return None


def _is_later(own: Any, end: datetime) -> bool:
    """Whether a component's own end is none, or later than the run's; what is not a date is left to the component."""
    if own is None:
        return True
    date = _date(own)
    return date is not None and date.tzinfo is None and date > end


def _replacements(
    data: Mapping[Any, Any], options: Mapping[Any, Any], written: Position, at: Position, whole: list[str]
) -> Iterator[tuple[Position, Position, Any]]:
    """Yield the values of `options`, with their position there and in the file.

    Sections are gone through key by key, but for those that `whole` names and those that the file does not have.
    """
    for name, value in options.items():
        key = next((k for k in data if str(k) == str(name)), name)
        section = data.get(key)
        if isinstance(value, Mapping) and isinstance(section, dict) and dotted((*written, name)) not in whole:
            yield from _replacements(section, value, (*written, name), (*at, key), whole)
        else:
            yield (*written, name), (*at, key), value
