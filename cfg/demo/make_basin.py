"""Write the terrain, soils and land cover of the demo basin to ``basin.nc``.

The basin is invented: a headwater of 64 x 48 cells of 1 km in the humid subtropics (24.5 N, 113.25 E), with hills of
weathered granite and slate around broad alluvial valleys. It needs landlab, which the package itself does not:

    pip install landlab "requireit<0.9"
    python make_basin.py

The same seed gives the same basin as long as landlab's numerics stay the same.

Terrain comes from a landscape evolution model (stream power, hillslope diffusion, uplift). Overland flow of the
groundwater components follows the slopes of cell faces, so the ground is shaped until

- every active cell has a lower neighbour across one of its four faces, down to the one outlet on the southern edge;
- no water leaves elsewhere. ParFlow's kinematic wave drains the edge of the mask wherever the slope of the cell says
  so: the eastern and northern faces of the edge have their own slope, which is set to zero; a western or southern edge
  face takes the slope of the same cell's eastern or northern face, so the ground there must fall inwards.

Soil water curves are the class values of ParFlow's continental models (after Schaap and Leij, 1998; Maxwell et al.,
2015), varied smoothly in space.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from pathlib import Path

import netCDF4
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_opening, gaussian_filter

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

SEED = 24113
NX, NY, CELL = 64, 48, 1000.0  # cells, cells, m
LAYERS = (100.0, 1.137, 0.9133, 0.5539, 0.336, 0.2038, 0.1236, 0.0749, 0.0455, 0.0276, 0.0175)  # m, bottom first
LATITUDE, LONGITUDE = 24.5, 113.25  # degrees, of the centre
METRES_PER_DEGREE = 111_195.0

OUTLET = (0, 27)  # row, column: on the southern edge
OUTLET_ELEVATION = 112.0  # m
RELIEF = 470.0  # m, between the outlet and the highest cell
VALLEY_WIDTH, VALLEY_FLATNESS = 1.0, 1.35  # cells, -
STREAM_CELLS = 25  # cells upstream from which a cell counts as a stream
VALLEY_HEIGHT = 14.0  # m above the stream, up to which there is alluvium
LEAST_FALL = 0.25  # m from a cell to its lowest neighbour, where a hollow was filled

STEPS, STEP_YEARS, UPLIFT = 400, 20_000.0, 1.0e-4  # -, a, m a-1
ERODIBILITY, DIFFUSIVITY = 4.0e-6, 0.15  # a-1 at m = 0.5, m2 a-1


@dataclass(frozen=True)
class Texture:
    """Soil water of a USDA class: number, porosity [-], alpha [m-1], n [-], residual water [-], K [m h-1]."""

    number: int
    porosity: float
    alpha: float
    n: float
    residual_water: float
    conductivity: float


SOILS = {
    "sandy loam": Texture(3, 0.387, 2.692, 2.445, 0.039, 0.0158),
    "silt loam": Texture(4, 0.439, 0.501, 2.659, 0.065, 0.0076),
    "loam": Texture(6, 0.399, 1.122, 2.479, 0.061, 0.0050),
    "sandy clay loam": Texture(7, 0.384, 2.089, 2.318, 0.063, 0.0055),
    "clay loam": Texture(9, 0.442, 1.585, 2.413, 0.079, 0.0034),
}
SLATE, GRANITE, ALLUVIUM = range(3)
TOPSOIL = {SLATE: "loam", GRANITE: "sandy loam", ALLUVIUM: "silt loam"}
SUBSOIL = {SLATE: "clay loam", GRANITE: "sandy clay loam", ALLUVIUM: "loam"}
TOPSOIL_LAYERS = 6  # 0.49 m
ROOT_CHANNELS = 3.0  # factor on the conductivity of the topsoil
STRATIFICATION = 0.4  # vertical over horizontal conductivity below the topsoil

ROCK = {  # porosity, horizontal conductivity [m h-1]
    SLATE: (0.10, 0.006),
    GRANITE: (0.12, 0.015),
    ALLUVIUM: (0.15, 0.025),
}
ROCK_ALPHA, ROCK_N, ROCK_RESIDUAL = 0.5, 2.5, 0.02
ROCK_STRATIFICATION = 0.1
SPECIFIC_STORAGE = 1.0e-4  # m-1

EVERGREEN, MIXED, SHRUB, SAVANNA, GRASS, CROPS, MOSAIC = 2, 5, 6, 8, 10, 12, 14
MANNING = {EVERGREEN: 0.16, MIXED: 0.15, SHRUB: 0.10, SAVANNA: 0.08, GRASS: 0.06, CROPS: 0.05, MOSAIC: 0.06}


@dataclass(frozen=True)
class Terrain:
    """Ground of the basin, each (ny, nx): active cells, elevation [m], cells upstream, height above the stream [m]."""

    mask: Mask
    elevation: Floats
    upstream: Floats
    height_above_stream: Floats


@dataclass(frozen=True)
class Field:
    """A field with its units and what it is."""

    values: NDArray[np.generic]
    units: str
    long_name: str


def smooth_noise(random: np.random.Generator, cells: float) -> Floats:
    """Return a random field (ny, nx) of zero mean and unit variance that varies over the given length."""
    field = gaussian_filter(random.standard_normal((NY, NX)), cells, mode="reflect")
    return np.asarray((field - field.mean()) / field.std())


def draw_outline(random: np.random.Generator) -> Mask:
    """Return the watershed: a wobbly superellipse that leaves the frame of the grid free, and the outlet."""
    row, column = np.mgrid[0:NY, 0:NX]
    y, x = (row - 0.5 * (NY - 1)) / (0.5 * NY - 1.0), (column - 0.5 * (NX - 1)) / (0.5 * NX - 1.0)
    angle = np.arctan2(y, x)
    radius = np.full_like(angle, 1.03)
    for wave in range(2, 10):
        radius -= 0.05 / wave * (1.0 + np.cos(wave * angle + random.uniform(0.0, 2.0 * np.pi)))
    inside = (np.abs(x) ** 3.5 + np.abs(y) ** 3.5) ** (1.0 / 3.5) < radius
    inside[[0, -1], :] = inside[:, [0, -1]] = False
    inside = binary_opening(inside, np.ones((3, 3)))
    # a gorge of one cell leads to the outlet from the first row that is wide enough to feed it from both sides
    first = int(np.argmax(inside[:, OUTLET[1] - 3 : OUTLET[1] + 4].all(axis=1)))
    inside[:first] = False
    inside[OUTLET[0] : first, OUTLET[1]] = True
    return inside


def evolve(mask: Mask, rock: Floats, random: np.random.Generator) -> Floats:
    """Return elevation [m] after uplift, river incision and hillslope creep within closed divides."""
    from landlab import RasterModelGrid
    from landlab.components import DepressionFinderAndRouter, FlowAccumulator, LinearDiffuser, StreamPowerEroder

    grid = RasterModelGrid((NY, NX), xy_spacing=CELL)
    elevation = grid.add_zeros("topographic__elevation", at="node")
    row, column = np.divmod(np.arange(NX * NY), NX)
    distance = np.hypot(row - OUTLET[0], column - OUTLET[1])
    elevation += 0.2 * distance + random.uniform(0.0, 5.0, elevation.size)
    outlet = OUTLET[0] * NX + OUTLET[1]
    elevation[outlet] = 0.0
    status = np.where(mask.ravel(), grid.BC_NODE_IS_CORE, grid.BC_NODE_IS_CLOSED)
    status[outlet] = grid.BC_NODE_IS_FIXED_VALUE
    grid.status_at_node = status

    flow = FlowAccumulator(
        grid, flow_director="FlowDirectorSteepest", depression_finder=DepressionFinderAndRouter, routing="D4"
    )
    erodibility = ERODIBILITY * np.exp(0.35 * rock.ravel())
    river = StreamPowerEroder(grid, K_sp=erodibility, m_sp=0.5, n_sp=1.0)
    creep = LinearDiffuser(grid, linear_diffusivity=DIFFUSIVITY)
    for _ in range(STEPS):
        elevation[grid.core_nodes] += UPLIFT * STEP_YEARS
        flow.run_one_step()
        river.run_one_step(STEP_YEARS)
        creep.run_one_step(STEP_YEARS)
    return elevation.reshape(NY, NX).copy()


def widen_valleys(elevation: Floats, mask: Mask) -> Floats:
    """Return elevation averaged over a cell and its surroundings and lowered most near the outlet.

    A landscape model with one river a cell has valleys one cell wide; alluvium fills real ones far wider.
    """
    weight = gaussian_filter(mask.astype(float), VALLEY_WIDTH, truncate=3.0)
    mean = gaussian_filter(np.where(mask, elevation, 0.0), VALLEY_WIDTH, truncate=3.0) / np.maximum(weight, 1e-9)
    ground = np.where(mask, mean, 0.0)
    return np.asarray(ground**VALLEY_FLATNESS)


def neighbours(cell: tuple[int, int], mask: Mask) -> list[tuple[int, int]]:
    """Return the active cells that share a face with a cell."""
    j, i = cell
    around = [(j, i - 1), (j, i + 1), (j - 1, i), (j + 1, i)]
    return [(b, a) for b, a in around if 0 <= b < NY and 0 <= a < NX and mask[b, a]]


def fill(elevation: Floats, mask: Mask) -> tuple[Floats, list[tuple[int, int]]]:
    """Raise hollows until every cell falls by `LEAST_FALL` towards the outlet (Barnes et al., 2014).

    Returns
    -------
    tuple
        Elevation, and the cells from the outlet upwards.
    """
    filled = elevation.copy()
    queue = [(filled[OUTLET], OUTLET)]
    seen = np.zeros_like(mask)
    seen[OUTLET] = True
    order = []
    while queue:
        level, cell = heapq.heappop(queue)
        order.append(cell)
        for near in neighbours(cell, mask):
            if not seen[near]:
                seen[near] = True
                filled[near] = max(filled[near], level + LEAST_FALL)
                heapq.heappush(queue, (filled[near], near))
    if len(order) != mask.sum():
        raise RuntimeError(f"{mask.sum() - len(order)} active cells have no path to the outlet")
    return filled, order


def edges(mask: Mask) -> dict[str, Mask]:
    """Return the active cells without an active neighbour to the west, east, south or north."""
    wide = np.pad(mask, 1)
    beside = {"west": wide[1:-1, :-2], "east": wide[1:-1, 2:], "south": wide[:-2, 1:-1], "north": wide[2:, 1:-1]}
    return {side: mask & ~other for side, other in beside.items()}


def raise_rim(elevation: Floats, mask: Mask) -> Floats:
    """Raise cells of the western and southern edge above their eastern and northern neighbours, so that none leaks."""
    edge, raised = edges(mask), elevation.copy()
    outlet = np.zeros_like(mask)
    outlet[OUTLET] = True
    for side, opposite, axis in (("west", "east", 1), ("south", "north", 0)):
        inner = np.roll(elevation, -1, axis=axis)
        rim = edge[side] & ~edge[opposite] & ~outlet
        raised[rim] = np.maximum(raised[rim], inner[rim] + LEAST_FALL)
    return raised


def make_terrain(random: np.random.Generator, rock: Floats) -> Terrain:
    """Return the basin's ground, drained to its outlet."""
    mask = draw_outline(random)
    raw = evolve(mask, rock, random)
    ground = widen_valleys(raw, mask)
    elevation = OUTLET_ELEVATION + ground * RELIEF / ground[mask].max()
    for _ in range(100):
        elevation, order = fill(elevation, mask)
        raised = raise_rim(elevation, mask)
        if np.array_equal(raised, elevation):
            break
        elevation = raised
    else:
        raise RuntimeError("the rim cannot be raised without new hollows")

    lowest = {cell: min(neighbours(cell, mask), key=lambda near: elevation[near]) for cell in order if cell != OUTLET}
    upwards = sorted(lowest, key=lambda cell: elevation[cell])
    upstream = np.ones((NY, NX))
    for cell in reversed(upwards):
        upstream[lowest[cell]] += upstream[cell]
    stream = np.full((NY, NX), elevation[OUTLET])
    for cell in upwards:
        stream[cell] = elevation[cell] if upstream[cell] >= STREAM_CELLS else stream[lowest[cell]]
    return Terrain(mask, elevation, upstream, elevation - stream)


