"""What a run has written at the places of stations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bmi_common import Domain, van_genuchten, water_table
from bmi_common.arrays import Array
from bmi_common.calendar import HOUR
from bmi_common.errors import ConfigError
from bmi_common.groundwater import DISCHARGE, SATURATION, VOLUME_FRACTION
from bmi_common.netcdf_file import NetcdfFile
from bmi_common.run_records import NetcdfSeries, netcdf_series
from bmi_common.suggest import did_you_mean
from rootzone.evaluation.observations.averaging import Hourly
from rootzone.evaluation.observations.config import StationConfig
from rootzone.evaluation.predictions import blocks

Take = Callable[[Array], Array]
"""Returns the values of a place, (records,), from records of a variable, (records, ...)."""


@dataclass(frozen=True)
class Site:
    """Where a station lies in the model.

    Attributes
    ----------
    cell : (int, int), optional
        Row and column; None of a gauge.
    layer : int, optional
        Layer, 0 the bottom, that a depth lies in.
    words : str
        Place, for tables.
    """

    cell: tuple[int, int] | None
    layer: int | None
    words: str


def site(station: StationConfig, domain: Domain | None) -> Site:
    """Find cell and layer of a station.

    Parameters
    ----------
    station : StationConfig
        The station.
    domain : Domain, optional
        Where the cells are; without it only gauges can be found.

    Raises
    ------
    ConfigError
        If the place is outside the domain, in a cell that takes no part, or below the bottom.
    """
    if station.cell is None:
        return Site(None, None, f"gauge {station.gauge_name}")
    assert domain is not None
    try:
        j, i = station.cell.cell(domain)
    except ConfigError as error:
        raise error.changed(key="cell") from error
    words = f"cell x = {i}, y = {j}"
    if station.depth is None:
        return Site((j, i), None, words)
    tops = np.cumsum(domain.dz)
    ground = float(domain.height_of_ground[j, i])
    if station.depth >= ground:
        raise ConfigError(f"{station.depth:g} m is below the bottom of the model, {ground:g} m deep", key="depth")
    layer = int(np.searchsorted(tops, ground - station.depth))
    upper, lower = ground - tops[layer], ground - tops[layer] + domain.dz[layer]
    return Site((j, i), layer, f"{words}, layer of {upper:.3g}–{lower:.3g} m")


def read_run(
    path: Path,
    files: Sequence[Path],
    stations: Mapping[str, tuple[StationConfig, Site]],
    domain: Domain | None,
    begin: np.datetime64,
    end: np.datetime64,
) -> dict[str, Hourly | ConfigError]:
    """Read the hourly series of a run at several stations, each file once.

    Parameters
    ----------
    path : Path
        The run, for messages.
    files : sequence of Path
        Its NetCDF files.
    stations : mapping
        Stations and where they lie, by name.
    domain : Domain, optional
        Soil and layers; needed of all stations but gauges.
    begin, end : datetime64[s]
        Period in which values are wanted, UTC.

    Returns
    -------
    dict
        By name, hours of the period that the run has; the error where it has not written what is needed.

    Raises
    ------
    ConfigError
        If a value is missing or impossible.
    """
    found: dict[str, Hourly | ConfigError] = {}
    wanted: dict[str, tuple[NetcdfSeries, list[tuple[str, Take, NDArray[np.bool_]]]]] = {}
    known: dict[str, list[NetcdfSeries]] = {}
    for name, (station, place) in stations.items():
        try:
            series = _series_of(path, files, station, known)
            take, active = _taking(series, station, place, domain)
        except ConfigError as error:
            found[name] = error
            continue
        wanted.setdefault(f"{series.path} {series.variable}", (series, []))[1].append((name, take, active))
    for series, at in wanted.values():
        found |= _read(series, at, begin, end)
    return found


def _read(
    series: NetcdfSeries, at: Iterable[tuple[str, Take, NDArray[np.bool_]]], begin: np.datetime64, end: np.datetime64
) -> dict[str, Hourly]:
    inside = np.flatnonzero((series.times > begin) & (series.times - HOUR < end))
    if not inside.size:
        return {name: Hourly(begin, np.empty(0)) for name, _, _ in at}
    first, count = int(inside[0]), len(inside)
    hour = ((series.times[inside] - series.times[first]) // HOUR).astype(np.intp)
    values = {name: np.full(hour[-1] + 1, np.nan) for name, _, _ in at}
    active = np.logical_or.reduce([needed for _, _, needed in at])
    for part in blocks(count, series.shape):
        records = series.read_possible(first + part.start, first + part.stop, active)
        for name, take, _ in at:
            values[name][hour[part]] = take(records)
    return {name: Hourly(series.times[first] - HOUR, v) for name, v in values.items()}


def _series_of(
    path: Path, files: Sequence[Path], station: StationConfig, known: dict[str, list[NetcdfSeries]]
) -> NetcdfSeries:
    """Return the hourly series of the first variable that tells a station's quantity."""
    coarse = ""
    for variable in station.kind.variables:
        if variable not in known:
            known[variable] = [s for file in files for s in netcdf_series(NetcdfFile(file), variable)]
        for series in known[variable]:
            if series.is_hourly:
                return series
            coarse = f"; {series.path.name} has it, but not every hour"
    names = " or ".join(station.kind.variables)
    extra = ", and give groundwater its `gauges:`" if station.quantity == "discharge" else ""
    raise ConfigError(f"{path}: has not written {names} with `every: 1h`{coarse}; add it to the run's `output:`{extra}")


