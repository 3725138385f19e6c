"""The folder of an imported run: whole or not there at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import netCDF4
import numpy as np

from rootzone.case_files import gridded_netcdf, time_axis, write_yaml
from rootzone.parflow_import.forcing import STANDARD_NAMES, WEATHER_FILE, HourlyFiles
from rootzone.parflow_import.grid import ParflowGrid
from rootzone.parflow_import.leaf_area import LEAF_AREA_FILE, LEAVES, STEMS, DailyLeafArea
from rootzone.parflow_import.prescribed import SOURCES, SOURCES_FILE
from rootzone.parflow_import.sources import FIELDS_FILE, Floats

RUN: Final = "coupled.yaml"
DOMAIN: Final = "domain.yaml"
LAND: Final = "land.yaml"
GROUNDWATER: Final = "groundwater.yaml"
NOTES: Final = "import.md"
FILES: Final = (RUN, DOMAIN, LAND, GROUNDWATER, FIELDS_FILE, WEATHER_FILE, LEAF_AREA_FILE, SOURCES_FILE, NOTES)


class ImportFolder:
    """Takes the files of an imported run while they are made.

    Parameters
    ----------
    staging : Path
        Where they are written; beside `target`, so that relative paths hold in both.
    target : Path
        Where they will lie.
    source : Path
        Folder of ParFlow's run; files in it are referred to by ``${run}``.
    grid : ParflowGrid
        For the coordinates of NetCDF files.
    """

    def __init__(self, staging: Path, target: Path, source: Path, grid: ParflowGrid) -> None:
        self._staging = staging
        self._target = target
        self._source = source.resolve()
        self._grid = grid
        self._fields: dict[str, tuple[Floats, str]] = {}
        self.layers = slice(0, grid.nz)

    def path(self, file: Path) -> str:
        """Spell a file or folder of the run as YAML refers to it."""
        resolved = file.resolve()
        if resolved == self._source:
            return "${run}"
        if resolved.is_relative_to(self._source):
            return f"${{run}}/{resolved.relative_to(self._source).as_posix()}"
        return self._relative(resolved)

    def _relative(self, path: Path) -> str:
        return Path(os.path.relpath(path, self._target.resolve())).as_posix()

    def keep(self, name: str, values: Floats, units: str) -> None:
        """Take a field for `fields.nc`, of one with layers those of the domain."""
        self._fields[name] = (values[self.layers] if values.ndim == 3 else values, units)

    def in_layers(self, spec: Any) -> Any:
        """Restrict a value of a YAML file to the layers of the domain, for a field (nz, ny, nx)."""
        if self.layers == slice(0, self._grid.nz) or isinstance(spec, float):
            return spec
        if isinstance(spec, list):
            return spec[self.layers]
        whole = spec if isinstance(spec, dict) else {"file": spec}
        if whole["file"] == FIELDS_FILE:  # has these layers only
            return whole
        return {**whole, "layers": [self.layers.start, self.layers.stop]}

    def write_yaml(self, name: str, comment: str, content: Mapping[str, Any]) -> None:
        """Write a YAML file under a line of comment."""
        data = {"paths": {"run": self._relative(self._source)}, **content}
        if "${run}" not in str(content):
            del data["paths"]
        write_yaml(self._staging / name, comment, data)

    def write_text(self, name: str, text: str) -> None:
        """Write a text file."""
        (self._staging / name).write_text(text, encoding="utf-8")

    def write_fields(self) -> None:
        """Write `fields.nc`, if there are fields to keep."""
        if not self._fields:
            return
        with self._netcdf(FIELDS_FILE) as dataset:
            for name, (values, units) in self._fields.items():
                variable = dataset.createVariable(name, "f8", ("z", "y", "x")[-values.ndim :], zlib=True)
                variable.units = units
                variable[:] = values

    def write_sources(self, series: Iterable[Floats], start: datetime, hours: float) -> None:
        """Write fields (nz, ny, nx) of sources [h-1], one for each step of so many `hours`."""
        with self._netcdf(SOURCES_FILE) as dataset:
            time = time_axis(dataset, start)
            time.long_name = "start of the step"
            variable = dataset.createVariable(SOURCES, "f8", ("time", "z", "y", "x"), zlib=True)
            variable.units, variable.long_name = "h-1", "net source of water, volume per bulk volume"
            for step, values in enumerate(series):
                time[step] = step * hours
                variable[step] = values[self.layers]

    def write_weather(self, files: HourlyFiles) -> None:
        """Write hourly files on the grid as one CF file."""
        with self._netcdf(WEATHER_FILE) as dataset:
            time = time_axis(dataset, files.start)
            time.long_name = "start of the hour"
            time[:] = np.arange(files.hours, dtype=np.float64)
            for name, (standard_name, units) in STANDARD_NAMES.items():
                variable = dataset.createVariable(name, "f8", ("time", "y", "x"), zlib=True)
                variable.standard_name, variable.units = standard_name, units
                for hour, values in enumerate(files.read(name)):
                    variable[hour] = values

    def write_leaf_area(self, area: DailyLeafArea) -> None:
        """Write leaf and stem area by the day."""
        with self._netcdf(LEAF_AREA_FILE) as dataset:
            time = time_axis(dataset, datetime.combine(area.first, datetime.min.time()))
            time.long_name, time.bounds = "noon of the day", "time_bounds"
            dataset.createDimension("bounds", 2)
            days = np.arange(len(area.leaves), dtype=np.float64)
            time[:] = 24.0 * days + 12.0
            dataset.createVariable("time_bounds", "f8", ("time", "bounds"))[:] = 24.0 * np.stack([days, days + 1.0], -1)
            for name, values, what in ((LEAVES, area.leaves, "leaf"), (STEMS, area.stems, "stem")):
                variable = dataset.createVariable(name, "f8", ("time", "y", "x"), zlib=True)
                variable.units, variable.long_name = "1", f"{what} area index"
                variable[:] = values

    def _netcdf(self, name: str) -> AbstractContextManager[netCDF4.Dataset]:
        grid = self._grid
        northing: Floats = grid.y0 + (np.arange(grid.ny, dtype=np.float64) + 0.5) * grid.dy
        easting: Floats = grid.x0 + (np.arange(grid.nx, dtype=np.float64) + 0.5) * grid.dx
        return gridded_netcdf(self._staging / name, self.layers.stop - self.layers.start, northing, easting)
