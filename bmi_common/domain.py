"""The domain that the land and the groundwater side share: grid, layers, mask, soil hydraulics, terrain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, PrivateAttr, ValidationInfo, model_validator

from bmi_common import grids
from bmi_common.arrays import Array
from bmi_common.config import Config, load_nested
from bmi_common.errors import ConfigError, Mistakes, count_cells_from, describe_cell, out_of_range
from bmi_common.fields import FieldConfig, rows_turned
from bmi_common.file_grid import Cells, Direction, degrees_between
from bmi_common.flow_order import FlowNetwork, build_network
from bmi_common.georeference import CrsConfig, Georeference
from bmi_common.overland import SurfaceCondition
from bmi_common.partition import Part, deal, rerouted
from bmi_common.slopes import SlopeFormulation
from bmi_common.world import World, current

Mask = NDArray[np.bool_]


Length = Annotated[float, Field(gt=0, allow_inf_nan=False)]

MOST_COLUMNS = 10**8
"""A field of 3-D with as many has 9 GB; more are a slip of the pen, and would be asked of the machine in vain."""


class Limits(NamedTuple):
    """Range that values of a quantity lie in, both ends included."""

    units: str
    low: float
    high: float

    def refusal(self, value: float) -> str:
        """Write ``must lie between 0 and 1, got 2``."""
        return out_of_range(value, self.low, self.high, self.units)

    def find_outside(self, values: Array, mask: Mask) -> tuple[int, ...] | None:
        """Index of the first active cell whose value is outside, or NaN."""
        bad = np.argwhere(~((values >= self.low) & (values <= self.high)) & mask)
        return tuple(int(i) for i in bad[0]) if len(bad) else None


LIMITS: Final = {
    "conductivity.x": Limits("m h-1", 0.0, 1.0e4),
    "conductivity.y": Limits("m h-1", 0.0, 1.0e4),
    "conductivity.z": Limits("m h-1", 0.0, 1.0e4),
    "conductivity.anisotropy": Limits("1", 0.0, 1.0e3),
    "elevation": Limits("m", -500.0, 9000.0),
    "latitude": Limits("degrees", -90.0, 90.0),
    "longitude": Limits("degrees", -180.0, 360.0),
    "porosity": Limits("1", 1.0e-3, 1.0),
    "van_genuchten.alpha": Limits("m-1", 1.0e-6, 1.0e4),
    "van_genuchten.n": Limits("1", 1.0 + 1.0e-6, 20.0),
    "van_genuchten.relative_permeability.alpha": Limits("m-1", 1.0e-6, 1.0e4),
    "van_genuchten.relative_permeability.n": Limits("1", 1.0 + 1.0e-6, 20.0),
    "van_genuchten.residual_saturation": Limits("1", 0.0, 0.99),
    "van_genuchten.maximum_saturation": Limits("1", 0.01, 1.0),
    "specific_storage": Limits("m-1", 0.0, 1.0),
    "slope.x": Limits("1", -100.0, 100.0),
    "slope.y": Limits("1", -100.0, 100.0),
    # ParFlow takes 1 h m-1/3, that is 3600, where a definition gives no roughness
    "manning": Limits("s m-1/3", 1.0e-4, 3600.0),
}
"""Physical range of each field of a domain; outside it is a slip of the pen or of units."""


class GridConfig(Config):
    """Horizontal grid: cells and their size [m]; (x0, y0) [m] is the lower left corner."""

    nx: Annotated[int, Field(ge=1)]
    ny: Annotated[int, Field(ge=1)]
    dx: Length
    dy: Length
    x0: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    y0: Annotated[float, Field(allow_inf_nan=False)] = 0.0

    @model_validator(mode="after")
    def _can_be_held(self) -> GridConfig:
        if self.nx * self.ny > MOST_COLUMNS:
            raise ValueError(f"nx: {self.nx} times ny: {self.ny} are more than {MOST_COLUMNS:g} columns")
        return self


class LayersConfig(Config):
    """Layers as ParFlow has them: `dz` [m] times a multiplier for each layer (``dzScale``), bottom first."""

    dz: Length
    multipliers: Annotated[list[Length], Field(min_length=1)]


def _thicknesses(data: Any) -> Any:
    if not isinstance(data, Mapping):
        return data
    spec = LayersConfig.model_validate(data)
    return [spec.dz * multiplier for multiplier in spec.multipliers]


Layers = Annotated[list[Length], Field(min_length=1), BeforeValidator(_thicknesses)]
"""Thicknesses of layers [m], bottom first, or ParFlow's ``{dz: 0.02, multipliers: [...]}``."""


