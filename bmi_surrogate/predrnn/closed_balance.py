"""A network whose columns neither lose nor invent water: its balance closed after every hour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bmi_common import Domain
from bmi_common.arrays import Array
from bmi_common.state_file import StateArray, fingerprint
from bmi_surrogate.predrnn.emulator import PredRNNEmulator
from bmi_surrogate.structured import ColumnProperties, StructuredArchitecture, StructuredModel
from bmi_surrogate.structured.closure import Effort, close
from bmi_surrogate.structured.column_solve import Base, begin, solve
from bmi_surrogate.structured.compiled import CompiledEngine, Prediction
from bmi_surrogate.structured.shared_columns import SavedColumns, shared_network

EFFORT = Effort()


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


class _Closure(Protocol):
    """Closes the balances of a domain hour by hour."""

    @property
    def head(self) -> NDArray[Any]:
        """Pressure head [m] of the columns, (layers, columns)."""
        ...

    @head.setter
    def head(self, head: NDArray[Any]) -> None: ...

    def close(self, source: Tensor, predicted: Tensor) -> Tensor:
        """Advance an hour: pressure head [m] at its end, from the net source [h-1] and what the network predicts.

        All are (layers, ny, nx), float64, on the device of the network; the head is 0 in inactive cells.
        """
        ...


class _TorchClosure:
    """Closes balances in PyTorch, on any device; a `_Closure`."""

    def __init__(self, columns: ColumnProperties, base: Base) -> None:
        self._columns, self._base, self._head = columns, base, torch.empty(0)

    @property
    def head(self) -> NDArray[Any]:
        found: NDArray[Any] = self._head.cpu().numpy()
        return found

    @head.setter
    def head(self, head: NDArray[Any]) -> None:
        self._head = torch.from_numpy(np.array(head)).to(self._columns.cells.device)

    def close(self, source: Tensor, predicted: Tensor) -> Tensor:
        columns = self._columns
        gained, guess = columns.pack(source[None]), columns.pack(predicted[None])
        active_set = source.device.type == "cpu"
        self._head = closed_head(columns, self._head, gained, guess, self._base, active_set)
        return columns.unpack(self._head)[0]


class _CompiledClosure:
    """Closes balances by the kernel of the structured surrogate, each column as if it were alone; a `_Closure`."""

    def __init__(self, columns: ColumnProperties, base: Base, threads: int | None, domain: Domain) -> None:
        effort = StructuredArchitecture(domain.nz, (), refinements=0, routing=EFFORT.routing, sweeps=EFFORT.sweeps)
        self._engine = CompiledEngine(StructuredModel(effort), columns, threads, shared_network(domain))
        self._base = base

    @property
    def head(self) -> NDArray[Any]:
        return self._engine.head

    @head.setter
    def head(self, head: NDArray[Any]) -> None:
        self._engine.head = head

    def close(self, source: Tensor, predicted: Tensor) -> Tensor:
        prediction = Prediction(predicted.cpu().numpy(), self._base)
        head = torch.from_numpy(self._engine.step(source.cpu().numpy(), prediction))
        return head.nan_to_num(nan=0.0).to(source.device)


class ClosedEmulator:
    """A PredRNN at work whose balance is closed after every hour; an `Emulator`.

    The network goes on from the head of the closed balance, everywhere: tiles do not drift apart. On a GPU everything
    stays on the device between the source of an hour and the head at its end, but for a domain that processes share.

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
        self.network, self._mask = network, domain.mask
        base = network.architecture.base
        on_device = network.device.type != "cpu" and domain.part is None
        self.columns = ColumnProperties.of_domain(domain, network.device if on_device else "cpu")
        self._saved = SavedColumns(self.columns, domain.part)
        self._closure: _Closure = (
            _TorchClosure(self.columns, base)
            if on_device
            else _CompiledClosure(self.columns, base, network.options.threads, domain)
        )

    @property
    def fingerprint(self) -> str:
        """Hash of parameters, architecture and statistics."""
        return fingerprint(self.network.fingerprint, "closed")

    def start(self, head: Array) -> None:
        """Begin with a pressure head [m], shape (layers, ny, nx), and the memory that the network makes of it."""
        self.network.start(head)
        self._closure.head = self._saved.packed(head)

    def set_head(self, head: Array, changed: NDArray[np.bool_]) -> None:
        """Replace the pressure head [m] of the `changed` cells, both (layers, ny, nx); memory stays."""
        self.network.set_head(head, changed)
        packed = self._saved.packed
        self._closure.head = np.where(packed(changed), packed(head), self._closure.head)

    @torch.inference_mode()
    def step(self, source: Array) -> Array:
        """Advance one hour under a net source [h-1] (source layers, ny, nx): head [m], NaN in inactive cells."""
        network = self.network
        with network.computing():
            supply = torch.from_numpy(np.ascontiguousarray(source, dtype=np.float64)).to(network.device)
            head = self._closure.close(supply, network.advance(supply))
            network.replace_head(head)
            return np.where(self._mask, head.cpu().numpy(), np.nan)

    def state_dict(self) -> dict[str, StateArray]:
        """Return the network's state, and the head of the columns in full precision, in process 0 of all of them."""
        head = self._saved.given(self._closure.head)
        return {**self.network.state_dict(), "head": StateArray(head, ("layer", "column"))}

    @torch.inference_mode()
    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state_dict` gave, in process 0."""
        own = dict(state)
        self._closure.head = self._saved.taken(np.array(own.pop("head")))
        self.network.load_state_dict(own)
