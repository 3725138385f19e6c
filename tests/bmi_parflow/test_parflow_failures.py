"""What goes wrong with an installation, a configuration or a call, and how it is said."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import parflow_cases
import pytest
from listening import listen

from bmi_common import BmiStateError, ConfigError, ModelError
from bmi_common import groundwater as names
from bmi_parflow import BmiParflow
from bmi_parflow.simulation import RUN_NAME

from .conftest import VARIABLE, Start, configuration, masked, rain

Write = Callable[[dict[str, Any]], str]

_SCRIPT = """\
import signal
import sys
from bmi_common import groundwater as names
from bmi_parflow import BmiParflow
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell lets its background jobs ignore it
model = BmiParflow()
model.initialize(sys.argv[1])
model.get_value_ptr(names.NET_SOURCE)[:] = 0.0
model.update()
"""


def broken_hour(model: BmiParflow, hours: int = 1) -> str:
    """Message of a failing update."""
    model.set_value(names.NET_SOURCE, rain(0.01))
    with pytest.raises(ModelError) as caught:
        model.update_until(model.get_current_time() + hours * 3600.0)
    with pytest.raises(BmiStateError, match="an earlier call failed"):
        model.update()
    return str(caught.value)


def good_hour(model: BmiParflow) -> None:
    model.set_value(names.NET_SOURCE, rain(0.0))
    model.update()


# ---------------------------------------------------------------------- a call that fails


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("exit", ["ended with exit code 3", "| Node 0: something is wrong with this machine"]),
        ("diverge", ["the nonlinear solver failed to converge", "MaxConvergenceFailures", "| Error: Time step failed"]),
        ("silent", ["left no result", "out.press.00002.pfb: no such file", "| Node 0: Problem solved"]),
        ("shape", ["out.press.00002.pfb with the shape (10, 4, 5), not (11, 4, 5)"]),
        ("nan", ["not finite"]),
        ("split", ["built to read files split by process"]),
    ],
)
def test_a_failure_names_the_hour_and_shows_the_last_lines(
    start: Start, double: parflow_cases.Double, behaviour: str, words: list[str]
) -> None:
    model = start()
    good_hour(model)
    double.behave(behaviour)
    message = broken_hour(model)
    assert "in hour 2." in message
    for word in words:
        assert word in message


def test_a_failure_in_several_hours_names_them(start: Start, double: parflow_cases.Double) -> None:
    double.behave("diverge")
    assert "in hours 1 to 5." in broken_hour(start(), hours=5)


def test_results_of_an_earlier_run_in_the_same_folder_are_not_taken_for_new_ones(
    start: Start, double: parflow_cases.Double, tmp_path: Path
) -> None:
    section = {"working_directory": str(tmp_path / "work"), "keep": True}
    first = start(**section)
    good_hour(first)
    first.finalize()
    double.behave("silent")
    assert "left no result" in broken_hour(start(**section))


def test_a_hung_process_is_ended_at_the_timeout(start: Start, double: parflow_cases.Double) -> None:
    double.behave("hang")
    begin = time.monotonic()
    message = broken_hour(start(timeout=0.7))
    assert time.monotonic() - begin < 10.0
    assert "took longer than 0.7 s" in message
    assert "| Node 0: Using process grid" in message
    assert gone(int((double.home / "pid").read_text()))


def test_files_of_a_failure_are_kept_for_a_look(start: Start, double: parflow_cases.Double) -> None:
    double.behave("exit")
    model = start()
    message = broken_hour(model)
    folder = Path(message.split("Its files are in ")[1].split("; ")[0])
    model.finalize()
    assert (folder / f"{RUN_NAME}.pfidb").is_file()
    assert (folder / f"{RUN_NAME}.out.txt").is_file()


@pytest.mark.parametrize("hours", [1, 3])
def test_a_cut_step_is_reported_and_the_balance_closes(
    start: Start, double: parflow_cases.Double, caplog: pytest.LogCaptureFixture, hours: int
) -> None:
    model, hourly = start(), start()
    for component, calls in ((model, [hours]), (hourly, [1] * hours)):
        double.behave("")
        component.set_value(names.NET_SOURCE, rain(0.05))
        component.update()
        double.behave("cut")
        for length in calls:
            before = component.values[names.STORAGE_VOLUME].copy()
            component.update_until(component.get_current_time() + length * 3600.0)
    where = "hour 2" if hours == 1 else "hours 2 to 4"
    assert f"ParFlow cut its step in {where}: {2 * hours} steps instead of {hours}" in caplog.text
    values = hourly.values
    gain = values[names.STORAGE_VOLUME] - before
    outflow = values[names.OUTFLOW_VOLUME]
    assert outflow > 0.0
    # rounding of the storage
    assert gain + outflow == pytest.approx(values[names.SOURCE_VOLUME].item(), abs=1e-13 * before.item())
    # the volumes are those of the last hour, however many were made at once
    for name in (names.OUTFLOW_VOLUME, names.SOURCE_VOLUME, names.RUNOFF):
        np.testing.assert_allclose(model.values[name], values[name], rtol=1e-6)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child of its parent's end")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_parflow_does_not_outlive_python(write: Write, double: parflow_cases.Double, how: signal.Signals) -> None:
    double.behave("hang")
    pid_file = double.home / "pid"
    command = [sys.executable, "-c", _SCRIPT, write(configuration())]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, preexec_fn=listen) as python:
        deadline = time.monotonic() + 60.0
        while not (pid_file.exists() and pid_file.read_text()):
            assert python.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        child = int(pid_file.read_text())
        assert not gone(child, wait=0.0)
        python.send_signal(how)
        python.wait(30.0)
    assert gone(child)


def gone(pid: int, wait: float = 10.0) -> bool:
    deadline = time.monotonic() + wait
    while True:
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            if state == "Z":
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)


# ---------------------------------------------------------------------- folders


def test_a_temporary_folder_is_made_with_the_first_step_and_removed_at_the_end(start: Start) -> None:
    model = start(masked())
    assert model._simulation.folder is None
    good_hour(model)
    folder = model._simulation.folder
    assert folder is not None
    assert folder.is_dir()
    model.finalize()
    assert not folder.exists()


def test_the_temporary_folder_goes_with_python_where_nobody_finalizes(
    write: Write, double: parflow_cases.Double, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch)}
    script = _SCRIPT + "assert model._simulation.folder.is_dir()\n"
    subprocess.run([sys.executable, "-c", script, write(configuration())], env=environment, check=True, timeout=60.0)
    assert len(double.calls) == 1
    assert not list(scratch.glob("parflow-*"))


def test_a_folder_of_the_user_keeps_what_else_is_in_it(start: Start, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "mine.pfb").write_text("not ours")
    model = start(masked(), working_directory=str(work))
    good_hour(model)
    model.finalize()
    assert [f.name for f in work.iterdir()] == ["mine.pfb"]


@pytest.mark.parametrize("name", ["porosity.pfb", f"{RUN_NAME}.out.press.00007.pfb", f"{RUN_NAME}.pfidb"])
def test_files_of_the_users_with_a_name_of_parflows_are_refused_and_stay(
    start: Start, tmp_path: Path, name: str
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / name).write_text("mine")
    model = start(working_directory=str(work))
    with pytest.raises(ConfigError, match=rf"working_directory: .*{name} would be replaced"):
        good_hour(model)
    model.finalize()
    assert {f.name: f.read_text() for f in work.iterdir()} == {name: "mine"}


def test_what_a_killed_run_has_left_is_no_obstacle(start: Start, tmp_path: Path) -> None:
    section = {"working_directory": str(tmp_path / "work")}
    first = start(**section)
    good_hour(first)
    (tmp_path / "work" / ".rootzone.lock").unlink()  # as if its process had died
    second = start(**section)
    good_hour(second)
    second.finalize()
    assert [f.name for f in (tmp_path / "work").iterdir() if not f.name.startswith(".")] == []


def test_keep_leaves_pressure_saturation_and_source_of_every_hour(start: Start, tmp_path: Path) -> None:
    model = start(working_directory=str(tmp_path / "work"), keep=True)
    good_hour(model)
    good_hour(model)
    model.finalize()
    names_left = {f.name for f in (tmp_path / "work").iterdir()}
    for hour in (1, 2):
        assert {f"{RUN_NAME}.out.{k}.{hour:05d}.pfb" for k in ("press", "satur")} <= names_left
        assert f"source.{hour - 1:05d}.pfb" in names_left


def test_two_components_in_one_folder_are_refused(start: Start, tmp_path: Path) -> None:
    good_hour(start(working_directory=str(tmp_path / "work")))
    with pytest.raises(ConfigError, match=r"parflow\.working_directory: .*work: a ParFlow run is under way there"):
        good_hour(start(working_directory=str(tmp_path / "work")))


# ---------------------------------------------------------------------- the installation


def test_without_parflow_the_message_says_what_to_set(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ConfigError, match=r"no ParFlow given: .* environment variable PARFLOW_DIR .*parflow_dir"):
        BmiParflow().initialize(write(configuration()))


def test_a_folder_that_is_none_is_named(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(ConfigError, match="which is no folder"):
        BmiParflow().initialize(write(configuration()))


def test_an_installation_without_executable_is_named(
    write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(ConfigError, match=r"no executable .*bin/parflow"):
        BmiParflow().initialize(write(configuration()))


def test_several_processes_without_mpiexec_are_refused(
    start: Start, double: parflow_cases.Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    (double.home / "bin" / "mpiexec").unlink()
    monkeypatch.setenv("PATH", str(double.home))
    with pytest.raises(ConfigError, match=r"no mpiexec found for 2 processes .*processes: \[1, 1\]"):
        start(processes=[2, 1])


def test_the_command_of_the_user_starts_the_processes(start: Start, double: parflow_cases.Double) -> None:
    command = f"{double.home / 'bin' / 'mpiexec'} -n {{processes}} env FROM=user"
    model = start(processes=[2, 2], mpi_command=command)
    good_hour(model)
    assert (double.home / "mpiexec.arguments").read_text().startswith("-n 4 env FROM=user ")
    with pytest.raises(ConfigError, match="no such program: 'srun-of-nowhere'"):
        start(mpi_command="srun-of-nowhere -n {processes}")


# ---------------------------------------------------------------------- the configuration


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"processes": [2]}, r"give the numbers of processes along x and y"),
        ({"processes": [1, 1, 2]}, r"columns cannot be divided among processes"),
        ({"processes": [6, 1]}, r"6 processes for 5 cells along x"),
        ({"keep": True}, r"name the folder as `working_directory` too"),
        ({"timeout": 0.0}, r"parflow\.timeout"),
        ({"mode": "free"}, r"parflow\.mode"),
        ({"proceses": [1, 1]}, r"did you mean 'processes'"),
        ({"processes": [2, 1], "mpi_command": "srun"}, r"say where the number of processes goes"),
        (
            {"solver": {"Solver.Nonlinear.ResidualTl": 1e-9}},
            r"Solver\.Nonlinear\.ResidualTl: pftools knows no such key",
        ),
        ({"solver": {"TimeStep.Value": 0.5}}, r"TimeStep\.Value is set by the component"),
    ],
)
def test_mistakes_are_named(start: Start, section: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        start(**section)
    assert "groundwater.yaml" in str(caught.value)


@pytest.mark.parametrize("key", ["conductivity", "slope", "manning"])
def test_a_domain_made_for_land_only_is_refused(start: Start, key: str) -> None:
    content = configuration()
    del content["domain"][key]
    with pytest.raises(ConfigError, match=f"domain: {key}.* is missing; ParFlow needs it"):
        start(content)


def test_too_many_values_of_specific_storage_are_refused(start: Start) -> None:
    content = configuration()
    content["domain"]["specific_storage"] = {"file": "fields.nc", "variable": "porosity"}
    with pytest.raises(ConfigError, match="specific_storage has 220 different values"):
        start(content)


def test_our_command_line_is_not_taken_for_that_of_pftools(
    start: Start, double: parflow_cases.Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["bmi-run", "-p", "not-a-number", "--help"])
    good_hour(start())
    assert double.calls[0].keys["Process.Topology.P"] == 1
