"""The property of all tests here: hostile input is accepted or refused in one clear message, and does nothing else.

What draws its inputs is marked ``fuzz`` and runs with `make fuzz`; what was found is in `test_found`, which always runs.
``ROOTZONE_FUZZ`` multiplies the number of inputs that are tried. With ``ROOTZONE_FUZZ_SURVEY=FILE`` findings are
written to that file, one a line, and the tests go on; the last lines count the inputs.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from bmi_common.errors import RootzoneError

SURVEY = os.environ.get("ROOTZONE_FUZZ_SURVEY") or None
MORE = float(os.environ.get("ROOTZONE_FUZZ", "1"))

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.symlink", "os.link", "os.truncate", "os.chmod")
_RUNS = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect")


_WITH_FOLDER = ("os.remove", "os.rmdir")


class HangError(Exception):
    """The input kept the program busy for too long."""


def tries(count: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Try `count` inputs, or as many times more as the environment says."""
    checks = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
    examples = settings(
        max_examples=max(int(count * MORE), 1), deadline=None, suppress_health_check=checks, database=None
    )
    return lambda test: pytest.mark.fuzz(examples(test))


def _with_folder(name: Any, descriptor: int) -> Any:
    return name if descriptor < 0 else Path(f"/proc/self/fd/{descriptor}").readlink() / os.fsdecode(name)


class _Watch:
    """What Python does while an input is judged; audit hooks cannot be removed, so that there is one for all."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.seen: list[str] = []
        self.own: list[str] = []  # temporary folders made meanwhile
        self.thread = 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None or threading.get_ident() != self.thread:
            return
        if event == "tempfile.mkdtemp":
            self.own.append(os.path.realpath(arguments[0]))
        elif event in _RUNS:
            self.seen.append(f"{event}{arguments}")
        elif event in _CHANGES:
            self._outside(event, _with_folder(*arguments) if event in _WITH_FOLDER else arguments[0])
        elif event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
            mode, flags = arguments[1], arguments[2]
            if (isinstance(mode, str) and set(mode) & set("wax+")) or (flags and flags & _WRITING):
                self._outside(event, arguments[0])

    def _outside(self, event: str, name: Any) -> None:
        assert self.folder is not None
        path = os.path.realpath(os.fsdecode(name))
        if not any(path == own or path.startswith(f"{own}{os.sep}") for own in (*self.own, str(self.folder), "/dev")):
            self.seen.append(f"{event} {path}")


_watch = _Watch()
sys.addaudithook(_watch)


@contextmanager
def _watched(folder: Path, seconds: float) -> Iterator[None]:
    def hang(signum: int, frame: object) -> None:
        raise HangError(f"more than {seconds:g} s")

    _watch.folder, _watch.seen, _watch.own, _watch.thread = folder.resolve(), [], [], threading.get_ident()
    before = signal.signal(signal.SIGALRM, hang)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
        _watch.folder = None


def judge(call: Callable[[], object], folder: Path, seconds: float = 20.0) -> str:
    """Let `call` take an input; returns its message, empty if the input was accepted.

    Raises
    ------
    AssertionError
        If it raises anything but an error of this project with a message, takes too long, runs a program, or changes
        a file outside `folder`.
    """
    try:
        return _judge(call, folder, seconds)
    except AssertionError as finding:
        if SURVEY is None:
            raise
        _note(finding)
        return "a finding"
    finally:
        _count.append(1)


_count: list[int] = []


def _note(finding: AssertionError) -> None:
    trace = traceback.extract_tb((finding.__cause__ or finding).__traceback__)
    own = [f"{Path(f.filename).name}:{f.lineno}" for f in trace if "site-packages" not in f.filename][-4:]
    assert SURVEY is not None
    with Path(SURVEY).open("a") as file:
        file.write(f"{' < '.join(reversed(own))}: {str(finding)[:300]!r}\n")


def _report() -> None:
    if SURVEY is not None:
        with Path(SURVEY).open("a") as file:
            file.write(f"inputs: {len(_count)}\n")


atexit.register(_report)


def _judge(call: Callable[[], object], folder: Path, seconds: float) -> str:
    message = ""
    with _watched(folder, seconds):
        try:
            call()
        except RootzoneError as error:
            message = str(error)
            assert message.strip(), "an error without a message"
            assert "Traceback" not in message
            assert len(message) < 20_000, f"a message of {len(message)} characters: {message[:200]}"
        except Exception as error:
            raise AssertionError(f"{type(error).__name__} instead of one clear error: {error}") from error
    assert not _watch.seen, f"side effects: {_watch.seen}"
    return message
