"""Surrogates of ParFlow, structured or recurrent, that advance pressure head hour by hour, as a BMI component."""

try:  # the extra of the package, before anything fails on it
    import safetensors  # noqa: F401
    import torch  # noqa: F401
except ModuleNotFoundError as error:
    raise ImportError(
        f"surrogates need PyTorch ({error.name} is missing): pip install 'rootzone[surrogate]'", name=error.name
    ) from error

from bmi_surrogate.bmi import BmiSurrogate
from bmi_surrogate.checkpoint import convert_published, load, save
from bmi_surrogate.emulator import Emulator
from bmi_surrogate.predrnn.checkpoint import PredRNNCheckpoint
from bmi_surrogate.predrnn.closed_balance import ClosedEmulator
from bmi_surrogate.predrnn.emulator import PredRNNEmulator, PredRNNOptions
from bmi_surrogate.predrnn.network import Architecture, PredRNN
from bmi_surrogate.structured import StructuredArchitecture, StructuredModel
from bmi_surrogate.structured.checkpoint import StructuredCheckpoint
from bmi_surrogate.structured.emulator import StructuredEmulator, StructuredOptions

__all__ = [
    "Architecture",
    "BmiSurrogate",
    "ClosedEmulator",
    "Emulator",
    "PredRNN",
    "PredRNNCheckpoint",
    "PredRNNEmulator",
    "PredRNNOptions",
    "StructuredArchitecture",
    "StructuredCheckpoint",
    "StructuredEmulator",
    "StructuredModel",
    "StructuredOptions",
    "convert_published",
    "load",
    "save",
]
