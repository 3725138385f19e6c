"""How much water can stand on a column: what its surface gets and the soil below cannot take.

The shift that closes a balance knows how much water there is, not where. Without a limit it lifts the top layer of dry
soil above zero as readily as a wet one, and water stands that physics would have let in. The balance of the top layer
alone, saturated and under its pond, says how much can stand at most above a layer of a given head: equation (15a) of
docs/theory.md. A soil that is full has nowhere to put more, so that the limit fades with the room that is left below.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from bmi_common.overland import OVERLAND_POWER
from bmi_surrogate.structured.column_solve import Start, outflow_slope
from bmi_surrogate.structured.columns import ColumnProperties

ROOM_SCALE = 1.0e-4
"""Room for water below the top layer [m] at which half of what goes beyond the limit stands nevertheless."""
_STEPS = 6
"""Newton's, from a depth at most twice the solution, without a pond's outflow or without anything else."""


class Changing(NamedTuple):
    """A quantity of columns, and its derivative by the shift [-], both (columns,)."""

    value: Tensor
    by_shift: Tensor


class Bounded(NamedTuple):
    """Coordinate of the top layer within its limit [m], and its derivatives [-], all (columns,)."""

    coordinate: Tensor
    by_shift: Tensor
    by_inflow: Tensor


class Surface(NamedTuple):
    """The top layer of columns and what it gets in an hour, all (columns,).

    Attributes
    ----------
    supply : Tensor
        Water of the layer and of its surface beyond what fills it, less what gravity takes through its lower face [m].
    coupling : Tensor
        Water through that face in an hour for a difference of 1 m in head, where it is saturated [-].
    storage : Tensor
        Water that the pond, the elastic storage below it and that face take for a depth of 1 m [-].
    conveyance_out : Tensor
        See `ColumnProperties`.
    """

    supply: Tensor
    coupling: Tensor
    storage: Tensor
    conveyance_out: Tensor

    @classmethod
    def of(cls, columns: ColumnProperties, start: Start) -> Surface:
        """Evaluate at the start of an hour, without overland inflow."""
        coupling = columns.vertical[-1] / columns.height[-1]
        holds = columns.dz[-1] * columns.retention.maximum[-1]
        gained = start.ponded + start.water[-1] + start.source[-1] + start.lateral[-1]
        return cls(
            supply=gained - holds * columns.porosity[-1] - columns.vertical[-1],
            coupling=coupling,
            storage=1.0 + holds * columns.specific_storage[-1] + coupling,
            conveyance_out=columns.conveyance_out,
        )

    def some(self, which: Tensor | slice) -> Surface:
        """Take some columns."""
        return Surface(*(part[which] for part in self))

    def with_inflow(self, inflow: Tensor) -> Surface:
        """Return it with overland inflow in the hour [m]."""
        return self._replace(supply=self.supply + inflow)

    def bounded(self, top: Changing, below: Changing, room: Changing) -> Bounded:
        """Keep the coordinate of the top layer within its limit.

        Parameters
        ----------
        top : Changing
            Coordinate of the top layer [m].
        below : Changing
            Head of the layer below [m].
        room : Changing
            Water that could be stored below the top layer by those layers that the shift moves [m].
        """
        surplus = (self.supply + self.coupling * below.value).clamp(min=0.0)
        limit, growth = self._depth(surplus)
        deeper = (surplus > 0.0).to(surplus.dtype) / growth
        exceeds = top.value > limit
        total = ROOM_SCALE + room.value
        held = room.value / total
        fading = ROOM_SCALE / total**2 * room.by_shift
        by_shift = (
            held * self.coupling * deeper * below.by_shift + (1.0 - held) * top.by_shift + fading * (limit - top.value)
        )
        return Bounded(
            torch.where(exceeds, held * limit + (1.0 - held) * top.value, top.value),
            torch.where(exceeds, by_shift, top.by_shift),
            torch.where(exceeds, held * deeper, torch.zeros_like(deeper)),
        )

    def _depth(self, surplus: Tensor) -> tuple[Tensor, Tensor]:
        """Depth [m] that a surplus [m] feeds with its outflow, and how the surplus grows with the depth [-]."""
        with torch.no_grad():
            alone = (surplus / self.conveyance_out.clamp(min=1.0e-30)) ** (1.0 / OVERLAND_POWER)
            depth = torch.minimum(surplus / self.storage, alone)
            for _ in range(_STEPS):
                depth = self._nearer(depth, surplus)
        # gradients are those of the last step
        depth = self._nearer(depth, surplus)
        return depth, self._growth(depth).detach()

    def _nearer(self, depth: Tensor, surplus: Tensor) -> Tensor:
        fed = self.storage * depth + self.conveyance_out * depth**OVERLAND_POWER
        return (depth - (fed - surplus) / self._growth(depth)).clamp(min=0.0)

    def _growth(self, depth: Tensor) -> Tensor:
        return self.storage + outflow_slope(self.conveyance_out, depth)
