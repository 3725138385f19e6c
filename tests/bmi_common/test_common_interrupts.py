"""Interrupts that only raise a flag."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import netCDF4
import pytest
from dropped_interrupts import dropping, interruptible

from bmi_common.interrupts import (
    deferred_interrupts,
    interrupts_kept,
    require_not_interrupted,
    signals_held,
    terminations_as_interrupts,
)
from bmi_common.netcdf_file import NetcdfFile


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


@pytest.fixture(name="interruptible")
def let_interrupts_raise() -> Iterator[None]:
    with interruptible():
        yield


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_that_a_library_has_dropped_is_raised_at_the_end_and_handlers_are_as_before(kind: int) -> None:
    before = signal.getsignal(kind)
    with pytest.raises(KeyboardInterrupt), terminations_as_interrupts(), interrupts_kept():
        dropping(kind)
    assert signal.getsignal(kind) == before
    require_not_interrupted()


@pytest.mark.usefixtures("interruptible")
def test_a_dropped_interrupt_is_raised_by_the_next_read_and_before_work_that_may_not_be_cut(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "depth.nc", "w") as data:
        data.createVariable("depth", "f8", ())[...] = 1.0
    file = NetcdfFile(tmp_path / "depth.nc")
    with interrupts_kept():
        dropping(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            file.read("depth")
        assert file.read("depth") == 1.0
        dropping(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), deferred_interrupts("stopping"):
            pytest.fail("the work has begun")


def test_a_handler_that_raises_nothing_stays_what_it_is() -> None:
    heard = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        with interrupts_kept():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert heard == [signal.SIGINT]


@pytest.mark.usefixtures("interruptible")
def test_signals_that_are_held_come_at_the_end() -> None:
    done = []

    def work() -> None:
        with signals_held():
            signal.raise_signal(signal.SIGINT)
            done.append("all")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all"]


@pytest.mark.usefixtures("interruptible")
def test_signals_are_held_where_another_thread_gets_them() -> None:
    """The kernel gives a signal of the process to any thread that lets it in; here there is one that does."""
    done, end = [], threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()

    def work() -> None:
        with signals_held():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
            done.append("all")

    try:
        with pytest.raises(KeyboardInterrupt):
            work()
    finally:
        end.set()
        thread.join()
    assert done == ["all"]
