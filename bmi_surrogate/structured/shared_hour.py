"""The hour of a part of a domain: the stages of the kernel, and what the parts tell each other between them.

Every part has the heads of its halo from the start of the hour. Then only overland flow crosses: what stands on the
ground of the halo after each closure, and, wave after wave, how inflow changes downstream.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array
from bmi_common.neighbours import Integers, Neighbours
from bmi_surrogate import _kernel

_LANES = _kernel.sizes()[0]
_BEGIN, _REFINE, _SEARCH_AGAIN, _BEGIN_ROUTE, _ROUTE_LEVELS, _END_ROUTE, _END = range(1, 8)
"""Stages; see structured_hour."""


class Stage(Protocol):
    """A stage of the hour in the kernel; whether balances are to be closed again, after the end of a route."""

    def __call__(self, *, stage: int, first: int, last: int) -> bool: ...  # noqa: D102


class SharedHour:
    """Advances a part of a domain by hours, together with the other parts.

    Parameters
    ----------
    neighbours : Neighbours
        The other parts.
    levels : sequence of int
        First column of each level, and one past the last, from 0.
    arguments : mapping
        Of the kernel; the memory among them is what is exchanged.
    layers : int
        Of the domain.
    """

    def __init__(
        self, neighbours: Neighbours, levels: tuple[int, ...], arguments: Mapping[str, Any], layers: int
    ) -> None:
        self._neighbours, self._layers = neighbours, layers
        self._refinements, self._repetitions = arguments["refinements"], arguments["repetitions"]
        # levels of each wave by the number of its first column; what nothing flows to needs no change
        self._levels = {
            first: (bisect_left(levels, first - 1) + 1 + int(wave == 0), bisect_left(levels, last))
            for wave, first, last in neighbours.waves
        }
        memory: Array = arguments["memory"]
        blocks = arguments["cell"].shape[1]
        begins = _kernel.places(layers, blocks, memory)
        self._flow, self._response, self._change = (memory[b - 1 : b - 1 + blocks * _LANES] for b in begins)

    def advance(self, stage: Stage, head: NDArray[Any]) -> None:
        """Make the stages of an hour; `head` (lane, layer, block) has that at its start."""
        self._exchange_heads(head)
        stage(stage=_BEGIN, first=0, last=0)
        wanting = self._route(stage)
        for refinement in range(1, self._refinements + 1):
            stage(stage=_REFINE, first=refinement, last=0)
            wanting = self._route(stage)
        for _ in range(self._repetitions):
            if not self._neighbours.world.any(wanting):
                break
            stage(stage=_SEARCH_AGAIN, first=0, last=0)
            wanting = self._route(stage)
        stage(stage=_END, first=0, last=0)

    def _exchange_heads(self, head: NDArray[Any]) -> None:
        def get(columns: Integers) -> Array:
            block, lane = np.divmod(columns - 1, _LANES)
            return np.asarray(head[lane, :, block]).T

        def put(columns: Integers, values: Array) -> None:
            block, lane = np.divmod(columns - 1, _LANES)
            head[lane, :, block] = values.T

        self._neighbours.exchange(get, put, (self._layers,))

    def _route(self, stage: Stage) -> bool:
        """Find a better overland inflow; return whether a balance of this part is to be closed again."""

        def get_ponds(columns: Integers) -> Array:
            return np.stack((self._flow[columns - 1], self._response[columns - 1]))

        def put_ponds(columns: Integers, values: Array) -> None:
            self._flow[columns - 1], self._response[columns - 1] = values

        def get_change(columns: Integers) -> Array:
            return self._change[columns - 1]

        def put_change(columns: Integers, values: Array) -> None:
            self._change[columns - 1] = values

        def pass_on(first: int, last: int) -> None:
            begin, end = self._levels[first]
            stage(stage=_ROUTE_LEVELS, first=begin, last=end)

        self._neighbours.exchange(get_ponds, put_ponds, (2,))
        stage(stage=_BEGIN_ROUTE, first=0, last=0)
        self._neighbours.sweep(pass_on, get_change, put_change)
        return stage(stage=_END_ROUTE, first=0, last=0)
