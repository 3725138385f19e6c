"""The folder of an imported run: whole or not there at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import netCDF4
import numpy as np

from bmi_common.progress import Progress
from coupler.errors import writing
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
        Where they are written.
    target : Path
        Where they will lie.
    source : Path
        Folder of ParFlow's run; files in it are referred to by ``${run}``.
    grid : ParflowGrid
        For the coordinates of NetCDF files.
    progress : Progress, optional
        Is told of the hours of weather that are converted.
    """

    def __init__(
        self, staging: Path, target: Path, source: Path, grid: ParflowGrid, progress: Progress | None = None
    ) -> None:
        self._progress = progress
        self._staging = staging
        self._target = target
        self._source = source.resolve()
        self._grid = grid
        self._fields: dict[str, tuple[Floats, str]] = {}
        self._yaml: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self.layers = slice(0, grid.nz)

    def path(self, file: Path) -> str:
        """Spell a file or folder as YAML refers to it: from the folder of ParFlow's run, wherever it lies."""
        resolved = file.resolve()
        if resolved == self._source:
            return "${run}"
        return f"${{run}}/{Path(os.path.relpath(resolved, self._source)).as_posix()}"

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
        """Write a YAML file under a line of comment, with paths that hold where it is written."""
        self._yaml[name] = comment, content
        self._write_yaml(name, self._staging)

    def written(self, name: str) -> Path:
        """Where a file lies while the import is made."""
        return self._staging / name

    def settle(self) -> None:
        """Write the YAML files once more, with paths that hold where they will lie."""
        for name in self._yaml:
            self._write_yaml(name, self._target)

    def _write_yaml(self, name: str, base: Path) -> None:
        comment, content = self._yaml[name]
        paths = {}
        if "${run}" in str(content):
            paths = {"paths": {"run": Path(os.path.relpath(self._source, base.resolve())).as_posix()}}
        with self._writing():
            write_yaml(self._staging / name, comment, {**paths, **content})

    def write_text(self, name: str, text: str) -> None:
        """Write a text file."""
        with self._writing():
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
            for place, (name, (standard_name, units)) in enumerate(STANDARD_NAMES.items()):
                variable = dataset.createVariable(name, "f8", ("time", "y", "x"), zlib=True)
                variable.standard_name, variable.units = standard_name, units
                for hour, values in enumerate(files.read(name)):
                    variable[hour] = values
                    if self._progress is not None:
                        done, total = place * files.hours + hour + 1, len(STANDARD_NAMES) * files.hours
                        self._progress(done, total, "files of weather")

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

    def _writing(self) -> AbstractContextManager[None]:
        return writing(self._target)

    @contextmanager
    def _netcdf(self, name: str) -> Iterator[netCDF4.Dataset]:
        grid = self._grid
        northing: Floats = grid.y0 + (np.arange(grid.ny, dtype=np.float64) + 0.5) * grid.dy
        easting: Floats = grid.x0 + (np.arange(grid.nx, dtype=np.float64) + 0.5) * grid.dx
        layers = self.layers.stop - self.layers.start
        with self._writing(), gridded_netcdf(self._staging / name, layers, northing, easting) as dataset:
            yield dataset
