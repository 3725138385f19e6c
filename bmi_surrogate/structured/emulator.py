"""The structured surrogate at work on a domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from bmi_common import ConfigError, Domain
from bmi_common.arrays import Array
from bmi_common.boundary_conditions import Barriers
from bmi_common.state_file import StateArray, fingerprint
from bmi_surrogate.compute import compiling, find_device, require_compiler, using_threads
from bmi_surrogate.structured.columns import ColumnProperties
from bmi_surrogate.structured.model import Kernels, StructuredModel


@dataclass(frozen=True)
class StructuredOptions:
    """How to run a structured surrogate.

    Attributes
    ----------
    device : str
        ``"auto"`` (CUDA where there is a device, otherwise CPU) or a name that PyTorch knows.
    threads : int or None
        Threads on a CPU; None for PyTorch's choice.
    compile : bool
        Compile what the time is spent in (takes about a minute, needs a C++ compiler on a CPU).
    """

    device: str = "auto"
    threads: int | None = None
    compile: bool = False


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
        If the domain lacks a field or has other layers than the model, if the device does not exist, or if the step
        cannot be compiled.
    """

    def __init__(
        self,
        model: StructuredModel,
        domain: Domain,
        options: StructuredOptions | None = None,
        barriers: Barriers | None = None,
    ) -> None:
        options = options or StructuredOptions()
        if model.architecture.layers != domain.nz:
            raise ConfigError(f"the surrogate has {model.architecture.layers} layers, the domain has {domain.nz}")
        self.options = options
        self.device = find_device(options.device)
        self.columns = ColumnProperties.of_domain(domain, self.device, barriers)
        self._model = StructuredModel(model.architecture).eval()
        self._model.load_state_dict(model.state_dict())
        self._model.to(self.device)
        self._head = torch.empty(0)
        if options.compile:
            self._compile(domain.root_zone.shape)
        parameters = sorted(model.state_dict().items())
        words = [part for name, value in parameters for part in (name, value.detach().cpu().numpy())]
        self._fingerprint = fingerprint(repr(model.architecture), *words)

    @property
    def fingerprint(self) -> str:
        """Hash of parameters and architecture."""
        return self._fingerprint

    @torch.inference_mode()
    def start(self, head: Array) -> None:
        """Begin with a pressure head [m], shape (layers, ny, nx)."""
        self._head = self.columns.pack_array(head)

    @torch.inference_mode()
    def set_head(self, head: Array, changed: NDArray[np.bool_]) -> None:
        """Replace the pressure head [m] of the `changed` cells, both (layers, ny, nx)."""
        self._head = torch.where(self.columns.pack_array(changed) > 0.0, self.columns.pack_array(head), self._head)

    @torch.inference_mode()
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
        with using_threads(self.options.threads):
            active_set = self.device.type == "cpu"
            self._head = self._model(self.columns, self._head, self.columns.pack_array(source), active_set).head
            head: Array = self.columns.unpack(self._head, float("nan"))[0].cpu().numpy()
            return head

    def state_dict(self) -> dict[str, StateArray]:
        """Return the pressure head of the active columns."""
        return {"head": StateArray(self._head.cpu().numpy(), ("layer", "column"))}

    @torch.inference_mode()
    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state_dict` gave."""
        self._head = torch.from_numpy(np.array(state["head"])).to(self.device)

    def _compile(self, source: tuple[int, ...]) -> None:
        require_compiler(self.device)
        self._model.kernels = Kernels.compiled()
        surface = self.columns.shape[1:]
        with compiling():
            self.start(np.full((self._model.architecture.layers, *surface), -1.0))
            self.step(np.zeros(source))
