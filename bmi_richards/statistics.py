"""What the solver tells about its own work over BMI, beside the variables that all groundwater components share."""

from __future__ import annotations

from collections.abc import Mapping

from bmi_common.grids import SCALAR
from bmi_common.variables import Role, Variable
from bmi_richards.solver import HourBalance


def _count(name: str, long_name: str) -> Variable:
    return Variable(name, "1", SCALAR, Role.OUTPUT, long_name)


SOLVER_VARIABLES = (
    _count("model_solver_newton__iteration_count", "Newton iterations in the last step, all columns and passes"),
    _count("model_solver_newton__max_of_iteration_count", "Newton iterations in the last step of the hardest column"),
    _count("model_solver_wet-start__column_count", "columns of the last step solved from a wet start"),
    _count("model_solver_backtracking__column_count", "columns of the last step solved by backtracking"),
    _count("model_solver_dry-start__column_count", "columns of the last step solved by backtracking from a dry start"),
    _count(
        "model_solver_stretched__column_count", "columns of the last step solved in a head stretched near saturation"
    ),
    _count("model_solver_continuation__column_count", "columns of the last step solved by continuation"),
    _count(
        "model_solver_cautious-continuation__column_count", "columns of the last step solved by cautious continuation"
    ),
    _count("model_solver_pass__count", "passes over the domain in the last step"),
)
"""Scalars; a column counts among those of the last way that it needed, and not where full Newton steps were enough."""


def solver_values(balance: HourBalance) -> Mapping[str, float]:
    """Values of `SOLVER_VARIABLES` by name."""
    newton = balance.newton
    counts = (newton.iterations, newton.most, *newton.rungs, balance.passes)
    return {v.name: float(count) for v, count in zip(SOLVER_VARIABLES, counts, strict=True)}
