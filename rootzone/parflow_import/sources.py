"""Where a field of the imported run comes from, and how YAML names it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bmi_common.errors import ConfigError
from bmi_common.fields import read_pfb
from bmi_common.netcdf_file import NetcdfFile
from rootzone.parflow_import.definition import Definition

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

FIELDS_FILE = "fields.nc"
"""NetCDF file of the fields that no number and no file of the run holds as they are."""


class Folder(Protocol):
    """The folder that is written: gives paths their spelling in YAML and keeps fields."""

    def path(self, file: Path) -> str:
        """Spell a file of the run."""
        ...

    def keep(self, name: str, values: Floats, units: str) -> None:
        """Write a field to `FIELDS_FILE`."""
        ...

    def in_layers(self, spec: Any) -> Any:
        """Restrict a value of a YAML file to the layers of the domain, for a field (nz, ny, nx)."""
        ...


class Source(Protocol):
    """A field (nz, ny, nx) or (ny, nx)."""

    def values(self, shape: tuple[int, ...]) -> Floats:
        """Read it."""
        ...

    def spec(self, name: str, units: str, folder: Folder) -> Any:
        """Write it as a value of a YAML file; `name` and `units` are those of a NetCDF variable, if it becomes one."""
        ...


@dataclass(frozen=True)
class Constant:
    """The same number everywhere, or one number a layer, bottom first."""

    value: float | tuple[float, ...]

    def values(self, shape: tuple[int, ...]) -> Floats:  # noqa: D102
        value = np.asarray(self.value, dtype=np.float64)
        if value.ndim:
            value = value[:, np.newaxis, np.newaxis]
        return np.array(np.broadcast_to(value, shape))

    def spec(self, name: str, units: str, folder: Folder) -> Any:  # noqa: D102
        return list(self.value) if isinstance(self.value, tuple) else self.value


@dataclass(frozen=True)
class File(ABC):
    """A file of ParFlow's run, as it is; `key` names it in messages."""

    file: Path
    definition: Definition
    key: str

    @abstractmethod
    def _read(self) -> Floats:
        """Read whatever it holds."""

    @abstractmethod
    def spec(self, name: str, units: str, folder: Folder) -> Any:  # noqa: D102
        ...

    def values(self, shape: tuple[int, ...]) -> Floats:  # noqa: D102
        try:
            values = self._read()
        except ConfigError as error:
            raise self.definition.error(self.key, str(error)) from None
        while values.ndim > len(shape) and values.shape[0] == 1:
            values = values[0]
        if values.shape != shape:
            raise self.definition.error(
                self.key, f"{self.file}: shape (z, y, x) is {values.shape}, the computational grid needs {shape}"
            )
        return values


@dataclass(frozen=True)
class Pfb(File):
    """A PFB file."""

    def _read(self) -> Floats:
        return read_pfb(self.file)

    def spec(self, name: str, units: str, folder: Folder) -> Any:  # noqa: D102
        return folder.path(self.file)


@dataclass(frozen=True)
class Netcdf(File):
    """A variable of a NetCDF file; of one with times, as ParFlow has them, the entry `time`."""

    variable: str
    time: int = 0

    def _read(self) -> Floats:
        with NetcdfFile(self.file) as file:
            file.require(self.variable)
            values = file.values(self.variable)
        if values.ndim == 4:
            if self.time >= len(values):
                raise ConfigError(f"{self.file}: no entry {self.time} of {self.variable}, which has {len(values)}")
            values = values[self.time]
        return np.asarray(values)

    def spec(self, name: str, units: str, folder: Folder) -> Any:  # noqa: D102
        folder.keep(name, self._read(), units)  # without the axis of time
        return {"file": FIELDS_FILE, "variable": name}


@dataclass(frozen=True)
class Classes:
    """A value for each class number of an indicator file."""

    indicator: File
    table: Mapping[int, float]

    def values(self, shape: tuple[int, ...]) -> Floats:  # noqa: D102
        classes = self.indicator.values(shape)
        values = np.full(shape, np.nan)
        for number, value in self.table.items():
            values[classes == number] = value
        return values

    def spec(self, name: str, units: str, folder: Folder) -> Any:  # noqa: D102
        spec = self.indicator.spec(name, units, folder)
        return {**(spec if isinstance(spec, dict) else {"file": spec}), "lookup": dict(self.table)}


@dataclass(frozen=True)
class Computed:
    """Values that were put together from several parts."""

    array: Floats

    def values(self, shape: tuple[int, ...]) -> Floats:  # noqa: D102
        return np.array(np.broadcast_to(self.array, shape))

    def spec(self, name: str, units: str, folder: Folder) -> Any:  # noqa: D102
        folder.keep(name, self.array, units)
        return {"file": FIELDS_FILE, "variable": name}


def simplest(values: Floats, mask: Mask) -> Source:
    """Return the shortest form of a field: a number, one a layer, or the values themselves."""
    if values.ndim == 3:
        columns = values[:, mask]
        if (columns == columns[:, :1]).all():
            layers = columns[:, 0]
            return Constant(float(layers[0]) if (layers == layers[0]).all() else tuple(map(float, layers)))
    elif (values[mask] == values[mask][0]).all():
        return Constant(float(values[mask][0]))
    return Computed(values)


def product(a: Source, b: Source, shape: tuple[int, ...], mask: Mask) -> Source:
    """Multiply two fields, in as short a form as they have."""
    for factor, other in ((a, b), (b, a)):
        if isinstance(factor, Constant) and not isinstance(factor.value, tuple):
            c = factor.value
            if c == 1.0:
                return other
            if isinstance(other, Classes):
                return Classes(other.indicator, {k: c * v for k, v in other.table.items()})
    return simplest(a.values(shape) * b.values(shape), mask)
