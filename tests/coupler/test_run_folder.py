"""The folder of a run: what is replaced, what is never touched, and who may write there."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import netCDF4
import pytest
import yaml
from click.testing import CliRunner
from listening import listen

from bmi_common.folder_lock import LOCK, FolderIsBusyError
from bmi_common.groundwater import DISCHARGE, PRESSURE_HEAD
from bmi_common.netcdf_file import netcdf_name
from bmi_common.owned_folder import RECORD, taken
from rootzone.bmi_run import main
from rootzone.evaluation.run_record import run_files
from rootzone.figures import draw

pytestmark = pytest.mark.slow
SUPPORT = Path(__file__).resolve().parents[1] / "support"


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def start(run, *arguments):
    """Start the command in a process of its own."""
    command = [sys.executable, "-c", "from rootzone.bmi_run import main; main()", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(SUPPORT)}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=listen
    )


def await_file(path, process):
    while not path.is_file():
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


@pytest.fixture
def live(fake):
    """Give a run that has begun and does not end by itself within a test."""
    fake.use("SlowBucket", sleep=0.2)
    fake.run["time"]["end"] = "2020-03-01T00:00"
    fake.run["checkpoint"] = {"every": "1h"}
    process = start(fake, fake.write(), "--output", fake.output)
    await_file(fake.output / "checkpoints" / "2020-01-01T01-00-00" / "checkpoint.json", process)
    yield fake
    process.kill()
    process.communicate()


# ---------------------------------------------------------------- whose it is


def test_the_file_names_the_folder_of_its_run_from_wherever_the_command_is_given(fake, monkeypatch):
    fake.run["folder"] = "runs/first"
    elsewhere = fake.folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    for arguments, folder in (((), fake.folder / "runs" / "first"), (("--output", "own"), elsewhere / "own")):
        result = CliRunner().invoke(main, [str(fake.write()), *arguments])
        assert result.exit_code == 0, result.output
        assert (folder / "run.yaml").is_file()


def test_a_project_of_the_users_that_looks_like_a_run_is_no_run(fake):
    (fake.output / "config").mkdir(parents=True)
    (fake.output / "checkpoints" / "1").mkdir(parents=True)
    for name in ("run.yaml", "config/land.yaml", "run.log", "provenance.json", "hourly.nc", "checkpoints/1/land.nc"):
        (fake.output / name).write_text("output: [{file: hourly.nc}]\ncomponents: {land: {}}\n")
    fake.refuses("holds no run", "choose another folder", arguments=("--overwrite",))


def test_overwriting_leaves_what_the_user_has_put_beside_each_kind_of_file(fake):
    fake.use("RememberingBucket")
    fake.run["components"]["land"].update({"class": "zoo:RememberingLand", "options": {"rain": 0.001}})
    fake.run["spin_up"] = {"repeat": "2h", "max": 1}
    fake.run["checkpoint"] = {"every": "2h"}
    fake.run["figures"] = True
    fake.succeeds()
    kinds = ("", "config/", "figures/", "spun_up/", "checkpoints/", "checkpoints/2020-01-01T06-00-00/")
    made = set(contents(fake.output))
    assert all(any(name.startswith(kind) for name in made) for kind in kinds)
    mine = [f"{kind}{name}" for kind in kinds for name in ("mine.nc", "mine.png", ".mine.nc.partial")]
    for name in mine:
        (fake.output / name).write_text("mine")
    shutil.copytree(fake.output / "checkpoints" / "2020-01-01T04-00-00", fake.output / "checkpoints" / "my copy")
    mine += [f"checkpoints/my copy/{name}" for name in ("checkpoint.json", "coupler.nc", "land.nc", "groundwater.nc")]
    del fake.run["spin_up"], fake.run["checkpoint"], fake.run["figures"], fake.run["components"]["land"]["options"]
    output = fake.succeeds("--overwrite").output
    bare = {"hourly.nc", "provenance.json", "run.log", "run.yaml", "timing.json", "water_balance.nc", RECORD}
    assert set(contents(fake.output)) == bare | set(mine)
    assert "stays what the run has not written: .mine.nc.partial, checkpoints/.mine.nc.partial" in output


def test_every_kind_of_figure_is_removed(fake):
    fake.succeeds()
    with netCDF4.Dataset(fake.output / "hourly.nc", "a") as data:
        data.createDimension("gauge", 1)
        data.createVariable("gauge_name", str, ("gauge",))[0] = "outlet"
        data.createVariable("q", "f8", ("time", "gauge"))[:] = 1.0
        data["q"].setncatts({"csdms_name": DISCHARGE, "coordinates": "gauge_name"})
        data[netcdf_name(PRESSURE_HEAD)][:, -1, 0, 0] -= 1.0  # what is the same everywhere has no map
    with taken(fake.output, "run") as folder:
        drawn = [path.name for path in draw(folder, ["hourly.nc"])]
    assert drawn == ["hourly_series.png", "hourly_maps.png", "hourly_hydrographs.png"]
    fake.succeeds("--overwrite")
    assert not (fake.output / "figures").exists()


def test_a_file_of_the_users_in_the_place_of_a_coming_one_is_named_before_anything_is_removed(fake):
    fake.succeeds()
    (fake.output / "daily.nc").write_text("mine")
    fake.run["output"].append({"file": "daily.nc", "every": "6h", "variables": [f"groundwater.{PRESSURE_HEAD}"]})
    fake.refuses("daily.nc would be replaced by the run, but was not written by one", arguments=("--overwrite",))


def test_a_link_in_the_place_of_a_file_is_named_before_anything_is_removed(fake):
    fake.succeeds()
    (fake.output / "hourly.nc").rename(fake.folder / "moved.nc")
    (fake.output / "hourly.nc").symlink_to(fake.folder / "moved.nc")
    fake.refuses("hourly.nc: is a link to", "moved.nc", arguments=("--overwrite",))


def test_a_run_of_an_earlier_version_is_left_alone_but_can_go_on(fake):
    fake.use("RememberingBucket")
    fake.run["components"]["land"]["class"] = "zoo:RememberingLand"
    fake.run["checkpoint"] = {"every": "2h"}
    fake.succeeds()
    (fake.output / RECORD).unlink()
    fake.refuses("an earlier version wrote none", arguments=("--overwrite",))
    (fake.output / "mine.txt").write_text("mine")
    result = CliRunner().invoke(main, ["--restart", str(fake.output), "--set", "time.end=2020-01-01T08:00"])
    assert result.exit_code == 0, result.output
    assert len(fake.open()["time"]) == 8
    fake.run["checkpoint"] = None
    fake.succeeds("--overwrite")
    assert not (fake.output / "checkpoints").exists()
    assert (fake.output / "mine.txt").read_text() == "mine"


# ---------------------------------------------------------------- what the run reads


def test_a_run_from_its_own_record_is_refused_and_a_copy_of_the_record_repeats_it(fake):
    fake.succeeds()
    heads = fake.open()[PRESSURE_HEAD]
    before = contents(fake.output)
    record = fake.output / "run.yaml"
    given = ["--output", str(fake.output), "--overwrite"]
    result = CliRunner().invoke(main, [str(record), *given])
    assert result.exit_code == 2
    assert f"{record}: is read by the run that is to begin" in result.output
    assert "copy the file to another place" in result.output
    assert contents(fake.output) == before
    shutil.copy(record, fake.folder / "again.yaml")
    result = CliRunner().invoke(main, [str(fake.folder / "again.yaml"), *given])
    assert result.exit_code == 0, result.output
    assert (fake.open()[PRESSURE_HEAD] == heads).all()


@pytest.mark.parametrize("by", ["its name", "a link", "a link to the folder", "another file"])
def test_an_input_among_the_files_to_be_removed_is_named(fake, by):
    fake.run["components"]["land"]["options"] = {"rain": 0.001}
    fake.succeeds()
    staged = fake.output / "config" / "land.yaml"
    if by == "a link":
        (fake.folder / "mine.yaml").symlink_to(staged)
        staged = fake.folder / "mine.yaml"
    elif by == "a link to the folder":
        (fake.folder / "there").symlink_to(fake.output)
        staged = fake.folder / "there" / "config" / "land.yaml"
    elif by == "another file":
        # a component of somebody else does not say what it reads
        fake.land["somewhere"] = ["deep", {"down": "out/hourly.nc"}]
        staged = fake.output / "hourly.nc"
    if by != "another file":
        fake.run["components"]["land"]["config"] = str(staged)
    fake.refuses("is read by the run that is to begin", staged.name, arguments=("--overwrite",))


@pytest.mark.parametrize("named", ["out", "out/checkpoints/2020-01-01T06-00-00"])
def test_a_folder_that_is_read_counts_with_all_in_it(fake, named):
    fake.use("RememberingBucket")
    fake.run["components"]["land"]["class"] = "zoo:RememberingLand"
    fake.run["checkpoint"] = {"every": "6h"}
    fake.succeeds()
    fake.land["reference"] = named
    fake.refuses("is read by the run that is to begin", named, arguments=("--overwrite",))


def test_the_folder_around_the_output_is_no_obstacle(fake):
    fake.run["paths"] = {"here": "."}
    fake.land["everything"] = "."
    fake.succeeds()
    fake.succeeds("--overwrite")


# ---------------------------------------------------------------- who writes there


def test_a_run_under_way_is_neither_replaced_nor_taken_up_nor_evaluated(live):
    words = "a run is under way there, process "
    for arguments in ([live.yaml, "--output", live.output, "--overwrite"], ["--restart", live.output]):
        result = CliRunner().invoke(main, [str(a) for a in arguments])
        assert result.exit_code == 2
        assert words in result.output
    result = CliRunner().invoke(main, ["--restart", str(live.output / "checkpoints" / "2020-01-01T01-00-00")])
    assert (result.exit_code, words in result.output) == (2, True)
    for path in (live.output, live.output / "hourly.nc"):  # what an evaluation reads
        with pytest.raises(FolderIsBusyError, match=words):
            run_files(path)


@pytest.mark.parametrize("how", ["--overwrite", "--restart"])
def test_a_run_that_was_killed_can_be_replaced_or_taken_up(fake, how):
    fake.use("SlowBucket", sleep=0.1)
    fake.run["time"]["end"] = "2020-01-01T12:00"
    fake.run["checkpoint"] = {"every": "1h"}
    process = start(fake, fake.write(), "--output", fake.output)
    await_file(fake.output / "checkpoints" / "2020-01-01T03-00-00" / "checkpoint.json", process)
    process.kill()
    process.communicate()
    assert (fake.output / LOCK).exists()
    arguments = ["--restart", fake.output] if how == "--restart" else [fake.yaml, "--output", fake.output, how]
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    assert ("restart from" in result.output) == (how == "--restart")
    assert len(fake.open()["time"]) == 12
    assert not (fake.output / LOCK).exists()


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)])
def test_of_two_that_start_together_one_runs_and_the_other_says_so(fake, overwrite):
    fake.use("SlowBucket", sleep=0.3)
    if overwrite:
        fake.succeeds("--set", "groundwater.options.sleep=0.0")
    both = [start(fake, fake.write(), "--output", fake.output, *overwrite) for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    codes = [process.returncode for process in both]
    assert sorted(codes) == [0, 2], said
    assert "under way" in said[codes.index(2)] or "holds a run already" in said[codes.index(2)]
    assert len(fake.open()["time"]) == 6
    assert (fake.output / "run.log").read_text().count("done; results are in") == 1


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
@pytest.mark.parametrize("kind", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_termination_at_any_time_lets_the_folder_go(fake, kind):
    fake.use("SlowBucket", sleep=0.2)
    fake.run["spin_up"] = {"repeat": "P1D", "max": 9}
    process = start(fake, fake.write(), "--output", fake.output)
    await_file(fake.output / "run.yaml", process)
    process.send_signal(getattr(signal, kind))
    said, _ = process.communicate()
    assert process.returncode == 130, said
    assert "interrupted" in said
    assert not (fake.output / LOCK).exists()


# ---------------------------------------------------------------- restarts


def test_a_restart_while_a_notebook_reads_says_so(fake):
    fake.use("RememberingBucket")
    fake.run["components"]["land"]["class"] = "zoo:RememberingLand"
    fake.run["checkpoint"] = {"every": "2h"}
    fake.succeeds()
    opening = f"import netCDF4, sys; data = netCDF4.Dataset({str(fake.output / 'hourly.nc')!r})"
    code = f"{opening}; print(flush=True); sys.stdin.read()"
    notebook = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    notebook.stdout.readline()
    before = contents(fake.output)
    arguments = ["--restart", str(fake.output), "--set", "time.end=2020-01-01T08:00"]
    result = CliRunner().invoke(main, arguments)
    notebook.communicate()
    assert result.exit_code == 2
    assert "hourly.nc: is open in another program, such as a notebook" in result.output
    assert contents(fake.output) == before
    assert CliRunner().invoke(main, arguments).exit_code == 0


def test_inputs_are_compared_with_those_at_the_beginning_at_every_restart(fake):
    fake.run["components"]["groundwater"]["class"] = "zoo:FileBucket"
    fake.groundwater["head_file"] = "head.txt"
    (fake.folder / "head.txt").write_text("-1.0")
    fake.run["checkpoint"] = {"every": "2h"}
    fake.run["components"]["groundwater"]["options"] = {"nx": 4}  # a completed copy, which is no input
    fake.succeeds()
    first = json.loads((fake.output / "provenance.json").read_text())
    for hour in ("08", "10", "12"):
        result = CliRunner().invoke(main, ["--restart", str(fake.output), "--set", f"time.end=2020-01-01T{hour}:00"])
        assert result.exit_code == 0, result.output
        assert "not the file that the run began with" not in result.output
    record = json.loads((fake.output / "provenance.json").read_text())
    assert record["inputs"] == first["inputs"]
    assert set(record["inputs"]) == {
        str(fake.folder / name) for name in ("coupled.yaml", "land.yaml", "groundwater.yaml", "head.txt")
    }
    (fake.folder / "head.txt").write_text("-2.0")
    for hour in ("14", "16"):
        result = CliRunner().invoke(main, ["--restart", str(fake.output), "--set", f"time.end=2020-01-01T{hour}:00"])
        assert "head.txt is not the file that the run began with" in result.output
    restarts = json.loads((fake.output / "provenance.json").read_text())["restarts"]
    assert [list(r["changed_inputs"]) for r in restarts] == [[], [], [], *2 * [[str(fake.folder / "head.txt")]]]


# ---------------------------------------------------------------- names


@pytest.mark.parametrize("name", ["coupler", "Coupler", "output", "checkpoint", "root_zone", "x" * 101])
def test_names_of_components_that_something_else_has_are_refused(fake, name):
    text = yaml.safe_dump(fake.run).replace("groundwater.soil", f"{name}.soil").replace("- groundwater", f"- {name}")
    fake.run = yaml.safe_load(text)
    fake.run["components"][name] = fake.run["components"].pop("groundwater")
    fake.refuses("longer than" if len(name) > 100 else f"no component can be called {name}")


@pytest.mark.parametrize("names", [("a.nc", "A.nc"), ("Water_balance.nc", "b.nc"), ("x" * 101 + ".nc", "b.nc")])
def test_names_of_files_that_collide_are_refused(fake, names):
    first = fake.run["output"][0]
    fake.run["output"] = [{**first, "file": name} for name in names]
    fake.refuses("output", names[0][:40])


def test_what_a_run_writes_can_be_read_by_whoever_may_read_new_files(fake):
    # options make the coupler complete a component's file in a temporary folder, which is closed to others
    previous = os.umask(0o022)
    try:
        fake.succeeds("--set", "land.options.depth=2")
    finally:
        os.umask(previous)
    written = [fake.output, *fake.output.rglob("*")]
    assert fake.output / "config" in written
    assert {p.name for p in written if p.stat().st_mode & 0o444 != 0o444} == set()
