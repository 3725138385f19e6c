"""Errors over time: the verdict, the water table below the rain, layers, segments, domain means."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bmi_common.arrays import Array
from bmi_common.calendar import HOUR
from rootzone.evaluation.aggregator import REFERENCE
from rootzone.evaluation.assessment import REANALYSIS, Assessment
from rootzone.evaluation.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    SKY,
    bands,
    dates,
    field,
    has_whole_day,
    logarithmic,
    new_figure,
    rain,
    spread,
)
from rootzone.evaluation.metrics import running_mean
from rootzone.evaluation.names import LATENT_HEAT, SOIL_MOISTURE, WATER_TABLE
from rootzone.evaluation.variables import EVALUATED
from rootzone.evaluation.verdict import holds, span

_WIDTH = 10.0
_LEAST = 1.0e-6
"""Least error on a logarithmic axis, in the units of the error."""


def verdict(a: Assessment) -> Figure:
    """Median errors of run and bound, threshold, failing hours and horizon of every judged variable."""
    keys = list(a.verdicts)
    figure = new_figure(_WIDTH, 0.5 + 2.4 * len(keys))
    for axes, key in zip(np.atleast_1d(figure.subplots(len(keys), 1, sharex=True)), keys, strict=True):
        _verdict_panel(axes, a, key)
    figure.axes[0].legend(loc="lower left", bbox_to_anchor=(0.0, 1.08), ncols=6, frameon=False)
    return figure


def _verdict_panel(axes: Axes, a: Assessment, key: str) -> None:
    variable, median = EVALUATED[key], a.aggregator.median(key)
    # latent heat goes to nothing every night, which a year's lines would turn into a block of colour
    smooth = key == LATENT_HEAT and has_whole_day(a)
    drawn = running_mean if smooth else _as_it_is
    bound, threshold = a.aggregator.bound_median(key), a.thresholds.get(key)
    floor = 1.0e-3 * variable.resolution
    quantiles = a.filled(a.aggregator.quantiles[key][a.run])
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
    bands(axes[0], a.times, a.filled(a.aggregator.quantiles[WATER_TABLE][a.run]), BLUE, _LEAST)
    logarithmic(axes[0], _LEAST)
    axes[0].set_ylabel("absolute error of\nwater table depth [m]")
    axes[0].legend(frameon=False, ncols=3, loc="lower left")
    dates(axes[0])
    return figure


def layers(a: Assessment, name: str, quantity: str, units: str, smallest: float) -> Figure:
    """Quantiles of an error in every layer, top layer first, with precipitation above."""
    values = a.filled(a.aggregator.layers[name])
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
    keys = [key for key in EVALUATED if np.isfinite(a.aggregator.means[key][REFERENCE]).any()]
    errors = LATENT_HEAT in keys
    rows = len(keys) + errors
    figure = new_figure(_WIDTH, 0.5 + 2.1 * rows)
    panels = np.atleast_1d(figure.subplots(rows, 1, sharex=True))
    for axes, key in zip(panels, keys, strict=False):
        for name, series in a.domain_means(key).items():
            _daily(axes, a, series, name)
        axes.set_ylabel(f"{EVALUATED[key].title}\n[{EVALUATED[key].label}]")
        _look_at(axes, [a.aggregator.means[key][name] for name in (REFERENCE, a.run)])
        if key == WATER_TABLE:
            axes.invert_yaxis()
        dates(axes)
    panels[0].legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, frameon=False)
    if errors:
        of = a.aggregator.means[LATENT_HEAT]
        for name in a.aggregator.shown[1:]:
            _daily(panels[-1], a, a.filled(of[name] - of[REFERENCE]), name)
        panels[-1].axhline(0.0, color=GREY, linewidth=0.6)
        panels[-1].set_ylabel(f"error of latent heat\n[{EVALUATED[LATENT_HEAT].label}]")
        dates(panels[-1])
    return figure


def baselines(a: Assessment) -> Figure:
    """Every prediction's errors and water table in time, where the run's error is, and its latent heat."""
    figure = new_figure(11.0, 9.0)
    grid = figure.add_gridspec(3, 2, width_ratios=(1.4, 1.0))
    median, high, depth = (figure.add_subplot(grid[i, 0]) for i in range(3))
    colours = dict(zip(a.aggregator.predictions, (BLUE, ORANGE, GREY, GREEN), strict=False))
    hourly = {name: a.aggregator.hourly(name) for name in colours}
    for axes, measure, label in ((median, "water_table_median", "median"), (high, "water_table_high", "90 %")):
        for name, colour in colours.items():
            series = a.filled(np.maximum(hourly[name][measure], _LEAST))
            axes.plot(a.times, series, label=name, color=colour, linewidth=0.7)
        axes.set_ylabel(f"{label} error of\nwater table depth [m]")
        logarithmic(axes, _LEAST)
        dates(axes)
    if WATER_TABLE in a.thresholds:
        median.axhline(a.thresholds[WATER_TABLE], color=BLACK, linewidth=1.0, linestyle="--", label="threshold")
    median.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=5, frameon=False)
    for name, colour in {REFERENCE: BLACK, **colours}.items():
        width = 1.4 if name == REFERENCE else 0.8
        series = a.filled(a.aggregator.water_table_depth[name])
        depth.plot(a.times, series, color=colour, linewidth=width, label=name)
    depth.invert_yaxis()
    depth.set_ylabel("median water table\ndepth [m]")
    depth.legend(loc="lower left", ncols=3, frameon=False)
    dates(depth)
    if WATER_TABLE in a.cells:
        where = figure.add_subplot(grid[:2, 1])
        error = a.on_grid(a.cells[WATER_TABLE].agreement.mae[0])
        label = "mean absolute error of water table depth [m]"
        field(figure, where, error, a.domain, label, "viridis", spread(error, 0.0), "max")
        where.set_title(f"{a.run}: mean over all hours")
    flux = figure.add_subplot(grid[2, 1])
    for name in (REFERENCE, a.run):
        _daily(flux, a, a.filled(a.aggregator.means[LATENT_HEAT][name]), name)
    efficiency = a.aggregator.summary(a.run)["latent_heat_efficiency"]
    flux.set_title(f"KGE of the hourly values {efficiency:.4f}")
    smooth = ", 24 h mean" if has_whole_day(a) else ""
    flux.set_ylabel(f"domain-mean latent heat{smooth}\n[{EVALUATED[LATENT_HEAT].label}]")
    flux.legend(loc="lower left", frameon=False)
    dates(flux)
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
        axes.bar(x, [a.window_error(key, w) for w in found], color=BLUE, width=0.7)
        axes.set_ylabel(f"median error of\n{EVALUATED[key].title} [{EVALUATED[key].label}]")
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
        assert a.precipitation is not None
        rain(panels.pop(0), a.times, a.precipitation)
    return figure, panels
