"""Child processes of the blocks: start, step, watch, end."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bmi_colm.library import worker
from bmi_colm.library.arguments import SYMBOL, Call
from bmi_colm.library.blocks import Block
from bmi_colm.library.directory import LOG_FILE, last_lines
from bmi_colm.library.shared import SharedArrays
from bmi_common.errors import ConfigError, ModelError
from bmi_common.subprocesses import ChildProcess, signal_name

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
            self.process = ChildProcess(
                [sys.executable, "-I", worker.__file__, str(theirs.fileno()), str(os.getpid())],
                ending=(subprocess.Popen.kill,),
                patience=_PATIENCE,
                log_file=self.log,
                folder=library.parent,
                environment=_environment(original.parent),
                descriptors=(theirs.fileno(), shared.descriptor),
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
        code = self.process.wait(_PATIENCE)
        if code is None:
            return "closed its connection"
        if code >= 0:
            return f"ended with exit status {code}"
        name = signal_name(code)
        return f"was ended by signal {-code}" + ("" if name is None else f" ({name})")

    def end(self) -> None:
        """End the process at once, whatever it is doing."""
        self.process.end()
        self.channel.close()


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
        if not at_once:
            for member in self.members:
                member.send({"stop": True})
            until = time.monotonic() + _PATIENCE
            for member in self.members:
                member.process.wait(max(0.0, until - time.monotonic()))
        for member in self.members:
            member.end()

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


def _environment(beside: Path) -> dict[str, str]:
    variable = "DYLD_LIBRARY_PATH" if sys.platform == "darwin" else "LD_LIBRARY_PATH"
    # the copy of the library does not find by its own path what lies beside the original
    paths = os.pathsep.join(filter(None, (os.environ.get(variable), str(beside.resolve()))))
    # what a Fortran program printed last matters most when it stops
    unbuffered = os.environ.get("GFORTRAN_UNBUFFERED_PRECONNECTED", "y")
    return {variable: paths, "GFORTRAN_UNBUFFERED_PRECONNECTED": unbuffered}
