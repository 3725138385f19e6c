"""The log of a run: on the screen, and in its folder."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console

from bmi_common.owned_folder import OwnedFolder
from bmi_common.terminal import Screen
from coupler.run_folder import LOG
from coupler.warning_log import log_warnings

log = logging.getLogger("rootzone")


class _Screen(logging.Handler):
    """Messages on the console of the progress bar, above the bar."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.DEBUG if isinstance(console, Screen) and console.verbose else logging.INFO)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print the bare message, warnings in yellow."""
        style = "yellow" if record.levelno >= logging.WARNING else ""
        self._console.print(record.getMessage(), style=style)


class _LogFile(logging.FileHandler):
    """The log file; on a full disk it loses messages, which must not take the place of what ends the run.

    Attributes
    ----------
    lost : OSError or None
        Why messages are missing.
    """

    lost: OSError | None = None

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # as logging has it
        """Keep why, instead of a traceback on the screen."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            self.lost = error
        else:
            super().handleError(record)

    def close(self) -> None:
        """Close the file."""
        try:
            super().close()
        except OSError as error:  # what was still to be written
            self.lost = error


@contextmanager
def on_screen(console: Console) -> Iterator[None]:
    """Show messages, such as of progress, on the console while something is done that has no log file."""
    handler, level, propagate = _Screen(console), log.level, log.propagate
    log.setLevel(logging.DEBUG)
    log.propagate = False
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagate


class OtherLogs(logging.Handler):
    """Warnings of a process other than the first, which that tells in the log of the run."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message."""
        self.messages.append(record.getMessage())

    def __enter__(self) -> OtherLogs:
        log.addHandler(self)
        log.propagate = False
        log_warnings()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        log.removeHandler(self)
        log.propagate = True


class RunLog:
    """Messages of a run, and what Python warns of, on the console and, once `open`, in the log of the run's folder."""

    def __init__(self, folder: OwnedFolder, console: Console) -> None:
        self._folder, self._console = folder, console
        self._handlers: list[logging.Handler] = []
        self._file: _LogFile | None = None
        self._before = log.level, log.propagate

    def open(self) -> None:
        """Begin, or go on with, the file."""
        self._folder.own(LOG)
        # resolved, because logging takes `..` away without a look at links
        to_file = self._file = _LogFile(self._folder.path.resolve() / LOG, encoding="utf-8")
        to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        self._handlers = [to_file, _Screen(self._console)]
        log.setLevel(logging.DEBUG)
        log.propagate = False
        for handler in self._handlers:
            log.addHandler(handler)
        log_warnings()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        log.setLevel(self._before[0])
        log.propagate = self._before[1]
        for handler in self._handlers:
            log.removeHandler(handler)
            handler.close()
        if self._file is not None and self._file.lost is not None:
            self._console.print(f"{self._folder.path / LOG} lacks messages: {self._file.lost}", style="yellow")
