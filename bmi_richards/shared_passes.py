"""The passes of a step of a part of a domain: what one process does in the kernel, and exchanges between its stages."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from bmi_common.flow_order import FlowNetwork
from bmi_common.neighbours import Neighbours
from bmi_common.partition import Part
from bmi_richards import _kernel

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]

_TO_FLOW, _TO_CORRECT = [0, 2], [0, 2, 4]
"""Head, relative permeability and its derivative among the variables of the state, as passes and corrections need."""
_BEGIN, _START, _CHOOSE, _TRY_DIRECTION, _FOLLOW_DIRECTION, _TRY_RESIDUAL, _FOLLOW_RESIDUAL, _END = range(1, 9)
"""Stages of a correction; see richards_sweep."""


class SharedPasses:
    """Makes the passes of steps of a part of a domain, together with the other parts.

    Parameters
    ----------
    part : Part
        Of the domain.
    network : FlowNetwork
        Columns of the part and of its halo.
    """

    def __init__(self, part: Part, network: FlowNetwork) -> None:
        self._neighbours, self._world = Neighbours(part, network), part.world

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
            self._neighbours.sweep(
                partial(_kernel.solve_wave, handle),
                partial(_kernel.get_powers, handle),
                partial(_kernel.set_powers, handle),
            )
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
            self._neighbours.exchange(get, put, (layers,))
            _kernel.correct(handle, _TRY_DIRECTION)
            self._add_up(handle)
            _kernel.correct(handle, _FOLLOW_DIRECTION)
            self._neighbours.exchange(get, put, (layers,))
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

        self._neighbours.exchange(get, put, (state.shape[0], len(variables)))
