"""What the number of the root zone's layers changes: latent heat of a year with ten, four, one and twenty of them.

    python benchmarks/root_zone_layers.py [--columns 3] [--days 366] [--json FILE]

Columns of the demo basin, some of each land cover, side by side under its weather: land over Richards groundwater, the
surface soil of each column over the whole root zone of 3.4 m, the water table at the depth that the demo starts with,
overland flow off each column. The layers of ten are merged or halved, so that depth and soil are the same in all.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click
import netCDF4
import numpy as np
import yaml
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from bmi_colm import BmiColm
from bmi_colm import variables as land
from bmi_common import groundwater, water_table
from bmi_richards import BmiRichards

Floats = NDArray[np.float64]

DEMO = Path(__file__).parents[1] / "cfg" / "demo"
TEN = np.array([1.137, 0.9133, 0.5539, 0.336, 0.2038, 0.1236, 0.0749, 0.0455, 0.0276, 0.0175])  # m, bottom first
BOTTOM = 100.0  # m
SOIL = ("porosity", "alpha", "n", "residual_saturation", "conductivity", "vertical_conductivity")
FLAT = ("manning", "land_cover", "soil_texture")
PLACE = ("latitude", "longitude")
LATENT = land.LATENT_HEAT


def merged(*numbers: int) -> Floats:
    """Layers of ten put together, so many from the bottom, and so on."""
    ends = np.cumsum(numbers)
    return np.array([TEN[end - n : end].sum() for n, end in zip(numbers, ends, strict=True)])


ROOT_ZONES = {
    "10": TEN,
    "20, each of ten halved": np.repeat(TEN / 2.0, 2),
    "4, merged": merged(2, 2, 3, 3),
    "1, merged": merged(10),
}


def choose(each: int) -> tuple[dict[str, Floats], Floats]:
    """Fields of some columns of each land cover, surface soil and the layer below the root zone; water table depth."""
    with netCDF4.Dataset(DEMO / "domain.nc") as basin, netCDF4.Dataset(DEMO / "initial.nc") as initial:
        cover = np.where(basin["mask"][:] > 0, basin["land_cover"][:], -1)
        random = np.random.default_rng(1)
        cells = np.concatenate(
            [random.permutation(np.argwhere(cover == c))[:each] for c in np.unique(cover[cover > 0])]
        )
        j, i = cells.T
        fields = {name: np.asarray(basin[name][:][j, i], dtype=float) for name in FLAT}
        fields |= {name: np.asarray(basin[name][:][j, i].mean()) for name in PLACE}
        fields |= {name: np.asarray(basin[name][:][[0, -1]][:, j, i], dtype=float) for name in SOIL}
        head = np.asarray(initial["soil_water__pressure_head"][:][:, j, i], dtype=float)
    return fields, water_table.depth(head, np.append(BOTTOM, TEN))


def write(folder: Path, root_zone: Floats, fields: dict[str, Floats], depth: Floats) -> tuple[Path, Path]:
    """Write the configurations of land and groundwater for a row of columns."""
    columns, layers = len(depth), len(root_zone) + 1
    with netCDF4.Dataset(folder / "columns.nc", "w") as data:
        for name, size in (("z", layers), ("y", 1), ("x", columns)):
            data.createDimension(name, size)
        for name in FLAT:
            data.createVariable(name, "f8", ("y", "x"))[...] = fields[name]
        for name in SOIL:
            data.createVariable(name, "f8", ("z", "y", "x"))[...] = fields[name][[0, *[1] * len(root_zone)], np.newaxis]
        data.createVariable("depth", "f8", ("y", "x"))[...] = depth

    def field(name: str) -> dict[str, str]:
        return {"file": "columns.nc", "variable": name}

    domain = {
        "grid": {"nx": columns, "ny": 1, "dx": 1000.0, "dy": 1000.0},
        "layers": [BOTTOM, *root_zone.tolist()],
        "root_zone": {"layers": len(root_zone)},
        "porosity": field("porosity"),
        **{name: float(fields[name]) for name in PLACE},
        "van_genuchten": {
            "alpha": field("alpha"),
            "n": field("n"),
            "residual_saturation": field("residual_saturation"),
        },
        "conductivity": {"x": field("conductivity"), "z": field("vertical_conductivity")},
        "slope": {"x": 0.0, "y": 0.01},
        "manning": field("manning"),
    }
    files: dict[str, Any] = {
        "domain": domain,
        "groundwater": {
            "domain": "domain.yaml",
            "initial": {"water_table_depth": field("depth")},
            "richards": {"threads": 1},
        },
        "land": {
            "start": "2019-10-01T00:00",
            "domain": "domain.yaml",
            "land_cover": field("land_cover"),
            "soil_texture": {"usda": field("soil_texture")},
            "reference_height": {"wind": 50.0, "temperature": 40.0, "humidity": 40.0},
            "forcing": {"type": "netcdf", "file": str(DEMO / "weather.nc")},
            "threads": 1,
        },
    }
    for name, content in files.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return folder / "land.yaml", folder / "groundwater.yaml"


def run(root_zone: Floats, fields: dict[str, Floats], depth: Floats, hours: int) -> tuple[Floats, int]:
    """Step land and groundwater; latent heat [W m-2] (hours, columns) and the number of soil layers."""
    latent = np.empty((hours, len(depth)))
    surface, aquifer = BmiColm(), BmiRichards()
    with tempfile.TemporaryDirectory() as folder:
        land_file, groundwater_file = write(Path(folder), root_zone, fields, depth)
        surface.initialize(str(land_file))
        aquifer.initialize(str(groundwater_file))
        for hour in range(hours):
            for name in (groundwater.PRESSURE_HEAD, groundwater.SATURATION):
                surface.set_value(name, aquifer.values[name][-len(root_zone) :])
            surface.update()
            aquifer.set_value(groundwater.NET_SOURCE, surface.values[groundwater.NET_SOURCE])
            aquifer.update()
            latent[hour] = surface.values[LATENT][0]
        layers = surface.columns.state.temperature.shape[1] - 5
        surface.finalize()
        aquifer.finalize()
    return latent, layers


@click.command()
@click.option("--columns", default=3, show_default=True, help="of each land cover")
@click.option("--days", default=366, show_default=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path), default=None)
def main(columns: int, days: int, json_file: Path | None) -> None:
    """Compare root zones by the latent heat of a year."""
    fields, depth = choose(columns)
    results: dict[str, dict[str, float]] = {}
    reference: Floats | None = None
    for name, root_zone in ROOT_ZONES.items():
        latent, layers = run(root_zone, fields, depth, 24 * days)
        reference = latent if reference is None else reference
        daily, expected = (v.reshape(days, 24, -1).mean(axis=1) for v in (latent, reference))
        of_columns = latent.mean(axis=0) - reference.mean(axis=0)
        results[name] = {
            "soil layers": layers,
            "mean": float(latent.mean()),
            "difference": float(of_columns.mean()),
            "rms of columns": float(np.sqrt((of_columns**2).mean())),
            "largest of a column": float(np.abs(of_columns).max()),
            "rms of days": float(np.sqrt(((daily - expected) ** 2).mean())),
        }
    table = Table(title=f"latent heat, W m-2, {len(depth)} columns, {days} days; differences from ten layers")
    for heading in ("layers of the root zone", *next(iter(results.values()))):
        table.add_column(heading, justify="right", overflow="fold")
    for name, figures in results.items():
        table.add_row(name, *(f"{v:.4g}" for v in figures.values()))
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(results, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
