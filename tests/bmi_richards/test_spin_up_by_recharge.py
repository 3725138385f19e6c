"""The groundwater alone, spun up by bmi-run under a prescribed recharge."""

import re
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from richards_cases import OUTLET, valley

from bmi_common import groundwater as names
from bmi_richards import BmiRichards
from rootzone.bmi_run import main

pytestmark = pytest.mark.slow

RECHARGE = 2.0  # mm d-1
DAYS = 60


def run(folder: Path, series: bool) -> str:
    """Spin up; a series repeats two months with rain in every second week only."""
    groundwater = valley(folder, gauges={"outlet": OUTLET})
    content = yaml.safe_load(groundwater.read_text())
    content["richards"]["time_step"] = 24.0
    content["initial"] = {"water_table_depth": 3.0}
    groundwater.write_text(yaml.safe_dump(content))
    source = {"domain": content["domain"], "time_step": 24.0}
    if series:
        with netCDF4.Dataset(folder / "recharge.nc", "w") as data:
            data.createDimension("time", DAYS)
            data.createVariable("recharge", "f8", ("time",))[:] = RECHARGE * (np.arange(DAYS) // 7 % 2)
            data["recharge"].units = "mm d-1"
        source["series"] = {"file": "recharge.nc", "variable": "recharge", "interval": 24.0}
    else:
        source["recharge"] = {"value": RECHARGE, "units": "mm d-1"}
    (folder / "recharge.yaml").write_text(yaml.safe_dump(source))
    (folder / "run.yaml").write_text(
        yaml.safe_dump(
            {
                "time": {"start": "2020-01-01T00:00", "end": "2020-01-03T00:00", "step": "1d"},
                "components": {
                    "recharge": {"class": "bmi_common.prescribed:PrescribedSource", "config": "recharge.yaml"},
                    "groundwater": {"class": "bmi_richards:BmiRichards", "config": "groundwater.yaml"},
                },
                "order": ["recharge", "groundwater"],
                "exchanges": [{"from": f"recharge.{names.NET_SOURCE}", "to": f"groundwater.{names.NET_SOURCE}"}],
                "checks": {"water_balance": {"tolerance": 1e-8, "action": "stop"}},
                "spin_up": {"repeat": f"P{DAYS}D", "max": 100, "until": {"storage_change": 0.01}},
            }
        )
    )
    result = CliRunner().invoke(main, [str(folder / "run.yaml"), "--output", str(folder / "out")])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_constant_recharge_is_repeated_until_the_storage_stands_still(tmp_path: Path) -> None:
    output = run(tmp_path, series=False)
    fractions = [float(f) for f in re.findall(r"is ([0-9.e+-]+) of the net source", output)]
    assert len(fractions) > 2
    assert fractions[-1] <= 0.01 < fractions[-2]
    with netCDF4.Dataset(tmp_path / "out" / "water_balance.nc") as ledger:
        # in balance: what enters leaves at the outlet
        np.testing.assert_allclose(ledger["outflow"][:], ledger["source"][:], rtol=0.02)


def test_a_series_is_repeated_from_its_start(tmp_path: Path) -> None:
    output = run(tmp_path, series=True)
    fractions = [float(f) for f in re.findall(r"is ([0-9.e+-]+) of the net source", output)]
    assert fractions[-1] <= 0.01 < fractions[-2]
    sources = re.findall(r"of the net source ([0-9.e+]+) m3", output)
    assert len(set(sources)) == 1


def test_the_state_starts_an_hourly_run(tmp_path: Path) -> None:
    run(tmp_path, series=False)
    content = yaml.safe_load((tmp_path / "groundwater.yaml").read_text())
    del content["richards"]["time_step"]
    content["initial"] = {"state": "out/spun_up/groundwater.nc"}
    (tmp_path / "hourly.yaml").write_text(yaml.safe_dump(content))
    model = BmiRichards()
    model.initialize(str(tmp_path / "hourly.yaml"))
    assert model.get_time_step() == 3600.0
    depth = model.get_value_ptr(names.WATER_TABLE_DEPTH)
    assert np.nanmedian(depth) < 2.0
