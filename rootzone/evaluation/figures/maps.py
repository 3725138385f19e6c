"""Maps: means, bias and rank correlation of the whole, of stages and of segments; where and how long a run holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure

from bmi_common.arrays import Array
from rootzone.evaluation.aggregator import REFERENCE
from rootzone.evaluation.assessment import Assessment
from rootzone.evaluation.names import LATENT_HEAT, SOIL_MOISTURE, WATER_TABLE
from rootzone.evaluation.variables import EVALUATED
from rootzone.figures.colours import cm
from rootzone.figures.geography import Rivers, rivers_of_domain
from rootzone.figures.map_panel import centres, colour_bar, draw_field, extend, scale_bar
from rootzone.figures.style import new_figure, spread, symmetric

_MEANS: Mapping[str, Colormap] = {
    WATER_TABLE: cm.deep_r,
    SOIL_MOISTURE: matplotlib.colormaps["YlGnBu"],
    LATENT_HEAT: cm.matter,
}
_BIAS, _RANK, _SHARE = cm.balance, "cividis", "cividis"
_PANEL = 2.9
_MOST_ACROSS = 6


class _Painter:
    """Maps of an assessment's domain, with its outline and rivers."""

    def __init__(self, a: Assessment) -> None:
        self._a, self._centres = a, centres(a.domain)
        self._rivers: Rivers | None = rivers_of_domain(a.domain)
        ratio = (a.domain.ny * a.domain.dy) / (a.domain.nx * a.domain.dx)
        self.height = float(np.clip(0.72 * _PANEL * ratio + 0.35, 1.5, 5.0))
        """Of a map [inches], so that cells are not squeezed."""

    def draw(
        self,
        axes: Axes,
        columns: Array,
        units: str,
        cmap: str | Colormap,
        limits: tuple[float, float],
        bar: bool = True,
        scale: bool = False,
        rivers: bool = False,
    ) -> None:
        """Draw values of the active cells. Rivers hide what small maps show, and look like errors on maps of these."""
        x, y = self._centres
        values, there = self._a.on_grid(columns), self._a.domain.mask
        lines = self._rivers if rivers else None
        draw_field(
            axes, values, x, y, cmap=cmap, limits=limits, units=units, there=there, rivers=lines, bar=bar
        )  # fmt: skip
        scale_bar(axes, self._a.domain.nx * self._a.domain.dx / 1000.0, draw=scale)


def means(a: Assessment, key: str) -> Figure:
    """Mean of reference and run, bias and Spearman correlation (columns) over the whole and the stages (rows)."""
    of, variable, painter = a.cells[key], EVALUATED[key], _Painter(a)
    rows = _whole_and_stages(a)
    figure = new_figure(4 * _PANEL + 0.6, 0.3 + painter.height * len(rows))
    panels = np.atleast_2d(figure.subplots(len(rows), 4))
    level = spread([of.reference[rows], of.simulated[rows]])
    bias, rank = symmetric(of.agreement.bias[rows]), _rank_limits(of.agreement.spearman[rows])
    for number, window in enumerate(rows):
        columns = (
            (REFERENCE, of.reference[window], _MEANS[key], level, variable.label),
            (a.run, of.simulated[window], _MEANS[key], level, variable.label),
            ("bias", of.agreement.bias[window], _BIAS, bias, variable.label),
            ("Spearman rank correlation", of.agreement.spearman[window], _RANK, rank, ""),
        )
        for column, (title, values, cmap, limits, units) in enumerate(columns):
            axes = panels[number, column]
            first = number == column == 0
            painter.draw(axes, values, units, cmap, limits, scale=first, rivers=first)
            if number == 0:
                axes.set_title(title)
        panels[number, 0].set_ylabel(a.windows[window].name)
    figure.suptitle(f"mean {variable.title}; bias: {a.run} − reference", x=0.01, ha="left", fontsize=10)
    return figure


