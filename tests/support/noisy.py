"""A surrogate that has gone bad."""

import numpy as np

from bmi_common.groundwater import PRESSURE_HEAD
from bmi_surrogate import BmiSurrogate

NOISE = 0.02  # m


class NoisySurrogate(BmiSurrogate):
    """The structured surrogate, with noise on the head of every column in every hour."""

    component_name = "Noisy surrogate"

    def _start(self) -> None:
        super()._start()
        self._random = np.random.default_rng(7)

    def _update(self) -> None:
        super()._update()
        head = self.values[PRESSURE_HEAD].copy()
        self.set_value(PRESSURE_HEAD, head + NOISE * self._random.standard_normal(head.shape[1:]))
