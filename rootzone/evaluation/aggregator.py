"""Statistics of every hour, recorded block by block in one pass over the files.

Whatever a report says of errors is read from here: tables, criteria, verdict, JSON, CSV, NetCDF, figures and page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from bmi_common import Domain
from bmi_common.arrays import Array
from bmi_common.calendar import Times
from bmi_common.progress import Tell
from rootzone.evaluation.growth import growth
from rootzone.evaluation.histogram import Histogram, LogBins
from rootzone.evaluation.metrics import metrics
from rootzone.evaluation.names import LATENT_HEAT, WATER_TABLE
from rootzone.evaluation.predictions import Prediction, Quantities, blocks
from rootzone.evaluation.scratch import Scratch
from rootzone.evaluation.variables import EVALUATED

PROBABILITIES = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Quantiles over the columns."""
MEDIAN, HIGH = 2, 4
"""Positions of the median and of the 90 % quantile among these."""

REFERENCE = "reference"

REGIMES: Mapping[str, tuple[float, float]] = {
    "shallow": (0.0, 1.0),
    "intermediate": (1.0, 10.0),
    "deep": (10.0, np.inf),
}
"""Regimes of the reference's water table depth [m], from the first to below the second: 1 m and 10 m are critical."""

ACTIVE_FLUX = 10.0
"""Latent heat of the reference [W m-2] from which on flux errors count: at night there is no flux to be wrong."""

MILLIMETRES = 1000.0
_DEPTH_BINS, _TABLE_BINS, _FLUX_BINS = LogBins(-2, 3), LogBins(-6, 2), LogBins(-5, 3)
_STATES = (
    "water_table_mean",
    "storage_mean",
    "storage_bias",
    "saturation_median",
    "saturation_mean",
    "saturation_rms",
)


