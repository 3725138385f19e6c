"""Maps of classes: land cover and soil texture, with the share of each class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.patches import Patch

from bmi_common.arrays import Array

_COVER_COLOURS = {
    1: "#1b5e20", 2: "#2e7d32", 3: "#4c8c4a", 4: "#66a35c", 5: "#7cb342", 6: "#a1887f", 7: "#d7ccc8", 8: "#b5a642",
    9: "#d4c46a", 10: "#dce775", 11: "#4db6ac", 12: "#f2b84b", 13: "#c0392b", 14: "#f6d58a", 15: "#e3f2fd",
    16: "#bdb39f", 17: "#3b7dd8",
}  # fmt: skip
_MOST_NAMED = 10


def cover_colour(number: int) -> Any:
    """Colour of an IGBP class; grey of a class of the user's own."""
    return _COVER_COLOURS.get(number, "#9e9e9e")


def texture_colour(number: int) -> Any:
    """Colour of a USDA class, from sand to clay."""
    return matplotlib.colormaps["YlOrBr"](0.08 + 0.075 * number)


def draw_classes(
    axes: Axes,
    values: Array,
    names: Mapping[int, str],
    colour: Callable[[int], Any],
    image: Callable[..., Any],
) -> None:
    """Draw a map of classes above a legend of those with the largest shares.

    Parameters
    ----------
    axes : Axes
        Where to.
    values : ndarray, shape (ny, nx)
        Numbers of the classes, NaN outside the domain.
    names : mapping
        Names of the classes.
    colour : callable
        Colour of a class.
    image : callable
        Draws values with the options ``cmap`` and ``norm``.
    """
    numbers, counts = np.unique(values[np.isfinite(values)].astype(int), return_counts=True)
    colours = ListedColormap([colour(int(n)) for n in numbers])
    norm: Any = BoundaryNorm(np.append(numbers - 0.5, numbers[-1] + 0.5), len(numbers)) if len(numbers) > 1 else None
    image(values, cmap=colours, norm=norm)
    order = np.argsort(-counts)
    handles = [
        Patch(color=colour(int(numbers[k])), label=f"{names[int(numbers[k])]} {100.0 * counts[k] / counts.sum():.2g} %")
        for k in order[:_MOST_NAMED]
    ]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.0, -0.16), ncols=2, fontsize=7, frameon=False)
