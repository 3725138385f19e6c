"""The embedded Richards solver as a module of ngen: ``"python_type": "bmi_richards.ngen.Richards"``."""

from __future__ import annotations

from bmi_common.ngen import NgenRules
from bmi_richards.bmi import BmiRichards


class Richards(NgenRules, BmiRichards):
    """`BmiRichards` under the rules of ngen."""
