"""Errors of states: water table, and water stored in columns."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bmi_common import Domain, van_genuchten, water_table

Array = NDArray[np.float64]


class Quantiles(NamedTuple):
    """Distribution of absolute errors, in the units of what is compared.

    Attributes
    ----------
    median, high, mean : float
        Median, 90 % quantile and mean.
    """

    median: float
    high: float
    mean: float


def absolute_error(simulated: Array, reference: Array) -> Quantiles:
    """Distribution of |simulated - reference| over all values that are finite in the reference.

    Raises
    ------
    ValueError
        If the shapes differ, nothing is finite in the reference, or the simulation is not finite where it is.
    """
    if simulated.shape != reference.shape:
        raise ValueError(f"the shapes differ: {simulated.shape} and {reference.shape}")
    there = np.isfinite(reference)
    if not there.any():
        raise ValueError("the reference has no finite value")
    error = np.abs(simulated[there] - reference[there])
    if not np.isfinite(error).all():
        raise ValueError("the simulation has values that are not finite where the reference has")
    return Quantiles(float(np.median(error)), float(np.quantile(error, 0.9)), float(error.mean()))


def water_table_error(simulated: Array, reference: Array, thickness: Array) -> Quantiles:
    """Absolute error of water table depth [m] from pressure heads [m], both (nz, ...), bottom layer first."""
    return absolute_error(water_table.depth(simulated, thickness), water_table.depth(reference, thickness))


def column_storage(head: Array, domain: Domain) -> Array:
    """Water stored in each active column, ponding included [m].

    ParFlow's storage: saturation times pores and compression, S (phi + Ss h), and the positive head of the top layer.

    Parameters
    ----------
    head : ndarray, shape (..., nz, columns)
        Pressure head [m] of the active columns, in the order of the domain's mask.
    domain : Domain
        Soil and layers.

    Returns
    -------
    ndarray, shape (..., columns)
    """
    return stored_water(column_saturation(head, domain), head, domain)


def stored_water(wetness: Array, head: Array, domain: Domain) -> Array:
    """Water stored in each active column [m] as `column_storage`, from saturation [-] and head [m]."""
    water = wetness * (_columns(domain.porosity, domain) + _columns(domain.specific_storage, domain) * head)
    return np.asarray(np.einsum("k,...kc->...c", domain.dz, water) + np.maximum(head[..., -1, :], 0.0))


def column_saturation(head: Array, domain: Domain) -> Array:
    """Saturation [-] of the active columns from pressure head [m], both (..., nz, columns)."""
    return van_genuchten.saturation(
        head,
        _columns(domain.alpha, domain),
        _columns(domain.n, domain),
        _columns(domain.residual_saturation, domain),
        _columns(domain.maximum_saturation, domain),
    )


def _columns(field: Array, domain: Domain) -> Array:
    return field[:, domain.mask]


def storage_error(simulated: Array, reference: Array, domain: Domain) -> Quantiles:
    """Absolute error of column storage [m] from pressure heads [m] of the active columns, both (..., nz, columns)."""
    return absolute_error(column_storage(simulated, domain), column_storage(reference, domain))
