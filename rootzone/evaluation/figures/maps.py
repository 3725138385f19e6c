"""Maps: means, bias and rank correlation of the whole, of stages and of segments; where and how long a run holds."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from bmi_common.arrays import Array
from rootzone.evaluation.assessment import Assessment
from rootzone.evaluation.figures.style import field, new_figure, spread, symmetric
from rootzone.evaluation.variables import EVALUATED

_MEAN, _BIAS, _RANK, _SHARE = "viridis", "RdBu_r", "cividis", "cividis"
_PANEL = 2.9


def means(a: Assessment, key: str) -> Figure:
    """Mean of reference and run, bias and Spearman correlation (columns) over the whole and the stages (rows)."""
    of, variable = a.cells[key], EVALUATED[key]
    rows = [i for i, w in enumerate(a.windows) if w.kind in ("whole", "stage")]
    height = _height(a)
    figure = new_figure(4 * _PANEL, 0.3 + height * len(rows))
    panels = np.atleast_2d(figure.subplots(len(rows), 4))
    level = spread([of.reference[rows], of.simulated[rows]])
    bias, rank = symmetric(of.agreement.bias[rows]), _rank_limits(of.agreement.spearman[rows])
    for number, window in enumerate(rows):
        row, rank_of = panels[number], of.agreement.spearman[window]
        columns = (
            ("reference", of.reference[window], _MEAN, level, variable.label),
            (a.run, of.simulated[window], _MEAN, level, variable.label),
            (f"bias, {a.run} − reference", of.agreement.bias[window], _BIAS, bias, variable.label),
            ("Spearman rank correlation", rank_of, _RANK, rank, ""),
        )
        for axes, (title, values, cmap, limits, label) in zip(row, columns, strict=True):
            field(
                figure, axes, a.on_grid(values), a.domain, label, cmap, limits, "min" if values is rank_of else "both"
            )
            if number == 0:
                axes.set_title(title)
        row[0].set_ylabel(a.windows[window].name)
    return figure


def segments(a: Assessment, key: str) -> Figure:
    """Bias and Spearman correlation of every segment, side by side."""
    of, variable = a.cells[key], EVALUATED[key]
    found = [i for i, w in enumerate(a.windows) if w.kind == "segment"]
    across = min(7, len(found))
    down = -(-len(found) // across)
    height = 0.62 * _height(a)
    figure = new_figure(max(6.0, across * 1.75), 0.6 + 2 * down * height)
    bias, rank = symmetric(of.agreement.bias[found]), _rank_limits(of.agreement.spearman[found])
    parts = figure.subfigures(2, 1, squeeze=False)[:, 0]
    for part, title, values, cmap, limits, label in zip(
        parts,
        (f"bias [{variable.label}]", "Spearman rank correlation"),
        (of.agreement.bias, of.agreement.spearman),
        (_BIAS, _RANK),
        (bias, rank),
        (variable.label, ""),
        strict=True,
    ):
        part.suptitle(title, x=0.01, ha="left", fontsize=9.5)
        panels = np.atleast_1d(part.subplots(down, across)).reshape(-1)
        for axes, window in zip(panels, found, strict=False):
            image = axes.imshow(
                a.on_grid(values[window]), origin="lower", cmap=cmap, vmin=limits[0], vmax=limits[1],
                interpolation="nearest", aspect=a.domain.dy / a.domain.dx,
            )  # fmt: skip
            axes.set_title(a.windows[window].name.removeprefix("segment "), fontsize=8, pad=2)
        for axes in panels:
            axes.set_axis_off()
        part.colorbar(image, ax=list(panels), label=label, extend="both" if cmap == _BIAS else "min", shrink=0.9)
    return figure


def horizon(a: Assessment) -> Figure:
    """Share of hours that hold, and effective forecast horizon, of every cell."""
    found = {key: c.verdict for key, c in a.cells.items() if c.verdict is not None}
    figure = new_figure(1.0 + 3.6 * len(found), 0.4 + 2.0 * _height(a) * 1.15)
    panels = figure.subplots(2, len(found), squeeze=False)
    days = len(a.times) / 24.0
    for column, (key, verdict) in enumerate(found.items()):
        share = 100.0 * verdict.held / verdict.hours
        field(figure, panels[0, column], a.on_grid(share), a.domain, "% of hours", _SHARE, (0.0, 100.0))
        until = np.where(np.isnan(verdict.horizon), days, verdict.horizon / 24.0)
        field(figure, panels[1, column], a.on_grid(until), a.domain, "days", _MEAN, (0.0, days))
        panels[0, column].set_title(EVALUATED[key].title)
    panels[0, 0].set_ylabel("hours that hold")
    panels[1, 0].set_ylabel("forecast horizon")
    return figure


def _rank_limits(values: Array) -> tuple[float, float]:
    low = spread(values, low=5.0)[0]
    # rounded down to a tenth, and at least so wide that noise of rounding does not look like structure
    return max(-1.0, min(float(np.floor(low * 10.0) / 10.0), 0.9)), 1.0


def _height(a: Assessment) -> float:
    """Height of a map [inches] so that cells are not squeezed."""
    ratio = (a.domain.ny * a.domain.dy) / (a.domain.nx * a.domain.dx)
    return float(np.clip(0.72 * _PANEL * ratio + 0.25, 1.4, 5.0))
