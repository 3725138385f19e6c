"""`bmi-train`: what it keeps, how it resumes, what it refuses."""

import csv
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from training_cases import state_of
from training_stores import DZ, make_store

from bmi_common import Domain, load_config
from bmi_common.domain import DomainSpec
from bmi_surrogate import StructuredCheckpoint, load
from bmi_surrogate.training import loop
from bmi_surrogate.training.cli import main
from bmi_surrogate.training.resume import State
from bmi_surrogate.training.sampling import Sampler
from bmi_surrogate.training.store import HEAD
from bmi_surrogate.training.task import Batch

STRUCTURED: dict[str, Any] = {"architecture": "structured", "hidden": [4]}
PREDRNN: dict[str, Any] = {"architecture": "predrnn", "hidden": 8, "attention": "pool", "increments": "scaled"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A domain, a store of 60 hours and a short training of the structured surrogate."""
    domain = {
        "grid": {"nx": 6, "ny": 5, "dx": 1000.0, "dy": 1000.0},
        "layers": DZ.tolist(),
        "porosity": 0.4,
        "van_genuchten": {"alpha": 2.0, "n": 1.8, "residual_saturation": 0.1},
        "conductivity": {"x": 0.01, "z": 0.01},
        "slope": {"x": 0.01, "y": -0.02},
        "manning": 0.03,
    }
    (tmp_path / "domain.yaml").write_text(yaml.safe_dump(domain))
    make_store(tmp_path / "store", Domain.load(load_config(tmp_path / "domain.yaml", DomainSpec)), (60,))
    write(tmp_path)
    return tmp_path


def write(folder: Path, **changes: Any) -> Path:
    content = {
        "domain": "domain.yaml",
        "data": {"store": "store", "validation_hours": 6},
        "surrogate": STRUCTURED,
        "sampling": {"tile": "whole", "batch": 2},
        "optimiser": {"ema": 0.9, "clip_norm": 1.0},
        "stages": [{"iterations": 4, "hours": 1}, {"iterations": 3, "hours": 3, "gradient_hours": 2}],
        "validation": {"every": 3, "score": "head"},
        "save_every": 2,
        "output": "trained",
        "device": "cpu",
        "threads": 1,
        **changes,
    }
    file = folder / "train.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def bmi_train(folder: Path) -> Result:
    return CliRunner().invoke(main, [str(folder / "train.yaml")])


def state(folder: Path) -> dict[str, Any]:
    return state_of(folder / "trained")


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else bool(a == b)


def interrupt_after(iterations: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an interrupt come after so many iterations."""
    iterate = loop.Training._iterate

    def counted(self: loop.Training) -> float:
        loss = iterate(self)
        if self.iteration == iterations:
            signal.raise_signal(signal.SIGTERM)
        return loss

    monkeypatch.setattr(loop.Training, "_iterate", counted)


@pytest.mark.parametrize("surrogate", [STRUCTURED, PREDRNN], ids=["structured", "predrnn"])
@pytest.mark.parametrize("iterations", [1, 4, 5])
def test_a_training_that_was_interrupted_ends_with_the_same_weights(
    folder: Path, surrogate: dict[str, Any], iterations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, surrogate=surrogate)
    assert bmi_train(folder).exit_code == 0
    expected, log = state(folder), rows(folder)
    (folder / "trained").rename(folder / "uninterrupted")

    with monkeypatch.context() as patch:
        interrupt_after(iterations, patch)
        assert bmi_train(folder).exit_code == 130
    assert state(folder)["iteration"] == iterations
    assert bmi_train(folder).exit_code == 0
    found = state(folder)
    for part in ("iteration", "module", "average", "optimiser", "best", "random"):
        assert same(found[part], expected[part]), part
    assert [{**r, "seconds": ""} for r in rows(folder)] == [{**r, "seconds": ""} for r in log]
    weights = [p / "best.safetensors" for p in (folder / "trained", folder / "uninterrupted")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "trained" / "seed_0" / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_training_that_was_killed_goes_on_from_its_last_state(folder: Path) -> None:
    write(folder, stages=[{"iterations": 400, "hours": 1}], validation={"every": 400}, save_every=5)
    command = [sys.executable, "-m", "bmi_surrogate.training.cli", str(folder / "train.yaml")]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        file, deadline = folder / "trained" / "seed_0" / "state.pt", time.monotonic() + 60.0
        while not (file.is_file() and state(folder)["iteration"] > 0):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.kill()
    done = state(folder)["iteration"]
    assert 0 < done < 400
    assert done % 5 == 0
    result = bmi_train(folder)
    assert result.exit_code == 0, result.output
    killed = state(folder)
    (folder / "trained").rename(folder / "killed")
    assert bmi_train(folder).exit_code == 0
    assert same(killed["module"], state(folder)["module"])


def test_a_finished_training_is_not_repeated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bmi_train(folder).exit_code == 0
    before = state(folder)
    monkeypatch.setattr(loop.Training, "_iterate", lambda self: pytest.fail("trained again"))
    assert bmi_train(folder).exit_code == 0
    assert same(before, state(folder))


def test_a_correction_that_loses_to_the_untrained_structure_is_rejected(folder: Path) -> None:
    # random heads teach nothing; a huge learning rate harms what was right
    write(folder, optimiser={"schedule": {"rate": 10.0}}, validation={"every": 1, "score": "head"})
    assert bmi_train(folder).exit_code == 0
    trained = load(folder / "trained" / "best.yaml")
    assert isinstance(trained, StructuredCheckpoint)
    found = state(folder)["best"]
    scores = [float(r["head"]) for r in rows(folder) if r["head"]]
    assert found["score"] == pytest.approx(min(scores), rel=1e-5)
    assert found["iteration"] == int(trained.provenance["iteration"])
    assert len(scores) == 8  # that of the untrained one is the first


def test_every_seed_is_trained_and_the_best_is_kept(folder: Path) -> None:
    write(folder, seeds=[3, 4], ensemble=True, surrogate=PREDRNN)
    assert bmi_train(folder).exit_code == 0
    scores = {}
    for seed in (3, 4):
        found = State.read(folder / "trained" / f"seed_{seed}" / "state.pt", identity(folder, seed))
        assert found is not None
        assert found.best is not None
        scores[seed] = found.best.score
        assert load(folder / "trained" / f"seed_{seed}" / "best.yaml").provenance["seed"] == str(seed)
    best = min(scores, key=lambda s: scores[s])
    assert load(folder / "trained" / "best.yaml").provenance["seed"] == str(best)


def identity(folder: Path, seed: int) -> dict[str, str]:
    found: dict[str, str] = state_of(folder / "trained", seed)["identity"]
    return found


def test_a_loss_that_is_not_finite_stops_at_the_sample_and_keeps_the_weights(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(folder, sampling={"tile": "whole", "batch": 3}, stages=[{"iterations": 200, "hours": 2}])
    draw = Sampler.batch
    poisoned = 23

    def with_a_bad_hour(self: Sampler, iteration: int, hours: int) -> Batch:
        batch = draw(self, iteration, hours)
        for sample, origin in enumerate(batch.origins):
            if hours == 2 and origin.hour == poisoned:
                batch.source[sample, 0, 3, 2, 1] = torch.nan
        return batch

    monkeypatch.setattr(Sampler, "batch", with_a_bad_hour)
    result = bmi_train(folder)
    assert result.exit_code == 1
    message = result.output.splitlines()[-1]
    assert "is not finite in iteration" in message
    assert f"the sample at hour {poisoned}, " in message
    assert "are kept" in message
    assert load(folder / "trained" / "best.yaml").provenance["seed"] == "0"
    assert all(bool(v.isfinite().all()) for v in state(folder)["module"].values())


def test_a_store_with_values_that_are_not_finite_is_refused(folder: Path) -> None:
    head = np.load(folder / "store" / HEAD)
    head[20, 3, 2, 1] = np.nan
    np.save(folder / "store" / HEAD, head)
    result = bmi_train(folder)
    assert result.exit_code == 2
    assert "holds values that are not finite" in result.output


def test_too_little_memory_is_one_clear_message(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_much(*_: Any) -> None:
        raise torch.OutOfMemoryError("allocate 40 GiB")

    monkeypatch.setattr(loop.Training, "_terms", too_much)
    result = bmi_train(folder)
    assert result.exit_code == 1
    assert "out of memory" in result.output
    assert "sampling.batch" in result.output


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"surrogate": {**STRUCTURED, "hidden": [5]}}, "another surrogate.hidden ([4] there, [5] here)"),
        ({"optimiser": {"ema": 0.9, "clip_norm": 2.0}}, "another optimiser.clip_norm (1.0 there, 2.0 here)"),
        ({"stages": [{"iterations": 9, "hours": 1}]}, "another stages ("),
    ],
)
def test_a_state_of_another_configuration_is_refused_and_stays(
    folder: Path, changes: dict[str, Any], words: str
) -> None:
    assert bmi_train(folder).exit_code == 0
    before = {p: p.read_bytes() for p in sorted((folder / "trained").rglob("*")) if p.is_file()}
    write(folder, **changes)
    result = bmi_train(folder)
    assert result.exit_code == 2
    assert words in result.output
    assert "state.pt" in result.output
    assert {p: p.read_bytes() for p in sorted((folder / "trained").rglob("*")) if p.is_file()} == before


