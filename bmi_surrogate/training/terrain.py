"""Soil and terrain of batches, as the structured surrogate and closed balances need them."""

from __future__ import annotations

from collections.abc import Sequence

from bmi_surrogate.structured import Medium
from bmi_surrogate.training.task import Batch


class Terrain:
    """Makes the medium of a batch and keeps the last one, for batches of the whole domain.

    Parameters
    ----------
    thickness : sequence of float
        Of the layers [m], bottom first.
    spacing : (float, float)
        Size of the cells along x and y [m].
    """

    def __init__(self, thickness: Sequence[float], spacing: tuple[float, float]) -> None:
        self.thickness = tuple(thickness)
        self.spacing = spacing
        self._place: tuple[object, ...] = ()
        self._latest: Medium

    def of(self, batch: Batch) -> Medium:
        """Soil and terrain of a batch, which must carry `bmi_surrogate.structured.medium.FIELDS`."""
        turned = ((o.row, o.column, o.flip_y, o.flip_x) for o in batch.origins)
        place = (batch.active.shape, batch.active.device, *turned)
        if place != self._place:
            self._latest = Medium.of_maps(batch.active[:, 0], batch.fields, list(self.thickness), self.spacing)
            self._place = place
        return self._latest
