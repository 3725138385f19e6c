"""Which process writes which tile of a map, and how it comes by the cells that other processes have there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bmi_common.partition import Part
from bmi_common.world import TILES_TAG, MpiWorld

Array = NDArray[Any]


class Tiles:
    """The tiles that this process writes: those in which it has more cells than any other.

    All processes make them together. Each keeps no more of a map than its window and its tiles.

    Parameters
    ----------
    part : Part
        Of the domain.
    cells : ndarray of bool
        Of the window (rows, columns), those that have values; of them, this process gives its own.
    tile : (int, int)
        Rows and columns of a tile; the first begins at the first row and column of the domain.
    """

    def __init__(self, part: Part, cells: NDArray[np.bool_], tile: tuple[int, int]) -> None:
        self._shape, self._tile = part.shape, tile
        self._across = -(-part.shape[1] // tile[1])
        assert isinstance(part.world, MpiWorld)
        self._world = part.world
        rank = part.world.rank
        j, i = np.nonzero(cells & part.own)
        place = np.stack((j + part.offset[0], i + part.offset[1]))
        number = self._numbers(place)
        counts = part.world.gathered(_counts(number))
        writer = _writers(counts)
        to = np.array([writer[n] for n in number.tolist()], dtype=np.intp)
        self._given = {other: (j[to == other], i[to == other]) for other in np.unique(to).tolist()}
        places = {other: np.ascontiguousarray(place[:, to == other]) for other in self._given}
        taken = {
            other: np.empty((2, size), dtype=np.int64)
            for other, found in enumerate(counts)
            if (size := sum(count for n, count in found.items() if writer[n] == rank))
        }
        self._exchange(places, taken)
        self._sizes = {other: place.shape[1] for other, place in taken.items()}
        self._sources = {n: self._sources_of(n, taken) for n, owner in sorted(writer.items()) if owner == rank}

    def _numbers(self, place: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tile of each cell, given by row and column."""
        return np.asarray(place[0] // self._tile[0] * self._across + place[1] // self._tile[1])

    def _sources_of(self, n: int, taken: dict[int, NDArray[np.int64]]) -> list[tuple[int, Array, Array, Array]]:
        """Of a tile, by process: which of the cells taken from it lie there, and their rows and columns in the tile."""
        found = []
        for other, place in taken.items():
            inside = np.flatnonzero(self._numbers(place) == n)
            if inside.size:
                found.append((other, inside, place[0, inside] % self._tile[0], place[1, inside] % self._tile[1]))
        return found

    def _exchange(self, given: dict[int, Array], taken: dict[int, Array]) -> None:
        """Give each process what belongs to its tiles, and take what belongs to those of this one."""
        world, rank = self._world, self._world.rank
        if rank in taken:
            taken[rank][...] = given[rank]
        requests = [world.receive(taken[other], other, TILES_TAG) for other in taken if other != rank]
        requests += [world.send(given[other], other, TILES_TAG) for other in given if other != rank]
        world.wait(requests)

    def blocks(self, window: Array, fill: Any) -> Iterator[tuple[tuple[int, ...], Array]]:
        """Give the tiles of this process, with the values that all processes have in them.

        All processes go through theirs together.

        Parameters
        ----------
        window : ndarray, shape (…, rows, columns)
            Values of this process.
        fill : number
            What cells have that no process has a value of.

        Yields
        ------
        tuple of int
            Position of the tile, that of layers and the like, 0, first.
        ndarray, shape (…, rows, columns)
            Its values, as far as it lies in the domain.
        """
        given = {other: np.ascontiguousarray(window[..., j, i]) for other, (j, i) in self._given.items()}
        leading = window.shape[:-2]
        taken = {other: np.empty((*leading, size), dtype=window.dtype) for other, size in self._sizes.items()}
        self._exchange(given, taken)
        for n, sources in self._sources.items():
            j, i = divmod(n, self._across)
            rows, columns = self._tile
            extent = min(rows, self._shape[0] - j * rows), min(columns, self._shape[1] - i * columns)
            block = np.full((*leading, *extent), fill, dtype=window.dtype)
            for other, inside, y, x in sources:
                block[..., y, x] = taken[other][..., inside]
            yield (*(0 for _ in leading), j, i), block


def _counts(number: NDArray[np.int64]) -> dict[int, int]:
    """Return how many cells lie in each tile."""
    found, counts = np.unique(number, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))


def _writers(counts: list[dict[int, int]]) -> dict[int, int]:
    """Return the process that has most cells in each tile, the first of several, from what each has there."""
    most: dict[int, tuple[int, int]] = {}
    for rank, found in enumerate(counts):
        for n, count in found.items():
            if count > most.get(n, (0, 0))[0]:
                most[n] = (count, rank)
    return {n: rank for n, (_, rank) in most.items()}
