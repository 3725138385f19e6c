"""Tables of vegetation, soil and carbon dioxide, as YAML files beside this module or of the user."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel

from bmi_colm.tables.schema import MISSING_AS_WRITTEN, Bounds, SoilOverrides, VegetationFile, VegetationOverrides
from bmi_common.config import Document, read_yaml, validate
from bmi_common.errors import ConfigError, errors_under

__all__ = [
    "Bounds",
    "SoilColour",
    "SoilTable",
    "Texture",
    "Vegetation",
    "carbon_dioxide",
    "override_soil",
    "override_vegetation",
    "require_carbon_dioxide",
    "soil_table",
    "vegetation_table",
]

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Vegetation:
    """One land cover.

    Units and meaning of every attribute are in ``tables/vegetation.yaml``; pairs are (visible, near infrared).
    """

    name: str
    treatment: str
    canopy_height: float
    leaf_angle: float
    leaf_reflectance: tuple[float, float]
    leaf_transmittance: tuple[float, float]
    stem_reflectance: tuple[float, float]
    stem_transmittance: tuple[float, float]
    carboxylation_capacity: float
    heat_stress_temperature: float
    leaf_area_minimum: float
    leaf_area_maximum: float
    stem_area: float
    root_depth_50: float
    root_exponent: float
    soil_colour: int
    inverse_root_leaf_size: float
    quantum_efficiency: float
    heat_stress_slope: float
    water_cost_of_carbon: float
    initial_roughness_ratio: float


@dataclass(frozen=True)
class SoilColour:
    """Albedo of saturated and dry ground, (visible, near infrared)."""

    saturated: tuple[float, float]
    dry: tuple[float, float]


@dataclass(frozen=True)
class Texture:
    """USDA texture class: number, sand and clay [% of weight], quartz [share of the mineral solids]."""

    name: str
    number: int
    sand: float
    clay: float
    quartz: float


@dataclass(frozen=True)
class SoilTable:
    """Colours by class, textures by name, and defaults for what a texture class does not tell."""

    colours: dict[int, SoilColour]
    textures: dict[str, Texture]
    default_gravel: float
    default_organic_carbon: float
    default_bulk_density: float


@cache
def vegetation_table(path: Path | None = None) -> dict[int, Vegetation]:
    """Vegetation by IGBP class.

    Parameters
    ----------
    path : Path, optional
        A user's table in the format of ``tables/vegetation.yaml``, which is the default.

    Raises
    ------
    ConfigError
        If the file cannot be read, or an entry is missing, unknown or outside its physical range.
    """
    document, content = _read("vegetation.yaml", path, VegetationFile)
    table = {}
    for number, cover in content.covers.items():
        values = {**content.common.changes(), **cover.changes()}
        missing = [f.name for f in fields(Vegetation) if f.name not in values]
        if missing:
            key = MISSING_AS_WRITTEN.get(missing[0], missing[0])
            raise document.error(("covers", number), f"the key {key!r} is missing")
        table[number] = Vegetation(**values)
    with errors_under(file=document.path):
        return _checked(table)


def override_vegetation(table: dict[int, Vegetation], changes: VegetationOverrides) -> dict[int, Vegetation]:
    """Return `table` with the values that `changes` give for some of its classes; all others stay.

    Raises
    ------
    ConfigError
        For a class that the table does not have.
    """
    result = dict(table)
    for number, cover in changes.root.items():
        if number not in table:
            raise ConfigError(f"no such class; the table has {_span(table)}", key=str(number))
        result[number] = replace(table[number], **cover.changes())
    return _checked(result)


def _checked(table: dict[int, Vegetation]) -> dict[int, Vegetation]:
    for number, cover in table.items():
        for part in ("leaf", "stem"):
            reflectance, transmittance = getattr(cover, f"{part}_reflectance"), getattr(cover, f"{part}_transmittance")
            for band, r, t in zip(("visible", "near infrared"), reflectance, transmittance, strict=True):
                if r + t >= 1.0:
                    raise ConfigError(
                        f"class {number} ({cover.name}): {part}: reflectance ({r:g}) and transmittance "
                        f"({t:g}) of {band} light together must be below 1"
                    )
    return table


@cache
def soil_table(path: Path | None = None) -> SoilTable:
    """Colours, textures and defaults of soil; `path` as in `vegetation_table`, default ``tables/soil.yaml``."""
    document, content = _read("soil.yaml", path, SoilOverrides)
    empty = SoilTable({}, {}, *(float("nan"),) * 3)
    with errors_under(file=document.path):
        table = override_soil(empty, content)
    missing = [name for name in ("gravel", "organic_carbon", "bulk_density") if getattr(content.defaults, name) is None]
    if missing:
        raise document.error(("defaults",), f"the key {missing[0]!r} is missing")
    return table


def override_soil(table: SoilTable, changes: SoilOverrides) -> SoilTable:
    """Return `table` with the values that `changes` give; a new colour or texture must be complete.

    Raises
    ------
    ConfigError
        For an incomplete new entry.
    """
    colours, textures = dict(table.colours), dict(table.textures)
    for number, colour in changes.colours.items():
        old = colours.get(number)
        saturated = colour.saturated or (old.saturated if old else None)
        dry = colour.dry or (old.dry if old else None)
        if saturated is None or dry is None:
            lacking = "dry" if saturated else "saturated"
            raise ConfigError(f"the key {lacking!r} is missing", key=f"colours.{number}")
        colours[number] = SoilColour(saturated=saturated, dry=dry)
    for name, texture in changes.textures.items():
        known = textures[name].__dict__ if name in textures else {}
        values = {"name": name, **known, **texture.model_dump(exclude_none=True)}
        missing = [f.name for f in fields(Texture) if f.name not in values]
        if missing:
            raise ConfigError(f"the key {missing[0]!r} is missing", key=f"textures.{name}")
        textures[name] = Texture(**values)
    defaults = changes.defaults.model_dump(exclude_none=True)
    return replace(
        table, colours=colours, textures=textures, **{f"default_{name}": value for name, value in defaults.items()}
    )


def _read(name: str, path: Path | None, model: type[M]) -> tuple[Document, M]:
    if path is not None:
        document = read_yaml(path)
    else:
        with resources.as_file(resources.files(__name__) / name) as shipped:
            document = read_yaml(shipped)
    return document, validate(document, model, paths={})


def _span(table: dict[int, Vegetation]) -> str:
    return f"{min(table)}-{max(table)}"


@cache
def carbon_dioxide_table() -> dict[int, tuple[float, ...]]:
    """Monthly carbon dioxide [1e-6 mol mol-1] by year."""
    data = yaml.safe_load((resources.files(__name__) / "carbon_dioxide.yaml").read_text(encoding="utf-8"))
    return {int(year): tuple(float(v) for v in months) for year, months in data.items()}


EXTRAPOLATED_UNTIL = 2030
"""Last year for which carbon dioxide goes on with the table's last trend."""


