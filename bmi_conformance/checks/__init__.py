"""The checks: functions that take a `Subject` and raise `Fault`, or `NotApplicable` where there is nothing to check.

>>> from bmi_conformance.checks import Subject, run_all
>>> for result in run_all(Subject(MyModel, "config.yaml")):  # doctest: +SKIP
...     print(result.check, result.outcome.value, result.reason)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bmi_conformance.checks.grids import grid_coordinates, grid_sizes, grid_topology
from bmi_conformance.checks.lifecycle import (
    exact_times,
    independent_instances,
    interface,
    lifecycle,
    missing_configuration,
    reinitialisation,
    update_until,
)
from bmi_conformance.checks.physics import finite, possible_values
from bmi_conformance.checks.states import state_restore
from bmi_conformance.checks.values import copies, get_at_indices, pointers, set_at_indices, set_effect, set_get
from bmi_conformance.checks.variables import counts, known_units, sizes
from bmi_conformance.outcome import Fault, NotApplicable, Outcome, Result
from bmi_conformance.subject import Instance, Subject, load_class

__all__ = [
    "CHECKS",
    "Check",
    "Fault",
    "Instance",
    "NotApplicable",
    "Outcome",
    "Report",
    "Result",
    "Subject",
    "load_class",
    "run_all",
]

_ALIVE = ("interface", "lifecycle")
_READABLE = (*_ALIVE, "counts", "sizes")


@dataclass(frozen=True)
class Check:
    """A check and those that must pass before it can say anything."""

    function: Callable[[Subject], None]
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the check: that of its function."""
        return self.function.__name__

    @property
    def asks(self) -> str:
        """What the check asks of a component, in one sentence."""
        return (self.function.__doc__ or "").strip().splitlines()[0]


CHECKS = (
    Check(interface),
    Check(lifecycle, ("interface",)),
    Check(missing_configuration, _ALIVE),
    Check(counts, _ALIVE),
    Check(sizes, (*_ALIVE, "counts")),
    Check(known_units, (*_ALIVE, "counts")),
    Check(grid_sizes, (*_ALIVE, "counts")),
    Check(grid_coordinates, (*_ALIVE, "counts", "grid_sizes")),
    Check(grid_topology, (*_ALIVE, "counts", "grid_sizes")),
    Check(exact_times, _READABLE),
    Check(update_until, (*_READABLE, "exact_times")),
    Check(reinitialisation, _READABLE),
    Check(independent_instances, _READABLE),
    Check(finite, _READABLE),
    Check(possible_values, (*_READABLE, "known_units")),
    Check(pointers, _READABLE),
    Check(copies, _READABLE),
    Check(get_at_indices, _READABLE),
    Check(set_get, _READABLE),
    Check(set_at_indices, (*_READABLE, "set_get")),
    Check(set_effect, (*_READABLE, "set_get")),
    Check(state_restore, (*_READABLE, "independent_instances")),
)
"""All checks, in an order in which each stands after those that it needs."""


class Report:
    """Results of the checks of one subject, each check run once."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._results: dict[str, Result] = {}

    def result(self, name: str) -> Result:
        """Run a check, and before it those that it needs; raises `KeyError` for an unknown name."""
        if name not in self._results:
            self._results[name] = self._run(_BY_NAME[name])
        return self._results[name]

    def _run(self, check: Check) -> Result:
        for need in check.needs:
            if self.result(need).outcome is Outcome.FAILED:
                return Result(check.name, Outcome.SKIPPED, f"says nothing before the check {need} passes")
        try:
            check.function(self.subject)
        except NotApplicable as reason:
            return Result(check.name, Outcome.SKIPPED, str(reason))
        except Fault as fault:
            return Result(check.name, Outcome.FAILED, str(fault))
        except Exception as error:
            return Result(check.name, Outcome.FAILED, f"the component raises {type(error).__name__}: {error}")
        return Result(check.name, Outcome.PASSED)


_BY_NAME = {check.name: check for check in CHECKS}


def run_all(subject: Subject, checks: Iterable[Check] = CHECKS) -> list[Result]:
    """Run checks in their order and return their results."""
    report = Report(subject)
    return [report.result(check.name) for check in checks]
