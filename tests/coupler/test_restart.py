"""Checkpoints, and runs that go on from them as if they had not been stopped."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import zoo
from click.testing import CliRunner

from bmi_common.groundwater import NET_SOURCE, PRESSURE_HEAD, SATURATION, STORAGE_VOLUME
from bmi_common.netcdf_file import netcdf_name
from coupler import random_state
from coupler.append import keep_records
from rootzone.bmi_run import main

pytestmark = pytest.mark.slow

SUPPORT = Path(__file__).resolve().parents[1] / "support"
END = "2020-01-01T17:00"
STOP = "2020-01-01T07:00"


@pytest.fixture
def run(fake):
    """A run of 17 hours with records and ledger, to be compared with itself."""
    fake.run["components"]["land"]["class"] = "zoo:RememberingLand"
    fake.use("RememberingBucket")
    fake.run["time"]["end"] = END
    fake.run["output"] = [
        {"file": "hourly.nc", "every": "1h", "precision": "double", "variables": [f"groundwater.{PRESSURE_HEAD}"]},
        {
            "file": "five_hourly.nc",
            "every": "5h",
            "precision": "double",
            "variables": [f"groundwater.{PRESSURE_HEAD}", f"land.{NET_SOURCE}", "groundwater.soil_layer__thickness"],
        },
        {"file": "points.nc", "every": "3h", "method": "point", "variables": [f"groundwater.{STORAGE_VOLUME}"]},
    ]
    fake.run["checkpoint"] = {"every": "4h", "keep": 2}
    return fake


def bmi_run(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def restart(run, *arguments, at=None):
    result = bmi_run("--restart", at or run.output, *arguments)
    assert result.exit_code == 0, result.output
    return result


def files(folder):
    """Every variable of every NetCDF file that a run writes while it steps."""
    found = {}
    for path in sorted(folder.glob("*.nc")):
        with netCDF4.Dataset(path) as data:
            data.set_auto_maskandscale(False)
            found |= {(path.name, name): np.array(variable[...]) for name, variable in data.variables.items()}
    return found


def assert_same(folder, other):
    a, b = files(folder), files(other)
    assert a.keys() == b.keys()
    for key, values in a.items():
        assert values.shape == b[key].shape, key
        assert values.tobytes() == b[key].tobytes(), key


def whole(run, **changes):
    """Output of the same run without a stop."""
    folder = run.folder / "whole"
    run.write()
    result = bmi_run(run.yaml, "--output", folder, *(f"--set={k}={v}" for k, v in changes.items()))
    assert result.exit_code == 0, result.output
    return folder


def stopped(run, at=STOP):
    run.succeeds("--set", f"time.end={at}")
    return run


def checkpoints(folder):
    return sorted(p.name for p in (folder / "checkpoints").iterdir())


# ---------------------------------------------------------------- going on


def test_all_files_are_those_of_a_run_without_a_stop(run):
    reference = whole(run)
    stopped(run)
    assert len(files(run.output)["hourly.nc", "time"]) == 7
    restart(run, "--set", f"time.end={END}")
    assert_same(run.output, reference)


@pytest.mark.parametrize("stop", [1, 4, 5, 16])
def test_any_hour_can_be_the_last_one_before_the_restart(run, stop):
    reference = whole(run)
    stopped(run, f"2020-01-01T{stop:02}:00")
    restart(run, "--set", f"time.end={END}")
    assert_same(run.output, reference)


def test_a_run_can_be_restarted_again_and_again(run):
    reference = whole(run)
    stopped(run, "2020-01-01T02:00")
    for hour in (3, 9, 17):
        restart(run, "--set", f"time.end=2020-01-01T{hour:02}:00")
    assert_same(run.output, reference)


def test_checkpoints_change_nothing_in_the_run(run):
    reference = whole(run)
    del run.run["checkpoint"]
    run.succeeds()
    assert_same(run.output, reference)
    assert not (run.output / "checkpoints").exists()


def test_records_beyond_the_checkpoint_are_dropped(run):
    reference = whole(run)
    run.succeeds()
    older = run.output / "checkpoints" / "2020-01-01T16-00-00"
    restart(run, at=older)
    assert_same(run.output, reference)


@pytest.mark.parametrize("compression", ["zstd", "zlib", "none"])
def test_a_file_that_is_cut_keeps_its_compression(run, compression):
    for output in run.run["output"]:
        output |= {"compression": compression, "significant_digits": 3}
    reference = whole(run)
    run.succeeds()
    restart(run, at=run.output / "checkpoints" / "2020-01-01T16-00-00")
    assert_same(run.output, reference)
    with netCDF4.Dataset(run.output / "hourly.nc") as data:
        head = data[netcdf_name(PRESSURE_HEAD)]
        used, rounding = head.filters(), head.quantization()
    assert [name for name in ("zstd", "zlib", "none") if used.get(name)] == [compression] * (compression != "none")
    assert rounding[0] == 3


def test_a_file_whose_filter_the_library_lacks_is_not_continued(run, monkeypatch):
    stopped(run)
    monkeypatch.setattr(netCDF4, "__has_zstandard_support__", False)
    result = bmi_run("--restart", run.output, "--set", f"time.end={END}")
    assert result.exit_code == 2
    assert "hourly.nc: compressed by Zstandard" in result.output


def test_an_older_checkpoint_makes_the_later_ones_void(run):
    run.run["checkpoint"]["keep"] = 9
    run.succeeds()
    assert checkpoints(run.output) == [f"2020-01-01T{h:02}-00-00" for h in (4, 8, 12, 16, 17)]
    restart(run, "--set", "time.end=2020-01-01T09:00", at=run.output / "checkpoints" / "2020-01-01T04-00-00")
    assert checkpoints(run.output) == [f"2020-01-01T{h:02}-00-00" for h in (4, 8, 9)]
    assert len(files(run.output)["hourly.nc", "time"]) == 9


@pytest.mark.parametrize("name", ["0-before-the-storm", "good", "2020-01-01T08-00-00 (copy)"])
def test_a_copy_of_a_checkpoint_is_not_the_newest_and_makes_only_later_ones_void(run, name):
    run.run["checkpoint"]["keep"] = 9
    run.succeeds("--set", "time.end=2020-01-01T16:00")
    folder = run.output / "checkpoints"
    shutil.copytree(folder / "2020-01-01T08-00-00", folder / name)
    restart(run, "--set", "time.end=2020-01-01T17:00")
    assert len((run.output / "run.log").read_text().split("after 16 of 17 steps")) == 2
    restart(run, "--set", "time.end=2020-01-01T09:00", at=folder / name)
    assert checkpoints(run.output) == sorted([*(f"2020-01-01T{h:02}-00-00" for h in (4, 8, 9)), name])


def test_values_in_transit_go_on(run):
    # three steps of the groundwater in an hour of the land: a mean that waits for the land, and an interpolation
    run.groundwater["step"] = 1200.0
    run.run["exchanges"][0]["method"] = run.run["exchanges"][1]["method"] = "mean"
    run.run["exchanges"][2]["method"] = "linear"
    reference = whole(run)
    stopped(run)
    restart(run, "--set", f"time.end={END}")
    assert_same(run.output, reference)


def test_random_numbers_go_on(run):
    run.use("NoisyBucket")
    reference = whole(run)
    stopped(run)
    np.random.seed(99)  # noqa: NPY002
    restart(run, "--set", f"time.end={END}")
    assert_same(run.output, reference)


def test_every_generator_goes_on():
    import torch  # only here, so that runs without it are tested, too, where this test runs alone

    def draw():
        return random.gauss(0.0, 1.0), np.random.standard_normal(3).tolist(), torch.rand(3).tolist()  # noqa: NPY002

    random_state.seed(3)
    draw()
    kept = json.loads(json.dumps(random_state.state()))
    expected = draw()
    random_state.seed(4)
    assert draw() != expected
    random_state.restore(kept)
    assert draw() == expected


def test_a_run_without_its_record_is_refused(run):
    stopped(run)
    (run.output / "provenance.json").unlink()
    refused(run, "provenance.json: the record of the run cannot be read", arguments=("--set", f"time.end={END}"))


def test_forgetting_something_would_be_found(run, monkeypatch):
    # the comparison itself: a component that loses its memory goes on differently
    reference = whole(run)
    stopped(run)
    monkeypatch.setattr("zoo.RememberingBucket._load_state_dict", lambda *_: None)
    restart(run, "--set", f"time.end={END}")
    with pytest.raises(AssertionError):
        assert_same(run.output, reference)


def test_cells_outside_the_mask_are_no_matter(run):
    run.land["mask"] = run.groundwater["mask"] = 3
    reference = whole(run)
    stopped(run)
    restart(run, "--set", f"time.end={END}")
    assert_same(run.output, reference)


def test_the_report_has_the_balance_of_the_whole_run(run):
    run.succeeds()
    line = next(x for x in (run.output / "run.log").read_text().splitlines() if "from the land" in x)
    shutil.rmtree(run.output)
    stopped(run)
    output = restart(run, "--set", f"time.end={END}").output
    assert line.split("INFO ")[1] in output
    assert "10 model hours" in output


def test_log_history_and_record_tell_of_the_restart(run):
    stopped(run)
    restart(run, "--set", f"time.end={END}")
    log = (run.output / "run.log").read_text()
    assert log.count("done; results are in") == 2
    assert "2020-01-01T07-00-00, after 7 of 17 steps" in log
    with netCDF4.Dataset(run.output / "hourly.nc") as data:
        assert len(data.history.splitlines()) == 2
        assert "2020-01-01T17:00" in data.run_configuration
    record = json.loads((run.output / "provenance.json").read_text())
    assert [r["checkpoint"] for r in record["restarts"]] == ["2020-01-01T07-00-00"]
    assert record["configuration"]["time"]["end"] == END


def test_the_runs_own_file_may_be_given(run):
    reference = whole(run)
    stopped(run)
    restart_with_file = bmi_run(run.yaml, "--restart", run.output)
    assert restart_with_file.exit_code == 0, restart_with_file.output
    assert_same(run.output, reference)


def test_check_tells_that_a_restart_is_sound_and_changes_nothing(run):
    stopped(run)
    before = {p: p.read_bytes() for p in run.output.rglob("*") if p.is_file()}
    result = restart(run, "--check", "--set", f"time.end={END}")
    assert "saves a checkpoint every 4h, keeps 2" in result.output
    assert before == {p: p.read_bytes() for p in run.output.rglob("*") if p.is_file()}


def test_means_under_way_stay_with_their_file_whatever_its_name(run):
    # "daily" + "land_..." and "daily_land" + "..." are the same when joined
    fields = [f"land.{SATURATION}", f"groundwater.{SATURATION}"]
    run.run["output"] = [
        {"file": "daily.nc", "every": "12h", "precision": "double", "variables": fields},
        {"file": "daily_land.nc", "every": "8h", "precision": "double", "variables": fields[:1]},
    ]
    run.run["time"]["end"] = "2020-01-02T00:00"
    reference = whole(run)
    stopped(run, "2020-01-01T15:00")
    restart(run, "--set", "time.end=2020-01-02T00:00")
    assert_same(run.output, reference)
    with netCDF4.Dataset(reference / "daily.nc") as daily, netCDF4.Dataset(reference / "daily_land.nc") as land:
        assert np.ptp(daily["land_soil_water__saturation"][:, -1, 0, 0]) > 0.0  # else the means could be swapped
        assert land["soil_water__saturation"][:].shape[0] == 3


# ---------------------------------------------------------------- killed


def killed(run):
    """Run in a process of its own, which kills itself."""
    run.write()
    command = [
        sys.executable,
        "-c",
        "from rootzone.bmi_run import main; main()",
        str(run.yaml),
        "--output",
        str(run.output),
    ]
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT)}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=100, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_run_killed_while_it_writes_a_checkpoint_goes_on_from_the_one_before(run):
    run.use("KilledBucket", at=99.0)
    reference = whole(run)
    run.groundwater["at"] = 12.0
    killed(run)
    left = checkpoints(run.output)
    assert left == [f"2020-01-01T{h:02}-00-00" for h in (4, 8, 12)]
    assert not (run.output / "checkpoints" / left[-1] / "checkpoint.json").exists()
    assert len(files(run.output)["hourly.nc", "time"]) == 12
    set_back(run, at=99.0)
    output = restart(run).output
    assert "2020-01-01T08-00-00, after 8 of 17 steps" in output
    assert_same(run.output, reference)
    assert checkpoints(run.output) == ["2020-01-01T16-00-00", "2020-01-01T17-00-00"]


def set_back(run, **groundwater):
    """Change the component's file and let the checkpoints believe that it has always been so."""
    run.groundwater.update(groundwater)
    run.write()
    for path in run.output.glob("checkpoints/*/checkpoint.json"):
        outer = json.loads(path.read_text())
        inner = json.loads(outer["record"])
        inner["settings"]["components"]["groundwater"]["config"].update(groundwater)
        path.write_text(json.dumps(signed(inner)))


