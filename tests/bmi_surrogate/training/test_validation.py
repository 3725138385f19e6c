"""Scores of a free rollout, against the same computed with numpy."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from training_cases import material_of, write_config

from bmi_common import water_table
from bmi_surrogate.training.task import Rollout
from bmi_surrogate.training.trainer import Material
from bmi_surrogate.training.validation import persistence, score, validate

pytestmark = pytest.mark.slow


@pytest.fixture
def material(basin: Path) -> Material:
    return material_of(write_config(basin))[1]


def numpy_scores(found: np.ndarray, true: np.ndarray, mask: np.ndarray, thickness: np.ndarray) -> tuple[float, ...]:
    """Of heads (hours, layers, y, x): column by column."""
    errors, squares = [], []
    for f, t in zip(found, true, strict=True):
        columns = [(f[:, j, i], t[:, j, i]) for j, i in np.argwhere(mask)]
        depth = [[float(water_table.depth(c[:, None], thickness)[0]) for c in pair] for pair in columns]
        errors.append([abs(a - b) for a, b in depth])
        squares.append([np.mean((a - b) ** 2) for a, b in columns])
    return (
        float(np.mean(errors)),
        math.sqrt(np.mean(squares)),
        float(np.mean([sorted(e)[len(e) // 2] / 2 + sorted(e)[(len(e) - 1) // 2] / 2 for e in errors])),
        float(np.mean([np.percentile(e, 90) for e in errors])),
    )


def test_scores_are_those_of_every_active_column_and_hour(material: Material) -> None:
    batch, domain = material.basins[0].validation, material.basins[0].domain
    found = batch.head[:, 1:] + 0.3 * torch.randn(batch.head[:, 1:].shape, generator=torch.Generator().manual_seed(1))
    s = score(found, batch, domain.dz)
    expected = numpy_scores(found[0].numpy(), batch.head[0, 1:].numpy(), domain.mask, domain.dz)
    np.testing.assert_allclose((s.water_table, s.head, s.median, s.high), expected, rtol=1e-12)
    assert min(expected) > 0.0


def test_the_truth_has_no_error_and_inactive_cells_do_not_count(material: Material) -> None:
    batch = material.basins[0].validation
    found = torch.where(batch.active[:, None], batch.head[:, 1:], torch.nan)
    s = score(found, batch, material.basins[0].domain.dz)
    assert (s.water_table, s.head, s.median, s.high) == (0.0, 0.0, 0.0, 0.0)


def test_persistence_is_the_first_head_kept(material: Material) -> None:
    batch, domain = material.basins[0].validation, material.basins[0].domain
    truth = batch.head[0].numpy()
    expected = numpy_scores(np.broadcast_to(truth[0], truth[1:].shape), truth[1:], domain.mask, domain.dz)
    s = persistence(batch, domain.dz)
    np.testing.assert_allclose((s.water_table, s.head, s.median, s.high), expected, rtol=1e-12)
    assert s == material.persistence


def test_one_cell_that_is_not_finite_makes_every_score_infinite(material: Material) -> None:
    found = material.basins[0].validation.head[:, 1:].clone()
    found[0, 3, 2, 4, 4] = torch.nan
    s = score(found, material.basins[0].validation, material.basins[0].domain.dz)
    assert (s.water_table, s.head, s.median, s.high) == (math.inf,) * 4


def test_the_rollout_is_free_in_evaluation_mode_and_the_mode_is_given_back(material: Material) -> None:
    module = material.module().train()
    seen: list[Any] = []

    def predict(given: torch.nn.Module, batch: Any, rollout: Rollout) -> torch.Tensor:
        seen.append((given.training, rollout))
        return material.task.predict(given, batch, rollout)

    s = validate(SimpleNamespace(predict=predict), module, material.basins[0].validation, material.basins[0].domain.dz)  # type: ignore[arg-type]
    assert seen == [(False, Rollout(6, None))]
    assert module.training
    assert 0.0 < s.water_table < material.persistence.water_table


def test_the_hours_that_judge_are_the_first_of_the_validation(basin: Path, material: Material) -> None:
    head = np.load(basin / "store" / "head.npy")
    np.testing.assert_array_equal(material.basins[0].validation.head[0].numpy(), head[80 - 12 : 80 - 12 + 7])
