"""Hourly records of a run, read from its files in blocks of hours."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import netCDF4
import numpy as np
from numpy.typing import NDArray

from bmi_common import ConfigError
from bmi_common.errors import out_of_range
from bmi_common.groundwater import POSSIBLE_HEADS
from coupler.evaluate.netcdf_input import dates, file_of, numbers, open_netcdf, units_of
from coupler.evaluate.run_record import run_files

Array = NDArray[np.float64]
Times = NDArray[np.datetime64]

HEAD = "soil_water__pressure_head"
LATENT_HEAT = "land_surface_air_heat~net~latent__energy_flux"
HOUR = np.timedelta64(3600, "s")
"""Records are an hour apart; all times have this resolution of seconds."""

_UNITS = {HEAD: "m", LATENT_HEAT: "W m-2"}
_POSSIBLE = {HEAD: POSSIBLE_HEADS, LATENT_HEAT: (-1.0e4, 1.0e4)}


class Records(Protocol):
    """Hourly pressure head and latent heat of a run, whoever made it; hours may be missing.

    Attributes
    ----------
    path : Path
        Where it lies.
    times : ndarray of datetime64[s], shape (hours,)
        End of the interval of each record, UTC, in order.
    """

    path: Path
    times: Times

    @property
    def hours(self) -> int:
        """Number of records."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Layers, rows and columns of the grid."""

    @property
    def axes(self) -> tuple[Array | None, Array | None]:
        """Distances northward and eastward [m] of the cells, as far as the run has them."""

    @property
    def thickness(self) -> Array | None:
        """Layer thickness [m], bottom first, as far as the run has it."""

    def head(self, start: int, stop: int, mask: NDArray[np.bool_]) -> Array:
        """Pressure head [m] of records `start` to `stop`, (hours, nz, columns) in the order of the mask."""

    def latent_heat(self, start: int, stop: int, mask: NDArray[np.bool_]) -> Array:
        """Latent heat flux [W m-2], upward positive, of records `start` to `stop`, (hours, columns); NaN if unknown."""


