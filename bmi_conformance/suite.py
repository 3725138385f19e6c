"""The tests that the plugin runs: one for each check."""

from __future__ import annotations

import pytest

from bmi_conformance.checks import CHECKS, Outcome, Report


@pytest.mark.parametrize("check", [check.name for check in CHECKS])
def test_bmi(check: str, bmi_report: Report) -> None:
    """The component passes the check; what does not apply to it is skipped, with the reason."""
    result = bmi_report.result(check)
    if result.outcome is Outcome.SKIPPED:
        pytest.skip(result.reason)
    if result.outcome is Outcome.FAILED:
        pytest.fail(f"{check}: {result.reason}", pytrace=False)
