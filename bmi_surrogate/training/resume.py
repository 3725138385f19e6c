"""The state that a training resumes from: written whole or not at all."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bmi_common import ConfigError
from bmi_common.state_file import commit

VERSION = 1


@dataclass
class Best:
    """The best weights so far.

    Attributes
    ----------
    score : float
        By the validation [m].
    iteration : int
        After how many iterations.
    weights : dict
        State of the module.
    """

    score: float
    iteration: int
    weights: dict[str, torch.Tensor]


@dataclass
class State:
    """All that a training needs to go on as if it had never stopped.

    Attributes
    ----------
    identity : str
        `TrainConfig.identity` and the training data's.
    iteration : int
        Iterations done.
    module, average, optimiser : dict
        States of the module, of the moving average of its weights (None without one) and of the optimiser.
    best : Best or None
        Best weights so far.
    random : tuple of Tensor
        States of PyTorch's random numbers: CPU, then CUDA devices.
    seconds : float
        Time spent so far.
    """

    identity: str
    iteration: int
    module: dict[str, Any]
    average: dict[str, torch.Tensor] | None
    optimiser: dict[str, Any]
    best: Best | None
    random: tuple[torch.Tensor, ...]
    seconds: float

    def write(self, path: Path) -> None:
        """Write beside the place, then move there."""
        partial = path.with_name(f".{path.name}.partial")
        best = None if self.best is None else vars(self.best)
        torch.save({"version": VERSION, **vars(self), "best": best}, partial)
        commit(partial, path)

    @classmethod
    def read(cls, path: Path, identity: str) -> State | None:
        """Read; None if there is none.

        Raises
        ------
        ConfigError
            If the file is damaged or belongs to another configuration.
        """
        if not path.is_file():
            return None
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
            if content.pop("version") != VERSION:
                raise ConfigError(f"{path}: is of another version of this program; remove the folder to train anew")
            best = content.pop("best")
            state = cls(**content, best=None if best is None else Best(**best))
        except (RuntimeError, EOFError, pickle.UnpicklingError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"{path}: is no whole state of a training; remove it to train anew ({error})") from None
        if state.identity != identity:
            raise ConfigError(
                f"{path}: belongs to a training with another configuration or other data; go on with that one, choose "
                "another `output`, or remove the folder"
            )
        return state


def random_states() -> tuple[torch.Tensor, ...]:
    """Return the states of PyTorch's random numbers."""
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return (torch.get_rng_state(), *devices)


def set_random_states(states: tuple[torch.Tensor, ...]) -> None:
    """Set the states of PyTorch's random numbers; those of devices only where there are as many as then."""
    torch.set_rng_state(states[0])
    if torch.cuda.is_available() and len(states) - 1 == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(list(states[1:]))
