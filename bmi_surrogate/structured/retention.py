"""Soil water retention in tensors: van Genuchten (1980) with Mualem (1976), and a coordinate in which heads add up.

The formulae are those of `bmi_common.van_genuchten`. The coordinate u of pressure head is linear where the soil is wet
and logarithmic where it is dry, u = h for h > -c and u = -c (1 + ln(-h / c)) below, with c = 0.5 / alpha: continuous
with its derivative, monotone, and of the same order of magnitude through a soil column.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_TINY = 1.0e-30
_LARGEST_EXPONENT = 690.0
"""Of an exponential that stays finite in double precision."""
DRIEST_HEAD = -1.0e4
"""Head [m] below which no layer goes: what a sink takes beyond is not there, and the balance shows it."""
KNEE = 0.5
"""c alpha: where the coordinate changes from linear to logarithmic."""


class Retention(NamedTuple):
    """Parameters of soil, all (layers, columns): alpha [m-1], n [-], residual and maximum saturation [-]."""

    alpha: Tensor
    n: Tensor
    residual: Tensor
    maximum: Tensor

    def saturation(self, head: Tensor) -> Tensor:
        """Saturation [-] at pressure heads [m]."""
        return self.saturation_and_capacity(head)[0]

    def saturation_and_capacity(self, head: Tensor) -> tuple[Tensor, Tensor]:
        """Saturation [-] and its derivative with respect to head [m-1]; where saturated, the maximum and 0."""
        dry = head < 0.0
        x = (-self.alpha * head).clamp(min=_TINY)
        power = torch.exp(self.n * torch.log(x))
        m = 1.0 - 1.0 / self.n
        span = (self.maximum - self.residual) * torch.exp(-m * torch.log1p(power))
        # d/dh of (1 + x^n)^-m, with x^(n-1) written as x^n / x
        dsat_dh = span * (self.n - 1.0) * self.alpha * power / (x * (1.0 + power))
        saturation = torch.where(dry, self.residual + span, self.maximum)
        return saturation, torch.where(dry, dsat_dh, torch.zeros_like(dsat_dh))

    def relative_permeability(self, head: Tensor) -> Tensor:
        """Relative permeability [-] at pressure heads [m]."""
        log_power = self.n * torch.log((-self.alpha * head).clamp(min=_TINY))
        m = 1.0 - 1.0 / self.n
        log_b = -m * torch.log1p(torch.exp(log_power))
        # x^(n-1) b = (1 + x^-n)^-m; expm1 keeps the digits of one minus it in dry soil
        emptied = -torch.expm1(-m * torch.log1p(torch.exp((-log_power).clamp(max=_LARGEST_EXPONENT))))
        return torch.where(head < 0.0, emptied * emptied * torch.exp(0.5 * log_b), torch.ones_like(head))

    def coordinate(self, head: Tensor) -> Tensor:
        """Coordinate u [m] of pressure heads [m]."""
        c = KNEE / self.alpha
        return torch.where(head > -c, head, -c * (1.0 + torch.log((-head / c).clamp(min=1.0))))

    def head(self, coordinate: Tensor) -> Tensor:
        """Pressure heads [m] of coordinates u [m], not below `DRIEST_HEAD`."""
        c = KNEE / self.alpha
        dry = -c * torch.exp((-coordinate / c - 1.0).clamp(min=0.0, max=_LARGEST_EXPONENT))
        return torch.where(coordinate > -c, coordinate, dry).clamp(min=DRIEST_HEAD)

    def stretch(self, coordinate: Tensor) -> Tensor:
        """dh/du [-] at coordinates u [m]; 0 where the head has reached `DRIEST_HEAD`."""
        growth = torch.exp((-coordinate * self.alpha / KNEE - 1.0).clamp(min=0.0, max=_LARGEST_EXPONENT))
        return torch.where(growth * KNEE < -DRIEST_HEAD * self.alpha, growth, torch.zeros_like(growth))