def _taking(
    series: NetcdfSeries, station: StationConfig, place: Site, domain: Domain | None
) -> tuple[Take, NDArray[np.bool_]]:
    """Return how the values of a place follow from records, and which cells of a record they need."""
    needed = np.zeros(series.shape, bool)
    if series.variable == DISCHARGE:
        if station.gauge_name not in series.points:
            raise ConfigError(
                f"{series.path}: no gauge {station.gauge_name!r}{did_you_mean(station.gauge_name, series.points)}",
                key="gauge" if station.gauge else "name",
            )
        point = series.points.index(station.gauge_name)
        needed[point] = True
        return (lambda records: records[:, point]), needed
    assert domain is not None
    assert place.cell is not None
    grid = domain.subsurface.shape if len(series.shape) == 3 else domain.surface.shape
    if series.shape != grid:
        raise ConfigError(f"{series.path}: {series.variable} has {series.shape} cells, the domain {grid}")
    j, i = place.cell
    if len(series.shape) == 2:
        needed[j, i] = True
        return (lambda records: records[:, j, i]), needed
    if place.layer is None:  # the water table of the whole column
        needed[:, j, i] = domain.cells_in_ground[:, j, i]
        ground = None if domain.top_layer is None else domain.height_of_ground[j, i]
        surface = domain.elevation[j, i] if station.quantity == "head" else None

        def table(records: Array) -> Array:
            depth = water_table.depth(records[:, :, j, i].T, domain.dz, ground)
            return depth if surface is None else np.asarray(surface - depth)

        return table, needed
    k = place.layer
    needed[k, j, i] = True
    return _in_layer(series.variable, station, domain, (k, j, i)), needed


def _in_layer(variable: str, station: StationConfig, domain: Domain, cell: tuple[int, int, int]) -> Take:
    k, j, i = cell
    if station.quantity == "head":
        centre = float(domain.dz[: k + 1].sum() - 0.5 * domain.dz[k])
        height = float(domain.elevation[j, i] - domain.height_of_ground[j, i] + centre)
        return lambda records: np.asarray(records[:, k, j, i] + height)
    if variable == VOLUME_FRACTION:
        return lambda records: records[:, k, j, i]
    porosity = float(domain.porosity[cell])
    if variable == SATURATION:
        return lambda records: np.asarray(records[:, k, j, i] * porosity)
    soil = [float(f[cell]) for f in (domain.alpha, domain.n, domain.residual_saturation, domain.maximum_saturation)]
    return lambda records: van_genuchten.saturation(records[:, k, j, i], *soil) * porosity
