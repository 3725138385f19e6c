"""Discharge at gauges."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rootzone.evaluation.observations.flow_duration import curve
from rootzone.figures.quantities import RAIN, quantity
from rootzone.figures.series import times
from rootzone.figures.style import BLUE, SKY, dates, new_figure

_PANEL = (9.0, 2.3)  # inches


def hydrographs(discharge: xr.DataArray, data: xr.Dataset) -> Figure:
    """Draw discharge at every gauge under the mean rain, and beside it how long which flow is exceeded."""
    gauges = discharge.dims[-1]
    rain = next((v for v in data.data_vars.values() if v.attrs.get("csdms_name") == RAIN), None)
    count = discharge.sizes[gauges]
    figure = new_figure(_PANEL[0], 0.5 + _PANEL[1] * count)
    axes = figure.subplots(count, 2, squeeze=False, sharex="col", width_ratios=(3, 1))
    of = quantity(discharge, by_day=False)
    for number, (flow, duration) in enumerate(axes):
        at = of.values.isel({gauges: number})
        flow.plot(times(discharge, data), at, color=BLUE, lw=1.2)
        flow.set_title(str(discharge[f"{gauges}_name"].values[number]))
        flow.set_ylabel(of.label)
        top = max(float(at.max()), 1.0e-9)
        flow.set_ylim(0.0, (1.5 if rain is not None else 1.1) * top)
        if rain is not None:
            _hang(flow, rain, data)
        _duration(duration, at.values, of.units)
    dates(axes[-1, 0])
    axes[-1, 0].set_xlabel("UTC")
    axes[-1, 1].set_xlabel("% of the time")
    axes[0, 1].set_title("exceeded")
    return figure


def _hang(axes: Axes, rain: xr.DataArray, data: xr.Dataset) -> None:
    of = quantity(rain, by_day=False)
    depth = of.values.mean([d for d in rain.dims if d != "time"])
    above = axes.twinx()
    above.fill_between(rain["time"].values, depth, step="pre", color=SKY, lw=0)
    above.set_ylim(3.0 * max(float(depth.max()), 1.0e-9), 0.0)
    above.grid(visible=False)
    above.spines["right"].set_visible(True)
    above.set_ylabel(f"rain [{of.units}]")


def _duration(axes: Axes, flow: np.ndarray[tuple[int], np.dtype[np.float64]], units: str) -> None:
    shares, known = curve(flow[np.isfinite(flow)])
    if not known.size:
        return
    axes.plot(100.0 * shares, known, color=BLUE, lw=1.2)
    if known[-1] > 0.0:
        axes.set_yscale("log")
    axes.set_xlim(0.0, 100.0)
    axes.set_ylabel(units)
