"""A component in a child process that the coupler starts, watches and stops."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

from bmi_common.errors import ConfigError
from bmi_common.subprocesses import ChildProcess, close_stdin, signal_name
from coupler.remote.client import RemoteBmi

_PATIENCE = 10.0  # s for a child to end by itself


class ChildBmi(RemoteBmi):
    """Component in a process of its own, which is started with this one's import path, and gone when this one is.

    Parameters
    ----------
    class_path : str
        ``package:Class``.
    key : str
        Where the component stands in ``coupled.yaml``, for messages.
    limit : float
        How long [s] it may take to make the component.
    timeout : timedelta, optional
        How long a call may take.

    Raises
    ------
    ConfigError
        If the process cannot make the component in time; with the last lines of its stderr.
    """

    def __init__(self, class_path: str, key: str, limit: float, timeout: timedelta | None = None) -> None:
        try:
            self._process = ChildProcess(
                [sys.executable, "-P", "-m", "coupler.remote.server", class_path, "--child"],
                ending=(close_stdin, subprocess.Popen.kill),
                patience=_PATIENCE,
                environment={"PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)},
            )
            port = _wait_for_port(self._process, limit)
        except (OSError, ChildProcessError) as error:
            raise ConfigError(
                f"{class_path} cannot be started in a process of its own: {error}", key=f"{key}.isolate"
            ) from error
        super().__init__(f"localhost:{port}", key, limit, timeout)

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def _gone(self) -> str:
        return _obituary(self._process)

    def _give_up(self) -> str:
        self._process.kill()
        self._process.wait(_PATIENCE)
        ended = f"process {self.pid} was ended{_last_words(self._process)}"
        return f"give it more time, or look for what it waits for; {ended}"

    def finalize(self) -> None:
        """Finalize the component and end its process."""
        try:
            super().finalize()
        finally:
            self._process.end()


def _wait_for_port(process: ChildProcess, limit: float) -> int:
    late = threading.Timer(limit, process.kill)
    late.start()
    try:
        line = process.stdout.readline()
    finally:
        in_time = late.is_alive()
        late.cancel()
    if line:
        return int(line)
    if in_time:
        raise ChildProcessError(_obituary(process))
    raise ChildProcessError(f"it is not ready after {limit:g} s{_last_words(process)}")


def _obituary(process: ChildProcess) -> str:
    """Say how a process has ended, with its last words."""
    code = process.wait(_PATIENCE)
    if code is None:
        how = "runs, but does not answer"
    else:
        name = signal_name(code)
        how = f"ended with exit code {code}" if name is None else f"was ended by {name}"
    return f"process {process.pid} {how}{_last_words(process)}"


def _last_words(process: ChildProcess) -> str:
    lines = process.last_lines()
    if not lines:
        return "; it wrote nothing to stderr"
    return "; the last lines of its stderr:\n  " + "\n  ".join(lines)
