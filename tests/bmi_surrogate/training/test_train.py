"""The best weights of all seeds and times are kept, with what tells where they come from."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from training_cases import (
    after,
    contents,
    domain_section,
    log_of,
    material_of,
    never,
    silent,
    state_of,
    train,
    write_config,
)

from bmi_common import ConfigError
from bmi_common.hashing import sha256
from bmi_surrogate import BmiSurrogate, load
from bmi_surrogate.training import train as train_module
from bmi_surrogate.training.task import Batch, Rollout
from bmi_surrogate.training.train import train as train_seeds
from bmi_surrogate.training.trainer import Trainer, TrainingError

pytestmark = [pytest.mark.usefixtures("no_figures"), pytest.mark.slow]


@pytest.fixture(autouse=True)
def _listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "rootzone")


def head_variable() -> str:
    return "soil_water__pressure_head"


# ------------------------------------------------------------------------------------------------- the best


def test_the_best_of_all_seeds_is_kept_and_the_others_if_asked(basin: Path) -> None:
    file = write_config(basin, seeds=[3, 1, 2], ensemble=True)
    found = train(file)
    scores = {o.seed: o.best.score for o in found.outcomes if o.best is not None}
    assert list(scores) == [3, 1, 2]
    assert len(set(scores.values())) == 3
    best = min(scores, key=lambda seed: scores[seed])
    assert found.weights == basin / "out" / "best.safetensors"
    assert load(found.weights).provenance["seed"] == str(best)
    for seed in scores:
        own = load_file(basin / "out" / f"seed_{seed}" / "best.safetensors")
        kept = state_of(basin / "out", seed)["best"]["weights"]
        assert own.keys() == kept.keys()
        assert all(torch.equal(own[key], kept[key]) for key in own)
    a, b = (basin / "out" / name for name in ("best.safetensors", f"seed_{best}/best.safetensors"))
    assert a.read_bytes() == b.read_bytes()
    assert (basin / "out" / "training.png").read_bytes().startswith(b"\x89PNG")  # the courses of all


def test_without_an_ensemble_there_is_one_file_of_weights(basin: Path) -> None:
    train(write_config(basin, seeds=[0, 1]))
    kept = sorted(str(p.relative_to(basin / "out")) for p in (basin / "out").rglob("best.*"))
    assert kept == ["best.safetensors", "best.yaml"]


def test_the_best_is_the_least_score_in_the_log(basin: Path) -> None:
    for name, score in (("a", "water_table"), ("b", "head")):
        found = train(write_config(basin, output=name, validation={"every": 1, "hours": 6, "score": score}))
        header, *rows = log_of(basin / name)
        column = header.index(score)
        scores = {int(row[0]): float(row[column]) for row in rows if row[column]}
        assert list(scores) == list(range(11))
        best = found.outcomes[0].best
        assert best is not None
        assert best.iteration == min(scores, key=lambda i: scores[i])
        assert best.score == pytest.approx(min(scores.values()), rel=1e-5)
        assert found.score_name == score
        assert found.persistence == pytest.approx(getattr(material_of(basin / f"{name}.yaml")[1].persistence, score))


def worse_with_time(material: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training that only does harm: predictions are off by as much as the weights have moved."""
    predict = material.task.predict

    def off(module: torch.nn.Module, batch: Batch, rollout: Rollout) -> torch.Tensor:
        moved = float(module.get_parameter("correction.last.bias").detach().abs().sum())
        return predict(module, batch, rollout) + moved  # type: ignore[no-any-return]

    monkeypatch.setattr(material.task, "predict", off)


