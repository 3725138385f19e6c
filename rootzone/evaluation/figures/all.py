"""Draw every figure that an evaluation has something for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from bmi_common.progress import Progress
from rootzone.evaluation.assessment import Assessment
from rootzone.evaluation.error_control import ErrorControlRecord
from rootzone.evaluation.figures import gauges, maps, means, relations, series
from rootzone.evaluation.figures.error_control import error_control, has_figure
from rootzone.evaluation.names import LATENT_HEAT
from rootzone.evaluation.variables import EVALUATED
from rootzone.figure_text import show_as_written
from rootzone.figures.style import SIZES

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


def draw_all(a: Assessment, folder: Path, progress: Progress | None = None) -> list[Drawn]:
    """Draw the page's figures into ``figures/`` of a folder, and tell the progress."""
    target = folder / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    drawn = []
    with matplotlib.rc_context(SIZES):
        wanted = [*_wanted(a), *_control(a.control)]
        for number, (name, section, caption, make) in enumerate(wanted, 1):
            path = target / f"{name}.png"
            show_as_written(make()).savefig(path, dpi=DPI)
            drawn.append(Drawn(path, section, caption))
            if progress is not None:
                progress(number, len(wanted), "figures")
    return drawn


def draw_baselines(a: Assessment, path: Path) -> None:
    """Draw the run beside the baselines, ``errors.png``."""
    with matplotlib.rc_context(SIZES):
        show_as_written(means.baselines(a)).savefig(path, dpi=DPI)


_Figure = tuple[str, str, str, Callable[[], Figure]]

_BANDS = "Median (line), 25–75 % and 10–90 % (bands) over the active cells"


def _wanted(a: Assessment) -> Iterator[_Figure]:
    if a.verdicts:
        text = (
            f"The verdict on the median error over the cells. {_BANDS} of {a.run}'s absolute error; the bound is "
            "the median error without lateral groundwater flow. Black marks at the bottom: hours that fail. A "
            "vertical line is the effective forecast horizon, where the first failing day begins (24 h of which "
            "6 or more fail). Errors below the axis are drawn at its edge, which is labelled."
        )
        yield "verdict", "Verdict", text, lambda: series.verdict(a)
    if any(c.verdict is not None for c in a.cells.values()):
        text = (
            "The verdict on every cell: share of hours that hold, and effective forecast horizon (cells without a "
            f"failing day have the whole {len(a.times) / 24.0:.4g} days)."
        )
        yield "horizon_map", "Verdict", text, lambda: maps.horizon(a)
    text = f"{_BANDS} of the absolute error of water table depth{', with precipitation above' if a.rain else ''}."
    yield "water_table_error", "Errors over time", text, lambda: series.water_table(a)
    text = f"Domain means{' (running means over 24 h)' if a.has_whole_day else ''}"
    text += ", and below them errors of latent heat" if LATENT_HEAT in a.cells else ""
    text += " and differences from the reanalysis." if a.reanalysis is not None else "."
    yield "domain_means", "Errors over time", text, lambda: means.domain_means(a)
    if len(a.of_kind("segment")) > 1:
        text = "Segments: precipitation and median errors, with the standard deviations of their hours."
        yield "segments", "Errors over time", text, lambda: series.segments(a)
    if a.gauges:
        above = ", below the precipitation" if a.precipitation is not None else ""
        text = f"Discharge at the gauges{above}; beside it the share of the time that a discharge is exceeded."
        yield "hydrographs", DISCHARGE, text, lambda: gauges.hydrographs(a)
    window = a.showers
    if window is not None:
        text = (
            f"The segment whose hourly rain varies most, {window.name}: errors and latent heat hour by hour. {_BANDS}."
        )
        yield "showers", "Errors over time", text, lambda: series.showers(a, window)
    yield from _relations(a)
    if any(c.bound is not None for c in a.cells.values()):
        text = f"What {a.bound} has more (red) or less (blue) than the reference, in the mean."
        yield "maps_bound", "Maps: free drainage", text, lambda: maps.bound(a)
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
            f"Bias and rank correlation of {title} in every segment. Grey: not defined, one of the two does not vary."
        )
        yield f"segments_{key}", f"Maps: {title}", text, lambda: maps.segments(a, key)


def _layers(a: Assessment, name: str, quantity: str, units: str, least: float) -> Callable[[], Figure]:
    return lambda: series.layers(a, name, quantity, units, least)
