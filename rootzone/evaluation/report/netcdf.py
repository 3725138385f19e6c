"""The assessment as a CF NetCDF file, ``evaluation.nc``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import netCDF4
import numpy as np

from bmi_common.arrays import Array
from bmi_common.netcdf_text import add_texts
from rootzone.evaluation.aggregator import MEDIAN, PROBABILITIES
from rootzone.evaluation.assessment import REANALYSIS, Assessment
from rootzone.evaluation.histogram import Histogram
from rootzone.evaluation.variables import EVALUATED, EvaluatedVariable

_FILL = 9.96921e36
_MEASURES = {
    "bias": ("mean of run minus reference", None),
    "rmse": ("root mean square error", None),
    "mae": ("mean absolute error", None),
    "kge": ("Kling-Gupta efficiency", "1"),
    "r": ("Pearson correlation", "1"),
    "alpha": ("ratio of standard deviations, run over reference", "1"),
    "beta": ("ratio of means, run over reference", "1"),
    "spearman": ("Spearman rank correlation", "1"),
}
_VERDICT = {
    "held": ("hours in which the error holds against bound and threshold", "h"),
    "below_bound": ("hours in which the error is below the bound or the resolution", "h"),
    "below_threshold": ("hours in which the error is not above the threshold", "h"),
    "first_failure": ("time from the start to the first hour that fails; missing where none fails", "h"),
    "horizon": ("effective forecast horizon: time to the first failing day; missing where there is none", "h"),
    "bound_horizon": ("the same horizon against the bound alone", "h"),
    "threshold_horizon": ("the same horizon against the threshold alone", "h"),
    "fails_for_good": ("time from the start from which on every hour fails; missing where the last holds", "h"),
}


def write(a: Assessment, path: Path) -> None:
    """Write series, densities, maps of every window and the verdict of every cell."""
    with netCDF4.Dataset(path, "w") as data:
        data.setncatts(
            {
                "Conventions": "CF-1.11",
                "title": f"{a.run} beside the reference",
                "source": f"rootzone {version('rootzone')}",
                "history": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S+00:00}: bmi-evaluate",
                "comment": " ".join(a.notes),
            }
        )
        _coordinates(data, a)
        _series(data, a)
        _histogram(data, "water_table_error_by_depth", "depth", a.aggregator.by_depth)
        for regime, histogram in a.aggregator.by_table_error.items():
            _histogram(data, f"latent_heat_error_by_water_table_error_{regime}", "table_error", histogram)
        for key in a.cells:
            _cells(data, a, key)


def _coordinates(data: netCDF4.Dataset, a: Assessment) -> None:
    start = (a.times[0] - np.timedelta64(1, "h")).astype("datetime64[s]")
    epoch = f"hours since {str(start).replace('T', ' ')}"
    hours = np.arange(1.0, len(a.times) + 1.0)
    clock = {"calendar": "standard", "units_metadata": "leap_seconds: none"}
    _put(data, "time", ("time",), hours, "end of the hour, UTC", epoch, standard_name="time", **clock)
    _put(data, "quantile", ("quantile",), np.array(PROBABILITIES), "quantile over the active cells", "1")
    domain = a.domain
    centres = np.cumsum(domain.dz) - 0.5 * domain.dz
    above = "height of the layer centre above the bottom of the column"
    _put(data, "z", ("z",), centres, above, "m", positive="up")
    _put(data, "root_zone_z", ("root_zone_z",), domain.root_zone.coordinates[0], above, "m", positive="up")
    for name, size, step, letter in (("y", domain.ny, domain.dy, "north"), ("x", domain.nx, domain.dx, "east")):
        at = np.asarray((np.arange(size) + 0.5) * step)
        _put(data, name, (name,), at, f"distance {letter}ward", "m", standard_name=f"projection_{name}_coordinate")
    data.createDimension("window", len(a.windows))
    names = add_texts(data, "window_name", "window", [window.name for window in a.windows])
    names.long_name = "part of the period"
    for side in ("begin", "end"):
        at = np.array([float((getattr(w, side) - start) / np.timedelta64(1, "h")) for w in a.windows], np.float64)
        _put(data, f"window_{side}", ("window",), at, f"{side} of the window, UTC", epoch, **clock)


def _series(data: netCDF4.Dataset, a: Assessment) -> None:
    for key, variable in EVALUATED.items():
        for source, values in a.domain_means(key).items():
            title = f"{variable.title}, mean over the active cells, {source}"
            if source == REANALYSIS:
                title = f"{variable.title} of the reanalysis, domain mean"
            _put(data, f"{key}_mean_{word(source)}", ("time",), values, title, variable.units)
        title = f"absolute error of {variable.title}"
        values = a.filled(a.aggregator.quantiles[key][a.run])
        _put(data, f"{key}_error", ("time", "quantile"), values, title, variable.units)
        if a.bound is not None:
            title = f"median absolute error of {variable.title} of the bound"
            values = a.filled(a.aggregator.quantiles[key][a.bound][:, MEDIAN])
            _put(data, f"{key}_error_of_bound", ("time",), values, title, variable.units)
    for name, dimension, units in (("soil_moisture", "root_zone_z", "m3 m-3"), ("head", "z", "m")):
        title = f"absolute error of {name.replace('_', ' ')} in every layer"
        values = a.filled(a.aggregator.layers[name])
        _put(data, f"{name}_layers_error", ("time", dimension, "quantile"), values, title, units)
    if a.precipitation is not None:
        _put(data, "precipitation", ("time",), a.precipitation, "precipitation, domain mean", "mm h-1")
        for part in ("mean", "deviation"):
            values = np.array([getattr(r, part) for r in a.rain])
            _put(data, f"precipitation_{part}", ("window",), values, f"{part} of hourly precipitation", "mm h-1")


def _histogram(data: netCDF4.Dataset, name: str, x: str, histogram: Histogram) -> None:
    bins = (f"{name}_x", f"{name}_y")
    for dimension, edges, title in zip(
        bins, (histogram.x, histogram.y), (x.replace("_", " "), "absolute error"), strict=True
    ):
        _put(data, dimension, (dimension,), edges.centres, f"centre of the logarithmic bin of {title}", None)
    made = data.createVariable(name, "i8", bins, zlib=True)
    made.setncatts({"long_name": "number of cells times hours", "units": "1"})
    made[:] = histogram.counts


def _cells(data: netCDF4.Dataset, a: Assessment, key: str) -> None:
    of, variable = a.cells[key], EVALUATED[key]
    shape = ("window", "y", "x")
    for name, source, values in (("reference", "reference", of.reference), ("run", a.run, of.simulated)):
        _put(data, f"{key}_{name}", shape, a.on_grid(values), f"mean {variable.title}, {source}", variable.units)
    for name, (title, units) in _MEASURES.items():
        values = a.on_grid(getattr(of.agreement, name))
        _put(data, f"{key}_{name}", shape, values, f"{title}, {variable.title}", units or variable.units)
    if of.verdict is not None:
        _verdict(data, a, variable)


def _verdict(data: netCDF4.Dataset, a: Assessment, variable: EvaluatedVariable) -> None:
    of = a.cells[variable.key].verdict
    for name, (title, units) in _VERDICT.items():
        values = a.on_grid(getattr(of, name))
        _put(data, f"{variable.key}_{name}", ("y", "x"), values, f"{variable.title}: {title}", units)
        if variable.key in a.thresholds:
            data[f"{variable.key}_{name}"].threshold = f"{a.thresholds[variable.key]:g} {variable.units}"


def _put(
    data: netCDF4.Dataset,
    name: str,
    dimensions: Sequence[str],
    values: Array,
    long_name: str,
    units: str | None,
    **attributes: str,
) -> None:
    for dimension, size in zip(dimensions, values.shape, strict=True):
        if dimension not in data.dimensions:
            data.createDimension(dimension, size)
    coordinate = dimensions == (name,)
    made = data.createVariable(
        name, "f8" if coordinate else "f4", dimensions, zlib=True, fill_value=None if coordinate else _FILL
    )
    made.setncatts({"long_name": long_name, **({"units": units} if units else {}), **attributes})
    made[:] = np.ma.masked_invalid(values)


def word(name: str) -> str:
    """Name as a part of that of a NetCDF variable."""
    return "".join(c if c.isalnum() else "_" for c in name)
