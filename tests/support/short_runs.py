"""The repository's run files for commands and code that pages show: the same, but of fewer hours and fewer variables.

What a page shows runs as it stands; how long it takes depends on the period of the file and on the maps it draws.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
DEMO = ("coupled.yaml", "coupled-richards.yaml", "coupled-free-drainage.yaml")
_LEFT_OUT = {
    "land.land_surface_air_heat~net~sensible__energy_flux",
    "land.soil_surface_water_infiltration__volume_flux",
    "land.land_surface__temperature",
    "groundwater.land_surface_water__depth",
}


def copy_cases(folder: Path, periods: Mapping[str, tuple[str, str]]) -> None:
    """Copy ``cfg`` into a folder, with these first and last times of files in it."""
    shutil.copytree(ROOT / "cfg", folder / "cfg")
    for file, (start, end) in periods.items():
        path = folder / "cfg" / file
        run = yaml.safe_load(path.read_text(encoding="utf-8"))
        run["time"] |= {"start": start, "end": end}
        for output in run["output"]:
            output["variables"] = [v for v in output["variables"] if v not in _LEFT_OUT]
        path.write_text(yaml.safe_dump(run, sort_keys=False), encoding="utf-8")


def demo(start: str, end: str) -> dict[str, tuple[str, str]]:
    """The period of the demo basin's runs."""
    return dict.fromkeys(DEMO, (start, end))
