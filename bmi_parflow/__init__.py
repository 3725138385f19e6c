"""The user's own ParFlow as a groundwater component, behind the BMI variables that all of them have."""

from bmi_parflow.bmi import BmiParflow

__all__ = ["BmiParflow"]
