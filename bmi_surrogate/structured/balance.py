"""The water balance of columns as a function of a common shift of their layers."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from bmi_surrogate.structured.base import OVERLAND_POWER, outflow_slope
from bmi_surrogate.structured.medium import Medium
from bmi_surrogate.structured.retention import Retention

LEAST_SLOPE = 1.0e-6
"""Of a balance [-]; that of a dry column which has nothing more to give."""


class Soil(NamedTuple):
    """The part of a medium that the balance of some columns needs; see `Medium`."""

    dz: Tensor
    porosity: Tensor
    specific_storage: Tensor
    retention: Retention
    outflow: Tensor

    @classmethod
    def of(cls, medium: Medium) -> Soil:
        """Take all columns."""
        return cls(medium.dz, medium.porosity, medium.specific_storage, medium.retention, medium.outflow)

    def some(self, which: Tensor | slice) -> Soil:
        """Take some columns."""
        return Soil(
            self.dz,
            self.porosity[:, which],
            self.specific_storage[:, which],
            Retention(*(p[:, which] for p in self.retention)),
            self.outflow[which],
        )


def balance(soil: Soil, coordinate: Tensor, weights: Tensor, available: Tensor) -> tuple[Tensor, Tensor]:
    """Water that columns hold and give away beyond what is available [m], and its derivative by the shift [-].

    Parameters
    ----------
    soil : Soil
        Of the columns.
    coordinate, weights : Tensor, shape (layers, columns)
        Coordinate u [m], and its derivative by the shift.
    available : Tensor, shape (columns,)
        Water that the columns had and got [m].
    """
    retention = soil.retention
    head = retention.head(coordinate)
    saturation, slope = retention.wetness(head)
    ponded = head[-1].clamp(min=0.0)
    water = soil.dz * saturation * (soil.porosity + soil.specific_storage * head)
    excess = water.sum(dim=0) + ponded + soil.outflow * ponded**OVERLAND_POWER - available
    by_head = soil.dz * (slope * (soil.porosity + soil.specific_storage * head) + soil.specific_storage * saturation)
    spread = (head[-1] > 0.0).to(head.dtype) * (1.0 + outflow_slope(soil.outflow, ponded))
    growth = (by_head * retention.stretch(coordinate) * weights).sum(dim=0) + weights[-1] * spread
    return excess, growth.clamp(min=LEAST_SLOPE)
