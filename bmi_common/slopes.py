"""How the slope of the ground enters lateral groundwater flow on a terrain-following grid."""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class SlopeFormulation(Enum):
    """ParFlow's ``TerrainFollowingGrid.SlopeUpwindFormulation``: what stands for the slope at a face."""

    UPWIND = "upwind"
    """The slope of the western (southern) cell, as it is."""
    UPWIND_SINE = "upwind_sine"
    """Its sine, and the cosine on the gradient of the head."""
    ORIGINAL = "original"
    """The means of sine and cosine of both cells; ParFlow's default."""
    LEVEL = "level"
    """None: layers are level, as without ParFlow's ``TerrainFollowingGrid``; slopes drive overland flow only."""


PARFLOW_NAMES: Final = {
    "Upwind": SlopeFormulation.UPWIND,
    "UpwindSine": SlopeFormulation.UPWIND_SINE,
    "Original": SlopeFormulation.ORIGINAL,
}
"""Values of ParFlow's key."""


class FaceSlopes(NamedTuple):
    """Of the east, or the north, faces of all cells, (ny, nx) [-]: the gradient along a face is cosine * dh/dx - fall.

    Attributes
    ----------
    fall : ndarray
        Part of gravity along the layers, positive where the ground rises.
    cosine : ndarray
        Factor of the gradient of the pressure head.
    """

    fall: Floats
    cosine: Floats


def face_slopes(slope: Floats, formulation: SlopeFormulation, axis: int) -> FaceSlopes:
    """Slopes at the upper faces of the cells along an axis; g and c of equation (7) in docs/theory.md.

    Parameters
    ----------
    slope : ndarray, shape (..., ny, nx)
        Slope of the cells along the axis [-].
    formulation : SlopeFormulation
        What is taken of them.
    axis : int
        -1 for the east faces, -2 for the north faces. At the last cell, which has no upper neighbour, its own slope.
    """
    if formulation is SlopeFormulation.LEVEL:
        return FaceSlopes(np.zeros_like(slope), np.ones_like(slope))
    if formulation is SlopeFormulation.UPWIND:
        return FaceSlopes(slope, np.ones_like(slope))
    angle = np.arctan(slope)
    sine, cosine = np.sin(angle), np.cos(angle)
    if formulation is SlopeFormulation.ORIGINAL:
        sine, cosine = _with_next(sine, axis), _with_next(cosine, axis)
    return FaceSlopes(sine, cosine)


def _with_next(values: Floats, axis: int) -> Floats:
    """Mean with the next cell along an axis."""
    last = values.shape[axis] - 1
    following = np.take(values, np.minimum(np.arange(last + 1) + 1, last), axis=axis)
    return np.asarray(0.5 * (values + following))
