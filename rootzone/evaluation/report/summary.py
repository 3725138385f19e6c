"""The assessment in numbers: ``report.json``, ``report.md`` and ``hourly_errors.csv``."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from rootzone.evaluation import gauges
from rootzone.evaluation.aggregator import REFERENCE, REGIMES, Aggregator
from rootzone.evaluation.assessment import Assessment
from rootzone.evaluation.histogram import power_law
from rootzone.evaluation.metrics import Metrics
from rootzone.evaluation.names import LATENT_HEAT
from rootzone.evaluation.report import tables
from rootzone.evaluation.variables import EVALUATED
from rootzone.evaluation.verdict import AcceptanceVerdict, describe

VERSION = 2
"""Of the keys of ``report.json``."""


def summary(a: Assessment) -> dict[str, Any]:
    """Return everything but series and maps as plain numbers; NaN where there is none."""
    return {
        "version": VERSION,
        "sources": dict(a.sources),
        **_period(a.aggregator),
        "errors": {name: a.aggregator.summary(name) for name in a.aggregator.predictions},
        "segments": [{**_period(s), "errors": s.summary(s.run)} for s in a.segments],
        "criteria": [{**asdict(c), "met": c.met} for c in a.criteria],
        "met": a.met,
        "compared_hours": len(a.hour),
        "period_hours": len(a.times),
        "notes": list(a.notes),
        "verdict": {key: _verdict(a, key, verdict) for key, verdict in a.verdicts.items()},
        "domain_mean": [
            {"variable": p.key, "units": EVALUATED[p.key].units, "simulated": p.simulated, "reference": p.reference}
            | {name: float(value) for name, value in p.metrics._asdict().items()}
            for p in a.pairs
        ],
        "windows": [_window(a, i) for i in range(len(a.windows))],
        "regimes": {name: _regime(a, name) for name in REGIMES},
        **({"discharge": gauges.numbers(a.gauges)} if a.gauges else {}),
        **({} if a.control is None else {"error_control": a.control.decisions}),
        **({} if a.water is None else {"water_balance": a.water.attributes()}),
    }


def write(a: Assessment, numbers: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write the three files; return their paths.

    Parameters
    ----------
    a : Assessment
        What was found.
    numbers : mapping
        Its `summary`; NaN becomes null.
    folder : Path
        Where to.
    """
    as_json, as_markdown, hourly = (folder / n for n in ("report.json", "report.md", "hourly_errors.csv"))
    as_json.write_text(json.dumps(plain(numbers), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    found = [tables.errors_table(a).transposed(), tables.criteria_table(a.criteria)]
    found += [tables.discharge_table(a)] if a.gauges else []
    as_markdown.write_text("\n".join(table.markdown() for table in found), encoding="utf-8")
    _write_hourly(a.aggregator, hourly)
    return [as_json, as_markdown, hourly]


def _period(aggregator: Aggregator) -> dict[str, Any]:
    t = aggregator.times
    return {"hours": len(t), "first": str(t[0]), "last": str(t[-1])}


def _verdict(a: Assessment, key: str, verdict: AcceptanceVerdict) -> dict[str, Any]:
    variable = EVALUATED[key]
    domain: dict[str, Any] = {
        "units": variable.units,
        "threshold": a.thresholds.get(key),
        "bound": None if a.aggregator.bound_median(key) is None else a.bound,
        "resolution": variable.resolution,
        "in_words": describe(verdict, len(a.times)),
        **_numbers(verdict),
    }
    cells = a.cells.get(key)
    if cells is not None and cells.verdict is not None:
        v, length = cells.verdict, float(len(a.times))
        until = np.where(np.isnan(v.horizon), length, v.horizon)
        low, median, high = np.quantile(until, [0.1, 0.5, 0.9])
        domain["cells"] = {
            "count": len(v.held),
            "held_always": int((v.held == v.hours).sum()),
            "horizon_reached_end": int(np.isnan(v.horizon).sum()),
            "share_of_hours_held": float((v.held / v.hours).mean()),
            "horizon_hours": {"10 %": float(low), "median": float(median), "90 %": float(high)},
        }
    return domain


def _numbers(verdict: AcceptanceVerdict) -> dict[str, float]:
    return {
        "hours": float(verdict.hours),
        "hours_below_bound": float(verdict.below_bound),
        "hours_below_threshold": float(verdict.below_threshold),
        "hours_held": float(verdict.held),
        "first_failure_hours": float(verdict.first_failure),
        "horizon_hours": float(verdict.horizon),
        "bound_horizon_hours": float(verdict.bound_horizon),
        "threshold_horizon_hours": float(verdict.threshold_horizon),
        "fails_for_good_hours": float(verdict.fails_for_good),
    }


def _window(a: Assessment, i: int) -> dict[str, Any]:
    window = a.windows[i]
    content: dict[str, Any] = {
        "name": window.name,
        "kind": window.kind,
        "begin": str(window.begin),
        "end": str(window.end),
        "hours": window.hours,
        "median_error": {key: a.window_error(key, window) for key in EVALUATED},
        "median_over_cells": {key: _medians(c.agreement, i) for key, c in a.cells.items()},
    }
    if a.rain:
        content["precipitation"] = asdict(a.rain[i])
    return content


def _medians(agreement: Metrics, window: int) -> dict[str, float]:
    found = {}
    for name, values in agreement._asdict().items():
        known = values[window][np.isfinite(values[window])]
        found[name] = float(np.median(known)) if len(known) else float("nan")
    return found


def _regime(a: Assessment, name: str) -> dict[str, Any]:
    low, high = REGIMES[name]
    by_depth, flux = a.aggregator.by_depth, a.aggregator.by_table_error[name]
    inside = (by_depth.x.centres >= low) & (by_depth.x.centres < high)
    table = by_depth.only(inside)
    law = power_law(flux)
    return {
        "from_depth": low,
        "to_depth": high,
        "cell_hours": table.total,
        "share": table.total / by_depth.total if by_depth.total else float("nan"),
        "water_table_error": {"median": table.quantile_of_all(0.5), "90 %": table.quantile_of_all(0.9)},
        "latent_heat_error": {"median": flux.quantile_of_all(0.5), "90 %": flux.quantile_of_all(0.9)},
        "power_law": {name: float(getattr(law, name)) for name in ("slope", "factor", "r2", "bins")},
    }


def _write_hourly(aggregator: Aggregator, path: Path) -> None:
    series = {
        f"{REFERENCE}.water_table_depth": aggregator.water_table_depth[REFERENCE],
        f"{REFERENCE}.latent_heat": aggregator.means[LATENT_HEAT][REFERENCE],
    }
    for name in aggregator.predictions:
        series |= {f"{name}.{measure}": values for measure, values in aggregator.hourly(name).items()}
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["time", *series])
        for i, time in enumerate(aggregator.times.astype("datetime64[m]")):
            writer.writerow([time, *(_exact(s[i]) for s in series.values())])


def _exact(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.7g}"


def plain(value: Any) -> Any:
    """Return a value with numbers that are not finite as None, and mappings and lists as JSON has them."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
