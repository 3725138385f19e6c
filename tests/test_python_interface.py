"""The package's functions: what the commands do, with exceptions for messages and objects for results."""

import gc
import logging
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from evaluation_cases import drawing
from matplotlib.figure import Figure

import rootzone
from bmi_common.groundwater import PRESSURE_HEAD
from bmi_common.netcdf_file import netcdf_name
from coupler.errors import RunInterrupted
from rootzone import execution
from rootzone.api import _texts

pytestmark = pytest.mark.slow

RUN = Path(__file__).resolve().parents[1] / "cfg" / "coupled-richards.yaml"
SIX_HOURS = {"time.end": "2019-10-01T06:00"}
CHECKPOINTS = {"checkpoint": {"every": timedelta(hours=3)}}
HEAD = netcdf_name(PRESSURE_HEAD)


def contents(folder: Path) -> dict[tuple[str, str], bytes]:
    found = {}
    for path in sorted(folder.glob("*.nc")):
        with netCDF4.Dataset(path) as data:
            data.set_auto_maskandscale(False)
            found |= {(path.name, name): np.asarray(v[...]).tobytes() for name, v in data.variables.items()}
    return found


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> rootzone.RunResult:
    folder = tmp_path_factory.mktemp("python") / "run"
    return rootzone.run(RUN, folder, quiet=True, figures=False, **CHECKPOINTS, **SIX_HOURS)


def test_a_run_is_that_of_the_command_bit_for_bit(result: rootzone.RunResult, tmp_path: Path) -> None:
    command = [Path(sys.executable).with_name("bmi-run"), RUN, "--set=time.end=2019-10-01T06:00", "--set=figures=false"]
    subprocess.run([*command, "--output", tmp_path / "run"], check=True, capture_output=True)
    ours = contents(result.folder)
    assert len(ours) > 10
    assert ours == contents(tmp_path / "run")


def test_files_of_a_run_are_datasets_that_are_opened_when_used(result: rootzone.RunResult) -> None:
    assert list(result) == ["daily", "hourly", "water_balance"]
    assert isinstance(result.hourly, xr.Dataset)
    assert result.hourly is result["hourly"]
    assert result.hourly.sizes["time"] == 6
    assert float(abs(result.water_balance["residual"]).max()) < 1e-3
    assert result.timing["steps"] == 6
    assert "done; results are in" in result.log
    assert "hourly" in repr(result)
    assert "hourly" in dir(result)
    result.close()


def test_what_a_run_does_not_have_is_said(result: rootzone.RunResult, tmp_path: Path) -> None:
    with pytest.raises(AttributeError, match=r"has no monthly.nc or monthly.zarr; it has .*hourly"):
        _ = result.monthly
    (tmp_path / "run.yaml").touch()
    with pytest.raises(rootzone.ConfigError, match=r"no file has .*volume_flow_rate; write it"):
        _ = rootzone.RunResult(tmp_path).gauges
    (tmp_path / "run.yaml").unlink()
    with pytest.raises(rootzone.ConfigError, match="is not the folder of a run"):
        rootzone.RunResult(tmp_path)


def test_gauges_are_found_by_their_names(result: rootzone.RunResult) -> None:
    outlet = result.gauges.sel(gauge="outlet")
    assert outlet.dims == ("time",)
    assert (outlet.attrs["units"], float(outlet["y"])) == ("m3 s-1", 2_688_500.0)
    area = 1.0e6
    runoff = result.hourly["land_surface_water_runoff__volume_flux"].sum(["y", "x"]) * area
    np.testing.assert_allclose(outlet, runoff, rtol=1e-6)  # single precision in the file
    result.close()


def test_figures_are_drawn_without_files(result: rootzone.RunResult) -> None:
    before = set(result.folder.rglob("*"))
    drawn = result.figures()
    result.close()
    assert {"hourly_series", "hourly_maps", "hourly_hydrographs"} <= drawn.keys()
    assert all(isinstance(figure, Figure) for figure in drawn.values())
    assert set(result.folder.rglob("*")) == before


