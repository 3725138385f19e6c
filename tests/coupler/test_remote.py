"""Components in other processes: by grpc4bmi over loopback, and in children of the coupler."""

from __future__ import annotations

import gc
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from listening import listen

pytest.importorskip("grpc4bmi", reason="grpc4bmi is not installed")

import grpc
import zoo
from click.testing import CliRunner
from grpc4bmi.bmi_grpc_server import BmiServer
from grpc4bmi.bmi_pb2_grpc import add_BmiServiceServicer_to_server

from bmi_common.errors import ConfigError
from coupler import remote
from coupler.component import Component, ComponentError
from coupler.component_config import ComponentConfig, ComponentFile
from coupler.remote import beyond
from coupler.remote.client import RemoteBmi, RemoteError
from coupler.remote.server import serve
from rootzone.bmi_run import main

pytestmark = pytest.mark.slow

DISCHARGE = "channel_water_x-section__volume_flow_rate"
HEAD = "soil_water__pressure_head"
SOURCE = "soil_root-zone_water__net_volume_flux"


@contextmanager
def served(component: object) -> Iterator[str]:
    """Serve a component as `coupler.remote.server` does; the address."""
    server, port = serve(component, "localhost:0")
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(None).wait()


@contextmanager
def served_plainly(component: object) -> Iterator[str]:
    """Serve a component as grpc4bmi alone does; the address."""
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    add_BmiServiceServicer_to_server(BmiServer(component), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(None).wait()


@contextmanager
def let_go() -> Iterator[None]:
    """End the hanging of components in this process afterwards."""
    try:
        yield
    finally:
        zoo.HangingBucket.let_go.set()
        zoo.HangingBucket.let_go = threading.Event()


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False


def wait_for_end(pid: int, seconds: float = 10.0) -> bool:
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(pid)


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="this system has no /proc")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("localhost", 0))
        return int(s.getsockname()[1])


def same(a: xr.Dataset, b: xr.Dataset) -> None:
    """Compare two outputs bit by bit."""
    assert set(a.variables) == set(b.variables)
    for name in a.variables:
        np.testing.assert_array_equal(a[name].values, b[name].values, err_msg=str(name))


@pytest.mark.parametrize("server", [served, served_plainly])
def test_a_served_component_gives_the_numbers_of_one_in_the_process(fake, server) -> None:
    fake.succeeds()
    expected = fake.open()
    with server(zoo.Bucket()) as address:
        fake.run["components"]["groundwater"] = {"grpc": address, "config": "groundwater.yaml"}
        fake.succeeds("--overwrite")
        same(fake.open(), expected)
        fake.succeeds("--overwrite")  # the server is still there
        same(fake.open(), expected)


def test_isolated_components_give_the_numbers_of_those_in_the_process(fake) -> None:
    fake.succeeds()
    expected = fake.open()
    for component in fake.run["components"].values():
        component.update(isolate=True, timeout="10min")
    fake.succeeds("--overwrite")
    same(fake.open(), expected)
    assert "zoo:Bucket, process of its own" in fake.succeeds("--check").output


def test_cells_that_take_no_part_are_known_over_the_wire(fake) -> None:
    fake.land["mask"] = fake.groundwater["mask"] = 3
    fake.succeeds()
    expected = fake.open()
    for component in fake.run["components"].values():
        component["isolate"] = True
    fake.succeeds("--overwrite")
    same(fake.open(), expected)
    assert np.isnan(expected["soil_water__pressure_head"].values).any()


@pytest.mark.parametrize("first", [True, False])
def test_a_run_goes_on_in_a_child_and_out_of_it(fake, first: bool) -> None:
    fake.use("RememberingBucket")
    fake.run["checkpoint"] = {"every": "2h"}
    fake.succeeds()
    expected = fake.open()
    limit = {True: "10min", False: None}  # only calls to another process have one
    fake.run["components"]["groundwater"].update(isolate=first, timeout=limit[first])
    fake.succeeds("--overwrite", "--set", "time.end=2020-01-01T03:00")
    settings = (
        "time.end=2020-01-01T06:00",
        f"groundwater.isolate={not first}",
        f"groundwater.timeout={limit[not first] or ''}",
    )
    result = CliRunner().invoke(main, ["--restart", str(fake.output), *(a for s in settings for a in ("--set", s))])
    assert result.exit_code == 0, result.output
    same(fake.open(), expected)


