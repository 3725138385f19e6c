"""Output files of a run as datasets of xarray."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from bmi_common.zarr_file import is_store, zarr_library


def open_dataset(path: Path) -> xr.Dataset:
    """Open a NetCDF file or Zarr store; of its variables, what is used is read then.

    Raises
    ------
    ConfigError
        If it is a store and the package zarr is missing.
    """
    if not is_store(path):
        return xr.open_dataset(path)
    zarr_library()
    return xr.open_dataset(path, engine="zarr")
