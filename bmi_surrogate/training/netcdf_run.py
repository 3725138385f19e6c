"""Hourly heads and sources in the NetCDF output of `bmi-run`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import yaml
from numpy.typing import NDArray

from bmi_common import ConfigError, Domain, grids
from bmi_common.groundwater import NET_SOURCE, PRESSURE_HEAD
from bmi_common.netcdf_file import describe
from bmi_common.netcdf_time import decode
from bmi_common.units import Conversion, conversion
from bmi_surrogate.training.runs import Array
from bmi_surrogate.training.store import thickness_mismatch

_HOUR = timedelta(hours=1)
_COORDINATE_TOLERANCE = 1.0e-3  # of a cell
_DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(s|min|h|d)\s*$", re.IGNORECASE)
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class _Series:
    """One variable of one file.

    Attributes
    ----------
    file : Path
        NetCDF file.
    name : str
        Of the variable in the file.
    shape : tuple of int
        (layers, ny, nx) of a record.
    times : tuple of datetime
        Ends of the records.
    interval : timedelta
        Length of a record.
    component : str
        Which component published it, empty where the file does not say.
    point : bool
        Whether a record is the value at its end, not the mean over the interval.
    several : bool
        Whether its component makes several steps in a coupling step.
    precise : bool
        Whether it is stored in double precision.
    change : Conversion
        Of the units.
    configuration : mapping
        Of the run, empty where the file does not say.
    """

    file: Path
    name: str
    shape: tuple[int, ...]
    times: tuple[datetime, ...]
    interval: timedelta
    component: str
    point: bool
    several: bool
    precise: bool
    change: Conversion
    configuration: dict[str, Any]

    def read(self, begin: int, end: int) -> Array:
        """Read records, with NaN for missing values."""
        try:
            with netCDF4.Dataset(self.file) as data:
                values = np.ma.filled(np.ma.asarray(data[self.name][begin:end], dtype=np.float64), np.nan)
        except (OSError, RuntimeError, IndexError) as error:
            raise ConfigError(f"{self.describe(begin)}: cannot be read: {error}") from error
        return np.asarray(values * self.change.factor + self.change.offset)

    def describe(self, record: int) -> str:
        """File, variable and hour, for messages."""
        return f"{self.file}: {self.name}, hour ending {self.times[record]:%Y-%m-%d %H:%M}"


class NetcdfRun:
    """The output of one `bmi-run`.

    Heads are those at the end of each hour and sources act during it, as the coupler stamps them. Where several
    variables would do, those in double precision are taken, and the source of the component that publishes the head.

    Parameters
    ----------
    path : Path
        A run's folder, or one NetCDF file that holds heads and sources.
    domain : Domain
        What the run must have been made on.

    Raises
    ------
    ConfigError
        If a variable is missing or not hourly, an hour is missing, or grid or layers are not the domain's.
    """

    def __init__(self, path: Path, domain: Domain) -> None:
        self.path = path
        files = sorted(path.glob("*.nc")) if path.is_dir() else [path]
        self._head = _choose(path, files, PRESSURE_HEAD, "m", domain.nz, _is_end_of_hour)
        component = self._head.component
        self._source = _choose(path, files, NET_SOURCE, "h-1", grids.ROOT_ZONE_LAYERS, _is_whole_hour, component)
        for series, layers in ((self._head, domain.nz), (self._source, grids.ROOT_ZONE_LAYERS)):
            _require_grid(series, layers, domain)
            _require_no_gap(series)
        if self._head.times != self._source.times:
            raise ConfigError(
                f"{self._source.file}: {self._source.name} has {_extent(self._source)}, but {self._head.name} in "
                f"{self._head.file.name} {_extent(self._head)}"
            )
        _require_end_of_hour(self._head)
        _require_whole_hour(self._source)
        _require_source_first(self._head, self._source)

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that the records are read from."""
        return tuple(dict.fromkeys((self._head.file, self._source.file)))

    @property
    def records(self) -> int:
        """Number of records."""
        return len(self._head.times)

    @property
    def first(self) -> datetime | None:
        """Calendar time (UTC) of the first head."""
        return self._head.times[0]

    @property
    def is_single_precision(self) -> bool:
        """Whether heads are stored in single precision."""
        return not self._head.precise

    def heads(self, begin: int, end: int) -> Array:
        """Pressure heads [m] of records `begin` to `end` - 1, (records, nz, ny, nx); NaN where missing."""
        return self._head.read(begin, end)

    def sources(self, begin: int, end: int) -> Array:
        """Net sources [h-1] of the same records, (records, source layers, ny, nx); NaN where missing."""
        return self._source.read(begin, end)

    def describe_head(self, record: int) -> str:
        """File, variable and hour of a head, for messages."""
        return self._head.describe(record)

    def describe_source(self, record: int) -> str:
        """File, variable and hour of a source, for messages."""
        return self._source.describe(record)


