"""One map in a panel: field, outline, rivers, a colour bar as high as the map, and a scale."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from bmi_common.arrays import Array
from bmi_common.domain import Domain
from rootzone.figures.geography import Rivers, draw_outline, draw_rivers, edges, kilometres

_ALIKE = 0.01
"""Share of the colour bar that the values of a map span at least, unless it says its values in words."""
_UNDEFINED = "0.8"


def draw_field(
    axes: Axes,
    values: Array,
    x: Array,
    y: Array,
    *,
    cmap: str | Colormap,
    limits: tuple[float, float],
    units: str = "",
    there: NDArray[np.bool_] | None = None,
    rivers: Rivers | None = None,
    bar: bool = True,
    words: bool = True,
) -> AxesImage:
    """Draw a map; of a field without a pattern on the scale of the colours it says the values.

    Parameters
    ----------
    axes : Axes
        Where to.
    values : ndarray, shape (ny, nx)
        The field, southern row first, NaN where it has no value.
    x, y : ndarray, shape (nx,), (ny,)
        Centres of the cells [km].
    cmap : str or Colormap
        Colours.
    limits : tuple of float
        Ends of the colour bar; it has an arrow where values lie beyond.
    units : str
        Written above the colour bar.
    there : ndarray of bool, shape (ny, nx), optional
        Cells of the domain; those without a value are grey. By default those that have a value.
    rivers : Rivers, optional
        Drawn over the map, if they are of its grid.
    bar : bool
        Whether the map has a colour bar.
    words : bool
        Whether it says the values of a field without a pattern.
    """
    finite = values[np.isfinite(values)]
    inside = np.isfinite(values) if there is None else there
    edge_x, edge_y = edges(x), edges(y)
    extent = (edge_x[0], edge_x[-1], edge_y[0], edge_y[-1])
    if finite.size < np.count_nonzero(inside):
        grey = np.where(inside, float(_UNDEFINED), np.nan)
        axes.imshow(grey, origin="lower", extent=extent, cmap="gray", norm=Normalize(0.0, 1.0), interpolation="nearest")
    image = axes.imshow(
        values, origin="lower", extent=extent, cmap=cmap, norm=Normalize(*limits), interpolation="nearest"
    )
    draw_outline(axes, inside, x, y)
    if rivers is not None and rivers.begin.size and max(rivers.begin.max(0)[0], rivers.end.max(0)[0]) < len(y):
        draw_rivers(axes, rivers, x, y)
    axes.grid(visible=False)
    said = in_words(finite, limits) if words else ""
    if said:
        axes.text(0.5, -0.07, said, transform=axes.transAxes, ha="center", va="top", fontsize=7)
    if bar:
        colour_bar(axes, image, units, extend(finite, limits))
    return image


def colour_bar(axes: Axes, image: AxesImage, units: str, arrows: str) -> None:
    """Draw a colour bar beside a map, of its height; a label beside the bar would read as that of the next map."""
    place = axes.inset_axes((1.02, 0.0, 0.04, 1.0))
    axes.figure.colorbar(image, cax=place, extend=arrows)
    place.set_title(units, fontsize=8, loc="left")


def extend(values: Array, limits: tuple[float, float]) -> str:
    """Say at which ends of the colours values lie beyond them."""
    if not values.size:
        return "neither"
    below, above = bool(values.min() < limits[0]), bool(values.max() > limits[1])
    return {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")


def in_words(values: Array, limits: tuple[float, float]) -> str:
    """Say what a map shows that has one colour, but for a few cells: no value, one, or a narrow range; else nothing."""
    if not values.size:
        return "not defined"
    narrow = _ALIKE * (limits[1] - limits[0])
    for share, words in ((100.0, "all"), (98.0, "98 % of the")):
        low, high = np.percentile(values, [50.0 - 0.5 * share, 50.0 + 0.5 * share])
        if high - low <= narrow:
            a, b = (f"{v:.3g}" if abs(v) >= 0.1 else f"{v:.2g}" for v in (low, high))
            return f"{words} cells {a}" if a == b else f"{words} cells {a} to {b}"
    return ""


def centres(domain: Domain) -> tuple[Array, Array]:
    """Centres of a domain's cells in its grid [km]: x (nx,), y (ny,)."""
    y, x = domain.surface.coordinates
    return kilometres(np.asarray(x)), kilometres(np.asarray(y))


def scale_bar(axes: Axes, width: float, draw: bool = True) -> None:
    """Take the ticks of a map away that is `width` km wide, and draw a bar below it."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    if not draw:
        return
    decade = 10.0 ** np.floor(np.log10(0.3 * width))
    length = max(step * decade for step in (1.0, 2.0, 5.0) if step * decade <= 0.3 * width)
    transform = axes.get_xaxis_transform()
    left = axes.get_xlim()[0]
    axes.plot([left, left + length], [-0.03, -0.03], color="0.2", lw=2.0, transform=transform, clip_on=False)
    axes.text(left + 1.1 * length, -0.03, f"{length:g} km", transform=transform, va="center", fontsize=7)
