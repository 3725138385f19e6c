"""How a component is named in ``coupled.yaml``."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from bmi_common.config import Config, ConfigPath


def _class_path(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", value):
        raise ValueError(f"{value!r} must be written as package:Class")
    return value


class ComponentSpec(Config):
    """One component: where its class is, its configuration file, and values that replace some of that file's."""

    class_path: Annotated[str, Field(alias="class"), AfterValidator(_class_path)]
    config: ConfigPath
    options: dict[str, Any] = {}
