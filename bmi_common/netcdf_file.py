"""NetCDF files, and Zarr stores as if they were: what their metadata say, and their numbers."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from zipfile import BadZipFile, ZipFile

import netCDF4
import numpy as np

from bmi_common.arrays import Array
from bmi_common.errors import ConfigError
from bmi_common.interrupts import require_not_interrupted
from bmi_common.suggest import did_you_mean
from bmi_common.zarr_file import METADATA, SUFFIX, ZarrDataset, is_store

MOST_OPEN: Final = 64
"""Files open at a time: a process may open 1024 on many machines, and a record of an hour a file has more."""

_SMALL: Final = 4096  # numbers of a coordinate that is kept in memory

_SIGNATURES: Final = {
    b"GRIB": "a GRIB file; `cdo -f nc4 copy` or cfgrib (xarray) writes it as NetCDF",
    b"\x1f\x8b": "compressed by gzip; unpack it",
    b"BZh": "compressed by bzip2; unpack it",
    b"<": "a web page or XML, such as the error message of a download",
    b"{": "JSON, such as the error message of a download",
}


@dataclass(frozen=True)
class NetcdfVariable:
    """Metadata of a variable.

    Attributes
    ----------
    name : str
        With the path of its group, if it is in one: ``soil/sand``.
    dimensions : tuple of str
        With the path of the group that defines them.
    shape : tuple of int
        Lengths of the dimensions.
    dtype : dtype or type
        As stored; ``str`` for texts.
    attributes : dict
        All of them.
    """

    name: str
    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: Any
    attributes: dict[str, Any]

    def text(self, key: str) -> str:
        """Return an attribute, or an empty text."""
        return str(self.attributes.get(key, ""))

    @property
    def label(self) -> str:
        """Name without the path of its group, in lower case."""
        return base_name(self.name)

    @property
    def is_single_precision(self) -> bool:
        """Whether its numbers are floating point of four bytes."""
        return bool(self.dtype == np.float32)


class NetcdfFile:
    """A NetCDF file, groups included, or a Zarr store.

    It is open while it is used, and no more than `MOST_OPEN` are open at a time.

    Raises
    ------
    ConfigError
        The file is missing or no NetCDF file; says what it is, if that is known. Or the package zarr is missing.
    """

    _open: OrderedDict[NetcdfFile, netCDF4.Dataset | ZarrDataset] = OrderedDict()

    def __init__(self, path: Path) -> None:
        if not is_record_file(path):
            what = f"Zarr store: {METADATA} is not in it" if path.is_dir() and path.suffix == SUFFIX else "NetCDF file"
            raise ConfigError(f"{path}: no such {what}")
        self.path = path
        self._kept: dict[str, Any] = {}
        dataset = self._dataset()
        try:
            groups = [dataset, *_subgroups(dataset)]
            self._sizes = {
                _qualified(group, name): int(dimension.size)
                for group in groups
                for name, dimension in group.dimensions.items()
            }
            found = [describe(variable) for group in groups for variable in group.variables.values()]
        except Exception as error:  # whatever the library meets in damaged metadata
            self.close()
            raise ConfigError(f"{path}: not a readable NetCDF file ({error})") from error
        self._variables = {variable.name: variable for variable in found}

    def __enter__(self) -> NetcdfFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getitem__(self, name: str) -> NetcdfVariable:
        return self._variables[name]

    def __contains__(self, name: str) -> bool:
        return name in self._variables

    @property
    def names(self) -> tuple[str, ...]:
        """All variables of the file."""
        return tuple(self._variables)

    @property
    def variables(self) -> tuple[NetcdfVariable, ...]:
        """Metadata of all variables."""
        return tuple(self._variables.values())

    def require(self, name: str) -> NetcdfVariable:
        """Return a variable's metadata; raises `ConfigError` with the nearest name if there is none."""
        if name not in self:
            alike = [other for other in self.names if other.lower() == name.lower()]
            hint = f"; did you mean {alike[0]!r}?" if alike else did_you_mean(name, self.names)
            raise ConfigError(f"{self.path}: no variable {name!r}{hint}")
        return self[name]

    def close(self) -> None:
        """Close the file; it opens again when something is read from it."""
        dataset = self._open.pop(self, None)
        if dataset is not None and dataset.isopen():
            dataset.close()

    def _dataset(self) -> netCDF4.Dataset | ZarrDataset:
        if self in self._open:
            self._open.move_to_end(self)
            return self._open[self]
        while len(self._open) >= MOST_OPEN:
            next(iter(self._open)).close()
        try:
            if self.path.is_dir():
                self._open[self] = ZarrDataset(self.path)
            else:
                self._open[self] = netCDF4.Dataset(self.path)
        except (OSError, RuntimeError) as error:
            if self.path.is_dir():
                raise ConfigError(f"{self.path}: not a readable Zarr store ({error})") from error
            raise ConfigError(f"{self.path}: not a readable NetCDF file{_what_it_is(self.path, error)}") from error
        return self._open[self]

    def text(self, key: str) -> str:
        """Return an attribute of the file, or an empty text; raises `ConfigError` if it cannot be read."""
        try:
            return str(getattr(self._dataset(), key, ""))
        except (OSError, RuntimeError, UnicodeError) as error:
            raise ConfigError(f"{self.path}: the attribute {key!r} cannot be read: {error}") from error

    def size(self, dimension: str) -> int:
        """Return the length of a dimension."""
        return self._sizes[dimension]

    def values(self, name: str) -> Array:
        """Return the whole of a variable, NaN where it has no value."""
        return self.part(name, ...)

    def part(self, name: str, index: Any) -> Array:
        """Return a part of a variable as double precision, NaN where it has no value.

        Raises
        ------
        ConfigError
            It holds no numbers, or its scale, offset or missing value is none.
        """
        return np.ma.filled(np.ma.asarray(self.raw(name, index), dtype=np.float64), np.nan)

    def raw(self, name: str, index: Any = ...) -> Any:
        """Return a part of a variable as stored, unpacked and masked; raises as `part` does."""
        raw = self.read(name, index)
        if np.ma.asarray(raw).dtype.kind not in "biuf":
            raise ConfigError(f"{self.path}: {name!r} holds no numbers")
        return raw

    def read(self, name: str, index: Any = ...) -> Any:
        """Return a part of a variable, numbers or texts."""
        if index is ... and name in self._kept:
            return self._kept[name]
        dataset = self._dataset()
        try:
            values = dataset[name][index]
        except Exception as error:  # whatever the library meets in odd types, scale factors and fill values
            raise ConfigError(f"{self.path}: {name!r} cannot be read: {error}") from error
        require_not_interrupted()  # netCDF4 drops an interrupt that comes while it looks for errors
        if index is ... and np.size(values) <= _SMALL:
            self._kept[name] = values
        return values

    def attribute(self, name: str, key: str) -> str:
        """Return a variable's attribute, or an empty text."""
        return self[name].text(key)

    def with_standard_name(self, standard_names: Iterable[str]) -> list[str]:
        """Return the variables that have one of the `standard_names`."""
        wanted = set(standard_names)
        return [v.name for v in self.variables if v.text("standard_name") in wanted]

    def along(self, dimension: str, test: Callable[[NetcdfVariable], bool]) -> list[NetcdfVariable]:
        """Return the one-dimensional variables of `dimension` that pass `test`, the one of its name first."""
        found = [v for v in self.variables if v.dimensions == (dimension,) and test(v)]
        return sorted(found, key=lambda v: v.name != dimension)


