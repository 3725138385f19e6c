"""Which windows of which tiles make a batch: a pure function of the data, the options, the seed and the iteration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator

from bmi_common import Config, ConfigError, Domain
from bmi_common.arrays import Array
from bmi_surrogate.predrnn.tiling import Tiling, starts
from bmi_surrogate.training.store import Store
from bmi_surrogate.training.task import Batch, Origin
from bmi_surrogate.training.tiles import Ground, Place

Indices = NDArray[np.intp]

PUBLISHED_HOURS = 120
"""Distance [h] of the windows of the published training."""

_ONLY_RANDOM = ("flips", "storms")


class SamplingConfig(Config):
    """The section `sampling:`.

    `published` takes fixed tiles and windows that start every 120 h, all of them once an epoch in random order.
    `random` takes any window and any tile; a share `storms` of the windows is drawn with a probability in proportion to
    the water that enters the upper layers, the others evenly, and `flips` turns half of the tiles over in x and half of
    them in y, which is exact for overland flow only with the conveyances of faces (see `tiles.Ground`). `halo` cells at
    edges that cut the domain do not count.
    """

    mode: Literal["published", "random"] = "random"
    tile: Annotated[int, Field(ge=2)] | Literal["whole"] = 16
    batch: Annotated[int, Field(ge=1, le=4096)] = 16
    halo: Annotated[int, Field(ge=0)] = 0
    flips: bool = False
    storms: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5

    @model_validator(mode="after")
    def _nothing_idle(self) -> SamplingConfig:
        if self.mode == "published":
            idle = [key for key in _ONLY_RANDOM if key in self.model_fields_set]
            if idle:
                raise ValueError(f"{' and '.join(idle)}: without effect in the mode published")
        if self.halo and self.tile == "whole":
            raise ValueError("halo: without effect, because the whole domain has no edge that cuts it")
        if self.tile != "whole" and 2 * self.halo >= self.tile:
            raise ValueError(f"halo: {self.halo} cells on each side leave nothing of a tile of {self.tile}")
        return self


Sample = tuple[int, Place]
"""First hour and place."""


class Sampler:
    """Draws batches.

    Nothing is remembered from one to the next, so a training that is resumed needs no state of the sampler, and p
    processes that train together take the iterations p n + 0, ..., p n + p - 1.

    Parameters
    ----------
    store : Store
        Heads and sources.
    domain : Domain
        What they belong to.
    statics : ndarray, shape (channels, ny, nx)
        Raw static channels.
    fields : sequence of str
        Fields of the domain that batches carry.
    spec : SamplingConfig
        How to draw.
    seed : int
        Not negative; batches of different seeds are independent.
    basin : int
        Number of the basin, for the origins of samples.

    Raises
    ------
    ConfigError
        If the store belongs to another domain, the domain is smaller than a tile or lacks a field, or no tile has a
        cell that counts.
    """

    def __init__(
        self,
        store: Store,
        domain: Domain,
        statics: Array,
        fields: Sequence[str],
        spec: SamplingConfig,
        seed: int,
        basin: int = 0,
    ) -> None:
        store.check(domain)
        self.store, self.spec, self.seed, self.basin = store, spec, seed, basin
        self.ground = Ground(domain, statics, fields)
        self._shape = self.ground.shape if spec.tile == "whole" else (spec.tile, spec.tile)
        for length, size in zip(self.ground.shape, self._shape, strict=True):
            starts(length, size)  # refuses a domain that is smaller than a tile
        self._cells = np.argwhere(domain.mask)
        self._tiles = self._fixed_tiles() if spec.mode == "published" else []
        self._windows: dict[int, tuple[Indices, Array]] = {}
        self._epoch: tuple[int, int] | None = None
        self._order: Indices = np.zeros(0, dtype=np.intp)

    def batch(self, iteration: int, hours: int) -> Batch:
        """Draw the batch of an iteration, with windows of `hours`; the same one whenever it is asked for.

        Raises
        ------
        ConfigError
            If no stretch of the training hours is that long, or published windows would overlap.
        """
        samples = self._published(iteration, hours) if self.spec.mode == "published" else self._random(iteration, hours)
        return assemble(self.store, self.ground, samples, hours, self.spec.halo, self.basin)

    def whole(self, hour: int, hours: int) -> Batch:
        """Take a window of the whole domain, validation hours included."""
        return whole(self.store, self.ground, hour, hours, self.basin)

    # -------------------------------------------------------------- published

    def _fixed_tiles(self) -> list[Place]:
        corners = Tiling(self.ground.shape, self._shape, self.ground.mask).corners
        places = [Place(int(j), int(i), self._shape) for j, i in corners]
        scored = [p for p in places if self.ground.tile(p, self.spec.halo).scored.any()]
        if not scored:
            raise ConfigError(f"sampling: halo: with {self.spec.halo} cells no tile has a cell that counts")
        return scored

    def _published(self, iteration: int, hours: int) -> list[Sample]:
        if hours > PUBLISHED_HOURS:
            raise ConfigError(
                f"sampling: windows of {hours} h overlap in the mode published, where one starts every "
                f"{PUBLISHED_HOURS} h; choose the mode random or a shorter rollout"
            )
        windows, tiles = self.store.starts(hours, PUBLISHED_HOURS), self._tiles
        size = len(windows) * len(tiles)
        samples: list[Sample] = []
        for n in range(iteration * self.spec.batch, (iteration + 1) * self.spec.batch):
            epoch, position = divmod(n, size)
            window, tile = divmod(int(self._shuffled(epoch, size)[position]), len(tiles))
            samples.append((int(windows[window]), tiles[tile]))
        return samples

    def _shuffled(self, epoch: int, size: int) -> Indices:
        """Order of an epoch; the last one is remembered."""
        if self._epoch != (epoch, size):
            self._order = np.random.default_rng([self.seed, epoch]).permutation(size)
            self._epoch = (epoch, size)
        return self._order

    # ----------------------------------------------------------------- random

    def _random(self, iteration: int, hours: int) -> list[Sample]:
        random, count = np.random.default_rng([self.seed, iteration]), self.spec.batch
        windows, cumulated = self._weighted_windows(hours)
        chosen = np.searchsorted(cumulated, random.random(count), side="right")
        cells = self._cells[random.integers(len(self._cells), size=count)]
        corners = self._corners_around(cells, random)
        flips = random.random((count, 2)) < 0.5 if self.spec.flips else np.zeros((count, 2), dtype=bool)
        return [
            (int(windows[w]), Place(int(j), int(i), self._shape, bool(flip_y), bool(flip_x)))
            for w, (j, i), (flip_y, flip_x) in zip(chosen, corners, flips, strict=True)
        ]

    def _corners_around(self, cells: Indices, random: np.random.Generator) -> Indices:
        """South-western cells of tiles in which given cells lie at random places, where they count.

        So every active cell is drawn, those in corners of the domain nearly as often as those in its middle.
        """
        halo = 0 if self.spec.tile == "whole" else self.spec.halo
        size = np.array(self._shape)
        offset = random.integers(halo, size - halo, size=cells.shape)
        corners: Indices = np.clip(cells - offset, 0, np.array(self.ground.shape) - size)
        return corners

    def _weighted_windows(self, hours: int) -> tuple[Indices, Array]:
        """First hours of all windows and their cumulated probability; remembered for each length."""
        if hours not in self._windows:
            windows = self.store.starts(hours)
            total = np.concatenate([[0.0], np.cumsum(self.store.wetting)])
            wetting = np.maximum(total[windows + hours] - total[windows], 0.0)
            storms = self.spec.storms if wetting.sum() > 0.0 else 0.0
            weight = np.full(len(windows), (1.0 - storms) / len(windows))
            if storms:
                weight += storms * wetting / wetting.sum()
            cumulated = np.cumsum(weight)
            cumulated[-1] = 1.0  # rounding must not put a draw behind the last window
            self._windows[hours] = (windows, cumulated)
        return self._windows[hours]


def whole(store: Store, ground: Ground, hour: int, hours: int, basin: int = 0) -> Batch:
    """Take a window of the whole domain as a batch of one sample; every active cell counts."""
    return assemble(store, ground, [(hour, ground.whole)], hours, basin=basin)


def assemble(
    store: Store, ground: Ground, samples: Sequence[Sample], hours: int, halo: int = 0, basin: int = 0
) -> Batch:
    """Read windows that start at given hours, at places of one shape, and put them together to a batch on the CPU.

    Raises
    ------
    ValueError
        If a window leaves its segment.
    """
    heads, sources, tiles = [], [], []
    for hour, place in samples:
        head, source = store.window(hour, hours, place.rows, place.columns)
        heads.append(place.turn(head))
        sources.append(place.turn(source))
        tiles.append(ground.tile(place, halo))
    return Batch(
        head=_stack(heads),
        source=_stack(sources),
        statics=_stack([t.statics for t in tiles]),
        fields={name: _stack([t.fields[name] for t in tiles]) for name in tiles[0].fields},
        active=_stack([t.active for t in tiles]),
        scored=_stack([t.scored for t in tiles]),
        origins=tuple(Origin(hour, p.row, p.column, p.flip_y, p.flip_x, basin) for hour, p in samples),
    )


def _stack(arrays: Sequence[NDArray[Any]]) -> torch.Tensor:
    return torch.from_numpy(np.stack(arrays))
