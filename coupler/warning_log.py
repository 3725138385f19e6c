"""Warnings of components, which Python writes to stderr only, as messages of the run's log."""

from __future__ import annotations

import functools
import logging
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger("rootzone")


class _Collector:
    """Keeps warnings until the log is open, then logs them."""

    def __init__(self) -> None:
        self.kept: list[warnings.WarningMessage] = []
        self._to_log = False
        self._noticed: set[str] = set()

    def show(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: Any = None,
        line: str | None = None,
    ) -> None:
        """Take the place of `warnings.showwarning`."""
        self.kept.append(warnings.WarningMessage(message, category, filename, lineno, file, line))
        if self._to_log:
            self.release()

    def release(self) -> None:
        """Log what has been kept, and from now on every warning at once."""
        from bmi_common.errors import InputNotice  # imports slowly, with its package

        self._to_log = True
        for w in self.kept:
            # land and groundwater read the same domain
            if issubclass(w.category, InputNotice) and str(w.message) in self._noticed:
                continue
            self._noticed.add(str(w.message))
            log.warning("%s: %s", w.category.__name__, w.message)
        self.kept.clear()


_collectors: list[_Collector] = []


def keeping_warnings(command: Callable[P, R]) -> Callable[P, R]:
    """Let `command` keep Python warnings until its run's log is open, see `log_warnings`.

    What is left when the command ends, because no log was opened, is written as Python would have written it.
    """

    @functools.wraps(command)
    def keeping(*args: P.args, **kwargs: P.kwargs) -> R:
        collector = _Collector()
        _collectors.append(collector)
        try:
            with warnings.catch_warnings():
                warnings.showwarning = collector.show
                return command(*args, **kwargs)
        finally:
            _collectors.remove(collector)
            for w in collector.kept:
                warnings.showwarning(w.message, w.category, w.filename, w.lineno, w.file, w.line)

    return keeping


def forget_warnings() -> None:
    """Let go of the warnings that a command has kept; another process of the run tells them."""
    if _collectors:
        _collectors[-1].kept.clear()


def log_warnings() -> None:
    """Write the warnings that a command has kept, and all that follow, into the log of the run."""
    if _collectors:
        _collectors[-1].release()
