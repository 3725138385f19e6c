"""Tiles of the domain's fields, also turned over, with what must change its sign or its place then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bmi_common import ConfigError, Domain
from bmi_common.arrays import Array
from bmi_common.slopes import SlopeFormulation
from bmi_common.suggest import did_you_mean
from bmi_surrogate.structured import ColumnProperties
from bmi_surrogate.training.task import Batch

Single = NDArray[np.float32]
Mask = NDArray[np.bool_]

_AXES = {"slope_x": -1, "slope_y": -2, "conveyance_x": -1, "conveyance_y": -2}
_CONVEYANCES = ("conveyance_x", "conveyance_y")
_SMALLEST_SLOPE = 1.0e-5  # in the kinematic formula, so that flat cells have finite conveyance (ParFlow's value)
_NEEDED_BY = "the architecture that is trained"


@dataclass(frozen=True)
class Place:
    """A part of the domain, and how it is looked at.

    Attributes
    ----------
    row, column : int
        South-western cell.
    shape : tuple of int
        (ny, nx).
    flip_y, flip_x : bool
        Whether it is turned over south to north and west to east.
    """

    row: int
    column: int
    shape: tuple[int, int]
    flip_y: bool = False
    flip_x: bool = False

    @property
    def rows(self) -> slice:
        """Rows of the domain."""
        return slice(self.row, self.row + self.shape[0])

    @property
    def columns(self) -> slice:
        """Columns of the domain."""
        return slice(self.column, self.column + self.shape[1])

    def turn(self, values: NDArray[Any]) -> NDArray[Any]:
        """Turn over values (..., y, x) of the place."""
        return values[..., :: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]

    def cut(self, values: NDArray[Any]) -> NDArray[Any]:
        """Cut the place out of values (..., ny, nx) of the domain, and turn it over."""
        return self.turn(values[..., self.rows, self.columns])


@dataclass(frozen=True)
class Tile:
    """What a batch holds of one place, arrays (channel or layer, y, x).

    Attributes
    ----------
    statics : ndarray
        Static channels.
    fields : mapping of str to ndarray
        Fields of the domain by name.
    active, scored : ndarray of bool, shape (1, y, x)
        Cells that take part, and those that count.
    """

    statics: Single
    fields: Mapping[str, Single]
    active: Mask
    scored: Mask


class Ground:
    """Statics and fields of a domain, ready to be cut into tiles.

    Inactive cells get the mean of the active ones, layer by layer, and no slope: finite numbers that no result depends
    on.

    A tile that is turned over has the slopes of the turned ground. `slope_x` belongs to the east face of a cell, which
    was its west face before, so it is minus the slope of the cell's western neighbour, also where that lies outside the
    tile. A cell without an active western neighbour has its own slope on its west face, as the Richards solver and
    ParFlow take it; what lies on an outward east face is lost, and the turned ground has the inner face's slope there.
    `slope_y` and north faces likewise.

    Turning over is exact for groundwater flow. The kinematic formula of overland flow takes roughness and the slope
    across from the cell that a face belongs to, which is the other one afterwards. Beside the attributes of `Domain`
    there are therefore `conveyance_x` and `conveyance_y`, 1 / (n sqrt(S)) [m1/3 s-1] of the east and the north face
    with Manning's n and the magnitude S of the slope: with them overland flow is exact, too, and with roughness and
    slopes alone only where these are even. The static channel of the slope's magnitude stays with its cell.

    Parameters
    ----------
    domain : Domain
        The domain.
    statics : ndarray, shape (channels, ny, nx)
        Raw static channels.
    fields : sequence of str
        Attributes of `Domain`, or `conveyance_x` and `conveyance_y`.

    Raises
    ------
    ConfigError
        If statics have another grid, or the domain lacks a field.
    """

    def __init__(self, domain: Domain, statics: Array, fields: Sequence[str]) -> None:
        shape = domain.surface.shape
        if statics.ndim != 3 or statics.shape[1:] != shape:
            raise ConfigError(f"statics have shape {statics.shape}, the domain needs (channels, ny, nx) = (*, {shape})")
        self.mask = domain.mask
        self._statics = _filled(statics, domain.mask)
        self._fields: dict[str, Single] = {}
        self._lower: dict[str, Single] = {}
        for name in fields:
            values = _layered(domain, name)
            self._fields[name] = _filled(values, domain.mask)
            if name in _AXES:
                lower = lower_faces(np.where(domain.mask, values, 0.0), domain.mask, _AXES[name])
                self._lower[name] = _filled(lower if name in _CONVEYANCES else -lower, domain.mask)
            if name in ("slope_x", "slope_y"):
                self._fields[name][..., ~domain.mask] = self._lower[name][..., ~domain.mask] = 0.0

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) of the domain."""
        ny, nx = self.mask.shape
        return ny, nx

    @property
    def whole(self) -> Place:
        """The whole domain."""
        return Place(0, 0, self.shape)

    def tile(self, place: Place, halo: int = 0) -> Tile:
        """Cut out a place; cells nearer than `halo` to an edge that cuts the domain are not scored."""
        active = place.cut(self.mask)[np.newaxis]
        return Tile(
            statics=place.cut(self._statics),
            fields={name: self._cut_field(name, place) for name in self._fields},
            active=active,
            scored=active & place.turn(self._far_from_cuts(place, halo)),
        )

    def _cut_field(self, name: str, place: Place) -> Single:
        turned = {-1: place.flip_x, -2: place.flip_y}[_AXES[name]] if name in _AXES else False
        return place.cut(self._lower[name] if turned else self._fields[name])

    def _far_from_cuts(self, place: Place, halo: int) -> Mask:
        far = np.ones(place.shape, dtype=bool)
        (ny, nx), (height, width) = self.shape, place.shape
        if place.row > 0:
            far[:halo] = False
        if place.row + height < ny:
            far[height - halo :] = False
        if place.column > 0:
            far[:, :halo] = False
        if place.column + width < nx:
            far[:, width - halo :] = False
        return far


