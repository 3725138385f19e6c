"""Streams within cells: what they take, where it goes, and what is refused."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import netCDF4
import numpy as np
import pytest
import yaml
from richards_cases import LAYERS, NX, NY, OUTLET, valley
from scipy.integrate import solve_ivp
from terrain_cases import DENSITY, FLAT, HEIGHT, QUANTILE, write_terrain

from bmi_common import ConfigError, DeclaredBmi
from bmi_common import groundwater as names
from bmi_common.partition import Part
from bmi_common.state_file import StateArray, read_state, write_state
from bmi_common.subgrid import Streams, StreamsConfig, SubgridWeights, TerrainStatistics
from bmi_common.subgrid.parameters import FEATURES, PARAMETERS, UNLEARNED, features
from bmi_common.subgrid.streams import Routes
from bmi_common.van_genuchten import saturation
from bmi_richards import BmiRichards
from bmi_richards.config import prepare
from bmi_surrogate import BmiSurrogate

COMPONENTS: dict[str, tuple[type[DeclaredBmi], dict[str, Any]]] = {
    "richards": (BmiRichards, {"richards": {"threads": 1}}),
    "structured": (BmiSurrogate, {"surrogate": {"architecture": "structured", "threads": 1}}),
}
every_component = pytest.mark.parametrize("component", COMPONENTS)
CELLS = NY * NX - 1
AREA = 1.0e6  # m2


def case(folder: Path, streams: dict[str, Any] | None = None, depth: float = 1.0, **changes: Any) -> Path:
    """The valley with streams."""
    write_terrain(folder / "terrain.nc", NY, NX)
    file = valley(folder, gauges={"outlet": OUTLET})
    content = yaml.safe_load(file.read_text())
    content |= {"initial": {"water_table_depth": depth}, "streams": {"terrain": "terrain.nc", **(streams or {})}}
    file.write_text(yaml.safe_dump({**content, **changes}))
    return file


def begun(component: str, file: Path) -> DeclaredBmi:
    kind, section = COMPONENTS[component]
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **section}))
    model = kind()
    model.initialize(str(file))
    return model


def value(model: DeclaredBmi, name: str) -> np.ndarray:
    return model.get_value_ptr(name).copy()


def total(model: DeclaredBmi, name: str) -> float:
    """Sum over the active cells."""
    return float(np.nansum(value(model, name)))


def give(model: DeclaredBmi, top: float, below: float = 0.0) -> float:
    """Set the source of the hour [m], of the top layer and of the one below; return its volume [m3]."""
    source = np.zeros((10, NY, NX))
    source[-1], source[-2] = top / LAYERS[-1], below / LAYERS[-2]
    model.set_value(names.NET_SOURCE, source.ravel())
    return (top + below) * CELLS * AREA


def weather(hour: int) -> tuple[float, float]:
    """Rain, and what roots take [m]."""
    return (0.004 if hour % 7 == 2 else 0.0), -0.00002


def take(streams: Streams, source: np.ndarray, depth: float, hours: float = 1.0) -> np.ndarray:
    """Let streams take from a source, with the same water table depth everywhere; return what is left of it."""
    left = source.copy()
    streams.take(left, np.full((NY, NX), depth), hours)
    return left


def streams_of(folder: Path, **parameters: float) -> Streams:
    streams = prepare(case(folder, {"parameters": parameters})).streams
    assert streams is not None
    return streams


# ---------------------------------------------------------------- what they take


def test_baseflow_is_the_equation_for_a_short_step(tmp_path):
    streams = streams_of(tmp_path, drainage=2.0)
    hours, depth = 1.0e-4, 1.0
    left = take(streams, np.zeros((11, NY, NX)), depth, hours)
    transmissivity = 0.02 * (sum(LAYERS) - depth)
    expected = 2.0 * 12.0 * DENSITY**2 * transmissivity * (0.3 * HEIGHT / 2.0 - depth)
    assert streams.baseflow == pytest.approx(np.full(CELLS, expected), rel=1e-3)
    taken = -(left[:, 0, 0] * LAYERS)
    assert taken.sum() == pytest.approx(streams.baseflow[0])
    # by transmissivity: the lowest layer has the share of its thickness below the water
    assert taken[0] / taken.sum() == pytest.approx(LAYERS[0] / (sum(LAYERS) - depth))
    assert (taken[-7:] == 0.0).all()  # those above the water table


def test_a_long_step_drains_no_more_than_the_mound_holds(tmp_path):
    streams = streams_of(tmp_path, drainage=100.0)
    take(streams, np.zeros((11, NY, NX)), 1.0, 1.0e5)
    held = 0.4 * (1.0 - 0.1) * (0.3 * HEIGHT / 2.0 - 1.0)
    assert streams.baseflow * 1.0e5 == pytest.approx(np.full(CELLS, held), rel=1e-6)


def test_streams_run_dry_below_the_mound(tmp_path):
    streams = streams_of(tmp_path)
    take(streams, np.zeros((11, NY, NX)), 0.3 * HEIGHT / 2.0 + 0.01)
    assert (streams.baseflow == 0.0).all()


@pytest.mark.parametrize("depth", [0.2, 1.0, 2.5])
def test_saturated_share_of_an_even_slope(tmp_path, depth):
    streams = streams_of(tmp_path, fall=0.5)
    expected = 1.0 - np.sqrt(2.0 * depth / (0.5 * HEIGHT))  # of d = f (H - x0)^2 / (2 H)
    assert streams.saturated_share(np.full(CELLS, depth)) == pytest.approx(expected, abs=0.01)


def test_nothing_is_saturated_where_the_water_table_is_below_the_streams(tmp_path):
    streams = streams_of(tmp_path, fall=0.5)
    assert (streams.saturated_share(np.full(CELLS, 5.5)) == 0.0).all()
    assert (streams.saturated_share(np.zeros(CELLS)) == 1.0).all()


@pytest.mark.parametrize("depth", [0.2, 1.0, 2.5])
def test_share_of_ground_whose_layers_are_below_its_water_table(tmp_path, depth):
    streams = streams_of(tmp_path, fall=0.5)
    shares = streams.saturated_shares(np.full(CELLS, depth))
    ground = streams.water_table_depths(np.full(CELLS, depth))[:, 0]
    for k, middle in enumerate(np.cumsum(LAYERS[::-1])[::-1] - 0.5 * np.array(LAYERS)):
        expected = (ground < middle).mean()
        assert shares[k] == pytest.approx(np.full(CELLS, expected), abs=0.05)  # of twenty shares of the ground
    assert (np.diff(shares[:, 0]) <= 0.0).all()  # bottom first
    assert (shares[-1] >= streams.saturated_share(np.full(CELLS, depth))).all()


@pytest.mark.parametrize("depth", [0.0, 0.3, 2.0, 7.0])
def test_depths_within_a_cell_have_its_mean(tmp_path, depth):
    streams = streams_of(tmp_path, fall=0.5)
    depths = streams.water_table_depths(np.full(CELLS, depth))
    assert depths.mean(axis=0) == pytest.approx(np.full(CELLS, depth), abs=0.02)
    assert (np.diff(depths, axis=0) >= 0.0).all()


def test_water_on_saturated_ground_reaches_the_streams(tmp_path):
    streams = streams_of(tmp_path, drainage=1.0e-6)
    source, share = np.zeros((11, NY, NX)), streams.saturated_share(np.ones(CELLS))
    source[-1] = 1.0e-6 / LAYERS[-1]  # too little to wet more
    left = take(streams, source, 1.0)
    assert 0.1 < share[0] < 0.9
    assert streams.direct_runoff == pytest.approx(1.0e-6 * share, rel=1e-2)
    assert left[-1, 0, 0] * LAYERS[-1] == pytest.approx(1.0e-6 - streams.direct_runoff[0])


def test_rain_saturates_the_ground_beside_streams_that_lacks_less_water(tmp_path):
    streams = streams_of(tmp_path, fall=0.5, memory=1.0e4)
    depth, rain = np.full(CELLS, 2.5), 0.02
    before = streams.saturated_share(depth)[0]
    take(streams, np.concatenate([np.zeros((10, NY, NX)), np.full((1, NY, NX), rain / LAYERS[-1])]), 2.5)
    assert streams.wetness == pytest.approx(np.full(CELLS, rain), rel=1e-3)
    wetted = np.linspace(0.0, 3.0, 3001)
    lacking = [np.trapezoid(0.4 * (1.0 - saturation(-wetted[:k], 2.0, 2.2, 0.1)), wetted[:k]) for k in range(1, 3001)]
    reached = wetted[np.searchsorted(lacking, rain)]  # depth of the water table above which 20 mm are lacking
    assert 0.3 < reached < 1.5
    assert streams.saturated_share(depth)[0] - before == pytest.approx(reached / (0.5 * HEIGHT), abs=0.01)
    assert (streams.saturated_shares(depth) >= streams.saturated_share(depth)).all()


def test_ground_beside_streams_forgets_rain(tmp_path):
    hours, day = streams_of(tmp_path, memory=30.0), streams_of(tmp_path, memory=30.0)
    rain, nothing = np.zeros((11, NY, NX)), np.zeros((11, NY, NX))
    rain[-1] = 0.01 / LAYERS[-1]
    for streams in (hours, day):
        take(streams, rain, 8.0)
    wet = hours.wetness[0]
    for _ in range(24):
        take(hours, nothing, 8.0)
    take(day, nothing, 8.0, 24.0)
    assert hours.wetness == pytest.approx(np.full(CELLS, wet * np.exp(-24.0 / 30.0)))
    assert day.wetness == pytest.approx(hours.wetness)


def test_plants_beside_streams_take_groundwater_and_no_more_than_there_is(tmp_path):
    wet, dry = streams_of(tmp_path, riparian_depth=2.0), streams_of(tmp_path, riparian_depth=2.0, drainage=1.0e-4)
    source = np.zeros((11, NY, NX))
    source[-2] = -1.0e-5 / LAYERS[-2]
    free = take(wet, np.zeros((11, NY, NX)), 1.0)[0, 0, 0]
    left = take(wet, source, 1.0)
    kept = (left[-2, 0, 0] - source[-2, 0, 0]) * LAYERS[-2]
    assert 0.0 < kept < 1.0e-5
    assert left[0, 0, 0] == free  # the ground gives as much as without plants
    take(dry, source, 1.0)
    assert (dry.baseflow == 0.0).all()


# ------------------------------------------------------------------ where it goes


def test_streams_lose_no_water_on_their_way(tmp_path):
    streams = streams_of(tmp_path, velocity=0.2, delay=24.0)
    source, stored, gone, entered = np.zeros((11, NY, NX)), 0.0, 0.0, 0.0
    source[-1] = 0.01 / LAYERS[-1]
    for hour in range(30):
        take(streams, source if hour < 3 else np.zeros_like(source), 1.0)
        entered += float((streams.baseflow + streams.direct_runoff).sum())
        gone += float(streams.outflow.sum())
        stored = float(streams.water.sum())
    assert (streams.stored > 0.0).all()
    assert (streams.overland > 0.0).all()
    assert gone + stored == pytest.approx(entered, rel=1e-12)


def test_what_enters_steadily_leaves_over_the_outlet(tmp_path):
    streams = streams_of(tmp_path)
    for _ in range(200):
        take(streams, np.zeros((11, NY, NX)), 1.0)
    flow = streams.flow_at(np.arange(NY * NX)).reshape(NY, NX)
    assert streams.outflow.sum() == pytest.approx(streams.baseflow.sum(), rel=1e-9)
    assert flow[OUTLET["y"], OUTLET["x"]] == pytest.approx(streams.baseflow.sum(), rel=1e-9)
    assert flow[NY - 1, 0] == pytest.approx(streams.baseflow[0])  # nobody is upstream


def test_rain_on_saturated_ground_is_late_by_its_delay(tmp_path):
    """The mean time to the streams is the delay, whatever the step."""
    for hours in (0.25, 1.0, 24.0):
        streams = streams_of(tmp_path, delay=30.0, drainage=1.0e-6)
        rain, late, came = np.zeros((11, NY, NX)), 0.0, 0.0
        rain[-1] = 0.01 / hours / LAYERS[-1]
        for step in range(round(600.0 / hours)):
            before = streams.overland[0]
            take(streams, rain if step == 0 else np.zeros_like(rain), 1.0, hours)
            given = streams.direct_runoff[0] * hours
            came += before + given - streams.overland[0]
            late += hours * streams.overland[0]
            if step == 0:
                fallen, early = given, hours * (0.5 * given)
        assert came == pytest.approx(fallen, rel=1e-6)
        assert (late + early) / fallen == pytest.approx(30.0, rel=0.5 * hours / 30.0 + 1e-3)


@pytest.mark.parametrize("velocity", [0.01, 0.3])
def test_a_stream_empties_by_its_velocity(tmp_path, velocity):
    streams = streams_of(tmp_path, velocity=velocity, drainage=1.0e-6, delay=0.01)
    source = np.zeros((11, NY, NX))
    source[-1] = 0.01 / LAYERS[-1]
    take(streams, source, 1.0)
    start = streams.stored[9]  # of the cell in the north-west, which nobody is upstream of
    rate = velocity * 3.6  # an hour, where it holds 1 mm
    for hours in (1.0, 2.0, 3.0):
        take(streams, np.zeros_like(source), 9.0)
        left = 1.0e-3 * ((start / 1.0e-3) ** (-2.0 / 3.0) + rate * hours / 1.5) ** -1.5
        assert streams.stored[9] == pytest.approx(left, rel=0.1)


def test_a_flood_runs_down_a_river_as_by_its_equation(tmp_path):
    """Far down, cells get much more in an hour than they hold."""
    cells, velocity, rain, rainy, base, last = 40, 0.1, 2.0e-3, 6, 5.0e-5, 48
    rate = velocity * 3.6  # an hour in cells of a kilometre, where they hold 1 mm
    domain = prepare(case(tmp_path)).domain
    row = np.zeros((1, cells))
    river = replace(domain, mask=row == 0.0, slope_x=row - 0.01, slope_y=row, manning=row + 0.05)
    routes, stored, flood = Routes(river, np.full(cells, velocity)), row[0], []
    for hour in range(last):
        _, outflow, stored = routes.route(stored, np.full(cells, base + rain * (hour < rainy)), 1.0)
        flood.append(outflow.sum())

    def change(hour: float, water: np.ndarray) -> np.ndarray:
        out = rate * (np.maximum(water[:-1], 0.0) / 1.0e-3) ** (2.0 / 3.0) * np.maximum(water[:-1], 0.0)
        return np.r_[base + rain * (hour < rainy) - np.diff(out, prepend=0.0), out[-1]]

    water, gone = np.zeros(cells + 1), [0.0]
    for begin, end in ((0, rainy), (rainy, last)):
        hours = np.arange(begin, end + 1)
        solved = solve_ivp(change, (begin, end), water, "LSODA", hours, rtol=1e-6, atol=1e-10).y
        water = solved[:, -1]
        gone += list(solved[-1, 1:])
    exact, found = np.diff(gone), np.array(flood)
    assert found.max() == pytest.approx(exact.max(), rel=0.03)
    middle = np.arange(last) + 0.5
    assert np.average(middle, weights=found) == pytest.approx(np.average(middle, weights=exact), abs=0.25)
    assert np.mean((found - exact) ** 2) < 0.01 * exact.var()


def test_a_flood_comes_as_late_in_hours_as_in_minutes(tmp_path):
    """Water of an hour must not run down many cells within it."""
    arrivals = {}
    for step in (1.0, 0.05):
        streams, gone, hour = streams_of(tmp_path, velocity=0.05, drainage=1.0e-6), [], 0.0
        rain = np.zeros((11, NY, NX))
        rain[-1] = 0.02 / LAYERS[-1]
        while hour < 48.0 - 1.0e-6:
            take(streams, rain if hour < 1.0 - 1.0e-6 else np.zeros_like(rain), 3.0, step)
            gone.append(streams.outflow.sum() * step)
            hour += step
        arrivals[step] = float(np.average(np.arange(len(gone)) * step + 0.5 * step, weights=gone))
    assert arrivals[1.0] == pytest.approx(arrivals[0.05], rel=0.1)


def test_a_day_is_as_many_hours(tmp_path):
    parameters = {"drainage": 1.0e-6, "memory": 1.0e-3, "delay": 6.0}  # so that rain alone counts, and does at once
    day, hours = (streams_of(tmp_path, **parameters) for _ in range(2))
    for rain in (0.01, 0.0):
        source = np.zeros((11, NY, NX))
        source[-1] = rain / 24.0 / LAYERS[-1]
        take(day, source, 1.0, 24.0)
        flow = 0.0
        for _ in range(24):
            take(hours, source, 1.0)
            flow = flow + hours.flow
        assert flow.min() > 1.0e-5
        assert day.flow * 24.0 == pytest.approx(flow, rel=1e-6)
        assert day.stored == pytest.approx(hours.stored, rel=1e-6)
        assert day.overland == pytest.approx(hours.overland, rel=1e-6)


@every_component
def test_every_hour_balances(tmp_path, component):
    model = begun(component, case(tmp_path))
    baseflow = direct_runoff = 0.0
    for hour in range(48):
        before, given = total(model, names.STORAGE_VOLUME), give(model, *weather(hour))
        model.update()
        gone = total(model, names.RUNOFF) * 3600.0 * AREA
        assert total(model, names.STORAGE_VOLUME) - before == pytest.approx(given - gone, abs=1.0e-3)
        baseflow += total(model, names.BASEFLOW)
        direct_runoff += total(model, names.DIRECT_RUNOFF)
    assert baseflow > 0.0
    assert direct_runoff > 0.0
    if component == "richards":
        assert total(model, names.OUTFLOW_VOLUME) == pytest.approx(gone)
        assert total(model, names.SOURCE_VOLUME) == pytest.approx(given)


@every_component
def test_discharge_has_what_streams_carry(tmp_path, component):
    model = begun(component, case(tmp_path, depth=2.0))
    for _ in range(100):
        give(model, 0.0)
        model.update()
    assert np.nanmax(value(model, names.PONDED_DEPTH)) == 0.0
    assert value(model, names.DISCHARGE)[0] == pytest.approx(total(model, names.RUNOFF) * AREA)
    assert value(model, names.DISCHARGE)[0] == pytest.approx(total(model, names.BASEFLOW) * AREA, rel=0.02)
    share, shares = value(model, names.SATURATED_FRACTION), value(model, names.ROOT_ZONE_SATURATED_FRACTION)
    assert np.nanmin(share) > 0.0
    assert (shares.reshape(10, -1)[-1, np.isfinite(share)] >= share[np.isfinite(share)]).all()


@every_component
def test_a_state_goes_on_to_the_last_bit(tmp_path, component):
    model = begun(component, case(tmp_path))
    value(model, names.SATURATED_FRACTION)  # what somebody has taken is kept up to date
    for hour in range(6):
        give(model, *weather(hour))
        model.update()
    depth = value(model, names.WATER_TABLE_DEPTH)
    streams = model._prepared.streams
    share = streams.saturated_share(depth[np.isfinite(depth)])
    np.testing.assert_array_equal(value(model, names.SATURATED_FRACTION)[np.isfinite(depth)], share)
    model.save_state(tmp_path / "state.nc")
    other = begun(component, tmp_path / "groundwater.yaml")
    other.load_state(tmp_path / "state.nc")
    for hour in range(6, 12):
        for one in (model, other):
            give(one, *weather(hour))
            one.update()
    for name in model.get_output_var_names():
        np.testing.assert_array_equal(value(model, name), value(other, name), err_msg=name)


@every_component
def test_a_state_of_a_version_without_the_share_of_saturated_ground_has_it_at_once(tmp_path, component):
    model = begun(component, case(tmp_path))
    give(model, *weather(0))
    model.update()
    share = value(model, names.ROOT_ZONE_SATURATED_FRACTION)
    model.save_state(tmp_path / "state.nc")
    state = read_state(tmp_path / "state.nc", model.component_name)
    lean = {n: StateArray(a) for n, a in state.arrays.items() if n != "soil_root_zone_saturated__area_fraction"}
    assert len(lean) == len(state.arrays) - 1
    write_state(tmp_path / "lean.nc", state.header, lean)
    other = begun(component, tmp_path / "groundwater.yaml")
    value(other, names.ROOT_ZONE_SATURATED_FRACTION)  # an exchange has taken it before the state is loaded
    other.load_state(tmp_path / "lean.nc")
    np.testing.assert_array_equal(value(other, names.ROOT_ZONE_SATURATED_FRACTION), share)
    assert np.nanmax(share) > 0.0


@every_component
def test_streams_that_reach_no_water_change_nothing(tmp_path, component):
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    deep = {"parameters": {"mound": 1.0e-3, "fall": 1.0e-3}}
    models = [begun(component, case(tmp_path / "with", deep, depth=3.0))]
    file = case(tmp_path / "without", depth=3.0)
    content = yaml.safe_load(file.read_text())
    del content["streams"]
    file.write_text(yaml.safe_dump(content))
    models.append(begun(component, file))
    for _ in range(6):
        for model in models:
            give(model, 0.0001, -0.0001)
            model.update()
    np.testing.assert_array_equal(value(models[0], names.PRESSURE_HEAD), value(models[1], names.PRESSURE_HEAD))


def test_one_line_swaps_the_solver(tmp_path):
    heads = {}
    for component in COMPONENTS:
        (tmp_path / component).mkdir()
        model = begun(component, case(tmp_path / component))
        for hour in range(48):
            give(model, *weather(hour))
            model.update()
        heads[component] = value(model, names.WATER_TABLE_DEPTH), value(model, names.DISCHARGE)
    for richards, structured in zip(heads["richards"], heads["structured"], strict=True):
        assert structured == pytest.approx(richards, abs=0.02, rel=0.02, nan_ok=True)


# -------------------------------------------------------------------- parameters


def weights(folder: Path, hidden: int = 0) -> tuple[SubgridWeights, Path]:
    random = np.random.default_rng(3)
    widths = (len(FEATURES), *((hidden,) if hidden else ()), len(PARAMETERS))
    layers = [(0.3 * random.standard_normal((b, a)), random.standard_normal(b)) for a, b in pairwise(widths)]
    found = SubgridWeights(
        np.zeros(len(FEATURES)), np.ones(len(FEATURES)), layers, 1000.0, 100.0, 1.0e5, {"trained_on": "x"}
    )
    found.save(folder / "streams.json")
    return found, folder / "streams.json"


def terrain(folder: Path) -> TerrainStatistics:
    return TerrainStatistics.read(folder / "terrain.nc", prepare(case(folder)).domain)


@pytest.mark.parametrize("hidden", [0, 5])
def test_weights_come_back_as_they_were_saved(tmp_path, hidden):
    found, file = weights(tmp_path, hidden)
    here = terrain(tmp_path)
    for name, values in vars(SubgridWeights.load(file).parameters(here)).items():
        np.testing.assert_array_equal(values, getattr(found.parameters(here), name))
        assert (values > UNLEARNED[name] / 31.0).all()
        assert (values < UNLEARNED[name] * 31.0).all()
    assert features(here).shape == (len(FEATURES), CELLS)


def test_learned_conductivities_are_those_of_the_run(tmp_path):
    found, _ = weights(tmp_path)
    with_weights = prepare(case(tmp_path, {"weights": "streams.json"}))
    lateral = found.parameters(terrain(tmp_path)).lateral
    assert with_weights.domain.conductivity_x[0][with_weights.domain.mask] == pytest.approx(0.02 * lateral)
    assert tmp_path / "streams.json" in with_weights.files


def test_given_parameters_take_the_place_of_learned_ones(tmp_path):
    weights(tmp_path)
    given = prepare(case(tmp_path, {"weights": "streams.json", "parameters": {"lateral": 1.0, "velocity": 0.5}}))
    assert given.domain.conductivity_x[0][given.domain.mask] == pytest.approx(0.02)


# ------------------------------------------------------------------------ refusals


def refusal(file: Path, component: str = "richards") -> str:
    with pytest.raises(ConfigError) as error:
        begun(component, file)
    return str(error.value)


@pytest.mark.parametrize(
    ("streams", "told"),
    [
        ({"terrain": "none.nc"}, "no such file"),
        ({"terrain": "valley.nc"}, "terrain_statistics"),
        ({"parameters": {"drainge": 1.0}}, "did you mean 'drainage'"),
        ({"parameters": {"drainage": -1.0}}, "drainage: must lie between 1e-06 and 10000, got -1"),
        ({"parameters": {"velocity": 0.0}}, "velocity: must lie between 1e-06"),
        ({"weights": "none.json"}, "no such file"),
        ({"weights": "valley.nc"}, "valley.nc: no weights of streams"),
    ],
)
def test_refuses_what_it_cannot_use(tmp_path, streams, told):
    assert told in refusal(case(tmp_path, streams))


@pytest.mark.parametrize(
    ("key", "content", "told"),
    [
        ("cell", 500.0, "cells of 500 m"),
        ("fine_cell", 50.0, "ground of 50 m"),
        ("stream_area", 1.0e6, "1e+06 m2"),
        ("features", ["slope"], "features are ['slope']"),
        ("mean", [0.0], "damaged"),
        ("layers", [], "damaged"),
        ("spread", [float("nan")] * 6, "damaged"),
        ("spread", [1.0e-320] * 6, "not finite"),
        ("cell", 10**400, "no weights of streams"),
    ],
)
def test_refuses_weights_that_do_not_fit(tmp_path, key, content, told):
    _, file = weights(tmp_path)
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: content}))
    assert told in refusal(case(tmp_path, {"weights": "streams.json"}))


def test_refuses_statistics_of_other_cells(tmp_path):
    file = case(tmp_path)
    write_terrain(tmp_path / "terrain.nc", NY, NX + 1)
    assert "terrain.nc" in refusal(file)
    write_terrain(tmp_path / "terrain.nc", NY, NX, cell=500.0)
    assert "500 m" in refusal(file)


@pytest.mark.parametrize("name", [*FLAT, "height_above_drainage"])
def test_refuses_statistics_that_are_none(tmp_path, name):
    file = case(tmp_path)
    shape = (NY, NX) if name in FLAT else (QUANTILE.size, NY, NX)
    write_terrain(tmp_path / "terrain.nc", NY, NX, **{name: np.full(shape, np.nan)})
    assert f"({name}): must lie between" in refusal(file)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"height_above_drainage": HEIGHT * QUANTILE[::-1, np.newaxis, np.newaxis]}, "must rise with the quantile"),
        ({"mean_height_above_drainage": 2.0 * HEIGHT}, "with their mean among them"),
        ({"drainage_density": 2.0}, "(drainage_density): must lie between 0 and 0.1 m-1"),
        ({"quantile": QUANTILE**2}, "even steps"),
        ({"stream_area": "0.1 km2"}, "stream_area must be a number"),
        ({"fine_cell": 5000.0}, "made of cells of 5000 m (fine_cell), two or more of which must fit along"),
    ],
)
def test_refuses_terrain_that_cannot_be(tmp_path, changes, told):
    file = case(tmp_path)
    write_terrain(tmp_path / "terrain.nc", NY, NX, **changes)
    assert told in refusal(file)


def test_statistics_are_taken_in_their_units(tmp_path):
    file = case(tmp_path)
    known = prepare(file).streams
    with netCDF4.Dataset(tmp_path / "terrain.nc", "a") as data:
        data["drainage_density"][:] *= 1000.0
        data["drainage_density"].units = "km-1"
    converted = prepare(file).streams
    assert known is not None
    assert converted is not None
    for streams in (known, converted):
        take(streams, np.zeros((11, NY, NX)), 1.0)
    assert converted.baseflow == pytest.approx(known.baseflow)
    with netCDF4.Dataset(tmp_path / "terrain.nc", "a") as data:
        data["drainage_density"].units = "s"
    assert "drainage_density" in refusal(file)


def test_no_layer_gives_more_than_half_of_what_it_can_drain(tmp_path):
    tight = {"conductivity": {"x": [1.0e-9, *[1.0] * 10], "z": [1.0e-9, *[1.0] * 10]}}
    write_terrain(tmp_path / "terrain.nc", NY, NX)
    file = valley(tmp_path, **tight)
    content = yaml.safe_load(file.read_text())
    parameters = {"drainage": 1000.0, "mound": 2.0}
    file.write_text(yaml.safe_dump(content | {"streams": {"terrain": "terrain.nc", "parameters": parameters}}))
    streams = prepare(file).streams
    assert streams is not None
    given = -take(streams, np.zeros((11, NY, NX)), 0.1, 24.0)[:, 0, 0] * LAYERS * 24.0
    drainable = np.array(LAYERS) * 0.4 * 0.9
    assert given[1] == pytest.approx(0.5 * drainable[1])  # the lowest of the soil
    assert given[0] < 0.01 * given[1]
    assert (given <= 0.5 * drainable + 1.0e-12).all()
    assert streams.baseflow[0] * 24.0 == pytest.approx(given.sum())


def test_refuses_ground_that_rises_and_falls(tmp_path):
    file = case(tmp_path)
    content = yaml.safe_load(file.read_text())
    content["domain"]["top_layer"] = 9
    file.write_text(yaml.safe_dump(content))
    assert "streams" in refusal(file)


def test_refuses_ground_without_a_wave_and_intakes_from_rivers(tmp_path):
    assert "kinematic wave" in refusal(case(tmp_path, surface={"condition": "seepage_face"}, gauges={}))
    wells = [{"name": "intake", "cell": OUTLET, "takes": "river", "rate": 1.0}]
    assert "streams" in refusal(case(tmp_path, wells=wells))


def test_refuses_ground_that_does_not_drain(tmp_path):
    file = case(tmp_path)
    content = yaml.safe_load(file.read_text())
    content["domain"]["slope"] = {"x": 0.0, "y": 0.0}
    file.write_text(yaml.safe_dump(content))
    assert "11 cells do not" in refusal(file)


def test_refuses_a_domain_that_processes_share(tmp_path):
    prepared = prepare(case(tmp_path))
    spec = StreamsConfig(terrain=tmp_path / "terrain.nc")
    shared = replace(prepared.domain, part=cast(Part, object()))
    with pytest.raises(ConfigError, match="one process"):
        spec.build(shared)


def test_a_state_without_streams_is_refused(tmp_path):
    file = case(tmp_path)
    model = begun("richards", file)
    content = yaml.safe_load(file.read_text())
    plain = {key: part for key, part in content.items() if key != "streams"}
    file.write_text(yaml.safe_dump(plain))
    other = begun("richards", file)
    model.save_state(tmp_path / "state.nc")
    with pytest.raises(ConfigError, match="has also"):
        other.load_state(tmp_path / "state.nc")