def make_slopes(terrain: Terrain) -> tuple[Floats, Floats]:
    """Return the slopes of the eastern and northern cell faces, positive where the ground rises that way.

    They are the differences of elevation, so that water cannot run in circles; zero on the edge of the basin.
    """
    z, edge = terrain.elevation, edges(terrain.mask)
    slope_x, slope_y = (np.roll(z, -1, axis=1) - z) / CELL, (np.roll(z, -1, axis=0) - z) / CELL
    return np.where(edge["east"], 0.0, slope_x), np.where(edge["north"], 0.0, slope_y)


def make_rock_types(terrain: Terrain, rock: Floats) -> NDArray[np.int64]:
    """Return slate or granite by the field that also sets erodibility, alluvium near the level of the streams."""
    hills = np.where(rock > 0.0, SLATE, GRANITE)
    valley = (terrain.height_above_stream < VALLEY_HEIGHT) & (gaussian_filter(np.log(terrain.upstream), 0.7) > 1.0)
    return np.where(valley, ALLUVIUM, hills)


def make_soils(rock_types: NDArray[np.int64], random: np.random.Generator) -> dict[str, Floats]:
    """Return soil water properties (nz, ny, nx) by rock type and depth, with smooth scatter."""
    layers = len(LAYERS)
    soil = {name: np.empty((layers, NY, NX)) for name in ("porosity", "alpha", "n", "residual_saturation")}
    conductivity, vertical = np.empty((layers, NY, NX)), np.empty((layers, NY, NX))
    for layer in range(layers):
        for rock_type in (SLATE, GRANITE, ALLUVIUM):
            here = rock_types == rock_type
            if layer == 0:
                porosity, k = ROCK[rock_type]
                values, anisotropy = (porosity, ROCK_ALPHA, ROCK_N, ROCK_RESIDUAL), ROCK_STRATIFICATION
            else:
                top = layer >= layers - TOPSOIL_LAYERS
                texture = SOILS[(TOPSOIL if top else SUBSOIL)[rock_type]]
                values = (texture.porosity, texture.alpha, texture.n, texture.residual_water / texture.porosity)
                k = texture.conductivity * (ROOT_CHANNELS if top else 1.0)
                anisotropy = 1.0 if top else STRATIFICATION
            for field, value in zip(soil.values(), values, strict=True):
                field[layer, here] = value
            conductivity[layer, here], vertical[layer, here] = k, k * anisotropy
    packing = smooth_noise(random, 2.0)
    soil["porosity"] *= 1.0 + 0.04 * packing
    soil["alpha"] *= np.exp(0.12 * smooth_noise(random, 2.0))
    scatter = np.exp(0.25 * packing + 0.25 * smooth_noise(random, 1.5))
    return soil | {"conductivity": conductivity * scatter, "vertical_conductivity": vertical * scatter}


