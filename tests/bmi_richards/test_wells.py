"""Wells, intakes from rivers and the water that they hold for irrigation."""

from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from richards_cases import LAYERS, NX, NY, rain, started, valley
from richards_conditions import assert_closed, everything
from richards_domains import Floats, hydrostatic, make_domain, random_domain
from richards_residual import residual

from bmi_common import ConfigError, grids
from bmi_common import groundwater as names
from bmi_common.boundary_conditions import Conditions
from bmi_common.groundwater_config import Mode
from bmi_common.overland import SurfaceCondition
from bmi_common.rates import Intervals, Rate
from bmi_common.wells import Action, Takes, Well, lengths_in_layers
from bmi_richards import BmiRichards
from bmi_richards.options import Convergence, SolverConfig
from bmi_richards.solver import RichardsSolver

CONVERGED = SolverConfig(passes=Convergence(tolerance=1e-12, most=200))
AREA = 1000.0**2
ON_AND_OFF = {"cycle": [{"hours": 2, "rate": 3000.0}, {"hours": 1, "rate": 500.0}]}


def well(
    name: str, cell: tuple[int, int], shares: list[float] | Floats, *rates: float, takes: Takes = Takes.GROUNDWATER
) -> Well:
    """A well with rates [m3 h-1] of an hour each, in turn; negative ones are an injection."""
    action = Action.INJECTION if min(rates) < 0.0 else Action.EXTRACTION
    rate = Rate(Intervals(np.arange(1.0, len(rates) + 1.0), inf), np.abs(np.array(rates)))
    return Well(name, cell, takes, np.asarray(shares), rate, action)


def held(name: str, cell: tuple[int, int], shares: list[float], head: Rate) -> Well:
    return Well(name, cell, Takes.GROUNDWATER, np.asarray(shares), head, Action.EXTRACTION, holds=True)


def configured(folder: Path, *wells: dict[str, Any], **changes: Any) -> BmiRichards:
    file = valley(folder, changes.pop("richards", {}))
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "wells": list(wells), **changes}))
    return started(file)


def value(model: BmiRichards, name: str) -> Floats:
    return np.array(model.values[name])


# ---------------------------------------------------------------------- the solver


def test_a_well_acts_as_the_source_that_takes_or_brings_as_much() -> None:
    random = np.random.default_rng(2)
    domain = random_domain(random)
    j, i = (int(index) for index in np.argwhere(domain.mask)[7])
    shares = np.array([0.5, 0.0, 0.3, 0.2, 0.0, 0.0])
    wells = (well("pump", (j, i), shares, 40.0, 0.0), well("recharge", (j, i), shares[::-1], -25.0, -35.0))
    head = hydrostatic(domain, domain.dz.sum() - 0.3)
    with_wells = RichardsSolver(domain, head, CONVERGED, Conditions(wells=wells))
    with_sources = RichardsSolver(domain, head, CONVERGED)
    for hour in range(4):
        source = np.zeros(with_wells.shape)
        volumes = (-(40.0, 0.0)[hour % 2] * shares) + (25.0, 35.0)[hour % 2] * shares[::-1]
        source[:, j, i] = volumes / (domain.dz * AREA)
        balance = with_wells.step(np.zeros(source.shape), time=float(hour))
        expected = with_sources.step(source)
        np.testing.assert_allclose(with_wells.head, with_sources.head, rtol=0.0, atol=1e-9)
        assert balance.extraction == pytest.approx((40.0, 0.0)[hour % 2])
        assert balance.injection == pytest.approx((25.0, 35.0)[hour % 2])
        assert balance.unmet_extraction == 0.0
        assert balance.source == 0.0
        assert balance.storage_change == pytest.approx(expected.storage_change, abs=1e-6)


