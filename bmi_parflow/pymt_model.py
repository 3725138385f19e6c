"""The user's own ParFlow as pymt takes it."""

from __future__ import annotations

from bmi_common.pymt import PymtRules
from bmi_parflow.bmi import BmiParflow


class Parflow(PymtRules, BmiParflow):
    """`BmiParflow` under the rules of pymt."""
