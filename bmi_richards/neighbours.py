"""What a part of a domain exchanges with its neighbours while a step is solved: heads of the halo, and ponding powers.

Equations (7) and (10) of docs/theory.md need them: lateral flow between columns of two parts, once a pass, and overland
flow from one part to another, wave after wave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
_TO_FLOW, _TO_CORRECT = [0, 2], [0, 2, 4]
"""Head, relative permeability and its derivative among the variables of the state, as passes and corrections need."""
_BEGIN, _START, _CHOOSE, _TRY_DIRECTION, _FOLLOW_DIRECTION, _TRY_RESIDUAL, _FOLLOW_RESIDUAL, _END = range(1, 9)
"""Stages of a correction; see richards_sweep."""


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
    """

    def __init__(self, part: Part, network: FlowNetwork) -> None:
        if not isinstance(part.world, MpiWorld):
            raise TypeError("parts of a domain need the processes of an MPI communicator")
        self._world = part.world
        own, cells = network.own, network.cells
        owner, wave = part.owner.reshape(-1)[cells], part.wave.reshape(-1)[cells]
        # where the columns of each wave begin; they are in this order
        self._waves = [(int(w), *_ends(np.flatnonzero(wave[:own] == w))) for w in np.unique(wave[:own])]
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
        self._powers_in = messages(feeding, owner[feeding - 1], by_wave=True)
        to_others = (donor[:, own:] > 0) & (donor[:, own:] <= own)
        giver, receiver = donor[:, own:][to_others], np.nonzero(to_others)[1] + own
        self._powers_out = messages(giver, owner[receiver], by_wave=True)

    def advance(self, handle: int, lateral: bool, to_tolerance: bool, state: Floats) -> tuple[int, float, bool, bool]:
        """Make the passes of a step.

        Parameters
        ----------
        handle : int
            Of the step, from the kernel's `attach`.
        lateral : bool
            Whether groundwater flows between columns; without that one pass is exact.
        to_tolerance : bool
            Whether heads are corrected between the passes.
        state : (nz, variables, ncol)
            State of the columns; that of the halo is kept up to date.

        Returns
        -------
        passes : int
            How many were made.
        change : float
            Largest in the last, in all parts.
        converged : bool
            Whether a tolerance was reached, if there is one.
        solved : bool
            Whether all columns of all parts have solutions.
        """
        _kernel.start(handle)
        passes, done, converged, change, solved = 0, False, True, 0.0, True
        while not done:
            if lateral and to_tolerance and passes:
                self._correct(handle, state)
            if lateral:
                self._exchange_state(state, _TO_FLOW)
            _kernel.start_pass(handle)
            self._sweep(handle)
            own_change, own_failed = _kernel.finish_pass(handle)
            change, failed = self._world.largest(own_change, float(own_failed))
            solved = not failed
            passes, converged, done = _kernel.judge(handle, change, not solved)
        _kernel.finish(handle)
        return passes, change, converged, solved

    def _correct(self, handle: int, state: Floats) -> None:
        """Move all heads by what spreads the water that the last pass left unbalanced, as one process does."""
        layers = state.shape[0]

        def get(columns: Integers) -> Floats:
            return _kernel.get_moved(handle, layers, columns)

        def put(columns: Integers, values: Floats) -> None:
            _kernel.set_moved(handle, columns, values)

        self._exchange_state(state, _TO_CORRECT)
        _kernel.correct(handle, _BEGIN)
        self._add_up(handle)
        _kernel.correct(handle, _START)
        while not _kernel.correct(handle, _CHOOSE):
            self._exchange_halo(get, put, (layers,))
            _kernel.correct(handle, _TRY_DIRECTION)
            self._add_up(handle)
            _kernel.correct(handle, _FOLLOW_DIRECTION)
            self._exchange_halo(get, put, (layers,))
            _kernel.correct(handle, _TRY_RESIDUAL)
            self._add_up(handle)
            _kernel.correct(handle, _FOLLOW_RESIDUAL)
            self._add_up(handle)
        _kernel.correct(handle, _END)

    def _add_up(self, handle: int) -> None:
        """Sum the terms of a correction over all parts; the sums of their slices are exact, in whatever order."""
        largest = np.array(self._world.largest(*_kernel.get_largest(handle)))
        sums = _kernel.get_sums(handle, largest)
        _kernel.set_sums(handle, np.array(self._world.sum(*sums.ravel())).reshape(sums.shape))

    def _exchange_state(self, state: Floats, variables: list[int]) -> None:
        """Bring variables of the halo up to date."""

        def get(columns: Integers) -> Floats:
            return state[:, variables][..., columns - 1]

        def put(columns: Integers, values: Floats) -> None:
            for i, variable in enumerate(variables):
                state[:, variable, columns - 1] = values[:, i]

        self._exchange_halo(get, put, (state.shape[0], len(variables)))

    def _exchange_halo(
        self, get: Callable[[Integers], Floats], put: Callable[[Integers, Floats], None], shape: tuple[int, ...]
    ) -> None:
        """Send what columns at the edge have, (*shape, columns), and put what those of the halo have."""
        world = self._world
        coming = [(m, np.empty((*shape, m.columns.size))) for m in self._halo_in]
        requests = [world.receive(values, m.rank, _HALO) for m, values in coming]
        going = [(m, np.ascontiguousarray(get(m.columns))) for m in self._halo_out]
        requests += [world.send(values, m.rank, _HALO) for m, values in going]
        world.wait(requests)
        for m, values in coming:
            put(m.columns, values)

    def _sweep(self, handle: int) -> None:
        """Solve the columns wave by wave, each when the powers that flow into it are known."""
        world = self._world
        coming = []
        for m in self._powers_in:
            powers = np.empty(m.columns.size)
            coming.append((m, powers, world.receive(powers, m.rank, _FIRST_WAVE + m.wave)))
        gone = []
        for wave, first, last in self._waves:
            ready = [c for c in coming if c[0].wave < wave]
            coming = [c for c in coming if c[0].wave >= wave]
            world.wait([request for _, _, request in ready])
            for m, powers, _ in ready:
                _kernel.set_powers(handle, m.columns, powers)
            _kernel.solve_wave(handle, first, last)
            for m in self._leaving(wave):
                powers = _kernel.get_powers(handle, m.columns)
                gone.append((powers, world.send(powers, m.rank, _FIRST_WAVE + wave)))
        world.wait([request for _, request in gone])

    def _leaving(self, wave: int) -> Iterator[_Message]:
        return (m for m in self._powers_out if m.wave == wave)


def _ends(positions: NDArray[np.intp]) -> tuple[int, int]:
    """First and last column, numbers from 1, of positions that lie side by side."""
    return int(positions[0]) + 1, int(positions[-1]) + 1
