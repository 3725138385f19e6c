"""Hourly heads and sources in the output of `bmi-run`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

from bmi_common import ConfigError, Domain
from bmi_common.calendar import HOUR, show
from bmi_common.groundwater import NET_SOURCE, PRESSURE_HEAD
from bmi_common.netcdf_file import NetcdfFile, record_files
from bmi_common.run_records import NetcdfSeries, hourly_series, thickness_mismatch
from bmi_common.zarr_file import is_store
from bmi_surrogate.training.runs import Run

log = logging.getLogger("rootzone")

_BESIDE_THE_LAND = {
    "prescribed_source": "sources",
    "surface_flux": "surface.flux",
    "boundary_inflow": "boundaries",
    "extraction": "wells",
    "injection": "wells",
    "seepage": "surface: {condition: seepage_face}",
}
"""Terms of a run's water balance, and the key that each comes from."""
_COORDINATE_TOLERANCE = 1.0e-3  # of a cell


def netcdf_run(path: Path, domain: Domain) -> Run:
    """Find heads and sources in the output of one `bmi-run`.

    Heads are those at the end of each hour and sources act during it, as the coupler stamps them. Where several
    variables would do, those in double precision are taken, and the source of the component that publishes the head.

    Parameters
    ----------
    path : Path
        A run's folder, or one NetCDF file or Zarr store that holds heads and sources.
    domain : Domain
        What the run must have been made on.

    Raises
    ------
    ConfigError
        If a variable is missing or not hourly, an hour is missing, or grid or layers are not the domain's.
    """
    is_run = path.is_dir() and not is_store(path)
    files = record_files(path) if is_run else [path]
    head = _choose(path, files, PRESSURE_HEAD, domain.nz, _is_end_of_hour)
    source = _choose(path, files, NET_SOURCE, domain.root_zone_layers, _is_whole_hour, head.component)
    for series, layers in ((head, domain.nz), (source, domain.root_zone_layers)):
        _require_grid(series, layers, domain)
        _require_no_gap(series)
    if not np.array_equal(head.times, source.times):
        raise ConfigError(
            f"{source.path}: {NET_SOURCE} has {_extent(source)}, but {PRESSURE_HEAD} in {head.path.name} "
            f"{_extent(head)}"
        )
    _require_end_of_hour(head)
    _require_whole_hour(source)
    _require_source_first(head, source)
    if is_run:
        _require_sources_of_the_land_alone(path / "water_balance.nc")
    if not head.is_double:
        log.warning(
            "%s: heads in single precision, whose steps may exceed hourly changes in deep layers; "
            "`precision: double` in the run's output avoids that",
            head.path,
        )
    return Run(path, head, source, head.times[0].item())


def _choose(
    path: Path,
    files: list[Path],
    variable: str,
    layers: int,
    suits: Callable[[NetcdfSeries], bool],
    component: str = "",
) -> NetcdfSeries:
    return max(
        hourly_series(path, files, variable),
        key=lambda s: (s.shape[0] == layers, suits(s), bool(component) and s.component == component, s.is_double),
    )


def _extent(series: NetcdfSeries) -> str:
    return f"{len(series)} hours from {show(series.times[0])} to {show(series.times[-1])}"


def _require_grid(series: NetcdfSeries, layers: int, domain: Domain) -> None:
    wanted = (layers, *domain.surface.shape)
    if series.shape != wanted:
        raise ConfigError(
            f"{series.path}: {series.variable} has {series.shape} cells, the domain needs (layers, ny, nx) = {wanted}"
        )
    here = zip("yx", series.axes, domain.surface.coordinates, domain.surface.spacing, strict=True)
    for name, there, own, spacing in here:
        if there is not None and np.abs(there - own).max() > _COORDINATE_TOLERANCE * spacing:
            raise ConfigError(
                f"{series.path}: {series.variable} is on another grid: {name} goes from {there[0]:g} to "
                f"{there[-1]:g} m there, from {own[0]:g} to {own[-1]:g} m in the domain"
            )
    thickness = series.thickness
    if thickness is None or len(thickness) != domain.nz:
        return
    k = thickness_mismatch(thickness, domain)
    if k is not None:
        raise ConfigError(
            f"{series.path}: {series.variable} has other layers: layer {k} (from the bottom) is {thickness[k]:g} m "
            f"thick there, {domain.dz[k]:g} m in the domain"
        )


def _require_no_gap(series: NetcdfSeries) -> None:
    for before, after in pairwise(series.times):
        if after - before != HOUR:
            raise ConfigError(
                f"{series.path}: {series.variable} has a gap: after the hour ending {show(before)} comes {show(after)}"
            )


def _is_end_of_hour(head: NetcdfSeries) -> bool:
    return head.is_point or head.is_of_single_steps is not False


def _is_whole_hour(source: NetcdfSeries) -> bool:
    return not source.is_point or source.is_of_single_steps is not False


def _require_end_of_hour(head: NetcdfSeries) -> None:
    """Refuse means over several steps: a step cannot start from them."""
    if not _is_end_of_hour(head):
        raise ConfigError(
            f"{head.path}: {head.variable} is the mean over an hour of several steps; training needs the head at the "
            "end of the hour: write it with `method: point`"
        )


def _require_whole_hour(source: NetcdfSeries) -> None:
    """Refuse sources of a part of the hour: the head at its end follows from all of them."""
    if not _is_whole_hour(source):
        raise ConfigError(
            f"{source.path}: {source.variable} is that of the last of several steps in an hour; training needs its "
            "mean over the hour: write it with `method: mean`, in a file of its own"
        )


def _require_sources_of_the_land_alone(balance: Path) -> None:
    """Refuse runs with water that is no part of the source: what made the heads would be missing in the training."""
    if not balance.is_file():
        return
    with NetcdfFile(balance) as file:
        for term, key in _BESIDE_THE_LAND.items():
            if term in file and np.ma.asarray(file.raw(term)).any():
                raise ConfigError(
                    f"{balance}: {term} is not 0 in all steps; training knows the land's water alone and needs a "
                    f"run without `{key}` in the groundwater's configuration"
                )


def _require_source_first(head: NetcdfSeries, source: NetcdfSeries) -> None:
    """Refuse runs in which the source of an hour acts in the next one."""
    order = [str(name) for name in head.configuration.get("order") or []]
    if head.component not in order or source.component not in order:
        return
    if order.index(head.component) < order.index(source.component):
        raise ConfigError(
            f"{source.path}: {source.variable}: {head.component} steps before {source.component} in this run, so the "
            f"source of an hour acts in the next one; training needs `order: [{source.component}, {head.component}]`"
        )
