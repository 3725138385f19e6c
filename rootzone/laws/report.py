"""Findings as tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from rich.table import Table
from rich.text import Text

from rootzone.laws.findings import Finding, Status

_STYLES = {Status.KEPT: "green", Status.BROKEN: "red", Status.NOT_APPLICABLE: "dim"}


def screen_table(findings: Mapping[str, Sequence[Finding]]) -> Table:
    """Return a table for the terminal: a line for each law, a column for each run."""
    table = Table(title="Laws of land and groundwater")
    table.add_column("law")
    for name in findings:
        table.add_column(name)
    for law, answers in _by_law(findings).items():
        table.add_row(law, *(Text(_short(a), style=_STYLES[a.status]) if a else "" for a in answers))
    return table


def markdown(findings: Mapping[str, Sequence[Finding]]) -> str:
    """Write all that was found as a table in Markdown, with the reasons of what was not measured."""
    lines = [f"| law | {' | '.join(findings)} | what is measured |", "|---" * (len(findings) + 2) + "|"]
    for law, answers in _by_law(findings).items():
        words = next((a.words for a in answers if a is not None and not math.isnan(a.measured)), "")
        lines.append(f"| {law} | {' | '.join(_short(a) if a else '' for a in answers)} | {words} |")
    reasons = [
        f"- {name}, {f.law}: {f.words}" for name, found in findings.items() for f in found if math.isnan(f.measured)
    ]
    return "\n".join([*lines, "", *reasons]).rstrip() + "\n"


def _short(finding: Finding) -> str:
    if math.isnan(finding.measured):
        return finding.status.value
    return f"{finding.status.value}: {finding.measured:.2g} (limit {finding.limit:g})"


def _by_law(findings: Mapping[str, Sequence[Finding]]) -> dict[str, list[Finding | None]]:
    """Return the answers of all runs by law, in the order in which the laws were put."""
    laws = list(dict.fromkeys(f.law for found in findings.values() for f in found))
    return {law: [next((f for f in found if f.law == law), None) for found in findings.values()] for law in laws}
