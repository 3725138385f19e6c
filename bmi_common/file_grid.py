"""From the grid of a file to the cells of the domain: by the file's own coordinates, whichever way they run."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bmi_common.arrays import Array
from bmi_common.errors import ConfigError, InputNotice
from bmi_common.netcdf_file import NetcdfFile, NetcdfVariable, base_name
from bmi_common.partition import Part
from bmi_common.units import conversion

Mask = NDArray[np.bool_]
Direction = Literal["y", "x"]

EARTH_RADIUS: Final = 6371.0  # km

_LONE_SPACING: Final = 0.1  # degrees; ERA5-Land's, where a file has one cell and shows no spacing
_NOTICED, _REFUSED = 0.1, 0.4
"""Of a cell: how far cells of a file may lie from the domain's. Half a cell is a corner taken for a centre."""
_SPACING_TOLERANCE: Final = 0.01
FARTHEST: Final = 3.0
"""Cells of the file, from a cell without values to the one that stands for it."""

_NAMES: Final[dict[Direction, tuple[str, ...]]] = {
    "y": ("y", "lat", "latitude", "south_north", "northing", "rlat", "nlat", "j", "row", "rows", "ny"),
    "x": ("x", "lon", "longitude", "west_east", "easting", "rlon", "nlon", "i", "col", "column", "columns", "nx"),
}
"""Names of dimensions."""
_TELLING: Final[dict[Direction, tuple[str, ...]]] = {
    "y": ("y", "south_north", "northing", "rlat"),
    "x": ("x", "west_east", "easting", "rlon"),
}
"""Names of coordinates that grow to the north or east without saying so; rows and j may be counted from anywhere."""
_PROJECTED: Final[dict[Direction, tuple[str, ...]]] = {
    "y": ("projection_y_coordinate", "grid_latitude"),
    "x": ("projection_x_coordinate", "grid_longitude"),
}
_GEOGRAPHIC: Final = {
    "latitude": (("lat", "xlat", "nav_lat"), "north", "N"),
    "longitude": (("lon", "long", "xlong", "nav_lon"), "east", "E"),
}
_WORDS: Final[dict[Direction, tuple[str, str]]] = {"y": ("rows", "north to south"), "x": ("columns", "east to west")}


@dataclass(frozen=True)
class Cells:
    """Cell centres of the domain; what is unknown is None.

    Attributes
    ----------
    shape : (int, int)
        (ny, nx).
    latitude, longitude : ndarray, shape (ny, nx), optional
        Degrees, y 0 the southern row.
    northing, easting : ndarray, shape (ny,) and (nx,), optional
        Distances [m].
    has_corner : bool
        Whether `northing` and `easting` count from a corner that the user has given; if not, only distances between
        cells mean something.
    mask : ndarray of bool, shape (ny, nx), optional
        Cells that take part; all if not given.
    thickness : ndarray, shape (nz,), optional
        Of the layers [m], bottom first.
    turned : bool
        Whether the maps of latitude and longitude had to be turned.
    part : Part, optional
        Of the domain, where it is divided; the cells are those of its window then.
    """

    shape: tuple[int, int]
    latitude: Array | None = None
    longitude: Array | None = None
    northing: Array | None = None
    easting: Array | None = None
    has_corner: bool = False
    mask: Mask | None = None
    thickness: Array | None = None
    turned: bool = False
    part: Part | None = None

    @property
    def whole_shape(self) -> tuple[int, int]:
        """(ny, nx) of the whole domain, which maps in files have."""
        return self.shape if self.part is None else self.part.shape


class FileGrid(NamedTuple):
    """Grid of a file, rows and columns in the file's order.

    Latitude and longitude are (rows,) and (columns,), or both (rows, columns), or None; `northing` and `easting` [m]
    are None where the file has none in units of length; `south_first` and `west_first` tell the directions and are
    None where the file does not.
    """

    shape: tuple[int, int]
    latitude: Array | None
    longitude: Array | None
    northing: Array | None
    easting: Array | None
    south_first: bool | None
    west_first: bool | None


