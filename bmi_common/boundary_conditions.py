"""What acts on the groundwater beside the land: ground surface, sides and bottom, flow barriers, sources, wells.

The sections `surface:`, `boundaries:`, `barriers:`, `sources:` and `wells:` of a groundwater component's configuration,
and what is read from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from bmi_common.arrays import Array
from bmi_common.config import CalendarTime, Config
from bmi_common.domain import Domain
from bmi_common.errors import ConfigError, Mistakes, describe_cell, errors_under
from bmi_common.fields import FieldConfig, read_netcdf_variable
from bmi_common.netcdf_file import NetcdfFile
from bmi_common.netcdf_time import entry_starts
from bmi_common.overland import SurfaceCondition
from bmi_common.rates import Intervals, Rate, RateConfig, first_entry
from bmi_common.subgrid import Streams, StreamsConfig
from bmi_common.units import conversion
from bmi_common.wells import Takes, Well, WellConfig, read_wells

Side = Literal["west", "east", "south", "north", "bottom", "top"]

LARGEST_FLUX = 100.0
"""Through a boundary or the ground [m h-1]; more is a slip of units."""
LARGEST_HEAD = 1.0e4
"""Of a boundary [m]; more is a height above the sea."""


class SurfaceConfig(Config):
    """The ground surface.

    Attributes
    ----------
    condition : SurfaceCondition
        What happens to ponded water.
    flux : RateConfig, optional
        Water [m h-1] onto the ground of every column, into the ground positive, beside what the land gives.
    """

    condition: SurfaceCondition = SurfaceCondition.OVERLAND_KINEMATIC
    flux: RateConfig | None = None


class BoundaryConfig(Config):
    """A part of the sides, the bottom or the ground; nothing flows through what no boundary covers.

    Attributes
    ----------
    side : str
        Side that the outer faces look to, the bottom, or the ground (``top``), which takes a head only.
    mask : FieldConfig, optional
        Map of the columns whose outer faces on that side belong to it (values above 0); by default all.
    layers : list of int, optional
        Layers, 0 the bottom, whose faces belong to it; by default all.
    flux : RateConfig, optional
        Water through the faces [m h-1], into the domain positive.
    head : RateConfig, optional
        Hydraulic head [m] above the bottom of the domain: the pressure head at a height z is head - z.
    """

    side: Side
    mask: FieldConfig | None = None
    layers: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=1)] | None = None
    flux: RateConfig | None = None
    head: RateConfig | None = None

    @model_validator(mode="after")
    def _flux_or_head(self) -> BoundaryConfig:
        if (self.flux is None) == (self.head is None):
            raise ValueError("give either flux [m h-1] or head [m]")
        if self.side in ("bottom", "top") and self.layers is not None:
            raise ValueError(f"layers: without effect at the {self.side}, which is that of each column")
        if self.side == "top" and self.head is None:
            raise ValueError("the ground takes a head here; a flux onto it is `surface: {flux: ...}`")
        return self

    @field_validator("layers")
    @classmethod
    def _each_once(cls, layers: list[int] | None) -> list[int] | None:
        if layers is not None and len(set(layers)) < len(layers):
            raise ValueError(f"a layer is given twice in {layers}")
        return layers


class BarriersConfig(Config):
    """Factors [-] of the flow through the upper face of each cell in a direction: to the east, the north, upwards."""

    x: FieldConfig | None = None
    y: FieldConfig | None = None
    z: FieldConfig | None = None

    @model_validator(mode="after")
    def _some(self) -> BarriersConfig:
        if self.x is None and self.y is None and self.z is None:
            raise ValueError("give the factors of at least one of x, y and z")
        return self


class SourcesConfig(FieldConfig):
    """Sources per cell [h-1] (volume per bulk volume), into the soil positive: steady, or a series of a NetCDF file.

    Attributes
    ----------
    interval : float
        Length [h] that an entry of a series (time, z, y, x) holds. The run begins with the entry of its start by the
        dates of the file, or with the first of a file that has none.
    """

    interval: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0


@dataclass(frozen=True)
class Boundary:
    """Faces of one side, and what they are held to.

    Attributes
    ----------
    side : str
        Side that the faces look to.
    faces : ndarray of bool, shape (nz, ny, nx)
        Cells whose face on that side belongs to it.
    flux : Rate, optional
        Water through the faces [m h-1], into the domain positive.
    head : Rate, optional
        Hydraulic head above the bottom of the domain [m].
    """

    side: Side
    faces: NDArray[np.bool_]
    flux: Rate | None
    head: Rate | None


@dataclass(frozen=True)
class Barriers:
    """Factors [-] (nz, ny, nx) of the flow through the upper faces of the cells in x, y and z."""

    x: Array
    y: Array
    z: Array


@dataclass(frozen=True)
class Sources:
    """Prescribed sources [h-1], steady or read entry by entry.

    Attributes
    ----------
    steady : ndarray, shape (nz, ny, nx), optional
        Where they do not change.
    first : int
        Entry that the run begins with.
    """

    steady: Array | None
    first: int = 0
    file: Path | None = None
    variable: str = ""
    units: str | None = None
    intervals: Intervals | None = None
    domain: Domain | None = None

    @property
    def end(self) -> float:
        """Time [h] up to which the sources are known."""
        return inf if self.intervals is None else self.intervals.end

    def mean(self, start: float, length: float) -> Array:
        """Mean sources (nz, ny, nx) over a step of `length` [h] from the time `start` [h] on."""
        if self.steady is not None:
            return self.steady
        assert self.intervals is not None
        shares = self.intervals.shares(start, length)
        return np.asarray(np.sum([share * self._entry(self.first + entry) for entry, share in shares.items()], axis=0))

    def _entry(self, entry: int) -> Array:
        assert self.file is not None
        assert self.domain is not None
        values, attribute = read_netcdf_variable(self.file, self.variable, self.domain.cells, moment=entry)
        change = conversion(self.units or attribute or "h-1", "h-1")
        values = values * change.factor + change.offset
        bad = ~np.isfinite(values) & self.domain.mask
        if bad.any():
            cell = tuple(int(i) for i in np.argwhere(bad)[0])
            raise ConfigError(
                f"{self.file} ({self.variable}): sources: not finite in entry {entry} at {describe_cell(cell)}"
            )
        _require_in_ground(values, self.domain, self.file)
        return values


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What acts on the groundwater beside the land, read from its files.

    Attributes
    ----------
    surface : SurfaceCondition
        What happens to ponded water.
    surface_flux : Rate, optional
        Water onto the ground [m h-1], into the ground positive.
    boundaries : tuple of Boundary
        Parts of the sides and the bottom.
    barriers : Barriers, optional
        Flow barriers.
    sources : Sources, optional
        Prescribed sources.
    wells : tuple of Well
        Wells and intakes from rivers.
    files : tuple of Path
        Every file that was read.
    """

    surface: SurfaceCondition = SurfaceCondition.OVERLAND_KINEMATIC
    surface_flux: Rate | None = None
    boundaries: tuple[Boundary, ...] = ()
    barriers: Barriers | None = None
    sources: Sources | None = None
    wells: tuple[Well, ...] = ()
    files: tuple[Path, ...] = ()

    @property
    def ends(self) -> dict[str, float]:
        """Time [h] up to which each of it is known, by its key in the configuration."""
        rates: dict[str, Rate | None] = {"surface.flux": self.surface_flux}
        for number, boundary in enumerate(self.boundaries):
            rates |= {f"boundaries.{number}.flux": boundary.flux, f"boundaries.{number}.head": boundary.head}
        rates |= {f"wells.{n}.{'head' if well.holds else 'rate'}": well.rate for n, well in enumerate(self.wells)}
        known = {key: rate.end for key, rate in rates.items() if rate is not None}
        return known if self.sources is None else {**known, "sources": self.sources.end}


