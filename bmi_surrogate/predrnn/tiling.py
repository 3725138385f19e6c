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


def corners_of(shape: tuple[int, int], tile: tuple[int, int], mask: NDArray[np.bool_] | None) -> NDArray[np.intp]:
    """First row and first column of the tiles that cover a domain, (tiles, 2), rows the slower; see `Tiling`."""
    corners = [(y, x) for y in starts(shape[0], tile[0]) for x in starts(shape[1], tile[1])]
    if mask is not None:
        corners = [(y, x) for y, x in corners if mask[y : y + tile[0], x : x + tile[1]].any()]
    return np.array(corners, dtype=np.intp).reshape(-1, 2)


def cells_of(shape: tuple[int, int], tile: tuple[int, int], corners: NDArray[np.intp]) -> NDArray[np.intp]:
    """Flat indices of the cells of each tile, (tiles, pixels)."""
    cell = np.arange(shape[0] * shape[1]).reshape(shape)
    return np.stack([cell[y : y + tile[0], x : x + tile[1]].ravel() for y, x in corners])


def cut(rows: Tensor, cells: Tensor, tile: tuple[int, int]) -> Tensor:
    """Tiles (tile, channel, y, x), channels last in memory, of the rows (cell, channel) that their pixels name."""
    return rows[cells].view(len(cells) // (tile[0] * tile[1]), *tile, rows.shape[1]).permute(0, 3, 1, 2)


class Cover:
    """Pixels of tiles over the cells of a field.

    Parameters
    ----------
    cells : ndarray of int, shape (pixels,)
        Cell under each pixel.
    size : int
        Number of cells.
    device : torch.device, optional
        Where the pixels lie.
    most : int
        Pixels that a cell may have at least.
    """

    def __init__(self, cells: NDArray[np.intp], size: int, device: torch.device | None = None, most: int = 1) -> None:
        self._first, self._shared, self._pieces, self._weights = (
            torch.from_numpy(a).to(device) for a in _covering(cells, size, most)
        )

    def means(self, pixels: Tensor) -> Tensor:
        """Mean of the pixels (pixel, channel) of every cell, (cell, channel); something finite where there is none."""
        field = pixels[self._first]
        if len(self._shared):
            # gathered, not scattered, so that the order of the sum is fixed on every device
            field[self._shared] = (pixels[self._pieces] * self._weights.to(pixels.dtype)).sum(dim=1)
        return field


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
        self.corners = corners_of(shape, tile, mask)
        cells = cells_of(shape, tile, self.corners).ravel()
        self._cells = torch.from_numpy(cells).to(device)
        self._cover = Cover(cells, shape[0] * shape[1], device)

    @property
    def count(self) -> int:
        """Number of tiles."""
        return len(self.corners)

    def split(self, field: Tensor) -> Tensor:
        """Cut a field (channel, ny, nx) into tiles (tile, channel, y, x), channels last in memory."""
        return cut(field.reshape(field.shape[0], -1).T, self._cells, self.tile)

    def assemble(self, tiles: Tensor) -> Tensor:
        """Put tiles (tile, channel, y, x) together to (channel, ny, nx).

        A cell of several tiles gets the mean of their values; one without a tile some finite value or other.
        """
        channels = tiles.shape[1]
        pixels = tiles.permute(0, 2, 3, 1).reshape(-1, channels)
        return self._cover.means(pixels).T.reshape(channels, *self.shape)


def _covering(cells: NDArray[np.intp], size: int, most: int) -> tuple[NDArray[np.intp], ...]:
    """Pixels of tiles that make up each cell, from the cell of each pixel.

    Returns the first pixel of every cell; the cells of several pixels; their pixels, (cells, `most` or more), filled up
    with the first; the weights of these, (cells, as many, 1), in the mean.
    """
    order = np.argsort(cells, kind="stable")
    count = np.bincount(cells, minlength=size)
    begin = np.cumsum(count) - count
    first = np.where(count > 0, order[np.minimum(begin, len(order) - 1)], 0)
    shared = np.flatnonzero(count > 1)
    nth = np.arange(count.max(initial=most))
    is_piece = nth < count[shared, np.newaxis]
    pieces = order[np.where(is_piece, begin[shared, np.newaxis] + nth, begin[shared, np.newaxis])]
    weights = np.where(is_piece, 1.0 / count[shared, np.newaxis], 0.0)[..., np.newaxis]
    return first, shared, pieces, weights
