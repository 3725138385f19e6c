"""Text records of one place."""

import codecs
import re
import warnings
from pathlib import Path
from typing import Final

import numpy as np

from bmi_colm.forcing.config import ColumnForcing
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
from bmi_common.calendar import HOUR, Times, hours_from, show, to_time
from bmi_common.errors import ConfigError, InputNotice

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

_IN_WORDS: Final = (
    "shortwave, longwave [W m-2], precipitation [mm s-1], temperature [K], "
    "eastward, northward wind [m s-1], pressure [Pa], specific humidity [kg kg-1]"
)
_EXPECTED: Final = f"eight columns: {_IN_WORDS}"
_DECIMAL_COMMA: Final = re.compile(r"\d,\d")
_MARKS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


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
    def _read(spec: ColumnForcing) -> Array:
        if not spec.file.is_file():
            raise ConfigError(f"{spec.file}: no such forcing file")
        numbers, lines = _rows(spec.file)
        if not lines:
            raise ConfigError(f"{spec.file}: no rows; needed are {_EXPECTED}")
        by_blanks = len(lines[0].split()) == len(COLUMNS) and _DECIMAL_COMMA.search(lines[0])
        delimiter = None if by_blanks else next((mark for mark in ";,\t" if mark in lines[0]), None)
        if delimiter != ",":
            comma = next((k for k, line in enumerate(lines) if _DECIMAL_COMMA.search(line)), None)
            if comma is not None:
                raise ConfigError(
                    f"{spec.file}: line {numbers[comma]}: decimal commas ({lines[comma][:20]} …); "
                    "write numbers with a decimal point"
                )
        table = np.empty((len(lines), len(COLUMNS)))
        for k, line in enumerate(lines):
            words = [word.strip() for word in line.rstrip(delimiter).split(delimiter)]
            if len(words) != len(COLUMNS):
                raise ConfigError(
                    f"{spec.file}: line {numbers[k]}: {len(words)} columns; needed are {_EXPECTED}"
                    + (", with decimal points" if delimiter == "," and len(words) > len(COLUMNS) else "")
                )
            for column, word in enumerate(words):
                value = _number(word)
                if value is None:
                    raise ConfigError(
                        f"{spec.file}: line {numbers[k]}: {word!r} in column {column + 1} is no number; "
                        f"needed are {_EXPECTED}"
                    )
                table[k, column] = value
        return table

    def load(self, times: Times) -> dict[str, Array]:  # noqa: D102
        rows = self._table[self._rows(times)]
        return {name: rows[:, column] for column, name in enumerate(COLUMNS)}

    def source(self, name: str, time: np.datetime64) -> str:  # noqa: D102
        row = self._first_row + int(self._rows(np.array([time]))[0])
        return f"{self.label}: row {row} (from 0), column {COLUMNS.index(name) + 1} ({name})"

    def lacking(self, time: np.datetime64) -> str:  # noqa: D102
        if time < self.times[0]:
            return f"the record starts at {show(self.times[0])} (start)"
        return f"the record has {self.times.size} rows (cycle: true would repeat it, if they are whole days)"

    def _rows(self, times: Times) -> Array:
        return np.asarray((times - self.times[0]) // HOUR)


def _rows(file: Path) -> tuple[list[int], list[str]]:
    """Return the rows of numbers and their line numbers, without comments, empty lines and lines of headings."""
    content = file.read_bytes()
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    # only numbers are read; what else stands in comments and headings does not matter
    text = content.decode(encoding, errors="replace")
    numbers: list[int] = []
    lines: list[str] = []
    headings: list[int] = []
    for number, line in enumerate(text.splitlines(), start=1):
        row = line.partition("#")[0].strip()
        if not row:
            continue
        if not lines and all(_number(word) is None for word in re.split(r"[;,\s]+", row) if word):
            headings.append(number)
            continue
        numbers.append(number)
        lines.append(row)
    if headings and lines:
        warnings.warn(
            f"{file}: line {', '.join(map(str, headings))} holds no number and is passed over as a heading; the "
            f"columns are read as {_IN_WORDS}",
            InputNotice,
            stacklevel=2,
        )
    return numbers, lines


def _number(word: str) -> float | None:
    try:
        return float(word) if word.isascii() and "_" not in word else None
    except ValueError:
        return None
