"""A run that is interrupted ends after its step, whole, and goes on from there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import netCDF4
import pytest
from click.testing import CliRunner
from listening import listen

from rootzone.bmi_run import main
from rootzone.command import EXIT_INTERRUPTED

SUPPORT = Path(__file__).resolve().parents[1] / "support"
pytestmark = [pytest.mark.skipif(os.name != "posix", reason="needs signals"), pytest.mark.slow]


@pytest.fixture
def slow(fake):
    fake.use("SlowBucket", sleep=0.05)
    fake.run["time"]["end"] = "2020-01-03T00:00"
    return fake


def interrupted(run, kind) -> str:
    """Start the run, and send it a signal when it has made some steps; what it said."""
    command = [
        sys.executable,
        "-c",
        "from rootzone.bmi_run import main; main()",
        str(run.write()),
        "--output",
        str(run.output),
    ]
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT)}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=listen
    )
    end = time.monotonic() + 60.0
    while not (run.output / "hourly.nc").is_file() and time.monotonic() < end:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(kind)
    said, _ = process.communicate(timeout=60.0)
    assert process.returncode == EXIT_INTERRUPTED, said
    assert "Traceback" not in said
    return said


def heads(folder):
    with netCDF4.Dataset(folder / "hourly.nc") as data:
        return data["soil_water__pressure_head"][...].tobytes()


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("every", [None, "7h"])
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(slow, kind, every):
    if every is not None:
        slow.run["checkpoint"] = {"every": every}
    said = interrupted(slow, kind)
    assert f"go on with bmi-run --restart {slow.output}" in said
    result = CliRunner().invoke(main, ["--restart", str(slow.output)])
    assert result.exit_code == 0, result.output
    slow.succeeds("--output", str(slow.folder / "whole"), "--set", "groundwater.options.sleep=0")
    assert heads(slow.output) == heads(slow.folder / "whole")


def test_without_states_it_says_that_there_is_no_checkpoint(slow):
    slow.use("SlowForeignBucket")
    said = interrupted(slow, signal.SIGTERM)
    assert "there is no checkpoint: groundwater (zoo:SlowForeignBucket) has no save_state" in said
    with netCDF4.Dataset(slow.output / "hourly.nc") as data:
        assert len(data["time"]) > 0


def test_a_termination_lets_every_command_clean_up(tmp_path):
    program = (
        "import click, signal, tempfile\n"
        "from rootzone.command_line import Command\n"
        "@click.command('bmi-any', cls=Command)\n"
        "def main():\n"
        f"    with tempfile.TemporaryDirectory(dir={str(tmp_path)!r}):\n"
        "        signal.raise_signal(signal.SIGTERM)\n"
        "main()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], preexec_fn=listen, capture_output=True, text=True, check=False
    )
    assert ended.returncode == EXIT_INTERRUPTED, ended.stderr
    assert ended.stderr.strip() == "bmi-any: interrupted"
    assert not list(tmp_path.iterdir())
