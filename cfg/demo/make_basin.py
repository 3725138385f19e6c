"""Write the static fields of the demo basin to ``basin.nc``: an invented headwater of 64 x 48 cells of 1 km.

Terrain comes from a landscape-evolution model (uplift, stream power, hillslope diffusion; landlab, which only this
script needs), soils from terrain position and smooth noise. The same seed gives the same basin.

Run ``pip install landlab "requireit<0.9"`` and ``python make_basin.py`` in this folder to write the file anew.
"""

from __future__ import annotations

import heapq
from pathlib import Path

import netCDF4
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Field = NDArray[np.float64]

SEED = 64048
NX, NY, CELL = 64, 48, 1000.0  # cells, m
LAYERS = (100.0, 1.137, 0.9133, 0.5539, 0.336, 0.2038, 0.1236, 0.0749, 0.0455, 0.0276, 0.0175)  # m, bottom first
LATITUDE, LONGITUDE = 24.5, 113.25  # degrees, of the basin's centre
OUTLET_ROW = 19
OUTLET_ELEVATION = 180.0  # m
RELIEF = 620.0  # m, from the outlet to the highest cell
LEAST_SLOPE = 4.0e-4  # between neighbours along a drainage path
RIM = 12.0  # m by which the western and southern rim rise above their neighbours

# Hydraulic means of texture classes: Schaap et al. (2001, J. Hydrol. 251, 163-176); conductivity there is that of the
# matrix. Columns: residual and saturated water content [-], alpha [m-1], n [-], saturated conductivity [m h-1]
TEXTURES = {
    "sandy loam": (3, 0.039, 0.387, 2.67, 1.45, 0.0160),
    "loam": (6, 0.061, 0.399, 1.11, 1.47, 0.0050),
    "silt loam": (4, 0.065, 0.439, 0.51, 1.66, 0.0076),
    "clay loam": (9, 0.079, 0.442, 1.58, 1.41, 0.0034),
}
MACROPORES = 8.0  # conductivity of the topsoil over that of the matrix
MACROPORE_DEPTH = 0.6  # m, e-folding depth of that factor
ROCK_CONDUCTIVITY = 0.0015  # m h-1, median of the fractured rock, horizontal
ROCK_ANISOTROPY = 0.2
ROCK_POROSITY = 0.08
SPECIFIC_STORAGE = 1.0e-4  # m-1

# IGBP classes and their Manning roughness [s m-1/3]
EVERGREEN_BROADLEAF, MIXED_FOREST, GRASSLAND, CROPLAND, MOSAIC = 2, 5, 10, 12, 14
MANNING = {EVERGREEN_BROADLEAF: 0.10, MIXED_FOREST: 0.10, GRASSLAND: 0.05, CROPLAND: 0.045, MOSAIC: 0.05}


def evolve_terrain() -> Field:
    """Grow a landscape without its rim, (NY - 1, NX - 1) [m], that drains over the eastern edge in one row."""
    from landlab import RasterModelGrid
    from landlab.components import FastscapeEroder, FlowAccumulator, LinearDiffuser

    rows, columns = NY + 1, NX + 1  # a ring of boundary nodes around the cells
    grid = RasterModelGrid((rows, columns), xy_spacing=CELL)
    elevation = grid.add_zeros("topographic__elevation", at="node")
    elevation += np.random.default_rng(SEED).random(elevation.size)
    grid.set_closed_boundaries_at_grid_edges(True, True, True, True)
    outlet = OUTLET_ROW * columns + columns - 1
    grid.status_at_node[outlet] = grid.BC_NODE_IS_FIXED_VALUE
    elevation[outlet] = 0.0
    flow = FlowAccumulator(grid, flow_director="D8", depression_finder="DepressionFinderAndRouter")
    streams = FastscapeEroder(grid, K_sp=2.5e-5, m_sp=0.45)
    hillslopes = LinearDiffuser(grid, linear_diffusivity=0.3)
    for _ in range(600):
        elevation[grid.core_nodes] += 4.0e-4 * 1.0e4
        flow.run_one_step()
        streams.run_one_step(1.0e4)
        hillslopes.run_one_step(1.0e4)
    return np.asarray(elevation.reshape(rows, columns)[1:-1, 1:-1], dtype=np.float64)


