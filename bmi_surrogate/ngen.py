"""The learned ParFlow as a module of ngen: ``"python_type": "bmi_surrogate.ngen.ParflowSurrogate"``."""

from __future__ import annotations

from bmi_common.ngen import NgenRules
from bmi_surrogate.bmi import BmiSurrogate


class ParflowSurrogate(NgenRules, BmiSurrogate):
    """`BmiSurrogate` under the rules of ngen."""
