"""Input files of ParFlow-CLM: ``drv_clmin.dat`` and the vegetation map ``drv_vegm``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bmi_common.errors import ConfigError
from rootzone.parflow_import.grid import ParflowGrid
from rootzone.parflow_import.sources import Floats

_NAME_WIDTH: Final = 15
CLASSES: Final = 18
_BARE_SOIL: Final = 18
_BARREN: Final = 16


@dataclass(frozen=True)
class ClmInput:
    """Values of ``drv_clmin.dat`` by name, as text."""

    path: Path
    values: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> ClmInput:
        """Read the file; raises `ConfigError` if it is missing or unreadable."""
        values: dict[str, str] = {}
        for line in read_lines(path):
            # names fill a fixed width, so that a value may follow without a blank
            name, rest = line[:_NAME_WIDTH].strip(), line[_NAME_WIDTH:].split()
            if name and not name.startswith("!") and rest:
                values[name] = rest[0]
        return cls(path, values)

    def text(self, name: str) -> str:
        """Value of a name; raises `ConfigError` if it is missing."""
        if name not in self.values:
            raise ConfigError(f"{self.path}: {name}: this name is missing")
        return self.values[name]

    def number(self, name: str) -> float:
        """Value of a name as a number."""
        try:
            return fortran_number(self.text(name))
        except ValueError:
            raise ConfigError(f"{self.path}: {name}: expected a number, got {self.text(name)!r}") from None

    @property
    def start(self) -> datetime:
        """Calendar time of the first step (UTC)."""
        year, month, day, hour, minute, second = (
            int(self.number(name)) for name in ("syr", "smo", "sda", "shr", "smn", "sss")
        )
        try:
            # ParFlow-CLM counts days from the start of the year, so that day 0 is the last of the month before
            first = datetime(year, month, max(day, 1), hour, minute, second)
            return first if day else first - timedelta(days=1)
        except ValueError as error:
            raise ConfigError(
                f"{self.path}: syr, smo, sda, shr, smn, sss: no date: {year}-{month}-{day} {hour}:{minute}:{second} "
                f"({error})"
            ) from None


@dataclass(frozen=True)
class VegetationMap:
    """Fields (ny, nx) of a ``drv_vegm`` file.

    Attributes
    ----------
    latitude, longitude : ndarray
        Degrees north and east.
    sand, clay : ndarray
        Mass fraction [-].
    colour : ndarray of int
        Colour class of the soil, 1 (bright) to 8.
    fractions : ndarray, shape (ny, nx, 18)
        Share of each IGBP class.
    """

    path: Path
    latitude: Floats
    longitude: Floats
    sand: Floats
    clay: Floats
    colour: NDArray[np.int64]
    fractions: Floats

    @classmethod
    def read(cls, path: Path, grid: ParflowGrid) -> VegetationMap:
        """Read the file.

        Raises
        ------
        ConfigError
            If it is missing, has cells outside the grid, lacks cells, or shares that do not add up to 1.
        """
        table = np.full((*grid.surface, 5 + CLASSES), np.nan)
        for number, line in enumerate(read_lines(path), 1):
            words = line.split()
            if not words or not words[0].isdigit():
                continue
            if len(words) != 7 + CLASSES:
                raise ConfigError(f"{path}:{number}: {len(words)} columns, needs {7 + CLASSES} (IGBP classes 1-18)")
            try:
                x, y = int(words[0]), int(words[1])
                values = [fortran_number(word) for word in words[2:]]
            except ValueError as error:
                raise ConfigError(f"{path}:{number}: {error}") from None
            if not (1 <= x <= grid.nx and 1 <= y <= grid.ny):
                raise ConfigError(f"{path}:{number}: cell {x} {y} is outside the grid of {grid.nx} x {grid.ny} cells")
            table[y - 1, x - 1] = values
        missing = np.argwhere(np.isnan(table).any(axis=2))
        if len(missing):
            y, x = missing[0] + 1
            raise ConfigError(f"{path}: {len(missing)} cells of the grid are missing, the first is {x} {y}")
        latitude, longitude, sand, clay, colour = (table[..., i] for i in range(5))
        colours = np.rint(colour).astype(np.int64)
        result = cls(path, latitude, longitude, sand, clay, colours, table[..., 5:])
        total = result.fractions.sum(axis=2)
        if np.abs(total - 1.0).max() > 0.01:
            y, x = np.argwhere(np.abs(total - 1.0) > 0.01)[0]
            raise ConfigError(f"{path}: shares of cell {x + 1} {y + 1} add up to {total[y, x]:g}, must be 1")
        return result

    @property
    def land_cover(self) -> NDArray[np.int64]:
        """The class with the largest share, with bare soil (18) as barren or sparsely vegetated (16)."""
        largest = self.fractions.argmax(axis=2) + 1
        return np.where(largest == _BARE_SOIL, _BARREN, largest)

    @property
    def mixed(self) -> int:
        """Number of cells with more than one class."""
        return int((self.fractions.max(axis=2) < 0.999).sum())

    @property
    def bare(self) -> int:
        """Number of cells of bare soil."""
        return int((self.fractions.argmax(axis=2) + 1 == _BARE_SOIL).sum())


def fortran_number(text: str) -> float:
    """Read a number of Fortran, whose exponent may be a ``d``."""
    return float(text.lower().replace("d", "e"))


def read_lines(path: Path) -> list[str]:
    """Read a text file; raises `ConfigError` if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
