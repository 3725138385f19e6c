"""What the benchmark of coarse grids learns: small cases whose answers are known."""

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from richards_cases import NX, NY, valley
from terrain_cases import write_terrain

from bmi_common.subgrid import SubgridWeights, TerrainStatistics
from bmi_common.subgrid.parameters import FEATURES, PARAMETERS
from bmi_common.subgrid.streams import Routes
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


def test_hours_say_how_fast_streams_are_and_nothing_else(learning: ModuleType, tmp_path: Path) -> None:
    domain = prepare(valley(tmp_path)).domain
    terrain = TerrainStatistics.read(write_terrain(tmp_path / "terrain.nc", NY, NX), domain)
    velocity = np.array(PARAMETERS) == "velocity"
    right = LEARNED_OF_DAYS + 0.75 * velocity
    rain = np.random.default_rng(7).gamma(0.1, 5.0, (300, 1)) * np.ones(domain.mask.sum())  # mm
    truth = learning.runoff_of(Routes(domain, weights_of(right).parameters(terrain).velocity), rain)[100:]
    paced = learning.with_pace_of(truth, rain, weights_of(LEARNED_OF_DAYS), terrain, domain)
    assert paced.weights.layers[-1][1] == pytest.approx(right)
    assert paced.kge == pytest.approx(1.0)
    assert paced.before < 0.95


def test_runoff_is_the_water_that_streams_got(learning: ModuleType, tmp_path: Path) -> None:
    domain = prepare(valley(tmp_path)).domain
    cells = int(domain.mask.sum())
    storm = np.zeros((400, cells))
    storm[3] = 12.0  # mm
    runoff = learning.runoff_of(Routes(domain, np.full(cells, 0.5)), storm)
    assert runoff[:3].max() == 0.0
    assert runoff.sum() == pytest.approx(12.0, rel=1e-3)  # mm


def test_every_observation_has_its_deviation(benchmark: ModuleType) -> None:
    days, columns, random = 366, 9, np.random.default_rng(3)
    seen, runoff, depths = random.normal(size=(2, columns)), random.gamma(0.5, 1.0, days), random.gamma(2.0, 3.0, 40)
    water_table = 5.0 + 0.2 * np.arange(days)[:, np.newaxis] / days + seen.T @ [1.0, -2.0]
    found = benchmark.observations(runoff, water_table, np.tile(depths, (days, 1)), seen)
    assert found.shape == benchmark.deviations(runoff, len(seen)).shape
    assert found[:days] == pytest.approx(np.sqrt(runoff))
    assert found[-24:].reshape(2, 12) == pytest.approx(np.outer([1.0, -2.0], np.ones(12)))
    assert found[days + len(benchmark.FLOWS)] == pytest.approx((depths < 2.0).mean())
