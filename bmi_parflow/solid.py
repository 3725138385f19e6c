"""The watershed as ParFlow takes it: a closed triangulated solid (``.pfsol``) over the active columns."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PATCHES = ("top", "bottom", "side")
"""Patches of the solid in the order of the file."""

Corners = NDArray[np.int64]


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