def test_a_run_goes_on_bit_for_bit(result: rootzone.RunResult, tmp_path: Path) -> None:
    three_hours = {"time.end": datetime(2019, 10, 1, 3)}
    part = rootzone.run(RUN, tmp_path / "part", quiet=True, figures=False, **three_hours, **CHECKPOINTS)
    assert part.hourly.sizes["time"] == 3  # and is open now
    part = rootzone.restart(part, quiet=True, **SIX_HOURS)
    assert contents(part.folder) == contents(result.folder)


def test_mistakes_are_exceptions_with_the_words_of_the_command(result: rootzone.RunResult, tmp_path: Path) -> None:
    with pytest.raises(rootzone.ConfigError, match=r"time.end"):
        rootzone.run(RUN, tmp_path / "run", **{"time.end": "2019-02-30"})
    with pytest.raises(rootzone.ConfigError, match="overwrite"):
        rootzone.run(RUN, result.folder, **SIX_HOURS)
    with pytest.raises(rootzone.ConfigError, match="title: a value of type object cannot stand in a configuration"):
        rootzone.check(RUN, title=object())
    assert not (tmp_path / "run").exists()


def test_a_time_and_thresholds_that_cannot_be_read_say_how_they_are_written(result: rootzone.RunResult) -> None:
    with pytest.raises(rootzone.ConfigError, match=r"'2019-10-01T03' is not a time .*; write it as 2019-10-01T03:00"):
        rootzone.check(RUN, **{"time.end": "2019-10-01T03"})
    with pytest.raises(rootzone.ConfigError, match="thresholds are a mapping such as"):
        rootzone.evaluate(result, result, thresholds="water_table=0.1m")  # type: ignore[arg-type]


def test_a_list_as_output_is_the_section_of_the_file_and_the_folder_has_a_key(tmp_path: Path) -> None:
    files = [{"file": "heads.nc", "every": "3h", "variables": [f"groundwater.{PRESSURE_HEAD}"]}]
    with rootzone.run(RUN, output=files, folder=tmp_path / "run", quiet=True, figures=False, **SIX_HOURS) as result:
        assert result.folder == tmp_path / "run"
        assert result.outputs == ["heads"]
        assert result.heads.sizes["time"] == 2
    again = {"output": [], "folder": tmp_path / "run", "overwrite": True}  # the folder is not read by the run
    rootzone.run(RUN, quiet=True, figures=False, **again, **SIX_HOURS).close()
    assert not (tmp_path / "run" / "heads.nc").exists()
    with pytest.raises(rootzone.ConfigError, match=r"output: Input should be a valid list"):
        rootzone.run(RUN, output={"file": "heads.nc"}, folder=tmp_path / "other")  # type: ignore[arg-type]
    with pytest.raises(rootzone.ConfigError, match="output is a folder, or a list of files to write, not generator"):
        rootzone.run(RUN, output=(f for f in files), folder=tmp_path / "other")  # type: ignore[arg-type]
    assert not (tmp_path / "other").exists()


def test_threads_work_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    at_work, most = [], []

    def check(*_: object) -> list[str]:
        at_work.append(1)
        most.append(len(at_work))
        time.sleep(0.1)
        at_work.pop()
        return []

    monkeypatch.setattr(execution, "check", check)
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(rootzone.check, 3 * [RUN])) == 3 * [""]
    assert most == [1, 1, 1]


def test_a_folder_beside_a_file_that_a_link_leads_to_lies_beside_the_real_one(tmp_path: Path) -> None:
    shutil.copytree(RUN.parent, tmp_path / "real" / "cfg")
    (tmp_path / "cfg").symlink_to(tmp_path / "real" / "cfg")
    file = tmp_path / "cfg" / RUN.name
    rootzone.run(file, folder="../run", output=[], quiet=True, figures=False, **SIX_HOURS).close()
    assert (tmp_path / "real" / "run" / "run.log").is_file()
    assert not (tmp_path / "run").exists()