class ConditionsConfig(Config):
    """The sections of a groundwater component's configuration.

    Attributes
    ----------
    start : datetime, optional
        Start of the run (UTC), which series with dates need; a coupled run puts its own there.
    """

    start: CalendarTime | None = None
    surface: SurfaceConfig = SurfaceConfig()
    boundaries: list[BoundaryConfig] = []
    barriers: BarriersConfig | None = None
    sources: SourcesConfig | None = None
    wells: list[WellConfig] = []
    streams: StreamsConfig | None = None

    def read_conditions(self, domain: Domain) -> Conditions:
        """Read what the sections name.

        Raises
        ------
        ConfigError
            For files that cannot be read, fields of another shape, impossible values, boundaries without a face or on
            a face that another has, wells that are nowhere or named twice; naming the key.
        """
        mistakes = Mistakes()
        surface_flux, barriers, sources = None, None, None
        wells: tuple[Well, ...] = ()
        with mistakes.noted(), errors_under("surface.flux"):
            surface_flux = _read_rate(self.surface.flux, "flux", domain, self.start)
        boundaries: list[Boundary] = []
        for number, spec in enumerate(self.boundaries):
            with mistakes.noted(), errors_under(f"boundaries.{number}"):
                boundaries.append(_read_boundary(spec, domain, self.start))
        with mistakes.noted():
            _require_disjoint(boundaries)
        for number, spec in enumerate(self.boundaries):
            if spec.side == "top" and self.surface.condition is not SurfaceCondition.CLOSED:
                why = "a head at the ground needs `surface: {condition: closed}`, under which no water stands on it"
                mistakes.note(ConfigError(why, key=f"boundaries.{number}.side"))
        with mistakes.noted(), errors_under("barriers"):
            barriers = None if self.barriers is None else _read_barriers(self.barriers, domain)
        with mistakes.noted(), errors_under("sources"):
            sources = None if self.sources is None else _read_sources(self.sources, domain, self.start)
        with mistakes.noted():
            wells = read_wells(self.wells, domain, self.start)
        mistakes.require_none()
        return Conditions(
            surface=self.surface.condition,
            surface_flux=surface_flux,
            boundaries=tuple(boundaries),
            barriers=barriers,
            sources=sources,
            wells=wells,
            files=self._files,
        )

    def read_streams(self, domain: Domain) -> tuple[Streams | None, Domain]:
        """Read `streams`: the streams, and the domain with the conductivities that go with them.

        Raises
        ------
        ConfigError
            As `StreamsConfig.build`; where water does not flow as a kinematic wave, or is taken from rivers.
        """
        if self.streams is None:
            return None, domain
        if self.surface.condition is not SurfaceCondition.OVERLAND_KINEMATIC:
            raise ConfigError(f"need overland flow as a kinematic wave, not `{self.surface.condition.value}`")
        if any(well.takes is Takes.RIVER for well in self.wells):
            raise ConfigError("wells take from water that stands on the ground, and not from streams within cells")
        return self.streams.build(domain)

    @property
    def _files(self) -> tuple[Path, ...]:
        rates = [self.surface.flux, *(b.flux for b in self.boundaries), *(b.head for b in self.boundaries)]
        fields = [self.sources, *(b.mask for b in self.boundaries)]
        if self.barriers is not None:
            fields += [self.barriers.x, self.barriers.y, self.barriers.z]
        specs = (*rates, *fields, *self.wells, self.streams)
        return tuple(file for spec in specs if spec is not None for file in spec.files)

    def refuse(self, component: str, *, but: tuple[str, ...] = ()) -> None:
        """Refuse what a component cannot do.

        Parameters
        ----------
        component : str
            Who cannot, for the message.
        but : tuple of str
            Keys that it can: ``surface.condition`` (any), ``surface.flux``, ``boundaries``, ``barriers``, ``sources``,
            ``wells`` at a rate, ``wells.takes`` (from rivers and at a head, too), ``streams``.

        Raises
        ------
        ConfigError
            Naming each key.
        """
        condition = self.surface.condition
        from_rivers = [number for number, well in enumerate(self.wells) if well.takes is Takes.RIVER]
        held = [number for number, well in enumerate(self.wells) if well.head is not None]
        given = {
            "surface.condition": (condition is not SurfaceCondition.OVERLAND_KINEMATIC, condition.value),
            "surface.flux": (self.surface.flux is not None, "a flux at the ground"),
            "boundaries": (bool(self.boundaries), "conditions at sides, bottom and ground"),
            "barriers": (self.barriers is not None, "flow barriers"),
            "sources": (self.sources is not None, "prescribed sources"),
            "wells": (bool(self.wells), "wells"),
            "streams": (self.streams is not None, "streams within cells"),
        }
        mistakes = Mistakes()
        if "wells.takes" not in but and "wells" in but:
            given |= {f"wells.{number}.takes": (True, "intakes from rivers") for number in from_rivers}
            given |= {f"wells.{number}.head": (True, "wells that hold a head") for number in held}
        for key, (is_given, what) in given.items():
            if is_given and key not in but:
                mistakes.note(ConfigError(f"{component} does not take {what}; bmi_richards:BmiRichards does", key=key))
        mistakes.require_none()


