"""Put three kinds of groundwater to the laws of ``bmi-laws``, in a valley under a year of the demo's weather.

    python benchmarks/laws.py FOLDER [--soil loam] [--repeats 50] [--predrnn WEIGHTS.yaml] [--law NAME]

The valley has twenty cells, and soils that the shipped structured surrogate has not seen in training. Land runs over
the Richards solver, over that surrogate, and over a PredRNN whose weights are given. FOLDER gets the case and, in
``laws/``, a table; the same command goes on where an earlier one was stopped.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import xarray as xr
import yaml

ROOT = Path(__file__).parents[1]
LAYERS = [100.0, 1.137, 0.9133, 0.5539, 0.336, 0.2038, 0.1236, 0.0749, 0.0455, 0.0276, 0.0175]  # m, bottom first
SOILS = {  # Carsel and Parrish (1988): porosity, residual saturation, alpha [m-1], n, conductivity [m h-1]
    "loam": (0.43, 0.181, 3.6, 1.56, 0.0104),
    "sandy_loam": (0.41, 0.159, 7.5, 1.89, 0.0442),
}
EXCHANGES = (
    ("groundwater", "land", "soil_water__pressure_head"),
    ("groundwater", "land", "soil_water__saturation"),
    ("land", "groundwater", "soil_root-zone_water__net_volume_flux"),
)


def make_valley(folder: Path, soil: str) -> dict[str, Any]:
    """Write the valley's maps, a tilted V whose channel leaves southwards, forest above grass; return the domain."""
    y, x = np.mgrid[0:4, 0:5]
    maps = {
        "slope_x": np.where(x < 2, -0.04, 0.04),  # of the eastern faces
        "slope_y": np.where(x == 2, 0.01, 0.0),
        "land_cover": np.where(abs(x - 2) > 1, 4, 10),  # IGBP
        "latitude": 24.3 + 0.009 * y,
        "longitude": 113.1 + 0.0098 * x,
    }
    xr.Dataset({name: (("y", "x"), values) for name, values in maps.items()}).to_netcdf(folder / "valley.nc")
    porosity, residual, alpha, n, conductivity = SOILS[soil]

    def of_file(name: str) -> dict[str, str]:
        return {"file": "valley.nc", "variable": name}

    return {
        "grid": {"nx": 5, "ny": 4, "dx": 1000.0, "dy": 1000.0},
        "layers": LAYERS,
        "latitude": of_file("latitude"),
        "longitude": of_file("longitude"),
        "porosity": porosity,
        "van_genuchten": {"alpha": alpha, "n": n, "residual_saturation": residual},
        "conductivity": {"x": conductivity, "z": conductivity},
        "slope": {"x": of_file("slope_x"), "y": of_file("slope_y")},
        "manning": 0.05,
    }


def write_case(folder: Path, soil: str, predrnn: Path | None) -> list[Path]:
    """Write the case and return the run file of each groundwater."""
    domain = make_valley(folder, soil)
    common = {"domain": domain, "initial": {"water_table_depth": 3.0}}
    groundwaters: dict[str, tuple[str, dict[str, Any]]] = {
        "richards": ("bmi_richards:BmiRichards", {"richards": {"mode": "full", "passes": 2, "threads": 1}}),
        "structured": (
            "bmi_surrogate:BmiSurrogate",
            {"surrogate": {"checkpoint": str(ROOT / "cfg" / "demo" / "surrogate.yaml"), "threads": 1}},
        ),
    }
    if predrnn is not None:
        groundwaters["predrnn"] = (
            "bmi_surrogate:BmiSurrogate",
            {"surrogate": {"checkpoint": str(predrnn.resolve()), "threads": 1}},
        )
    land = {
        "start": "2019-10-01T00:00",
        "domain": domain,
        "land_cover": {"file": "valley.nc", "variable": "land_cover"},
        "soil_texture": soil.replace("_", " "),
        "reference_height": {"wind": 50.0, "temperature": 40.0, "humidity": 40.0},
        "forcing": {"type": "netcdf", "file": str(ROOT / "cfg" / "demo" / "weather.nc")},
        "threads": 1,  # of twenty columns, more cost time; where cores are busy, many times as much
    }
    (folder / "land.yaml").write_text(yaml.safe_dump(land, sort_keys=False), encoding="utf-8")
    written = []
    for name, (component, section) in groundwaters.items():
        content = yaml.safe_dump(common | section, sort_keys=False)
        (folder / f"groundwater_{name}.yaml").write_text(content, encoding="utf-8")
        run = {
            "time": {"start": "2019-10-01T00:00", "end": "2020-09-30T00:00", "step": "1h"},
            "components": {
                "land": {"class": "bmi_colm:BmiColm", "config": "land.yaml"},
                "groundwater": {"class": component, "config": f"groundwater_{name}.yaml"},
            },
            "order": ["land", "groundwater"],
            "exchanges": [{"from": f"{a}.{what}", "to": f"{b}.{what}"} for a, b, what in EXCHANGES],
        }
        written.append(folder / f"{name}.yaml")
        written[-1].write_text(yaml.safe_dump(run, sort_keys=False), encoding="utf-8")
    return written


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--soil", type=click.Choice(list(SOILS)), default="loam", show_default=True)
@click.option("--record", default="365d", show_default=True, help="Length of the weather that is repeated.")
@click.option("--repeats", default=50, show_default=True, help="Records that storage must not drift over.")
@click.option("--law", "laws", multiple=True, help="Put this law alone; repeatable.")
@click.option("--predrnn", type=click.Path(path_type=Path, exists=True), help="The YAML of its weights.")
def main(folder: Path, soil: str, record: str, repeats: int, laws: tuple[str, ...], predrnn: Path | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    files = write_case(folder, soil, predrnn)
    command = [sys.executable, "-m", "rootzone.bmi_laws", *map(str, files), "--record", record]
    command += ["--repeats", str(repeats), "--output", str(folder / "laws")]
    sys.exit(subprocess.run([*command, *(f"--law={law}" for law in laws)], check=False).returncode)


if __name__ == "__main__":
    main()
