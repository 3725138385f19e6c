"""Normalisation of pressure, source and statics by the mean and standard deviation of the training data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from bmi_common import ConfigError
from bmi_common.arrays import Array
from bmi_common.errors import describe_cell
from bmi_surrogate.predrnn.statics import channel_name

STATIC_EPSILON = 1.0e-8
"""Added to the standard deviation of static channels, as published."""

_CONSTANT = 1.0e-6  # relative; fields stored in single precision are constant to 1e-7


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of every channel, shape (channels,)."""

    mean: Array
    std: Array

    @classmethod
    def of(cls, mean: ArrayLike, std: ArrayLike) -> Moments:
        """Build from anything array-like.

        Raises
        ------
        ValueError
            If the lengths differ, a value is not finite or a standard deviation is negative.
        """
        m, s = np.array(mean, dtype=np.float64), np.array(std, dtype=np.float64)
        if m.ndim != 1 or m.shape != s.shape:
            raise ValueError(f"mean and std must be lists of the same length, got {m.shape} and {s.shape}")
        if not (np.isfinite(m).all() and np.isfinite(s).all() and (s >= 0.0).all()):
            raise ValueError("mean and std must be finite numbers and std not negative")
        return cls(m, s)

    def __len__(self) -> int:
        return len(self.mean)


@dataclass(frozen=True)
class Statistics:
    """Statistics of the training data.

    Attributes
    ----------
    pressure : Moments
        Pressure head [m] of each layer, bottom first.
    source : Moments
        Net source [h-1] of each layer that has one, bottom first.
    statics : Moments or None
        Static channels; None where a checkpoint does not store them.
    """

    pressure: Moments
    source: Moments
    statics: Moments | None = None

    def __post_init__(self) -> None:
        for name, moments in (("pressure", self.pressure), ("source", self.source)):
            if not (moments.std > 0.0).all():
                layer = int(np.argmin(moments.std))
                raise ValueError(f"the standard deviation of the {name} of layer {layer} must be positive")


class Normaliser:
    """Turns fields (channel, y, x) into normalised ones and back, on one device and in one precision."""

    def __init__(self, moments: Moments, device: torch.device, dtype: torch.dtype) -> None:
        self._mean, self._std = (
            torch.from_numpy(a).to(device, dtype)[:, None, None] for a in (moments.mean, moments.std)
        )

    def normalise(self, field: Tensor) -> Tensor:
        """(field - mean) / std."""
        return (field - self._mean) / self._std

    def restore(self, field: Tensor) -> Tensor:
        """Field * std + mean."""
        return torch.addcmul(self._mean, field, self._std)


def moments_of_statics(statics: Array, mask: NDArray[np.bool_] | None = None) -> Moments:
    """Mean and n-1 standard deviation of each static channel (channel, y, x) over the active cells."""
    cells = statics.reshape(len(statics), -1) if mask is None else statics[:, mask]
    cells = np.asarray(cells, dtype=np.float64)
    std = cells.std(axis=1, ddof=1) if cells.shape[1] > 1 else np.zeros(len(cells))
    constant = np.ptp(cells, axis=1) == 0.0
    return Moments.of(np.where(constant, cells[:, 0], cells.mean(axis=1)), np.where(constant, 0.0, std))


def standardise_statics(statics: Array, moments: Moments, mask: NDArray[np.bool_] | None = None) -> Array:
    """Standardised static channels (channel, y, x); 0, the mean, where cells are inactive.

    Raises
    ------
    ConfigError
        If a channel that was constant in training has another value here: the network has never seen it vary, and
        the published formula would divide the difference by 1e-8.
    """
    mean, std = moments.mean[:, None, None], moments.std[:, None, None]
    active = np.broadcast_to(True if mask is None else mask, statics.shape)
    constant = np.broadcast_to(std == 0.0, statics.shape)
    other = constant & active & (np.abs(statics - mean) > _CONSTANT * np.abs(mean))
    if other.any():
        channel, j, i = (int(v) for v in np.argwhere(other)[0])
        raise ConfigError(
            f"static channel {channel} ({channel_name(channel, len(moments))}) was {moments.mean[channel]:g} "
            f"everywhere in the data that the network was trained on, this domain has {statics[channel, j, i]:g} "
            f"at {describe_cell((j, i))}"
        )
    standard = (statics - mean) / (std + STATIC_EPSILON)
    return np.asarray(np.where(active & ~constant, standard, 0.0))
