"""From soil texture to hydraulic parameters: Rosetta, and the averages of the USDA classes."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array
from rootzone.domain_builder.libraries import library
from rootzone.domain_builder.tables import table

_AT_ONCE = 2000
_TEXTURE_STEP, _DENSITY_STEP = 1.0, 0.02
"""Shares [%] and bulk densities [g cm-3] that differ by less are taken for one soil: Rosetta's own error is larger."""
_DENSITIES = (0.5, 2.0)  # g cm-3, which Rosetta was trained for
_VERSION: Final = 3


class Estimate(NamedTuple):
    """Parameters of soils (n,): water contents, alpha [m-1], n, K [m h-1], and the deviation of log10 K."""

    residual_water: Array
    porosity: Array
    alpha: Array
    n: Array
    conductivity: Array
    log_conductivity_deviation: Array


def rosetta(sand: Array, silt: Array, clay: Array, bulk_density: Array | None = None) -> Estimate:
    """Estimate van Genuchten's parameters and the saturated conductivity from texture.

    Zhang and Schaap (2017), J. Hydrol. 547, 39 (Rosetta 3): the mean of the bootstrapped networks, of alpha, n and K
    in their logarithms.

    Parameters
    ----------
    sand, silt, clay : ndarray, shape (n,)
        % of the weight of the fine earth, together 100.
    bulk_density : ndarray, shape (n,), optional
        [g cm-3]; taken as 0.5 and 2.0 at the least and most.
    """
    columns = [np.round(part / _TEXTURE_STEP) * _TEXTURE_STEP for part in (sand, clay)]
    if bulk_density is not None:
        columns.append(np.round(np.clip(bulk_density, *_DENSITIES) / _DENSITY_STEP) * _DENSITY_STEP)
    kinds, back = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
    kinds_silt = np.clip(100.0 - kinds[:, 0] - kinds[:, 1], 0.0, 100.0)
    given = np.column_stack([kinds[:, 0], kinds_silt, *kinds[:, 1:].T])
    network = library("rosetta").Rosetta(_VERSION, 2 if bulk_density is None else 3)
    means, deviations = [], []
    for first in range(0, len(given), _AT_ONCE):
        retention, conductivity = network.predict(given[first : first + _AT_ONCE])
        means.append(np.concatenate([retention.mean(axis=0), conductivity.mean(axis=0)], axis=1))
        deviations.append(conductivity[..., 0].std(axis=0))
    mean, deviation = np.concatenate(means)[back.ravel()], np.concatenate(deviations)[back.ravel()]
    return Estimate(mean[:, 0], mean[:, 1], *_in_metres(mean[:, 2], mean[:, 3], mean[:, 4]), deviation)


def class_averages(classes: NDArray[np.int64]) -> Estimate:
    """Averages of USDA texture classes, 1 sand to 12 clay; see ``tables/soil_classes.yaml``."""
    rows = table("soil_classes")
    names = ("residual", "saturated", "log_alpha", "log_n", "log_conductivity")
    values = np.full((max(rows) + 1, len(names)), np.nan)
    for number, row in rows.items():
        values[number] = [row[name] for name in names]
    found = values[classes]
    return Estimate(
        found[..., 0], found[..., 1], *_in_metres(*np.moveaxis(found[..., 2:], -1, 0)), np.zeros(classes.shape)
    )


def _in_metres(log_alpha: Array, log_n: Array, log_conductivity: Array) -> tuple[Array, Array, Array]:
    """From log10 of 1/cm and cm/d to m-1 and m h-1."""
    return 100.0 * 10.0**log_alpha, 10.0**log_n, 10.0**log_conductivity / 100.0 / 24.0


def usda_class(sand: Array, clay: Array) -> NDArray[np.int64]:
    """Tell the USDA texture class, 1 sand to 12 clay (Soil Science Division Staff, 2017, Soil Survey Manual, ch. 3).

    Parameters
    ----------
    sand, clay : ndarray
        % of the weight of the fine earth.
    """
    silt = 100.0 - sand - clay
    rules = (
        (1, silt + 1.5 * clay < 15.0),
        (2, silt + 2.0 * clay < 30.0),
        (3, ((clay >= 7.0) & (clay < 20.0) & (sand > 52.0)) | ((clay < 7.0) & (silt < 50.0))),
        (6, (clay >= 7.0) & (clay < 27.0) & (silt >= 28.0) & (silt < 50.0) & (sand <= 52.0)),
        (4, ((silt >= 50.0) & (clay >= 12.0) & (clay < 27.0)) | ((silt >= 50.0) & (silt < 80.0) & (clay < 12.0))),
        (5, (silt >= 80.0) & (clay < 12.0)),
        (7, (clay >= 20.0) & (clay < 35.0) & (silt < 28.0) & (sand > 45.0)),
        (9, (clay >= 27.0) & (clay < 40.0) & (sand > 20.0) & (sand <= 45.0)),
        (8, (clay >= 27.0) & (clay < 40.0) & (sand <= 20.0)),
        (10, (clay >= 35.0) & (sand > 45.0)),
        (11, (clay >= 40.0) & (silt >= 40.0)),
    )
    return np.select([rule for _, rule in rules], [number for number, _ in rules], default=12).astype(np.int64)
