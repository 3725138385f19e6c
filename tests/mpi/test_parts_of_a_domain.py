"""Parts of a domain on several processes: the same heads, to the last bit, as the whole domain on one."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from mpi_runs import launch, needs_mpi
from numpy.typing import NDArray
from parts_of_domains import part_of, unlike, window_of
from richards_domains import hydrostatic, random_domain, valley_that_fills

from bmi_common.boundary_conditions import Conditions
from bmi_common.flow_order import build_network
from bmi_common.overland import SurfaceCondition
from bmi_common.partition import divide, waves
from bmi_richards import RichardsSolver, SolverConfig
from bmi_richards.options import Convergence

Floats = NDArray[np.float64]

HOURS = 4


def compare(seed: int) -> None:
    """Step a random domain whole and in parts; every process runs this."""
    random = np.random.default_rng(seed)
    shape = tuple(int(n) for n in random.integers(9, 24, 2))
    domain = random_domain(random, *shape)
    if seed % 2:  # slopes that no relief has: water goes in circles
        domain.slope_x, domain.slope_y = (random.normal(0.0, 0.05, shape) for _ in range(2))
    head = hydrostatic(domain, domain.dz.sum() - random.uniform(0.0, 1.0, shape))
    source = np.zeros(domain.porosity.shape)
    source[-1] = random.uniform(0.0, 0.05, shape) / domain.dz[-1]
    assert compare_steps(domain, head, source, SolverConfig()) == [2] * HOURS
    if not seed % 2:
        compare_steps(domain, head, source, SolverConfig(), SurfaceCondition.OVERLAND_FLOW)


def compare_fine(dx: float, passes: str) -> None:
    """Step a valley of fine cells, which takes more than two passes; every process runs this."""
    domain = valley_that_fills(dx)
    source = np.zeros(domain.porosity.shape)
    source[-1] = 4e-4
    options = SolverConfig() if passes == "fixed" else SolverConfig(passes=Convergence(tolerance=1e-9))
    made = compare_steps(domain, hydrostatic(domain, 126.0), source, options)
    assert max(made) > 2


def compare_structured(seed: int) -> None:
    """Step a random domain by a structured surrogate, whole and in parts; every process runs this."""
    from mpi4py import MPI
    from structured_cases import columns_of, packed, random_head, random_source, trained

    from bmi_common.world import MpiWorld
    from bmi_surrogate.structured.columns import FLAT, network_of
    from bmi_surrogate.structured.compiled import CompiledEngine

    random = np.random.default_rng(seed)
    shape = tuple(int(n) for n in random.integers(9, 24, 2))
    domain = random_domain(random, *shape, nz=6)
    if seed % 2:  # slopes that no relief has: water goes in circles
        domain.slope_x, domain.slope_y = (random.normal(0.0, 0.05, shape) for _ in range(2))
    head, model = random_head(random, domain), trained(6, refinements=2)
    world = MpiWorld(MPI.COMM_WORLD)
    part = part_of(domain, world)
    window = window_of(domain, part)
    terrain = {name: getattr(window, name) for name in FLAT}
    network = network_of(window.mask | part.halo, terrain, (domain.dx, domain.dy), part)
    whole = CompiledEngine(model, columns_of(domain), 1)
    mine = CompiledEngine(model, columns_of(window, part), 1, (part, network))
    whole.head = packed(columns_of(domain), head).numpy()
    mine.head = packed(columns_of(window, part), np.where(part.mask, part.cut(head), np.nan)).numpy()
    for _ in range(HOURS):
        source = random_source(random, domain)
        expected, found = whole.step(source), part.whole(mine.step(part.cut(source)))
        if found is not None:
            assert np.nanmax(expected[-1]) > 0.01, "no water stands on the ground"
            assert unlike(found[:, domain.mask], expected[:, domain.mask]) == 0
    assert world.largest(float(part.wave.max()))[0] > 0.0, "no water flows from part to part"


def compare_steps(
    domain: SimpleNamespace,
    head: Floats,
    source: Floats,
    options: SolverConfig,
    condition: SurfaceCondition = SurfaceCondition.OVERLAND_KINEMATIC,
) -> list[int]:
    """Compare the steps of a domain, whole and in parts; return how many passes they took."""
    from mpi4py import MPI

    from bmi_common.world import MpiWorld

    world = MpiWorld(MPI.COMM_WORLD)
    part, conditions = part_of(domain, world, condition), Conditions(surface=condition)
    whole = RichardsSolver(domain, head, options, conditions)
    mine = RichardsSolver(window_of(domain, part), part.cut(head), options, conditions, part)
    own_fingerprint = mine.fingerprint  # in process 0 that of the whole domain, by which states are known
    assert not world.leads or own_fingerprint == whole.fingerprint
    passes = []
    for _ in range(HOURS):
        expected, found = whole.step(source), mine.step(part.cut(source))
        assert (expected.passes, expected.last_change) == (found.passes, found.last_change)
        assert expected.newton == found.newton
        for name in ("storage_change", "source", "outflow", "unmet_demand"):
            assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-12, abs=1e-12 * found.storage)
        passes.append(found.passes)
    for name in ("head", "saturation", "ponding", "outflow"):
        together = part.whole(getattr(mine, name))
        if together is not None:
            assert unlike(together, getattr(whole, name)) == 0, name
    assert world.largest(float(part.wave.max()))[0] > 0.0, "no water flows from part to part"
    return passes


@needs_mpi
@pytest.mark.slow
@pytest.mark.parametrize(("processes", "seed"), [(2, 4), (3, 5), (4, 4)])
def test_heads_and_flow_are_those_of_one_process_to_the_last_bit(processes: int, seed: int) -> None:
    launch(processes, sys.executable, __file__, str(seed))


@needs_mpi
@pytest.mark.slow
@pytest.mark.parametrize(("processes", "dx", "passes"), [(2, 50.0, "fixed"), (4, 200.0, "to a tolerance")])
def test_passes_to_a_tolerance_are_those_of_one_process(processes: int, dx: float, passes: str) -> None:
    launch(processes, sys.executable, __file__, str(dx), passes)


@needs_mpi
@pytest.mark.slow
@pytest.mark.parametrize(("processes", "seed"), [(2, 6), (4, 7)])
def test_heads_of_the_structured_surrogate_are_those_of_one_process(processes: int, seed: int) -> None:
    pytest.importorskip("torch", reason="the surrogate needs PyTorch")
    launch(processes, sys.executable, __file__, str(seed), "structured")


def test_every_column_has_one_part_and_a_cycle_lies_in_one() -> None:
    random = np.random.default_rng(5)
    domain = random_domain(random, 20, 17)
    domain.slope_x, domain.slope_y = (random.normal(0.0, 0.05, (20, 17)) for _ in range(2))
    network = build_network(domain.mask, domain.slope_x, domain.slope_y, domain.manning, 1000.0, 1000.0)
    assert network.cycles
    beside = network.cells[[0, 1]], network.cycles[0][[0]]
    cycles = [*network.cycles, np.r_[beside], np.r_[beside[0][1:], network.cells[2:3]]]  # some share cells
    for parts in (2, 3, 4, 6):
        owner = divide(domain.mask, parts, None, cycles)
        counts = np.bincount(owner[domain.mask], minlength=parts)
        assert counts.min() > 0.5 * counts.mean()
        assert all(np.unique(owner.reshape(-1)[cycle]).size == 1 for cycle in cycles)


def test_a_wave_is_one_more_than_that_of_a_donor_in_another_part() -> None:
    random = np.random.default_rng(2)
    domain = random_domain(random, 12, 9)
    network = build_network(domain.mask, domain.slope_x, domain.slope_y, domain.manning, 1000.0, 1000.0)
    owner = divide(domain.mask, 4, (2, 2), network.cycles)
    wave, part = (field.reshape(-1)[network.cells] for field in (waves(network, owner), owner))
    for column, donors in enumerate(network.donor.T):
        giving = donors[donors > 0] - 1
        expected = max((int(wave[d]) + int(part[d] != part[column]) for d in giving), default=0)
        assert wave[column] == expected
    assert wave.max() > 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case [seed]:
            compare(int(seed))
        case [seed, "structured"]:
            compare_structured(int(seed))
        case [dx, passes]:
            compare_fine(float(dx), passes)
