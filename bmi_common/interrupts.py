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


_dropped = False


def _kinds() -> list[signal.Signals]:
    """Signals that end work: the interrupt, the termination, and the end of the terminal where there is one."""
    return [kind for name in ("SIGINT", "SIGTERM", "SIGHUP") if (kind := getattr(signal, name, None)) is not None]


@contextmanager
def interrupts_kept() -> Iterator[None]:
    """Let no interrupt of the block get lost in a library that drops exceptions, as netCDF4 does within a read.

    What a handler of signals raises is raised again by `require_not_interrupted`, and at the end of the block, unless
    the block has ended by it. Handlers that raise nothing stay what they are.
    """
    global _dropped
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def keeping(handler: Callable[[int, FrameType | None], object]) -> Callable[[int, FrameType | None], None]:
        def keep(number: int, frame: FrameType | None) -> None:
            global _dropped
            try:
                handler(number, frame)
            except KeyboardInterrupt:
                _dropped = True
                raise

        return keep

    before = {kind: handler for kind in _kinds() if callable(handler := signal.getsignal(kind))}
    for kind, handler in before.items():
        signal.signal(kind, keeping(handler))
    _dropped = False
    try:
        yield
        require_not_interrupted()
    finally:
        _dropped = False
        for kind, handler in before.items():
            signal.signal(kind, handler)


def require_not_interrupted() -> None:
    """Raise the interrupt that a library has dropped within `interrupts_kept`, if there is one.

    Raises
    ------
    KeyboardInterrupt
        Once.
    """
    global _dropped
    if _dropped and threading.current_thread() is threading.main_thread():
        _dropped = False
        raise KeyboardInterrupt


@contextmanager
def signals_held() -> Iterator[None]:
    """Let interrupts and terminations wait for the end of the block; outside the main thread, none arrives anyway.

    A mask of signals would not do: threads of libraries are without it, and what one of them gets reaches Python, too.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        came.append(number)

    unheard = (None, signal.SIG_IGN)
    before = {kind: handler for kind in _kinds() if (handler := signal.getsignal(kind)) not in unheard}
    try:
        for kind in before:
            signal.signal(kind, hold)
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        for number in dict.fromkeys(came):
            signal.raise_signal(number)


@contextmanager
def terminations_as_interrupts() -> Iterator[None]:
    """Let a termination, or the end of the terminal, raise `KeyboardInterrupt`, so that locks and files are let go.

    Where somebody else handles these signals already, such as ``nohup``, or outside the main thread, nothing changes.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    here = threading.current_thread() is threading.main_thread()
    kinds = [kind for kind in _kinds() if kind != signal.SIGINT]
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
        require_not_interrupted()
        yield lambda: first is not None
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
