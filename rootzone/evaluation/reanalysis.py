"""Domain means of a gridded reanalysis with the names of ERA5-Land."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bmi_common import ConfigError, Domain
from bmi_common.arrays import Array
from bmi_common.calendar import HOUR, Times
from bmi_common.netcdf_file import NetcdfFile, NetcdfVariable
from bmi_common.netcdf_time import interval_ends
from rootzone.evaluation.names import LATENT_HEAT, SOIL_MOISTURE

_SOIL_WATER, _LATENT = "swvl1", "slhf"
_UNITS = {_SOIL_WATER: ("m**3 m**-3", "m3 m-3", "1"), _LATENT: ("J m**-2", "J m-2")}
_LARGEST = 1.0e9
"""Above a day's latent heat of any place [J m-2]."""
_FARTHEST = 0.2
"""Degrees: two cells of ERA5-Land. Farther away the file is of another region."""


@dataclass(frozen=True)
class Reanalysis:
    """Domain means.

    Attributes
    ----------
    means : dict
        Series by variable of `EVALUATED`, (hours,), NaN at hours that the file lacks.
    method : str
        How the grid of the reanalysis became that of the domain.
    """

    means: dict[str, Array]
    method: str


def reanalysis(path: Path, times: Times, domain: Domain) -> Reanalysis:
    """Read ``swvl1`` and ``slhf`` of a NetCDF file.

    Every active column takes the nearest cell of the reanalysis, if the domain knows latitudes and longitudes;
    otherwise the mean over all cells of the file is taken. ``slhf`` is a total since 00 UTC [J m-2], downward
    positive (ECMWF, "ERA5-Land: data documentation"); it becomes the mean of the hour, upward positive.

    Parameters
    ----------
    path : Path
        File with time (``time`` or ``valid_time``), ``latitude``, ``longitude``.
    times : ndarray of datetime64[s], shape (hours,)
        End of each hour.
    domain : Domain
        Active columns, and where they are.

    Raises
    ------
    ConfigError
        If the file has neither variable, other units or dimensions, none of the hours, or lies elsewhere.
    """
    with NetcdfFile(path) as file:
        found = [file[name] for name in (_SOIL_WATER, _LATENT) if name in file]
        if not found:
            raise ConfigError(f"{path}: has neither {_SOIL_WATER} nor {_LATENT}, the names of ERA5-Land")
        weights, method = _weights(file, domain)
        means: dict[str, Array] = {}
        for variable in found:
            _check(file, variable, weights)
            stamps = interval_ends(file, variable)
            if not np.isin(stamps, times).any():
                raise ConfigError(f"{path}: {variable.name} has none of the compared hours, {times[0]} to {times[-1]}")
            values = _domain_mean(file, variable, weights)
            if variable.name == _SOIL_WATER:
                means[SOIL_MOISTURE] = _at(stamps, values, times)
            else:
                means[LATENT_HEAT] = _flux(stamps, values, times)
    return Reanalysis(means, method)


def _check(file: NetcdfFile, variable: NetcdfVariable, weights: Array) -> None:
    units = variable.text("units")
    if units not in _UNITS[variable.name]:
        raise ConfigError(f"{file.path}: {variable.name} is in {units!r}, expected {_UNITS[variable.name][0]!r}")
    rows_and_columns = (*file["latitude"].dimensions, *file["longitude"].dimensions)
    if variable.dimensions[1:] != rows_and_columns or variable.shape[1:] != weights.shape:
        raise ConfigError(f"{file.path}: {variable.name} must have the dimensions (time, latitude, longitude)")


def _weights(file: NetcdfFile, domain: Domain) -> tuple[Array, str]:
    """Share of each cell of the reanalysis in the domain's mean."""
    if not {"latitude", "longitude"} <= set(file.names):
        raise ConfigError(f"{file.path}: has no latitude and longitude")
    lat, lon = (file.values(n) for n in ("latitude", "longitude"))
    if lat.ndim != 1 or lon.ndim != 1 or not lat.size or not lon.size or not np.isfinite([lat.sum(), lon.sum()]).all():
        raise ConfigError(f"{file.path}: latitude and longitude must be those of rows and columns, without gaps")
    if domain.latitude is None or domain.longitude is None:
        area = np.cos(np.radians(lat))[:, np.newaxis] * np.ones(len(lon))
        return area / area.sum(), f"mean over all {area.size} cells of the file (the domain has no latitudes)"
    weights = np.zeros((len(lat), len(lon)))
    at, along = domain.latitude[domain.mask], domain.longitude[domain.mask]
    rows = np.abs(lat - at[:, np.newaxis])
    columns = np.abs((lon - along[:, np.newaxis] + 180.0) % 360.0 - 180.0)  # 0 to 360 or -180 to 180
    if max(rows.min(axis=1).max(), columns.min(axis=1).max()) > _FARTHEST:
        raise ConfigError(
            f"{file.path}: reaches from {lat.min():g} to {lat.max():g} N, {lon.min():g} to {lon.max():g} E; the domain "
            f"from {at.min():g} to {at.max():g} N, {along.min():g} to {along.max():g} E"
        )
    np.add.at(weights, (rows.argmin(axis=1), columns.argmin(axis=1)), 1.0 / len(at))
    return (
        weights,
        f"nearest of its cells for each active column; {int((weights > 0).sum())} cells take part",
    )


def _domain_mean(file: NetcdfFile, variable: NetcdfVariable, weights: Array) -> Array:
    rows, columns = np.nonzero(weights)
    box = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
    share = weights[box]
    means = np.empty(variable.shape[0])
    step = max(1, 1_000_000 // share.size)
    for i in range(0, len(means), step):
        values = file.part(variable.name, (slice(i, i + step), *box))
        if (np.abs(values) > _LARGEST).any():
            raise ConfigError(
                f"{file.path}: {variable.name} is {values[np.abs(values) > _LARGEST][0]:g} "
                f"{variable.text('units')}, which no reanalysis has"
            )
        # ERA5-Land has no values at sea; the rest of the cells stand for them
        there = np.isfinite(values) & (share > 0.0)
        total = (there * share).sum(axis=(1, 2))
        with np.errstate(invalid="ignore", divide="ignore"):
            means[i : i + step] = np.where(there, values * share, 0.0).sum(axis=(1, 2)) / total
    return means


def _at(stamps: Times, values: Array, times: Times) -> Array:
    series = np.full(len(times), np.nan)
    there = np.isin(stamps, times)
    series[np.searchsorted(times, stamps[there])] = values[there]
    return series


def _flux(stamps: Times, totals: Array, times: Times) -> Array:
    """Mean flux of each hour, upward positive, from totals since 00 UTC, downward positive."""
    after = _at(stamps, totals, times)
    before = _at(stamps, totals, times - HOUR)
    first_of_day = (times - HOUR).astype("datetime64[h]").astype(np.int64) % 24 == 0
    return -(after - np.where(first_of_day, 0.0, before)) / 3600.0
