"""A training that was stopped and resumed is the one that was not; failures are one message and lose nothing."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_cases import (
    OPTIONS,
    after,
    assert_same,
    contents,
    log_of,
    material_of,
    never,
    state_of,
    train,
    write_config,
)

from bmi_surrogate.training import trainer
from bmi_surrogate.training.store import HEAD, SOURCE
from bmi_surrogate.training.trainer import LOG, STATE, Trainer, TrainingError

ARCHITECTURES = list(OPTIONS)

pytestmark = [pytest.mark.usefixtures("no_figures"), pytest.mark.slow]


def ignore(done: int, words: str) -> None:
    pass


# ------------------------------------------------------------------------------------------------ resume


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("ema", [None, 0.9])
def test_an_interrupted_training_ends_as_one_that_was_not(basin: Path, architecture: str, ema: float | None) -> None:
    """Interrupted in every stage, once before the first iteration and once between two rows of the log."""
    optimiser = {"optimiser": {"ema": ema}}
    whole = train(write_config(basin, architecture, "whole", **optimiser))
    parts = write_config(basin, architecture, "parts", **optimiser)
    for iterations in (0, 2, 3, 4):
        assert not train(parts, after(iterations)).finished
    assert train(parts).finished
    assert_same(state_of(basin / "whole"), state_of(basin / "parts"))
    assert log_of(basin / "whole") == log_of(basin / "parts")
    a, b = ((basin / out / "best.safetensors").read_bytes() for out in ("whole", "parts"))
    assert a == b
    assert whole.finished


def test_losses_between_two_rows_of_the_log_survive_an_interrupt(basin: Path) -> None:
    """With many iterations a row is the mean over several of them."""
    stages = {"stages": {"iterations": 12, "hours": 1}, "validation": {"every": 12, "hours": 1}}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "_ROWS", 3)
        train(write_config(basin, output="whole", **stages))
        parts = write_config(basin, output="parts", **stages)
        train(parts, after(6))
        train(parts)
    assert log_of(basin / "whole") == log_of(basin / "parts")
    assert [row[0] for row in log_of(basin / "whole")] == ["iteration", "0", "4", "8", "12", "12"]
    assert_same(state_of(basin / "whole"), state_of(basin / "parts"))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_was_not_saved_is_done_again(basin: Path, trained: Path, architecture: str) -> None:
    """As after a crash: rows of the log after the last state are dropped, and come back the same."""
    file = write_config(basin, architecture)
    _, material = material_of(file)
    training = Trainer(material, 0, basin / "out" / "seed_0")

    def crash(done: int, words: str) -> None:
        if done == 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.run(crash, never)
    assert state_of(basin / "out")["iteration"] == 6
    assert log_of(basin / "out")[-1][0] == "8"
    train(file)
    if architecture != "structured":
        train(write_config(trained, architecture, "whole"))
    whole = trained / ("out" if architecture == "structured" else "whole")
    assert_same(state_of(whole), state_of(basin / "out"))
    assert log_of(whole) == log_of(basin / "out")


def test_dropout_depends_on_the_restored_random_numbers(basin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards the tests above: without that restoration the networks would differ."""
    whole, parts = (write_config(basin, "predrnn", name) for name in ("whole", "parts"))
    train(whole)
    train(parts, after(5))
    monkeypatch.setattr(trainer, "set_random_states", lambda states: None)
    train(parts)
    a, b = (state_of(basin / name)["module"] for name in ("whole", "parts"))
    assert any(not torch.equal(a[key], b[key]) for key in a)


def test_a_training_that_crashed_before_its_first_state_starts_anew(basin: Path, trained: Path) -> None:
    file = write_config(basin)
    train(file, after(2))
    (basin / "out" / "seed_0" / STATE).unlink()
    for weights in (basin / "out").glob("best.*"):
        weights.unlink()
    train(file)
    assert log_of(trained / "out") == log_of(basin / "out")


def test_nothing_is_written_before_the_training_runs(basin: Path) -> None:
    Trainer(material_of(write_config(basin))[1], 0, basin / "out" / "seed_0")
    assert not (basin / "out").exists()


# -------------------------------------------------------------------------------------------- the course


def test_the_average_of_the_weights_is_what_is_judged_and_kept(basin: Path) -> None:
    """By the recursion w' + (1 - d) (w - w'), whose decay d grows to the configured one."""
    stages = {"iterations": 3, "hours": 1}
    _, material = material_of(write_config(basin, stages=stages, optimiser={"ema": 0.3}))
    training = Trainer(material, 0, basin / "out" / "seed_0")
    name = "correction.last.bias"
    weights = [training.module.state_dict()[name].clone()]
    outcome = training.run(lambda done, words: weights.append(training.module.state_dict()[name].clone()), never)
    mean = weights[0]
    for iteration, value in enumerate(weights[1:]):
        decay = min(0.3, (1.0 + iteration) / (10.0 + iteration))
        mean = decay * mean + (1.0 - decay) * value
    assert training.average is not None
    assert training.judged is training.average
    torch.testing.assert_close(training.average.state_dict()[name], mean)
    assert outcome.best is not None
    assert outcome.best.iteration == 3
    assert_same(outcome.best.weights[name], training.average.state_dict()[name])


def test_the_log_tells_the_course(basin: Path) -> None:
    said: list[str] = []
    _, material = material_of(write_config(basin))
    Trainer(material, 0, basin / "out" / "seed_0").run(lambda done, words: said.append(words), never)
    header, *rows = log_of(basin / "out")
    table = [dict(zip(header, row, strict=True)) for row in rows]
    losses = [row for row in table if row["loss"]]
    assert [(row["iteration"], row["hours"]) for row in losses] == [
        (str(i + 1), str(h)) for i, h in enumerate([1] * 4 + [3] * 3 + [4] * 3)
    ]
    assert all(float(row["gradient"]) > 0.0 and float(row["rate"]) > 0.0 for row in losses)
    assert [row["iteration"] for row in table if row["water_table"]] == ["0", "4", "8", "10"]
    assert re.fullmatch(r"loss [\d.e-]+, best [\d.e-]+ m", said[-1])
    assert not list((basin / "out").rglob(".*")), "drafts are left"


