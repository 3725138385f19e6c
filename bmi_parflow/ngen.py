"""The user's own ParFlow as a module of ngen: ``"python_type": "bmi_parflow.ngen.Parflow"``."""

from __future__ import annotations

from bmi_common.ngen import NgenRules
from bmi_parflow.bmi import BmiParflow


class Parflow(NgenRules, BmiParflow):
    """`BmiParflow` under the rules of ngen."""
