"""Water in the ground and on it, and what leaves over the edges, with ParFlow's own formulas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bmi_common.domain import Domain

Floats = NDArray[np.float64]

_SECONDS_PER_HOUR = 3600.0
_MINIMUM_SLOPE = 1.0e-5
"""Lower limit of the slope's magnitude under the root, as in ParFlow [-]."""


def storage_volume(domain: Domain, head: Floats, saturation: Floats) -> float:
    """Water [m3] in the ground and ponded, all active cells.

    A cell holds V (porosity S + Ss S h): ParFlow's compressible storage is the product S h, other than in pftools'
    `calculate_subsurface_storage`. On top of it is the depth max(h, 0) of the top cell.

    Parameters
    ----------
    head : ndarray, shape (nz, ny, nx)
        Pressure head [m].
    saturation : ndarray, shape (nz, ny, nx)
        Saturation [-].
    """
    active = domain.mask
    water = (domain.porosity + domain.specific_storage * head) * saturation
    depth = np.tensordot(domain.dz, water, axes=1) + np.maximum(head[-1], 0.0)
    return float(depth[active].sum() * domain.dx * domain.dy)


@dataclass(frozen=True)
class BoundaryOutflow:
    """Overland flow over the edges of the active cells, by the kinematic wave (`OverlandKinematic`).

    A cell drains over each of its edges that bound the active cells where the ground falls that way: to the west and
    south where its own slope is positive, to the east and north where it is negative.

    Attributes
    ----------
    rate : ndarray, shape (ny, nx)
        Outflow per H^(5/3) [m(-2/3) h-1] with the ponded depth H [m]; NaN in inactive cells.
    """

    rate: Floats

    @classmethod
    def of(cls, domain: Domain) -> BoundaryOutflow:
        """Edges of a domain: |s| / (n sqrt(max(|S|, 1e-5))) by the size of the cell, |S| = sqrt(sx^2 + sy^2)."""
        slope_x = domain.require("slope_x", "ParFlow")
        slope_y = domain.require("slope_y", "ParFlow")
        manning = domain.require("manning", "ParFlow") / _SECONDS_PER_HOUR
        outside = ~np.pad(domain.mask, 1, constant_values=False)
        over_x = (outside[1:-1, :-2] & (slope_x > 0.0)) | (outside[1:-1, 2:] & (slope_x < 0.0))
        over_y = (outside[:-2, 1:-1] & (slope_y > 0.0)) | (outside[2:, 1:-1] & (slope_y < 0.0))
        fall = np.where(over_x, np.abs(slope_x) / domain.dx, 0.0) + np.where(over_y, np.abs(slope_y) / domain.dy, 0.0)
        rate = np.full(domain.mask.shape, np.nan)
        active = domain.mask
        steepness = np.maximum(np.hypot(slope_x[active], slope_y[active]), _MINIMUM_SLOPE)
        rate[active] = fall[active] / (manning[active] * np.sqrt(steepness))
        return cls(rate)

    def __call__(self, head: Floats) -> Floats:
        """Outflow [m h-1] per area of each cell, (ny, nx), for a pressure head (nz, ny, nx).

        Over an hour that ParFlow made in one implicit step this is exactly what left, with the head at its end.
        """
        outflow: Floats = self.rate * np.maximum(head[-1], 0.0) ** (5.0 / 3.0)
        return outflow


def scaled(outflow: Floats, total: float) -> Floats:
    """Outflow with another total, for an hour that ParFlow made in parts.

    The state at the end of such an hour does not tell what left in its first part; the balance of the hour does.
    Where the state at its end says that nothing leaves, nothing does.
    """
    known = float(np.nansum(outflow))
    return outflow * (max(total, 0.0) / known) if known > 0.0 else outflow
