"""The component on the double: what it writes is the problem that the Richards component solves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import parflow_cases
import pytest
import xarray as xr
import yaml
from click.testing import CliRunner
from conformance import components

from bmi_common import ConfigError
from bmi_common import groundwater as names
from bmi_parflow import BmiParflow
from bmi_richards import BmiRichards
from rootzone.bmi_run import main

from .conftest import LAYERS, NX, NY, Start, configuration, masked, rain

HOURS = [rain(0.0), rain(0.03), rain(0.08), rain(-0.0001), rain(0.0)]


def storage_classes() -> dict[str, Any]:
    content = configuration()
    content["domain"]["specific_storage"] = {"file": "fields.nc", "variable": "storage"}
    return content


@pytest.mark.parametrize("content", [configuration(), masked(), storage_classes()], ids=["box", "mask", "storage"])
@pytest.mark.parametrize("processes", [(1, 1), (2, 1), (3, 2)])
def test_the_double_gets_the_problem_that_richards_solves(
    start: Start, write: Callable[[dict[str, Any]], str], content: dict[str, Any], processes: tuple[int, int]
) -> None:
    model, richards = start(content, processes=list(processes)), BmiRichards()
    richards.initialize(write(content))
    for source in HOURS:
        for component in (model, richards):
            component.set_value(names.NET_SOURCE, source)
            component.update()
        for v in model.variables:
            # the double writes heads of the same kernel, bit for bit; what follows is computed here and there
            exact = v.name in (names.PRESSURE_HEAD, names.SATURATION, names.WATER_TABLE_DEPTH, names.PONDED_DEPTH)
            tolerance = 0.0 if exact else 1e-12
            np.testing.assert_allclose(model.values[v.name], richards.values[v.name], rtol=tolerance, err_msg=v.name)


@pytest.mark.parametrize("content", [configuration(), masked()], ids=["box", "mask"])
def test_the_free_drainage_mode_is_that_of_richards_with_lagged_drainage(
    start: Start, write: Callable[[dict[str, Any]], str], content: dict[str, Any]
) -> None:
    model, richards = start(content, mode="free_drainage"), BmiRichards()
    richards.initialize(write({**content, "richards": {"mode": "free_drainage", "drainage": "lagged", "threads": 1}}))
    for source in HOURS:
        for component in (model, richards):
            component.set_value(names.NET_SOURCE, source)
            component.update()
        head = names.PRESSURE_HEAD
        np.testing.assert_allclose(model.values[head], richards.values[head], rtol=1e-10, atol=1e-10)
        drained = model.values[names.DRAINAGE_VOLUME]
        assert drained > 0.0
        np.testing.assert_allclose(drained, richards.values[names.DRAINAGE_VOLUME], rtol=1e-10)
        np.testing.assert_allclose(model.values[names.SOURCE_VOLUME], richards.values[names.SOURCE_VOLUME], rtol=1e-10)


@pytest.mark.parametrize("mode", ["full", "free_drainage"])
@pytest.mark.parametrize("hour", [1, 3])
def test_the_balance_closes(start: Start, mode: str, hour: int) -> None:
    model = start(masked(), mode=mode)
    for source in HOURS[: hour + 1]:
        before = model.values[names.STORAGE_VOLUME].copy()
        model.set_value(names.NET_SOURCE, source)
        model.update()
    values = model.values
    gain = values[names.SOURCE_VOLUME] - values[names.OUTFLOW_VOLUME] - values[names.DRAINAGE_VOLUME]
    # two passes of the double's solver close to rounding of the storage
    np.testing.assert_allclose(values[names.STORAGE_VOLUME] - before, gain, atol=1e-14 * before + 1e-6)
    assert values[names.UNMET_VOLUME] == 0.0
    runoff = np.nansum(values[names.RUNOFF]) * 1000.0 * 800.0 * 3600.0
    assert runoff == pytest.approx(values[names.OUTFLOW_VOLUME].item(), rel=1e-12)


def test_several_hours_are_one_call_and_equal_hour_by_hour(start: Start, double: parflow_cases.Double) -> None:
    spans, hourly = start(masked()), start(masked())
    spans.set_value(names.NET_SOURCE, rain(0.02))
    spans.update_until(4 * 3600.0)
    assert [(c.hour, c.hours) for c in double.calls] == [(0, 4)]
    for _ in range(4):
        hourly.set_value(names.NET_SOURCE, rain(0.02))
        hourly.update()
    assert spans.get_current_time() == hourly.get_current_time() == 4 * 3600.0
    for v in spans.variables:
        # a call that goes on keeps saturation and permeability in memory; a restart computes them from the head
        np.testing.assert_allclose(spans.values[v.name], hourly.values[v.name], rtol=1e-12, atol=1e-15, err_msg=v.name)
    spans.update_until(5 * 3600.0)
    assert (double.calls[-1].hour, double.calls[-1].hours) == (4, 1)


def test_drainage_is_renewed_every_hour_also_over_several(start: Start, double: parflow_cases.Double) -> None:
    model = start(mode="free_drainage")
    model.set_value(names.NET_SOURCE, rain(0.0))
    model.update_until(3 * 3600.0)
    assert [(c.hour, c.hours) for c in double.calls] == [(0, 1), (1, 1), (2, 1)]


def test_files_are_bottom_first_with_water_into_the_soil_positive(start: Start, double: parflow_cases.Double) -> None:
    model = start()
    source = rain(0.0)
    source[2, 1, 3] = 7e-4
    model.set_value(names.NET_SOURCE, source)
    model.update()
    call = double.calls[0]
    assert call.source[3, 1, 3] == 7e-4  # the third of the top ten layers is the fourth of eleven
    assert np.all(call.source[0] == 0.0)
    np.testing.assert_array_equal(call.source[1:], source)
    assert call.head[0, 0, 0] > 0.0 > call.head[-1, 0, 0]
    np.testing.assert_array_equal(call.domain.dz, LAYERS)
    assert call.keys["Solver.Nonlinear.ResidualTol"] == pytest.approx(1e-11 * 1000.0 * 800.0)


def test_keys_of_the_user_replace_those_of_the_component(start: Start, double: parflow_cases.Double) -> None:
    model = start(solver={"Solver.Nonlinear.ResidualTol": 1e-9, "Solver.Nonlinear.MaxIter": 77})
    model.set_value(names.NET_SOURCE, rain(0.0))
    model.update()
    assert double.calls[0].keys["Solver.Nonlinear.ResidualTol"] == 1e-9
    assert double.calls[0].keys["Solver.Nonlinear.MaxIter"] == 77


def test_setting_the_head_renews_all_that_follows_from_it(start: Start, double: parflow_cases.Double) -> None:
    model = start()
    model.set_value(names.PRESSURE_HEAD, np.full(11 * NY * NX, 0.2))
    assert np.all(model.values[names.PONDED_DEPTH] == 0.2)
    assert np.all(model.values[names.WATER_TABLE_DEPTH] == 0.0)
    model.get_value_ptr(names.PRESSURE_HEAD)[:] = -0.7
    model.set_value(names.NET_SOURCE, rain(0.0))
    model.update()
    assert np.all(double.calls[0].head == -0.7)
    with pytest.raises(ValueError, match=r"pressure head is nan in cell \(k=0, j=0, i=0\)"):
        model.set_value(names.PRESSURE_HEAD, np.full(11 * NY * NX, np.nan))


def test_states_carry_the_head_to_the_last_bit(start: Start, tmp_path: Path) -> None:
    first = start(masked())
    first.set_value(names.NET_SOURCE, rain(0.05))
    first.update()
    first.save_state(tmp_path / "state.nc")
    second = start({**masked(), "initial": {"state": str(tmp_path / "state.nc")}})
    np.testing.assert_array_equal(second.values[names.PRESSURE_HEAD], first.values[names.PRESSURE_HEAD])


def test_a_state_of_another_soil_is_refused(start: Start, tmp_path: Path) -> None:
    first = start()
    first.save_state(tmp_path / "state.nc")
    other = configuration()
    other["domain"]["van_genuchten"]["alpha"] = 2.0
    with pytest.raises(ConfigError, match="made with another soil"):
        start({**other, "initial": {"state": str(tmp_path / "state.nc")}})


def test_provenance_names_the_executable(start: Start, double: parflow_cases.Double) -> None:
    assert str(double.home / "bin" / "parflow") in start().provenance


def test_a_coupled_run_swaps_to_parflow_by_one_line(tmp_path: Path) -> None:
    """The land of the conformance tests over Richards, then over ParFlow: the double gives the same numbers."""
    heads = []
    for class_path in ("bmi_richards:BmiRichards", "bmi_parflow:BmiParflow"):
        folder = tmp_path / class_path.split(":")[0]
        folder.mkdir()
        land, below = components.colm(folder)[0], components.parflow(folder)[0]
        head, saturation = names.PRESSURE_HEAD, names.SATURATION
        run = {
            "time": {"start": "2020-06-01T04:00", "end": "2020-06-01T16:00", "step": "1h"},
            "components": {
                "land": {"class": "bmi_colm:BmiColm", "config": land.name},
                "groundwater": {"class": class_path, "config": below.name},
            },
            "order": ["land", "groundwater"],
            "exchanges": [
                {"from": f"groundwater.{head}", "to": f"land.{head}"},
                {"from": f"groundwater.{saturation}", "to": f"land.{saturation}"},
                {"from": f"land.{names.NET_SOURCE}", "to": f"groundwater.{names.NET_SOURCE}"},
            ],
            "output": [
                {"file": "heads.nc", "every": "1h", "precision": "double", "variables": [f"groundwater.{head}"]}
            ],
            "checks": {"water_balance": {"tolerance": 1e-6, "action": "stop"}},
        }
        (folder / "coupled.yaml").write_text(yaml.safe_dump(run, sort_keys=False))
        result = CliRunner().invoke(main, [str(folder / "coupled.yaml"), "--output", str(folder / "out")])
        assert result.exit_code == 0, result.output
        with xr.open_dataset(folder / "out" / "heads.nc") as data:
            heads.append(data["soil_water__pressure_head"].values)
    assert heads[0].shape[0] == 12
    # Manning's roughness goes through other units and may differ in the last bit, which Newton's method stretches to as
    # much as its tolerance; how far depends on the processor that the kernel was compiled for (6e-12 m seen)
    np.testing.assert_allclose(*heads, rtol=0.0, atol=1e-10)


def test_finalize_before_the_first_step_has_nothing_to_remove(start: Start) -> None:
    start().finalize()
    BmiParflow().finalize()
