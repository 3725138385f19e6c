"""Domain means in time, their errors against reference and reanalysis, and the run beside the baselines."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bmi_common.arrays import Array
from rootzone.evaluation.aggregator import REFERENCE
from rootzone.evaluation.assessment import REANALYSIS, Assessment
from rootzone.evaluation.figures.maps import mean_error
from rootzone.evaluation.figures.series import LEAST, WIDTH
from rootzone.evaluation.metrics import running_mean
from rootzone.evaluation.names import LATENT_HEAT, WATER_TABLE
from rootzone.evaluation.variables import EVALUATED
from rootzone.figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, dates, legend_above, logarithmic, new_figure


def domain_means(a: Assessment) -> Figure:
    """Domain means of every judged variable, as 24 h means if there are any, and errors of latent heat.

    With a reanalysis the errors of every source against it stand below.
    """
    keys = [key for key in EVALUATED if np.isfinite(a.aggregator.means[key][REFERENCE]).any()]
    means = {key: a.domain_means(key) for key in keys}
    errors = [(LATENT_HEAT, REFERENCE)] if LATENT_HEAT in keys else []
    errors += [(key, REANALYSIS) for key in keys if REANALYSIS in means[key]]
    rows = len(keys) + len(errors)
    figure = new_figure(WIDTH, 0.8 + 2.0 * rows)
    panels = np.atleast_1d(figure.subplots(rows, 1, sharex=True))
    for axes, key in zip(panels, keys, strict=False):
        for name, series in means[key].items():
            _daily(axes, a, series, name)
        axes.set_ylabel(f"{EVALUATED[key].title}\n[{EVALUATED[key].label}]")
        _look_at(axes, a, means[key])
        if key == WATER_TABLE:
            axes.invert_yaxis()
        dates(axes)
    for axes, (key, against) in zip(panels[len(keys) :], errors, strict=True):
        for name, series in means[key].items():
            if name not in (against, REANALYSIS):
                _daily(axes, a, series - means[key][against], name)
        axes.axhline(0.0, color=GREY, linewidth=0.6)
        axes.set_ylabel(f"{EVALUATED[key].title}\nminus {against} [{EVALUATED[key].label}]")
        dates(axes)
    if a.has_whole_day:
        figure.suptitle("domain means: running means over the last 24 h", x=0.01, ha="left", fontsize=9)
    legend_above(figure)
    return figure


def baselines(a: Assessment) -> Figure:
    """Every prediction's errors and water table in time, where the run's error is, and its latent heat."""
    figure = new_figure(11.5, 9.0)
    grid = figure.add_gridspec(3, 2, width_ratios=(1.4, 1.0))
    median, high, depth = (figure.add_subplot(grid[i, 0]) for i in range(3))
    colours = dict(zip(a.aggregator.predictions, (BLUE, ORANGE, GREY, GREEN), strict=False))
    hourly = {name: a.aggregator.hourly(name) for name in colours}
    for axes, measure, label in (
        (median, "water_table_median", "median over the cells"),
        (high, "water_table_high", "error that 90 % of the cells stay below"),
    ):
        for name, colour in colours.items():
            series = a.filled(np.maximum(hourly[name][measure], LEAST))
            axes.plot(a.times, series, label=name, color=colour, linewidth=0.7)
        axes.set_ylabel("absolute error of\nwater table depth [m]")
        axes.set_title(f"{label} (drawn from {LEAST:g} m)")
        logarithmic(axes, LEAST)
        dates(axes)
    if WATER_TABLE in a.thresholds:
        median.axhline(a.thresholds[WATER_TABLE], color=BLACK, linewidth=1.0, linestyle="--", label="threshold")
    for name, colour in {REFERENCE: BLACK, **colours}.items():
        width = 1.4 if name == REFERENCE else 0.8
        series = a.filled(a.aggregator.water_table_depth[name])
        depth.plot(a.times, series, color=colour, linewidth=width, label=name)
    depth.invert_yaxis()
    depth.set_ylabel("water table depth [m]")
    depth.set_title("median over the cells")
    dates(depth)
    if WATER_TABLE in a.cells:
        mean_error(a, figure.add_subplot(grid[:2, 1]))
    flux = figure.add_subplot(grid[2, 1])
    for name in (REFERENCE, a.run):
        _daily(flux, a, a.filled(a.aggregator.means[LATENT_HEAT][name]), name)
    efficiency = a.aggregator.summary(a.run)["latent_heat_efficiency"]
    smooth = ",\nrunning mean over 24 h" if a.has_whole_day else ""
    flux.set_title(f"domain mean: Kling–Gupta efficiency of the hours {efficiency:.4f}")
    flux.set_ylabel(f"latent heat{smooth} [{EVALUATED[LATENT_HEAT].label}]")
    dates(flux)
    legend_above(figure)
    return figure


def _daily(axes: Axes, a: Assessment, series: Array, name: str) -> None:
    colours = {REFERENCE: BLACK, a.run: BLUE, a.bound: ORANGE, REANALYSIS: GREEN}
    width = 1.6 if name == REFERENCE else 0.9
    axes.plot(
        a.times, running_mean(series) if a.has_whole_day else series, color=colours[name], linewidth=width, label=name
    )


def _look_at(axes: Axes, a: Assessment, means: Mapping[str, Array]) -> None:
    """Limit the vertical axis to reference and run if others would dwarf them, and say which leave it."""
    known = np.concatenate([means[name] for name in (REFERENCE, a.run)])
    low, high = float(np.nanmin(known)), float(np.nanmax(known))
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    bottom, top = axes.get_ylim()
    if top - bottom > 4.0 * (high - low):
        bottom, top = max(bottom, low - room), min(top, high + room)
        axes.set_ylim(bottom, top)
        leave = [line.get_label() for line in axes.lines if _leaves(np.asarray(line.get_ydata()), bottom, top)]
        if leave:
            axes.set_title(f"leaves the axis: {', '.join(map(str, leave))}", loc="right", fontsize=8)


def _leaves(series: Array, bottom: float, top: float) -> bool:
    known = series[np.isfinite(series)]
    return bool(known.size and (known.min() < bottom or known.max() > top))