def signed(inner):
    text = json.dumps(inner)
    return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "record": text}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_run_killed_between_checkpoints_goes_on_from_the_newest(run):
    run.use("SlowBucket", sleep=0.0)
    reference = whole(run)
    run.write()
    code = (
        "import os, signal, zoo\n"
        "step = zoo.SlowBucket._update\n"
        "def killed(self):\n"
        "    step(self)\n"
        "    if self.hour == 10: os.kill(os.getpid(), signal.SIGKILL)\n"
        "zoo.SlowBucket._update = killed\n"
        "from rootzone.bmi_run import main; main()"
    )
    command = [sys.executable, "-c", code, str(run.yaml), "--output", str(run.output)]
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT)}
    done = subprocess.run(command, env=environment, capture_output=True, timeout=100, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert "2020-01-01T08-00-00, after 8 of 17 steps" in restart(run).output
    assert_same(run.output, reference)


def test_remains_of_a_checkpoint_under_removal_are_no_checkpoint(run):
    stopped(run)
    newest = run.output / "checkpoints" / "2020-01-01T07-00-00"
    (newest / "checkpoint.json").unlink()  # the first of its files to go
    refused(run, "holds no checkpoint", at=newest)
    assert "2020-01-01T04-00-00, after 4 of 17 steps" in restart(run, "--set", f"time.end={END}").output
    assert checkpoints(run.output) == ["2020-01-01T16-00-00", "2020-01-01T17-00-00"]


# ---------------------------------------------------------------- keeping


@pytest.mark.parametrize(("keep", "hours"), [(1, [17]), (3, [12, 16, 17]), (9, [4, 8, 12, 16, 17])])
def test_the_newest_stay(run, keep, hours):
    run.run["checkpoint"]["keep"] = keep
    run.succeeds()
    assert checkpoints(run.output) == [f"2020-01-01T{h:02}-00-00" for h in hours]


def test_the_end_of_the_run_on_an_interval_is_one_checkpoint(run):
    run.run["checkpoint"] = {"every": "17h", "keep": 5}
    run.succeeds()
    assert checkpoints(run.output) == ["2020-01-01T17-00-00"]


def test_an_older_checkpoint_stays_until_the_new_one_is_whole(run, monkeypatch):
    run.run["checkpoint"]["keep"] = 1

    def full(self, path):
        if self.hour >= 8:
            raise OSError("disk full")
        return save(self, path)

    save = zoo.RememberingBucket.save_state
    monkeypatch.setattr(zoo.RememberingBucket, "save_state", full)
    run.breaks("groundwater: OSError: disk full")
    assert "2020-01-01T04-00-00" in checkpoints(run.output)
    monkeypatch.undo()
    assert "after 4 of 17 steps" in restart(run).output


def test_overwriting_removes_checkpoints_and_nothing_else(run):
    run.succeeds()
    mine = run.output / "checkpoints" / "2020-01-01T16-00-00" / "notes.txt"
    mine.write_text("mine")
    del run.run["checkpoint"]
    run.succeeds("--overwrite")
    assert [p for p in (run.output / "checkpoints").rglob("*") if p.is_file()] == [mine]


# ---------------------------------------------------------------- refused


def refused(run, *words, arguments=(), at=None, file=()):
    """Expect exit code 2, one message with all `words`, and nothing changed."""
    before = {p: p.read_bytes() for p in run.folder.rglob("*") if p.is_file()}
    result = bmi_run(*file, "--restart", at or run.output, *arguments)
    assert result.exit_code == 2, result.output
    assert before == {p: p.read_bytes() for p in run.folder.rglob("*") if p.is_file()}
    for word in words:
        assert word in result.output, result.output
    return result.output


def test_nothing_left_to_do_is_said(run):
    run.succeeds()
    refused(run, "time.end: the checkpoint is of 2020-01-01T17:00", "give a later end")


def swap(run):
    run.run["order"].reverse()


def other_class(run):
    run.run["components"]["groundwater"]["class"] = "zoo:Bucket"


def wider(run):
    run.land["nx"] = run.groundwater["nx"] = 5


def one_exchange_less(run):
    run.run["exchanges"][2]["method"] = "hold"


def other_step(run):
    run.run["time"]["step"] = "30min"
    run.land["step"] = run.groundwater["step"] = 1800.0


def other_start(run):
    run.run["time"]["start"] = "2020-01-01T01:00"


def other_output(run):
    run.run["output"][0]["variables"].append(f"groundwater.{SATURATION}")


def other_rain(run):
    run.land["rain"] = 0.1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (swap, ("order.0: 'groundwater', but 'land' in the checkpoint",)),
        (other_class, ("components.groundwater.class: 'zoo:Bucket', but 'zoo:RememberingBucket'",)),
        (wider, ("components.land.config.nx: 5, but 4",)),
        (one_exchange_less, ("exchanges.2.method: 'hold', but not given",)),
        (other_step, ("time.step: 'PT30M', but 'PT1H'",)),
        (other_start, ("time.start: '2020-01-01T01:00:00', but '2020-01-01T00:00:00'",)),
        (other_output, ("output.0.variables: 2 entries, but 1 entries",)),
        (other_rain, ("components.land.config.rain: 0.1, but not given",)),
    ],
)
def test_another_run_is_refused_with_the_difference(run, change, words):
    stopped(run)
    change(run)
    run.write()
    refused(run, *words, file=(run.yaml,))


