"""The components that the conformance tests run, each with a small synthetic configuration."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fakes import RAIN, WIND

from bmi_common import DeclaredBmi
from bmi_common import groundwater as names

Builder = Callable[[Path], list[Path]]

DOMAIN = """\
grid: {{nx: {nx}, ny: {ny}, dx: 1000.0, dy: 1000.0}}
layers: [100.0, 1.0, 1.0, 1.0, 0.6, 0.4, 0.3, 0.2, 0.1, 0.1, 0.05]
porosity: 0.4
van_genuchten: {{alpha: 3.5, n: 2.0, residual_saturation: 0.1}}
conductivity: {{x: 0.02, z: 0.02}}
specific_storage: 1.0e-4
slope: {{x: 0.01, y: 0.01}}
manning: {{value: 0.03, units: s m-1/3}}
"""

INITIAL = "initial: {pressure_head: [47.0, -3.5, -2.5, -1.5, -0.7, -0.5, -0.4, -0.3, -0.3, -0.3, -0.3]}\n"


@dataclass(frozen=True)
class Component:
    """A component class, its configuration and inputs for one step.

    Attributes
    ----------
    path : str
        ``package:Class``.
    build : callable
        Writes the configuration into a folder; returns its file first, then the files it names.
    inputs : mapping
        A value for each variable that must be supplied.
    """

    path: str
    build: Builder
    inputs: Mapping[str, float] = field(default_factory=dict)

    def load(self) -> type[DeclaredBmi]:
        """Import the class; skips the test where the component is not part of the installation."""
        module_name, class_name = self.path.split(":")
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            pytest.skip(f"{module_name} cannot be imported: {error}")
        component: type[DeclaredBmi] | None = getattr(module, class_name, None)
        if component is None:
            pytest.skip(f"{module_name} has no {class_name} in this version")
        return component


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def bucket(folder: Path) -> list[Path]:
    """Build the fake, with a cell that takes no part."""
    return [_write(folder, "bucket.yaml", "nx: 4\nny: 3\ndry_column: true\n")]


def richards(folder: Path) -> list[Path]:
    """Build a plane of 4 x 3 columns that drains to its corner."""
    config = _write(folder, "richards.yaml", "domain: domain.yaml\n" + INITIAL + "richards: {threads: 1}\n")
    return [config, _write(folder, "domain.yaml", DOMAIN.format(nx=4, ny=3))]


COMPONENTS = (
    Component("fakes:Bucket", bucket, {RAIN: 1.0e-4, WIND: 2.0}),
    Component("bmi_richards:BmiRichards", richards, {names.NET_SOURCE: 1.0e-4}),
)
