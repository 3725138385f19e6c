"""The user's own ParFlow as a groundwater component, behind the same BMI variables as the other groundwater components."""

from bmi_parflow.bmi import BmiParflow

__all__ = ["BmiParflow"]