@dataclass(frozen=True)
class GridMap:
    """Part of a file's grid to read, and the cells to take from it.

    `rows` and `columns` are what to read; `pick` are, within that, the row and column of each cell of the domain,
    (ny, nx); with `weights`, of several cells each, (n, ny, nx), which add up with these weights.
    """

    rows: slice
    columns: slice
    pick: tuple[NDArray[np.intp], NDArray[np.intp]]
    weights: Array | None = None

    def __call__(self, values: Array) -> Array:
        """Return `values` (..., rows read, columns read) on the domain, (..., ny, nx)."""
        if self._window is not None:
            return np.asarray(values[(..., *self._window)]).copy(order="C")  # a gather takes several times as long
        picked = np.asarray(values[..., self.pick[0], self.pick[1]])
        if self.weights is None:
            return picked
        # a neighbour without weight may lack a value
        return np.asarray(np.where(self.weights > 0.0, self.weights * picked, 0.0).sum(axis=-3))

    @cached_property
    def _window(self) -> tuple[slice, slice] | None:
        """What to take where the cells of the domain lie in the file as they are, but for the directions."""
        rows, columns = self.pick
        if self.weights is not None or not rows.size or (rows != rows[:, :1]).any() or (columns != columns[:1]).any():
            return None
        down, across = _evenly(rows[:, 0]), _evenly(columns[0])
        return None if down is None or across is None else (down, across)

    def of_file(self, values: Array) -> Array:
        """Return `values` (..., rows, columns) of the file's whole grid on the domain, (..., ny, nx)."""
        return self(values[..., self.rows, self.columns])

    def window(self, part: Part) -> GridMap:
        """Return the map for a window of the domain."""
        place = (..., part.rows, part.columns)
        rows, columns = self.rows.start + self.pick[0][place], self.columns.start + self.pick[1][place]
        return part_of(rows, columns, None if self.weights is None else self.weights[place])


def _evenly(numbers: NDArray[np.intp]) -> slice | None:
    """Return the slice that takes consecutive numbers, rising or falling; None for others."""
    first, last = int(numbers[0]), int(numbers[-1])
    step = -1 if last < first else 1
    if not np.array_equal(numbers, np.arange(first, last + step, step)):
        return None
    end = last + step
    return slice(first, None if end < 0 else end, step)


# ---------------------------------------------------------------------- what a file says


def horizontal(file: NetcdfFile, name: str, passed_over: tuple[str, ...] = ()) -> tuple[str | None, str | None]:
    """Return the dimensions of a variable that are rows and columns, by coordinates, else by their own names.

    Parameters
    ----------
    file, name
        The variable.
    passed_over
        Dimensions that are neither.
    """
    free = [d for d in file[name].dimensions if d not in passed_over]
    y, x = (next((d for d in free if file.along(d, _is_coordinate(axis))), None) for axis in ("y", "x"))
    y = y or next((d for d in free if d != x and base_name(d) in _NAMES["y"]), None)
    x = x or next((d for d in free if d != y and base_name(d) in _NAMES["x"]), None)
    return (None, None) if y is not None and y == x else (y, x)


def by_position(file: NetcdfFile, name: str, y: str, x: str) -> tuple[str, str]:
    """Return (rows, columns) of two dimensions that nothing names: by latitudes of cells, else in this order."""
    latitude = _of_cells(file, name, y, x, "latitude")
    if latitude is None or min(latitude.shape) < 2:
        return y, x
    down, across = (float(np.abs(np.diff(latitude, axis=axis)).sum()) for axis in (0, 1))
    return (x, y) if across > down else (y, x)


def file_grid(file: NetcdfFile, name: str, y: str, x: str) -> FileGrid:
    """Return shape, coordinates and directions of the grid of a variable with dimensions `y` (rows) and `x` (columns).

    Coordinates may be latitude and longitude of rows and columns, latitude and longitude of cells, or projected ones.

    Raises
    ------
    ConfigError
        A dimension has no length, a coordinate runs to and fro, or two coordinates contradict each other.
    """
    for dimension in (y, x):
        if not file.size(dimension):
            raise ConfigError(f"{file.path}: the dimension {dimension!r} has length 0: the grid has no cell")
    rows, columns = (_first(file.along(d, _is_geographic(kind))) for d, kind in ((y, "latitude"), (x, "longitude")))
    latitude, longitude = (_of_cells(file, name, y, x, kind) for kind in ("latitude", "longitude"))
    south_first, west_first = _ascends(file, y, "y", latitude), _ascends(file, x, "x", longitude)
    if rows is not None and columns is not None:
        latitude, longitude = file.values(rows.name), file.values(columns.name)
    elif latitude is None or longitude is None:
        latitude = longitude = None
    shape = (file.size(y), file.size(x))
    return FileGrid(shape, latitude, longitude, _metres(file, y, "y"), _metres(file, x, "x"), south_first, west_first)


