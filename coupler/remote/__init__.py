"""Components in other processes, through grpc4bmi: servers that run already, and children that the coupler starts."""

from __future__ import annotations

import os
from datetime import timedelta

from bmipy import Bmi

from bmi_common.errors import ConfigError

CONNECT_SECONDS = 10.0
"""How long a server may take to answer for the first time."""
START_SECONDS = 120.0
"""How long a child may take to import its component."""


def connect(address: str, key: str, timeout: timedelta | None = None) -> Bmi:
    """Reach the component of a running server.

    Parameters
    ----------
    address : str
        ``host:port``.
    key : str
        Where the component stands in ``coupled.yaml``.
    timeout : timedelta, optional
        How long a call may take.

    Raises
    ------
    ConfigError
        If nobody answers within `CONNECT_SECONDS`, or grpc4bmi is not installed.
    """
    _require_grpc4bmi(f"{key}.grpc")
    from coupler.remote.client import RemoteBmi

    return RemoteBmi(address, key, CONNECT_SECONDS, timeout)


def start(class_path: str, key: str, timeout: timedelta | None = None) -> Bmi:
    """Start a component in a child process.

    Parameters
    ----------
    class_path : str
        ``package:Class``.
    key : str
        Where the component stands in ``coupled.yaml``.
    timeout : timedelta, optional
        How long a call may take.

    Raises
    ------
    ConfigError
        If the child cannot make the component within `START_SECONDS`, or grpc4bmi is not installed.
    """
    _require_grpc4bmi(f"{key}.isolate")
    from coupler.remote.child import ChildBmi

    return ChildBmi(class_path, key, START_SECONDS, timeout)


def _require_grpc4bmi(key: str) -> None:
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # what gRPC says of connections that end is of no use to a user
    try:
        import grpc4bmi  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"needs grpc4bmi, which cannot be imported ({error}); pip install 'rootzone[grpc]'", key=key
        ) from error
