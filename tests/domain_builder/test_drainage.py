"""Every cell drains to an outlet through faces, and no water leaves elsewhere: by the network of the solver itself."""

import domain_maps
import numpy as np
import pytest
from richards_domains import make_domain
from scipy.ndimage import gaussian_filter, label

from bmi_common.domain_checks import outlets_of
from bmi_common.errors import ConfigError
from bmi_common.flow_order import FlowNetwork, build_network
from bmi_richards.solver import RichardsSolver
from rootzone.domain_builder.drainage import Drainage, drain
from rootzone.domain_builder.grid import BasinGrid
from rootzone.domain_builder.natural_flow import natural_flow

DX, DY = 100.0, 50.0


def grid_of(shape: tuple[int, int]) -> BasinGrid:
    return BasinGrid(None, 0.0, 0.0, DX, DY, shape[1], shape[0])


def region(seed: int, side: int) -> np.ndarray:
    """The whole square, or a ragged region in one piece."""
    if seed % 2 == 0:
        return np.ones((side, side), dtype=bool)
    wild = gaussian_filter(np.random.default_rng(seed + 100).standard_normal((side, side)), side / 8) > 0.0
    wild[[0, -1]] = wild[:, [0, -1]] = False
    pieces, _ = label(wild)
    return pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])


def network_of(made: Drainage) -> FlowNetwork:
    return build_network(made.mask, made.slope_x, made.slope_y, np.full(made.mask.shape, 1e-5), DX, DY)


def drained(seed: int, side: int, pits: str, count: int = 1) -> tuple[np.ndarray, np.ndarray, Drainage]:
    ground, mask = domain_maps.fractal(seed, side), region(seed, side)
    grid = grid_of(mask.shape)
    flow = natural_flow(ground, mask, grid)
    outlets = [divmod(int(cell), side) for cell in flow.outlets[:count]]
    river = np.nan_to_num(flow.upstream_area) > 30.0 * grid.cell_area
    return ground, mask, drain(ground, mask, grid, outlets, river=river, pits=pits)


@pytest.mark.parametrize("pits", ["fill", "carve"])
@pytest.mark.parametrize("side", [15, 40, 110])
@pytest.mark.parametrize("seed", range(7))
def test_every_cell_of_a_fractal_terrain_reaches_an_outlet_and_no_rim_leaks(seed, side, pits):
    count = 1 + seed % 3
    ground, mask, made = drained(seed, side, pits, count)
    network = network_of(made)
    assert (made.mask & mask).sum() == mask.sum()
    assert made.mask.sum() == mask.sum() + made.banks
    assert not network.cycles  # so that water which always leaves its cell ends on the rim
    assert (network.outflow > 0.0).all()
    over_the_rim = set(network.cells[network.boundary > 0.0])
    assert over_the_rim == {j * side + i for j, i in made.outlets}
    # all of the area comes out of the outlets
    outlets = outlets_of(network, DX * DY)
    assert outlets.areas.sum() == pytest.approx(made.mask.sum() * DX * DY)
    # the ground is only raised, or only lowered
    change = (made.elevation - ground)[made.mask]
    assert (change >= 0.0 if pits == "fill" else change <= 0.0).all()
    assert made.raised + made.lowered == pytest.approx(np.abs(change).sum() * DX * DY)


def test_the_ground_falls_along_the_way_of_the_water_by_the_least_slope_at_least():
    _, _, made = drained(3, 40, "fill")
    below = made.downstream.reshape(made.mask.shape)
    j, i = np.nonzero(below >= 0)
    down = below[j, i]
    length = np.where(np.abs(down - (j * 40 + i)) == 1, DX, DY)
    fall = (made.elevation[j, i] - made.elevation.ravel()[down]) / length
    assert fall.min() >= 1.0e-4 * (1.0 - 1e-6)


def test_a_tilted_plane_stays_as_it_is():
    row, column = np.mgrid[0:12, 0:9]
    ground = 500.0 - 2.0 * column + 1.0 * row  # to the south-east
    made = drain(ground, np.ones(ground.shape, dtype=bool), grid_of(ground.shape), [(0, 8)])
    np.testing.assert_array_equal(made.elevation, ground)
    assert made.raised == made.lowered == 0.0
    np.testing.assert_allclose(made.slope_x[:, :-1], -2.0 / DX)
    # the southern rim: water of the row above would leave over it
    np.testing.assert_allclose(made.slope_y[1:-1], 1.0 / DY)
    assert (made.slope_y[0, :-1] == 0.0).all()


def test_a_river_along_the_western_rim_keeps_its_bed_behind_banks():
    ground = np.full((12, 6), 200.0)
    ground[:, 1] = 100.0 + np.arange(12)  # the bed
    ground[:, 2:] = 150.0 + 5.0 * np.arange(4) + np.arange(12)[:, np.newaxis]
    mask = np.ones(ground.shape, dtype=bool)
    mask[:, 0] = False
    mask[-1] = False
    river = np.zeros_like(mask)
    river[:, 1:] = True
    made = drain(ground, mask, grid_of(ground.shape), [(0, 1)], river=river)
    assert made.banks > 0
    assert not mask[:, 0].any()
    assert made.mask[1:-1, 0].any()
    np.testing.assert_array_equal(made.elevation[:-1, 1:], ground[:-1, 1:])
    assert set(network_of(made).cells[network_of(made).boundary > 0.0]) == {1}


def test_cells_without_a_way_are_refused():
    ground = np.arange(9.0).reshape(3, 3)
    mask = np.ones((3, 3), dtype=bool)
    mask[1] = False
    with pytest.raises(ConfigError, match=r"3 cells, the first at .* have no way to an outlet"):
        drain(ground, mask, grid_of((3, 3)), [(0, 2)])


@pytest.mark.slow
def test_a_storm_leaves_over_the_outlet_alone():
    _, _, made = drained(5, 15, "fill")
    domain = make_domain(
        [1.0, 0.2], *made.mask.shape, dx=DX, mask=made.mask, slope_x=made.slope_x, slope_y=made.slope_y,
        conductivity_x=1.0e-4, conductivity_y=1.0e-4, conductivity_z=1.0e-4,
    )  # fmt: skip
    solver = RichardsSolver(domain, np.full((2, *made.mask.shape), -0.5))
    source = np.zeros((2, *made.mask.shape))
    source[-1, made.mask] = 0.05 / 0.2
    outlets = np.zeros(made.mask.shape, dtype=bool)
    outlets[tuple(np.array(made.outlets).T)] = True
    outflow = 0.0
    for hour in range(24):
        balance = solver.step(source if hour < 3 else np.zeros_like(source), 1.0)
        assert abs(balance.residual) < 1e-9 * (3 * 0.05 * made.mask.sum() * DX * DX)
        assert (np.nan_to_num(solver.outflow)[~outlets] == 0.0).all()
        outflow += balance.outflow
    assert outflow > 0.3 * 3 * 0.05 * made.mask.sum() * DX * DX
