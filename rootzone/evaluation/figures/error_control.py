"""Deviations that audits have measured, and what followed."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rootzone.evaluation.error_control import ErrorControlRecord
from rootzone.figures.style import BLACK, BLUE, GREY, ORANGE, SKY, dates, legend_above, logarithmic, new_figure

_LEAST = 1.0e-9


def error_control(control: ErrorControlRecord) -> Figure:
    """One panel a quantity: deviation of every audited hour, the bound, the threshold, and the decisions."""
    panels = _panels(control)
    figure = new_figure(10.0, 0.6 + 1.9 * len(panels))
    for axes, (name, kind) in zip(np.atleast_1d(figure.subplots(len(panels), 1, sharex=True)), panels, strict=True):
        _panel(axes, control, name, kind)
    legend_above(figure)
    return figure


def has_figure(control: ErrorControlRecord) -> bool:
    """Tell whether anything was recorded that can be drawn."""
    return bool(_panels(control))


def _panels(control: ErrorControlRecord) -> list[tuple[str, str]]:
    wanted = [(name, kind) for kind in ("audit", "ensemble") for name in control.limits(kind)]
    wanted = [(name, kind) for name, kind in wanted if f"{kind}_{name}" in control.series]
    return wanted + [(n, "residual") for n in ("water_balance_residual",) if n in control.series]


def _panel(axes: Axes, control: ErrorControlRecord, name: str, kind: str) -> None:
    if kind == "residual":
        series, limit, title = control.series[name], control.limits(kind).get("residual"), "water balance residual"
        units = "of the turnover"
    else:
        series, limit = control.series[f"{kind}_{name}"], control.limits(kind)[name]
        title = f"{name.replace('_', ' ')}: {'against physics' if kind == 'audit' else 'spread of the ensemble'}"
        units = control.units[f"{kind}_{name}"]
    _line(axes, control, series, BLUE, "run")
    if kind == "audit" and f"free_drainage_{name}" in control.series:
        _line(axes, control, control.series[f"free_drainage_{name}"], ORANGE, "free drainage")
    if limit is not None:
        axes.axhline(limit, color=BLACK, linestyle="--", linewidth=1.0, label="threshold")
    for action, colour, label in (
        ("resync", ORANGE, "state of physics taken"),
        ("switch", BLACK, "physics takes over"),
        ("return", GREY, "surrogate is back"),
        ("restart", SKY, "new segment"),
    ):
        for i, time in enumerate(control.actions(action)):
            at = date2num(time)  # type: ignore[no-untyped-call]
            axes.axvline(at, color=colour, linewidth=0.9, alpha=0.8, label="" if i else label)
    logarithmic(axes, _LEAST)
    axes.set_ylabel(f"[{units}]")
    axes.set_title(title)
    dates(axes)


def _line(axes: Axes, control: ErrorControlRecord, series: NDArray[np.float64], colour: str, label: str) -> None:
    # windows are a day of a month: marks show them where a line would vanish
    axes.plot(control.times, np.maximum(series, _LEAST), ".-", color=colour, markersize=2.0, linewidth=0.8, label=label)