@pytest.mark.parametrize("surface", [SurfaceCondition.OVERLAND_KINEMATIC, SurfaceCondition.CLOSED])
def test_a_well_at_a_head_holds_its_cells_by_what_their_balances_lack(surface: SurfaceCondition) -> None:
    random = np.random.default_rng(6)
    domain = random_domain(random, ny=4, nx=5, nz=5)
    depth, cell = float(domain.dz.sum()), (1, 2)
    domain.mask[cell] = domain.mask[3, 4] = True
    centres = np.cumsum(domain.dz) - 0.5 * domain.dz
    head = Rate(Intervals(np.array([2.0, 4.0]), inf), depth + np.array([-1.5, 0.4]))
    wells = (
        held("dip", cell, [0.0, 1.0, 1.0, 0.0, 0.0], head),
        held("spring", (3, 4), [0.0, 0.0, 0.0, 0.0, 1.0], Rate.steady(np.array(depth - 0.2))),
        well("pump", cell, [1.0, 0.0, 0.0, 0.0, 0.0], 5.0),
    )
    conditions = replace(everything(domain, random, surface), wells=wells)
    start = hydrostatic(domain, depth - random.uniform(0.0, 2.0, (4, 5)))
    solver = RichardsSolver(domain, start, CONVERGED, conditions)
    nothing = np.zeros(solver.shape)
    signs = set()
    for hour in range(4):
        before = solver.head
        balance = solver.step(nothing, time=float(hour))
        assert_closed(balance)
        level = float(head.mean(float(hour), 1.0))
        np.testing.assert_array_equal(solver.head[1:3, *cell], level - centres[1:3])
        left = residual(domain, conditions, before, solver.head, nothing, float(hour)) * AREA
        dip, spring, pump = solver.well_water.taken
        assert left[1:3, *cell].sum() == pytest.approx(-dip, rel=1e-9, abs=1e-3)
        assert left[4, 3, 4] == pytest.approx(-spring, rel=1e-9, abs=1e-3)
        assert left[0, *cell] == pytest.approx(-pump, rel=1e-9, abs=1e-3)
        left[1:3, *cell] = left[4, 3, 4] = left[0, *cell] = 0.0
        assert np.abs(left).max() <= 1e-10 * AREA
        taken = np.array([dip, spring, pump])
        assert balance.extraction == pytest.approx(taken[taken > 0.0].sum())
        assert balance.injection == pytest.approx(-taken[taken < 0.0].sum())
        assert balance.unmet_extraction == 0.0
        signs.add(np.sign(dip))
    assert signs == {-1.0, 1.0}


def test_where_columns_drain_freely_a_well_holds_its_head_too() -> None:
    domain = make_domain([5.0, 1.0, 0.5], 1, 2)
    wells = (held("dip", (0, 1), [0.0, 1.0, 0.0], Rate.steady(np.array(5.2))),)
    solver = RichardsSolver(
        domain, np.full((3, 1, 2), -1.0), SolverConfig(mode=Mode.FREE_DRAINAGE), Conditions(wells=wells)
    )
    for _ in range(5):
        balance = solver.step(np.zeros(solver.shape))
        assert_closed(balance)
        assert solver.head[1, 0, 1] == pytest.approx(-0.3, abs=1e-15)
        assert balance.injection > 0.0


@pytest.mark.parametrize("mode", Mode)
def test_what_the_ground_cannot_give_is_unmet_demand_of_the_well(mode: Mode) -> None:
    domain = make_domain([1.0, 0.5], 1, 3)
    wells = (
        well("small", (0, 0), [1.0, 0.0], 10.0),
        well("greedy", (0, 2), [0.5, 0.5], 5.0e5),
        well("second", (0, 2), [1.0, 0.0], 1.0e5),
    )
    head = np.full((2, 1, 3), -1.0)
    solver = RichardsSolver(domain, head, SolverConfig(mode=mode), Conditions(wells=wells))
    dry = 0.0
    for hour in range(3):
        before = solver.storage
        source = np.zeros(solver.shape)
        source[1, 0, 2] = -0.05  # the land's sinks come first
        balance = solver.step(source, time=float(hour))
        water = solver.well_water
        np.testing.assert_allclose(water.taken + water.unmet, [10.0, 5.0e5, 1.0e5])
        assert water.unmet[0] == 0.0
        assert min(water.unmet[1:]) > 0.0
        assert balance.unmet_extraction == water.unmet.sum()
        assert balance.source + balance.unmet_demand * -1.0 == pytest.approx(-0.05 * 0.5 * AREA)
        rounding = solver.head.size * solver.options.tolerance * AREA
        assert abs(balance.residual) <= 1e-10 * (balance.extraction + balance.drainage - balance.source) + rounding
        assert balance.storage - before == pytest.approx(balance.storage_change, abs=1e-9 * before)
        dry = float(solver.head[:, 0, 2].min())
    assert dry >= solver.options.floor_head * (1.0 + 1e-6)