def test_another_number_of_threads_is_no_other_run(run):
    run.land["threads"] = 1
    reference = whole(run)
    stopped(run)
    run.land["threads"] = 2
    run.write()
    restart(run, "--set", f"time.end={END}")
    assert_same(run.output, reference)


def test_a_state_of_another_grid_is_refused_by_the_component(run):
    stopped(run)
    folder = run.output / "checkpoints" / "2020-01-01T07-00-00"
    record = json.loads(json.loads((folder / "checkpoint.json").read_text())["record"])
    for component in record["settings"]["components"].values():
        component["config"]["nx"] = 5
    (folder / "checkpoint.json").write_text(json.dumps(signed(record)))
    wider(run)
    run.write()
    refused(
        run, "land.nc: belongs to another grid: x has the shape (4,) in the file, (5,) here",
        arguments=("--set", f"time.end={END}"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        *((file, damage) for file in ("land.nc", "coupler.nc") for damage in ("truncated", "changed", "missing")),
        *(("checkpoint.json", damage) for damage in ("truncated", "changed")),
    ],
)
def test_a_damaged_checkpoint_is_named_with_the_others(run, file, damage):
    stopped(run)
    path = run.output / "checkpoints" / "2020-01-01T07-00-00" / file
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.write_bytes(content[:-40] + bytes([content[-40] ^ 1]) + content[-39:])
    refused(run, str(path), "missing" if damage == "missing" else "damaged", "the run has also", "T04-00-00")


