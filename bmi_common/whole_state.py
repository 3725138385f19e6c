"""State files of a domain that processes share: those of the whole domain, as one process would write and read them.

Process 0 puts the parts together and writes the file; it reads one and gives each process its window. So a run can go
on with another number of processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bmi_common.partition import Part
from bmi_common.state_file import StateArray

_OF_MAP, _OF_COLUMNS, _OF_TILES = ("y", "x"), "column", "tile"
"""Dimensions of what belongs to cells of the surface, to active columns in their order, and to tiles.

Of tiles, which are numbered in the order of the processes, each process has its own.
"""


def whole_arrays(part: Part, arrays: Mapping[str, StateArray]) -> dict[str, StateArray]:
    """Put the arrays of all parts together; those returned are of the whole domain in process 0 only."""
    mask = part.whole(part.mask)
    return {name: replace(array, values=_whole(part, mask, array)) for name, array in arrays.items()}


def _whole(part: Part, mask: NDArray[np.bool_] | None, array: StateArray) -> NDArray[Any]:
    values, dimensions = np.asarray(array.values), array.dimensions
    found: NDArray[Any] | None = values
    if dimensions[-2:] == _OF_MAP:
        found = part.whole(values)
    elif dimensions in (_OF_MAP[:1], _OF_MAP[1:]):
        found = _whole_axis(part, dimensions[0], values)
    elif dimensions[:1] == (_OF_COLUMNS,):
        field = np.zeros((*values.shape[1:], *part.mask.shape), dtype=values.dtype)
        field[..., part.mask] = np.moveaxis(values, 0, -1)
        together = part.whole(field)
        found = None if together is None else np.moveaxis(together[..., mask], -1, 0)
    elif dimensions[:1] == (_OF_TILES,):
        parts = part.world.collected(values)
        found = None if parts is None else np.concatenate([p for p in parts if len(p)] or parts)
    return values if found is None else found


def _whole_axis(part: Part, dimension: str, values: NDArray[Any]) -> NDArray[Any] | None:
    parts = part.world.collected((part.rows if dimension == "y" else part.columns, values))
    if parts is None:
        return None
    found = np.empty(part.shape[0 if dimension == "y" else 1], dtype=values.dtype)
    for place, own in parts:
        found[place] = own
    return found


def window_arrays(
    part: Part, whole: Mapping[str, NDArray[Any]] | None, expected: Mapping[str, StateArray]
) -> dict[str, NDArray[Any]]:
    """Give every process its window of the arrays of a state that process 0 has.

    Parameters
    ----------
    part : Part
        Of the domain.
    whole : mapping or None
        Arrays of the whole domain, in process 0.
    expected : mapping
        What this process would write itself.
    """
    mask = part.whole(part.mask)
    return {
        name: _window(part, mask, None if whole is None else whole[name], array) for name, array in expected.items()
    }


def _window(
    part: Part, mask: NDArray[np.bool_] | None, whole: NDArray[Any] | None, expected: StateArray
) -> NDArray[Any]:
    dimensions = expected.dimensions
    if dimensions[-2:] == _OF_MAP:
        return part.windows(whole)
    if dimensions in (_OF_MAP[:1], _OF_MAP[1:]):
        return np.asarray(expected.values)
    if dimensions[:1] == (_OF_COLUMNS,):
        field = None
        if whole is not None and mask is not None:
            field = np.zeros((*whole.shape[1:], *part.shape), dtype=whole.dtype)
            field[..., mask] = np.moveaxis(whole, 0, -1)
        return np.ascontiguousarray(np.moveaxis(part.windows(field)[..., part.mask], -1, 0))
    found: NDArray[Any]
    if dimensions[:1] == (_OF_TILES,):
        counts = part.world.collected(len(expected.values))
        parts = None if counts is None or whole is None else np.split(whole, np.cumsum(counts)[:-1])
        found = part.world.dealt(parts)
        return found
    found = part.world.shared(whole)
    return found
