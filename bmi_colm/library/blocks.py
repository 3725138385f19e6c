"""Decomposition of a domain into blocks, one library process each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bmi_common.errors import ConfigError


@dataclass(frozen=True)
class Block:
    """Active cells of a rectangle of the grid.

    Attributes
    ----------
    rank : int
        Number of the rectangle, counted from west to east, then from south to north, as ParFlow counts processes.
    cells : ndarray of int, shape (n, 2)
        (j, i) of its active cells, x fastest.
    """

    rank: int
    cells: NDArray[np.int64]

    @property
    def size(self) -> int:
        """Number of active cells."""
        return len(self.cells)

    @property
    def j(self) -> NDArray[np.int64]:
        """Row of each cell."""
        return self.cells[:, 0]

    @property
    def i(self) -> NDArray[np.int64]:
        """Column of each cell."""
        return self.cells[:, 1]

    def __str__(self) -> str:
        (south, west), (north, east) = self.cells.min(axis=0), self.cells.max(axis=0)
        return f"block {self.rank} (j={south}-{north}, i={west}-{east})"


def decompose(mask: NDArray[np.bool_], blocks: tuple[int, int]) -> list[Block]:
    """Cut the grid into rectangles as ParFlow does, the first ones a cell longer where sizes do not divide.

    Parameters
    ----------
    mask : ndarray of bool, shape (ny, nx)
        Active cells.
    blocks : (int, int)
        Number of blocks from west to east and from south to north.

    Returns
    -------
    list of Block
        Blocks with active cells; a rectangle without any has its rank, but no block.

    Raises
    ------
    ConfigError
        If there are more blocks than cells in a direction.
    """
    for axis, count, size in (("x", blocks[0], mask.shape[1]), ("y", blocks[1], mask.shape[0])):
        if count > size:
            raise ConfigError(f"library.blocks: {count} blocks for {size} cells in {axis}")
    columns = np.array_split(np.arange(mask.shape[1]), blocks[0])
    rows = np.array_split(np.arange(mask.shape[0]), blocks[1])
    result: list[Block] = []
    for q, js in enumerate(rows):
        for p, i_s in enumerate(columns):
            inside = mask[js[0] : js[-1] + 1, i_s[0] : i_s[-1] + 1]
            cells = np.argwhere(inside) + np.array([js[0], i_s[0]])
            if len(cells):
                result.append(Block(p + q * blocks[0], cells))
    return result
