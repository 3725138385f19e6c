"""What a run has written of a variable, record by record: every reader of heads, sources and fluxes starts here.

`NetcdfSeries` reads the output of `bmi-run`; `bmi_common.parflow_dumps` reads that of ParFlow.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from bmi_common.arrays import Array
from bmi_common.calendar import HOUR
from bmi_common.domain import Domain
from bmi_common.durations import parse_duration
from bmi_common.errors import ConfigError, describe_cell, out_of_range
from bmi_common.groundwater import (
    DISCHARGE,
    NET_SOURCE,
    POSSIBLE_HEADS,
    POSSIBLE_SOURCES,
    PRESSURE_HEAD,
    SATURATION,
    VOLUME_FRACTION,
    WATER_TABLE_DEPTH,
)
from bmi_common.netcdf_file import NetcdfFile, NetcdfVariable, netcdf_name
from bmi_common.netcdf_time import bounds, stamps
from bmi_common.units import conversion

LATENT_HEAT: Final = "land_surface_air_heat~net~latent__energy_flux"
SENSIBLE_HEAT: Final = "land_surface_air_heat~net~sensible__energy_flux"

_THICKNESS_TOLERANCE: Final = 1.0e-3  # relative; files hold thicknesses in single precision


class RecordedQuantity(NamedTuple):
    """What the records of a variable must be.

    Attributes
    ----------
    units : str
        Units in which they are handed out.
    limits : tuple of float
        Smallest and largest possible value.
    rank : int
        Dimensions of a record: 3 in layers, 2 on the surface, 1 at points.
    """

    units: str
    limits: tuple[float, float]
    rank: int


QUANTITIES: Final[Mapping[str, RecordedQuantity]] = {
    PRESSURE_HEAD: RecordedQuantity("m", POSSIBLE_HEADS, 3),
    NET_SOURCE: RecordedQuantity("h-1", POSSIBLE_SOURCES, 3),
    LATENT_HEAT: RecordedQuantity("W m-2", (-1.0e4, 1.0e4), 2),
    SENSIBLE_HEAT: RecordedQuantity("W m-2", (-1.0e4, 1.0e4), 2),
    SATURATION: RecordedQuantity("1", (0.0, 1.0 + 1.0e-6), 3),
    VOLUME_FRACTION: RecordedQuantity("1", (0.0, 1.0 + 1.0e-6), 3),
    WATER_TABLE_DEPTH: RecordedQuantity("m", (0.0, 1.0e4), 2),
    DISCHARGE: RecordedQuantity("m3 s-1", (-1.0e7, 1.0e7), 1),
}


class Series(ABC):
    """The records of one variable of a run.

    Attributes
    ----------
    variable : str
        CSDMS name, one of `QUANTITIES`.
    shape : tuple of int
        Of a record, ([layers,] ny, nx).
    files : tuple of Path
        The files that hold the records.
    axes : tuple of ndarray or None
        Distances northward and eastward [m] of the cells, as far as the files have them.
    thickness : ndarray or None
        Layer thickness [m], bottom first, as far as the files have it.
    """

    variable: str
    shape: tuple[int, ...]
    files: tuple[Path, ...]
    axes: tuple[Array | None, Array | None] = (None, None)
    thickness: Array | None = None

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of records."""

    @abstractmethod
    def read(self, begin: int, end: int) -> Array:
        """Return records `begin` to `end` - 1, (records, [layers,] ny, nx), NaN where missing.

        Raises
        ------
        ConfigError
            If they cannot be read.
        """

    @abstractmethod
    def describe(self, record: int) -> str:
        """Return file, variable and time of a record, for messages."""

    def read_possible(self, begin: int, end: int, active: NDArray[np.bool_] | None = None) -> Array:
        """Read records, and refuse values that no state or flux can have.

        Parameters
        ----------
        begin, end : int
            First record, and the one behind the last.
        active : ndarray of bool, shape (ny, nx), optional
            Cells that must have a value; without it any cell may be missing.

        Raises
        ------
        ConfigError
            As `read`, and if a value is missing or impossible.
        """
        values = self.read(begin, end)
        units, (low, high), _ = QUANTITIES[self.variable]
        bad = (values < low) | (values > high)
        if active is not None:
            bad = (bad | ~np.isfinite(values)) & active
        if bad.any():
            record, *cell = at = tuple(int(i) for i in np.argwhere(bad)[0])
            what = out_of_range(values[at], low, high, units) if np.isfinite(values[at]) else f"is {values[at]}"
            raise ConfigError(f"{self.describe(begin + record)}: {what} in the active {describe_cell(tuple(cell))}")
        return values


