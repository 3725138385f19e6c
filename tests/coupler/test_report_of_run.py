"""The key `report:` of coupled.yaml: refused before the run if it could not be made, made at its end."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import yaml
from click.testing import CliRunner
from evaluation_cases import Years, a_day, drawing, field
from station_cases import HOUR, HOURS, START, Stations

from bmi_common import ConfigError, ModelError
from bmi_common.groundwater import DISCHARGE
from bmi_common.owned_folder import taken
from coupler.config import RunConfig, load_run
from rootzone.bmi_run import main
from rootzone.final_report import check_report, write_report

pytestmark = pytest.mark.slow

DEMO = Path(__file__).parents[2] / "cfg" / "coupled-richards.yaml"


@pytest.fixture
def years(tmp_path: Path) -> Years:
    return Years(tmp_path)


def config(run: Path, report: Any) -> RunConfig:
    """The run's own record, as it would be with this key."""
    content = yaml.safe_load((run / "run.yaml").read_text())
    (run / "run.yaml").write_text(yaml.safe_dump({**content, "report": report}))
    return load_run(run / "run.yaml").config


def test_the_report_lies_in_the_folder_of_the_run(years: Years) -> None:
    reference = years.run("reference", field(24, 3.0), a_day(24))
    run = years.run("run", field(24, 3.1), a_day(24))
    asked = config(run, {"reference": str(reference), "thresholds": {"water_table": "0.5m"}, "name": "mine"})
    check_report(asked)
    with taken(run, "run") as folder, drawing({"verdict"}):
        assert write_report(asked, folder) == run / "report" / "report.html"
    report = json.loads((run / "report" / "report.json").read_text())
    assert report["verdict"]["water_table"]["threshold"] == 0.5
    assert report["sources"]["mine"] == str(run)


def test_a_report_needs_a_reference(years: Years) -> None:
    run = years.run("run", field(24, 3.1), a_day(24))
    assert config(run, False).report is None
    with pytest.raises(ConfigError, match="reference"):
        check_report(config(run, True))


def test_the_run_that_segments_restart_from_is_the_reference(years: Years) -> None:
    reference = years.run("reference", field(24, 3.0), a_day(24))
    run = years.run("run", field(24, 3.1), a_day(24))
    content = yaml.safe_load((run / "run.yaml").read_text())
    content["error_control"] = {"segments": {"length": "12h", "restart_from": str(reference)}}
    (run / "run.yaml").write_text(yaml.safe_dump(content))
    check_report(config(run, True))


def test_wrong_thresholds_are_found_before_the_run(years: Years) -> None:
    run = years.run("run", field(24, 3.1), a_day(24))
    with pytest.raises(ConfigError, match="do not convert"):
        check_report(config(run, {"reference": str(run), "thresholds": {"water_table": "1 K"}}))


def test_variables_that_are_not_written_are_found_before_the_run(years: Years) -> None:
    run = years.run("run", field(24, 3.1), a_day(24))
    content = yaml.safe_load((run / "run.yaml").read_text())
    content["output"][0]["every"] = "1d"
    (run / "run.yaml").write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigError, match=r"soil_water__pressure_head.*every: 1h"):
        check_report(config(run, {"reference": str(run)}))


def test_a_report_may_be_of_stations_alone(tmp_path: Path) -> None:
    basin = Stations(tmp_path)
    measured = basin.discharge * np.exp(0.1 * np.random.default_rng(5).standard_normal(HOURS))
    measured[7] = np.nan
    outlet = {"name": "outlet", "quantity": "discharge", "file": basin.hours_csv("q.csv", measured)}
    observations = {"observations": str(basin.observations(outlet))}
    asked = config(basin.run_folder, observations)
    with pytest.raises(ConfigError, match=r"stations\.0\.quantity: the run does not write channel_water.*add it"):
        check_report(asked)
    content = yaml.safe_load((basin.run_folder / "run.yaml").read_text())
    content["output"][1]["variables"].append(f"groundwater.{DISCHARGE}")
    (basin.run_folder / "run.yaml").write_text(yaml.safe_dump(content))
    asked = load_run(basin.run_folder / "run.yaml").config
    check_report(asked)
    with taken(basin.run_folder, "run") as folder, drawing(False):
        assert write_report(asked, folder).name == "observations.html"
    with xr.open_dataset(basin.run_folder / "report" / "observations.nc", group="outlet") as pairs:
        kept = np.delete(np.arange(HOURS), 7)
        np.testing.assert_array_equal(pairs["observed"], measured[kept])
        np.testing.assert_array_equal(pairs["simulated_run"], basin.discharge[kept])
        assert pairs["observed"].attrs["units"] == "m3 s-1"
        assert pairs["time"].values[0] == START + HOUR
    with pytest.raises(ConfigError, match=r"report\.thresholds: has no effect without a reference"):
        check_report(config(basin.run_folder, {**observations, "thresholds": {"water_table": "1m"}}))


def test_a_report_that_fails_leaves_the_run(years: Years) -> None:
    reference = years.run("reference", field(24, 3.0), a_day(24), start="2021-01-01")
    run = years.run("run", field(24, 3.1), a_day(24))
    with (
        taken(run, "run") as folder,
        pytest.raises(ModelError, match=r"the run is done, but there is no report.*no hour in common"),
    ):
        write_report(config(run, {"reference": str(reference)}), folder)


def test_the_command_refuses_it_with_one_message(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = CliRunner().invoke(main, [str(DEMO), "--output", str(out), "--set", "report=true"])
    assert result.exit_code == 2
    assert "report: what is the run to be compared with" in result.output
    assert not out.exists()


@pytest.mark.slow
def test_a_run_of_the_demo_reports_on_itself(tmp_path: Path) -> None:
    def run(name: str, *settings: str) -> Path:
        given = [a for s in ("time.end=2019-10-01T06:00", "figures=false", *settings) for a in ("--set", s)]
        with drawing({"verdict"}):
            result = CliRunner().invoke(main, [str(DEMO), "--output", str(tmp_path / name), *given])
        assert result.exit_code == 0, result.output
        return tmp_path / name

    physics = run("physics")
    weather = DEMO.parent / "demo" / "weather.nc"
    again = run(
        "again",
        f"report.reference={physics}",
        "report.thresholds.water_table=1 mm",
        f"report.precipitation={weather}",
    )
    report = json.loads((again / "report" / "report.json").read_text())
    assert report["verdict"]["water_table"]["in_words"] == "holds in all 6 hours"
    assert report["windows"][0]["precipitation"]["total"] >= 0.0
    # its own files go with the run that replaces it
    shorter = ("--set", "time.end=2019-10-01T01:00", "--set", "figures=false")
    overwritten = CliRunner().invoke(main, [str(DEMO), "--output", str(again), "--overwrite", *shorter])
    assert overwritten.exit_code == 0, overwritten.output
    assert not (again / "report").exists()
