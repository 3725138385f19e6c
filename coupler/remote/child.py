"""A component in a child process that the coupler starts, watches and stops."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections import deque
from datetime import timedelta
from pathlib import Path

from bmi_common.errors import ConfigError
from coupler.remote.client import RemoteBmi

log = logging.getLogger("rootzone")

_LAST_LINES = 15
_PATIENCE = 10.0  # s for a child to end by itself


class Child:
    """The process: started with this one's import path, and gone when this one is.

    Parameters
    ----------
    class_path : str
        ``package:Class``.
    limit : float
        How long [s] it may take to make the component.
    """

    def __init__(self, class_path: str, limit: float) -> None:
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "coupler.remote.server", class_path, "--child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is for the coupler, which may still need the child
        )
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        # a function, not a method: the thread must not keep this object alive
        self._listener = threading.Thread(target=_listen, args=(self._process, self._lines), daemon=True)
        self._listener.start()
        self.stop = weakref.finalize(self, _stop, self._process)
        self.port = self._wait_for_port(limit)

    def _wait_for_port(self, limit: float) -> int:
        late = threading.Timer(limit, self._process.kill)
        late.start()
        try:
            assert self._process.stdout is not None
            line = self._process.stdout.readline()
        finally:
            in_time = late.is_alive()
            late.cancel()
        if line:
            return int(line)
        if in_time:
            raise ChildProcessError(self.epitaph())
        raise ChildProcessError(f"it is not ready after {limit:g} s{self._last_words()}")

    def epitaph(self) -> str:
        """Say how the process has ended, with its last words."""
        try:
            code = self._process.wait(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            return f"process {self._process.pid} runs, but does not answer{self._last_words()}"
        how = f"ended with exit code {code}"
        if code < 0:
            with contextlib.suppress(ValueError):  # a signal that Python has no name for
                how = f"was ended by {signal.Signals(-code).name}"
        self._listener.join(timeout=_PATIENCE)  # what it wrote last may still be in the pipe
        return f"process {self._process.pid} {how}{self._last_words()}"

    def kill(self) -> str:
        """End the process, which hangs, and say so with its last words."""
        self._process.kill()
        self._process.wait()
        self._listener.join(timeout=_PATIENCE)
        return f"process {self._process.pid} was ended{self._last_words()}"

    def _last_words(self) -> str:
        if not self._lines:
            return "; it wrote nothing to stderr"
        return "; the last lines of its stderr:\n  " + "\n  ".join(self._lines)


def _listen(process: subprocess.Popen[bytes], lines: deque[str]) -> None:
    assert process.stderr is not None
    for raw in process.stderr:
        line = raw.decode(errors="replace").rstrip()
        lines.append(line)
        log.warning("process %d: %s", process.pid, line)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()  # which the child waits for
    try:
        process.wait(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class ChildBmi(RemoteBmi):
    """Component in a process of its own.

    Raises
    ------
    ConfigError
        If the process cannot make the component in time; with the last lines of its stderr.
    """

    def __init__(self, class_path: str, key: str, limit: float, timeout: timedelta | None = None) -> None:
        try:
            self._child = Child(class_path, limit)
        except (OSError, ChildProcessError) as error:
            raise ConfigError(
                f"{class_path} cannot be started in a process of its own: {error}", key=f"{key}.isolate"
            ) from error
        super().__init__(f"localhost:{self._child.port}", key, limit, timeout)

    @property
    def pid(self) -> int:
        """The process."""
        return self._child._process.pid

    def _gone(self) -> str:
        return self._child.epitaph()

    def _give_up(self) -> str:
        return f"give it more time, or look for what it waits for; {self._child.kill()}"

    def finalize(self) -> None:
        """Finalize the component and end its process."""
        try:
            super().finalize()
        finally:
            self._child.stop()
