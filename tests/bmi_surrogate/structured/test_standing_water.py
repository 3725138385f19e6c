"""How much water the closure of the structured surrogate lets stand on the ground."""

import numpy as np
import pytest
import torch
from richards_domains import Floats, hydrostatic, make_domain
from structured_cases import LAYERS, columns_of, packed, solver_of

from bmi_surrogate import StructuredArchitecture, StructuredModel
from bmi_surrogate.structured.column_solve import ColumnHeads, begin
from bmi_surrogate.structured.standing_water import ROOM_SCALE, Changing, Surface

RAIN = np.arange(0.008, 0.041, 0.002)
"""[m h-1], one a column."""
LOAM = {"porosity": 0.43, "alpha": 3.6, "n": 1.56, "residual_saturation": 0.18, "conductivity_z": 0.0104}
SANDY_LOAM = {"porosity": 0.41, "alpha": 7.5, "n": 1.89, "residual_saturation": 0.16, "conductivity_z": 0.0442}


def standing(soil: dict[str, float]) -> dict[str, Floats]:
    """Water [m] after an hour of rain on dry soil that lies still: by the surrogate without network, and by physics."""
    still = {"conductivity_x": 1e-12, "conductivity_y": 1e-12, "slope_y": 0.04}
    domain = make_domain(LAYERS, 1, RAIN.size, **soil, **still)
    head = hydrostatic(domain, sum(LAYERS) - 3.0)
    depth = np.cumsum(np.array(LAYERS)[::-1])[::-1] - 0.5 * np.array(LAYERS)
    dryness = np.clip(1.0 - depth / 0.5, 0.0, 1.0)[:, None, None]
    head = np.minimum(head, -8.0 * dryness + (1.0 - dryness) * head)
    source = np.zeros_like(head)
    source[-1, 0] = RAIN / LAYERS[-1]
    columns = columns_of(domain)
    model = StructuredModel(StructuredArchitecture(layers=len(LAYERS), hidden=(), refinements=2))
    found = model(columns, packed(columns, head), packed(columns, source)).head[-1].detach().numpy()
    solver = solver_of(domain, head)
    solver.step(source)
    return {"surrogate": np.maximum(found, 0.0), "physics": np.maximum(solver.head[-1, 0], 0.0)}


@pytest.mark.parametrize("soil", [LOAM, SANDY_LOAM])
def test_on_dry_ground_water_stands_the_more_the_more_it_rains_and_not_before_physics(soil: dict[str, float]) -> None:
    found = standing(soil)
    surrogate, physics = found["surrogate"], found["physics"]
    assert (np.diff(surrogate) >= 0.0).all()
    assert surrogate[physics == 0.0].max() < 2e-5
    assert (surrogate < physics + 2e-5).all()


def surface_of_a_column(
    head_below: float, inflow: float = 0.0, room: float = 1.0
) -> tuple[Surface, Changing, Changing]:
    domain = make_domain(LAYERS, slope_y=0.04)
    columns = columns_of(domain)
    head = packed(columns, hydrostatic(domain, sum(LAYERS) - 1.0))
    source = torch.zeros_like(head)
    source[-1] = 0.05 / LAYERS[-1]
    surface = Surface.of(columns, begin(columns, head, source)).with_inflow(torch.tensor([inflow], dtype=torch.float64))
    one = torch.ones(1, dtype=torch.float64)
    return surface, Changing(head_below * one, one), Changing(room * one, -one)


def bounded(at: float, head_below: float, inflow: float = 0.0, room: float = 1.0) -> tuple[float, float, float]:
    surface, below, left = surface_of_a_column(head_below, inflow, room)
    one = torch.ones(1, dtype=torch.float64)
    found = surface.bounded(Changing(at * one, one), below, left)
    return float(found.coordinate), float(found.by_shift), float(found.by_inflow)


def test_water_below_the_limit_and_dry_ground_are_left_alone() -> None:
    for at in (-3.0, 0.0, 1e-4):
        assert bounded(at, head_below=-0.01) == (at, 1.0, 0.0)


def test_the_limit_is_the_balance_of_the_full_top_layer() -> None:
    domain = make_domain(LAYERS, slope_y=0.04)
    columns = columns_of(domain)
    head = packed(columns, hydrostatic(domain, sum(LAYERS) - 1.0))
    below = -0.02
    pond = bounded(5.0, below, inflow=0.01, room=1e9)[0]
    assert pond > 1e-3
    before = ColumnHeads.of(columns, columns.retention.coordinate(head)).saturation[-1]
    dz, porosity, storage = (float(p[-1]) for p in (columns.dz, columns.porosity, columns.specific_storage))
    gained = dz * porosity * float(before) + dz * storage * float(before) * float(head[-1]) + 0.05 + 0.01
    holds = dz * (porosity + storage * pond)
    up = float(columns.vertical[-1]) * ((below - pond) / float(columns.height[-1]) - 1.0)
    flow = float(columns.conveyance_out) * pond ** (5.0 / 3.0)
    assert pond + flow == pytest.approx(gained - holds + up, abs=1e-10)


def test_the_limit_fades_as_the_soil_below_fills() -> None:
    held, half, free = (bounded(0.5, -0.02, room=room)[0] for room in (1e3, ROOM_SCALE, 0.0))
    assert free == 0.5
    assert half == pytest.approx(0.5 * (held + free), rel=1e-4)


@pytest.mark.parametrize("at", [-0.1, 0.005, 0.3])
@pytest.mark.parametrize("below", [-0.5, -0.02, 0.3])
@pytest.mark.parametrize("room", [1e-5, 1e-4, 0.1])
def test_derivatives_are_those_of_finite_differences(at: float, below: float, room: float) -> None:
    step = 1e-7
    by_shift, by_inflow = bounded(at, below, room=room)[1:]
    ahead = bounded(at + step, below + step, room=room - step)[0]
    behind = bounded(at - step, below - step, room=room + step)[0]
    assert by_shift > 0.0
    assert by_shift == pytest.approx((ahead - behind) / (2.0 * step), rel=1e-3)
    ahead, behind = (bounded(at, below, inflow=sign * step, room=room)[0] for sign in (1.0, -1.0))
    assert by_inflow == pytest.approx((ahead - behind) / (2.0 * step), rel=1e-3, abs=1e-6)