def _choose(
    path: Path,
    files: list[Path],
    variable: str,
    units: str,
    layers: int,
    suits: Callable[[_Series], bool],
    component: str = "",
) -> _Series:
    found = [series for file in files for series in _series(file, variable, units)]
    if not found:
        raise ConfigError(
            f"{path}: no series of {variable} in {_names(files)}; the run's `output:` must hold it with `every: 1h` "
            "(and best with `precision: double`)"
        )
    hourly = [s for s in found if s.interval == _HOUR]
    if not hourly:
        hours = found[0].interval / _HOUR
        raise ConfigError(f"{found[0].file}: {found[0].name} has a record every {hours:g} h; training needs every hour")
    return max(
        hourly, key=lambda s: (s.shape[0] == layers, suits(s), bool(component) and s.component == component, s.precise)
    )


def _names(files: list[Path]) -> str:
    return ", ".join(f.name for f in files) or "it (no NetCDF file)"


def _series(file: Path, variable: str, units: str) -> Iterator[_Series]:
    plain = re.sub(r"[^A-Za-z0-9_]", "_", variable)
    try:
        with netCDF4.Dataset(file) as data:
            for name, found in data.variables.items():
                is_it = getattr(found, "csdms_name", "") == variable or name in (variable, plain)
                if is_it and found.ndim == 4 and found.dimensions[0] == "time" and len(found):
                    yield _describe(file, data, name, units)
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"{file}: not a readable NetCDF file: {error}") from error


def _describe(file: Path, data: Any, name: str, units: str) -> _Series:
    variable = data[name]
    times = _times(file, data)
    try:
        change = conversion(getattr(variable, "units", units), units)
    except ConfigError as error:
        raise ConfigError(f"{file}: {name}: {error}") from None
    return _Series(
        file=file,
        name=name,
        shape=variable.shape[1:],
        times=times,
        interval=_interval(data, times),
        component=str(getattr(variable, "component", "")),
        point="point" in str(getattr(variable, "cell_methods", "")),
        several="interval" in str(getattr(variable, "cell_methods", "")),
        precise=variable.dtype == np.float64,
        change=change,
        configuration=_configuration(data),
    )


def _times(file: Path, data: Any) -> tuple[datetime, ...]:
    if "time" not in data.variables or not hasattr(data["time"], "units"):
        raise ConfigError(f"{file}: has no variable `time` with the attribute units")
    time = data["time"]
    return tuple(decode(time[:], describe(time), f"{file}: time").astype("datetime64[us]").tolist())


def _interval(data: Any, times: tuple[datetime, ...]) -> timedelta:
    """Length of a record by its bounds, or the shortest distance of two records."""
    if "time_bounds" in data.variables and str(data["time"].units).startswith("hours"):
        begin, end = (float(v) for v in data["time_bounds"][0])
        return timedelta(seconds=round((end - begin) * 3600.0))
    return min((b - a for a, b in pairwise(times)), default=_HOUR)


