"""Failures while running: one message with time, component, variable and cell; what was written stays readable."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from zoo import Bucket

from bmi_common.groundwater import NET_SOURCE, PRESSURE_HEAD, SATURATION
from bmi_common.world import OtherProcessFailed
from coupler.component import Component
from coupler.component_config import ComponentFile

pytestmark = pytest.mark.slow

SUPPORT = Path(__file__).resolve().parents[1] / "support"


def test_failing_component_is_named_with_its_hour(fake):
    fake.use("FailingBucket", at=3).breaks(
        "2020-01-01T03:00 (hour 3)", "groundwater: ZeroDivisionError: the fake divides by zero"
    )


def test_failing_component_leaves_the_hours_done(fake):
    fake.use("FailingBucket", at=3).breaks("hour 3")
    with fake.open() as data:
        assert data.sizes["time"] == 3
        assert np.isfinite(data.soil_water__pressure_head).all()
    assert fake.open("water_balance.nc").sizes["time"] == 3


def test_failure_stands_in_the_log(fake):
    fake.use("FailingBucket", at=3).breaks("hour 3")
    assert "the fake divides by zero" in (fake.output / "run.log").read_text()


def test_nan_is_named_with_component_variable_cell_and_hour(fake):
    fake.use("NanBucket", at=2).breaks("hour 2", f"groundwater: {SATURATION} is nan [1] at cell (k=10, j=1, i=2)")


def test_value_out_of_range_is_named_with_its_limits(fake):
    fake.use("HugeBucket", at=4).breaks(
        "hour 4", f"groundwater: {PRESSURE_HEAD} is 1e+12 [m] at cell (k=9, j=1, i=0)", "allowed: -1e+07 to 10000"
    )


def test_users_range_replaces_the_components(fake):
    fake.run["checks"] = {"ranges": {f"land.{NET_SOURCE}": [-1.0, 0.001]}}
    fake.breaks("hour 0", f"land: {NET_SOURCE} is 0.00175 [h-1] at cell (k=9, j=0, i=0)", "(12 cells in all)")


def test_users_range_guards_variables_that_are_not_exchanged(fake):
    fake.run["checks"] = {"ranges": {"groundwater.land_surface_water__depth": [-2.0, -1.0]}}
    fake.breaks("groundwater: land_surface_water__depth is 0 [m] at cell (j=0, i=0)", "allowed: -2 to -1")


def test_values_outside_the_mask_are_not_judged(fake):
    fake.land["mask"] = fake.groundwater["mask"] = 3  # NaN there
    fake.succeeds()


def test_state_that_is_bad_from_the_start_stops_before_the_first_step(fake):
    fake.groundwater["head"] = float("nan")
    fake.breaks("hour 0", f"groundwater: {PRESSURE_HEAD} is nan [m]", "132 cells")


def test_component_that_does_not_arrive(fake):
    fake.use("LateBucket").breaks("hour 0", "groundwater: was asked to advance to 3600 s and stands at 0 s")


@pytest.mark.parametrize(("off", "there"), [(0.0, True), (0.5, True), (600.0, False), (-3600.0, False)])
def test_a_clock_is_as_sharp_after_thirty_years(fake, monkeypatch, off, there):
    fake.write()
    component = Component("groundwater", Bucket())
    component.initialize(ComponentFile(fake.folder / "groundwater.yaml"))
    monkeypatch.setattr(Bucket, "get_current_time", lambda _: 1.0e9 + off)
    assert component.stands_at(1.0e9) is there


def test_component_that_stops_answering(fake):
    fake.use("CutOffBucket", at=2).breaks("groundwater: ConnectionError: the server is gone")


def test_failure_in_the_spin_up_says_so(fake):
    fake.use("FailingBucket", at=1)
    fake.run["spin_up"] = {"repeat": "3h", "max": 2, "until": {"storage_change": 0.1}}
    fake.breaks("spin-up 1, 2020-01-01T01:00 (hour 1)")


def test_water_balance_that_does_not_close_stops(fake):
    fake.run["checks"] = {"water_balance": {"tolerance": 1.0e-3}}
    # of the source in the top layer, 0.00175 h-1, and nine others, -0.00025 h-1, a tenth of the sum is missing
    relative = 0.1 * (9 * 0.00025 - 0.00175) / (9 * 0.00025 + 0.00175)
    fake.use("LeakyBucket").breaks("hour 0", "water balance:", "not explained", f"({relative:.3g} > 0.001)")


def test_water_balance_that_does_not_close_warns_where_the_user_wants_it(fake):
    fake.run["checks"] = {"water_balance": {"tolerance": 1.0e-3, "action": "warn"}}
    result = fake.use("LeakyBucket").succeeds()
    assert result.output.count("not explained") == 6
    assert "2020-01-01T05:00: water balance" in result.output
    assert fake.open().sizes["time"] == 6


def test_water_balance_that_closes_passes_the_check(fake):
    fake.run["checks"] = {"water_balance": {"tolerance": 1.0e-9}}
    assert "not explained" not in fake.succeeds().output


def test_components_are_finalized_after_a_failure(fake):
    record = fake.folder / "heard.json"
    fake.run["components"]["ear"] = {"class": "zoo:Listener", "config": "ear.yaml"}
    (fake.folder / "ear.yaml").write_text(f"{{nx: 4, ny: 3, layers: 11, record: {record}}}\n")
    fake.run["order"].append("ear")
    fake.use("FailingBucket", at=2).breaks("hour 2")
    assert record.exists()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_run_leaves_every_hour_before_readable(fake):
    fake.use("MortalBucket", at=5)
    fake.write()
    command = [
        sys.executable,
        "-c",
        "from rootzone.bmi_run import main; main()",
        str(fake.yaml),
        "--output",
        str(fake.output),
    ]
    killed = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(SUPPORT)}, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with xr.open_dataset(fake.output / "hourly.nc") as data:
        assert data.sizes["time"] == 5
        assert np.isfinite(data.soil_water__pressure_head).all()
        assert (np.diff(data.time) == np.timedelta64(1, "h")).all()


def test_a_disk_that_fills_up_is_one_message_and_leaves_what_was_written(fake, monkeypatch):
    from coupler.output import OutputFile

    write = OutputFile.add_step

    def fills_up_in_the_third_hour(self):
        if self._steps == 2:
            raise RuntimeError("NetCDF: HDF error")
        write(self)

    monkeypatch.setattr(OutputFile, "add_step", fills_up_in_the_third_hour)
    result = fake()
    assert result.exit_code == 1
    assert "hourly.nc: cannot be written: NetCDF: HDF error" in result.output
    with xr.open_dataset(fake.output / "hourly.nc") as data:
        assert data.sizes["time"] == 2


def test_memory_that_does_not_suffice_for_figures_is_one_message_and_leaves_the_run(fake, monkeypatch):
    def draw(*_):
        raise MemoryError("Unable to allocate 80.0 GiB for an array")

    monkeypatch.setattr("rootzone.figures.draw", draw)
    fake.run["figures"] = True
    fake.breaks("does not fit into memory: Unable to allocate 80.0 GiB")
    assert fake.open().sizes["time"] == 6


def test_a_written_variable_that_nobody_takes_is_guarded_too(fake):
    fake.use("DryTableBucket", at=2)
    fake.run["output"][0]["variables"].append("groundwater.soil_water_sat-zone_top__depth")
    result = fake()
    assert result.exit_code == 1
    assert "2020-01-01T02:00 (hour 2): groundwater: soil_water_sat-zone_top__depth is nan [m]" in result.output
    assert "cell (j=1, i=3)" in result.output


def test_a_missing_value_outside_the_mask_is_no_failure(fake):
    fake.land["mask"] = 2
    fake.use("Bucket", mask=2)
    fake.run["output"][0]["variables"].append("groundwater.soil_water_sat-zone_top__depth")
    assert fake().exit_code == 0


@pytest.mark.parametrize("call", ["initialize", "update", "save_state"])
def test_what_has_ended_another_process_is_told_as_that_one_told_it(fake, monkeypatch, call):
    def fails(*_):
        raise OtherProcessFailed("interrupted by the other", 130)

    fake.use("Bucket")
    fake.run["checkpoint"] = {"every": "1h"}
    monkeypatch.setattr(Bucket, call, fails)
    result = fake()
    assert result.exit_code == 130
    assert result.output.splitlines()[-1] == "bmi-run: interrupted by the other"
