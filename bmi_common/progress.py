"""Progress of long work: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

Tell: TypeAlias = Callable[[int, int, str], None]
"""Is told how much is done, of how much, and of what; such as `Progress`."""

_LINE_EVERY = 30.0  # s

log = logging.getLogger("rootzone")


class Progress:
    """Tells how much is done and about how long the rest takes.

    Parameters
    ----------
    console : Console
        Where to.
    label : str
        What is done.
    """

    def __init__(self, console: Console, label: str) -> None:
        self._console, self.label = console, label
        self._bar: Bar | None = None
        self._row = TaskID(0)
        self._first: tuple[float, int] | None = None
        self._last_line = time.perf_counter()

    def __call__(self, done: int, total: int, words: str = "") -> None:
        """Show that `done` of `total` are done; the first call after `finish` starts anew."""
        now = time.perf_counter()
        if self._console.is_terminal:
            self._draw(done, total, words)
        elif self._first is not None and now - self._last_line >= _LINE_EVERY and done < total:
            self._last_line = now
            begin, before = self._first
            left = (now - begin) / max(done - before, 1) * (total - done)
            log.info("%s: %d of %d%s, about %s left", self.label, done, total, words and f", {words}", _clock(left))
        if self._first is None:
            self._first = (now, done)
        if done >= total:
            self.finish()

    def finish(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
        self._bar, self._first = None, None

    def _draw(self, done: int, total: int, words: str) -> None:
        if self._bar is None:
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[words]}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._bar.start()
            self._row = self._bar.add_task(self.label, total=total, words=words)
        self._bar.update(self._row, completed=done, total=total, words=words)


def _clock(seconds: float) -> timedelta:
    return timedelta(seconds=round(seconds))
