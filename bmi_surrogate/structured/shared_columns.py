"""Columns of a domain that processes share, in state files: those of the whole domain, as one process has them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bmi_common import Domain
from bmi_common.flow_order import FlowNetwork
from bmi_common.partition import Part
from bmi_surrogate.structured.columns import FLAT, ColumnProperties, network_of


def shared_network(domain: Domain) -> tuple[Part, FlowNetwork] | None:
    """Return the part of a shared domain with the columns of it and of its halo; None for a whole domain."""
    part = domain.part
    if part is None:
        return None
    mask = domain.mask | part.halo
    terrain = {name: np.where(mask, domain.require(name, "the structured surrogate"), 1.0) for name in FLAT}
    return part, network_of(mask, terrain, (domain.dx, domain.dy), part)


class SavedColumns:
    """Gives values of columns out for state files, and takes them from there.

    Parameters
    ----------
    columns : ColumnProperties
        Of this process, those of its halo included.
    part : Part, optional
        Of the domain, where processes share it; they call all of this together.
    """

    def __init__(self, columns: ColumnProperties, part: Part | None) -> None:
        self._cells, self._part = columns.cells.cpu().numpy(), part

    def packed(self, field: NDArray[Any]) -> NDArray[Any]:
        """Take the columns (layers, columns) of a field (layers, ny, nx)."""
        return field.reshape(len(field), -1)[:, self._cells]

    def given(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values (layers, columns) of the whole domain in process 0, and of this process in the others."""
        if self._part is None:
            return values
        field = np.zeros((len(values), self._part.mask.size))
        field[:, self._cells] = values
        whole = self._part.whole(field.reshape(-1, *self._part.mask.shape))
        return values if whole is None else whole.reshape(len(values), -1)[:, self._part.order]

    def taken(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return those of this process of values (layers, columns) of the whole domain."""
        if self._part is None:
            return values
        whole = np.zeros((len(values), self._part.shape[0] * self._part.shape[1]))
        whole[:, self._part.world.shared(self._part.order)] = values
        return self.packed(self._part.cut(whole.reshape(-1, *self._part.shape)))
