"""The hour of a structured surrogate in Fortran: `StructuredModel` without gradients, on a CPU.

The mathematics is that of the modules beside this one; both give the same heads but for rounding. Columns lie in blocks
of lanes, (lane, layer, block), as the kernel wants them; lanes without a column hold dry soil without neighbours.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bmi_common.arrays import Array
from bmi_common.flow_order import FlowNetwork
from bmi_common.neighbours import Neighbours
from bmi_common.partition import Part
from bmi_surrogate import _kernel
from bmi_surrogate.structured.column_solve import Base
from bmi_surrogate.structured.columns import ColumnProperties
from bmi_surrogate.structured.correction import feature_count, soil_features
from bmi_surrogate.structured.model import ROUGHLY, StructuredModel
from bmi_surrogate.structured.shared_correction import (
    LAYER_FEATURES,
    InnerLayer,
    SharedCorrection,
    soil_features_of_layers,
)
from bmi_surrogate.structured.shared_hour import SharedHour

_LANES, _GROUP, _FLAT_MEMORY, _LAYER_MEMORY = _kernel.sizes()
_COLUMNS_WORTH_A_THREAD = 500
_DRY_HEAD = -1.0
_BASES: Final[dict[Base, int]] = {"persistence": 1, "solve": 2}


class Prediction(NamedTuple):
    """What another model predicts for the end of the hour.

    Attributes
    ----------
    head : ndarray, shape (layers, ny, nx)
        Pressure head [m].
    base : {"persistence", "solve"}
        Whether the increment that leads to it is all, or is added to that of the column solve.
    """

    head: Array
    base: Base


class CompiledEngine:
    """Advances the heads of a domain by hours; an `Engine`.

    Parameters
    ----------
    model : StructuredModel
        Weights; copied.
    columns : ColumnProperties
        Soil and terrain of one map, on the CPU; copied.
    threads : int, optional
        Threads; by default as many as OpenMP would use, but one for every 500 columns at most.
    shared : (Part, FlowNetwork), optional
        Part of a domain that processes share, and the columns of it and of its halo, in the order of `columns`.
    """

    def __init__(
        self,
        model: StructuredModel,
        columns: ColumnProperties,
        threads: int | None = None,
        shared: tuple[Part, FlowNetwork] | None = None,
    ) -> None:
        self._blocks, self._cells = _Blocks(columns.count), columns.cells.numpy()
        self._shape = (columns.porosity.shape[0], *columns.shape[1:])
        self._threads = threads or min(int(_kernel.max_threads()), columns.count // _COLUMNS_WORTH_A_THREAD + 1)
        effort = model.architecture.effort
        levels = len(columns.levels) - 1 if shared is None else shared[0].levels
        self._arguments: dict[str, Any] = {
            **_soil(columns, self._blocks),
            **_terrain(columns, self._blocks, columns.count if shared is None else shared[1].own),
            **_network(model, columns, self._blocks),
            "scale": _numbers(model.scale_of(columns)[:, 0]),
            "refinements": model.architecture.refinements,
            "sweeps": effort.sweeps,
            "later_sweeps": effort.later_sweeps,
            "rough_sweeps": ROUGHLY.sweeps,
            "repetitions": effort.repetitions(levels),
            "memory": np.empty(self._blocks.blocks * (_FLAT_MEMORY + self._shape[0] * _LAYER_MEMORY)),
        }
        self._head = self._blocks.layered(np.full((self._shape[0], columns.count), _DRY_HEAD), _DRY_HEAD)
        self._hour = None
        if shared is not None:
            part, network = shared
            self._hour = SharedHour(Neighbours(part, network), columns.levels, self._arguments, self._shape[0])

    @property
    def head(self) -> Array:
        """Pressure head [m] of the columns, (layers, columns)."""
        return self._blocks.columns_of(self._head)

    @head.setter
    def head(self, head: Array) -> None:
        self._head = self._blocks.layered(head, _DRY_HEAD)

    def step(self, source: Array, prediction: Prediction | None = None) -> Array:
        """Advance an hour.

        Parameters
        ----------
        source : ndarray, shape (source layers, ny, nx)
            Net source [h-1].
        prediction : Prediction, optional
            Close the balances from this, in the place of refinements.

        Returns
        -------
        ndarray, shape (layers, ny, nx)
            Pressure head [m] at the end, NaN in inactive cells.
        """
        maps = np.full((self._shape[0], self._shape[1] * self._shape[2]), np.nan)
        supply = np.ascontiguousarray(source, dtype=np.float64).reshape(len(source), -1)
        advance = partial(
            _kernel.advance,
            supply=supply.T,
            head=self._head,
            map=maps.T,
            threads=self._threads,
            **self._predicted(prediction),
            **self._arguments,
        )
        if self._hour is None:
            advance(stage=0, first=0, last=0)
        else:
            self._hour.advance(advance, self._head)
        return maps.reshape(self._shape)

    def _predicted(self, prediction: Prediction | None) -> dict[str, Any]:
        if prediction is None:
            return {"base": 0, "prediction_head": np.zeros((_LANES, self._shape[0], 1), order="F")}
        head = prediction.head.reshape(self._shape[0], -1)[:, self._cells]
        return {"base": _BASES[prediction.base], "prediction_head": self._blocks.layered(head, _DRY_HEAD)}


class _Blocks:
    """Puts columns into blocks; at least one lane stays without a column."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.blocks = columns // _LANES + 1
        self.lanes = self.blocks * _LANES

    def layered(self, values: Array, fill: float) -> NDArray[Any]:
        """Put (layers, columns) into (lane, layer, block)."""
        rows = self.row(values, fill).reshape(len(values), self.blocks, _LANES)
        return np.ascontiguousarray(rows.transpose(1, 0, 2)).T

    def flat(self, values: NDArray[Any], fill: float) -> NDArray[Any]:
        """Put (columns,) into (lane, block)."""
        return self.row(values, fill).reshape(self.blocks, _LANES).T

    def row(self, values: NDArray[Any], fill: float) -> NDArray[Any]:
        """Append the lanes without a column to (..., columns)."""
        full = np.full((*values.shape[:-1], self.lanes), fill, dtype=values.dtype)
        full[..., : self.columns] = values
        return full

    def columns_of(self, values: NDArray[Any]) -> Array:
        """Take the columns of (lane, layer, block) as (layers, columns)."""
        layers = values.shape[1]
        rows: Array = values.T.transpose(1, 0, 2).reshape(layers, self.lanes)[:, : self.columns].copy()
        return rows

    def first_elements(self, column: NDArray[Any], layers: int) -> NDArray[np.int32]:
        """Where (columns,) numbers of columns have their bottom layer in (lane, layer, block), from 1."""
        block, lane = np.divmod(self.row(column, self.columns), _LANES)
        return (block * _LANES * layers + lane + 1).astype(np.int32).reshape(self.blocks, _LANES).T


