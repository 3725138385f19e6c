"""The watershed as ParFlow takes it: a closed triangulated solid (``.pfsol``) over the active columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bmi_common.errors import ConfigError

PATCHES = ("top", "bottom", "side")
"""Patches of the solid that `write_solid` writes, in the order of the file."""

Corners = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Solid:
    """A closed surface of triangles.

    Attributes
    ----------
    vertices : ndarray, shape (vertices, 3)
        Coordinates x, y, z [m].
    triangles : ndarray of int, shape (triangles, 3)
        Vertices of each triangle.
    patches : list of ndarray of int
        Triangles of each patch; a definition names the patches in this order.
    """

    vertices: Floats
    triangles: Corners
    patches: list[Corners]


def read_solids(path: Path) -> list[Solid]:
    """Read the solids of a ``.pfsol`` file, which share its vertices.

    Raises
    ------
    ConfigError
        If the file cannot be read, is no solid file, ends early, or names vertices or triangles that it does not have.
    """
    try:
        words = path.read_text(encoding="ascii").split()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: not a readable solid file: {error}") from None
    at = 1

    def take(count: int, kind: Callable[[str], float], what: str) -> list[float]:
        nonlocal at
        found = words[at : at + count]
        if len(found) < count:
            raise ConfigError(f"{path}: not a whole solid file: it ends in the {what}")
        at += count
        try:
            return [kind(word) for word in found]
        except ValueError as error:
            raise ConfigError(f"{path}: not a solid file: {what}: {error}") from None

    def number(what: str) -> int:
        value = int(take(1, int, f"number of {what}")[0])
        if value < 0:
            raise ConfigError(f"{path}: not a solid file: the number of {what} is {value}")
        return value

    def indices(count: int, below: int, what: str) -> Corners:
        values = np.array(take(count, int, what), dtype=np.int64)
        if count and not (values.min() >= 0 and values.max() < below):
            raise ConfigError(f"{path}: not a solid file: the {what} refer to more than there is")
        return values

    if words[:1] != ["1"]:
        raise ConfigError(f"{path}: not a solid file of ParFlow, which begins with the version 1")
    vertices = np.array(take(3 * number("vertices"), float, "vertices")).reshape(-1, 3)
    if not np.isfinite(vertices).all():
        raise ConfigError(f"{path}: not a solid file: coordinates of vertices must be finite")
    solids = []
    for _ in range(number("solids")):
        triangles = indices(3 * number("triangles"), len(vertices), "triangles").reshape(-1, 3)
        patches = [indices(number("triangles of a patch"), len(triangles), "patches") for _ in range(number("patches"))]
        solids.append(Solid(vertices, triangles, patches))
    return solids


def write_solid(path: Path, mask: NDArray[np.bool_], dx: float, dy: float, height: float) -> None:
    """Write a solid of the active columns, from 0 to `height`, the lower left corner of the grid at (0, 0).

    pftools' own builder calls a program that only some builds of ParFlow install; this needs none.

    Parameters
    ----------
    path : Path
        File to write.
    mask : ndarray of bool, shape (ny, nx)
        Active columns.
    dx, dy : float
        Size of a cell [m].
    height : float
        Height of the solid in ParFlow's computational grid.
    """
    ny, nx = mask.shape
    level = (ny + 1) * (nx + 1)  # corners of one level; those of the top follow those of the bottom
    j, i = np.nonzero(mask)
    outside = ~np.pad(mask, 1, constant_values=False)
    west, east = outside[1:-1, :-2][mask], outside[1:-1, 2:][mask]
    south, north = outside[:-2, 1:-1][mask], outside[2:, 1:-1][mask]
    sw = j * (nx + 1) + i
    se, nw, ne = sw + 1, sw + nx + 1, sw + nx + 2

    top = _split(sw + level, se + level, ne + level, nw + level)
    bottom = _split(sw, nw, ne, se)
    side = np.concatenate(
        [
            _wall(nw[west], sw[west], level),
            _wall(se[east], ne[east], level),
            _wall(sw[south], se[south], level),
            _wall(ne[north], nw[north], level),
        ]
    )
    triangles = np.concatenate([top, bottom, side])
    used, renumbered = np.unique(triangles, return_inverse=True)
    upper, corner = np.divmod(used, level)
    row, column = np.divmod(corner, nx + 1)
    vertices = np.column_stack([column * dx, row * dy, upper * height])

    ends = np.cumsum([0, len(top), len(bottom), len(side)])
    with path.open("w", encoding="ascii") as file:
        file.write(f"1\n{len(vertices)}\n")
        file.writelines(f"{x!r} {y!r} {z!r}\n" for x, y, z in vertices.tolist())
        file.write(f"1\n{len(triangles)}\n")
        file.writelines(f"{a} {b} {c}\n" for a, b, c in renumbered.reshape(-1, 3).tolist())
        file.write(f"{len(PATCHES)}\n")
        for first, end in pairwise(ends.tolist()):
            file.write(f"{end - first}\n")
            file.writelines(f"{t}\n" for t in range(first, end))


def _split(a: Corners, b: Corners, c: Corners, d: Corners) -> Corners:
    """Two triangles of each quadrilateral; the corners go round counterclockwise as seen from outside."""
    return np.concatenate([np.column_stack([a, b, c]), np.column_stack([a, c, d])])


def _wall(first: Corners, second: Corners, level: int) -> Corners:
    """Walls over the edge from `first` to `second`, which has the solid to its left as seen from above."""
    return _split(first, second, second + level, first + level)
