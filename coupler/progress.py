"""Progress of the steps of a run, in model hours."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType

from rich.console import Console

from bmi_common.progress import Progress


class RunProgress:
    """Context that counts coupling steps and tells the model hours per second and the time that remains."""

    def __init__(self, label: str, steps: int, step: timedelta, console: Console) -> None:
        self._progress = Progress(console, label)
        self._steps = steps
        self._hours_per_step = step / timedelta(hours=1)
        self._done = 0
        self._begin = time.perf_counter()

    def __enter__(self) -> Callable[[], None]:
        return self._advance

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.finish()

    def _advance(self) -> None:
        self._done += 1
        rate = self._done * self._hours_per_step / max(time.perf_counter() - self._begin, 1e-9)
        self._progress(self._done, self._steps, f"{rate:.1f} model hours/s")
