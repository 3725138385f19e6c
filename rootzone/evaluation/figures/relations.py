"""What errors depend on: water table error on depth, flux error on water table error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import ListedColormap, LogNorm
from matplotlib.figure import Figure

from rootzone.evaluation.aggregator import REGIMES
from rootzone.evaluation.assessment import Assessment
from rootzone.evaluation.histogram import LEAST, Histogram, LogBins, power_law
from rootzone.figures.style import BLACK, ORANGE, legend_above, new_figure

_CMAP = ListedColormap(matplotlib.colormaps["Blues"](np.linspace(0.25, 1.0, 256)))
"""A single count is seen, too."""


def error_by_depth(a: Assessment) -> Figure:
    """Density of water table error against depth, with binned median and 90th percentile."""
    figure = new_figure(6.8, 4.4)
    axes = figure.subplots()
    histogram = a.aggregator.by_depth
    mesh = _histogram(axes, histogram, _counts([histogram]))
    figure.colorbar(mesh, ax=axes, label="cells × hours")
    for depth in {limit for limits in REGIMES.values() for limit in limits if 0.0 < limit < np.inf}:
        axes.axvline(depth, color=BLACK, linewidth=0.9, linestyle=":")
    axes.set_ylim(*_used([histogram.counts.any(axis=0)], histogram.y))
    low, high = axes.get_xlim()
    for name, (begin, end) in REGIMES.items():
        if end > low and begin < high:
            at = (max(begin, low) * 1.1, 0.97)
            axes.annotate(name, at, xycoords=("data", "axes fraction"), fontsize=8, va="top", clip_on=True)
    axes.set_xlabel("water table depth of the reference [m]")
    axes.set_ylabel("absolute error of\nwater table depth [m]")
    legend_above(figure)
    return figure


def flux_by_table_error(a: Assessment) -> Figure:
    """Density of latent heat error against water table error in each regime, with the power law of the medians."""
    found = {name: density for name, density in a.aggregator.by_table_error.items() if density.total}
    densities = list(found.values())
    counts = _counts(densities)
    figure = new_figure(1.2 + 3.3 * len(found), 4.0)
    panels = figure.subplots(1, len(found), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (name, density) in zip(panels, found.items(), strict=True):
        low, high = REGIMES[name]
        span = f"< {high:g} m" if low == 0.0 else f"{low:g}–{high:g} m" if np.isfinite(high) else f"≥ {low:g} m"
        mesh = _histogram(axes, density, counts)
        law = power_law(density)
        title = f"{name} water table ({span})"
        if np.isfinite(law.slope):
            title += f"\nslope {law.slope:.2f}, R² {law.r2:.2f}"
            x = law.span
            axes.plot(x, law.factor * x**law.slope, color=BLACK, linewidth=0.9, linestyle="--", label="power law")
        axes.set_title(title)
        axes.set_xlabel("absolute error of\nwater table depth [m]")
        axes.set_xlim(*_used([d.counts.any(axis=1) for d in densities], density.x))
        axes.set_ylim(*_used([d.counts.any(axis=0) for d in densities], density.y))
    panels[0].set_ylabel("absolute error of\nlatent heat [W m⁻²]")
    figure.colorbar(mesh, ax=list(panels), label="cells × hours")
    legend_above(figure)
    return figure


def _counts(histograms: Sequence[Histogram]) -> LogNorm:
    """One scale of colours for the counts of all."""
    return LogNorm(1.0, max(2.0, *(float(h.counts.max()) for h in histograms)))


def _histogram(axes: Axes, histogram: Histogram, counts: LogNorm) -> QuadMesh:
    """Draw counts, and the quantiles of the bins that have enough of them."""
    shown = np.ma.masked_equal(histogram.counts.T, 0)
    mesh = axes.pcolormesh(
        histogram.x.edges, histogram.y.edges, shown, norm=counts, cmap=_CMAP, shading="flat", rasterized=True
    )
    for probability, style, label in ((0.5, "-", "median"), (0.9, "--", "90th percentile")):
        values = histogram.quantile(probability, LEAST)
        if np.isfinite(values).any():
            axes.plot(histogram.x.centres, values, style, color=ORANGE, linewidth=1.6, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(*_used([histogram.counts.any(axis=1)], histogram.x))
    return mesh


def _used(there: Sequence[Any], bins: LogBins) -> tuple[float, float]:
    """Range of the bins that hold anything."""
    at = np.flatnonzero(np.any(there, axis=0))
    return float(bins.edges[at[0]]), float(bins.edges[at[-1] + 1])
