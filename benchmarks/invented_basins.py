"""Basins of 16 x 12 km whose landscape is invented: maps, the file for ``bmi-domain``, and runs that go on.

Made by the code of the demo's landscape, from a seed: a divide, and ground that came from uplift, incision and creep,
as an elevation model of 100 m.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import geopandas
import numpy as np

import rootzone

ROOT = Path(__file__).parents[1]
WEATHER = ROOT / "cfg" / "demo" / "weather.nc"
WIDTH, HEIGHT, FINE, COARSE = 16_000.0, 12_000.0, 100.0, 1000.0  # m
RELIEF, LOWEST = 180.0, 100.0  # m
CREEP = 0.01  # m2 a-1, so that hillslopes are a few hundred metres long
UTM, WEST, NORTH = "EPSG:32649", 700_000.0, 2_712_000.0


def landscapes() -> ModuleType:
    """Import the script that invents the demo's landscape."""
    spec = importlib.util.spec_from_file_location("make_landscape", ROOT / "cfg" / "demo" / "make_landscape.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def write_maps(folder: Path, seed: int) -> tuple[float, float]:
    """Write elevation, divide and cover, unless they are there; return where the basin's water leaves [m]."""
    done = folder / "outlet.json"
    if done.exists():
        x, y = json.loads(done.read_text())
        return float(x), float(y)
    land = landscapes()
    nx, ny = round(WIDTH / FINE), round(HEIGHT / FINE)
    frame = land.Frame(WEST, NORTH, nx, ny, FINE, margin=FINE, outlet_x=WEST + 0.45 * WIDTH)
    random = np.random.Generator(np.random.PCG64(seed))
    divide = land.draw_divide(random, frame)
    mask = land.inside(divide, frame)
    ground = land.evolve(mask, np.zeros(mask.shape), random, frame, CREEP)
    elevation = LOWEST + ground * RELIEF / ground.max()
    south = int(np.where(mask[:, frame.outlet_column])[0][-1])
    folder.mkdir(parents=True, exist_ok=True)
    geopandas.GeoDataFrame(geometry=[divide], crs=UTM).to_file(folder / "divide.geojson", driver="GeoJSON")
    # beyond the divide the ground is as high as it is anywhere, so that averages of 1 km do not fall across it
    land.write_raster(
        folder / "elevation.tif",
        np.where(mask, elevation, elevation[mask].max()).astype(np.float32),
        UTM, WEST, NORTH, FINE, -9999.0,
    )  # fmt: skip
    land.write_raster(folder / "cover.tif", np.full(mask.shape, 10, np.uint8), UTM, WEST, NORTH, FINE, 0)
    outlet = (float(frame.outlet_x), NORTH - (south + 0.5) * FINE)
    done.write_text(json.dumps(outlet))
    return outlet


def basin_file(cell: float, outlet: tuple[float, float], properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``bmi-domain`` builds a basin of `cell` [m] from, beside the folder ``maps``.

    `properties` has at least `title`, `layers`, `soil`, `permeability`, `initial` and `period`.
    """
    x, y = outlet
    return {
        "grid": {"crs": UTM, "cell": cell},
        "region": {"polygon": "maps/divide.geojson"},
        "elevation": {"file": "maps/elevation.tif", "outlets": [[x, y]]},
        "rivers": {"upstream_area": 2.0},
        "land_cover": "maps/cover.tif",
        "forcing": {"type": "netcdf", "file": str(WEATHER)},
        "land": {"reference_height": {"wind": 50.0, "temperature": 40.0, "humidity": 40.0}},
        "gauges": {"outlet": {"x": x, "y": y}},
        **properties,
    }


def compute(file: Path, output: Path) -> Path:
    """Make a run, go on with it, or find that it has ended."""
    if not (output / "timing.json").exists():
        if any(output.glob("checkpoints/*/")):
            rootzone.restart(output).close()
        else:
            rootzone.run(file, output, overwrite=True).close()
    return output
