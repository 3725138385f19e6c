"""Thermal properties of soil from its texture (Dai et al. 2019, Balland and Arp 2005, Peters-Lidard et al. 1998)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bmi_colm.tables import SoilTable, soil_table
from bmi_colm.tables.schema import SOIL_BOUNDS
from bmi_common.arrays import Array
from bmi_common.errors import ConfigError, describe_cell, out_of_range
from bmi_common.suggest import did_you_mean

DENSITY_ORGANIC, DENSITY_MINERAL = 1.3, 2.71  # g cm-3
SOLID_SHARE_OF_GRAVEL = 0.76  # of the volume that gravel occupies
ORGANIC_MATTER_PER_CARBON = 1.724
HEAT_CAPACITY_ORGANIC, HEAT_CAPACITY_GRAVEL = 2.51e6, 2.35e6  # J m-3 K-1
HEAT_CAPACITY_SAND, HEAT_CAPACITY_CLAY = 2.128e6, 2.385e6
CONDUCTIVITY_ORGANIC, CONDUCTIVITY_GRAVEL, CONDUCTIVITY_QUARTZ = 0.25, 2.875, 7.7  # W m-1 K-1
CONDUCTIVITY_WATER, CONDUCTIVITY_ICE = 0.57, 2.29
CONDUCTIVITY_DRY_ORGANIC = 0.05


@dataclass(frozen=True)
class SoilTexture:
    """What soil consists of; all arrays of shape (n, layers), top first, or broadcastable to it.

    Attributes
    ----------
    sand, clay : ndarray
        Share of the weight of the fine earth [%].
    gravel : ndarray
        Share of the volume [%].
    organic_carbon : ndarray
        Share of the weight of the fine earth [%].
    bulk_density : ndarray
        Of the fine earth [g cm-3].
    """

    sand: Array
    clay: Array
    gravel: Array
    organic_carbon: Array
    bulk_density: Array

    @classmethod
    def from_usda(cls, classes: ArrayLike, table: SoilTable | None = None) -> SoilTexture:
        """Build from USDA class names or numbers (1 sand .. 12 clay, as in ``tables/soil.yaml``).

        Gravel, organic carbon and bulk density, which a class does not tell, are the table's defaults.

        Raises
        ------
        ConfigError
            For a name or number that is no USDA class.
        """
        table = table or soil_table()
        given = np.asarray(classes)
        sand = np.empty(given.shape)
        clay = np.empty(given.shape)
        by_number = {t.number: t for t in table.textures.values()}
        for value in np.unique(given):
            texture = by_number.get(int(value)) if given.dtype.kind in "iuf" else table.textures.get(str(value).lower())
            if texture is None or (given.dtype.kind == "f" and value != int(value)):
                known = ", ".join(f"{t.number} {t.name}" for t in table.textures.values())
                hint = did_you_mean(str(value).lower(), table.textures) if given.dtype.kind not in "iuf" else ""
                raise ConfigError(f"{value} is no USDA texture class{hint}; known: {known}")
            sand[given == value] = texture.sand
            clay[given == value] = texture.clay
        return cls(
            sand=sand,
            clay=clay,
            gravel=np.full(given.shape, table.default_gravel),
            organic_carbon=np.full(given.shape, table.default_organic_carbon),
            bulk_density=np.full(given.shape, table.default_bulk_density),
        )


_LOOKALIKES = {
    "sand": ((1000.0, "g kg-1, ten times the percentage"),),
    "clay": ((1000.0, "g kg-1, ten times the percentage"),),
    "organic_carbon": ((600.0, "g kg-1, ten times the percentage"),),
    "bulk_density": ((270.0, "cg cm-3, a hundred times g cm-3"), (2700.0, "kg m-3, a thousand times g cm-3")),
}
"""Up to which value impossible ones look like what."""


def check_texture(texture: SoilTexture, cells: NDArray[np.int64], files: Mapping[str, Path | None]) -> None:
    """Refuse values that no soil has.

    Parameters
    ----------
    texture : SoilTexture
        Arrays (n, layers), top first.
    cells : ndarray of int, shape (n, 2)
        (j, i) of the columns.
    files : mapping
        Where the quantities that the user gives come from.

    Raises
    ------
    ConfigError
        Names key, file, value, layer (counted from the bottom) and cell, and what the value looks like.
    """

    def refuse(name: str, bad: NDArray[np.bool_], message: str, hint: str = "") -> None:
        column, layer = (int(v) for v in np.argwhere(bad)[0])
        where = f"{files[name]}: " if files.get(name) else ""
        place = describe_cell((bad.shape[1] - 1 - layer, *(int(v) for v in cells[column])))
        raise ConfigError(f"{where}soil_texture.{name}: {message}, at {place}{hint}")

    for name in files:
        values, bounds = getattr(texture, name), SOIL_BOUNDS[name]
        bad = ~((values >= bounds.low) & (values <= bounds.high))
        if bad.any():
            looks = [
                what for high, what in _LOOKALIKES.get(name, ()) if bounds.low <= values.min() and values.max() <= high
            ]
            hint = f" (these look like {looks[0]}; `units:` converts)" if looks else ""
            refuse(name, bad, out_of_range(values[tuple(np.argwhere(bad)[0])], *bounds), hint)
    if max(texture.sand.max(), texture.clay.max()) <= 1.0:
        raise ConfigError(
            f"soil_texture: sand ({texture.sand.max():g} at most) and clay ({texture.clay.max():g} at most) look like "
            'fractions; expected are percentages of the weight (`units: "1"` converts)'
        )
    bad = texture.sand + texture.clay > 100.0 + 1.0e-6
    if bad.any():
        refuse("sand", bad, f"sand and clay together are more than 100 % ({(texture.sand + texture.clay)[bad][0]:g} %)")


def layer_weights(source: ArrayLike, target: ArrayLike) -> Array:
    """Return the matrix that averages layers of one thickness over layers of another, by depth from the surface.

    Below the deepest source layer its value goes on.

    Parameters
    ----------
    source, target : array_like
        Thickness [m], bottom first.

    Returns
    -------
    ndarray, shape (target layers, source layers)
        Rows add up to one.
    """
    from_bottoms = np.cumsum(np.asarray(source, dtype=float)[::-1])
    from_bottoms[-1] = np.inf
    bottoms = np.cumsum(np.asarray(target, dtype=float)[::-1])
    from_tops, tops = np.append(0.0, from_bottoms[:-1]), np.append(0.0, bottoms[:-1])
    overlap = np.minimum(bottoms[:, np.newaxis], from_bottoms) - np.maximum(tops[:, np.newaxis], from_tops)
    weights: Array = np.maximum(overlap, 0.0) / (bottoms - tops)[:, np.newaxis]
    return weights[::-1, ::-1]


@dataclass(frozen=True)
class SoilSolids:
    """Thermal properties of soil without its water, each of the shape of the texture.

    Attributes
    ----------
    heat_capacity : ndarray
        Of the solids in bulk soil [J m-3 K-1].
    conductivity_dry, conductivity_saturated, conductivity_saturated_frozen : ndarray
        Of bulk soil [W m-1 K-1].
    organic, sand, gravel : ndarray
        Shares of the volume of solids.
    kersten_alpha, kersten_beta : ndarray
        Parameters of Balland and Arp (2005).
    """

    heat_capacity: Array
    conductivity_dry: Array
    conductivity_saturated: Array
    conductivity_saturated_frozen: Array
    organic: Array
    sand: Array
    gravel: Array
    kersten_alpha: Array
    kersten_beta: Array


def usda_class(sand: Array, clay: Array) -> NDArray[np.str_]:
    """USDA texture class by the texture triangle (Soil Survey Manual).

    Parameters
    ----------
    sand, clay : ndarray
        Share of the weight of the fine earth [%].
    """
    silt = 100.0 - sand - clay
    rules = [
        (silt + 1.5 * clay < 15, "sand"),
        (silt + 2 * clay < 30, "loamy sand"),
        (
            ((clay >= 7) & (clay < 20) & (sand > 52)) | ((clay < 7) & (silt < 50)),
            "sandy loam",
        ),
        ((clay >= 7) & (clay < 27) & (silt >= 28) & (silt < 50) & (sand <= 52), "loam"),
        ((silt >= 80) & (clay < 12), "silt"),
        ((silt >= 50) & (clay < 27), "silt loam"),
        ((clay >= 20) & (clay < 35) & (silt < 28) & (sand > 45), "sandy clay loam"),
        ((clay >= 27) & (clay < 40) & (sand > 20) & (sand <= 45), "clay loam"),
        ((clay >= 27) & (clay < 40) & (sand <= 20), "silty clay loam"),
        ((clay >= 35) & (sand > 45), "sandy clay"),
        ((clay >= 40) & (silt >= 40), "silty clay"),
    ]
    return np.select([r[0] for r in rules], [r[1] for r in rules], default="clay")


def solids(texture: SoilTexture, table: SoilTable | None = None) -> SoilSolids:
    """Thermal properties of the solids.

    The porosity used here follows from the mass balance of the texture; it is not the porosity that holds water.
    """
    table = table or soil_table()
    sand, clay, gravel, carbon, density = np.broadcast_arrays(
        texture.sand, texture.clay, texture.gravel, texture.organic_carbon, texture.bulk_density
    )
    sand, clay = np.maximum(sand, 1.0), np.maximum(clay, 1.0)
    scale = np.where(sand + clay > 96.0, 96.0 / (sand + clay), 1.0)
    sand, clay = sand * scale, clay * scale
    carbon = np.clip(carbon, 0.01, 58.0)
    organic_mass = ORGANIC_MATTER_PER_CARBON * carbon / 100.0
    doubtful = (density < 0.111) | (density > 2.0) | (carbon > 10.0)
    density = np.where(doubtful, 0.111 * 2.0 / (2.0 * organic_mass + 0.111 * (1.0 - organic_mass)), density)

    # volumes of the solids per volume of bulk soil
    fine = 1.0 - gravel / 100.0
    v_gravel = SOLID_SHARE_OF_GRAVEL * gravel / 100.0
    v_organic = fine * density * organic_mass / DENSITY_ORGANIC
    v_mineral = fine * density * (1.0 - organic_mass) / DENSITY_MINERAL
    total = v_gravel + v_organic + v_mineral
    porosity = 1.0 - total

    heat_capacity = (
        HEAT_CAPACITY_GRAVEL * v_gravel
        + HEAT_CAPACITY_ORGANIC * v_organic
        + (HEAT_CAPACITY_SAND * sand + HEAT_CAPACITY_CLAY * clay) / (sand + clay) * v_mineral
    )

    names = usda_class(sand, clay)
    quartz = np.empty(names.shape)
    for name in np.unique(names):
        quartz[names == name] = table.textures[str(name)].quartz
    mineral = CONDUCTIVITY_QUARTZ**quartz * np.where(quartz > 0.2, 2.0, 3.0) ** (1.0 - quartz)
    all_solids = CONDUCTIVITY_GRAVEL**v_gravel * CONDUCTIVITY_ORGANIC**v_organic * mineral**v_mineral

    # Johansen (1975) with the density of the fine earth without the volume of its organic matter
    mineral_density = density * (1.0 - organic_mass) / (1.0 - density * organic_mass / DENSITY_ORGANIC)
    dry_mineral = (0.137 * mineral_density + 0.0647) / (2.7 - 0.947 * mineral_density)
    dry_gravel = 0.039 * np.maximum(porosity, 0.1) ** -2.2
    coarse = v_gravel / total + v_mineral / total * sand / 100.0
    return SoilSolids(
        heat_capacity=heat_capacity,
        conductivity_dry=(v_gravel * dry_gravel + v_organic * CONDUCTIVITY_DRY_ORGANIC + v_mineral * dry_mineral)
        / total,
        conductivity_saturated=all_solids * CONDUCTIVITY_WATER**porosity,
        conductivity_saturated_frozen=all_solids * CONDUCTIVITY_ICE**porosity,
        organic=v_organic / total,
        sand=v_mineral / total * sand / 100.0,
        gravel=v_gravel / total,
        kersten_alpha=np.select([coarse > 0.4, coarse > 0.25], [0.38, 0.24], default=0.20),
        kersten_beta=np.select([coarse > 0.4, coarse > 0.25], [35.0, 26.0], default=10.0),
    )
