"""Arrays in memory that a parent and a child process share."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Mapping
from math import prod

import numpy as np
from numpy.typing import NDArray

_ITEM = 8  # bytes of a double


class SharedArrays:
    """Named arrays of float64, zero at first, in one piece of memory that has no name.

    The memory is known by its file descriptor only, so nothing remains when the processes have ended, however they
    did. It is freed when the arrays are.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Shape of each array; they lie in memory in this order.

    Attributes
    ----------
    arrays : dict of ndarray
        The arrays, C-contiguous.
    offsets : dict of int
        Where each starts [bytes].
    size : int
        All of it [bytes].
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.offsets: dict[str, int] = {}
        self.size = 0
        for name, shape in shapes.items():
            self.offsets[name] = self.size
            self.size += _ITEM * prod(shape)
        self._descriptor = _unnamed_file()
        try:
            os.ftruncate(self._descriptor, self.size)
            memory = mmap.mmap(self._descriptor, self.size)
        except BaseException:
            self.close()
            raise
        self.arrays: dict[str, NDArray[np.float64]] = {
            name: np.ndarray(shape, np.float64, memory, self.offsets[name]) for name, shape in shapes.items()
        }

    @property
    def descriptor(self) -> int:
        """File descriptor that a child maps; open until `close`."""
        return self._descriptor

    def close(self) -> None:
        """Give up the descriptor once the child has it; the arrays stay."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _unnamed_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("rootzone")
    with tempfile.TemporaryFile() as file:  # without memfd (macOS)
        return os.dup(file.fileno())
