"""A run stops before its disk is full, with whole files, and goes on when there is room again."""

import shutil
from collections import namedtuple
from pathlib import Path

import netCDF4
import pytest
from click.testing import CliRunner

from coupler import disk_space
from rootzone.bmi_run import main
from rootzone.run_log import _LogFile

pytestmark = pytest.mark.slow

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def disk(monkeypatch):
    """A disk that loses 100 kB with every look at it."""
    left = {"bytes": disk_space.RESERVE + 600_000}

    def usage(_):
        left["bytes"] -= 100_000
        return Usage(10**12, 0, left["bytes"])

    monkeypatch.setattr(shutil, "disk_usage", usage)
    return left


def test_a_run_stops_before_the_disk_is_full(fake, disk):
    message = fake.breaks("hourly.nc", "cannot be written", "MB are left on the disk", "make room")
    assert "MB needed" in message
    with netCDF4.Dataset(fake.output / "hourly.nc") as data:
        assert 0 < len(data["time"]) < 6


def test_it_goes_on_when_there_is_room_again(fake, disk):
    fake.run["checkpoint"] = {"every": "1h"}
    disk["bytes"] = 10**9
    fake.succeeds("--output", str(fake.folder / "whole"))
    disk["bytes"] = disk_space.RESERVE + 600_000
    fake.breaks("make room")
    disk["bytes"] = 10**9
    result = CliRunner().invoke(main, ["--restart", str(fake.output)])
    assert result.exit_code == 0, result.output
    with netCDF4.Dataset(fake.output / "hourly.nc") as one, netCDF4.Dataset(fake.folder / "whole" / "hourly.nc") as two:
        for name in one.variables:
            assert one[name][...].tobytes() == two[name][...].tobytes(), name


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a file that is always full")
def test_a_log_that_cannot_be_written_hides_nothing(fake, disk, monkeypatch):
    monkeypatch.setattr(_LogFile, "_open", lambda _: Path("/dev/full").open("w"))  # noqa: SIM115  # logging closes it
    message = fake.breaks("hourly.nc", "make room")
    assert "Logging error" not in message
    disk["bytes"] = 10**9
    assert "run.log lacks messages: [Errno 28]" in fake.succeeds("--overwrite").output


@pytest.mark.parametrize("checkpoint", ["2020-01-01T06-00-00", "2020-01-01T02-00-00"], ids=["newest", "earlier"])
def test_a_restart_without_room_leaves_the_files_as_they_are(fake, disk, checkpoint):
    fake.run["checkpoint"] = {"every": "2h", "keep": 3}
    disk["bytes"] = 10**9
    fake.succeeds()
    before = {file: file.read_bytes() for file in fake.output.glob("*.nc")}
    disk["bytes"] = disk_space.RESERVE
    result = CliRunner().invoke(
        main,
        ["--restart", str(fake.output / "checkpoints" / checkpoint), "--set", "time.end=2020-01-01T12:00"],
    )
    assert result.exit_code == 1
    assert "make room" in result.output
    assert {file: file.read_bytes() for file in fake.output.glob("*.nc")} == before


def test_the_limit_of_file_sizes_counts_too(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_bytes(b"x" * 1000)
    monkeypatch.setattr(disk_space.resource, "getrlimit", lambda _: (disk_space.RESERVE + 1500, -1))
    disk_space.require_room(file, 400)
    with pytest.raises(OSError, match="below the limit of file sizes"):
        disk_space.require_room(file, 600)
