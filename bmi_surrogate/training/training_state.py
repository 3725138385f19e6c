"""The state that a training resumes from: written whole or not at all."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from bmi_common import ConfigError
from bmi_common.state_file import commit

VERSION = 2
_MAGIC = b"rootzone training state\n"
_DIGEST = 32
_ANEW = "remove the folder of this output to train from scratch"


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
class TrainingState:
    """All that a training needs to go on as if it had never stopped.

    Attributes
    ----------
    identity : mapping
        Of the configuration (`TrainConfig.identity`), the training data and the number of processes.
    iteration : int
        Iterations done.
    module, average, optimiser : dict
        States of the module, of the moving average of its weights (None without one) and of the optimiser.
    best : Best or None
        Best weights so far.
    random : tuple of Tensor
        States of PyTorch's random numbers: CPU, then CUDA devices.
    losses : list of float
        Of the iterations since the last row of the log.
    seconds : float
        Time spent so far.
    """

    identity: Mapping[str, str]
    iteration: int
    module: dict[str, Any]
    average: dict[str, torch.Tensor] | None
    optimiser: dict[str, Any]
    best: Best | None
    random: tuple[torch.Tensor, ...]
    losses: list[float]
    seconds: float

    def write(self, path: Path) -> None:
        """Write beside the place, then move there; what was there stays if that fails."""
        partial = path.with_name(f".{path.name}.partial")
        best = None if self.best is None else vars(self.best)
        buffer = io.BytesIO()
        torch.save({"version": VERSION, **vars(self), "identity": dict(self.identity), "best": best}, buffer)
        content = buffer.getbuffer()
        with partial.open("wb") as file:
            file.write(_MAGIC)
            file.write(sha256(content).digest())
            file.write(content)
        commit(partial, path)

    @classmethod
    def read(cls, path: Path, identity: Mapping[str, str]) -> TrainingState | None:
        """Read; None if there is none.

        Raises
        ------
        ConfigError
            If the file is damaged, of another version, or belongs to another configuration or other data.
        """
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigError(f"{path}: cannot be read: {error}") from None
        content = _unpacked(path, raw)
        if content.pop("version", None) != VERSION:
            raise ConfigError(f"{path}: is of another version of this program; {_ANEW}")
        try:
            best = content.pop("best")
            state = cls(**content, best=None if best is None else Best(**best))
        except (KeyError, TypeError) as error:
            raise ConfigError(f"{path}: damaged: {error}; {_ANEW}") from None
        wrong = [name for name, is_right in _CONTENTS.items() if not is_right(getattr(state, name))]
        if wrong:
            raise ConfigError(f"{path}: damaged: {', '.join(wrong)} of another kind; {_ANEW}")
        _require_same(path, state.identity, identity)
        return state


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_weights(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in value.items()
    )


def _is_best(value: object) -> bool:
    if not isinstance(value, Best):
        return value is None
    return _is_number(value.score) and _is_count(value.iteration) and _is_weights(value.weights)


_CONTENTS: Mapping[str, Callable[[Any], bool]] = {
    "identity": lambda v: isinstance(v, dict),
    "iteration": _is_count,
    "module": _is_weights,
    "average": lambda v: v is None or _is_weights(v),
    "optimiser": lambda v: isinstance(v, dict),
    "best": _is_best,
    "random": lambda v: isinstance(v, tuple) and len(v) > 0 and all(isinstance(t, torch.Tensor) for t in v),
    "losses": lambda v: isinstance(v, list) and all(isinstance(x, int | float) for x in v),
    "seconds": lambda v: _is_number(v) and v >= 0.0,
}
"""What the parts of a state must be."""


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Take up a state that was read; what does not suit the training is one error that names the file.

    Raises
    ------
    ConfigError
        For whatever PyTorch meets.
    """
    try:
        yield
    except Exception as error:  # PyTorch lets through whatever it meets
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ConfigError(f"{path}: damaged: it does not suit this training ({reason}); {_ANEW}") from error


def _unpacked(path: Path, raw: bytes) -> dict[str, Any]:
    content = raw[len(_MAGIC) + _DIGEST :]
    if not raw.startswith(_MAGIC) or sha256(content).digest() != raw[len(_MAGIC) :][:_DIGEST]:
        raise ConfigError(f"{path}: is not a whole training state of this version; {_ANEW}")
    try:
        unpacked = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # PyTorch lets through whatever it meets in damaged files
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ConfigError(f"{path}: cannot be read by this PyTorch ({reason}); {_ANEW}") from None
    if not isinstance(unpacked, dict):
        raise ConfigError(f"{path}: damaged: does not hold a training state; {_ANEW}")
    return unpacked


def _require_same(path: Path, there: Mapping[str, str], here: Mapping[str, str]) -> None:
    different = [key for key in (*here, *(there.keys() - here.keys())) if there.get(key) != here.get(key)]
    if different:
        key = different[0]
        more = f" and {len(different) - 1} more" if len(different) > 1 else ""
        raise ConfigError(
            f"{path}: belongs to a training with another {key} ({_short(there.get(key))} there, "
            f"{_short(here.get(key))} here){more}; go on with that configuration, choose another `output`, or {_ANEW}"
        )


def _short(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:12]}…"


def random_states() -> tuple[torch.Tensor, ...]:
    """Return the states of PyTorch's random numbers."""
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return (torch.get_rng_state(), *devices)


def set_random_states(states: tuple[torch.Tensor, ...]) -> None:
    """Set the states of PyTorch's random numbers; those of devices only where there are as many as then."""
    torch.set_rng_state(states[0])
    if torch.cuda.is_available() and len(states) - 1 == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(list(states[1:]))
