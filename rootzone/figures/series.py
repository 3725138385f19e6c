"""Series of an output file: domain means and points, with the rain above them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bmi_common.groundwater import RUNOFF
from rootzone.figures.quantities import RAIN, boundary_outflow, quantity
from rootzone.figures.style import BLACK, BLUE, SKY, dates, new_figure, note_below

_PANEL = (9.0, 1.7)  # inches
_MOST_LINES = 10
"""Points that get a line each in a series; more are summed up as cells are."""


def series(panels: Sequence[xr.DataArray], data: xr.Dataset, period: str) -> Figure | None:
    """Draw median and mean of the cells with 10-90 % shaded, and a line for each of a few points.

    What is the same everywhere and always is said in a line below.

    Parameters
    ----------
    panels : sequence of DataArray
        Variables (time, ...).
    data : Dataset
        The file that they are of.
    period : str
        Which time it covers.
    """
    rain = next((p for p in panels if p.attrs.get("csdms_name") == RAIN), None)
    if rain is not None and not np.nanmax(rain.values, initial=0.0):
        rain = None
    constant = [p for p in panels if p is not rain and _is_constant(p)]
    others = [p for p in panels if p is not rain and not any(p is c for c in constant)]
    if not others and rain is None:
        return None
    rows = len(others) + (rain is not None)
    figure = new_figure(_PANEL[0], 0.5 + _PANEL[1] * rows)
    axes = list(figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0])
    if rain is not None:
        draw_rain(axes[0], rain, data)
    for number, (place, panel) in enumerate(zip(axes[rain is not None :], others, strict=True)):
        _draw(place, panel, data, first=number == 0)
    dates(axes[-1])
    axes[-1].set_xlabel("UTC")
    figure.align_ylabels(axes)
    figure.suptitle(period, x=0.01, ha="left", fontsize=10)
    if constant:
        note_below(figure, [f"the same everywhere and always: {_values(constant)}"])
    return figure


def _is_constant(panel: xr.DataArray) -> bool:
    """Tell whether all values are the same: nothing to draw, unless there is one only."""
    finite = panel.values[np.isfinite(panel.values)]
    return bool(panel.sizes["time"] > 1 and (finite.size == 0 or np.ptp(finite) == 0.0))


def _values(constant: Sequence[xr.DataArray]) -> str:
    said = []
    for panel in constant:
        of = quantity(panel, by_day=False)
        known = of.values.values[np.isfinite(of.values.values)]
        said.append(f"{of.title} {known[0]:.3g} {of.units}".strip() if known.size else f"{of.title} not known")
    return "; ".join(said)


def draw_rain(axes: Axes, rain: xr.DataArray, data: xr.Dataset) -> None:
    """Draw mean rain hanging from above."""
    of = quantity(rain, by_day=False)
    depth = of.values.mean([d for d in rain.dims if d != "time"])
    end = rain["time"].values
    start = data["time_bounds"].values[:, 0] if "time_bounds" in data else end
    axes.bar(start, depth, width=end - start, align="edge", color=SKY, linewidth=0)
    axes.set_ylim(max(1.05 * float(depth.max()), 1.0e-3), 0.0)
    axes.set_title(of.title)
    axes.set_ylabel(of.units)


def times(panel: xr.DataArray, data: xr.Dataset) -> NDArray[np.datetime64]:
    """Where the values of a series stand: means in the middle of their interval, others at the end of it."""
    end: NDArray[np.datetime64] = panel["time"].values
    if "mean" not in panel.attrs.get("cell_methods", "") or "time_bounds" not in data:
        return end
    start: NDArray[np.datetime64] = data["time_bounds"].values[:, 0]
    return start + (end - start) / 2


def _draw(axes: Axes, panel: xr.DataArray, data: xr.Dataset, first: bool) -> None:
    outflow = panel.attrs.get("csdms_name") == RUNOFF and min(panel.sizes.get(d, 0) for d in ("y", "x")) > 1
    of = boundary_outflow(panel) if outflow else quantity(panel, by_day=False)
    cells = [d for d in of.values.dims if d != "time"]
    time = times(panel, data)
    points = next((d for d in cells if f"{d}_name" in panel.coords), None)
    alone = "." if len(time) == 1 else ""  # a line needs two
    if points is not None and panel.sizes[points] <= _MOST_LINES:
        for number in range(panel.sizes[points]):
            at = of.values.isel({points: number})
            axes.plot(time, at, lw=1.1, marker=alone, label=str(panel[f"{points}_name"].values[number]))
    elif cells:
        low, high = of.values.quantile(0.1, cells), of.values.quantile(0.9, cells)
        axes.fill_between(time, low, high, color=BLUE, alpha=0.2, lw=0, label="10–90 % of cells")
        axes.plot(time, of.values.median(cells), color=BLUE, lw=1.1, marker=alone, label="median")
        axes.plot(time, of.values.mean(cells), color=BLACK, lw=0.8, ls="--", marker=alone, label="mean")
    else:
        axes.plot(time, of.values, color=BLUE, lw=1.1, marker=alone)
    if axes.get_legend_handles_labels()[0] and (points is not None or first):
        axes.legend(loc="lower left", bbox_to_anchor=(0.6, 1.0), ncols=3, frameon=False, borderaxespad=0.1)
    axes.set_title(of.title)
    axes.set_ylabel(of.units)
    if of.depth:
        axes.invert_yaxis()
