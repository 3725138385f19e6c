"""A valley with wells, heads at its sides and irrigated fields, land and groundwater coupled."""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import yaml
from click.testing import CliRunner, Result
from richards_cases import valley

from bmi_common import groundwater as names
from rootzone.bmi_run import main

HOURS = 360
AREA = 1000.0**2
PUMPING = {"cycle": [{"hours": 8, "rate": 600.0}, {"hours": 16, "rate": 0.0}]}
WELLS: list[dict[str, Any]] = [
    {"name": "field", "cell": {"x": 0, "y": 3}, "screen": [4.0, 12.0], "rate": PUMPING,
     "irrigates": {"cells": [{"x": 0, "y": 3}, {"x": 0, "y": 2}], "method": "sprinkler"}},
    {"name": "ditch", "cell": {"x": 1, "y": 0}, "takes": "river", "rate": 300.0,
     "irrigates": {"cells": [{"x": 2, "y": 0}], "method": "drip"}},
    {"name": "town", "cell": {"x": 2, "y": 1}, "screen": [2.0, 20.0], "rate": 120.0},
    {"name": "shallow", "cell": {"x": 2, "y": 2}, "screen": [0.0, 0.4], "rate": {"file": "rates.csv", "column": "q"}},
    {"name": "recharge", "cell": {"x": 1, "y": 2}, "layers": {0: 3, 5: 1}, "action": "injection", "rate": 80.0},
]  # fmt: skip
IRRIGATION = [
    {"from": f"groundwater.{name}", "to": f"land.{name}"} for name in (names.CANOPY_IRRIGATION, names.GROUND_IRRIGATION)
]


def write(folder: Path, mode: str = "full", hours: int = HOURS, **changes: Any) -> Path:
    groundwater = valley(folder, {"mode": mode})
    content = yaml.safe_load(groundwater.read_text())
    content["wells"] = WELLS
    content["boundaries"] = [
        {"side": "north", "head": {"cycle": [{"hours": 9, "rate": 22.0}, {"hours": 5, "rate": 23.0}]}}
    ]
    groundwater.write_text(yaml.safe_dump(content))
    rates = 3.0e4 * (np.sin(np.arange(hours) / 50.0) > 0.0)
    (folder / "rates.csv").write_text("hour,q\n" + "".join(f"{t},{q}\n" for t, q in enumerate(rates)))
    t = np.arange(hours)
    sun = np.maximum(0.0, np.sin(np.pi * ((t + 8) % 24 - 6) / 12))
    rain = np.where(t % 170 < 5, 5e-4, 0.0)
    constant = [np.full(hours, value) for value in (2.0, -1.0, 9.8e4, 0.008)]
    np.savetxt(
        folder / "weather.txt", np.column_stack([700 * sun, np.full(hours, 360.0), rain, 288 + 9 * sun, *constant])
    )
    domain = content["domain"] | {axis: {"file": "valley.nc", "variable": axis} for axis in ("latitude", "longitude")}
    land = {
        "start": "2020-07-01T00:00",
        "domain": domain,
        "land_cover": 10,
        "soil_texture": "loam",
        "forcing": {"type": "column", "file": "weather.txt", "start": "2020-07-01T00:00"},
    }
    (folder / "land.yaml").write_text(yaml.safe_dump(land))
    states = ("soil_water__pressure_head", "soil_water__saturation")
    run = {
        "time": {"start": "2020-07-01T00:00", "end": f"2020-07-{1 + hours // 24:02d}T00:00", "step": "1h"},
        "components": {
            "land": {"class": "bmi_colm:BmiColm", "config": "land.yaml"},
            "groundwater": {"class": "bmi_richards:BmiRichards", "config": "groundwater.yaml"},
        },
        "order": ["land", "groundwater"],
        "exchanges": [
            *({"from": f"groundwater.{name}", "to": f"land.{name}"} for name in states),
            {"from": f"land.{names.NET_SOURCE}", "to": f"groundwater.{names.NET_SOURCE}"},
            *IRRIGATION,
        ],
        "output": [
            {"file": "heads.nc", "every": "1h", "method": "point", "precision": "double",
             "variables": [f"groundwater.{names.PRESSURE_HEAD}"]},
            {"file": "wells.nc", "every": "1h", "precision": "double",
             "variables": [f"groundwater.{name}" for name in (names.WELL_RATE, names.UNMET_WELL_RATE)]},
            {"file": "land.nc", "every": "1h", "precision": "double", "variables": [
                "land.land_surface_water_balance__residual", f"land.{names.GROUND_IRRIGATION}"]},
        ],
        "checkpoint": {"every": "125h", "keep": 4},
        "checks": {"water_balance": {"tolerance": 1e-10, "action": "stop"}},
        "figures": False,
        **changes,
    }  # fmt: skip
    (folder / "run.yaml").write_text(yaml.safe_dump(run))
    return folder / "run.yaml"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def succeeds(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def read(file: Path, *variables: str) -> list[np.ndarray]:
    with netCDF4.Dataset(file) as data:
        return [np.ma.filled(data[name][:], np.nan) for name in variables]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["full", "free_drainage"])