def _read_rate(spec: RateConfig | None, name: str, domain: Domain, start: datetime | None) -> Rate | None:
    if spec is None:
        return None
    units, largest = ("m h-1", LARGEST_FLUX) if name == "flux" else ("m", LARGEST_HEAD)
    rate = spec.read(name, units, domain, start)
    active = rate.values if rate.values.ndim == 1 else rate.values[:, domain.mask]
    most = float(np.abs(active).max())
    if not most <= largest:
        raise ConfigError(f"{name} must lie between {-largest:g} and {largest:g} {units}, got {most:g}")
    return rate


def outer_faces(mask: NDArray[np.bool_], side: Side) -> NDArray[np.bool_]:
    """Active cells (ny, nx) whose face on a side has no active cell behind it; all for bottom and top."""
    if side in ("bottom", "top"):
        return mask.copy()
    outside = ~np.pad(mask, 1, constant_values=False)
    behind = {
        "west": outside[1:-1, :-2],
        "east": outside[1:-1, 2:],
        "south": outside[:-2, 1:-1],
        "north": outside[2:, 1:-1],
    }[side]
    return mask & behind


def _read_boundary(spec: BoundaryConfig, domain: Domain, start: datetime | None) -> Boundary:
    columns = outer_faces(domain.active, spec.side) & domain.mask
    if spec.mask is not None:
        chosen = spec.mask.read("mask", domain.surface.shape, "1", domain.mask, cells=domain.cells) > 0.0
        columns &= chosen
        if not _anywhere(columns, domain):
            raise ConfigError(f"no active cell of the map has an outer face to the {spec.side}", key="mask")
    layers = [0] if spec.side == "bottom" else spec.layers
    if layers is not None and max(layers) >= domain.nz:
        raise ConfigError(f"the domain has layers 0 to {domain.nz - 1}, got {max(layers)}", key="layers")
    faces = np.zeros(domain.subsurface.shape, dtype=bool)
    faces[slice(None) if layers is None else layers] = columns
    if spec.side == "top":
        faces &= domain.topmost_cells
    if domain.top_layer is not None:
        faces &= domain.cells_in_ground
        if _anywhere(columns, domain) and not _anywhere(faces, domain):
            raise ConfigError(f"no cell of these layers has an outer face to the {spec.side}", key="layers")
    flux, head = None, None
    with errors_under("flux"):
        flux = _read_rate(spec.flux, "flux", domain, start)
    with errors_under("head"):
        head = _read_rate(spec.head, "head", domain, start)
    return Boundary(spec.side, faces, flux, head)


