"""Optimiser, and the course of its learning rate and momentum as pure functions of the iteration.

Nothing here has a state: a training that is resumed at an iteration goes on as if it had never stopped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import nn

from bmi_common import Config

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Decay = Annotated[float, Field(ge=0, lt=1)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class ScheduleConfig(Config):
    """Course of the learning rate, and of beta1 against it. The defaults are the published ones.

    Attributes
    ----------
    shape : {"one_cycle", "cosine", "constant"}
        ``"one_cycle"``: up from the start to the peak and down to the end, both along half a cosine (Smith and Topin
        2019); ``"cosine"``: down only, from the peak; ``"constant"``: the peak throughout.
    rate : float
        Learning rate at the peak.
    start, end : float
        Learning rate at the first and the last iteration, as fractions of the peak.
    warm_up : float
        Fraction of the iterations that lead up to the peak.
    beta1 : tuple of float or None
        Momentum of AdamW at the peak and away from it: it moves against the learning rate. None leaves the
        optimiser's own alone.
    """

    shape: Literal["one_cycle", "cosine", "constant"] = "one_cycle"
    rate: Positive = 2.0e-3
    start: Annotated[float, Field(gt=0, le=1)] = 0.2
    end: Fraction = 0.04
    warm_up: Fraction = 0.3
    beta1: tuple[Decay, Decay] | None = (0.85, 0.95)

    def learning_rate(self, iteration: int, iterations: int) -> float:
        """Learning rate of an iteration, the first of which is 0, of so many."""
        start, end = self.rate * self.start, self.rate * self.end
        return self._between(start, self.rate, end, iteration, iterations)

    def momentum(self, iteration: int, iterations: int) -> float | None:
        """beta1 of an iteration; None for the optimiser's own."""
        if self.beta1 is None:
            return None
        low, high = self.beta1
        return self._between(high, low, high, iteration, iterations)

    def _between(self, start: float, peak: float, end: float, iteration: int, iterations: int) -> float:
        if self.shape == "constant":
            return peak
        # the peak is the last iteration of the warm-up, as in PyTorch's OneCycleLR
        top = max(0.0, self.warm_up * iterations - 1.0) if self.shape == "one_cycle" else 0.0
        if iteration < top:
            return _half_cosine(start, peak, iteration / top)
        down = iterations - 1.0 - top
        return _half_cosine(peak, end, min(1.0, (iteration - top) / down)) if down > 0.0 else peak


class OptimiserConfig(Config):
    """AdamW (Loshchilov and Hutter 2019) and what is done to gradients and weights around it.

    Attributes
    ----------
    betas : tuple of float
        Decay of the means of gradients and of their squares; the schedule may move the former.
    weight_decay : float
        Decay of the weights per unit of learning rate.
    clip_norm : float or None
        Largest norm of the gradient of all parameters together; None (published) for none.
    ema : float or None
        Decay of an exponential moving average of the weights, which is then what is validated and kept; None
        (published) for none.
    """

    betas: tuple[Decay, Decay] = (0.8, 0.95)
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    clip_norm: Positive | None = None
    ema: Annotated[float, Field(gt=0, lt=1)] | None = None
    schedule: ScheduleConfig = ScheduleConfig()

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.AdamW:
        """Make the optimiser; `adjust` sets its learning rate before every iteration."""
        return torch.optim.AdamW(parameters, lr=self.schedule.rate, betas=self.betas, weight_decay=self.weight_decay)

    def adjust(self, optimiser: torch.optim.Optimizer, iteration: int, iterations: int) -> None:
        """Set learning rate and beta1 for an iteration."""
        rate, beta1 = self.schedule.learning_rate(iteration, iterations), self.schedule.momentum(iteration, iterations)
        for group in optimiser.param_groups:
            group["lr"] = rate
            if beta1 is not None:
                group["betas"] = (beta1, group["betas"][1])


def _half_cosine(first: float, last: float, done: float) -> float:
    return last + 0.5 * (first - last) * (1.0 + math.cos(math.pi * done))
