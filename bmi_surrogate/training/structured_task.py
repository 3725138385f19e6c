"""The structured surrogate as the trainer sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from bmi_common import Config, ConfigError, Domain
from bmi_common.arrays import Array
from bmi_surrogate.checkpoint import save
from bmi_surrogate.structured import StructuredArchitecture, StructuredModel
from bmi_surrogate.structured.checkpoint import StructuredCheckpoint
from bmi_surrogate.structured.closure import Effort
from bmi_surrogate.structured.columns import FIELDS
from bmi_surrogate.training.task import Batch, DataStatistics, Rollout
from bmi_surrogate.training.tiles import BatchColumns

_LEAST_SCALE = 1.0e-7
"""Of a layer's hourly change [m]: a layer in which nothing ever happens."""


class StructuredConfig(Config):
    """The section `surrogate:` for ``architecture: structured``.

    `hidden` are the widths of the correction's inner layers. In the loss, errors of u count in units of the change that
    the column makes in that hour, so that quiet hours count as much as storms, but not less than `quiet` times each
    layer's typical change; beyond 1 in these units they count linearly.
    """

    architecture: Literal["structured"] = "structured"
    hidden: Annotated[tuple[Annotated[int, Field(ge=1, le=4096)], ...], Field(min_length=1)] = (64, 64)
    refinements: Annotated[int, Field(ge=1)] = 1
    routing: Annotated[int, Field(ge=1)] = Effort().routing
    sweeps: Annotated[int, Field(ge=1)] = Effort().sweeps
    quiet: Annotated[float, Field(gt=0)] = 0.05


class StructuredTask:
    """Trains the correction of the structured surrogate; a `Task`.

    Parameters
    ----------
    spec : StructuredConfig
        Shapes and loss.
    """

    fields: tuple[str, ...] = FIELDS

    def __init__(self, spec: StructuredConfig) -> None:
        self.spec = spec
        self.weights: Mapping[str, float] = {"increments": 1.0}
        self._batch_columns: BatchColumns

    def build(self, statistics: DataStatistics, statics: Array, domain: Domain, tile: int | None) -> StructuredModel:
        """Make a model that corrects nothing yet."""
        for name in FIELDS:
            domain.require(name, "the structured surrogate")
        self._batch_columns = BatchColumns(domain)
        spec = self.spec
        try:
            architecture = StructuredArchitecture(domain.nz, spec.hidden, spec.refinements, spec.routing, spec.sweeps)
        except ValueError as error:
            raise ConfigError(f"structured: {error}") from None
        return StructuredModel(architecture)

    @torch.no_grad()
    def calibrate(self, module: nn.Module, batches: Sequence[Batch]) -> None:
        """Take the typical hourly change of u in each layer."""
        model = _model(module)
        changes = []
        for batch in batches:
            columns = self._batch_columns.of(batch)
            before, after = (columns.pack(batch.head[:, k]) for k in (0, 1))
            change = columns.retention.coordinate(after) - columns.retention.coordinate(before)
            changes.append(change.square().mean(dim=1))
        model.scale.copy_(torch.stack(changes).mean(dim=0).sqrt().clamp(min=_LEAST_SCALE)[:, None])

    def loss(self, module: nn.Module, batch: Batch, rollout: Rollout) -> dict[str, Tensor]:
        """Error of u after every hour that counts, in units of the hour's own change."""
        model, columns = _model(module), self._batch_columns.of(batch)
        scored = columns.pack(batch.scored)[0]
        head = columns.pack(batch.head[:, 0])
        terms = []
        for hour in range(rollout.hours):
            drifts = hour < rollout.drifting
            with torch.set_grad_enabled(not drifts):
                done = module(columns, head, columns.pack(batch.source[:, hour]), head.device.type == "cpu")
            head = done.head
            if not drifts:
                before, after = (columns.retention.coordinate(columns.pack(batch.head[:, k])) for k in (hour, hour + 1))
                terms.append(self._error(model, done.coordinate, before, after)[:, scored].mean())
        return {"increments": torch.stack(terms).mean()}

    def _error(self, model: StructuredModel, found: Tensor, before: Tensor, after: Tensor) -> Tensor:
        activity = ((after - before) / model.scale).abs().mean(dim=0) + self.spec.quiet
        return nn.functional.huber_loss(
            found / (model.scale * activity), after / (model.scale * activity), reduction="none"
        )

    @torch.no_grad()
    def predict(self, module: nn.Module, batch: Batch, rollout: Rollout) -> Tensor:
        """Pressure head [m] at the end of every hour, (batch, hours, layers, y, x), 0 in inactive cells."""
        columns = self._batch_columns.of(batch)
        head, heads = columns.pack(batch.head[:, 0]), []
        for hour in range(rollout.hours):
            head = module(columns, head, columns.pack(batch.source[:, hour]), head.device.type == "cpu").head
            heads.append(columns.unpack(head))
        return torch.stack(heads, dim=1)

    def compiled(self, module: nn.Module) -> None:
        """Refuse: the search of the closure has no fixed length."""
        raise ConfigError("compile: true is not possible with the structured surrogate")

    def save(self, module: nn.Module, path: Path, provenance: Mapping[str, str]) -> Path:
        """Write a checkpoint."""
        return save(StructuredCheckpoint(_model(module), self._batch_columns.thickness, provenance), path)


def _model(module: nn.Module) -> StructuredModel:
    if not isinstance(module, StructuredModel):
        raise TypeError(f"a StructuredModel is needed, not {type(module).__name__}")
    return module
