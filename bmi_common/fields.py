"""Fields of a domain: a number, one number a layer, a PFB file or a NetCDF variable."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from bmi_common.config import Config, ConfigPath
from bmi_common.errors import ConfigError, describe_cell
from bmi_common.suggest import did_you_mean
from bmi_common.units import conversion

Array = NDArray[np.float64]


class FieldSpec(Config):
    """Where a field comes from.

    In YAML a plain number, a list with one number a layer (bottom first) or the path of a PFB file may stand for
    the whole; NetCDF and units need the long form ``{file: basin.nc, variable: porosity, units: "1"}``.
    """

    value: float | list[float] | None = None
    file: ConfigPath | None = None
    variable: str | None = None
    units: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, data: Any) -> Any:
        if isinstance(data, int | float | list) and not isinstance(data, bool):
            return {"value": data}
        if isinstance(data, str | Path):
            return {"file": data}
        if data is None or isinstance(data, bool):
            raise ValueError(f"expected a number, a list with one number a layer or a file, got {data}")
        return data

    @model_validator(mode="after")
    def _one_source(self) -> FieldSpec:
        if (self.value is None) == (self.file is None):
            raise ValueError("give either a value or a file")
        if self.file is not None and self.file.suffix.lower() in (".nc", ".nc4") and self.variable is None:
            raise ValueError(f"name the variable of {self.file.name}: {{file: {self.file.name}, variable: ...}}")
        return self

    def read(self, name: str, shape: tuple[int, ...], units: str, mask: NDArray[np.bool_] | None = None) -> Array:
        """Read the field.

        Parameters
        ----------
        name : str
            What the field is, for messages.
        shape : tuple of int
            (ny, nx) or (nz, ny, nx). A file with one layer more dimension of length one is accepted for (ny, nx).
        units : str
            Units wanted; converted if the specification or a NetCDF attribute names others.
        mask : ndarray of bool, shape (ny, nx), optional
            Cells that take part; NaN is accepted elsewhere.

        Returns
        -------
        ndarray, shape `shape`
            C-contiguous copy.

        Raises
        ------
        ConfigError
            For an unreadable file, a wrong shape, units that do not convert, or values that are not finite where
            cells are active; names file and cell.
        """
        source = str(self.file) if self.file is not None else name
        if self.file is None:
            raw, given = self._constant(name, shape), self.units
        elif self.file.suffix.lower() in (".nc", ".nc4"):
            raw, attribute = read_netcdf_variable(self.file, str(self.variable))
            given = self.units or attribute
            source = f"{source} ({self.variable})"
        else:
            raw, given = read_pfb(self.file), self.units
        if raw.ndim == len(shape) + 1 and raw.shape[0] == 1:
            raw = raw[0]
        if raw.shape != shape:
            raise ConfigError(f"{source}: {name} has shape {raw.shape}, the domain needs {shape}")
        values = np.array(raw, dtype=np.float64, order="C")
        if given is not None and given != units:
            try:
                change = conversion(given, units)
            except ConfigError as error:
                raise ConfigError(f"{source}: {name}: {error}") from None
            values = values * change.factor + change.offset
        _check_finite(values, mask, f"{source}: {name}")
        return values

    def _constant(self, name: str, shape: tuple[int, ...]) -> Array:
        value = np.asarray(self.value, dtype=np.float64)
        if value.ndim == 0:
            return np.full(shape, float(value))
        if len(shape) != 3 or value.shape != shape[:1]:
            need = f"one number or {shape[0]} (one a layer, bottom first)" if len(shape) == 3 else "one number"
            raise ConfigError(f"{name}: {len(value)} numbers given, needs {need}")
        return np.broadcast_to(value[:, np.newaxis, np.newaxis], shape).copy()


def read_pfb(path: Path) -> Array:
    """Read a ParFlow binary file as (nz, ny, nx), bottom layer and southern row first.

    Raises
    ------
    ConfigError
        If the file is missing, truncated or no PFB file.
    """
    from parflow.tools.io import read_pfb as pftools_read_pfb  # imports slowly, and only PFB users need it

    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    _check_pfb_header(path)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return np.asarray(pftools_read_pfb(str(path)), dtype=np.float64)
    except Exception as error:  # pftools raises whatever its parser met
        raise ConfigError(f"{path}: not a readable PFB file: {error}") from error


def _check_pfb_header(path: Path) -> None:
    # pftools trusts the header and would allocate whatever a damaged one says
    header = path.open("rb").read(64)
    if len(header) < 64:
        raise ConfigError(f"{path}: too short for a PFB file ({path.stat().st_size} bytes)")
    nx, ny, nz = (int(v) for v in np.frombuffer(header, dtype=">i4", count=3, offset=24))
    expected = 8 * nx * ny * nz
    if min(nx, ny, nz) < 1 or path.stat().st_size < expected:
        raise ConfigError(
            f"{path}: not a whole PFB file: its header says {nz} x {ny} x {nx} values ({expected} bytes), "
            f"the file has {path.stat().st_size} bytes"
        )


def read_netcdf_variable(path: Path, variable: str) -> tuple[Array, str | None]:
    """Read a NetCDF variable with missing values as NaN, and its `units` attribute."""
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    try:
        with netCDF4.Dataset(path) as dataset:
            if variable not in dataset.variables:
                raise ConfigError(f"{path}: no variable {variable!r}{did_you_mean(variable, dataset.variables)}")
            v = dataset.variables[variable]
            values = np.ma.filled(np.ma.asarray(v[...], dtype=np.float64), np.nan)
            return np.asarray(values, dtype=np.float64), getattr(v, "units", None)
    except OSError as error:
        raise ConfigError(f"{path}: not a readable NetCDF file: {error}") from error


def _check_finite(values: Array, mask: NDArray[np.bool_] | None, source: str) -> None:
    bad = ~np.isfinite(values)
    if mask is not None:
        bad &= mask
    if bad.any():
        cell = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ConfigError(
            f"{source} is not finite in {int(bad.sum())} active cells, the first at {describe_cell(cell)}"
        )