def _first(found: list[NetcdfVariable]) -> NetcdfVariable | None:
    return found[0] if found else None


def _is_geographic(kind: str) -> Callable[[NetcdfVariable], bool]:
    names, direction, letter = _GEOGRAPHIC[kind]
    units = {f"{degree}_{end}" for degree in ("degree", "degrees") for end in (direction, letter)}
    others = {*_GEOGRAPHIC, *_PROJECTED["y"], *_PROJECTED["x"]} - {kind}

    def test(variable: NetcdfVariable) -> bool:
        standard_name = variable.text("standard_name")
        if standard_name in others:
            return False
        return standard_name == kind or variable.text("units") in units or variable.label in (kind, *names)

    return test


def _is_projected(axis: Direction) -> Callable[[NetcdfVariable], bool]:
    return lambda v: v.text("standard_name") in _PROJECTED[axis] or v.text("axis").upper() == axis.upper()


def _is_coordinate(axis: Direction) -> Callable[[NetcdfVariable], bool]:
    geographic = _is_geographic("latitude" if axis == "y" else "longitude")
    return lambda v: geographic(v) or _is_projected(axis)(v)


def _of_cells(file: NetcdfFile, name: str, y: str, x: str, kind: str) -> Array | None:
    """Return latitude or longitude of cells, (rows, columns); those that the variable's `coordinates` name first."""
    named = file[name].text("coordinates").split()
    test = _is_geographic(kind)
    found = [v for v in file.variables if {y, x} <= set(v.dimensions) and v.shape.count(0) == 0 and test(v)]
    found.sort(key=lambda v: (v.label not in named and v.name not in named, len(v.dimensions)))
    for v in found:
        # WRF repeats its coordinates in every record
        index = tuple(slice(None) if d in (y, x) else 0 for d in v.dimensions)
        values = file.part(v.name, index)
        values = np.where(np.abs(values) <= 360.0, values, np.nan)  # -9999 outside a basin
        return values if v.dimensions.index(y) < v.dimensions.index(x) else values.T
    return None


def _metres(file: NetcdfFile, dimension: str, axis: Direction) -> Array | None:
    """Return the projected coordinate of a dimension [m], if it has units of length."""
    found = _first(file.along(dimension, lambda v: _is_projected(axis)(v) and bool(v.text("units"))))
    if found is None:
        return None
    try:
        change = conversion(found.text("units"), "m")
    except ConfigError:
        return None  # degrees of a rotated grid
    return file.values(found.name) * change.factor


def _ascends(file: NetcdfFile, dimension: str, axis: Direction, of_cells: Array | None) -> bool | None:
    """Tell whether a dimension runs north (or east), by all that the file says; None where it says nothing."""
    if file.size(dimension) == 1:
        return None
    told: dict[str, bool] = {}
    kind = "latitude" if axis == "y" else "longitude"
    for v in file.along(dimension, _is_coordinate(axis)):
        turns = axis == "x" and (_is_geographic(kind)(v) or v.text("standard_name") == "grid_longitude")
        told[v.name] = _runs_up(file.values(v.name), f"{file.path}: {v.name!r}", turns)
    if of_cells is not None:
        steps = _steps_of_cells(of_cells, axis)
        if steps.size and (np.all(steps > 0.0) or np.all(steps < 0.0)):
            told[f"the {kind} of cells"] = bool(steps[0] > 0.0)
        elif np.any(steps) and not told:  # of a projection its own coordinates tell more
            lines = _WORDS[axis][0]
            raise ConfigError(
                f"{file.path}: the {kind} of cells rises in {int((steps > 0).sum())} and does not rise in "
                f"{int((steps <= 0).sum())} steps along {dimension!r}: it does not tell which way the {lines} run"
            )
    if len(set(told.values())) > 1:
        rising, falling = ([name for name, up in told.items() if up is wanted] for wanted in (True, False))
        raise ConfigError(
            f"{file.path}: the coordinates of {dimension!r} contradict each other: {', '.join(rising)} rises along it, "
            f"{', '.join(falling)} falls"
        )
    if told:
        return next(iter(told.values()))
    named = _first(file.along(dimension, lambda v: v.label in _TELLING[axis]))
    return None if named is None else _runs_up(file.values(named.name), f"{file.path}: {named.name!r}", False)


