"""Surrogates of ParFlow, structured or recurrent, that advance pressure head hour by hour, as a BMI component."""

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
