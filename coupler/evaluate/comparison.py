"""Errors of predictions against a reference run, hour by hour, in one pass over the files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bmi_common import Domain
from bmi_common.calendar import Times
from coupler.evaluate.efficiency import KlingGupta, kling_gupta
from coupler.evaluate.predictions import Prediction, Quantities, blocks

Array = NDArray[np.float64]

MILLIMETRES = 1000.0


@dataclass(frozen=True)
class HourlyErrors:
    """Errors of a prediction over the active columns, one value an hour; all shapes are (hours,).

    Attributes
    ----------
    water_table_median, water_table_high, water_table_mean : ndarray
        Median, 90 % quantile and mean of the absolute error of water table depth [m].
    storage_mean : ndarray
        Mean absolute error of column storage [mm].
    storage_bias : ndarray
        Mean error of column storage [mm], positive where the prediction holds more water.
    saturation_median : ndarray
        Median over the columns of the mean absolute error of saturation of the root zone's layers [-].
    saturation_mean, saturation_rms : ndarray
        Mean absolute and root mean square error of saturation of all cells of the root zone [-].
    latent_heat_median : ndarray
        Median absolute error of latent heat [W m-2].
    water_table_depth : ndarray
        Median of the predicted water table depth [m], no error.
    latent_heat : ndarray
        Mean of the predicted latent heat [W m-2], no error.
    """

    water_table_median: Array
    water_table_high: Array
    water_table_mean: Array
    storage_mean: Array
    storage_bias: Array
    saturation_median: Array
    saturation_mean: Array
    saturation_rms: Array
    latent_heat_median: Array
    water_table_depth: Array
    latent_heat: Array

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of the series, in order."""
        return tuple(f.name for f in fields(cls))


@dataclass(frozen=True)
class Compared:
    """One prediction beside the reference.

    Attributes
    ----------
    errors : HourlyErrors
        Errors of every hour.
    water_table_map : ndarray, shape (columns,)
        Mean absolute error of water table depth [m] over all hours.
    latent_heat : KlingGupta
        Of the domain-mean latent heat; NaN for a prediction without one.
    """

    errors: HourlyErrors
    water_table_map: Array
    latent_heat: KlingGupta


@dataclass(frozen=True)
class Comparison:
    """All predictions beside the reference.

    Attributes
    ----------
    times : ndarray of datetime64[s], shape (hours,)
        The compared hours.
    water_table_depth : ndarray, shape (hours,)
        Median water table depth of the reference [m].
    latent_heat : ndarray, shape (hours,)
        Mean latent heat of the reference [W m-2].
    predictions : mapping
        The predictions by name.
    """

    times: Times
    water_table_depth: Array
    latent_heat: Array
    predictions: Mapping[str, Compared]


class Observer(Protocol):
    """Takes part in the one pass over the files."""

    def observe(self, part: slice, truth: Quantities, simulated: Mapping[str, Quantities]) -> None:
        """See some hours of the reference and of the predictions by name; called in the order of the hours."""


def compare(
    times: Times,
    reference: Prediction,
    predictions: Mapping[str, Prediction],
    domain: Domain,
    observers: Sequence[Observer] = (),
) -> Comparison:
    """Compare predictions with the reference at hours that all of them have.

    Parameters
    ----------
    times : ndarray of datetime64[s], shape (hours,)
        The hours, in order; some may be missing in between.
    reference : Prediction
        The truth.
    predictions : mapping
        What is compared with it.
    domain : Domain
        Grid and soil.
    observers : sequence of Observer
        Are shown everything that is read.

    Raises
    ------
    ConfigError
        If any of them has not got these hours.
    """
    hours, columns = len(times), int(domain.mask.sum())
    errors = {p: HourlyErrors(*(np.empty(hours) for _ in HourlyErrors.names())) for p in predictions}
    maps = {p: np.zeros(columns) for p in predictions}
    depth, latent = np.empty(hours), np.empty(hours)
    for part in blocks(hours, domain.subsurface.shape):
        truth = reference.quantities(times[part])
        depth[part] = np.median(truth.water_table, axis=1)
        latent[part] = truth.latent_heat.mean(axis=1)
        simulated = {name: prediction.quantities(times[part]) for name, prediction in predictions.items()}
        for name, quantities in simulated.items():
            maps[name] += _add(errors[name], part, quantities, truth)
        for observer in observers:
            observer.observe(part, truth, simulated)
    return Comparison(
        times,
        depth,
        latent,
        {
            name: Compared(errors[name], maps[name] / hours, _efficiency(errors[name].latent_heat, latent))
            for name in predictions
        },
    )


def running_mean(values: Array, hours: int = 24) -> Array:
    """Mean of each hour and those before it, (hours,); NaN until so many are there."""
    result = np.full(values.shape, np.nan)
    if len(values) >= hours:
        result[hours - 1 :] = np.convolve(values, np.full(hours, 1.0 / hours), mode="valid")
    return result


def _add(into: HourlyErrors, part: slice, simulated: Quantities, truth: Quantities) -> Array:
    """Fill some hours; return the sum over them of the water table's absolute error in each column."""
    table = np.abs(simulated.water_table - truth.water_table)
    into.water_table_median[part] = np.median(table, axis=1)
    into.water_table_high[part] = np.quantile(table, 0.9, axis=1)
    into.water_table_mean[part] = table.mean(axis=1)
    storage = (simulated.storage - truth.storage) * MILLIMETRES
    into.storage_mean[part] = np.abs(storage).mean(axis=1)
    into.storage_bias[part] = storage.mean(axis=1)
    saturation = np.abs(simulated.saturation - truth.saturation)
    # not of single cells, more than half of which may be saturated in all predictions
    into.saturation_median[part] = np.median(saturation.mean(axis=1), axis=1)
    into.saturation_mean[part] = saturation.mean(axis=(1, 2))
    into.saturation_rms[part] = np.sqrt((saturation**2).mean(axis=(1, 2)))
    into.latent_heat_median[part] = np.median(np.abs(simulated.latent_heat - truth.latent_heat), axis=1)
    into.water_table_depth[part] = np.median(simulated.water_table, axis=1)
    into.latent_heat[part] = simulated.latent_heat.mean(axis=1)
    return np.asarray(table.sum(axis=0))


def _efficiency(simulated: Array, reference: Array) -> KlingGupta:
    if (np.isfinite(simulated) & np.isfinite(reference)).sum() < 2:
        return KlingGupta(np.nan, np.nan, np.nan, np.nan)
    return kling_gupta(simulated, reference)
