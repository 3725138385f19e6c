"""Against solutions that are known without a hydrological model."""

from types import SimpleNamespace

import numpy as np
import pytest
from richards_domains import Floats, hydrostatic, make_domain
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from bmi_common.groundwater_config import Mode
from bmi_richards.options import Drainage, PermeabilityTable, SolverConfig
from bmi_richards.solver import RichardsSolver


def relative_permeability(head: Floats, alpha: float, n: float) -> Floats:
    x = alpha * np.maximum(-head, 0.0)
    b = (1.0 + x**n) ** (1.0 / n - 1.0)
    kr: Floats = (1.0 - x ** (n - 1.0) * b) ** 2 * np.sqrt(b)
    return kr


def test_a_hydrostatic_column_does_not_move() -> None:
    domain = make_domain([2.0, 1.0, 0.5, 0.2, 0.05], 2, 3, conductivity_z=[0.1, 0.001, 0.2, 0.01, 0.05])
    head = hydrostatic(domain, 2.3)
    solver = RichardsSolver(domain, head)
    for _ in range(50):
        balance = solver.step(np.zeros_like(head))
    np.testing.assert_array_equal(solver.head, head)
    assert balance.storage_change == 0.0
    assert balance.outflow == 0.0


def test_water_table_parallel_to_the_slope_of_a_long_hillside_sheds_what_enters() -> None:
    # uniform flow down a plane: same flux through every face, so only the ends change
    domain = make_domain([1.0, 1.0], 1, 30, dx=100.0, slope_x=0.02)
    head = hydrostatic(domain, 1.4)
    solver = RichardsSolver(domain, head, SolverConfig(passes=3))
    solver.step(np.zeros_like(head))
    np.testing.assert_allclose(solver.head[:, 0, 10:20], head[:, 0, 10:20], rtol=0.0, atol=1e-11)
    assert solver.head[0, 0, 0] > head[0, 0, 0]
    assert solver.head[0, 0, -1] < head[0, 0, -1]


@pytest.mark.parametrize(("axis", "slope"), [("x", 0.01), ("x", -0.01), ("y", 0.02), ("y", -0.02)])
def test_steady_overland_flow_on_a_plane_is_manning_s(axis: str, slope: float) -> None:
    cells, size, rain, manning = 8, 50.0, 0.02, 0.03
    ny, nx = (1, cells) if axis == "x" else (cells, 1)
    domain = make_domain(
        [1.0, 0.1],
        ny,
        nx,
        dx=size,
        conductivity_z=0.0,
        conductivity_x=0.0,
        conductivity_y=0.0,
        manning=manning,
        **{f"slope_{axis}": slope},
    )
    solver = RichardsSolver(domain, hydrostatic(domain, 1.1))
    source = np.zeros(solver.shape)
    source[-1] = rain / 0.1
    for _ in range(200):
        balance = solver.step(source)

    assert balance.outflow == pytest.approx(rain * cells * size**2, rel=1e-10)
    # discharge per width grows by rain x cell size from the divide: q = sqrt(s) / n H^(5/3), m2 h-1
    discharge = rain * size * np.arange(1, cells + 1)
    depth = (discharge / 3600.0 * manning / np.sqrt(abs(slope))) ** 0.6
    flow = solver.ponding.ravel() if slope < 0.0 else solver.ponding.ravel()[::-1]
    np.testing.assert_allclose(flow, depth, rtol=1e-9)


def test_constant_infiltration_drains_with_unit_gradient() -> None:
    conductivity, rate = 0.02, 0.004
    domain = make_domain([1.0, 0.5, 0.5, 0.2, 0.1, 0.05], conductivity_z=conductivity)
    head = np.full((6, 1, 1), -1.0)
    solver = RichardsSolver(domain, head, SolverConfig(mode=Mode.FREE_DRAINAGE))
    source = np.zeros_like(head)
    source[-1] = rate / 0.05
    for _ in range(1000):
        balance = solver.step(source)
    expected = brentq(lambda h: relative_permeability(np.array(h), 2.0, 2.2) * conductivity - rate, -5.0, -1e-6)
    np.testing.assert_allclose(solver.head, expected, rtol=0.0, atol=1e-3)
    assert balance.drainage == pytest.approx(rate * 1e6, rel=1e-6)
    assert solver.drainage[0, 0] == pytest.approx(rate, rel=1e-6)


