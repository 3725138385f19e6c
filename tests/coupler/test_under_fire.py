"""Runs that are killed at random moments, or whose disk is full, end as if nothing had happened."""

import importlib.util
import os
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from coupler.zarr_output import ZarrOutput

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
TRIALS = 3


@pytest.fixture(scope="module")
def fire():
    spec = importlib.util.spec_from_file_location("restart_under_fire", ROOT / "benchmarks" / "restart_under_fire.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_files_with_names_of_gauges_are_compared_by_the_names(tmp_path, fire):
    for folder, gauges in (("one", ["outlet", "mill"]), ("same", ["outlet", "mill"]), ("other", ["outlet", "weir"])):
        (tmp_path / folder).mkdir()
        with netCDF4.Dataset(tmp_path / folder / "hourly.nc", "w") as data:
            data.createDimension("gauge", 2)
            data.createVariable("name", str, ("gauge",))[:] = np.array(gauges, dtype=object)
    assert fire.differences(tmp_path / "one", tmp_path / "same") == []
    assert fire.differences(tmp_path / "one", tmp_path / "other") == ["hourly.nc: name"]


def test_stores_are_compared_as_they_are_listed_as_they_are_there_and_by_their_chunks(tmp_path, fire):
    pytest.importorskip("zarr")
    for folder, depth in (("one", 1.0), ("same", 1.0), ("other", 2.0)):
        data = ZarrOutput(tmp_path / folder / "hourly.zarr")
        data.createDimension("time", None)
        for name in ("time", "depth"):
            data.createVariable(name, "f8", ("time",), chunksizes=(4,))[0] = depth if name == "depth" else 1.0
        data.sync()
    assert fire.differences(tmp_path / "one", tmp_path / "same") == []
    found = ["hourly.zarr: depth (listed)", "hourly.zarr: depth (there)", "hourly.zarr: depth/c/0"]
    assert fire.differences(tmp_path / "one", tmp_path / "other") == found
    (tmp_path / "same" / "hourly.zarr" / "depth" / "zarr.json").unlink()
    assert "hourly.zarr has other variables" in fire.differences(tmp_path / "one", tmp_path / "same")


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL and limits of processes")
def test_a_run_under_fire_ends_equal(fake, fire, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests" / "support"))
    fake.use("Well", head=[2.0] + 10 * [-1.0])
    (fake.folder / "biased").write_text("0.01")
    fake.run["components"]["groundwater"]["options"] = {"surrogate": {"checkpoint": str(fake.folder / "biased")}}
    fake.run["time"]["end"] = "2020-01-05T00:00"
    fake.run["checkpoint"] = {"every": "7h", "keep": 2}
    fake.run["error_control"] = {
        "audit": {
            "component": {"class": "zoo:OtherNamedWell", "config": "groundwater.yaml"},
            "every": "12h",
            "window": "5h",
            "thresholds": {"water_table": "2 cm"},
            "action": "switch",
            "come_back": True,
        },
        "residual": {"limit": 0.5, "over": "6h"},
    }
    told = []
    results = fire.fire(fake.write(), [], TRIALS, 3, fake.folder, told.append)
    assert [r.outcome for r in results] == ["equal"] * TRIALS, told
    assert any("restarted" in blow for r in results for blow in r.blows), told
    assert any("quota" in blow for r in results for blow in r.blows), told