def make_land_cover(terrain: Terrain, rock_types: NDArray[np.int64], random: np.random.Generator) -> NDArray[np.int64]:
    """Return IGBP classes: fields and grass in the valleys, forest and some scrub on the hills."""
    patches = smooth_noise(random, 1.2)
    cover = np.where(patches > 0.9, MIXED, EVERGREEN)
    cover = np.where(patches < -1.2, SAVANNA, cover)
    high = terrain.elevation > np.quantile(terrain.elevation[terrain.mask], 0.93)
    cover = np.where(high & (patches < 0.0), SHRUB, cover)
    foot = (rock_types != ALLUVIUM) & (terrain.height_above_stream < 2.0 * VALLEY_HEIGHT)
    cover = np.where(foot & (patches > 0.3), MOSAIC, cover)
    valley = np.select([patches > -0.1, patches > -0.8], [CROPS, GRASS], default=MOSAIC)
    return np.where(rock_types == ALLUVIUM, valley, cover)


def make_basin(seed: int = SEED) -> dict[str, Field]:
    """Return all fields of ``basin.nc`` by name."""
    random = np.random.Generator(np.random.PCG64(seed))
    rock = smooth_noise(random, 6.0)
    terrain = make_terrain(random, rock)
    rock_types = make_rock_types(terrain, rock)
    soil = make_soils(rock_types, random)
    cover = make_land_cover(terrain, rock_types, random)
    slope_x, slope_y = make_slopes(terrain)
    manning, texture = np.zeros((NY, NX)), np.zeros((NY, NX), dtype=np.int64)
    for number, value in MANNING.items():
        manning[cover == number] = value
    for rock_type, name in TOPSOIL.items():
        texture[rock_types == rock_type] = SOILS[name].number
    row, column = np.mgrid[0:NY, 0:NX]
    latitude = LATITUDE + (row - 0.5 * (NY - 1)) * CELL / METRES_PER_DEGREE
    longitude = LONGITUDE + (column - 0.5 * (NX - 1)) * CELL / METRES_PER_DEGREE / np.cos(np.radians(LATITUDE))
    return {
        "mask": Field(terrain.mask, "1", "cell belongs to the basin"),
        "elevation": Field(terrain.elevation, "m", "elevation of the ground"),
        "latitude": Field(latitude, "degrees_north", "latitude of the cell centre"),
        "longitude": Field(longitude, "degrees_east", "longitude of the cell centre"),
        "slope_x": Field(slope_x, "1", "slope of the eastern face, positive where the ground rises to the east"),
        "slope_y": Field(slope_y, "1", "slope of the northern face, positive where the ground rises to the north"),
        "manning": Field(manning, "s m-1/3", "Manning roughness"),
        "land_cover": Field(cover, "1", "IGBP land cover class"),
        "soil_texture": Field(texture, "1", "USDA texture class of the topsoil (1 sand to 12 clay)"),
        "rock_type": Field(rock_types, "1", "0 slate, 1 granite, 2 alluvium"),
        "upstream_cells": Field(terrain.upstream, "1", "cells that drain through this one along steepest faces"),
        "porosity": Field(soil["porosity"], "1", "porosity"),
        "alpha": Field(soil["alpha"], "m-1", "van Genuchten alpha"),
        "n": Field(soil["n"], "1", "van Genuchten n"),
        "residual_saturation": Field(soil["residual_saturation"], "1", "residual saturation"),
        "conductivity": Field(soil["conductivity"], "m h-1", "horizontal saturated hydraulic conductivity"),
        "vertical_conductivity": Field(
            soil["vertical_conductivity"], "m h-1", "vertical saturated hydraulic conductivity"
        ),
    }


