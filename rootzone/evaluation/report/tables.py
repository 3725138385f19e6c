"""The tables of a report, once for terminal, Markdown and page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.cells import cell_len
from rich.table import Table

from rootzone.evaluation.assessment import Assessment
from rootzone.evaluation.gauges import GaugedFlow
from rootzone.evaluation.variables import EVALUATED
from rootzone.evaluation.verdict import Criterion, span

MEASURES: Mapping[str, str] = {
    "water_table_median": "water table: median error [m]",
    "water_table_median_worst": "water table: median, worst hour [m]",
    "water_table_high": "water table: 90 % err below [m]",
    "water_table_high_worst": "water table: 90 %, worst hour [m]",
    "storage": "stored water: mean error [mm]",
    "storage_worst": "stored water: worst hour [mm]",
    "storage_slope": "stored water: growth [mm/month]",
    "saturation_rms": "saturation: RMS error",
    "latent_heat_median": "latent heat: median error [W m⁻²]",
    "latent_heat_efficiency": "KGE of latent heat",
}
"""Titles of what tables show of `Aggregator.summary`."""

_LEGIBLE = 20
"""Characters of a column of texts that a terminal shows at least."""


@dataclass(frozen=True)
class ReportTable:
    """Cells in rows.

    Attributes
    ----------
    title : str
        Line above it.
    head : list of str
        Titles of the columns.
    rows : list of list of str
        Cells.
    text : tuple of int
        Columns that are text and go to the left.
    lesser : int
        How many of the last columns a terminal may leave out that has no room for them.
    """

    title: str
    head: list[str]
    rows: list[list[str]]
    text: tuple[int, ...] = (0,)
    lesser: int = 0

    def transposed(self) -> ReportTable:
        """Return the table with rows and columns exchanged."""
        head, *rows = map(list, zip(self.head, *self.rows, strict=True))
        return ReportTable(self.title, head, rows)

    def markdown(self) -> str:
        """Return the table in Markdown, without its title."""
        rule = "".join("---|" if i in self.text else "---:|" for i in range(len(self.head)))
        lines = [self.head, *self.rows]
        head, *rows = ("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
        return "\n".join([head, f"|{rule}", *rows]) + "\n"

    def rich(self, room: int) -> Table:
        """Return the table for a terminal of so many characters.

        Texts go over several lines rather than below a legible width; lesser columns are left out before that.
        """
        lines = [self.head, *self.rows]
        needed = [max(cell_len(line[i]) for line in lines) for i in range(len(self.head))]
        for i in self.text:
            needed[i] = min(needed[i], _LEGIBLE)
        widths = [sum(needed[:n]) + 3 * n + 1 for n in range(len(needed) + 1)]  # with rules and blanks
        shown = len(needed)
        while shown > len(needed) - self.lesser and widths[shown] > room:
            shown -= 1
        table = Table(title=self.title)
        for i, title in enumerate(self.head[:shown]):
            if i in self.text:
                legible = needed[i] if widths[shown] <= room else None
                table.add_column(title, min_width=legible, overflow="fold")
            else:
                table.add_column(title, justify="right", no_wrap=True)
        for row in self.rows:
            table.add_row(*row[:shown])
        return table


def errors_table(a: Assessment) -> ReportTable:
    """Errors of all predictions over the period; measures that none has are left out."""
    t = a.aggregator.times.astype("datetime64[m]")
    found = {name: a.aggregator.summary(name) for name in a.aggregator.predictions}
    rows = [
        [title, *(number(of[measure]) for of in found.values())]
        for measure, title in MEASURES.items()
        if not all(math.isnan(of[measure]) for of in found.values())
    ]
    return ReportTable(f"Errors beside the baselines: {len(t)} hours, {t[0]} to {t[-1]} UTC", ["", *found], rows)


def criteria_table(criteria: Sequence[Criterion]) -> ReportTable:
    """Every criterion, whether it is met, and what it is held against."""
    rows = [[c.criterion, number(c.value), f"{c.relation} {number(c.limit)}", c.outcome, c.note] for c in criteria]
    return ReportTable("Criteria", ["criterion", "value", "must be", "outcome", "note"], rows, (0, 3, 4))


def verdict_table(a: Assessment, numbers: Mapping[str, Any]) -> ReportTable:
    """Hours that hold and horizons of every variable; `numbers` is the summary's ``verdict``."""
    rows = []
    for key, of in numbers.items():
        threshold, against_bound = a.thresholds.get(key), of["bound"] is not None
        rows.append(
            [
                EVALUATED[key].title,
                "–" if threshold is None else f"{threshold:g} {EVALUATED[key].label}",
                f"{of['hours']:.0f}",
                _or_dash(against_bound, f"{of['hours_below_bound']:.0f}"),
                _or_dash(threshold is not None, f"{of['hours_below_threshold']:.0f}"),
                f"{of['hours_held']:.0f}",
                _since(of["first_failure_hours"]),
                _or_dash(against_bound, _since(of["bound_horizon_hours"])),
                _or_dash(threshold is not None, _since(of["threshold_horizon_hours"])),
                _since(of["horizon_hours"]),
                _since(of["fails_for_good_hours"]),
            ]
        )
    head = ["", "threshold", "hours", f"below {a.bound or 'bound'}", "below threshold", "hold", "first failure after"]
    head += ["horizon, bound alone", "horizon, threshold alone", "horizon", "fails for good after"]
    return ReportTable("", head, rows)


