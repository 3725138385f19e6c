"""Devices, threads and compilers of PyTorch, as the configuration names them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from bmi_common import ConfigError
from bmi_common.errors import RootzoneError


def find_device(name: str) -> torch.device:
    """Return a device by name, ``"auto"`` for CUDA where there is one; raises `ConfigError` if it does not exist."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"device: {name!r} is not a device; use auto, cpu, cuda or cuda:N") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"device: {name} does not exist; this machine has {torch.cuda.device_count()} CUDA devices")
    return device


def require_compiler(device: torch.device) -> None:
    """Raise `ConfigError` if `torch.compile` would lack its C++ compiler."""
    if device.type == "cpu" and not any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))):
        raise ConfigError("compile: true needs a C++ compiler, and there is none (g++, clang++ or $CXX)")


@contextmanager
def compiling() -> Iterator[None]:
    """Let the failure of a first step, in which `torch.compile` does its work, be a `ConfigError`."""
    try:
        yield
    except RootzoneError:  # of another process
        raise
    except Exception as error:  # the compiler's own errors are of many kinds
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConfigError(f"compile: true: the step could not be compiled: {reason}") from error


@contextmanager
def using_threads(count: int | None) -> Iterator[None]:
    """Use `count` threads of PyTorch for a while: the number is the process's, and other components have theirs."""
    if count is None or count == torch.get_num_threads():
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
