"""What a part of a domain exchanges with its neighbours while a step is solved: heads of the halo, and ponding powers.

Equations (7) and (10) of docs/theory.md need them: lateral flow between columns of two parts, once a pass, and overland
flow from one part to another, wave after wave.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from bmi_common.flow_order import FlowNetwork
from bmi_common.partition import Part
from bmi_common.world import FIRST_FREE_TAG, MpiWorld
from bmi_richards import _kernel

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]

_HALO = FIRST_FREE_TAG
_FIRST_WAVE = FIRST_FREE_TAG + 1
_EXCHANGED = [0, 2]
"""Head and relative permeability among the variables of the state."""


@dataclass(frozen=True)
class _Message:
    """Columns (numbers from 1) whose values go to, or come from, another process."""

    rank: int
    wave: int
    columns: Integers
    values: Floats


class Neighbours:
    """The other parts that columns of this part share faces with.

    Parameters
    ----------
    part : Part
        Of the domain.
    network : FlowNetwork
        Columns of the part and of its halo.
    layers : int
        Of the domain.
    """

    def __init__(self, part: Part, network: FlowNetwork, layers: int) -> None:
        if not isinstance(part.world, MpiWorld):
            raise TypeError("parts of a domain need the processes of an MPI communicator")
        self._world = part.world
        own, cells = network.own, network.cells
        owner, wave = part.owner.reshape(-1)[cells], part.wave.reshape(-1)[cells]
        # where the columns of each wave begin; they are in this order
        self._waves = [(int(w), *_ends(np.flatnonzero(wave[:own] == w))) for w in np.unique(wave[:own])]
        number = np.arange(1, cells.size + 1, dtype=np.int32)

        def messages(columns: Integers, to: NDArray[np.int32], size: int, by_wave: bool) -> list[_Message]:
            """Make one message for each process and, where that matters, each wave; both ends sort by cell."""
            waves = wave[columns - 1] if by_wave else np.zeros(columns.size, dtype=np.int32)
            keys = sorted(
                {*zip(to.tolist(), waves.tolist(), cells[columns - 1].tolist(), columns.tolist(), strict=True)}
            )
            found = []
            for (rank, of), group in groupby(keys, key=lambda k: k[:2]):
                chosen = np.array([k[3] for k in group], dtype=np.int32)
                found.append(_Message(rank, of, chosen, np.empty((chosen.size, size))))
            return found

        beside = np.stack([side[:own] for side in (network.east, network.west, network.north, network.south)])
        inner, outer = np.tile(number[:own], 4)[beside.ravel() > own], beside.ravel()[beside.ravel() > own]
        size = len(_EXCHANGED) * layers
        self._halo_out = messages(inner, owner[outer - 1], size, by_wave=False)
        self._halo_in = messages(outer, owner[outer - 1], size, by_wave=False)
        donor = network.donor
        feeding = donor[:, :own][donor[:, :own] > own]
        self._powers_in = messages(feeding, owner[feeding - 1], 1, by_wave=True)
        to_others = (donor[:, own:] > 0) & (donor[:, own:] <= own)
        giver, receiver = donor[:, own:][to_others], np.nonzero(to_others)[1] + own
        self._powers_out = messages(giver, owner[receiver], 1, by_wave=True)

    def advance(self, handle: int, passes: int, lateral: bool, state: Floats) -> tuple[int, float, bool]:
        """Make the passes of a step; return how many were made, the largest last change, and whether columns failed.

        Parameters
        ----------
        handle : int
            Of the step, from the kernel's `attach`.
        passes : int
            Passes to make.
        lateral : bool
            Whether groundwater flows between columns; without that one pass is exact.
        state : (nz, variables, ncol)
            State of the columns; that of the halo is kept up to date.
        """
        world = self._world
        _kernel.start(handle)
        change, done = 0.0, 0
        for _ in range(passes if lateral else 1):
            if lateral:
                self._exchange_halo(state)
            _kernel.start_pass(handle)
            self._sweep(handle)
            own_change, failed = _kernel.finish_pass(handle)
            change = world.largest(np.inf if failed else own_change)
            done += 1
            if np.isinf(change):
                break
        _kernel.finish(handle)
        return done, change, bool(np.isinf(change))

    def _exchange_halo(self, state: Floats) -> None:
        world = self._world
        requests = [world.receive(m.values, m.rank, _HALO) for m in self._halo_in]
        for m in self._halo_out:
            m.values[...] = state[:, _EXCHANGED][..., m.columns - 1].reshape(-1, m.columns.size, order="F").T
            requests.append(world.send(m.values, m.rank, _HALO))
        world.wait(requests)
        layers = state.shape[0]
        for m in self._halo_in:
            values = m.values.T.reshape(layers, len(_EXCHANGED), -1, order="F")
            for i, variable in enumerate(_EXCHANGED):
                state[:, variable, m.columns - 1] = values[:, i]

    def _sweep(self, handle: int) -> None:
        """Solve the columns wave by wave, each when the powers that flow into it are known."""
        world = self._world
        coming = [(m, world.receive(m.values, m.rank, _FIRST_WAVE + m.wave)) for m in self._powers_in]
        gone = []
        for wave, first, last in self._waves:
            ready = [pair for pair in coming if pair[0].wave < wave]
            coming = [pair for pair in coming if pair[0].wave >= wave]
            world.wait([request for _, request in ready])
            for m, _ in ready:
                _kernel.set_powers(handle, m.columns, m.values[:, 0])
            _kernel.solve_wave(handle, first, last)
            for m in self._leaving(wave):
                m.values[:, 0] = _kernel.get_powers(handle, m.columns)
                gone.append(world.send(m.values, m.rank, _FIRST_WAVE + wave))
        world.wait(gone)

    def _leaving(self, wave: int) -> Iterator[_Message]:
        return (m for m in self._powers_out if m.wave == wave)


def _ends(positions: NDArray[np.intp]) -> tuple[int, int]:
    """First and last column, numbers from 1, of positions that lie side by side."""
    return int(positions[0]) + 1, int(positions[-1]) + 1