def bound(a: Assessment) -> Figure:
    """Mean of the bound minus that of the reference, a row a variable, over the whole and the stages (columns)."""
    found = {key: c.bound - c.reference for key, c in a.cells.items() if c.bound is not None}
    painter, columns = _Painter(a), _whole_and_stages(a)
    figure = new_figure(len(columns) * _PANEL + 0.6, 0.3 + painter.height * len(found))
    panels = np.atleast_2d(figure.subplots(len(found), len(columns), squeeze=False))
    for row, (key, difference) in zip(panels, found.items(), strict=True):
        limits = symmetric(difference[columns])
        for number, (axes, window) in enumerate(zip(row, columns, strict=True)):
            painter.draw(axes, difference[window], EVALUATED[key].label, _BIAS, limits, scale=axes is panels[0, 0])
            if row[0] is panels[0, 0]:
                axes.set_title(a.windows[window].name)
            if number == 0:
                axes.set_ylabel(EVALUATED[key].title)
    figure.suptitle(f"{a.bound} − reference", x=0.01, ha="left", fontsize=10)
    return figure


def segments(a: Assessment, key: str) -> Figure:
    """Bias and Spearman correlation of every segment, on one scale each."""
    of, variable, painter = a.cells[key], EVALUATED[key], _Painter(a)
    found = [i for i, w in enumerate(a.windows) if w.kind == "segment"]
    across = min(_MOST_ACROSS, len(found))
    down = -(-len(found) // across)
    figure = new_figure(max(6.0, across * 1.9 + 0.6), 0.8 + 2 * down * 0.7 * painter.height)
    bias, rank = symmetric(of.agreement.bias[found]), _rank_limits(of.agreement.spearman[found])
    parts = figure.subfigures(2, 1, squeeze=False)[:, 0]
    for part, title, values, cmap, limits, units in zip(
        parts,
        (f"bias of {variable.title}: {a.run} − reference", f"Spearman rank correlation of {variable.title}"),
        (of.agreement.bias, of.agreement.spearman),
        (_BIAS, _RANK),
        (bias, rank),
        (variable.label, ""),
        strict=True,
    ):
        part.suptitle(title, x=0.01, ha="left", fontsize=9.5)
        panels = np.atleast_1d(part.subplots(down, across)).reshape(-1)
        for number, (axes, window) in enumerate(zip(panels, found, strict=False)):
            painter.draw(axes, values[window], units, cmap, limits, bar=False, scale=number == 0)
            axes.set_title(a.windows[window].name, fontsize=8, pad=2)
        for axes in panels[len(found) :]:
            axes.set_axis_off()
        last = panels[across - 1]
        finite = values[found][np.isfinite(values[found])]
        colour_bar(last, last.images[-1], units, extend(finite, limits))
    return figure


def horizon(a: Assessment) -> Figure:
    """Share of hours that hold, and effective forecast horizon, of every cell."""
    found = {key: c.verdict for key, c in a.cells.items() if c.verdict is not None}
    painter = _Painter(a)
    figure = new_figure(1.0 + 3.6 * len(found), 0.4 + 2.0 * painter.height * 1.15)
    panels = figure.subplots(2, len(found), squeeze=False)
    days = len(a.times) / 24.0
    for column, (key, verdict) in enumerate(found.items()):
        share = 100.0 * verdict.held / verdict.hours
        painter.draw(panels[0, column], share, "%", _SHARE, (0.0, 100.0), scale=column == 0)
        until = np.where(np.isnan(verdict.horizon), days, verdict.horizon / 24.0)
        painter.draw(panels[1, column], until, "days", "viridis", (0.0, days))
        panels[0, column].set_title(EVALUATED[key].title)
    panels[0, 0].set_ylabel("hours that hold")
    panels[1, 0].set_ylabel("forecast horizon")
    return figure


def mean_error(a: Assessment, axes: Axes) -> None:
    """Draw the mean absolute error of the run's water table depth into a panel."""
    error = a.cells[WATER_TABLE].agreement.mae[0]
    limits = spread(error, 0.0)
    _Painter(a).draw(axes, error, EVALUATED[WATER_TABLE].label, cm.amp, limits, scale=True)
    axes.set_title(f"{a.run}: mean absolute error of water table depth")


def _whole_and_stages(a: Assessment) -> Sequence[int]:
    return [i for i, w in enumerate(a.windows) if w.kind in ("whole", "stage")]


def _rank_limits(values: Array) -> tuple[float, float]:
    low = spread(values, low=5.0)[0]
    # rounded down to a tenth, and at least so wide that noise of rounding does not look like structure
    return max(-1.0, min(float(np.floor(low * 10.0) / 10.0), 0.9)), 1.0
