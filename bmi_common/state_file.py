"""State files: all that a component remembers, in one NetCDF file that can be checked.

A file holds a header (format, component, time, fingerprints, SHA-256 of the content) and named arrays: coordinates,
mask and BMI values at the top, what the component remembers beside them in the group ``memory``. Every bit is kept;
nothing is packed, scaled or filled.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
from numpy.typing import NDArray

from bmi_common.errors import ConfigError, ModelError, describe_cell

FORMAT = "rootzone state"
VERSION = 1
MEMORY = "memory/"
"""Before the names of arrays that are no BMI values."""

_BOOL = "bool"  # NetCDF has no type for truth values; they are stored as bytes
_ADVICE = "; to start from its pressure head alone, name the file in `initial.pressure_head`"


@dataclass(frozen=True)
class StateArray:
    """One array of a state.

    Attributes
    ----------
    values : ndarray
        Of any shape, empty ones included.
    dimensions : tuple of str
        Name of each dimension; without names they are called by their lengths.
    units, long_name : str
        For people who look into the file.
    growing : str
        The dimension whose length changes while the component runs; the others must agree when a state is read.
    """

    values: NDArray[Any]
    dimensions: tuple[str, ...] = ()
    units: str = ""
    long_name: str = ""
    growing: str = ""


@dataclass(frozen=True)
class StateHeader:
    """What a state file says about itself.

    Attributes
    ----------
    component : str
        Name of the component that wrote it.
    time : float
        BMI time [s].
    calendar_time : datetime, optional
        The same on the calendar, UTC, if the component knows.
    fingerprints : mapping
        What the state depends on beside the grid (such as ``network``), each as a hash.
    details : mapping
        Further values that JSON can hold.
    """

    component: str
    time: float
    calendar_time: datetime | None = None
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SavedState:
    """A state as it was read: header and arrays by name."""

    path: Path
    header: StateHeader
    arrays: Mapping[str, NDArray[Any]]

    def state_dict(self) -> dict[str, NDArray[Any]]:
        """Return what the component remembers beside its BMI values."""
        return {n.removeprefix(MEMORY): a for n, a in self.arrays.items() if n.startswith(MEMORY)}


def fingerprint(*parts: NDArray[Any] | str) -> str:
    """Hash of arrays and words, in their order."""
    digest = hashlib.sha256()
    for part in parts:
        _add(digest, part if isinstance(part, str) else np.asarray(part))
    return digest.hexdigest()


# ---------------------------------------------------------------------- writing


def write_state(path: Path, header: StateHeader, arrays: Mapping[str, StateArray]) -> None:
    """Write a state file; a reader finds the old file or the whole new one, never a part.

    Raises
    ------
    ModelError
        If the file cannot be written.
    """
    if not path.parent.is_dir():
        raise ModelError(f"{path}: the state cannot be written: no folder {path.parent}")
    partial = path.with_name(f".{path.name}.partial")
    try:
        with netCDF4.Dataset(partial, "w", format="NETCDF4") as data:
            data.set_fill_off()
            data.setncatts(_attributes(header))
            with ThreadPoolExecutor(1) as beside:  # neither hashing nor writing holds the interpreter
                checksum = beside.submit(_checksum, header, {n: a.values for n, a in arrays.items()})
                for name, array in arrays.items():
                    _write_array(data, name, array)
            data.content_sha256 = checksum.result()
        commit(partial, path)
    except (OSError, RuntimeError) as error:  # the NetCDF library raises RuntimeError for a full disk
        left = shutil.disk_usage(path.parent).free / 1e6
        partial.unlink(missing_ok=True)
        raise ModelError(
            f"{path}: the state cannot be written: {error} ({left:.1f} MB were left on the disk)"
        ) from error


def commit(partial: Path, path: Path) -> None:
    """Put a file that is complete in the place of `path`, so that it survives a failing machine."""
    flush(partial)
    partial.replace(path)
    flush(path.parent)


def flush(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _attributes(header: StateHeader) -> dict[str, Any]:
    calendar = "" if header.calendar_time is None else header.calendar_time.isoformat()
    return {
        "Conventions": "CF-1.11",
        "title": f"state of the component {header.component}",
        "source": f"rootzone {_software_version()}",
        "history": f"{datetime.now(UTC).isoformat(timespec='seconds')}: written",
        "format": FORMAT,
        "format_version": np.int32(VERSION),
        "component": header.component,
        "bmi_time": np.float64(header.time),
        "bmi_time_units": "s",
        "calendar_time": calendar,
        "fingerprints": json.dumps(dict(header.fingerprints), sort_keys=True),
        "details": json.dumps(dict(header.details), sort_keys=True),
    }


def _software_version() -> str:
    try:
        return importlib.metadata.version("rootzone")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"


def _write_array(data: Any, name: str, array: StateArray) -> None:
    values = np.asarray(array.values)
    given = array.dimensions or tuple(f"n{size}" for size in values.shape)
    dimensions = []
    for dimension, size in zip(given, values.shape, strict=True):
        own = dimension
        if own in data.dimensions and len(data.dimensions[own]) != size:
            own = f"{dimension}_{size}"
        if own not in data.dimensions:
            data.createDimension(own, size or None)  # NetCDF has no empty dimensions but unlimited ones
        dimensions.append(own)
    stored = values.astype(np.int8) if values.dtype == np.bool_ else values
    variable = data.createVariable(name, stored.dtype, tuple(dimensions), fill_value=False)
    variable.set_auto_maskandscale(False)
    variable[...] = stored
    attributes = {"units": array.units, "long_name": array.long_name}
    if values.dtype == np.bool_:
        attributes["stored_type"] = _BOOL
    variable.setncatts({k: v for k, v in attributes.items() if v})


# ---------------------------------------------------------------------- reading


def read_state(path: Path, component: str) -> SavedState:
    """Read a state file of `component` and check that it is whole.

    Raises
    ------
    ConfigError
        If the file is missing, truncated, damaged, no state file, of a newer format, or another component's.
    """
    if not path.is_file():
        raise ConfigError("no such file", file=path)
    try:
        with netCDF4.Dataset(path) as data:
            data.set_auto_maskandscale(False)
            header, checksum = _read_header(path, data, component)
            arrays = dict(_read_arrays(data, ""))
    except ConfigError:
        raise
    except Exception as error:  # whatever the library meets in a damaged file
        raise ConfigError(f"truncated or damaged, not a readable state file: {error}", file=path) from error
    if _checksum(header, arrays) != checksum:
        raise ConfigError("damaged: its content does not have the SHA-256 that its header says", file=path)
    return SavedState(path, header, arrays)


def _read_header(path: Path, data: Any, component: str) -> tuple[StateHeader, str]:
    known = set(data.ncattrs())
    if str(getattr(data, "format", "")) != FORMAT or "format_version" not in known:
        raise ConfigError(f"no state file (a NetCDF file without the attribute format = {FORMAT!r})", file=path)
    try:
        version = int(data.format_version)
        if version > VERSION:
            raise ConfigError(
                f"written in version {version} of the format by {getattr(data, 'source', 'unknown software')}; "
                f"this software reads versions up to {VERSION}",
                file=path,
            )
        calendar = str(data.calendar_time)
        header = StateHeader(
            component=str(data.component),
            time=float(data.bmi_time),
            calendar_time=datetime.fromisoformat(calendar) if calendar else None,
            fingerprints=_mapping(data.fingerprints),
            details=_mapping(data.details),
        )
        checksum = str(data.content_sha256)
    except ConfigError:
        raise
    except (AttributeError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ConfigError(f"damaged: its header cannot be read: {error}", file=path) from error
    if header.component != component:
        raise ConfigError(f"a state of the component {header.component}, not of {component}" + _ADVICE, file=path)
    return header, checksum


def _mapping(text: Any) -> dict[str, Any]:
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(f"expected names and values, found {text!r}")
    return found


def _read_arrays(group: Any, prefix: str) -> Iterable[tuple[str, NDArray[Any]]]:
    for name, variable in group.variables.items():
        values = np.asarray(variable[...]).reshape(variable.shape)
        truth = getattr(variable, "stored_type", "") == _BOOL
        yield prefix + name, values.astype(np.bool_) if truth else values
    for name, child in group.groups.items():
        yield from _read_arrays(child, f"{prefix}{name}/")


def _checksum(header: StateHeader, arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    about = [header.component, header.time.hex(), str(header.calendar_time)]
    _add(digest, json.dumps([*about, dict(header.fingerprints), dict(header.details)], sort_keys=True))
    for name in sorted(arrays):
        _add(digest, name)
        _add(digest, np.asarray(arrays[name]))
    return digest.hexdigest()


def _add(digest: Any, part: NDArray[Any] | str) -> None:
    if isinstance(part, str):
        digest.update(f"{len(part)}:{part}".encode())
        return
    little = part.astype(part.dtype.newbyteorder("<"), copy=False)
    digest.update(f"{little.dtype.str}{part.shape}".encode())
    digest.update(np.ascontiguousarray(little).data)


# ---------------------------------------------------------------------- comparing


def require_fitting(
    saved: SavedState, expected: Mapping[str, StateArray], grid: Iterable[str], same: Iterable[str]
) -> None:
    """Refuse a state that belongs to another grid, to other properties, or to other arrays.

    Parameters
    ----------
    saved : SavedState
        What was read.
    expected : mapping
        All arrays that the component would write now.
    grid : iterable of str
        Those of them that describe the grid.
    same : iterable of str
        Those whose values do not change while the component runs.

    Raises
    ------
    ConfigError
        Naming the file and the first difference.
    """
    path = saved.path
    # the grid first: it is the cause of all other differences
    for name in (n for n in grid if n in saved.arrays):
        _require_same_shape(saved, name, expected[name], "belongs to another grid: ")
    missing = sorted(set(expected) - set(saved.arrays))
    extra = sorted(set(saved.arrays) - set(expected))
    if missing or extra:
        said = [f"{what} {', '.join(names)}" for what, names in (("lacks", missing), ("has also", extra)) if names]
        raise ConfigError(f"does not fit this configuration: it {' and '.join(said)}", file=path)
    for name, array in expected.items():
        _require_same_shape(saved, name, array, "does not fit this configuration: ")
    for name in (*grid, *same):
        here, there = np.asarray(expected[name].values), saved.arrays[name]
        differs = ~((here == there) | ((here != here) & (there != there)))
        if differs.any():
            cell = tuple(int(i) for i in np.argwhere(differs)[0])
            where = f" at {describe_cell(cell)}" if 1 < len(cell) <= 3 else f" at index {cell[0]}" if cell else ""
            raise ConfigError(
                f"belongs to another domain: {name} differs in {int(differs.sum())} of {differs.size} values, "
                f"the first{where}: {there[cell]:g} in the file, {here[cell]:g} here",
                file=path,
            )


def require_fingerprints(saved: SavedState, here: Mapping[str, str]) -> None:
    """Refuse a state whose fingerprints differ from those `here`.

    Raises
    ------
    ConfigError
        Naming the file and what differs.
    """
    for what in sorted({*here, *saved.header.fingerprints}):
        there, own = saved.header.fingerprints.get(what, "none"), here.get(what, "none")
        if there != own:
            raise ConfigError(
                f"made with another {what} ({there[:12]} in the file, {own[:12]} here)" + _ADVICE, file=saved.path
            )


def _require_same_shape(saved: SavedState, name: str, expected: StateArray, why: str) -> None:
    there, here = saved.arrays[name], np.asarray(expected.values)
    lengths = [n for i, n in enumerate(there.shape) if expected.dimensions[i : i + 1] != (expected.growing,)]
    wanted = [n for i, n in enumerate(here.shape) if expected.dimensions[i : i + 1] != (expected.growing,)]
    if lengths != wanted or there.ndim != here.ndim:
        raise ConfigError(f"{why}{name} has the shape {there.shape} in the file, {here.shape} here", file=saved.path)
    if there.dtype != here.dtype:
        raise ConfigError(f"{why}{name} is {there.dtype} in the file, {here.dtype} here", file=saved.path)
