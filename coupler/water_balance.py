"""Water balance of the interface: what the land hands over against what the groundwater makes of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from operator import add, attrgetter
from typing import Any

import numpy as np

from bmi_common.arrays import Array
from bmi_common.groundwater import (
    BOUNDARY_INFLOW_VOLUME,
    CANOPY_IRRIGATION,
    DRAINAGE_VOLUME,
    EXTRACTION_VOLUME,
    GROUND_IRRIGATION,
    INJECTION_VOLUME,
    LAYER_THICKNESS,
    NET_SOURCE,
    OUTFLOW_VOLUME,
    PRESCRIBED_VOLUME,
    RUNOFF,
    SEEPAGE_VOLUME,
    STORAGE_VOLUME,
    SURFACE_FLUX_VOLUME,
    UNMET_EXTRACTION_VOLUME,
    UNMET_VOLUME,
)
from bmi_common.units import WATER_DENSITY, conversion
from bmi_common.world import current
from coupler.component import Component
from coupler.plan import Plan
from coupler.water_error import WaterError

_BESIDE = {
    "prescribed_source": PRESCRIBED_VOLUME,
    "surface_flux": SURFACE_FLUX_VOLUME,
    "boundary_inflow": BOUNDARY_INFLOW_VOLUME,
    "seepage": SEEPAGE_VOLUME,
    "extraction": EXTRACTION_VOLUME,
    "injection": INJECTION_VOLUME,
}
"""Terms beside those of land and overland flow, by the variable that a component publishes them as."""
_IRRIGATION = (CANOPY_IRRIGATION, GROUND_IRRIGATION)
_ROUNDING = 16.0 * float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Balance:
    """Terms of one coupling step, all active cells [m3].

    Attributes
    ----------
    source : float
        Net source handed over by the land, into the soil positive.
    storage_change : float
        Growth of subsurface and ponded water.
    outflow : float
        Overland flow over the boundary.
    drainage : float
        Flow through the bottom.
    unmet_demand : float
        Demand of sinks that the soil could not meet; it was handed over but never taken.
    turnover : float
        Sum of the sizes of the source in all cells, and of the other flows: the scale of the residual.
    correction : float
        Water that error control has put into the groundwater, or taken from it if negative, by replacing its state.
    rounding : float
        Residual that the rounding of the storage may leave.
    prescribed_source : float
        Prescribed sources of the groundwater, as asked for, beside the land's.
    surface_flux : float
        Prescribed flux into the ground.
    boundary_inflow : float
        Net inflow through sides, bottom, and ground that is held at a head.
    seepage : float
        Water that left through seepage faces.
    extraction : float
        Water that wells took and that left the model.
    injection : float
        Water that wells brought.
    irrigation : float
        Water that the groundwater has given to the land for irrigation; what is on its way is part of the storage.
    unmet_extraction : float
        Water that wells should have taken beyond that; no part of the balance.
    """

    source: float
    storage_change: float
    outflow: float
    drainage: float
    unmet_demand: float
    turnover: float
    correction: float = 0.0
    rounding: float = 0.0
    # after the others, in whose order checkpoints hold them
    prescribed_source: float = 0.0
    surface_flux: float = 0.0
    boundary_inflow: float = 0.0
    seepage: float = 0.0
    extraction: float = 0.0
    injection: float = 0.0
    irrigation: float = 0.0
    unmet_extraction: float = 0.0

    def __add__(self, other: Balance) -> Balance:
        return Balance(*map(add, _terms(self), _terms(other)))

    @property
    def supply(self) -> float:
        """Net source, the land's and the prescribed ones, and flux into the ground [m3]."""
        return self.source + self.prescribed_source + self.surface_flux

    @property
    def residual(self) -> float:
        """Storage change without a cause [m3]."""
        explained = self.supply + self.unmet_demand - self.outflow - self.drainage + self.correction
        explained = explained + self.boundary_inflow - self.seepage
        return self.storage_change - (explained + self.injection - self.extraction - self.irrigation)

    @property
    def relative_residual(self) -> float:
        """Residual over turnover [-]; 0 where it is no more than rounding, as in steps in which nothing moves.

        1 where nothing is turned over, infinite where a term is not finite.
        """
        if not math.isfinite(self.residual):
            return math.inf
        if abs(self.residual) <= self.rounding:
            return 0.0
        return abs(self.residual) / self.turnover if self.turnover > 0.0 else 1.0


