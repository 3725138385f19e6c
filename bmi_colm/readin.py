"""``CoLM_readin.dat``: land cover, place and soil texture of every cell, as the coupled CoLM reads them.

One line a cell of the whole grid, x fastest, southern row first, without a header; 45 numbers separated by blanks:
i, j (not used by CoLM), IGBP class 1-17, longitude, latitude [degrees], then eight levels from the top of each of
gravel [% of volume], sand, clay [% of the weight of the fine earth], organic carbon [0.01 % of weight] and bulk
density [0.01 g cm-3]. Level l describes soil layer l + 1; layer 1 copies layer 2 and layer 10 copies layer 9.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bmi_colm.soil import SoilTexture
from bmi_common.errors import ConfigError, describe_cell

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

LEVELS = 8
NUMBERS = 5 + 5 * LEVELS
FIRST_CLASS, LAST_CLASS = 1, 17

_HUNDREDTHS = 100.0  # organic carbon and bulk density are stored in hundredths
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Readin:
    """Cells of a ``CoLM_readin.dat`` in the order of its lines.

    Attributes
    ----------
    land_cover : ndarray of int, shape (n,)
        IGBP class.
    longitude, latitude : ndarray, shape (n,)
        Degrees.
    texture : SoilTexture
        Arrays of shape (n, 8), top first, in the units of `SoilTexture`.
    """

    land_cover: Integers
    longitude: Floats
    latitude: Floats
    texture: SoilTexture


def read_readin(path: Path, mask: Mask) -> Readin:
    """Read the active cells of a grid.

    Parameters
    ----------
    path : Path
        The file; it has a line for every cell of the grid.
    mask : ndarray of bool, shape (ny, nx)
        Cells wanted; what other lines hold does not matter.

    Raises
    ------
    ConfigError
        For a wrong number of lines or columns, words that are no numbers, and impossible values in active cells;
        names the line.
    """
    lines = read_lines(path, mask)
    table = _table(path, lines, mask)
    levels = np.moveaxis(table[:, 5:].reshape(-1, 5, LEVELS), 1, 0)
    gravel, sand, clay, carbon, density = (np.ascontiguousarray(quantity) for quantity in levels)
    numbers = np.flatnonzero(mask) + 1

    def name(column: int) -> str:
        return f"{path}:{numbers[column]}"

    cover = table[:, 2]
    fractional = ~(cover == np.round(cover))
    if fractional.any():
        c = int(np.argmax(fractional))
        raise ConfigError(f"{name(c)}: {cover[c]:g} is no IGBP class ({FIRST_CLASS}-{LAST_CLASS})")
    readin = Readin(
        cover.astype(np.int64),
        table[:, 3],
        table[:, 4],
        SoilTexture(sand, clay, gravel, carbon / _HUNDREDTHS, density / _HUNDREDTHS),
    )
    _check(readin, name)
    return readin


def read_lines(path: Path, mask: Mask) -> list[str]:
    """Return the lines of the active cells as they stand in the file, which has a line for every cell of `mask`.

    Raises
    ------
    ConfigError
        If the number of lines is not that of the grid, or a line has not 45 columns.
    """
    try:
        lines = path.read_text(encoding="utf-8").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as text: {error}") from error
    ny, nx = mask.shape
    if len(lines) != mask.size:
        raise ConfigError(f"{path}: {len(lines)} lines; a grid of {nx} x {ny} cells needs {mask.size}, one a cell")
    for number, line in enumerate(lines, start=1):
        columns = len(line.split())
        if columns != NUMBERS:
            raise ConfigError(
                f"{path}:{number}: {columns} columns instead of {NUMBERS}: i, j, IGBP class, longitude, latitude, then "
                f"{LEVELS} levels of gravel, sand, clay, organic carbon and bulk density"
            )
    return [lines[k] for k in np.flatnonzero(mask)]


def write_readin(path: Path, readin: Readin, cells: Integers) -> None:
    """Write cells, one a line; see `format_lines`."""
    path.write_text("".join(f"{line}\n" for line in format_lines(readin, cells)), encoding="utf-8")


def format_lines(readin: Readin, cells: Integers) -> list[str]:
    """Return the line of each cell.

    Parameters
    ----------
    readin : Readin
        The cells.
    cells : ndarray of int, shape (n, 2)
        (j, i) of each cell, written one-based into the two columns that CoLM does not use.

    Raises
    ------
    ConfigError
        For a class or texture that CoLM cannot take; names the cell.
    """
    _check(readin, lambda c: describe_cell(tuple(cells[c])))
    t = readin.texture
    place = np.stack([readin.longitude, readin.latitude], axis=1)
    profiles = [t.gravel, t.sand, t.clay, t.organic_carbon * _HUNDREDTHS, t.bulk_density * _HUNDREDTHS]
    table = np.hstack([place, *profiles])
    # twelve digits: a hundredth of a float is written without the noise of its last bit
    numbers = " ".join(["%.12g"] * table.shape[1])
    rows = zip(cells.tolist(), readin.land_cover.tolist(), table.tolist(), strict=True)
    return [f"{i + 1} {j + 1} {cover} {numbers % tuple(row)}" for (j, i), cover, row in rows]


def to_layers(levels: SoilTexture) -> SoilTexture:
    """Texture of CoLM's ten soil layers, shape (n, 10), from the eight levels."""
    return _map(levels, lambda v: np.concatenate([v[:, :1], v, v[:, -1:]], axis=1))


