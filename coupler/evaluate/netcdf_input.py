"""NetCDF files that are compared: numbers and dates, or one message that says what is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from bmi_common import ConfigError
from bmi_common.netcdf_file import describe
from bmi_common.netcdf_time import decode


def open_netcdf(path: Path) -> netCDF4.Dataset:
    """Open a file; raises `ConfigError` if it is no NetCDF file."""
    try:
        return netCDF4.Dataset(path)
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"{path}: cannot be read as NetCDF: {error}") from error


def file_of(variable: Any) -> Path:
    """File that a variable lies in."""
    return Path(variable.group().filepath())


def units_of(variable: Any) -> str:
    """Units of a variable, or an empty text."""
    return str(getattr(variable, "units", ""))


def numbers(variable: Any, index: Any = ...) -> NDArray[np.float64]:
    """Read a part of a variable, NaN where it has no value.

    Raises
    ------
    ConfigError
        If it holds no numbers, or its scale, offset or missing value is none.
    """
    try:
        read = np.ma.asarray(variable[index])
        if read.dtype.kind not in "biuf":
            raise TypeError("it holds no numbers")
        return np.ma.filled(read.astype(np.float64), np.nan)
    except Exception as error:  # whatever the library meets in odd types, scale factors and fill values
        raise ConfigError(f"{file_of(variable)}: {variable.name} cannot be read: {error}") from error


def dates(time: Any, values: NDArray[np.float64]) -> NDArray[np.datetime64]:
    """Dates, ``datetime64[ms]`` in UTC, of values of a time coordinate; raises as `bmi_common.netcdf_time.decode`."""
    return decode(values, describe(time), f"{file_of(time)}: {time.name}").astype("datetime64[ms]")
