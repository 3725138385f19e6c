"""Slope forms, surface conditions, sides, bottom and barriers: the equations, conservation and symmetry."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from richards_conditions import CONVERGED, assert_closed, boundary, everything, rate, transposed
from richards_domains import Floats, hydrostatic, make_domain, random_domain
from richards_residual import residual

from bmi_common.boundary_conditions import Barriers, Conditions, Side
from bmi_common.groundwater_config import Mode
from bmi_common.overland import SurfaceCondition
from bmi_common.slopes import SlopeFormulation
from bmi_richards.options import SolverConfig
from bmi_richards.solver import RichardsSolver


@pytest.mark.parametrize("formulation", SlopeFormulation)
@pytest.mark.parametrize("surface", SurfaceCondition)
def test_heads_solve_the_equations_as_written_down_a_second_time(
    formulation: SlopeFormulation, surface: SurfaceCondition
) -> None:
    random = np.random.default_rng(7)
    domain = random_domain(random, ny=4, nx=5, nz=4)
    domain.slope_formulation = formulation
    domain.slope_x, domain.slope_y = 5.0 * domain.slope_x, 5.0 * domain.slope_y  # steep enough for cosines to count
    conditions = everything(domain, random, surface)
    solver = RichardsSolver(
        domain, hydrostatic(domain, domain.dz.sum() - random.uniform(0.0, 2.0, (4, 5))), CONVERGED, conditions
    )
    source = random.uniform(-1e-5, 1e-4, size=solver.shape)
    for hour in range(6):
        before = solver.head
        balance = solver.step(source, time=float(hour))
        assert balance.unmet_demand == balance.unmet_outflow == 0.0  # which the equations know nothing of
        left = residual(domain, conditions, before, solver.head, source, float(hour))
        assert np.abs(left).max() <= 1e-10
        assert_closed(balance)


def test_relative_permeability_may_have_its_own_parameters() -> None:
    random = np.random.default_rng(11)
    domain = random_domain(random, ny=4, nx=5, nz=4)
    start = hydrostatic(domain, domain.dz.sum() - random.uniform(0.0, 2.0, (4, 5)))
    source = np.zeros(start.shape)

    def after_rain(alpha: Floats | None, n: Floats | None, check: bool = False) -> Floats:
        domain.relative_permeability_alpha, domain.relative_permeability_n = alpha, n
        conditions = everything(domain, np.random.default_rng(11), SurfaceCondition.OVERLAND_KINEMATIC)
        solver = RichardsSolver(domain, start, CONVERGED, conditions)
        for hour in range(4):
            before = solver.head
            assert_closed(solver.step(source, time=float(hour)))
            if check:
                left = residual(domain, conditions, before, solver.head, source, float(hour))
                assert np.abs(left).max() <= 1e-10
        return solver.head

    one_curve = after_rain(None, None)
    np.testing.assert_array_equal(after_rain(domain.alpha, domain.n), one_curve)
    own = after_rain(0.5 * domain.alpha, 1.0 + 1.5 * (domain.n - 1.0), check=True)
    assert np.nanmax(np.abs(own - one_curve)) > 1e-3


@pytest.mark.parametrize("surface", SurfaceCondition)
@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_balance_closes_with_everything_that_can_act(surface: SurfaceCondition, seed: int) -> None:
    random = np.random.default_rng(seed)
    domain = random_domain(random)
    domain.slope_formulation = SlopeFormulation.ORIGINAL
    conditions = everything(domain, random, surface)
    solver = RichardsSolver(domain, np.full(domain.porosity.shape, -1.0), None, conditions)
    for hour in range(6):
        before = solver.storage
        balance = solver.step(np.zeros(solver.shape), time=float(hour))
        assert_closed(balance)
        assert balance.storage - before == pytest.approx(balance.storage_change, abs=1e-12 * balance.storage)


@pytest.mark.parametrize("formulation", SlopeFormulation)
def test_exchanging_east_and_north_exchanges_the_heads(formulation: SlopeFormulation) -> None:
    random = np.random.default_rng(3)
    domain = random_domain(random)
    domain.slope_formulation = formulation
    flow = {"surface": SurfaceCondition.OVERLAND_FLOW, "surface_flux": rate(0.02)}
    one = Conditions(boundaries=(boundary(domain, "west", head=rate(domain.dz.sum())),), **flow)
    other_domain = transposed(domain)
    other = Conditions(boundaries=(boundary(other_domain, "south", head=rate(domain.dz.sum())),), **flow)
    solvers = [
        RichardsSolver(d, np.full(d.porosity.shape, -0.5), CONVERGED, c)
        for d, c in ((domain, one), (other_domain, other))
    ]
    for hour in range(3):
        for solver in solvers:
            solver.step(np.zeros(solver.shape), time=float(hour))
    np.testing.assert_allclose(solvers[0].head, np.swapaxes(solvers[1].head, -1, -2), rtol=0.0, atol=1e-9)


def test_a_mirrored_domain_has_mirrored_heads_where_slopes_belong_to_cells() -> None:
    """Not so with the slopes of faces, which the mirror would give to other cells."""
    random = np.random.default_rng(5)
    domain = random_domain(random)
    domain.slope_formulation = SlopeFormulation.ORIGINAL
    mirrored = SimpleNamespace(
        **{name: np.flip(value, -1).copy() if np.ndim(value) > 1 else value for name, value in vars(domain).items()}
    )
    mirrored.slope_x = -mirrored.slope_x
    heads = []
    for d, side in ((domain, "east"), (mirrored, "west")):
        conditions = Conditions(
            surface=SurfaceCondition.OVERLAND_FLOW,
            surface_flux=rate(0.02),
            boundaries=(boundary(d, side, flux=rate(0.01)),),  # type: ignore[arg-type]
        )
        solver = RichardsSolver(d, np.full(d.porosity.shape, -0.5), CONVERGED, conditions)
        for hour in range(3):
            solver.step(np.zeros(solver.shape), time=float(hour))
        heads.append(solver.head)
    np.testing.assert_allclose(heads[0], np.flip(heads[1], -1), rtol=0.0, atol=1e-9)


def test_water_at_rest_beside_a_boundary_at_its_head_stays_at_rest() -> None:
    domain = make_domain([5.0, 1.0, 0.5], 3, 4)
    head = hydrostatic(domain, 5.2)
    sides: tuple[Side, ...] = ("west", "east", "south", "north", "bottom")
    conditions = Conditions(boundaries=tuple(boundary(domain, side, head=rate(5.2)) for side in sides))
    solver = RichardsSolver(domain, head, None, conditions)
    for hour in range(24):
        balance = solver.step(np.zeros(solver.shape), time=float(hour))
    np.testing.assert_allclose(solver.head, head, rtol=0.0, atol=1e-10)
    assert balance.boundary_inflow == pytest.approx(0.0, abs=1e-6)


def test_flow_between_two_heads_is_darcys() -> None:
    """K (H1 - H2) / L over a confined layer between two reservoirs, half a cell from the outermost centres."""
    domain = make_domain([10.0, 5.0], 1, 8, dx=100.0, conductivity_z=[0.02, 0.0])
    heads = {"west": 30.0, "east": 22.0}
    conditions = Conditions(
        boundaries=tuple(boundary(domain, side, head=rate(h), layers=slice(1)) for side, h in heads.items())  # type: ignore[arg-type]
    )
    start = np.broadcast_to(np.array([20.0, -1.0])[:, None, None], (2, 1, 8))
    solver = RichardsSolver(domain, start, CONVERGED, conditions)
    for hour in range(200):
        solver.step(np.zeros(solver.shape), 24.0, time=24.0 * hour)
    x = (np.arange(8) + 0.5) / 8.0
    np.testing.assert_allclose(solver.head[0, 0], 30.0 - 8.0 * x - 5.0, rtol=0.0, atol=1e-6)


def test_an_outflow_that_cells_cannot_give_is_cut_and_reported() -> None:
    domain = make_domain([1.0, 0.5], 2, 2)
    conditions = Conditions(surface_flux=rate(-0.5), boundaries=(boundary(domain, "bottom", flux=rate(-0.4)),))
    solver = RichardsSolver(domain, np.full((2, 2, 2), -1.0), None, conditions)
    balance = solver.step(np.zeros(solver.shape))
    assert_closed(balance)
    asked = (0.5 + 0.4) * 4e6
    assert 0.0 < balance.unmet_outflow < asked
    assert balance.surface_flux + balance.boundary_inflow == pytest.approx(balance.unmet_outflow - asked)
    assert balance.unmet_demand == 0.0


def test_water_above_a_seepage_face_leaves_within_the_hour() -> None:
    domain = make_domain([2.0, 0.5], 2, 3, slope_x=0.01)
    conditions = Conditions(surface=SurfaceCondition.SEEPAGE_FACE, surface_flux=rate(0.05))
    solver = RichardsSolver(domain, hydrostatic(domain, 2.2), None, conditions)
    for hour in range(12):
        balance = solver.step(np.zeros(solver.shape), time=float(hour))
        assert_closed(balance)
    assert balance.seepage == pytest.approx(0.05 * 6e6, rel=1e-6)
    assert balance.ponding == balance.outflow == 0.0
    np.testing.assert_array_equal(solver.ponding, 0.0)
    np.testing.assert_allclose(np.nansum(solver.outflow) * 1e6, balance.seepage)


def test_under_closed_ground_water_presses_and_does_not_stand() -> None:
    domain = make_domain([2.0, 0.5], 2, 3, slope_x=0.01)
    conditions = Conditions(surface=SurfaceCondition.CLOSED, surface_flux=rate(0.05))
    solver = RichardsSolver(domain, hydrostatic(domain, 2.2), CONVERGED, conditions)
    for hour in range(12):
        balance = solver.step(np.zeros(solver.shape), time=float(hour))
        assert_closed(balance)
        assert balance.storage_change == pytest.approx(0.05 * 6e6, rel=1e-9)
        assert balance.ponding == balance.outflow == balance.seepage == 0.0
    assert solver.head[-1].min() > 100.0
    np.testing.assert_array_equal(solver.ponding, 0.0)


def test_between_a_held_bottom_and_held_ground_heads_follow_darcys_law() -> None:
    """Steady and saturated: the drop of the hydraulic head is shared as the resistances dz/K of the layers are."""
    conductivity, dz = np.array([0.01, 0.04, 0.02]), np.array([2.0, 1.0, 0.5])
    domain = make_domain(dz, 1, 2, conductivity_z=conductivity, specific_storage=0.0)
    sides = (boundary(domain, "bottom", head=rate(5.0)), boundary(domain, "top", head=rate(6.4)))
    conditions = Conditions(surface=SurfaceCondition.CLOSED, boundaries=sides)
    solver = RichardsSolver(domain, np.full((3, 1, 2), 1.0), CONVERGED, conditions)
    balance = solver.step(np.zeros(solver.shape))
    resistance = dz / conductivity
    below_centre = np.cumsum(resistance) - 0.5 * resistance
    hydraulic = 5.0 + 1.4 * below_centre / resistance.sum()
    np.testing.assert_allclose(solver.head[:, 0, 0], hydraulic - (np.cumsum(dz) - 0.5 * dz), rtol=0.0, atol=1e-12)
    assert balance.boundary_inflow == pytest.approx(0.0, abs=1e-3)


def test_columns_that_drain_freely_take_fluxes_and_heads_at_their_sides() -> None:
    domain = make_domain([5.0, 1.0, 0.5], 2, 3)
    conditions = Conditions(
        surface_flux=rate(0.001),
        boundaries=(boundary(domain, "west", head=rate(6.0)), boundary(domain, "east", rate(1e-3))),
    )
    solver = RichardsSolver(domain, np.full((3, 2, 3), -1.0), SolverConfig(mode=Mode.FREE_DRAINAGE), conditions)
    for hour in range(5):
        balance = solver.step(np.zeros(solver.shape), time=float(hour))
        assert abs(balance.residual) <= 1e-10 * (balance.surface_flux + balance.boundary_inflow)
        assert balance.boundary_inflow > 0.0
        assert balance.drainage > 0.0


@pytest.mark.parametrize("factor", [0.0, 1.0])
def test_a_barrier_of_factor_one_is_none_and_of_factor_zero_a_wall(factor: float) -> None:
    domain = make_domain([5.0, 1.0, 0.5], 3, 4)
    table = np.where(np.arange(4) < 2, 6.0, 5.0) * np.ones((3, 4))
    wall = np.ones(domain.porosity.shape)
    wall[:, :, 1] = factor
    ones = np.ones_like(wall)
    start: Floats = hydrostatic(domain, table)
    free, barred = (
        RichardsSolver(domain, start, None, replace(Conditions(), barriers=b))
        for b in (None, Barriers(wall, ones, ones))
    )
    for solver in (free, barred):
        solver.step(np.zeros(solver.shape))
    if factor == 1.0:
        np.testing.assert_array_equal(free.head, barred.head)
    else:
        assert np.abs(free.head - start).max() > 1e-5
        np.testing.assert_allclose(barred.head, start, rtol=0.0, atol=1e-10)


@pytest.mark.parametrize("dx", [1000.0, 30.0])
def test_slopes_that_fall_towards_each_other_pass_water_to_and_fro_until_it_is_balanced(dx: float) -> None:
    """A pit of steep slopes: column by column the flow in circles would need thousands of rounds."""
    ny, nx = 4, 6
    y, x = np.mgrid[0:ny, 0:nx]
    slopes = {"slope_x": np.where(x < nx // 2, -0.3, 0.3), "slope_y": np.where(y < ny // 2, -0.05, 0.05)}
    domain = make_domain([10.0, 1.0, 0.2], ny, nx, dx=dx, manning=0.03, **slopes)
    conditions = Conditions(surface=SurfaceCondition.OVERLAND_FLOW, surface_flux=rate(0.05, 0.05, 0.0))
    solver = RichardsSolver(domain, np.full((3, ny, nx), -0.5), CONVERGED, conditions)
    assert max(map(len, solver.network.cycles)) == 4
    for hour in range(6):
        before = solver.head
        balance = solver.step(np.zeros(solver.shape), time=float(hour))
        assert abs(balance.residual) <= 1e-12 * balance.storage
        left = residual(domain, conditions, before, solver.head, np.zeros(solver.shape), float(hour))
        assert np.abs(left).max() <= 1e-9  # of up to 1000 m that go to and fro in an hour
    assert balance.outflow == 0.0
    assert solver.ponding.max() > 0.2
