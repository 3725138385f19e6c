"""Tiles of the domain's fields: flips that keep the physics, cells that count, inactive cells."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from training_stores import DZ, Floats, make_domain, statics_of

from bmi_common import ConfigError, Domain
from bmi_richards.options import Convergence, SolverConfig
from bmi_richards.solver import RichardsSolver
from bmi_surrogate.training.tiles import Ground, Place, lower_faces

SLOPES = ("slope_x", "slope_y")
SOIL = ("porosity", "alpha", "n", "residual_saturation", "maximum_saturation", "specific_storage")
CONDUCTIVITY = ("conductivity_x", "conductivity_y", "conductivity_z")
ALL = (*SLOPES, *SOIL, *CONDUCTIVITY, "manning")
NY, NX = 6, 5


def ground_of(domain: Domain, fields: tuple[str, ...] = ALL) -> Ground:
    return Ground(domain, statics_of(domain), fields)


def turned(domain: Domain, flip_y: bool, flip_x: bool) -> SimpleNamespace:
    """The domain as a batch shows it, for the Richards solver."""
    place = Place(0, 0, (domain.ny, domain.nx), flip_y, flip_x)
    tile = ground_of(domain).tile(place)
    fields = {n: v.astype(np.float64) for n, v in tile.fields.items()}
    surface = {n: fields.pop(n)[0] for n in (*SLOPES, "manning")}
    return SimpleNamespace(
        dx=domain.dx,
        dy=domain.dy,
        dz=domain.dz,
        mask=tile.active[0],
        top_layer=None,
        relative_permeability_alpha=None,
        relative_permeability_n=None,
        slope_formulation=domain.slope_formulation,
        **surface,
        **fields,
    )


def stepped(domain: SimpleNamespace, head: Floats, source: Floats, hours: int = 3) -> Floats:
    """Heads after some hours, with lateral flow solved to convergence so that the order of columns does not matter."""
    solver = RichardsSolver(
        domain, head, SolverConfig(passes=Convergence(tolerance=1e-10, most=200), tolerance=1e-11, threads=1)
    )
    for _ in range(hours):
        solver.step(source)
    return np.nan_to_num(solver.head)


def difference_of_flips(domain: Domain, head: Floats, source: Floats, flip_y: bool, flip_x: bool) -> float:
    place = Place(0, 0, (domain.ny, domain.nx), flip_y, flip_x)
    ahead = place.turn(stepped(turned(domain, False, False), head, source))
    behind = stepped(turned(domain, flip_y, flip_x), place.turn(head), place.turn(source))
    return float(np.abs(ahead - behind).max())


def heads_below(depth: Floats) -> Floats:
    """Water at rest below a water table at a depth [m] (ny, nx)."""
    centres = np.cumsum(DZ) - 0.5 * DZ
    return (DZ.sum() - depth) - centres[:, np.newaxis, np.newaxis]


FLIPS = [(False, True), (True, False), (True, True)]


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000), flips=st.sampled_from(FLIPS))
def test_groundwater_of_a_flipped_domain_is_the_flipped_groundwater(seed: int, flips: tuple[bool, bool]) -> None:
    random = np.random.default_rng(seed)
    domain = make_domain(seed=seed, inactive=0.15)
    head = heads_below(random.uniform(1.0, 3.0, (NY, NX)))
    source = random.normal(0.0, 1e-4, domain.subsurface.shape)
    # the solver's tolerances; a step moves heads by centimetres
    assert difference_of_flips(domain, head, source, *flips) < 1e-6


def test_without_the_shift_of_faces_groundwater_would_differ() -> None:
    """The test above can fail: mirrored slopes on the wrong faces move heads by more than its tolerance."""
    random = np.random.default_rng(3)
    domain = make_domain(seed=3)
    head = heads_below(random.uniform(1.0, 3.0, (NY, NX)))
    source = np.zeros(domain.subsurface.shape)
    place = Place(0, 0, (NY, NX), flip_x=True)
    wrong = turned(domain, False, True)
    wrong.slope_x = -place.turn(domain.slope_x)
    behind = stepped(wrong, place.turn(head), source)
    assert np.abs(place.turn(stepped(turned(domain, False, False), head, source)) - behind).max() > 1e-4


@pytest.mark.parametrize("flips", FLIPS)
@pytest.mark.parametrize("along", ["x", "y"])
def test_overland_flow_of_a_flipped_slope_is_the_flipped_flow(along: str, flips: tuple[bool, bool]) -> None:
    """Slopes vary along one axis, and the outward face is as steep as the inner one beside it; roughness is even."""
    steep = np.array([0.02, -0.01, 0.03, 0.015, -0.02])
    profile = {"x": steep, "y": np.append(steep, steep[-1])}[along].copy()
    profile[-1] = profile[-2]
    slopes = {"slope_x": np.zeros((NY, NX)), "slope_y": np.zeros((NY, NX))}
    slopes[f"slope_{along}"] += profile if along == "x" else profile[:, np.newaxis]
    domain = make_domain(manning=np.full((NY, NX), 0.05), **slopes)
    random = np.random.default_rng(5)
    head = heads_below(random.uniform(-0.05, 0.02, (NY, NX)))  # most cells are ponded
    source = np.zeros(domain.subsurface.shape)
    assert (head[-1] > 0.0).mean() > 0.5
    assert difference_of_flips(domain, head, source, *flips) < 1e-6


@given(seed=st.integers(0, 10_000), flip_y=st.booleans(), flip_x=st.booleans())
def test_two_flips_are_none(seed: int, flip_y: bool, flip_x: bool) -> None:
    """But for slopes on outward east and north faces, which the first flip loses."""
    domain = make_domain(seed=seed, inactive=0.2)
    place = Place(0, 0, (NY, NX), flip_y, flip_x)
    once = ground_of(domain).tile(place)
    shown = {n: once.fields[n][0] if once.fields[n].shape[0] == 1 else once.fields[n] for n in ALL}
    again = make_domain(mask=once.active[0], **{n: v.astype(np.float64) for n, v in shown.items()})
    twice = ground_of(again).tile(place)
    original = ground_of(domain).tile(Place(0, 0, (NY, NX)))
    np.testing.assert_array_equal(twice.active, original.active)
    for name in ALL:
        same = np.broadcast_to(domain.mask, original.fields[name].shape).copy()
        if name in SLOPES:
            same &= inner_faces(domain.mask, name)
        np.testing.assert_array_equal(twice.fields[name][same], original.fields[name][same])


def inner_faces(mask: np.ndarray, slope: str) -> np.ndarray:
    """Cells whose east or north neighbour is active."""
    inner = np.zeros_like(mask)
    if slope == "slope_x":
        inner[:, :-1] = mask[:, 1:]
    else:
        inner[:-1] = mask[1:]
    return inner


def test_a_flipped_tile_takes_the_slope_beyond_its_edge() -> None:
    domain = make_domain()
    tile = ground_of(domain).tile(Place(1, 2, (3, 2), flip_x=True))
    expected = -np.stack([domain.slope_x[1:4, 2], domain.slope_x[1:4, 1]], axis=1)
    np.testing.assert_array_equal(tile.fields["slope_x"][0], expected.astype(np.float32))
    np.testing.assert_array_equal(tile.fields["slope_y"][0], domain.slope_y[1:4, [3, 2]].astype(np.float32))


def test_a_flipped_tile_takes_the_slope_south_of_its_edge() -> None:
    domain = make_domain()
    tile = ground_of(domain).tile(Place(1, 2, (2, 3), flip_y=True))
    expected = -np.stack([domain.slope_y[1, 2:5], domain.slope_y[0, 2:5]])
    np.testing.assert_array_equal(tile.fields["slope_y"][0], expected.astype(np.float32))


def conveyances(domain: Domain, **flips: bool) -> tuple[np.ndarray, np.ndarray]:
    tile = ground_of(domain, ("conveyance_x", "conveyance_y")).tile(Place(0, 0, (NY, NX), **flips))
    return tile.fields["conveyance_x"][0], tile.fields["conveyance_y"][0]


def test_conveyances_are_those_of_the_kinematic_formula() -> None:
    domain = make_domain()
    expected = 1.0 / (domain.manning * np.hypot(domain.slope_x, domain.slope_y) ** 0.5)
    for found in conveyances(domain):
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    flat = make_domain(slope_x=np.zeros((NY, NX)), slope_y=np.zeros((NY, NX)))
    np.testing.assert_allclose(conveyances(flat)[0], 1.0 / (flat.manning * 1e-5**0.5), rtol=1e-6)


def test_conveyances_move_with_their_faces() -> None:
    """The cell that owns a face afterwards has the conveyance that the face had before."""
    domain = make_domain()
    x, y = conveyances(domain)
    x_turned, y_turned = conveyances(domain, flip_x=True)
    np.testing.assert_array_equal(x_turned[:, :-1], x[:, -2::-1])
    np.testing.assert_array_equal(x_turned[:, -1], x[:, 0])
    np.testing.assert_array_equal(y_turned, y[:, ::-1])
    x_turned, y_turned = conveyances(domain, flip_y=True)
    np.testing.assert_array_equal(y_turned[:-1], y[-2::-1])
    np.testing.assert_array_equal(x_turned, x[::-1])


def test_the_west_face_of_the_domain_has_the_cells_own_slope() -> None:
    slope = np.array([[1.0, 2.0, 3.0, 4.0]])
    np.testing.assert_array_equal(lower_faces(slope, np.array([[True, True, True, True]]), -1), [[1, 1, 2, 3]])
    np.testing.assert_array_equal(lower_faces(slope, np.array([[True, False, True, True]]), -1)[0, 2:], [3, 3])


def test_conductivities_and_statics_only_move() -> None:
    domain = make_domain()
    place = Place(0, 0, (NY, NX), flip_y=True, flip_x=True)
    tile = ground_of(domain).tile(place)
    np.testing.assert_array_equal(tile.fields["conductivity_x"], domain.conductivity_x[:, ::-1, ::-1].astype("f4"))
    np.testing.assert_array_equal(tile.statics, statics_of(domain)[:, ::-1, ::-1].astype("f4"))


def test_inactive_cells_hold_the_mean_of_active_ones_and_no_slope() -> None:
    domain = make_domain(inactive=0.4)
    tile = ground_of(domain).tile(Place(0, 0, (NY, NX)))
    off = ~domain.mask
    mean = domain.porosity[:, domain.mask].mean(axis=1)
    np.testing.assert_allclose(tile.fields["porosity"][:, off], np.repeat(mean[:, None], off.sum(), 1), rtol=1e-6)
    assert (tile.fields["slope_x"][0][off] == 0.0).all()
    assert all(np.isfinite(v).all() for v in (tile.statics, *tile.fields.values()))


@given(data=st.data(), halo=st.integers(0, 1), flip_y=st.booleans(), flip_x=st.booleans())
def test_cells_near_cuts_do_not_count_and_those_at_the_domains_edge_do(
    data: st.DataObject, halo: int, flip_y: bool, flip_x: bool
) -> None:
    domain = make_domain(inactive=0.2)
    row, column = data.draw(st.integers(0, NY - 3)), data.draw(st.integers(0, NX - 3))
    place = Place(row, column, (3, 3), flip_y, flip_x)
    far = np.zeros((NY, NX), dtype=bool)
    south, west = row + (halo if row else 0), column + (halo if column else 0)
    north, east = row + 3 - (halo if row + 3 < NY else 0), column + 3 - (halo if column + 3 < NX else 0)
    far[south:north, west:east] = True
    tile = ground_of(domain).tile(place, halo)
    np.testing.assert_array_equal(tile.scored[0], place.cut(far & domain.mask))
    np.testing.assert_array_equal(tile.active[0], place.cut(domain.mask))


@pytest.mark.parametrize(
    ("fields", "message"),
    [(("slope_z",), "no field 'slope_z'; did you mean 'slope_"), (("dz",), "dz is not a field")],
)
def test_fields_that_the_domain_has_not_are_refused(fields: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ground_of(make_domain(), fields)


def test_a_field_that_was_not_given_is_named() -> None:
    with pytest.raises(ConfigError, match="latitude is missing; the architecture"):
        ground_of(make_domain(), ("latitude",))


def test_statics_of_another_grid_are_refused() -> None:
    domain: Any = make_domain()
    with pytest.raises(ConfigError, match=r"statics have shape \(46, 6, 4\)"):
        Ground(domain, statics_of(domain)[..., :4], ())
