"""What the BMI component needs of a surrogate, whatever its architecture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array
from bmi_common.state_file import StateArray


class Emulator(Protocol):
    """Advances the pressure head of a domain hour by hour."""

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides how the emulator steps."""
        ...

    def start(self, head: Array) -> None:
        """Begin with a pressure head [m], shape (layers, ny, nx)."""
        ...

    def set_head(self, head: Array, changed: NDArray[np.bool_]) -> None:
        """Replace the pressure head [m] of the `changed` cells, both (layers, ny, nx); any hidden state stays."""
        ...

    def step(self, source: Array) -> Array:
        """Advance one hour under a net source [h-1] (source layers, ny, nx): head [m] (layers, ny, nx) at its end."""
        ...

    def state_dict(self) -> Mapping[str, StateArray]:
        """Return what the next step depends on beside what is published, by the names in state files."""
        ...

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state_dict` gave."""
        ...