class RunRecords:
    """Pressure head and latent heat of every hour that a run has written.

    The two may lie in different files of the run; among several files the one with hourly records is taken.

    Parameters
    ----------
    path : Path
        Folder of a run of ``bmi-run``, or one of its NetCDF files if that holds both variables.

    Attributes
    ----------
    times : ndarray of datetime64[s], shape (hours,)
        End of the interval of each record, UTC.

    Raises
    ------
    ConfigError
        If there is no such run, a variable is missing, has other units or no hourly records, or the two variables
        have different times.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: list[netCDF4.Dataset] = []
        try:
            for file in run_files(path):
                self._files.append(open_netcdf(file))
            self._head = self._find(HEAD, 4)
            self._latent = self._find(LATENT_HEAT, 3)
            self.times = _times(self._head)
            if not np.array_equal(self.times, _times(self._latent)):
                raise ConfigError(
                    f"{path}: {HEAD} has records of {span(self.times)}, {LATENT_HEAT} of {span(_times(self._latent))}; "
                    "both must have the same hours"
                )
            if self._head.shape[2:] != self._latent.shape[1:]:
                raise ConfigError(
                    f"{path}: {HEAD} has {self._head.shape[2:]} cells (y, x), {LATENT_HEAT} {self._latent.shape[1:]}"
                )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> RunRecords:
        """Return the run itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Close the files."""
        self.close()

    def close(self) -> None:
        """Close the files."""
        while self._files:
            self._files.pop().close()

    @property
    def hours(self) -> int:
        """Number of records."""
        return len(self.times)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Layers, rows and columns of the grid."""
        nz, ny, nx = self._head.shape[1:]
        return nz, ny, nx

    @property
    def axes(self) -> tuple[Array | None, Array | None]:
        """Distances northward and eastward [m] of the cells, as far as the file has them."""
        data = self._head.group()
        found = [data.variables.get(name) for name in self._head.dimensions[2:]]
        y, x = (None if v is None or v.dimensions != (v.name,) else numbers(v) for v in found)
        return y, x

    @property
    def thickness(self) -> Array | None:
        """Layer thickness [m], bottom first, as far as the file has it."""
        found = self._head.group().variables.get("layer_thickness")
        return None if found is None or found.dimensions != self._head.dimensions[1:2] else numbers(found)

    def head(self, start: int, stop: int, mask: NDArray[np.bool_]) -> Array:
        """Pressure head [m] of records `start` to `stop`, (hours, nz, columns) in the order of the mask."""
        return self._read(self._head, start, stop, mask)

    def latent_heat(self, start: int, stop: int, mask: NDArray[np.bool_]) -> Array:
        """Latent heat flux [W m-2], upward positive, of records `start` to `stop`, (hours, columns)."""
        return self._read(self._latent, start, stop, mask)

    def _read(self, variable: Any, start: int, stop: int, mask: NDArray[np.bool_]) -> Array:
        values = numbers(variable, slice(start, stop))[..., mask]
        bad = ~np.isfinite(values)
        if bad.any():
            hour, *_, column = np.argwhere(bad)[0]
            row, col = np.argwhere(mask)[column]
            raise ConfigError(
                f"{file_of(variable)}: {variable.csdms_name} is missing at {self.times[start + hour]} in the active "
                f"cell y={row}, x={col}"
            )
        low, high = _POSSIBLE[variable.csdms_name]
        bad = (values < low) | (values > high)
        if bad.any():
            at = tuple(np.argwhere(bad)[0])
            row, col = np.argwhere(mask)[at[-1]]
            raise ConfigError(
                f"{file_of(variable)}: {variable.csdms_name} {out_of_range(values[at], low, high, units_of(variable))} "
                f"at {self.times[start + at[0]]} in the active cell y={row}, x={col}"
            )
        return np.asarray(values)

    def _find(self, wanted: str, dimensions: int) -> Any:
        found = [v for f in self._files for v in f.variables.values() if str(getattr(v, "csdms_name", "")) == wanted]
        found = [v for v in found if len(v.dimensions) == dimensions and v.dimensions[0] == "time"]
        if not found:
            files = ", ".join(sorted(Path(f.filepath()).name for f in self._files))
            raise ConfigError(
                f"{self.path}: no file of the run has {wanted} ({files}); write it every hour, see `output`"
            )
        hourly = [v for v in found if _is_hourly(v)]
        if not hourly:
            raise ConfigError(f"{file_of(found[0])}: {wanted} has no hourly records; write it with `every: 1h`")
        if units_of(hourly[0]) != _UNITS[wanted]:
            raise ConfigError(
                f"{file_of(hourly[0])}: {wanted} is in {units_of(hourly[0])!r}, expected {_UNITS[wanted]!r}"
            )
        return hourly[0]


def span(times: Times) -> str:
    """Describe the hours of a run for messages."""
    if not len(times):
        return "no hour"
    minutes = times[[0, -1]].astype("datetime64[m]")
    missing = int((times[-1] - times[0]) / HOUR) + 1 - len(times)
    return f"{len(times)} hours, {minutes[0]} to {minutes[1]}" + (f", {missing} in between missing" if missing else "")


def _times(variable: Any) -> Times:
    time = variable.group().variables.get("time")
    if time is None:
        raise ConfigError(f"{file_of(variable)}: has no variable time")
    if time.dimensions != ("time",):
        raise ConfigError(f"{file_of(variable)}: time has the dimensions {time.dimensions}, expected ('time',)")
    return to_seconds(dates(time, numbers(time)))


def _bounds(variable: Any) -> Times | None:
    """Begin and end of each record, (records, 2), where the file tells."""
    time = variable.group().variables["time"]
    bounds = variable.group().variables.get(str(getattr(time, "bounds", "")))
    if bounds is None or bounds.shape != (time.size, 2):
        return None
    return to_seconds(dates(time, numbers(bounds)))


def to_seconds(exact: Times) -> Times:
    """Dates to the nearest second: hours that are stored as doubles are not exact."""
    return np.asarray((exact + np.timedelta64(500, "ms")).astype("datetime64[s]"))


def _is_hourly(variable: Any) -> bool:
    """Whether most records are an hour apart, the others whole hours: hours may be missing.

    A single record must have bounds an hour apart.
    """
    times = _times(variable)
    if len(times) == 1:
        bounds = _bounds(variable)
        return bounds is not None and bool(bounds[0, 1] - bounds[0, 0] == HOUR)
    steps = np.diff(times)
    whole = (steps > np.timedelta64(0, "s")) & (steps % HOUR == np.timedelta64(0, "s"))
    return len(times) > 1 and bool(whole.all()) and bool(np.median(steps / HOUR) == 1.0)
