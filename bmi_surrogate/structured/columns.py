"""Soil, terrain and neighbourhood of the active columns of one or more maps, as tensors.

All quantities are packed: (layers, columns) or (columns,), the active cells of all maps, upstream ones first (see
`bmi_common.flow_order`). Neighbours are column numbers; a column that does not exist has the number of columns, where
`padded` puts a zero.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bmi_common import Domain
from bmi_common.arrays import Array
from bmi_common.boundary_conditions import Barriers
from bmi_common.flow_order import FlowNetwork, build_network
from bmi_common.partition import Part
from bmi_common.slopes import SlopeFormulation, face_slopes
from bmi_common.units import SECONDS_PER_HOUR
from bmi_surrogate.structured.retention import Retention

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
class ColumnProperties:
    """What does not change from hour to hour.

    Attributes
    ----------
    cells : Tensor of int, shape (columns,)
        Flat index of each column in maps (maps, ny, nx).
    shape : (int, int, int)
        Of those maps.
    levels : tuple of int
        First column of each level of the flow order, and the number of columns: columns of a level do not feed each
        other, but for cycles of the slope field, and are fed by earlier levels only.
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
    rise_east, rise_north : Tensor, shape (columns,)
        Rise [m] of the ground from a cell to its eastern and its northern neighbour: fall of gravity times distance.
    cosine_east, cosine_north : Tensor, shape (columns,)
        Factor [-] of the difference of the pressure heads; see `bmi_common.slopes`.
    donors : Tensor of int, shape (4, columns)
        Columns whose ponded water flows into each column.
    conveyance_in : Tensor, shape (4, columns)
        Conveyance of those faces [h-1 m-2/3]: a depth H gives inflow H^(5/3) [m h-1].
    conveyance_out, boundary : Tensor, shape (columns,)
        Conveyance [h-1 m-2/3] of all faces that a column feeds, and of those on the edge.
    """

    cells: Tensor
    shape: tuple[int, int, int]
    levels: tuple[int, ...]
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
    rise_east: Tensor
    rise_north: Tensor
    cosine_east: Tensor
    cosine_north: Tensor
    donors: Tensor
    conveyance_in: Tensor
    conveyance_out: Tensor
    boundary: Tensor

    @property
    def count(self) -> int:
        """Number of columns."""
        return self.porosity.shape[1]

    @classmethod
    def of_domain(
        cls, domain: Domain, device: torch.device | str = "cpu", barriers: Barriers | None = None
    ) -> ColumnProperties:
        """Take a domain, with its flow barriers; raises `ConfigError` where it lacks a field.

        Of a domain that processes share these are the columns of this process, wave by wave, and then those of its
        halo, which belong to no level.
        """
        fields = {name: domain.require(name, "the structured surrogate") for name in FIELDS}
        mask = domain.mask if domain.part is None else domain.mask | domain.part.halo
        maps = {
            name: torch.from_numpy(np.where(mask, f, 1.0)).reshape(1, -1, domain.ny, domain.nx)
            for name, f in fields.items()
        }
        active, spacing = torch.from_numpy(mask)[None], (domain.dx, domain.dy)
        columns = cls.of_maps(active, maps, domain.dz.tolist(), spacing, domain.slope_formulation, domain.part)
        if barriers is not None:
            x, y, z = (columns.pack_array(factor) for factor in (barriers.x, barriers.y, barriers.z))
            columns = dataclasses.replace(
                columns,
                east_conductance=columns.east_conductance * x,
                north_conductance=columns.north_conductance * y,
                vertical=columns.vertical * z[:-1],
            )
        return columns.to(device)

    @classmethod
    def of_maps(
        cls,
        active: Tensor,
        fields: Mapping[str, Tensor],
        thickness: list[float],
        spacing: tuple[float, float],
        formulation: SlopeFormulation = SlopeFormulation.UPWIND,
        part: Part | None = None,
    ) -> ColumnProperties:
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
        formulation : SlopeFormulation
            How the slopes enter lateral groundwater flow.
        part : Part, optional
            Of a domain that processes share, whose window the only map is.
        """
        dx, dy = spacing
        at_faces = {axis: _at_faces(fields[f"slope_{axis}"], formulation, axis) for axis in ("x", "y")}
        order = _flow_order(active, fields, spacing, part)
        cells, levels = order.cells.to(active.device), order.levels
        f = {name: _take(fields[name].to(torch.float64), cells) for name in FIELDS}
        (fall_x, cosine_x), (fall_y, cosine_y) = ((_take(m, cells)[0] for m in at_faces[axis]) for axis in ("x", "y"))
        dz = torch.tensor(thickness, dtype=torch.float64, device=active.device)[:, None]
        west, east, south, north = neighbours(active, cells)
        kz, below, above = f["conductivity_z"], dz[:-1], dz[1:]
        return cls(
            cells=cells,
            shape=(active.shape[0], active.shape[1], active.shape[2]),
            levels=levels,
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
            rise_east=fall_x * dx,
            rise_north=fall_y * dy,
            cosine_east=cosine_x,
            cosine_north=cosine_y,
            donors=order.donors.to(active.device),
            conveyance_in=order.conveyance_in.to(active.device),
            conveyance_out=order.conveyance_out.to(active.device),
            boundary=order.boundary.to(active.device),
        )

    def to(self, device: torch.device | str) -> ColumnProperties:
        """Copy to a device."""
        moved: dict[str, Any] = {
            name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)
        }
        return dataclasses.replace(self, **moved, retention=Retention(*(p.to(device) for p in self.retention)))

    def pack(self, maps: Tensor) -> Tensor:
        """Take the columns of maps (maps, layers, ny, nx): (layers, columns)."""
        return _take(maps, self.cells)

    def pack_array(self, field: NDArray[Any]) -> Tensor:
        """Take the columns of an array (layers, ny, nx) of the only map: (layers, columns), float64."""
        values = torch.from_numpy(np.ascontiguousarray(field, dtype=np.float64))
        return self.pack(values.to(self.cells.device)[None])

    def unpack(self, columns: Tensor, fill: float = 0.0) -> Tensor:
        """Put (layers, columns) back on maps (maps, layers, ny, nx), `fill` in inactive cells."""
        count, ny, nx = self.shape
        flat = columns.new_full((columns.shape[0], count * ny * nx), fill)
        flat[:, self.cells] = columns
        return flat.reshape(-1, count, ny, nx).transpose(0, 1)


