"""Water table depth of a column of pressure heads."""

from __future__ import annotations

import numpy as np

from bmi_common.arrays import Array


def depth(head: Array, thickness: Array, ground: Array | None = None) -> Array:
    """Depth [m] of the water table below the land surface.

    The water table is the top of the saturated zone that reaches down to the bottom of the column: of the cells
    that are saturated without a break from the bottom, the uppermost one, at height z of its centre and with
    head h >= 0, puts it at z + h. A perched saturated layer above an unsaturated one does not count.

    - Column saturated up to the top cell: the same formula with the top cell, at most the land surface (depth 0).
      Ponded water is a variable of its own and does not make the depth negative.
    - Bottom cell unsaturated (h < 0): the head of its centre is continued hydrostatically, z + h, down to the
      bottom of the column; a deeper water table is reported at the bottom, as the total thickness.

    This is the definition of ParFlow's `calculate_water_table_depth`.

    Parameters
    ----------
    head : ndarray, shape (nz, ...)
        Pressure head [m] at layer centres, bottom first.
    thickness : ndarray, shape (nz,)
        Layer thickness [m], bottom first.
    ground : ndarray, shape (...), optional
        Height of the land surface above the bottom [m], where it is not that of all layers together; heads above it
        are NaN.

    Returns
    -------
    ndarray, shape (...)
        Depth [m], between 0 and the total thickness; NaN where a head of the column is NaN.
    """
    total = np.sum(thickness) if ground is None else ground
    centre = np.cumsum(thickness) - 0.5 * thickness
    unsaturated = ~(head >= 0.0)
    nz = head.shape[0]
    first_unsaturated = np.where(unsaturated.any(axis=0), unsaturated.argmax(axis=0), nz)
    top_saturated = np.maximum(first_unsaturated - 1, 0)
    h = np.take_along_axis(head, top_saturated[np.newaxis], axis=0)[0]
    height = np.clip(centre[top_saturated] + h, 0.0, total)
    missing = np.isnan(head).any(axis=0) if ground is None else np.isnan(head[0])
    return np.asarray(np.where(missing, np.nan, total - height))
