"""What the benchmark of coarse grids learns: small cases whose answers are known."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from richards_cases import NX, NY, valley
from terrain_cases import write_terrain

from bmi_common.subgrid import SubgridWeights, TerrainStatistics
from bmi_common.subgrid.parameters import FEATURES, PARAMETERS, SubgridParameters
from bmi_richards.config import prepare

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
LEARNED_OF_DAYS = np.linspace(0.4, -0.4, len(PARAMETERS))


@pytest.fixture
def learning(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("coarse_grid_learning")


@pytest.fixture
def benchmark(learning: ModuleType) -> ModuleType:
    return importlib.import_module("coarse_grid")


def weights_of(biases: np.ndarray) -> SubgridWeights:
    """Weights that say the same of all cells."""
    nothing, ones = np.zeros(len(FEATURES)), np.ones(len(FEATURES))
    layer = np.zeros((len(PARAMETERS), len(FEATURES))), biases
    return SubgridWeights(nothing, ones, [layer], 1000.0, 100.0, 1.0e5, {"trained_on": "nothing"})


def test_hours_say_when_storms_arrive_and_nothing_else(learning: ModuleType, tmp_path: Path) -> None:
    domain = prepare(valley(tmp_path)).domain
    terrain = TerrainStatistics.read(write_terrain(tmp_path / "terrain.nc", NY, NX), domain)
    right = LEARNED_OF_DAYS + [{"velocity": 0.6, "delay": -0.4}.get(name, 0.0) for name in PARAMETERS]
    random, cells = np.random.default_rng(7), np.ones(domain.mask.sum())
    entering = tuple(random.gamma(shape, 1.0, (300, 1)) * cells for shape in (0.5, 0.1))  # mm
    truth = learning.runoff_of(domain, weights_of(right).parameters(terrain), *entering)[100:]
    paced = learning.with_pace_of(truth, entering, weights_of(LEARNED_OF_DAYS), terrain, domain, trials=60)
    assert paced.weights.layers[-1][1] == pytest.approx(right, abs=0.05)
    assert paced.kge > 0.995
    assert paced.before < 0.95


def test_runoff_is_the_water_that_streams_got(learning: ModuleType, tmp_path: Path) -> None:
    domain = prepare(valley(tmp_path)).domain
    parameters = SubgridParameters.unlearned(int(domain.mask.sum()))
    storm = np.zeros((400, parameters.velocity.size))
    storm[3] = 12.0  # mm
    for groundwater, direct in ((storm, 0.0 * storm), (0.0 * storm, storm)):
        runoff = learning.runoff_of(domain, parameters, groundwater, direct)
        assert runoff[:3].max() == 0.0
        assert runoff.sum() == pytest.approx(12.0, rel=2e-3)  # mm


def test_every_observation_has_its_deviation(benchmark: ModuleType) -> None:
    days, columns, random = 366, 9, np.random.default_rng(3)
    seen, runoff, depths = random.normal(size=(2, columns)), random.gamma(0.5, 1.0, days), random.gamma(2.0, 3.0, 40)
    water_table = 5.0 + 0.2 * np.arange(days)[:, np.newaxis] / days + seen.T @ [1.0, -2.0]
    found = benchmark.observations(runoff, water_table, np.tile(depths, (days, 1)), seen)
    assert found.shape == benchmark.deviations(runoff, len(seen)).shape
    assert found[:days] == pytest.approx(np.sqrt(runoff))
    assert found[-24:].reshape(2, 12) == pytest.approx(np.outer([1.0, -2.0], np.ones(12)))
    assert found[days + len(benchmark.FLOWS)] == pytest.approx((depths < 2.0).mean())


def test_what_was_learned_can_be_used(tmp_path: Path) -> None:
    domain = prepare(valley(tmp_path)).domain
    terrain = TerrainStatistics.read(write_terrain(tmp_path / "terrain.nc", NY, NX), domain)
    weights = SubgridWeights.load(BENCHMARKS / "coarse_grid" / "streams.json")
    weights.require(terrain, tmp_path / "streams.json", tmp_path / "terrain.nc")
    for values in vars(weights.parameters(terrain)).values():
        assert np.isfinite(values).all()