def fill(elevation: Field, outlet: tuple[int, int]) -> Field:
    """Raise cells until each has a lower neighbour on a path to the outlet (priority flood; Barnes et al., 2014)."""
    filled = np.full(elevation.shape, np.inf)
    filled[outlet] = elevation[outlet]
    queue = [(filled[outlet], outlet)]
    while queue:
        height, (j, i) = heapq.heappop(queue)
        for neighbour in ((j + 1, i), (j - 1, i), (j, i + 1), (j, i - 1)):
            inside = 0 <= neighbour[0] < elevation.shape[0] and 0 <= neighbour[1] < elevation.shape[1]
            if inside and np.isinf(filled[neighbour]):
                filled[neighbour] = max(elevation[neighbour], height + LEAST_SLOPE * CELL)
                heapq.heappush(queue, (filled[neighbour], neighbour))
    return filled


def make_elevation() -> Field:
    """Return the elevation of all cells [m]: the landscape, filled, with a rim in the west and the south.

    Over its western and southern edge ParFlow's kinematic wave uses the slope of the first cell's own inner face, so
    water would leave wherever the ground rises inward; the rim makes it fall inward everywhere.
    """
    inner = evolve_terrain()
    outlet = (OUTLET_ROW - 1, inner.shape[1] - 1)
    inner = inner - inner[outlet]
    inner = fill(OUTLET_ELEVATION + inner * (RELIEF / inner.max()), outlet)
    elevation = np.zeros((NY, NX))
    elevation[1:, 1:] = inner
    elevation[0, 1:] = elevation[1, 1:] + RIM
    elevation[:, 0] = elevation[:, 1] + RIM
    return elevation


def make_slopes(elevation: Field) -> tuple[Field, Field]:
    """Return the slopes [-] of the east and north faces; the outlet is the only opening of the edge.

    Faces carry the elevation differences of their cells, so water follows them downhill and cannot go in a circle.
    """
    slope_x, slope_y = np.zeros((NY, NX)), np.zeros((NY, NX))
    slope_x[:, :-1] = np.diff(elevation, axis=1) / CELL
    slope_y[:-1, :] = np.diff(elevation, axis=0) / CELL
    slope_x[OUTLET_ROW, -1] = -2.0e-3
    return slope_x, slope_y


def height_above_drainage(elevation: Field) -> Field:
    """Return the height [m] above the lowest cell within 3 km."""
    padded = np.pad(elevation, 3, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (7, 7))
    return np.asarray(elevation - windows.min(axis=(2, 3)))


def noise(generator: np.random.Generator, scale: float) -> Field:
    """Return a smooth field of zero mean and unit deviation with a length of `scale` cells."""
    field = gaussian_filter(generator.standard_normal((NY, NX)), scale, mode="nearest")
    return np.asarray((field - field.mean()) / field.std())


def make_land_cover(relative: Field, wander: Field) -> NDArray[np.int32]:
    """Return IGBP classes: crops along rivers, mosaic and grass above them, forest on the hills."""
    position = np.argsort(np.argsort((relative + 25.0 * wander).ravel())).reshape(relative.shape) / relative.size
    cover = np.select(
        [position < 0.14, position < 0.28, position < 0.36, position < 0.55],
        [CROPLAND, MOSAIC, GRASSLAND, MIXED_FOREST],
        EVERGREEN_BROADLEAF,
    )
    return cover.astype(np.int32)


def make_texture(relative: Field, wander: Field) -> NDArray[np.int_]:
    """Return an index into `TEXTURES`: fine soils in the valleys, coarser ones uphill."""
    position = np.argsort(np.argsort((relative + 35.0 * wander).ravel())).reshape(relative.shape) / relative.size
    names = list(TEXTURES)
    return np.select(
        [position < 0.2, position < 0.45, position < 0.8],
        [names.index("silt loam"), names.index("clay loam"), names.index("loam")],
        names.index("sandy loam"),
    )


