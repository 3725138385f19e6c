"""Take up NetCDF files and Zarr stores of a run where a checkpoint left them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4

from bmi_common.errors import ConfigError
from bmi_common.state_file import commit
from bmi_common.zarr_file import SUFFIX, ZarrDataset
from coupler.compression import filters_of, require_filters
from coupler.disk_space import require_room
from coupler.zarr_output import ZarrOutput

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_RECORDS_AT_ONCE = 24


@dataclass(frozen=True)
class FilePosition:
    """How far a file has been written.

    Attributes
    ----------
    steps : int
        Coupling steps since the start of the run.
    records : int
        Records since the start of the run.
    first : int
        Records before the first one that the file holds: 0 unless the file was lost and begun anew.
    """

    steps: int = 0
    records: int = 0
    first: int = 0


def check_file(path: Path, position: FilePosition) -> bool:
    """Tell whether a file exists that can be taken up at `position`.

    Raises
    ------
    ConfigError
        If it exists, but cannot be read, lacks records, or has a filter that is missing here.
    """
    if not path.exists():
        return False
    advice = f"; move it away to begin a new one with record {position.records + 1}, or run anew"
    try:
        with closing(ZarrDataset(path) if _is_store(path) else netCDF4.Dataset(path)) as data:
            require_filters(data, path)
            found = data.dimensions["time"].size
            data["time"][:]
            for name in data.ncattrs():
                data.getncattr(name)
        if _is_store(path):
            ZarrOutput(path).require_whole(min(found, position.records - position.first))
    except (OSError, RuntimeError, KeyError, IndexError, AttributeError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: cannot be continued, it is damaged: {error}{advice}") from error
    if found < position.records - position.first:
        raise ConfigError(
            f"{path}: cannot be continued: it has {found} records, the checkpoint was written after "
            f"{position.records - position.first}{advice}"
        )
    return True


def require_closed(path: Path) -> None:
    """Refuse a file that another program holds open: HDF5 lets nobody write what somebody reads.

    Raises
    ------
    ConfigError
        If it is open elsewhere.
    """
    if fcntl is None or _is_store(path) or os.environ.get("HDF5_USE_FILE_LOCKING", "").upper() in ("FALSE", "0"):
        return
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(
            f"{path}: is open in another program, such as a notebook; close it there (with xarray: .close()), or set "
            "HDF5_USE_FILE_LOCKING=FALSE here if that program only reads"
        ) from None
    except OSError:
        return  # it is not there, or its file system knows no locks


def _is_store(path: Path) -> bool:
    return path.suffix == SUFFIX


def reopen(path: Path, position: FilePosition, attributes: Mapping[str, str]) -> Any:
    """Open a file or store to append behind `position`; records beyond are dropped and the history is continued.

    Raises
    ------
    OSError
        If there is no room for that; the file is as it was.
    """
    require_room(path, 0)
    count = position.records - position.first
    data: Any
    if _is_store(path):
        data = ZarrOutput(path)
        data.keep(count)
    else:
        keep_records(path, count)
        data = netCDF4.Dataset(path, "a")
    history = "\n".join(h for h in (getattr(data, "history", ""), attributes.get("history", "")) if h)
    data.setncatts({**attributes, "history": history})
    data.sync()  # while there is room
    return data


def keep_records(path: Path, count: int) -> None:
    """Drop all records after the first `count`; NetCDF files do not shrink, so the rest is copied."""
    with netCDF4.Dataset(path) as source:
        if len(source.dimensions["time"]) == count:
            return
        partial = path.with_name(f".{path.name}.partial")
        partial.unlink(missing_ok=True)
        require_room(partial, path.stat().st_size)
        with netCDF4.Dataset(partial, "w", format="NETCDF4") as target:
            target.set_fill_off()
            source.set_auto_maskandscale(False)
            source.set_auto_chartostring(False)
            target.setncatts({name: source.getncattr(name) for name in source.ncattrs()})
            for name, dimension in source.dimensions.items():
                target.createDimension(name, None if dimension.isunlimited() else len(dimension))
            for name, variable in source.variables.items():
                _copy(variable, _like(variable, target, name), count)
    commit(partial, path)


def _like(variable: Any, target: Any, name: str) -> Any:
    chunks = variable.chunking()
    attributes = {a: variable.getncattr(a) for a in variable.ncattrs()}
    made = target.createVariable(
        name,
        variable.dtype,
        variable.dimensions,
        **filters_of(variable),
        chunksizes=None if chunks == "contiguous" else chunks,
        fill_value=attributes.pop("_FillValue", None),
    )
    made.set_auto_maskandscale(False)
    made.set_auto_chartostring(False)
    made.setncatts(attributes)
    return made


def _copy(source: Any, target: Any, count: int) -> None:
    if "time" not in source.dimensions:
        target[...] = source[...]
        return
    for first in range(0, count, _RECORDS_AT_ONCE):  # a year of maps does not fit into memory
        block = slice(first, min(first + _RECORDS_AT_ONCE, count))
        target[block] = source[block]
