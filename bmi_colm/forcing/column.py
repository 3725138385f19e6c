"""Text records of one place."""

import warnings
from typing import Final

import numpy as np

from bmi_colm.forcing.config import ColumnForcing
from bmi_colm.forcing.humidity import FloatArray
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
from bmi_common.calendar import HOUR, Times, hours_from, show, to_time
from bmi_common.errors import ConfigError

COLUMNS: Final = (
    SHORTWAVE,
    LONGWAVE,
    PRECIPITATION,
    AIR_TEMPERATURE,
    WIND_X,
    WIND_Y,
    AIR_PRESSURE,
    SPECIFIC_HUMIDITY,
)
"""Variables of the columns; precipitation in mm s-1 is kg m-2 s-1."""

_EXPECTED: Final = (
    "eight columns separated by blanks: shortwave, longwave [W m-2], precipitation [mm s-1], temperature [K], "
    "eastward, northward wind [m s-1], pressure [Pa], specific humidity [kg kg-1]"
)


class ColumnRecord(Record):
    """One row an hour, eight columns; held in memory.

    Raises
    ------
    ConfigError
        The file is missing or no table of eight columns of numbers, or has fewer rows than asked for.
    """

    def __init__(self, spec: ColumnForcing) -> None:
        self.label = str(spec.file)
        table = self._read(spec)
        last = table.shape[0] if spec.rows is None else spec.first_row + spec.rows
        if spec.first_row >= table.shape[0] or last > table.shape[0]:
            raise ConfigError(
                f"{self.label}: the file has {table.shape[0]} rows, "
                f"rows {spec.first_row} to {max(last - 1, spec.first_row)} are asked for (first_row, rows)"
            )
        self._first_row = spec.first_row
        self._table = table[spec.first_row : last]
        self.times = hours_from(to_time(spec.start), self._table.shape[0])

    @staticmethod
    def _read(spec: ColumnForcing) -> FloatArray:
        if not spec.file.is_file():
            raise ConfigError(f"{spec.file}: no such forcing file")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # an empty file is our own error below
                table = np.loadtxt(spec.file, dtype=np.float64, ndmin=2)
        except (ValueError, OSError) as error:
            raise ConfigError(f"{spec.file}: {error}; needed are {_EXPECTED}") from error
        if table.size == 0 or table.shape[1] != len(COLUMNS):
            found = f"{table.shape[1]} columns" if table.size else "no rows"
            raise ConfigError(f"{spec.file}: {found}; needed are {_EXPECTED}")
        return table

    def load(self, times: Times) -> dict[str, FloatArray]:  # noqa: D102
        rows = self._table[self._rows(times)]
        return {name: rows[:, column] for column, name in enumerate(COLUMNS)}

    def source(self, name: str, time: np.datetime64) -> str:  # noqa: D102
        row = self._first_row + int(self._rows(np.array([time]))[0])
        return f"{self.label}: row {row} (from 0), column {COLUMNS.index(name) + 1} ({name})"

    def lacking(self, time: np.datetime64) -> str:  # noqa: D102
        if time < self.times[0]:
            return f"the record starts at {show(self.times[0])} (start)"
        return f"the record has {self.times.size} rows (cycle: true would repeat it, if they are whole days)"

    def _rows(self, times: Times) -> FloatArray:
        return np.asarray((times - self.times[0]) // HOUR)
