"""Conservation of water, symmetry, and independence of threads."""

import os
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from richards_domains import Floats, hydrostatic, make_domain, random_domain, valley_that_fills

from bmi_common.groundwater_config import Mode
from bmi_richards.options import Convergence, Drainage, SolverConfig
from bmi_richards.solver import HourBalance, RichardsSolver

TOP_SOIL = [100.0, 1.1, 0.9, 0.55, 0.34, 0.2, 0.12, 0.075, 0.045, 0.028, 0.0175]


def hillslope() -> tuple[SimpleNamespace, Floats]:
    """A valley of 8 x 10 kilometre cells with a water table that follows it."""
    ny, nx = 8, 10
    _, x = np.mgrid[0:ny, 0:nx]
    domain = make_domain(
        TOP_SOIL,
        ny,
        nx,
        slope_x=np.where(x < nx // 2, -0.01, 0.01),
        slope_y=0.002,
        conductivity_z=[0.003] + [0.02] * 10,
        residual_saturation=0.01,
    )
    return domain, hydrostatic(domain, 102.5 - 0.2 * np.abs(x - nx / 2))


def assert_closed(balance: HourBalance) -> None:
    """Closed to 1e-10 of what flowed in the hour, or to the rounding of the water stored (of 20 m: 1e-10 of 0.7 mm)."""
    through = abs(balance.source) + balance.outflow + balance.drainage
    assert abs(balance.residual) <= max(1e-10 * through, 16.0 * np.finfo(float).eps * balance.storage)


@pytest.mark.parametrize("mode", list(Mode))
def test_storm_and_recession_close_the_balance_every_hour(mode: Mode) -> None:
    domain, head = hillslope()
    solver = RichardsSolver(domain, head, SolverConfig(mode=mode))
    source = np.zeros(solver.shape)
    before = solver.storage
    for hour in range(54):
        source[-1] = 0.05 / TOP_SOIL[-1] if hour < 6 else 0.0
        balance = solver.step(source)
        assert_closed(balance)
        assert balance.storage - before == pytest.approx(balance.storage_change, abs=1e-12 * balance.storage)
        before = balance.storage
        if hour < 6:
            assert balance.source == pytest.approx(0.05 * 80 * 1e6, rel=1e-12)
    assert balance.outflow > 0.0


def test_drying_by_six_millimetres_a_day_closes_the_balance_and_reports_what_the_soil_could_not_give() -> None:
    domain = make_domain(TOP_SOIL, 2, 2, conductivity_z=1e-5)
    solver = RichardsSolver(domain, np.full((11, 2, 2), -1.0), SolverConfig(floor_head=-150.0))
    source = np.zeros(solver.shape)
    source[-4:] = -(0.006 / 24.0 / 4.0) / np.array(TOP_SOIL[-4:])[:, None, None]
    unmet = []
    for _ in range(240):
        balance = solver.step(source)
        assert_closed(balance)
        unmet.append(balance.unmet_demand)
        assert balance.source == pytest.approx(-0.006 / 24.0 * 4e6 + balance.unmet_demand, rel=1e-12)
    assert unmet[0] == 0.0
    assert unmet[-1] > 0.0
    # cells at the floor may still drain a little; they are not emptied
    assert solver.head.min() > -200.0


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), mode=st.sampled_from(Mode), drainage=st.sampled_from(["implicit", "lagged"]))
def test_water_is_conserved_whatever_the_soil_relief_and_weather(seed: int, mode: Mode, drainage: str) -> None:
    random = np.random.default_rng(seed)
    domain = random_domain(random)
    solver = RichardsSolver(
        domain, random.uniform(-3.0, 1.0, size=(6, 5, 6)), SolverConfig(mode=mode, drainage=Drainage(drainage))
    )
    thickness = domain.dz[:, None, None]
    start, booked = solver.storage, 0.0
    for hour in range(6):
        source = -random.uniform(0.0, 1e-3, size=solver.shape) * np.minimum(1.0, 0.05 / thickness)
        if hour < 3:
            source[-1] = random.uniform(0.0, 0.05) / domain.dz[-1]
        balance = solver.step(source)
        asked = float((source * thickness)[:, domain.mask].sum() * 1e6)
        assert balance.source == pytest.approx(asked + balance.unmet_demand, rel=1e-12, abs=1e-6)
        assert balance.unmet_demand >= 0.0
        assert balance.outflow >= 0.0
        # 1e-12 m in each cell of 1 km2: above the solver's 1e-14 m, for rounding in thick layers
        assert abs(balance.residual) <= 1e-6 * solver.head[:, domain.mask].size + 1e-13 * balance.storage
        booked += balance.source - balance.outflow - balance.drainage
    assert solver.storage - start == pytest.approx(booked, abs=1e-4 + 1e-12 * start)


