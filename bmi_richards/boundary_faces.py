"""The faces through which water comes from outside: of the ground, the sides, the bottom, and screens of wells.

Equations (8a) to (8d) of docs/theory.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bmi_common.boundary_conditions import Boundary, Conditions
from bmi_common.flow_order import FlowNetwork
from bmi_common.rates import Rate
from bmi_common.wells import Takes, Well, WellWater
from bmi_richards import _kernel

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]

_STATE_VARIABLES = 5
"""Of a cell in the kernel: head, saturation, relative permeability, and two derivatives."""


@dataclass(frozen=True)
class CellSoil:
    """Soil of the columns in flow order.

    Attributes
    ----------
    cells : (nz, properties, ncol)
        Properties as the kernel takes them.
    kr_alpha, kr_n, minimum_head : (nz, ncol)
        What relative permeability has of its own; (1, 1) where it has nothing.
    own_permeability : bool
        Whether relative permeability has its own alpha and n.
    table_points : int
        Of the table of relative permeability; 0 for the formula.
    """

    cells: Floats
    kr_alpha: Floats
    kr_n: Floats
    minimum_head: Floats
    own_permeability: bool
    table_points: int

    def relative_permeability(self, head: Floats, layer: Integers, column: Integers) -> Floats:
        """Relative permeability [-] of some cells at other heads [m] than their own."""

        def of_cells(field: Floats) -> Floats:
            return field if field.size == 1 else np.asfortranarray(field[layer, column][np.newaxis])

        state = np.zeros((1, _STATE_VARIABLES, head.size), order="F")
        state[0, 0] = head
        _kernel.evaluate_state(
            np.asfortranarray(self.cells[layer, :, column].T[np.newaxis]),
            of_cells(self.kr_alpha),
            of_cells(self.kr_n),
            of_cells(self.minimum_head),
            self.own_permeability,
            self.table_points,
            1,
            state,
        )
        return np.array(state[0, 2])


@dataclass(frozen=True)
class _Group:
    """Faces that share a rate.

    Attributes
    ----------
    rate : Rate
        Flux [m h-1], hydraulic head [m], or rate of a well [m3 h-1].
    layer, column : ndarray of int
        Cell of each face.
    area : ndarray
        Area of each over that of its column [-]; of a well, what makes its rate the flux into a layer [m-2].
    distance : ndarray
        From the centre of its cell [m].
    height : ndarray
        Of its centre above the bottom of the domain [m].
    lift : ndarray
        Height of the centre of its cell above that [m].
    conductivity : ndarray, optional
        Saturated, of its cell across the face [m h-1]; None where the rate is a flux.
    """

    rate: Rate
    layer: Integers
    column: Integers
    area: Floats
    distance: Floats
    height: Floats
    lift: Floats
    conductivity: Floats | None
    ponded: bool = False
    """Whether no more can be taken than stands on the ground."""
    holds: bool = False
    """Whether the cells themselves are held at the head."""

    def values(self, cells: Integers, time: float, length: float) -> Floats:
        """Flux per area of the column [m h-1], or pressure head [m], at each face over a step."""
        mean = self.rate.mean(time, length)
        given = mean if mean.ndim == 0 else mean.ravel()[cells[self.column]]
        return np.asarray(given - self.height if self.is_head else given * self.area)

    @property
    def is_head(self) -> bool:
        """Whether the rate is a head."""
        return self.holds or self.conductivity is not None


class BoundaryFaces:
    """All faces through which water comes from outside, and what comes through them in a step.

    Parameters
    ----------
    conditions : Conditions
        What acts on ground, sides and bottom.
    network : FlowNetwork
        Order of the columns.
    top : ndarray, shape (ncol,)
        Number of layers of each column.
    dz : ndarray, shape (nz,)
        Layer thickness [m].
    spacing : (float, float)
        dx and dy [m].
    shape : (int, int)
        ny and nx.
    soil : CellSoil
        Of the columns.
    conductivity : callable
        Gives the saturated conductivity [m h-1] of the cells, (nz, ncol), along ``x``, ``y`` or ``z``.
    """

    def __init__(
        self,
        conditions: Conditions,
        network: FlowNetwork,
        top: NDArray[np.int32],
        dz: Floats,
        spacing: tuple[float, float],
        shape: tuple[int, ...],
        soil: CellSoil,
        conductivity: Callable[[str], Floats],
    ) -> None:
        self._cells, self._soil = network.cells, soil
        self._groups = [_of_boundary(b, network, top, dz, spacing, conductivity) for b in conditions.boundaries]
        self._boundaries = len(self._groups)
        if conditions.surface_flux is not None:
            self._groups.append(_of_ground(conditions.surface_flux, top[: network.own]))
        self._grounds = len(self._groups)
        self._wells, self._area = conditions.wells, spacing[0] * spacing[1]
        self._groups += [_of_well(well, network, dz, shape, self._area) for well in self._wells]
        self._layer, column, conductance, lift = (
            np.concatenate([np.zeros(0, dtype=kind), *parts])
            for kind, parts in (
                (np.intp, [g.layer for g in self._groups]),
                (np.intp, [g.column for g in self._groups]),
                (np.float64, [_conductance(g) for g in self._groups]),
                (np.float64, [g.lift for g in self._groups]),
            )
        )
        order = np.argsort(column, kind="stable")
        ends = np.cumsum([g.layer.size for g in self._groups])
        place = np.empty(order.size, dtype=np.intp)
        place[order] = np.arange(order.size)
        self._places = np.split(place, ends[:-1]) if self._groups else []
        starts = np.searchsorted(column[order], np.arange(network.cells.size + 1)) + 1
        none = order.size == 0
        self._arrays: dict[str, NDArray[np.float64] | NDArray[np.int32]] = {
            # one face that belongs to no column where there is none, because f2py takes no empty arrays
            "face_start": np.ones(1, dtype=np.int32) if none else starts.astype(np.int32),
            "face_layer": np.ones(1, dtype=np.int32) if none else (self._layer[order] + 1).astype(np.int32),
            "face_conductance": np.zeros(1) if none else conductance[order],
            "face_lift": np.zeros(1) if none else lift[order],
            "face_holds": np.zeros(max(order.size, 1), dtype=np.int32),
            **{f"face_{name}": np.zeros(max(order.size, 1)) for name in ("flux", "head", "kr", "inflow")},
        }
        self._of_wells = np.zeros(max(order.size, 1), dtype=bool)
        for of_group in self._places[self._grounds :]:
            self._of_wells[of_group] = True
        self._short = np.zeros(len(self._groups))  # of what stands on the ground, by group [m]
        for group, of_group in zip(self._groups, self._places, strict=True):
            self._arrays["face_head"][of_group] = np.nan if group.is_head else 0.0  # not known yet
            self._arrays["face_holds"][of_group] = group.holds

    def arguments(
        self, time: float, length: float, ponded: Floats
    ) -> Mapping[str, NDArray[np.float64] | NDArray[np.int32]]:
        """Arguments of the kernel for a step of `length` [h] from the time `time` [h] on.

        `ponded` is the water [m] that stands on each column at its start.
        """
        standing = ponded.copy()
        for number, (group, place) in enumerate(zip(self._groups, self._places, strict=True)):
            values = group.values(self._cells, time, length)
            if not group.is_head:
                if group.ponded:
                    wanted, values = values, np.maximum(values, -standing[group.column] / length)
                    standing[group.column] += values * length
                    self._short[number] = float((values - wanted).sum()) * length
                self._arrays["face_flux"][place] = values
            elif group.holds:
                self._arrays["face_head"][place] = values
            elif not np.array_equal(values, self._arrays["face_head"][place]):
                self._arrays["face_head"][place] = values
                kr = self._soil.relative_permeability(values, group.layer, group.column)
                self._arrays["face_kr"][place] = kr
        return self._arrays

    @property
    def boundary_inflow(self) -> float:
        """Net inflow through sides, bottom and held ground in the last step, over the area of a column [m]."""
        return self._sum(self._places[: self._boundaries])

    @property
    def surface_flux(self) -> float:
        """Flux into the ground in the last step, over the area of a column [m]."""
        return self._sum(self._places[self._boundaries : self._grounds])

    def unmet_outflow(self, length: float) -> float:
        """Outflow that was asked for in the last step, of `length` [h], and that cells could not give [m]."""
        given = (self._arrays["face_conductance"] == 0.0) & ~self._of_wells
        return float((self._arrays["face_inflow"] - length * self._arrays["face_flux"])[given].sum())

    def well_water(self, length: float) -> WellWater:
        """Tell what wells have taken in the last step, of `length` [h], and what they should have taken beyond that."""
        places, short = self._places[self._grounds :], self._short[self._grounds :]
        inflow = self._arrays["face_inflow"]
        cut = np.where(self._arrays["face_holds"] == 1, 0.0, inflow - length * self._arrays["face_flux"])
        return WellWater(
            self._wells,
            np.array([-inflow[place].sum() * self._area for place in places]),
            np.array([(cut[place].sum() + missing) * self._area for place, missing in zip(places, short, strict=True)]),
        )

    def _sum(self, places: list[Integers]) -> float:
        return float(sum(self._arrays["face_inflow"][place].sum() for place in places))


def _conductance(group: _Group) -> Floats:
    """Flux per head at kr = 1 [h-1] through faces towards a boundary at a head; 0 where a flux is given."""
    if group.conductivity is None:
        return np.zeros(group.layer.size)
    return np.asarray(group.conductivity * group.area / group.distance)


def _of_boundary(
    boundary: Boundary,
    network: FlowNetwork,
    top: NDArray[np.int32],
    dz: Floats,
    spacing: tuple[float, float],
    conductivity: Callable[[str], Floats],
) -> _Group:
    dx, dy = spacing
    faces = boundary.faces.reshape(dz.size, -1)[:, network.cells]
    layer, column = np.nonzero(faces & (np.arange(dz.size)[:, np.newaxis] < top))
    centre, half = (np.cumsum(dz) - 0.5 * dz)[layer], 0.5 * dz[layer]
    axis, width = {"west": ("x", dx), "east": ("x", dx), "south": ("y", dy), "north": ("y", dy)}.get(
        boundary.side, ("z", 0.0)
    )
    level = axis == "z"
    lift = {"bottom": half, "top": -half}.get(boundary.side, np.zeros(layer.size))
    rate = boundary.flux if boundary.head is None else boundary.head
    assert rate is not None
    return _Group(
        rate=rate,
        layer=layer,
        column=column,
        area=np.ones(layer.size) if level else dz[layer] / width,
        distance=half if level else np.full(layer.size, 0.5 * width),
        height=centre - lift,
        lift=lift,
        conductivity=None if boundary.head is None else conductivity(axis)[layer, column],
    )


def _of_ground(flux: Rate, top: NDArray[np.int32]) -> _Group:
    columns = top.size
    nothing = np.zeros(columns)
    return _Group(
        rate=flux,
        layer=top.astype(np.intp) - 1,
        column=np.arange(columns),
        area=np.ones(columns),
        distance=nothing,
        height=nothing,
        lift=nothing,
        conductivity=None,
    )


def _of_well(well: Well, network: FlowNetwork, dz: Floats, shape: tuple[int, ...], area: float) -> _Group:
    layer = np.flatnonzero(well.shares)
    column = 0
    if well.cell is not None:
        column = int(np.flatnonzero(network.cells == np.ravel_multi_index(well.cell, shape))[0])
    nothing = np.zeros(layer.size)
    return _Group(
        rate=well.rate,
        layer=layer,
        column=np.full(layer.size, column),
        area=well.sign * well.shares[layer] / area,
        distance=nothing,
        height=(np.cumsum(dz) - 0.5 * dz)[layer],
        lift=nothing,
        conductivity=None,
        ponded=well.takes is Takes.RIVER,
        holds=well.holds,
    )
