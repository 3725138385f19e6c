"""Weather of ParFlow-CLM: one record (1D), or files of one hour (2D) or several (3D) on the grid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rootzone.parflow_import.definition import Definition, absent
from rootzone.parflow_import.grid import ParflowGrid
from rootzone.parflow_import.notices import Notes
from rootzone.parflow_import.sources import Floats, Folder, Pfb
from rootzone.parflow_import.timing import Timing

WEATHER_FILE: Final = "weather.nc"

STANDARD_NAMES: Final = {
    "DSWR": ("surface_downwelling_shortwave_flux_in_air", "W m-2"),
    "DLWR": ("surface_downwelling_longwave_flux_in_air", "W m-2"),
    "APCP": ("precipitation_flux", "kg m-2 s-1"),
    "Temp": ("air_temperature", "K"),
    "UGRD": ("eastward_wind", "m s-1"),
    "VGRD": ("northward_wind", "m s-1"),
    "Press": ("air_pressure", "Pa"),
    "SPFH": ("specific_humidity", "kg kg-1"),
}
"""CF standard name and units of ParFlow's variables."""


@dataclass(frozen=True)
class HourlyFiles:
    """Files ``<prefix>.<VAR>.<step>.pfb`` of one hour each, from step `first` at `start`."""

    definition: Definition
    grid: ParflowGrid
    directory: Path
    prefix: str
    first: int
    hours: int
    start: datetime

    def read(self, variable: str) -> Iterator[Floats]:
        """Yield the fields (ny, nx) of a variable hour by hour."""
        key = "Solver.CLM.MetFileName"
        for step in range(self.first, self.first + self.hours):
            file = self.directory / f"{self.prefix}.{variable}.{step:06d}.pfb"
            if not file.is_file():
                raise self.definition.error(key, absent(file))
            yield Pfb(file, self.definition, key).values(self.grid.surface)


@dataclass(frozen=True)
class Forcing:
    """Weather of the run.

    Attributes
    ----------
    spec : dict
        The ``forcing:`` section of ``land.yaml``.
    hours : int
        Hours of the run that it covers.
    hourly : HourlyFiles, optional
        Hourly files to convert.
    """

    spec: dict[str, Any]
    hours: int
    hourly: HourlyFiles | None = None


def read_forcing(
    definition: Definition, grid: ParflowGrid, timing: Timing, fixed: bool, folder: Folder, notes: Notes
) -> Forcing:
    """Find the weather of the run.

    A record that ends before the run shortens it, with a notice; with `fixed` it is a mistake.

    Raises
    ------
    ConfigError
        For missing files and folders, records without an hour of the run, and forms that are not supported.
    """
    own = "Solver.CLM."
    kind = definition.choice(f"{own}MetForcing", ("1D", "2D", "3D"))
    if definition.flag(f"{own}MetFileSubdir"):
        raise definition.error(f"{own}MetFileSubdir", "a folder for each variable is not supported; put all into one")
    key = f"{own}MetFileName"
    name = definition.text(key)
    directory = definition.location(f"{own}MetFilePath", ".")
    if not directory.is_dir():
        raise definition.error(f"{own}MetFilePath", f"no such folder: {directory}")
    first = definition.integer(f"{own}IstepStart", 1)
    if first < 1:
        raise definition.error(f"{own}IstepStart", f"must be at least 1, got {first}")
    hour_one = timing.start - timedelta(hours=first - 1)
    notes.map(f"{key}, MetFilePath, MetForcing ({kind}), IstepStart", "land.yaml", "forcing")
    needed = first - 1 + timing.steps
    hourly: HourlyFiles | None = None
    spec: dict[str, Any]
    if kind == "1D":
        file = directory / name
        if not file.is_file():
            raise definition.error(key, absent(file))
        with file.open(encoding="utf-8", errors="replace") as lines:
            last = sum(1 for line in lines if line.strip())
        what = f"{file} has {last} rows, one an hour"
        spec = {"type": "column", "file": folder.path(file), "start": timing.start, "first_row": first - 1}
    elif kind == "3D":
        last = _last_of_blocks(definition, key, directory, name)
        what = f"the files in {directory} reach to hour {last}"
        spec = {"type": "parflow", "directory": folder.path(directory), "prefix": name, "start": hour_one}
    else:
        last = first - 1
        while last < needed and (directory / f"{name}.{next(iter(STANDARD_NAMES))}.{last + 1:06d}.pfb").is_file():
            last += 1
        what = f"the files in {directory} reach to hour {last}"
        spec = {"type": "netcdf", "file": WEATHER_FILE}
        hours = max(0, min(last, needed) - (first - 1))
        hourly = HourlyFiles(definition, grid, directory, name, first, hours, timing.start)
    if last < needed:
        if fixed or last < first:
            raise definition.error(key, f"{what}; the run needs {needed} (TimingInfo)")
        notes.notice(f"{key}: {what}, the run needs {needed} (TimingInfo); it is made {last - first + 1} h long")
    return Forcing(spec, min(last, needed) - (first - 1), hourly)


def _last_of_blocks(definition: Definition, key: str, directory: Path, name: str) -> int:
    """Return the last hour up to which files of several hours follow each other for all variables."""
    pattern = re.compile(rf"{re.escape(name)}\.(\w+)\.(\d+)_to_(\d+)\.pfb", re.ASCII)
    blocks: dict[str, dict[int, int]] = {}
    for match in map(pattern.fullmatch, (file.name for file in directory.iterdir())):
        if match:
            blocks.setdefault(match[1], {})[int(match[2])] = int(match[3])
    missing = [variable for variable in STANDARD_NAMES if variable not in blocks]
    if missing:
        raise definition.error(key, f"no files {name}.{missing[0]}.<first>_to_<last>.pfb in {directory}")
    reach = []
    for variable in STANDARD_NAMES:
        hour = 1
        while hour in blocks[variable]:
            hour = blocks[variable][hour] + 1
        reach.append(hour - 1)
    return min(reach)
