"""The structured surrogate as the trainer sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from bmi_common import Config, ConfigError, Domain
from bmi_common.run_records import thickness_mismatch
from bmi_surrogate.checkpoint import load_rootzone, save
from bmi_surrogate.structured import StructuredArchitecture, StructuredModel
from bmi_surrogate.structured.checkpoint import StructuredCheckpoint
from bmi_surrogate.structured.closure import Effort
from bmi_surrogate.structured.columns import FIELDS
from bmi_surrogate.structured.shared_correction import depth_of_centres, fitted_scale
from bmi_surrogate.training.task import Basin, Batch, Rollout, require_architecture
from bmi_surrogate.training.tiles import BatchColumns

_LEAST_SCALE = 1.0e-7
"""Of a layer's hourly change [m]: a layer in which nothing ever happens."""


class StructuredConfig(Config):
    """The section `surrogate:` for ``architecture: structured``.

    `layers` says what the weights are for: the layers of the training domain (`own`), all of which the correction sees
    together, or `any`, with a correction that all layers of a column share. `hidden` are the widths of its inner
    layers, unless given 64 and 64 for `own`, 16 and 16 for `any`. In the loss, errors of u count in units of the change
    that the column makes in that hour, so that quiet hours count as much as storms, but not less than `quiet` times
    each layer's typical change; beyond 1 in these units they count linearly.
    """

    architecture: Literal["structured"] = "structured"
    layers: Literal["own", "any"] = "own"
    hidden: Annotated[tuple[Annotated[int, Field(ge=1, le=4096)], ...], Field(min_length=1)] = (64, 64)
    refinements: Annotated[int, Field(ge=1)] = 1
    routing: Annotated[int, Field(ge=1)] = Effort().routing
    sweeps: Annotated[int, Field(ge=1)] = Effort().sweeps
    quiet: Annotated[float, Field(gt=0)] = 0.05

    @model_validator(mode="before")
    @classmethod
    def _usual_widths(cls, data: Any) -> Any:
        shared = isinstance(data, Mapping) and data.get("layers") == "any"
        return {"hidden": (16, 16), **data} if shared else data


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
        self._domains: list[Domain]

    def build(self, basins: Sequence[Basin], tile: int | None) -> StructuredModel:
        """Make a model that corrects nothing yet.

        Raises
        ------
        ConfigError
            If a domain lacks a field, or the basins have different layers and the weights are not for `any`.
        """
        domains = [basin.domain for basin in basins]
        for domain in domains:
            for name in FIELDS:
                domain.require(name, "the structured surrogate")
        self._batch_columns = BatchColumns(domains)
        spec, layers = self.spec, domains[0].nz
        for number, domain in enumerate(domains):
            difference = _difference(self._batch_columns.thickness[0], domain)
            if spec.layers == "own" and difference is not None:
                raise ConfigError(
                    f"has other layers than basins.0: {difference}; `surrogate: {{layers: any}}` trains one set of "
                    "weights for both",
                    key=f"basins.{number}.domain",
                )
        self._domains = domains
        return StructuredModel(self._architecture(layers))

    def _architecture(self, layers: int) -> StructuredArchitecture:
        spec = self.spec
        try:
            return StructuredArchitecture(
                "any" if spec.layers == "any" else layers, spec.hidden, spec.refinements, spec.routing, spec.sweeps
            )
        except ValueError as error:
            raise ConfigError(f"structured: {error}") from None

    def require_suits(self, weights: Path, domains: Sequence[Domain]) -> None:
        """Refuse weights to begin with that are another architecture's, or for other layers."""
        self._suitable(weights, domains[0])

    def _suitable(self, weights: Path, domain: Domain) -> StructuredCheckpoint:
        found = load_rootzone(weights)
        if not isinstance(found, StructuredCheckpoint):
            raise ConfigError(f"start_from: {weights} is predrnn, not structured")
        require_architecture(found.model.architecture, self._architecture(domain.nz), weights)
        difference = found.layer_thickness and _difference(found.layer_thickness, domain)
        if difference:
            raise ConfigError(f"start_from: {weights} holds weights for other layers: {difference}")
        return found

    def begin_with(self, module: nn.Module, weights: Path) -> None:
        """Take up the weights of a checkpoint; raises `ConfigError` if they are another architecture's."""
        _model(module).load_state_dict(self._suitable(weights, self._domains[0]).model.state_dict())

    @torch.no_grad()
    def calibrate(self, module: nn.Module, batches: Sequence[Batch]) -> None:
        """Take the typical hourly change of u in each layer, or fit it to the layers of all basins, by their depth."""
        model = _model(module)
        changes: dict[int, list[Tensor]] = {}
        for batch in batches:
            columns = self._batch_columns.of(batch)
            before, after = (columns.pack(batch.head[:, k]) for k in (0, 1))
            change = columns.retention.coordinate(after) - columns.retention.coordinate(before)
            basin = 0 if model.architecture.layers != "any" else batch.origins[0].basin
            changes.setdefault(basin, []).append(change.square().mean(dim=1))
        typical = {
            basin: torch.stack(squares).mean(dim=0).sqrt().clamp(min=_LEAST_SCALE) for basin, squares in changes.items()
        }
        if model.architecture.layers != "any":
            model.scale.copy_(typical[0][:, None])
            return
        thickness = (torch.tensor(self._batch_columns.thickness[basin], dtype=torch.float64) for basin in typical)
        depth = np.concatenate([depth_of_centres(dz[:, None])[:, 0].numpy() for dz in thickness])
        scale = np.concatenate([found.cpu().numpy() for found in typical.values()])
        model.scale.copy_(torch.from_numpy(fitted_scale(depth, scale)))

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
                scale = model.scale_of(columns)
                terms.append(self._error(scale, done.coordinate, before, after)[:, scored].mean())
        return {"increments": torch.stack(terms).mean()}

    def _error(self, scale: Tensor, found: Tensor, before: Tensor, after: Tensor) -> Tensor:
        activity = ((after - before) / scale).abs().mean(dim=0) + self.spec.quiet
        return nn.functional.huber_loss(found / (scale * activity), after / (scale * activity), reduction="none")

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
        """Write a checkpoint; that of weights for any layers says in words which they were trained on."""
        model, layerings = _model(module), self._batch_columns.thickness
        if model.architecture.layers != "any":
            return save(StructuredCheckpoint(model, layerings[0], provenance), path)
        words = "; ".join(f"{len(dz)} layers of {dz[0]:g} to {dz[-1]:g} m" for dz in dict.fromkeys(layerings))
        return save(StructuredCheckpoint(model, None, {**provenance, "trained_on": words}), path)


def _difference(layers: tuple[float, ...], domain: Domain) -> str | None:
    """Say how layers [m] differ from those of a domain; None where they do not."""
    if len(layers) != domain.nz:
        return f"{len(layers)} layers there, {domain.nz} here"
    k = thickness_mismatch(layers, domain)
    return None if k is None else f"layer {k} (from the bottom) is {layers[k]:g} m thick there, {domain.dz[k]:g} m here"


def _model(module: nn.Module) -> StructuredModel:
    if not isinstance(module, StructuredModel):
        raise TypeError(f"a StructuredModel is needed, not {type(module).__name__}")
    return module