def test_gradients_are_clipped(basin: Path) -> None:
    """By the norm of what reaches the optimiser: AdamW's steps hardly depend on it."""
    _, material = material_of(write_config(basin, optimiser={"clip_norm": 1.0e-3}))
    training = Trainer(material, 0, basin / "out" / "seed_0")
    training._iterate()
    gradients = [p.grad for p in training.module.parameters() if p.grad is not None]
    assert training._gradient > 1.0e-3
    norm = torch.cat([g.flatten() for g in gradients]).norm()
    assert float(norm) == pytest.approx(1.0e-3, rel=1e-3)


# ---------------------------------------------------------------------------------------------- failures


def poison(basin: Path, hour: int) -> None:
    """NaN in one source after statistics were taken, as a failing disk might do."""
    material_of(write_config(basin))
    source = np.load(basin / "store" / SOURCE, mmap_mode="r+")
    source[hour, -1] = np.nan
    source.flush()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_loss_that_is_not_finite_names_the_sample_and_keeps_the_best(basin: Path, architecture: str) -> None:
    material_of(write_config(basin, architecture))
    poison(basin, 40)
    stages = {"stages": {"iterations": 500, "hours": 1}}
    file = write_config(basin, architecture, **stages, validation={"every": 1, "hours": 2})
    with pytest.raises(TrainingError) as caught:
        train(file)
    message = str(caught.value)
    found = re.search(
        r"^the loss is not finite in iteration (\d+): by the sample at hour 40, tile at cell \(j=\d, i=\d\); the "
        r"weights of iteration (\d+) and the last state are kept",
        message,
    )
    assert found, message
    assert "\n" not in message
    stopped, best = (int(g) for g in found.groups())
    assert best < stopped
    assert state_of(basin / "out")["iteration"] == (stopped - 1) // 3 * 3
    provenance = (basin / "out" / "best.yaml").read_text()
    assert f"iteration: '{best}'" in provenance


def test_a_gradient_that_is_not_finite_names_the_sample(basin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, material = material_of(write_config(basin))
    training = Trainer(material, 0, basin / "out" / "seed_0")
    guilty = training.batch(0, 1).origins[1]
    loss = material.task.loss

    def steep(module: torch.nn.Module, batch: Any, rollout: Any) -> dict[str, torch.Tensor]:
        terms = dict(loss(module, batch, rollout))
        if guilty in batch.origins:  # finite, with an infinite slope at zero
            zero = next(module.parameters()).sum() * 0.0
            terms["increments"] = terms["increments"] + zero.sqrt()
        return terms

    monkeypatch.setattr(material.task, "loss", steep)
    before = {k: v.clone() for k, v in training.module.state_dict().items()}
    words = f"the gradient is not finite in iteration 1: by the sample at {guilty};"
    with pytest.raises(TrainingError, match=re.escape(words)):
        training.run(ignore, never)
    assert_same(before, dict(training.module.state_dict()))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
    ],
    ids=["device", "cpu", "numpy"],
)
def test_a_lack_of_memory_is_one_message(basin: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    _, material = material_of(write_config(basin))
    training = Trainer(material, 0, basin / "out" / "seed_0")
    calls = 0

    def loss(*args: Any) -> None:
        nonlocal calls
        calls += 1
        if calls > 5:
            raise error
        return original(*args)

    original = material.task.loss
    monkeypatch.setattr(material.task, "loss", loss)
    with pytest.raises(TrainingError) as caught:
        training.run(ignore, never)
    message = str(caught.value)
    assert message.startswith("out of memory on cpu in iteration 6, with 2 samples of 3 h; make `sampling.batch`")
    assert "the last state are kept" in message
    assert "\n" not in message
    assert state_of(basin / "out")["iteration"] == 3


def test_a_lack_of_memory_in_validation_names_its_hours(basin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, material = material_of(write_config(basin))
    monkeypatch.setattr(material.task, "predict", lambda *args: torch.empty(10**15))
    with pytest.raises(TrainingError, match=r"validating over 6 h of the whole domain, make `validation\.hours`"):
        Trainer(material, 0, basin / "out" / "seed_0").run(ignore, never)


def test_other_errors_are_not_called_a_lack_of_memory(basin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, material = material_of(write_config(basin))

    def broken(*args: Any) -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(material.task, "loss", broken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        Trainer(material, 0, basin / "out" / "seed_0").run(ignore, never)


def test_a_failing_write_leaves_the_earlier_state(basin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_config(basin)
    train(file, after(3))
    before = contents(basin / "out" / "seed_0")[STATE]

    def full(partial: Path, path: Path) -> None:
        partial.write_bytes(partial.read_bytes()[:100])
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("bmi_surrogate.training.training_state.commit", full)
        with pytest.raises(OSError, match="No space left"):
            train(file)
    assert contents(basin / "out" / "seed_0")[STATE] == before
    train(file)
    train(write_config(basin, output="whole"))
    assert_same(state_of(basin / "whole"), state_of(basin / "out"))


def test_heads_are_untouched_by_training(basin: Path) -> None:
    before = (basin / "store" / HEAD).read_bytes()
    train(write_config(basin))
    assert (basin / "store" / HEAD).read_bytes() == before
    assert (basin / "out" / "seed_0" / LOG).is_file()
