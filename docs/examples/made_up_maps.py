"""Write the maps of an invented landscape, each as its kind comes: for the tutorial "From maps to a running basin".

    python docs/examples/made_up_maps.py maps

needs the extra `domain`. Elevation is a GeoTIFF in UTM, 30 m, northern row first; soil, land cover, bedrock and
permeability are in longitude and latitude, as global data sets are; the weather is a year of ERA5-Land.
"""

from __future__ import annotations

import sys
from pathlib import Path

import netCDF4
import numpy as np
import pyflwdir
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.transform import from_origin
from scipy.ndimage import gaussian_filter, map_coordinates

Floats = NDArray[np.float64]

UTM = "EPSG:32649"
WEST, NORTH, CELL, ROWS, COLUMNS = 730_000.0, 2_720_000.0, 30.0, 480, 520
DEPTHS = (5, 15, 30, 60, 100, 200)  # cm, lower limits of SoilGrids' intervals
HOURS = 8760 + 1


def noise(random: np.random.Generator, shape: tuple[int, int], roughness: float) -> Floats:
    """Return a fractal surface of zero mean and unit variance."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(shape[1]), np.fft.fftfreq(shape[0])))
    frequency[0, 0] = np.inf
    field = np.fft.ifft2(np.fft.fft2(random.standard_normal(shape)) * frequency**-roughness).real
    return np.asarray((field - field.mean()) / field.std())


def make_ground(random: np.random.Generator) -> Floats:
    """Return elevation [m]: hills above a valley net that falls to the south, with pits as radar leaves them."""
    row = np.linspace(1.0, 0.0, ROWS)[:, np.newaxis]
    column = np.linspace(-1.0, 1.0, COLUMNS)
    # a divide all round but in the south, so that the rivers have their springs on the map
    rim = np.maximum(1.0 - ((np.abs(column) - 0.8) / 0.25) ** 2, 0.0) + np.maximum(1.0 - ((row - 0.85) / 0.2) ** 2, 0.0)
    ground = 150.0 * row + 170.0 * np.minimum(rim, 1.0) + 35.0 * noise(random, (ROWS, COLUMNS), 1.6)
    for _ in range(40):  # rivers cut in, hillsides creep
        filled, directions = pyflwdir.dem.fill_depressions(ground)
        area = pyflwdir.from_array(directions, ftype="d8", check_ftype=False).upstream_area(unit="cell")
        ground = np.where(area > 12, filled - 1.1 * np.log(area.astype(np.float64)), ground)
        ground = 0.75 * ground + 0.25 * gaussian_filter(ground, 1.5)
    return np.asarray(ground - ground.min() + 90.0 + random.normal(0.0, 0.7, ground.shape))


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


def geographic(cell: float) -> tuple[float, float, Floats, Floats]:
    """Return west and north of a grid in degrees that covers the ground, and the row and column of the DEM under it."""
    to_degrees = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
    bounds = to_degrees.transform_bounds(WEST, NORTH - ROWS * CELL, WEST + COLUMNS * CELL, NORTH)
    west, south, east, north = bounds[0] - 2 * cell, bounds[1] - 2 * cell, bounds[2] + 2 * cell, bounds[3] + 2 * cell
    longitude = np.arange(west + 0.5 * cell, east, cell)
    latitude = np.arange(north - 0.5 * cell, south, -cell)
    x, y = Transformer.from_crs("EPSG:4326", UTM, always_xy=True).transform(*np.meshgrid(longitude, latitude))
    return west, north, (NORTH - y) / CELL - 0.5, (x - WEST) / CELL - 0.5


def at(field: Floats, row: Floats, column: Floats) -> Floats:
    """Return a field of the DEM's grid at rows and columns, the nearest beyond its edges."""
    return np.asarray(map_coordinates(field, [row, column], order=1, mode="nearest"))


def write_maps(folder: Path, seed: int = 7) -> None:
    """Write all maps but the weather."""
    random = np.random.default_rng(seed)
    ground = make_ground(random)
    write_raster(folder / "elevation.tif", ground.astype(np.float32), UTM, WEST, NORTH, CELL, -9999.0)
    low = gaussian_filter(ground, 40.0) - gaussian_filter(ground, 8.0)  # positive in valleys
    low /= low.std()

    west, north, row, column = geographic(0.0025)
    valley, spots = at(low, row, column), noise(random, row.shape, 1.5)
    for depth, _ in enumerate(DEPTHS):
        sand = np.clip(46.0 - 9.0 * valley + 8.0 * spots - 1.5 * depth, 5.0, 90.0)
        clay = np.clip(20.0 + 4.0 * valley - 3.0 * spots + 2.0 * depth, 4.0, 60.0)
        clay = np.minimum(clay, 98.0 - sand)
        density = 125.0 + 5.0 * depth + 4.0 * spots
        for name, values in (("sand", 10.0 * sand), ("clay", 10.0 * clay), ("bdod", density)):
            path = folder / f"{name}_{DEPTHS[depth]}cm.tif"
            write_raster(path, values.round().astype(np.int16), "EPSG:4326", west, north, 0.0025, -32768)
    bedrock = np.clip(3.0 + 2.5 * valley + 0.8 * spots, 0.6, 25.0)
    write_raster(folder / "bedrock.tif", bedrock.astype(np.float32), "EPSG:4326", west, north, 0.0025, -9999.0)
    rock = np.where(valley + spots > 0.8, -1180, np.where(spots > -0.2, -1330, -1410)).astype(np.int16)
    write_raster(folder / "permeability.tif", rock, "EPSG:4326", west, north, 0.0025, 0)

    west, north, row, column = geographic(0.0004)
    valley, spots = at(low, row, column), noise(random, row.shape, 1.3)
    cover = np.select(
        [valley + 0.4 * spots > 1.1, (valley > 0.3) & (spots > -0.3), spots > 1.4, spots < -1.1],
        [40, 40, 50, 20],
        default=10,
    )
    cover = np.where((cover == 40) & (spots < -0.4), 30, cover).astype(np.uint8)
    write_raster(folder / "cover.tif", cover, "EPSG:4326", west, north, 0.0004, 0)


