"""Cutting a domain into square tiles, and putting it together again."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bmi_common import ConfigError


def starts(length: int, size: int) -> list[int]:
    """First cells of the tiles along an axis: side by side, the last one shifted inward so that it fits.

    Raises
    ------
    ConfigError
        If the axis is shorter than a tile.
    """
    if length < size:
        raise ConfigError(
            f"the domain is {length} cells long in one direction, shorter than a tile of {size}; "
            "choose a smaller `tile:` or `tile: whole`"
        )
    count = -(-length // size)
    return [min(i * size, length - size) for i in range(count)]


class Tiling:
    """Tiles that cover a domain.

    Tiles do not overlap, except the last row and the last column, which are shifted inward. Tiles without an active
    cell are left out.

    Parameters
    ----------
    shape : tuple of int
        (ny, nx) of the domain.
    tile : tuple of int
        (ny, nx) of a tile; that of the domain for the whole domain at once.
    mask : ndarray of bool, shape (ny, nx), optional
        Active cells.
    device : torch.device, optional
        Where the tensors to be cut lie.

    Attributes
    ----------
    corners : ndarray of int, shape (tiles, 2)
        First row and first column of each tile, rows the slower.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        tile: tuple[int, int],
        mask: NDArray[np.bool_] | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.shape, self.tile = shape, tile
        corners = [(y, x) for y in starts(shape[0], tile[0]) for x in starts(shape[1], tile[1])]
        if mask is not None:
            corners = [(y, x) for y, x in corners if mask[y : y + tile[0], x : x + tile[1]].any()]
        self.corners = np.array(corners, dtype=np.intp).reshape(-1, 2)
        cell = np.arange(shape[0] * shape[1]).reshape(shape)
        cells = np.stack([cell[y : y + tile[0], x : x + tile[1]].ravel() for y, x in corners])
        self._cells = torch.from_numpy(cells.ravel()).to(device)
        self._first, self._shared, self._pieces, self._weights = (
            torch.from_numpy(a).to(device) for a in _covering(cells.ravel(), cell.size)
        )

    @property
    def count(self) -> int:
        """Number of tiles."""
        return len(self.corners)

    def split(self, field: Tensor) -> Tensor:
        """Cut a field (channel, ny, nx) into tiles (tile, channel, y, x), channels last in memory."""
        pixels = field.reshape(field.shape[0], -1).T
        return pixels[self._cells].view(self.count, *self.tile, field.shape[0]).permute(0, 3, 1, 2)

    def assemble(self, tiles: Tensor) -> Tensor:
        """Put tiles (tile, channel, y, x) together to (channel, ny, nx).

        A cell of several tiles gets the mean of their values; one without a tile some finite value or other.
        """
        channels = tiles.shape[1]
        pixels = tiles.permute(0, 2, 3, 1).reshape(-1, channels)
        field = pixels[self._first]
        if len(self._shared):
            # gathered, not scattered, so that the order of the sum is fixed on every device
            field[self._shared] = (pixels[self._pieces] * self._weights.to(pixels.dtype)).sum(dim=1)
        return field.T.reshape(channels, *self.shape)


def _covering(cells: NDArray[np.intp], size: int) -> tuple[NDArray[np.intp], ...]:
    """Pixels of tiles that make up each cell, from the cell of each pixel.

    Returns the first pixel of every cell; the cells of several pixels; their pixels (cells, 4), filled up with the
    first; the weights of these (cells, 4, 1) in the mean.
    """
    order = np.argsort(cells, kind="stable")
    count = np.bincount(cells, minlength=size)
    begin = np.cumsum(count) - count
    first = np.where(count > 0, order[np.minimum(begin, len(order) - 1)], 0)
    shared = np.flatnonzero(count > 1)
    nth = np.arange(count.max(initial=1))
    is_piece = nth < count[shared, np.newaxis]
    pieces = order[np.where(is_piece, begin[shared, np.newaxis] + nth, begin[shared, np.newaxis])]
    weights = np.where(is_piece, 1.0 / count[shared, np.newaxis], 0.0)[..., np.newaxis]
    return first, shared, pieces, weights
