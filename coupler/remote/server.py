"""Serve a BMI class with grpc4bmi: ``python -m coupler.remote.server package:Class --port 50051``.

Differs from grpc4bmi's own command in three points: it listens on this machine only unless a host is named, it answers
also for what components tell beside BMI (see `coupler.remote.beyond`), and it tells the client what kind of error a
call has met.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import click
import grpc
from grpc4bmi.bmi_grpc_server import BmiServer
from grpc4bmi.bmi_pb2_grpc import add_BmiServiceServicer_to_server

from bmi_common.errors import ConfigError
from coupler.component import Component
from coupler.remote import beyond
from coupler.remote.client import KIND, MISTAKES

_UNLIMITED = -1


class Servicer(BmiServer):  # type: ignore[misc]  # grpc4bmi has no types
    """grpc4bmi's calls of one component, with the kind of every error."""

    def exception_handler(self, exc: Exception, context: grpc.ServicerContext) -> NoReturn:
        """End the call with the error's message."""
        _abort(exc, context)


def _abort(error: Exception, context: grpc.ServicerContext) -> NoReturn:
    metadata: list[tuple[str, str | bytes]] = [(KIND, type(error).__name__)]
    if isinstance(error, ConfigError):
        metadata.append((MISTAKES, json.dumps([m.data() for m in error.mistakes], default=str).encode()))
    context.set_trailing_metadata(metadata)
    context.abort(grpc.StatusCode.INTERNAL, str(error))
    raise AssertionError  # abort raises


def serve(component: Any, address: str) -> tuple[grpc.Server, int]:
    """Serve `component` at ``host:port``; returns the server and its port, a free one for port 0.

    Raises
    ------
    RuntimeError
        If the address is in use.
    """

    def ask(request: bytes, context: grpc.ServicerContext) -> bytes:
        try:
            return beyond.answer(component, request)
        except Exception as error:
            _abort(error, context)

    # one worker: a component is not made for calls at the same time
    server = grpc.server(
        ThreadPoolExecutor(max_workers=1),
        options=[("grpc.max_receive_message_length", _UNLIMITED), ("grpc.max_send_message_length", _UNLIMITED)],
    )
    add_BmiServiceServicer_to_server(Servicer(component), server)
    method = grpc.unary_unary_rpc_method_handler(ask)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(beyond.SERVICE, {beyond.METHOD: method}),))
    port = server.add_insecure_port(address)
    server.start()
    return server, port


@click.command()
@click.argument("class_path", metavar="PACKAGE:CLASS")
@click.option("--port", default=0, show_default="a free one", help="Port to listen at.")
@click.option("--host", default="localhost", show_default=True, help="Address to listen at; the calls are not secured.")
@click.option("--child", is_flag=True, help="Print the port alone, and end with the standard input.")
def main(class_path: str, port: int, host: str, child: bool) -> None:
    """Serve a BMI class with grpc4bmi."""
    report = sys.stdout
    if child:  # what the component prints must not be taken for the port
        report = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        component = Component.load("component", class_path, key="component").bmi
        server, port = serve(component, f"{host}:{port}")
    except (ConfigError, RuntimeError) as error:
        raise click.ClickException(str(error)) from error
    print(port if child else f"{class_path} at {host}:{port}", file=report, flush=True)
    if child:
        sys.stdin.buffer.read()  # until the coupler closes it, or is gone
        server.stop(grace=None).wait()
        return
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        server.stop(grace=None).wait()


if __name__ == "__main__":
    main()
