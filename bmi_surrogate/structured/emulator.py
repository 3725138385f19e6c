"""The structured surrogate at work on a domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from bmi_common import ConfigError, Domain
from bmi_common.arrays import Array
from bmi_common.boundary_conditions import Barriers
from bmi_common.state_file import StateArray, fingerprint
from bmi_surrogate.compute import find_device, using_threads
from bmi_surrogate.structured.columns import ColumnProperties
from bmi_surrogate.structured.compiled import CompiledEngine
from bmi_surrogate.structured.model import StructuredModel
from bmi_surrogate.structured.shared_columns import SavedColumns, shared_network

EngineName = Literal["compiled", "torch"]


@dataclass(frozen=True)
class StructuredOptions:
    """How to run a structured surrogate.

    Attributes
    ----------
    device : str
        ``"auto"`` (CUDA where there is a device, otherwise CPU) or a name that PyTorch knows.
    threads : int or None
        Threads on a CPU; None for the engine's choice.
    engine : {"compiled", "torch"} or None
        What computes an hour: the Fortran kernel, which needs a CPU, or PyTorch. None takes the kernel on a CPU,
        PyTorch on another device. They agree but for rounding.
    """

    device: str = "auto"
    threads: int | None = None
    engine: EngineName | None = None


class Engine(Protocol):
    """Computes the hours of a structured surrogate."""

    @property
    def head(self) -> Array:
        """Pressure head [m] of the active columns, (layers, columns)."""
        ...

    @head.setter
    def head(self, head: Array) -> None: ...

    def step(self, source: Array) -> Array:
        """Advance an hour under a net source [h-1] (source layers, ny, nx): head [m], NaN in inactive cells."""
        ...


class TorchEngine:
    """Advances the heads of a domain by hours in PyTorch; an `Engine`.

    Parameters
    ----------
    model : StructuredModel
        Weights; copied.
    columns : ColumnProperties
        Soil and terrain, on the device.
    device : torch.device
        Where to compute.
    threads : int, optional
        Threads on a CPU; by default PyTorch's choice.
    """

    def __init__(
        self, model: StructuredModel, columns: ColumnProperties, device: torch.device, threads: int | None = None
    ) -> None:
        self._columns, self._device, self._threads = columns, device, threads
        self._model = StructuredModel(model.architecture).eval()
        self._model.load_state_dict(model.state_dict())
        self._model.to(device, torch.float64)  # rounding in single precision would show in dry soil
        self._head = torch.empty(0)

    @property
    def head(self) -> Array:
        """Pressure head [m] of the columns, (layers, columns)."""
        head: Array = self._head.cpu().numpy()
        return head

    @head.setter
    def head(self, head: Array) -> None:
        self._head = torch.from_numpy(np.array(head)).to(self._device)

    @torch.inference_mode()
    def step(self, source: Array) -> Array:
        """Advance an hour under a net source [h-1] (source layers, ny, nx): head [m], NaN in inactive cells."""
        with using_threads(self._threads):
            active_set = self._device.type == "cpu"
            self._head = self._model(self._columns, self._head, self._columns.pack_array(source), active_set).head
            head: Array = self._columns.unpack(self._head, float("nan"))[0].cpu().numpy()
            return head


class StructuredEmulator:
    """Advances the pressure head of a domain by a structured surrogate, hour by hour; an `Emulator`.

    Pressure head is all that it carries from hour to hour.

    Parameters
    ----------
    model : StructuredModel
        Weights; copied.
    domain : Domain
        Soil and terrain.
    options : StructuredOptions
        How to run.
    barriers : Barriers, optional
        Flow barriers.

    Raises
    ------
    ConfigError
        If the domain lacks a field or has other layers than the model, if the device does not exist, or if it is not
        one of the engine.
    """

    def __init__(
        self,
        model: StructuredModel,
        domain: Domain,
        options: StructuredOptions | None = None,
        barriers: Barriers | None = None,
    ) -> None:
        options = options or StructuredOptions()
        if domain.part is not None and options.engine == "torch":
            raise ConfigError("several processes share a domain with engine: compiled only", key="engine")
        if model.architecture.layers not in ("any", domain.nz):
            raise ConfigError(f"the surrogate has {model.architecture.layers} layers, the domain has {domain.nz}")
        self.options = options
        self.device = _find_device(options if domain.part is None else replace(options, engine="compiled"))
        columns = ColumnProperties.of_domain(domain, self.device, barriers)
        self._columns = SavedColumns(columns, domain.part)
        self._engine: Engine
        if options.engine == "torch" or self.device.type != "cpu":
            self._engine = TorchEngine(model, columns, self.device, options.threads)
        else:
            self._engine = CompiledEngine(model, columns, options.threads, shared_network(domain))
        parameters = sorted(model.state_dict().items())
        words = [part for name, value in parameters for part in (name, value.detach().cpu().numpy())]
        self._fingerprint = fingerprint(repr(model.architecture), *words)

    @property
    def fingerprint(self) -> str:
        """Hash of parameters and architecture."""
        return self._fingerprint

    def start(self, head: Array) -> None:
        """Begin with a pressure head [m], shape (layers, ny, nx)."""
        self._engine.head = self._columns.packed(head)

    def set_head(self, head: Array, changed: NDArray[np.bool_]) -> None:
        """Replace the pressure head [m] of the `changed` cells, both (layers, ny, nx)."""
        packed = self._columns.packed
        self._engine.head = np.where(packed(changed), packed(head), self._engine.head)

    def step(self, source: Array) -> Array:
        """Advance one hour.

        Parameters
        ----------
        source : ndarray, shape (source layers, ny, nx)
            Net source of water [h-1], into the soil positive.

        Returns
        -------
        ndarray, shape (layers, ny, nx)
            Pressure head [m] at the end of the hour; NaN in inactive cells.
        """
        return self._engine.step(source)

    def state_dict(self) -> dict[str, StateArray]:
        """Return the pressure head of the active columns, in process 0 of the whole domain."""
        return {"head": StateArray(self._columns.given(self._engine.head), ("layer", "column"))}

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state_dict` gave in process 0."""
        self._engine.head = self._columns.taken(np.array(state["head"]))


def _find_device(options: StructuredOptions) -> torch.device:
    device = find_device("cpu" if options.engine == "compiled" and options.device == "auto" else options.device)
    if options.engine == "compiled" and device.type != "cpu":
        raise ConfigError(f"engine: compiled runs on a CPU, not on {options.device}; remove one of the two keys")
    return device
