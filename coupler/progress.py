"""Progress of a long run: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_LINE_EVERY = 30.0  # s

log = logging.getLogger("rootzone")


class RunProgress:
    """Context that counts coupling steps and tells the model hours per second and the time that remains."""

    def __init__(self, label: str, steps: int, step: timedelta, console: Console) -> None:
        self._label = label
        self._steps = steps
        self._hours_per_step = step.total_seconds() / 3600.0
        self._console = console
        self._done = 0
        self._bar: Progress | None = None
        self._begin = self._last_line = time.perf_counter()

    def __enter__(self) -> Callable[[], None]:
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._bar.start()
            self._task = self._bar.add_task(self._label, total=self._steps, rate="")
        return self._advance

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _advance(self) -> None:
        self._done += 1
        now = time.perf_counter()
        rate = self._done * self._hours_per_step / max(now - self._begin, 1e-9)
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, rate=f"{rate:.1f} h/s")
        elif now - self._last_line >= _LINE_EVERY:
            self._last_line = now
            left = (now - self._begin) / self._done * (self._steps - self._done)
            log.info(
                "%s: step %d of %d, %.1f model hours/s, about %s left",
                self._label,
                self._done,
                self._steps,
                rate,
                timedelta(seconds=round(left)),
            )
