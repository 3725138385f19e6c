"""The report's figure: errors in time, water table in time, and where the error is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bmi_common import Domain
from coupler.evaluate.comparison import Comparison, running_mean
from coupler.evaluate.gates import DAY
from coupler.figure_text import show_as_written

matplotlib.use("Agg")

Array = NDArray[np.float64]

_COLOURS = ("tab:blue", "tab:orange", "tab:gray", "tab:green")
_SMALLEST = 1.0e-6
"""Least error [m] on the logarithmic axis; an error of zero has no place there."""
_METRES_PER_KILOMETRE = 1000.0


def draw(comparison: Comparison, shown: str, limits: Mapping[str, float], domain: Domain, path: Path) -> None:
    """Draw a comparison into a file.

    Parameters
    ----------
    comparison : Comparison
        All predictions beside the reference.
    shown : str
        The prediction whose error is mapped.
    limits : mapping
        Water table errors [m] to be drawn as horizontal lines, by label.
    domain : Domain
        Grid and active cells.
    path : Path
        The PNG file.
    """
    figure = Figure(figsize=(11.0, 9.0), layout="constrained")
    grid = figure.add_gridspec(3, 2, width_ratios=(1.6, 1.0))
    median, high, depth = (figure.add_subplot(grid[i, 0]) for i in range(3))
    _errors(median, comparison, "water_table_median", "median error of\nwater table depth [m]")
    _errors(high, comparison, "water_table_high", "90 % error of\nwater table depth [m]")
    for axes, (label, limit) in zip((median, high), limits.items(), strict=False):
        axes.axhline(limit, color="black", linewidth=0.8, linestyle=":")
        axes.annotate(f"{label} {limit:g} m", (0.005, limit), ("axes fraction", "data"), fontsize=7, va="bottom")
    median.legend(fontsize=8, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, frameon=False)
    _depths(depth, comparison)
    _map(figure, figure.add_subplot(grid[:2, 1]), comparison.predictions[shown].water_table_map, shown, domain)
    _latent_heat(figure.add_subplot(grid[2, 1]), comparison, shown)
    path.parent.mkdir(parents=True, exist_ok=True)
    show_as_written(figure).savefig(path, dpi=130)


def _errors(axes: Axes, comparison: Comparison, series: str, label: str) -> None:
    for (name, compared), colour in zip(comparison.predictions.items(), _COLOURS, strict=False):
        values = np.maximum(getattr(compared.errors, series), _SMALLEST)
        axes.plot(comparison.times, values, label=name, color=colour, linewidth=0.7)
    axes.set_yscale("log")
    axes.set_ylabel(label)
    _dates(axes)


def _depths(axes: Axes, comparison: Comparison) -> None:
    axes.plot(comparison.times, comparison.water_table_depth, label="reference", color="black", linewidth=1.4)
    for (name, compared), colour in zip(comparison.predictions.items(), _COLOURS, strict=False):
        axes.plot(comparison.times, compared.errors.water_table_depth, label=name, color=colour, linewidth=0.8)
    axes.invert_yaxis()
    axes.set_ylabel("median water table\ndepth [m]")
    axes.legend(fontsize=7, ncols=3, frameon=False)
    _dates(axes)


def _map(figure: Figure, axes: Axes, error: Array, name: str, domain: Domain) -> None:
    field = np.full(domain.mask.shape, np.nan)
    field[domain.mask] = error
    extent = (0.0, domain.nx * domain.dx / _METRES_PER_KILOMETRE, 0.0, domain.ny * domain.dy / _METRES_PER_KILOMETRE)
    image = axes.imshow(field, origin="lower", extent=extent, cmap="viridis")
    figure.colorbar(image, ax=axes, label="mean absolute error of water table depth [m]", orientation="horizontal")
    axes.set_title(f"{name}: mean over all hours", fontsize=9)
    axes.set_xlabel("km")


def _latent_heat(axes: Axes, comparison: Comparison, name: str) -> None:
    compared = comparison.predictions[name]
    series = {"reference": comparison.latent_heat, name: compared.errors.latent_heat}
    long = len(comparison.times) >= DAY
    for (label, values), colour, width in zip(series.items(), ("black", _COLOURS[0]), (1.4, 0.8), strict=True):
        drawn = running_mean(values, DAY) if long else values
        axes.plot(comparison.times, drawn, label=label, color=colour, linewidth=width)
    axes.set_title(f"KGE of the hourly values {compared.latent_heat.efficiency:.4f}", fontsize=9)
    axes.set_ylabel(f"domain-mean latent heat{',' if long else ''}\n{'24 h mean ' if long else ''}[W m⁻²]")
    axes.legend(fontsize=7, frameon=False)
    _dates(axes)


def _dates(axes: Axes) -> None:
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.grid(alpha=0.3)
