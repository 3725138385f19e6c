"""Precipitation on the domain, for the figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from bmi_common import ConfigError
from bmi_common.units import conversion
from coupler.evaluate.netcdf_input import dates, numbers, open_netcdf, units_of
from coupler.evaluate.records import HOUR, Times
from coupler.evaluate.run_record import run_files

Array = NDArray[np.float64]

NAME = "atmosphere_water_precipitation__mass_flux"
_STANDARD_NAMES = ("precipitation_flux", "rainfall_flux", "lwe_precipitation_rate")
_RATE, _AMOUNT_PER_HOUR = "kg m-2 s-1", 3600.0
_LARGEST = 1.0e4  # mm in an hour


def precipitation(path: Path, times: Times) -> Array:
    """Read the domain mean of hourly precipitation [mm h-1] at some hours, NaN where the file has none.

    Of a run's folder the output that holds `NAME` is read; of other NetCDF files, such as a forcing file, the variable
    with that ``csdms_name`` or with a standard name of precipitation. The mean is taken over all cells of the file that
    are not missing.

    Parameters
    ----------
    path : Path
        Folder of a run, or a NetCDF file.
    times : ndarray of datetime64[s], shape (hours,)
        End of each hour.

    Raises
    ------
    ConfigError
        If there is no such variable, its records are not hourly, its units are not those of a precipitation rate, or
        none of the hours is there.
    """
    coarse = ""
    for file in run_files(path):
        with open_netcdf(file) as data:
            parts = _find(data)
            if not parts:
                continue
            variable = parts[0]
            ends = interval_ends(data, variable)
            if not _is_hourly(ends):
                coarse = f"{file}: {variable.name} has no hourly records, which precipitation needs"
                continue
            there = np.isin(ends, times)
            if not there.any():
                raise ConfigError(f"{file}: has no precipitation in the compared period, {times[0]} to {times[-1]}")
            first, last = np.flatnonzero(there)[[0, -1]]
            records = slice(int(first), int(last) + 1)
            means = np.sum([_mean(file, part, records) for part in parts], axis=0)
            series = np.full(len(times), np.nan)
            inside = there[first : last + 1]
            series[np.searchsorted(times, ends[first : last + 1][inside])] = means[inside]
            return series
    if coarse:
        raise ConfigError(coarse)
    raise ConfigError(f"{path}: has no precipitation ({NAME}, or a standard name {', '.join(_STANDARD_NAMES)})")


def has_precipitation(path: Path) -> bool:
    """Whether a run has written its precipitation every hour."""
    for file in run_files(path):
        with open_netcdf(file) as data:
            parts = _find(data)
            if parts and _is_hourly(interval_ends(data, parts[0])):
                return True
    return False


def interval_ends(data: netCDF4.Dataset, variable: Any) -> Times:
    """End of the interval of each record to the nearest hour: of its time bounds, where the file has them."""
    time = data.variables.get(variable.dimensions[0])
    if time is None or time.dimensions != variable.dimensions[:1]:
        raise ConfigError(f"{data.filepath()}: {variable.name} has no time with units such as 'hours since 2020-01-01'")
    bounds = data.variables.get(str(getattr(time, "bounds", "")))
    if bounds is not None and bounds.shape != (time.size, 2):
        raise ConfigError(f"{data.filepath()}: {bounds.name}, the bounds of {time.name}, is not of shape (time, 2)")
    exact = dates(time, numbers(time) if bounds is None else numbers(bounds)[:, 1])
    nearest = (exact.astype(np.int64) + HOUR.astype("timedelta64[ms]").astype(np.int64) // 2) // 3_600_000
    return np.asarray((nearest * 3600).astype("datetime64[s]"))


def _is_hourly(ends: Times) -> bool:
    steps = np.diff(ends)
    return not len(steps) or bool((steps > np.timedelta64(0, "s")).all() and np.median(steps / HOUR) == 1.0)


def _find(data: netCDF4.Dataset) -> list[Any]:
    """Return the variable of precipitation, or those of rainfall and snowfall, which add up to it."""
    for variable in data.variables.values():
        csdms, standard = (str(getattr(variable, key, "")) for key in ("csdms_name", "standard_name"))
        if len(variable.dimensions) and (csdms == NAME or standard in _STANDARD_NAMES):
            snow = data.get_variables_by_attributes(standard_name="snowfall_flux")
            return [variable, *(snow if standard == "rainfall_flux" else [])]
    return []


def _mean(file: Path, variable: Any, records: slice) -> Array:
    to = _conversion(file, variable)
    values = numbers(variable, records)
    wild = np.abs(values) * to > _LARGEST
    if wild.any():
        found = f"{values[wild][0]:g} {units_of(variable)}"
        raise ConfigError(f"{file}: {variable.name} is {found}, more than any rain")
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nanmean(values.reshape(len(values), -1), axis=1)) * to


def _conversion(file: Path, variable: Any) -> float:
    units = units_of(variable)
    try:
        return conversion(units, _RATE).factor * _AMOUNT_PER_HOUR
    except ConfigError as error:
        raise ConfigError(f"{file}: {variable.name} is in {units!r}, which is not a precipitation rate") from error
