"""Tables of vegetation, soil and carbon dioxide, as YAML files beside this module or of the user."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from bmi_common.errors import ConfigError


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


def _read(name: str, path: Path | None) -> tuple[str, Any]:
    if path is None:
        return name, yaml.safe_load((resources.files(__name__) / name).read_text(encoding="utf-8"))
    try:
        return str(path), yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error


def _pair(values: Any) -> tuple[float, float]:
    first, second = values
    return float(first), float(second)


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
        If the file cannot be read or an entry is missing or no number.
    """
    source, data = _read("vegetation.yaml", path)
    table = {}
    common = {k: float(v) for k, v in data["common"].items()}
    for number, cover in data["covers"].items():
        try:
            table[int(number)] = Vegetation(
                name=str(cover["name"]),
                treatment=str(cover["treatment"]),
                canopy_height=float(cover["canopy_height"]),
                leaf_angle=float(cover["leaf_angle"]),
                leaf_reflectance=_pair(cover["leaf"]["reflectance"]),
                leaf_transmittance=_pair(cover["leaf"]["transmittance"]),
                stem_reflectance=_pair(cover["stem"]["reflectance"]),
                stem_transmittance=_pair(cover["stem"]["transmittance"]),
                carboxylation_capacity=float(cover["carboxylation_capacity"]),
                heat_stress_temperature=float(cover["heat_stress_temperature"]),
                leaf_area_minimum=_pair(cover["leaf_area"])[0],
                leaf_area_maximum=_pair(cover["leaf_area"])[1],
                stem_area=float(cover["stem_area"]),
                root_depth_50=float(cover["root_depth_50"]),
                root_exponent=float(cover["root_exponent"]),
                soil_colour=int(cover["soil_colour"]),
                **common,
            )
        except KeyError as error:
            raise ConfigError(f"{source}: covers.{number}: the key {error.args[0]!r} is missing") from error
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{source}: covers.{number}: {error}") from error
    return table


@cache
def soil_table(path: Path | None = None) -> SoilTable:
    """Colours, textures and defaults of soil; `path` as in `vegetation_table`, default ``tables/soil.yaml``."""
    source, data = _read("soil.yaml", path)
    try:
        return SoilTable(
            colours={
                int(n): SoilColour(saturated=_pair(c["saturated"]), dry=_pair(c["dry"]))
                for n, c in data["colours"].items()
            },
            textures={
                str(n): Texture(str(n), int(t["number"]), float(t["sand"]), float(t["clay"]), float(t["quartz"]))
                for n, t in data["textures"].items()
            },
            default_gravel=float(data["defaults"]["gravel"]),
            default_organic_carbon=float(data["defaults"]["organic_carbon"]),
            default_bulk_density=float(data["defaults"]["bulk_density"]),
        )
    except KeyError as error:
        raise ConfigError(f"{source}: the key {error.args[0]!r} is missing") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{source}: {error}") from error


@cache
def carbon_dioxide_table() -> dict[int, tuple[float, ...]]:
    """Monthly carbon dioxide [1e-6 mol mol-1] by year."""
    _, data = _read("carbon_dioxide.yaml", None)
    return {int(year): tuple(float(v) for v in months) for year, months in data.items()}


def carbon_dioxide(year: int, month: int) -> float:
    """Mole fraction of carbon dioxide [mol mol-1] in a month of the tabulated years.

    Raises
    ------
    ConfigError
        If the table does not hold the year.
    """
    table = carbon_dioxide_table()
    if year not in table:
        raise ConfigError(
            f"no carbon dioxide for {year} (the table holds {min(table)}-{max(table)}); "
            "give a constant, `carbon_dioxide:` in 1e-6 mol mol-1"
        )
    return table[year][month - 1] * 1e-6
