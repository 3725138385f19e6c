"""One linearised implicit solve, against what it must conserve, keep, and approach."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from richards_domains import hydrostatic, make_domain, random_domain
from structured_cases import (
    LAYERS,
    basin,
    columns_of,
    imbalance,
    maps,
    packed,
    random_head,
    random_source,
    seeds,
    solver_of,
)

from bmi_surrogate import StructuredArchitecture, StructuredModel
from bmi_surrogate.structured.column_solve import (
    LARGEST_CHANGE_DRY,
    LARGEST_CHANGE_WET,
    ColumnHeads,
    _thomas,
    begin,
    capacity,
    lateral_gain,
    layer_water,
    solve,
    stored,
)


@settings(deadline=None, max_examples=30)
@given(seeds)
def test_what_columns_gain_sideways_adds_up_to_nothing(seed: int) -> None:
    random = np.random.default_rng(seed)
    domain = random_domain(random)
    columns = columns_of(domain)
    head = packed(columns, random_head(random, domain))
    gain = lateral_gain(columns, head, columns.retention.relative_permeability(head))
    assert gain.abs().max() > 0.0 or columns.count < 3
    assert (gain.sum(dim=1).abs() <= 1e-13 * gain.abs().sum(dim=1)).all()


def test_groundwater_flows_from_the_higher_head_by_darcys_law() -> None:
    domain = make_domain([2.0, 1.0], 1, 2, dx=100.0, conductivity_x=0.5, slope_x=0.01)
    columns = columns_of(domain)
    head = packed(columns, np.array([[[3.0, 1.0]], [[-0.5, -2.5]]]))
    permeability = columns.retention.relative_permeability(head)
    gain = lateral_gain(columns, head, permeability)
    # 2 m less head but 1 m higher ground 100 m to the east; permeability is that of the western column
    flow = np.array([2.0, 1.0]) * 0.5 * maps(columns, permeability)[:, 0, 0] * (2.0 - 1.0) / 100.0**2
    np.testing.assert_allclose(maps(columns, gain)[:, 0], np.stack((-flow, flow), axis=1), rtol=1e-13)


@pytest.mark.slow
@settings(deadline=None, max_examples=20)
@given(seeds, st.floats(-5.0, 0.5))
def test_water_at_rest_stays_at_rest(seed: int, height: float) -> None:
    random = np.random.default_rng(seed)
    domain = random_domain(random)
    domain.slope_x[:] = domain.slope_y[:] = 0.0
    columns = columns_of(domain)
    head = packed(columns, hydrostatic(domain, domain.dz.sum() + height))
    start = begin(columns, head, torch.zeros_like(head))
    assert solve(columns, start, start.state, start.inflow).abs().max() < 1e-9
    for refinements in (0, 2):
        bare = StructuredModel(StructuredArchitecture(len(domain.dz), hidden=(), refinements=refinements))
        torch.testing.assert_close(bare(columns, head, torch.zeros_like(head)).head, head, rtol=0.0, atol=1e-8)


@settings(deadline=None, max_examples=30)
@given(seeds, st.integers(2, 12))
def test_tridiagonal_systems_are_solved(seed: int, layers: int) -> None:
    random = np.random.default_rng(seed)
    beside = -random.random((layers - 1, 3)) * 10.0 ** random.uniform(-3, 3, (layers - 1, 3))
    diagonal = random.random((layers, 3)) + 1e-3
    diagonal[:-1] -= beside
    diagonal[1:] -= beside
    right = random.normal(size=(layers, 3))
    found = _thomas(*(torch.from_numpy(a) for a in (beside, diagonal, right))).numpy()
    for k in range(3):
        matrix = np.diag(diagonal[:, k]) + np.diag(beside[:, k], 1) + np.diag(beside[:, k], -1)
        np.testing.assert_allclose(found[:, k], np.linalg.solve(matrix, right[:, k]), rtol=1e-8, atol=1e-10)


@settings(deadline=None, max_examples=20)
@given(seeds)
def test_capacity_is_the_derivative_of_the_water_in_a_layer(seed: int) -> None:
    random = np.random.default_rng(seed)
    domain = random_domain(random)
    columns = columns_of(domain)
    head = packed(columns, random_head(random, domain)).requires_grad_()
    saturation, slope = columns.retention.saturation_and_capacity(head)
    water = layer_water(columns, head, saturation)
    (exact,) = torch.autograd.grad(water.sum(), head)
    torch.testing.assert_close(capacity(columns, head, saturation, slope), exact, rtol=1e-9, atol=1e-12)
    ponded = head[-1].clamp(min=0.0)
    torch.testing.assert_close(stored(columns, head, saturation), water.sum(dim=0) + ponded)


def test_a_column_has_at_the_start_what_it_held_and_gets() -> None:
    random = np.random.default_rng(0)
    domain = basin()
    columns = columns_of(domain)
    head = packed(columns, random_head(random, domain))
    source = packed(columns, random_source(random, domain, 10))
    start = begin(columns, head, source)
    assert not start.source[0].any()
    water = solver_of(domain, random_head(np.random.default_rng(0), domain)).storage
    assert float(start.water.sum() + start.ponded.sum()) * domain.dx**2 == pytest.approx(water, rel=1e-12)
    got = (source * columns.dz[1:]).sum(dim=0) + start.lateral.sum(dim=0)
    torch.testing.assert_close(start.available, start.water.sum(dim=0) + start.ponded + got)


@settings(deadline=None, max_examples=20)
@given(seeds)
def test_no_solve_goes_too_far(seed: int) -> None:
    random = np.random.default_rng(seed)
    domain = random_domain(random)
    columns = columns_of(domain)
    head = packed(columns, random_head(random, domain))
    start = begin(columns, head, 100.0 * packed(columns, random_source(random, domain)))
    change = solve(columns, start, start.state, start.inflow).abs()
    assert torch.isfinite(change).all()
    assert (change <= torch.where(head < 0.0, LARGEST_CHANGE_DRY, LARGEST_CHANGE_WET)).all()


def single_column() -> tuple:
    domain = make_domain(LAYERS, conductivity_z=0.004)
    return domain, columns_of(domain), hydrostatic(domain, 22.0)


def test_error_of_a_solve_is_of_second_order_in_the_change() -> None:
    domain, columns, head = single_column()
    errors = []
    for rain in (4e-4, 2e-4, 1e-4):
        source = np.zeros_like(head)
        source[-1] = rain / LAYERS[-1]
        exact = solver_of(domain, head)
        exact.step(source)
        start = begin(columns, packed(columns, head), packed(columns, source))
        coordinate = start.state.coordinate + solve(columns, start, start.state, start.inflow)
        errors.append(float((coordinate - columns.retention.coordinate(packed(columns, exact.head))).abs().max()))
    assert errors[0] > 1e-6
    for larger, smaller in itertools.pairwise(errors):
        assert 3.0 < larger / smaller < 5.0


def test_solves_converge_to_the_solvers_hour() -> None:
    """Each linearised at the last, without any closure: the errors fall until they are rounding."""
    domain, columns, head = single_column()
    source = np.zeros_like(head)
    source[-1] = 1e-3 / LAYERS[-1]
    exact = solver_of(domain, head)
    exact.step(source)
    wanted = columns.retention.coordinate(packed(columns, exact.head))
    start = begin(columns, packed(columns, head), packed(columns, source))
    state, errors = start.state, []
    for _ in range(40):
        state = ColumnHeads.of(columns, state.coordinate + solve(columns, start, state, start.inflow))
        errors.append(float((state.coordinate - wanted).abs().max()))
    assert errors[0] > 1e-4
    assert errors[-1] < 1e-9
    assert float(imbalance(columns, start.state.head, state.head, start.source / columns.dz).abs().max()) < 1e-10


def test_every_gradient_of_an_hour_is_finite_also_where_ponding_begins() -> None:
    domain = basin()
    columns = columns_of(domain)
    head = packed(columns, hydrostatic(domain, sum(LAYERS)))
    head[-1] = 0.0
    head = head.requires_grad_()
    source = packed(columns, random_source(np.random.default_rng(0), domain)).requires_grad_()
    start = begin(columns, head, source)
    change = solve(columns, start, start.state, start.inflow)
    for gradient in torch.autograd.grad(change.sum(), (head, source)):
        assert torch.isfinite(gradient).all()