def carbon_dioxide(year: int, month: int) -> float:
    """Mole fraction of carbon dioxide [mol mol-1] in a month.

    After its last year the table goes on with the increase of that year over the one before, until
    `EXTRAPOLATED_UNTIL`.

    Raises
    ------
    ConfigError
        If there is none for the year.
    """
    require_carbon_dioxide(year, year)
    table = carbon_dioxide_table()
    last = max(table)
    trend = (sum(table[last]) - sum(table[last - 1])) / 12.0
    return (table[min(year, last)][month - 1] + max(year - last, 0) * trend) * 1e-6


def require_carbon_dioxide(first: int, last: int) -> range:
    """Check that there is carbon dioxide in the years `first` to `last`, and return those that are extrapolated.

    Raises
    ------
    ConfigError
        Naming the first year without.
    """
    tabulated = carbon_dioxide_table()
    begin, end = min(tabulated), max(tabulated)
    if first < begin or last > EXTRAPOLATED_UNTIL:
        raise ConfigError(
            f"no carbon dioxide for {first if first < begin else max(first, EXTRAPOLATED_UNTIL + 1)} (the table holds "
            f"{begin}-{end} and goes on with its last trend until {EXTRAPOLATED_UNTIL}); "
            "give a constant, `carbon_dioxide:` in 1e-6 mol mol-1",
            of_period=True,
        )
    return range(max(first, end + 1), last + 1)
