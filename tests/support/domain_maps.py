"""Maps of a small invented basin, as rasters in a folder, and the basin.yaml that is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from numpy.typing import NDArray

rasterio = pytest.importorskip("rasterio", reason="building a domain needs the extra domain")
pytest.importorskip("pyflwdir", reason="building a domain needs the extra domain")
pytest.importorskip("rosetta", reason="building a domain needs the extra domain")

Floats = NDArray[np.float64]

UTM = "EPSG:32631"
WEST, SOUTH, CELL, SIDE = 500_000.0, 5_000_000.0, 50.0, 80
"""Of the maps: a square of 4 km."""


def fractal(seed: int, side: int, pits: float = 0.02) -> Floats:
    """Return a fractal terrain [m] with pits and, in its lowest part, a flat."""
    random = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    frequency[0, 0] = np.inf
    ground = np.fft.ifft2(np.fft.fft2(random.standard_normal((side, side))) * frequency**-1.8).real
    ground = 300.0 * (ground - ground.min()) / np.ptp(ground)
    ground = np.where(random.random(ground.shape) < pits, ground - 20.0, ground)
    return np.maximum(ground, 80.0)


def valley(side: int = SIDE) -> Floats:
    """Return a valley [m] that falls to the south between two hillsides, southern row first."""
    row, column = np.mgrid[0:side, 0:side] / (side - 1.0)
    return np.asarray(100.0 + 60.0 * row + 200.0 * np.abs(column - 0.5) ** 1.5)


def write(
    path: Path,
    values: NDArray[Any],
    crs: str | None = UTM,
    west: float = WEST,
    south: float = SOUTH,
    cell: float = CELL,
    nodata: float | None = None,
) -> Path:
    """Write a raster of values with the southern row first, northern row first as rasters are."""
    height, width = values.shape
    north = south + height * cell
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, dtype=values.dtype, crs=crs, nodata=nodata,
        transform=rasterio.transform.from_origin(west, north, cell, cell),
    ) as file:  # fmt: skip
        file.write(values[::-1], 1)
    return path


def write_maps(folder: Path) -> dict[str, Any]:
    """Write elevation, soil and land cover; return a basin.yaml that needs nothing else, as data."""
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "elevation.tif", valley())
    shape = (SIDE, SIDE)
    write(folder / "sand.tif", np.full(shape, 40.0))
    write(folder / "clay.tif", np.full(shape, 20.0))
    write(folder / "cover.tif", np.where(valley() > 150.0, 4, 10).astype(np.uint8), nodata=255)
    return {
        "grid": {"crs": UTM, "cell": 200.0},
        "region": {"bounding_box": [WEST + 400.0, SOUTH + 400.0, WEST + 3600.0, SOUTH + 3600.0]},
        "elevation": {"file": "elevation.tif"},
        "layers": [5.0, 1.0, 0.5, 0.3, 0.2],
        "soil": {"sand": "sand.tif", "clay": "clay.tif"},
        "land_cover": "cover.tif",
    }


def write_basin(folder: Path, content: dict[str, Any], changes: dict[str, Any] | None = None) -> Path:
    """Write basin.yaml; `changes` replace keys, dotted ones within sections, None takes one away."""
    data = yaml.safe_load(yaml.safe_dump(content))
    for key, value in (changes or {}).items():
        *sections, last = key.split(".")
        place = data
        for section in sections:
            place = place.setdefault(section, {})
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    path = folder / "basin.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path