class RootZoneConfig(Config):
    """The upper part of the column that exchanges water with the land: its `layers`, counted from the top."""

    layers: Annotated[int, Field(ge=1)]


class PermeabilityConfig(Config):
    """An alpha [m-1] and an n [-] of relative permeability that are not those of retention; one of them may be."""

    alpha: FieldConfig | None = None
    n: FieldConfig | None = None

    @model_validator(mode="after")
    def _some(self) -> PermeabilityConfig:
        if self.alpha is None and self.n is None:
            raise ValueError("give alpha, n or both; without this key relative permeability has those of retention")
        return self


class VanGenuchtenConfig(Config):
    """Water retention: alpha [m-1], n [-], residual and maximum saturation [-]; and the alpha and n of permeability."""

    alpha: FieldConfig
    n: FieldConfig
    residual_saturation: FieldConfig
    maximum_saturation: FieldConfig = FieldConfig(value=1.0)
    relative_permeability: PermeabilityConfig | None = None


class ConductivityConfig(Config):
    """Saturated hydraulic conductivity [m h-1]; y defaults to x; z is given, or x times an `anisotropy` [-]."""

    x: FieldConfig
    y: FieldConfig | None = None
    z: FieldConfig | None = None
    anisotropy: FieldConfig | None = None

    @model_validator(mode="after")
    def _one_vertical(self) -> ConductivityConfig:
        if (self.z is None) == (self.anisotropy is None):
            raise ValueError("give either z [m h-1] or anisotropy (vertical over horizontal)")
        return self


class SlopeConfig(Config):
    """Slopes [-] of the east (x) and north (y) face of each cell, positive where the ground rises."""

    x: FieldConfig
    y: FieldConfig


class DomainConfig(Config):
    """The `domain:` section of a component's configuration, or a file of its own.

    `layers` are thicknesses [m], bottom first, or ParFlow's ``{dz: 0.02, multipliers: [...]}``. Without a `root_zone`
    it is `grids.standard_root_zone_layers` layers thick. Where the ground rises and falls through level layers,
    `top_layer` is the topmost layer of each column, 0 the bottom.
    """

    grid: GridConfig
    crs: CrsConfig | None = None
    layers: Layers
    root_zone: RootZoneConfig | None = None
    mask: FieldConfig | None = None
    top_layer: FieldConfig | None = None
    elevation: FieldConfig = FieldConfig(value=0.0)
    latitude: FieldConfig | None = None
    longitude: FieldConfig | None = None
    porosity: FieldConfig
    van_genuchten: VanGenuchtenConfig
    conductivity: ConductivityConfig | None = None
    specific_storage: FieldConfig = FieldConfig(value=1.0e-4)
    slope: SlopeConfig | None = None
    slope_formulation: SlopeFormulation = SlopeFormulation.UPWIND
    manning: FieldConfig | None = None
    _file: Path | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _root_zone_within(self) -> DomainConfig:
        if self.root_zone is not None and self.root_zone.layers > len(self.layers):
            raise ConfigError(
                f"{self.root_zone.layers} layers, but the domain has {len(self.layers)}", key="root_zone.layers"
            )
        return self


