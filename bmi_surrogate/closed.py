"""A network whose columns neither lose nor invent water: its balance closed after every hour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bmi_common import Domain
from bmi_common.state_file import StateArray, fingerprint
from bmi_surrogate.compute import using_threads
from bmi_surrogate.emulator import Emulator
from bmi_surrogate.normalisation import Array
from bmi_surrogate.structured import Medium
from bmi_surrogate.structured.base import begin, solve
from bmi_surrogate.structured.closure import Effort, close

EFFORT = Effort()


Base = Literal["persistence", "solve"]
"""What increments of a network are added to; see `bmi_surrogate.network.Architecture`."""


def closed_head(medium: Medium, before: Tensor, source: Tensor, predicted: Tensor, base: Base, compact: bool) -> Tensor:
    """Shift a predicted pressure head, column by column, until no water is lost or invented.

    Lateral Darcy flow is that of the start of the hour; see `bmi_surrogate.structured.closure`. All layers of a column
    take the same shift of the coordinate u.

    Parameters
    ----------
    medium : Medium
        Soil and terrain of the columns.
    before, predicted : Tensor, shape (layers, columns)
        Pressure head [m] at the start of the hour, and at its end by the network; float64.
    source : Tensor, shape (source layers, columns)
        Net source [h-1] during the hour.
    base : {"persistence", "solve"}
        Whether the increment from `before` to `predicted` is all, or is added to that of a column solve.
    compact : bool
        See `bmi_surrogate.structured.closure.close`.

    Returns
    -------
    Tensor, shape (layers, columns)
        Pressure head [m] at the end of the hour.
    """
    start = begin(medium, before, source.to(before.dtype))
    if base == "solve":
        solved = start.state.coordinate + solve(medium, start, start.state, start.inflow)
        predicted = medium.retention.head(solved) + (predicted - before)
    guess = medium.retention.coordinate(predicted)
    found = close(medium, start, guess, torch.ones_like(guess), EFFORT, compact)
    return medium.retention.head(found.coordinate)


class ClosedEmulator:
    """An `Emulator` whose balance is closed after every hour; an `Engine`.

    The network goes on from the head of the closed balance, everywhere: tiles do not drift apart.

    Parameters
    ----------
    emulator : Emulator
        The network at work.
    domain : Domain
        Soil and terrain.

    Raises
    ------
    ConfigError
        If the domain lacks a field.
    """

    def __init__(self, emulator: Emulator, domain: Domain) -> None:
        self.emulator = emulator
        self.medium = Medium.of_domain(domain, emulator.device)
        self._head = torch.empty(0)

    @property
    def fingerprint(self) -> str:
        """Hash of parameters, architecture and statistics."""
        return fingerprint(self.emulator.fingerprint, "closed")

    @torch.inference_mode()
    def start(self, head: Array) -> None:
        """Begin with a pressure head [m], shape (layers, ny, nx), and the memory that the network makes of it."""
        self.emulator.start(head)
        self._head = self._columns(head)

    @torch.inference_mode()
    def set_head(self, head: Array, changed: NDArray[np.bool_]) -> None:
        """Replace the pressure head [m] of the `changed` cells, both (layers, ny, nx); memory stays."""
        self.emulator.set_head(head, changed)
        self._head = torch.where(self._columns(changed) > 0.0, self._columns(head), self._head)

    @torch.inference_mode()
    def step(self, source: Array) -> Array:
        """Advance one hour under a net source [h-1] (source layers, ny, nx): head [m], NaN in inactive cells."""
        predicted = self._columns(self.emulator.step(source))
        with using_threads(self.emulator.options.threads):
            compact = self.emulator.device.type == "cpu"
            base = self.emulator.architecture.base
            self._head = closed_head(self.medium, self._head, self._columns(source), predicted, base, compact)
            head: Array = self.medium.unpack(self._head, float("nan"))[0].cpu().numpy()
        self.emulator.set_head(np.nan_to_num(head), np.ones(head.shape, dtype=np.bool_))
        return head

    def memory(self) -> dict[str, StateArray]:
        """Return the memory of the network, and the pressure head of the active columns in full precision."""
        return {**self.emulator.memory(), "head": StateArray(self._head.cpu().numpy(), ("layer", "column"))}

    @torch.inference_mode()
    def recall(self, memory: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `memory` gave."""
        own = dict(memory)
        self._head = torch.from_numpy(np.array(own.pop("head"))).to(self.emulator.device)
        self.emulator.recall(own)

    def _columns(self, field: NDArray[Any]) -> Tensor:
        maps = torch.from_numpy(np.ascontiguousarray(field, dtype=np.float64))[None]
        return self.medium.pack(maps.to(self.emulator.device))
