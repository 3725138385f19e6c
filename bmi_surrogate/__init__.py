"""Surrogates of ParFlow, structured or recurrent, that advance pressure head hour by hour, as a BMI component.

They need PyTorch, the extra ``surrogate`` of the package. It is imported with the first name taken from here, so
that what needs no network (``bmi-train --help``) does without.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from bmi_surrogate.extra import require_pytorch

if TYPE_CHECKING:
    from bmi_surrogate.bmi import BmiSurrogate
    from bmi_surrogate.checkpoint import Checkpoint, StructuredCheckpoint, save
    from bmi_surrogate.closed import ClosedEmulator
    from bmi_surrogate.emulator import Emulator, Options
    from bmi_surrogate.engine import Engine
    from bmi_surrogate.network import Architecture, PredRNN
    from bmi_surrogate.published import convert_published
    from bmi_surrogate.structured import StructuredArchitecture, StructuredModel
    from bmi_surrogate.structured.emulator import StructuredEmulator, StructuredOptions
    from bmi_surrogate.trained import load

__all__ = [
    "Architecture",
    "BmiSurrogate",
    "Checkpoint",
    "ClosedEmulator",
    "Emulator",
    "Engine",
    "Options",
    "PredRNN",
    "StructuredArchitecture",
    "StructuredCheckpoint",
    "StructuredEmulator",
    "StructuredModel",
    "StructuredOptions",
    "convert_published",
    "load",
    "save",
]

_MODULES = {
    "Architecture": "network",
    "BmiSurrogate": "bmi",
    "Checkpoint": "checkpoint",
    "ClosedEmulator": "closed",
    "Emulator": "emulator",
    "Engine": "engine",
    "Options": "emulator",
    "PredRNN": "network",
    "StructuredArchitecture": "structured",
    "StructuredCheckpoint": "checkpoint",
    "StructuredEmulator": "structured.emulator",
    "StructuredModel": "structured",
    "StructuredOptions": "structured.emulator",
    "convert_published": "published",
    "load": "trained",
    "save": "checkpoint",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    require_pytorch()
    value: object = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
