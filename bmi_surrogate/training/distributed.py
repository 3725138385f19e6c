"""Several processes on one training, as ``torchrun`` starts them: each has its share of the batches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn

from bmi_surrogate.compute import find_device


@dataclass(frozen=True)
class Processes:
    """Which process this is, of how many, and its device among those of the machine."""

    rank: int = 0
    count: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this one writes files and messages."""
        return self.rank == 0

    def device(self, name: str) -> torch.device:
        """Return this process's device: by the configured name, but one CUDA device each where they are several.

        Raises
        ------
        ConfigError
            If it does not exist.
        """
        device = find_device(name)
        return find_device(f"cuda:{self.local_rank}") if self.count > 1 and device.type == "cuda" else device

    def average_gradients(self, module: nn.Module) -> None:
        """Give every process the mean of all gradients."""
        if self.count == 1:
            return
        for parameter in module.parameters():
            if parameter.grad is not None:
                distributed.all_reduce(parameter.grad)
                parameter.grad /= self.count

    def share(self, module: nn.Module) -> None:
        """Give every process the first one's parameters and buffers."""
        if self.count > 1:
            for value in module.state_dict().values():
                distributed.broadcast(value, 0)

    def any(self, flag: bool, device: torch.device) -> bool:
        """Whether the flag is set in any process."""
        if self.count == 1:
            return flag
        flags = torch.tensor(float(flag), device=device)
        distributed.all_reduce(flags)
        return bool(flags > 0)

    def wait(self) -> None:
        """Wait for all."""
        if self.count > 1:
            distributed.barrier()


@contextmanager
def processes(device: str = "auto") -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started; alone without it.

    Parameters
    ----------
    device : str
        As the configuration names it: processes talk by NCCL on CUDA, by Gloo on a CPU.

    Raises
    ------
    ConfigError
        If the device does not exist.
    """
    kind = find_device(device).type
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield Processes()
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if kind == "cuda":
        torch.cuda.set_device(find_device(f"cuda:{local}"))
    distributed.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size(), local)
    finally:
        distributed.destroy_process_group()