class Aggregator:
    """Errors of predictions beside the reference over the active columns, hour by hour; of the run in more detail.

    Parameters
    ----------
    times : ndarray of datetime64[s], shape (hours,)
        Hours that are compared, in order; some may be missing in between.
    domain : Domain
        Grid, soil and active cells.
    predictions : sequence of str
        Names of the predictions; the first is the run that is evaluated.
    bound : str, optional
        Which of them is the bound.
    folder : Path, optional
        Where the series of cells are kept; without it there are none.

    Attributes
    ----------
    means : dict
        Mean over the columns by variable of `EVALUATED` and source (reference, predictions), (hours,).
    quantiles : dict
        Quantiles `PROBABILITIES` over the columns of the absolute error by variable of `EVALUATED` and prediction,
        (hours, quantiles).
    layers : dict
        The same of the run's ``soil_moisture`` [m3 m-3] in the root zone and ``head`` [m] in all layers, bottom first,
        (hours, layers, quantiles).
    water_table_depth : dict
        Median over the columns of the water table depth [m] by source, (hours,).
    by_depth : Histogram
        The run's water table error [m] against the reference's water table depth [m].
    by_table_error : dict
        The run's latent heat error [W m-2] against its water table error [m] by regime of `REGIMES`.
    series : dict
        Series of all columns by variable of `EVALUATED` and source (reference, run, bound).
    """

    def __init__(
        self,
        times: Times,
        domain: Domain,
        predictions: Sequence[str],
        bound: str | None = None,
        folder: Path | None = None,
    ) -> None:
        self.times, self.run, self.bound = times, predictions[0], bound
        self.predictions = tuple(predictions)
        self.shown = (REFERENCE, self.run) if bound is None else (REFERENCE, self.run, bound)
        self._domain = domain
        hours, quantiles, every = len(times), len(PROBABILITIES), (REFERENCE, *predictions)
        self.means = {key: {source: np.empty(hours) for source in every} for key in EVALUATED}
        self.quantiles = {key: {p: np.empty((hours, quantiles)) for p in predictions} for key in EVALUATED}
        self.layers = {
            "soil_moisture": np.empty((hours, domain.root_zone_layers, quantiles)),
            "head": np.empty((hours, domain.nz, quantiles)),
        }
        self.water_table_depth = {source: np.empty(hours) for source in every}
        self._states = {p: {measure: np.empty(hours) for measure in _STATES} for p in predictions}
        self.by_depth = Histogram(_DEPTH_BINS, _TABLE_BINS)
        self.by_table_error = {regime: Histogram(_TABLE_BINS, _FLUX_BINS) for regime in REGIMES}
        self.series: dict[str, dict[str, Scratch]] = {}
        if folder is not None:
            columns = int(domain.mask.sum())
            self.series = {
                key: {source: Scratch(folder / f"{key}_{i}.f32", columns) for i, source in enumerate(self.shown)}
                for key in EVALUATED
            }
        self._porosity = domain.porosity[-domain.root_zone_layers :, domain.mask]

    def record(self, part: slice, truth: Quantities, simulated: Mapping[str, Quantities]) -> None:
        """Take some hours into account: the reference, and the predictions by name, in the order of the hours."""
        sources = {REFERENCE: truth, **simulated}
        errors: dict[str, dict[str, Array]] = {}
        for key, variable in EVALUATED.items():
            values = {source: variable.of(q, self._domain) for source, q in sources.items()}
            for source, v in values.items():
                self.means[key][source][part] = v.mean(axis=1)
            for source, file in self.series.get(key, {}).items():
                file.append(values[source])
            errors[key] = {name: np.abs(values[name] - values[REFERENCE]) for name in simulated}
            for name, error in errors[key].items():
                self.quantiles[key][name][part] = _quantiles(error)
        for source, q in sources.items():
            self.water_table_depth[source][part] = np.median(q.water_table, axis=1)
        for name, q in simulated.items():
            self._states[name]["water_table_mean"][part] = errors[WATER_TABLE][name].mean(axis=1)
            self._record_states(self._states[name], part, truth, q)
        self._record_layers(part, truth, simulated[self.run])
        self._record_histograms(truth, {key: of[self.run] for key, of in errors.items()})

    def _record_states(self, into: Mapping[str, Array], part: slice, truth: Quantities, simulated: Quantities) -> None:
        storage = (simulated.storage - truth.storage) * MILLIMETRES
        into["storage_mean"][part] = np.abs(storage).mean(axis=1)
        into["storage_bias"][part] = storage.mean(axis=1)
        saturation = np.abs(simulated.saturation - truth.saturation)
        # not of single cells, more than half of which may be saturated in all predictions
        into["saturation_median"][part] = np.median(saturation.mean(axis=1), axis=1)
        into["saturation_mean"][part] = saturation.mean(axis=(1, 2))
        into["saturation_rms"][part] = np.sqrt((saturation**2).mean(axis=(1, 2)))

    def _record_layers(self, part: slice, truth: Quantities, run: Quantities) -> None:
        moisture = np.abs(run.saturation - truth.saturation) * self._porosity
        self.layers["soil_moisture"][part] = _quantiles(moisture)
        if run.head is not None and truth.head is not None:
            self.layers["head"][part] = _quantiles(np.abs(run.head - truth.head))

    def _record_histograms(self, truth: Quantities, errors: Mapping[str, Array]) -> None:
        depth = truth.water_table
        self.by_depth.add(depth, errors[WATER_TABLE])
        active = truth.latent_heat >= ACTIVE_FLUX
        for regime, (low, high) in REGIMES.items():
            there = active & (depth >= low) & (depth < high)
            self.by_table_error[regime].add(errors[WATER_TABLE][there], errors[LATENT_HEAT][there])

    def median(self, key: str) -> Array:
        """Median absolute error of the run, (hours,); NaN where a side does not have the variable."""
        return self.quantiles[key][self.run][:, MEDIAN]

    def bound_median(self, key: str) -> Array | None:
        """Median absolute error of the bound, (hours,); None where there is none."""
        median = None if self.bound is None else self.quantiles[key][self.bound][:, MEDIAN]
        return None if median is None or np.isnan(median).any() else median

    def hourly(self, name: str) -> dict[str, Array]:
        """Return the measures of one prediction, each (hours,), in the order of ``hourly_errors.csv``.

        Returns
        -------
        dict
            ``water_table_median``, ``water_table_high``, ``water_table_mean``: median, 90 % quantile and mean of the
            absolute error of water table depth [m]. ``storage_mean``, ``storage_bias``: mean absolute and mean error
            of column storage [mm], positive where the prediction holds more water. ``saturation_median``: median over
            the columns of the mean absolute error of the root zone's layers [-]. ``saturation_mean``,
            ``saturation_rms``: mean absolute and root mean square error of all cells of the root zone [-].
            ``latent_heat_median``: median absolute error [W m-2]. ``water_table_depth`` [m], ``latent_heat`` [W m-2]:
            median and mean of the prediction itself.
        """
        table = self.quantiles[WATER_TABLE][name]
        return {
            "water_table_median": table[:, MEDIAN],
            "water_table_high": table[:, HIGH],
            **self._states[name],
            "latent_heat_median": self.quantiles[LATENT_HEAT][name][:, MEDIAN],
            "water_table_depth": self.water_table_depth[name],
            "latent_heat": self.means[LATENT_HEAT][name],
        }

    def summary(self, name: str) -> dict[str, float]:
        """Return the errors of one prediction over all hours; NaN where there is none.

        Returns
        -------
        dict
            Mean over the hours and worst hour of ``water_table_median``, ``water_table_high`` [m] and ``storage``
            (mean absolute, mm). ``storage_bias_end``: mean error at the last hour [mm], water gained (+) or lost.
            ``storage_slope``: growth of the storage error after the first month [mm per month]. ``saturation_rms``,
            ``saturation_mean`` [-], ``latent_heat_median`` [W m-2]: means over the hours. ``latent_heat_efficiency``,
            ``…_correlation``, ``…_variability``, ``…_bias``: Kling-Gupta efficiency of the domain mean and its parts.
        """
        h = self.hourly(name)
        agreement = metrics(h["latent_heat"], self.means[LATENT_HEAT][REFERENCE])
        found = {
            "water_table_median": h["water_table_median"].mean(),
            "water_table_median_worst": h["water_table_median"].max(),
            "water_table_high": h["water_table_high"].mean(),
            "water_table_high_worst": h["water_table_high"].max(),
            "storage": h["storage_mean"].mean(),
            "storage_worst": h["storage_mean"].max(),
            "storage_bias_end": h["storage_bias"][-1],
            "storage_slope": growth(self.times, h["storage_mean"]).slope,
            "saturation_rms": h["saturation_rms"].mean(),
            "saturation_mean": h["saturation_mean"].mean(),
            "latent_heat_median": h["latent_heat_median"].mean(),
            "latent_heat_efficiency": agreement.kge,
            "latent_heat_correlation": agreement.r,
            "latent_heat_variability": agreement.alpha,
            "latent_heat_bias": agreement.beta,
        }
        return {measure: float(value) for measure, value in found.items()}


def aggregate(
    times: Times,
    reference: Prediction,
    predictions: Mapping[str, Prediction],
    domain: Domain,
    bound: str | None = None,
    folder: Path | None = None,
    progress: Tell | None = None,
) -> Aggregator:
    """Compare predictions with the reference at hours that all of them have, in one pass over the files.

    Parameters
    ----------
    reference : Prediction
        The truth.
    predictions : mapping
        What is compared with it, the run first.
    times, domain, bound, folder
        As in `Aggregator`.
    progress : callable, optional
        Is told of the hours that are done, of how many, and what they are.

    Raises
    ------
    ConfigError
        If any of them does not have these hours.
    """
    found = Aggregator(times, domain, list(predictions), bound, folder)
    for part in blocks(len(times), domain.subsurface.shape):
        truth = reference.quantities(times[part])
        found.record(part, truth, {name: p.quantities(times[part]) for name, p in predictions.items()})
        if progress is not None:
            progress(part.stop, len(times), "hours")
    return found


def _quantiles(values: Array) -> Array:
    """Quantiles over the columns, put last."""
    return np.moveaxis(np.quantile(values, PROBABILITIES, axis=-1), 0, -1)