def _at_faces(slope: Tensor, formulation: SlopeFormulation, axis: str) -> tuple[Tensor, Tensor]:
    """Fall and cosine at the upper faces along an axis of maps (maps, 1, ny, nx)."""
    of_cells = slope.to("cpu", torch.float64).numpy()
    fall, cosine = face_slopes(of_cells, formulation, -1 if axis == "x" else -2)
    return torch.from_numpy(fall).to(slope.device), torch.from_numpy(cosine).to(slope.device)


class Soil(NamedTuple):
    """Soil of some columns and how they give away ponded water; see `ColumnProperties`."""

    dz: Tensor
    porosity: Tensor
    specific_storage: Tensor
    retention: Retention
    conveyance_out: Tensor

    @classmethod
    def of(cls, columns: ColumnProperties) -> Soil:
        """Take all columns."""
        return cls(columns.dz, columns.porosity, columns.specific_storage, columns.retention, columns.conveyance_out)

    def some(self, which: Tensor | slice) -> Soil:
        """Take some columns."""
        return Soil(
            self.dz,
            self.porosity[:, which],
            self.specific_storage[:, which],
            Retention(*(p[:, which] for p in self.retention)),
            self.conveyance_out[which],
        )


def _take(maps: Tensor, cells: Tensor) -> Tensor:
    return maps.transpose(0, 1).flatten(1)[:, cells]


