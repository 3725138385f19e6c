"""The runs in cfg/demo_training: the test year is the same for all, and starts where the training years end."""

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import netCDF4
import pytest
from click.testing import CliRunner

from coupler.config import LoadedRun, load_run
from rootzone.bmi_run import main

CFG = Path(__file__).parents[1] / "cfg"
TEST_YEAR = ("physics_test_year", "free_drainage_test_year", "hybrid_test_year")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], LoadedRun]:
    """Load a run of the chain as if what goes before it had been done: the folders that it names are there."""
    here = tmp_path_factory.mktemp("chain")
    shutil.copytree(CFG / "demo_training", here / "cfg" / "demo_training")
    (here / "cfg" / "demo").symlink_to(CFG / "demo")
    for made in ("structured", "physics_test_year", "physics_years/checkpoints/2021-10-01T00-00-00"):
        (here / "output" / "demo_training" / made).mkdir(parents=True)
    return lambda name: load_run(here / "cfg" / "demo_training" / f"{name}.yaml")


def test_the_training_years_are_sound() -> None:
    result = CliRunner().invoke(main, [str(CFG / "demo_training" / "physics_years.yaml"), "--check"])
    assert result.exit_code == 0, result.output


def test_the_test_year_goes_on_where_the_training_years_end(run: Callable[[str], LoadedRun]) -> None:
    training = run("physics_years").config
    assert training.checkpoint is not None  # a run with checkpoints writes one at its end
    for name in TEST_YEAR:
        loaded = run(name)
        assert loaded.config.time.start == training.time.end
        assert loaded.named["state"].name == f"{training.time.end:%Y-%m-%dT%H-%M-%S}"
        assert loaded.named["state"].parts[-3:-1] == ("physics_years", "checkpoints")


def test_the_weather_lasts_for_all_years(run: Callable[[str], LoadedRun]) -> None:
    with netCDF4.Dataset(CFG / "demo" / "weather.nc") as data:
        first = netCDF4.num2date(data["time"][:1], data["time"].units)[0]
        start = datetime.fromisoformat(first.isoformat())
        end = start + timedelta(hours=len(data["time"]))
    assert start <= run("physics_years").config.time.start
    assert run("physics_test_year").config.time.end <= end


@pytest.mark.parametrize("name", TEST_YEAR)
def test_the_runs_of_the_test_year_differ_in_the_groundwater_only(run: Callable[[str], LoadedRun], name: str) -> None:
    reference, other = run("physics_test_year").config, run(name).config
    assert other.time == reference.time
    assert other.order == reference.order
    assert other.exchanges == reference.exchanges
    assert other.output == reference.output
    assert other.components["land"] == reference.components["land"]
    assert (other.components["groundwater"] == reference.components["groundwater"]) is (name == "physics_test_year")


def test_heads_to_train_on_are_written_in_double_precision(run: Callable[[str], LoadedRun]) -> None:
    written = {str(v): o.precision for o in run("physics_years").config.output for v in o.variables}
    assert written["groundwater.soil_water__pressure_head"] == "double"
    assert "land.soil_root-zone_water__net_volume_flux" in written