def test_training_that_does_harm_keeps_the_untrained_weights_and_says_so(
    basin: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_config(basin, optimiser={})
    _, material = material_of(file)
    worse_with_time(material, monkeypatch)
    found = train_seeds(material, silent(), never, file)
    assert found.outcomes[0].best is not None
    assert found.outcomes[0].best.iteration == 0
    header, *rows = log_of(basin / "out")
    score = header.index("water_table")
    first, *trained = [(float(row[score]), row[0]) for row in rows if row[score]]
    reached, iteration = min(trained)
    assert (
        f"seed 0: training did not help: the untrained weights ({first[0]:.4g} m) are kept, the best trained ones, of "
        f"iteration {iteration}, reached {reached:.4g} m"
    ) in caplog.messages
    weights = load_file(basin / "out" / "best.safetensors")
    assert (weights["correction.last.bias"] == 0.0).all()


def test_weights_no_better_than_persistence_are_warned_of(basin: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = train(write_config(basin, "predrnn"))
    assert found.outcomes[0].best is not None
    words = f"({found.outcomes[0].best.score:.4g} against {found.persistence:.4g} m)"
    assert f"the best weights are no better than persistence over the validation {words}" in caplog.messages
    caplog.clear()
    train(write_config(basin, "structured", "other"))
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_weights_that_never_give_finite_heads_are_a_failure(basin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_config(basin)
    _, material = material_of(file)
    broken = torch.full_like(material.basins[0].validation.head[:, 1:], torch.nan)
    monkeypatch.setattr(material.task, "predict", lambda *args: broken)
    with pytest.raises(TrainingError, match="no weights gave finite heads"):
        train_seeds(material, silent(), never, file)
    assert not list((basin / "out").glob("best.*"))


# ------------------------------------------------------------------------------------------------ the files


@pytest.mark.parametrize("architecture", ["structured", "predrnn"])
def test_the_weights_run_as_a_component(basin: Path, architecture: str) -> None:
    """With the heads that the validation of these weights saw."""
    if architecture == "structured":
        file = write_config(basin, sampling={"tile": "whole", "batch": 1})
    else:
        options = {"architecture": "predrnn", "hidden": 2, "cells": 1}
        file = write_config(basin, surrogate=options, sampling={"tile": 5, "batch": 1})
    found = train(file)
    assert found.weights is not None
    _, material = material_of(file)
    start = material.basins[0].validation.head[0, 0].numpy()
    np.savez(basin / "initial.npz", head=start)
    run = {
        "domain": domain_section(),
        "initial": {"pressure_head": {"file": "initial.npz", "variable": "head"}},
        "surrogate": {"checkpoint": str(found.weights)},
    }
    (basin / "surrogate.yaml").write_text(yaml.safe_dump(run))
    component = BmiSurrogate()
    component.initialize(str(basin / "surrogate.yaml"))
    module = material.module()
    module.load_state_dict(state_of(basin / "out")["best"]["weights"])
    expected = material.task.predict(module.eval(), material.basins[0].validation, Rollout(6))[0]
    for hour in range(6):
        source = np.where(
            material.basins[0].domain.mask, material.basins[0].validation.source[0, hour].double().numpy(), 0.0
        )
        component.set_value("soil_root-zone_water__net_volume_flux", source.ravel())
        component.update()
        head = component.get_value_ptr(head_variable()).reshape(start.shape)
        active = material.basins[0].domain.mask
        # the fields of batches and all of the network are in single precision
        tolerance = 1e-6 if architecture == "structured" else 1e-4
        np.testing.assert_allclose(head[:, active], expected[hour].numpy()[:, active], atol=tolerance)
    component.finalize()


def test_weights_tell_where_they_come_from(trained: Path) -> None:
    file = write_config(trained)
    found = train(file)
    best = found.outcomes[0].best
    assert found.weights is not None
    assert best is not None
    provenance = dict(load(found.weights).provenance)
    assert provenance.pop("trained") > "2026"
    assert provenance == {
        "configuration": "out.yaml",
        "configuration_sha256": sha256(file),
        "data_sha256": material_of(file)[1].identity["domain or data"],
        "seed": "0",
        "iteration": str(best.iteration),
        "validation_water_table_error_m": f"{best.score:.6g}",
    }


def test_a_finished_training_started_again_says_so_and_touches_nothing(
    basin: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = write_config(basin, seeds=[0, 1], ensemble=True)
    train(file)
    before = contents(basin / "out")
    caplog.clear()

    def refuse(*args: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(Trainer, "_iterate", refuse)
    monkeypatch.setattr(Trainer, "_validate", refuse)
    found = train(file)
    assert found.finished
    assert contents(basin / "out") == before
    assert caplog.messages == [f"seed {n}: was trained to the end before (10 iterations)" for n in (0, 1)]


def test_weights_that_are_missing_or_damaged_come_back(trained: Path) -> None:
    """As after a crash between the last state and the weights."""
    file = write_config(trained)
    weights = trained / "out" / "best.safetensors"
    whole = weights.read_bytes()
    weights.unlink()
    train(file)
    assert weights.read_bytes() == whole
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    train(file)
    assert weights.read_bytes() == whole


def test_an_interrupted_training_leaves_its_best_so_far(basin: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = train(write_config(basin, seeds=[0, 1]), after(5))
    assert not found.finished
    assert [o.seed for o in found.outcomes] == [0]
    assert found.weights is not None
    assert load(found.weights).provenance["iteration"] == "4"
    caplog.clear()
    assert train(write_config(basin, seeds=[0, 1])).finished
    assert caplog.messages[0] == "seed 0: 1189 parameters, 10 iterations on cpu, goes on after 5"


def test_more_seeds_train_only_the_new_ones(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    iterate = Trainer._iterate

    def noted(self: Trainer) -> float:
        seeds.append(self.seed)
        return iterate(self)

    monkeypatch.setattr(Trainer, "_iterate", noted)
    found = train(write_config(trained, seeds=[0, 1]))
    assert seeds == [1] * 10
    assert len(found.outcomes) == 2


def test_mixed_precision_without_cuda_is_refused(basin: Path) -> None:
    with pytest.raises(ConfigError, match="mixed_precision: needs a CUDA device, this training runs on cpu"):
        material_of(write_config(basin, mixed_precision=True))


def test_nothing_of_a_failure_is_lost(basin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second seed fails before its first iteration is done; the first one's weights stay the best."""
    file = write_config(basin, seeds=[0, 1])
    iterate = Trainer._iterate

    def failing(self: Trainer) -> float:
        if self.seed == 1:
            raise TrainingError("no luck")
        return iterate(self)

    monkeypatch.setattr(Trainer, "_iterate", failing)
    with pytest.raises(TrainingError, match="no luck"):
        train(file)
    assert load(basin / "out" / "best.safetensors").provenance["seed"] == "0"
    assert train_module.BEST == "best"
