"""Errors over time: the verdict, the water table below the rain, layers, segments, the segment of the showers."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bmi_common.arrays import Array
from bmi_common.calendar import HOUR
from rootzone.evaluation.aggregator import REFERENCE
from rootzone.evaluation.assessment import Assessment
from rootzone.evaluation.metrics import running_mean
from rootzone.evaluation.names import LATENT_HEAT, SOIL_MOISTURE, WATER_TABLE
from rootzone.evaluation.variables import EVALUATED
from rootzone.evaluation.verdict import describe, holds
from rootzone.evaluation.windows import TimeWindow
from rootzone.figures.style import (
    BLACK,
    BLUE,
    ORANGE,
    SKY,
    bands,
    dates,
    legend_above,
    logarithmic,
    new_figure,
    note_below,
    rain,
)

WIDTH = 10.0
LEAST = 1.0e-6
"""Least error on a logarithmic axis, in the units of the error."""
_DECADES = 1.0e-4
"""Of the largest error of any layer: smaller ones are not drawn."""


def verdict(a: Assessment) -> Figure:
    """Median errors of run and bound, threshold, failing hours and horizon of every judged variable."""
    keys = list(a.verdicts)
    figure = new_figure(WIDTH, 0.7 + 2.4 * len(keys))
    for axes, key in zip(np.atleast_1d(figure.subplots(len(keys), 1, sharex=True)), keys, strict=True):
        _verdict_panel(axes, a, key)
    legend_above(figure)
    return figure


def _verdict_panel(axes: Axes, a: Assessment, key: str) -> None:
    variable, median = EVALUATED[key], a.aggregator.median(key)
    # latent heat goes to nothing every night, which a year's lines would turn into a block of colour
    smooth = key == LATENT_HEAT and a.has_whole_day
    drawn = running_mean if smooth else _as_it_is
    bound, threshold = a.aggregator.bound_median(key), a.thresholds.get(key)
    floor = 1.0e-3 * variable.resolution
    quantiles = np.stack([drawn(q) for q in a.filled(a.aggregator.quantiles[key][a.run]).T], axis=1)
    bands(axes, a.times, quantiles, BLUE, floor)
    axes.lines[-1].set_label(f"{a.run}, median")
    lowest = [quantiles]
    if bound is not None:
        lowest.append(drawn(a.filled(bound)))
        axes.plot(a.times, np.maximum(lowest[-1], floor), color=ORANGE, linewidth=0.9, label=f"{a.bound}, median")
    if threshold is not None:
        axes.axhline(threshold, color=BLACK, linewidth=1.0, linestyle="--", label="threshold")
    below_bound, below_threshold = holds(median, bound, threshold, variable.resolution)
    failed = np.zeros(len(a.times), bool)
    failed[a.hour] = ~(below_bound & below_threshold)
    if failed.any():
        axes.fill_between(
            a.times, 0.0, 0.04, where=failed, step="pre", color=BLACK, linewidth=0,
            transform=axes.get_xaxis_transform(), label="hours that fail",
        )  # fmt: skip
    horizon = float(a.verdicts[key].horizon)
    if np.isfinite(horizon):
        axes.axvline(a.times[int(horizon)], color=BLACK, linewidth=1.2, label="horizon: a failing day begins")
    logarithmic(axes, floor)
    axes.set_ylabel(f"absolute error\n[{variable.label}]")
    axes.set_title(variable.title + (", running means over 24 h" if smooth else ""))
    axes.set_title(_in_words(a, key), loc="right", fontsize=8.5)
    if min(float(np.nanmin(v)) for v in lowest) < floor:
        _say_floor(axes, floor, variable.label)
    axes.set_xlim(a.times[0] - HOUR, a.times[-1])
    dates(axes)


def _in_words(a: Assessment, key: str) -> str:
    """Say how a verdict came out."""
    of = a.verdicts[key]
    return "never fails" if np.isnan(of.first_failure) else describe(of, len(a.times))


def _say_floor(axes: Axes, floor: float, units: str) -> None:
    """Say, right of the axis, what is drawn at its lower edge."""
    axes.annotate(
        f"≤ {floor:g} {units}", (1.0, floor), xycoords=("axes fraction", "data"), xytext=(3, 0),
        textcoords="offset points", va="center", fontsize=7, color="0.35",
    )  # fmt: skip


def water_table(a: Assessment) -> Figure:
    """Quantiles of the water table's error, with precipitation above."""
    figure, axes = _below_rain(a, 1, 3.2)
    quantiles = a.filled(a.aggregator.quantiles[WATER_TABLE][a.run])
    bands(axes[0], a.times, quantiles, BLUE, LEAST)
    logarithmic(axes[0], LEAST)
    if float(np.nanmin(quantiles)) < LEAST:
        _say_floor(axes[0], LEAST, "m")
    axes[0].set_ylabel("absolute error of\nwater table depth [m]")
    dates(axes[0])
    legend_above(figure)
    return figure


