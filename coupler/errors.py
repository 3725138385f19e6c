"""How a run that stops early says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bmi_common.errors import ConfigError, RootzoneError
from coupler.component import ComponentError


class RunFailed(RootzoneError):  # noqa: N818  # reads better where it is raised and caught
    """A run stopped while computing; the message names time, component, variable and cell."""


class RunInterrupted(RootzoneError):  # noqa: N818
    """A run was asked to stop; the message says how it can go on."""


@contextmanager
def components_named() -> Iterator[None]:
    """Let the failure of a component that is not stepping end the run."""
    try:
        yield
    except (ComponentError, ConfigError) as error:
        raise RunFailed(str(error)) from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Let a failure to write `path` end the run."""
    # a full disk: the NetCDF library raises RuntimeError, the system OSError
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise RunFailed(f"{path}: cannot be written: {error}") from error
