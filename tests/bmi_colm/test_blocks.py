"""Columns are computed side by side in blocks; no column's result depends on which others are in its block."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest
from colm_reference import Case, sensitivity

from bmi_colm.columns import ColumnConfig, ColumnModel, LeafIteration
from bmi_colm.soil import SoilTexture

COVERS = np.resize([*range(1, 18), 2, 2, 10], 45)
SOILS = np.resize(["sand", "loam", "clay"], COVERS.size)
THICKNESS = np.array([0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 1.0, 1.5])
NUMERICS = pytest.mark.parametrize(
    "options",
    [ColumnConfig(), ColumnConfig(leaf_iteration=LeafIteration.SETTLED), ColumnConfig(published_numerics=True)],
    ids=["default", "settled", "published"],
)


def three_days(chosen: np.ndarray, options: ColumnConfig, threads: int = 1) -> dict[str, np.ndarray]:
    """State and fluxes of chosen columns after three days: mild with a shower, then snowfall, then sun and hot wind."""
    model = ColumnModel(
        land_cover=COVERS[chosen],
        texture=SoilTexture.from_usda(SOILS[chosen]),
        thickness=THICKNESS,
        porosity=0.43,
        latitude=np.linspace(30.0, 60.0, COVERS.size)[chosen],
        longitude=0.0,
        start=datetime(2020, 4, 1),
        options=options,
        threads=threads,
    )
    saturation = np.linspace(0.21, 1.0, COVERS.size)[chosen, None]
    water = np.inf if options.published_numerics else np.linspace(0.0, 0.3, COVERS.size)[chosen, None]
    for hour in range(72):
        day, sun = hour // 24, max(0.0, np.sin(np.pi * (hour % 24 - 6) / 12))
        weather = {
            "shortwave": 800.0 * sun,
            "longwave": 300.0,
            "precipitation": 4e-4 if (day, hour % 24) in [(0, 15), (1, 3), (1, 4), (1, 5), (1, 6)] else 0.0,
            "air_temperature": (288.0, 265.0, 300.0)[day] + 6.0 * sun,
            "wind_x": (0.3, 4.0, 9.0)[day],
            "wind_y": 0.0,
            "pressure": 9.9e4,
            "humidity": (0.009, 0.001, 0.002)[day],
        }
        model.step(weather, -1.0, saturation, water)
    return {**model.state.arrays(), **model.fluxes.arrays()}


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray], of_one: np.ndarray) -> None:
    for name in one:
        np.testing.assert_array_equal(one[name][of_one], other[name], err_msg=name)


@NUMERICS
def test_order_and_neighbours_change_no_bit(options):
    everything = np.arange(COVERS.size)
    together = three_days(everything, options)
    shuffled = np.random.default_rng(1).permutation(COVERS.size)
    assert_same(together, three_days(shuffled, options, threads=2), shuffled)
    for size in (1, 15, 16, 17):  # a block alone, not full, full, and one more
        assert_same(together, three_days(shuffled[:size], options), shuffled[:size])
    many = np.resize(shuffled, 1100)  # groups of eight blocks, whose lanes take columns of any block, and a rest
    assert_same(together, three_days(many, options), many)


@pytest.mark.reference
@pytest.mark.slow
def test_a_trifle_in_the_air_changes_no_settled_flux_by_much(reference):
    """The published iteration changed 17 of this year's 157680 column-hours."""
    case = Case.load(reference / "colm", "dry")
    changes = sensitivity(case, ColumnConfig(leaf_iteration=LeafIteration.SETTLED))
    assert (np.abs(changes) > 10.0).sum() <= 3
