"""With a real ParFlow, where PARFLOW_DIR names one."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from bmi_common import ModelError
from bmi_common import groundwater as names
from bmi_parflow import BmiParflow
from bmi_richards import BmiRichards

from .conftest import LAYERS, VARIABLE, configuration, masked, rain

pytestmark = pytest.mark.skipif(not os.environ.get(VARIABLE), reason=f"{VARIABLE} is not set: no ParFlow to test with")

# ParFlow stops at a residual of 1e-11 m; restarts from files leave 6e-8 m on the Pearl River window
LARGEST = 2e-7


@pytest.fixture
def start(tmp_path: Path, write: Callable[[dict[str, Any]], str]) -> Iterator[Callable[..., BmiParflow]]:
    started: list[BmiParflow] = []

    def begin(content: dict[str, Any], **section: Any) -> BmiParflow:
        component = BmiParflow()
        component.initialize(write({**content, "parflow": {"timeout": 120.0, **section}}))
        started.append(component)
        return component

    yield begin
    for component in started:
        component.finalize()


def storage_classes() -> dict[str, Any]:
    content = configuration()
    content["domain"]["specific_storage"] = {"file": "fields.nc", "variable": "storage"}
    return content


@pytest.mark.parametrize("content", [configuration(), masked(), storage_classes()], ids=["box", "mask", "storage"])
@pytest.mark.parametrize("processes", [(1, 1), (2, 1)])
@pytest.mark.parametrize("mode", ["full", "free_drainage"])
def test_parflow_equals_richards(
    start: Callable[..., BmiParflow],
    write: Callable[[dict[str, Any]], str],
    content: dict[str, Any],
    processes: tuple[int, int],
    mode: str,
) -> None:
    drainage = {"drainage": "lagged"} if mode == "free_drainage" else {}
    section = {"mode": mode, "passes": {"tolerance": 1e-12}, "threads": 1, **drainage}
    model, richards = start(content, processes=list(processes), mode=mode), BmiRichards()
    richards.initialize(write({**content, "richards": section}))
    for source in (rain(0.0), rain(0.03), rain(0.05), rain(0.0)):
        before = model.values[names.STORAGE_VOLUME].copy()
        for component in (model, richards):
            component.set_value(names.NET_SOURCE, source)
            component.update()
        values = model.values
        for name in (names.PRESSURE_HEAD, names.SATURATION, names.PONDED_DEPTH, names.WATER_TABLE_DEPTH):
            np.testing.assert_allclose(values[name], richards.values[name], rtol=0.0, atol=LARGEST, err_msg=name)
        gain = values[names.SOURCE_VOLUME] - values[names.OUTFLOW_VOLUME] - values[names.DRAINAGE_VOLUME]
        # the residual that the solver may leave in each cell, and rounding of the storage
        np.testing.assert_allclose(values[names.STORAGE_VOLUME] - before, gain, atol=1e-3)


def test_several_hours_in_one_call_equal_hour_by_hour(start: Callable[..., BmiParflow]) -> None:
    spans, hourly = start(masked()), start(masked())
    spans.set_value(names.NET_SOURCE, rain(0.02))
    spans.update_until(4 * 3600.0)
    hourly.set_value(names.NET_SOURCE, rain(0.02))
    for _ in range(4):
        hourly.update()
    head = names.PRESSURE_HEAD
    np.testing.assert_allclose(spans.values[head], hourly.values[head], rtol=0.0, atol=LARGEST)


def test_a_state_file_goes_on_bit_for_bit(start: Callable[..., BmiParflow], tmp_path: Path) -> None:
    first, second = start(masked()), start(masked())
    for source in (rain(0.0), rain(0.03)):
        first.set_value(names.NET_SOURCE, source)
        first.update()
    first.save_state(tmp_path / "state.nc")
    second.load_state(tmp_path / "state.nc")
    for component in (first, second):
        component.set_value(names.NET_SOURCE, rain(0.01))
        component.update()
    for v in first.variables:
        np.testing.assert_array_equal(second.values[v.name], first.values[v.name], err_msg=v.name)


def test_a_sink_beyond_the_water_is_a_failure_that_is_understood(start: Callable[..., BmiParflow]) -> None:
    model = start(configuration(), solver={"Solver.MaxConvergenceFailures": 1, "Solver.Nonlinear.MaxIter": 15})
    source = rain(0.0)
    source[-1] = -0.5 / LAYERS[-1]
    model.set_value(names.NET_SOURCE, source)
    with pytest.raises(ModelError, match=r"failed to converge.*in hour 1\."):
        model.update()


def test_the_balance_of_an_hour_with_cut_steps_closes(
    start: Callable[..., BmiParflow], caplog: pytest.LogCaptureFixture
) -> None:
    # a storm on dry soil without the predictor is what ParFlow cuts its step for
    keys = {"Solver.SurfacePredictor": False, "Solver.Nonlinear.MaxIter": 6, "Solver.MaxConvergenceFailures": 9}
    model = start(configuration(), solver=keys)
    model.set_value(names.NET_SOURCE, rain(0.05))
    before = model.values[names.STORAGE_VOLUME].copy()
    model.update()
    assert "ParFlow cut its step in hour 1" in caplog.text
    gain = model.values[names.SOURCE_VOLUME] - model.values[names.OUTFLOW_VOLUME]
    np.testing.assert_allclose(model.values[names.STORAGE_VOLUME] - before, gain, atol=1e-3)


def pearl_river(folder: Path, reference: Path, **section: Any) -> BmiParflow:
    """The Pearl River window, on files of the reference data."""
    file = str(reference / "parflow" / "pearl64x48_inputs.npz")
    inputs = np.load(file)

    def field(variable: str, **units: str) -> dict[str, str]:
        return {"file": file, "variable": variable, **units}

    content = {
        "domain": {
            "grid": {"nx": 64, "ny": 48, "dx": 961.72, "dy": 961.72},
            "layers": inputs["dz"].tolist(),
            "porosity": field("porosity"),
            "van_genuchten": {
                "alpha": field("alpha"),
                "n": field("n"),
                "residual_saturation": field("sres"),
                "maximum_saturation": field("ssat"),
            },
            "conductivity": {"x": field("kx"), "z": field("kz")},
            "specific_storage": float(inputs["specific_storage"]),
            "slope": {"x": field("slope_x"), "y": field("slope_y")},
            "manning": field("manning", units="h m-1/3"),
        },
        "initial": {"pressure_head": field("initial_pressure")},
        "parflow": {"timeout": 120.0, **section},
    }
    path = folder / "pearl.yaml"
    path.write_text(yaml.safe_dump(content))
    component = BmiParflow()
    component.initialize(str(path))
    return component


@pytest.mark.reference
@pytest.mark.slow
@pytest.mark.parametrize(("run", "mode"), [("lateral", "full"), ("freedrain", "free_drainage")])
def test_the_pearl_river_window_equals_the_reference(reference: Path, tmp_path: Path, run: str, mode: str) -> None:
    inputs = dict(np.load(reference / "parflow" / "pearl64x48_inputs.npz"))
    data = dict(np.load(reference / "parflow" / f"pearl64x48_{run}.npz"))
    model = pearl_river(tmp_path, reference, mode=mode)
    compared = 0
    for hour in range(20):  # the storm begins in hour 18
        source = inputs["et_profile"][hour][:, None, None] * inputs["et_pattern"]
        source[-1] = inputs["et_top"][hour]
        model.set_value(names.NET_SOURCE, source[-10:])
        model.update()
        values = model.values
        for exact in np.flatnonzero(data["hours_f64"] == hour + 1):
            error = values[names.PRESSURE_HEAD] - data["pressure_f64_at"][exact]
            assert np.abs(error).max() <= LARGEST
            compared += 1
        assert values[names.STORAGE_VOLUME] == pytest.approx(data["storage_total"][hour + 1], rel=1e-12)
        assert values[names.OUTFLOW_VOLUME] == pytest.approx(data["overland_edge_outflow"][hour + 1], rel=1e-8)
        if mode == "free_drainage":
            drained = data["bottom_drainage"][hour].sum() * 961.72**2
            assert values[names.DRAINAGE_VOLUME] == pytest.approx(drained, rel=1e-6)
    assert compared == 3
    model.finalize()
