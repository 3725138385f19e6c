"""Look at a shared library before it is loaded, because the loader's message on a foreign one misleads."""

from __future__ import annotations

import platform
import struct
import sys
from pathlib import Path

from bmi_common.errors import ConfigError

_MACHINES = {3: "i386", 21: "ppc64le", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}


def check_shared_library(path: Path) -> None:
    """Raise `ConfigError` if a file is no shared library, or one for another machine.

    Only ELF is looked into; elsewhere the loader has its say.
    """
    if not path.is_file():
        raise ConfigError(f"library.file: {path} is no file")
    with path.open("rb") as file:
        header = file.read(20)
    if sys.platform != "linux":
        return
    if len(header) < 20 or header[:4] != b"\x7fELF":
        raise ConfigError(f"library.file: {path} is no shared library")
    order = "<" if header[5] == 1 else ">"
    kind, machine = struct.unpack(f"{order}HH", header[16:20])
    if kind != 3:
        raise ConfigError(f"library.file: {path} is an object or program, no shared library (link it with -shared)")
    name = _MACHINES.get(machine, f"machine {machine}")
    if machine in _MACHINES and name != platform.machine():
        raise ConfigError(f"library.file: {path} is built for {name}, this machine is {platform.machine()}")
