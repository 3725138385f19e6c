"""Embedded Richards solver: ParFlow's discretisation of variably saturated and overland flow, as a BMI component."""

from bmi_richards.bmi import BmiRichards
from bmi_richards.options import Drainage, Mode, Options, PermeabilityTable
from bmi_richards.solver import HourBalance, NewtonCount, RichardsSolver

__all__ = [
    "BmiRichards",
    "Drainage",
    "HourBalance",
    "Mode",
    "NewtonCount",
    "Options",
    "PermeabilityTable",
    "RichardsSolver",
]
