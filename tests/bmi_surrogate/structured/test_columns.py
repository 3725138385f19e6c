"""Packed columns, their neighbours, and who feeds whom over land."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from richards_domains import Floats, make_domain, random_domain
from richards_residual import residual
from structured_cases import columns_of, maps, packed, seeds

from bmi_common import ConfigError, Domain
from bmi_common.boundary_conditions import Conditions
from bmi_common.flow_order import FlowNetwork, build_network
from bmi_common.slopes import SlopeFormulation
from bmi_surrogate.structured import ColumnProperties
from bmi_surrogate.structured.column_solve import lateral_gain, overland_inflow
from bmi_surrogate.structured.columns import FIELDS, padded


def on_map(network: FlowNetwork, shape: tuple[int, int], values: Floats) -> Floats:
    field = np.full(shape, np.nan)
    field.reshape(-1)[network.cells] = values
    return field


@settings(deadline=None, max_examples=40)
@given(seeds)
def test_water_runs_over_land_as_the_solvers_network_says(seed: int) -> None:
    random = np.random.default_rng(seed)
    domain = random_domain(random)
    domain.slope_x[random.random(domain.mask.shape) < 0.2] = 0.0
    domain.dy = 700.0
    columns = columns_of(domain)
    network = build_network(domain.mask, domain.slope_x, domain.slope_y, domain.manning / 3600.0, domain.dx, domain.dy)
    depth = np.maximum(random.normal(0.0, 0.1, domain.mask.shape), 0.0)
    flow = np.append(0.0, depth.reshape(-1)[network.cells] ** (5.0 / 3.0))  # number 0 is nobody
    expected = on_map(network, depth.shape, (network.inflow * flow[network.donor]).sum(axis=0))
    ponded = packed(columns, depth[None])[0]
    np.testing.assert_allclose(maps(columns, overland_inflow(columns, ponded)[None])[0], expected, rtol=1e-12)
    for found, of_column in ((columns.conveyance_out, network.outflow), (columns.boundary, network.boundary)):
        expected = on_map(network, depth.shape, of_column)
        np.testing.assert_allclose(maps(columns, found[None])[0], expected, rtol=1e-12)


@settings(deadline=None, max_examples=20)
@given(seeds)
def test_what_columns_feed_over_land_arrives_or_leaves(seed: int) -> None:
    random = np.random.default_rng(seed)
    columns = columns_of(random_domain(random))
    flow = torch.from_numpy(random.random(columns.count))
    arrives = overland_inflow(columns, flow**0.6).sum() + (columns.boundary * flow).sum()
    torch.testing.assert_close(arrives, (columns.conveyance_out * flow).sum(), rtol=1e-12, atol=0.0)


@settings(deadline=None, max_examples=20)
@given(seeds)
def test_packing_and_unpacking_are_each_others_inverse(seed: int) -> None:
    random = np.random.default_rng(seed)
    columns = columns_of(random_domain(random))
    field = torch.from_numpy(random.random((1, 2, *columns.shape[1:])))
    active = torch.zeros(columns.shape, dtype=torch.bool)
    active.view(-1)[columns.cells] = True
    packed = columns.pack(field)
    assert packed.shape == (2, columns.count)
    assert torch.equal(columns.unpack(packed, -7.0), torch.where(active[:, None], field, -7.0))


@settings(deadline=None, max_examples=20)
@given(seeds)
def test_columns_are_fed_by_earlier_levels_only(seed: int) -> None:
    random = np.random.default_rng(seed)
    columns = columns_of(random_domain(random))
    level = torch.zeros(columns.count + 1, dtype=torch.long) - 1
    for number, (first, last) in enumerate(itertools.pairwise(columns.levels)):
        level[first:last] = number
    feeding = columns.conveyance_in > 0.0
    assert bool((level[columns.donors] < level[:-1])[feeding].all())


def test_padding_gives_nobody_nothing() -> None:
    assert padded(torch.ones(2, 3)).tolist() == [[1.0, 1.0, 1.0, 0.0]] * 2


@settings(deadline=None, max_examples=20)
@given(seeds)
def test_maps_of_one_medium_do_not_see_each_other(seed: int) -> None:
    random = np.random.default_rng(seed)
    domains = [random_domain(random) for _ in range(2)]
    domains[1].dz = domains[0].dz
    alone = [columns_of(d) for d in domains]
    fields = {
        name: torch.stack([torch.from_numpy(getattr(d, name)).reshape(-1, *d.mask.shape) for d in domains])
        for name in FIELDS
    }
    active = torch.from_numpy(np.stack([d.mask for d in domains]))
    both = ColumnProperties.of_maps(active, fields, domains[0].dz.tolist(), (domains[0].dx, domains[0].dy))
    for number, one in enumerate(alone):
        mine = both.cells // domains[0].mask.size == number
        conveyances = ("conveyance_in", "conveyance_out", "boundary")
        for name in ("porosity", "vertical", "east_conductance", "north_conductance", *conveyances):
            torch.testing.assert_close(getattr(both, name)[..., mine], getattr(one, name), rtol=1e-14, atol=0.0)
        numbers = torch.cat((mine.cumsum(0) - 1, torch.tensor([one.count])))  # in the columns of one map
        is_mine = torch.cat((mine, torch.tensor([True])))
        for name in ("east", "west", "north", "south", "donors"):
            theirs = getattr(both, name)[..., mine]
            assert bool(is_mine[theirs].all()), name
            assert torch.equal(numbers[theirs], getattr(one, name)), name


def test_faces_have_harmonic_conductivities() -> None:
    kz = np.array([0.1, 0.4])
    kx = np.array([[[0.1, 0.3]], [[0.0, 0.3]]])
    domain = make_domain([3.0, 1.0], 1, 2, dx=100.0, conductivity_z=kz, conductivity_x=kx, slope_x=0.02)
    columns = columns_of(domain)
    # 4 m of two layers in series
    np.testing.assert_allclose(columns.vertical.numpy(), 4.0 / (3.0 / 0.1 + 1.0 / 0.4), rtol=1e-14)
    np.testing.assert_allclose(columns.height.numpy(), 2.0)
    np.testing.assert_allclose(maps(columns, columns.east_conductance)[0, 0], [3.0 * 0.15 / 100.0**2, 0.0], rtol=1e-14)
    assert not columns.east_conductance[1].any()  # one of them is impervious
    assert not columns.north_conductance.any()
    np.testing.assert_allclose(columns.rise_east.numpy(), 2.0)


@pytest.mark.parametrize("formulation", SlopeFormulation)
def test_lateral_flow_is_that_of_the_equations_for_each_slope_formulation(formulation: SlopeFormulation) -> None:
    random = np.random.default_rng(11)
    domain = random_domain(random)
    domain.slope_formulation = formulation
    domain.slope_x, domain.slope_y = 10.0 * domain.slope_x, 10.0 * domain.slope_y
    domain.conductivity_z = np.full_like(domain.conductivity_z, 1e-300)  # nothing flows upwards or downwards
    head = np.where(domain.mask, random.uniform(-3.0, -0.1, domain.porosity.shape), np.nan)
    columns = columns_of(domain)
    heads = packed(columns, head)
    gain = lateral_gain(columns, heads, columns.retention.relative_permeability(heads))
    expected = -residual(domain, Conditions(), head, head, np.zeros(head.shape), 0.0)
    np.testing.assert_allclose(np.nan_to_num(maps(columns, gain)), expected, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("name", ["conductivity_x", "conductivity_z", "slope_y", "manning"])
def test_a_domain_that_lacks_a_field_is_refused(name: str, domain: Domain) -> None:
    with pytest.raises(ConfigError, match=rf"{name.replace('_', '.')} is missing; the structured surrogate"):
        ColumnProperties.of_domain(dataclasses.replace(domain, **{name: None}))


def test_a_whole_domain_is_one_map(domain: Domain) -> None:
    mask = domain.mask.copy()
    mask[3:6, 2] = False
    porosity = np.where(mask, domain.porosity, np.nan)
    columns = ColumnProperties.of_domain(dataclasses.replace(domain, mask=mask, porosity=porosity))
    assert columns.count == mask.sum()
    np.testing.assert_array_equal(maps(columns, columns.porosity), porosity)
    for value in (columns.vertical, columns.east_conductance, columns.conveyance_in, *columns.retention):
        assert torch.isfinite(value).all()
