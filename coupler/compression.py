"""How the fields of a NetCDF file are compressed and divided into chunks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import netCDF4

from bmi_common.errors import ConfigError, errors_under
from bmi_common.zarr_file import zarr_library
from coupler.config import OutputConfig

Compression: TypeAlias = Literal["zstd", "zlib", "none"]

LARGEST_CHUNK: Final = 16 * 2**20
"""Bytes. A larger chunk does not fit into the cache of the NetCDF library, and a reader of one cell needs all of it."""


def choose_compression(key: str, spec: OutputConfig) -> Compression:
    """Return the compression of a file: Zstandard, if nothing is said, or zlib where the NetCDF library lacks it.

    Zarr has a library of its own, which has both.

    Raises
    ------
    ConfigError
        Naming `key`, if Zstandard is asked for and the library lacks it.
    """
    if spec.compression != "zstd" or spec.is_store or _has_zstd():
        return spec.compression
    if "compression" in spec.model_fields_set:
        raise ConfigError(
            f"the NetCDF library {netCDF4.__netcdf4libversion__} of this Python lacks Zstandard; write zlib, or "
            "install netCDF-C 4.9 with its filter plug-ins",
            key=key,
        )
    return "zlib"


def filters(key: str, spec: OutputConfig) -> dict[str, Any]:
    """Return what ``Dataset.createVariable`` wants, at the fastest level: higher ones hardly make fields smaller.

    Raises
    ------
    ConfigError
        Naming a key below `key`, if the NetCDF library lacks what is asked for.
    """
    compression = choose_compression(f"{key}.compression", spec)
    if spec.is_store:
        with errors_under(f"{key}.file"):
            zarr_library()
    used: dict[str, Any] = {}
    if compression != "none":
        used = {"compression": compression, "complevel": 1, "shuffle": True}
    if spec.significant_digits is not None:
        if not getattr(netCDF4, "__has_quantization_support__", False):
            raise ConfigError(
                f"the NetCDF library {netCDF4.__netcdf4libversion__} of this Python cannot round to digits; leave the "
                "key out, or install netCDF-C 4.9",
                key=f"{key}.significant_digits",
            )
        used |= rounding(spec.significant_digits)
    return used


def filters_of(variable: Any) -> dict[str, Any]:
    """Return what ``Dataset.createVariable`` wants for the filters of a variable that is there."""
    used = variable.filters() or {}
    compression = next((name for name in ("zlib", "zstd") if used.get(name)), None)
    found = {"compression": compression, "complevel": used.get("complevel", 0), "shuffle": used.get("shuffle", False)}
    rounded = variable.quantization() if getattr(netCDF4, "__has_quantization_support__", False) else None
    return found | (rounding(rounded[0]) if rounded else {})


def rounding(digits: int) -> dict[str, Any]:
    """Return what ``Dataset.createVariable`` wants to round numbers to decimal digits."""
    # keeps as many bits of each number as its decimal digits need; BitGroom would keep the same of all
    return {"significant_digits": digits, "quantize_mode": "GranularBitRound"}


def require_filters(data: Any, path: Path) -> None:
    """Refuse to append to a file whose filter the NetCDF library lacks; raises `ConfigError` naming the file."""
    if not isinstance(data, netCDF4.Dataset) or _has_zstd():
        return
    if any((v.filters() or {}).get("zstd") for v in data.variables.values()):
        raise ConfigError(f"{path}: compressed by Zstandard, which the NetCDF library of this Python lacks")


def chunk(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """Divide an array of items of `size` bytes into chunks of at most 16 MB: levels first, then rows."""
    parts = list(shape)
    for axis in range(len(parts)):
        rest = size * math.prod(parts[axis + 1 :])
        parts[axis] = max(1, min(parts[axis], LARGEST_CHUNK // rest))
        if parts[axis] > 1:
            break
    return tuple(parts)


def _has_zstd() -> bool:
    return bool(getattr(netCDF4, "__has_zstandard_support__", False)) and _finds_plugin()


def _finds_plugin() -> bool:
    """Whether the library finds its plug-in, which is a file of its own."""
    with netCDF4.Dataset("in_memory.nc", "w", diskless=True) as data:
        return bool(data.has_zstd_filter())
