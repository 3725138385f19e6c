"""Maps, series and hydrographs of a run's output files."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bmi_common.groundwater import DISCHARGE
from bmi_common.owned_folder import OwnedFolder
from coupler.run_folder import FIGURES, figure_file
from rootzone.evaluation.figures.style import SIZES
from rootzone.figure_text import show_as_written
from rootzone.figures.geography import Rivers, rivers_of_run
from rootzone.figures.hydrographs import hydrographs
from rootzone.figures.maps import maps
from rootzone.figures.series import series

_LAYER_DIMENSIONS = ("z", "root_zone_z")


def draw(folder: OwnedFolder, files: list[str]) -> list[Path]:
    """Draw every output file of a run into ``figures/``.

    Parameters
    ----------
    folder : OwnedFolder
        The run's folder.
    files : list of str
        Names of its NetCDF files; those without a record are passed over.

    Returns
    -------
    list of Path
        The PNG files written: ``<file>_series.png`` with domain means over time (10-90 % of cells shaded; a line each
        for a few points) under the rain, if the file has it, ``<file>_maps.png`` with means over the period, and
        ``<file>_hydrographs.png`` with discharge at gauges.
    """
    made: list[Path] = []
    (folder.path / FIGURES).mkdir(exist_ok=True)
    rivers = rivers_of_run(folder.path)
    for file in files:
        with xr.open_dataset(folder.path / file) as data:
            for kind, figure in figures_of(data, rivers).items():
                folder.own(figure_file(file, kind))
                path = folder.path / figure_file(file, kind)
                figure.savefig(path, dpi=130)
                made.append(path)
    return made


def figures_of(data: xr.Dataset, rivers: Rivers | None = None) -> dict[str, Figure]:
    """Draw an output file: ``series``, ``maps`` and ``hydrographs``, as far as it has what they show; see `draw`."""
    if data.sizes.get("time", 0) == 0:
        return {}
    panels = _panels(data)
    mapped = [panel for panel in panels if "x" in panel.dims and "y" in panel.dims]
    discharge = next((v for v in data.data_vars.values() if _is_at_gauges(v) and v.size), None)
    with matplotlib.rc_context(SIZES):
        drawn = {
            "series": series(panels, data),
            "maps": maps(mapped, _period(data), rivers),
            "hydrographs": None if discharge is None else hydrographs(discharge, data),
        }
    return {kind: show_as_written(figure) for kind, figure in drawn.items() if figure is not None}


def _panels(data: xr.Dataset) -> list[xr.DataArray]:
    """Variables in time; of those with layers the top one."""
    panels = []
    for name, variable in data.data_vars.items():
        if "time" not in variable.dims or name == "time_bounds" or _is_at_gauges(variable):
            continue
        layer = next((d for d in variable.dims if d in _LAYER_DIMENSIONS), None)
        if layer is None:
            panels.append(variable)
            continue
        top = variable.isel({layer: -1}).assign_attrs(variable.attrs)
        top.attrs["layer"] = "top layer"
        panels.append(top)
    return panels


def _is_at_gauges(variable: xr.DataArray) -> bool:
    return variable.attrs.get("csdms_name") == DISCHARGE


def _period(data: xr.Dataset) -> str:
    """First and last time of the records."""
    first = data["time_bounds"].values[0, 0] if "time_bounds" in data else data["time"].values[0]
    begin, end = (str(np.datetime_as_string(t, unit="h")).replace("T", " ") for t in (first, data["time"].values[-1]))
    return f"{begin}:00 to {end}:00 UTC"
