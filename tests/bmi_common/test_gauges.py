"""Discharge at named cells, of every groundwater component: where they are, and what flows there."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import netCDF4
import numpy as np
import parflow_cases
import pytest
import xarray as xr
import yaml
from click.testing import CliRunner
from richards_cases import LAYERS, NX, NY, OUTLET, rain, started, valley
from richards_residual import STEPS, overland_out
from surrogate_cases import make_checkpoint

from bmi_common import ConfigError, DeclaredBmi, Domain
from bmi_common import groundwater as names
from bmi_common.errors import InputNotice
from bmi_common.grids import POINTS
from bmi_common.overland import SurfaceCondition
from bmi_parflow import BmiParflow
from bmi_richards import BmiRichards
from bmi_surrogate import BmiSurrogate, save
from rootzone.bmi_run import main

Section = Callable[[Path], dict[str, Any]]


def _network(folder: Path) -> dict[str, Any]:
    save(replace(make_checkpoint(tile=4), layer_thickness=tuple(LAYERS)), folder / "weights.safetensors")
    return {"surrogate": {"checkpoint": "weights.safetensors", "tile": "whole", "threads": 1}}


def _parflow(folder: Path) -> dict[str, Any]:
    return {"parflow": {"parflow_dir": str(parflow_cases.install(folder / "parflow").home)}}


COMPONENTS: dict[str, tuple[type[DeclaredBmi], Section]] = {
    "richards": (BmiRichards, lambda folder: {"richards": {"threads": 1}}),
    "structured": (BmiSurrogate, lambda folder: {"surrogate": {"architecture": "structured", "threads": 1}}),
    "network": (BmiSurrogate, _network),
    "parflow": (BmiParflow, _parflow),
}
every_component = pytest.mark.parametrize("component", COMPONENTS)


def begun(component: str, folder: Path, gauges: dict[str, Any]) -> DeclaredBmi:
    """The component on the valley."""
    kind, section = COMPONENTS[component]
    file = valley(folder, gauges=gauges)
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **section(folder)}))
    model = kind()
    model.initialize(str(file))
    return model


def discharge(model: DeclaredBmi) -> np.ndarray:
    return model.get_value(names.DISCHARGE, np.empty(model.get_grid_size(POINTS)))


COORDINATES = {name: {"file": "valley.nc", "variable": name} for name in ("latitude", "longitude")}


def test_the_outlet_passes_what_leaves_the_domain_and_the_head_of_the_valley_less(tmp_path: Path) -> None:
    model = started(valley(tmp_path, gauges={"outlet": OUTLET, "head": {"x": 1, "y": 3}}))
    np.testing.assert_array_equal(discharge(model), 0.0)
    for _ in range(3):
        model.set_value(names.NET_SOURCE, rain(0.03))
        model.update()
        outlet, head = discharge(model)
        assert outlet * 3600.0 == pytest.approx(float(model.get_value_ptr(names.OUTFLOW_VOLUME)[0]), rel=1e-12)
    assert 0.0 < head < 0.5 * outlet


def test_gauges_are_points_with_names_and_places(tmp_path: Path) -> None:
    model = started(valley(tmp_path, gauges={"outlet": OUTLET, "head": {"x": 1, "y": 3}}))
    assert model.get_grid_type(POINTS) == "unstructured"
    assert model.get_grid_node_count(POINTS) == 2
    assert model.get_grid_edge_count(POINTS) == 0
    assert model.get_grid_rank(POINTS) == 2
    assert model.grid_labels(POINTS) == ("outlet", "head")
    np.testing.assert_array_equal(model.get_grid_x(POINTS, np.empty(2)), [1500.0, 1500.0])
    np.testing.assert_array_equal(model.get_grid_y(POINTS, np.empty(2)), [500.0, 3500.0])


def test_a_gauge_by_latitude_and_longitude_is_in_the_nearest_cell(tmp_path: Path) -> None:
    there = {"latitude": 24.0 + 0.009 * 2 + 0.003, "longitude": 113.0098 - 360.0 + 360.0}
    model = started(valley(tmp_path, gauges={"bridge": there}, **COORDINATES))
    np.testing.assert_array_equal(model.get_grid_x(POINTS, np.empty(1)), 1500.0)
    np.testing.assert_array_equal(model.get_grid_y(POINTS, np.empty(1)), 2500.0)


@pytest.mark.parametrize(
    ("gauge", "domain", "message"),
    [
        ({"x": 3, "y": 0}, {}, "cell x = 3, y = 0 is outside the domain, which has x from 0 to 2 and y from 0 to 3"),
        ({"x": 2, "y": 3}, {}, "cell x = 2, y = 3 takes no part"),
        ({"x": 0}, {}, "give either x and y .* or latitude and longitude"),
        ({"x": 0, "y": 0, "latitude": 1.0, "longitude": 1.0}, {}, "give either x and y"),
        ({"latitude": 24.0, "longitude": 113.0}, {}, "name the place by its cell"),
        ({"latitude": 24.0, "longitude": 113.0}, {"latitude": 24.0, "longitude": 113.0}, "name the place by its cell"),
        ({"latitude": 25.0, "longitude": 113.0}, COORDINATES, r"25 N, 113 E is outside the domain: .* km away"),
        ({"latitude": 24.027, "longitude": 113.0196}, COORDINATES, "cell x = 2, y = 3 takes no part"),
    ],
)
def test_a_gauge_that_is_nowhere_is_refused_by_name(
    tmp_path: Path, gauge: dict[str, Any], domain: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=r"groundwater.yaml.*gauges\.outlet.*" + message):
        started(valley(tmp_path, gauges={"outlet": gauge}, **domain))


EVERYWHERE = {f"{j}-{i}": {"x": i, "y": j} for j in range(NY) for i in range(NX) if (j, i) != (NY - 1, NX - 1)}


@every_component
def test_discharge_is_what_leaves_over_the_edges_of_the_cell(tmp_path: Path, component: str) -> None:
    model = begun(component, tmp_path, EVERYWHERE)
    domain: Domain = model._prepared.domain  # type: ignore[attr-defined]
    terrain = SimpleNamespace(slope_x=domain.slope_x, slope_y=domain.slope_y, manning=domain.manning)

    def active(j: int, i: int) -> bool:
        return 0 <= j < NY and 0 <= i < NX and bool(domain.mask[j, i])

    if component == "network":  # whose weights are random
        head = model.values[names.PRESSURE_HEAD].copy()
        head[-1] += 0.04
        model.set_value(names.PRESSURE_HEAD, head)
    for _ in range(2):
        model.set_value(names.NET_SOURCE, rain(0.03))
        model.update()
        head = model.values[names.PRESSURE_HEAD][-1]
        expected = [
            sum(
                overland_out(terrain, SurfaceCondition.OVERLAND_KINEMATIC, head, (spec["y"], spec["x"]), side, active)
                for side in STEPS
            )
            * 1000.0
            / 3600.0
            for spec in EVERYWHERE.values()
        ]
        assert max(expected) > 0.0
        np.testing.assert_allclose(discharge(model), expected, rtol=1e-12)
        # the channel has the only outlet: what passes there is what leaves the domain
        runoff = np.nansum(model.values[names.RUNOFF]) * 1e6
        outlet = list(EVERYWHERE).index(f"{OUTLET['y']}-{OUTLET['x']}")
        assert discharge(model)[outlet] == pytest.approx(runoff, rel=1e-12)
    model.finalize()


@every_component
def test_a_state_fits_a_run_with_other_gauges_and_gives_their_discharge(tmp_path: Path, component: str) -> None:
    model = begun(component, tmp_path, {"outlet": OUTLET})
    model.set_value(names.NET_SOURCE, rain(0.03))
    model.update()
    model.save_state(tmp_path / "state.nc")
    other = begun(component, tmp_path, {"head": {"x": 1, "y": 3}, "outlet": OUTLET})
    other.start_from(tmp_path / "state.nc")
    assert discharge(other)[1] == discharge(model)[0]
    assert (discharge(model)[0] > 0.0) == (model.values[names.PONDED_DEPTH][0, 1] > 0.0)
    model.finalize()
    other.finalize()


@every_component
def test_a_gauge_in_a_cell_that_takes_no_part_is_refused_by_every_component(tmp_path: Path, component: str) -> None:
    with pytest.raises(ConfigError, match=r"groundwater\.yaml: gauges\.corner: cell x = 2, y = 3 takes no part"):
        begun(component, tmp_path, {"corner": {"x": 2, "y": 3}})


def test_gauges_of_earlier_files_are_read_and_their_new_place_is_told(tmp_path: Path) -> None:
    file = valley(tmp_path, {"gauges": {"outlet": OUTLET}})
    with pytest.warns(InputNotice, match=r"groundwater\.yaml: richards\.gauges: .* `gauges:` beside the sections"):
        assert started(file).grid_labels(POINTS) == ("outlet",)
    both = valley(tmp_path, {"gauges": {"outlet": OUTLET}}, gauges={"outlet": OUTLET})
    with pytest.raises(ConfigError, match=r"richards\.gauges: stands beside `gauges:` as well"):
        started(both)


def test_closed_ground_has_no_gauge(tmp_path: Path) -> None:
    file = valley(tmp_path, gauges={"outlet": OUTLET})
    file.write_text(file.read_text() + "surface: {condition: closed}\n")
    with pytest.raises(ConfigError, match="gauges: no water flows over closed ground"):
        started(file)


def coupled(folder: Path, gauges: dict[str, Any]) -> list[str]:
    """Files of a run with prescribed recharge; returns the command's arguments."""
    content = yaml.safe_load(valley(folder, gauges=gauges).read_text())
    (folder / "recharge.yaml").write_text(
        yaml.safe_dump({"domain": content["domain"], "recharge": {"value": 30.0, "units": "mm h-1"}})
    )
    run = {
        "time": {"start": "2020-01-01T00:00", "end": "2020-01-01T04:00", "step": "1h"},
        "components": {
            "rain": {"class": "bmi_common.prescribed:PrescribedSource", "config": "recharge.yaml"},
            "groundwater": {"class": "bmi_richards:BmiRichards", "config": "groundwater.yaml"},
        },
        "order": ["rain", "groundwater"],
        "exchanges": [{"from": f"rain.{names.NET_SOURCE}", "to": f"groundwater.{names.NET_SOURCE}"}],
        "output": [
            {"file": "gauges.nc", "every": "1h", "precision": "double", "variables": [f"groundwater.{names.DISCHARGE}"]}
        ],
        "figures": True,
    }
    (folder / "coupled.yaml").write_text(yaml.safe_dump(run))
    return [str(folder / "coupled.yaml"), "--output", str(folder / "out")]


@pytest.mark.slow
def test_a_run_writes_and_draws_the_hydrographs_by_name(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, coupled(tmp_path, {"outlet": OUTLET, "head": {"x": 1, "y": 3}}))
    assert result.exit_code == 0, result.output
    with xr.open_dataset(tmp_path / "out" / "gauges.nc") as data:
        flow = data["channel_water_x_section__volume_flow_rate"]
        assert flow.attrs["units"] == "m3 s-1"
        assert flow["groundwater_point_name"].values.tolist() == ["outlet", "head"]
        np.testing.assert_array_equal(flow["groundwater_point_y"], [500.0, 3500.0])
        flow = flow.values
    with netCDF4.Dataset(tmp_path / "out" / "water_balance.nc") as ledger:
        np.testing.assert_allclose(flow[:, 0] * 3600.0, ledger["outflow"][:], rtol=1e-12)
    assert (tmp_path / "out" / "figures" / "gauges_hydrographs.png").stat().st_size > 1000
    assert not (tmp_path / "out" / "figures" / "gauges_series.png").exists()


def test_discharge_without_a_gauge_is_refused_with_the_key(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, coupled(tmp_path, {}))
    assert result.exit_code == 2
    assert "has no points; name some in the configuration of groundwater" in result.output
