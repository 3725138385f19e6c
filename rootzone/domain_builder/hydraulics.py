"""Hydraulic parameters of the columns, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Hydraulics:
    """Parameters of active columns, each (nz, n), bottom layer first.

    Attributes
    ----------
    porosity, n, residual_saturation : ndarray
        [1].
    alpha : ndarray
        [m-1].
    conductivity, vertical_conductivity : ndarray
        Saturated, along and across the layers [m h-1].
    """

    porosity: Array
    alpha: Array
    n: Array
    residual_saturation: Array
    conductivity: Array
    vertical_conductivity: Array

    def where(self, here: Mask, other: Hydraulics) -> Hydraulics:
        """Take these parameters `here` (nz, n), and the others elsewhere."""
        return Hydraulics(
            **{f.name: np.where(here, getattr(self, f.name), getattr(other, f.name)) for f in fields(self)}
        )
