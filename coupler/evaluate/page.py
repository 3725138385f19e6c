"""The report as one page, ``report.html``, with its figures inside."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from coupler.evaluate.assessment import Assessment, window_error
from coupler.evaluate.control import Control
from coupler.evaluate.drawing import ERROR_CONTROL, Drawn
from coupler.evaluate.judged import JUDGED
from coupler.evaluate.report import COLUMNS, Report, number, verdict
from coupler.evaluate.summary import summary
from coupler.evaluate.verdict import span

_TEMPLATE = Path(__file__).with_name("page.html")

_Table = dict[str, Any]


def write(report: Report, a: Assessment, control: Control | None, figures: Sequence[Drawn], path: Path) -> None:
    """Write the page; it needs no other file."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    numbers = summary(a)
    first, last = (str(t.astype("datetime64[m]")).replace("T", " ") for t in (a.windows[0].begin, a.times[-1]))
    length = len(a.times)
    missing = f", {length - len(a.hour)} of them missing" if length > len(a.hour) else ""
    page = environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        title=f"{a.run} beside the reference",
        period=f"{first} to {last} UTC, {length} hours{missing}; {int(a.domain.mask.sum())} active cells",
        cards=[_card(a, key, of) for key, of in numbers["verdict"].items()],
        notes=a.notes,
        sections=_sections(a, numbers, control, figures),
        tables=[_baselines(report), _criteria(report), _windows(a), _regimes(numbers)],
        sources=list(report.sources.items()),
        version=version("rootzone"),
    )
    path.write_text(page, encoding="utf-8")


def _card(a: Assessment, key: str, of: dict[str, Any]) -> dict[str, Any]:
    length = len(a.times)
    reached = np.isnan(of["horizon_hours"])
    days = float(length) if reached else of["horizon_hours"]
    against = [f"{a.bound}'s error"] if of["bound"] else []
    if of["threshold"] is not None:
        against.append(f"{of['threshold']:g} {JUDGED[key].label}")
    cells = of.get("cells")
    return {
        "title": JUDGED[key].title.capitalize(),
        "good": reached,
        "headline": f"trusted for {'all ' if reached else ''}{span(days)}",
        # rounded down: one failing hour of a year is not 100 %
        "percent": f"{np.floor(1000.0 * of['hours_held'] / of['hours']) / 10.0:g}",
        "against": "against " + " and ".join(against),
        "cells": ""
        if cells is None
        else f"{cells['horizon_reached_end']} of {cells['count']} cells reach the end; in the median cell "
        f"{span(cells['horizon_hours']['median'])}",
    }


def _sections(
    a: Assessment, numbers: dict[str, Any], control: Control | None, figures: Sequence[Drawn]
) -> list[dict[str, Any]]:
    titles = list(dict.fromkeys(f.section for f in figures))
    tables = {"Verdict": _verdict(a, numbers), "Errors over time": _pairs(a)}
    if control is not None and control.decisions:
        tables[ERROR_CONTROL] = _decisions(control)
        titles += [] if ERROR_CONTROL in titles else [ERROR_CONTROL]
    return [
        {
            "id": re.sub(r"[^a-z]+", "-", title.lower()),
            "title": title,
            "table": tables.get(title),
            "figures": [
                {"caption": f.caption, "data": base64.b64encode(f.path.read_bytes()).decode("ascii")}
                for f in figures
                if f.section == title
            ],
        }
        for title in titles
    ]


def _verdict(a: Assessment, numbers: dict[str, Any]) -> _Table:
    rows = []
    for key, of in numbers["verdict"].items():
        threshold = "–" if of["threshold"] is None else f"{of['threshold']:g} {JUDGED[key].label}"
        counts = [f"{of[f'hours_{what}']:.0f}" for what in ("below_bound", "below_threshold", "held")]
        if not of["bound"]:
            counts[0] = "–"
        if of["threshold"] is None:
            counts[1] = "–"
        alone = ["–" if not of["bound"] else _since(of["bound_horizon_hours"])]
        alone.append("–" if of["threshold"] is None else _since(of["threshold_horizon_hours"]))
        times = [_since(of["first_failure_hours"]), *alone]
        times += [_since(of[f"{what}_hours"]) for what in ("horizon", "fails_for_good")]
        rows.append([JUDGED[key].title, threshold, f"{of['hours']:.0f}", *counts, *times])
    head = ["", "threshold", "hours", f"below {a.bound}" if a.bound else "below bound", "below threshold", "hold"]
    head += [
        "first failure after",
        "horizon, bound alone",
        "horizon, threshold alone",
        "horizon",
        "fails for good after",
    ]
    return _table("", head, rows)