def test_a_component_without_state_files_is_named_before_the_run(run):
    run.use("ForeignBucket")
    run.refuses("checkpoint: groundwater (zoo:ForeignBucket) has no save_state(path) and no load_state(path)")


def test_a_component_that_says_that_it_cannot_save_its_state_is_named(run):
    run.use("ForgetfulBucket")
    run.refuses("checkpoint: groundwater (zoo:ForgetfulBucket) says that it cannot save its state")


def test_a_run_without_checkpoints_says_how_they_are_made(fake):
    fake.succeeds()
    refused(fake, "holds no checkpoint", "checkpoint: {every: 24h}")


def test_a_folder_that_does_not_exist_is_named(run):
    refused(run, "no such folder", at=run.folder / "nowhere")


@pytest.mark.parametrize("given", [("--output", "elsewhere"), ("--overwrite",)])
def test_a_restart_stays_in_its_folder(run, given):
    stopped(run)
    refused(run, f"{given[0]} does not go with --restart", arguments=given)


def test_neither_a_file_nor_a_folder_is_a_mistake():
    result = bmi_run()
    assert result.exit_code == 2
    assert "give the file of a run, or --restart" in result.output


# ---------------------------------------------------------------- output files that suffered


def test_a_damaged_output_file_is_named_before_anything_changes(run):
    stopped(run)
    path = run.output / "hourly.nc"
    path.write_bytes(path.read_bytes()[:5000])
    later = ("--set", f"time.end={END}")
    refused(run, "hourly.nc: cannot be continued, it is damaged", "move it away", arguments=later)


