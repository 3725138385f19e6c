"""Daily precipitation of a run, and its sum."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bmi_common.calendar import HOUR
from rootzone.figures.quantities import quantity
from rootzone.figures.style import BLACK, SKY, daily_totals, dates, new_figure

_DAYS = 2
"""Of fewer there is nothing to compare."""


def daily_rain(rain: xr.DataArray, data: xr.Dataset, period: str) -> Figure | None:
    """Draw the domain mean of precipitation by days [mm d-1], and what has fallen since the start [mm].

    None for less than two days, and for outputs that are not means over intervals.
    """
    if "time_bounds" not in data:
        return None
    start, end = data["time_bounds"].values.T
    hours = (end - start) / HOUR
    amounts = quantity(rain, by_day=False).values.mean([d for d in rain.dims if d != "time"]).values * hours
    days, totals = daily_totals(end.astype("datetime64[s]"), amounts)
    if len(days) < _DAYS:
        return None
    figure = new_figure(9.0, 3.0)
    axes = figure.subplots()
    axes.bar(days, totals, width=1.0, align="edge", color=SKY, linewidth=0.3, edgecolor="white")
    axes.set_ylabel("precipitation [mm d⁻¹]")
    axes.set_xlabel("UTC")
    sums = axes.twinx()
    sums.plot(end, np.cumsum(amounts), color=BLACK, linewidth=1.0)
    sums.set_ylim(bottom=0.0)
    sums.set_ylabel("sum since the start [mm]")
    sums.grid(visible=False)
    sums.spines["right"].set_visible(True)
    dates(axes)
    figure.suptitle(f"Precipitation, {period}", x=0.01, ha="left", fontsize=10)
    return figure
