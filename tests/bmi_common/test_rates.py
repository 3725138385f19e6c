"""Rates in time: cycles, series and maps."""

from datetime import datetime
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bmi_common import ConfigError, Domain, DomainConfig
from bmi_common.rates import Intervals, Rate, RateConfig


@pytest.fixture
def domain() -> Domain:
    spec = {
        "grid": {"nx": 3, "ny": 2, "dx": 100.0, "dy": 100.0},
        "layers": [0.1] * 10,
        "porosity": 0.4,
        "van_genuchten": {"alpha": 2.0, "n": 2.0, "residual_saturation": 0.1},
    }
    return Domain.load(DomainConfig.model_validate(spec))


def read(data: Any, domain: Domain, folder: Path = Path(), start: datetime | None = None) -> Rate:
    spec = RateConfig.model_validate(data, context={"base": folder, "paths": {}})
    return spec.read("flux", "m h-1", domain, start)


def test_a_cycle_begins_again(domain: Domain) -> None:
    spec = {"cycle": [{"hours": 10, "rate": 0.02}, {"hours": 20, "rate": -0.0001}]}
    hourly = [float(read(spec, domain).mean(hour, 1.0)) for hour in range(60)]
    assert hourly == 2 * (10 * [0.02] + 20 * [-0.0001])


@pytest.mark.parametrize(("repeat", "passes"), [(False, 1), (2, 2)])
def test_the_last_rate_of_a_cycle_that_does_not_repeat_holds(domain: Domain, repeat: bool | int, passes: int) -> None:
    spec = {"cycle": [{"hours": 1, "rate": 1.0}, {"hours": 1, "rate": 2.0}], "repeat": repeat}
    hourly = [float(read(spec, domain).mean(hour, 1.0)) for hour in range(7)]
    assert hourly == (passes * [1.0, 2.0] + 7 * [2.0])[:7]


@given(
    hours=st.lists(st.floats(0.1, 50.0), min_size=1, max_size=5),
    start=st.floats(0.0, 500.0),
    length=st.floats(0.05, 100.0),
)
def test_a_mean_over_a_step_is_that_of_its_parts(hours: list[float], start: float, length: float) -> None:
    rate = Rate(Intervals(np.cumsum(hours), np.inf), np.arange(len(hours), dtype=float))
    parts = [float(rate.mean(start + k * length / 8.0, length / 8.0)) for k in range(8)]
    assert float(rate.mean(start, length)) == pytest.approx(np.mean(parts), rel=1e-6, abs=1e-6)


def test_steps_of_any_length_see_an_interval_whose_end_is_not_a_binary_number() -> None:
    rate = Rate(Intervals(np.cumsum([0.1, 0.1, 0.1])), np.array([1.0, 2.0, 3.0]))
    assert [float(rate.mean(k * 0.1, 0.1)) for k in range(4)] == [1.0, 2.0, 3.0, 3.0]