def _runs_up(values: Array, where: str, turns: bool) -> bool:
    # step by step, because the date line may lie within the grid
    steps = degrees_between(values[1:], values[:-1]) if turns else np.diff(values)
    if np.all(steps > 0.0):
        return True
    if np.all(steps < 0.0):
        return False
    at = int(np.argmax(~(np.sign(steps) == np.sign(steps[0])) | (steps == 0.0)))
    raise ConfigError(
        f"{where} neither rises nor falls all along: {values[at]:g} is followed by {values[at + 1]:g} (entry {at + 1})"
    )


def _steps_of_cells(values: Array, axis: Direction) -> Array:
    steps = np.diff(values, axis=0) if axis == "y" else degrees_between(values[:, 1:], values[:, :-1])
    return np.asarray(steps[np.isfinite(steps)])


# ---------------------------------------------------------------------- onto the domain


def same_grid(file: FileGrid, cells: Cells, where: str, *, assume: bool, fixed: tuple[Direction, ...] = ()) -> GridMap:
    """Map a file on the domain's own grid, whichever way its rows and columns run.

    Parameters
    ----------
    file, cells, where
        Both grids; what begins messages.
    assume
        Whether rows of unknown direction are taken to begin in the south.
    fixed
        Directions that must not be turned, because the values belong to a direction.

    Raises
    ------
    ConfigError
        Shapes differ; the direction of the rows is unknown; the file's cells lie elsewhere than the domain's; or
        values that must not be turned would have to be.
    """
    if file.shape != cells.whole_shape:
        raise ConfigError(
            f"{where}: grid (ny, nx) is {file.shape}, the domain is {cells.whole_shape}; "
            "remap: nearest takes the nearest cell of the file for each cell of the domain, of weather remap: bilinear "
            "interpolates"
        )
    if file.south_first is None and cells.whole_shape[0] > 1 and not assume:
        raise ConfigError(
            f"{where}: no coordinate tells whether row 0 is south or north; "
            "needed is a latitude or a projection_y_coordinate of the rows"
        )
    grid = turned(file, where, fixed)
    if cells.part is not None:
        grid = grid.window(cells.part)
    _check_place(file, cells, grid, where)
    return grid


def turned(file: FileGrid, where: str, fixed: tuple[Direction, ...] = ()) -> GridMap:
    """Return the map that puts the southern row and the western column first; see `same_grid`."""
    picked = []
    for count, up, axis in zip(file.shape, (file.south_first, file.west_first), ("y", "x"), strict=True):
        if up is False and axis in fixed:
            what, way = _WORDS[axis]
            raise ConfigError(
                f"{where}: the {what} of the file run from {way}, and nothing tells whether these slopes go with them: "
                f"they must be those of the {'northern' if axis == 'y' else 'eastern'} face of each cell, positive "
                f"where the ground rises to the {'north' if axis == 'y' else 'east'}; write the map with the "
                f"{'southern row' if axis == 'y' else 'western column'} first, once that is so"
            )
        order = np.arange(count)
        picked.append(order[::-1] if up is False else order)
    rows, columns = np.meshgrid(*picked, indexing="ij")
    return GridMap(slice(0, file.shape[0]), slice(0, file.shape[1]), (rows, columns))


def nearest(file: FileGrid, cells: Cells, where: str) -> GridMap:
    """Take the file's cell nearest to each cell of the domain.

    Raises
    ------
    ConfigError
        Coordinates are missing, or a cell of the domain lies outside the file's grid.
    """
    return part_of(*require_inside(file, cells, where, "nearest"))