def padded(columns: Tensor) -> Tensor:
    """Append a column of zeros, which stands for neighbours that do not exist."""
    return torch.cat((columns, columns.new_zeros((*columns.shape[:-1], 1))), dim=-1)


def neighbours(active: Tensor, cells: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Find each column's western, eastern, southern and northern neighbour, (columns,) each."""
    count, ny, nx = active.shape
    total = cells.shape[0]
    number = torch.full((count, ny + 2, nx + 2), total, device=active.device)
    inner = torch.full((count * ny * nx,), total, device=active.device)
    inner[cells] = torch.arange(total, device=active.device)
    number[:, 1:-1, 1:-1] = inner.reshape(count, ny, nx)
    sides = (number[:, 1:-1, :-2], number[:, 1:-1, 2:], number[:, :-2, 1:-1], number[:, 2:, 1:-1])
    west, east, south, north = (side.reshape(-1)[cells] for side in sides)
    return west, east, south, north


def _harmonic(conductivity: Tensor, upper: Tensor) -> Tensor:
    """Harmonic mean with the neighbour; 0 where there is none, or where either is 0."""
    other = padded(conductivity)[:, upper]
    return 2.0 * conductivity * other / (conductivity + other).clamp(min=1.0e-300)


@dataclass(frozen=True)
class _Order:
    """Columns of all maps in flow order, and the overland faces between them; on the CPU, as in `ColumnProperties`."""

    cells: Tensor
    levels: tuple[int, ...]
    donors: Tensor
    conveyance_in: Tensor
    conveyance_out: Tensor
    boundary: Tensor


def network_of(
    mask: NDArray[np.bool_], terrain: Mapping[str, Array], spacing: tuple[float, float], part: Part | None = None
) -> FlowNetwork:
    """Order the columns of a map by overland flow; `terrain` has `FLAT`, manning in s m-1/3."""
    own, wave = (None, None) if part is None else (part.mask, part.wave)
    manning = terrain["manning"] / SECONDS_PER_HOUR
    return build_network(mask, terrain["slope_x"], terrain["slope_y"], manning, *spacing, own=own, wave=wave)


def _flow_order(
    active: Tensor, fields: Mapping[str, Tensor], spacing: tuple[float, float], part: Part | None
) -> _Order:
    count, ny, nx = active.shape
    terrain = {name: fields[name][:, 0].to("cpu", torch.float64).numpy() for name in FLAT}
    masks = active.cpu().numpy()
    networks = [
        network_of(masks[k], {name: maps[k] for name, maps in terrain.items()}, spacing, part) for k in range(count)
    ]
    level = np.concatenate([n.level_of_column for n in networks])
    order = np.argsort(level, kind="stable")
    total = level.size
    own = total if part is None else networks[0].own
    # column numbers count from 1 in each map there, and 0 means none
    new = np.empty(total + 1, dtype=np.int64)
    new[order], new[total] = np.arange(total), total
    begins = np.cumsum([0, *(n.cells.size for n in networks)])[:-1]
    donors = np.concatenate(
        [np.where(n.donor > 0, n.donor - 1 + begin, total) for n, begin in zip(networks, begins, strict=True)], axis=1
    )

    def ordered(parts: list[NDArray[Any]]) -> Tensor:
        return torch.from_numpy(np.concatenate(parts, axis=-1)[..., order].copy())

    return _Order(
        cells=ordered([n.cells + k * ny * nx for k, n in enumerate(networks)]),
        levels=tuple(int(v) for v in np.r_[0, np.cumsum(np.bincount(level[:own], minlength=1))]),
        donors=torch.from_numpy(new[donors[:, order]]),
        conveyance_in=ordered([n.inflow for n in networks]),
        conveyance_out=ordered([n.outflow for n in networks]),
        boundary=ordered([n.boundary for n in networks]),
    )