def test_a_spin_up_starts_children_anew(fake) -> None:
    fake.run["spin_up"] = {"repeat": "3h", "max": 2}
    fake.succeeds()
    expected = fake.open()
    fake.run["components"]["groundwater"]["isolate"] = True
    fake.succeeds("--overwrite")
    same(fake.open(), expected)


def test_real_components_in_children_give_the_same_numbers(fake, tmp_path: Path) -> None:
    pytest.importorskip("model_metadata", reason="model_metadata is not installed")
    from pymt_cases import setup

    entries = {
        "land": {"class": "bmi_colm:BmiColm", "config": str(setup("Colm", tmp_path / "land"))},
        "groundwater": {"class": "bmi_richards:BmiRichards", "config": str(setup("Richards", tmp_path / "soil"))},
    }
    found = []
    for isolate in (False, True):
        fake.run["time"] = {"start": "2019-10-03T00:00", "end": "2019-10-03T06:00", "step": "1h"}
        fake.run["components"] = {name: {**entry, "isolate": isolate} for name, entry in entries.items()}
        fake.run["checks"] = {"water_balance": {"tolerance": 1.0e-6}}
        fake.run["output"][0]["variables"] = [f"land.{SOURCE}", f"groundwater.{HEAD}", f"groundwater.{DISCHARGE}"]
        fake.succeeds("--overwrite")
        found.append(fake.open())
    same(*found)
    assert any("outlet" in str(v.values) for v in found[1].variables.values())  # the gauge's name has come over


# ---------------------------------------------------------------- what the wire carries


def test_what_components_tell_beside_bmi_arrives_as_it_was(tmp_path: Path) -> None:
    config = tmp_path / "bucket.yaml"
    config.write_text("{nx: 4, ny: 3, layers: 11, mask: 2}")
    here = zoo.Bucket()
    here.initialize(str(config))
    with served(zoo.Bucket()) as address:
        there = RemoteBmi(address, "groundwater", 10.0)
        there.initialize(str(config))
        np.testing.assert_array_equal(there.mask, here.mask)
        assert there.mask.dtype == bool
        assert there.saves_state is True
        assert there.provenance == here.provenance
        assert there.grid_labels(0) == here.grid_labels(0) == ()
        for variable in here.variables:
            assert there.variable(variable.name) == variable
        for grid in (0, 1, 2, 3):
            a, b = Component("a", here).grid, Component("b", there).grid
            name = next(v.name for v in here.variables if v.grid == grid)
            assert str(a(name)) == str(b(name))
        with pytest.raises(AttributeError):
            there.no_such_thing  # noqa: B018
        with pytest.raises(NotImplementedError):
            there.get_value_ptr(HEAD)
        there.finalize()


def test_a_plain_server_has_bmi_and_nothing_else(tmp_path: Path) -> None:
    with served_plainly(zoo.Bucket()) as address:
        there = RemoteBmi(address, "groundwater", 10.0)
        for name in (*beyond.FUNCTIONS, *beyond.ATTRIBUTES):
            assert not hasattr(there, name), name
        component = Component("groundwater", there)
        assert component.mask is None
        assert not component.saves_state


def test_a_server_answers_for_named_things_only() -> None:
    for name in ("finalize", "__class__", "values", "_reset"):
        with pytest.raises(ValueError, match="nothing is known"):
            beyond.answer(zoo.Bucket(), beyond.question(name))


@pytest.mark.parametrize("server", [served, served_plainly])
def test_arrays_beyond_the_size_of_a_message_arrive(tmp_path: Path, server) -> None:
    config = tmp_path / "bucket.yaml"
    config.write_text("{nx: 300, ny: 200, layers: 11}")  # 5.3 MB; a message of grpc4bmi's server has 4
    random = np.random.default_rng(0)
    head, source = random.normal(size=(11, 200, 300)), random.normal(size=(10, 200, 300))
    with server(zoo.Bucket()) as address:
        component = Component("groundwater", RemoteBmi(address, "groundwater", 10.0))
        component.initialize(ComponentFile(config))
        component.set(HEAD, head)
        np.testing.assert_array_equal(component.get(HEAD), head)
        component.set(SOURCE, source)
        component.advance(3600.0)
        np.testing.assert_array_equal(component.get(HEAD)[1:], head[1:] + source)
        component.finalize()