def _from_file(data: Any, info: ValidationInfo) -> Any:
    if not isinstance(data, str | Path):
        return data
    base = (info.context or {}).get("base", Path())
    spec = load_nested(base / data, DomainConfig, info)
    spec._file = base / data
    return spec


DomainField = Annotated[DomainConfig, BeforeValidator(_from_file)]
"""Type of a `domain:` key: the mapping itself, or the path of a YAML file that holds it."""


_PROPERTIES: Final = (
    "porosity",
    "alpha",
    "n",
    "residual_saturation",
    "maximum_saturation",
    "relative_permeability_alpha",
    "relative_permeability_n",
    "conductivity_x",
    "conductivity_y",
    "conductivity_z",
    "specific_storage",
)
"""Fields of the cells that say what they are made of."""


@dataclass(frozen=True)
class Domain:
    """Fields of the domain in grid shape, bottom layer, southern row and western column first.

    Attributes
    ----------
    surface, subsurface, root_zone : Grid
        The grids published over BMI.
    dz : ndarray, shape (nz,)
        Layer thickness [m].
    mask : ndarray of bool, shape (ny, nx)
        Cells that take part.
    top_layer : ndarray of int, shape (ny, nx), optional
        Topmost layer of each column, 0 the bottom; None where all columns have all layers.
    elevation : ndarray, shape (ny, nx)
        Land surface elevation [m].
    latitude, longitude : ndarray, shape (ny, nx), optional
        Degrees north and east.
    porosity : ndarray, shape (nz, ny, nx)
        Pore volume per bulk volume [-].
    alpha, n : ndarray, shape (nz, ny, nx)
        van Genuchten parameters [m-1], [-].
    residual_saturation, maximum_saturation : ndarray, shape (nz, ny, nx)
        Saturation limits [-].
    relative_permeability_alpha, relative_permeability_n : ndarray, shape (nz, ny, nx), optional
        van Genuchten parameters of relative permeability [m-1], [-], where they are not those of retention: both or
        none.
    conductivity_x, conductivity_y, conductivity_z : ndarray, shape (nz, ny, nx), optional
        Saturated hydraulic conductivity [m h-1].
    specific_storage : ndarray, shape (nz, ny, nx)
        Specific storage [m-1].
    slope_x, slope_y : ndarray, shape (ny, nx), optional
        Slopes [-] of the east and the north face of each cell, positive where the ground rises.
    slope_formulation : SlopeFormulation
        How the slopes enter lateral groundwater flow.
    manning : ndarray, shape (ny, nx), optional
        Manning's roughness [s m-1/3].
    cells : Cells
        Where the cells are, for whatever else is read onto the domain.
    grid_mapping : mapping, optional
        The coordinate reference system as attributes of a CF grid mapping variable.
    part : Part, optional
        Of the whole domain, where processes share it: all fields are its window then, and `mask` has its own cells.
    """

    surface: grids.Grid
    subsurface: grids.Grid
    root_zone: grids.Grid
    dz: Array
    mask: Mask
    elevation: Array
    porosity: Array
    alpha: Array
    n: Array
    residual_saturation: Array
    maximum_saturation: Array
    specific_storage: Array
    top_layer: NDArray[np.intp] | None = None
    latitude: Array | None = None
    longitude: Array | None = None
    relative_permeability_alpha: Array | None = None
    relative_permeability_n: Array | None = None
    conductivity_x: Array | None = None
    conductivity_y: Array | None = None
    conductivity_z: Array | None = None
    slope_x: Array | None = None
    slope_y: Array | None = None
    slope_formulation: SlopeFormulation = SlopeFormulation.UPWIND
    manning: Array | None = None
    cells: Cells = field(default=Cells((0, 0)), repr=False)
    files: tuple[Path, ...] = field(default=(), repr=False)
    grid_mapping: Mapping[str, Any] | None = field(default=None, repr=False)
    part: Part | None = field(default=None, repr=False)

    @property
    def georeference(self) -> Georeference | None:
        """Where the cells lie on the earth, if the domain says its coordinate reference system."""
        if self.grid_mapping is None:
            return None
        return Georeference(self.grid_mapping, self.dx * self.dy, self.latitude, self.longitude)

    @property
    def nx(self) -> int:
        """Columns of cells, west to east."""
        return self.surface.shape[1]

    @property
    def ny(self) -> int:
        """Rows of cells, south to north."""
        return self.surface.shape[0]

    @property
    def nz(self) -> int:
        """Layers."""
        return len(self.dz)

    @property
    def root_zone_layers(self) -> int:
        """Layers of the root zone, the topmost of the domain."""
        return self.root_zone.shape[0]

    @property
    def dx(self) -> float:
        """Cell size west to east [m]."""
        return self.surface.spacing[1]

    @property
    def dy(self) -> float:
        """Cell size south to north [m]."""
        return self.surface.spacing[0]

    @property
    def published_grids(self) -> dict[int, grids.Grid]:
        """The grids that components publish, by BMI identifier."""
        return {
            grids.SURFACE: self.surface,
            grids.SUBSURFACE: self.subsurface,
            grids.ROOT_ZONE: self.root_zone,
            grids.SCALAR: grids.scalar(),
        }

    @property
    def active(self) -> Mask:
        """Cells (ny, nx) that take part, those of other processes in the window included."""
        return self.mask if self.part is None else self.part.active

    @property
    def thickness(self) -> Array:
        """Layer thickness [m] as a (nz, ny, nx) field."""
        return np.broadcast_to(self.dz[:, np.newaxis, np.newaxis], self.subsurface.shape).copy()

    @property
    def cells_in_ground(self) -> Mask:
        """Cells (nz, ny, nx) of the domain: those of active columns that do not lie above the ground."""
        if self.top_layer is None:
            return np.broadcast_to(self.mask, self.subsurface.shape)
        return np.asarray(self.mask & (np.arange(self.nz)[:, np.newaxis, np.newaxis] <= self.top_layer))

    @property
    def topmost_cells(self) -> Mask:
        """The uppermost cell of each active column (nz, ny, nx)."""
        top = self.nz - 1 if self.top_layer is None else self.top_layer
        return np.asarray(self.mask & (np.arange(self.nz)[:, np.newaxis, np.newaxis] == top))

    @property
    def height_of_ground(self) -> Array:
        """Height [m] of the ground above the bottom of the domain (ny, nx)."""
        heights = np.cumsum(self.dz)
        return np.asarray(heights[-1 if self.top_layer is None else self.top_layer] + np.zeros(self.surface.shape))

    def at_ground(self, field: Array) -> Array:
        """Values (ny, nx) of a field (nz, ny, nx) in the topmost cells."""
        if self.top_layer is None:
            return np.asarray(field[-1])
        return np.asarray(np.take_along_axis(field, self.top_layer[np.newaxis], axis=0)[0])

    @property
    def has_properties(self) -> bool:
        """Whether the domain still has what its cells are made of."""
        return any(self.porosity.strides)

    def without_properties(self) -> Domain:
        """Return the domain without what its cells are made of, most of its memory: those fields are NaN."""
        nothing = np.broadcast_to(np.nan, self.subsurface.shape)
        there: dict[str, Any] = {name: nothing for name in _PROPERTIES if getattr(self, name) is not None}
        return replace(self, **there)

    def require(self, name: str, needed_by: str) -> Array:
        """Return an optional field; raises `ConfigError` naming the missing key and who needs it."""
        value = getattr(self, name)
        if value is None:
            key = name.replace("_x", ".x").replace("_y", ".y").replace("_z", ".z")
            raise ConfigError(f"domain: {key} is missing; {needed_by} needs it")
        return np.asarray(value, dtype=np.float64)

    def refuse_own_permeability(self, component: str) -> None:
        """Refuse relative permeability whose alpha and n are not those of retention, for a `component` without it."""
        if self.relative_permeability_alpha is not None:
            raise ConfigError(
                f"{component} takes alpha and n of relative permeability from retention; bmi_richards:BmiRichards can "
                "have others",
                key="domain.van_genuchten.relative_permeability",
            )

    def refuse_uneven_ground(self, component: str) -> None:
        """Refuse ground that rises and falls through the layers, for a `component` without it."""
        if self.top_layer is not None:
            raise ConfigError(
                f"{component} needs the same topmost layer in all columns; of the groundwater components, "
                "bmi_richards:BmiRichards takes others",
                key="domain.top_layer",
            )

    def part_under(self, condition: SurfaceCondition) -> Part | None:
        """Return the part that this process has, with the waves of overland flow that the condition makes."""
        part = self.part
        if part is None or condition is not SurfaceCondition.OVERLAND_FLOW:
            return part
        slope_x, slope_y = (part.whole(self.require(name, "overland flow")) for name in ("slope_x", "slope_y"))
        mask, network = part.whole(part.mask), None
        if mask is not None and slope_x is not None and slope_y is not None:
            roughness = np.ones(mask.shape)  # which the order of flow does not depend on
            network = build_network(mask, slope_x, slope_y, roughness, self.dx, self.dy, condition)
        return rerouted(part, network)

    @classmethod
    def load(cls, spec: DomainConfig) -> Domain:
        """Read all fields of a specification, of the part that this process has (`bmi_common.world.current`).

        Raises
        ------
        ConfigError
            For files that cannot be read, wrong shapes, values outside their physical range in active cells.
        """
        part = _part(spec, current())
        dz = np.array(spec.layers, dtype=np.float64)
        surface = _surface(spec.grid)
        if part is not None:
            surface = surface.window(part.rows, part.columns)
            count_cells_from(*part.offset)
        subsurface = grids.layered(surface, dz)
        cells = _place(spec, surface, dz, part)
        mask = _read_mask(spec.mask, subsurface.shape, cells) if part is None else part.mask
        cells = replace(cells, mask=mask)
        _check_directions(spec, cells)

        mistakes = Mistakes()

        def read(s: FieldConfig, name: str, shape: tuple[int, ...], *fixed: Direction) -> Array:
            with mistakes.noted():
                return _read(s, name, shape, cells, fixed)
            return np.full(shape, np.nan)  # will not be used

        def flat(s: FieldConfig | None, name: str, *fixed: Direction) -> Array | None:
            return None if s is None else read(s, name, surface.shape, *fixed)

        def deep(s: FieldConfig, name: str) -> Array:
            return read(s, name, subsurface.shape)

        grid_mapping = None
        if spec.crs is not None:
            with mistakes.noted():
                grid_mapping = spec.crs.read()
        vg, k = spec.van_genuchten, spec.conductivity
        fields: dict[str, Array] = {}
        if k is not None:
            along_x = fields["conductivity_x"] = deep(k.x, "conductivity.x")
            fields["conductivity_y"] = along_x if k.y is None else deep(k.y, "conductivity.y")
            if k.z is not None:
                fields["conductivity_z"] = deep(k.z, "conductivity.z")
            elif k.anisotropy is not None:
                fields["conductivity_z"] = along_x * deep(k.anisotropy, "conductivity.anisotropy")
        if vg.relative_permeability is not None:
            for name, own in (("alpha", vg.relative_permeability.alpha), ("n", vg.relative_permeability.n)):
                quantity = f"van_genuchten.relative_permeability.{name}"
                fields[f"relative_permeability_{name}"] = deep(own or getattr(vg, name), quantity)
        latitude, longitude = flat(spec.latitude, "latitude"), flat(spec.longitude, "longitude")
        domain = cls(
            surface=surface,
            subsurface=subsurface,
            root_zone=grids.root_zone(
                surface,
                dz,
                grids.standard_root_zone_layers(dz) if spec.root_zone is None else spec.root_zone.layers,
            ),
            dz=dz,
            mask=mask,
            top_layer=None if spec.top_layer is None else _read_top_layer(spec.top_layer, subsurface.shape, cells),
            elevation=read(spec.elevation, "elevation", surface.shape),
            latitude=latitude,
            longitude=longitude,
            porosity=deep(spec.porosity, "porosity"),
            alpha=deep(vg.alpha, "van_genuchten.alpha"),
            n=deep(vg.n, "van_genuchten.n"),
            residual_saturation=deep(vg.residual_saturation, "van_genuchten.residual_saturation"),
            maximum_saturation=deep(vg.maximum_saturation, "van_genuchten.maximum_saturation"),
            specific_storage=deep(spec.specific_storage, "specific_storage"),
            slope_x=flat(spec.slope.x if spec.slope else None, "slope.x", "x"),
            slope_y=flat(spec.slope.y if spec.slope else None, "slope.y", "y"),
            slope_formulation=spec.slope_formulation,
            manning=flat(spec.manning, "manning"),
            cells=replace(cells, latitude=latitude, longitude=longitude),  # the same values, kept once
            grid_mapping=grid_mapping,
            part=part,
            files=(*(() if spec._file is None else (spec._file,)), *_files_of(spec)),
            **fields,
        )
        mistakes.require_none()
        if np.any((domain.maximum_saturation <= domain.residual_saturation) & mask):
            raise ConfigError("domain: van_genuchten: maximum_saturation must exceed residual_saturation everywhere")
        return domain


