"""Colours, axes and panels that all figures share; the colours are told apart by colour-blind eyes."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure

from bmi_common.arrays import Array
from bmi_common.calendar import HOUR, Times

# Okabe and Ito (2008), "Color universal design"
BLACK, BLUE, ORANGE, GREEN, SKY, GREY = "#000000", "#0072B2", "#D55E00", "#009E73", "#56B4E9", "#777777"

SIZES: dict[Any, Any] = {
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "legend.fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
}
"""Settings of matplotlib under which the figures are drawn."""

_DATES: dict[str, list[str]] = {
    "formats": ["%Y", "%b", "%d %b", "%H:%M", "%H:%M", "%S.%f"],
    "zero_formats": ["", "%Y", "%b", "%d %b", "%H:%M", "%H:%M"],
    "offset_formats": ["", "%Y", "%Y", "%Y", "%Y", "%Y"],
}
"""Of ticks by the year, month, day, hour, minute and second: hours need no date, which the days beside them have."""
_LONGEST_HOURLY = np.timedelta64(45, "D")
"""Up to here rain is drawn by hours, beyond by days."""
_HOURS_PER_DAY = 24
_LETTERS_PER_INCH = 15
"""Of a note below a figure."""


class _ShownFigure(Figure):
    """A figure that a notebook shows, whether pyplot is in use there or not."""

    def _repr_png_(self) -> bytes:
        picture = BytesIO()
        self.savefig(picture, format="png")
        return picture.getvalue()


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches."""
    return _ShownFigure(figsize=(width, height), layout="constrained")


def legend_above(figure: Figure) -> None:
    """Put one legend of all panels above them, where it hides no curve."""
    found = {
        str(label): handle
        for axes in figure.axes
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    if found:
        figure.legend(list(found.values()), list(found), loc="outside upper right", ncols=6, frameon=False)


def note_below(figure: Figure, lines: Sequence[str]) -> None:
    """Write lines below all panels, broken to the width of the figure."""
    if lines:
        width = int(_LETTERS_PER_INCH * figure.get_figwidth())
        broken = [part for line in lines for part in textwrap.wrap(line, width)]
        figure.supxlabel("\n".join(broken), x=0.01, ha="left", fontsize=8)


def dates(axes: Axes) -> None:
    """Label the horizontal axis with dates, and with the year at its end."""
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, **_DATES)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(formatter)
    axes.margins(x=0.005)


def bands(axes: Axes, times: Any, quantiles: Array, colour: str, floor: float) -> None:
    """Draw 10-90 % and 25-75 % as bands and the median as a line; NaN leaves a gap.

    Parameters
    ----------
    axes : Axes
        Where to.
    times : ndarray
        Horizontal axis.
    quantiles : ndarray, shape (hours, 5)
        10, 25, 50, 75 and 90 %.
    colour : str
        Of all.
    floor : float
        What smaller values are drawn at: there is no zero on a logarithmic axis.
    """
    q = np.maximum(quantiles, floor)
    axes.fill_between(times, q[:, 0], q[:, 4], color=colour, alpha=0.18, linewidth=0, label="10–90 %")
    axes.fill_between(times, q[:, 1], q[:, 3], color=colour, alpha=0.35, linewidth=0, label="25–75 %")
    alone = "." if len(times) == 1 else ""  # a line needs two
    axes.plot(times, q[:, 2], color=colour, linewidth=0.9, marker=alone, label="median")


def rain(axes: Axes, times: Times, precipitation: Array) -> None:
    """Draw precipitation, from that of hours [mm h-1] which end at `times`, from above; of long periods by days."""
    if times[-1] - times[0] <= _LONGEST_HOURLY:
        axes.bar(times - HOUR, precipitation, width=1.0 / _HOURS_PER_DAY, align="edge", color=SKY, linewidth=0)
        most, units = float(np.nanmax(precipitation, initial=0.0)), "mm h⁻¹"
    else:
        days, totals = daily_totals(times, precipitation)
        axes.bar(days, totals, width=1.0, align="edge", color=SKY, linewidth=0)
        most, units = float(np.nanmax(totals, initial=0.0)), "mm d⁻¹"
    axes.set_ylim(max(1.0, most) * 1.1, 0.0)
    axes.set_ylabel(f"precipitation\n[{units}]")
    dates(axes)


def daily_totals(times: Times, precipitation: Array) -> tuple[Any, Array]:
    """Days, and their precipitation [mm]; NaN where an hour is unknown."""
    day = (times - HOUR).astype("datetime64[D]")
    days, inverse = np.unique(day, return_inverse=True)
    totals = np.zeros(len(days))
    np.add.at(totals, inverse, precipitation)
    return days, totals


def logarithmic(axes: Axes, least: float) -> None:
    """Make the vertical axis logarithmic; where nothing above 0 is drawn it begins at `least`."""
    drawn = [np.asarray(line.get_ydata(), dtype=np.float64) for line in axes.lines]
    if not any((values > 0.0).any() for values in drawn):
        axes.set_ylim(least, 10.0 * least)  # matplotlib cannot find limits itself
    axes.set_yscale("log")


def spread(values: Array | Sequence[Array], low: float = 2.0, high: float = 98.0) -> tuple[float, float]:
    """Range of colours: percentiles of all finite values, never empty."""
    every = np.concatenate([np.ravel(v) for v in values]) if isinstance(values, list) else np.ravel(values)
    finite = every[np.isfinite(every)]
    if not finite.size:
        return 0.0, 1.0
    a, b = np.percentile(finite, [low, high])
    return (float(a), float(b)) if b > a else (float(a) - 0.5, float(a) + 0.5)


def symmetric(values: Array | Sequence[Array]) -> tuple[float, float]:
    """Range of colours around 0 that holds 98 % of all finite values, never empty."""
    low, high = spread([np.abs(v) for v in values] if isinstance(values, list) else np.abs(values), 0.0)
    largest = max(abs(low), abs(high), 1.0e-12)
    return -largest, largest