def _since(hours: float) -> str:
    return "never" if np.isnan(hours) else span(hours)


def _pairs(a: Assessment) -> _Table:
    rows = [
        [f"{JUDGED[p.key].title} [{JUDGED[p.key].label}]", f"{p.simulated} – {p.reference}"]
        + [number(float(getattr(p.metrics, m))) for m in ("kge", "r", "alpha", "beta", "bias", "rmse", "mae")]
        + [number(float(p.metrics.spearman))]
        for p in a.pairs
    ]
    head = ["domain mean of", "pair", "KGE", "r", "α", "β", "bias", "RMSE", "MAE", "Spearman"]
    return _table("", head, rows, text=(1,))


def _decisions(control: Control) -> _Table:
    rows = [[d["time"].replace("T", " "), d["by"], d["reason"], d["action"]] for d in control.decisions]
    return _table("", ["time (UTC)", "by", "finding", "action"], rows, text=(1, 2, 3))


def _baselines(report: Report) -> _Table:
    names = list(report.summaries)
    rows = [
        [title, *(number(getattr(report.summaries[n], measure)) for n in names)] for measure, title in COLUMNS.items()
    ]
    return _table("Errors beside the baselines", ["", *names], rows)


def _criteria(report: Report) -> _Table:
    rows = [[g.criterion, number(g.value), f"{g.relation} {number(g.limit)}", verdict(g), g.note] for g in report.gates]
    table = _table("Criteria of the shipped surrogates", ["criterion", "value", "limit", "", "note"], rows, text=(3, 4))
    for row, gate in zip(table["rows"], report.gates, strict=True):
        row[3]["mark"] = {True: "met", False: "unmet", None: ""}[gate.met]
    return table


def _windows(a: Assessment) -> _Table:
    rows = []
    for i, window in enumerate(a.windows):
        rain = [f"{number(a.rain[i].mean)} ± {number(a.rain[i].deviation)}"] if a.rain else []
        errors = [number(window_error(a, key, window)) for key in JUDGED]
        span = f"{window.begin.astype('datetime64[h]')} – {window.end.astype('datetime64[h]')}"
        rows.append([window.name, span, *rain, *errors])
    rain_head = ["precipitation [mm h⁻¹]"] if a.rain else []
    head = ["part of the period", "", *rain_head, *(f"{v.title} [{v.label}]" for v in JUDGED.values())]
    return _table("Mean over the hours of the median error over the cells", head, rows, text=(1,))


def _regimes(numbers: dict[str, Any]) -> _Table:
    rows = []
    for name, of in numbers["regimes"].items():
        high = "∞" if np.isinf(of["to_depth"]) else f"{of['to_depth']:g}"
        errors = [
            number(of[what][q]) for what in ("water_table_error", "latent_heat_error") for q in ("median", "90 %")
        ]
        law = of["power_law"]
        share = f"{100.0 * of['share']:.3g} %"
        rows.append(
            [f"{name} ({of['from_depth']:g}–{high} m)", share, *errors, number(law["slope"]), number(law["r2"])]
        )
    head = ["regime of water table depth", "cells × hours", "water table error, median [m]", "90 % [m]"]
    head += ["latent heat error, median [W m⁻²]", "90 % [W m⁻²]", "slope of flux error", "R²"]
    return _table("Regimes of depth, and how flux errors follow water table errors", head, rows)


def _table(title: str, head: list[str], rows: list[list[str]], text: tuple[int, ...] = ()) -> _Table:
    return {
        "title": title,
        "head": [{"title": h, "text": i == 0 or i in text} for i, h in enumerate(head)],
        "rows": [[{"value": value, "mark": ""} for value in row] for row in rows],
    }
