"""The components that the conformance tests run, each with a small synthetic configuration."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from fakes import RAIN, WIND
from library_cases import compiled
from parflow_cases import install
from structured_cases import structured_checkpoint
from surrogate_cases import make_checkpoint

from bmi_common import DeclaredBmi, Domain, load_config
from bmi_common import groundwater as names
from bmi_common.domain import DomainConfig
from bmi_surrogate.checkpoint import save

Builder = Callable[[Path], list[Path]]

DOMAIN = """\
grid: {{nx: {nx}, ny: {ny}, dx: 1000.0, dy: 1000.0}}
layers: [100.0, 1.0, 1.0, 1.0, 0.6, 0.4, 0.3, 0.2, 0.1, 0.1, 0.05]
root_zone: {{layers: 10}}
porosity: 0.4
van_genuchten: {{alpha: 3.5, n: 2.0, residual_saturation: 0.1}}
conductivity: {{x: 0.02, z: 0.02}}
specific_storage: 1.0e-4
slope: {{x: 0.01, y: 0.01}}
manning: {{value: 0.03, units: s m-1/3}}
latitude: 23.0
longitude: 113.0
mask: {{file: mask.nc, variable: mask}}
"""

INITIAL = "initial: {pressure_head: [47.0, -3.5, -2.5, -1.5, -0.7, -0.5, -0.4, -0.3, -0.3, -0.3, -0.3]}\n"
GROUNDWATER = "domain: domain.yaml\n" + INITIAL + "gauges: {corner: {x: 1, y: 0}}\n"


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
        """Import the class; skips the test where the package cannot be imported."""
        module_name, class_name = self.path.split(":")
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            pytest.skip(f"{module_name} cannot be imported: {error}")
        component: type[DeclaredBmi] = getattr(module, class_name)
        return component


def _write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def bucket(folder: Path) -> list[Path]:
    """Build the fake, with a cell that takes no part."""
    return [_write(folder, "bucket.yaml", "nx: 4\nny: 3\ndry_column: true\n")]


def with_root_zone(component: Component, layers: int) -> Component:
    """Return the component with so many layers in the root zone of its domain."""

    def build(folder: Path) -> list[Path]:
        files = component.build(folder)
        domain = next(f for f in files if f.name == "domain.yaml")
        domain.write_text(domain.read_text().replace("root_zone: {layers: 10}", f"root_zone: {{layers: {layers}}}"))
        if component.build is surrogate:
            weights = next(f for f in files if f.suffix == ".safetensors")
            save(replace(make_checkpoint(source_layers=layers), layer_thickness=None), weights)
        return files

    return replace(component, build=build)


def domain_files(folder: Path, nx: int, ny: int) -> list[Path]:
    """Write a plane of columns; returns the domain's file first, then those that it names."""
    mask = folder / "mask.nc"
    with netCDF4.Dataset(mask, "w") as dataset:
        dataset.createDimension("y", ny)
        dataset.createDimension("x", nx)
        active = np.ones((ny, nx))
        active[0, 0] = 0.0
        dataset.createVariable("mask", "f8", ("y", "x"))[...] = active
    return [_write(folder, "domain.yaml", DOMAIN.format(nx=nx, ny=ny)), mask]


def richards(folder: Path) -> list[Path]:
    """Build a plane of 4 x 3 columns that drains to its corner."""
    text = GROUNDWATER + "richards: {threads: 1}\n"
    text += "wells:\n  - {name: pump, cell: {x: 2, y: 1}, layers: {0: 1}, rate: 1.0"
    text += ", irrigates: {cells: [{x: 3, y: 1}], method: drip}}\n"
    config = _write(folder, "richards.yaml", text)
    return [config, *domain_files(folder, nx=4, ny=3)]


def parflow(folder: Path) -> list[Path]:
    """Build the same plane for a double of ParFlow."""
    home = install(folder / "parflow").home
    section = f"parflow: {{parflow_dir: {home}}}\nrichards: {{threads: 1}}\n"
    config = _write(folder, "parflow.yaml", GROUNDWATER + section)
    return [config, *domain_files(folder, nx=4, ny=3)]


