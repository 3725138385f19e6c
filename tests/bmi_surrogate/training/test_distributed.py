"""Several processes train together: the same weights in all, one writer, one end."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from training_cases import assert_same, log_of, material_of, state_of, write_config

from bmi_surrogate.training.distributed import Processes, processes
from bmi_surrogate.training.loop import STATE
from bmi_surrogate.training.sampling import Sampler

_CHILD = """
import os, signal, sys
from pathlib import Path
import torch
from bmi_surrogate.training import cli, fit
from bmi_surrogate.training.loop import Training

run = Training.run

def noted(self, advanced, interrupted):
    # the second process alone is asked to stop, before iteration `stop`
    stop = os.environ.get("STOP")
    def ask():
        return interrupted() or (stop is not None and os.environ["RANK"] == "1" and self.iteration == int(stop))
    outcome = run(self, advanced, ask)
    torch.save((self.iteration, self.module.state_dict(), self.average.state_dict()), sys.argv[2] + os.environ["RANK"])
    return outcome

Training.run = noted
cli.main(sys.argv[1:2])
"""


def start(file: Path, noted: Path, **env: str) -> list[tuple[int, str]]:
    """Exit codes and messages of two processes, as ``torchrun`` would start them."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = str(s.getsockname()[1])
    common = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    children = [
        subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(file), str(noted)],
            stderr=subprocess.PIPE,
            text=True,
            env=common | {"RANK": str(rank), "LOCAL_RANK": str(rank)} | env,
        )
        for rank in (0, 1)
    ]
    try:
        said = [child.communicate(timeout=100)[1] for child in children]
    finally:
        for child in children:
            child.kill()
    return [(child.returncode, text) for child, text in zip(children, said, strict=True)]


def notes(noted: Path) -> list[Any]:
    return [torch.load(f"{noted}{rank}", weights_only=True) for rank in (0, 1)]


def test_two_processes_end_with_the_same_weights_interrupted_or_not(basin: Path) -> None:
    file, noted = write_config(basin, "predrnn"), basin / "noted"
    first, second = start(file, noted, STOP="5")
    assert (first[0], second[0]) == (130, 130), (first[1], second[1])
    assert "interrupted; the state is saved" in first[1]
    assert second[1] == "", "only the first process speaks"
    a, b = notes(noted)
    assert a[0] == 5
    assert_same(a, b)

    first, second = start(file, noted)
    assert (first[0], second[0]) == (0, 0), (first[1], second[1])
    a, b = notes(noted)
    assert a[0] == 10
    assert_same(a, b)
    assert_same(dict(a[1]), dict(state_of(basin / "out")["module"]))
    assert "goes on after 5" in first[1]

    whole = write_config(basin, "predrnn", "whole")
    assert [code for code, _ in start(whole, noted)] == [0, 0]
    assert_same(state_of(basin / "whole"), state_of(basin / "out"))
    assert log_of(basin / "whole") == log_of(basin / "out")
    assert state_of(basin / "out")["identity"]["number of processes"] == "2"
    assert sorted(p.name for p in (basin / "out" / "seed_0").iterdir()) == ["log.csv", "loss.png", STATE]


def test_processes_share_the_batches_of_one(basin: Path) -> None:
    """Two processes of b samples see in an iteration what one sees in two."""
    _, material = material_of(write_config(basin))
    sampler = material.sampler(0)
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
