"""Hydrographs and flow duration at the gauges, below the rain."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bmi_common.arrays import Array
from bmi_common.calendar import HOUR
from rootzone.evaluation.aggregator import REFERENCE
from rootzone.evaluation.assessment import Assessment
from rootzone.evaluation.gauges import GaugedFlow
from rootzone.evaluation.observations.flow_duration import curve
from rootzone.figures.style import BLACK, BLUE, ORANGE, dates, new_figure, rain

_WIDTH, _RAIN, _FLOW = 10.0, 0.9, 2.3  # inches


def hydrographs(a: Assessment) -> Figure:
    """Draw every gauge: the runs on one panel, and beside it how large a share of the time which flow is exceeded."""
    shower = a.precipitation is not None
    heights = [_RAIN] * shower + [_FLOW] * len(a.gauges)
    figure = new_figure(_WIDTH, 0.5 + sum(heights))
    grid = figure.add_gridspec(len(heights), 2, height_ratios=heights, width_ratios=(3.0, 1.0))
    first = None
    if a.precipitation is not None:
        first = figure.add_subplot(grid[0, 0])
        rain(first, a.times, a.precipitation)
        first.tick_params(labelbottom=False)
    for row, gauge in enumerate(a.gauges, shower):
        flow = figure.add_subplot(grid[row, 0], sharex=first)
        first = first or flow
        _flow(flow, a, gauge)
        _duration(figure.add_subplot(grid[row, 1]), a, gauge)
    figure.axes[shower].legend(loc="upper left", frameon=False)
    return figure


def _flow(axes: Axes, a: Assessment, gauge: GaugedFlow) -> None:
    for source, values in gauge.flows.items():
        colour, width, dashes = _line(a, source)
        axes.plot(a.times - HOUR // 2, values, color=colour, linewidth=width, linestyle=dashes, label=source)
    axes.set_ylim(bottom=0.0)
    axes.set_xlim(a.times[0] - HOUR, a.times[-1])
    axes.set_title(gauge.name)
    axes.set_ylabel("discharge\n[m³ s⁻¹]")
    dates(axes)


def _duration(axes: Axes, a: Assessment, gauge: GaugedFlow) -> None:
    least = np.inf
    for source, values in gauge.flows.items():
        colour, width, dashes = _line(a, source)
        known: Array = values[np.isfinite(values)]
        shares, ranked = curve(known)
        axes.plot(100.0 * shares, ranked, color=colour, linewidth=width, linestyle=dashes)
        least = min(least, float(known.min(initial=np.inf)))
    if 0.0 < least < np.inf:
        axes.set_yscale("log")
    axes.set_xlim(0.0, 100.0)
    axes.set_xlabel("exceeded [% of the time]")
    axes.set_title("flow duration")


def _line(a: Assessment, source: str) -> tuple[str, float, str]:
    """Colour, width and style; the run is dashed over the reference, so that like ones both show."""
    if source == REFERENCE:
        return BLACK, 1.8, "-"
    return (BLUE, 1.3, "--") if source == a.run else (ORANGE, 1.0, "-")