def layers(a: Assessment, name: str, quantity: str, units: str, smallest: float) -> Figure:
    """Quantiles of an error in the layers that have some, top layer first and on one scale, below the rain."""
    values = a.filled(a.aggregator.layers[name])
    number = values.shape[1]
    highest = np.nanmax(values[:, :, -1], axis=0, initial=smallest)
    high = float(highest.max())
    low = max(smallest, high * _DECADES)
    drawn = [k for k in range(number - 1, -1, -1) if highest[k] > low] or [number - 1]
    figure, axes = _below_rain(a, len(drawn), 1.05)
    for panel, layer in zip(axes, drawn, strict=True):
        bands(panel, a.times, values[:, layer], BLUE, 0.1 * low)
        logarithmic(panel, low)
        panel.set_ylim(low, max(high * 2.0, low * 10.0))
        panel.set_title(_depths(a, number - 1 - layer), fontsize=8, pad=2)
        dates(panel)
    figure.supylabel(f"absolute error of {quantity} [{units}]", fontsize=9)
    left_out = [k for k in range(number - 1, -1, -1) if k not in drawn]
    if left_out:
        depths = "; ".join(_depths(a, number - 1 - k) for k in left_out)
        note_below(figure, [f"never above {low:.2g} {units}: {depths}"])
    legend_above(figure)
    return figure


def _depths(a: Assessment, place: int) -> str:
    """Say from where to where below ground a layer reaches; the topmost has the place 0."""
    thickness = a.domain.dz[::-1]
    above = float(thickness[:place].sum())
    below = above + float(thickness[place])
    if below < 1.0:
        return f"{100.0 * above:.3g}–{100.0 * below:.3g} cm below ground"
    return f"{above:.3g}–{below:.3g} m below ground"


def segments(a: Assessment) -> Figure:
    """Precipitation and the median errors of every segment: mean and standard deviation of the hours."""
    found = a.of_kind("segment")
    names, x = [str(i + 1) for i in range(len(found))], np.arange(float(len(found)))
    rows = (1 if a.precipitation is not None else 0) + 2
    figure = new_figure(WIDTH, 0.7 + 1.9 * rows)
    panels = list(np.atleast_1d(figure.subplots(rows, 1, sharex=True)))
    if a.precipitation is not None:
        of = [r for w, r in zip(a.windows, a.rain, strict=True) if w.kind == "segment"]
        axes = panels.pop(0)
        _bars(axes, x, np.array([r.mean for r in of]), np.array([r.deviation for r in of]), SKY)
        axes.set_ylabel("precipitation\n[mm h⁻¹]")
    for axes, key in zip(panels, (WATER_TABLE, SOIL_MOISTURE), strict=True):
        means = np.array([a.window_error(key, w) for w in found])
        _bars(axes, x, means, np.array([a.window_deviation(key, w) for w in found]), BLUE)
        axes.set_ylabel(f"median error of\n{EVALUATED[key].title} [{EVALUATED[key].label}]")
    panels[-1].set_xticks(x, names)
    panels[-1].set_xlabel(f"segment of {found[0].hours} h")
    figure.suptitle(
        "bars: mean of the hours; lines: one standard deviation of the hours", x=0.01, ha="left", fontsize=9
    )
    return figure


def _bars(axes: Axes, x: Array, mean: Array, deviation: Array, colour: str) -> None:
    axes.bar(x, mean, color=colour, width=0.7)
    axes.ticklabel_format(axis="y", scilimits=(-3, 4))
    above = [np.zeros(len(x)), deviation]
    axes.errorbar(x, mean, yerr=above, fmt="none", ecolor=BLACK, elinewidth=0.8, capsize=2)


def showers(a: Assessment, window: TimeWindow) -> Figure:
    """Rain, the errors of water table and soil moisture, and latent heat, hour by hour of one segment."""
    keys = [key for key in EVALUATED if np.isfinite(a.aggregator.median(key)).any()]
    assert a.precipitation is not None
    part, times = window.part, a.times[window.part]
    figure = new_figure(WIDTH, 1.9 + 1.9 * len(keys))
    top, *panels = figure.subplots(len(keys) + 1, 1, sharex=True, height_ratios=[1.1] + [1.9] * len(keys))
    rain(top, times, a.precipitation[part])
    for axes, key in zip(panels, keys, strict=True):
        variable = EVALUATED[key]
        if key == LATENT_HEAT:
            for source, colour, width in ((REFERENCE, BLACK, 1.6), (a.run, BLUE, 0.9)):
                series = a.domain_means(key)[source][part]
                axes.plot(times, series, color=colour, linewidth=width, label=f"{source}, domain mean")
            axes.set_ylabel(f"{variable.title}\n[{variable.label}]")
        else:
            floor = 1.0e-3 * variable.resolution
            quantiles = a.filled(a.aggregator.quantiles[key][a.run])[part]
            bands(axes, times, quantiles, BLUE, floor)
            logarithmic(axes, floor)
            if float(np.nanmin(quantiles, initial=np.inf)) < floor:
                _say_floor(axes, floor, variable.label)
            axes.set_ylabel(f"absolute error of\n{variable.title} [{variable.label}]")
        dates(axes)
    legend_above(figure)
    return figure


def _as_it_is(values: Array) -> Array:
    return values


def _below_rain(a: Assessment, rows: int, height: float) -> tuple[Figure, list[Axes]]:
    with_rain = a.precipitation is not None
    heights = ([1.2] if with_rain else []) + [height] * rows
    figure = new_figure(WIDTH, sum(heights) + 0.7)
    panels = list(np.atleast_1d(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)))
    if with_rain:
        assert a.precipitation is not None
        rain(panels.pop(0), a.times, a.precipitation)
    return figure, panels
