"""The YAML of the land component."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Discriminator, Field, Tag, model_validator

from bmi_colm.arrays import COLD_START_TEMPERATURE
from bmi_colm.columns import ColumnConfig, LeafIteration, PhysicsConfig
from bmi_colm.forcing import ForcingConfig
from bmi_colm.forcing.config import UtcDatetime, forcing_files
from bmi_colm.leaf_area import LeafAreaConfig
from bmi_colm.maps import Maps, SoilMaps, VegetationMaps
from bmi_colm.readin import Readin, read_readin, to_layers
from bmi_colm.soil import SoilTexture, check_texture, layer_weights
from bmi_colm.soil_grid import FINE_ENOUGH, STANDARD_THICKNESS, SoilGrid
from bmi_colm.tables import (
    SoilTable,
    Vegetation,
    override_soil,
    override_vegetation,
    soil_table,
    vegetation_table,
)
from bmi_colm.tables.schema import SOIL_BOUNDS, SoilField, SoilOverrides, VegetationField, VegetationOverrides
from bmi_common import Config, ConfigError, ConfigPath, Domain, DomainField, FieldConfig, load_config
from bmi_common.config import Threads
from bmi_common.errors import Mistakes, describe_cell, errors_under
from bmi_common.file_grid import Cells
from bmi_common.floor_head import FLOOR_HEAD
from bmi_common.suggest import did_you_mean

Floats = NDArray[np.float64]


class ReadinCover(Config):
    """IGBP classes of a ``CoLM_readin.dat``."""

    colm: ConfigPath

    @property
    def files(self) -> tuple[Path, ...]:
        """The file."""
        return (self.colm,)

    def read(self, domain: Domain) -> Floats:
        """Read the active cells of a (ny, nx) field; NaN elsewhere."""
        values = np.full(domain.mask.shape, np.nan)
        values[domain.mask] = _read_colm(self.colm, domain).land_cover
        return values


def _read_colm(file: Path, domain: Domain) -> Readin:
    """Read the active cells of a ``CoLM_readin.dat``, which has a line for every cell of the whole domain."""
    return read_readin(file, domain.mask if domain.part is None else domain.part.placed(domain.mask))


def _cover_kind(data: Any) -> str:
    return "[colm]" if isinstance(data, ReadinCover) or (isinstance(data, dict) and "colm" in data) else "FieldConfig"


CoverConfig = Annotated[
    Annotated[FieldConfig, Tag("FieldConfig")] | Annotated[ReadinCover, Tag("[colm]")], Discriminator(_cover_kind)
]
"""A field of IGBP classes, or ``{colm: CoLM_readin.dat}``."""


class TextureConfig(Config):
    """Soil texture: a USDA class for whole columns, a profile over the root zone, or ``{colm: CoLM_readin.dat}``.

    In YAML the name of a class (``loam``), or the field of class numbers itself, may stand for ``{usda: …}``. The
    profile's fields hold the root zone's layers, bottom first, or one value for all of them; with `thickness` [m],
    bottom first, they hold layers of their own, which are averaged over those of the soil. Gravel, organic carbon and
    bulk density may be left out.
    """

    usda: str | FieldConfig | None = None
    colm: ConfigPath | None = None
    sand: FieldConfig | None = None
    clay: FieldConfig | None = None
    gravel: FieldConfig | None = None
    organic_carbon: FieldConfig | None = None
    bulk_density: FieldConfig | None = None
    thickness: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, data: Any) -> Any:
        if isinstance(data, dict):
            usda = data.get("usda")
            return {**data, "usda": _class_or_field(usda)} if isinstance(usda, str) else data
        return {"usda": _class_or_field(data)}

    @model_validator(mode="after")
    def _class_or_profile(self) -> TextureConfig:
        profile = [getattr(self, n) for n in ("sand", "clay", "gravel", "organic_carbon", "bulk_density")]
        if sum((self.usda is not None, self.colm is not None, any(p is not None for p in profile))) > 1:
            raise ValueError("give either a USDA class, or a profile of sand, clay, …, or a CoLM_readin.dat (colm)")
        if self.usda is None and self.colm is None and (self.sand is None or self.clay is None):
            raise ValueError("give a USDA class, or sand and clay [%], or a CoLM_readin.dat (colm)")
        if self.thickness is not None and self.sand is None:
            raise ValueError("thickness: without effect, because no profile of sand, clay, … is given")
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that the texture is read from."""
        fields = (self.usda, self.sand, self.clay, self.gravel, self.organic_carbon, self.bulk_density)
        found = [f for field in fields if isinstance(field, FieldConfig) for f in field.files]
        return tuple(found) if self.colm is None else (*found, self.colm)

    def read(self, domain: Domain, table: SoilTable, grid: SoilGrid) -> SoilTexture:
        """Texture of the active columns, soil layers from the top."""
        if self.colm is not None:
            return _on_soil(to_layers(_read_colm(self.colm, domain).texture), grid)
        if isinstance(self.usda, str):
            return SoilTexture.from_usda(np.full(int(domain.mask.sum()), self.usda), table)
        if self.usda is not None:
            shape = domain.surface.shape
            classes = self.usda.read("soil_texture.usda", shape, "1", domain.mask, cells=domain.cells)[domain.mask]
            return SoilTexture.from_usda(classes, table)
        given = {f.name: getattr(self, f.name) for f in fields(SoilTexture)}
        values = {
            name: np.full((int(domain.mask.sum()), grid.layers), getattr(table, f"default_{name}"))
            if spec is None
            else _profile(spec, name, domain, self.thickness, grid)
            for name, spec in given.items()
        }
        texture = SoilTexture(**values)
        check_texture(texture, np.argwhere(domain.mask), {n: s.file for n, s in given.items() if s is not None})
        return texture


