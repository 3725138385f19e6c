"""What the solver tells about its own work."""

from pathlib import Path

import numpy as np
import pytest
from richards_cases import NX, NY, rain, started, valley
from richards_domains import hydrostatic, make_domain, random_domain

from bmi_common import groundwater as names
from bmi_richards import BmiRichards, RichardsSolver, SolverConfig
from bmi_richards.statistics import SOLVER_VARIABLES

COUNTS = {v.name for v in SOLVER_VARIABLES}


def test_water_at_rest_takes_no_iteration() -> None:
    domain = make_domain([2.0, 1.0, 0.5], 2, 3)
    solver = RichardsSolver(domain, hydrostatic(domain, 2.3))
    newton = solver.step(np.zeros(solver.shape)).newton
    assert (newton.iterations, newton.most, newton.mean, newton.rungs) == (0, 0, 0.0, (0, 0, 0, 0, 0, 0))


def test_every_pass_counts() -> None:
    domain = make_domain([2.0, 1.0, 0.5], 1, 5, slope_x=0.01)
    head = hydrostatic(domain, np.linspace(2.0, 3.0, 5))
    source = np.full(head.shape, 1e-3)
    one, three = (RichardsSolver(domain, head, SolverConfig(passes=n)).step(source).newton for n in (1, 3))
    assert one.columns == three.columns == 5
    assert 5 <= one.iterations <= 5 * one.most
    assert one.iterations < three.iterations
    assert one.mean == one.iterations / 5


def test_a_storm_on_dry_ground_needs_the_later_ways_and_is_solved_by_them() -> None:
    # found by search: infiltration fronts for which full Newton steps cycle
    needed = np.zeros(6, dtype=int)
    for seed in range(20):
        random = np.random.default_rng(seed)
        domain = random_domain(random, ny=4, nx=4)
        solver = RichardsSolver(domain, -(10.0 ** random.uniform(-1.0, 4.0, size=(6, 4, 4))))
        source = np.zeros(solver.shape)
        for _ in range(2):
            source[-1] = random.uniform(0.0, 0.1) / domain.dz[-1]
            balance = solver.step(source)
            needed += balance.newton.rungs
            assert sum(balance.newton.rungs) <= balance.newton.columns
            if any(balance.newton.rungs):
                assert balance.newton.most > 12  # the limit of the first way
    assert needed[0] > 0
    assert needed[1] > 0


def value(model: BmiRichards, name: str) -> float:
    (scalar,) = model.get_value_ptr(name)
    return float(scalar)


def after_rain(model: BmiRichards, depth: float) -> BmiRichards:
    model.set_value(names.NET_SOURCE, rain(depth))
    model.update()
    return model


def test_counts_are_scalars_over_bmi(tmp_path: Path) -> None:
    model = started(valley(tmp_path, {"passes": 3}))
    assert set(model.get_output_var_names()) >= COUNTS
    assert all(value(model, name) == 0.0 for name in COUNTS)
    after_rain(model, 0.03)
    assert model.balance is not None
    newton = model.balance.newton
    assert value(model, "model_solver_newton__iteration_count") == newton.iterations > 0
    assert value(model, "model_solver_newton__max_of_iteration_count") == newton.most
    assert value(model, "model_solver_backtracking__column_count") == newton.rungs[1]
    assert value(model, "model_solver_pass__count") == 3


def test_passes_to_a_tolerance_report_their_number_over_bmi(tmp_path: Path) -> None:
    fine = {"nx": NX, "ny": NY, "dx": 50.0, "dy": 50.0}
    model = started(valley(tmp_path, {"passes": {"tolerance": 1e-8, "most": 100}}, grid=fine))
    assert 3 <= value(after_rain(model, 0.03), "model_solver_pass__count") < 100


def test_ponded_volume_is_that_of_the_ponded_depth(tmp_path: Path) -> None:
    model = started(valley(tmp_path, {}))
    assert value(model, names.PONDED_VOLUME) == 0.0
    after_rain(model, 0.3)
    depth = np.nansum(model.get_value_ptr(names.PONDED_DEPTH))
    assert value(model, names.PONDED_VOLUME) == pytest.approx(depth * 1e6, rel=1e-14)
    assert 0.0 < value(model, names.PONDED_VOLUME) < value(model, names.STORAGE_VOLUME)


def test_a_longer_step_takes_the_source_over_all_of_it(tmp_path: Path) -> None:
    model = started(valley(tmp_path, {"time_step": 24.0}))
    assert model.get_time_step() == 86400.0
    before = value(model, names.STORAGE_VOLUME)
    after_rain(model, 0.001)  # an hour's millimetre, for a day
    cells = NY * NX - 1
    assert value(model, names.SOURCE_VOLUME) == pytest.approx(0.024 * cells * 1e6, rel=1e-12)
    outflow = value(model, names.OUTFLOW_VOLUME)
    gained = value(model, names.STORAGE_VOLUME) - before
    assert gained + outflow == pytest.approx(value(model, names.SOURCE_VOLUME), rel=1e-9)
    assert outflow > 0.0
    # a rate over the step
    assert np.nansum(model.get_value_ptr(names.RUNOFF)) * 1e6 * 86400.0 == pytest.approx(outflow, rel=1e-12)
