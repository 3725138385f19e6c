"""A window in which physics runs beside the surrogate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from coupler.error_control.config import AuditConfig
from coupler.error_control.deviation import QUANTITIES, exceeded, not_undercut


@dataclass(frozen=True)
class Verdict:
    """What a window has shown.

    Attributes
    ----------
    worst : dict
        Largest deviation of the window by quantity.
    above_threshold : dict
        Those of the worst deviations that pass their threshold.
    above_bound : dict
        Mean deviations that are neither below those of free drainage nor too small to matter, by quantity; empty
        without such a run.
    bound : dict
        Mean deviations of free drainage.
    """

    worst: dict[str, float]
    above_threshold: dict[str, float]
    above_bound: dict[str, float]
    bound: dict[str, float]

    @property
    def passed(self) -> bool:
        """Whether the surrogate can be trusted."""
        return not self.above_threshold and not self.above_bound


class Window:
    """Counts the steps of a window and keeps what it needs for the verdict.

    Parameters
    ----------
    spec : AuditConfig
        Length, distance and limits.
    step : timedelta
        Coupling step.
    """

    def __init__(self, spec: AuditConfig, step: timedelta) -> None:
        self._spec = spec
        self._every, self._length = spec.every // step, spec.window // step
        self._found: list[dict[str, float]] = []
        self._bound: list[dict[str, float]] = []
        self.open = False

    def is_due(self, done: int) -> bool:
        """Tell whether a window begins after `done` steps of the run."""
        return done % self._every == 0

    def begin(self) -> None:
        """Start with no steps."""
        self.open = True
        self._found, self._bound = [], []

    def add(self, found: dict[str, float], bound: dict[str, float] | None) -> Verdict | None:
        """Take the deviations of a step, and return the verdict when the window is over."""
        self._found.append(found)
        if bound is not None:
            self._bound.append(bound)
        if len(self._found) < self._length:
            return None
        self.open = False
        limits = self._spec.thresholds
        worst = {name: max(f[name] for f in self._found) for name in QUANTITIES}
        mean = {name: _mean([f[name] for f in self._found]) for name in limits}
        free = {name: _mean([b[name] for b in self._bound]) for name in limits} if self._bound else {}
        return Verdict(worst, exceeded(worst, limits), not_undercut(mean, free), free)

    def state_dict(self) -> dict[str, Any]:
        """Return the window under way, as values that JSON can hold."""
        return {"open": self.open, "found": self._found, "bound": self._bound}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.open = bool(state["open"])
        self._found, self._bound = list(state["found"]), list(state["bound"])


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
