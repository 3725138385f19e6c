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

from rootzone.figures.geography import Rivers, edges, kilometres
from rootzone.figures.map_panel import draw_field
from rootzone.figures.quantities import Quantity, quantity
from rootzone.figures.style import new_figure, note_below, spread, symmetric

_PANEL = 4.6  # inches
_MOST_ACROSS = 3
_ALIKE = 1.0e-9
_FEW = 0.02
"""Share of the cells in which a field is not 0, below which a map would show nothing, as of outflow at an outlet."""


def maps(panels: Sequence[xr.DataArray], period: str, rivers: Rivers | None) -> Figure | None:
    """Draw the means of variables over the period; what has no pattern is said in a line below.

    Parameters
    ----------
    panels : sequence of DataArray
        Variables (time, y, x).
    period : str
        What the means are over.
    rivers : Rivers, optional
        Drawn over each map, if they are of its grid.
    """
    shown, uniform, few = [], [], []
    for panel in panels:
        of = quantity(panel, by_day=True)
        mean = of.values.mean("time").values
        finite = mean[np.isfinite(mean)]
        if finite.size == 0:
            continue
        if np.ptp(finite) <= _ALIKE * max(1.0, float(np.abs(finite).max())):
            uniform.append(f"{of.title} {finite[0]:.3g} {of.units}".strip())
        elif np.count_nonzero(finite) < _FEW * finite.size:
            some = finite[finite != 0.0]
            size = f"{some.min():.3g} to {some.max():.3g}" if np.ptp(some) else f"{some[0]:.3g}"
            few.append(f"{of.title} in {some.size} of {finite.size} cells, {size} {of.units}".strip())
        else:
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
    notes = [f"{head}: {'; '.join(of)}" for head, of in (("the same everywhere", uniform), ("elsewhere 0", few)) if of]
    note_below(figure, notes)
    return figure


def _draw(axes: Axes, of: Quantity, mean: NDArray[Any], rivers: Rivers | None) -> None:
    x, y = kilometres(of.values["x"].values), kilometres(of.values["y"].values)
    finite = mean[np.isfinite(mean)]
    cmap, signed = of.colours(finite)
    limits = symmetric(finite) if signed else spread(finite)
    draw_field(axes, mean, x, y, cmap=cmap, limits=limits, units=of.units, rivers=rivers)
    axes.set_title(of.title)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(5))


def _ratio(panel: xr.DataArray) -> float:
    """Height of a map for its width."""
    x, y = panel["x"].values, panel["y"].values
    return float(np.clip(np.ptp(edges(y)) / np.ptp(edges(x)), 0.4, 2.0))
