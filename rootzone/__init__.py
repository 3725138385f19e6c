"""Coupled land and groundwater from Python: run, check, restart, evaluate and train, as the commands do.

What the functions need is imported when they are first used, so that ``import rootzone`` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bmi_common.errors import ConfigError as ConfigError
    from bmi_common.errors import RootzoneError as RootzoneError
    from coupler.errors import RunFailed as RunFailed
    from coupler.errors import RunInterrupted as RunInterrupted
    from rootzone.api import check as check
    from rootzone.api import evaluate as evaluate
    from rootzone.api import restart as restart
    from rootzone.api import run as run
    from rootzone.api import train as train
    from rootzone.results import RunResult as RunResult

_HOMES = {
    "ConfigError": "bmi_common.errors",
    "RootzoneError": "bmi_common.errors",
    "RunFailed": "coupler.errors",
    "RunInterrupted": "coupler.errors",
    "RunResult": "rootzone.results",
    **dict.fromkeys(("check", "evaluate", "restart", "run", "train"), "rootzone.api"),
}

__all__ = [
    "ConfigError",
    "RootzoneError",
    "RunFailed",
    "RunInterrupted",
    "RunResult",
    "check",
    "evaluate",
    "restart",
    "run",
    "train",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