def _surface(grid: GridConfig) -> grids.Grid:
    return grids.surface(grid.ny, grid.nx, grid.dy, grid.dx, grid.y0, grid.x0)


def _part(spec: DomainConfig, world: World) -> Part | None:
    """Return the part of the domain that this process has; None where there is one process only.

    Process 0 looks at mask and slopes of the whole domain. Components that have the same domain share its parts; one
    with another domain on the same cells has it divided alike, so that values can be exchanged.
    """
    if world.size == 1:
        return None
    known = spec.model_dump_json()
    if known not in world.parts:
        mask, network, cycles = _terrain(spec) if world.leads else (None, None, [])
        alike = (p.division for p in world.parts.values() if p.shape == (spec.grid.ny, spec.grid.nx))
        world.parts[known] = deal(world, mask, network, cycles, next(alike, None))
    found: Part = world.parts[known]
    return found


def _terrain(spec: DomainConfig) -> tuple[Mask, FlowNetwork, list[NDArray[np.intp]]]:
    """Return the mask of the whole domain, and how water flows on it, level without slopes.

    That is the network of overland flow through faces, and the cycles of flow by the slopes of cells: which of them a
    groundwater component has is not known where other components of the run have the same domain.
    """
    surface, dz = _surface(spec.grid), np.array(spec.layers, dtype=np.float64)
    cells = _place(spec, surface, dz)
    mask = _read_mask(spec.mask, (len(dz), *surface.shape), cells)
    cells = replace(cells, mask=mask)
    if spec.slope is None:
        slope_x = slope_y = np.zeros(mask.shape)
    else:
        slope_x = _read(spec.slope.x, "slope.x", surface.shape, cells, ("x",))
        slope_y = _read(spec.slope.y, "slope.y", surface.shape, cells, ("y",))
    roughness = np.ones(mask.shape)  # which the order of flow does not depend on
    terrain = mask, slope_x, slope_y, roughness, spec.grid.dx, spec.grid.dy
    return mask, build_network(*terrain), build_network(*terrain, SurfaceCondition.OVERLAND_FLOW).cycles


