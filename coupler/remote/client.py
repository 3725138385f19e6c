"""A component behind a gRPC server, as a BMI object whose failures are messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import grpc
import numpy as np
from bmipy import Bmi
from grpc4bmi.bmi_grpc_client import BmiClient
from grpc4bmi.bmi_pb2_grpc import BmiServiceStub
from numpy.typing import NDArray

from bmi_common.durations import describe
from bmi_common.errors import ConfigError, RootzoneError, together
from coupler.remote import beyond

KIND = "rootzone-error"
"""Metadata of a failed call: the class of the error, where the server tells."""
MISTAKES = "rootzone-mistakes-bin"
"""Metadata of a call that failed with a `ConfigError`: the data of its mistakes, in JSON."""
_LONGEST_METADATA = 1 << 20

_OWN = ("BmiStateError", "ModelError", "UnknownNameError")  # say all in their message
_SET_AT_ONCE = 200_000  # values with their indices stay below gRPC's 4 MiB a message
_UNLIMITED = -1
_FOREVER = 1.0e9  # s; gRPC takes some of the times beyond for the past
_BMI_NAMES = {name.replace("_", ""): name for name in dir(Bmi)}  # gRPC's are written getVarNBytes


class RemoteError(RootzoneError, RuntimeError):
    """A call to a component in another process failed."""


class RemoteBmi(BmiClient):  # type: ignore[misc]  # grpc4bmi has no types
    """Component of a server at ``host:port``.

    Where the server is one of this package's, the object has also what its component tells beside BMI (`beyond`).

    Parameters
    ----------
    address : str
        ``host:port``.
    key : str
        Where the component stands in ``coupled.yaml``, for messages.
    limit : float
        How long [s] the server may take to answer for the first time.
    timeout : timedelta, optional
        How long a call may take.

    Raises
    ------
    ConfigError
        If it does not answer.
    """

    def __init__(self, address: str, key: str, limit: float, timeout: timedelta | None = None) -> None:
        self.address = address
        self._key = key
        self._timeout = timeout
        self._given_up: str | None = None  # why, where a call took too long
        self._channel = grpc.insecure_channel(
            address,
            options=[
                ("grpc.max_receive_message_length", _UNLIMITED),
                ("grpc.max_send_message_length", _UNLIMITED),
                ("grpc.max_metadata_size", _LONGEST_METADATA),
                ("grpc.absolute_max_metadata_size", _LONGEST_METADATA),
            ],
        )
        try:
            grpc.channel_ready_future(self._channel).result(timeout=limit)
        except grpc.FutureTimeoutError:
            self._channel.close()
            raise ConfigError(
                f"no server answers at {address} within {limit:g} s; start it first, for example with "
                "python -m coupler.remote.server package:Class --port PORT",
                key=f"{key}.grpc",
            ) from None
        super().__init__(stub=_Calls(BmiServiceStub(self._channel), self._call))
        self._ask = self._channel.unary_unary(f"/{beyond.SERVICE}/{beyond.METHOD}")
        self._types: dict[str, str] = {}
        self._known = self._what_is_known(limit)

    def __del__(self) -> None:
        """Do nothing: the base class expects that `__init__` has been successful."""

    def __getattr__(self, name: str) -> Any:
        # only what the component has, so that the coupler sees what it would see in its own process
        if name == "_known" or name not in self._known:
            raise AttributeError(name)
        if name in beyond.FUNCTIONS:
            return partial(self._beyond, name)
        return self._beyond(name)

    def _what_is_known(self, limit: float) -> frozenset[str]:
        try:
            return frozenset(beyond.decoded(beyond.KNOWN, self._ask(beyond.question(beyond.KNOWN), timeout=limit)))
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:  # grpc4bmi's own server
                return frozenset()
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise ConfigError(
                    f"the server at {self.address} runs, but has not answered within {limit:g} s; "
                    "is it busy with another run, or does its component hang? start it anew",
                    key=f"{self._key}.grpc",
                ) from None
            raise self._explained(error) from None

    def _beyond(self, name: str, *arguments: Any) -> Any:
        return beyond.decoded(name, self._call(name, self._ask, beyond.question(name, *arguments)))

    def _call(self, function: str, method: Callable[..., Any], request: Any) -> Any:
        if self._given_up is not None:
            raise RemoteError(self._given_up)
        limit = None if self._timeout is None else min(self._timeout.total_seconds(), _FOREVER)
        try:
            return method(request, timeout=limit)
        except grpc.RpcError as error:
            if self._timeout is None or error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                raise self._explained(error) from None
            self._given_up = (
                f"{function} did not return within {describe(self._timeout)} ({self._key}.timeout); {self._give_up()}"
            )
            raise RemoteError(self._given_up) from None
        except ValueError as error:  # a closed channel
            raise RemoteError(str(error)) from None

    def _explained(self, error: grpc.RpcError) -> Exception:
        details = str(error.details())
        told = dict(error.trailing_metadata() or ())
        kind = told.get(KIND)
        if MISTAKES in told:
            return together(ConfigError(**mistake) for mistake in json.loads(told[MISTAKES]))
        if kind == NotImplementedError.__name__:
            return NotImplementedError(details)
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            return RemoteError(self._gone())
        return RemoteError(details if kind in (None, *_OWN) else f"{kind}: {details}")

    def _gone(self) -> str:
        return f"the server at {self.address} does not answer any more"

    def _give_up(self) -> str:
        """Do what is to be done about a component that hangs, and say what."""
        return f"give it more time, or start the server at {self.address} anew"

    def finalize(self) -> None:
        """Finalize the component, unless it hangs; the server stays."""
        if self._given_up is None:
            super().finalize()
        self._channel.close()

    def get_var_type(self, name: str) -> str:
        """Numpy name of the variable's type, asked for once."""
        if name not in self._types:
            self._types[name] = super().get_var_type(name)
        return self._types[name]

    def get_grid_shape(self, grid: int, shape: NDArray[np.int_]) -> NDArray[np.int_]:
        """Shape of the grid; `NotImplementedError` where the component has none."""
        try:
            found: NDArray[np.int_] = super().get_grid_shape(grid, shape)
        except RemoteError as error:  # grpc4bmi's server does not say why it failed
            raise NotImplementedError(str(error)) from error
        return found

    def set_value(self, name: str, values: NDArray[Any]) -> None:
        """Set a variable, in pieces where it would not fit into a message of grpc4bmi's server."""
        if values.size <= _SET_AT_ONCE or self._known:
            super().set_value(name, values)
            return
        for first in range(0, values.size, _SET_AT_ONCE):
            piece = np.arange(first, min(first + _SET_AT_ONCE, values.size))
            self.set_value_at_indices(name, piece, values[piece])


class _Calls:
    """Stub whose failures are errors of this package, which grpc4bmi's client lets through."""

    def __init__(self, stub: Any, call: Callable[[str, Callable[..., Any], Any], Any]) -> None:
        self._stub, self._call = stub, call

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        return partial(self._call, _BMI_NAMES.get(name.lower(), name), getattr(self._stub, name))
