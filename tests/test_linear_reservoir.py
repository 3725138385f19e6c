"""The example of a component of one's own does what its page says, alone and coupled."""

from math import exp
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import yaml
from click.testing import CliRunner

from bmi_common import ConfigError
from bmi_common import groundwater as names
from rootzone.bmi_run import main

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
RUN = EXAMPLES / "coupled-linear-reservoir.yaml"

pytestmark = pytest.mark.usefixtures("example")

DZ = np.array([50.0, *[1.0] * 10])
NY, NX, CELL = 2, 3, 1000.0
YIELD, RESIDENCE, DRAINAGE, DEPTH = 0.1, 100.0, 20.0, 5.0


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLES))


def reservoir(folder: Path, **changes: Any) -> Any:
    from linear_reservoir import LinearReservoir

    domain = {
        "grid": {"nx": NX, "ny": NY, "dx": CELL, "dy": CELL},
        "layers": DZ.tolist(),
        "root_zone": {"layers": 10},
        "porosity": 0.4,
        "van_genuchten": {"alpha": 1.0, "n": 2.0, "residual_saturation": 0.1},
    }
    parameters = {"specific_yield": YIELD, "residence_time": RESIDENCE, "drainage_depth": DRAINAGE}
    file = folder / "reservoir.yaml"
    file.write_text(yaml.safe_dump({"domain": domain, "water_table_depth": DEPTH, **parameters, **changes}))
    bmi = LinearReservoir()
    bmi.initialize(str(file))
    return bmi


def rain(bmi: Any, metres_an_hour: float) -> None:
    """Give a net source to the top layer."""
    source = np.zeros((10, NY, NX))
    source[-1] = metres_an_hour / DZ[-1]
    bmi.set_value(names.NET_SOURCE, source)


def depth(bmi: Any) -> np.ndarray:
    return np.array(bmi.get_value_ptr(names.WATER_TABLE_DEPTH))


def test_recession_is_exponential(tmp_path: Path) -> None:
    bmi = reservoir(tmp_path)
    rain(bmi, 0.0)
    bmi.update_until(240 * 3600.0)
    expected = DRAINAGE - (DRAINAGE - DEPTH) * exp(-240 / (RESIDENCE * 24))
    np.testing.assert_allclose(depth(bmi), expected, rtol=1e-13)  # 240 roundings


def test_a_steady_source_ends_in_balance_with_outflow(tmp_path: Path) -> None:
    bmi = reservoir(tmp_path, residence_time=1.0)
    rain(bmi, 1.0e-3)
    bmi.update_until(60 * 86400.0)
    np.testing.assert_allclose(bmi.get_value_ptr(names.RUNOFF) * 3600.0, 1.0e-3, rtol=1e-9)


@pytest.mark.parametrize("source", [0.0, 2.0e-3, 1.0, -1.0e-3, -2.0], ids=["none", "rain", "flood", "sink", "drought"])
def test_water_balance_closes_in_every_hour(tmp_path: Path, source: float) -> None:
    bmi = reservoir(tmp_path)
    area = CELL * CELL
    for _ in range(3):
        before = float(bmi.get_value_ptr(names.STORAGE_VOLUME)[0])
        rain(bmi, source)
        bmi.update()
        after, unmet = (float(bmi.get_value_ptr(n)[0]) for n in (names.STORAGE_VOLUME, names.UNMET_VOLUME))
        outflow = float(bmi.get_value_ptr(names.RUNOFF).sum()) * 3600.0 * area
        explained = source * NY * NX * area + unmet - outflow
        assert after - before == pytest.approx(explained, abs=1e-6)  # rounding of 9e6 m3
        assert (unmet > 0.0) == (source == -2.0)
        assert (depth(bmi) >= 0.0).all()


def test_water_is_at_rest_about_the_water_table(tmp_path: Path) -> None:
    bmi = reservoir(tmp_path)
    head = np.array(bmi.get_value_ptr(names.PRESSURE_HEAD)).reshape(11, NY, NX)
    centres = np.cumsum(DZ) - 0.5 * DZ
    np.testing.assert_allclose(head[:, 0, 0] + centres, DZ.sum() - DEPTH, rtol=1e-14)


def test_setting_the_water_table_replaces_the_state(tmp_path: Path) -> None:
    bmi = reservoir(tmp_path)
    bmi.set_value(names.WATER_TABLE_DEPTH, np.full((NY, NX), 10.0))
    assert float(bmi.get_value_ptr(names.STORAGE_VOLUME)[0]) == pytest.approx(10.0 * YIELD * NY * NX * CELL**2)
    assert bmi.get_value_ptr(names.PRESSURE_HEAD)[-1] == pytest.approx(-9.5)


def test_a_state_file_goes_on_bit_for_bit(tmp_path: Path) -> None:
    bmi, other = reservoir(tmp_path), reservoir(tmp_path, water_table_depth=7.0)
    rain(bmi, 1.0e-4)
    bmi.update_until(5 * 3600.0)
    bmi.save_state(tmp_path / "state.nc")
    other.load_state(tmp_path / "state.nc")
    for component in (bmi, other):
        component.update_until(9 * 3600.0)
    np.testing.assert_array_equal(depth(bmi), depth(other))


def test_a_drainage_depth_below_the_bottom_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"reservoir.yaml: drainage_depth: 70 m is below .* 60 m"):
        reservoir(tmp_path, drainage_depth=70.0)


@pytest.mark.slow
def test_it_couples_with_the_land_and_restarts(tmp_path: Path) -> None:
    def run(*arguments: str) -> None:
        result = CliRunner().invoke(main, [*arguments])
        assert result.exit_code == 0, result.output

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    short = ("--set", "figures=false", "--set", "time.start=2019-10-03T00:00", "--set", "checkpoint.every=12h")
    run(str(RUN), "--output", str(whole), *short, "--set", "time.end=2019-10-04T06:00")
    run(str(RUN), "--output", str(parts), *short, "--set", "time.end=2019-10-03T12:00")
    run("--restart", str(parts), "--set", "time.end=2019-10-04T06:00")
    with xr.open_dataset(whole / "hourly.nc") as a, xr.open_dataset(parts / "hourly.nc") as b:
        xr.testing.assert_equal(a, b)
        table = a["soil_water_sat_zone_top__depth"]
        assert float(table.isel(time=-1).mean()) < float(table.isel(time=0).mean())  # the storm of the third day
    with xr.open_dataset(whole / "water_balance.nc") as ledger:
        worst = np.abs(ledger["residual"]).max() / ledger["turnover"].max()
        assert float(worst) < 1.0e-9