def _class_or_field(data: Any) -> Any:
    # a word is the path of a file only if it is no class
    if not isinstance(data, str):
        return data
    classes = soil_table().textures
    if data.lower() in classes:
        return data.lower()
    if not Path(data).suffix:
        raise ValueError(f"{data!r} is no USDA texture class{did_you_mean(data.lower(), classes)}")
    return {"file": data}


def _on_soil(texture: SoilTexture, grid: SoilGrid) -> SoilTexture:
    """Bring the ten layers of CoLM to those of the soil: one to one where there are ten, else by depth."""
    if grid.is_root_zone and grid.layers == FINE_ENOUGH:
        return texture
    weights = layer_weights(STANDARD_THICKNESS[::-1], grid.thickness[::-1])[::-1, ::-1]
    return SoilTexture(**{f.name: getattr(texture, f.name) @ weights.T for f in fields(SoilTexture)})


def _profile(spec: FieldConfig, name: str, domain: Domain, thickness: list[float] | None, grid: SoilGrid) -> Floats:
    """Read a profile of the active columns, (n, soil layers), top first."""
    key, units = f"soil_texture.{name}", SOIL_BOUNDS[name].units
    if _has_no_layers(spec, key, domain, units):
        flat = spec.read(key, domain.surface.shape, units, domain.mask, cells=domain.cells)[domain.mask]
        return np.repeat(flat[:, np.newaxis], grid.layers, axis=1)
    own = domain.root_zone.shape if thickness is None else (len(thickness), *domain.surface.shape)
    # layers of the soil data base's own are not compared with the domain's
    cells = domain.cells if thickness is None else replace(domain.cells, thickness=np.array(thickness))
    values = spec.read(key, own, units, domain.mask, cells=cells)[:, domain.mask]
    if thickness is not None:
        values = layer_weights(thickness, grid.thickness[::-1]) @ values
        return np.ascontiguousarray(values[::-1].T)
    return grid.spread(np.ascontiguousarray(values[::-1].T))


def _has_no_layers(spec: FieldConfig, key: str, domain: Domain, units: str) -> bool:
    if spec.file is None:
        return isinstance(spec.value, float)
    try:
        # without coordinates, which the reading that counts compares
        place = None if domain.part is None else Cells(domain.cells.shape, part=domain.part)
        spec.read(key, domain.surface.shape, units, np.zeros(domain.mask.shape, dtype=bool), cells=place)
    except ConfigError:  # of another shape, or unreadable: the second reading says so
        return False
    return True


