"""The tables of a comparison with stations, once for terminal, Markdown and page."""

from __future__ import annotations

from rootzone.evaluation.observations import flow_duration
from rootzone.evaluation.observations.comparison import ALL, Comparison, StationComparison
from rootzone.evaluation.observations.rain_regimes import RAIN_REGIMES
from rootzone.evaluation.observations.scores import Scores
from rootzone.evaluation.report.tables import ReportTable, number

_SCORES = {
    "kge": "KGE",
    "r": "r",
    "alpha": "α",
    "beta": "β",
    "nse": "NSE",
    "bias": "bias",
    "percent_bias": "bias [%]",
    "rmse": "RMSE",
}
"""Titles of what tables show of `Scores`."""


def scores_table(c: Comparison) -> ReportTable:
    """All pairs of every station."""
    first, last = (str(t.astype("datetime64[m]")).replace("T", " ") for t in c.period)
    head, text = _head(c, ["station", "quantity"])
    rows = [
        [s.name, f"{s.kind.title} [{s.kind.label}]", *_run(c, run), *_cells(of[ALL])]
        for s in c.stations
        for run, of in s.scores.items()
    ]
    return ReportTable(f"Beside measurements: {first} to {last} UTC", [*head, "pairs", *_SCORES.values()], rows, text)


def screen_table(c: Comparison) -> ReportTable:
    """All pairs of every station, as far as a terminal has room."""
    first, last = (str(t.astype("datetime64[m]")).replace("T", " ") for t in c.period)
    shown = {key: _SCORES[key] for key in ("kge", "nse", "percent_bias", "r", "alpha", "beta")}
    head, text = _head(c, ["station"])
    rows = [
        [f"{s.name}: {s.kind.title}", *_run(c, run), str(of[ALL].pairs)]
        + [number(getattr(of[ALL], score), 3) for score in shown]
        for s in c.stations
        for run, of in s.scores.items()
    ]
    return ReportTable(
        f"Beside measurements: {first} to {last} UTC", [*head, "pairs", *shown.values()], rows, text, lesser=5
    )


def regimes_table(c: Comparison) -> ReportTable:
    """Pairs of dry, wet and storm intervals apart."""
    head, text = _head(c, ["station", "quantity", "rain"])
    rows = [
        [s.name, f"{s.kind.title} [{s.kind.label}]", regime, *_run(c, run), *_cells(of[regime])]
        for s in c.stations
        for regime in RAIN_REGIMES
        for run, of in s.scores.items()
        if regime in of
    ]
    limits = f"dry: below {RAIN_REGIMES['dry'][1]:g}, storm: from {RAIN_REGIMES['storm'][0]:g} mm h⁻¹ on"
    title = f"By rain in the wettest hour of each interval, mean of the domain ({limits})"
    return ReportTable(title, [*head, "pairs", *_SCORES.values()], rows, text)


def peaks_table(c: Comparison) -> ReportTable:
    """Peaks of every station."""
    head, text = _head(c, ["station", "quantity", "observed at (UTC)"])
    rows = [
        [
            s.name,
            f"{s.kind.title} [{s.kind.label}]",
            str(peak.time.astype("datetime64[m]")).replace("T", " "),
            *_run(c, run),
            number(peak.observed),
            number(peak.simulated),
            number(peak.error),
            number(peak.percent_error),
            number(peak.delay),
        ]
        for s in c.stations
        for run, found in s.peaks.items()
        for peak in found
    ]
    head += ["observed", "simulated", "error", "error [%]", "late by [h]"]
    return ReportTable(
        "Peaks: the largest measured values, and the largest simulated ones around them", head, rows, text
    )


def duration_table(c: Comparison) -> ReportTable:
    """Discharge that is exceeded for a share of the time."""
    rows = []
    for s in c.stations:
        if has_flow_duration(s):
            rows.append([s.name, "observed", *map(number, flow_duration.exceeded(s.observed).values())])
            rows += [[s.name, run, *map(number, flow_duration.exceeded(v).values())] for run, v in s.simulated.items()]
    shares = [f"{100.0 * share:g} %" for share in flow_duration.EXCEEDANCES]
    return ReportTable(
        "Discharge [m³ s⁻¹] that is exceeded for a share of the time", ["station", "", *shares], rows, (0, 1)
    )


def stations_table(c: Comparison) -> ReportTable:
    """Where stations lie, and what became of their measurements."""
    rows = [
        [s.name, s.place, s.reading, str(s.recorded), str(s.missing), str(s.outside), str(len(s.observed))]
        for s in c.stations
    ]
    head = ["station", "place", "read as", "intervals", "without a value", "not in the run", "pairs"]
    return ReportTable("Stations", head, rows, (0, 1, 2))


def has_flow_duration(s: StationComparison) -> bool:
    """Tell whether a station has a flow duration."""
    return s.kind.key == "discharge"


def _head(c: Comparison, titles: list[str]) -> tuple[list[str], tuple[int, ...]]:
    head = [*titles, *(["run"] if _several(c) else [])]
    return head, tuple(range(len(head)))


def _several(c: Comparison) -> bool:
    return any(len(s.simulated) > 1 for s in c.stations)


def _run(c: Comparison, run: str) -> list[str]:
    return [run] if _several(c) else []


def _cells(of: Scores) -> list[str]:
    return [str(of.pairs), *(number(getattr(of, score)) for score in _SCORES)]
