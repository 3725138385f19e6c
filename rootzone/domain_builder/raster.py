"""Rasters onto the cells of a basin, whatever their CRS, resolution and order of rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from bmi_common.arrays import Array
from bmi_common.errors import ConfigError
from bmi_common.suggest import did_you_mean
from bmi_common.units import conversion
from rootzone.domain_builder.config import MapConfig, RasterConfig
from rootzone.domain_builder.grid import BasinGrid, Bounds, read_crs
from rootzone.domain_builder.libraries import library

Mask = NDArray[np.bool_]
Kind = Literal["continuous", "nearest"]

_SUBCELLS: Final = 12
"""Cells of a map of classes in the width of a cell of the basin; a finer map is thinned to about as many."""
_ALIGNED: Final = 1e-6  # of a cell


@contextmanager
def opened(spec: RasterConfig, key: str) -> Iterator[Any]:
    """Open a raster; `key` is named by messages.

    Raises
    ------
    ConfigError
        GDAL cannot read it, it has no such band, or no CRS.
    """
    rasterio = library("rasterio")
    name = str(spec.file) if spec.variable is None else f'NETCDF:"{spec.file}":{spec.variable}'
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a raster without a transform is refused below
            data = rasterio.open(name)
    except rasterio.errors.RasterioIOError as error:
        raise ConfigError(f"{spec.file}: cannot be read as a raster: {error}", key=key) from None
    with data:
        if spec.band > data.count:
            several = ", several variables: name one with `variable:`" if data.subdatasets else ""
            raise ConfigError(f"{spec.file}: has {data.count} bands, not {spec.band}{several}", key=key)
        if data.crs is None and spec.crs is None:
            raise ConfigError(f"{spec.file}: has no coordinate reference system; say it with `crs:`", key=key)
        if data.transform.is_identity:
            raise ConfigError(f"{spec.file}: has no coordinates", key=key)
        yield data


def crs_of(data: Any, spec: RasterConfig, key: str) -> Any:
    """CRS of an open raster, or the one that the user gives it."""
    if spec.crs is not None:
        return read_crs(spec.crs, f"{key}.crs")
    return read_crs(data.crs.to_wkt(), key)


def bounds_of(spec: RasterConfig, key: str, crs: Any) -> Bounds:
    """Bounds of a raster in another CRS."""
    with opened(spec, key) as data:
        change = library("pyproj").Transformer.from_crs(crs_of(data, spec, key), crs, always_xy=True)
        west, south, east, north = change.transform_bounds(*data.bounds)
    return float(west), float(south), float(east), float(north)


def read_map(spec: RasterConfig, grid: BasinGrid, key: str, units: str, kind: Kind = "continuous") -> Array:
    """Bring a raster onto the grid.

    Values of a finer raster are averaged over each cell, of a coarser one interpolated; `nearest` takes single values.
    On the same grid they stay as they are.

    Parameters
    ----------
    spec, grid, key
        What to read, where to, and what messages name.
    units : str
        Units wanted; those of the file are taken for these unless `spec` says other ones.
    kind : str
        How values combine.

    Returns
    -------
    ndarray, shape (ny, nx)
        Southern row first, NaN where the raster has no value.
    """
    if spec.column is not None:
        return _in_units(_burnt(spec, grid, key, spec.column) * spec.scale, spec, units, key)
    rasterio = library("rasterio")
    resampling = library("rasterio.warp").Resampling
    with opened(spec, key) as data:
        crs = crs_of(data, spec, key)
        if kind == "nearest" or _aligned(data, crs, grid):
            method = resampling.nearest
        else:
            method = resampling.average if _finer(data, crs, grid) else resampling.bilinear
        found = np.full(grid.shape, np.nan)
        library("rasterio.warp").reproject(
            source=rasterio.band(data, spec.band),
            destination=found,
            src_crs=crs.to_wkt(),
            src_nodata=data.nodata if spec.nodata is None else spec.nodata,
            dst_transform=grid.transform,
            dst_crs=grid.crs.to_wkt(),
            dst_nodata=np.nan,
            resampling=method,
        )
        scale, offset = data.scales[spec.band - 1], data.offsets[spec.band - 1]
    found = np.ascontiguousarray(found[::-1]) * scale + offset
    return _in_units(found * spec.scale, spec, units, key)


def _burnt(spec: RasterConfig, grid: BasinGrid, key: str, column: str) -> Array:
    """Values of the polygons that hold the centres of cells, NaN where there is none."""
    shapes = read_shapes(spec.file, spec.crs, grid.crs, key)
    if column not in shapes.columns:
        raise ConfigError(f"{spec.file}: no column {column!r}{did_you_mean(column, map(str, shapes.columns))}", key=key)
    values = np.asarray(shapes[column], dtype=np.float64)
    if spec.nodata is not None:
        values = np.where(values == spec.nodata, np.nan, values)
    pairs = [(shape, value) for shape, value in zip(shapes.geometry, values, strict=True) if np.isfinite(value)]
    if not pairs:
        raise ConfigError(f"{spec.file}: does not cover the region: no polygon of it lies there", key=key)
    burnt = library("rasterio.features").rasterize(
        pairs, out_shape=grid.shape, transform=grid.transform, fill=np.nan, dtype="float64"
    )
    return np.ascontiguousarray(burnt[::-1])


def read_shapes(path: Path, crs: str | None, target: Any, key: str) -> Any:
    """Read a file of lines or polygons (a GeoDataFrame), in the CRS `target`; `crs` is its own if it has none.

    Raises
    ------
    ConfigError
        The file cannot be read, or has no CRS.
    """
    geopandas = library("geopandas")
    try:
        shapes = geopandas.read_file(path)
    except Exception as error:  # pyogrio has its own for each thing that a file may lack
        raise ConfigError(f"{path}: cannot be read as lines or polygons: {error}", key=key) from None
    if crs is not None:
        shapes = shapes.set_crs(read_crs(crs, f"{key}.crs"), allow_override=True)
    if shapes.crs is None:
        raise ConfigError(f"{path}: has no coordinate reference system; say it with `crs`", key=key)
    return shapes.to_crs(target)


def _in_units(values: Array, spec: RasterConfig, units: str, key: str) -> Array:
    """Convert values from the units that the user names."""
    if spec.units is None:
        return values
    try:
        change = conversion(spec.units, units)
    except ConfigError as error:
        raise ConfigError(f"{spec.file}: {error}", key=f"{key}.units") from None
    return values * change.factor + change.offset


def read_field(spec: MapConfig, grid: BasinGrid, needed: Mask, key: str, units: str) -> Array:
    """Return a number or a raster on the grid; see `read_map` and `complete`."""
    if spec.raster is None:
        assert spec.value is not None
        return np.full(grid.shape, spec.value)
    return complete(read_map(spec.raster, grid, key, units), spec.raster, grid, needed, key)


def complete(values: Array, spec: RasterConfig, grid: BasinGrid, needed: Mask, key: str) -> Array:
    """Refuse cells that are needed and have no value; all others without one get that of the nearest cell.

    Raises
    ------
    ConfigError
        Telling how many they are, and where the first.
    """
    known = np.isfinite(values)
    if known.all():
        return values
    lacking = needed & ~known
    if lacking.any() and not known.any():
        raise ConfigError(f"{spec.file}: does not cover the region: no cell of it has a value", key=key)
    if lacking.any() and spec.missing == "error":
        j, i = np.argwhere(lacking)[0]
        x, y = grid.centre(int(j), int(i))
        share = 100.0 * lacking.sum() / needed.sum()
        raise ConfigError(
            f"{spec.file}: has no value in {lacking.sum()} of {needed.sum()} cells of the region ({share:.3g} %), the "
            f"first at x {x:.0f}, y {y:.0f}; give a map that covers it, or `missing: nearest`",
            key=key,
        )
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(values[tuple(nearest)])


def read_shares(
    spec: RasterConfig, grid: BasinGrid, needed: Mask, key: str, table: Mapping[int, int] | None
) -> dict[int, Array]:
    """Shares of classes in each cell, (ny, nx) [1], by class of `table`, or by those of the file without one.

    Raises
    ------
    ConfigError
        A class of the file has no entry in the table, or cells of the region have no class.
    """
    rasterio = library("rasterio")
    warp = library("rasterio.warp")
    with opened(spec, key) as data:
        crs = crs_of(data, spec, key)
        around = warp.transform_bounds(grid.crs.to_wkt(), crs.to_wkt(), *grid.bounds)
        west, south, east, north = around
        pad_x, pad_y = (abs(data.transform.a), abs(data.transform.e))
        whole = rasterio.windows.Window(0, 0, data.width, data.height)
        window = whole
        if data.transform.e < 0.0:  # rows begin in the north, as in nearly all rasters
            box = (
                max(west - pad_x, data.bounds.left),
                max(south - pad_y, data.bounds.bottom),
                min(east + pad_x, data.bounds.right),
                min(north + pad_y, data.bounds.top),
            )
            if box[0] >= box[2] or box[1] >= box[3]:
                raise ConfigError(f"{spec.file}: does not cover the region: it lies beside it", key=key)
            window = rasterio.windows.from_bounds(*box, data.transform)
            window = window.round_offsets(op="floor").round_lengths(op="ceil").intersection(whole)
        thin = max(1, int(_cells_across(data, crs, grid) / _SUBCELLS))
        shape = (max(1, int(window.height) // thin), max(1, int(window.width) // thin))
        raw = data.read(spec.band, window=window, out_shape=shape, masked=True)
        a = data.window_transform(window)
        across, along = window.width / shape[1], window.height / shape[0]
        transform = library("affine").Affine(a.a * across, a.b * along, a.c, a.d * across, a.e * along, a.f)
        nodata = data.nodata if spec.nodata is None else spec.nodata
        aligned = _aligned(data, crs, grid)
        finer = _finer(data, crs, grid)
    known = ~np.ma.getmaskarray(raw)
    values = np.asarray(np.ma.getdata(raw))
    if values.dtype.kind == "f":
        known &= np.isfinite(values)
    if nodata is not None:
        known &= values != nodata
    classes = _translated(values, known, spec, key, table)
    method = warp.Resampling.average if finer and not aligned else warp.Resampling.nearest
    shares: dict[int, Array] = {}
    for number in np.unique(classes[known]):
        indicator = np.where(known, (classes == number).astype(np.float32), np.float32(-1.0))
        part = np.full(grid.shape, np.nan, dtype=np.float32)
        warp.reproject(
            source=indicator,
            destination=part,
            src_crs=crs.to_wkt(),
            src_transform=transform,
            src_nodata=-1.0,
            dst_transform=grid.transform,
            dst_crs=grid.crs.to_wkt(),
            dst_nodata=np.nan,
            resampling=method,
        )
        shares[int(number)] = np.ascontiguousarray(part[::-1]).astype(np.float64)
    if not shares:
        raise ConfigError(f"{spec.file}: does not cover the region: no cell of it has a value", key=key)
    return {number: complete(part, spec, grid, needed, key) for number, part in shares.items()}


def majority(shares: Mapping[int, Array]) -> Array:
    """Class with the largest share in each cell, (ny, nx); of equal shares the lower number."""
    numbers = sorted(shares)
    stacked = np.stack([np.nan_to_num(shares[n], nan=-1.0) for n in numbers])
    return np.asarray(np.array(numbers, dtype=np.float64)[np.argmax(stacked, axis=0)])


def _translated(
    values: NDArray[Any], known: Mask, spec: RasterConfig, key: str, table: Mapping[int, int] | None
) -> NDArray[np.int64]:
    numbers = np.unique(values[known])
    if table is None:
        return np.where(known, values, 0).astype(np.int64)
    foreign = [n for n in numbers if n not in table]
    if foreign:
        count = int(np.isin(values[known], foreign).sum())
        raise ConfigError(
            f"{spec.file}: class {', '.join(f'{n:g}' for n in foreign[:5])} has no row in the table of classes "
            f"({100.0 * count / known.sum():.3g} % of the map here); is it another legend, or a missing value "
            "(`nodata:`)?",
            key=key,
        )
    result = np.zeros(values.shape, dtype=np.int64)
    for number in numbers:
        result[known & (values == number)] = table[int(number)]
    return result


def cell_width(spec: RasterConfig, grid: BasinGrid, key: str) -> float:
    """Width [m] of the cells of a raster at the centre of a grid of squares; the larger one, where they are oblong."""
    with opened(spec, key) as data:
        return grid.dx / _cells_across(data, crs_of(data, spec, key), grid)


def _cells_across(data: Any, crs: Any, grid: BasinGrid) -> float:
    """Cells of a raster in the width of a cell of the grid, at the centre of the grid."""
    change = library("pyproj").Transformer.from_crs(grid.crs, crs, always_xy=True)
    west, south, east, north = grid.bounds
    x, y = 0.5 * (west + east), 0.5 * (south + north)
    (x0, x1, x2), (y0, y1, y2) = change.transform([x, x + grid.dx, x], [y, y, y + grid.dy])
    across = np.hypot((x1 - x0) / data.transform.a, (y1 - y0) / data.transform.e)
    along = np.hypot((x2 - x0) / data.transform.a, (y2 - y0) / data.transform.e)
    return float(min(across, along))


def _finer(data: Any, crs: Any, grid: BasinGrid) -> bool:
    return _cells_across(data, crs, grid) > 1.0


def _aligned(data: Any, crs: Any, grid: BasinGrid) -> bool:
    """Whether each cell of the grid is a cell of the raster."""
    a = data.transform
    if a.b or a.d or abs(a.a - grid.dx) > _ALIGNED * grid.dx or abs(abs(a.e) - grid.dy) > _ALIGNED * grid.dy:
        return False
    offsets = ((grid.x0 - a.c) / grid.dx, (grid.y0 - a.f) / grid.dy)
    return all(abs(o - round(o)) < _ALIGNED * 100 for o in offsets) and bool(crs.equals(grid.crs))