def _soil(columns: ColumnProperties, blocks: _Blocks) -> dict[str, NDArray[Any]]:
    retention = columns.retention
    n = _numbers(retention.n)
    layered = {
        "porosity": (_numbers(columns.porosity), 0.4),
        "specific_storage": (_numbers(columns.specific_storage), 1.0e-4),
        "alpha": (_numbers(retention.alpha), 1.0),
        "n": (n, 2.0),
        "m": (1.0 - 1.0 / n, 0.5),
        "residual": (_numbers(retention.residual), 0.1),
        "maximum": (_numbers(retention.maximum), 1.0),
        "vertical": (np.vstack((_numbers(columns.vertical), np.zeros((1, columns.count)))), 0.0),
        "east_conductance": (_numbers(columns.east_conductance), 0.0),
        "north_conductance": (_numbers(columns.north_conductance), 0.0),
    }
    return {
        "dz": _numbers(columns.dz[:, 0]),
        "height": np.append(_numbers(columns.height[:, 0]), 1.0),
        **{name: blocks.layered(values, fill) for name, (values, fill) in layered.items()},
    }


def _terrain(columns: ColumnProperties, blocks: _Blocks, own: int) -> dict[str, NDArray[Any]]:
    layers = columns.porosity.shape[0]
    flat = ("rise_east", "rise_north", "cosine_east", "cosine_north", "conveyance_out")
    donor = blocks.row(columns.donors.numpy(), columns.count) + 1
    return {
        **{name: blocks.flat(_numbers(getattr(columns, name)), 0.0) for name in flat},
        **{
            side: blocks.first_elements(getattr(columns, side).numpy(), layers)
            for side in ("east", "west", "north", "south")
        },
        "donor": np.asfortranarray(donor.astype(np.int32)),
        "conveyance_in": np.asfortranarray(blocks.row(_numbers(columns.conveyance_in), 0.0)),
        "level_start": np.array(columns.levels, dtype=np.int32) + 1,
        "cell": blocks.flat(np.where(np.arange(columns.count) < own, columns.cells.numpy() + 1, 0).astype(np.int32), 0),
    }


def _network(model: StructuredModel, columns: ColumnProperties, blocks: _Blocks) -> dict[str, Any]:
    """Widths and parameters of the network, layer by layer; groups of outputs, each with its biases first."""
    if not model.architecture.hidden:
        nothing = np.zeros((_LANES, 1, blocks.blocks), order="F")
        return {"shared": 0, "widths": np.ones(1, np.int32), "parameters": np.zeros(1), "soil_features": nothing}
    correction = model.correction
    parts: list[Array] = []
    if isinstance(correction, SharedCorrection):
        widths = [LAYER_FEATURES]
        for inner in (part for part in correction.inner if isinstance(part, InnerLayer)):
            # a group of outputs has the weights of the summary first, and then those of the three layers
            of_column, of_layers = _groups(inner.whole), _groups(inner.near)
            parts += [part for both in zip(of_column, of_layers, strict=True) for part in both]
            widths.append(inner.whole.out_features)
        soil = soil_features_of_layers(columns).flatten(0, 1)
    else:
        widths = [feature_count(columns.porosity.shape[0])]
        for layer in (part for part in correction.inner if isinstance(part, nn.Linear)):
            parts += _groups(layer)
            widths.append(layer.out_features)
        soil = soil_features(columns)
    return {
        "shared": int(isinstance(correction, SharedCorrection)),
        "widths": np.array([*widths, correction.last.out_features], dtype=np.int32),
        "parameters": np.concatenate([*parts, *_groups(correction.last)]),
        "soil_features": blocks.layered(soil.numpy(), 0.0),
    }


def _groups(layer: nn.Linear) -> list[Array]:
    """Parameters of a linear layer by groups of outputs, (input, output): biases, where it has any, and weights."""
    rows = [layer.weight] if layer.bias is None else [layer.bias[:, None], layer.weight]
    values = _numbers(torch.cat(rows, dim=1))
    padded = np.zeros((-(-len(values) // _GROUP) * _GROUP, values.shape[1]))
    padded[: len(values)] = values
    return [padded[first : first + _GROUP].T.ravel() for first in range(0, len(padded), _GROUP)]


def _numbers(values: Tensor) -> Array:
    return values.detach().cpu().numpy().astype(np.float64)
