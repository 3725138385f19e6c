"""Parameters of networks on disk: read without running code from the file, checked against the network."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from bmi_common import ConfigError

Parameters = dict[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)


def read_parameters(path: Path) -> Parameters:
    """Read the tensors of a safetensors file or of a PyTorch pickle, by name.

    Raises
    ------
    ConfigError
        If the file is missing, damaged, or holds more than plain tensors.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    try:
        # by content, not by name: published checkpoints are called model.ckpt-80000
        with path.open("rb") as file:
            start = file.read(9)
        content = load_file(path) if start[8:9] == b"{" else torch.load(path, map_location="cpu", weights_only=True)
    except safetensors.SafetensorError as error:
        raise ConfigError(f"{path}: not a whole safetensors file: {error}") from None
    except pickle.UnpicklingError:
        # PyTorch's own text advises to load the file in a way that runs code from it
        raise ConfigError(f"{path}: not a PyTorch checkpoint, or one that holds more than plain tensors") from None
    except Exception as error:  # PyTorch lets through whatever it meets in damaged files
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"{path}: not a whole PyTorch checkpoint of plain tensors: {reason}") from None
    if isinstance(content, Mapping):
        content = content.get("net_param", content)
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()):
        raise ConfigError(
            f"{path}: no parameters found; a checkpoint maps names to tensors, or `net_param` to such a map"
        )
    return {str(k): v for k, v in content.items()}


def fill(network: Network, parameters: Parameters, path: Path) -> Network:
    """Put parameters that were read from `path` into a network, and set it to evaluation.

    Raises
    ------
    ConfigError
        If names or shapes are not the network's, or a value is not finite.
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
        if not (value.is_floating_point() and bool(torch.isfinite(value).all())):
            raise ConfigError(f"{path}: {name} holds values that are not finite numbers")
    network.load_state_dict(parameters)
    return network.eval()


def _some(names: list[str], limit: int = 3) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