def _place(spec: DomainConfig, surface: grids.Grid, dz: Array, part: Part | None = None) -> Cells:
    """Return where the cells are, before it is known which of them take part."""
    anywhere = np.zeros(surface.shape, dtype=bool)
    of_rows, of_columns = surface.coordinates
    cells = Cells(
        shape=(surface.shape[0], surface.shape[1]),
        northing=of_rows,
        easting=of_columns,
        has_corner={"x0", "y0"} <= spec.grid.model_fields_set,
        thickness=dz,
        part=part,
    )
    latitude, longitude = (
        None if s is None else s.read(name, surface.shape, "degrees", anywhere, cells=cells)
        for name, s in (("latitude", spec.latitude), ("longitude", spec.longitude))
    )
    turned = spec.latitude is not None and rows_turned(spec.latitude)
    return replace(cells, latitude=latitude, longitude=longitude, turned=turned)


def _check_directions(spec: DomainConfig, cells: Cells) -> None:
    """Refuse a domain whose latitude falls from row to row, or whose longitude falls from column to column."""
    assert cells.mask is not None
    for name, values, axis, order in (
        ("latitude", cells.latitude, 0, "rows must run from south to north"),
        ("longitude", cells.longitude, 1, "columns must run from west to east"),
    ):
        if values is None:
            continue
        known = np.moveaxis(np.where(cells.mask, values, np.nan), axis, 0)
        steps = degrees_between(known[1:], known[:-1])
        steps = steps[np.isfinite(steps)]
        if steps.size and np.all(steps < 0.0):
            file = getattr(spec, name).file
            raise ConfigError(
                f"{file or 'domain'}: {name} falls from {'row to row' if axis == 0 else 'column to column'}: {order}; "
                "a NetCDF variable with the standard_name latitude or longitude, and maps in files that have such "
                "coordinates, are turned as they are read"
            )


