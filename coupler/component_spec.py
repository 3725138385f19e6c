"""How a component is named in ``coupled.yaml``."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from bmi_common.config import Config, ConfigPath
from bmi_common.durations import Duration


def _class_path(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", value):
        raise ValueError(f"{value!r} must be written as package:Class")
    return value


def _address(value: str) -> str:
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+):(\d+)", value)
    if not match or not 0 < int(match[2]) < 65536:
        raise ValueError(f"{value!r} must be written as host:port")
    return value


class ComponentSpec(Config):
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
    def _in_one_place(self) -> ComponentSpec:
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
    def _replaces_what_is_given(self) -> ComponentSpec:
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
