"""Interrupts that only raise a flag."""

import signal
import threading
import time

import pytest

from bmi_common.interrupts import deferred_interrupts


def test_signals_of_torchrun_and_terminal_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one at once is the same; one much later acts as usual."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    # a shell lets its background jobs ignore the interrupt
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with deferred_interrupts("stopping") as interrupted:
            assert not interrupted()
            signal.raise_signal(signal.SIGINT)
            now += 0.5
            signal.raise_signal(signal.SIGINT)
            assert interrupted()
            now += 5.0
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    found = []

    def work() -> None:
        with deferred_interrupts("stopping") as interrupted:
            found.append(interrupted())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]
