"""What is written of a comparison with stations: page, numbers, pairs, figures."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coupler.report_config import OBSERVATION_FILES
from rootzone.evaluation.figures.all import FOLDER, Drawn
from rootzone.evaluation.observations import figures, flow_duration, netcdf, tables
from rootzone.evaluation.observations.comparison import ALL, Comparison, StationComparison
from rootzone.evaluation.observations.peaks import Peak
from rootzone.evaluation.observations.rain_regimes import RAIN_REGIMES, names_of
from rootzone.evaluation.report import page
from rootzone.evaluation.report.summary import plain
from rootzone.evaluation.report.tables import ReportTable, number

PAGE, NUMBERS, MARKDOWN, PAIRS, PAIRS_NETCDF = OBSERVATION_FILES

VERSION = 1
"""Of the keys of ``observations.json``."""


def summary(c: Comparison) -> dict[str, Any]:
    """Return everything but series as plain numbers; NaN where there is none."""
    return {
        "version": VERSION,
        "run": c.run,
        "sources": dict(c.sources),
        "rain_regimes": {name: list(limits) for name, limits in RAIN_REGIMES.items()},
        "notes": list(c.notes),
        "stations": [_station(s) for s in c.stations],
    }


def write(c: Comparison, folder: Path, pages: Sequence[tuple[str, str]] = ()) -> list[Path]:
    """Write all files; return their paths, the page first. `pages` are titles and files of further pages."""
    as_page, as_json, as_markdown, pairs, as_netcdf = (folder / name for name in OBSERVATION_FILES)
    as_json.write_text(json.dumps(plain(summary(c)), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    as_markdown.write_text("\n".join(f"{table.title}\n\n{table.markdown()}" for table in _tables(c)), encoding="utf-8")
    _write_pairs(c, pairs)
    netcdf.write(c, as_netcdf)
    drawn = figures.draw(c, folder)
    _write_page(c, drawn, as_page, pages)
    return [as_page, as_json, as_markdown, pairs, as_netcdf, *(d.path for d in drawn)]


def _tables(c: Comparison) -> list[ReportTable]:
    found = (
        tables.scores_table(c),
        tables.regimes_table(c),
        tables.peaks_table(c),
        tables.duration_table(c),
        tables.stations_table(c),
    )
    return [table for table in found if table.rows]


def _station(s: StationComparison) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": s.name,
        "quantity": s.kind.key,
        "units": s.kind.units,
        "place": s.place,
        "read_as": s.reading,
        "intervals": {
            "recorded": s.recorded,
            "without_value": s.missing,
            "not_in_run": s.outside,
            "pairs": len(s.observed),
        },
        "begin": str(s.begin[0]),
        "end": str(s.end[-1]),
        "scores": {run: {name: v._asdict() for name, v in of.items()} for run, of in s.scores.items()},
        "peaks": {run: _peaks(of) for run, of in s.peaks.items()},
    }
    if tables.has_flow_duration(s):
        sources = {"observed": s.observed, **s.simulated}
        found["flow_duration"] = {name: dict(flow_duration.exceeded(v)) for name, v in sources.items()}
    return found


def _peaks(found: list[Peak]) -> dict[str, Any]:
    return {
        "mean_error": float(np.mean([p.error for p in found])) if found else math.nan,
        "mean_percent_error": float(np.mean([p.percent_error for p in found])) if found else math.nan,
        "mean_delay_hours": float(np.mean([p.delay for p in found])) if found else math.nan,
        "each": [
            {
                "time": str(p.time),
                "observed": p.observed,
                "simulated_time": str(p.simulated_time),
                "simulated": p.simulated,
                "percent_error": p.percent_error,
                "delay_hours": p.delay,
            }
            for p in found
        ],
    }


def _write_pairs(c: Comparison, path: Path) -> None:
    runs = list(dict.fromkeys(run for s in c.stations for run in s.simulated))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        head = [
            "station",
            "quantity",
            "units",
            "begin",
            "end",
            "observed",
            *(f"simulated {run}" for run in runs),
            "rain_of_wettest_hour",
            "rain_regime",
        ]
        writer.writerow(head)
        for s in c.stations:
            regimes = names_of(s.wettest)
            for i in range(len(s.observed)):
                writer.writerow(
                    [
                        *(s.name, s.kind.key, s.kind.units, s.begin[i], s.end[i], float(s.observed[i])),
                        *(float(s.simulated[run][i]) if run in s.simulated else "" for run in runs),
                        *("" if np.isnan(s.wettest[i]) else float(s.wettest[i]), regimes[i]),
                    ]
                )


def _write_page(c: Comparison, drawn: Sequence[Drawn], path: Path, pages: Sequence[tuple[str, str]]) -> None:
    first, last = (str(t.astype("datetime64[m]")).replace("T", " ") for t in c.period)
    scores, *others = _tables(c)
    sections = [page.section(s.name, None, drawn, f"station-{n}") for n, s in enumerate(c.stations, 1)]
    page.render(
        path,
        title=f"{c.run} beside measurements",
        period=f"{first} to {last} UTC",
        cards=[_card(c, s) for s in c.stations],
        notes=c.notes,
        sections=[page.section("Scores", scores, ()), *sections],
        numbers=others,
        sources=c.sources,
        files=f"The same numbers are in {NUMBERS}, the pairs in {PAIRS} and {PAIRS_NETCDF}, the figures in {FOLDER}/.",
        pages=pages,
    )


def _card(c: Comparison, s: StationComparison) -> dict[str, Any]:
    of = s.scores[c.run][ALL]
    return {
        "title": f"{s.name}: {s.kind.title}",
        "good": None,
        "headline": f"KGE {number(of.kge)}",
        "percent": None,
        "lines": [
            f"NSE {number(of.nse)}, correlation {number(of.r)}",
            f"bias {number(of.bias)} {s.kind.label} ({number(of.percent_bias)} %), RMSE {number(of.rmse)}",
            f"{of.pairs} pairs of {s.recorded} intervals; {s.place}",
        ],
    }
