"""Interrupts that a library drops, as netCDF4 does with one that comes while it looks for errors."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any


@contextmanager
def interruptible() -> Iterator[None]:
    """Let an interrupt raise: a shell lets its background jobs ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def dropping(kind: int) -> None:
    """Drop what a signal raises."""
    with suppress(KeyboardInterrupt):
        signal.raise_signal(kind)


def dropping_within(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that does the same, and within which an interrupt is dropped."""

    def call(*arguments: Any, **options: Any) -> Any:
        dropping(signal.SIGINT)
        return function(*arguments, **options)

    return call
