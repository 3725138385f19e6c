"""Soil, terrain and neighbourhood of the active columns of one or more maps, as tensors.

All quantities are packed: (layers, columns) or (columns,), the active cells of all maps one after another. Neighbours
are column numbers; a column that does not exist has the number of columns, where `padded` puts a zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from bmi_common import Domain
from bmi_surrogate.structured.retention import Retention

SECONDS_PER_HOUR = 3600.0
SMALLEST_SLOPE = 1.0e-5
"""Least slope in the kinematic formula (ParFlow's value), so that flat cells have finite conveyance."""

LAYERED = (
    "porosity",
    "alpha",
    "n",
    "residual_saturation",
    "maximum_saturation",
    "specific_storage",
    "conductivity_x",
    "conductivity_y",
    "conductivity_z",
)
FLAT = ("slope_x", "slope_y", "manning")
FIELDS = LAYERED + FLAT
"""Fields of a domain that the structured surrogate needs, by the attribute's name in `bmi_common.Domain`."""


@dataclass(frozen=True)
class Medium:
    """What does not change from hour to hour.

    Attributes
    ----------
    active : Tensor of bool, shape (maps, ny, nx)
        The cells that the columns are.
    dz : Tensor, shape (layers, 1)
        Thickness [m].
    porosity, specific_storage : Tensor, shape (layers, columns)
        [-] and [m-1].
    retention : Retention
        Soil water retention.
    conductivity_z : Tensor, shape (layers, columns)
        Vertical conductivity [m h-1].
    vertical : Tensor, shape (layers - 1, columns)
        Conductivity [m h-1] of the faces between layers.
    height : Tensor, shape (layers - 1, 1)
        Distance [m] of the centres of two layers.
    east, west, north, south : Tensor of int, shape (columns,)
        Neighbours.
    east_conductance, north_conductance : Tensor, shape (layers, columns)
        Thickness times conductivity over distance [m h-1] of the east and the north face; 0 at no neighbour.
    slope_x, slope_y : Tensor, shape (columns,)
        Rise [m] of the ground from a cell to its eastern and its northern neighbour: slope times distance.
    donors : Tensor of int, shape (4, columns)
        Columns whose ponded water flows into each column.
    inflow : Tensor, shape (4, columns)
        Conveyance of those faces [h-1 m-2/3]: a depth H gives inflow H^(5/3) [m h-1].
    outflow, boundary : Tensor, shape (columns,)
        Conveyance of all faces that a column feeds, and of those on the edge.
    """

    active: Tensor
    dz: Tensor
    porosity: Tensor
    specific_storage: Tensor
    retention: Retention
    conductivity_z: Tensor
    vertical: Tensor
    height: Tensor
    east: Tensor
    west: Tensor
    north: Tensor
    south: Tensor
    east_conductance: Tensor
    north_conductance: Tensor
    slope_x: Tensor
    slope_y: Tensor
    donors: Tensor
    inflow: Tensor
    outflow: Tensor
    boundary: Tensor

    @property
    def columns(self) -> int:
        """Number of columns."""
        return self.porosity.shape[1]

    @classmethod
    def of_domain(cls, domain: Domain, device: torch.device | str = "cpu") -> Medium:
        """Take a whole domain; raises `ConfigError` where it lacks a field."""
        fields = {name: domain.require(name, "the structured surrogate") for name in FIELDS}
        maps = {
            name: torch.from_numpy(np.where(domain.mask, f, 1.0)).reshape(1, -1, domain.ny, domain.nx)
            for name, f in fields.items()
        }
        medium = cls.of_maps(torch.from_numpy(domain.mask)[None], maps, domain.dz.tolist(), (domain.dx, domain.dy))
        return medium.to(device)

    @classmethod
    def of_maps(
        cls, active: Tensor, fields: Mapping[str, Tensor], thickness: list[float], spacing: tuple[float, float]
    ) -> Medium:
        """Pack maps.

        Parameters
        ----------
        active : Tensor of bool, shape (maps, ny, nx)
            Cells that take part; water leaves where the ground falls towards the edge of a map or an inactive cell.
        fields : mapping of str to Tensor, shape (maps, layers or 1, ny, nx)
            `FIELDS`, in the units of `bmi_common.Domain`.
        thickness : list of float
            Of the layers [m], bottom first.
        spacing : (float, float)
            Size of the cells along x and y [m].
        """
        f = {name: pack(fields[name].to(torch.float64), active) for name in FIELDS}
        dx, dy = spacing
        dz = torch.tensor(thickness, dtype=torch.float64, device=active.device)[:, None]
        west, east, south, north = neighbours(active)
        kz, below, above = f["conductivity_z"], dz[:-1], dz[1:]
        slope_x, slope_y = f["slope_x"][0], f["slope_y"][0]
        manning = f["manning"][0] / SECONDS_PER_HOUR
        conveyance = 1.0 / (manning * torch.hypot(slope_x, slope_y).clamp(min=SMALLEST_SLOPE).sqrt())
        along_x = _faces(slope_x, slope_x.abs() * conveyance / dx, west, east)
        along_y = _faces(slope_y, slope_y.abs() * conveyance / dy, south, north)
        return cls(
            active=active,
            dz=dz,
            porosity=f["porosity"],
            specific_storage=f["specific_storage"],
            retention=Retention(f["alpha"], f["n"], f["residual_saturation"], f["maximum_saturation"]),
            conductivity_z=kz,
            vertical=(above + below) * kz[1:] * kz[:-1] / (kz[1:] * below + kz[:-1] * above).clamp(min=1.0e-300),
            height=0.5 * (above + below),
            east=east,
            west=west,
            north=north,
            south=south,
            east_conductance=dz * _harmonic(f["conductivity_x"], east) / dx**2,
            north_conductance=dz * _harmonic(f["conductivity_y"], north) / dy**2,
            slope_x=slope_x * dx,
            slope_y=slope_y * dy,
            donors=torch.stack((*along_x.donors, *along_y.donors)),
            inflow=torch.stack((*along_x.inflow, *along_y.inflow)),
            outflow=along_x.outflow + along_y.outflow,
            boundary=along_x.boundary + along_y.boundary,
        )

    def to(self, device: torch.device | str) -> Medium:
        """Copy to a device."""
        moved = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return Medium(**moved, retention=Retention(*(p.to(device) for p in self.retention)))

    def pack(self, maps: Tensor) -> Tensor:
        """Take the active columns of (maps, layers, ny, nx)."""
        return pack(maps, self.active)

    def unpack(self, columns: Tensor, fill: float = 0.0) -> Tensor:
        """Put (layers, columns) back on maps (maps, layers, ny, nx), `fill` in inactive cells."""
        count, ny, nx = self.active.shape
        flat = columns.new_full((columns.shape[0], count * ny * nx), fill)
        flat[:, self.active.reshape(-1)] = columns
        return flat.reshape(-1, count, ny, nx).transpose(0, 1)


def pack(maps: Tensor, active: Tensor) -> Tensor:
    """Take the active columns of maps (maps, layers, ny, nx): (layers, columns), of one map after another."""
    return maps.transpose(0, 1)[:, active]


def padded(columns: Tensor) -> Tensor:
    """Append a column of zeros, which stands for neighbours that do not exist."""
    return torch.cat((columns, columns.new_zeros((*columns.shape[:-1], 1))), dim=-1)


def neighbours(active: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Find each column's western, eastern, southern and northern neighbour, (columns,) each."""
    count, ny, nx = active.shape
    total = int(active.sum())
    number = torch.full((count, ny + 2, nx + 2), total, device=active.device)
    inner = number[:, 1:-1, 1:-1]
    inner[active] = torch.arange(total, device=active.device)
    sides = (number[:, 1:-1, :-2], number[:, 1:-1, 2:], number[:, :-2, 1:-1], number[:, 2:, 1:-1])
    west, east, south, north = (side[active] for side in sides)
    return west, east, south, north


def _harmonic(conductivity: Tensor, upper: Tensor) -> Tensor:
    """Harmonic mean with the neighbour; 0 where there is none, or where either is 0."""
    other = padded(conductivity)[:, upper]
    return 2.0 * conductivity * other / (conductivity + other).clamp(min=1.0e-300)


@dataclass(frozen=True)
class _Faces:
    """Overland faces along one axis; `donors` and `inflow` for the lower and the upper face."""

    donors: tuple[Tensor, Tensor]
    inflow: tuple[Tensor, Tensor]
    outflow: Tensor
    boundary: Tensor


def _faces(slope: Tensor, own: Tensor, lower: Tensor, upper: Tensor) -> _Faces:
    """Who feeds whom along one axis: a face's upper side feeds its lower side where the ground rises."""
    nobody = slope.shape[0]
    inner = lower < nobody
    # the lower face belongs to the lower neighbour; on the edge it has the cell's own slope
    face_slope = torch.where(inner, padded(slope)[lower], slope)
    face = torch.where(inner, padded(own)[lower], own)
    zero = torch.zeros_like(own)

    up = torch.where(slope < 0.0, own, zero)
    down = torch.where(face_slope > 0.0, face, zero)
    from_above = (slope > 0.0) & (upper < nobody)
    from_below = (face_slope < 0.0) & inner
    none = torch.full_like(lower, nobody)
    return _Faces(
        donors=(torch.where(from_below, lower, none), torch.where(from_above, upper, none)),
        inflow=(torch.where(from_below, face, zero), torch.where(from_above, own, zero)),
        outflow=up + down,
        boundary=torch.where(upper == nobody, up, zero) + torch.where(inner, zero, down),
    )