def make_hydraulics(texture: NDArray[np.int_], generator: np.random.Generator) -> dict[str, Field]:
    """Return porosity, van Genuchten parameters and conductivities on (11, NY, NX), bottom first."""
    table = np.array([values[1:] for values in TEXTURES.values()])[texture]  # (NY, NX, 5)
    water, alpha_noise, k_noise, rock_noise = (noise(generator, s) for s in (3.0, 4.0, 3.0, 4.0))
    porosity_soil = table[..., 1] * (1.0 + 0.04 * water)
    depth = np.cumsum(LAYERS[::-1])[::-1] - 0.5 * np.array(LAYERS)
    fields = {name: np.empty((len(LAYERS), NY, NX)) for name in ("porosity", "alpha", "n", "residual", "kx", "kz")}
    for k, z in enumerate(depth):
        fields["porosity"][k] = porosity_soil * (1.0 - 0.02 * z)
        fields["alpha"][k] = table[..., 2] * np.exp(0.2 * alpha_noise)
        fields["n"][k] = table[..., 3]
        fields["residual"][k] = table[..., 0] / porosity_soil
        macropores = 1.0 + (MACROPORES - 1.0) * np.exp(-z / MACROPORE_DEPTH)
        fields["kx"][k] = table[..., 4] * macropores * np.exp(0.3 * k_noise)
        fields["kz"][k] = fields["kx"][k]
    fields["porosity"][0] = ROCK_POROSITY
    fields["alpha"][0], fields["n"][0], fields["residual"][0] = 1.0, 2.0, 0.02
    fields["kx"][0] = ROCK_CONDUCTIVITY * np.exp(0.5 * rock_noise)
    fields["kz"][0] = ROCK_ANISOTROPY * fields["kx"][0]
    return fields


def write(path: Path) -> None:
    """Make all fields and write them."""
    generator = np.random.default_rng(SEED + 1)
    elevation = make_elevation()
    slope_x, slope_y = make_slopes(elevation)
    relative = height_above_drainage(elevation)
    cover = make_land_cover(relative, noise(generator, 2.0))
    texture = make_texture(relative, noise(generator, 3.0))
    soil = make_hydraulics(texture, generator)
    usda = np.array([values[0] for values in TEXTURES.values()])[texture]
    y, x = (np.arange(NY) + 0.5) * CELL, (np.arange(NX) + 0.5) * CELL
    north, east = np.meshgrid(y - y.mean(), x - x.mean(), indexing="ij")
    latitude = LATITUDE + north / 111_200.0
    longitude = LONGITUDE + east / (111_200.0 * np.cos(np.radians(LATITUDE)))
    with netCDF4.Dataset(path, "w") as data:
        data.setncatts(
            {
                "Conventions": "CF-1.11",
                "title": "Demo basin: an invented humid subtropical headwater",
                "source": f"make_basin.py, seed {SEED}",
            }
        )
        for name, size in (("z", len(LAYERS)), ("y", NY), ("x", NX)):
            data.createDimension(name, size)
        for name, values, long_name in (
            ("x", x, "distance eastward"),
            ("y", y, "distance northward"),
            ("z", np.cumsum(LAYERS) - 0.5 * np.array(LAYERS), "height of the layer centre above the bottom"),
        ):
            axis = data.createVariable(name, "f8", (name,))
            axis.setncatts({"units": "m", "axis": name.upper(), "long_name": long_name})
            axis[:] = values
        for name, values, units, long_name in (
            ("elevation", elevation, "m", "land surface elevation"),
            ("latitude", latitude, "degrees_north", "latitude"),
            ("longitude", longitude, "degrees_east", "longitude"),
            ("slope_x", slope_x, "1", "slope of the east face, positive where the ground rises eastward"),
            ("slope_y", slope_y, "1", "slope of the north face, positive where the ground rises northward"),
            ("manning", np.vectorize(MANNING.get)(cover), "s m-1/3", "Manning's roughness"),
            ("land_cover", cover, "1", "IGBP land cover class"),
            ("soil_texture", usda, "1", "USDA soil texture class"),
            ("porosity", soil["porosity"], "1", "porosity"),
            ("van_genuchten_alpha", soil["alpha"], "m-1", "van Genuchten alpha"),
            ("van_genuchten_n", soil["n"], "1", "van Genuchten n"),
            ("residual_saturation", soil["residual"], "1", "residual saturation"),
            ("conductivity_x", soil["kx"], "m h-1", "horizontal saturated hydraulic conductivity"),
            ("conductivity_z", soil["kz"], "m h-1", "vertical saturated hydraulic conductivity"),
        ):
            integer = np.issubdtype(values.dtype, np.integer)
            dimensions = ("z", "y", "x")[3 - values.ndim :]
            variable = data.createVariable(name, "i4" if integer else "f4", dimensions, zlib=True, shuffle=True)
            variable.setncatts({"units": units, "long_name": long_name})
            variable[...] = values


if __name__ == "__main__":
    write(Path(__file__).with_name("basin.nc"))