def test_intakes_take_no_more_than_stands_in_the_river() -> None:
    domain = make_domain([5.0, 0.5], 2, 3, slope_x=[[-0.01] * 3] * 2)
    start = hydrostatic(domain, 5.52)  # 2 cm on the ground
    river = [0.0, 1.0]
    wells = (
        well("mill", (0, 1), river, 15000.0, takes=Takes.RIVER),
        well("town", (0, 1), river, 90000.0, takes=Takes.RIVER),
        well("stream", (1, 1), river, 500.0, takes=Takes.RIVER),
    )
    solver = RichardsSolver(domain, start, None, Conditions(wells=wells))
    short = []
    for hour in range(4):
        standing = solver.ponding * AREA
        balance = solver.step(np.zeros(solver.shape), time=float(hour))
        mill, town, stream = solver.well_water.taken
        assert mill == pytest.approx(min(15000.0, standing[0, 1]))
        assert town == pytest.approx(min(90000.0, standing[0, 1] - mill))
        assert stream == pytest.approx(min(500.0, standing[1, 1]))
        assert abs(balance.residual) <= 1e-10 * (balance.extraction + balance.outflow + 1.0)
        assert balance.unmet_extraction == pytest.approx(105500.0 - mill - town - stream, abs=1e-6)
        short.append(balance.unmet_extraction)
    assert max(short) > 0.0


@given(st.floats(0.0, 30.0), st.floats(0.01, 30.0))
def test_a_screen_is_all_in_the_layers_that_it_reaches(top: float, length: float) -> None:
    dz, bottom = np.array(LAYERS), top + length
    found = lengths_in_layers(dz, top, bottom)
    assert found.sum() == pytest.approx(max(min(bottom, dz.sum()) - top, 0.0), abs=1e-12)
    depth = np.cumsum(dz[::-1])[::-1]  # of the lower faces
    assert not found[(depth <= top) | (depth - dz >= bottom)].any()


# ------------------------------------------------------------------- the component

WELLS: tuple[dict[str, Any], ...] = (
    {"name": "field", "cell": {"x": 0, "y": 3}, "screen": [4.0, 12.0], "rate": ON_AND_OFF,
     "irrigates": {"cells": [{"x": 0, "y": 3}, {"x": 0, "y": 2}], "method": "sprinkler"}},
    {"name": "town", "cell": {"x": 2, "y": 1}, "screen": [2.0, 20.0], "share": "transmissivity", "rate": 250.0},
    {"name": "ditch", "cell": {"x": 1, "y": 0}, "takes": "river", "rate": 1200.0,
     "irrigates": {"mask": 1.0, "method": "drip"}},
    {"name": "recharge", "cell": {"x": 1, "y": 2}, "layers": {0: 3, 5: 1}, "action": "injection", "rate": 400.0},
)  # fmt: skip


