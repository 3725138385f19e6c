"""When water stands on one column under even rain: the structured surrogate, without its network, and Richards.

    python benchmarks/ponding.py [--soil loam] [--head -8] [--hours 2]

Columns of the valley of ``benchmarks/laws.py``, one for each rain, do not feed each other. Their soil is at rest
above a water table at 3 m, and dried out from 0.5 m depth to the surface, which has the pressure head of ``--head``.
The table is of the water that stands on them after each hour [mm]; below it, between which rains it falls though more
rain has fallen, and by how much at most.
"""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import numpy as np
import xarray as xr
import yaml
from laws import LAYERS, ROOT, SOILS
from rich.console import Console
from rich.table import Table

from bmi_common.groundwater import NET_SOURCE, PRESSURE_HEAD
from bmi_richards import BmiRichards
from bmi_surrogate import BmiSurrogate

RAIN = np.arange(10.0, 42.0, 1.0)
"""[mm h-1]"""
WATER_TABLE, DRY = 3.0, 0.5
"""Depths [m] of the water table, and of the soil that has dried out."""
MODELS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "surrogate": (
        BmiSurrogate,
        {"surrogate": {"checkpoint": str(ROOT / "cfg" / "demo" / "surrogate.yaml"), "threads": 1}},
    ),
    "without network": (BmiSurrogate, {"surrogate": {"architecture": "structured", "refinements": 2, "threads": 1}}),
    "Richards": (BmiRichards, {"richards": {"mode": "full", "passes": 2, "threads": 1}}),
}


def dry_heads(surface: float) -> Any:
    """Pressure heads [m] of the layers, bottom first."""
    thickness = np.array(LAYERS)
    depth = np.cumsum(thickness[::-1])[::-1] - 0.5 * thickness
    at_rest = depth - WATER_TABLE
    share = np.clip(1.0 - depth / DRY, 0.0, 1.0)
    return np.minimum(at_rest, share * surface + (1.0 - share) * at_rest)


def write_case(folder: Path, soil: str, surface: float) -> dict[str, Path]:
    """Write the columns, a row of cells that fall southwards, and the file of each model."""
    head = np.broadcast_to(dry_heads(surface)[:, None, None], (len(LAYERS), 1, RAIN.size))
    xr.Dataset({"head": (("z", "y", "x"), head)}).to_netcdf(folder / "dry.nc")
    porosity, residual, alpha, n, conductivity = SOILS[soil]
    common = {
        "domain": {
            "grid": {"nx": RAIN.size, "ny": 1, "dx": 1000.0, "dy": 1000.0},
            "layers": LAYERS,
            "porosity": porosity,
            "van_genuchten": {"alpha": alpha, "n": n, "residual_saturation": residual},
            "conductivity": {"x": 1.0e-12, "z": conductivity},
            "slope": {"x": 0.0, "y": 0.04},
            "manning": 0.05,
        },
        "initial": {"pressure_head": {"file": "dry.nc", "variable": "head"}},
    }
    files = {}
    for number, (name, (_, section)) in enumerate(MODELS.items()):
        files[name] = folder / f"model_{number}.yaml"
        files[name].write_text(yaml.safe_dump(common | section, sort_keys=False), encoding="utf-8")
    return files


def ponds(model: Any, file: Path, hours: int) -> Any:
    """Water [mm] that stands on the columns after each hour, (hours, columns)."""
    model.initialize(str(file))
    source = np.zeros((len(LAYERS), RAIN.size))[-model.get_var_nbytes(NET_SOURCE) // (8 * RAIN.size) :]
    source[-1] = 1.0e-3 * RAIN / LAYERS[-1]
    found = []
    for _ in range(hours):
        model.set_value(NET_SOURCE, source)
        model.update()
        head = model.get_value_ptr(PRESSURE_HEAD).reshape(len(LAYERS), RAIN.size)
        found.append(1.0e3 * np.maximum(head[-1], 0.0))
    model.finalize()
    return np.array(found)


def falls(of_hour: Any) -> str:
    """Say where the water falls with more rain."""
    found = [(a, b, x, y) for (a, b), (x, y) in zip(pairwise(RAIN), pairwise(of_hour), strict=True) if y < x - 1e-6]
    if not found:
        return "never"
    a, b, x, y = max(found, key=lambda f: f[2] - f[3])
    return f"{len(found)} times, most from {x:.2f} mm at {a:g} mm/h to {y:.2f} mm at {b:g} mm/h"


@click.command()
@click.option("--soil", type=click.Choice(list(SOILS)), default="loam", show_default=True)
@click.option("--head", default=-8.0, show_default=True, help="Pressure head [m] at the surface.")
@click.option("--hours", default=2, show_default=True, help="Hours of rain.")
def main(soil: str, head: float, hours: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = write_case(Path(folder), soil, head)
        found = {name: ponds(model(), files[name], hours) for name, (model, _) in MODELS.items()}
    columns = [f"{name}, hour {hour + 1}" for name in found for hour in range(hours)]
    title = f"mm of water on {soil} of {1e3 * SOILS[soil][-1]:g} mm/h, dried out to {head:g} m"
    table = Table("rain mm/h", *columns, title=title)
    for i, rain in enumerate(RAIN):
        table.add_row(f"{rain:g}", *(f"{found[n][hour, i]:.2f}" for n in found for hour in range(hours)))
    console = Console(width=150)
    console.print(table)
    for name, of_hours in found.items():
        for hour, of_hour in enumerate(of_hours, start=1):
            console.print(f"{name}, hour {hour}: falls {falls(of_hour)}", soft_wrap=True)


if __name__ == "__main__":
    main()
