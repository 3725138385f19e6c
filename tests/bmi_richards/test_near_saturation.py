"""Soil about to become, or to cease to be, saturated: where n < 2, kr has an infinite slope there."""

import numpy as np
import pytest
from richards_domains import make_domain

from bmi_common import van_genuchten
from bmi_common.groundwater_config import Mode
from bmi_richards import RichardsSolver, SolverConfig

LAYERS = np.array([100.0, 1.137, 0.9133, 0.5539, 0.336, 0.2038, 0.1236, 0.0749, 0.0455, 0.0276, 0.0175])
CENTRES = (np.cumsum(LAYERS[::-1])[::-1] - 0.5 * LAYERS)[:, np.newaxis, np.newaxis]
CLOSED = {"conductivity_x": 0.0, "conductivity_y": 0.0}
SEEDS = range(2)


def solved(domain, head, rain):
    """Give columns side by side an hour of rain [m]; the step fails if one of them has no solution."""
    source = np.zeros(head.shape)
    source[-1, 0] = rain / LAYERS[-1]
    solver = RichardsSolver(domain, head, SolverConfig(passes=1, threads=1))
    balance = solver.step(source)
    water = rain.sum() * domain.dx**2
    assert balance.storage_change == pytest.approx(water, rel=1e-9)
    return balance.newton


def fine_soil(random, columns, **changes):
    """Columns of soils from sand to clay, n below 2."""
    soil = {
        "alpha": 10.0 ** random.uniform(-0.5, 1.2, (1, columns)),
        "n": random.uniform(1.06, 2.0, (1, columns)),
        "conductivity_z": 10.0 ** random.uniform(-4.0, -1.0, (1, columns)),
    }
    return make_domain(LAYERS, 1, columns, **CLOSED, **(soil | changes), porosity=0.42)


def test_no_amount_of_rain_stops_a_loam():
    # a column of the demo basin that stopped a run of two years, under rain of 7.80 to 7.95 mm
    columns = 4000
    domain = make_domain(
        LAYERS, 1, columns, **CLOSED,
        alpha=[0.5, *[0.7534] * 3, 0.7363, *[0.627] * 6], n=[2.5, *[1.3397] * 3, 1.3455, *[1.4495] * 6],
        porosity=[0.12, *[0.4267] * 3, 0.4245, *[0.4436] * 6],
        residual_saturation=[0.02, *[0.2541] * 3, 0.2523, *[0.1954] * 6],
        conductivity_z=[0.0005, *[0.00209] * 4, *[0.00783] * 6],
    )  # fmt: skip
    head = [51.22, 1.929, 0.9117, 0.1844, -0.2412, -0.3525, -0.3647, -0.3162, -0.2677, -0.2326, -0.2094]
    newton = solved(
        domain, np.repeat(np.reshape(head, (-1, 1, 1)), columns, axis=2), np.linspace(7.8e-3, 7.95e-3, columns)
    )
    assert newton.rungs[3] > 0  # some need the stretched head
    assert newton.most < 200


OWN_PERMEABILITY = {"n": 2.5, "relative_permeability_alpha": 2.0, "relative_permeability_n": 1.2}


@pytest.mark.parametrize("changes", [{}, OWN_PERMEABILITY], ids=["", "own permeability"])
@pytest.mark.parametrize("seed", SEEDS)
def test_rain_that_nearly_fills_any_soil_has_a_solution(seed, changes):
    columns = 20_000
    random = np.random.default_rng(seed)
    domain = fine_soil(random, columns, **changes)
    head = CENTRES - random.uniform(0.05, 1.5, columns)
    head = np.where(head < 0.0, head * random.uniform(0.5, 1.5, head.shape), head)
    full = van_genuchten.saturation(head, domain.alpha, domain.n, domain.residual_saturation, domain.maximum_saturation)
    room = np.tensordot(LAYERS, (1.0 - full) * domain.porosity, axes=1)[0]
    newton = solved(domain, head, room * random.uniform(0.9, 1.1, columns))
    assert newton.most < 1000


@pytest.mark.parametrize("seed", SEEDS)
def test_uneven_heads_about_saturation_come_to_rest(seed):
    columns = 20_000
    random = np.random.default_rng(seed)
    domain = fine_soil(random, columns)
    head = CENTRES - random.uniform(0.05, 1.5, columns) + random.normal(0.0, 0.2, (LAYERS.size, 1, columns))
    newton = solved(domain, head, random.choice([0.0, 0.002, 0.02], columns))
    assert newton.most < 1000


@pytest.mark.parametrize("seed", SEEDS)
def test_clay_that_drains_dries_and_is_rained_on_has_a_solution_in_every_hour(seed):
    columns = 2000
    random = np.random.default_rng(seed)
    domain = fine_soil(
        random,
        columns,
        alpha=10.0 ** random.uniform(-0.5, 0.7, (1, columns)),
        n=np.full((1, columns), 1.09),
        conductivity_z=10.0 ** random.uniform(-4.0, -1.5, (1, columns)) * random.uniform(0.1, 1.0, (1, columns)),
    )
    head = CENTRES - 10.0 ** random.uniform(-2.0, 0.5, columns)
    solver = RichardsSolver(domain, head, SolverConfig(mode=Mode.FREE_DRAINAGE, threads=1))
    rungs = np.zeros(6, dtype=int)
    for hour in range(12):
        source = np.zeros(solver.shape)
        source[-5:] = -random.uniform(0.0, 5e-4, (1, columns)) / LAYERS[-5:].sum()
        if hour % 4 == 0:
            source[-1] = 10.0 ** random.uniform(-4.0, -1.5, (1, columns)) / LAYERS[-1]
        rungs += solver.step(source).newton.rungs
    assert rungs[5] > 0  # for some only the cautious continuation is left
