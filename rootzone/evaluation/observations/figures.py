"""Figures of stations: series below the rain, scatter, flow duration, day, errors in time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from bmi_common.arrays import Array
from bmi_common.calendar import HOUR, Times
from rootzone.evaluation.figures.all import DPI, FOLDER, Drawn
from rootzone.evaluation.observations.averaging import Hourly
from rootzone.evaluation.observations.comparison import ALL, Comparison, StationComparison
from rootzone.evaluation.observations.flow_duration import curve
from rootzone.evaluation.observations.rain_regimes import RAIN_REGIMES, of_regime
from rootzone.evaluation.observations.tables import has_flow_duration
from rootzone.figure_text import show_as_written
from rootzone.figures.style import BLACK, BLUE, GREEN, GREY, ORANGE, SIZES, SKY, dates, new_figure, rain

_RUNS = (BLUE, ORANGE, GREEN)
_REGIMES = dict(zip(RAIN_REGIMES, (GREY, SKY, BLUE), strict=True))
_SUBDAILY = np.timedelta64(6, "h")
_FLUXES = ("latent_heat", "sensible_heat")


def draw(c: Comparison, folder: Path) -> list[Drawn]:
    """Draw two figures a station into ``figures/`` of a folder."""
    target = folder / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    drawn = []
    with matplotlib.rc_context(SIZES):
        for number, station in enumerate(c.stations, 1):
            for what, figure, caption in (
                ("series", series(c, station), _series_caption(c, station)),
                ("scatter", relations(station), _relations_caption(station)),
            ):
                path = target / f"station_{number}_{what}.png"
                show_as_written(figure).savefig(path, dpi=DPI)
                drawn.append(Drawn(path, station.name, caption))
    return drawn


def series(c: Comparison, s: StationComparison) -> Figure:
    """Measurements as dots, runs as lines, below the rain."""
    begin, end = s.begin[0], s.end[-1]
    shower = None if c.rain is None else _cut(c.rain, begin, end)
    heights = [3.2] if shower is None else [1.1, 3.2]
    figure = new_figure(10.0, sum(heights) + 0.4)
    panels = list(np.atleast_1d(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)))
    if shower is not None:
        rain(panels.pop(0), shower.ends, shower.values)
    axes = panels[0]
    coarse = bool(np.median(s.end - s.begin) > HOUR)
    for run, means, colour, wider in _runs(s):
        hours = _cut(s.hourly[run], begin, end)
        width, alpha, label = (0.7, 0.5, f"{run}, hours") if coarse else (1.2, 1.0, run)
        _line(
            axes, hours.ends - HOUR // 2, hours.values, color=colour, linewidth=wider * width, alpha=alpha, label=label
        )
        if coarse:
            width, label = wider * 1.8, f"{run}, means of the intervals"
            axes.hlines(means, s.begin, s.end, color=colour, linewidth=width, label=label)
    middle = _middle(s)
    size = float(np.clip(600.0 / len(middle), 2.2, 5.0))
    axes.plot(
        middle, s.observed, "o", color=BLACK, markersize=size, markeredgewidth=0, alpha=0.75, label="measured", zorder=3
    )
    axes.set_ylabel(f"{s.kind.title}\n[{s.kind.label}]")
    if s.kind.peak < 0:
        axes.invert_yaxis()
    if has_flow_duration(s):
        axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]) if s.observed.min() < 0.0 else 0.0)
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=5, frameon=False)
    axes.set_xlim(begin, end)
    dates(axes)
    return figure


def relations(s: StationComparison) -> Figure:
    """Draw simulated against measured values, and beside it what suits the quantity."""
    figure = new_figure(10.0, 4.3)
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.35))
    _scatter(left, s)
    if has_flow_duration(s):
        _flow_duration(right, s)
    elif _has_day(s):
        _day(right, s)
    else:
        _errors(right, s)
    return figure


def _scatter(axes: Axes, s: StationComparison) -> None:
    for run, values, colour, wider in _runs(s):
        label = f"{run}: KGE {s.scores[run][ALL].kge:.3f}, NSE {s.scores[run][ALL].nse:.3f}"
        size = wider * float(np.clip(4000.0 / len(values), 5.0, 22.0))
        axes.scatter(s.observed, values, s=size, color=colour, alpha=0.5, linewidths=0, label=label, zorder=3)
    every = np.concatenate([s.observed, *s.simulated.values()])
    low, high = float(every.min()), float(every.max())
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    limits = (low - room, high + room)
    axes.plot(limits, limits, color=GREY, linewidth=0.8, linestyle="--", label="1 : 1")
    axes.set_xlim(limits)
    axes.set_ylim(limits)
    axes.set_aspect("equal")
    axes.set_xlabel(f"measured {s.kind.title} [{s.kind.label}]")
    axes.set_ylabel(f"simulated {s.kind.title} [{s.kind.label}]")
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False)


def _flow_duration(axes: Axes, s: StationComparison) -> None:
    for run, values, colour, wider in _runs(s):
        _line(axes, *curve(values), color=colour, linewidth=wider * 1.2, label=run)
    axes.plot(
        *curve(s.observed), color=BLACK, linewidth=0, marker="o", markersize=2.5, markeredgewidth=0, label="measured"
    )
    least = min(float(v.min()) for v in (s.observed, *s.simulated.values()))
    if least > 0.0:
        axes.set_yscale("log")
    axes.set_xlim(0.0, 1.0)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    axes.set_xlabel("share of the time that it is exceeded")
    axes.set_ylabel(f"{s.kind.title} [{s.kind.label}]")
    axes.legend(loc="upper right", frameon=False)


def _has_day(s: StationComparison) -> bool:
    return s.kind.key in _FLUXES and bool(np.median(s.end - s.begin) <= _SUBDAILY)


def _day(axes: Axes, s: StationComparison) -> None:
    """Mean of every hour of the day."""
    hour = _middle(s).astype("datetime64[h]").astype(np.int64) % 24
    hours = np.unique(hour)
    for run, values, colour, wider in _runs(s):
        means = [values[hour == h].mean() for h in hours]
        _line(axes, hours + 0.5, np.array(means), color=colour, linewidth=wider * 1.2, label=run)
    means = [s.observed[hour == h].mean() for h in hours]
    axes.plot(hours + 0.5, means, "o", color=BLACK, markersize=4, markeredgewidth=0, label="measured", zorder=3)
    axes.axhline(0.0, color=GREY, linewidth=0.6)
    axes.set_xlim(0.0, 24.0)
    axes.set_xticks(range(0, 25, 3))
    axes.set_xlabel("hour of the day (UTC)")
    axes.set_ylabel(f"mean {s.kind.title} [{s.kind.label}]")
    axes.legend(loc="upper right", frameon=False)


def _errors(axes: Axes, s: StationComparison) -> None:
    """Errors in time; of a single run by the rain."""
    middle = _middle(s)
    for run, values, colour, wider in _runs(s):
        error = values - s.observed
        if _shows_rain(s):
            for regime, of in _REGIMES.items():
                inside = of_regime(regime, s.wettest)
                axes.plot(middle[inside], error[inside], "o", color=of, markersize=3.5, markeredgewidth=0, label=regime)
        else:
            axes.plot(middle, error, "o", color=colour, markersize=3.0 * wider, markeredgewidth=0, label=run)
    axes.axhline(0.0, color=BLACK, linewidth=0.8)
    axes.set_ylabel(f"simulated minus measured [{s.kind.label}]")
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, frameon=False)
    dates(axes)


def _line(axes: Axes, x: NDArray[Any], y: NDArray[Any], **look: Any) -> None:
    """Draw a line, with dots where a value stands between gaps, of which a line shows nothing."""
    gap = np.pad(np.isnan(y), 1, constant_values=True)
    alone = np.flatnonzero(~gap[1:-1] & gap[:-2] & gap[2:])
    dots: dict[str, Any] = {"marker": "o", "markersize": 4.0, "markevery": alone.tolist()} if alone.size else {}
    axes.plot(x, y, **look, **dots)


def _shows_rain(s: StationComparison) -> bool:
    return len(s.simulated) == 1 and bool(np.isfinite(s.wettest).any())


def _runs(s: StationComparison) -> list[tuple[str, Array, str, float]]:
    """Names, values, colours and relative widths of the runs, the evaluated one last, so that like ones all show."""
    found = zip(s.simulated.items(), _RUNS, strict=False)
    return [(run, v, colour, 1.0 if colour == _RUNS[0] else 2.2) for (run, v), colour in found][::-1]


def _middle(s: StationComparison) -> Times:
    return np.asarray(s.begin + (s.end - s.begin) // 2)


def _cut(hours: Hourly, begin: np.datetime64, end: np.datetime64) -> Hourly:
    inside = np.flatnonzero((hours.ends > begin) & (hours.ends - HOUR < end))
    return Hourly(hours.ends[inside[0]] - HOUR, hours.values[inside])


def _series_caption(c: Comparison, s: StationComparison) -> str:
    above = "" if c.rain is None else " Above: precipitation, mean of the domain."
    return f"Measured (dots) and simulated {s.kind.title}, {s.place}.{above}"


def _relations_caption(s: StationComparison) -> str:
    if has_flow_duration(s):
        return "Simulated against measured values, and flow duration."
    if _has_day(s):
        return "Simulated against measured values, and the mean day of the hours that have both."
    colours = "; colours: rain of the interval" if _shows_rain(s) else ""
    return f"Simulated against measured values, and errors in time{colours}."
