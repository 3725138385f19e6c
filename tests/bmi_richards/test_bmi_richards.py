"""The BMI component, as the coupler and a user of BMI see it."""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import yaml

from bmi_common import ConfigError, ModelError
from bmi_common import groundwater as names
from bmi_richards import BmiRichards, RichardsSolver, SolverConfig
from bmi_richards.options import Convergence

LAYERS = [20.0, 1.1, 0.9, 0.55, 0.34, 0.2, 0.12, 0.075, 0.045, 0.028, 0.0175]
NY, NX = 3, 4


def configuration(**changes: Any) -> dict[str, Any]:
    return {
        "domain": {
            "grid": {"nx": NX, "ny": NY, "dx": 1000.0, "dy": 1000.0},
            "layers": LAYERS,
            "elevation": 250.0,
            "porosity": 0.4,
            "van_genuchten": {"alpha": 2.0, "n": 2.2, "residual_saturation": 0.1},
            "conductivity": {"x": 0.02, "z": 0.01},
            "slope": {"x": 0.01, "y": 0.002},
            "manning": 0.05,
        },
        "initial": {"water_table_depth": 1.5},
        "surrogate": {"checkpoint": "another component's section is passed over"},
        **changes,
    }


def write(folder: Path, content: dict[str, Any]) -> str:
    file = folder / "groundwater.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return str(file)


@pytest.fixture
def model(tmp_path: Path) -> BmiRichards:
    component = BmiRichards()
    component.initialize(write(tmp_path, configuration()))
    return component


def value(model: BmiRichards, name: str) -> np.ndarray:
    return model.get_value(name, np.empty(model.get_value_ptr(name).size))


def rain(depth: float) -> np.ndarray:
    """Source of an hour with a depth [m] of rain."""
    source = np.zeros((10, NY, NX))
    source[-1] = depth / LAYERS[-1]
    return source


def test_initial_state_is_water_at_rest_below_the_water_table(model: BmiRichards) -> None:
    np.testing.assert_allclose(value(model, names.WATER_TABLE_DEPTH), 1.5, rtol=1e-12)
    np.testing.assert_array_equal(value(model, names.PONDED_DEPTH), 0.0)
    np.testing.assert_array_equal(value(model, names.RUNOFF), 0.0)
    np.testing.assert_array_equal(value(model, names.ELEVATION), 250.0)
    np.testing.assert_array_equal(value(model, names.POROSITY), 0.4)
    np.testing.assert_array_equal(value(model, names.VOLUME_FRACTION), 0.4 * value(model, names.SATURATION))
    head = value(model, names.PRESSURE_HEAD).reshape(11, NY, NX)
    assert head[-1, 0, 0] == pytest.approx(-1.5 + LAYERS[-1] / 2)
    thickness = value(model, names.LAYER_THICKNESS).reshape(11, NY, NX)
    np.testing.assert_array_equal(thickness[:, 1, 2], LAYERS)


def test_the_source_of_an_hour_acts_over_exactly_that_hour(model: BmiRichards) -> None:
    before = value(model, names.STORAGE_VOLUME)[0]
    model.set_value(names.NET_SOURCE, rain(0.3))
    model.update()
    added = 0.3 * NY * NX * 1e6
    assert value(model, names.SOURCE_VOLUME)[0] == pytest.approx(added, rel=1e-12)
    after, outflow = value(model, names.STORAGE_VOLUME)[0], value(model, names.OUTFLOW_VOLUME)[0]
    assert after - before == pytest.approx(added - outflow, rel=1e-8)
    assert outflow > 0.0
    # m s-1 per cell area, over the hour
    assert np.nansum(value(model, names.RUNOFF)) * 1e6 * 3600.0 == pytest.approx(outflow, rel=1e-12)
    assert value(model, names.DRAINAGE_VOLUME)[0] == 0.0
    assert value(model, names.UNMET_VOLUME)[0] == 0.0


def test_root_zone_sources_go_to_the_top_ten_of_eleven_layers(tmp_path: Path, model: BmiRichards) -> None:
    source = np.zeros((10, NY, NX))
    source[0, 1, 1] = 1e-4
    head = value(model, names.PRESSURE_HEAD).reshape(11, NY, NX)
    domain = model._prepared.domain  # dropped in the first step
    model.set_value(names.NET_SOURCE, source)
    model.update()
    full = np.zeros((11, NY, NX))
    full[1, 1, 1] = 1e-4
    solver = RichardsSolver(domain, head, SolverConfig())
    solver.step(full)
    np.testing.assert_array_equal(value(model, names.PRESSURE_HEAD).reshape(11, NY, NX), solver.head)


