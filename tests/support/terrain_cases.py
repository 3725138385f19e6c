"""Statistics of terrain within the cells of a small domain, as bmi-domain writes them."""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

QUANTILE = np.linspace(0.0, 1.0, 21)
HEIGHT, DENSITY = 20.0, 2.0e-3
"""Largest height above drainage [m], from 0 in even shares, and drainage density [m-1]."""
FLAT = {"mean_height_above_drainage": HEIGHT / 2.0, "drainage_density": DENSITY, "upstream_area": 2.0e6}


def write_terrain(file: Path, ny: int, nx: int, cell: float = 1000.0, **changes: Any) -> Path:
    """Write a file; the height above drainage is even from 0 to `HEIGHT` in all cells."""
    even = {
        "height_above_drainage": HEIGHT * QUANTILE,
        "terrain_slope": 0.02 + 0.1 * QUANTILE,
        "terrain_curvature": 1.0e-3 * (QUANTILE - 0.5),
    }
    with netCDF4.Dataset(file, "w") as data:
        data.fine_cell, data.stream_area = changes.get("fine_cell", 100.0), changes.get("stream_area", 1.0e5)
        quantile = changes.get("quantile", QUANTILE)
        for name, values in {"quantile": quantile, "y": cell * np.arange(ny), "x": cell * np.arange(nx)}.items():
            data.createDimension(name, len(values))
            data.createVariable(name, "f8", (name,))[:] = values
        for name in "yx":
            data[name].units = "m"
            data[name].axis = name.upper()
        for name, column in even.items():
            values = changes.get(name, np.broadcast_to(column[:, np.newaxis, np.newaxis], (QUANTILE.size, ny, nx)))
            data.createVariable(name, "f8", ("quantile", "y", "x"))[:] = values
        for name, value in FLAT.items():
            data.createVariable(name, "f8", ("y", "x"))[:] = np.broadcast_to(changes.get(name, value), (ny, nx))
    return file