def write(path: Path, basin: dict[str, Field], seed: int = SEED) -> None:
    """Write the fields as a CF NetCDF file; cells outside the basin are missing where a value has no meaning there."""
    mask = basin["mask"].values
    everywhere = ("mask", "latitude", "longitude")
    with netCDF4.Dataset(path, "w") as file:
        file.Conventions = "CF-1.10"
        file.title = "Invented headwater basin in the humid subtropics: terrain, soils, land cover"
        file.source = f"make_basin.py, seed {seed}"
        for name, size in (("layer", len(LAYERS)), ("y", NY), ("x", NX)):
            file.createDimension(name, size)
        for axis, size in (("x", NX), ("y", NY)):
            variable = file.createVariable(axis, "f8", (axis,))
            variable.setncatts({"standard_name": f"projection_{axis}_coordinate", "units": "m", "axis": axis.upper()})
            variable.long_name = (
                f"cell centres from the lower left corner, {'eastward' if axis == 'x' else 'northward'}"
            )
            variable[:] = (np.arange(size) + 0.5) * CELL
        layer = file.createVariable("layer", "f8", ("layer",))
        layer.setncatts({"long_name": "depth of the layer centre", "units": "m", "axis": "Z", "positive": "down"})
        thickness = np.array(LAYERS)
        layer[:] = np.sum(thickness) - np.cumsum(thickness) + 0.5 * thickness
        for name, field in basin.items():
            whole = field.values.dtype.kind in "bi"
            dimensions = ("layer", "y", "x")[-field.values.ndim :]
            variable = file.createVariable(
                name, "i2" if whole else "f8", dimensions, zlib=True, complevel=9, fill_value=-999 if whole else -9999.0
            )
            variable.setncatts({"units": field.units, "long_name": field.long_name})
            if name in ("latitude", "longitude"):
                variable.standard_name = name
            else:
                variable.coordinates = "latitude longitude"
            outside = np.broadcast_to(~mask, field.values.shape) & (name not in everywhere)
            variable[:] = np.ma.masked_array(field.values, outside)


if __name__ == "__main__":
    write(Path(__file__).with_name("basin.nc"), make_basin())
