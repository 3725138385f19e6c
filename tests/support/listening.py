"""Processes that hear signals, also where the tests run in the background or under nohup, which make children deaf."""

import signal


def listen() -> None:
    """For `preexec_fn`: give the signals that end a program their usual meaning."""
    for kind in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(kind, signal.SIG_DFL)