class NetcdfSeries(Series):
    """One variable of a NetCDF file or Zarr store of a run; the file is open only while it is read.

    Parameters
    ----------
    file : NetcdfFile
        The file.
    found : NetcdfVariable
        The variable there, its first dimension being time.
    variable : str
        What it is, one of `QUANTITIES`.

    Attributes
    ----------
    path : Path
        The file.
    times : ndarray of datetime64[s], shape (records,)
        End of each record, UTC.
    component : str
        Which component has published it; empty where the file does not say.
    is_double : bool
        Whether it is stored in double precision.
    is_point : bool
        Whether a record is the value at its end, not the mean over its interval.
    points : tuple of str
        Names of the points, where a record has a value for each; otherwise empty.

    Raises
    ------
    ConfigError
        If the file has no such times, or units that do not convert.
    """

    def __init__(self, file: NetcdfFile, found: NetcdfVariable, variable: str) -> None:
        self.variable, self.shape, self.files = variable, found.shape[1:], (file.path,)
        self.path, self._file, self._name = file.path, file, found.name
        time = file.require("time")
        if time.dimensions != ("time",):
            raise ConfigError(f"{file.path}: time has the dimensions {time.dimensions}, expected ('time',)")
        self.times = stamps(file, "time")
        self._bounds = bounds(file, "time")
        units, needed = found.text("units"), QUANTITIES[variable].units
        try:
            self._to = conversion(units, needed)
        except ConfigError as error:
            raise ConfigError(f"{file.path}: {variable} is in {units!r}, expected {needed!r}: {error}") from None
        self.component = found.text("component")
        self.is_double = bool(found.dtype == np.float64)
        self._methods = found.text("cell_methods")
        self.is_point = "point" in self._methods
        self.points = self._names(found.dimensions[1]) if len(self.shape) == 1 else ()
        if len(self.shape) > 1:
            vertical, y, x = found.dimensions[1], *found.dimensions[-2:]
            self.axes = self._along(y, y), self._along(x, x)
            self.thickness = self._along("layer_thickness", vertical)

    def __len__(self) -> int:
        return len(self.times)

    def read(self, begin: int, end: int) -> Array:
        """Return records `begin` to `end` - 1 in the units of `QUANTITIES`; see `Series.read`."""
        with self._file as file:
            return file.part(self._name, slice(begin, end)) * self._to.factor + self._to.offset

    def describe(self, record: int) -> str:
        """Return file, variable and end of a record, for messages."""
        end = self.times[record].item()
        return f"{self.path}: {self.variable}, record ending {end:%Y-%m-%d %H:%M}"

    @property
    def is_hourly(self) -> bool:
        """Whether most records are an hour apart, the others whole hours: hours may be missing.

        A single record must have bounds an hour apart.
        """
        if len(self) == 1:
            return self._bounds is not None and bool(self._bounds[0, 1] - self._bounds[0, 0] == HOUR)
        steps = np.diff(self.times) / HOUR
        return bool((steps > 0.0).all() and (steps % 1.0 == 0.0).all() and np.median(steps) == 1.0)

    @cached_property
    def configuration(self) -> dict[str, Any]:
        """Configuration of the run, empty where the file does not hold it."""
        try:
            with self._file as file:
                content = yaml.safe_load(file.text("run_configuration"))
        except yaml.YAMLError:
            return {}
        return content if isinstance(content, dict) else {}

    @cached_property
    def is_of_single_steps(self) -> bool | None:
        """Whether each record covers one step, so that its mean is the value at its end; None where nothing says."""
        if "interval" in self._methods:
            return False
        try:
            step = np.timedelta64(parse_duration(self.configuration["time"]["step"]))
        except (KeyError, TypeError, ValueError):
            return None
        if self._bounds is None:
            return None
        return bool((self._bounds[:, 1] - self._bounds[:, 0] == step).all())

    def _along(self, name: str, dimension: str) -> Array | None:
        there = name in self._file and self._file[name].dimensions == (dimension,)
        return self._file.values(name) if there else None

    def _names(self, dimension: str) -> tuple[str, ...]:
        """Names of points, which are their numbers where the file has none."""
        name = f"{dimension}_name"
        if name not in self._file:
            return tuple(str(i) for i in range(self.shape[0]))
        return tuple(str(label) for label in self._file.read(name))


def hourly_series(path: Path, files: Iterable[Path], variable: str) -> list[NetcdfSeries]:
    """Return the hourly series of a variable in the files of a run, in their order; there is one at least.

    Parameters
    ----------
    path : Path
        The run, for messages.
    files : iterable of Path
        Its NetCDF files and Zarr stores.
    variable : str
        One of `QUANTITIES`.

    Raises
    ------
    ConfigError
        As `netcdf_series`, and if there is none.
    """
    files = list(files)
    found = [series for file in files for series in netcdf_series(NetcdfFile(file), variable)]
    if not found:
        names = ", ".join(file.name for file in files) or "it (no NetCDF file or Zarr store)"
        raise ConfigError(
            f"{path}: no series of {variable} in {names}; the run's `output:` must hold it with `every: 1h`"
        )
    hourly = [series for series in found if series.is_hourly]
    if not hourly:
        raise ConfigError(f"{found[0].path}: {variable} has no hourly records; write it with `every: 1h`")
    return hourly


def netcdf_series(file: NetcdfFile, variable: str) -> list[NetcdfSeries]:
    """Return the series of a variable in a NetCDF file, known by their CSDMS name; raises as `NetcdfSeries`."""
    with file:
        return [
            NetcdfSeries(file, found, variable)
            for found in file.variables
            if (found.text("csdms_name") == variable or found.name in (variable, netcdf_name(variable)))
            and found.dimensions[:1] == ("time",)
            and len(found.shape) == 1 + QUANTITIES[variable].rank
            and found.shape[0]
        ]


def thickness_mismatch(thickness: tuple[float, ...] | Array, domain: Domain) -> int | None:
    """First layer whose thickness is not the domain's, None where all are."""
    wrong = ~np.isclose(np.asarray(thickness, dtype=np.float64), domain.dz, rtol=_THICKNESS_TOLERANCE, atol=0.0)
    return int(np.argmax(wrong)) if wrong.any() else None
