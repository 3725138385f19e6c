"""Error control on the demo basin: the shipped surrogate passes its audits, a bad one is caught and put right."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml
from click.testing import CliRunner
from noisy import NOISE
from numpy.typing import NDArray

from bmi_common.groundwater import WATER_TABLE_DEPTH
from rootzone.bmi_run import main

CFG = Path(__file__).parents[1] / "cfg"
GOOD, BAD = "bmi_surrogate:BmiSurrogate", "noisy:NoisySurrogate"
PHYSICS = {"class": "bmi_richards:BmiRichards", "config": str(CFG / "demo" / "groundwater.yaml")}
FREE_DRAINAGE = {**PHYSICS, "options": {"richards": {"mode": "free_drainage"}}}
THRESHOLDS = {"water_table": "2 cm", "root_zone_saturation": 0.01}
HOURS, WINDOW = 30, 6


def control(action: str) -> dict[str, object]:
    return {
        "audit": {
            "component": PHYSICS,
            "free_drainage": FREE_DRAINAGE,
            "every": "12h",
            "window": f"{WINDOW}h",
            "thresholds": THRESHOLDS,
            "action": action,
        },
        "residual": {"limit": 0.01, "over": "6h"},
    }


def run_of(folder: Path, groundwater: str, error_control: dict[str, object] | None) -> Path:
    """Run the demo through its storm; the run's folder."""
    content = yaml.safe_load((CFG / "coupled.yaml").read_text())
    for component in content["components"].values():
        component["config"] = str(CFG / component["config"])
    content["components"]["groundwater"]["class"] = groundwater
    content["time"].update(start="2019-10-03T00:00", end="2019-10-04T06:00")
    content.update(figures=False, error_control=error_control)
    content["output"] = [{"file": "hourly.nc", "every": "1h", "variables": [f"groundwater.{WATER_TABLE_DEPTH}"]}]
    content["checks"] = {"water_balance": {"tolerance": 1.0e6, "action": "warn"}}
    file = folder / "run.yaml"
    file.write_text(yaml.safe_dump(content))
    result = CliRunner().invoke(main, [str(file), "--output", str(folder / "out")])
    assert result.exit_code == 0, result.output
    return folder / "out"


def run(folder: Path, groundwater: str, **error_control: object) -> tuple[xr.Dataset, list[dict[str, str]]]:
    """Run with error control; what it recorded and decided."""
    out = run_of(folder, groundwater, error_control)
    with xr.open_dataset(out / "error_control.nc") as data:
        return data.load().assign_attrs(folder=out), json.loads((out / "error_control.json").read_text())["decisions"]


def tables(folder: Path) -> NDArray[np.float64]:
    """Water table depth [m] at the end of every hour."""
    with xr.open_dataset(folder / "hourly.nc") as data:
        return data["soil_water_sat_zone_top__depth"].to_numpy()


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return run(tmp_path_factory.mktemp("good"), GOOD, **control("stop"))


@pytest.fixture(scope="module")
def bad(tmp_path_factory):
    return run(tmp_path_factory.mktemp("bad"), BAD, **control("resync"))


def test_the_shipped_surrogate_passes_every_audit_through_a_storm(good):
    record, decisions = good
    assert [d["action"] for d in decisions] == ["none"] * 3
    # the threshold is 0.02 m; the worst audit, 4 mm, falls into hours in which water tables rise to the ground
    assert record["audit_water_table"].max() < 0.01
    assert record["water_balance_residual"].max() < 1e-5


def test_noise_is_caught_by_the_audit_in_the_first_window(bad):
    _, decisions = bad
    first = next(d for d in decisions if d["by"] == "audit")
    assert first["time"] == f"2019-10-03T{WINDOW:02d}:00:00"
    assert first["action"] == "resync"


def test_noise_is_caught_by_the_balance_without_any_reference(tmp_path):
    _, decisions = run(tmp_path, BAD, residual={"limit": 0.01, "over": "6h"})
    assert decisions[0]["by"] == "residual"
    assert decisions[0]["time"] == "2019-10-03T06:00:00"  # as soon as there are six hours


def test_resync_brings_the_error_back_below_the_threshold(bad, tmp_path):
    record, decisions = bad
    truth = tables(run_of(tmp_path, "bmi_richards:BmiRichards", None))
    error = np.abs(tables(record.attrs["folder"]) - truth)
    median = np.nanmedian(error, axis=(1, 2))
    hours = [int(d["time"][8:10]) * 24 + int(d["time"][11:13]) - 72 for d in decisions if d["action"] == "resync"]
    assert hours[0] == WINDOW
    assert median[WINDOW - 1] > 0.02
    assert median[WINDOW] < 0.02  # the hour after it, noise included


def test_every_window_begins_without_a_deviation(bad):
    record, _ = bad
    deviation = record["audit_water_table"].to_numpy()
    np.testing.assert_array_equal(np.isnan(deviation), np.arange(HOURS) % 12 >= WINDOW)
    assert (deviation[[0, 12, 24]] < NOISE).all()


def test_weights_of_an_ensemble_are_found_from_any_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CFG.parent)
    ensemble = "{checkpoints: [demo/surrogate.yaml], limits: {water_table: 1 mm}}"
    arguments = [f"{CFG.name}/coupled.yaml", "--check", "--set", f"error_control.ensemble={ensemble}"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "ensemble of 1 more" in result.output
