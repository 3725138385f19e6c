"""What a check says of a component."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

T = TypeVar("T")


class Fault(AssertionError):  # noqa: N818  # of the component, and no error of this program
    """The component breaks what the check asks."""


class NotApplicable(Exception):  # noqa: N818  # no error: the reason why a check is skipped
    """The check has nothing to look at: the component leaves out what BMI lets it leave out."""


class Outcome(Enum):
    """What became of a check."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Result:
    """Outcome of one check, and why where it did not pass."""

    check: str
    outcome: Outcome
    reason: str = ""


def require(condition: object, message: str) -> None:
    """Raise `Fault` with the message unless the condition holds."""
    if not condition:
        raise Fault(message)


def optional(function: Callable[..., T], *arguments: object) -> T:
    """Call a BMI function that may be left out; raises `NotApplicable` where it is."""
    try:
        return function(*arguments)
    except NotImplementedError as error:
        name = getattr(function, "__name__", str(function))
        raise NotApplicable(f"{name} is not implemented" + (f": {error}" if str(error) else "")) from error


@contextmanager
def skipped_only_if_all(what: str) -> Iterator[Tally]:
    """Count what could be checked; raises `NotApplicable` at the end where nothing could."""
    tally = Tally()
    yield tally
    if not tally.done:
        raise NotApplicable("; ".join(dict.fromkeys(tally.reasons)) or f"the component has no {what}")


class Tally:
    """Number of things checked, and why others were not."""

    def __init__(self) -> None:
        self.done = 0
        self.reasons: list[str] = []

    @contextmanager
    def one(self) -> Iterator[None]:
        """Check one thing; what is not applicable to it is noted."""
        try:
            yield
        except NotApplicable as reason:
            self.reasons.append(str(reason))
        else:
            self.done += 1