def _read_mask(spec: FieldConfig | None, shape: tuple[int, ...], cells: Cells) -> Mask:
    if spec is None:
        return np.ones(shape[1:], dtype=bool)
    anywhere = np.zeros(shape[1:], dtype=bool)  # a mask may be missing where no cell takes part
    try:
        values = spec.read("mask", shape[1:], "1", anywhere, cells=cells)
    except ConfigError:
        # ParFlow writes its mask for every layer: a column takes part if its top layer does
        values = spec.read("mask", shape, "1", anywhere, cells=cells)[-1]
    mask = values > 0
    if not mask.any():
        raise ConfigError(f"{spec.file or 'domain'}: mask has no active cell (a value above 0)")
    return mask


def _read_top_layer(spec: FieldConfig, shape: tuple[int, ...], cells: Cells) -> NDArray[np.intp] | None:
    """Return None where all columns have all layers."""
    values = spec.read("top_layer", shape[1:], "1", cells.mask, cells=cells)
    assert cells.mask is not None
    highest = shape[0] - 1
    bad = ~((values >= 0) & (values <= highest) & (values == np.round(values))) & cells.mask
    if bad.any():
        cell = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ConfigError(
            f"{spec.file or 'domain'}: top_layer must be the number of a layer, 0 to {highest}, got {values[cell]:g} "
            f"at {describe_cell(cell)}"
        )
    if np.all(values[cells.mask] == highest):
        return None
    return np.where(cells.mask, values, highest).astype(np.intp)


def _read(
    spec: FieldConfig, name: str, shape: tuple[int, ...], cells: Cells, fixed: tuple[Direction, ...] = ()
) -> Array:
    limits = LIMITS[name]
    values = spec.read(name, shape, limits.units, cells.mask, map_in_all_layers=True, cells=cells, fixed=fixed)
    assert cells.mask is not None
    cell = limits.find_outside(values, cells.mask)
    if cell is not None:
        raise ConfigError(f"{spec.file or 'domain'}: {name} {limits.refusal(values[cell])} at {describe_cell(cell)}")
    return values


def _files_of(spec: Config) -> tuple[Path, ...]:
    found: list[Path] = []
    for name in type(spec).model_fields:
        value = getattr(spec, name)
        if isinstance(value, FieldConfig):
            found.extend(value.files)
        elif isinstance(value, Config):
            found.extend(_files_of(value))
    return tuple(dict.fromkeys(found))