@pytest.mark.parametrize("mode", ["full", "free_drainage"])
def test_published_terms_explain_the_storage_with_what_is_on_its_way(tmp_path: Path, mode: str) -> None:
    model = configured(tmp_path, *WELLS, richards={"mode": mode})
    assert model.grid_labels(grids.WELLS) == ("field", "town", "ditch", "recharge")
    assert model.gives_away == (names.CANOPY_IRRIGATION, names.GROUND_IRRIGATION)
    on_its_way = 0.0
    for hour in range(7):
        before = value(model, names.STORAGE_VOLUME)
        model.set_value(names.NET_SOURCE, rain(0.01 if hour == 2 else 0.0))
        model.update()
        lost = sum(
            value(model, name)
            for name in (names.OUTFLOW_VOLUME, names.DRAINAGE_VOLUME, names.EXTRACTION_VOLUME, names.IRRIGATION_VOLUME)
        )
        gained = value(model, names.SOURCE_VOLUME) + value(model, names.INJECTION_VOLUME)
        change = value(model, names.STORAGE_VOLUME) - before
        assert change == pytest.approx(gained - lost, abs=1e-10 * float(gained + lost) + 1e-6)
        # what was taken before has been given, by the fluxes that were published for it
        assert value(model, names.IRRIGATION_VOLUME) == pytest.approx(on_its_way)
        fluxes = [value(model, name) for name in (names.CANOPY_IRRIGATION, names.GROUND_IRRIGATION)]
        on_its_way = sum(np.nansum(flux) for flux in fluxes) * 3600.0 / 1000.0 * AREA
        rates = value(model, names.WELL_RATE) * 3600.0
        assert on_its_way == pytest.approx(rates[0] + rates[2]) == value(model, names.IRRIGATION_STORAGE_VOLUME)
        assert on_its_way == pytest.approx(value(model, names.WITHDRAWAL_VOLUME))
        np.testing.assert_allclose(rates[[0, 1, 3]], [500.0 if hour % 3 == 2 else 3000.0, 250.0, -400.0])
        unmet = value(model, names.UNMET_WELL_RATE) * 3600.0
        assert unmet.sum() == pytest.approx(value(model, names.UNMET_EXTRACTION_VOLUME), abs=1e-9)
        assert rates[2] + unmet[2] == pytest.approx(1200.0)
        sprinkled = fluxes[0][np.isfinite(fluxes[0]) & (fluxes[0] > 0.0)]
        assert len(sprinkled) == 2
        assert np.isnan(fluxes[1][-1, -1])  # outside the mask


def test_a_state_holds_the_water_that_is_on_its_way(tmp_path: Path) -> None:
    model = configured(tmp_path, *WELLS)
    for _ in range(4):
        model.set_value(names.NET_SOURCE, rain(0.0))
        model.update()
    model.save_state(tmp_path / "state.nc")
    again = started(tmp_path / "groundwater.yaml")
    again.load_state(tmp_path / "state.nc")
    for component in (model, again):
        for _ in range(3):
            component.set_value(names.NET_SOURCE, rain(0.001))
            component.update()
    for variable in model.variables:
        np.testing.assert_array_equal(value(model, variable.name), value(again, variable.name), err_msg=variable.name)


def test_a_run_sees_its_wells_before_it_starts(tmp_path: Path) -> None:
    lines = [line for line in configured(tmp_path, *WELLS).description if line.startswith("has well ")]
    assert lines[0] == (
        "has well field: extraction of 500 to 3000 m3 h-1 in layer 0: 1, cell x = 0, y = 3; "
        "irrigates 2 cells (sprinkler)"
    )
    assert "in layers 0: 0.75, 5: 0.25" in lines[3]
    assert "from the river" in lines[2]


def test_a_series_of_rates_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text("hour,pump\n0,10\n1,20\n2,15\n")
    pump = {"name": "a", "cell": {"x": 0, "y": 0}, "screen": [1, 9], "rate": {"file": "rates.csv", "column": "pump"}}
    assert configured(tmp_path, pump).get_end_time() == 3 * 3600.0


