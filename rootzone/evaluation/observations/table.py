"""Tables of text: lines of comment, a header, and a line for each time."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bmi_common.errors import ConfigError
from bmi_common.suggest import did_you_mean

_DELIMITERS = (",", ";", "\t")
_NOTHING = ("", "NA", "N/A", "#N/A", "NAN", "NULL", "NONE", "-", "--", "---")
"""Texts that stand for no value, in any case."""
_RDB_FORMAT = re.compile(r"\d+[sdn]")
"""What stands below each name in the header of a table of USGS: width, and text, date or number."""


@dataclass(frozen=True)
class Table:
    """What a file of text holds; all texts without quotes and blanks around them.

    Attributes
    ----------
    path : Path
        The file.
    comments : tuple of str
        Lines that begin with ``#``, without that.
    columns : tuple of str
        Names in the header.
    header : int
        Line of the header.
    rows : list of (int, list of str)
        Line and cells of every row.
    """

    path: Path
    comments: tuple[str, ...]
    columns: tuple[str, ...]
    header: int
    rows: list[tuple[int, list[str]]]

    def position(self, column: str) -> int:
        """Return which column has this name; raises `ConfigError` if none or several have."""
        if column not in self.columns:
            raise ConfigError(f"{self.path}: no column {column!r}{did_you_mean(column, self.columns)}")
        if self.columns.count(column) > 1:
            raise ConfigError(
                f"{self.columns.count(column)} columns are called {column!r}", file=self.path, line=self.header
            )
        return self.columns.index(column)

    def texts(self, column: str) -> list[str]:
        """Return the cells of a column, empty where a row is shorter."""
        at = self.position(column)
        return [row[at] if at < len(row) else "" for _, row in self.rows]

    def numbers(self, column: str, missing: Sequence[float | str] = ()) -> list[float]:
        """Return the numbers of a column, NaN where there is none, or a number or word of `missing`.

        Raises
        ------
        ConfigError
            For what is no number, naming the line.
        """
        words = {*_NOTHING, *(word.upper() for word in missing if isinstance(word, str))}
        return [
            float("nan") if text.upper() in words else self._number(i, text, column, missing)
            for i, text in enumerate(self.texts(column))
        ]

    def _number(self, row: int, text: str, column: str, missing: Sequence[float | str]) -> float:
        try:
            value = float(text)
        except ValueError:
            with_comma = text.replace(",", "", 1).lstrip("+-").isdigit()
            word = f"if it stands for no value, give `missing: [{text[:40]!r}]`"
            hint = "; decimals take a point" if with_comma else f"; {word}"
            raise self.error(row, f"{column} is {text[:40]!r}, which is not a number{hint}") from None
        return float("nan") if value in missing else value

    def where(self, number: int) -> str:
        """Name the line of a row."""
        return f"line {self.rows[number][0]}"

    def error(self, number: int, message: str) -> ConfigError:
        """Return the error that names the line of a row."""
        return ConfigError(message, file=self.path, line=self.rows[number][0])


def read_table(path: Path) -> Table:
    """Read a table whose columns are separated by commas, semicolons or tabs.

    Raises
    ------
    ConfigError
        If the file cannot be read, or has no header or no row.
    """
    lines = [(n, line) for n, line in enumerate(_lines(path), 1) if line.strip()]
    comments = tuple(line.lstrip("# \t").strip() for _, line in lines if line.startswith("#"))
    rest = [(n, line) for n, line in lines if not line.startswith("#")]
    if len(rest) < 2:
        raise ConfigError(f"{path}: has no header with a row below it")
    header, first = rest[0]
    delimiter = max(_DELIMITERS, key=first.count)  # the first of those that are equally frequent
    if not first.count(delimiter):
        raise ConfigError("the header has one column; commas, semicolons or tabs separate them", file=path, line=header)
    try:
        cells = list(csv.reader((line for _, line in rest), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    if len(cells) != len(rest):
        raise ConfigError(f"{path}: a text in quotes goes over several lines")
    names, *clean = [[cell.strip().strip('"').strip() for cell in row] for row in cells]
    rows = [(n, row) for (n, _), row in zip(rest[1:], clean, strict=True)]
    if delimiter == "\t" and all(map(_RDB_FORMAT.fullmatch, rows[0][1])):
        del rows[0]
    while names and not names[-1] and not any(any(row[len(names) - 1 :]) for _, row in rows):
        del names[-1]  # each line ends with a delimiter
    table = Table(path, comments, tuple(names), header, rows)
    if not rows:
        raise ConfigError(f"{path}: has no row below its header")
    for i, (_, row) in enumerate(rows):
        if any(row[len(names) :]):
            raise table.error(i, f"has {len(row)} cells, the header {len(names)}")
    return table


def _lines(path: Path) -> list[str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    if b"\0" in content[:4096]:
        raise ConfigError(f"{path}: is not a text file")
    try:
        return content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return content.decode("latin-1").splitlines()  # GRDC's m³ is in it, and every byte a character