def prescribed(folder: Path) -> list[Path]:
    """Build a series of rain on the same plane."""
    series = folder / "recharge.nc"
    with netCDF4.Dataset(series, "w") as dataset:
        dataset.createDimension("time", 48)
        variable = dataset.createVariable("recharge", "f8", ("time",))
        variable[:] = np.arange(48.0)
        variable.units = "mm h-1"
    text = "domain: domain.yaml\nseries: {file: recharge.nc, variable: recharge}\n"
    return [_write(folder, "recharge.yaml", text), series, *domain_files(folder, nx=4, ny=3)]


LAND = """\
start: 2020-06-01T04:00
domain: domain.yaml
land_cover: 10
soil_texture: loam
forcing: {type: column, file: forcing.txt, start: 2020-06-01T00:00, cycle: true}
threads: 1
"""


def colm(folder: Path) -> list[Path]:
    """Build grassland on loam under one summer day of a station, rain in every hour."""
    hour = np.arange(24)
    sun = 800.0 * np.maximum(np.sin(np.pi * (hour + 2.0) / 12.0), 0.0)
    rows = [f"{s:.1f} 400.0 1.0e-4 {298.0 + s / 200.0:.2f} 2.0 1.0 1.0e5 0.015" for s in sun]
    config = _write(folder, "colm.yaml", LAND)
    return [config, _write(folder, "forcing.txt", "\n".join(rows) + "\n"), *domain_files(folder, nx=4, ny=3)]


def colm_library(folder: Path) -> list[Path]:
    """Build the same with a double of the user's library, in two processes."""
    files = colm(folder)
    library = folder / "libcolm.so"
    shutil.copy(compiled(), library)
    section = "library: {file: libcolm.so, snicar: unused, blocks: [2, 1]}\n"
    return [_write(folder, "colm.yaml", LAND + section), *files[1:], library]


def surrogate(folder: Path) -> list[Path]:
    """Build a random network of 8 x 8 tiles on a domain that they do not divide."""
    weights = folder / "weights.safetensors"
    save(replace(make_checkpoint(), layer_thickness=None), weights)
    text = GROUNDWATER + "surrogate: {checkpoint: weights.safetensors, threads: 1}\n"
    config = _write(folder, "surrogate.yaml", text)
    return [config, weights, weights.with_suffix(".yaml"), *domain_files(folder, nx=11, ny=9)]


def structured(folder: Path) -> list[Path]:
    """Build a structured surrogate of random weights on the plane of 4 x 3 columns."""
    weights = folder / "weights.safetensors"
    domain = domain_files(folder, nx=4, ny=3)
    thickness = Domain.load(load_config(domain[0], DomainConfig)).dz.tolist()
    save(structured_checkpoint(layers=thickness), weights)
    text = GROUNDWATER + "surrogate: {checkpoint: weights.safetensors, threads: 1}\n"
    return [_write(folder, "surrogate.yaml", text), weights, weights.with_suffix(".yaml"), *domain]


COMPONENTS = (
    Component("fakes:Bucket", bucket, {RAIN: 1.0e-4, WIND: 2.0}),
    Component("bmi_richards:BmiRichards", richards, {names.NET_SOURCE: 1.0e-4}),
    Component("bmi_parflow:BmiParflow", parflow, {names.NET_SOURCE: 1.0e-4}),
    Component("bmi_common.prescribed:PrescribedSource", prescribed),
    Component("bmi_surrogate:BmiSurrogate", surrogate, {names.NET_SOURCE: 1.0e-4}),
    Component("bmi_surrogate:BmiSurrogate", structured, {names.NET_SOURCE: 1.0e-4}),
    Component("bmi_colm:BmiColm", colm, {names.PRESSURE_HEAD: -1.0, names.SATURATION: 0.5}),
    Component("bmi_colm:BmiColmLibrary", colm_library, {names.PRESSURE_HEAD: -1.0, names.SATURATION: 0.5}),
)
