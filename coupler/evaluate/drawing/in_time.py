"""Errors over time: the verdict, the water table below the rain, layers, segments, domain means."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bmi_common.calendar import HOUR
from coupler.evaluate.assessment import Assessment, window_error
from coupler.evaluate.comparison import running_mean
from coupler.evaluate.drawing.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    SKY,
    bands,
    dates,
    has_whole_day,
    logarithmic,
    new_figure,
    rain,
)
from coupler.evaluate.judged import JUDGED
from coupler.evaluate.names import LATENT_HEAT, SOIL_MOISTURE, WATER_TABLE
from coupler.evaluate.pairs import REANALYSIS
from coupler.evaluate.survey import REFERENCE
from coupler.evaluate.verdict import holds, span

Array = NDArray[np.float64]

_WIDTH = 10.0


def verdict(a: Assessment) -> Figure:
    """Median errors of run and bound, threshold, failing hours and horizon of every judged variable."""
    keys = list(a.verdicts)
    figure = new_figure(_WIDTH, 0.5 + 2.4 * len(keys))
    for axes, key in zip(np.atleast_1d(figure.subplots(len(keys), 1, sharex=True)), keys, strict=True):
        _verdict_panel(axes, a, key)
    figure.axes[0].legend(loc="lower left", bbox_to_anchor=(0.0, 1.08), ncols=6, frameon=False)
    return figure


def _verdict_panel(axes: Axes, a: Assessment, key: str) -> None:
    variable, median = JUDGED[key], a.survey.bands[key][:, 2]
    # latent heat goes to nothing every night, which a year's lines would turn into a block of colour
    smooth = key == LATENT_HEAT and has_whole_day(a)
    drawn = running_mean if smooth else _as_it_is
    bound, threshold = a.survey.bound_median.get(key), a.thresholds.get(key)
    floor = 1.0e-3 * variable.resolution
    quantiles = a.filled(a.survey.bands[key])
    bands(axes, a.times, np.stack([drawn(q) for q in quantiles.T], axis=1), BLUE, floor)
    axes.lines[-1].set_label(f"{a.run}, median")
    if bound is not None:
        series = np.maximum(drawn(a.filled(bound)), floor)
        axes.plot(a.times, series, color=ORANGE, linewidth=0.9, label=f"{a.bound}, median")
    if threshold is not None:
        axes.axhline(threshold, color=BLACK, linewidth=1.0, linestyle="--", label="threshold")
    below_bound, below_threshold = holds(median, bound, threshold, variable.resolution)
    failed = np.zeros(len(a.times), bool)
    failed[a.hour] = ~(below_bound & below_threshold)
    axes.fill_between(
        a.times, 0.0, 0.04, where=failed, step="pre", color=BLACK, linewidth=0, transform=axes.get_xaxis_transform(),
        label="fails",
    )  # fmt: skip
    horizon = float(a.verdicts[key].horizon)
    if np.isfinite(horizon):
        axes.axvline(a.times[int(horizon)], color=BLACK, linewidth=1.2)
        axes.annotate(
            f" horizon {span(horizon)}", (a.times[int(horizon)], 0.97), xycoords=("data", "axes fraction"),
            va="top", fontsize=8,
        )  # fmt: skip
    logarithmic(axes, floor)
    axes.set_ylabel(f"absolute error\n[{variable.label}]")
    axes.set_title(variable.title + (" (drawn as running means over 24 h)" if smooth else ""))
    axes.set_xlim(a.times[0] - HOUR, a.times[-1])
    dates(axes)


def water_table(a: Assessment) -> Figure:
    """Quantiles of the water table's error, with precipitation above."""
    figure, axes = _below_rain(a, 1, 3.2)
    bands(axes[0], a.times, a.filled(a.survey.bands[WATER_TABLE]), BLUE, 1.0e-6)
    logarithmic(axes[0], 1.0e-6)
    axes[0].set_ylabel("absolute error of\nwater table depth [m]")
    axes[0].legend(frameon=False, ncols=3, loc="lower left")
    dates(axes[0])
    return figure


def layers(a: Assessment, series: str, quantity: str, units: str, smallest: float) -> Figure:
    """Quantiles of an error in every layer, top layer first, with precipitation above."""
    values = a.filled(a.survey.bands[series])
    number = values.shape[1]
    thickness = a.domain.dz[-number:]
    above = np.cumsum(thickness[::-1])[::-1] - thickness
    figure, axes = _below_rain(a, number, 1.05)
    for panel, layer in zip(axes, range(number - 1, -1, -1), strict=True):
        bands(panel, a.times, values[:, layer], BLUE, smallest)
        logarithmic(panel, smallest)
        high = float(np.nanmax(values[:, layer, 4], initial=smallest))
        panel.set_ylim(max(smallest, high * 1.0e-4), max(high * 2.0, smallest * 10.0))
        panel.set_title(f"{above[layer]:.3g}–{above[layer] + thickness[layer]:.3g} m below ground", fontsize=8, pad=2)
        dates(panel)
    axes[0].legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0.55, 0.95))
    figure.supylabel(f"absolute error of {quantity} [{units}]", fontsize=9)
    return figure