def test_setting_the_head_renews_all_that_follows_from_it(model: BmiRichards) -> None:
    storage = value(model, names.STORAGE_VOLUME)[0]
    model.set_value(names.PRESSURE_HEAD, np.full(11 * NY * NX, 0.2))
    np.testing.assert_array_equal(value(model, names.SATURATION), 1.0)
    np.testing.assert_array_equal(value(model, names.PONDED_DEPTH), 0.2)
    np.testing.assert_array_equal(value(model, names.WATER_TABLE_DEPTH), 0.0)
    assert value(model, names.STORAGE_VOLUME)[0] > storage
    model.set_value_at_indices(names.PRESSURE_HEAD, np.array([0]), np.array([-5.0]))
    assert value(model, names.SATURATION)[0] < 0.5


def test_a_head_written_through_the_pointer_counts(tmp_path: Path, model: BmiRichards) -> None:
    other = BmiRichards()
    other.initialize(write(tmp_path, configuration()))
    head = value(model, names.PRESSURE_HEAD) - 0.3
    model.set_value(names.PRESSURE_HEAD, head)
    other.get_value_ptr(names.PRESSURE_HEAD)[:] = head
    for component in (model, other):
        component.set_value(names.NET_SOURCE, rain(0.001))
        component.update()
    np.testing.assert_array_equal(value(other, names.PRESSURE_HEAD), value(model, names.PRESSURE_HEAD))


def test_a_head_that_is_not_finite_is_refused_and_leaves_the_state(model: BmiRichards) -> None:
    before = value(model, names.PRESSURE_HEAD)
    with pytest.raises(ValueError, match="pressure head is nan"):
        model.set_value(names.PRESSURE_HEAD, np.full(before.size, np.nan))
    np.testing.assert_array_equal(value(model, names.PRESSURE_HEAD), before)


def test_a_run_that_restarts_from_its_head_continues_to_the_last_bit(tmp_path: Path, model: BmiRichards) -> None:
    sources = [rain(depth) for depth in (0.02, 0.0, 0.005, 0.0)]
    other = BmiRichards()
    other.initialize(write(tmp_path, configuration()))
    for hour, source in enumerate(sources):
        if hour == 2:
            other.set_value(names.PRESSURE_HEAD, value(model, names.PRESSURE_HEAD))
        for component in (model, other) if hour >= 2 else (model,):
            component.set_value(names.NET_SOURCE, source)
            component.update()
    np.testing.assert_array_equal(value(other, names.PRESSURE_HEAD), value(model, names.PRESSURE_HEAD))


def test_a_source_that_is_not_finite_stops_the_update_and_names_the_cell(model: BmiRichards) -> None:
    source = rain(0.0)
    source[3, 2, 1] = np.inf
    model.set_value(names.NET_SOURCE, source)
    with pytest.raises(ModelError, match=r"soil_root-zone_water__net_volume_flux is inf.*k=3, j=2, i=1"):
        model.update()


def test_cells_outside_the_mask_are_nan(tmp_path: Path) -> None:
    content = configuration()
    with netCDF4.Dataset(tmp_path / "mask.nc", "w") as dataset:
        dataset.createDimension("y", NY)
        dataset.createDimension("x", NX)
        mask = dataset.createVariable("mask", "f8", ("y", "x"))
        mask[...] = 1.0
        mask[0, 1] = 0.0
    content["domain"]["mask"] = {"file": "mask.nc", "variable": "mask"}
    model = BmiRichards()
    model.initialize(write(tmp_path, content))
    source = rain(0.01)
    source[:, 0, 1] = np.nan
    model.set_value(names.NET_SOURCE, source)
    model.update()
    for name in model.get_output_var_names():
        values = value(model, name)
        if values.size > 1:
            cells = values.reshape(-1, NY, NX)
            assert np.isnan(cells[:, 0, 1]).all()
            assert np.isfinite(np.delete(cells.reshape(len(cells), -1), 1, axis=1)).all()


def test_free_drainage_reports_what_leaves_below(tmp_path: Path) -> None:
    model = BmiRichards()
    model.initialize(write(tmp_path, configuration(richards={"mode": "free_drainage", "passes": 1})))
    model.set_value(names.NET_SOURCE, rain(0.0))
    model.update()
    # the saturated bottom drains with its conductivity
    assert value(model, names.DRAINAGE_VOLUME)[0] == pytest.approx(0.01 * NY * NX * 1e6, rel=1e-6)


