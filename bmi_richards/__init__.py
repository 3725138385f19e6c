"""Embedded Richards solver: ParFlow's discretisation of variably saturated and overland flow, as a BMI component."""

from bmi_common.groundwater_config import Mode
from bmi_richards.bmi import BmiRichards
from bmi_richards.options import Convergence, Drainage, PermeabilityTable, SolverConfig
from bmi_richards.solver import HourBalance, NewtonCount, RichardsSolver

__all__ = [
    "BmiRichards",
    "Convergence",
    "Drainage",
    "HourBalance",
    "Mode",
    "NewtonCount",
    "PermeabilityTable",
    "RichardsSolver",
    "SolverConfig",
]
