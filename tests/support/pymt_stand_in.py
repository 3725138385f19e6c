"""Models as pymt makes them of the package's plug-ins, for where pymt is not installed."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymt_cases import PLUGINS, plugin, setup


class Model:
    """What pymt puts around a component: names, folders, copies and, where wanted, a working directory."""

    name: str

    def __init__(self) -> None:
        self.bmi = plugin(self.name)()

    def setup(self, folder: str | None = None, **parameters: Any) -> tuple[str, str]:
        """Make the small case of the metadata; returns the configuration's name and its folder."""
        where = Path(folder or tempfile.mkdtemp())
        return setup(self.name, where, **parameters).name, str(where)

    def initialize(self, config: str, dir: str = ".") -> None:
        with contextlib.chdir(dir):
            self.bmi.initialize(config)

    def get_value(self, name: str) -> NDArray[Any]:
        return np.array(self.bmi.get_value_ptr(name))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bmi, name)


class _ModelCollection(dict[str, type[Model]]):
    """What pymt has loaded, and what it could not load."""

    errors: tuple[tuple[str, Exception], ...] = ()


def modules() -> dict[str, ModuleType]:
    """Modules that stand in for pymt; empty where it is loaded already."""
    if "pymt" in sys.modules:
        return {}
    found = {name: ModuleType(name) for name in ("pymt", "pymt.models", "pymt.model_collection")}
    for name in PLUGINS:
        setattr(found["pymt.models"], name, type(name, (Model,), {"name": name}))
    found["pymt.model_collection"].ModelCollection = _ModelCollection  # type: ignore[attr-defined]
    return found