def test_fifteen_days_close_every_hour_and_go_on_from_their_checkpoint_bit_for_bit(tmp_path: Path, mode: str) -> None:
    coupled = write(tmp_path, mode)
    whole = tmp_path / "whole"
    succeeds(str(coupled), "--output", str(whole))
    terms = ("residual", "extraction", "injection", "irrigation", "boundary_inflow", "unmet_extraction")
    residual, extraction, injection, irrigation, inflow, unmet = read(whole / "water_balance.nc", *terms)
    assert len(residual) == HOURS  # each within 1e-10 of its turnover, or the run had stopped
    flows = [f"well_water_{what}__volume_flow_rate" for what in ("extraction", "unmet_extraction")]
    rates, short = (rate * 3600.0 for rate in read(whole / "wells.nc", *flows))
    np.testing.assert_allclose(injection, 80.0)
    np.testing.assert_allclose(extraction, rates[:, 2] + rates[:, 3], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(irrigation[1:], (rates[:, 0] + rates[:, 1])[:-1], rtol=1e-9, atol=1e-9)
    assert irrigation[0] == 0.0
    np.testing.assert_allclose(unmet, short.sum(axis=1), rtol=1e-9, atol=1e-9)
    assert short[:, 3].max() > 0.0
    assert np.abs(inflow).max() > 0.0
    # the land got what the ditch gave the hour before
    left, dripped = read(
        whole / "land.nc", "land_surface_water_balance__residual", "land_surface_water_irrigation__mass_flux"
    )
    np.testing.assert_allclose(np.nansum(dripped, axis=(1, 2))[1:] * 3.6 * AREA, rates[:-1, 1], rtol=1e-9, atol=1e-9)
    assert np.nanmax(np.abs(left)) <= 1e-12

    heads = read(whole / "heads.nc", "soil_water__pressure_head")[0]
    succeeds("--restart", str(whole / "checkpoints" / "2020-07-11T10-00-00"))
    np.testing.assert_array_equal(read(whole / "heads.nc", "soil_water__pressure_head")[0], heads)
    again = read(whole / "water_balance.nc", "irrigation")[0]
    np.testing.assert_array_equal(again, irrigation)


def test_the_check_lists_wells_and_what_takes_their_water(tmp_path: Path) -> None:
    output = " ".join(succeeds("--check", str(write(tmp_path, hours=24))).split())
    assert "has well recharge: injection of 80 m3 h-1 in layers 0: 0.75, 5: 0.25, cell x = 1, y = 2" in output
    assert f"takes groundwater.{names.GROUND_IRRIGATION} -> land.{names.GROUND_IRRIGATION}" in output


def test_water_that_nothing_takes_is_a_mistake_before_the_run(tmp_path: Path) -> None:
    coupled = write(tmp_path, hours=24)
    content = yaml.safe_load(coupled.read_text())
    content["exchanges"] = [x for x in content["exchanges"] if x not in IRRIGATION]
    coupled.write_text(yaml.safe_dump(content))
    result = run("--check", str(coupled))
    assert result.exit_code == 2
    message = " ".join(result.output.split())
    for name in (names.CANOPY_IRRIGATION, names.GROUND_IRRIGATION):
        assert f"nothing takes groundwater.{name}, which holds water that groundwater has given up" in message


def test_water_is_handed_on_once(tmp_path: Path) -> None:
    coupled = write(tmp_path, hours=24)
    content = yaml.safe_load(coupled.read_text())
    content["exchanges"].append({**IRRIGATION[1], "to": IRRIGATION[0]["to"]})
    coupled.write_text(yaml.safe_dump(content))
    assert run("--check", str(coupled)).exit_code == 2


def test_a_series_that_ends_before_the_run_is_a_mistake(tmp_path: Path) -> None:
    coupled = write(tmp_path, hours=48)
    (tmp_path / "rates.csv").write_text("hour,q\n" + "".join(f"{t},1.0\n" for t in range(47)))
    result = run("--check", str(coupled))
    assert result.exit_code == 2
    assert "groundwater can go on until 2020-07-02T23:00" in " ".join(result.output.split())


def watched(folder: Path, action: str, **options: Any) -> Path:
    """Two days of physics, audited by physics, or by what differs from it in `options`."""
    physics = {"class": "bmi_richards:BmiRichards", "config": "groundwater.yaml", "options": options}
    audit = {"component": physics, "every": "6h", "window": "2h", "action": action}
    thresholds = {"water_table": "1e-12 m", "soil_water": "1e-9 m"}
    control = {"audit": {**audit, "thresholds": thresholds}}
    coupled = write(folder, hours=48, error_control=control, checkpoint={"every": "15h", "keep": 9})
    succeeds(str(coupled), "--output", str(folder / "out"))
    return folder / "out"


def test_what_audits_a_run_pumps_when_the_run_does(tmp_path: Path) -> None:
    """Between its windows an auditor makes no step; its clock, which cycles and series follow, must not stand still."""
    out = watched(tmp_path, "warn")
    (deviation,) = read(out / "error_control.nc", "audit_soil_water")
    assert np.isfinite(deviation).sum() == 16
    assert np.nanmax(deviation) == 0.0


def test_the_series_of_what_audits_a_run_must_reach_its_end(tmp_path: Path) -> None:
    short = {"name": "town", "cell": {"x": 2, "y": 1}, "screen": [2.0, 20.0]}
    short["rate"] = {"file": str(tmp_path / "short.csv"), "column": "q"}
    (tmp_path / "short.csv").write_text("hour,q\n" + "".join(f"{t},1.0\n" for t in range(47)))
    physics = {"class": "bmi_richards:BmiRichards", "config": "groundwater.yaml", "options": {"wells": [short]}}
    audit = {"component": physics, "every": "6h", "window": "2h", "thresholds": {"water_table": "1 m"}}
    result = run("--check", str(write(tmp_path, hours=48, error_control={"audit": audit})))
    assert result.exit_code == 2
    said = " ".join(result.output.split())
    assert "error_control.audit.component: it can go on until 2020-07-02T23:00 (wells.0.rate), the run ends" in said


def test_irrigation_goes_on_when_physics_takes_over(tmp_path: Path) -> None:
    out = watched(tmp_path, "switch", richards={"passes": 6})
    (in_charge,) = read(out / "error_control.nc", "physics_in_charge")
    assert in_charge[-1] == 1.0
    rates, short = (
        rate * 3600.0
        for rate in read(
            out / "wells.nc", "well_water_extraction__volume_flow_rate", "well_water_unmet_extraction__volume_flow_rate"
        )
    )
    pumped = np.where(np.arange(48) % 24 < 8, 600.0, 0.0)
    np.testing.assert_allclose(rates[:, 0] + short[:, 0], pumped, rtol=1e-9, atol=1e-9)
    (irrigation,) = read(out / "water_balance.nc", "irrigation")
    np.testing.assert_allclose(irrigation[1:], (rates[:, 0] + rates[:, 1])[:-1], rtol=1e-6, atol=1e-6)

    heads = read(out / "heads.nc", "soil_water__pressure_head")[0]
    succeeds("--restart", str(out / "checkpoints" / "2020-07-02T06-00-00"))
    np.testing.assert_array_equal(read(out / "heads.nc", "soil_water__pressure_head")[0], heads)
