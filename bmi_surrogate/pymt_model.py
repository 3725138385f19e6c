"""The learned ParFlow as pymt takes it."""

from __future__ import annotations

from bmi_common.pymt import PymtRules
from bmi_surrogate.bmi import BmiSurrogate


class ParflowSurrogate(PymtRules, BmiSurrogate):
    """`BmiSurrogate` under the rules of pymt."""