def test_a_check_returns_the_plan() -> None:
    plan = rootzone.check(RUN, **SIX_HOURS)
    assert "6 steps of 1h" in plan
    assert "2. groundwater: " in plan


def test_an_evaluation_returns_what_it_found_and_writes_only_when_asked(
    result: rootzone.RunResult, tmp_path: Path
) -> None:
    thresholds = {"water_table": "0.1 m"}
    found = rootzone.evaluate(result, result, thresholds=thresholds, name="itself")
    assert found.met
    assert found.files == []
    assert found.summary["errors"]["itself"]["water_table_median"] == 0.0
    assert "water table" in repr(found)
    with drawing({"verdict"}):
        written = rootzone.evaluate(result, result, tmp_path / "report", thresholds=thresholds, name="itself")
    assert written.files[0] == tmp_path / "report" / "report.html"
    assert written.files[0].is_file()


def test_settings_are_taken_as_python_has_them() -> None:
    given = {
        "time.end": datetime(2019, 10, 1, 6),
        "checkpoint.every": timedelta(hours=3),
        "checks.water_balance.tolerance": np.float64(1e-6),
        "figures": False,
        "report": {"thresholds": {"water_table": "0.1 m"}, "reference": Path("a b")},
        "order": np.array(["land", "groundwater"]),
        "time.start": pd.Timestamp("2019-10-01"),
        "output.0.every": np.timedelta64(3, "h"),
        "checkpoint.keep": np.int64(2),
        "error_control.start": np.datetime64("2019-10-01T03:00", "ns"),
    }
    assert _texts(given) == [
        "time.end=2019-10-01 06:00:00",
        "checkpoint.every=10800s",
        "checks.water_balance.tolerance=1.0e-06",
        "figures=false",
        "report={reference: a b, thresholds: {water_table: 0.1 m}}",
        "order=[land, groundwater]",
        "time.start=2019-10-01 00:00:00",
        "output.0.every=10800s",
        "checkpoint.keep=2",
        "error_control.start=2019-10-01 03:00:00",
    ]


def test_a_result_stays_that_of_its_folder_wherever_the_process_goes(
    result: rootzone.RunResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(result.folder.parent)
    again = rootzone.RunResult(result.folder.name)
    monkeypatch.chdir(tmp_path)
    assert list(again) == list(result)
    assert again.log == result.log


def test_an_interrupt_at_the_figures_says_that_the_run_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rootzone.figures.draw", interrupted)
    with pytest.raises(RunInterrupted, match="the run is complete, but figures"):
        rootzone.run(RUN, tmp_path / "run", quiet=True, **SIX_HOURS)
    assert list(rootzone.RunResult(tmp_path / "run")) == ["daily", "hourly", "water_balance"]


def test_the_log_of_the_caller_stays_as_it_was(tmp_path: Path) -> None:
    log = logging.getLogger("rootzone")
    mine = logging.NullHandler()
    log.addHandler(mine)
    log.setLevel(logging.ERROR)
    try:
        rootzone.run(RUN, tmp_path / "run", quiet=True, figures=False, **{"time.end": "2019-10-01T01:00"})
        assert (log.handlers, log.level, log.propagate) == ([mine], logging.ERROR, True)
    finally:
        log.removeHandler(mine)
        log.setLevel(logging.NOTSET)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the memory of a process is read from /proc")
def test_memory_does_not_grow_from_run_to_run(tmp_path: Path) -> None:
    def resident() -> int:
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    sizes = []
    for _ in range(7):
        rootzone.run(
            RUN, tmp_path / "run", overwrite=True, quiet=True, figures=False, **{"time.end": "2019-10-01T01:00"}
        )
        sizes.append(resident())
    assert sizes[-1] - sizes[3] < 5e6


def test_the_package_is_imported_quickly() -> None:
    code = "import sys, rootzone; print(sorted({'numpy', 'netCDF4', 'torch', 'xarray'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"
