"""Weather of ParFlow-CLM: one record (1D), or files of one hour (2D) or several (3D) on the grid."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rootzone.parflow_import.definition import Definition
from rootzone.parflow_import.grid import Grid
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
    grid: Grid
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
                raise self.definition.error(key, f"no such file: {file}")
            yield Pfb(file, self.definition, key).values(self.grid.surface)


def read_forcing(
    definition: Definition, grid: Grid, timing: Timing, folder: Folder, notes: Notes
) -> tuple[dict[str, Any], HourlyFiles | None]:
    """Return the ``forcing:`` section of ``land.yaml``, and hourly files to convert if there are any.

    Raises
    ------
    ConfigError
        For missing files and folders, records that end before the run, and forms that are not supported.
    """
    own = "Solver.CLM."
    kind = definition.choice(f"{own}MetForcing", ("1D", "2D", "3D"))
    if definition.flag(f"{own}MetFileSubdir"):
        raise definition.error(f"{own}MetFileSubdir", "a folder for each variable is not supported; put all into one")
    name = definition.text(f"{own}MetFileName")
    directory = definition.location(f"{own}MetFilePath", ".")
    if not directory.is_dir():
        raise definition.error(f"{own}MetFilePath", f"no such folder: {directory}")
    first = definition.integer(f"{own}IstepStart", 1)
    if first < 1:
        raise definition.error(f"{own}IstepStart", f"must be at least 1, got {first}")
    hour_one = timing.start - timedelta(hours=first - 1)
    notes.map(f"{own}MetForcing ({kind}), MetFileName, MetFilePath, IstepStart", "land.yaml: forcing")
    key = f"{own}MetFileName"
    needed = first - 1 + timing.hours
    if kind == "1D":
        file = directory / name
        if not file.is_file():
            raise definition.error(key, f"no such file: {file}")
        with file.open(encoding="utf-8", errors="replace") as lines:
            rows = sum(1 for line in lines if line.strip())
        if rows < needed:
            raise definition.error(key, f"{file} has {rows} rows, one an hour; the run needs {needed} (TimingInfo)")
        return {"type": "column", "file": folder.path(file, key), "start": timing.start, "first_row": first - 1}, None
    if kind == "3D":
        pattern = re.compile(rf"{re.escape(name)}\.\w+\.\d+_to_(\d+)\.pfb", re.ASCII)
        ends = [int(match[1]) for match in map(pattern.fullmatch, (file.name for file in directory.iterdir())) if match]
        if not ends:
            raise definition.error(key, f"no files {name}.<VAR>.<first>_to_<last>.pfb in {directory}")
        if max(ends) < needed:
            raise definition.error(
                key, f"the files in {directory} reach to hour {max(ends)}; the run needs hour {needed} (TimingInfo)"
            )
        return {"type": "parflow", "directory": folder.path(directory, key), "prefix": name, "start": hour_one}, None
    files = HourlyFiles(definition, grid, directory, name, first, timing.hours, timing.start)
    return {"type": "netcdf", "file": WEATHER_FILE}, files
