"""Carry values from component to component as the plan says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array
from bmi_common.state_file import StateArray
from coupler.cells import gaps
from coupler.component import Component
from coupler.config import Endpoint, Method
from coupler.plan import Plan, PlannedExchange
from coupler.whole import whole, window


class Exchanger:
    """Steps components and hands values over, with memory of the steps that a source made.

    Parameters
    ----------
    plan : Plan
        Resolved exchanges.
    components : mapping
        Initialized components by name.
    limits : mapping
        Allowed range by ``(component, variable)``, in the component's units; all exchanged values must be finite.
    """

    def __init__(
        self,
        plan: Plan,
        components: Mapping[str, Component],
        limits: Mapping[tuple[str, str], tuple[float, float]],
    ) -> None:
        self._plan = plan
        self._components = components
        self._limits = limits
        planned = [x for incoming in plan.incoming.values() for x in incoming]
        self._accumulated: dict[tuple[str, str], Array] = {}
        self._summed = {
            (x.source.component, x.source.variable)
            for x in planned
            if x.method in (Method.MEAN, Method.SUM) and plan.substeps[x.source.component] > 1
        }
        self._previous: dict[Endpoint, Array] = {}  # by target
        for x in planned:
            if x.method is Method.LINEAR:
                self._previous[x.target] = np.array(self._values(x))
        self._guarded: dict[str, list[str]] = {name: [] for name in components}
        for component, variable in dict.fromkeys(
            [*((x.source.component, x.source.variable) for x in planned), *limits]
        ):
            self._guarded[component].append(variable)
        self._cells = {
            (name, variable): self._cells_of(name, variable)
            for name, found in self._guarded.items()
            for variable in found
        }

    def _cells_of(self, name: str, variable: str) -> NDArray[np.bool_] | None:
        """Cells in which a variable is guarded; None for all."""
        component, mask = self._components[name], self._plan.masks[name]
        if component.mask is not None:
            return component.cells_of(variable, mask)
        missing = gaps(component, variable)
        if missing is None or not missing.any():
            return mask
        return ~missing if mask is None or missing.shape[-2:] != mask.shape else ~missing & mask

    def step(
        self, name: str, start: float, length: float, after_each: Callable[[str, float], None] | None = None
    ) -> None:
        """Advance component `name` over a coupling step of `length` from `start` [s], in its own sub-steps.

        `after_each` is called with the component's name and the length [s] of each sub-step that it has made.

        Raises
        ------
        ComponentError
            If the component fails or gives values that are not finite or out of range.
        """
        component = self._components[name]
        incoming = self._plan.incoming[name]
        count = self._plan.substeps[name]
        summed = [v for c, v in self._summed if c == name]
        sums = {variable: np.zeros(component.shape(variable)) for variable in summed}
        for i in range(count):
            for x in incoming:
                if x.method is Method.LINEAR:
                    component.set(x.target.variable, self._between(x, (i + 1) / count))
                elif i == 0 or x.source.component == name or x.target.variable in component.inputs:
                    # inputs again before every sub-step, because a forcing holds for one only; states once
                    component.set(x.target.variable, self._values(x))
            component.advance(start + length * (i + 1) / count)
            for variable, total in sums.items():
                total += component.get(variable)
            if after_each is not None:
                after_each(name, length / count)
        self._accumulated.update({(name, variable): total for variable, total in sums.items()})
        for x in incoming:
            if x.method is Method.LINEAR:
                self._previous[x.target] = np.array(self._values(x))
        self.check(name)

    def check(self, name: str, variables: Iterable[str] | None = None) -> None:
        """Guard the values that the component makes for others and for files, or some of them."""
        component = self._components[name]
        for variable in self._guarded[name] if variables is None else variables:
            component.check_values(
                variable, component.get(variable), self._limits.get((name, variable)), self._cells[name, variable]
            )

    def state_dict(self) -> dict[str, StateArray]:
        """Return the sums over the sub-steps of the last step; all else follows from the components' values."""
        sums = {
            f"exchange_sum_{i}": (key, whole(self._components[key[0]].part, self._accumulated[key]))
            for i, key in enumerate(sorted(self._summed))
            if key in self._accumulated
        }
        return {
            name: StateArray(values, long_name="sum of " + ".".join(key))
            for name, (key, values) in sums.items()
            if values is not None
        }

    def load_state_dict(self, state: Mapping[str, Array]) -> None:
        """Go on from what `state_dict` gave."""
        for i, key in enumerate(sorted(self._summed)):
            name, part = f"exchange_sum_{i}", self._components[key[0]].part
            if name in state if part is None else part.world.shared(name in state):
                self._accumulated[key] = window(part, state.get(name))

    def _values(self, x: PlannedExchange) -> Array:
        """Return the values for the target, in its units, on its grid, and filled where that is wanted."""
        source = self._components[x.source.component]
        key = (x.source.component, x.source.variable)
        values = np.asarray(source.get(x.source.variable))
        if key in self._accumulated and x.method in (Method.MEAN, Method.SUM):
            values = self._accumulated[key]
            if x.method is Method.MEAN:
                values = values / self._plan.substeps[x.source.component]
        values = x.grid(values)
        if not x.conversion.is_identity:
            values = values * x.conversion.factor + x.conversion.offset
        if x.filling is not None:
            values = x.filling(values)
        if x.active is not None:
            source.check_values(x.source.variable, values, None, x.active)
        return values

    def _between(self, x: PlannedExchange, fraction: float) -> Array:
        old, new = self._previous[x.target], self._values(x)
        return old + (new - old) * fraction
