"""Maps of an output file: means over its period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from rootzone.evaluation.figures.style import new_figure, spread, symmetric
from rootzone.figures.geography import Rivers, draw_outline, draw_rivers, edges, kilometres
from rootzone.figures.quantities import Quantity, quantity

_PANEL = 4.6  # inches
_MOST_ACROSS = 3
_ALIKE = 1.0e-9


def maps(panels: Sequence[xr.DataArray], period: str, rivers: Rivers | None) -> Figure | None:
    """Draw the means of variables over the period; what is the same everywhere is said in a line below.

    Parameters
    ----------
    panels : sequence of DataArray
        Variables (time, y, x).
    period : str
        What the means are over.
    rivers : Rivers, optional
        Drawn over each map, if they are of its grid.
    """
    shown, uniform = [], []
    for panel in panels:
        of = quantity(panel, by_day=True)
        mean = of.values.mean("time").values
        finite = mean[np.isfinite(mean)]
        if finite.size == 0:
            continue
        if np.ptp(finite) <= _ALIKE * max(1.0, float(np.abs(finite).max())):
            uniform.append(f"{of.title} {finite[0]:.3g} {of.units}".strip())
        elif _has_pattern(finite):
            shown.append((of, mean))
    if not shown:
        return None
    across = min(_MOST_ACROSS, len(shown))
    down = -(-len(shown) // across)
    ratio = _ratio(shown[0][0].values)
    figure = new_figure(_PANEL * across, 0.5 + (0.78 * _PANEL * ratio + 0.5) * down)
    axes = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    for place, (of, mean) in zip(axes.flat, shown, strict=False):
        _draw(place, of, mean, rivers)
    for place in axes.flat[len(shown) :]:
        place.remove()
    for column in range(across):
        lowest = axes[(len(shown) - 1 - column) // across, column]
        lowest.set_xlabel("x [km]")
        lowest.tick_params(labelbottom=True)
    for row in axes:
        row[0].set_ylabel("y [km]")
    figure.suptitle(f"Means of {period}", x=0.01, ha="left", fontsize=10)
    if uniform:
        figure.supxlabel("the same everywhere: " + "; ".join(uniform), x=0.01, ha="left", fontsize=8)
    return figure


def _draw(axes: Axes, of: Quantity, mean: NDArray[Any], rivers: Rivers | None) -> None:
    x, y = kilometres(of.values["x"].values), kilometres(of.values["y"].values)
    there = np.isfinite(mean)
    finite = mean[there]
    cmap, signed = of.colours(finite)
    low, high = symmetric(finite) if signed else spread(finite)
    edge_x, edge_y = edges(x), edges(y)
    image = axes.imshow(
        mean,
        origin="lower",
        extent=(edge_x[0], edge_x[-1], edge_y[0], edge_y[-1]),
        cmap=cmap,
        vmin=low,
        vmax=high,
        interpolation="nearest",
    )
    draw_outline(axes, there, x, y)
    if rivers is not None and rivers.begin.size and max(rivers.begin.max(0)[0], rivers.end.max(0)[0]) < len(y):
        draw_rivers(axes, rivers, x, y)
    axes.set_title(of.title)
    axes.grid(visible=False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))
    bar = axes.inset_axes((1.02, 0.0, 0.04, 1.0))
    axes.figure.colorbar(image, cax=bar, label=of.units, extend=_extend(finite, low, high))


def _extend(values: NDArray[Any], low: float, high: float) -> str:
    """Say at which ends of the colours values lie beyond them."""
    below, above = bool(values.min() < low), bool(values.max() > high)
    return {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")


def _has_pattern(finite: NDArray[Any]) -> bool:
    """Tell whether a map shows something: not if all but a few cells are zero, as outflow over the boundary is."""
    return bool(np.count_nonzero(finite) >= 0.02 * finite.size)


def _ratio(panel: xr.DataArray) -> float:
    """Height of a map for its width."""
    x, y = panel["x"].values, panel["y"].values
    return float(np.clip(np.ptp(edges(y)) / np.ptp(edges(x)), 0.4, 2.0))
