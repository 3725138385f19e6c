"""Ten coupled days with everything that can act on the groundwater: their balance, term by term, and their restart."""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from richards_cases import LAYERS, valley

from bmi_common import groundwater as names
from rootzone.bmi_run import main

pytestmark = pytest.mark.slow

HOURS = 240
HEAD = "soil_water__pressure_head"
CONDITIONS: dict[str, Any] = {
    "surface": {"flux": {"cycle": [{"hours": 20, "rate": 0.002}, {"hours": 100, "rate": -0.00005}]}},
    "boundaries": [
        {"side": "north", "head": {"cycle": [{"hours": 100, "rate": 22.0}, {"hours": 50, "rate": 23.5}]}},
        {"side": "east", "layers": [0, 1, 2], "flux": {"file": "east.csv", "column": "inflow"}},
        {"side": "bottom", "flux": -1.0e-6},
    ],
    "sources": [1.0e-6] + [0.0] * (len(LAYERS) - 1),
    "barriers": {"y": 0.5},
    "wells": [
        {
            "name": "dip",
            "cell": {"x": 0, "y": 1},
            "screen": [2.5, 10.0],
            "head": {"cycle": [{"hours": 60, "rate": 21.0}, {"hours": 50, "rate": 23.0}]},
        }
    ],
}


def write(folder: Path, condition: str) -> Path:
    groundwater = valley(folder, {}, slope_formulation="original")
    content = yaml.safe_load(groundwater.read_text())
    content |= CONDITIONS
    content["surface"] = {**CONDITIONS["surface"], "condition": condition}
    if condition == "closed":
        held = {"cycle": [{"hours": 70, "rate": 23.0}, {"hours": 40, "rate": 22.0}]}
        content["boundaries"] = [*CONDITIONS["boundaries"], {"side": "top", "head": held}]
    groundwater.write_text(yaml.safe_dump(content))
    rates = (f"{hour},{1e-3 * np.sin(hour / 30.0)}\n" for hour in range(HOURS))
    (folder / "east.csv").write_text("hour,inflow\n" + "".join(rates))
    recharge = {"domain": content["domain"], "recharge": {"value": 1.0, "units": "mm d-1"}}
    (folder / "recharge.yaml").write_text(yaml.safe_dump(recharge))
    (folder / "run.yaml").write_text(
        yaml.safe_dump(
            {
                "time": {"start": "2020-01-01T00:00", "end": "2020-01-11T00:00", "step": "1h"},
                "components": {
                    "recharge": {"class": "bmi_common.prescribed:PrescribedSource", "config": "recharge.yaml"},
                    "groundwater": {"class": "bmi_richards:BmiRichards", "config": "groundwater.yaml"},
                },
                "order": ["recharge", "groundwater"],
                "exchanges": [{"from": f"recharge.{names.NET_SOURCE}", "to": f"groundwater.{names.NET_SOURCE}"}],
                "output": [{"file": "heads.nc", "every": "1h", "variables": [f"groundwater.{names.PRESSURE_HEAD}"]}],
                "checkpoint": {"every": "80h", "keep": 4},
                "checks": {"water_balance": {"tolerance": 1e-10, "action": "stop"}},
            }
        )
    )
    return folder / "run.yaml"


def run(*arguments: str) -> None:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("condition", ["overland_kinematic", "overland_flow", "seepage_face", "closed"])
def test_ten_days_close_every_hour_and_go_on_from_their_checkpoint_bit_for_bit(tmp_path: Path, condition: str) -> None:
    coupled = write(tmp_path, condition)
    run(str(coupled), "--output", str(tmp_path / "whole"))
    with netCDF4.Dataset(tmp_path / "whole" / "water_balance.nc") as ledger:
        terms = {name: np.asarray(ledger[name][:]) for name in ledger.variables if name != "time"}
    assert len(terms["residual"]) == HOURS
    assert terms["extraction"].max() > 0.0
    assert terms["injection"].max() > 0.0
    for name in ("surface_flux", "boundary_inflow", "prescribed_source"):
        assert np.abs(terms[name]).min() > 0.0
    assert (terms["seepage"].max() > 0.0) == (condition == "seepage_face")
    assert (terms["outflow"].max() > 0.0) == condition.startswith("overland")

    with netCDF4.Dataset(tmp_path / "whole" / "heads.nc") as file:
        heads = np.asarray(file[HEAD][:])
    run("--restart", str(tmp_path / "whole" / "checkpoints" / "2020-01-07T16-00-00"))
    with netCDF4.Dataset(tmp_path / "whole" / "heads.nc") as file:
        np.testing.assert_array_equal(file[HEAD][:], heads)
