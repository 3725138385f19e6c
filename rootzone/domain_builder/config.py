"""What a user writes in ``basin.yaml``."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from bmi_colm.forcing.config import UtcDatetime
from bmi_common.config import Config, ConfigPath
from bmi_common.domain import Layers
from bmi_common.slopes import SlopeFormulation

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Point = tuple[Finite, Finite]


def _as_file(data: Any) -> Any:
    return {"file": data} if isinstance(data, str | Path) else data


class RasterConfig(Config):
    """A raster that GDAL reads; in YAML its path alone may stand for it.

    Attributes
    ----------
    file : Path
        GeoTIFF, NetCDF or another format.
    variable : str, optional
        Of a file that holds several, such as NetCDF.
    column : str, optional
        Of a file of polygons, such as that of GLHYMPS: the value of the polygon that holds the centre of a cell.
    band : int
        From 1.
    crs : str, optional
        Coordinate reference system where the file has none or a wrong one.
    nodata : float, optional
        Code of missing values where the file does not tell it.
    scale : float
        Factor on the values of the file.
    units : str, optional
        Units of the scaled values, where they are not those that the key is documented with.
    missing : {"error", "nearest"}
        What becomes of cells of the region without a value: a mistake, or the value of the nearest cell.
    """

    file: ConfigPath
    variable: str | None = None
    column: str | None = None
    band: Annotated[int, Field(ge=1)] = 1
    crs: str | None = None
    nodata: float | None = None
    scale: Finite = 1.0
    units: str | None = None
    missing: Literal["error", "nearest"] = "error"


Raster = Annotated[RasterConfig, BeforeValidator(_as_file)]


class MapConfig(Config):
    """A number, or a raster."""

    value: Finite | None = None
    raster: RasterConfig | None = None


def _map(data: Any) -> Any:
    if isinstance(data, int | float) and not isinstance(data, bool):
        return {"value": data}
    return {"raster": _as_file(data)}


Map = Annotated[MapConfig, BeforeValidator(_map)]


class ProfileConfig(Config):
    """Maps of a quantity by depth, the topmost first: one a depth interval, or one that holds for all."""

    maps: Annotated[list[Map], Field(min_length=1)]


def _profile(data: Any) -> Any:
    if isinstance(data, dict) and "files" in data:
        shared = {key: value for key, value in data.items() if key != "files"}
        files = data["files"] if isinstance(data["files"], list) else [data["files"]]
        return {"maps": [{**shared, "file": file} for file in files]}
    if isinstance(data, dict) and isinstance(data.get("bands"), int):
        shared = {key: value for key, value in data.items() if key != "bands"}
        return {"maps": [{**shared, "band": band} for band in range(1, data["bands"] + 1)]}
    return {"maps": data if isinstance(data, list) else [data]}


Profile = Annotated[ProfileConfig, BeforeValidator(_profile)]
"""A map or a list of them; ``{files: [...], units: ...}``, or ``{file: ..., bands: 6}`` of one file."""


class GridConfig(Config):
    """Grid of the basin: a projected CRS and the size of its cells [m], or the grid of a raster (`like`)."""

    crs: str | None = None
    cell: Positive | None = None
    like: Raster | None = None

    @model_validator(mode="after")
    def _one_grid(self) -> GridConfig:
        if self.like is not None and (self.crs is not None or self.cell is not None):
            raise ValueError("give either crs and cell, or like (the grid of a raster)")
        if self.like is None and (self.crs is None or self.cell is None):
            raise ValueError("give crs (such as EPSG:32612) and cell (its size in m), or like (the grid of a raster)")
        return self


class PourPointConfig(Config):
    """Where the water of the basin leaves: coordinates in the CRS of `region`, and how far a river may be away [m]."""

    x: Finite
    y: Finite
    snap: Positive | None = None


def _pair(data: Any) -> Any:
    return {"x": data[0], "y": data[1]} if isinstance(data, list | tuple) and len(data) == 2 else data


class RegionConfig(Config):
    """Which cells take part: a bounding box, a polygon, a mask, or all that drains to a pour point.

    `bounding_box` is west, south, east, north; beside a pour point it is the part of the map that is searched. `crs`
    is that of its numbers and of the pour point; without it they are in the CRS of the grid.
    """

    bounding_box: tuple[Finite, Finite, Finite, Finite] | None = None
    polygon: ConfigPath | None = None
    mask: Raster | None = None
    pour_point: Annotated[PourPointConfig, BeforeValidator(_pair)] | None = None
    crs: str | None = None

    @model_validator(mode="after")
    def _one_region(self) -> RegionConfig:
        shapes = [k for k in ("polygon", "mask", "pour_point") if getattr(self, k) is not None]
        if len(shapes) > 1:
            raise ValueError(f"give one of polygon, mask and pour_point, not {' and '.join(shapes)}")
        if self.bounding_box is not None:
            west, south, east, north = self.bounding_box
            if not (west < east and south < north):
                raise ValueError(f"bounding_box is west, south, east, north, got {list(self.bounding_box)}")
            if shapes and shapes != ["pour_point"]:
                raise ValueError(f"give either bounding_box or {shapes[0]}")
        return self


class RiverConfig(Config):
    """Cells that count as rivers: upstream area [km2]; `vector` is a file of lines, burnt to `depth` [m]."""

    upstream_area: Positive | None = None
    vector: ConfigPath | None = None
    depth: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    manning: Positive = 0.035


class RimOutletsConfig(Config):
    """Outlets wherever so much land [km2] drains over the rim."""

    upstream_area: Positive


class ElevationConfig(RasterConfig):
    """The elevation model [m], and what is done so that all of it drains.

    `pits` are filled, or carved through; `minimum_slope` is that along the way of the water. `outlets` of a region
    other than a basin of a pour point: the place where the most of it drains, every place with some `upstream_area`, or
    points (in the CRS of `region`).
    """

    pits: Literal["fill", "carve"] = "fill"
    minimum_slope: Annotated[float, Field(gt=0, le=0.1)] = 1.0e-4
    outlets: Literal["largest"] | RimOutletsConfig | list[Point] = "largest"


class SlopesConfig(Config):
    """Slopes that are known already, on the grid of the basin: taken as they are."""

    x: Raster
    y: Raster
    formulation: SlopeFormulation = SlopeFormulation.UPWIND


class TerrainStatisticsConfig(Config):
    """Statistics of the terrain within cells, made on finer ones.

    `cell` is the size of these [m], `stream_area` the upstream area [km2] from which one of them counts as a stream.
    """

    cell: Positive
    stream_area: Positive

    @model_validator(mode="after")
    def _not_all_streams(self) -> TerrainStatisticsConfig:
        if self.stream_area * 1e6 <= self.cell**2:
            raise ValueError(
                f"stream_area {self.stream_area:g} km2 is no more than a fine cell ({self.cell**2 / 1e6:g} km2), so "
                "that all of them would be streams; give the upstream area at which streams begin, such as "
                f"{10.0 * self.cell**2 / 1e6:g}"
            )
        return self


class SoilClassConfig(Config):
    """Hydraulic parameters of a class: porosity [1], alpha [1/m], n [1], residual saturation [1], K [m/h]."""

    porosity: Annotated[float, Field(gt=0, le=1)]
    alpha: Positive
    n: Annotated[float, Field(gt=1)]
    residual_saturation: Annotated[float, Field(ge=0, lt=1)]
    conductivity: Annotated[float, Field(ge=0)]
    vertical_conductivity: Annotated[float, Field(ge=0)] | None = None


class SoilConfig(Config):
    """Soil: texture by depth, from which Rosetta gives hydraulic parameters, or classes and their parameters.

    `depths` are the limits of the intervals of the maps [m], from the surface down, or the name of a data base.
    """

    sand: Profile | None = None
    silt: Profile | None = None
    clay: Profile | None = None
    bulk_density: Profile | None = None
    organic_carbon: Profile | None = None
    usda: Profile | None = None
    classes: Profile | None = None
    table: dict[int, SoilClassConfig] = {}
    depths: Literal["soilgrids", "gsde"] | list[Annotated[float, Field(ge=0)]] | None = None
    depth_to_bedrock: Map | None = None
    anisotropy: Annotated[float, Field(gt=0, le=1)] = 1.0

    @model_validator(mode="after")
    def _one_description(self) -> SoilConfig:
        texture = [k for k in ("sand", "silt", "clay") if getattr(self, k) is not None]
        given = [k for k in ("usda", "classes") if getattr(self, k) is not None]
        if (1 if texture else 0) + len(given) != 1:
            raise ValueError("give one of: sand, silt and clay (two of them are enough), usda, classes with a table")
        if texture and len(texture) < 2:
            raise ValueError(f"{texture[0]} alone is no texture: give two of sand, silt and clay")
        if (self.classes is not None) != bool(self.table):
            raise ValueError("classes and table go together: the parameters of each class")
        idle = [k for k in ("bulk_density", "organic_carbon") if getattr(self, k) is not None]
        if idle and not texture:
            raise ValueError(f"{', '.join(idle)}: without effect, because no texture is given")
        if isinstance(self.depths, list):
            limits = self.depths
            if len(limits) < 2 or limits[0] != 0 or any(a >= b for a, b in pairwise(limits)):
                raise ValueError("depths are limits of intervals [m] from the surface down, such as [0, 0.3, 1.0]")
        return self


class DecayConfig(Config):
    """Decay of conductivity with depth: e-folding depth f = a / (1 + b slope), at least `minimum` [m].

    The values are those of Fan et al. (2007) for regolith, whose f is 5 m where the slope is above 0.16. Fan, Li and
    Miguez-Macho (2013), Science 339, 940, have 100 m for `a`.
    """

    a: Positive = 120.0
    b: Annotated[float, Field(ge=0)] = 150.0
    minimum: Positive = 5.0


class PermeabilityConfig(Config):
    """What lies below the soil: permeability as log10 of m2, or conductivity by class.

    `temperature` is that of the water [degrees C]; `decay` begins at the bottom of the soil; the retention curve is
    one for all rock.
    """

    log10_permeability: Map | None = None
    classes: Raster | None = None
    table: dict[int, Finite] = {}
    temperature: Annotated[float, Field(ge=0, le=60)] = 10.0
    decay: DecayConfig | None = None
    anisotropy: Annotated[float, Field(gt=0, le=1)] = 0.1
    porosity: Map = MapConfig(value=0.1)
    alpha: Positive = 0.5
    n: Annotated[float, Field(gt=1)] = 2.5
    residual_saturation: Annotated[float, Field(ge=0, lt=1)] = 0.02

    @model_validator(mode="after")
    def _one_source(self) -> PermeabilityConfig:
        if (self.log10_permeability is None) == (self.classes is None):
            raise ValueError("give log10_permeability, or classes with a table of log10 of permeability [m2]")
        if (self.classes is not None) != bool(self.table):
            raise ValueError("classes and table go together: log10 of permeability [m2] of each class")
        return self


class LandCoverConfig(RasterConfig):
    """Land cover: a raster of classes, its legend, and what follows from the classes.

    `legend` is a known one, or a table from the classes of the file to those of IGBP. `manning` [s m-1/3] replaces
    values of single IGBP classes.
    """

    legend: Literal["igbp", "esa_worldcover", "corine", "nlcd"] | dict[int, Annotated[int, Field(ge=1, le=17)]] = "igbp"
    manning: dict[Annotated[int, Field(ge=1, le=17)], Positive] = {}
    shares: bool = False


class InitialConfig(Config):
    """The start: depth of the water table [m], and the recharge [mm a-1] that the groundwater is spun up with.

    The spin-up takes `years` at most; the coupled run repeats its first year up to `coupled_years` times before it
    begins. Both end when the storage change of a year is below `storage_change` of the net source.
    """

    water_table_depth: Annotated[float, Field(ge=0)] = 2.0
    recharge: Map | None = None
    years: Annotated[int, Field(ge=1, le=1000)] = 60
    coupled_years: Annotated[int, Field(ge=1, le=1000)] | None = None
    storage_change: Annotated[float, Field(gt=0, lt=1)] = 0.01


class PeriodConfig(Config):
    """Period of the coupled run (UTC)."""

    start: UtcDatetime
    end: UtcDatetime

    @model_validator(mode="after")
    def _forward(self) -> PeriodConfig:
        if self.end <= self.start:
            raise ValueError(f"end ({self.end}) must be after start ({self.start})")
        return self


class GaugeConfig(Config):
    """A gauge: where, in which CRS, and the area that drains to it [km2], if it is known."""

    x: Finite
    y: Finite
    crs: str | None = None
    upstream_area: Positive | None = None
    snap: Positive | None = None


class BasinConfig(Config):
    """All of ``basin.yaml``; `forcing` is that section of the land's file, `land` further keys of it.

    `catalog` is read before the rest: its sources become files.
    """

    title: str = ""
    catalog: str | list[str] | None = None
    grid: GridConfig
    region: RegionConfig = RegionConfig()
    elevation: Annotated[ElevationConfig, BeforeValidator(_as_file)] | None = None
    slopes: SlopesConfig | None = None
    terrain_statistics: TerrainStatisticsConfig | None = None
    rivers: RiverConfig = RiverConfig()
    layers: Layers
    root_zone: Annotated[int, Field(ge=1)] | None = None
    soil: SoilConfig
    permeability: PermeabilityConfig | None = None
    land_cover: Annotated[LandCoverConfig, BeforeValidator(_as_file)]
    initial: InitialConfig = InitialConfig()
    period: PeriodConfig | None = None
    forcing: dict[str, Any] | None = None
    land: dict[str, Any] = {}
    gauges: dict[str, GaugeConfig] = {}

    @model_validator(mode="after")
    def _parts_agree(self) -> BasinConfig:
        if self.elevation is None and self.slopes is None:
            raise ValueError("give elevation (from which slopes are made) or slopes")
        if self.elevation is not None and self.slopes is not None:
            raise ValueError("give either elevation, from which slopes are made, or slopes that are known")
        if self.slopes is not None and self.region.pour_point is not None:
            raise ValueError("region.pour_point needs elevation")
        if self.slopes is not None and self.terrain_statistics is not None:
            raise ValueError("terrain_statistics needs elevation, not slopes")
        if (self.period is None) != (self.forcing is None):
            raise ValueError("forcing and period go together")
        if self.land and self.forcing is None:
            raise ValueError("land: without effect, because no forcing is given")
        if self.root_zone is not None and self.root_zone > len(self.layers):
            raise ValueError(f"root_zone: {self.root_zone} layers, but the domain has {len(self.layers)}")
        return self
