"""A network whose columns neither lose nor invent water: its balance closed after every hour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bmi_common import Domain
from bmi_common.arrays import Array
from bmi_common.state_file import StateArray, fingerprint
from bmi_surrogate.predrnn.emulator import PredRNNEmulator
from bmi_surrogate.structured import ColumnProperties
from bmi_surrogate.structured.closure import Effort, close
from bmi_surrogate.structured.column_solve import begin, solve

EFFORT = Effort()


Base = Literal["persistence", "solve"]
"""What increments of a network are added to; see `bmi_surrogate.predrnn.network.Architecture`."""


def closed_head(
    columns: ColumnProperties, before: Tensor, source: Tensor, predicted: Tensor, base: Base, active_set: bool
) -> Tensor:
    """Shift a predicted pressure head, column by column, until no water is lost or invented.

    Lateral Darcy flow is that of the start of the hour; see `bmi_surrogate.structured.closure`. All layers of a column
    take the same shift of the coordinate u.

    Parameters
    ----------
    columns : ColumnProperties
        Soil and terrain of the columns.
    before, predicted : Tensor, shape (layers, columns)
        Pressure head [m] at the start of the hour, and at its end by the network; float64.
    source : Tensor, shape (source layers, columns)
        Net source [h-1] during the hour.
    base : {"persistence", "solve"}
        Whether the increment from `before` to `predicted` is all, or is added to that of a column solve.
    active_set : bool
        See `bmi_surrogate.structured.closure.close`.

    Returns
    -------
    Tensor, shape (layers, columns)
        Pressure head [m] at the end of the hour.
    """
    start = begin(columns, before, source.to(before.dtype))
    if base == "solve":
        solved = start.state.coordinate + solve(columns, start, start.state, start.inflow)
        predicted = columns.retention.head(solved) + (predicted - before)
    guess = columns.retention.coordinate(predicted)
    found = close(columns, start, guess, torch.ones_like(guess), EFFORT, active_set)
    return columns.retention.head(found.coordinate)


class ClosedEmulator:
    """A PredRNN at work whose balance is closed after every hour; an `Emulator`.

    The network goes on from the head of the closed balance, everywhere: tiles do not drift apart. Between the source
    of an hour and the head at its end everything stays on the device.

    Parameters
    ----------
    network : PredRNNEmulator
        The network at work.
    domain : Domain
        Soil and terrain.

    Raises
    ------
    ConfigError
        If the domain lacks a field.
    """

    def __init__(self, network: PredRNNEmulator, domain: Domain) -> None:
        self.network = network
        self.columns = ColumnProperties.of_domain(domain, network.device)
        self._head = torch.empty(0)

    @property
    def fingerprint(self) -> str:
        """Hash of parameters, architecture and statistics."""
        return fingerprint(self.network.fingerprint, "closed")

    @torch.inference_mode()
    def start(self, head: Array) -> None:
        """Begin with a pressure head [m], shape (layers, ny, nx), and the memory that the network makes of it."""
        self.network.start(head)
        self._head = self.columns.pack_array(head)

    @torch.inference_mode()
    def set_head(self, head: Array, changed: NDArray[np.bool_]) -> None:
        """Replace the pressure head [m] of the `changed` cells, both (layers, ny, nx); memory stays."""
        self.network.set_head(head, changed)
        self._head = torch.where(self.columns.pack_array(changed) > 0.0, self.columns.pack_array(head), self._head)

    @torch.inference_mode()
    def step(self, source: Array) -> Array:
        """Advance one hour under a net source [h-1] (source layers, ny, nx): head [m], NaN in inactive cells."""
        network, columns = self.network, self.columns
        with network.computing():
            supply = torch.from_numpy(np.ascontiguousarray(source, dtype=np.float64)).to(network.device)
            predicted, gained = columns.pack(network.advance(supply)[None]), columns.pack(supply[None])
            base, active_set = network.architecture.base, network.device.type == "cpu"
            self._head = closed_head(columns, self._head, gained, predicted, base, active_set)
            network.replace_head(columns.unpack(self._head)[0])
            head: Array = columns.unpack(self._head, float("nan"))[0].cpu().numpy()
            return head

    def state_dict(self) -> dict[str, StateArray]:
        """Return the state of the network, and the pressure head of the active columns in full precision."""
        return {**self.network.state_dict(), "head": StateArray(self._head.cpu().numpy(), ("layer", "column"))}

    @torch.inference_mode()
    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state_dict` gave."""
        own = dict(state)
        self._head = torch.from_numpy(np.array(own.pop("head"))).to(self.network.device)
        self.network.load_state_dict(own)