def test_damaged_attributes_of_an_output_file_are_named_before_anything_changes(run):
    stopped(run)
    path = run.output / "hourly.nc"
    path.write_bytes(path.read_bytes().replace(b"Conventions", b"conventions"))  # HDF5 keeps a checksum
    refused(run, "hourly.nc: cannot be continued, it is damaged", arguments=("--set", f"time.end={END}"))


def test_a_file_that_was_moved_away_is_begun_anew_with_its_later_records(run):
    reference = files(whole(run))
    stopped(run)
    (run.output / "hourly.nc").unlink()
    (run.output / "water_balance.nc").unlink()
    assert "hourly.nc is gone" in restart(run, "--set", "time.end=2020-01-01T09:00").output
    restart(run, "--set", f"time.end={END}")
    found = files(run.output)
    for key in (("hourly.nc", "time"), ("hourly.nc", PRESSURE_HEAD), ("water_balance.nc", "source")):
        assert found[key].tobytes() == reference[key][7:].tobytes()


def test_a_file_that_lost_records_is_refused(run):
    stopped(run)
    keep_records(run.output / "hourly.nc", 3)
    refused(run, "it has 3 records, the checkpoint was written after 7", arguments=("--set", f"time.end={END}"))


def test_a_changed_input_is_told(run):
    run.run["components"]["groundwater"]["class"] = "zoo:FileBucket"
    run.groundwater = {**run.groundwater, "head_file": "head.txt"}
    (run.folder / "head.txt").write_text("-1.0")
    stopped(run)
    (run.folder / "head.txt").write_text("-2.0")
    assert "head.txt is not the file that the run began with" in restart(run, "--set", f"time.end={END}").output
