"""Measures of how far one run is from another: pure functions on arrays."""

from coupler.evaluate.baselines import monthly_climatology, persistence
from coupler.evaluate.efficiency import KlingGupta, kling_gupta
from coupler.evaluate.errors import Quantiles, absolute_error, column_storage, storage_error, water_table_error

__all__ = [
    "KlingGupta",
    "Quantiles",
    "absolute_error",
    "column_storage",
    "kling_gupta",
    "monthly_climatology",
    "persistence",
    "storage_error",
    "water_table_error",
]
