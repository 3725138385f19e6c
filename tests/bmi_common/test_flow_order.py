"""The network of overland flow."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from richards_domains import hydrostatic, make_domain

from bmi_common.flow_order import FlowNetwork, build_network
from bmi_richards.solver import RichardsSolver

# water circles: east along the south row, north, west along the north row, south
CIRCLE_X = np.array([[-0.1, 0.0], [0.1, 0.0]])
CIRCLE_Y = np.array([[0.1, -0.1], [0.0, 0.0]])


def network_of(slope_x: np.ndarray, slope_y: np.ndarray, mask: np.ndarray | None = None) -> FlowNetwork:
    active = np.ones(slope_x.shape, dtype=bool) if mask is None else mask
    return build_network(active, slope_x, slope_y, np.full(slope_x.shape, 1e-5), 100.0, 200.0)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_donors_come_before_the_columns_they_feed_except_within_cycles(seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = (random.integers(1, 12), random.integers(1, 12))
    mask = random.random(shape) < 0.8
    mask.flat[0] = True
    network = network_of(random.normal(size=shape), random.normal(size=shape), mask)
    columns = network.cells.size
    assert sorted(network.cells) == list(np.flatnonzero(mask))
    assert network.group_start[0] == 1
    assert network.group_start[-1] == columns + 1
    assert network.level_start[-1] == network.group_start.size
    group = np.repeat(np.arange(network.group_start.size - 1), np.diff(network.group_start))
    level = np.repeat(np.arange(network.levels), np.diff(network.level_start))
    for side in range(4):
        fed = np.flatnonzero(network.donor[side])
        giver = network.donor[side, fed] - 1
        same = group[giver] == group[fed]
        assert np.all(level[group[giver]][~same] < level[group[fed]][~same])


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_leaves_columns_enters_others_or_leaves_the_domain(seed: int) -> None:
    random = np.random.default_rng(seed)
    network = network_of(random.normal(size=(6, 7)), random.normal(size=(6, 7)), random.random((6, 7)) < 0.7)
    received = np.zeros(network.cells.size + 1)
    np.add.at(received, network.donor.ravel(), network.inflow.ravel())
    np.testing.assert_allclose(received[1:] + network.boundary, network.outflow, rtol=1e-12)


def test_edges_drain_by_the_slope_of_the_cell_itself() -> None:
    rising_east = network_of(np.full((1, 3), 0.01), np.zeros((1, 3)))
    assert list(np.flatnonzero(rising_east.boundary > 0.0)) == [2]
    assert list(rising_east.cells) == [2, 1, 0]  # from the divide in the east
    np.testing.assert_allclose(rising_east.boundary[2], 0.01 / (1e-5 * np.sqrt(0.01)) / 100.0)
    falling_north = network_of(np.zeros((3, 1)), np.full((3, 1), -0.01))
    assert list(falling_north.cells) == [0, 1, 2]
    np.testing.assert_allclose(falling_north.boundary[2], 0.01 / (1e-5 * np.sqrt(0.01)) / 200.0)


def test_a_cycle_of_slopes_is_one_group() -> None:
    network = network_of(CIRCLE_X, CIRCLE_Y)
    assert network.levels == 1
    (cycle,) = network.cycles
    assert sorted(cycle) == [0, 1, 2, 3]


def test_water_in_a_cycle_of_slopes_is_conserved_and_spreads_evenly() -> None:
    domain = make_domain(
        [1.0, 0.1], 2, 2, slope_x=CIRCLE_X, slope_y=CIRCLE_Y, conductivity_x=0.0, conductivity_y=0.0, conductivity_z=0.0
    )
    solver = RichardsSolver(domain, hydrostatic(domain, 1.1))
    source = np.zeros(solver.shape)
    source[-1, 0, 0] = 0.02 / 0.1
    first = solver.step(source)
    assert abs(first.residual) <= 1e-4  # m3 of the 20 000 m3 that were added
    assert first.outflow > 0.0  # the corners also slope outwards
    everywhere = solver.ponding
    assert np.all(everywhere > 1e-4)
