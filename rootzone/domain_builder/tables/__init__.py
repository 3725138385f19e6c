"""Tables of soil and land-cover classes that come with the package."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import yaml


@cache
def table(name: str) -> dict[Any, Any]:
    """Read ``<name>.yaml`` of this folder."""
    text = resources.files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))
