"""Signs of trouble that need no reference: the water balance, and an ensemble that parts."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from coupler.component import Component
from coupler.error_control.config import EnsembleConfig, ResidualConfig
from coupler.error_control.deviation import QUANTITIES, Comparison, exceeded
from coupler.error_control.shadow import Shadow
from coupler.water_balance import Balance


class Residual:
    """The water balance residual of the last steps over the water turned over in them.

    Parameters
    ----------
    spec : ResidualConfig
        Limit and number of steps.
    step : timedelta
        Coupling step.
    """

    def __init__(self, spec: ResidualConfig, step: timedelta) -> None:
        self.spec = spec
        self._steps = spec.over // step
        self._last: deque[tuple[float, float, float]] = deque(maxlen=self._steps)
        self.raised = False

    def add(self, balance: Balance) -> float:
        """Take a step, and return the residual [-]; not a number before there are enough steps."""
        self._last.append((balance.residual, balance.turnover, balance.rounding))
        if len(self._last) < self._steps:
            return math.nan
        residual, turnover, rounding = (sum(part) for part in zip(*self._last, strict=True))
        if abs(residual) <= rounding:
            return 0.0
        found = abs(residual) / turnover if turnover > 0.0 else math.inf
        return math.inf if math.isnan(found) else found

    def is_new(self, found: float) -> bool:
        """Tell whether the limit is passed now and was not before."""
        above = found > self.spec.limit
        new = above and not self.raised
        self.raised = above
        return new

    def forget(self) -> None:
        """Begin anew."""
        self._last.clear()
        self.raised = False

    def state_dict(self) -> dict[str, Any]:
        """Return the last steps, as values that JSON can hold."""
        return {"last": [list(entry) for entry in self._last], "raised": self.raised}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self._last.extend(tuple(entry) for entry in state["last"])
        self.raised = bool(state["raised"])


class Ensemble:
    """Other weights that go along, and how far they are from the run.

    Parameters
    ----------
    spec : EnsembleConfig
        Limits.
    members : sequence of Shadow
        The others.
    comparison : Comparison
        For the run's grid.
    """

    def __init__(self, spec: EnsembleConfig, members: Sequence[Shadow], comparison: Comparison) -> None:
        self.spec = spec
        self.members = members
        self._comparison = comparison
        self.raised = False

    def spread(self, groundwater: Component) -> dict[str, float]:
        """Largest deviation of a member from the run, by quantity."""
        each = [self._comparison.of(member.component, groundwater) for member in self.members]
        return {name: max(found[name] for found in each) for name in QUANTITIES}

    def is_new(self, spread: dict[str, float]) -> bool:
        """Tell whether a limit is passed now and none was before."""
        above = bool(exceeded(spread, self.spec.limits))
        new = above and not self.raised
        self.raised = above
        return new
