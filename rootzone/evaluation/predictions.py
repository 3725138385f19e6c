"""What is compared, hour by hour and column by column: of a run, and of predictions that need no model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bmi_common import ConfigError, Domain, van_genuchten, water_table
from bmi_common.arrays import Array
from bmi_common.calendar import HOUR, Times
from bmi_common.run_records import thickness_mismatch
from rootzone.evaluation.records import Records, span

BLOCK_VALUES = 2_000_000
"""Heads read at once, so that memory does not grow with the length of a run."""


@dataclass(frozen=True)
class Quantities:
    """The compared quantities of some hours in the active columns.

    Attributes
    ----------
    water_table : ndarray, shape (hours, columns)
        Water table depth [m].
    storage : ndarray, shape (hours, columns)
        Water stored in the column, ponding included [m].
    saturation : ndarray, shape (hours, root-zone layers, columns)
        Saturation of the root zone [-].
    latent_heat : ndarray, shape (hours, columns)
        Latent heat flux [W m-2], upward positive; NaN where a run has none.
    head : ndarray, shape (hours, nz, columns), optional
        Pressure head [m]; of runs only.
    """

    water_table: Array
    storage: Array
    saturation: Array
    latent_heat: Array
    head: Array | None = None


class Prediction(Protocol):
    """Gives the quantities of any hours of the compared period."""

    def quantities(self, times: Times) -> Quantities:
        """Return the quantities at some hours, in order."""


def blocks(hours: int, shape: tuple[int, ...]) -> Iterable[slice]:
    """Split so many hours of heads of `shape` into pieces that fit into memory."""
    step = max(1, BLOCK_VALUES // int(np.prod(shape)))
    return (slice(i, min(i + step, hours)) for i in range(0, hours, step))


def from_heads(head: Array, latent_heat: Array, domain: Domain) -> Quantities:
    """Derive the quantities from heads [m] (hours, nz, columns) and latent heat [W m-2] (hours, columns)."""
    wetness = _saturation(head, domain)
    return Quantities(
        water_table=water_table.depth(np.moveaxis(head, 1, 0), domain.dz),
        storage=_stored_water(wetness, head, domain),
        saturation=wetness[:, -domain.root_zone_layers :],
        latent_heat=latent_heat,
        head=head,
    )


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
    return _stored_water(_saturation(head, domain), head, domain)


class RunPrediction:
    """The quantities of a run.

    Parameters
    ----------
    run : Records
        Its records.
    domain : Domain
        Soil, layers and active cells.

    Raises
    ------
    ConfigError
        If the run has another grid or other layers than the domain.
    """

    def __init__(self, run: Records, domain: Domain) -> None:
        if run.shape != domain.subsurface.shape:
            here, there = _grid(domain.subsurface.shape), _grid(run.shape)
            raise ConfigError(f"{run.path}: the run has {there}, the domain of the reference {here}")
        thickness = run.thickness
        if thickness is not None and (k := thickness_mismatch(thickness, domain)) is not None:
            raise ConfigError(
                f"{run.path}: layer {k} (from the bottom) of the run is {thickness[k]:g} m thick, in the domain of the "
                f"reference {domain.dz[k]:g} m"
            )
        self._run, self._domain = run, domain

    def quantities(self, times: Times) -> Quantities:
        """Return the quantities at some hours, in order; raises `ConfigError` if the run lacks any."""
        there, mask = self._run.times, self._domain.mask
        at = np.searchsorted(there, times)
        if not (at < len(there)).all() or not np.array_equal(there[at], times):
            raise ConfigError(f"{self._run.path}: has {span(there)}; needed are {span(times)}")
        # records that follow one another are read at once; a gap splits them
        parts = [(int(p[0]), int(p[-1]) + 1) for p in np.split(at, np.flatnonzero(np.diff(at) != 1) + 1)]
        head = np.concatenate([self._run.head(a, b, mask) for a, b in parts])
        latent = np.concatenate([self._run.latent_heat(a, b, mask) for a, b in parts])
        return from_heads(head, latent, self._domain)


class Persistence:
    """The state at the start for ever, and the latent heat of the day before the start, day after day.

    Parameters
    ----------
    head : ndarray, shape (nz, columns)
        Pressure head [m] at the start.
    latent_heat : ndarray, shape (24, columns), optional
        Latent heat [W m-2] of the day before the start, by the hour in which the interval ends (0 to 23 UTC).
    domain : Domain
        Soil and layers.
    """

    def __init__(self, head: Array, latent_heat: Array | None, domain: Domain) -> None:
        nothing = np.full((24, head.shape[-1]), np.nan)
        self._state = from_heads(head[np.newaxis], nothing[:1], domain)
        self._latent = nothing if latent_heat is None else latent_heat

    def quantities(self, times: Times) -> Quantities:
        """Return the quantities at so many hours."""
        n, state = len(times), self._state
        return Quantities(
            water_table=_repeat(state.water_table, n),
            storage=_repeat(state.storage, n),
            saturation=_repeat(state.saturation, n),
            latent_heat=self._latent[hour_of_day(times)],
        )


class Climatology:
    """Means of earlier years: of each calendar month, and for latent heat of each hour of the day in the month.

    Parameters
    ----------
    runs : sequence of Records
        What is known, such as the training years.
    domain : Domain
        Soil, layers and active cells.

    Raises
    ------
    ConfigError
        If a run has another grid.
    """

    def __init__(self, runs: Sequence[Records], domain: Domain) -> None:
        columns, layers = int(domain.mask.sum()), domain.root_zone_layers
        self._known = span(runs[0].times) if len(runs) == 1 else f"{len(runs)} runs"
        counts, daily_counts = np.zeros(12), np.zeros((12, 24))
        table, storage = np.zeros((12, columns)), np.zeros((12, columns))
        saturation, latent = np.zeros((12, layers, columns)), np.zeros((12, 24, columns))
        for run in runs:
            prediction = RunPrediction(run, domain)
            for part in blocks(run.hours, run.shape):
                times = run.times[part]
                q, month, hour = prediction.quantities(times), month_of(times), hour_of_day(times)
                for i in np.unique(month):
                    now = month == i
                    counts[i] += now.sum()
                    table[i] += q.water_table[now].sum(axis=0)
                    storage[i] += q.storage[now].sum(axis=0)
                    saturation[i] += q.saturation[now].sum(axis=0)
                np.add.at(latent, (month, hour), q.latent_heat)
                np.add.at(daily_counts, (month, hour), 1.0)
        with np.errstate(invalid="ignore"):
            self._table = table / counts[:, np.newaxis]
            self._storage = storage / counts[:, np.newaxis]
            self._saturation = saturation / counts[:, np.newaxis, np.newaxis]
            self._latent = latent / daily_counts[..., np.newaxis]

    def quantities(self, times: Times) -> Quantities:
        """Return the quantities at so many hours; raises `ConfigError` for a month that no run has."""
        month, hour = month_of(times), hour_of_day(times)
        latent = self._latent[month, hour]
        unknown = np.isnan(latent).any(axis=1)
        if unknown.any():
            raise ConfigError(f"the climatology ({self._known}) has nothing of {times[unknown.argmax()]}")
        return Quantities(self._table[month], self._storage[month], self._saturation[month], latent)


def month_of(times: Times) -> NDArray[np.int64]:
    """Calendar month, 0 to 11, that an hour ending at these times lies in."""
    return np.asarray((times - HOUR).astype("datetime64[M]").astype(np.int64) % 12)


def hour_of_day(times: Times) -> NDArray[np.int64]:
    """Hour of the day, 0 to 23 UTC, at these times."""
    return np.asarray(times.astype("datetime64[h]").astype(np.int64) % 24)


def _saturation(head: Array, domain: Domain) -> Array:
    """Saturation [-] of the active columns from pressure head [m], both (..., nz, columns)."""
    fields = (domain.alpha, domain.n, domain.residual_saturation, domain.maximum_saturation)
    return van_genuchten.saturation(head, *(field[:, domain.mask] for field in fields))


def _stored_water(wetness: Array, head: Array, domain: Domain) -> Array:
    water = wetness * (domain.porosity[:, domain.mask] + domain.specific_storage[:, domain.mask] * head)
    return np.asarray(np.einsum("k,...kc->...c", domain.dz, water) + np.maximum(head[..., -1, :], 0.0))


def _repeat(values: Array, times: int) -> Array:
    return np.broadcast_to(values, (times, *values.shape[1:]))


def _grid(shape: tuple[int, ...]) -> str:
    nz, ny, nx = shape
    return f"{nx} x {ny} cells in {nz} layers"
