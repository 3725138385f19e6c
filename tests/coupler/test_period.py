"""What depends on the run's period is checked for the whole of it before the run, and for no more; and restarts."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from conformance import components

from bmi_colm import variables as land_names
from bmi_common import groundwater as names
from rootzone.bmi_run import main

pytestmark = pytest.mark.slow

NEW_YEAR = datetime(2025, 1, 1)


class Basin:
    """Land over Richards on twelve columns, under one station's weather."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        components.colm(folder)
        components.richards(folder)
        groundwater = yaml.safe_load((folder / "richards.yaml").read_text())
        groundwater.pop("wells")  # whose irrigation the land would have to take
        (folder / "richards.yaml").write_text(yaml.safe_dump(groundwater, sort_keys=False))
        self.land = yaml.safe_load((folder / "colm.yaml").read_text())
        self.weather = (folder / "forcing.txt").read_text().splitlines()
        self.run: dict[str, Any] = {
            "time": {"start": "2024-12-31T18:00", "end": "2025-01-01T06:00", "step": "1h"},
            "components": {
                "land": {"class": "bmi_colm:BmiColm", "config": "colm.yaml"},
                "groundwater": {"class": "bmi_richards:BmiRichards", "config": "richards.yaml"},
            },
            "order": ["land", "groundwater"],
            "exchanges": [
                {"from": f"groundwater.{names.PRESSURE_HEAD}", "to": f"land.{names.PRESSURE_HEAD}"},
                {"from": f"groundwater.{names.SATURATION}", "to": f"land.{names.SATURATION}"},
                {"from": f"land.{names.NET_SOURCE}", "to": f"groundwater.{names.NET_SOURCE}"},
            ],
            "output": [
                {
                    "file": "hourly.nc",
                    "every": "1h",
                    "precision": "double",
                    "variables": [f"land.{land_names.LATENT_HEAT}", f"groundwater.{names.PRESSURE_HEAD}"],
                }
            ],
            "checkpoint": {"every": "6h"},
        }

    @property
    def output(self) -> Path:
        return self.folder / "out"

    def write(self) -> None:
        (self.folder / "colm.yaml").write_text(yaml.safe_dump(self.land, sort_keys=False))
        (self.folder / "forcing.txt").write_text("\n".join(self.weather) + "\n")
        (self.folder / "coupled.yaml").write_text(yaml.safe_dump(self.run, sort_keys=False))

    def __call__(self, *arguments: str) -> tuple[int, str]:
        self.write()
        result = CliRunner().invoke(main, [str(self.folder / "coupled.yaml"), "--output", str(self.output), *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    def restart(self, *arguments: str) -> tuple[int, str]:
        self.write()
        result = CliRunner().invoke(main, ["--restart", str(self.output), *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output


@pytest.fixture
def basin(tmp_path: Path) -> Basin:
    return Basin(tmp_path)


def station(basin: Basin, first: datetime, hours: int) -> None:
    """Give the land a record of its own hours in the place of a repeated day."""
    basin.weather = [basin.weather[i % 24] for i in range(hours)]
    basin.land["forcing"] = {"type": "column", "file": "forcing.txt", "start": f"{first:%Y-%m-%dT%H:%M}"}


def test_a_run_goes_over_the_end_of_the_carbon_dioxide_table_with_a_notice(basin: Basin) -> None:
    code, output = basin()
    assert code == 0, output
    log = (basin.output / "run.log").read_text()
    assert log.count("carbon dioxide of 2025 is extrapolated") == 1


def test_a_run_beyond_all_carbon_dioxide_is_refused_before_a_good_one_is_replaced(basin: Basin) -> None:
    assert basin("--set", "time.end=2024-12-31T20:00")[0] == 0
    before = (basin.output / "hourly.nc").read_bytes()
    basin.run["time"] = {"start": "2030-12-31T18:00", "end": "2031-01-01T06:00", "step": "1h"}
    code, output = basin("--overwrite")
    assert code == 2
    assert "no carbon dioxide for 2031" in output
    assert "2000-2024" in output
    assert (basin.output / "hourly.nc").read_bytes() == before
    basin.run["time"]["end"] = "2031-01-01T00:00"  # the last hour is one of 2030
    assert basin("--overwrite")[0] == 0


def test_the_constant_that_the_message_advises_is_taken_at_a_restart(basin: Basin) -> None:
    basin.run["time"] = {"start": "2030-12-31T18:00", "end": "2031-01-01T00:00", "step": "1h"}
    assert basin()[0] == 0
    later = ("--set", "time.end=2031-01-01T04:00")
    code, output = basin.restart(*later)
    assert code == 2
    assert "give a constant, `carbon_dioxide:`" in output
    code, output = basin.restart(*later, "--set", "land.options.carbon_dioxide=440")
    assert code == 0, output
    assert "components.land.config.carbon_dioxide: 440 from here on, not given until now" in output


def test_weather_with_a_gap_after_the_end_of_the_run_is_taken(basin: Basin) -> None:
    start = NEW_YEAR - timedelta(hours=6)
    station(basin, start, 48)
    assert basin()[0] == 0
    latent = (basin.output / "hourly.nc").read_bytes()
    basin.weather[12:20] = ["nan nan nan nan nan nan nan nan"] * 8  # hour 12 is the first after the end
    assert basin("--overwrite")[0] == 0
    assert (basin.output / "hourly.nc").stat().st_size == len(latent)
    basin.weather[11] = basin.weather[12]
    code, output = basin("--overwrite")
    assert code == 2
    assert "row 11" in output


def test_weather_that_is_too_short_is_refused_by_its_last_hour(basin: Basin) -> None:
    station(basin, NEW_YEAR - timedelta(hours=6), 10)
    code, output = basin("--check")
    assert code == 2
    assert "no forcing for the hour from 2025-01-01 04:00 (and 1 more until 2025-01-01 06:00)" in output


def test_a_longer_record_of_weather_is_taken_at_a_restart(basin: Basin) -> None:
    station(basin, NEW_YEAR - timedelta(hours=6), 12)
    assert basin()[0] == 0
    (basin.folder / "longer.txt").write_text("\n".join(basin.weather * 2) + "\n")
    basin.land["forcing"]["file"] = "longer.txt"
    code, output = basin.restart("--set", "time.end=2025-01-01T12:00")
    assert code == 0, output
    assert "components.land.config.forcing.file: 'longer.txt' from here on, 'forcing.txt' until now" in output


def test_passes_and_step_that_the_solver_advises_are_taken_at_a_restart(basin: Basin) -> None:
    assert basin("--set", "time.end=2025-01-01T00:00")[0] == 0
    code, output = basin.restart(
        "--set", "time.end=2025-01-01T06:00",
        "--set", "groundwater.options.richards.passes={tolerance: 1e-6, most: 20}",
        "--set", "groundwater.options.richards.time_step=0.5",
    )  # fmt: skip
    assert code == 0, output
    assert "components.groundwater.config.richards.time_step: 0.5 from here on, not given until now" in output


def test_other_physics_is_another_run(basin: Basin) -> None:
    assert basin("--set", "time.end=2025-01-01T00:00")[0] == 0
    code, output = basin.restart(
        "--set", "time.end=2025-01-01T06:00",
        "--set", "land.options.wilting_point=0.1",
        "--set", "groundwater.options.richards.floor_head=-10",
    )  # fmt: skip
    assert code == 2
    assert "components.land.config.wilting_point: 0.1, but not given" in output
    assert "components.groundwater.config.richards.floor_head: -10, but not given" in output


def test_an_earlier_end_in_the_lands_file_stands(basin: Basin) -> None:
    basin.land["end"] = "2025-01-01T03:00"
    code, output = basin("--check")
    assert code == 2
    assert "time.end: land can go on until 2025-01-01T03:00, the run ends at 2025-01-01T06:00" in output


def test_the_lands_period_is_that_of_the_run_or_of_a_longer_spin_up(basin: Basin) -> None:
    station(basin, NEW_YEAR - timedelta(hours=6), 24)
    basin.run["checkpoint"] = None
    assert "end = 2025-01-01T06:00 (the run's)" in basin("--check")[1]
    basin.run["spin_up"] = {"repeat": "24h", "max": 1}
    assert "end = 2025-01-01T18:00 (the run's)" in basin("--check")[1]
    basin.run["spin_up"] = {"repeat": "25h", "max": 1}
    assert "spin_up.repeat: 25h is no whole number of days; a state of land holds the sun" in basin("--check")[1]
    basin.run["spin_up"] = {"repeat": "2d", "max": 1}
    code, output = basin("--check")
    assert code == 2
    assert "no forcing for the hour from 2025-01-01 18:00" in output