_terms = attrgetter(*(f.name for f in fields(Balance)))
"""Of a balance, in their order; `astuple` copies each, which takes longer than a small domain's step."""

TERMS = {
    "source": "net source handed over by the land in the step, into the soil positive",
    "storage_change": "growth of subsurface and ponded water in the step",
    "outflow": "overland flow over the domain boundary in the step",
    "drainage": "drainage through the bottom in the step",
    "prescribed_source": "prescribed sources in the step, as asked for, into the soil positive",
    "surface_flux": "prescribed flux into the ground in the step",
    "boundary_inflow": "net inflow through sides, bottom and held ground in the step",
    "seepage": "water that left through seepage faces in the step",
    "extraction": "water that wells took out of the model in the step",
    "injection": "water that wells brought in the step",
    "irrigation": "water that the groundwater gave to the land for irrigation in the step",
    "unmet_demand": "demand of sinks that the soil could not meet in the step",
    "unmet_extraction": "what wells should have taken in the step beyond what they took",
    "correction": "water put into the groundwater by error control, which replaced its state",
    "turnover": "sum of the sizes of the source in all cells, and of the other flows, in the step",
    "residual": "storage change that the other terms do not explain",
}


class WaterBalance:
    """Books the balance of the component that takes up the root-zone source, step by step."""

    def __init__(self, groundwater: Component, plan: Plan) -> None:
        self.component, self._world = groundwater, current()
        spacing = np.empty(2)
        groundwater.bmi.get_grid_spacing(groundwater.grid(RUNOFF).identifier, spacing)
        self._area = float(spacing[0] * spacing[1])
        self._runoff_to_metres_per_second = conversion(groundwater.units(RUNOFF), "m s-1").factor
        self._source_to_per_second = conversion(groundwater.units(NET_SOURCE), "s-1").factor
        thickness = groundwater.get_in("m", LAYER_THICKNESS)[-groundwater.shape(NET_SOURCE)[0] :]
        cells = groundwater.cells_of(NET_SOURCE, None)
        if cells is not None:
            thickness = np.where(cells, thickness, 0.0)  # nothing is there, so nothing is given to it
        mask = plan.masks[groundwater.name]
        active = np.ones(thickness.shape[1:], dtype=bool) if mask is None else mask
        self._active = active
        self._layer_volume = _once_where_alike(thickness[:, active] * self._area)
        self._to_cubic_metres = self._volumes()
        self.storage = self._scalar(STORAGE_VOLUME)
        self._on_its_way = self._irrigation()
        self.totals = Balance(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        self._absolute_residual = 0.0  # m3, of all closed steps
        self._open = self.totals

    @staticmethod
    def is_kept_by(component: Component) -> bool:
        """Whether a component publishes what a balance needs."""
        needed = {LAYER_THICKNESS, STORAGE_VOLUME, RUNOFF}
        return NET_SOURCE in component.inputs and needed <= set(component.outputs)

    @classmethod
    def of(cls, components: dict[str, Component], plan: Plan) -> WaterBalance | None:
        """WaterBalance of the run's groundwater component; None if no component publishes what a balance needs."""
        return next((cls(c, plan) for c in components.values() if cls.is_kept_by(c)), None)

    def book(self, name: str, seconds: float) -> None:
        """Book a step of `seconds` that component `name` has just made; only the groundwater's count."""
        if name != self.component.name:
            return
        handed = self.component.get(NET_SOURCE)[:, self._active] * self._layer_volume
        handed *= self._source_to_per_second * seconds
        source, turned_over = self._world.sum(float(handed.sum()), float(np.abs(handed).sum()))
        storage, outflow = self._scalar(STORAGE_VOLUME), self._outflow(seconds)
        drainage, unmet = self._scalar(DRAINAGE_VOLUME), self._scalar(UNMET_VOLUME)
        irrigation, self._on_its_way = self._on_its_way, self._irrigation()
        beside = {term: self._scalar(variable) for term, variable in _BESIDE.items()}
        self._open += Balance(
            source=source,
            storage_change=storage - self.storage,
            outflow=outflow,
            drainage=drainage,
            unmet_demand=unmet,
            turnover=turned_over + abs(outflow) + abs(drainage) + sum(map(abs, beside.values())) + abs(irrigation),
            rounding=_ROUNDING * abs(storage),
            irrigation=irrigation,
            unmet_extraction=self._scalar(UNMET_EXTRACTION_VOLUME),
            **beside,
        )
        self.storage = storage

    def close_step(self) -> Balance:
        """Return what was booked since the last call, one coupling step."""
        balance, self._open = self._open, Balance(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        self.totals += balance
        self._absolute_residual += abs(balance.residual)
        return balance

    def correct(self) -> None:
        """Book what replacing the state of the groundwater, or the component itself, has done to the storage."""
        self._to_cubic_metres = self._volumes()
        storage, self._on_its_way = self._scalar(STORAGE_VOLUME), self._irrigation()
        change = storage - self.storage
        self._open += Balance(0.0, change, 0.0, 0.0, 0.0, 0.0, change, _ROUNDING * abs(storage))
        self.storage = storage

    def _volumes(self) -> dict[str, float]:
        """Factors to m3 of the volumes that the component publishes."""
        scalars = (STORAGE_VOLUME, OUTFLOW_VOLUME, DRAINAGE_VOLUME, UNMET_VOLUME, *_BESIDE.values())
        scalars += (UNMET_EXTRACTION_VOLUME,)
        there = (v for v in scalars if v in self.component.outputs)
        return {v: conversion(self.component.units(v), "m3").factor for v in there}

    def state_dict(self) -> dict[str, object]:
        """Return what has been booked up to the end of a coupling step, as values that JSON can hold."""
        return {
            "storage": self.storage,
            "totals": list(_terms(self.totals)),
            "absolute_residual": self._absolute_residual,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        self.storage = float(state["storage"])
        self._on_its_way = self._irrigation()
        self.totals = Balance(*state["totals"])
        self._absolute_residual = float(state["absolute_residual"])

    @property
    def water_error(self) -> WaterError:
        """Water that nothing explains, of all steps."""
        return WaterError(self.totals.residual, self._absolute_residual, self.totals.turnover)

    def _outflow(self, seconds: float) -> float:
        if OUTFLOW_VOLUME in self.component.outputs:
            return self._scalar(OUTFLOW_VOLUME)
        rate = self.component.get(RUNOFF)[self._active] * self._runoff_to_metres_per_second
        return self._world.sum(float(rate.sum()))[0] * self._area * seconds

    def _irrigation(self) -> float:
        """Water [m3] that the groundwater holds ready for the land, which takes it before its next step is booked."""
        flux = sum(
            float(self.component.get_in("kg m-2 s-1", v)[self._active].sum())
            for v in _IRRIGATION
            if v in self.component.outputs
        )
        (flux,) = self._world.sum(flux)
        return flux / WATER_DENSITY * self._area * self.component.time_step

    def _scalar(self, variable: str) -> float:
        if variable not in self._to_cubic_metres:
            return 0.0
        return float(self.component.get(variable).reshape(-1)[0]) * self._to_cubic_metres[variable]


def _once_where_alike(layers: Array) -> Array:
    """Return (layers, cells), or (layers, 1) where every cell has the same."""
    first = layers[:, :1]
    return first.copy() if np.array_equal(np.broadcast_to(first, layers.shape), layers) else layers


def term_values(balance: Balance) -> dict[str, float]:
    """All terms of a balance by the names in `TERMS`."""
    return {name: getattr(balance, name) for name in TERMS}
