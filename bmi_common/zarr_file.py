"""Zarr stores (format 3), read as netCDF4-python reads NetCDF files: `NetcdfFile` opens both."""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from bmi_common.errors import ConfigError

SUFFIX: Final = ".zarr"
"""How the name of a store ends; a store is a folder."""
METADATA: Final = "zarr.json"
"""File in which a store, and each array in it, is described."""
METADATA_OF_2: Final = (".zgroup", ".zarray")
"""Files that describe a store and an array in the older format 2, which is neither read nor written here."""
FILL: Final = "_FillValue"


def is_store(path: Path) -> bool:
    """Whether there is a Zarr store."""
    return path.suffix == SUFFIX and (path / METADATA).is_file()


def zarr_library() -> Any:
    """Return the package zarr.

    Raises
    ------
    ConfigError
        If it is not installed, or is older than format 3.
    """
    try:
        import zarr
    except ImportError as error:
        raise ConfigError(f"Zarr needs the package zarr: pip install 'rootzone[zarr]' ({error})") from error
    if int(zarr.__version__.split(".")[0]) < 3:
        raise ConfigError(f"zarr {zarr.__version__} is too old for format 3 of Zarr: pip install 'rootzone[zarr]'")
    return zarr


def encoded_fill(value: float) -> str:
    """Return a missing value as xarray keeps it among the attributes of an array of format 3."""
    return base64.standard_b64encode(struct.pack("<d", value)).decode()


def _decoded_fill(value: Any) -> Any:
    return struct.unpack("<d", base64.standard_b64decode(value))[0] if isinstance(value, str) else value


@dataclass(frozen=True)
class ZarrDimension:
    """A dimension of a store."""

    name: str
    size: int
    dataset: ZarrDataset

    def group(self) -> ZarrDataset:
        """Return the store."""
        return self.dataset


class ZarrVariable:
    """An array of a store.

    Attributes
    ----------
    name : str
        Its name.
    shape : tuple of int
        Lengths of its dimensions.
    dtype : dtype or type
        As stored; ``str`` for texts.
    """

    def __init__(self, dataset: ZarrDataset, name: str, array: Any) -> None:
        self.name, self._dataset, self._array = name, dataset, array
        self.shape: tuple[int, ...] = tuple(array.shape)
        names = array.metadata.dimension_names or ()
        if len(names) != len(self.shape) or None in names:
            raise OSError(f"the array {name!r} does not name its dimensions")
        self.dimensions: tuple[str, ...] = tuple(names)
        self.dtype: Any = str if array.dtype.kind not in "biufcSmM" else np.dtype(array.dtype)
        self._attributes = dict(array.attrs.asdict())
        if FILL in self._attributes:
            self._attributes[FILL] = _decoded_fill(self._attributes[FILL])

    def group(self) -> ZarrDataset:
        """Return the store."""
        return self._dataset

    def get_dims(self) -> tuple[ZarrDimension, ...]:
        """Return the dimensions."""
        return tuple(self._dataset.dimensions[name] for name in self.dimensions)

    def ncattrs(self) -> list[str]:
        """Names of the attributes."""
        return list(self._attributes)

    def getncattr(self, key: str) -> Any:
        """Return an attribute."""
        return self._attributes[key]

    def __getitem__(self, index: Any) -> Any:
        """Return a part, unpacked, masked where values are missing."""
        everything = index is Ellipsis or not self.shape
        found = np.asarray(self._array[...] if everything else self._array.oindex[index])
        if self.dtype is str:
            return np.array(found.tolist(), dtype=str).reshape(found.shape)  # zarr's own type has no casts
        missing = [self._attributes[key] for key in (FILL, "missing_value") if key in self._attributes]
        mask = np.isin(found, np.asarray(missing, dtype=found.dtype)) if missing else np.False_
        values = found * self._attributes.get("scale_factor", 1) + self._attributes.get("add_offset", 0)
        return np.ma.masked_array(values if self._is_packed else found, mask)

    @property
    def _is_packed(self) -> bool:
        return "scale_factor" in self._attributes or "add_offset" in self._attributes


class ZarrDataset:
    """A Zarr store, opened to be read.

    Parameters
    ----------
    path : Path
        Its folder.

    Raises
    ------
    ConfigError
        If the package zarr is missing.
    OSError
        If the store cannot be understood.
    """

    path = "/"
    groups: Mapping[str, Any] = {}

    def __init__(self, path: Path) -> None:
        zarr = zarr_library()
        self.dimensions: dict[str, ZarrDimension] = {}
        try:
            group = zarr.open_group(str(path), mode="r")
            self._attributes = dict(group.attrs.asdict())
            self.variables = {name: ZarrVariable(self, name, array) for name, array in sorted(group.arrays())}
        except OSError:
            raise
        except Exception as error:  # whatever the library meets in damaged metadata
            raise OSError(f"{type(error).__name__}: {error}") from error
        for variable in self.variables.values():
            for name, size in zip(variable.dimensions, variable.shape, strict=True):
                known = self.dimensions.setdefault(name, ZarrDimension(name, size, self))
                if known.size != size:
                    raise OSError(f"the dimension {name!r} has {known.size} and {size} entries")

    def __getitem__(self, name: str) -> ZarrVariable:
        return self.variables[name]

    def __getattr__(self, key: str) -> Any:
        try:
            return self.__dict__["_attributes"][key]
        except KeyError:
            raise AttributeError(key) from None

    def ncattrs(self) -> list[str]:
        """Names of the attributes."""
        return list(self._attributes)

    def getncattr(self, key: str) -> Any:
        """Return an attribute."""
        return self._attributes[key]

    def isopen(self) -> bool:
        """Whether it is open; a store needs no closing."""
        return True

    def close(self) -> None:
        """Do nothing: files of a store are open only while they are read."""