class BatchColumns:
    """Column properties of batches; keeps the latest of each basin, which batches of the whole domain share.

    Parameters
    ----------
    domains : sequence of Domain
        Whose layers and cells they have, by the number of the basin.

    Raises
    ------
    ConfigError
        The slopes of a domain belong to cells, so that tiles could not be turned over.
    """

    def __init__(self, domains: Sequence[Domain]) -> None:
        for domain in domains:
            if domain.slope_formulation is not SlopeFormulation.UPWIND:
                raise ConfigError(
                    f"training needs slopes that belong to faces (`{SlopeFormulation.UPWIND.value}`), "
                    f"not {domain.slope_formulation.value}",
                    key="domain.slope_formulation",
                )
        self.thickness = tuple(tuple(domain.dz.tolist()) for domain in domains)
        self._spacing = tuple((domain.dx, domain.dy) for domain in domains)
        self._latest: dict[int, tuple[tuple[object, ...], ColumnProperties]] = {}

    def of(self, batch: Batch) -> ColumnProperties:
        """Soil and terrain of a batch, which must carry `bmi_surrogate.structured.columns.FIELDS`."""
        turned = ((o.row, o.column, o.flip_y, o.flip_x) for o in batch.origins)
        place, basin = (batch.active.shape, batch.active.device, *turned), batch.origins[0].basin
        known = self._latest.get(basin)
        if known is None or known[0] != place:
            active, thickness = batch.active[:, 0], list(self.thickness[basin])
            known = place, ColumnProperties.of_maps(active, batch.fields, thickness, self._spacing[basin])
            self._latest[basin] = known
        return known[1]


def lower_faces(upper: Array, mask: Mask, axis: int) -> Array:
    """Return the value on the west (`axis` -1) or south (-2) face of each cell, from that of its east or north face.

    It is the neighbour's, or the cell's own where it has no active neighbour on that side.
    """
    upper, mask = np.moveaxis(upper, axis, -1), np.moveaxis(mask, axis, -1)
    lower = upper.copy()
    lower[..., 1:] = np.where(mask[..., :-1], upper[..., :-1], upper[..., 1:])
    return np.moveaxis(lower, -1, axis)


def _layered(domain: Domain, name: str) -> Array:
    """Field of a domain as (layers or 1, ny, nx)."""
    if name in _CONVEYANCES:
        return _conveyance(domain)[np.newaxis]
    known = [n for n, v in vars(domain).items() if isinstance(v, np.ndarray) and v.dtype == np.float64 and v.ndim > 1]
    if not hasattr(domain, name):
        raise ConfigError(f"domain: has no field {name!r}{did_you_mean(name, known)}")
    values = domain.require(name, _NEEDED_BY)
    if values.shape[-2:] != domain.surface.shape or values.ndim not in (2, 3):
        raise ConfigError(f"domain: {name} is not a field of cells{did_you_mean(name, known)}")
    return values if values.ndim == 3 else values[np.newaxis]


def _conveyance(domain: Domain) -> Array:
    """Conveyance of the faces that belong to each cell [m1/3 s-1]: with a depth H, a face carries |slope| c H^(5/3)."""
    slope_x, slope_y, manning = (domain.require(n, _NEEDED_BY) for n in ("slope_x", "slope_y", "manning"))
    steepness = np.maximum(np.hypot(slope_x, slope_y), _SMALLEST_SLOPE)
    return np.asarray(1.0 / (manning * np.sqrt(steepness)))


def _filled(values: Array, mask: Mask) -> Single:
    mean = values[:, mask].mean(axis=1)[:, np.newaxis, np.newaxis]
    return np.where(mask, values, mean).astype(np.float32)