def _anywhere(cells: NDArray[np.bool_], domain: Domain) -> bool:
    """Whether there is such a cell in any part of the domain."""
    here = bool(cells.any())
    return here if domain.part is None else domain.part.world.any(here)


def _require_disjoint(boundaries: list[Boundary]) -> None:
    for number, boundary in enumerate(boundaries):
        for other, earlier in enumerate(boundaries[:number]):
            both = boundary.faces & earlier.faces
            if boundary.side == earlier.side and both.any():
                cell = tuple(int(i) for i in np.argwhere(both)[0])
                raise ConfigError(
                    f"the {boundary.side} face of {describe_cell(cell)} belongs to boundary {other}, too",
                    key=f"boundaries.{number}",
                )


def _read_barriers(spec: BarriersConfig, domain: Domain) -> Barriers:
    factors = {}
    for axis in ("x", "y", "z"):
        field = getattr(spec, axis)
        if field is None:
            factors[axis] = np.ones(domain.subsurface.shape)
            continue
        values = field.read(axis, domain.subsurface.shape, "1", domain.mask, cells=domain.cells)
        if np.any((values < 0.0) & domain.mask):
            cell = tuple(int(i) for i in np.argwhere((values < 0.0) & domain.mask)[0])
            raise ConfigError(f"a factor must be at least 0, got {values[cell]:g} at {describe_cell(cell)}", key=axis)
        factors[axis] = values
    return Barriers(**factors)


