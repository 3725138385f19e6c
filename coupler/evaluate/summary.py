"""The assessment in numbers: for JSON, tables and the page."""

from __future__ import annotations

from typing import Any

import numpy as np

from coupler.evaluate.assessment import Assessment, window_error
from coupler.evaluate.density import power_law
from coupler.evaluate.judged import JUDGED
from coupler.evaluate.metrics import Metrics
from coupler.evaluate.survey import REGIMES
from coupler.evaluate.verdict import Verdict, describe


def summary(a: Assessment) -> dict[str, Any]:
    """Return verdicts, agreement, windows and regimes as plain numbers; NaN where there is none."""
    return {
        "compared_hours": len(a.hour),
        "period_hours": len(a.times),
        "notes": list(a.notes),
        "verdict": {key: _verdict(a, key, verdict) for key, verdict in a.verdicts.items()},
        "domain_mean": [
            {"variable": p.key, "units": JUDGED[p.key].units, "simulated": p.simulated, "reference": p.reference}
            | {name: float(value) for name, value in p.metrics._asdict().items()}
            for p in a.pairs
        ],
        "windows": [_window(a, i) for i in range(len(a.windows))],
        "regimes": {name: _regime(a, name) for name in REGIMES},
    }


def _verdict(a: Assessment, key: str, verdict: Verdict) -> dict[str, Any]:
    variable = JUDGED[key]
    domain: dict[str, Any] = {
        "units": variable.units,
        "threshold": a.thresholds.get(key),
        "bound": a.bound if key in a.survey.bound_median else None,
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


def _numbers(verdict: Verdict) -> dict[str, float]:
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
        "median_error": {key: window_error(a, key, window) for key in JUDGED},
        "median_over_cells": {key: _medians(c.agreement, i) for key, c in a.cells.items()},
    }
    if a.rain:
        rain = a.rain[i]
        content["precipitation"] = {"mean": rain.mean, "deviation": rain.deviation, "total": rain.total}
    return content


def _medians(agreement: Metrics, window: int) -> dict[str, float]:
    found = {}
    for name, values in agreement._asdict().items():
        known = values[window][np.isfinite(values[window])]
        found[name] = float(np.median(known)) if len(known) else float("nan")
    return found


def _regime(a: Assessment, name: str) -> dict[str, Any]:
    low, high = REGIMES[name]
    by_depth, flux = a.survey.by_depth, a.survey.by_table_error[name]
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