def is_record_file(path: Path) -> bool:
    """Whether there is a file, which may be of NetCDF, or a Zarr store."""
    return path.is_file() or is_store(path)


def folder_of(path: Path) -> Path:
    """Return the folder that `path` is, or that the file or store of that path lies in."""
    return path if path.is_dir() and not is_store(path) else path.parent


def record_files(folder: Path) -> list[Path]:
    """Return the NetCDF files and Zarr stores that lie in a folder, in the order of their names."""
    return sorted(p for p in (*folder.glob("[!.]*.nc"), *folder.glob(f"[!.]*{SUFFIX}")) if is_record_file(p))


def netcdf_name(variable: str) -> str:
    """CSDMS name with every character that CF does not recommend replaced by an underscore."""
    return re.sub(r"[^A-Za-z0-9_]", "_", variable)


def base_name(name: str) -> str:
    """Return the name of a variable or dimension without the path of its group, in lower case."""
    return name.rpartition("/")[2].lower()


def _subgroups(group: Any) -> Iterator[Any]:
    for inner in group.groups.values():
        yield inner
        yield from _subgroups(inner)


def _qualified(group: Any, name: str) -> str:
    return f"{group.path}/{name}".strip("/")


def describe(variable: Any) -> NetcdfVariable:
    """Return the metadata of an open variable of the library."""
    return NetcdfVariable(
        _qualified(variable.group(), variable.name),
        tuple(_qualified(d.group(), d.name) for d in variable.get_dims()),
        tuple(int(size) for size in variable.shape),
        variable.dtype,
        {key: variable.getncattr(key) for key in variable.ncattrs()},
    )


def _what_it_is(path: Path, error: Exception) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(64)
        if head.startswith(b"PK\x03\x04"):
            with ZipFile(path) as archive:
                members = [member for member in archive.namelist() if not member.endswith("/")]
            return (
                f": it is a zip archive, as the Climate Data Store hands them out, and holds {', '.join(members)}; "
                f"unpack it (`unzip {path.name}`) and name its files: file: [{', '.join(members)}]"
            )
    except (OSError, BadZipFile):
        return f" ({error})"
    what = next((what for signature, what in _SIGNATURES.items() if head.lstrip().startswith(signature)), None)
    return f" ({error})" if what is None else f": it is {what}"
