"""PredRNN, published and improved, as a task of the trainer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from bmi_common import Config, ConfigError, Domain
from bmi_common.arrays import Array
from bmi_surrogate import checkpoint as checkpoints
from bmi_surrogate.predrnn.checkpoint import PredRNNCheckpoint
from bmi_surrogate.predrnn.closed_balance import closed_head
from bmi_surrogate.predrnn.emulator import require_compilable
from bmi_surrogate.predrnn.network import Architecture, CellStep, Memory, NetworkStep, PredRNN
from bmi_surrogate.predrnn.normalisation import STATIC_EPSILON, Moments, Normaliser, Statistics
from bmi_surrogate.predrnn.tiling import Tiling
from bmi_surrogate.structured import ColumnProperties
from bmi_surrogate.structured.column_solve import Base
from bmi_surrogate.structured.columns import FIELDS
from bmi_surrogate.training import losses
from bmi_surrogate.training.task import Basin, Batch, DataStatistics, Rollout, require_architecture
from bmi_surrogate.training.tiles import BatchColumns

Count = Annotated[int, Field(ge=1, le=1024)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class LossWeights(Config):
    """Weight of each term of the loss; a term of weight 0 is not computed. The defaults are the published ones.

    Attributes
    ----------
    pressure : float
        Mean squared error of normalised pressure.
    differences : float
        Mean absolute error of its differences between neighbours.
    decoupling : float
        Likeness of what the two memories of a cell take up.
    increments : float
        Mean squared error of hourly changes, in units of their standard deviation in each layer.
    relative : float
        Error of wetness in units of what the hour changes (`losses.relative_error`).
    storage : float
        Mean absolute error of the hourly change of the water column [mm].
    """

    pressure: Weight = 1.0
    differences: Weight = 0.1
    decoupling: Weight = 1.0
    increments: Weight = 0.0
    relative: Weight = 0.0
    storage: Weight = 0.0

    @model_validator(mode="after")
    def _learns_something(self) -> LossWeights:
        if not self.used().keys() - {"decoupling"}:
            raise ValueError("a term beside decoupling must have a weight above 0")
        return self

    def used(self) -> dict[str, float]:
        """Weights of the terms that are computed, by name."""
        return {name: weight for name, weight in self.model_dump().items() if weight > 0.0}


class PredRNNConfig(Config):
    """Architecture and loss of a PredRNN. The defaults are the published ones.

    Attributes
    ----------
    hidden, cells : int
        Hidden channels of each cell, number of cells.
    kernel : int
        Side of the convolutions, odd.
    attention, attention_form, attention_window, attention_heads, attention_dropout, increments, static_features,
    state_features, balance, base
        As in `bmi_surrogate.predrnn.network.Architecture`.
    loss : LossWeights
        Weight of each term of the loss.
    """

    architecture: Literal["predrnn"] = "predrnn"
    hidden: Count = 16
    cells: Annotated[int, Field(ge=1, le=64)] = 2
    kernel: Annotated[int, Field(ge=1, le=99)] = 3
    attention: Literal["none", "pool", "xyconv"] = "none"
    attention_form: Literal["added", "published"] = "added"
    attention_window: Count | None = 24
    attention_heads: Count = 8
    attention_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    increments: Literal["pressure", "scaled"] = "pressure"
    static_features: Annotated[int, Field(ge=0, le=1024)] = 0
    state_features: bool = False
    balance: Literal["open", "closed"] = "open"
    base: Literal["persistence", "solve"] = "persistence"
    loss: LossWeights = LossWeights()

    @model_validator(mode="after")
    def _possible(self) -> PredRNNConfig:
        self.of_shape(layers=11, source_layers=10, statics=46, side=None)
        return self

    def of_shape(self, layers: int, source_layers: int, statics: int, side: int | None) -> Architecture:
        """Return the architecture for so many layers, layers with a source and static channels, and a side of tiles.

        Raises
        ------
        ValueError
            If options contradict each other.
        """
        options = self.model_dump(exclude={"architecture", "loss", "hidden", "cells"})
        if side is not None:
            options["attention_side"] = side
        return Architecture(layers, source_layers, statics, (self.hidden,) * self.cells, **options)


class TrainablePredRNN(nn.Module):
    """A network with all it needs to take and give physical units, as `bmi_surrogate.PredRNNEmulator` does at work.

    Its forward pass gives the terms of the loss.

    Parameters
    ----------
    network : PredRNN
        The network.
    statistics : Statistics
        Normalisation.
    increments : Moments
        Change of pressure head in an hour [m].
    thickness : ndarray, shape (layers,)
        Layer thickness [m].
    tile : int or "whole"
        Side of the tiles that the network is trained on, or the whole domain at once.
    terms : collection of str
        Terms of the loss to compute, as in `LossWeights`.
    batch_columns : BatchColumns, optional
        For a network whose balance is closed after every hour.
    """

    def __init__(
        self,
        network: PredRNN,
        statistics: Statistics,
        increments: Moments,
        thickness: Array,
        tile: int | Literal["whole"],
        terms: frozenset[str],
        batch_columns: BatchColumns | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.statistics = statistics
        self.increments = increments
        self.thickness = thickness
        self.tile = tile
        self.terms = terms
        self.batch_columns = batch_columns
        # takes the network as an argument, so that a compiled one serves copies of this module with their own weights
        self.advance: Callable[[PredRNN, Tensor, Tensor, Memory], NetworkStep] = PredRNN.step

    def forward(self, batch: Batch, rollout: Rollout) -> dict[str, Tensor]:
        """Terms of the loss over the hours that count."""
        first = rollout.drifting
        scaled = self._scaled(batch, rollout.hours)
        x = scaled.pressure(0)
        with torch.no_grad() if first else nullcontext():
            memory = self.network.start(x, scaled.statics)
            for hour in range(first):
                x, memory, _ = self._step(x, memory, scaled, hour)
        if first:
            memory = memory._replace(statics=self.network.encode_statics(scaled.statics))
        states: list[Tensor] = [x]
        cells: list[CellStep] = []
        for hour in range(first, rollout.hours):
            x, memory, of_hour = self._step(x, memory, scaled, hour)
            states.append(x)
            cells += of_hour
        found = self._of_states(torch.stack(states[1:], dim=1), scaled.pressure(slice(first + 1, None)), batch.scored)
        if "decoupling" in self.terms:
            adapt = self.network.adapter
            each = [losses.decoupling(adapt(s.c_increment), adapt(s.m_increment), batch.scored) for s in cells]
            found["decoupling"] = torch.stack(each).mean().float()
        if self.terms & {"increments", "relative", "storage"}:
            found |= self._of_changes(torch.stack(states, dim=1), batch, rollout)
        return found

    @torch.no_grad()
    def predict(self, batch: Batch, hours: int) -> Tensor:
        """Pressure head [m] at the end of every hour, double precision; 0 in inactive cells.

        A domain is cut into the tiles that the network is trained on, which go their own ways, as at work.
        """
        shape = (batch.head.shape[-2], batch.head.shape[-1])
        if self.tile == "whole" or shape == (self.tile, self.tile):
            return self._predict(batch, hours)
        found = []
        for index in range(len(batch.head)):
            sample = batch.sample(index)
            mask = sample.active[0, 0].cpu().numpy()
            tiling = Tiling(shape, (self.tile, self.tile), mask, sample.head.device)
            heads = self._predict(_cut(sample, tiling), hours)
            whole = tiling.assemble(heads.flatten(1, 2)).view(hours, -1, *shape)
            found.append(torch.where(sample.active[0], whole, 0.0))
        return torch.stack(found)

    def _predict(self, batch: Batch, hours: int) -> Tensor:
        scaled = self._scaled(batch, hours)
        x = scaled.pressure(0)
        memory = self.network.start(x, scaled.statics)
        outputs: list[Tensor] = []
        for hour in range(hours):
            x, memory, _ = self._step(x, memory, scaled, hour)
            outputs.append(scaled.of_pressure.restore(x).double().masked_fill(scaled.inactive, 0.0))
        return torch.stack(outputs, dim=1)

    def _step(self, x: Tensor, memory: Memory, scaled: _Scaled, hour: int) -> NetworkStep:
        done = self.advance(self.network, x, scaled.source(hour), memory)
        if scaled.columns is None:
            return done._replace(pressure=done.pressure.masked_fill(scaled.inactive, 0.0))
        base = self.network.architecture.base
        return done._replace(pressure=scaled.closed(scaled.columns, x, hour, done.pressure, base))

    def _scaled(self, batch: Batch, hours: int) -> _Scaled:
        if hours > batch.hours:
            raise ValueError(f"a rollout of {hours} hours needs windows as long, these have {batch.hours}")
        columns = None if self.batch_columns is None else self.batch_columns.of(batch)
        return _Scaled(batch, hours, self.statistics, self.network.conv_last.weight, columns)

    def _of_states(self, prediction: Tensor, truth: Tensor, scored: Tensor) -> dict[str, Tensor]:
        """Terms of normalised pressure."""
        found: dict[str, Tensor] = {}
        if "pressure" in self.terms:
            found["pressure"] = losses.squared_error(prediction, truth, scored)
        if "differences" in self.terms:
            found["differences"] = losses.difference_error(prediction, truth, scored)
        return found

    def _of_changes(self, states: Tensor, batch: Batch, rollout: Rollout) -> dict[str, Tensor]:
        """Terms of hourly changes, in double precision: they are small differences of large numbers."""
        truth = batch.head[:, rollout.drifting : rollout.hours + 1]
        head = Normaliser(self.statistics.pressure, truth.device, truth.dtype).restore(states.double())
        found: dict[str, Tensor] = {}
        if "increments" in self.terms:
            unit = torch.from_numpy(self.increments.std).to(head)[:, None, None]
            found["increments"] = losses.increment_error(head / unit, truth / unit, batch.scored).float()
        if "relative" in self.terms:
            found["relative"] = losses.relative_error(head, truth, batch.scored).float()
        if "storage" in self.terms:
            thickness = torch.from_numpy(self.thickness).to(head)
            fields = {name: batch.fields[name].double() for name in losses.STORAGE_FIELDS}
            found["storage"] = losses.storage_error(head, truth, batch.scored, thickness, fields).float()
        return found


class _Scaled:
    """A batch as the network takes it: normalised, 0 in inactive cells."""

    def __init__(
        self, batch: Batch, hours: int, statistics: Statistics, like: Tensor, columns: ColumnProperties | None = None
    ) -> None:
        self.columns = columns
        moments = statistics.statics
        assert moments is not None  # the task gives them
        self.of_pressure = Normaliser(statistics.pressure, like.device, like.dtype)
        self._of_source = Normaliser(statistics.source, like.device, like.dtype)
        self._head, self._source, self._dtype = batch.head[:, : hours + 1], batch.source, like.dtype
        self.inactive = ~batch.active
        varies = moments.std > 0.0
        spread = Moments.of(moments.mean, np.where(varies, moments.std + STATIC_EPSILON, 1.0))
        statics = Normaliser(spread, like.device, torch.float64).normalise(batch.statics.double())
        constant = torch.from_numpy(~varies).to(like.device)[:, None, None]
        self.statics = statics.masked_fill(self.inactive | constant, 0.0).to(like.dtype)

    def pressure(self, hours: int | slice) -> Tensor:
        """Pressure at the start of an hour, or of several."""
        normal = self.of_pressure.normalise(self._head[:, hours].to(self._dtype))
        return normal.masked_fill(self.inactive if normal.ndim == 4 else self.inactive[:, None], 0.0)

    def source(self, hour: int) -> Tensor:
        """Net source of an hour."""
        return self._of_source.normalise(self._source[:, hour].to(self._dtype)).masked_fill(self.inactive, 0.0)

    def closed(self, columns: ColumnProperties, before: Tensor, hour: int, predicted: Tensor, base: Base) -> Tensor:
        """Normalised pressure at the end of an hour after the balance of every column was closed."""
        before, predicted = (columns.pack(self.of_pressure.restore(x).double()) for x in (before, predicted))
        source = columns.pack(self._source[:, hour])
        head = closed_head(columns, before, source, predicted, base, before.device.type == "cpu")
        return self.of_pressure.normalise(columns.unpack(head).to(self._dtype)).masked_fill(self.inactive, 0.0)


def _cut(sample: Batch, tiling: Tiling) -> Batch:
    """Cut a batch of one sample into tiles, for a prediction: the head at the start only."""

    def tiles(field: Tensor) -> Tensor:
        return tiling.split(field[0])

    hours, layers = sample.source.shape[1:3]
    sources = tiling.split(sample.source[0].flatten(0, 1)).view(-1, hours, layers, *tiling.tile)
    active = tiles(sample.active)
    head = tiles(sample.head[:, 0]).unsqueeze(1)
    return Batch(head, sources, tiles(sample.statics), {}, active, active, [*sample.origins] * tiling.count)


class PredRNNTask:
    """PredRNN as the trainer sees it; see `bmi_surrogate.training.task.Task`.

    Parameters
    ----------
    spec : PredRNNConfig
        Architecture and loss.
    """

    def __init__(self, spec: PredRNNConfig) -> None:
        self.spec = spec

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields of the domain that every batch must carry, for the storage term or to close balances."""
        if self.spec.balance == "closed":
            return FIELDS
        return losses.STORAGE_FIELDS if "storage" in self.weights else ()

    @property
    def weights(self) -> Mapping[str, float]:
        """Weight of each term that `loss` returns."""
        return self.spec.loss.used()

    def build(self, basins: Sequence[Basin], tile: int | None) -> TrainablePredRNN:
        """Make an untrained module from PyTorch's random numbers.

        Raises
        ------
        ConfigError
            If there are several basins, the tile does not suit the architecture, or a layer of the training data never
            changes.
        """
        if len(basins) > 1:
            raise ConfigError("basins: one is all that `architecture: predrnn` can be trained on")
        domain, statics, statistics = basins[0].domain, basins[0].statics, basins[0].statistics
        shape = (domain.ny, domain.nx) if tile is None else (tile, tile)
        if self.spec.attention == "xyconv" and shape[0] != shape[1]:
            raise ConfigError(
                f"attention: xyconv takes square tiles only, the whole domain has {shape[0]} x {shape[1]} cells; "
                "set the side of the tiles"
            )
        if min(shape) <= self.spec.kernel // 2:
            raise ConfigError(f"kernel: {self.spec.kernel} is too large for tiles of {min(shape)} cells a side")
        self._require_changes(statistics)
        try:
            normalisation = Statistics(statistics.pressure, statistics.source, statistics.statics)
            architecture = self.spec.of_shape(domain.nz, len(statistics.source), len(statics), min(shape))
        except ValueError as error:
            raise ConfigError(f"the training data do not suit the network: {error}") from error
        network = PredRNN(architecture)
        if architecture.increments == "scaled":
            scale = statistics.increments.std / statistics.pressure.std
            network.get_buffer("increment_scale").copy_(torch.from_numpy(scale))
        if architecture.base == "solve":
            torch.nn.init.zeros_(network.conv_last.weight)  # begins with the solve alone, to be judged beside it
        if architecture.state_features:
            thickness = domain.dz
            for name, value in (
                ("head_mean", statistics.pressure.mean),
                ("head_std", statistics.pressure.std),
                ("layer_distance", 0.5 * (thickness[1:] + thickness[:-1])),
            ):
                network.get_buffer(name).copy_(torch.from_numpy(value))
        batch_columns = self._batch_columns(domain, tile) if architecture.balance == "closed" else None
        terms = frozenset(self.weights)
        return TrainablePredRNN(
            network, normalisation, statistics.increments, domain.dz, tile or "whole", terms, batch_columns
        )

    def _batch_columns(self, domain: Domain, tile: int | None) -> BatchColumns:
        if tile is not None:
            raise ConfigError(
                f"balance: closed needs `tile: whole`, because water flows across the edges of tiles of {tile} cells"
            )
        for name in FIELDS:
            domain.require(name, "balance: closed")
        return BatchColumns([domain])

    def require_suits(self, weights: Path, domains: Sequence[Domain]) -> None:
        """Refuse weights to begin with that are no PredRNN's; what the data decide is left to `begin_with`."""
        _predrnn(weights)

    def begin_with(self, module: nn.Module, weights: Path) -> None:
        """Take up the weights of a checkpoint and its statistics; `ConfigError` if they are another architecture's."""
        own, found = _own(module), _predrnn(weights)
        require_architecture(found.network.architecture, own.network.architecture, weights)
        own.network.load_state_dict(found.network.state_dict())
        own.statistics = found.statistics

    def _require_changes(self, statistics: DataStatistics) -> None:
        if self.spec.increments != "scaled" and "increments" not in self.weights:
            return
        still = np.flatnonzero(statistics.increments.std <= 0.0)
        if len(still):
            raise ConfigError(
                f"pressure head of layer {still[0]} (from the bottom) never changes in the training data, so that "
                "increments cannot be scaled; use `increments: pressure` and no weight of increments"
            )

    def calibrate(self, module: nn.Module, batches: Sequence[Batch]) -> None:
        """Do nothing: the statistics of the data are all that a PredRNN needs."""

    def loss(self, module: nn.Module, batch: Batch, rollout: Rollout) -> dict[str, Tensor]:
        """Terms of the loss by name, scalars, not yet weighted."""
        terms: dict[str, Tensor] = module(batch, rollout)
        return terms

    def predict(self, module: nn.Module, batch: Batch, rollout: Rollout) -> Tensor:
        """Pressure head [m] at the end of every hour, (batch, hours, layers, y, x); 0 in inactive cells."""
        return _own(module).predict(batch, rollout.hours)

    def compiled(self, module: nn.Module) -> None:
        """Let `torch.compile` speed up the module in place; raises `ConfigError` where that is impossible."""
        own = _own(module)
        require_compilable(own.network.architecture, own.network.conv_last.weight.device)
        own.advance = torch.compile(PredRNN.step, dynamic=False)

    def save(self, module: nn.Module, path: Path, provenance: Mapping[str, str]) -> Path:
        """Write a checkpoint that `BmiSurrogate` reads, ``path.safetensors`` and ``path.yaml``; returns the former."""
        own = _own(module)
        thickness = tuple(float(dz) for dz in own.thickness)
        return checkpoints.save(
            PredRNNCheckpoint(own.network, own.statistics, own.tile, thickness, dict(provenance)), path
        )


def _own(module: nn.Module) -> TrainablePredRNN:
    if not isinstance(module, TrainablePredRNN):
        raise TypeError(f"not a module of this task: {type(module).__name__}")
    return module


def _predrnn(weights: Path) -> PredRNNCheckpoint:
    found = checkpoints.load_rootzone(weights)
    if not isinstance(found, PredRNNCheckpoint):
        raise ConfigError(f"start_from: {weights} is structured, not predrnn")
    return found
