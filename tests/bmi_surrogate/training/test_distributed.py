"""Several processes train together: the same weights in all, one writer, one end."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from training_cases import assert_same, log_of, material_of, state_of, write_config

from bmi_surrogate.training.distributed import Processes, processes
from bmi_surrogate.training.sampling import Sampler
from bmi_surrogate.training.task import Rollout
from bmi_surrogate.training.trainer import STATE, Trainer

pytestmark = pytest.mark.slow

_CHILD = """
import os, sys
import torch
from bmi_surrogate.training.trainer import Trainer
from rootzone.bmi_train import main

run, rank = Trainer.run, os.environ["RANK"]

def noted(self, advanced, interrupted):
    # the second process alone is asked to stop
    outcome = run(self, advanced, lambda: interrupted() or (rank == "1" and self.iteration == stop))
    torch.save((self.iteration, self.module.state_dict(), self.average.state_dict()), f"{name}.{rank}")
    return outcome

Trainer.run = noted
for argument in sys.argv[1:]:
    name, file, stop, os.environ["MASTER_PORT"] = argument.split(",")
    stop = int(stop)
    try:
        main([file])
    except SystemExit as end:
        print("exit", end.code, file=sys.stderr)
"""


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def run_two(*trainings: tuple[Path, Path, int]) -> list[list[str]]:
    """Lines of two processes, started as ``torchrun`` starts them, that do some trainings one after the other.

    Each is a prefix for notes, a file, and the iteration at which the second process is interrupted, -1 for never.
    """
    arguments = [f"{name},{file},{stop},{free_port()}" for name, file, stop in trainings]
    common = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": "1"}
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _CHILD, *arguments],
            stderr=subprocess.PIPE,
            text=True,
            env=common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
        )
        for rank in (0, 1)
    ]
    try:
        return [child.communicate(timeout=100)[1].splitlines() for child in children]
    finally:
        for child in children:
            child.kill()


def norm_of_mean_gradient(file: Path) -> float:
    """Of the first batches of both processes, which have the same random numbers for dropout."""
    _, material = material_of(file)
    training = Trainer(material, 0, file.parent / "nothing")
    random, gradients = torch.get_rng_state(), []
    for number in (0, 1):
        torch.set_rng_state(random)
        terms = material.task.loss(training.module, training.batch(number, 1), Rollout(1))
        loss = torch.stack([material.task.weights[name] * term for name, term in terms.items()]).sum()
        found = torch.autograd.grad(loss, list(training.module.parameters()), allow_unused=True)
        gradients.append(torch.cat([g.flatten() for g in found if g is not None]))
    return float(torch.stack(gradients).mean(dim=0).norm())


def test_two_processes_end_with_the_same_weights_interrupted_or_not(basin: Path) -> None:
    parts, whole = write_config(basin, "predrnn"), write_config(basin, "predrnn", "whole")
    first, second = run_two((basin / "a", parts, 5), (basin / "b", parts, -1), (basin / "c", whole, -1))
    assert [line for line in first if line.startswith("exit")] == ["exit 130", "exit 0", "exit 0"], first
    assert second == ["exit 130", "exit 0", "exit 0"], "only the first process speaks"
    assert "interrupted; the state is saved: the same command goes on from it" in first
    assert any(line.endswith("goes on after 5") for line in first)

    for name, iterations in (("a", 5), ("b", 10), ("c", 10)):
        one, other = (torch.load(basin / f"{name}.{rank}", weights_only=True) for rank in (0, 1))
        assert one[0] == iterations
        assert_same(one, other)
    assert_same(state_of(basin / "whole"), state_of(basin / "out"))
    assert log_of(basin / "whole") == log_of(basin / "out")
    assert state_of(basin / "out")["identity"]["number of processes"] == "2"
    header, *rows = log_of(basin / "out")
    logged = float(next(row for row in rows if row[0] == "1")[header.index("gradient")])
    assert logged == pytest.approx(norm_of_mean_gradient(write_config(basin, "predrnn", "alone")), rel=1e-4)
    assert sorted(p.name for p in (basin / "out" / "seed_0").iterdir()) == ["log.csv", "loss.png", STATE]


def test_processes_share_the_batches_of_one(basin: Path) -> None:
    """Two processes of b samples see in an iteration what one sees in two."""
    _, material = material_of(write_config(basin))
    sampler = material.basins[0].sampler(0)
    assert isinstance(sampler, Sampler)
    seen = [sampler.batch(n, 1).origins for n in range(4)]
    shares = [[sampler.batch(i * 2 + rank, 1).origins for i in range(2)] for rank in (0, 1)]
    assert [shares[n % 2][n // 2] for n in range(4)] == seen


def test_alone_nothing_is_communicated() -> None:
    module = nn.Linear(2, 1)
    module(torch.ones(1, 2)).backward()
    before = [p.grad.clone() for p in module.parameters() if p.grad is not None]
    alone = Processes()
    alone.average_gradients(module)
    alone.share(module)
    alone.wait()
    assert alone.is_first
    assert [alone.any(flag, torch.device("cpu")) for flag in (True, False)] == [True, False]
    assert_same(before, [p.grad for p in module.parameters()])


def test_without_torchrun_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with processes("cpu") as here:
        assert here == Processes(0, 1, 0)
        assert here.device("cpu") == torch.device("cpu")