def test_a_damaged_state_is_refused(folder: Path) -> None:
    assert bmi_train(folder).exit_code == 0
    file = folder / "trained" / "seed_0" / "state.pt"
    file.write_bytes(file.read_bytes()[:1000])
    result = bmi_train(folder)
    assert result.exit_code == 2
    assert f"{file}: is no whole state of a training" in result.output


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"store": "store", "validation_hours": 60}}, "which leaves none to train on"),
        ({"data": {"store": "nothing"}}, "is no finished training store"),
        ({"data": {"store": "store", "validation_hours": 0}}, "needs hours that judge it"),
        ({"validation": {"hours": 7}}, "more than data.validation_hours"),
        ({"stages": [{"iterations": 2, "hours": 55}]}, "is 55 h long"),
        ({"stages": []}, "stages"),
        ({"device": "cuda:7"}, "does not exist"),
        ({"device": "abacus"}, "use auto, cpu, cuda"),
        ({"surrogate": {"architecture": "predrn"}}, "predrn"),
        ({"surrogate": {**STRUCTURED, "hiden": [4]}}, "did you mean 'hidden'"),
        ({"surrogate": {"architecture": "structured", "hidden": []}}, "hidden"),
        ({"seeds": [1, 1]}, "each must stand once"),
        ({"compile": True}, "compile"),
        ({"output": "train.yaml"}, "train.yaml"),
    ],
)
def test_mistakes_are_one_message_before_anything_is_written(folder: Path, changes: dict[str, Any], words: str) -> None:
    write(folder, **changes)
    result = bmi_train(folder)
    assert result.exit_code == 2, result.output
    assert words in result.output
    assert "Traceback" not in result.output
    assert not (folder / "trained").exists()


def test_statics_of_another_grid_are_refused(folder: Path) -> None:
    content = yaml.safe_load((folder / "domain.yaml").read_text())
    content["grid"]["nx"] = 7
    (folder / "domain.yaml").write_text(yaml.safe_dump(content))
    result = bmi_train(folder)
    assert result.exit_code == 2
    assert "was made for another domain" in result.output


def test_several_processes_share_batches_and_end_with_the_same_weights(folder: Path) -> None:
    write(folder, stages=[{"iterations": 3, "hours": 1}])
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=29611"]
    command = [*torchrun, "-m", "bmi_surrogate.training.cli", str(folder / "train.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    two = state(folder)
    assert two["iteration"] == 3
    (folder / "trained").rename(folder / "two")
    assert bmi_train(folder).exit_code == 0
    # twice the batches: other weights
    assert not same(two["module"], state(folder)["module"])