def _configuration(data: Any) -> dict[str, Any]:
    try:
        content = yaml.safe_load(str(getattr(data, "run_configuration", "")))
    except yaml.YAMLError:
        return {}
    return content if isinstance(content, dict) else {}


def _extent(series: _Series) -> str:
    first, last = series.times[0], series.times[-1]
    return f"{len(series.times)} hours from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M}"


def _require_grid(series: _Series, layers: int, domain: Domain) -> None:
    wanted = (layers, *domain.surface.shape)
    if series.shape != wanted:
        raise ConfigError(
            f"{series.file}: {series.name} has {series.shape} cells, the domain needs (layers, ny, nx) = {wanted}"
        )
    with netCDF4.Dataset(series.file) as data:
        vertical, *horizontal = data[series.name].dimensions[1:]
        for name, own, spacing in zip(horizontal, domain.surface.coordinates, domain.surface.spacing, strict=True):
            there = _axis(data, name)
            if there is not None and np.abs(there - own).max() > _COORDINATE_TOLERANCE * spacing:
                raise ConfigError(
                    f"{series.file}: {series.name} is on another grid: {name} goes from {there[0]:g} to "
                    f"{there[-1]:g} m there, from {own[0]:g} to {own[-1]:g} m in the domain"
                )
        thickness = _axis(data, "layer_thickness")
        if thickness is None or len(thickness) != domain.nz or data["layer_thickness"].dimensions != (vertical,):
            return
        k = thickness_mismatch(thickness, domain)
        if k is not None:
            raise ConfigError(
                f"{series.file}: {series.name} has other layers: layer {k} (from the bottom) is {thickness[k]:g} m "
                f"thick there, {domain.dz[k]:g} m in the domain"
            )


def _axis(data: Any, name: str) -> NDArray[np.float64] | None:
    if name not in data.variables:
        return None
    return np.ma.filled(np.ma.asarray(data[name][:], dtype=np.float64), np.nan)


def _require_no_gap(series: _Series) -> None:
    for before, after in pairwise(series.times):
        if after - before != _HOUR:
            raise ConfigError(
                f"{series.file}: {series.name} has a gap: after the hour ending {before:%Y-%m-%d %H:%M} comes "
                f"{after:%Y-%m-%d %H:%M}"
            )


def _is_of_hourly_steps(series: _Series) -> bool:
    """Whether the run makes a step an hour, of which the mean is the value at its end, as far as the file says."""
    if series.several:
        return False
    match = _DURATION.match(str((series.configuration.get("time") or {}).get("step")))
    return not match or float(match.group(1)) * _SECONDS[match.group(2).lower()] == _HOUR.total_seconds()


def _is_end_of_hour(head: _Series) -> bool:
    return head.point or _is_of_hourly_steps(head)


def _is_whole_hour(source: _Series) -> bool:
    return not source.point or _is_of_hourly_steps(source)


def _require_end_of_hour(head: _Series) -> None:
    """Refuse means over several steps: they are no states that a step could start from."""
    if not _is_end_of_hour(head):
        raise ConfigError(
            f"{head.file}: {head.name} is the mean over an hour of several steps; training needs the head at the end "
            "of the hour: write it with `method: point`"
        )


def _require_whole_hour(source: _Series) -> None:
    """Refuse sources of a part of the hour: the head at its end follows from all of them."""
    if not _is_whole_hour(source):
        raise ConfigError(
            f"{source.file}: {source.name} is that of the last of several steps in an hour; training needs its mean "
            "over the hour: write it with `method: mean`, in a file of its own"
        )


def _require_source_first(head: _Series, source: _Series) -> None:
    """Refuse runs in which the source of an hour acts in the next one."""
    order = [str(name) for name in head.configuration.get("order") or []]
    if head.component not in order or source.component not in order:
        return
    if order.index(head.component) < order.index(source.component):
        raise ConfigError(
            f"{source.file}: {source.name}: {head.component} steps before {source.component} in this run, so the "
            f"source of an hour acts in the next one; training needs `order: [{source.component}, {head.component}]`"
        )
