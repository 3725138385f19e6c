"""Child processes: started in a session of their own, watched, and never left behind."""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import threading
import weakref
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Self

log = logging.getLogger("rootzone")

_LAST_LINES = 15  # of stderr that are kept
_PR_SET_PDEATHSIG = 1

Process = subprocess.Popen[bytes]


class ChildProcess:
    """A process that ends at the latest with this object, or with the interpreter.

    It runs in a session of its own, so that Ctrl-C reaches the parent alone, which still may need the child.

    Parameters
    ----------
    command : sequence of str
        Program and arguments.
    ending : sequence of callable
        What ends the process, tried one after the other; the last one cannot be refused.
    patience : float
        How long [s] each of them may take.
    log_file : Path, optional
        Receives what the process writes; its stdin is empty then. Without a file, stdin and stdout are pipes, and
        stderr goes to the log of the program, line by line.
    folder : Path, optional
        Working directory.
    environment : mapping, optional
        Variables beside those of this process, or in their place.
    descriptors : sequence of int
        Open files that the process inherits.
    ends_with_parent : bool
        Let the kernel send SIGTERM when the thread that starts the process dies (Linux): needed where the process
        does not watch a pipe from its parent.

    Attributes
    ----------
    stdout : file
        What it prints; only without `log_file`.

    Raises
    ------
    OSError
        If it cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        ending: Sequence[Callable[[Process], object]],
        patience: float,
        log_file: Path | None = None,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
        ends_with_parent: bool = False,
    ) -> None:
        with contextlib.nullcontext() if log_file is None else log_file.open("wb") as file:
            self._process = subprocess.Popen(
                list(command),
                cwd=folder,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.PIPE if file is None else subprocess.DEVNULL,
                stdout=subprocess.PIPE if file is None else file,
                stderr=subprocess.PIPE if file is None else subprocess.STDOUT,
                pass_fds=descriptors,
                start_new_session=True,
                preexec_fn=_end_with_parent if ends_with_parent and _prctl is not None else None,
            )
        self._end = partial(_end, self._process, ending, patience)
        self._finalizer = weakref.finalize(self, self._end)
        self._patience = patience
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        # a function, not a method: the thread must not keep this object alive
        self._listener = threading.Thread(target=_listen, args=(self._process, self._lines), daemon=True)
        if file is None:
            self._listener.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def stdout(self) -> IO[bytes]:
        """What it prints; only without a log file."""
        assert self._process.stdout is not None
        return self._process.stdout

    def wait(self, limit: float) -> int | None:
        """Return the exit code, negative for a signal; None if the process has not ended after `limit` [s]."""
        try:
            return self._process.wait(limit)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Kill the process, whatever it is doing."""
        self._process.kill()

    def end(self) -> None:
        """End the process; does nothing to one that has ended."""
        self._end()
        self._finalizer.detach()  # only now: it is to try again where this was interrupted

    def last_lines(self) -> list[str]:
        """Return what it wrote last to stderr; only without a log file."""
        if self._process.poll() is not None:
            self._listener.join(self._patience)  # some of it may still be in the pipe
        return list(self._lines)


def signal_name(code: int) -> str | None:
    """Name the signal that ended a process with this exit code; None if none did, or one without a name."""
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name if code < 0 else None
    return None


def close_stdin(process: Process) -> None:
    """Close the pipe to a process that ends when it does."""
    if process.stdin is not None:
        process.stdin.close()


def terminate_session(process: Process) -> None:
    """Ask a process and all that it has started in its session to end."""
    os.killpg(process.pid, signal.SIGTERM)


def kill_session(process: Process) -> None:
    """Kill a process and all that it has started in its session."""
    os.killpg(process.pid, signal.SIGKILL)


def _end(process: Process, ending: Sequence[Callable[[Process], object]], patience: float) -> None:
    for step in ending:
        if process.poll() is not None:
            return
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            step(process)
            process.wait(patience)


def _listen(process: Process, lines: deque[str]) -> None:
    assert process.stderr is not None
    for raw in process.stderr:
        line = raw.decode(errors="replace").rstrip()
        lines.append(line)
        log.warning("process %d: %s", process.pid, line)


_prctl: ctypes._NamedFuncPointer | None = None
with contextlib.suppress(OSError, AttributeError):  # only Linux has it; looked up before any fork
    _prctl = ctypes.CDLL(None).prctl


def _end_with_parent() -> None:
    # where Python itself is killed nothing in Python can end the child; the kernel does
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
