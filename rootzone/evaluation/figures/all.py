"""Draw every figure that an evaluation has something for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from rootzone.evaluation.assessment import Assessment
from rootzone.evaluation.error_control import ErrorControlRecord
from rootzone.evaluation.figures import gauges, maps, relations, series
from rootzone.evaluation.figures.error_control import error_control, has_figure
from rootzone.evaluation.figures.style import SIZES, has_whole_day
from rootzone.evaluation.names import LATENT_HEAT
from rootzone.evaluation.variables import EVALUATED
from rootzone.figure_text import show_as_written

FOLDER = "figures"
DISCHARGE = "Discharge"
ERROR_CONTROL = "Error control"
"""Headings of what flows at the gauges, and of what happened in the run."""
DPI = 110
"""Of the figures of a page."""


@dataclass(frozen=True)
class Drawn:
    """A figure that was drawn.

    Attributes
    ----------
    path : Path
        The PNG file.
    section, caption : str
        Heading that it belongs under; what it shows.
    """

    path: Path
    section: str
    caption: str


def draw_all(a: Assessment, folder: Path) -> list[Drawn]:
    """Draw the page's figures into ``figures/`` of a folder."""
    target = folder / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    drawn = []
    with matplotlib.rc_context(SIZES):
        for name, section, caption, make in (*_wanted(a), *_control(a.control)):
            path = target / f"{name}.png"
            show_as_written(make()).savefig(path, dpi=DPI)
            drawn.append(Drawn(path, section, caption))
    return drawn


def draw_baselines(a: Assessment, path: Path) -> None:
    """Draw the run beside the baselines, ``errors.png``."""
    with matplotlib.rc_context(SIZES):
        show_as_written(series.baselines(a)).savefig(path, dpi=DPI)


_Figure = tuple[str, str, str, Callable[[], Figure]]

_BANDS = "Median (line), 25–75 % and 10–90 % (bands) over the active cells"


def _wanted(a: Assessment) -> Iterator[_Figure]:
    if a.verdicts:
        text = (
            f"The verdict on the median error over the cells. {_BANDS} of {a.run}'s absolute error; the bound is "
            "the median error without lateral groundwater flow. Black marks at the bottom: hours that fail. The "
            "vertical line is the effective forecast horizon, where the first failing day begins (24 h of which "
            "6 or more fail). Errors below the axis are drawn at its edge."
        )
        yield "verdict", "Verdict", text, lambda: series.verdict(a)
    if any(c.verdict is not None for c in a.cells.values()):
        text = (
            "The verdict on every cell: share of hours that hold, and effective forecast horizon (cells without a "
            f"failing day have the whole {len(a.times) / 24.0:.4g} days)."
        )
        yield "horizon_map", "Verdict", text, lambda: maps.horizon(a)
    text = f"{_BANDS} of the absolute error of water table depth{', with daily precipitation above' if a.rain else ''}."
    yield "water_table_error", "Errors over time", text, lambda: series.water_table(a)
    text = f"Domain means{' (running means over 24 h)' if has_whole_day(a) else ''}" + (
        "; at the bottom the error of the domain-mean latent heat." if LATENT_HEAT in a.cells else "."
    )
    yield "domain_means", "Errors over time", text, lambda: series.domain_means(a)
    if len(a.of_kind("segment")) > 1:
        text = "Segments: precipitation with the standard deviation of its hours, and means of the median errors."
        yield "segments", "Errors over time", text, lambda: series.segments(a)
    if a.gauges:
        above = ", below the precipitation" if a.precipitation is not None else ""
        text = f"Discharge at the gauges{above}; beside it the share of the time that a discharge is exceeded."
        yield "hydrographs", DISCHARGE, text, lambda: gauges.hydrographs(a)
    yield from _relations(a)
    for key in a.cells:
        yield from _maps(a, key)
    for name, quantity, units, least in (
        ("soil_moisture", "soil moisture", "m³ m⁻³", 1.0e-6),
        ("head", "pressure head", "m", 1.0e-6),
    ):
        text = f"{_BANDS} of the absolute error of {quantity} in each layer, top layer first."
        yield f"{name}_layers", "Layers", text, _layers(a, name, quantity, units, least)


def _control(control: ErrorControlRecord | None) -> Iterator[_Figure]:
    if control is not None and has_figure(control):
        text = (
            "What error control saw while the run went on: deviations in audited hours, their thresholds, the free "
            "drainage that went along, and what followed."
        )
        yield "error_control", ERROR_CONTROL, text, lambda: error_control(control)


def _relations(a: Assessment) -> Iterator[_Figure]:
    if a.aggregator.by_depth.total:
        text = (
            "Error of water table depth against the depth itself: cells times hours in logarithmic bins; what lies "
            "beyond the outer bins counts in these."
        )
        yield "error_by_depth", "What errors depend on", text, lambda: relations.error_by_depth(a)
    if any(d.total for d in a.aggregator.by_table_error.values()):
        text = (
            "Error of latent heat against the error of water table depth, in hours in which the reference evaporates "
            "(10 W m⁻² or more), by the depth of the reference's water table. The slope is that of the binned medians."
        )
        yield "flux_by_table_error", "What errors depend on", text, lambda: relations.flux_by_table_error(a)


def _maps(a: Assessment, key: str) -> Iterator[_Figure]:
    title = EVALUATED[key].title
    text = f"Means, bias and rank correlation of {title} over the whole period and its early, middle and late third."
    yield f"maps_{key}", f"Maps: {title}", text, lambda: maps.means(a, key)
    if len(a.of_kind("segment")) > 1:
        text = (
            f"Bias and rank correlation of {title} in every segment. White: not defined, one of the two does not vary."
        )
        yield f"segments_{key}", f"Maps: {title}", text, lambda: maps.segments(a, key)


def _layers(a: Assessment, name: str, quantity: str, units: str, least: float) -> Callable[[], Figure]:
    return lambda: series.layers(a, name, quantity, units, least)
