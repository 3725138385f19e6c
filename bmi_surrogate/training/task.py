"""What the trainer needs from an architecture, and what it gives: one `Task` an architecture.

The trainer knows nothing of networks. It draws batches in physical units, asks the task for the terms of the loss,
weights and sums them, steps the optimiser, and judges heads that the task predicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from bmi_common import ConfigError, Domain
from bmi_common.arrays import Array
from bmi_surrogate.predrnn.normalisation import Moments

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True)
class DataStatistics:
    """Statistics of the training hours over active cells, one number a layer, bottom first.

    Attributes
    ----------
    pressure : Moments
        Pressure head [m].
    increments : Moments
        Change of pressure head in an hour [m].
    source : Moments
        Net source [h-1] of the layers that can have one, the uppermost ones.
    statics : Moments
        Static channels, over the active cells of the domain.
    """

    pressure: Moments
    increments: Moments
    source: Moments
    statics: Moments


@dataclass(frozen=True)
class Basin:
    """What a module is built for.

    Attributes
    ----------
    domain : Domain
        Layers, soil and terrain.
    statics : ndarray, shape (channels, ny, nx)
        Raw static channels.
    statistics : DataStatistics
        Of the training hours.
    """

    domain: Domain
    statics: Array
    statistics: DataStatistics


class Origin(NamedTuple):
    """Where a sample of a batch comes from: all of a batch are of one basin.

    Attributes
    ----------
    hour : int
        First hour, counted over all training data of the basin.
    row, column : int
        South-western cell of the tile in the domain.
    flip_y, flip_x : bool
        Whether the tile was turned over south to north and west to east.
    basin : int
        Number of the basin, in the order of the configuration.
    """

    hour: int
    row: int
    column: int
    flip_y: bool = False
    flip_x: bool = False
    basin: int = 0

    def __str__(self) -> str:
        turned = [name for name, done in (("y", self.flip_y), ("x", self.flip_x)) if done]
        flips = f", flipped in {' and '.join(turned)}" if turned else ""
        basin = f"basins.{self.basin}, " if self.basin else ""
        return f"{basin}hour {self.hour}, tile at cell (j={self.row}, i={self.column}){flips}"


@dataclass(frozen=True)
class Batch:
    """Windows of the training data in physical units, on the device of the module.

    Attributes
    ----------
    head : Tensor, shape (batch, hours + 1, layers, y, x)
        Pressure head [m] at the start and at the end of every hour, float64; 0 in inactive cells.
    source : Tensor, shape (batch, hours, source layers, y, x)
        Net source [h-1] of every hour, into the soil positive, float32; 0 in inactive cells.
    statics : Tensor, shape (batch, channels, y, x)
        Static channels as they are (`bmi_surrogate.predrnn.statics`), float32.
    fields : mapping of str to Tensor, shape (batch, layers or 1, y, x)
        The fields of the domain that the task asked for, by the attribute's name in `Domain`, or the conveyances of
        faces (`bmi_surrogate.training.tiles.Ground`); float32, finite also in inactive cells.
    active : Tensor of bool, shape (batch, 1, y, x)
        Cells that take part.
    scored : Tensor of bool, shape (batch, 1, y, x)
        Cells that count in loss and errors: active ones far enough from where the tile cuts the domain.
    origins : sequence of Origin
        Where each sample comes from.
    """

    head: Tensor
    source: Tensor
    statics: Tensor
    fields: Mapping[str, Tensor]
    active: Tensor
    scored: Tensor
    origins: Sequence[Origin]

    @property
    def hours(self) -> int:
        """Length of the windows."""
        return self.source.shape[1]

    def to(self, device: torch.device) -> Batch:
        """Copy to a device."""
        return Batch(
            self.head.to(device),
            self.source.to(device),
            self.statics.to(device),
            {name: field.to(device) for name, field in self.fields.items()},
            self.active.to(device),
            self.scored.to(device),
            self.origins,
        )

    def sample(self, index: int) -> Batch:
        """One sample as a batch of its own."""
        one = slice(index, index + 1)
        fields = {name: field[one] for name, field in self.fields.items()}
        return Batch(
            self.head[one],
            self.source[one],
            self.statics[one],
            fields,
            self.active[one],
            self.scored[one],
            self.origins[one],
        )


@dataclass(frozen=True)
class Rollout:
    """How far a module is rolled out, and through how much of it gradients flow.

    Attributes
    ----------
    hours : int
        Hours from the first head of the window.
    gradient_hours : int or None
        Only so many hours at the end count and carry gradients: what lies before drifts on the module's own states
        (Brandstetter et al. 2022, push-forward). None for all.
    """

    hours: int
    gradient_hours: int | None = None

    @property
    def drifting(self) -> int:
        """Hours at the start that neither count nor carry gradients."""
        return 0 if self.gradient_hours is None else max(0, self.hours - self.gradient_hours)


def require_architecture(there: DataclassInstance, here: DataclassInstance, weights: Path) -> None:
    """Refuse weights to begin with whose architecture is not that of the training; names the first difference."""
    for field in fields(here):
        theirs, ours = getattr(there, field.name), getattr(here, field.name)
        if theirs != ours:
            raise ConfigError(
                f"start_from: {weights} holds weights of another architecture: {field.name} is {theirs} there, "
                f"{ours} in this training"
            )


class Task(Protocol):
    """An architecture as the trainer sees it.

    Attributes
    ----------
    fields : tuple of str
        Fields of the domain that every batch must carry.
    weights : mapping of str to float
        Weight of each term that `loss` returns.
    """

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of the domain that every batch must carry, by the attribute's name in `Domain`."""
        ...

    @property
    def weights(self) -> Mapping[str, float]:
        """Weight of each term that `loss` returns."""
        ...

    def build(self, basins: Sequence[Basin], tile: int | None) -> nn.Module:
        """Make an untrained module from PyTorch's random numbers.

        `tile` is the side of the tiles, None for the whole domain. Raises `ConfigError` where basins or tile do not fit
        the configuration of the architecture.
        """
        ...

    def require_suits(self, weights: Path, domains: Sequence[Domain]) -> None:
        """Refuse, with `ConfigError`, weights to begin with that can be seen not to suit before data are prepared."""
        ...

    def begin_with(self, module: nn.Module, weights: Path) -> None:
        """Take up the weights of a checkpoint; raises `ConfigError` if they are another architecture's."""
        ...

    def calibrate(self, module: nn.Module, batches: Sequence[Batch]) -> None:
        """Take what else the module needs to know of its data from some batches of single hours."""
        ...

    def loss(self, module: nn.Module, batch: Batch, rollout: Rollout) -> dict[str, Tensor]:
        """Terms of the loss by name, scalars, not yet weighted."""
        ...

    def predict(self, module: nn.Module, batch: Batch, rollout: Rollout) -> Tensor:
        """Pressure head [m] at the end of every hour, (batch, hours, layers, y, x); called without gradients."""
        ...

    def compiled(self, module: nn.Module) -> None:
        """Let `torch.compile` speed up the module in place; raises `ConfigError` where that is impossible."""
        ...

    def save(self, module: nn.Module, path: Path, provenance: Mapping[str, str]) -> Path:
        """Write a checkpoint that `BmiSurrogate` reads, ``path.safetensors`` and ``path.yaml``; returns the former."""
        ...