def pairs_table(a: Assessment) -> ReportTable:
    """Agreement of the domain means."""
    measures = {"kge": "KGE", "r": "r", "alpha": "α", "beta": "β", "bias": "bias", "rmse": "RMSE", "mae": "MAE"}
    measures |= {"spearman": "Spearman"}
    rows = [
        [f"{EVALUATED[p.key].title} [{EVALUATED[p.key].label}]", f"{p.simulated} – {p.reference}"]
        + [number(float(getattr(p.metrics, m))) for m in measures]
        for p in a.pairs
    ]
    return ReportTable("", ["domain mean of", "pair", *measures.values()], rows, (0, 1))


_FLOW_SCORES = {"kge": "KGE", "nse": "NSE", "r": "r", "percent_bias": "bias [%]"}


def discharge_table(a: Assessment) -> ReportTable:
    """Agreement of the discharge at every gauge with that of the reference, and the largest peak."""
    rows = [
        [gauge.name, source, *(number(float(getattr(of, score))) for score in _FLOW_SCORES), *_peak(gauge, source, 4)]
        for gauge in a.gauges
        for source, of in gauge.scores.items()
    ]
    head = ["gauge", "", *_FLOW_SCORES.values(), "peak [m³ s⁻¹]", "error of the peak [%]", "late by [h]"]
    return ReportTable("Discharge beside the reference", head, rows, (0, 1))


def discharge_screen_table(a: Assessment) -> ReportTable:
    """Return the same, as far as a terminal has room."""
    shown = {score: title for score, title in _FLOW_SCORES.items() if score != "r"}
    rows = [
        [f"{gauge.name}, {source}", *(number(float(getattr(of, s)), 3) for s in shown), *_peak(gauge, source, 3)[:2]]
        for gauge in a.gauges
        for source, of in gauge.scores.items()
    ]
    return ReportTable(
        "Discharge beside the reference", ["gauge", *shown.values(), "peak [m³/s]", "error [%]"], rows, lesser=2
    )


def _peak(gauge: GaugedFlow, source: str, digits: int) -> list[str]:
    """Largest peak of the reference, its error [%] and delay [h]."""
    peak = gauge.peaks[source]
    of = (np.nan, np.nan, np.nan) if peak is None else (peak.observed, peak.percent_error, peak.delay)
    return [number(value, digits) for value in of]


def decisions_table(a: Assessment) -> ReportTable | None:
    """Decisions of error control in the run; None where there are none."""
    if a.control is None or not a.control.decisions:
        return None
    rows = [[d["time"].replace("T", " "), d["by"], d["reason"], d["action"]] for d in a.control.decisions]
    return ReportTable("", ["time (UTC)", "by", "finding", "action"], rows, (0, 1, 2, 3))


def windows_table(a: Assessment) -> ReportTable:
    """Rain and errors in the parts of the period."""
    rows = []
    for i, window in enumerate(a.windows):
        rain = [f"{number(a.rain[i].mean)} ± {number(a.rain[i].deviation)}"] if a.rain else []
        errors = [number(a.window_error(key, window)) for key in EVALUATED]
        period = f"{window.begin.astype('datetime64[h]')} – {window.end.astype('datetime64[h]')}"
        rows.append([window.name, period, *rain, *errors])
    rain_head = ["precipitation [mm h⁻¹]"] if a.rain else []
    head = ["part of the period", "", *rain_head, *(f"{v.title} [{v.label}]" for v in EVALUATED.values())]
    return ReportTable("Mean over the hours of the median error over the cells", head, rows, (0, 1))


def regimes_table(numbers: Mapping[str, Any]) -> ReportTable:
    """Errors by water table depth; `numbers` is the summary's ``regimes``."""
    rows = []
    for name, of in numbers.items():
        high = "∞" if np.isinf(of["to_depth"]) else f"{of['to_depth']:g}"
        found = [number(of[what][q]) for what in ("water_table_error", "latent_heat_error") for q in ("median", "90 %")]
        law, share = of["power_law"], f"{100.0 * of['share']:.3g} %"
        title = f"{name} ({of['from_depth']:g}–{high} m)"
        rows.append([title, share, *found, number(law["slope"]), number(law["r2"])])
    head = ["regime of water table depth", "cells × hours", "water table error, median [m]", "90 % [m]"]
    head += ["latent heat error, median [W m⁻²]", "90 % [W m⁻²]", "slope of flux error", "R²"]
    return ReportTable("Regimes of depth, and how flux errors follow water table errors", head, rows)


def number(value: float, digits: int = 4) -> str:
    """Write a value to so many significant digits; an en dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.{digits}g}"


def _or_dash(there: bool, text: str) -> str:
    return text if there else "–"


def _since(hours: float) -> str:
    return "never" if np.isnan(hours) else span(hours)
