"""Land surface after the Common Land Model: a BMI component, its column physics and its forcing readers."""

from bmi_colm.bmi import BmiColm

__all__ = ["BmiColm"]
