"""Precipitation on the domain, for the figures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bmi_common import ConfigError
from bmi_common.arrays import Array
from bmi_common.calendar import HOUR, Times
from bmi_common.netcdf_file import NetcdfFile, NetcdfVariable
from bmi_common.netcdf_time import interval_ends
from bmi_common.parflow_dumps import is_parflow_run
from bmi_common.units import conversion
from rootzone.evaluation.run_record import run_files

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
    for netcdf in run_files(path):
        with NetcdfFile(netcdf) as file:
            parts = _find(file)
            if not parts:
                continue
            ends = interval_ends(file, parts[0])
            if not _is_hourly(ends):
                coarse = f"{netcdf}: {parts[0].name} has no hourly records, which precipitation needs"
                continue
            there = np.isin(ends, times)
            if not there.any():
                raise ConfigError(f"{netcdf}: has no precipitation in the compared period, {times[0]} to {times[-1]}")
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


def precipitation_of(given: Path | None, runs: Iterable[Path], times: Times, notes: list[str]) -> Array | None:
    """Read precipitation as `precipitation` does, from what the user has given or from the first run that has it.

    Returns None, and adds a note, where there is none. Runs of ParFlow are passed over.
    """
    if given is not None:
        return precipitation(given, times)
    for path in runs:
        if not is_parflow_run(path) and has_precipitation(path):
            return precipitation(path, times)
    notes.append("No precipitation: the runs have written none and no --precipitation was given.")
    return None


def has_precipitation(path: Path) -> bool:
    """Whether a run has written its precipitation every hour."""
    for netcdf in run_files(path):
        with NetcdfFile(netcdf) as file:
            parts = _find(file)
            if parts and _is_hourly(interval_ends(file, parts[0])):
                return True
    return False


def _is_hourly(ends: Times) -> bool:
    steps = np.diff(ends)
    return not len(steps) or bool((steps > np.timedelta64(0, "s")).all() and np.median(steps / HOUR) == 1.0)


def _find(file: NetcdfFile) -> list[NetcdfVariable]:
    """Return the variable of precipitation, or those of rainfall and snowfall, which add up to it."""
    for variable in file.variables:
        standard = variable.text("standard_name")
        if variable.dimensions and (variable.text("csdms_name") == NAME or standard in _STANDARD_NAMES):
            snow = file.with_standard_name(["snowfall_flux"]) if standard == "rainfall_flux" else []
            return [variable, *(file[name] for name in snow)]
    return []


def _mean(file: NetcdfFile, variable: NetcdfVariable, records: slice) -> Array:
    units = variable.text("units")
    try:
        to = conversion(units, _RATE).factor * _AMOUNT_PER_HOUR
    except ConfigError as error:
        raise ConfigError(f"{file.path}: {variable.name} is in {units!r}, which is not a precipitation rate") from error
    values = file.part(variable.name, records)
    wild = np.abs(values) * to > _LARGEST
    if wild.any():
        raise ConfigError(f"{file.path}: {variable.name} is {values[wild][0]:g} {units}, more than any rain")
    with np.errstate(invalid="ignore"):
        return np.asarray(np.nanmean(values.reshape(len(values), -1), axis=1)) * to
