"""Parameters of networks on disk: read without running code from the file, checked against the network."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from bmi_common import ConfigError
from bmi_surrogate.pickles import describe_archive, foreign_names

Parameters = dict[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)

SAVE_ANEW: Final = (
    "save the parameters again where they come from: torch.save({'net_param': network.state_dict()}, 'model.pt'), or "
    "safetensors.torch.save_file(network.state_dict(), 'model.safetensors')"
)
_HOLDERS: Final = ("net_param", "state_dict", "model_state_dict", "model", "network", "net")
"""Keys under which checkpoints hold the parameters, beside the optimizer's state and more."""
_WRAPPER: Final = re.compile(r"(?:module|_orig_mod|model|network|net)\.")
"""What DataParallel, torch.compile and training frameworks put before every name."""


def read_parameters(path: Path) -> Parameters:
    """Read the tensors of a safetensors file or of a PyTorch pickle, by name.

    They may lie under one of the usual keys (``net_param``, ``state_dict``, ``model_state_dict``, ``model``, …). What
    wrappers put before all names (``module.``, ``_orig_mod.``, ``model.``, …) is taken off.

    Raises
    ------
    ConfigError
        If the file is missing, damaged, holds more than plain tensors and numbers, or several sets of parameters.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    return _unwrapped(_parameters_in(_read(path), path))


def _read(path: Path) -> Any:
    archive = describe_archive(path)
    if archive is not None:
        raise ConfigError(f"{path}: {archive}; {SAVE_ANEW}")
    try:
        # by content, not by name, which PyTorch looks at, too: published checkpoints are called model.ckpt-80000
        with path.open("rb") as file, warnings.catch_warnings():
            start = file.read(9)
            pickled = start.startswith((b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"))
            if start[8:9] == b"{" or (path.suffix == ".safetensors" and not pickled):
                return load_file(path)
            file.seek(0)
            warnings.simplefilter("ignore", UserWarning)  # about pickles of other kinds, which are refused
            return torch.load(file, map_location="cpu", weights_only=True)
    except safetensors.SafetensorError as error:
        raise ConfigError(f"{path}: not a whole safetensors file: {error}") from None
    except pickle.UnpicklingError:
        # PyTorch's own text advises to load the file in a way that runs code from it
        found = foreign_names(path)
        if not found:
            raise ConfigError(f"{path}: not a PyTorch checkpoint, or one that holds more than plain tensors") from None
        first, key = next(iter(found.items()))
        at = f" at {key[:60]!r}" if key else ""
        numpy = " (float(value) makes a plain number of a NumPy scalar)" if first.startswith("numpy") else ""
        raise ConfigError(
            f"{path}: holds more than plain tensors, numbers and text:{at} {_some(list(found))}{numpy}. Such objects "
            f"are not read, because reading them can run code; {SAVE_ANEW}"
        ) from None
    except Exception as error:  # PyTorch lets through whatever it meets in damaged files
        reason = str(error).partition("\n")[0]
        if not isinstance(error, RuntimeError | EOFError | OSError) or "weights_only" in reason:
            reason = ""
        raise ConfigError(
            f"{path}: not a whole PyTorch checkpoint of plain tensors{f': {reason}' if reason else ''}"
        ) from None


def _parameters_in(content: Any, path: Path) -> Parameters:
    if not isinstance(content, Mapping):
        raise ConfigError(f"{path}: no parameters found: it holds one {type(content).__name__}; {SAVE_ANEW}")
    held = [key for key in _HOLDERS if isinstance(content.get(key), Mapping)]
    if len(held) > 1:
        raise ConfigError(f"{path}: holds several sets of parameters: {', '.join(held)}; {SAVE_ANEW}")
    found = content[held[0]] if held else content
    if held and any(isinstance(found.get(key), Mapping) for key in _HOLDERS):
        return _parameters_in(found, path)
    others = [str(key) for key, value in found.items() if not isinstance(value, Tensor)]
    if not found or others:
        kind = "is not a tensor" if len(others) == 1 else "are not tensors"
        what = f"{_some(others)} {kind}" if others else "it is empty"
        raise ConfigError(
            f"{path}: no parameters found{f' under {held[0]!r}' if held else ''}: {what}; a checkpoint maps names to "
            f"tensors, or one of {', '.join(_HOLDERS)} to such a map"
        )
    return {str(k): v for k, v in found.items()}


def _unwrapped(parameters: Parameters) -> Parameters:
    while True:
        first = _WRAPPER.match(next(iter(parameters)))
        if first is None or not all(name.startswith(first[0]) and name != first[0] for name in parameters):
            return parameters
        parameters = {name.removeprefix(first[0]): value for name, value in parameters.items()}


def fill(network: Network, parameters: Parameters, path: Path) -> Network:
    """Put parameters that were read from `path` into a network, in its precision, and set it to evaluation.

    Raises
    ------
    ConfigError
        If names or shapes are not the network's, or a value is not a finite number in its precision.
    """
    wanted = network.state_dict()
    missing, unknown = sorted(wanted.keys() - parameters.keys()), sorted(parameters.keys() - wanted.keys())
    if missing or unknown:
        parts = [f"{what} {_some(names)}" for what, names in (("it lacks", missing), ("it has also", unknown)) if names]
        raise ConfigError(f"{path}: not a checkpoint of this network: {', '.join(parts)}")
    for name, value in parameters.items():
        if value.shape != wanted[name].shape:
            raise ConfigError(
                f"{path}: {name} has the shape {tuple(value.shape)}, this network needs {tuple(wanted[name].shape)}"
            )
        if not value.is_floating_point():
            raise ConfigError(f"{path}: {name} holds {str(value.dtype).removeprefix('torch.')}, not floating point")
        if not bool(torch.isfinite(value.to(wanted[name].dtype)).all()):
            raise ConfigError(f"{path}: {name} holds values that are not finite numbers")
    network.load_state_dict(parameters)
    return network.eval()


def _some(names: list[str], limit: int = 3) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
