"""What errors depend on: water table error on depth, flux error on water table error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from rootzone.evaluation.aggregator import REGIMES
from rootzone.evaluation.assessment import Assessment
from rootzone.evaluation.figures.style import BLACK, ORANGE, new_figure
from rootzone.evaluation.histogram import LEAST, Histogram, LogBins, power_law

_CMAP = "Blues"


def error_by_depth(a: Assessment) -> Figure:
    """Density of water table error against depth, with binned median and 90th percentile."""
    figure = new_figure(6.4, 4.2)
    axes = figure.subplots()
    _histogram(figure, axes, a.aggregator.by_depth)
    for depth in {limit for limits in REGIMES.values() for limit in limits if 0.0 < limit < np.inf}:
        axes.axvline(depth, color=BLACK, linewidth=0.9, linestyle=":")
    for name, (low, _) in REGIMES.items():
        text = axes.annotate(name, (max(low, 1.0e-2) * 1.1, 1.01), xycoords=("data", "axes fraction"), fontsize=8)
        text.set_in_layout(False)  # it may lie beyond the axis
    axes.set_xlabel("water table depth of the reference [m]")
    axes.set_ylabel("absolute error of\nwater table depth [m]")
    axes.legend(frameon=False, loc="lower right")
    return figure


def flux_by_table_error(a: Assessment) -> Figure:
    """Density of latent heat error against water table error in each regime, with the power law of the medians."""
    figure, densities = new_figure(10.5, 3.8), list(a.aggregator.by_table_error.values())
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    for axes, (name, density) in zip(panels, a.aggregator.by_table_error.items(), strict=True):
        low, high = REGIMES[name]
        span = f"< {high:g} m" if low == 0.0 else f"{low:g}–{high:g} m" if np.isfinite(high) else f"≥ {low:g} m"
        axes.set_title(f"{name} water table ({span})")
        if density.total:
            _histogram(figure, axes, density, bar=False)
            law = power_law(density)
            if np.isfinite(law.slope):
                x = law.span
                axes.plot(x, law.factor * x**law.slope, color=BLACK, linewidth=0.9, linestyle="--",
                          label=f"slope {law.slope:.2f}, R² {law.r2:.2f}")  # fmt: skip
            axes.legend(frameon=False, loc="upper left", fontsize=7)
        else:
            axes.annotate("no such cells", (0.5, 0.5), xycoords="axes fraction", ha="center")
        axes.set_xlabel("absolute error of\nwater table depth [m]")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(*_used([d.counts.any(axis=1) for d in densities], density.x))
        axes.set_ylim(*_used([d.counts.any(axis=0) for d in densities], density.y))
    figure.axes[0].set_ylabel("absolute error of\nlatent heat [W m⁻²]")
    return figure


def _histogram(figure: Figure, axes: Axes, histogram: Histogram, bar: bool = True) -> None:
    counts = np.ma.masked_equal(histogram.counts.T, 0)
    mesh = axes.pcolormesh(
        histogram.x.edges, histogram.y.edges, counts, norm=LogNorm(), cmap=_CMAP, shading="flat", rasterized=True
    )
    if bar:
        figure.colorbar(mesh, ax=axes, label="cells × hours")
    for probability, style, label in ((0.5, "-", "median"), (0.9, "--", "90th percentile")):
        axes.plot(histogram.x.centres, histogram.quantile(probability, LEAST), style, color=ORANGE, linewidth=1.6,
                  label=label)  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(*_used([histogram.counts.any(axis=1)], histogram.x))


def _used(there: Sequence[Any], bins: LogBins) -> tuple[float, float]:
    """Range of the bins that hold anything."""
    at = np.flatnonzero(np.any(there, axis=0))
    return float(bins.edges[at[0]]), float(bins.edges[at[-1] + 1])
