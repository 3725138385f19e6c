"""Maps and time series of a run's output files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bmi_common.groundwater import DISCHARGE
from bmi_common.owned_folder import OwnedFolder
from bmi_common.units import SECONDS_PER_HOUR
from coupler.run_folder import FIGURES, figure_file
from rootzone.figure_text import show_as_written

_RAIN = "atmosphere_water_precipitation__mass_flux"
_LAYER_DIMENSIONS = ("z", "root_zone_z")
_PANEL = (7.0, 2.2)
_MOST_LINES = 10
"""Points that get a line each in a series; more are summed up as cells are."""


def draw(folder: OwnedFolder, files: list[str]) -> list[Path]:
    """Draw every output file of a run into ``figures/``.

    Parameters
    ----------
    folder : OwnedFolder
        The run's folder.
    files : list of str
        Names of its NetCDF files; those without a time dimension are passed over.

    Returns
    -------
    list of Path
        The PNG files written: ``<file>_series.png`` with domain means over time (10-90 % of cells shaded; a line each
        for a few points), ``<file>_maps.png`` with means over the period, and ``<file>_hydrographs.png`` with discharge
        at gauges and the rain in the same file.
    """
    made: list[Path] = []
    (folder.path / FIGURES).mkdir(exist_ok=True)
    for file in files:
        with xr.open_dataset(folder.path / file) as data:
            for kind, figure in figures_of(data).items():
                folder.own(figure_file(file, kind))
                path = folder.path / figure_file(file, kind)
                figure.savefig(path, dpi=130)
                made.append(path)
    return made


def figures_of(data: xr.Dataset) -> dict[str, Figure]:
    """Draw an output file: ``series``, ``maps`` and ``hydrographs``, as far as it has what they show; see `draw`."""
    if data.sizes.get("time", 0) == 0:
        return {}
    panels = _panels(data)
    drawn = {"series": _series(panels, data), "maps": _maps(panels), "hydrographs": _hydrographs(data)}
    return {kind: show_as_written(figure) for kind, figure in drawn.items() if figure is not None}


def _panels(data: xr.Dataset) -> list[xr.DataArray]:
    panels = []
    for name, variable in data.data_vars.items():
        if "time" not in variable.dims or name == "time_bounds" or _is_at_gauges(variable):
            continue
        layer = next((d for d in variable.dims if d in _LAYER_DIMENSIONS), None)
        if layer is None:
            panels.append(variable)
            continue
        top = variable.isel({layer: -1}).assign_attrs(variable.attrs)
        top.attrs["long_name"] = f"{variable.attrs.get('long_name', name)}, top layer"
        panels.append(top)
    return panels


def _times(panel: xr.DataArray, data: xr.Dataset) -> NDArray[np.datetime64]:
    """Where the values of a series stand: means in the middle of their interval, others at the end of it."""
    end: NDArray[np.datetime64] = panel["time"].values
    if "mean" not in panel.attrs.get("cell_methods", "") or "time_bounds" not in data:
        return end
    start: NDArray[np.datetime64] = data["time_bounds"].values[:, 0]
    return start + (end - start) / 2


def _series(panels: list[xr.DataArray], data: xr.Dataset) -> Figure | None:
    if not panels:
        return None
    figure = Figure(figsize=(9.0, 0.6 + _PANEL[1] * len(panels)), layout="constrained")
    axes = np.atleast_1d(figure.subplots(len(panels), 1, sharex=True))
    for axis, panel in zip(axes, panels, strict=True):
        cells = [d for d in panel.dims if d != "time"]
        time = _times(panel, data)
        points = next((d for d in cells if f"{d}_name" in panel.coords), None)
        if points is not None and panel.sizes[points] <= _MOST_LINES:
            for number in range(panel.sizes[points]):
                at = panel.isel({points: number})
                axis.plot(time, at, lw=1.2, label=str(at[f"{points}_name"].values))
            axis.legend(fontsize=7, loc="upper right")
        else:
            if cells:
                low, high = panel.quantile(0.1, cells), panel.quantile(0.9, cells)
                axis.fill_between(time, low, high, color="tab:blue", alpha=0.2, lw=0, label="10-90 % of cells")
            axis.plot(time, panel.mean(cells), color="tab:blue", lw=1.2, label="mean")
        axis.set_title(str(panel.attrs.get("long_name", panel.name)), fontsize=9, loc="left")
        axis.set_ylabel(str(panel.attrs.get("units", "")))
        axis.grid(alpha=0.3)
        if "depth below" in str(panel.attrs.get("long_name", "")):
            axis.invert_yaxis()
    axes[0].legend(fontsize=7, loc="upper right")
    axes[-1].set_xlabel("UTC")
    figure.autofmt_xdate()
    return figure


def _is_at_gauges(variable: xr.DataArray) -> bool:
    return variable.attrs.get("csdms_name") == DISCHARGE


def _hydrographs(data: xr.Dataset) -> Figure | None:
    """Discharge at every gauge in a panel of its own, with the mean rain hanging from above."""
    found = [v for v in data.data_vars.values() if _is_at_gauges(v) and v.size]
    if not found:
        return None
    discharge = found[0]
    gauges, time = discharge.dims[-1], discharge["time"].values
    rain = next((v for v in data.data_vars.values() if v.attrs.get("csdms_name") == _RAIN), None)
    figure = Figure(figsize=(9.0, 0.6 + _PANEL[1] * discharge.sizes[gauges]), layout="constrained")
    axes = np.atleast_1d(figure.subplots(discharge.sizes[gauges], 1, sharex=True))
    for number, axis in enumerate(axes):
        at = discharge.isel({gauges: number})
        axis.plot(_times(discharge, data), at, color="tab:blue", lw=1.2)
        axis.set_title(str(at[f"{gauges}_name"].values), fontsize=9, loc="left")
        axis.set_ylabel(f"discharge [{discharge.attrs.get('units', '')}]")
        axis.set_ylim(0.0, 1.1 * max(float(at.max()), 1e-9))
        axis.grid(alpha=0.3)
        if rain is not None:
            depth = rain.mean([d for d in rain.dims if d != "time"]) * SECONDS_PER_HOUR
            above = axis.twinx()
            above.fill_between(time, depth, step="pre", color="tab:gray", alpha=0.5, lw=0)
            above.set_ylim(2.5 * max(float(depth.max()), 1e-9), 0.0)
            above.set_ylabel("rain [mm h-1]")
    axes[-1].set_xlabel("UTC")
    figure.autofmt_xdate()
    return figure


def _has_pattern(panel: xr.DataArray) -> bool:
    """Tell whether a map shows something: not if all but a few cells are zero, as outflow over the boundary is."""
    mean = panel.mean("time").values
    finite = mean[np.isfinite(mean)]
    return bool(finite.size > 0 and np.count_nonzero(finite) >= 0.02 * finite.size)


def _limits(values: NDArray[np.floating]) -> tuple[float, float]:
    """Colour limits that leave out the outermost two per cent, unless nothing varies within them."""
    if values.size == 0:
        return 0.0, 1.0
    low, high = float(np.quantile(values, 0.02)), float(np.quantile(values, 0.98))
    return (low, high) if high > low else (float(values.min()), float(values.max()))


def _maps(panels: list[xr.DataArray]) -> Figure | None:
    mapped = [p for p in panels if "x" in p.dims and "y" in p.dims and _has_pattern(p)]
    if not mapped:
        return None
    columns = min(3, len(mapped))
    rows = -(-len(mapped) // columns)
    figure = Figure(figsize=(5.0 * columns, 3.6 * rows), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, columns)).reshape(-1)
    for axis, panel in zip(axes, mapped, strict=False):
        mean = panel.mean("time")
        finite = mean.values[np.isfinite(mean.values)]
        limits = _limits(finite)
        x, y = panel["x"].values / 1000.0, panel["y"].values / 1000.0
        image = axis.pcolormesh(x, y, mean, vmin=limits[0], vmax=limits[1], shading="nearest", cmap="viridis")
        figure.colorbar(image, ax=axis, label=str(panel.attrs.get("units", "")))
        axis.set_title(f"{panel.attrs.get('long_name', panel.name)}, mean", fontsize=9)
        axis.set_aspect("equal")
        axis.set_xlabel("x [km]")
        axis.set_ylabel("y [km]")
    for axis in axes[len(mapped) :]:
        axis.set_visible(False)
    return figure
