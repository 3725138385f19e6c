"""Learned ParFlow: a recurrent network that advances pressure head hour by hour, as a BMI component."""

from bmi_surrogate.bmi import BmiSurrogate
from bmi_surrogate.checkpoint import Checkpoint, convert_published, load, save
from bmi_surrogate.emulator import Emulator, Options
from bmi_surrogate.network import Architecture, PredRNN

__all__ = [
    "Architecture",
    "BmiSurrogate",
    "Checkpoint",
    "Emulator",
    "Options",
    "PredRNN",
    "convert_published",
    "load",
    "save",
]
