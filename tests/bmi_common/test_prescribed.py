"""Recharge from a file in the place of the land."""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import yaml

from bmi_common import ConfigError
from bmi_common import groundwater as names
from bmi_common.prescribed import PrescribedSource

LAYERS = [20.0, 1.0, 0.9, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.04, 0.02]
ONE_LAYER_DOWN = [0.0] * 8 + [0.5, 0.5]


def series(folder: Path, values: Any, units: str | None = "mm d-1") -> dict[str, Any]:
    array = np.asarray(values, dtype=float)
    with netCDF4.Dataset(folder / "recharge.nc", "w") as data:
        for name, size in zip(("time", "y", "x"), array.shape, strict=False):
            data.createDimension(name, size)
        variable = data.createVariable("recharge", "f8", ("time", "y", "x")[: array.ndim])
        variable[:] = array
        if units is not None:
            variable.units = units
    return {"file": "recharge.nc", "variable": "recharge"}


def started(folder: Path, **changes: Any) -> PrescribedSource:
    content = {
        "domain": {
            "grid": {"nx": 3, "ny": 2, "dx": 1000.0, "dy": 1000.0},
            "layers": LAYERS,
            "porosity": 0.4,
            "van_genuchten": {"alpha": 2.0, "n": 2.2, "residual_saturation": 0.1},
        },
        **changes,
    }
    file = folder / "recharge.yaml"
    file.write_text(yaml.safe_dump(content))
    component = PrescribedSource()
    component.initialize(str(file))
    return component


def depth(component: PrescribedSource) -> np.ndarray:
    """Water of an hour [m] in each layer of the root zone."""
    source = component.get_value_ptr(names.NET_SOURCE).reshape(10, 2, 3)
    return source * np.array(LAYERS[1:])[:, None, None]


def test_a_constant_goes_to_the_top_layer_in_its_units(tmp_path: Path) -> None:
    component = started(tmp_path, recharge={"value": 2.4, "units": "mm d-1"})
    component.update_until(86400.0 * 400)
    np.testing.assert_allclose(depth(component)[-1], 1e-4, rtol=1e-12)
    np.testing.assert_array_equal(depth(component)[:-1], 0.0)


def test_a_mass_flux_is_water(tmp_path: Path) -> None:
    component = started(tmp_path, recharge={"value": 1.0, "units": "kg m-2 s-1"})
    np.testing.assert_allclose(depth(component)[-1], 3.6, rtol=1e-12)


def test_a_profile_spreads_the_same_water(tmp_path: Path) -> None:
    component = started(tmp_path, recharge=1e-4, profile=ONE_LAYER_DOWN)
    component.update()
    np.testing.assert_allclose(depth(component).sum(axis=0), 1e-4, rtol=1e-12)
    np.testing.assert_allclose(depth(component)[-2:], 5e-5, rtol=1e-12)


def test_a_series_is_needed_until_the_end_of_the_run(tmp_path: Path) -> None:
    daily = {**series(tmp_path, [24.0, 48.0, np.nan]), "interval": 24.0}
    component = started(tmp_path, series=daily, start="2020-01-01T00:00", end="2020-01-02T12:00")
    component.update_until(36 * 3600.0)
    np.testing.assert_allclose(depth(component)[-1], 2e-3, rtol=1e-12)
    with pytest.raises(ConfigError, match="recharge is not finite in active cells, first in entry 2"):
        started(tmp_path, series=daily, start="2020-01-01T00:00", end="2020-01-03T01:00")


@pytest.mark.parametrize("cells", [(), (2, 3)])
def test_an_entry_of_a_series_holds_over_its_interval_and_the_last_ends_the_run(
    tmp_path: Path, cells: tuple[int, ...]
) -> None:
    daily = series(tmp_path, np.multiply.outer([24.0, 48.0, -24.0], np.ones(cells)))
    component = started(tmp_path, series={**daily, "interval": 24.0}, time_step=6.0)
    assert component.get_time_step() == 6 * 3600.0
    assert component.get_end_time() == 3 * 86400.0
    seen = []
    for _ in range(12):
        component.update()
        seen.append(depth(component)[-1, 1, 2])
    np.testing.assert_allclose(seen, np.repeat([0.001, 0.002, -0.001], 4), rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "give either recharge .* or series"),
        ({"recharge": 1.0, "profile": [1.0]}, "1 shares given, the root zone has 10 layers"),
        ({"recharge": 1.0, "profile": [0.2] * 10}, "must add up to 1, not 2"),
        ({"recharge": {"value": 1.0, "units": "K"}}, "units 'K' do not convert to 'm h-1'"),
        ({"recharge": 1.0, "time_step": 0.0}, "time_step: input should be greater than 0"),
        ({"recharge": 1.0, "rate": 1.0}, "rate: unknown key"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        started(tmp_path, **changes)


@pytest.mark.parametrize(
    ("values", "units", "changes", "message"),
    [
        ([1.0], None, {}, "recharge has no attribute units"),
        ([1.0], "K", {}, "units 'K' do not convert"),
        (np.ones((2, 3, 2)), "m h-1", {}, r"shape \(2, 3, 2\), needs \(time\) or \(time, \*\(2, 3\)\)"),
        ([1.0, np.nan], "m h-1", {}, "not finite in active cells, first in entry 1"),
        ([1.0], "m h-1", {"time_step": 2.0}, "1 h is no whole number of steps of 2 h"),
    ],
)
def test_mistakes_in_a_series_are_named(
    tmp_path: Path, values: Any, units: str | None, changes: dict[str, Any], message: str
) -> None:
    found = series(tmp_path, values, units)
    with pytest.raises(ConfigError, match=message):
        started(tmp_path, series=found, **changes)


def dated(folder: Path, first: str, values: list[float], step: str = "hours") -> dict[str, Any]:
    found = series(folder, values, "mm h-1")
    with netCDF4.Dataset(folder / "recharge.nc", "a") as data:
        time = data.createVariable("time", "f8", ("time",))
        time.units = f"{step} since {first}"
        time[:] = range(len(values))
    return found


def test_dates_of_a_series_decide_with_which_entry_the_run_begins(tmp_path: Path) -> None:
    found = dated(tmp_path, "2019-12-31 22:00", [1.0, 2.0, 3.0, 4.0])
    run = {"start": "2020-01-01T00:00", "end": "2020-01-01T02:00"}
    component = started(tmp_path, series=found, **run)
    np.testing.assert_allclose(depth(component)[-1], 3e-3, rtol=1e-12)
    assert component.get_end_time() == 2 * 3600.0
    component = started(tmp_path, series={**found, "start": "2019-12-31T23:00"}, **run)  # of another year, say
    np.testing.assert_allclose(depth(component)[-1], 2e-3, rtol=1e-12)


def test_a_series_without_the_start_of_the_run_is_refused(tmp_path: Path) -> None:
    found = dated(tmp_path, "2020-01-01 01:00", [1.0, 2.0])
    with pytest.raises(
        ConfigError, match=r"no entry begins at 2020-01-01 00:00, the start of the run; they begin from"
    ):
        started(tmp_path, series=found, start="2020-01-01T00:00", end="2020-01-01T02:00")
    with pytest.raises(ConfigError, match=r"followed by that of 2020-01-02 01:00; needed is one entry in 1 h"):
        started(tmp_path, series=dated(tmp_path, "2020-01-01 01:00", [1.0, 2.0], "days"))
    with pytest.raises(ConfigError, match="the file has no dates"):
        started(tmp_path, series={**series(tmp_path, [1.0, 2.0]), "start": "2020-01-01T00:00"})
