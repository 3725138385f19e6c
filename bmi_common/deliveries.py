"""Rows of arrays that processes give one another by lists, whatever part of a domain they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bmi_common.world import FIRST_FREE_TAG, MpiWorld

Rows = NDArray[np.intp]
Lists = Mapping[int, Rows]
"""Rows by the process that they go to, or come from."""

TAG = FIRST_FREE_TAG


@dataclass(frozen=True)
class Deliveries:
    """Which rows go where; what a process gives another, and what that one takes, are as many and in the same order.

    Attributes
    ----------
    world : MpiWorld
        The processes.
    giving : mapping of int to ndarray of int
        Rows of the array that this process has, by the process that takes them; this one may be among them.
    taking : mapping of int to ndarray of int
        Rows of the array that this process is to have, by the process that gives them.
    """

    world: MpiWorld
    giving: Lists
    taking: Lists

    def __call__(self, rows: NDArray[Any], count: int) -> NDArray[Any]:
        """Give rows of an array (rows, values) and return `count` rows that are taken; all processes call it together.

        Raises
        ------
        OtherProcessFailed
            If another process fails meanwhile.
        """
        here = self.world.rank
        found = np.empty((count, *rows.shape[1:]), dtype=rows.dtype)
        coming = [(at, np.empty_like(found[: at.size]), rank) for rank, at in self._others(self.taking)]
        requests = [self.world.receive(values, rank, TAG) for _, values, rank in coming]
        going = [(np.ascontiguousarray(rows[at]), rank) for rank, at in self._others(self.giving)]
        requests += [self.world.send(values, rank, TAG) for values, rank in going]
        if here in self.taking:
            found[self.taking[here]] = rows[self.giving[here]]
        self.world.wait(requests)
        for at, values, _ in coming:
            found[at] = values
        return found

    def _others(self, lists: Lists) -> list[tuple[int, Rows]]:
        return [(rank, at) for rank, at in lists.items() if rank != self.world.rank]


def by_process(owner: NDArray[np.integer[Any]]) -> dict[int, Rows]:
    """Return the places, in their order, at which each process stands in `owner`."""
    order = np.argsort(owner, kind="stable")
    ranks, first = np.unique(owner[order], return_index=True)
    return dict(zip(ranks.tolist(), np.split(order, first)[1:], strict=True))
