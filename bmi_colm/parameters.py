"""Parameters of columns from land cover and soil texture."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bmi_colm.arrays import Array, ColumnParameters
from bmi_colm.maps import THERMAL, Maps
from bmi_colm.soil import SoilTexture, solids
from bmi_colm.tables import SoilTable, Vegetation, soil_table, vegetation_table
from bmi_colm.tables.schema import VEGETATION_BOUNDS
from bmi_common.errors import ConfigError, describe_cell

Cells = NDArray[np.int64]

GROUND = {"soil": 0, "urban": 0, "wetland": 2, "ice": 3, "water": 4}
"""What lies below the surface, by the treatment of a land cover; urban ground is soil with vegetation."""

_KERNEL_NAMES = {"stem_area": "stem_area_index"}
_NOT_OF_THE_KERNEL = ("root_depth_50", "root_exponent")  # it takes the root fractions that follow from them


def root_fraction(depth_50: float | Array, exponent: float | Array, thickness: Array) -> Array:
    """Share of the roots in each layer (Schenk and Jackson 2002); the last layer takes what is below it.

    Parameters
    ----------
    depth_50 : float or ndarray, shape (n, 1)
        Depth [cm] above which half of the roots are.
    exponent : float or ndarray, shape (n, 1)
        Shape, negative.
    thickness : ndarray, shape (n, layers)
        Layer thickness [m], top first.
    """
    cumulative = 1.0 / (1.0 + (100.0 * np.cumsum(thickness, axis=-1) / depth_50) ** exponent)
    cumulative[..., -1] = 1.0
    return np.diff(cumulative, axis=-1, prepend=0.0)


def column_parameters(
    land_cover: ArrayLike,
    texture: SoilTexture,
    thickness: ArrayLike,
    porosity: ArrayLike,
    latitude: ArrayLike,
    longitude: ArrayLike,
    vegetation: dict[int, Vegetation] | None = None,
    soil: SoilTable | None = None,
    cells: Cells | None = None,
    maps: Maps | None = None,
    rooted: int | None = None,
) -> ColumnParameters:
    """Assemble the parameters of `n` columns.

    Parameters
    ----------
    land_cover : array_like of int, shape (n,)
        IGBP class 1-17.
    texture : SoilTexture
        Arrays that broadcast to (n, layers), or (n,) for uniform columns.
    thickness, porosity : array_like
        Layer thickness [m] and porosity, top first, (layers,) or (n, layers); one porosity may stand for all.
    latitude, longitude : array_like
        Degrees, broadcast to (n,).
    vegetation, soil : optional
        Tables to use in place of those that come with the package.
    cells : ndarray of int, shape (n, 2), optional
        (j, i) of the columns, for messages.
    maps : dict of ndarray, optional
        Parameters by column that take the place of those of the classes; NaN leaves them.
    rooted : int, optional
        Number of layers, from the top, that roots reach; by default all.

    Raises
    ------
    ConfigError
        For a land cover that is unknown, and for impossible geometry; it counts and names cells.
    """
    vegetation = vegetation or vegetation_table()
    soil = soil or soil_table()
    covers = _known_covers(land_cover, vegetation, cells)
    n = covers.size
    layers = np.shape(thickness)[-1]
    p = ColumnParameters.empty(n, layers)
    p.latitude[:] = np.radians(latitude)
    p.longitude[:] = np.radians(longitude)
    p.thickness[:] = thickness
    p.porosity[:] = porosity
    if not (p.thickness > 0).all():
        raise ConfigError(f"layer thickness must be positive, got {p.thickness.min():g} m")
    solid = (p.porosity > 0) & (p.porosity < 1)
    if not solid.all():
        raise ConfigError(f"porosity must be above 0 and below 1, got {p.porosity[~solid][0]:.10g}")

    maps = maps or {}
    scalars = {name: np.empty(n) for name in VEGETATION_BOUNDS}
    colours = np.empty(n)
    for number in np.unique(covers):
        where = covers == number
        cover = vegetation[int(number)]
        for name, values in scalars.items():
            values[where] = getattr(cover, name)
        for name in ("leaf_reflectance", "stem_reflectance", "leaf_transmittance", "stem_transmittance"):
            getattr(p, name)[where] = getattr(cover, name)
        p.ground[where] = GROUND[cover.treatment]
        colours[where] = cover.soil_colour
    for name, values in scalars.items():
        _lay_over(values, maps.get(name))
        if name not in _NOT_OF_THE_KERNEL:
            getattr(p, _KERNEL_NAMES.get(name, name))[:] = values
    p.root_fraction[:, :rooted] = root_fraction(
        scalars["root_depth_50"][:, np.newaxis], scalars["root_exponent"][:, np.newaxis], p.thickness[:, :rooted]
    )
    _lay_over(colours, maps.get("soil_colour"))
    _set_albedo(p, colours, soil, maps, cells)

    s = solids(_per_layer(texture), soil)
    p.heat_capacity_solids[:] = s.heat_capacity
    p.conductivity_dry[:] = s.conductivity_dry
    p.conductivity_saturated[:] = s.conductivity_saturated
    p.conductivity_saturated_frozen[:] = s.conductivity_saturated_frozen
    p.kersten_exponent_wet[:] = 0.5 * (1.0 + s.organic - s.kersten_alpha * s.sand - s.gravel)
    p.kersten_exponent_shape[:] = 1.0 - s.organic
    p.kersten_exponent_frozen[:] = 1.0 + s.organic
    p.kersten_beta[:] = s.kersten_beta
    for name in THERMAL:
        _lay_over(getattr(p, name), maps.get(f"soil_{name}"))
    p.heat_capacity_solids[np.isin(p.ground, (GROUND["ice"], GROUND["water"]))] = 0.0
    p.share_profiles()
    return p


def _lay_over(values: Array, cells: Array | None) -> None:
    if cells is not None:
        np.copyto(values, cells, where=~np.isnan(cells))


def _set_albedo(p: ColumnParameters, colours: Array, soil: SoilTable, maps: Maps, cells: Cells | None) -> None:
    unknown = ~np.isin(colours, list(soil.colours))
    if unknown.any():
        column = int(np.argmax(unknown))
        raise ConfigError(
            f"soil colour {colours[column]:g} at {name_column(column, cells)} is no colour class of the soil table "
            f"({min(soil.colours)}-{max(soil.colours)})"
        )
    for number in np.unique(colours):
        where = colours == number
        p.albedo_saturated[where] = soil.colours[int(number)].saturated
        p.albedo_dry[where] = soil.colours[int(number)].dry
    for moisture in ("saturated", "dry"):
        for band, name in enumerate(("visible", "near_infrared")):
            _lay_over(getattr(p, f"albedo_{moisture}")[:, band], maps.get(f"soil_albedo_{moisture}_{name}"))


def _per_layer(texture: SoilTexture) -> SoilTexture:
    """Give textures without a layer axis one, so that they hold for all layers of their column."""

    def expand(values: Array) -> Array:
        array = np.asarray(values, dtype=float)
        return array if array.ndim == 2 else array.reshape(-1, 1)

    return SoilTexture(
        sand=expand(texture.sand),
        clay=expand(texture.clay),
        gravel=expand(texture.gravel),
        organic_carbon=expand(texture.organic_carbon),
        bulk_density=expand(texture.bulk_density),
    )


def name_column(column: int, cells: Cells | None) -> str:
    """Name a column in a message, by its cell if it has one."""
    return f"column {column}" if cells is None else describe_cell(tuple(int(v) for v in cells[column]))


def _known_covers(land_cover: ArrayLike, vegetation: dict[int, Vegetation], cells: Cells | None) -> NDArray[np.int64]:
    given = np.atleast_1d(np.asarray(land_cover))
    covers = given.astype(np.int64)
    unknown = (covers != given) | ~np.isin(covers, list(vegetation))
    if unknown.any():
        raise ConfigError(
            f"land cover {given[unknown][0]} at {name_column(int(np.argmax(unknown)), cells)} is no IGBP class "
            f"({min(vegetation)}-{max(vegetation)})"
        )
    return covers
