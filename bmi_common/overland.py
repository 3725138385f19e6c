"""Overland flow over the boundary, diagnosed from ponded water by ParFlow's kinematic wave (`OverlandKinematic`)."""

from __future__ import annotations

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array

SMALLEST_SLOPE = 1.0e-5
"""Least slope in the kinematic formula (ParFlow's value), so that flat cells have finite conveyance."""


OVERLAND_POWER = 5.0 / 3.0
"""Of the ponded depth, in Manning's formula for wide flow."""


class SurfaceCondition(Enum):
    """ParFlow's condition at the ground: what happens to ponded water."""

    OVERLAND_KINEMATIC = "overland_kinematic"
    """It stands and flows through the faces of the cells, over the slopes of the faces."""
    OVERLAND_FLOW = "overland_flow"
    """It stands and flows out of each cell in x and y, over the cell's own slope in each direction."""
    SEEPAGE_FACE = "seepage_face"
    """It leaves at once."""
    CLOSED = "closed"
    """There is none: the ground is a lid, under which heads may rise above it."""

    @property
    def has_water_standing(self) -> bool:
        """Whether water stands on the ground and flows over it."""
        return self in (SurfaceCondition.OVERLAND_KINEMATIC, SurfaceCondition.OVERLAND_FLOW)

    @property
    def ground(self) -> str:
        """What the ground is, in a sentence."""
        return {SurfaceCondition.SEEPAGE_FACE: "a seepage face", SurfaceCondition.CLOSED: "closed ground"}.get(
            self, "open ground"
        )


def boundary_outflow(
    depth: Array,
    slope_x: Array,
    slope_y: Array,
    manning: Array,
    dx: float,
    dy: float,
    mask: NDArray[np.bool_],
) -> Array:
    """Outflow over the domain's boundary per area of each cell [m s-1, or m h-1 where the roughness is in hours].

    A cell drains over each of its edges that bound the active cells where the ground falls that way: to the west and
    south where its own slope is positive, to the east and north where it is negative. With ponded depth H, the flow
    per width of such an edge is |s| / (n sqrt(max(|S|, 1e-5))) H^(5/3), |S| = sqrt(sx^2 + sy^2).

    Parameters
    ----------
    depth : ndarray, shape (ny, nx)
        Ponded depth [m]; negative values and NaN outside `mask` mean none.
    slope_x, slope_y : ndarray, shape (ny, nx)
        Slopes [-], positive where the ground rises to the east and north.
    manning : ndarray, shape (ny, nx)
        Manning's roughness [s m-1/3].
    dx, dy : float
        Size of a cell [m].
    mask : ndarray of bool, shape (ny, nx)
        Active cells.

    Returns
    -------
    ndarray, shape (ny, nx)
        Outflow; NaN in inactive cells.
    """
    outside = ~np.pad(mask, 1, constant_values=False)
    west, east = outside[1:-1, :-2], outside[1:-1, 2:]
    south, north = outside[:-2, 1:-1], outside[2:, 1:-1]
    over_x = (west & (slope_x > 0.0)) | (east & (slope_x < 0.0))
    over_y = (south & (slope_y > 0.0)) | (north & (slope_y < 0.0))
    fall = np.where(over_x, np.abs(slope_x) / dx, 0.0) + np.where(over_y, np.abs(slope_y) / dy, 0.0)
    outflow = np.full(mask.shape, np.nan)
    steepness = np.maximum(np.hypot(slope_x[mask], slope_y[mask]), SMALLEST_SLOPE)
    outflow[mask] = fall[mask] / (manning[mask] * np.sqrt(steepness)) * np.maximum(depth[mask], 0.0) ** OVERLAND_POWER
    return outflow
