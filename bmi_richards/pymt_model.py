"""The embedded Richards solver as pymt takes it."""

from __future__ import annotations

from bmi_common.pymt import PymtRules
from bmi_richards.bmi import BmiRichards


class Richards(PymtRules, BmiRichards):
    """`BmiRichards` under the rules of pymt."""
