"""What follows from pressure head by itself: saturation, water table, ponding, outflow, stored water."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bmi_common import Domain, van_genuchten, water_table
from bmi_common.arrays import Array
from bmi_common.floor_head import FLOOR_HEAD, reachable_floor
from bmi_common.overland import boundary_outflow


class Diagnosed(NamedTuple):
    """Fields that belong to a pressure head; NaN in inactive cells.

    Attributes
    ----------
    saturation : ndarray, shape (nz, ny, nx)
        Saturation [-], relative to porosity.
    water_table_depth : ndarray, shape (ny, nx)
        Depth [m] below the land surface.
    ponded : ndarray, shape (ny, nx)
        Depth of ponded water [m].
    outflow : ndarray, shape (ny, nx)
        Overland outflow over the domain's boundary per area of each cell [m s-1].
    storage, ponded_volume : float
        Water in the subsurface and ponded, and the ponded water alone [m3], of the whole domain.
    """

    saturation: Array
    water_table_depth: Array
    ponded: Array
    outflow: Array
    storage: float
    ponded_volume: float


class Diagnosis:
    """Derives fields from pressure head on a domain that has slopes and roughness."""

    def __init__(self, domain: Domain) -> None:
        self._domain = domain
        self._slope_x = domain.require("slope_x", "the diagnosis of overland outflow")
        self._slope_y = domain.require("slope_y", "the diagnosis of overland outflow")
        self._manning = domain.require("manning", "the diagnosis of overland outflow")

        def columns(field: Array) -> Array:
            return field[:, domain.mask]

        self._retention = tuple(
            columns(f) for f in (domain.alpha, domain.n, domain.residual_saturation, domain.maximum_saturation)
        )
        self._porosity, self._specific_storage = columns(domain.porosity), columns(domain.specific_storage)

    def water_above_floor(self, head: Array) -> Array:
        """Water [m] that each cell holds beyond that at the floor head, ponded water included; (nz, ny, nx), >= 0.

        NaN outside the domain.
        """
        d = self._domain
        columns, floor = head[:, d.mask], reachable_floor(FLOOR_HEAD, self._porosity, self._specific_storage)
        held, kept = (
            d.dz[:, np.newaxis]
            * van_genuchten.saturation(h, *self._retention)
            * (self._porosity + self._specific_storage * h)
            for h in (columns, floor)
        )
        water = np.full(head.shape, np.nan)
        water[:, d.mask] = np.maximum(held - kept, 0.0)
        water[-1, d.mask] += np.maximum(columns[-1], 0.0)
        return water

    def of(self, head: Array) -> Diagnosed:
        """Diagnose from a pressure head [m], shape (nz, ny, nx)."""
        d = self._domain
        columns = head[:, d.mask]
        saturation, ponded = np.full(head.shape, np.nan), np.full(d.mask.shape, np.nan)
        wetness = van_genuchten.saturation(columns, *self._retention)
        saturation[:, d.mask] = wetness
        ponded[d.mask] = np.maximum(columns[-1], 0.0)
        # ParFlow's storage: pores, and compression as specific storage times head times saturation
        per_height = wetness * (self._porosity + self._specific_storage * columns)
        ponds = float(ponded[d.mask].sum())
        water = float(d.dz @ per_height.sum(axis=1)) + ponds
        if d.part is not None:
            water, ponds = d.part.world.sum(water, ponds)
        over_edge = boundary_outflow(ponded, self._slope_x, self._slope_y, self._manning, d.dx, d.dy, d.active)
        return Diagnosed(
            saturation,
            water_table.depth(np.where(d.mask, head, np.nan), d.dz),
            ponded,
            np.where(d.mask, over_edge, np.nan),
            d.dx * d.dy * water,
            d.dx * d.dy * ponds,
        )
