"""Hourly records of a run that are compared: pressure head and latent heat, whoever made them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bmi_common import ConfigError, Domain
from bmi_common.arrays import Array
from bmi_common.calendar import HOUR, Times
from bmi_common.folder_lock import require_at_rest
from bmi_common.groundwater import PRESSURE_HEAD
from bmi_common.parflow_dumps import DumpSeries, find_dumps, require_hourly
from bmi_common.run_records import LATENT_HEAT, Series, hourly_series
from rootzone.evaluation.run_record import run_files


@dataclass(frozen=True)
class Records:
    """Hourly pressure head and latent heat of a run; hours may be missing.

    Attributes
    ----------
    path : Path
        Where it lies.
    times : ndarray of datetime64[s], shape (hours,)
        End of the interval of each record, UTC, in order.
    heads : Series
        Pressure head [m].
    fluxes : Series or None
        Latent heat flux [W m-2], upward positive; None if the run has not written it.
    initial : Series or None
        Pressure head before the first hour, if it lies among the records.
    """

    path: Path
    times: Times
    heads: Series
    fluxes: Series | None
    initial: Series | None = None

    @property
    def hours(self) -> int:
        """Number of records."""
        return len(self.times)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Layers, rows and columns of the grid."""
        nz, ny, nx = self.heads.shape
        return nz, ny, nx

    @property
    def axes(self) -> tuple[Array | None, Array | None]:
        """Distances northward and eastward [m] of the cells, as far as the run has them."""
        return self.heads.axes

    @property
    def thickness(self) -> Array | None:
        """Layer thickness [m], bottom first, as far as the run has it."""
        return self.heads.thickness

    def head(self, start: int, stop: int, mask: NDArray[np.bool_]) -> Array:
        """Pressure head [m] of records `start` to `stop`, (hours, nz, columns) in the order of the mask."""
        return self.heads.read_possible(start, stop, mask)[..., mask]

    def latent_heat(self, start: int, stop: int, mask: NDArray[np.bool_]) -> Array:
        """Latent heat flux [W m-2], upward positive, of records `start` to `stop`, (hours, columns); NaN if unknown."""
        if self.fluxes is None:
            return np.full((stop - start, int(mask.sum())), np.nan)
        return self.fluxes.read_possible(start, stop, mask)[..., mask]


def netcdf_records(path: Path) -> Records:
    """Find the hourly pressure head and latent heat of a run of ``bmi-run``; they may lie in different files.

    Parameters
    ----------
    path : Path
        The run's folder, or one of its NetCDF files if that holds both variables.

    Raises
    ------
    ConfigError
        If there is no such run, a variable is missing, has other units or no hourly records, or the two variables
        have different times or cells.
    """
    files = run_files(path)
    head, latent = (hourly_series(path, files, variable)[0] for variable in (PRESSURE_HEAD, LATENT_HEAT))
    if not np.array_equal(head.times, latent.times):
        raise ConfigError(
            f"{path}: {PRESSURE_HEAD} has records of {span(head.times)}, {LATENT_HEAT} of {span(latent.times)}; "
            "both must have the same hours"
        )
    if head.shape[1:] != latent.shape:
        raise ConfigError(f"{path}: {PRESSURE_HEAD} has {head.shape[1:]} cells (y, x), {LATENT_HEAT} {latent.shape}")
    return Records(path, head.times, head, latent)


def parflow_records(path: Path, domain: Domain, start: np.datetime64) -> Records:
    """Find the pressures of a run of ParFlow, a dump an hour; missing dumps are gaps, and there is no latent heat.

    Parameters
    ----------
    path : Path
        The run's folder.
    domain : Domain
        What the run was made on.
    start : datetime64
        Time of dump 00000, UTC.

    Raises
    ------
    ConfigError
        If the folder holds several runs, no pressure after the initial one, or dumps that are not an hour apart.
    """
    require_at_rest(path)
    dumps = find_dumps(path, "press")["press"]
    initial = dumps.pop(0, None)
    if not dumps:
        raise ConfigError(f"{path}: has no pressure after the initial one (*.out.press.00001.pfb and so on)")
    require_hourly(path, "the evaluation")
    numbers = sorted(dumps)
    return Records(
        path,
        start.astype("datetime64[s]") + HOUR * np.array(numbers),
        DumpSeries(PRESSURE_HEAD, [dumps[n] for n in numbers], domain),
        None,
        None if initial is None else DumpSeries(PRESSURE_HEAD, [initial], domain),
    )


def span(times: Times) -> str:
    """Describe the hours of a run for messages."""
    if not len(times):
        return "no hour"
    minutes = times[[0, -1]].astype("datetime64[m]")
    missing = int((times[-1] - times[0]) / HOUR) + 1 - len(times)
    return f"{len(times)} hours, {minutes[0]} to {minutes[1]}" + (f", {missing} in between missing" if missing else "")
