"""The figures of the report: maps of the basin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LightSource, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bmi_colm.tables import soil_table, vegetation_table
from bmi_common.arrays import Array
from rootzone.domain_builder.basin import Basin
from rootzone.domain_builder.hydraulics import Hydraulics
from rootzone.figures.classes import cover_colour, draw_classes, texture_colour
from rootzone.figures.style import BLACK, ORANGE, new_figure

_METRES_PER_KILOMETRE = 1000.0
_PANEL = 5.0  # inches
_FINEST = 900
"""Cells along a side that a figure shows; of more every second, third … is drawn."""
_MOST_LAYERS = 6

_RELIEF = ListedColormap(matplotlib.colormaps["gist_earth"](np.linspace(0.3, 0.97, 256)))
"""From green to white: the ground of a basin is no sea."""


@dataclass(frozen=True)
class Map:
    """A figure and what it shows."""

    name: str
    caption: str
    figure: Figure


def draw_maps(basin: Basin) -> list[Map]:
    """Draw all maps of a basin."""
    painter = _Painter(basin)
    made = [_ground(painter), _slopes(painter), _covers(painter), _conductivity(painter), _soil(painter)]
    return [m for m in made if m is not None]


class _Painter:
    """Panels of maps in kilometres of the CRS, of a basin of any size."""

    def __init__(self, basin: Basin) -> None:
        self.basin = basin
        grid = basin.grid
        self._step = max(1, int(np.ceil(max(grid.shape) / _FINEST)))
        west, south, east, north = (v / _METRES_PER_KILOMETRE for v in grid.bounds)
        self.extent = (west, east, south, north)
        self._aspect = (north - south) / (east - west)

    def figure(self, columns: int, rows: int = 1) -> tuple[Figure, list[Axes]]:
        """Return a figure of panels that share their axes."""
        height = min(max(_PANEL * self._aspect, 2.2), 7.0) * (0.7 if columns > 2 else 1.0)
        width = min(_PANEL, 7.0 / self._aspect) if columns < 3 else 3.4
        figure = new_figure(max(width * columns + 1.0, 6.0), height * rows + 0.7)
        panels = np.ravel(figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False))
        return figure, list(panels)

    def image(self, axes: Axes, values: Array, title: str, **options: Any) -> Any:
        """Draw a map (ny, nx), southern row first."""
        shown = np.where(self.basin.mask, values, np.nan)[:: self._step, :: self._step]
        image = axes.imshow(shown, origin="lower", extent=self.extent, interpolation="nearest", **options)
        axes.set_title(title)
        self.tidy(axes)
        return image

    def tidy(self, axes: Axes) -> None:
        """Label the axes in kilometres, few and short."""
        axes.grid(False)
        for axis, label in ((axes.xaxis, "easting [km]"), (axes.yaxis, "northing [km]")):
            axis.set_major_locator(MaxNLocator(4))
            axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            axis.label.set_text(label)
        axes.label_outer()

    def spread(self, columns: Array) -> Array:
        """Put values of the active cells on the grid."""
        whole = np.full(self.basin.mask.shape, np.nan)
        whole[self.basin.mask] = columns
        return whole

    def marks(self, axes: Axes) -> None:
        """Mark outlets and gauges."""
        drainage, grid = self.basin.ground.drainage, self.basin.grid
        if drainage is not None:
            at = np.array([grid.centre(*cell) for cell in drainage.outlets]) / _METRES_PER_KILOMETRE
            axes.plot(at[:, 0], at[:, 1], "v", color=ORANGE, markeredgecolor="white", markersize=9, label="outlet")
        for n, (name, gauge) in enumerate(self.basin.gauges.items()):
            x, y = (v / _METRES_PER_KILOMETRE for v in grid.centre(*gauge.cell))
            axes.plot(x, y, "o", color="white", markeredgecolor=BLACK, markersize=6, label="" if n else "gauge")
            axes.annotate(name, (x, y), xytext=(6, 4), textcoords="offset points", fontsize=8)


def _ground(p: _Painter) -> Map | None:
    ground, grid = p.basin.ground, p.basin.grid
    if ground.elevation is None or ground.drainage is None:
        return None
    figure, (relief, area) = p.figure(2)
    z = np.where(p.basin.mask, ground.elevation, np.nan)
    image = p.image(relief, z, "elevation", cmap=_RELIEF, **_between(z, 0.0, 100.0))
    with np.errstate(invalid="ignore"):
        shade = LightSource(315, 40).hillshade(z, vert_exag=_exaggeration(z, grid.dx), dx=grid.dx, dy=-grid.dy)
    p.image(relief, shade, "elevation", cmap="gray", vmin=0.0, vmax=1.0, alpha=0.3)
    figure.colorbar(image, ax=relief, label="m above sea level", shrink=0.85)
    rivers = np.where(ground.river, 1.0, np.nan)
    p.image(relief, rivers, "elevation and rivers", cmap=ListedColormap(["#1f6fb4"]))
    p.marks(relief)
    relief.legend(loc="best", frameon=True)
    km2 = ground.drainage.upstream_area / 1e6
    image = p.image(area, km2, "upstream area", cmap="Blues", norm=LogNorm(np.nanmin(km2), np.nanmax(km2)))
    figure.colorbar(image, ax=area, label="km²", shrink=0.85)
    moved = ground.elevation - _known(p.basin.region.elevation)
    raised, lowered = max(float(np.nanmax(moved)), 0.0), max(-float(np.nanmin(moved)), 0.0)
    return Map(
        "ground",
        "Left: the ground as the model has it, all of which drains to the outlets, and the cells that count as rivers. "
        f"It was raised by up to {raised:.3g} m and lowered by up to {lowered:.3g} m. "
        "Right: the area that drains through each cell.",
        figure,
    )


def _known(values: Array | None) -> Array:
    assert values is not None
    return values


def _exaggeration(z: Array, cell: float) -> float:
    """Make the median slope one that shades well."""
    steep = np.nanmedian(np.abs(np.diff(z, axis=1))) / cell
    return float(np.clip(0.25 / max(steep, 1e-4), 1.0, 200.0))


def _slopes(p: _Painter) -> Map:
    figure, panels = p.figure(2)
    ground = p.basin.ground
    limit = float(
        np.nanpercentile(np.abs(np.concatenate([s[p.basin.mask] for s in (ground.slope_x, ground.slope_y)])), 98)
    )
    for axes, slope, face in zip(panels, (ground.slope_x, ground.slope_y), ("eastern", "northern"), strict=True):
        image = p.image(axes, slope, f"slope of the {face} face", cmap="RdBu_r", vmin=-limit, vmax=limit)
    figure.colorbar(image, ax=panels, label="rise over run, positive to the east and north", extend="both", shrink=0.85)
    return Map("slopes", "Slopes of the faces of the cells: red where the ground rises to the east (north).", figure)


def _covers(p: _Painter) -> Map:
    figure, panels = p.figure(2 if p.basin.soil.usda is not None else 1)
    names = {number: entry.name for number, entry in vegetation_table().items()}
    _classes(p, panels[0], p.basin.cover.classes, "land cover (IGBP)", names, cover_colour)
    caption = "Land cover: the class with the largest share of each cell."
    if p.basin.soil.usda is not None:
        textures = {t.number: name for name, t in soil_table().textures.items()}
        usda = p.spread(p.basin.soil.usda.astype(np.float64))
        _classes(p, panels[1], usda, "texture of the top layer (USDA)", textures, texture_colour)
        caption += " Texture: the class of the top layer."
    return Map("classes", caption, figure)


def _classes(
    p: _Painter, axes: Axes, values: Array, title: str, names: Mapping[int, str], colour: Callable[[int], Any]
) -> None:
    inside = np.where(p.basin.mask, values, np.nan)
    draw_classes(axes, inside, names, colour, partial(p.image, axes, title=title))


def _conductivity(p: _Painter) -> Map:
    hydraulics: Hydraulics = p.basin.soil.hydraulics
    dz = p.basin.dz
    bottoms = np.cumsum(dz[::-1])[::-1]
    chosen = np.unique(np.linspace(0, dz.size - 1, min(dz.size, _MOST_LAYERS)).round().astype(int))[::-1]
    columns = min(len(chosen), 3)
    figure, panels = p.figure(columns, -(-len(chosen) // columns))
    active = np.maximum(hydraulics.conductivity, 1e-12)
    low, high = float(active.min()), float(active.max())
    norm = LogNorm(low, high if high > low else 1.01 * low)
    for axes, k in zip(panels, chosen, strict=False):
        title = f"{bottoms[k] - dz[k]:.3g} to {bottoms[k]:.3g} m"
        image = p.image(axes, p.spread(active[k]), title, cmap="viridis", norm=norm)
    for axes in panels[len(chosen) :]:
        axes.set_visible(False)
    figure.colorbar(image, ax=panels, label="conductivity along the layers [m h⁻¹]", shrink=0.85)
    return Map("conductivity", "Saturated hydraulic conductivity by depth below ground, on one scale.", figure)


def _soil(p: _Painter) -> Map:
    bottom, basin = p.basin.soil.bottom, p.basin
    deep = np.isfinite(bottom).all()
    figure, panels = p.figure(2 if deep else 1)
    porosity = p.spread(basin.soil.hydraulics.porosity[-1])
    image = p.image(panels[0], porosity, "porosity of the top layer", cmap="YlGnBu", **_between(porosity, 0.0, 100.0))
    figure.colorbar(image, ax=panels[0], label="1", shrink=0.85)
    if deep:
        depth = p.spread(bottom)
        image = p.image(panels[1], depth, "depth of the soil", cmap="copper_r", **_between(depth, 0.0, 98.0))
        figure.colorbar(image, ax=panels[1], label="m", shrink=0.85)
    return Map("soil", "Porosity of the top layer" + (" and the depth at which rock begins." if deep else "."), figure)


def _between(values: Array, low: float, high: float) -> dict[str, Any]:
    a, b = (float(v) for v in np.nanpercentile(values, [low, high]))
    return {"norm": Normalize(a, b if b > a else a + 1e-6)}