def test_a_variable_is_fetched_once_between_changes(tmp_path: Path) -> None:
    config = tmp_path / "bucket.yaml"
    config.write_text("{nx: 4, ny: 3, layers: 11}")

    class Counting(zoo.PointerlessBucket):
        fetched = 0

        def get_value(self, name, dest):
            Counting.fetched += 1
            return super().get_value(name, dest)

    component = Component("groundwater", Counting())
    component.initialize(ComponentFile(config))
    for source in (0.0, 1.0):
        component.set(SOURCE, np.full((10, 3, 4), source))
        before = Counting.fetched
        for _ in range(3):
            assert component.get(HEAD)[-1, 0, 0] == -1.0
        assert Counting.fetched == before + 1
    component.save_state(tmp_path / "state.nc")
    component.advance(3600.0)
    assert component.get(HEAD)[-1, 0, 0] == 0.0
    component.load_state(tmp_path / "state.nc")
    assert component.get(HEAD)[-1, 0, 0] == -1.0
    component.finalize()


def test_copies_do_not_change_afterwards(tmp_path: Path) -> None:
    config = tmp_path / "bucket.yaml"
    config.write_text("{nx: 4, ny: 3, layers: 11}")
    with served(zoo.Bucket()) as address:
        component = Component("groundwater", RemoteBmi(address, "groundwater", 10.0))
        component.initialize(ComponentFile(config))
        before = component.get(HEAD)
        component.set(SOURCE, np.ones((10, 3, 4)))
        component.advance(3600.0)
        assert (before == -1.0).all()
        assert (component.get(HEAD)[1:] == 0.0).all()
        component.finalize()


# ---------------------------------------------------------------- mistakes and failures


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"class": None}, ("components.groundwater", "class: package:Class", "grpc: host:port")),
        ({"grpc": "localhost:1"}, ("components.groundwater", "either class or grpc")),
        ({"class": None, "grpc": "localhost"}, ("components.groundwater.grpc", "must be written as host:port")),
        ({"class": None, "grpc": "localhost:70000"}, ("components.groundwater.grpc", "host:port")),
        ({"class": None, "grpc": "localhost:1", "isolate": True}, ("components.groundwater", "isolate")),
        ({"timeout": "10min"}, ("components.groundwater", "timeout", "add isolate: true")),
        ({"isolate": True, "timeout": 10}, ("components.groundwater.timeout", "10 is not a length of time")),
        ({"class": "zoo:Buket", "isolate": True}, ("components.groundwater.isolate", "zoo:Buket cannot be started")),
    ],
)
def test_mistakes_in_the_run_s_file(fake, changes, words) -> None:
    entry = fake.run["components"]["groundwater"]
    entry.update(changes)
    fake.run["components"]["groundwater"] = {k: v for k, v in entry.items() if v is not None}
    fake.refuses(*words)


def test_a_server_that_is_not_there_is_named_with_the_time_waited(fake, monkeypatch) -> None:
    monkeypatch.setattr(remote, "CONNECT_SECONDS", 0.3)
    address = f"localhost:{free_port()}"
    fake.run["components"]["groundwater"] = {"grpc": address, "config": "groundwater.yaml"}
    fake.refuses("components.groundwater.grpc", f"no server answers at {address} within 0.3 s", "start it first")


def test_a_configuration_that_the_component_refuses(fake) -> None:
    fake.use("RefusingBucket").run["components"]["groundwater"]["isolate"] = True
    message = fake.refuses("groundwater: ", "not today")
    assert "RemoteError" not in message
    fake.use("CrashingBucket").refuses("groundwater: ", "cannot be initialized", "KeyError: 'nx'")


def test_mistakes_in_options_are_named_as_in_the_same_process(fake) -> None:
    (fake.folder / "head.txt").write_text("-2.5")
    fake.use("FileBucket", head_file="head.txt", tuning={"a": 1.0, "c": "few"})
    groundwater = fake.run["components"]["groundwater"]
    groundwater["options"] = {"tuning": {"a": "much", "b": "more"}}
    messages = []
    for isolate in (False, True):
        groundwater["isolate"] = isolate
        messages.append(fake.refuses("coupled.yaml:", "tuning.a: ", "tuning.b: ", "groundwater.yaml:", "tuning.c: "))
    assert messages[0] == messages[1]