GOOD = {"name": "a", "cell": {"x": 0, "y": 0}, "screen": [1.0, 9.0], "rate": 1.0}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cell": {"x": 3, "y": 0}}, r"wells\.0\.cell: cell x = 3, y = 0 is outside the domain"),
        ({"cell": {"x": 2, "y": 3}}, r"wells\.0\.cell: cell x = 2, y = 3 takes no part"),
        ({"screen": [9.0, 99.0]}, r"wells\.0\.screen: ends 99 m below the ground; the domain is 23\.3\S* m deep"),
        ({"screen": [9.0, 1.0]}, r"wells\.0\.screen: give its top and its bottom"),
        ({"screen": None}, r"wells\.0: give either screen"),
        ({"layers": {0: 1.0}}, r"wells\.0: give either screen"),
        ({"screen": None, "layers": {11: 1.0}}, r"wells\.0\.layers: the domain has layers 0 to 10, got 11"),
        ({"screen": None, "layers": {1: 0.0}}, r"wells\.0\.layers: the shares must be finite, and one of them above 0"),
        ({"rate": -5.0}, r"wells\.0\.rate: must be at least 0 m3 h-1, got -5"),
        ({"rate": 2.0e8}, r"wells\.0\.rate: at most 100 m h-1 over the area of the cell"),
        ({"rate": {"file": "gap.csv", "column": "pump"}}, r"wells\.0\.rate: .*gap\.csv:3: pump is ''"),
        ({"rate": {"file": "gap.csv", "column": "pimp"}}, r"wells\.0\.rate: .*no column 'pimp'; did you mean 'pump'"),
        ({"action": "extract"}, r"wells\.0\.action"),
        ({"takes": "river"}, r"wells\.0: screen: without effect beside `takes: river`"),
        (
            {"irrigates": {"mask": 0.0, "method": "drip"}},
            r"wells\.0\.irrigates\.mask: no active cell of the map has a value above 0",
        ),
        ({"irrigates": {"method": "drip"}}, r"wells\.0\.irrigates: give either mask"),
        (
            {"irrigates": {"cells": [{"x": 0, "y": 9}], "method": "drip"}},
            r"wells\.0\.irrigates\.cells\.0: cell x = 0, y = 9 is outside",
        ),
        ({"action": "injection", "irrigates": {"mask": 1, "method": "drip"}}, r"wells\.0: irrigates: an injection"),
        ({"head": 3.0}, r"wells\.0: give either rate \[m3 h-1\] or head"),
        ({"head": 3.0, "rate": None, "action": "injection"}, r"wells\.0: action: without effect beside head"),
        ({"head": 9e4, "rate": None}, r"wells\.0\.head: must lie between -10000 and 10000 m, got 90000"),
        ({"rate": 9e5, "irrigates": {"cells": [{"x": 0, "y": 0}], "method": "drip"}}, r"would get 0\.9 m h-1"),
    ],
)
def test_a_mistake_is_one_message_with_its_key(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    (tmp_path / "gap.csv").write_text("hour,pump\n0,10\n1,\n2,15\n")
    spec = {key: v for key, v in {**GOOD, **changes}.items() if v is not None}
    with pytest.raises(ConfigError, match=words) as caught:
        configured(tmp_path, spec)
    assert len(caught.value.mistakes) == 1
    assert "groundwater.yaml" in str(caught.value)


def test_all_mistakes_are_told_together(tmp_path: Path) -> None:
    wells = [GOOD, {**GOOD, "rate": -1.0, "cell": {"x": 9, "y": 9}}, {**GOOD, "name": "b", "screen": [1.0, 99.0]}]
    with pytest.raises(ConfigError) as caught:
        configured(tmp_path, *wells)
    assert {mistake.key for mistake in caught.value.mistakes} == {
        "wells.1.name", "wells.1.rate", "wells.1.cell", "wells.2.screen"
    }  # fmt: skip


@pytest.mark.parametrize(("condition", "name"), [("seepage_face", "a seepage face"), ("closed", "closed ground")])
def test_no_water_stands_on_a_seepage_face_or_closed_ground(tmp_path: Path, condition: str, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"wells\.0\.takes: no water stands on {name}"):
        configured(
            tmp_path,
            {"name": "a", "cell": {"x": 0, "y": 0}, "takes": "river", "rate": 1.0},
            surface={"condition": condition},
        )


def test_two_wells_do_not_hold_one_cell(tmp_path: Path) -> None:
    dip = {"name": "dip", "cell": {"x": 0, "y": 0}, "screen": [0.0, 1.0], "head": 20.0}
    with pytest.raises(ConfigError, match=r"wells\.1\.head: holds a cell that well 0 holds, too"):
        configured(tmp_path, dip, {**dip, "name": "other", "screen": [0.5, 3.0]})


def test_the_grid_of_wells_has_their_places(tmp_path: Path) -> None:
    model = configured(tmp_path, *WELLS)
    assert model.values[names.CANOPY_IRRIGATION].shape == (NY, NX)
    np.testing.assert_array_equal(model.get_grid_x(grids.WELLS, np.empty(4)), [500.0, 2500.0, 1500.0, 1500.0])
    np.testing.assert_array_equal(model.get_grid_y(grids.WELLS, np.empty(4)), [3500.0, 1500.0, 500.0, 2500.0])
