"""Surrogates of ParFlow, structured or recurrent, that advance pressure head hour by hour, as a BMI component."""

try:  # the extra of the package, before anything fails on it
    import safetensors  # noqa: F401
    import torch  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError(
        f"surrogates need PyTorch ({error.name} is missing): pip install 'rootzone[surrogate]'", name=error.name
    ) from error

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
