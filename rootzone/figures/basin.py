"""Maps of what a run is made of: terrain with rivers and boundaries; land cover and soil texture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from pydantic import ValidationError

from bmi_colm.config import LandConfig
from bmi_colm.config import prepare as prepare_land
from bmi_colm.soil import usda_class
from bmi_colm.tables import soil_table, vegetation_table
from bmi_common.arrays import Array
from bmi_common.boundary_conditions import Boundary, ConditionsConfig
from bmi_common.config import load_config, read_yaml
from bmi_common.domain import Domain, DomainField
from bmi_common.domain_checks import network_of, outlets_of
from bmi_common.errors import RootzoneError
from bmi_common.places import PlaceConfig
from bmi_common.wells import Well
from rootzone.evaluation.run_record import component_config
from rootzone.figures.classes import cover_colour, draw_classes, texture_colour
from rootzone.figures.geography import draw_outline, draw_rivers, edges, rivers_of
from rootzone.figures.map_panel import centres, draw_field
from rootzone.figures.style import BLUE, ORANGE, legend_above, new_figure

_PANEL = 5.4  # inches
_LEAST_DRAINED = 0.01
"""Share of the domain that an outlet drains, to be marked."""
_RELIEF = ListedColormap(matplotlib.colormaps["gist_earth"](np.linspace(0.3, 0.97, 256)))


@dataclass(frozen=True)
class Setting:
    """What acts on the groundwater of a run, and where.

    Attributes
    ----------
    domain : Domain
        Grid and terrain.
    boundaries : sequence of Boundary
        Faces with a head or a flux.
    wells : sequence of Well
        Wells and intakes.
    gauges : mapping
        Row and column by name.
    """

    domain: Domain
    boundaries: Sequence[Boundary] = ()
    wells: Sequence[Well] = ()
    gauges: Mapping[str, tuple[int, int]] = field(default_factory=dict)


class _Groundwater(ConditionsConfig):
    domain: DomainField


def basin_figures(folder: Path) -> dict[str, Figure]:
    """Draw ``domain`` and ``land`` of a run, as far as its components name them in their configurations."""
    found = {}
    setting = setting_of(folder)
    if setting is not None:
        found["domain"] = domain_map(setting)
    try:
        land = prepare_land(component_config(folder, "land"), LandConfig)
    except RootzoneError:
        return found  # a land of another kind
    columns = len(land.land_cover)
    names = usda_class(*(v.reshape(columns, -1)[:, 0] for v in (land.texture.sand, land.texture.clay)))
    numbers = {name: texture.number for name, texture in soil_table().textures.items()}
    texture = np.array([numbers[str(name)] for name in names], dtype=np.float64)
    covers = {number: entry.name for number, entry in land.vegetation.items()}
    found["land"] = land_map(land.domain, land.land_cover.astype(np.float64), texture, covers)
    return found


def setting_of(folder: Path) -> Setting | None:
    """Read what the record of a run says of its groundwater; None where it names no domain."""
    try:
        file = component_config(folder, "groundwater")
        content = read_yaml(file).data
        if not isinstance(content, dict):
            return None
        known = set(_Groundwater.model_fields)
        config = load_config(file, _Groundwater, ignore=[str(key) for key in content if key not in known])
        domain = Domain.load(config.domain)
        conditions = config.read_conditions(domain)
        sections = [of for of in content.values() if isinstance(of, dict) and "gauges" in of]
        gauges = {
            name: PlaceConfig.model_validate(place).cell(domain)
            for of in sections
            for name, place in of["gauges"].items()
        }
    except (RootzoneError, ValidationError):
        return None  # a groundwater of another kind
    return Setting(domain, conditions.boundaries, conditions.wells, gauges)


def domain_map(of: Setting) -> Figure:
    """Draw terrain, rivers, boundaries, outlets, gauges and wells."""
    domain = of.domain
    figure, (axes,) = _figure(domain, 1)
    x, y = centres(domain)
    elevation = np.where(domain.mask, domain.elevation, np.nan)
    low, high = float(np.nanmin(elevation)), float(np.nanmax(elevation))
    if high > low:
        draw_field(axes, elevation, x, y, cmap=_RELIEF, limits=(low, high), units="m")
        axes.set_title("elevation")
    else:
        flat = np.where(domain.mask, 0.5, np.nan)
        draw_field(axes, flat, x, y, cmap=_RELIEF, limits=(0.0, 1.0), bar=False, words=False)
        axes.set_title(f"elevation {low:g} m everywhere" if low else "no elevation is given")
    if domain.slope_x is not None and domain.slope_y is not None:
        network = network_of(domain)
        rivers = rivers_of(network, domain.nx)
        draw_rivers(axes, rivers, x, y)
        axes.plot([], [], color="#1f4e79", lw=1.2, label="river" if rivers.share.size else "")
        out = outlets_of(network, 1.0)
        large = out.cells[out.areas >= _LEAST_DRAINED * domain.mask.sum()]
        _marks(axes, [divmod(int(cell), domain.nx) for cell in large], x, y, "v", "outlet")
    axes.plot([], [], color="0.25", lw=0.7, label="no flow")
    _boundaries(axes, of, x, y)
    _marks(axes, list(of.gauges.values()), x, y, "o", "gauge")
    _marks(axes, [well.cell for well in of.wells], x, y, "s", "well")
    for name, (j, i) in [*of.gauges.items(), *((well.name, well.cell) for well in of.wells)]:
        axes.annotate(name, (x[i], y[j]), xytext=(6, 4), textcoords="offset points", fontsize=7)
    legend_above(figure)
    return figure


def land_map(domain: Domain, cover: Array, texture: Array, covers: Mapping[int, str]) -> Figure:
    """Draw land cover (columns,) and the texture of the top layer (columns,), by numbers of IGBP and USDA classes."""
    names = {number: entry.name for number, entry in vegetation_table().items()} | dict(covers)
    textures = {t.number: name for name, t in soil_table().textures.items()}
    figure, panels = _figure(domain, 2)
    x, y = centres(domain)
    for axes, values, title, words, colour in (
        (panels[0], cover, "land cover (IGBP)", names, cover_colour),
        (panels[1], texture, "soil texture of the top layer (USDA)", textures, texture_colour),
    ):
        grid = np.full(domain.mask.shape, np.nan)
        grid[domain.mask] = values
        edge_x, edge_y = edges(x), edges(y)
        extent = (edge_x[0], edge_x[-1], edge_y[0], edge_y[-1])
        image = partial(axes.imshow, origin="lower", extent=extent, interpolation="nearest")
        draw_classes(axes, grid, words, colour, image)
        draw_outline(axes, domain.mask, x, y)
        axes.set_title(title)
    return figure


def _figure(domain: Domain, columns: int) -> tuple[Figure, list[Axes]]:
    ratio = float(np.clip((domain.ny * domain.dy) / (domain.nx * domain.dx), 0.4, 2.0))
    figure = new_figure(_PANEL * columns + 0.8, _PANEL * 0.85 * ratio + 1.3)
    panels = list(figure.subplots(1, columns, squeeze=False, sharex=True, sharey=True)[0])
    for axes in panels:
        axes.grid(visible=False)
        axes.set_xlabel("x [km]")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(5))
    panels[0].set_ylabel("y [km]")
    return figure, panels


def _marks(axes: Axes, cells: Sequence[tuple[int, int]], x: Array, y: Array, marker: str, label: str) -> None:
    if cells:
        rows, columns = np.array(cells).T
        fill = ORANGE if marker == "v" else "white"
        axes.plot(
            x[columns], y[rows], marker, color=fill, markeredgecolor="black", markersize=7, linewidth=0, label=label
        )


def _boundaries(axes: Axes, of: Setting, x: Array, y: Array) -> None:
    """Draw the outer edges that are held to a head or have a flux, and mark the cells whose bottom or ground has."""
    labels: set[str] = set()
    for boundary in of.boundaries:
        columns = np.asarray(boundary.faces.any(axis=0))
        kind, colour = ("head given", BLUE) if boundary.head is not None else ("flux given", ORANGE)
        if boundary.side in ("bottom", "top"):
            where = f"{kind} at the {'ground' if boundary.side == 'top' else 'bottom'}"
            rows, across = np.nonzero(columns)
            axes.plot(x[across], y[rows], ".", color=colour, markersize=2, linewidth=0, label=_once(labels, where))
            continue
        lines = _edges_of(columns, boundary.side, edges(x), edges(y))
        axes.add_collection(LineCollection(lines, colors=colour, linewidths=2.4, label=_once(labels, kind)))


def _once(labels: set[str], label: str) -> str:
    if label in labels:
        return ""
    labels.add(label)
    return label


def _edges_of(columns: NDArray[np.bool_], side: str, edge_x: Array, edge_y: Array) -> list[Any]:
    """Edges of cells (ny, nx) on one side, from corner to corner."""
    rows, across = np.nonzero(columns)
    if side in ("west", "east"):
        at = edge_x[across + (side == "east")]
        return list(zip(zip(at, edge_y[rows], strict=True), zip(at, edge_y[rows + 1], strict=True), strict=True))
    at = edge_y[rows + (side == "north")]
    return list(zip(zip(edge_x[across], at, strict=True), zip(edge_x[across + 1], at, strict=True), strict=True))
