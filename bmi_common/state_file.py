"""State files: all that a component remembers, in one NetCDF file that can be checked.

A file holds a header (format, component, time, fingerprints, SHA-256 of the content) and named arrays: coordinates,
mask and BMI values at the top, what the component remembers beside them in the group ``memory``. Every bit is kept;
nothing is packed, scaled or filled.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import netCDF4
import numpy as np
from numpy.typing import NDArray

from bmi_common.errors import ConfigError, ModelError, describe_cell

FORMAT = "rootzone state"
VERSION = 1
MEMORY = "memory/"
"""Before the names of arrays that are no BMI values."""

SLAB = 16 * 2**20
"""Bytes of a piece in which large arrays are read and written."""
Pieces = Callable[[str], Iterable[NDArray[Any]]]

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
    optional : bool
        Whether a state file may lack it, such as one of a version that did not know it yet.
    """

    values: NDArray[Any]
    dimensions: tuple[str, ...] = ()
    units: str = ""
    long_name: str = ""
    growing: str = ""
    optional: bool = False


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


def write_state(
    path: Path, header: StateHeader, arrays: Mapping[str, StateArray], pieces: Pieces | None = None
) -> None:
    """Write a state file; a reader finds the old file or the whole new one, never a part.

    Parameters
    ----------
    path : Path
        The file.
    header : StateHeader
        What it says about itself.
    arrays : mapping
        Arrays by name.
    pieces : callable, optional
        Gives the values of an array, piece by piece along its first dimension, where `arrays` have its shape and type
        only, as `of_shape` makes them. It is asked for the arrays in the order of their names.

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
            variables = {name: _define(data, name, array) for name, array in arrays.items()}
            digest = _Digest(header)
            with ThreadPoolExecutor(1) as beside:
                for name in sorted(arrays):
                    values = np.asarray(arrays[name].values)
                    digest.begin(name, values.dtype, values.shape)
                    first = 0
                    for piece in [values] if pieces is None else pieces(name):
                        hashed = beside.submit(digest.add, piece)  # neither hashing nor writing holds the interpreter
                        place = slice(first, first + len(piece)) if piece.ndim else ...
                        if piece.size:
                            variables[name][place] = piece.astype(np.int8) if piece.dtype == np.bool_ else piece
                        first += len(piece) if piece.ndim else 0
                        hashed.result()
            data.content_sha256 = digest.hexdigest()
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


def of_shape(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """Return an array of this shape and type that takes no memory; its values mean nothing."""
    return np.broadcast_to(np.zeros((), dtype=dtype), shape)


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


def _define(data: Any, name: str, array: StateArray) -> Any:
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
    kind = np.dtype(np.int8) if values.dtype == np.bool_ else values.dtype
    variable = data.createVariable(name, kind, tuple(dimensions), fill_value=False)
    variable.set_auto_maskandscale(False)
    attributes = {"units": array.units, "long_name": array.long_name}
    if values.dtype == np.bool_:
        attributes["stored_type"] = _BOOL
    variable.setncatts({k: v for k, v in attributes.items() if v})
    return variable


# ---------------------------------------------------------------------- reading


def read_state(path: Path, component: str) -> SavedState:
    """Read a state file of `component` and check that it is whole.

    Raises
    ------
    ConfigError
        If the file is missing, truncated, damaged, no state file, of a newer format, or another component's.
    """
    with opened(path, component) as file:
        arrays = {name: file.read(name) for name in file.variables}
    _require_checksum(path, _checksum(file.header, arrays), file.checksum)
    return SavedState(path, file.header, arrays)


def read_shapes(path: Path, component: str) -> SavedState:
    """Read a state file as `read_state` does, but keep of its arrays no more than shape and type; see `of_shape`."""
    with opened(path, component) as file:
        digest = _Digest(file.header)
        for name in sorted(file.variables):
            dtype, shape = file.type(name), file.variables[name].shape
            digest.begin(name, dtype, shape)
            for index in slabs(shape, dtype.itemsize):
                digest.add(file.read(name, index))
        arrays = {name: of_shape(variable.shape, file.type(name)) for name, variable in file.variables.items()}
    _require_checksum(path, digest.hexdigest(), file.checksum)
    return SavedState(path, file.header, arrays)


def slabs(shape: tuple[int, ...], size: int) -> Iterator[Any]:
    """Divide an array of items of `size` bytes along its first dimension, into pieces of `SLAB` bytes at most."""
    if not shape:
        yield ...
        return
    step = max(1, SLAB // max(1, size * math.prod(shape[1:])))
    for first in range(0, shape[0], step):
        yield slice(first, min(first + step, shape[0]))


def _require_checksum(path: Path, found: str, expected: str) -> None:
    if found != expected:
        raise ConfigError("damaged: its content does not have the SHA-256 that its header says", file=path)


@dataclass(frozen=True)
class OpenedState:
    """A state file that is open to be read.

    Attributes
    ----------
    header : StateHeader
        What it says about itself.
    checksum : str
        SHA-256 of its content, as it says.
    variables : mapping
        Those of the NetCDF file, by the names of the arrays.
    """

    header: StateHeader
    checksum: str
    variables: Mapping[str, Any]

    def type(self, name: str) -> np.dtype[Any]:
        """Type of an array."""
        variable = self.variables[name]
        return np.dtype(np.bool_) if getattr(variable, "stored_type", "") == _BOOL else np.dtype(variable.dtype)

    def read(self, name: str, index: Any = ...) -> NDArray[Any]:
        """Return an array, or a part of it that has as many dimensions."""
        variable = self.variables[name]
        values = np.asarray(variable[index])
        values = values.reshape(variable.shape) if index is ... else values
        return values.astype(self.type(name), copy=False)


@contextmanager
def opened(path: Path, component: str) -> Iterator[OpenedState]:
    """Open a state file of `component`; raises as `read_state`, but for the content."""
    if not path.is_file():
        raise ConfigError("no such file", file=path)
    try:
        with netCDF4.Dataset(path) as data:
            data.set_auto_maskandscale(False)
            header, checksum = _read_header(path, data, component)
            yield OpenedState(header, checksum, dict(_variables(data, "")))
    except ConfigError:
        raise
    except Exception as error:  # whatever the library meets in a damaged file
        raise ConfigError(f"truncated or damaged, not a readable state file: {error}", file=path) from error


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


def _variables(group: Any, prefix: str) -> Iterable[tuple[str, Any]]:
    for name, variable in group.variables.items():
        yield prefix + name, variable
    for name, child in group.groups.items():
        yield from _variables(child, f"{prefix}{name}/")


def _checksum(header: StateHeader, arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = _Digest(header)
    for name in sorted(arrays):
        values = np.asarray(arrays[name])
        digest.begin(name, values.dtype, values.shape)
        digest.add(values)
    return digest.hexdigest()


class _Digest:
    """SHA-256 of a header and of arrays in the order of their names, each of which may come in pieces."""

    def __init__(self, header: StateHeader) -> None:
        self._sha = hashlib.sha256()
        about = [header.component, header.time.hex(), str(header.calendar_time)]
        _add(self._sha, json.dumps([*about, dict(header.fingerprints), dict(header.details)], sort_keys=True))

    def begin(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        """Go on to the array of this name, type and shape."""
        _add(self._sha, name)
        self._sha.update(_head(dtype, shape))

    def add(self, piece: NDArray[Any]) -> None:
        """Take the coming values of the array."""
        self._sha.update(_content(piece))

    def hexdigest(self) -> str:
        """Return the hash of all until now."""
        return self._sha.hexdigest()


def _add(digest: Any, part: NDArray[Any] | str) -> None:
    if isinstance(part, str):
        digest.update(f"{len(part)}:{part}".encode())
        return
    digest.update(_head(part.dtype, part.shape))
    digest.update(_content(part))


def _head(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    return f"{dtype.newbyteorder('<').str}{shape}".encode()


def _content(values: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False)).data


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
    grid = tuple(grid)
    require_shapes(saved, expected, grid)
    for name in (*grid, *same):
        difference = difference_of(np.asarray(expected[name].values), saved.arrays[name])
        if difference is not None:
            refuse(saved.path, name, difference)


def require_shapes(saved: SavedState, expected: Mapping[str, StateArray], grid: Iterable[str]) -> None:
    """Refuse a state whose arrays are others, or have other shapes or types; see `require_fitting`."""
    path = saved.path
    # the grid first: it is the cause of all other differences
    for name in (n for n in grid if n in saved.arrays):
        _require_same_shape(saved, name, expected[name], "belongs to another grid: ")
    missing = sorted(n for n, array in expected.items() if n not in saved.arrays and not array.optional)
    extra = sorted(set(saved.arrays) - set(expected))
    if missing or extra:
        said = [f"{what} {', '.join(names)}" for what, names in (("lacks", missing), ("has also", extra)) if names]
        raise ConfigError(f"does not fit this configuration: it {' and '.join(said)}", file=path)
    for name, array in expected.items():
        if name in saved.arrays:
            _require_same_shape(saved, name, array, "does not fit this configuration: ")


class Difference(NamedTuple):
    """In how many of so many values two arrays differ, and the first of them: its indices and both values."""

    values: int
    size: int
    cell: tuple[int, ...]
    there: Any
    here: Any


def difference_of(
    here: NDArray[Any], there: NDArray[Any], counted: NDArray[np.bool_] | None = None
) -> Difference | None:
    """Return how an array differs from that of a file, in the cells that are counted; None if it does not."""
    differs = ~((here == there) | ((here != here) & (there != there)))
    if counted is not None:
        differs &= counted
    if not differs.any():
        return None
    cell = tuple(int(i) for i in np.argwhere(differs)[0])
    size = differs.size if counted is None else int(np.broadcast_to(counted, differs.shape).sum())
    return Difference(int(differs.sum()), size, cell, there[cell], here[cell])


def refuse(path: Path, name: str, difference: Difference) -> NoReturn:
    """Raise the `ConfigError` of a state of another domain."""
    values, size, cell, there, here = difference
    where = f" at {describe_cell(cell)}" if 1 < len(cell) <= 3 else f" at index {cell[0]}" if cell else ""
    raise ConfigError(
        f"belongs to another domain: {name} differs in {values} of {size} values, the first{where}: {there:g} in the "
        f"file, {here:g} here",
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