def test_prescribed_drainage_is_read_hour_by_hour_and_ends_the_run(tmp_path: Path) -> None:
    with netCDF4.Dataset(tmp_path / "drainage.nc", "w") as dataset:
        for name, size in (("time", 2), ("y", NY), ("x", NX)):
            dataset.createDimension(name, size)
        drainage = dataset.createVariable("drainage", "f8", ("time", "y", "x"))
        drainage.units = "mm h-1"
        drainage[0], drainage[1] = 1.0, 3.0
    section = {"mode": "free_drainage", "drainage": {"file": "drainage.nc", "variable": "drainage"}}
    model = BmiRichards()
    model.initialize(write(tmp_path, configuration(richards=section)))
    assert model.get_end_time() == 7200.0
    model.set_value(names.NET_SOURCE, rain(0.0))
    for depth in (0.001, 0.003):
        model.update()
        assert value(model, names.DRAINAGE_VOLUME)[0] == pytest.approx(depth * NY * NX * 1e6, rel=1e-12)
    with netCDF4.Dataset(tmp_path / "drainage.nc", "a") as dataset:
        time = dataset.createVariable("time", "f8", ("time",))
        time.units = "hours since 2020-01-01"
        time[:] = [1.0, 0.0]
    with pytest.raises(ConfigError, match=r"2020-01-01 01:00 is followed by that of 2020-01-01 00:00"):
        BmiRichards().initialize(write(tmp_path, configuration(richards=section)))


def test_options_reach_the_solver(tmp_path: Path) -> None:
    section = {
        "passes": {"tolerance": 1e-7, "most": 30},
        "relative_permeability": {"table": 1000, "min_head": [-300.0] * 11},
        "floor_head": -200.0,
        "threads": 1,
    }
    model = BmiRichards()
    model.initialize(write(tmp_path, configuration(richards=section)))
    options = model._solver.options
    assert (options.passes, options.floor_head, options.threads) == (Convergence(tolerance=1e-7, most=30), -200.0, 1)
    assert options.table is not None
    assert options.table.points == 1000
    model.set_value(names.NET_SOURCE, rain(0.001))
    model.update()
    assert model.balance is not None
    assert model.balance.passes >= 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"initial": {}}, "give either pressure_head, water_table_depth or state"),
        ({"initial": {"pressure_head": 1.0, "water_table_depth": 1.0}}, "give either"),
        ({"initial": {"water_table_depth": -300.0}}, "initial.water_table_depth: water would stand 300 m above"),
        (
            {"initial": {"pressure_head": -1e300}},
            "initial.pressure_head: must lie between -10000000 and 10000 m, got -1e",
        ),
        ({"initial": {"pressure_head": 250.0}}, "initial.pressure_head: water would stand 250 m above"),
        ({"richards": {"mode": "free"}}, "richards.mode"),
        ({"richards": {"drainage": "lagged"}}, "drainage has no effect with `mode: full`"),
        ({"richards": {"pases": 2}}, "did you mean 'passes'"),
        ({"richards": {"floor_head": 3.0}}, "richards.floor_head"),
        ({"richards": {"relative_permeability": {"table": 100, "min_head": 5.0}}}, "min_head must be below 0 m"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        BmiRichards().initialize(write(tmp_path, configuration(**changes)))
    assert "groundwater.yaml" in str(caught.value) or "richards" in str(caught.value)


@pytest.mark.parametrize("key", ["conductivity", "slope", "manning"])
def test_a_domain_made_for_land_only_is_refused_naming_what_is_missing(tmp_path: Path, key: str) -> None:
    content = configuration()
    del content["domain"][key]
    with pytest.raises(ConfigError, match=f"domain: {key}.* is missing; the Richards solver needs it"):
        BmiRichards().initialize(write(tmp_path, content))


def test_provenance_names_every_file(tmp_path: Path, model: BmiRichards) -> None:
    assert list(model.provenance) == [str(tmp_path / "groundwater.yaml")]
    assert all(len(digest) == 64 for digest in model.provenance.values())


def test_it_describes_the_start_until_its_fields_have_become_columns(model: BmiRichards, tmp_path: Path) -> None:
    assert model.description[-1] == "water table at the start: 1.5 to 1.5 m, median 1.5 m below ground"
    model.save_state(tmp_path / "start.nc")
    model.set_value(names.NET_SOURCE, rain(0.001).ravel())
    model.update()
    model.load_state(tmp_path / "start.nc")
    assert model.description == ()
