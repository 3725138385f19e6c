"""A component behind a gRPC server, as a BMI object whose failures are messages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import numpy as np
from grpc4bmi.bmi_grpc_client import BmiClient
from grpc4bmi.bmi_pb2_grpc import BmiServiceStub
from numpy.typing import NDArray

from bmi_common.errors import ConfigError, RootzoneError
from coupler.remote import beyond

KIND = "rootzone-error"
"""Metadata of a failed call: the class of the error, where the server tells."""

_OWN = ("BmiStateError", "ModelError", "UnknownNameError")  # say all in their message
_SET_AT_ONCE = 200_000  # values with their indices stay below gRPC's 4 MiB a message
_UNLIMITED = -1


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
        Where it stands in ``coupled.yaml``, for messages.
    limit : float
        How long [s] the server may take to answer for the first time.

    Raises
    ------
    ConfigError
        If it does not.
    """

    def __init__(self, address: str, key: str, limit: float) -> None:
        self.address = address
        self._channel = grpc.insecure_channel(
            address,
            options=[("grpc.max_receive_message_length", _UNLIMITED), ("grpc.max_send_message_length", _UNLIMITED)],
        )
        try:
            grpc.channel_ready_future(self._channel).result(timeout=limit)
        except grpc.FutureTimeoutError:
            self._channel.close()
            raise ConfigError(
                f"{key}: no server answers at {address} within {limit:g} s; start it first, for example with "
                "python -m coupler.remote.server package:Class --port PORT"
            ) from None
        super().__init__(stub=_Calls(BmiServiceStub(self._channel), self._explained))
        ask = self._channel.unary_unary(f"/{beyond.SERVICE}/{beyond.METHOD}")
        self._ask: Callable[[bytes], bytes] = _guarded(ask, self._explained)
        self._types: dict[str, str] = {}
        try:
            known = ask(beyond.question(beyond.KNOWN))
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNIMPLEMENTED:
                raise self._explained(error) from None
            known = b"[]"
        self._known = frozenset(beyond.decoded(beyond.KNOWN, known))

    def __del__(self) -> None:
        """Do nothing: the base class expects that `__init__` has been successful."""

    def __getattr__(self, name: str) -> Any:
        # only what the component has, so that the coupler sees what it would see in its own process
        if name in ("_known", "_ask") or name not in self._known:
            raise AttributeError(name)
        if name in beyond.FUNCTIONS:
            return partial(self._beyond, name)
        return self._beyond(name)

    def _beyond(self, name: str, *arguments: Any) -> Any:
        return beyond.decoded(name, self._ask(beyond.question(name, *arguments)))

    def _explained(self, error: grpc.RpcError) -> Exception:
        details = str(error.details())
        kind = dict(error.trailing_metadata() or ()).get(KIND)
        if kind == ConfigError.__name__:
            return ConfigError(details)
        if kind == NotImplementedError.__name__:
            return NotImplementedError(details)
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            return RemoteError(self._gone())
        return RemoteError(details if kind in (None, *_OWN) else f"{kind}: {details}")

    def _gone(self) -> str:
        return f"the server at {self.address} does not answer any more"

    def finalize(self) -> None:
        """Finalize the component; the server stays."""
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

    def __init__(self, stub: Any, explain: Callable[[grpc.RpcError], Exception]) -> None:
        self._stub, self._explain = stub, explain

    def __getattr__(self, name: str) -> Callable[[Any], Any]:
        return _guarded(getattr(self._stub, name), self._explain)


def _guarded(call: Callable[[Any], Any], explain: Callable[[grpc.RpcError], Exception]) -> Callable[[Any], Any]:
    def guarded(request: Any) -> Any:
        try:
            return call(request)
        except grpc.RpcError as error:
            raise explain(error) from None
        except ValueError as error:  # a closed channel
            raise RemoteError(str(error)) from None

    return guarded
