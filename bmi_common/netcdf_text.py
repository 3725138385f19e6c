"""Texts in NetCDF files and Zarr stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def add_texts(data: Any, name: str, dimension: str, texts: Sequence[str]) -> Any:
    """Write a text for each entry of a dimension, as rows of characters that xarray and netCDF4 read as texts again.

    Not as strings of variable length: HDF5 2.2 crashes, sooner or later, where a file is open twice in a process, in a
    notebook and in an evaluation of it, and one of the two reads such strings and closes it.

    Parameters
    ----------
    data : netCDF4.Dataset or ZarrOutput
        Open for writing.
    name, dimension : str
        Of the variable, and of what it names.
    texts : sequence of str
        As many as the dimension is long.

    Returns
    -------
    netCDF4.Variable
        For further attributes.
    """
    if hasattr(data, "create_texts"):  # a Zarr store has texts
        return data.create_texts(name, dimension, texts)
    coded = np.array([text.encode("utf-8") for text in texts], dtype=np.bytes_)
    length = max(1, coded.dtype.itemsize)
    data.createDimension(f"{name}_length", length)
    variable = data.createVariable(name, "S1", (dimension, f"{name}_length"))
    variable.set_auto_chartostring(False)
    variable[:] = coded.astype(f"S{length}").view("S1").reshape(len(texts), length)
    variable.set_auto_chartostring(True)
    variable.setncattr("_Encoding", "utf-8")
    return variable
