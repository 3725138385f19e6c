"""Figures of a run: maps, series and hydrographs of its output files, and what it is made of."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from bmi_common.groundwater import DISCHARGE, POROSITY, SATURATION
from bmi_common.owned_folder import OwnedFolder
from coupler.run_folder import FIGURES, figure_file, run_figure_file
from rootzone.datasets import open_dataset
from rootzone.figure_text import show_as_written
from rootzone.figures.basin import basin_figures
from rootzone.figures.daily_rain import daily_rain
from rootzone.figures.geography import Rivers, rivers_of_run
from rootzone.figures.hydrographs import hydrographs
from rootzone.figures.maps import maps
from rootzone.figures.quantities import RAIN, SOIL_MOISTURE
from rootzone.figures.series import series
from rootzone.figures.style import SIZES

_LAYER_DIMENSIONS = ("z", "root_zone_z")


def draw(folder: OwnedFolder, files: list[str]) -> list[Path]:
    """Draw every output file of a run into ``figures/``.

    Parameters
    ----------
    folder : OwnedFolder
        The run's folder.
    files : list of str
        Names of its NetCDF files and Zarr stores; those without a record are passed over.

    Returns
    -------
    list of Path
        The PNG files written: ``<file>_series.png`` with domain means over time (10-90 % of cells shaded; a line each
        for a few points) under the rain, if the file has it, ``<file>_maps.png`` with means over the period,
        ``<file>_rain.png`` with daily precipitation, and ``<file>_hydrographs.png`` with discharge at gauges;
        ``domain.png`` with terrain, rivers and boundaries, and ``land.png`` with land cover and soil texture.
    """
    made: list[Path] = []

    def keep(figure: Figure, name: str) -> None:
        folder.own(name)
        figure.savefig(folder.path / name, dpi=130)
        made.append(folder.path / name)

    (folder.path / FIGURES).mkdir(exist_ok=True)
    rivers = rivers_of_run(folder.path)
    for file in files:
        with open_dataset(folder.path / file) as data:
            for kind, figure in figures_of(data, rivers).items():
                keep(figure, figure_file(file, kind))
    for name, figure in figures_of_run(folder.path).items():
        keep(figure, run_figure_file(name))
    return made


def figures_of_run(folder: Path) -> dict[str, Figure]:
    """Draw what a run is made of: ``domain`` and ``land``, as far as its components name them."""
    with matplotlib.rc_context(SIZES):
        return {name: show_as_written(figure) for name, figure in basin_figures(folder).items()}


def figures_of(data: xr.Dataset, rivers: Rivers | None = None) -> dict[str, Figure]:
    """Draw an output file: ``series``, ``maps``, ``rain`` and ``hydrographs``, as far as it has them; see `draw`."""
    if data.sizes.get("time", 0) == 0:
        return {}
    panels = _panels(data)
    mapped = [panel for panel in panels if "x" in panel.dims and "y" in panel.dims]
    discharge = next((v for v in data.data_vars.values() if _is_at_gauges(v) and v.size), None)
    rain = next((panel for panel in panels if panel.attrs.get("csdms_name") == RAIN), None)
    with matplotlib.rc_context(SIZES):
        drawn = {
            "series": series(panels, data, _period(data)),
            "maps": maps(mapped, _period(data), rivers),
            "rain": None if rain is None else daily_rain(rain, data, _period(data)),
            "hydrographs": None if discharge is None else hydrographs(discharge, data),
        }
    return {kind: show_as_written(figure) for kind, figure in drawn.items() if figure is not None}


def _panels(data: xr.Dataset) -> list[xr.DataArray]:
    """Variables in time; of those with layers the top one, of saturation the soil moisture if porosity is there."""
    porosity = next((v for v in data.data_vars.values() if v.attrs.get("csdms_name") == POROSITY), None)
    panels = []
    for name, variable in data.data_vars.items():
        if "time" not in variable.dims or name == "time_bounds" or _is_at_gauges(variable):
            continue
        layer = next((d for d in variable.dims if d in _LAYER_DIMENSIONS), None)
        if layer is None:
            panels.append(variable)
            continue
        top = variable.isel({layer: -1}).assign_attrs(variable.attrs)
        if variable.attrs.get("csdms_name") == SATURATION and porosity is not None and layer in porosity.dims:
            top = (top * porosity.isel({layer: -1})).assign_attrs(variable.attrs | SOIL_MOISTURE)
        top.attrs["layer"] = _top_layer(data, str(layer))
        panels.append(top)
    return panels


def _top_layer(data: xr.Dataset, layer: str) -> str:
    """Say where the top layer is, by its thickness if the file has it."""
    thickness = data.get("layer_thickness")
    if thickness is None or thickness.dims != (layer,):
        return "top layer"
    return f"0–{100.0 * float(thickness[-1]):.3g} cm below ground"


def _is_at_gauges(variable: xr.DataArray) -> bool:
    return variable.attrs.get("csdms_name") == DISCHARGE


def _period(data: xr.Dataset) -> str:
    """First and last time of the records."""
    first = data["time_bounds"].values[0, 0] if "time_bounds" in data else data["time"].values[0]
    begin, end = (str(np.datetime_as_string(t, unit="h")).replace("T", " ") for t in (first, data["time"].values[-1]))
    return f"{begin}:00 to {end}:00 UTC"