def test_a_column_of_a_csv_file_is_a_series(domain: Domain, tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text("hour,rain,pump\n0,1,4\n2,2,5\n")
    series = read({"file": "rates.csv", "column": "pump", "interval": 2}, domain, tmp_path)
    assert [float(series.mean(hour, 1.0)) for hour in range(4)] == [4.0, 4.0, 5.0, 5.0]
    assert series.end == 4.0


@pytest.mark.parametrize("times", ["2020-01-01T0{}:00", "{}"])
def test_a_series_begins_with_the_line_of_the_start_of_the_run(domain: Domain, tmp_path: Path, times: str) -> None:
    lines = [f"{times.format(hour if '-' in times else hour - 3)},{hour}" for hour in range(6)]
    (tmp_path / "rates.csv").write_text("\n".join(["time,pump", *lines]))
    start = datetime(2020, 1, 1, 3)
    series = read({"file": "rates.csv", "column": "pump"}, domain, tmp_path, start)
    assert [float(series.mean(hour, 1.0)) for hour in range(3)] == [3.0, 4.0, 5.0]
    assert series.end == 3.0


def test_a_series_with_dates_of_a_netcdf_file_begins_with_the_start_of_the_run(domain: Domain, tmp_path: Path) -> None:
    write_netcdf(tmp_path / "rates.nc", np.arange(6.0))
    with netCDF4.Dataset(tmp_path / "rates.nc", "a") as file:
        time = file.createVariable("time", "f8", ("time",))
        time.units = "hours since 2020-01-01"
        time[:] = np.arange(6.0)
        file["rate"][0] = np.nan  # before the run
    spec = {"file": "rates.nc", "variable": "rate"}
    series = read(spec, domain, tmp_path, datetime(2020, 1, 1, 4))
    np.testing.assert_allclose([series.mean(0.0, 1.0), series.mean(1.0, 1.0)], [0.004, 0.005])
    with pytest.raises(ConfigError, match="no entry begins at 2020-01-02 00:00, the start of the run; they begin from"):
        read(spec, domain, tmp_path, datetime(2020, 1, 2))
    with pytest.raises(ConfigError, match="entries have dates, from 2020-01-01 00:00 on; give `start:`"):
        read(spec, domain, tmp_path)


def write_netcdf(path: Path, values: np.ndarray, units: str = "mm/h") -> None:
    with netCDF4.Dataset(path, "w") as file:
        for name, size in zip(
            ("time", "y", "x")[-values.ndim :] if values.ndim > 1 else ("time",), values.shape, strict=True
        ):
            file.createDimension(name, size)
        variable = file.createVariable("rate", "f8", tuple(file.dimensions))
        variable.units = units
        variable[...] = values


@pytest.mark.parametrize("shape", [(2,), (2, 2, 3), (2, 3)])
def test_a_netcdf_variable_is_a_series_a_series_of_maps_or_a_map(
    domain: Domain, tmp_path: Path, shape: tuple[int, ...]
) -> None:
    values = np.arange(float(np.prod(shape))).reshape(shape)
    write_netcdf(tmp_path / "rates.nc", values)
    found = read({"file": "rates.nc", "variable": "rate"}, domain, tmp_path)
    steady = shape == (2, 3)
    assert found.end == (np.inf if steady else 2.0)
    np.testing.assert_allclose(found.mean(1.0, 1.0), (values if steady else values[1]) / 1000.0)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"value": 1.0, "cycle": [{"hours": 1, "rate": 1.0}]}, "one of a number, cycle and file"),
        ({"value": 1.0, "repeat": False}, "repeat: without effect"),
        ({"cycle": [{"hours": 0, "rate": 1.0}]}, "greater than 0"),
        ({"cycle": [{"hours": 1e-12, "rate": 1.0}]}, "lasts less than 1e-06 h"),
        ({"cycle": [{"hours": 1, "rate": 1.0}], "repeat": 0}, "a number of passes from 1 on, got 0"),
        ({"cycle": [{"hours": 1, "rate": 1.0}], "repeat": -1}, "a number of passes from 1 on, got -1"),
        ({"value": 1.0, "interval": 2.0}, "interval: without effect"),
        ({"file": "rates.csv"}, "name the column of rates.csv"),
        ({"file": "rates.csv", "variable": "rain", "column": "rain"}, "variable: without effect"),
        (None, "expected a number, a cycle or a file"),
    ],
)
def test_what_a_rate_cannot_be_is_refused(tmp_path: Path, data: Any, words: str) -> None:
    (tmp_path / "rates.csv").write_text("rain\n1\n")
    with pytest.raises(ValidationError, match=words):
        RateConfig.model_validate(data, context={"base": tmp_path, "paths": {}})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hour,rain\n0,1\n1,\n", "rates.csv:3: rain is '', and must be a number"),
        ("hour,rain\n0,1\n1,nan\n", "rates.csv:3: rain is 'nan'"),
        ("hour,rain\n0,1\n1,2\n\n3,4\n", "rates.csv:5: 2 h after the line before; needed is one line in 1 h"),
        ("hour,rain\nnoon,1\n", "rates.csv:2: the time 'noon' is neither hours nor a date"),
        ("hour,rains\n0,1\n", "no column 'rain'; did you mean 'rains'"),
        ("hour,rain\n", "no line follows the header"),
        ("hour;rain\n0;1\n", "rates.csv:1: columns must be separated by commas"),
        ("hour,rain,rain\n0,1,2\n", "rates.csv:1: 2 columns are called 'rain'"),
        ("hour,rain\n1,1\n2,1\n", "rates.csv:2: hours count from the start of the run; none of 1 to 2 is 0"),
        ("hour,rain\n0,1\n2020-01-01T01:00,1\n", "rates.csv:3: the first column holds either hours or dates"),
        ("time,rain\n2020-01-01T00:00,1\n2020-01-01T01:00+01:00,1\n", "rates.csv:3: 0 h after the line before"),
    ],
)
def test_a_series_with_a_gap_is_refused_with_its_line(domain: Domain, tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "rates.csv").write_text(text)
    with pytest.raises(ConfigError, match=words):
        read({"file": "rates.csv", "column": "rain"}, domain, tmp_path)


def test_a_map_of_another_shape_is_refused(domain: Domain, tmp_path: Path) -> None:
    write_netcdf(tmp_path / "rates.nc", np.zeros((4, 5)))
    with pytest.raises(ConfigError, match=r"has shape \(4, 5\)"):
        read({"file": "rates.nc", "variable": "rate"}, domain, tmp_path)
