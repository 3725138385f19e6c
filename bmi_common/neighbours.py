"""What a part of a domain exchanges with its neighbours: values of the halo, and of overland flow wave after wave.

Equations (7) and (10) of docs/theory.md need them: lateral flow between columns of two parts, and overland flow from
one part to another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from bmi_common.flow_order import FlowNetwork
from bmi_common.partition import Part
from bmi_common.world import FIRST_FREE_TAG, MpiWorld

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]
Get = Callable[[Integers], Floats]
"""Values of columns (numbers from 1), (..., columns)."""
Put = Callable[[Integers, Floats], None]
"""Take such values."""

_HALO = FIRST_FREE_TAG + 1  # that before is of `bmi_common.deliveries`
_FIRST_WAVE = FIRST_FREE_TAG + 2


@dataclass(frozen=True)
class _Message:
    """Columns (numbers from 1) whose values go to, or come from, another process."""

    rank: int
    wave: int
    columns: Integers


class Neighbours:
    """The other parts that columns of this part share faces with.

    Parameters
    ----------
    part : Part
        Of the domain.
    network : FlowNetwork
        Columns of the part and of its halo.

    Attributes
    ----------
    waves : list of (int, int, int)
        Each wave's number, first and last column (numbers from 1); they are in this order.
    """

    def __init__(self, part: Part, network: FlowNetwork) -> None:
        if not isinstance(part.world, MpiWorld):
            raise TypeError("parts of a domain need the processes of an MPI communicator")
        self.world = part.world
        own, cells = network.own, network.cells
        owner, wave = part.owner.reshape(-1)[cells], part.wave.reshape(-1)[cells]
        self.waves = [(int(w), *_ends(np.flatnonzero(wave[:own] == w))) for w in np.unique(wave[:own])]
        number = np.arange(1, cells.size + 1, dtype=np.int32)

        def messages(columns: Integers, to: NDArray[np.int32], by_wave: bool) -> list[_Message]:
            """Make one message for each process and, where that matters, each wave; both ends sort by cell."""
            waves = wave[columns - 1] if by_wave else np.zeros(columns.size, dtype=np.int32)
            keys = sorted(
                {*zip(to.tolist(), waves.tolist(), cells[columns - 1].tolist(), columns.tolist(), strict=True)}
            )
            found = []
            for (rank, of), group in groupby(keys, key=lambda k: k[:2]):
                chosen = np.array([k[3] for k in group], dtype=np.int32)
                found.append(_Message(rank, of, chosen))
            return found

        beside = np.stack([side[:own] for side in (network.east, network.west, network.north, network.south)])
        inner, outer = np.tile(number[:own], 4)[beside.ravel() > own], beside.ravel()[beside.ravel() > own]
        self._halo_out = messages(inner, owner[outer - 1], by_wave=False)
        self._halo_in = messages(outer, owner[outer - 1], by_wave=False)
        donor = network.donor
        feeding = donor[:, :own][donor[:, :own] > own]
        self._flow_in = messages(feeding, owner[feeding - 1], by_wave=True)
        to_others = (donor[:, own:] > 0) & (donor[:, own:] <= own)
        giver, receiver = donor[:, own:][to_others], np.nonzero(to_others)[1] + own
        self._flow_out = messages(giver, owner[receiver], by_wave=True)

    def exchange(self, get: Get, put: Put, shape: tuple[int, ...]) -> None:
        """Send what columns at the edge have, (*shape, columns), and put what those of the halo have."""
        coming = [(m, np.empty((*shape, m.columns.size))) for m in self._halo_in]
        requests = [self.world.receive(values, m.rank, _HALO) for m, values in coming]
        going = [(m, np.ascontiguousarray(get(m.columns))) for m in self._halo_out]
        requests += [self.world.send(values, m.rank, _HALO) for m, values in going]
        self.world.wait(requests)
        for m, values in coming:
            put(m.columns, values)

    def sweep(self, solve: Callable[[int, int], None], get: Get, put: Put) -> None:
        """Solve the columns wave by wave, first to last, each when the values of its donors in other parts are put."""
        coming = []
        for m in self._flow_in:
            values = np.empty(m.columns.size)
            coming.append((m, values, self.world.receive(values, m.rank, _FIRST_WAVE + m.wave)))
        gone = []
        for wave, first, last in self.waves:
            ready = [c for c in coming if c[0].wave < wave]
            coming = [c for c in coming if c[0].wave >= wave]
            self.world.wait([request for _, _, request in ready])
            for m, values, _ in ready:
                put(m.columns, values)
            solve(first, last)
            for m in (m for m in self._flow_out if m.wave == wave):
                values = np.ascontiguousarray(get(m.columns))
                gone.append((values, self.world.send(values, m.rank, _FIRST_WAVE + wave)))
        self.world.wait([request for _, request in gone])


def _ends(positions: NDArray[np.intp]) -> tuple[int, int]:
    """First and last column, numbers from 1, of positions that lie side by side."""
    return int(positions[0]) + 1, int(positions[-1]) + 1
