"""Opening the forcing that a configuration describes."""

from datetime import datetime, timedelta
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from bmi_colm.forcing.column import ColumnRecord
from bmi_colm.forcing.config import (
    STANDARD_LAPSE_RATE,
    ColumnForcing,
    ElevationMap,
    Era5LandForcing,
    ExternalForcing,
    ForcingConfig,
    NetcdfForcing,
    ParflowForcing,
)
from bmi_colm.forcing.elevation import ElevationAdjustment, read_elevation
from bmi_colm.forcing.era5_land import Era5LandRecord
from bmi_colm.forcing.netcdf import NetcdfRecord
from bmi_colm.forcing.parflow import ParflowRecord
from bmi_colm.forcing.record import Forcing, NoForcing, Record, RecordForcing
from bmi_common.arrays import Array
from bmi_common.calendar import HOUR, show, to_time
from bmi_common.errors import ConfigError, each_warning_once
from bmi_common.file_grid import Cells
from bmi_common.partition import Part


def open_forcing(
    spec: ForcingConfig,
    *,
    shape: tuple[int, int],
    start: datetime,
    end: datetime | None,
    step: float = 3600.0,
    latitude: Array | None = None,
    longitude: Array | None = None,
    northing: Array | None = None,
    easting: Array | None = None,
    elevation: Array | None = None,
    mask: NDArray[np.bool_] | None = None,
    part: Part | None = None,
) -> Forcing:
    """Open the forcing of a run and check all of it that the run needs.

    Parameters
    ----------
    spec
        The ``forcing:`` section of the configuration.
    shape
        (ny, nx) of the domain.
    start, end
        The run is [start, end), UTC if they have no time zone. Without an end, the run is taken to last until the
        end of the record.
    step
        Time step [s]: an hour, or a part of an hour (the forcing is then constant within its hour).
    latitude, longitude
        Cell centres, (ny, nx) [degrees north, east]; needed to map from another grid, and otherwise compared with
        those of the file.
    northing, easting
        Cell centres by row, (ny,), and by column, (nx,) [m], where they are known; compared with those of the file.
    elevation
        Of the cells, (ny, nx) [m]; needed for a `lapse_rate` only.
    mask
        Active cells, (ny, nx) bool; all cells if not given. Values of other cells do not matter.
    part
        Of the domain, where processes share it; the cells are its window.

    Returns
    -------
    Forcing
        To be closed after use.

    Raises
    ------
    ConfigError
        An hour of the run is missing, a file does not fit the domain, a value is not finite or impossible, or an
        argument is unusable.

    Warns
    -----
    ForcingWarning
        Magnitudes are unlikely, as of wrong units.
    InputNotice
        What was made of times and coordinates.
    """
    active = np.ones(shape, dtype=np.bool_) if mask is None else np.asarray(mask, dtype=np.bool_)
    for what, array in (("mask", active), ("latitude", latitude), ("longitude", longitude), ("elevation", elevation)):
        if array is not None and array.shape != shape:
            raise ConfigError(f"{what} of the domain: shape {array.shape}, needed is (ny, nx) = {shape}")
    if not active.any():
        raise ConfigError("mask of the domain: no cell is active")
    if isinstance(spec, ExternalForcing):
        return NoForcing()
    has_corner = northing is not None and easting is not None
    cells = Cells(shape, latitude, longitude, northing, easting, has_corner=has_corner, mask=active, part=part)
    with each_warning_once():
        record = _open(spec, cells)
        try:
            cycle = isinstance(spec, ColumnForcing | NetcdfForcing) and spec.cycle
            adjust = _adjustment(spec, record, elevation, cells)
            forcing = RecordForcing(record, active, cycle=cycle, adjust=adjust)
            ends_only = not isinstance(spec, ColumnForcing) and spec.check_values == "ends"
            _check_run(forcing, record.label, start, end, step, ends_only)
        except BaseException:
            record.close()
            raise
    return forcing


def _open(spec: ColumnForcing | ParflowForcing | NetcdfForcing | Era5LandForcing, cells: Cells) -> Record:
    match spec:
        case ColumnForcing():
            return ColumnRecord(spec)
        case ParflowForcing():
            return ParflowRecord(spec, cells)
        case NetcdfForcing():
            return NetcdfRecord(spec, cells)
        case Era5LandForcing():
            return Era5LandRecord(spec, cells)
        case _:
            assert_never(spec)


def _adjustment(
    spec: ColumnForcing | ParflowForcing | NetcdfForcing | Era5LandForcing,
    record: Record,
    elevation: Array | None,
    cells: Cells,
) -> ElevationAdjustment | None:
    if isinstance(spec, NetcdfForcing | Era5LandForcing) and spec.elevation is not None:
        return _from_map(spec, spec.elevation, record, elevation, cells)
    if not isinstance(spec, ColumnForcing | NetcdfForcing):
        return None
    if spec.lapse_rate is None or spec.reference_elevation is None:
        return None
    if isinstance(record, NetcdfRecord) and record.gridded:
        raise ConfigError(
            f"{record.label}: lapse_rate is for a record of one place; this one is gridded and has its own elevation"
        )
    if elevation is None:
        raise ConfigError(f"{record.label}: lapse_rate needs the elevation of the domain's cells")
    return ElevationAdjustment(elevation - spec.reference_elevation, spec.lapse_rate)


def _from_map(
    spec: NetcdfForcing | Era5LandForcing, file: ElevationMap, record: Record, elevation: Array | None, cells: Cells
) -> ElevationAdjustment:
    """Adjust a gridded record from the elevation of its own cells to that of the domain's."""
    if elevation is None or not np.any(elevation[cells.mask if cells.mask is not None else ...]):
        raise ConfigError(f"{record.label}: forcing.elevation needs the elevation of the domain's cells")
    own = read_elevation(file.file, file.variable, file.units, cells, spec.remap or "nearest")
    rate = STANDARD_LAPSE_RATE if spec.lapse_rate is None else spec.lapse_rate
    return ElevationAdjustment(elevation - own, rate, longwave=True)


def _check_run(
    forcing: RecordForcing, label: str, start: datetime, end: datetime | None, step: float, ends_only: bool
) -> None:
    if not 0.0 < step <= 3600.0 or 3600.0 % step:
        raise ConfigError(f"time step {step:g} s: the forcing is hourly; an hour must hold a whole number of steps")
    first = to_time(start)
    hour = forcing.hour_of(first)
    offset = (first - hour) / np.timedelta64(1, "s")
    if offset % step:
        raise ConfigError(
            f"{label}: hours start like {show(forcing.times[0])}, the run at {show(first)} in steps of {step:g} s: "
            "a step would reach over two hours of the record"
        )
    if end is not None:
        if to_time(end) <= first:
            raise ConfigError(f"the run ends ({end}) before it starts ({start})")
        last = forcing.hour_of(to_time(end - timedelta(seconds=step))) + HOUR
    else:
        last = max(forcing.times[-1], hour) + HOUR
    forcing.require(hour, last)
    forcing.check_values(hour, last, ends_only=ends_only)