def to_levels(texture: SoilTexture) -> tuple[SoilTexture, Mask]:
    """Eight levels of the texture of soil layers.

    Parameters
    ----------
    texture : SoilTexture
        Arrays of shape (n,) for whole columns, or (n, 10), top first.

    Returns
    -------
    levels : SoilTexture
        Arrays of shape (n, 8).
    reduced : ndarray of bool, shape (n,)
        Columns whose outermost layers differ from their neighbours, which the levels cannot tell.
    """

    def per_layer(values: Floats) -> Floats:
        return values if values.ndim == 2 else np.repeat(values[:, np.newaxis], LEVELS + 2, axis=1)

    layers = _map(texture, per_layer)
    levels = _map(layers, lambda v: v[:, 1:-1])
    restored = to_layers(levels)
    reduced = np.zeros(len(layers.sand), dtype=bool)
    for field in fields(SoilTexture):
        reduced |= (getattr(layers, field.name) != getattr(restored, field.name)).any(axis=1)
    return levels, reduced


def _map(texture: SoilTexture, change: Callable[[Floats], Floats]) -> SoilTexture:
    return SoilTexture(**{f.name: change(getattr(texture, f.name)) for f in fields(SoilTexture)})


def _table(path: Path, lines: list[str], mask: Mask) -> Floats:
    # Fortran writes exponents of double precision with a D
    rows = [line.replace("D", "E").replace("d", "e").split() for line in lines]
    try:
        table = np.array([[float(word) for word in row] for row in rows]).reshape(-1, NUMBERS)
    except ValueError as error:
        number, word = next((n, w) for n, row in enumerate(rows) for w in row if not _is_number(w))
        line = np.flatnonzero(mask)[number] + 1
        raise ConfigError(f"{path}:{line}: {word!r} is no number") from error
    return table


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _check(readin: Readin, name: Callable[[int], str]) -> None:
    t, cover = readin.texture, readin.land_cover
    unknown = (cover < FIRST_CLASS) | (cover > LAST_CLASS)
    if unknown.any():
        c = int(np.argmax(unknown))
        raise ConfigError(f"{name(c)}: {cover[c]} is no IGBP class ({FIRST_CLASS}-{LAST_CLASS})")
    for what, values, low, high in (
        ("longitude", readin.longitude, -180.0, 360.0),
        ("latitude", readin.latitude, -90.0, 90.0),
        ("gravel", t.gravel, 0.0, 100.0),
        ("sand", t.sand, 0.0, 100.0),
        ("clay", t.clay, 0.0, 100.0),
        ("sand and clay together", t.sand + t.clay, 0.0, 100.0),
        ("organic carbon", t.organic_carbon, 0.0, 100.0),
        ("bulk density", t.bulk_density, 0.0, 10.0),
    ):
        table = values.reshape(len(cover), -1)
        bad = ~((table >= low) & (table <= high + _ROUNDING))  # NaN is bad, too
        if bad.any():
            c = int(np.argmax(bad.any(axis=1)))
            raise ConfigError(f"{name(c)}: {what} must be {low:g} to {high:g}, got {table[c][bad[c]][0]:g}")