def _read_sources(spec: SourcesConfig, domain: Domain, start: datetime | None) -> Sources:
    if spec.file is None or spec.file.suffix.lower() not in (".nc", ".nc4"):
        return _steady_sources(spec, domain)
    interval = timedelta(hours=spec.interval)
    with NetcdfFile(spec.file) as file:
        variable = file.require(str(spec.variable))
        if len(variable.shape) < 4:
            return _steady_sources(spec, domain)
        times = entry_starts(file, str(spec.variable), interval)
    source = f"{spec.file} ({spec.variable})"
    begin = first_entry(times, start, source, interval)
    if spec.layers is not None or spec.lookup is not None:
        raise ConfigError(f"{source}: layers and lookup have no meaning for a series of sources")
    first, attribute = read_netcdf_variable(spec.file, str(spec.variable), domain.cells, moment=0)
    if first.shape != domain.subsurface.shape:
        raise ConfigError(f"{source}: an entry has shape {first.shape}, the domain needs {domain.subsurface.shape}")
    conversion(spec.units or attribute or "h-1", "h-1")
    entries = variable.shape[0] - begin
    sources = Sources(
        None,
        first=begin,
        file=spec.file,
        variable=str(spec.variable),
        units=spec.units,
        intervals=Intervals.equal(entries, spec.interval),
        domain=domain.without_properties(),
    )
    for entry in range(entries):  # a hole is found before the run
        sources.mean(entry * spec.interval, spec.interval)
    return sources


def _steady_sources(spec: SourcesConfig, domain: Domain) -> Sources:
    if "interval" in spec.model_fields_set:
        raise ConfigError("without effect, because the sources have no time", key="interval")
    values = spec.read("sources", domain.subsurface.shape, "h-1", domain.mask, cells=domain.cells)
    _require_in_ground(values, domain, spec.file)
    return Sources(values)


def _require_in_ground(sources: Array, domain: Domain, file: Path | None) -> None:
    if domain.top_layer is None:
        return
    lost = (sources != 0.0) & domain.mask & ~domain.cells_in_ground
    if lost.any():
        cell = tuple(int(i) for i in np.argwhere(lost)[0])
        raise ConfigError(f"{file or 'sources'}: {sources[cell]:g} h-1 above the ground at {describe_cell(cell)}")
