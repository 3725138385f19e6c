"""ParFlow's gridded forcing files (PFB)."""

import re
import struct
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from bmi_colm.forcing.config import ParflowForcing
from bmi_colm.forcing.names import (
    AIR_PRESSURE,
    AIR_TEMPERATURE,
    LONGWAVE,
    PRECIPITATION,
    SHORTWAVE,
    SPECIFIC_HUMIDITY,
    WIND_X,
    WIND_Y,
)
from bmi_colm.forcing.record import Record
from bmi_common.arrays import Array
from bmi_common.calendar import HOUR, Times, show, to_time
from bmi_common.errors import ConfigError
from bmi_common.fields import read_pfb
from bmi_common.file_grid import Cells

FILE_VARIABLES: Final = {
    SHORTWAVE: "DSWR",
    LONGWAVE: "DLWR",
    PRECIPITATION: "APCP",  # mm s-1
    AIR_TEMPERATURE: "Temp",
    WIND_X: "UGRD",
    WIND_Y: "VGRD",
    AIR_PRESSURE: "Press",
    SPECIFIC_HUMIDITY: "SPFH",
}
"""ParFlow's variable names in file names, by BMI name (ParFlow manual, CLM forcing)."""


_HEADER_BYTES: Final = 64


class _Span(NamedTuple):
    """Hours of a file, from 1, both ends included, with the digits that its name has."""

    first: int
    last: int
    digits: int


class ParflowRecord(Record):
    """Files of N hours each; z index 0 is the file's first hour.

    Raises
    ------
    ConfigError
        No files, files of another shape than (hours, ny, nx), or of unequal numbers of hours.
    """

    def __init__(self, spec: ParflowForcing, cells: Cells) -> None:
        self._directory = spec.directory
        self._prefix = spec.prefix
        self._start = to_time(spec.start)
        self._part, self._shape = cells.part, cells.shape
        self.label = str(spec.directory / f"{spec.prefix}.*.pfb")
        spans = self._find()
        lengths = {span.last - span.first + 1 for span in spans}
        if len(lengths) != 1:
            raise ConfigError(f"{self.label}: files of {sorted(lengths)} hours; all must hold as many")
        self._length = lengths.pop()
        self._digits = spans[0].digits
        if any((span.first - 1) % self._length for span in spans):
            raise ConfigError(
                f"{self.label}: files of {self._length} hours must start at hour 1, {self._length + 1}, …"
            )
        firsts = sorted({span.first for span in spans})
        complete = [first for first in firsts if not self._absent(first)]
        for first in complete:
            for variable in FILE_VARIABLES.values():
                self._check_shape(self._file(variable, first))
        self.times = (
            np.concatenate([self._start + (first - 1 + np.arange(self._length)) * HOUR for first in complete])
            if complete
            else np.array([], dtype="datetime64[s]")
        )
        if not complete:
            raise ConfigError(f"{self.label}: {self.lacking(self._start + (firsts[0] - 1) * HOUR)}")
        self._cached: dict[str, tuple[int, Array]] = {}

    def _find(self) -> list[_Span]:
        if not self._directory.is_dir():
            raise ConfigError(f"{self._directory}: no such folder (forcing directory)")
        variables = "|".join(FILE_VARIABLES.values())
        pattern = re.compile(rf"{re.escape(self._prefix)}\.(?:{variables})\.(\d+)_to_(\d+)\.pfb")
        spans = [
            _Span(int(match[1]), int(match[2]), len(match[1]))
            for match in map(pattern.fullmatch, sorted(file.name for file in self._directory.iterdir()))
            if match
        ]
        if not spans:
            raise ConfigError(
                f"{self._directory}: no files {self._prefix}.<VAR>.<first>_to_<last>.pfb "
                f"with VAR one of {', '.join(FILE_VARIABLES.values())} (forcing prefix)"
            )
        return spans

    def _file(self, variable: str, first: int) -> Path:
        last = first + self._length - 1
        return self._directory / (f"{self._prefix}.{variable}.{first:0{self._digits}d}_to_{last:0{self._digits}d}.pfb")

    def _absent(self, first: int) -> list[str]:
        files = (self._file(variable, first) for variable in FILE_VARIABLES.values())
        return [file.name for file in files if not file.is_file()]

    def _check_shape(self, file: Path) -> None:
        header = file.open("rb").read(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES:
            raise ConfigError(f"{file}: too short for a PFB file")
        # the header's counts come after three doubles, x first; all is big-endian (ParFlow manual, PFB format)
        nx, ny, nz = struct.unpack_from(">3i", header, 24)
        found = (nz, ny, nx)
        needed = (self._length, *(self._shape if self._part is None else self._part.shape))
        if found != needed:
            raise ConfigError(f"{file}: shape (hours, ny, nx) is {found}; the domain and the name need {needed}")

    def load(self, times: Times) -> dict[str, Array]:  # noqa: D102
        hours = (times - self._start) // HOUR
        starts, layers = np.divmod(hours, self._length)
        load = partial(self._layers, starts=starts, layers=layers)
        return {name: load(variable) for name, variable in FILE_VARIABLES.items()}

    def _layers(self, variable: str, starts: Array, layers: Array) -> Array:
        values = np.empty((layers.size, *self._shape))
        for start in np.unique(starts):
            here = starts == start
            values[here] = self._whole(variable, int(start) * self._length + 1)[layers[here]]
        return values

    def _whole(self, variable: str, first: int) -> Array:
        """Return a file's array; the last one read of each variable is kept (files may exceed a block)."""
        if self._cached.get(variable, (0,))[0] != first:
            whole = read_pfb(self._file(variable, first))
            self._cached[variable] = (first, whole if self._part is None else self._part.cut(whole))
        return self._cached[variable][1]

    def source(self, name: str, time: np.datetime64) -> str:  # noqa: D102
        start, layer = divmod(int((time - self._start) // HOUR), self._length)
        return f"{self._file(FILE_VARIABLES[name], start * self._length + 1)}: z layer {layer}"

    def lacking(self, time: np.datetime64) -> str:  # noqa: D102
        if time < self._start:
            return f"hour 1 of the files is {show(self._start)} (start)"
        first = int((time - self._start) // HOUR) // self._length * self._length + 1
        return f"no file {', '.join(self._absent(first))} in {self._directory}"
