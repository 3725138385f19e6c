"""Child processes of the blocks: start, step, watch, end."""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bmi_colm.library import worker
from bmi_colm.library.arguments import SYMBOL, Call
from bmi_colm.library.blocks import Block
from bmi_colm.library.directory import LOG_FILE, last_lines
from bmi_colm.library.shared import SharedArrays
from bmi_common.errors import ConfigError, ModelError

_PATIENCE = 10.0  # s for a process that has been asked to end


class BlockError(Exception):
    """A child ended, was silent for too long, or could not load the library; the message says how."""

    def __init__(self, member: LibraryProcess, how: str) -> None:
        super().__init__(how)
        self.member = member


class LibraryProcess:
    """A block's library in a process of its own.

    Parameters
    ----------
    block : Block
        The block.
    call : Call
        Constants of its calls.
    library : Path
        The block's own copy of the library.
    original : Path
        Where the copy comes from; libraries that it depends on are also looked for there.

    Attributes
    ----------
    arrays : dict of ndarray
        Arrays of the call, shared with the process.
    log : Path
        What the library prints.
    """

    def __init__(self, block: Block, call: Call, library: Path, original: Path) -> None:
        self.block = block
        self.log = library.parent / LOG_FILE
        outputs = call.output_shapes()
        shared = SharedArrays(call.input_shapes() | outputs)
        self.arrays = shared.arrays
        self.channel, theirs = socket.socketpair()
        try:
            with self.log.open("wb") as log:
                # the process is in a session of its own, so that Ctrl-C reaches the parent alone, which ends it
                self.process = subprocess.Popen(
                    [sys.executable, "-I", worker.__file__, str(theirs.fileno()), str(os.getpid())],
                    cwd=library.parent,
                    env=_environment(original.parent),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=(theirs.fileno(), shared.descriptor),
                    start_new_session=True,
                )
            self._received = b""
            arguments = [(kind, shared.offsets[str(v)] if kind == "array" else v) for kind, v in call.arguments()]
            self.send(
                {
                    "library": str(library),
                    "symbol": SYMBOL,
                    "memory": shared.descriptor,
                    "size": shared.size,
                    "outputs": (shared.offsets[next(iter(outputs))], shared.size),
                    "arguments": arguments,
                }
            )
        except BaseException:
            self.channel.close()
            raise
        finally:
            theirs.close()
            shared.close()

    def send(self, message: Mapping[str, Any]) -> None:
        """Tell the process something; that it has gone shows when its answer is read."""
        try:
            self.channel.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return

    def receive(self) -> dict[str, Any] | None:
        """Return the answer if all of it is there.

        Raises
        ------
        BlockError
            If the process has gone, or says that it could not load the library.
        """
        try:
            data = self.channel.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            raise BlockError(self, self._end_of_process())
        self._received += data
        if not self._received.endswith(b"\n"):
            return None
        answer: dict[str, Any] = json.loads(self._received)
        self._received = b""
        if "error" in answer:
            raise BlockError(self, answer["error"])
        return answer

    def _end_of_process(self) -> str:
        try:
            code = self.process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            return "closed its connection"
        if code >= 0:
            return f"ended with exit status {code}"
        try:
            return f"was ended by signal {-code} ({signal.Signals(-code).name})"
        except ValueError:
            return f"was ended by signal {-code}"


class LibraryProcesses:
    """All blocks, stepped side by side; if one fails, all are ended.

    Parameters
    ----------
    members : sequence of LibraryProcess
        The blocks' processes, which have just been started.
    library : Path
        The user's file, for messages.
    timeout : float
        Seconds after which a block that does not answer has failed.

    Raises
    ------
    ConfigError
        If the library cannot be loaded, or lacks the symbol.
    """

    def __init__(self, members: Sequence[LibraryProcess], library: Path, timeout: float) -> None:
        self.members = tuple(members)
        self._timeout = timeout
        # also when the owner is forgotten, or the interpreter ends
        self._kill = weakref.finalize(self, kill, self.members)
        try:
            self._wait_for_all()
        except BlockError as failure:
            self.end(at_once=True)
            raise ConfigError(
                f"library.file: {library} cannot be used: {failure}; needed is a shared library for this machine that "
                f"exports the C symbol {SYMBOL}"
            ) from None
        except BaseException:
            self.end(at_once=True)
            raise

    def step(self, number: int, time_reached: float, label: str) -> None:
        """Call the library in all blocks.

        Parameters
        ----------
        number : int
            Of the step, from 1.
        time_reached : float
            Time at the start of the step [h]; 0 initialises.
        label : str
            Component and calendar time, for messages.

        Raises
        ------
        ModelError
            If a process ends or does not answer in time; names the block and shows the end of its log.
        """
        for member in self.members:
            member.send({"step": number, "time": time_reached})
        try:
            self._wait_for_all()
        except BlockError as failure:
            self.end(at_once=True)
            member = failure.member
            raise ModelError(
                f"{label}: {member.block}: the library {failure} in step {number}; the end of its output "
                f"({member.log}):\n{last_lines(member.log)}"
            ) from None
        except BaseException:  # interrupted by the user
            self.end(at_once=True)
            raise

    def end(self, at_once: bool = False) -> None:
        """End all processes; they may close their files unless it is to be at once."""
        if not at_once and self._kill.alive:
            for member in self.members:
                member.send({"stop": True})
            until = time.monotonic() + _PATIENCE
            for member in self.members:
                try:
                    member.process.wait(max(0.0, until - time.monotonic()))
                except subprocess.TimeoutExpired:
                    continue  # killed below
        self._kill()

    def _wait_for_all(self) -> None:
        until = time.monotonic() + self._timeout
        with selectors.DefaultSelector() as selector:
            for member in self.members:
                selector.register(member.channel, selectors.EVENT_READ, member)
            while selector.get_map():
                ready = selector.select(max(0.0, until - time.monotonic()))
                if not ready:
                    silent = next(iter(selector.get_map().values())).data
                    raise BlockError(silent, f"did not return within {self._timeout:g} s (library.timeout)")
                for key, _ in ready:
                    if key.data.receive() is not None:
                        selector.unregister(key.fileobj)


def kill(members: Sequence[LibraryProcess]) -> None:
    """End processes whatever they are doing, and wait until they have."""
    for member in members:
        member.process.kill()
    for member in members:
        member.process.wait()
        member.channel.close()


def _environment(beside: Path) -> dict[str, str]:
    environment = dict(os.environ)
    variable = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    # the copy of the library does not find by its own path what lies beside the original
    environment[variable] = os.pathsep.join(filter(None, (environment.get(variable), str(beside.resolve()))))
    # what a Fortran program printed last matters most when it stops
    environment.setdefault("GFORTRAN_UNBUFFERED_PRECONNECTED", "y")
    return environment