def write_weather(path: Path, seed: int = 3) -> None:
    """Write a year of hourly ERA5-Land of the humid subtropics: totals since 00 UTC, states at the hour."""
    random = np.random.default_rng(seed)
    longitude, latitude = np.arange(113.0, 113.81, 0.1), np.arange(24.8, 24.19, -0.1)
    hour = np.arange(HOURS)
    season = np.cos(2.0 * np.pi * (hour / 24.0 - 200.0) / 365.0)  # 1 at the end of July
    local = (hour + 7.6) % 24.0
    sun = np.maximum(np.cos(2.0 * np.pi * (local - 12.0) / 24.0) * (0.72 + 0.2 * season) + 0.1 * season, 0.0)
    days = HOURS // 24 + 1
    wet = random.random(days) < 0.36 + 0.16 * np.cos(2.0 * np.pi * (np.arange(days) - 165.0) / 365.0)
    depth = np.where(wet, random.gamma(0.7, 14.0, days), 0.0)  # mm a day
    begin, length = random.integers(0, 16, days), random.integers(3, 9, days)
    inside = (hour % 24 >= begin[hour // 24]) & (hour % 24 < (begin + length)[hour // 24])
    rain = np.where(inside, (depth / length)[hour // 24], 0.0) / 1000.0  # m an hour
    cloud = np.where(wet, 0.55, 0.15)[hour // 24]
    weather = 3.0 * gaussian_filter(random.standard_normal(HOURS), 60.0) / 0.07
    air = 292.0 + 8.5 * season + 4.0 * np.cos(2.0 * np.pi * (local - 15.0) / 24.0) * (1.0 - cloud) + weather
    dew = air - np.where(wet[hour // 24], 1.5, 5.0) - 2.0 * sun
    shortwave = 1150.0 * sun * (1.0 - 0.65 * cloud) * 3600.0
    longwave = 5.67e-8 * air**4 * (0.76 + 0.2 * cloud) * 3600.0
    with netCDF4.Dataset(path, "w") as data:
        data.createDimension("time", HOURS)
        data.createDimension("latitude", latitude.size)
        data.createDimension("longitude", longitude.size)
        time = data.createVariable("time", "i4", ("time",))
        time.units, time.standard_name, time.calendar = "hours since 2019-10-01 00:00:00", "time", "standard"
        time[:] = hour
        for name, values, units in (("latitude", latitude, "degrees_north"), ("longitude", longitude, "degrees_east")):
            axis = data.createVariable(name, "f8", (name,))
            axis.units, axis.standard_name = units, name
            axis[:] = values
        north = np.linspace(0.9, 1.1, latitude.size)[:, np.newaxis] * np.ones(longitude.size)
        for name, values, units, places in (
            ("tp", _totals(rain), "m", north),
            ("ssrd", _totals(shortwave), "J m-2", np.ones_like(north)),
            ("strd", _totals(longwave), "J m-2", np.ones_like(north)),
            ("t2m", air, "K", np.ones_like(north)),
            ("d2m", dew, "K", np.ones_like(north)),
            ("sp", 98_500.0 - 150.0 * season, "Pa", np.ones_like(north)),
            ("u10", 1.6 + 0.8 * np.sin(hour / 37.0), "m s-1", np.ones_like(north)),
            ("v10", 1.0 * np.cos(hour / 51.0), "m s-1", np.ones_like(north)),
        ):
            variable = data.createVariable(name, "f4", ("time", "latitude", "longitude"), zlib=True)
            variable.units = units
            variable[:] = values[:, np.newaxis, np.newaxis] * places


def _totals(amount: Floats) -> Floats:
    """Return totals since 00 UTC of amounts of the hour before each stamp; at 00 UTC those of the whole day before."""
    before = np.concatenate([[0.0], amount[:-1]])
    total = np.empty_like(before)
    for n, value in enumerate(before):
        total[n] = value if n % 24 == 1 or n == 0 else total[n - 1] + value
    return total


def main() -> None:
    """Write everything into the folder of the first argument."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "maps")
    folder.mkdir(parents=True, exist_ok=True)
    write_maps(folder)
    write_weather(folder / "era5_land.nc")


if __name__ == "__main__":
    main()