def test_a_failing_step_is_told_as_in_the_same_process(fake) -> None:
    fake.use("FailingBucket", at=2)
    expected = fake.breaks("2020-01-01T02:00", "ZeroDivisionError", "the fake divides by zero")
    fake.run["components"]["groundwater"]["isolate"] = True
    assert fake.breaks("groundwater", arguments=("--overwrite",)) == expected


def test_a_child_that_dies_leaves_its_last_words(fake, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "mortal.py").write_text(MORTAL)
    monkeypatch.syspath_prepend(str(tmp_path))
    fake.run["components"]["groundwater"] = {
        "class": "mortal:Mortal",
        "isolate": True,
        "config": "groundwater.yaml",
        "options": {"at": 3},
    }
    result = fake("--output", str(fake.output))
    assert result.exit_code == 1
    assert "(hour 3): groundwater: " in result.output
    assert "was ended by SIGKILL; the last lines of its stderr:\n  farewell" in result.output
    assert fake.open().sizes["time"] == 3  # what was computed is there


MORTAL = """\
import os, signal, sys
import zoo

class Mortal(zoo.Bucket):
    def _update(self):
        if self.hour >= self.config["at"]:
            print("farewell", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        super()._update()
"""


def test_a_server_that_dies_is_named(fake, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "coupler.remote.server", "zoo:Bucket"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        text=True,
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().split(" at ")[1].strip()
        fake.write()
        component = Component.of("groundwater", ComponentConfig(grpc=address, config=tmp_path / "groundwater.yaml"))
        component.initialize(ComponentFile(tmp_path / "groundwater.yaml"))
        process.kill()
        process.wait()
        with pytest.raises(ComponentError, match=f"groundwater: the server at {address} does not answer any more"):
            component.advance(3600.0)
    finally:
        process.kill()
        process.wait()


def test_a_limit_beyond_all_clocks_is_none() -> None:
    with served(zoo.Bucket()) as address:
        bmi = remote.connect(address, "components.groundwater", timedelta.max)
        assert bmi.get_component_name() == "Fake groundwater"


LIMIT = "5s"
"""Long enough for every call that does not hang, on a busy machine, too."""


@needs_proc
def test_a_child_that_hangs_is_ended_at_its_limit(fake) -> None:
    fake.use("HangingBucket", at=3)
    fake.run["components"]["groundwater"].update(isolate=True, timeout=LIMIT)
    message = fake.breaks(
        "2020-01-01T03:00 (hour 3): groundwater: update did not return within 5s",
        "(components.groundwater.timeout); give it more time, or look for what it waits for; process ",
        "was ended; it wrote nothing to stderr",
    )
    assert not alive(int(re.search(r"process (\d+)", message)[1]))
    assert fake.open().sizes["time"] == 3


def test_a_call_to_a_server_that_hangs_is_given_up_at_its_limit(fake) -> None:
    fake.groundwater["at"] = 3
    with served(zoo.HangingBucket()) as address, let_go():
        fake.run["components"]["groundwater"] = {"grpc": address, "config": "groundwater.yaml", "timeout": LIMIT}
        fake.breaks("(hour 3): groundwater: update did not return within 5s", f"start the server at {address} anew")
    assert fake.open().sizes["time"] == 3


def test_a_component_that_hangs_while_it_initializes_is_given_up(fake) -> None:
    fake.use("HangingBucket").run["components"]["groundwater"].update(isolate=True, timeout=LIMIT)
    message = fake.refuses("groundwater: cannot be initialized", "initialize did not return within 5s")
    assert "RemoteError" not in message


def test_a_server_that_still_hangs_from_another_run_is_told_at_once(tmp_path: Path, monkeypatch) -> None:
    config = tmp_path / "bucket.yaml"
    config.write_text("{nx: 4, ny: 3, layers: 11, at: 0}")
    monkeypatch.setattr(remote, "CONNECT_SECONDS", 3.0)
    with served(zoo.HangingBucket()) as address, let_go():
        component = Component("groundwater", remote.connect(address, "components.groundwater", timedelta(seconds=3)))
        component.initialize(ComponentFile(config))
        component.set(SOURCE, np.zeros((10, 3, 4)))
        for _ in range(2):  # a component that was given up is not asked again
            with pytest.raises(ComponentError, match="groundwater: update did not return within 3s"):
                component.advance(3600.0)
        component.finalize()
        with pytest.raises(ConfigError, match=f"groundwater.grpc: the server at {address} runs, but has not ans"):
            remote.connect(address, "components.groundwater")


def test_a_module_that_hangs_on_import_is_given_up(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "sleepy.py").write_text("import sys, time\nprint('zzz', file=sys.stderr, flush=True)\ntime.sleep(60)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(remote, "START_SECONDS", 3.0)
    begin = time.perf_counter()
    with pytest.raises(ConfigError, match=r"components\.land\.isolate: sleepy:Land .* not ready after 3 s"):
        remote.start("sleepy:Land", "components.land")
    assert time.perf_counter() - begin < 15.0


def test_what_a_component_prints_does_not_disturb(fake, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "chatty.py").write_text("import zoo\nprint('12345')\nclass Chatty(zoo.Bucket):\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    fake.run["components"]["groundwater"] = {"class": "chatty:Chatty", "isolate": True, "config": "groundwater.yaml"}
    fake.succeeds()


def test_a_checkpoint_of_a_plain_server_is_refused(fake) -> None:
    fake.run["checkpoint"] = {"every": "2h"}
    with served_plainly(zoo.Bucket()) as address:
        fake.run["components"]["groundwater"] = {"grpc": address, "config": "groundwater.yaml"}
        fake.refuses("checkpoint: groundwater", "no save_state(path) and no load_state(path)")


# ---------------------------------------------------------------- processes


@needs_proc
def test_a_child_ends_with_its_component() -> None:
    bmi = remote.start("zoo:Bucket", "components.groundwater")
    assert alive(bmi.pid)  # type: ignore[attr-defined]
    bmi.finalize()
    assert wait_for_end(bmi.pid)  # type: ignore[attr-defined]


@needs_proc
def test_a_child_that_nobody_finalized_ends_with_its_owner() -> None:
    bmi = remote.start("zoo:Bucket", "components.groundwater")
    pid = bmi.pid  # type: ignore[attr-defined]
    del bmi
    gc.collect()
    assert wait_for_end(pid)


@needs_proc
def test_a_child_ends_when_the_coupler_is_killed(tmp_path: Path) -> None:
    script = "from coupler import remote\nb = remote.start('zoo:Bucket', 'x')\nprint(b.pid, flush=True)\ninput()\n"
    coupler = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert coupler.stdout is not None
    pid = int(coupler.stdout.readline())
    assert alive(pid)
    coupler.send_signal(signal.SIGKILL)
    coupler.wait()
    assert wait_for_end(pid)


def test_a_child_listens_on_this_machine_only() -> None:
    bmi = remote.start("zoo:Bucket", "components.groundwater")
    port = int(bmi.address.rsplit(":", 1)[1])  # type: ignore[attr-defined]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; tells the address of this machine in its network
        own = probe.getsockname()[0]
    with socket.socket() as s:
        s.settimeout(1.0)
        assert own.startswith("127.") or s.connect_ex((own, port)) != 0
    bmi.finalize()


def test_calls_after_the_end_are_errors(tmp_path: Path) -> None:
    bmi = remote.start("zoo:Bucket", "components.groundwater")
    bmi.finalize()
    with pytest.raises(RemoteError):
        bmi.update()


@pytest.mark.skipif(os.name != "posix", reason="needs groups of processes")
def test_ctrl_c_is_for_the_run_and_its_children_end_with_it(fake) -> None:
    fake.use("SlowBucket", sleep=0.2)
    fake.run["components"]["groundwater"]["isolate"] = True
    fake.run["time"]["end"] = "2020-01-03T00:00"
    fake.write()
    run = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from rootzone.bmi_run import main; main()",
            str(fake.yaml),
            "--output",
            str(fake.output),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=listen,
        start_new_session=True,
        text=True,
    )
    end = time.monotonic() + 60.0
    while not (fake.output / "hourly.nc").is_file() and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(1.0)
    os.killpg(run.pid, signal.SIGINT)
    output, _ = run.communicate(timeout=60.0)
    assert run.returncode > 0, output
    assert "bmi-run: interrupted" in output
    assert len(output.splitlines()) < 10, output
    assert "does not answer" not in output
    assert "Traceback" not in output
    with xr.open_dataset(fake.output / "hourly.nc") as data:
        assert data.sizes["time"] > 0
    children = [p for p in Path("/proc").glob("[0-9]*/cmdline") if b"coupler.remote.server" in _content(p)]
    assert not [p for p in children if b"zoo:SlowBucket" in _content(p)]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
