"""Child process of a block: loads a copy of the library and calls it when told.

Run as a script, with the standard library only, so that starting it is quick and nothing of the package is imported.
``worker.py DESCRIPTOR PARENT`` talks over a socket, one JSON object a line: first the job, then
``{"step": n, "time": t}`` for each call, answered by ``{"done": n}``, and ``{"stop": true}`` at the end. A closed
socket means that the parent has gone: the process then ends at once, even in the middle of a call. So it does when the
process `PARENT` is no longer its parent, because a copy of that process may hold the socket open.
"""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import select
import socket
import sys
from queue import SimpleQueue
from threading import Thread
from typing import Any

PARENT_GONE = 3
LOOK_UP = 5.0  # s


def listen(channel: socket.socket, parent: int, commands: SimpleQueue[dict[str, Any]]) -> None:
    """Queue what the parent says."""
    rest = b""
    while True:
        if not select.select([channel], [], [], LOOK_UP)[0]:
            if os.getppid() != parent:
                os._exit(PARENT_GONE)
            continue
        try:
            data = channel.recv(1 << 16)
        except OSError:
            data = b""
        if not data:
            os._exit(PARENT_GONE)  # the main thread may be in a call that does not return
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            commands.put(json.loads(line))


def main(descriptor: int, parent: int) -> None:
    """Serve one job."""
    channel = socket.socket(fileno=descriptor)
    commands: SimpleQueue[dict[str, Any]] = SimpleQueue()
    Thread(target=listen, args=(channel, parent, commands), daemon=True).start()

    def answer(**message: object) -> None:
        channel.sendall(json.dumps(message).encode() + b"\n")

    job = commands.get()
    memory = mmap.mmap(job["memory"], job["size"])
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    try:
        function = getattr(ctypes.CDLL(job["library"]), job["symbol"])
    except (OSError, AttributeError) as error:
        answer(error=str(error))
        return
    function.restype = None
    step, time = ctypes.c_int(), ctypes.c_double()
    arguments = [_argument(kind, value, base, step, time) for kind, value in job["arguments"]]
    first, end = job["outputs"]
    c_library = ctypes.CDLL(None)
    answer(loaded=True)
    while True:
        command = commands.get()
        if "stop" in command:
            return
        step.value, time.value = command["step"], command["time"]
        ctypes.memset(base + first, 0, end - first)  # the library fills only a part of its outputs
        function(*arguments)
        c_library.fflush(None)
        answer(done=command["step"])


def _argument(kind: str, value: Any, base: int, step: ctypes.c_int, time: ctypes.c_double) -> Any:
    match kind:
        case "array":
            return ctypes.c_void_p(base + value)
        case "int":
            return ctypes.c_int(value)
        case "double":
            return ctypes.c_double(value)
        case "text":
            return ctypes.c_char_p(value.encode())
        case "step":
            return step
        case "time":
            return time
    raise ValueError(kind)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
