"""Cutting domains into tiles and putting them together."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi_common import ConfigError
from bmi_surrogate.predrnn.tiling import Tiling, starts

sizes = st.tuples(st.integers(1, 7), st.integers(0, 20), st.integers(0, 20)).map(
    lambda t: (t[0], t[0] + t[1], t[0] + t[2])
)


def test_corners_of_the_published_domain() -> None:
    tiling = Tiling((146, 252), (16, 16))
    assert tiling.count == 160
    xs, ys = [*range(0, 225, 16), 236], [*range(0, 129, 16), 130]
    assert tiling.corners.tolist() == [[y, x] for y in ys for x in xs]


@given(sizes)
@settings(max_examples=60, deadline=None)
def test_assembling_the_tiles_of_a_field_gives_the_field(size: tuple[int, int, int]) -> None:
    tile, ny, nx = size
    field = torch.randn(3, ny, nx, dtype=torch.float64)
    tiling = Tiling((ny, nx), (tile, tile))
    tiles = tiling.split(field)
    assert tiles.shape == (tiling.count, 3, tile, tile)
    torch.testing.assert_close(tiling.assemble(tiles), field, rtol=1e-15, atol=0)


@given(sizes, st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_shared_cells_get_the_mean_of_their_tiles(size: tuple[int, int, int], seed: int) -> None:
    tile, ny, nx = size
    tiling = Tiling((ny, nx), (tile, tile))
    tiles = torch.from_numpy(np.random.default_rng(seed).normal(size=(tiling.count, 2, tile, tile)))
    total, count = np.zeros((2, ny, nx)), np.zeros((ny, nx))
    for (y, x), values in zip(tiling.corners, tiles.numpy(), strict=True):
        total[:, y : y + tile, x : x + tile] += values
        count[y : y + tile, x : x + tile] += 1
    assert count.min() >= 1
    np.testing.assert_allclose(tiling.assemble(tiles).numpy(), total / count, rtol=1e-13, atol=1e-15)


def test_tiles_hold_the_cells_at_their_corner() -> None:
    field = torch.arange(2 * 10 * 13, dtype=torch.float32).view(2, 10, 13)
    tiling = Tiling((10, 13), (4, 4))
    tiles = tiling.split(field)
    for k, (y, x) in enumerate(tiling.corners):
        assert torch.equal(tiles[k], field[:, y : y + 4, x : x + 4])
    assert tiles.is_contiguous(memory_format=torch.channels_last)


def test_tiles_without_an_active_cell_are_left_out() -> None:
    mask = np.zeros((12, 12), dtype=bool)
    mask[5, 2] = True
    tiling = Tiling((12, 12), (4, 4), mask)
    assert tiling.corners.tolist() == [[4, 0]]
    field = torch.randn(1, 12, 12)
    assembled = tiling.assemble(tiling.split(field))
    assert torch.equal(assembled[:, 4:8, 0:4], field[:, 4:8, 0:4])
    assert bool(torch.isfinite(assembled).all())


def test_whole_domain_is_one_tile() -> None:
    tiling = Tiling((5, 9), (5, 9))
    assert tiling.corners.tolist() == [[0, 0]]


def test_domain_smaller_than_a_tile_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"12 cells long.*tile of 16.*tile: whole"):
        Tiling((40, 12), (16, 16))
    with pytest.raises(ConfigError, match="shorter than a tile"):
        starts(3, 4)