def test_lagged_drainage_tends_to_implicit_drainage_in_first_order() -> None:
    domain = make_domain([0.5, 0.5, 0.5])

    def drained(drainage: Drainage, steps: int) -> float:
        options = SolverConfig(mode=Mode.FREE_DRAINAGE, drainage=drainage)
        solver = RichardsSolver(domain, np.full((3, 1, 1), -0.3), options)
        return sum(solver.step(np.zeros((3, 1, 1)), dt=5.0 / steps).drainage for _ in range(steps))

    coarse, fine = (abs(drained(Drainage.LAGGED, n) - drained(Drainage.IMPLICIT, n)) for n in (100, 200))
    assert coarse / fine == pytest.approx(2.0, abs=0.1)


def method_of_lines(domain: SimpleNamespace, head: Floats, source: Floats, hours: float) -> Floats:
    """The semi-discrete equations of one column, integrated in time to high accuracy."""
    dz, gap = domain.dz, 0.5 * (domain.dz[1:] + domain.dz[:-1])
    alpha, n, phi, elastic, conductivity = 2.0, 2.2, 0.4, 1e-4, 0.02

    def saturation(h: Floats) -> Floats:
        s: Floats = 0.1 + 0.9 * (1.0 + (alpha * np.maximum(-h, 0.0)) ** n) ** (1.0 / n - 1.0)
        return s

    def rate(_: float, h: Floats) -> Floats:
        kr = relative_permeability(h, alpha, n)
        gradient = (h[:-1] - h[1:]) / gap - 1.0
        flux = np.concatenate([[0.0], conductivity * np.where(gradient > 0.0, kr[:-1], kr[1:]) * gradient, [0.0]])
        step = 1e-6
        slope = (saturation(h + step) - saturation(h - step)) / (2.0 * step)
        capacity = phi * slope + elastic * (saturation(h) + h * slope)
        dhdt: Floats = (source - np.diff(flux) / dz) / capacity
        return dhdt

    solution = solve_ivp(rate, (0.0, hours), head, method="BDF", rtol=1e-8, atol=1e-10)
    result: Floats = solution.y[:, -1]
    return result


def test_a_column_converges_to_the_ode_solution_in_first_order() -> None:
    domain = make_domain(np.full(12, 0.1))
    head = hydrostatic(domain, 0.1)
    source = np.zeros((12, 1, 1))
    source[-1] = 0.003 / 0.1
    source[4:8] = -0.001
    exact = method_of_lines(domain, head[:, 0, 0], source[:, 0, 0], 8.0)

    errors = []
    for steps in (16, 32, 64):
        solver = RichardsSolver(domain, head)
        for _ in range(steps):
            solver.step(source, dt=8.0 / steps)
        errors.append(np.abs(solver.head[:, 0, 0] - exact).max())
    assert errors[-1] < 5e-3
    assert errors[0] / errors[1] == pytest.approx(2.0, abs=0.3)
    assert errors[1] / errors[2] == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize("own", [{}, {"relative_permeability_alpha": 3.0, "relative_permeability_n": 1.9}])
def test_a_table_of_relative_permeability_converges_to_the_formula(own: dict[str, float]) -> None:
    domain = make_domain(np.full(8, 0.1), **own)
    head = hydrostatic(domain, 0.2)
    source = np.zeros_like(head)
    source[-1] = 0.02

    def after_rain(table: PermeabilityTable | None) -> Floats:
        solver = RichardsSolver(domain, head, SolverConfig(table=table))
        for _ in range(12):
            solver.step(source)
        return solver.head

    formula = after_rain(None)
    errors = [np.abs(after_rain(PermeabilityTable(points, -10.0)) - formula).max() for points in (101, 1001, 10001)]
    assert errors[0] > 10.0 * errors[1] > 100.0 * errors[2]
    assert errors[2] < 1e-5


def test_below_the_table_nothing_flows() -> None:
    domain = make_domain([1.0, 0.5, 0.5])
    head = np.full((3, 1, 1), -2.0)
    head[-1] = -1.9
    solver = RichardsSolver(domain, head, SolverConfig(table=PermeabilityTable(100, -1.5)))
    solver.step(np.zeros_like(head))
    np.testing.assert_array_equal(solver.head, head)
