"""The report on a run beside the reference: table, gates, JSON, CSV of the hourly errors, Markdown."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from coupler.evaluate.comparison import Compared, Comparison, HourlyErrors
from coupler.evaluate.gates import Gate
from coupler.evaluate.growth import growth

VERSION = 1


@dataclass(frozen=True)
class Summary:
    """Errors of one prediction over the whole period.

    Attributes
    ----------
    water_table_median, water_table_median_worst : float
        Mean over the hours, and worst hour, of the median absolute water table error [m].
    water_table_high, water_table_high_worst : float
        The same of the 90 % quantile [m].
    storage, storage_worst : float
        The same of the mean absolute column storage error [mm].
    storage_bias_end : float
        Mean column storage error at the last hour [mm]: water gained (+) or lost over the run.
    storage_slope : float
        Growth of the storage error after the first month [mm per month].
    saturation_rms, saturation_mean : float
        Mean over the hours of the root mean square and mean absolute error of root-zone saturation [-].
    latent_heat_median : float
        Mean over the hours of the median absolute error of latent heat [W m-2].
    latent_heat_efficiency, latent_heat_correlation, latent_heat_variability, latent_heat_bias : float
        Kling-Gupta efficiency of the domain-mean latent heat and its parts.
    """

    water_table_median: float
    water_table_median_worst: float
    water_table_high: float
    water_table_high_worst: float
    storage: float
    storage_worst: float
    storage_bias_end: float
    storage_slope: float
    saturation_rms: float
    saturation_mean: float
    latent_heat_median: float
    latent_heat_efficiency: float
    latent_heat_correlation: float
    latent_heat_variability: float
    latent_heat_bias: float

    @classmethod
    def of(cls, compared: Compared, times: np.ndarray[Any, np.dtype[np.datetime64]]) -> Summary:
        """Sum up the hourly errors of a prediction."""
        e, k = compared.errors, compared.latent_heat
        return cls(
            water_table_median=float(e.water_table_median.mean()),
            water_table_median_worst=float(e.water_table_median.max()),
            water_table_high=float(e.water_table_high.mean()),
            water_table_high_worst=float(e.water_table_high.max()),
            storage=float(e.storage_mean.mean()),
            storage_worst=float(e.storage_mean.max()),
            storage_bias_end=float(e.storage_bias[-1]),
            storage_slope=growth(times, e.storage_mean).slope,
            saturation_rms=float(e.saturation_rms.mean()),
            saturation_mean=float(e.saturation_mean.mean()),
            latent_heat_median=float(e.latent_heat_median.mean()),
            latent_heat_efficiency=k.efficiency,
            latent_heat_correlation=k.correlation,
            latent_heat_variability=k.variability,
            latent_heat_bias=k.bias,
        )


COLUMNS: Mapping[str, str] = {
    "water_table_median": "median WT error [m]",
    "water_table_median_worst": "median WT error, worst [m]",
    "water_table_high": "90 % WT error [m]",
    "water_table_high_worst": "90 % WT error, worst [m]",
    "storage": "storage error [mm]",
    "storage_worst": "storage error, worst [mm]",
    "storage_slope": "its slope [mm/month]",
    "saturation_rms": "saturation RMS",
    "latent_heat_median": "median LE error [W/m2]",
    "latent_heat_efficiency": "KGE of LE",
}


@dataclass(frozen=True)
class Report:
    """A comparison and the judgement of one of its predictions.

    Attributes
    ----------
    comparison : Comparison
        The hourly errors.
    summaries : mapping
        Errors over the whole period by prediction.
    gates : tuple of Gate
        What the judged prediction had to reach.
    sources : mapping
        Folder or file of the reference and of the runs by name.
    """

    comparison: Comparison
    summaries: Mapping[str, Summary]
    gates: tuple[Gate, ...]
    sources: Mapping[str, str]

    @classmethod
    def of(cls, comparison: Comparison, gates: list[Gate], sources: Mapping[str, str]) -> Report:
        """Sum up a comparison."""
        summaries = {name: Summary.of(c, comparison.times) for name, c in comparison.predictions.items()}
        return cls(comparison, summaries, tuple(gates), dict(sources))

    @property
    def met(self) -> bool:
        """Whether every criterion is met."""
        return all(gate.met for gate in self.gates)

    def tables(self) -> list[Table]:
        """Return the errors of all predictions and the gates, to be printed."""
        t = self.comparison.times.astype("datetime64[m]")
        errors = Table(title=f"errors over {len(t)} hours, {t[0]} to {t[-1]} UTC")
        errors.add_column("")
        for name in self.summaries:
            errors.add_column(name, justify="right")
        cells = [_cells(summary) for summary in self.summaries.values()]
        for title, *row in zip(COLUMNS.values(), *cells, strict=True):
            errors.add_row(title, *row)
        gates = Table(title="criteria")
        for title in ("criterion", "value", "limit", "", ""):
            gates.add_column(title, justify="right" if title in ("value", "limit") else "left")
        for g in self.gates:
            gates.add_row(g.criterion, number(g.value), f"{g.relation} {number(g.limit)}", verdict(g), g.note)
        return [errors, gates]

    def markdown(self) -> str:
        """Return the two tables in Markdown; the lines of the first can be put into other tables."""
        lines = ["| | " + " | ".join(COLUMNS.values()) + " |", "|---|" + "---:|" * len(COLUMNS)]
        lines += [markdown_row(name, summary) for name, summary in self.summaries.items()]
        lines += ["", "| criterion | value | limit | | |", "|---|---:|---:|---|---|"]
        lines += [
            f"| {g.criterion} | {number(g.value)} | {g.relation} {number(g.limit)} | {verdict(g)} | {g.note} |"
            for g in self.gates
        ]
        return "\n".join(lines) + "\n"

    def as_json(self, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return everything but the hourly errors and maps, as values that JSON can hold (NaN becomes None).

        Parameters
        ----------
        more : mapping, optional
            What else the file is to hold.
        """
        t = self.comparison.times
        content = {
            "version": VERSION,
            "sources": dict(self.sources),
            "hours": len(t),
            "first": str(t[0]),
            "last": str(t[-1]),
            "errors": {name: asdict(summary) for name, summary in self.summaries.items()},
            "criteria": [{**asdict(g), "met": g.met} for g in self.gates],
            "met": self.met,
            **(more or {}),
        }
        return dict(_plain(content))

    def write(self, folder: Path, more: Mapping[str, Any] | None = None) -> list[Path]:
        """Write ``report.json`` (with `more`), ``report.md`` and ``hourly_errors.csv``; return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        as_json, as_markdown, hourly = (folder / n for n in ("report.json", "report.md", "hourly_errors.csv"))
        as_json.write_text(json.dumps(self.as_json(more), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        as_markdown.write_text(self.markdown(), encoding="utf-8")
        self._write_hourly(hourly)
        return [as_json, as_markdown, hourly]

    def _write_hourly(self, path: Path) -> None:
        c = self.comparison
        heading = ["time", "reference.water_table_depth", "reference.latent_heat"]
        series = [c.water_table_depth, c.latent_heat]
        for name, compared in c.predictions.items():
            for measure in HourlyErrors.names():
                heading.append(f"{name}.{measure}")
                series.append(getattr(compared.errors, measure))
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(heading)
            for i, time in enumerate(c.times.astype("datetime64[m]")):
                writer.writerow([time, *(_exact(s[i]) for s in series)])


def markdown_row(name: str, summary: Summary) -> str:
    """Return one line of the table of errors."""
    return f"| {name} | " + " | ".join(_cells(summary)) + " |"


def verdict(gate: Gate) -> str:
    """Return met, NOT MET, or too short to say."""
    return {True: "met", False: "NOT MET", None: "too short to say"}[gate.met]


def number(value: float) -> str:
    """Write a value to four significant digits; an en dash where there is none."""
    return "–" if math.isnan(value) else f"{value:.4g}"


def _cells(summary: Summary) -> list[str]:
    assert set(COLUMNS) <= {f.name for f in fields(summary)}
    return [number(getattr(summary, name)) for name in COLUMNS]


def _exact(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.7g}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
