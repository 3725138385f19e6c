"""The report as one page, ``report.html``, with its figures inside."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from rootzone.evaluation.assessment import Assessment
from rootzone.evaluation.figures import DISCHARGE, ERROR_CONTROL, Drawn
from rootzone.evaluation.report import tables
from rootzone.evaluation.variables import EVALUATED
from rootzone.evaluation.verdict import Criterion, span

_TEMPLATE = Path(__file__).with_name("page.html")


def write(
    a: Assessment,
    numbers: Mapping[str, Any],
    figures: Sequence[Drawn],
    path: Path,
    pages: Sequence[tuple[str, str]] = (),
) -> None:
    """Write the page, which needs no other file; `numbers` is the assessment's `summary`, `pages` as of `render`."""
    first, last = (str(t.astype("datetime64[m]")).replace("T", " ") for t in (a.windows[0].begin, a.times[-1]))
    length = len(a.times)
    missing = f", {length - len(a.hour)} of them missing" if length > len(a.hour) else ""
    found = (
        tables.criteria_table(a.criteria),
        tables.errors_table(a),
        tables.windows_table(a),
        tables.regimes_table(numbers["regimes"]),
    )
    render(
        path,
        title=f"{a.run} beside the reference",
        period=f"{first} to {last} UTC, {length} hours{missing}; {int(a.domain.mask.sum())} active cells",
        cards=[_card(a, criterion, numbers["verdict"][criterion.variable]) for criterion in a.criteria],
        notes=a.notes,
        sections=_sections(a, numbers, figures),
        numbers=[table for table in found if table.rows],
        sources=a.sources,
        files="The same numbers are in report.json, the fields in evaluation.nc, the figures in figures/.",
        pages=pages,
    )


def render(
    path: Path,
    *,
    title: str,
    period: str,
    cards: Sequence[Mapping[str, Any]],
    notes: Sequence[str],
    sections: Sequence[Mapping[str, Any]],
    numbers: Sequence[tables.ReportTable],
    sources: Mapping[str, str],
    files: str,
    pages: Sequence[tuple[str, str]],
) -> None:
    """Write a page from the template that all have.

    Parameters
    ----------
    path : Path
        The page.
    title, period : str
        Its head.
    cards : sequence of mapping
        What is read first: ``title``, ``headline``, ``lines``, ``good`` (True, False or None), ``percent`` of a bar, or
        None.
    notes : sequence of str
        What a reader must know.
    sections : sequence of mapping
        Made by `section`.
    numbers : sequence of ReportTable
        Tables at the end.
    sources : mapping
        Folders and files by name.
    files : str
        Where the numbers are.
    pages : sequence of (str, str)
        Titles and files of further pages.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    page = environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        title=title,
        period=period,
        cards=cards,
        notes=notes,
        sections=sections,
        tables=numbers,
        sources=list(sources.items()),
        version=version("rootzone"),
        files=files,
        pages=pages,
    )
    path.write_text(page, encoding="utf-8")


def section(
    title: str, table: tables.ReportTable | None, figures: Sequence[Drawn], anchor: str | None = None
) -> dict[str, Any]:
    """Return a section of a page: its table, and those of the figures that belong to it.

    The `anchor` is what links lead to, by default made of the title.
    """
    return {
        "id": re.sub(r"[^a-z]+", "-", title.lower()) if anchor is None else anchor,
        "title": title,
        "table": table,
        "figures": [
            {"caption": f.caption, "data": base64.b64encode(f.path.read_bytes()).decode("ascii")}
            for f in figures
            if f.section == title
        ],
    }


def _card(a: Assessment, criterion: Criterion, of: Mapping[str, Any]) -> dict[str, Any]:
    """Show one criterion: a card is good where its criterion is met, and says the same value."""
    title = EVALUATED[criterion.variable].title.capitalize()
    if criterion.kind == "segments":
        title = f"{title}, restarted segments"
        headline = f"{criterion.value:.0f} of {criterion.limit:.0f} without a failing day"
        share, lines = criterion.value / criterion.limit, [criterion.note]
    else:
        headline = f"trusted for {'all ' if criterion.met else ''}{span(criterion.value)}"
        if criterion.met is None:
            headline = criterion.outcome
        share, lines = of["hours_held"] / of["hours"], []
    # rounded down: one failing hour of a year is not 100 %
    percent = f"{np.floor(1000.0 * share) / 10.0:g}"
    if criterion.kind == "horizon":
        lines.append(f"{percent} % of the hours hold (against {a.against(criterion.variable)})")
        cells = of.get("cells")
        if cells is not None:
            lines.append(
                f"{cells['horizon_reached_end']} of {cells['count']} cells reach the end; in the median cell "
                f"{span(cells['horizon_hours']['median'])}"
            )
    return {"title": title, "good": criterion.met, "headline": headline, "percent": percent, "lines": lines}


def _sections(a: Assessment, numbers: Mapping[str, Any], figures: Sequence[Drawn]) -> list[dict[str, Any]]:
    titles = list(dict.fromkeys(f.section for f in figures))
    decisions = tables.decisions_table(a)
    at = {
        "Verdict": tables.verdict_table(a, numbers["verdict"]),
        "Errors over time": tables.pairs_table(a),
        DISCHARGE: tables.discharge_table(a),
    }
    if decisions is not None:
        at[ERROR_CONTROL] = decisions
        titles += [] if ERROR_CONTROL in titles else [ERROR_CONTROL]
    return [section(title, at.get(title), figures) for title in titles]
