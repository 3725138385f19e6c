"""Tiles of a domain that processes share: each computes some of them, whatever cells it has itself.

Tiles are dealt out in the blocks in which one process computes them, because PyTorch chooses its convolutions by the
number of tiles that it is given: so each has the bits of one process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bmi_common.deliveries import Deliveries, by_process
from bmi_common.partition import Part
from bmi_common.world import MpiWorld
from bmi_surrogate.predrnn.tiling import Cover, cells_of, corners_of, cut

Integers = NDArray[np.intp]


@dataclass
class _Share:
    """What one process computes, and its lists: cells of the window, and pixels of its tiles, by process."""

    corners: Integers
    needed: int  # cells of all its tiles
    cells: Integers  # of them, that of each pixel
    most: int  # pixels on a cell of the whole domain
    gives_cells: dict[int, Integers] = field(default_factory=dict)
    takes_cells: dict[int, Integers] = field(default_factory=dict)
    gives_pixels: dict[int, Integers] = field(default_factory=dict)
    takes_pixels: dict[int, Integers] = field(default_factory=dict)
    beneath: Integers = field(default_factory=lambda: np.empty(0, dtype=np.intp))  # cells under the pixels taken

    def take_pixels(self, rank: int, cells: Integers) -> None:
        """Take the pixels of another process over these cells of the window, after those taken before."""
        self.takes_pixels[rank] = np.arange(self.beneath.size, self.beneath.size + cells.size)
        self.beneath = np.concatenate((self.beneath, cells))


class SharedTiling:
    """The tiles that this process computes, of those that cover the domain; as `Tiling`, for fields of its window.

    All processes create it, and call `split` and `assemble`, together. Only cells of its own matter of the window that
    a process cuts, and only these are meaningful in the one that it gets.

    Parameters
    ----------
    part : Part
        Of the domain.
    tile : tuple of int
        (ny, nx) of a tile.
    block : int or None
        Tiles that stay together; None for all.
    device : torch.device
        Where the tensors to be cut lie.

    Attributes
    ----------
    shape, tile : tuple of int
        (ny, nx) of the window, and of a tile.
    corners : ndarray of int, shape (tiles, 2)
        First row and first column of each tile of this process, in the whole domain.

    Raises
    ------
    ConfigError
        If the domain is smaller than a tile.
    """

    def __init__(self, part: Part, tile: tuple[int, int], block: int | None, device: torch.device) -> None:
        assert isinstance(part.world, MpiWorld)
        share: _Share = part.world.dealt(_shares(part, tile, block))
        self.shape, self.tile = (part.mask.shape[0], part.mask.shape[1]), tile
        self.corners, self._needed, self._device = share.corners, share.needed, device
        self._cells = torch.from_numpy(share.cells).to(device)
        self._inputs = Deliveries(part.world, share.gives_cells, share.takes_cells)
        self._outputs = Deliveries(part.world, share.gives_pixels, share.takes_pixels)
        self._arriving = share.beneath.size
        self._cover = Cover(share.beneath, part.mask.size, device, share.most)

    @property
    def count(self) -> int:
        """Number of tiles of this process."""
        return len(self.corners)

    def split(self, field: Tensor) -> Tensor:
        """Cut a field (channel, ny, nx) into tiles (tile, channel, y, x), channels last in memory."""
        needed = self._moved(self._inputs, field.reshape(field.shape[0], -1).T, self._needed)
        return cut(needed, self._cells, self.tile)

    def assemble(self, tiles: Tensor) -> Tensor:
        """Put the tiles (tile, channel, y, x) of all processes together to (channel, ny, nx); see `Tiling.assemble`."""
        channels = tiles.shape[1]
        pixels = self._moved(self._outputs, tiles.permute(0, 2, 3, 1).reshape(-1, channels), self._arriving)
        return self._cover.means(pixels).T.reshape(channels, *self.shape)

    def _moved(self, deliveries: Deliveries, rows: Tensor, count: int) -> Tensor:
        return torch.from_numpy(deliveries(rows.cpu().numpy(), count)).to(self._device)


def _shares(part: Part, tile: tuple[int, int], block: int | None) -> list[_Share] | None:
    """Deal the tiles out, in process 0."""
    world = part.world
    mask, windows = part.whole(part.mask), world.collected((part.rows, part.columns))
    if mask is None or windows is None or part.division is None:
        return None
    corners = corners_of(part.shape, tile, mask)
    cells, owner = cells_of(part.shape, tile, corners), part.division.ravel()
    most = int(np.bincount(cells.ravel()).max())
    runs = _runs(len(corners), block or len(corners), world.size)
    needed = [np.unique(cells[run].ravel(), return_inverse=True) for run in runs]
    shares = [_Share(corners[run], at.size, of, most) for run, (at, of) in zip(runs, needed, strict=True)]

    def local(rank: int, of_domain: Integers) -> Integers:
        """Numbers of cells of the domain in the window of a process."""
        rows, columns = windows[rank]
        j, i = np.divmod(of_domain, part.shape[1])
        return np.asarray((j - rows.start) * (columns.stop - columns.start) + i - columns.start)

    for rank, (own, run) in enumerate(zip(shares, runs, strict=True)):
        inputs, pixels = needed[rank][0], cells[run].ravel()
        own.takes_cells, own.gives_pixels = by_process(owner[inputs]), by_process(owner[pixels])
        for other, at in own.takes_cells.items():
            shares[other].gives_cells[rank] = local(other, inputs[at])
        for other, at in own.gives_pixels.items():
            shares[other].take_pixels(rank, local(other, pixels[at]))
    return shares


def _runs(tiles: int, block: int, processes: int) -> Sequence[slice]:
    """Tiles of each process: whole blocks that follow one another, about as many each."""
    blocks = -(-tiles // block)
    ends = [min(blocks * rank // processes * block, tiles) for rank in range(processes + 1)]
    return [slice(*run) for run in pairwise(ends)]
