"""Water in the ground and on it, and what leaves over the edges, with ParFlow's own formulas."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bmi_common import Domain, overland
from bmi_common.units import SECONDS_PER_HOUR

Floats = NDArray[np.float64]


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


def boundary_outflow(domain: Domain, head: Floats) -> Floats:
    """Overland flow over the edges of the active cells [m h-1] per area of each cell, shape (ny, nx).

    Over an hour that ParFlow made in one implicit step this is exactly what left, with the head at its end.

    Parameters
    ----------
    head : ndarray, shape (nz, ny, nx)
        Pressure head [m].
    """
    slope_x, slope_y, manning = (domain.require(name, "ParFlow") for name in ("slope_x", "slope_y", "manning"))
    return overland.boundary_outflow(
        head[-1], slope_x, slope_y, manning / SECONDS_PER_HOUR, domain.dx, domain.dy, domain.mask
    )


def scaled(outflow: Floats, total: float) -> Floats:
    """Outflow with another total, for an hour that ParFlow made in parts.

    The state at the end of such an hour does not tell what left in its first part; the balance of the hour does.
    Where the state at its end says that nothing leaves, nothing does.
    """
    known = float(np.nansum(outflow))
    return outflow * (max(total, 0.0) / known) if known > 0.0 else outflow
