"""Land surface after the Common Land Model: BMI components, their column physics and their forcing readers."""

from bmi_colm.bmi import BmiColm
from bmi_colm.library import BmiColmLibrary

__all__ = ["BmiColm", "BmiColmLibrary"]