def domain_means(a: Assessment) -> Figure:
    """Domain means of every judged variable, as 24 h means if there are any; below latent heat the run's errors."""
    keys = [key for key in JUDGED if np.isfinite(a.survey.means[key][REFERENCE]).any()]
    errors = LATENT_HEAT in keys
    rows = len(keys) + errors
    figure = new_figure(_WIDTH, 0.5 + 2.1 * rows)
    panels = np.atleast_1d(figure.subplots(rows, 1, sharex=True))
    for axes, key in zip(panels, keys, strict=False):
        for name, series in a.survey.means[key].items():
            _daily(axes, a, a.filled(series), name)
        if a.reanalysis and key in a.reanalysis.means:
            _daily(axes, a, a.reanalysis.means[key], REANALYSIS)
        axes.set_ylabel(f"{JUDGED[key].title}\n[{JUDGED[key].label}]")
        _look_at(axes, [a.survey.means[key][name] for name in (REFERENCE, a.run)])
        if key == WATER_TABLE:
            axes.invert_yaxis()
        dates(axes)
    panels[0].legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, frameon=False)
    if errors:
        of = a.survey.means[LATENT_HEAT]
        for name in [n for n in of if n != REFERENCE]:
            _daily(panels[-1], a, a.filled(of[name] - of[REFERENCE]), name)
        panels[-1].axhline(0.0, color=GREY, linewidth=0.6)
        panels[-1].set_ylabel(f"error of latent heat\n[{JUDGED[LATENT_HEAT].label}]")
        dates(panels[-1])
    return figure


def segments(a: Assessment) -> Figure:
    """Precipitation (mean and deviation) and the errors of every segment."""
    found = a.of_kind("segment")
    names, x = [str(i + 1) for i in range(len(found))], np.arange(len(found))
    rows = (1 if a.precipitation is not None else 0) + 2
    figure = new_figure(_WIDTH, 0.4 + 1.9 * rows)
    panels = list(np.atleast_1d(figure.subplots(rows, 1, sharex=True)))
    if a.precipitation is not None:
        of = [r for w, r in zip(a.windows, a.rain, strict=True) if w.kind == "segment"]
        axes = panels.pop(0)
        mean, deviation = np.array([r.mean for r in of]), np.array([r.deviation for r in of])
        axes.bar(x, mean, color=SKY, width=0.7, label="mean")
        axes.errorbar(
            x, mean, yerr=[np.zeros(len(x)), deviation], fmt="none", ecolor=BLACK, elinewidth=0.8, capsize=2,
            label="standard deviation of the hours",
        )  # fmt: skip
        axes.set_ylabel("precipitation\n[mm h⁻¹]")
        axes.legend(frameon=False, ncols=2)
    for axes, key in zip(panels, (WATER_TABLE, SOIL_MOISTURE), strict=True):
        axes.bar(x, [window_error(a, key, w) for w in found], color=BLUE, width=0.7)
        axes.set_ylabel(f"median error of\n{JUDGED[key].title} [{JUDGED[key].label}]")
    panels[-1].set_xticks(x, names)
    panels[-1].set_xlabel(f"segment of {found[0].hours} h")
    return figure


def _daily(axes: Axes, a: Assessment, series: Array, name: str) -> None:
    colours = {REFERENCE: BLACK, a.run: BLUE, a.bound: ORANGE, REANALYSIS: GREEN}
    width = 1.6 if name == REFERENCE else 0.9
    axes.plot(
        a.times, running_mean(series) if has_whole_day(a) else series, color=colours[name], linewidth=width, label=name
    )


def _look_at(axes: Axes, series: list[Array]) -> None:
    """Limit the vertical axis to some series if others would dwarf them."""
    known = np.concatenate(series)
    low, high = float(np.nanmin(known)), float(np.nanmax(known))
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    bottom, top = axes.get_ylim()
    if top - bottom > 4.0 * (high - low):
        axes.set_ylim(max(bottom, low - room), min(top, high + room))
        axes.annotate("others leave the axis", (0.99, 0.04), xycoords="axes fraction", ha="right", fontsize=7)


def _as_it_is(values: Array) -> Array:
    return values


def _below_rain(a: Assessment, rows: int, height: float) -> tuple[Figure, list[Axes]]:
    with_rain = a.precipitation is not None
    heights = ([1.2] if with_rain else []) + [height] * rows
    figure = new_figure(_WIDTH, sum(heights) + 0.5)
    panels = list(np.atleast_1d(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)))
    if with_rain:
        rain(panels.pop(0), a)
    return figure, panels
