"""Invent the landscape of the demo basin and write it as maps come; ``bmi-domain`` makes the basin of them.

A headwater of some 60 x 45 km in the humid subtropics (24.5 N, 113.25 E), with hills of weathered granite and slate
around broad alluvial valleys. It needs the extra `domain`; `make demo-basin` does this and what comes after it:

    python cfg/demo/make_landscape.py cfg/demo/maps
    bmi-domain cfg/demo/basin.yaml --output output/demo/basin

The elevation model is in UTM, 500 m, and has the pits of a measured one; its ground comes from uplift, river incision
by stream power and creep within the divide, which is a polygon. Rock is in UTM, too; soil, land cover and depth to
bedrock are in longitude and latitude, as global data sets are. The same seed gives the same landscape.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import pyflwdir
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.features import rasterize
from rasterio.transform import from_origin
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates
from shapely.geometry import Polygon

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Integers = NDArray[np.int64]

SEED = 24113
UTM = "EPSG:32649"
WEST, NORTH, WIDTH, HEIGHT = 696_000.0, 2_735_000.0, 64_000.0, 48_000.0  # m
CELL = 500.0  # m, of the elevation model
NX, NY = int(WIDTH / CELL), int(HEIGHT / CELL)
DEGREES = 0.005  # cells of the maps in longitude and latitude
NODATA = -9999.0

MARGIN = 1100.0  # m, from the divide to the frame of the grid
OUTLET_X = WEST + 27_499.0
OUTLET_ELEVATION = 112.0  # m
RELIEF = 470.0  # m, between the outlet and the highest place
VALLEY_WIDTH, VALLEY_FLATNESS = 1000.0, 1.35  # m, -
STREAM_AREA = 25.0e6  # m2 upstream from which there is a stream
VALLEY_HEIGHT = 14.0  # m above the stream, up to which there is alluvium
NOISE = 0.5  # m, of the elevation model

STEPS, STEP_YEARS, UPLIFT = 400, 20_000.0, 1.0e-4  # -, a, m a-1
ERODIBILITY, DIFFUSIVITY = 4.0e-6, 0.15  # a-1 at an exponent of 0.5, m2 a-1

SLATE, GRANITE, ALLUVIUM = 1, 2, 3
EVERGREEN, MIXED, SHRUB, SAVANNA, GRASS, CROPS, MOSAIC = 2, 5, 6, 8, 10, 12, 14
TEXTURE = {  # sand, clay [%] of topsoil and subsoil
    SLATE: ((42.0, 18.0), (33.0, 33.0)),  # loam, clay loam
    GRANITE: ((65.0, 11.0), (59.0, 27.0)),  # sandy loam, sandy clay loam
    ALLUVIUM: ((24.0, 14.0), (42.0, 19.0)),  # silt loam, loam
}
DENSITY = (1.25, 1.45)  # g cm-3, of topsoil and subsoil


@dataclass(frozen=True)
class Frame:
    """The grid that a landscape is invented on.

    Attributes
    ----------
    west, north : float
        Its edges [m].
    nx, ny : int
        Cells from west to east and from north to south.
    cell : float
        Their size [m].
    margin : float
        From the divide to the edges [m].
    outlet_x : float
        Where the basin's water leaves, in the southernmost cell there within the divide [m].
    """

    west: float
    north: float
    nx: int
    ny: int
    cell: float
    margin: float
    outlet_x: float

    @property
    def outlet_column(self) -> int:
        """Column of the outlet."""
        return int((self.outlet_x - self.west) / self.cell)


DEMO = Frame(WEST, NORTH, NX, NY, CELL, MARGIN, OUTLET_X)


@dataclass(frozen=True)
class Landscape:
    """The ground, northern row first.

    Attributes
    ----------
    divide : Polygon
        Of the basin, in UTM.
    elevation : ndarray, shape (NY, NX)
        [m], also beyond the divide.
    height : ndarray, shape (NY, NX)
        Above the stream that the place drains to [m].
    rock : ndarray of int, shape (NY, NX)
        `SLATE`, `GRANITE` or `ALLUVIUM`.
    """

    divide: Polygon
    elevation: Floats
    height: Floats
    rock: Integers


def smooth_noise(random: np.random.Generator, length: float, frame: Frame = DEMO) -> Floats:
    """Return a random field of zero mean and unit variance that varies over the given length [m]."""
    field = gaussian_filter(random.standard_normal((frame.ny, frame.nx)), length / frame.cell, mode="reflect")
    return np.asarray((field - field.mean()) / field.std())


def draw_divide(random: np.random.Generator, frame: Frame = DEMO) -> Polygon:
    """Return the divide: a wobbly superellipse as large as the grid without its frame."""
    angle = np.linspace(0.0, 2.0 * np.pi, 720, endpoint=False)
    radius = np.ones_like(angle)
    for wave in range(2, 10):
        radius -= 0.05 / wave * (1.0 + np.cos(wave * angle + random.uniform(0.0, 2.0 * np.pi)))
    radius /= (np.abs(np.cos(angle)) ** 3.5 + np.abs(np.sin(angle)) ** 3.5) ** (1.0 / 3.5)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    width, height = (number * frame.cell - 2.0 * frame.margin for number in (frame.nx, frame.ny))
    east = frame.west + frame.margin + (x - x.min()) / np.ptp(x) * width
    north = frame.north - frame.margin - (y.max() - y) / np.ptp(y) * height
    return Polygon(np.round(np.column_stack([east, north])))


def inside(divide: Polygon, frame: Frame = DEMO) -> Mask:
    """Return the cells whose centres lie within the divide."""
    origin = from_origin(frame.west, frame.north, frame.cell, frame.cell)
    burnt = rasterize([divide], out_shape=(frame.ny, frame.nx), transform=origin, dtype="uint8")
    return np.asarray(burnt > 0)


def evolve(
    mask: Mask, rock: Floats, random: np.random.Generator, frame: Frame = DEMO, diffusivity: float = DIFFUSIVITY
) -> Floats:
    """Return elevation [m] after uplift, river incision and hillslope creep within the closed divide.

    Hillslopes are some sqrt(diffusivity [m2 a-1] / ERODIBILITY) long.

    Incision by stream power is implicit: Braun and Willett (2013), Geomorphology 180, 170.
    """
    nx, cell_size = frame.nx, frame.cell
    row, column = np.mgrid[0 : frame.ny, 0:nx]
    rows = np.where(mask[:, frame.outlet_column])[0]
    outlet = int(rows[-1]) * nx + frame.outlet_column
    elevation = 0.1 * np.hypot(row - outlet // nx, column - outlet % nx) + random.uniform(0.0, 5.0, mask.shape)
    # rounded, so that the last bit of a processor's exp decides about no river
    erodibility = np.round(ERODIBILITY * np.exp(0.35 * rock), 10)
    creeps = math.ceil(8.0 * diffusivity * STEP_YEARS / cell_size**2)  # explicit: stable up to 0.25 of a cell
    for _ in range(STEPS):
        elevation += UPLIFT * STEP_YEARS
        elevation.flat[outlet] = 0.0
        filled, directions = pyflwdir.dem.fill_depressions(
            np.where(mask, elevation, NODATA), nodata=NODATA, connectivity=4, idxs_pit=np.array([outlet])
        )
        network = pyflwdir.from_array(directions, ftype="d8", check_ftype=False)
        area = np.maximum(network.upstream_area(unit="cell").astype(np.float64), 0.0) * cell_size**2
        incision: list[float] = (erodibility * STEP_YEARS * np.sqrt(area) / cell_size).ravel().tolist()
        level: list[float] = filled.astype(np.float64).ravel().tolist()
        downstream: list[int] = network.idxs_ds.tolist()
        for cell in network.idxs_seq.tolist():  # from the outlet upwards
            below = downstream[cell]
            if below != cell:
                level[cell] = (level[cell] + incision[cell] * level[below]) / (1.0 + incision[cell])
        elevation = np.where(mask, np.array(level).reshape(frame.ny, nx), elevation)
        for _ in range(creeps):
            creep = diffusivity * STEP_YEARS / creeps * curvature(elevation, mask, cell_size)
            elevation = np.where(mask, elevation + creep, elevation)
    return np.where(mask, elevation - elevation.flat[outlet], 0.0)


def curvature(field: Floats, mask: Mask, cell: float) -> Floats:
    """Return the Laplacian of a field [its units m-2] with no flux over the divide."""
    result = np.zeros_like(field)
    for axis in (0, 1):
        both = np.delete(mask & np.roll(mask, -1, axis), -1, axis)
        rise = np.where(both, np.diff(field, axis=axis), 0.0) / cell**2
        pad = [(0, 0), (0, 0)]
        pad[axis] = (1, 1)
        result += np.diff(np.pad(rise, pad), axis=axis)
    return result


def widen_valleys(elevation: Floats, mask: Mask) -> Floats:
    """Return elevation averaged over its surroundings and lowered most near the outlet.

    A landscape model has valleys as wide as a cell; alluvium fills real ones far wider.
    """
    width = VALLEY_WIDTH / CELL
    weight = gaussian_filter(mask.astype(float), width, truncate=3.0)
    mean = gaussian_filter(np.where(mask, elevation, 0.0), width, truncate=3.0) / np.maximum(weight, 1e-9)
    return np.asarray(np.where(mask, np.maximum(mean, 0.0), 0.0) ** VALLEY_FLATNESS)


def make_landscape(random: np.random.Generator) -> Landscape:
    """Return the ground and what it consists of."""
    resistance = smooth_noise(random, 6000.0)
    divide = draw_divide(random)
    mask = inside(divide)
    ground = widen_valleys(evolve(mask, resistance, random), mask)
    elevation = OUTLET_ELEVATION + ground * RELIEF / ground.max()
    filled, directions = pyflwdir.dem.fill_depressions(
        np.where(mask, elevation, NODATA), nodata=NODATA, connectivity=4, outlets="min"
    )
    network = pyflwdir.from_array(directions, ftype="d8", check_ftype=False)
    area = np.where(mask, network.upstream_area(unit="cell").astype(np.float64) * CELL**2, CELL**2)
    height = np.where(mask, network.hand(area >= STREAM_AREA, filled), 0.0)
    valley = (height < VALLEY_HEIGHT) & (gaussian_filter(np.log(area / CELL**2), 1.4) > 1.0)
    rock = np.where(valley, ALLUVIUM, np.where(resistance > 0.0, SLATE, GRANITE))
    # other basins begin at the divide
    distance, nearest = distance_transform_edt(~mask, sampling=CELL, return_indices=True)
    beyond = elevation[tuple(nearest)] - 0.01 * distance
    measured = np.where(mask, elevation, beyond) + random.normal(0.0, NOISE, mask.shape)
    return Landscape(divide, measured, height[tuple(nearest)], rock[tuple(nearest)])


def make_cover(landscape: Landscape, random: np.random.Generator) -> Integers:
    """Return IGBP classes: fields and grass in the valleys, forest and some scrub on the hills."""
    patches = smooth_noise(random, 1200.0)
    cover = np.where(patches > 0.9, MIXED, EVERGREEN)
    cover = np.where(patches < -1.2, SAVANNA, cover)
    high = landscape.elevation > np.quantile(landscape.elevation[inside(landscape.divide)], 0.93)
    cover = np.where(high & (patches < 0.0), SHRUB, cover)
    valley = landscape.rock == ALLUVIUM
    foot = ~valley & (landscape.height < 2.0 * VALLEY_HEIGHT)
    cover = np.where(foot & (patches > 0.3), MOSAIC, cover)
    return np.where(valley, np.select([patches > -0.1, patches > -0.8], [CROPS, GRASS], default=MOSAIC), cover)


def make_soil(landscape: Landscape, random: np.random.Generator) -> dict[str, Floats]:
    """Return sand, clay [%] and bulk density [g cm-3] of topsoil and subsoil (2, NY, NX), and depth to bedrock [m]."""
    spots, packing = smooth_noise(random, 2500.0), smooth_noise(random, 2000.0)
    parts: dict[str, Floats] = {name: np.empty((2, NY, NX)) for name in ("sand", "clay", "bulk_density")}
    for depth in (0, 1):
        for rock, textures in TEXTURE.items():
            here = landscape.rock == rock
            parts["sand"][depth, here], parts["clay"][depth, here] = textures[depth]
        parts["sand"][depth] += 4.0 * spots
        parts["clay"][depth] -= 1.5 * spots
        parts["bulk_density"][depth] = DENSITY[depth] + 0.04 * packing
    # a soil of two metres and more on the hills, far deeper in the valleys
    bedrock = 2.2 + 12.0 * np.exp(-landscape.height / VALLEY_HEIGHT) + 0.5 * np.abs(packing)
    return parts | {"bedrock": bedrock}


def write_raster(
    path: Path, values: NDArray[np.generic], crs: str, west: float, north: float, cell: float, nodata: float
) -> None:
    """Write one band, or several, northern row first."""
    bands = values[np.newaxis] if values.ndim == 2 else values
    count, height, width = bands.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=height,
        width=width,
        count=count,
        dtype=bands.dtype,
        crs=crs,
        transform=from_origin(west, north, cell, cell),
        nodata=nodata,
        compress="deflate",
    ) as file:
        file.write(bands)  # fmt: skip


def write_maps(folder: Path, seed: int = SEED) -> None:
    """Write all maps into a folder."""
    random = np.random.Generator(np.random.PCG64(seed))
    landscape = make_landscape(random)
    cover, soil = make_cover(landscape, random), make_soil(landscape, random)
    folder.mkdir(parents=True, exist_ok=True)
    geopandas.GeoDataFrame(geometry=[landscape.divide], crs=UTM).to_file(folder / "divide.geojson", driver="GeoJSON")
    write_raster(folder / "elevation.tif", landscape.elevation.astype(np.float32), UTM, WEST, NORTH, CELL, NODATA)
    write_raster(folder / "rock.tif", landscape.rock.astype(np.uint8), UTM, WEST, NORTH, CELL, 0)

    to_degrees = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
    bounds = to_degrees.transform_bounds(WEST, NORTH - HEIGHT, WEST + WIDTH, NORTH)
    west, north = bounds[0] - DEGREES, bounds[3] + DEGREES
    longitude = np.arange(west + 0.5 * DEGREES, bounds[2] + DEGREES, DEGREES)
    latitude = np.arange(north - 0.5 * DEGREES, bounds[1] - DEGREES, -DEGREES)
    x, y = Transformer.from_crs("EPSG:4326", UTM, always_xy=True).transform(*np.meshgrid(longitude, latitude))
    at = [(NORTH - y) / CELL - 0.5, (x - WEST) / CELL - 0.5]

    def geographic(name: str, layers: NDArray[np.generic], order: int, kind: type[np.generic], nodata: float) -> None:
        moved = np.stack([map_coordinates(layer, at, order=order, mode="nearest") for layer in layers])
        write_raster(folder / f"{name}.tif", moved.astype(kind), "EPSG:4326", west, north, DEGREES, nodata)

    geographic("cover", cover[np.newaxis], 0, np.uint8, 0)
    for name, layers in soil.items():
        geographic(name, layers if layers.ndim == 3 else layers[np.newaxis], 1, np.float32, NODATA)


if __name__ == "__main__":
    write_maps(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("maps"))