def test_a_mirrored_domain_gives_the_mirrored_result() -> None:
    random = np.random.default_rng(3)
    ny, nx = 5, 7
    # the conveyance of a face takes the slopes and Manning of the cell west of it: equal along a row, up to the sign
    sign = random.choice([-1.0, 1.0], size=(ny, nx))
    sign[:, -1] = sign[:, -2]
    magnitude, slope_y, manning = (random.uniform(0.002, 0.02, size=(ny, 1)) for _ in range(3))
    conductivity = 10.0 ** random.uniform(-4.0, -1.5, size=(6, ny, nx))
    domain = make_domain(
        [10.0, 1.0, 0.5, 0.2, 0.1, 0.05],
        ny,
        nx,
        slope_x=sign * magnitude,
        slope_y=slope_y,
        manning=manning,
        conductivity_x=conductivity,
        conductivity_y=conductivity,
        conductivity_z=conductivity,
        alpha=random.uniform(1.0, 3.0, size=(6, ny, nx)),
    )
    head = hydrostatic(domain, random.uniform(10.0, 11.5, size=(ny, nx)))
    source = np.zeros((6, ny, nx))
    source[-1] = random.uniform(0.0, 0.4, size=(ny, nx))

    mirrored = make_domain(
        domain.dz,
        ny,
        nx,
        slope_x=-np.concatenate([domain.slope_x[:, -2::-1], domain.slope_x[:, :1]], axis=1),
        **{name: getattr(domain, name)[..., ::-1] for name in ("slope_y", "manning", "alpha")},
        **{f"conductivity_{axis}": conductivity[..., ::-1] for axis in "xyz"},
    )
    one, other = RichardsSolver(domain, head), RichardsSolver(mirrored, head[..., ::-1])
    for _ in range(5):
        a, b = one.step(source), other.step(source[..., ::-1])
    # equal up to the tolerance of the column solver, 1e-14 m of water
    np.testing.assert_allclose(other.head[..., ::-1], one.head, rtol=0.0, atol=1e-8)
    assert b.outflow == pytest.approx(a.outflow, rel=1e-9)


@pytest.mark.parametrize("seed", [1, 2])
def test_results_do_not_depend_on_threads_to_the_last_bit(seed: int) -> None:
    random = np.random.default_rng(seed)
    domain = random_domain(random, ny=20, nx=25)
    head = random.uniform(-2.0, 0.5, size=(6, 20, 25))
    source = np.zeros(head.shape)
    source[-1] = 0.02 / domain.dz[-1]
    solvers = [RichardsSolver(domain, head, SolverConfig(threads=threads)) for threads in (1, 2, 3)]
    for _ in range(3):
        balances = [solver.step(source) for solver in solvers]
    for solver, balance in zip(solvers[1:], balances[1:], strict=True):
        np.testing.assert_array_equal(solver.head, solvers[0].head)
        assert balance == balances[0]


@pytest.mark.parametrize("uneven", [False, True])
def test_a_column_alone_is_solved_as_among_others_to_the_last_bit(uneven: bool) -> None:
    # storms on dry ground, rest and drying side by side: some columns need further ways, some no iteration
    random = np.random.default_rng(3)
    nx = 203
    domain = random_domain(random, ny=1, nx=nx)
    domain.mask[...] = True
    domain.slope_x[...] = domain.slope_y[...] = domain.conductivity_x[...] = domain.conductivity_y[...] = 0.0
    layers = domain.dz.size
    if uneven:
        domain.top_layer = random.integers(layers - 3, layers, (1, nx))
    tops = np.full(nx, layers - 1) if domain.top_layer is None else domain.top_layer[0]
    head = np.where(random.random(nx) < 0.6, -(10.0 ** random.uniform(-1.0, 4.0, (layers, 1, nx))), 0.0)
    head[:, 0, ::5] = 0.5 - (np.cumsum(domain.dz) - 0.5 * domain.dz)[:, np.newaxis]
    rain = np.where(random.random((2, nx)) < 0.5, random.uniform(0.0, 0.1, (2, nx)), -0.001)
    rain[:, ::5] = 0.0
    sources = np.zeros((2, layers, 1, nx))
    sources[:, tops, 0, np.arange(nx)] = rain[:, :] / domain.dz[tops]

    together = RichardsSolver(domain, head, SolverConfig(threads=1))
    alone = [RichardsSolver(_only(domain, i), head[..., i : i + 1], SolverConfig(threads=1)) for i in range(nx)]
    rungs = np.zeros(6, dtype=int)
    for source in sources:
        rungs += together.step(source).newton.rungs
        for i, solver in enumerate(alone):
            solver.step(source[..., i : i + 1])
            for name, one in solver.state_dict().items():
                np.testing.assert_array_equal(one.values[..., 0], together.state_dict()[name].values[..., i], name)
    assert rungs[0] > 0
    assert rungs[1] > 0


