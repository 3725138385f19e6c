"""Interrupts that let work end at a good moment."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

log = logging.getLogger("rootzone")

_SAME_INTERRUPT = 1.0
"""Seconds within which a second signal counts as the first one: several processes may pass on the same."""


@contextmanager
def terminations_as_interrupts() -> Iterator[None]:
    """Let a termination, or the end of the terminal, raise `KeyboardInterrupt`, so that locks and files are let go.

    Where somebody else handles these signals already, such as ``nohup``, or outside the main thread, nothing changes.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    kinds = [kind for name in ("SIGTERM", "SIGHUP") if (kind := getattr(signal, name, None)) is not None]
    here = threading.current_thread() is threading.main_thread()
    mine = [kind for kind in kinds if here and signal.getsignal(kind) is signal.SIG_DFL]
    for kind in mine:
        signal.signal(kind, interrupt)
    try:
        yield
    finally:
        for kind in mine:
            signal.signal(kind, signal.SIG_DFL)


@contextmanager
def deferred_interrupts(notice: str) -> Iterator[Callable[[], bool]]:
    """Turn the first interrupt or termination into a flag; one that comes clearly later acts as usual.

    Outside the main thread, where Python handles no signals, the flag is never raised.

    Parameters
    ----------
    notice : str
        What to log when it comes.

    Yields
    ------
    callable
        Whether a signal has come.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    first: float | None = None

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal first
        if first is None:
            first = time.monotonic()
            log.info("%s", notice)
        elif time.monotonic() - first > _SAME_INTERRUPT:
            for kept, handler in before.items():
                signal.signal(kept, handler)
            signal.raise_signal(number)

    before = {kind: signal.signal(kind, ask) for kind in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: first is not None
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