def _read_cover(spec: CoverConfig, domain: Domain) -> Floats:
    if isinstance(spec, ReadinCover):
        return spec.read(domain)
    return spec.read("land_cover", domain.surface.shape, "1", domain.mask, cells=domain.cells)


def _check_cover(cover: Floats, classes: Collection[int], cells: NDArray[np.int64], source: str) -> None:
    bad = ~np.isin(cover, list(classes))
    if not bad.any():
        return
    value = cover[bad][0]
    hint = ""
    if value == 0:
        hint = "; water, 0 in some legends, is 17 here"
    elif value > max(classes):
        hint = "; is it the code of a missing value, or another legend (USGS, ESA CCI)? `lookup:` translates classes"
    place = describe_cell(tuple(int(v) for v in cells[int(np.argmax(bad))]))
    raise ConfigError(
        f"{source}: {value:g} is no IGBP class ({min(classes)}-{max(classes)}), in {int(bad.sum())} active cells, "
        f"first at {place}{hint}"
    )


class InitialState(Config):
    """A state file to start from, or the temperature [K] of soil and leaves at a cold start, without snow and ice."""

    state: ConfigPath | None = None
    temperature: Annotated[float, Field(ge=220.0, le=330.0)] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> InitialState:
        if (self.state is None) == (self.temperature is None):
            raise ValueError("give either state (a state file) or temperature (of a cold start) [K]")
        return self


class LandConfig(PhysicsConfig):
    """The whole file."""

    start: UtcDatetime
    end: UtcDatetime | None = None
    domain: DomainField
    land_cover: CoverConfig
    soil_texture: TextureConfig
    soil_layers: Annotated[list[Annotated[float, Field(gt=0, allow_inf_nan=False)]], Field(min_length=1)] | None = None
    thermal_depth: Annotated[float, Field(gt=0, le=1.0e3)] | None = None
    forcing: ForcingConfig
    initial: InitialState | None = None
    floor_head: Annotated[float, Field(ge=-1.0e4, lt=0)] = FLOOR_HEAD
    vegetation_table: ConfigPath | None = None
    vegetation: VegetationField = VegetationOverrides({})
    vegetation_maps: VegetationMaps = VegetationMaps()
    soil_table: ConfigPath | None = None
    soil: SoilField = SoilOverrides()
    soil_maps: SoilMaps = SoilMaps()
    leaf_area: LeafAreaConfig | None = None
    threads: Threads | None = None

    @model_validator(mode="after")
    def _keys_that_fit(self) -> LandConfig:
        if self.published_numerics and "floor_head" in self.model_fields_set:
            raise ConfigError(
                "without effect, because with published_numerics the land takes water that is not there",
                key="floor_head",
            )
        if self.published_numerics and self.leaf_iteration is not LeafIteration.PUBLISHED:
            raise ConfigError("is `published` with published_numerics; remove one of the two", key="leaf_iteration")
        if self.end is not None and self.end <= self.start:
            raise ValueError(f"end ({self.end}) must be after start ({self.start})")
        return self

    def build(self) -> ColumnConfig:
        """Say what the columns are told."""
        physics = {name: getattr(self, name) for name in PhysicsConfig.model_fields}
        temperature = self.initial and self.initial.temperature
        return ColumnConfig(**physics, initial_temperature=temperature or COLD_START_TEMPERATURE)


