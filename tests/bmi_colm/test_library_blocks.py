"""Decomposition into blocks, and the memory that parent and child share."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmi_colm.library.arguments import Call
from bmi_colm.library.blocks import decompose
from bmi_colm.library.shared import SharedArrays
from bmi_common import ConfigError


@settings(max_examples=60, deadline=None)
@given(data=st.data(), ny=st.integers(1, 8), nx=st.integers(1, 8))
def test_every_active_cell_is_in_one_block(data, ny, nx):
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=ny * nx, max_size=ny * nx))).reshape(ny, nx)
    blocks = (data.draw(st.integers(1, nx)), data.draw(st.integers(1, ny)))
    found = np.zeros_like(mask, dtype=int)
    ranks = []
    for block in decompose(mask, blocks):
        found[block.j, block.i] += 1
        ranks.append(block.rank)
        flat = block.j * nx + block.i
        assert (np.diff(flat) > 0).all()  # x fastest
    np.testing.assert_array_equal(found, mask.astype(int))
    assert len(set(ranks)) == len(ranks)
    assert all(0 <= rank < blocks[0] * blocks[1] for rank in ranks)


def test_blocks_are_cut_and_counted_as_parflow_does():
    first, second, third, fourth = decompose(np.ones((3, 5), dtype=bool), (2, 2))
    assert [b.rank for b in (first, second, third, fourth)] == [0, 1, 2, 3]
    assert str(first) == "block 0 (j=0-1, i=0-2)"  # the first takes the cell that is over
    assert str(second) == "block 1 (j=0-1, i=3-4)"
    assert str(third) == "block 2 (j=2-2, i=0-2)"
    assert str(fourth) == "block 3 (j=2-2, i=3-4)"


def test_a_rectangle_without_active_cells_leaves_its_rank_free():
    mask = np.ones((2, 6), dtype=bool)
    mask[:, 2:4] = False
    assert [block.rank for block in decompose(mask, (3, 1))] == [0, 2]


def test_more_blocks_than_cells_are_refused():
    with pytest.raises(ConfigError, match=r"library\.blocks: 4 blocks for 3 cells in y"):
        decompose(np.ones((3, 5), dtype=bool), (1, 4))


def test_shared_arrays_are_apart_and_live_on_without_the_descriptor():
    shared = SharedArrays({"a": (2, 3), "b": (4,)})
    assert shared.offsets == {"a": 0, "b": 48}
    assert shared.size == 80
    assert all(not array.any() for array in shared.arrays.values())
    descriptor = shared.descriptor
    shared.arrays["a"][...] = 1.0
    assert os.pread(descriptor, shared.size, 0) == np.array([1.0] * 6 + [0.0] * 4).tobytes()
    shared.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    shared.arrays["b"][...] = 2.0
    assert shared.arrays["a"].sum() == 6.0


def test_the_call_has_86_arguments_and_each_array_once():
    call = Call(5, 0, 1.0, 1.0, 1.0, 1, 2, 0.2, 1.0, 0.2)
    arguments = call.arguments()
    assert len(arguments) == 86
    arrays = [value for kind, value in arguments if kind == "array"]
    assert sorted(arrays) == sorted([*call.input_shapes(), *call.output_shapes()])