def _only(domain: SimpleNamespace, column: int) -> SimpleNamespace:
    """One column of a domain of one row."""
    shape = domain.mask.shape
    return SimpleNamespace(
        **{n: v[..., column : column + 1] if np.shape(v)[-2:] == shape else v for n, v in vars(domain).items()}
    )


def test_passes_to_a_tolerance_converge_on_a_fine_grid() -> None:
    random = np.random.default_rng(5)
    fine = {
        "dx": 20.0,
        "slope_x": 0.02,
        "conductivity_x": 0.3,
        "conductivity_y": 0.3,
        "specific_storage": 1e-5,
    }
    domain = make_domain([5.0, 1.0, 0.5, 0.2], 4, 8, **fine)
    head = hydrostatic(domain, 5.5 + random.uniform(0.0, 0.2, size=(4, 8)))
    options = SolverConfig(passes=Convergence(tolerance=1e-8, most=200))
    converged, finer = (
        RichardsSolver(domain, head, options),
        RichardsSolver(domain, head, SolverConfig(passes=Convergence(tolerance=1e-10, most=200))),
    )
    source = np.zeros(head.shape)
    for _ in range(3):
        a, b = converged.step(source), finer.step(source)
        assert 3 <= a.passes < b.passes <= 200
        assert abs(a.residual) <= 1e-9 * 32 * 400
    np.testing.assert_allclose(converged.head, finer.head, rtol=0.0, atol=1e-5)


@pytest.mark.parametrize("dx", [1000.0, 200.0, 50.0])
@pytest.mark.parametrize("hours", [1.0, 24.0])
def test_passes_hardly_grow_with_finer_cells_and_longer_steps(dx: float, hours: float) -> None:
    """A valley whose water table comes to the ground within the steps; water closes, whatever the threads."""
    domain = valley_that_fills(dx)
    head = hydrostatic(domain, 126.0)
    source = np.zeros(head.shape)
    source[-1] = 4e-4
    solvers = [RichardsSolver(domain, head, SolverConfig(passes=Convergence(), threads=n)) for n in (1, 3)]
    exact = RichardsSolver(domain, head, SolverConfig(passes=Convergence(tolerance=1e-11)))
    for _ in range(3):
        balance, same = (solver.step(source, hours) for solver in solvers)
        exact.step(source, hours)
        assert balance == same
        assert balance.passes <= 20
        assert abs(balance.residual) <= 1e-12 * balance.storage
    np.testing.assert_array_equal(solvers[0].head, solvers[1].head)
    np.testing.assert_allclose(solvers[0].head, exact.head, rtol=0.0, atol=1e-6)


LARGE = """
import numpy as np
from richards_domains import hydrostatic, make_domain
from bmi_richards import RichardsSolver, SolverConfig
from bmi_richards.options import Convergence
domain = make_domain([10.0, 1.0], 300, 300, dx=200.0, slope_x=0.01, slope_y=0.004, specific_storage=1e-4)
options = SolverConfig(passes=Convergence(tolerance=1e-4), threads=1)
source = np.zeros((2, 300, 300))
source[-1] = 1e-3
assert RichardsSolver(domain, hydrostatic(domain, 10.5), options).step(source).passes > 2
"""


@pytest.mark.slow
def test_sums_over_a_large_domain_take_no_room_on_the_stack() -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_STACK, (2**20, resource.getrlimit(resource.RLIMIT_STACK)[1]))

    support = str(Path(__file__).parents[1] / "support")
    environment = os.environ | {"PYTHONPATH": support, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", LARGE], env=environment, preexec_fn=limit, check=False)
    assert done.returncode == 0