def require_inside(file: FileGrid, cells: Cells, where: str, remap: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return row and column of the file's cell nearest to each cell of the domain, (ny, nx); `remap` names the way.

    Raises
    ------
    ConfigError
        Coordinates are missing, or a cell of the domain lies outside the file's grid.
    """
    if cells.latitude is None or cells.longitude is None:
        raise ConfigError(f"{where}: remap: {remap} needs latitude and longitude of the domain's cells")
    if file.latitude is None or file.longitude is None:
        raise ConfigError(f"{where}: remap: {remap} needs latitude and longitude in the file")
    locate = _nearest_on_axes if file.latitude.ndim == 1 else _nearest_of_points
    rows, columns, inside = locate(file.latitude, file.longitude, cells.latitude, cells.longitude)
    if not inside.all():
        j, i = np.argwhere(~inside)[0]
        raise ConfigError(
            f"{where}: {np.count_nonzero(~inside)} of {inside.size} cells of the domain lie outside the file's grid, "
            f"first (row {j}, column {i}) at {cells.latitude[j, i]:g} N, {cells.longitude[j, i]:g} E; "
            f"the file covers {_extent(file.latitude)} N, {_extent(file.longitude)} E"
        )
    return rows, columns


def nearest_with_values(grid: GridMap, has_value: Mask, file: FileGrid, cells: Cells, where: str) -> GridMap:
    """Replace cells of a file that never have a value, as at a coast, by the nearest that have.

    Parameters
    ----------
    grid
        From `nearest`.
    has_value : ndarray of bool
        Of the whole grid of the file.
    file, cells, where
        As for `nearest`.

    Raises
    ------
    ConfigError
        An active cell has none within three cells of the file.

    Warns
    -----
    InputNotice
        Counts the active cells, and says how far the farthest value comes from.
    """
    assert file.latitude is not None
    assert file.longitude is not None
    assert cells.latitude is not None
    assert cells.longitude is not None
    rows, columns = grid.rows.start + grid.pick[0], grid.columns.start + grid.pick[1]
    bare = ~has_value[rows, columns]
    if not bare.any() or not has_value.any():
        return grid
    from scipy.spatial import KDTree  # imports slowly, and most files do not need it

    latitude, longitude = of_each_cell(file)
    points = on_sphere(latitude, longitude)
    known = np.argwhere(has_value)
    distance, index = KDTree(points[has_value]).query(on_sphere(cells.latitude[bare], cells.longitude[bare]))
    rows, columns = rows.copy(), columns.copy()
    rows[bare], columns[bare] = known[index].T
    active = bare if cells.mask is None else bare & cells.mask
    if active.any():
        count = active.size if cells.mask is None else int(cells.mask.sum())
        farthest = float(distance[active[bare]].max())
        if farthest > FARTHEST * typical_spacing(points):
            raise ConfigError(
                f"{where}: {int(active.sum())} of {count} active cells have no value in the file, and the nearest cell "
                f"with values is {farthest * EARTH_RADIUS:.0f} km away, more than {FARTHEST:g} cells"
            )
        warnings.warn(
            f"{where}: {int(active.sum())} of {count} active cells have no value in the file (a coast?); each takes "
            f"the nearest cell with values, at most {farthest * EARTH_RADIUS:.1f} km away",
            InputNotice,
            stacklevel=2,
        )
    return part_of(rows, columns)


def degrees_between(first: Array, second: Array) -> Array:
    """Return `first` - `second` of longitudes, within [-180, 180)."""
    return np.asarray((first - second + 180.0) % 360.0 - 180.0)


Located = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]


def part_of(rows: NDArray[np.intp], columns: NDArray[np.intp], weights: Array | None = None) -> GridMap:
    """Return the map that reads as little as holds these rows and columns of the file."""
    top, left = rows.min(), columns.min()
    return GridMap(
        slice(int(top), int(rows.max()) + 1),
        slice(int(left), int(columns.max()) + 1),
        (rows - top, columns - left),
        weights,
    )


def _nearest_on_axes(file_latitude: Array, file_longitude: Array, latitude: Array, longitude: Array) -> Located:
    down = np.abs(file_latitude[:, np.newaxis] - latitude.ravel())
    across = np.abs(degrees_between(file_longitude[:, np.newaxis], longitude.ravel()))
    rows, columns = down.argmin(axis=0), across.argmin(axis=0)
    spacings = [
        float(np.abs(steps).max())
        for steps in (np.diff(file_latitude), degrees_between(file_longitude[1:], file_longitude[:-1]))
        if steps.size
    ]
    reach = 0.5 * (max(spacings) if spacings else _LONE_SPACING) * (1.0 + 1e-3)
    inside = (down.min(axis=0) <= reach) & (across.min(axis=0) <= reach)
    shape = latitude.shape
    return rows.reshape(shape), columns.reshape(shape), inside.reshape(shape)


def _nearest_of_points(file_latitude: Array, file_longitude: Array, latitude: Array, longitude: Array) -> Located:
    from scipy.spatial import KDTree

    points = on_sphere(file_latitude, file_longitude)
    distance, index = KDTree(points.reshape(-1, 3)).query(on_sphere(latitude, longitude))
    rows, columns = np.unravel_index(index, file_latitude.shape)
    diagonals = points[1:, 1:] - points[:-1, :-1]
    reach = 0.5 * np.linalg.norm(diagonals, axis=-1).max(initial=np.radians(_LONE_SPACING)) * (1.0 + 1e-3)
    return rows, columns, np.asarray(distance <= reach)


def on_sphere(latitude: Array, longitude: Array) -> Array:
    """Return points of the unit sphere, (..., 3), of latitudes and longitudes [degrees]."""
    north, east = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=-1)


def typical_spacing(points: Array) -> float:
    """Return the larger of the typical distances between rows and between columns, on the unit sphere."""
    steps = [np.linalg.norm(np.diff(points, axis=axis), axis=-1) for axis in (0, 1) if points.shape[axis] > 1]
    return max((float(np.median(s)) for s in steps), default=float(np.radians(_LONE_SPACING)))


def of_each_cell(file: FileGrid) -> tuple[Array, Array]:
    """Return latitude and longitude of each cell of a file that has them, (rows, columns)."""
    assert file.latitude is not None
    assert file.longitude is not None
    if file.latitude.ndim == 2:
        return file.latitude, file.longitude
    latitude, longitude = np.meshgrid(file.latitude, file.longitude, indexing="ij")
    return latitude, longitude


def _check_place(file: FileGrid, cells: Cells, grid: GridMap, where: str) -> None:
    """Compare coordinates where both sides have them."""
    _check_metres(file, cells, where)
    if file.latitude is None or cells.latitude is None or cells.longitude is None:
        return
    if min(file.shape) > 1 and not np.ptp(cells.latitude) + np.ptp(cells.longitude):
        return  # one place stands for an idealised domain
    latitude, longitude = (grid.of_file(c) for c in of_each_cell(file))
    spacings = [
        float(np.nanmedian(np.hypot(*(np.diff(values, axis=axis) for values in (latitude, longitude)))))
        for axis in (0, 1)
        if latitude.shape[axis] > 1
    ]
    spacing = max(spacings) if spacings else _LONE_SPACING
    apart = np.fmax(np.abs(latitude - cells.latitude), np.abs(degrees_between(longitude, cells.longitude)))
    if not np.isfinite(apart).any() or not spacing:
        return
    worst = np.unravel_index(np.nanargmax(apart), apart.shape)
    share = float(apart[worst]) / spacing
    if share <= _NOTICED:
        return
    lies = (
        f"cell (row {worst[0]}, column {worst[1]}) at {latitude[worst]:g} N, {longitude[worst]:g} E, the domain's at "
        f"{cells.latitude[worst]:g} N, {cells.longitude[worst]:g} E"
    )
    if share > _REFUSED:
        raise ConfigError(
            f"{where}: the grid has the domain's shape, but its cells lie elsewhere: {lies}; of forcing and leaf area "
            "remap: nearest maps by coordinates"
        )
    warnings.warn(
        f"{where}: its cells lie up to {share:.2f} of a cell beside the domain's: {lies}", InputNotice, stacklevel=2
    )


def _check_metres(file: FileGrid, cells: Cells, where: str) -> None:
    for axis, there, own, up in (
        ("northing", file.northing, cells.northing, file.south_first),
        ("easting", file.easting, cells.easting, file.west_first),
    ):
        if there is None or own is None or there.size < 2 or not np.isfinite(there).all():
            continue
        there = there[::-1] if up is False else there
        if cells.part is not None:
            there = there[cells.part.rows if axis == "northing" else cells.part.columns]
        spacing, size = (there[-1] - there[0]) / (there.size - 1), (own[-1] - own[0]) / (own.size - 1)
        if abs(spacing / size - 1.0) > _SPACING_TOLERANCE:
            raise ConfigError(f"{where}: its cells are {spacing:g} m apart ({axis}), those of the domain {size:g} m")
        share = float(np.abs(there - own).max()) / size if cells.has_corner else 0.0
        if share > _REFUSED:
            raise ConfigError(
                f"{where}: the grid has the domain's shape, but its cells lie elsewhere: the first {axis} is "
                f"{there[0]:g} m, that of the domain {own[0]:g} m (x0, y0 of the domain's grid are its corner)"
            )
        if share > _NOTICED:
            warnings.warn(
                f"{where}: its cells lie up to {share:.2f} of a cell beside the domain's: the first {axis} is "
                f"{there[0]:g} m, that of the domain {own[0]:g} m",
                InputNotice,
                stacklevel=2,
            )


def _extent(values: Array) -> str:
    return f"{values.min():g} to {values.max():g}"