@dataclass(frozen=True)
class PreparedLand:
    """What the configuration describes, read from its files.

    Attributes
    ----------
    config : LandConfig
    domain : Domain
    land_cover : ndarray of int, shape (n,)
        IGBP class of the active columns, in the order of ``mask.nonzero()``.
    grid : SoilGrid
        The land's layers of soil.
    texture : SoilTexture
        Of the active columns and soil layers.
    cells : ndarray of int, shape (n, 2)
        (j, i) of the active columns.
    vegetation, soil
        Tables, with what the configuration changes in them.
    maps : dict of ndarray
        Parameters of the active columns that take the place of those of their classes.
    files : tuple of Path
        Every file that is read, forcing included.
    """

    config: LandConfig
    domain: Domain
    land_cover: NDArray[np.int64]
    grid: SoilGrid
    texture: SoilTexture
    cells: NDArray[np.int64]
    vegetation: dict[int, Vegetation]
    soil: SoilTable
    maps: Maps
    files: tuple[Path, ...]

    @property
    def porosity(self) -> Floats:
        """Porosity of the active columns' soil layers, (n, soil layers), top first."""
        root_zone = self.domain.porosity[-self.domain.root_zone_layers :, self.domain.mask]
        return self.grid.spread(np.ascontiguousarray(root_zone.T[:, ::-1]))

    def without_properties(self) -> PreparedLand:
        """Return it without what cells and columns are made of, most of its memory: textures are NaN, maps none."""
        nothing = np.broadcast_to(np.nan, (len(self.cells), 1))
        texture = SoilTexture(*(nothing for _ in fields(SoilTexture)))
        return replace(self, domain=self.domain.without_properties(), texture=texture, maps={})


def prepare(config_file: Path, model: type[LandConfig] = LandConfig) -> PreparedLand:
    """Read and check a configuration and the fields that it names.

    Parameters
    ----------
    config_file : Path
        The YAML file.
    model : type of LandConfig
        Model of its content; the section of another land component is passed over.

    Raises
    ------
    ConfigError
        For each mistake that can be known, naming file, line and key.
    """
    config = load_config(config_file, model, ignore=("library",))
    domain = Domain.load(config.domain)
    mistakes = Mistakes()
    for name in ("latitude", "longitude"):
        with mistakes.noted():
            domain.require(name, "the land component")
    with mistakes.noted(), errors_under(file=config_file):
        domain.refuse_uneven_ground("the land component")
    with mistakes.noted():
        standard = soil_table(config.soil_table)
        with errors_under("soil", config_file):
            table = override_soil(standard, config.soil)
    with mistakes.noted():
        classes = vegetation_table(config.vegetation_table)
        with errors_under("vegetation", config_file):
            vegetation = override_vegetation(classes, config.vegetation)
    with mistakes.noted(), errors_under(file=config_file):
        root_zone = domain.dz[: -domain.root_zone_layers - 1 : -1].copy()
        grid = SoilGrid.of(root_zone, config.soil_layers, config.thermal_depth)
    mistakes.require_none()
    cells = np.argwhere(domain.mask)
    source = ": ".join(["land_cover", *(str(f) for f in config.land_cover.files)])
    texture = config.soil_texture
    with mistakes.noted(), errors_under(file=config_file):
        cover = _read_cover(config.land_cover, domain)[domain.mask]
        _check_cover(cover, vegetation, cells, source)
    with mistakes.noted(), errors_under(file=config_file):
        read_texture = texture.read(domain, table, grid)
    with mistakes.noted(), errors_under(file=config_file):
        soil_maps = {name: grid.spread(m) if m.ndim == 2 else m for name, m in config.soil_maps.read(domain).items()}
        maps = {**config.vegetation_maps.read(domain), **soil_maps}
    mistakes.require_none()
    own = [config_file, *config.land_cover.files, *texture.files]
    tables = (config.vegetation_table, config.vegetation._file, config.soil_table, config.soil._file)
    initial = config.initial.state if config.initial else None
    own += [f for f in (*tables, initial) if f is not None]
    own += [*config.vegetation_maps.files, *config.soil_maps.files]
    own += () if config.leaf_area is None else config.leaf_area.files
    return PreparedLand(
        config=config,
        domain=domain,
        land_cover=cover.astype(np.int64),
        grid=grid,
        texture=read_texture,
        cells=cells,
        vegetation=vegetation,
        soil=table,
        maps=maps,
        files=tuple(dict.fromkeys((*own, *domain.files, *forcing_files(config.forcing)))),
    )
