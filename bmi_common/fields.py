"""Fields of a domain: a number, one number a layer, a PFB file or a NetCDF variable."""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from bmi_common.arrays import Array
from bmi_common.config import Config, ConfigPath
from bmi_common.errors import ConfigError, InputNotice, describe_cell
from bmi_common.file_grid import Cells, Direction, GridMap, by_position, file_grid, horizontal, same_grid, turned
from bmi_common.file_layers import bottom_first, check_depths, vertical
from bmi_common.netcdf_file import NetcdfFile
from bmi_common.netcdf_time import is_time
from bmi_common.suggest import did_you_mean
from bmi_common.units import conversion, is_angle

_NAMED = (".nc", ".nc4", ".npz")


class FieldConfig(Config):
    """Where a field comes from.

    In YAML a plain number, a list with one number a layer (bottom first) or the path of a PFB file may stand for
    the whole; NetCDF, NumPy archives and units need the long form ``{file: basin.nc, variable: porosity, units: "1"}``.

    Attributes
    ----------
    value : float or list of float, optional
        Constant, or one number a layer, bottom first.
    file : Path, optional
        PFB, NetCDF (``.nc``) or NumPy archive (``.npz``).
    variable : str, optional
        Variable of a NetCDF file or archive.
    stack : list of FieldConfig, optional
        Parts of a (nz, ny, nx) field from the bottom up; each covers as many layers as its file has, or one.
    layers : int or (int, int), optional
        Layer, or first and one past the last layer, in the file's order; of a file that names no layers, entries of
        its first dimension.
    lookup : dict, optional
        Value of each class number that the file holds.
    units : str, optional
        Units of the values, where they are not the documented ones and no NetCDF attribute names them.
    """

    value: float | list[float] | None = None
    file: ConfigPath | None = None
    variable: str | None = None
    stack: list[FieldConfig] | None = None
    layers: int | tuple[int, int] | None = None
    lookup: dict[float, float] | None = None
    units: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, data: Any) -> Any:
        if isinstance(data, int | float | list) and not isinstance(data, bool):
            return {"value": data}
        if isinstance(data, str | Path):
            return {"file": data}
        if data is None or isinstance(data, bool):
            raise ValueError(f"expected a number, a list with one number a layer or a file, got {data}")
        return data

    @model_validator(mode="after")
    def _one_source(self) -> FieldConfig:
        if sum(s is not None for s in (self.value, self.file, self.stack)) != 1:
            raise ValueError("give one of value, file and stack")
        idle = [key for key in ("variable", "layers", "lookup") if self.file is None and getattr(self, key) is not None]
        if idle:
            raise ValueError(f"{', '.join(idle)}: without effect, because no file is given beside it")
        if self.stack is not None and self.units is not None:
            raise ValueError("units: without effect beside a stack; give them in its parts")
        if self.file is not None and self.file.suffix.lower() in _NAMED and self.variable is None:
            raise ValueError(f"name the variable of {self.file.name}: {{file: {self.file.name}, variable: ...}}")
        if self.file is not None and self.file.suffix.lower() not in _NAMED and self.variable is not None:
            raise ValueError(f"variable: without effect, because {self.file.name} is read as PFB, which has no names")
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that the field is read from."""
        own = () if self.file is None else (self.file,)
        return own + tuple(f for part in self.stack or () for f in part.files)

    def read(
        self,
        name: str,
        shape: tuple[int, ...],
        units: str,
        mask: NDArray[np.bool_] | None = None,
        map_in_all_layers: bool = False,
        cells: Cells | None = None,
        fixed: tuple[Direction, ...] = (),
    ) -> Array:
        """Read the field, southern row, western column and bottom layer first.

        A NetCDF file is put in this order by its coordinates; a file without coordinates has it already.

        Parameters
        ----------
        name : str
            What the field is, for messages.
        shape : tuple of int
            (ny, nx) or (nz, ny, nx). Further dimensions of length one are passed over.
        units : str
            Units wanted; converted if the specification or a NetCDF attribute names others.
        mask : ndarray of bool, shape (ny, nx), optional
            Cells that take part; NaN is accepted elsewhere.
        map_in_all_layers : bool
            Whether a file of one layer, (ny, nx) or (1, ny, nx), stands for every layer of (nz, ny, nx).
        cells : Cells, optional
            Where the domain's cells are, to compare with the file's coordinates.
        fixed : tuple of str
            Directions, ``y`` and ``x``, that must not be turned, because the values belong to a direction.

        Returns
        -------
        ndarray, shape `shape`
            C-contiguous copy.

        Raises
        ------
        ConfigError
            For an unreadable file, a wrong shape, units that do not convert, coordinates that lie elsewhere or do not
            tell the order, or values that are not finite where cells are active; names file and cell.

        Warns
        -----
        InputNotice
            Coordinates of file and domain differ a little.
        """
        if self.stack is not None:
            return self._read_stack(name, shape, units, mask, cells, fixed)
        source = self._source(name)
        part = None if cells is None else cells.part
        whole = shape if part is None else (*shape[:-2], *part.shape)
        values, given = self._raw(shape, name, cells, fixed)
        while values.ndim > len(shape) and values.shape[0] == 1:
            values = values[0]
        if part is not None and values.shape[-2:] == part.shape:
            values = part.cut(values)
        if len(shape) == 3 and (map_in_all_layers or shape[0] == 1) and values.shape in (shape[1:], (1, *shape[1:])):
            values = np.broadcast_to(values, shape)
        if values.shape != shape:
            raise ConfigError(f"{source}: {name} has shape {values.shape}, the domain needs {whole}")
        _check_finite(values, mask, f"{source}: {name}")
        if given is not None and given != units:
            try:
                change = conversion(given, units)
                if is_angle(given) and not is_angle(units):
                    raise ConfigError(f"units {given!r} are of an angle; needed is a ratio, of a slope the tangent")
            except ConfigError as error:
                raise ConfigError(f"{source}: {name}: {error}") from None
            values = values * change.factor + change.offset
        own = values.flags.owndata and values.flags.c_contiguous  # nobody else has it
        return values if own and values.dtype == np.float64 else np.array(values, dtype=np.float64, order="C")

    def _source(self, name: str) -> str:
        if self.file is None:
            return name
        return f"{self.file} ({self.variable})" if self.variable else str(self.file)

    def _raw(
        self, shape: tuple[int, ...], name: str, cells: Cells | None = None, fixed: tuple[Direction, ...] = ()
    ) -> tuple[Array, str | None]:
        if self.file is None:
            return self._constant(name, shape), self.units
        suffix, given = self.file.suffix.lower(), self.units
        entries = None
        if self.layers is not None:
            entries = self.layers if isinstance(self.layers, tuple) else (self.layers, self.layers + 1)
        if suffix in _NAMED and suffix != ".npz":
            values, attribute = read_netcdf_variable(self.file, str(self.variable), cells, fixed, entries)
            given = given or attribute
        else:
            values = read_npz_variable(self.file, str(self.variable)) if suffix == ".npz" else read_pfb(self.file)
            if entries is not None:
                _check_entries(entries, len(values) if values.ndim else 0, self._source(name))
                values = values[slice(*entries)]
            if cells is not None and cells.turned and values.ndim > 1 and values.shape[-2] > 1:
                _say_unturned(self.file)
        if self.lookup is not None:
            values = self._look_up(values, name)
        return values, given

    def _look_up(self, classes: Array, name: str) -> Array:
        table = self.lookup or {}
        result = np.full(classes.shape, np.nan)
        known = ~np.isfinite(classes)
        for number, value in table.items():
            # classes stored in single precision are near the number that the user wrote
            here = np.isclose(classes, number, rtol=1e-6, atol=0.0)
            result[here], known = value, known | here
        if not known.all():
            unknown = ", ".join(f"{v:g}" for v in np.unique(classes[~known])[:5])
            raise ConfigError(f"{self._source(name)}: {name}: `lookup:` has no value for class {unknown}")
        return result

    def _read_stack(
        self,
        name: str,
        shape: tuple[int, ...],
        units: str,
        mask: NDArray[np.bool_] | None,
        cells: Cells | None,
        fixed: tuple[Direction, ...],
    ) -> Array:
        if len(shape) != 3:
            raise ConfigError(f"{name}: `stack:` builds layers, and this field has none")
        # the layers of a part are not the topmost of the domain
        place = None if cells is None else replace(cells, thickness=None)
        parts: list[Array] = []
        for part in self.stack or ():
            count = 1 if part.file is None else part._layer_count(name, len(shape))
            parts.append(part.read(name, (count, *shape[1:]), units, mask, cells=place, fixed=fixed))
        result = np.concatenate(parts)
        if result.shape != shape:
            raise ConfigError(f"{name}: the parts of `stack:` have {len(result)} layers, the domain has {shape[0]}")
        return result

    def _layer_count(self, name: str, rank: int) -> int:
        values, _ = self._raw((), name)
        return len(values) if values.ndim == rank else 1

    def _constant(self, name: str, shape: tuple[int, ...]) -> Array:
        value = np.asarray(self.value, dtype=np.float64)
        if value.ndim == 0:
            return np.full(shape, float(value))
        if len(shape) != 3 or value.shape != shape[:1]:
            need = f"one number or {shape[0]} (one a layer, bottom first)" if len(shape) == 3 else "one number"
            raise ConfigError(f"{name}: {len(value)} numbers given, needs {need}")
        return np.broadcast_to(value[:, np.newaxis, np.newaxis], shape).copy()


def read_npz_variable(path: Path, variable: str) -> Array:
    """Read one array of a NumPy archive; nothing in it is executed.

    Raises
    ------
    ConfigError
        If the file is no archive or lacks the array.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            if variable not in archive.files:
                raise ConfigError(f"{path}: no array {variable!r}{did_you_mean(variable, archive.files)}")
            return np.asarray(archive[variable], dtype=np.float64)
    except ConfigError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy each have their own for damaged files
        raise ConfigError(f"{path}: not a readable NumPy archive: {error}") from error


def read_pfb(path: Path) -> Array:
    """Read a ParFlow binary file as (nz, ny, nx), bottom layer and southern row first.

    Raises
    ------
    ConfigError
        If the file is missing, truncated or no PFB file, or its subgrids are not the grid, each cell once.
    """
    from parflow.tools.io import ParflowBinaryReader  # imports slowly, and only PFB users need it

    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    _check_pfb_header(path)
    try:
        with contextlib.redirect_stdout(io.StringIO()), ParflowBinaryReader(str(path), read_sg_info=True) as file:
            _check_subgrids(path, file)
            return np.asarray(file.read_all_subgrids(), dtype=np.float64)
    except ConfigError:
        raise
    except Exception as error:  # pftools raises whatever its parser met
        raise ConfigError(f"{path}: not a readable PFB file: {error}") from error


def _check_pfb_header(path: Path) -> None:
    # pftools trusts the header and would allocate whatever a damaged one says
    header = path.open("rb").read(64)
    if len(header) < 64:
        raise ConfigError(f"{path}: too short for a PFB file ({path.stat().st_size} bytes)")
    nx, ny, nz = (int(v) for v in np.frombuffer(header, dtype=">i4", count=3, offset=24))
    expected = 8 * nx * ny * nz
    if min(nx, ny, nz) < 1 or path.stat().st_size < expected:
        raise ConfigError(
            f"{path}: not a whole PFB file: its header says {nz} x {ny} x {nx} values ({expected} bytes), "
            f"the file has {path.stat().st_size} bytes"
        )


def _check_subgrids(path: Path, file: Any) -> None:
    # pftools puts the subgrids into uninitialised memory
    shape = np.array([file.header[n] for n in ("nx", "ny", "nz")])
    covered = np.zeros(shape, dtype=np.bool_)
    for first, size in zip(file.subgrid_start_indices, file.subgrid_shapes, strict=True):
        if (first < 0).any() or (size < 1).any() or (first + size > shape).any():
            raise ConfigError(
                f"{path}: not a whole PFB file: a subgrid of {' x '.join(map(str, size))} cells from "
                f"{', '.join(map(str, first))} on lies outside the grid of {' x '.join(map(str, shape))}"
            )
        covered[tuple(slice(a, a + n) for a, n in zip(first, size, strict=True))] = True
    cells, found = int(covered.sum()), int(file.subgrid_shapes.prod(axis=1, dtype=np.int64).sum())
    if not cells == found == covered.size:
        raise ConfigError(
            f"{path}: not a whole PFB file: its {len(file.subgrid_shapes)} subgrids have {found} values for {cells} "
            f"of the {covered.size} cells of its grid"
        )


def read_netcdf_variable(
    path: Path,
    variable: str,
    cells: Cells | None = None,
    fixed: tuple[Direction, ...] = (),
    entries: tuple[int, int] | None = None,
    moment: int | None = None,
) -> tuple[Array, str | None]:
    """Read a NetCDF variable in the domain's order, by the file's coordinates.

    Parameters
    ----------
    path, variable
        What to read; a variable in a group is named with its path, ``soil/sand``.
    cells, fixed
        See `FieldConfig.read`.
    entries : (int, int), optional
        First and one past the last layer to take, in the file's order.
    moment : int, optional
        Entry to take of the first dimension that is neither layers, rows nor columns, which the values then lack.

    Returns
    -------
    values : ndarray
        (…, layers, rows, columns), bottom layer, southern row and western column first, with as many dimensions as the
        variable has; NaN where it has no value.
    units : str or None
        The attribute.

    Raises
    ------
    ConfigError
        The file or the variable cannot be read, or its coordinates do not tell the order or lie elsewhere.
    """
    with NetcdfFile(path) as file:
        metadata = file.require(variable)
        units = metadata.attributes.get("units")
        if not (units is None or isinstance(units, str)):
            raise ConfigError(f"{path}: {variable}: the attribute units is {units!r}, and must be a text")
        where = f"{path} ({variable})"
        dimensions = metadata.dimensions
        y, x, z = _axes(file, variable)
        layers = next((d for d in (z, *dimensions) if d is not None and d not in (y, x)), None)
        index = [slice(None)] * len(dimensions)
        if entries is not None:
            _check_entries(entries, 0 if layers is None else file.size(layers), where)
            index[dimensions.index(str(layers))] = slice(*entries)
        last = [d for d in (z, y, x) if d is not None]
        order = [d for d in dimensions if d not in last] + last
        if moment is not None:
            index[dimensions.index(order[0])] = slice(moment, moment + 1)
        grid = None
        if y is not None and x is not None:
            grid = _put_in_order(file, variable, (y, x), cells, fixed, where)
            index[dimensions.index(y)], index[dimensions.index(x)] = grid.rows, grid.columns
        values = file.part(variable, tuple(index) or ...)
        values = values.transpose([dimensions.index(d) for d in order])
        if moment is not None:
            values, order = values[0], order[1:]
        if z is not None:
            if bottom_first(file, z) is False:
                values = np.flip(values, order.index(z))
            if cells is not None and cells.thickness is not None and entries is None:
                taken = cells.thickness[-file.size(z) :]
                if taken.size == file.size(z):
                    check_depths(file, z, taken, where)
        if grid is not None:
            values = grid(values)
    return values, units


def rows_turned(spec: FieldConfig) -> bool:
    """Tell whether the rows of a field's NetCDF file run from north to south."""
    if spec.file is None or spec.file.suffix.lower() not in _NAMED or spec.file.suffix.lower() == ".npz":
        return False
    with NetcdfFile(spec.file) as file:
        axes = _axes(file, str(spec.variable))
        return None not in axes[:2] and file_grid(file, str(spec.variable), *axes[:2]).south_first is False


def _axes(file: NetcdfFile, variable: str) -> tuple[str, str, str | None] | tuple[None, None, str | None]:
    """Return the dimensions that are rows, columns and layers; unnamed rows and columns are the last dimensions."""
    dimensions = file[variable].dimensions
    y, x = horizontal(file, variable)
    z = vertical(file, variable, (y, x))
    free = [d for d in dimensions if d not in (y, x, z) and not file.along(d, is_time)]
    if y is None and x is None and len(free) > 1:
        return *by_position(file, variable, free[-2], free[-1]), z
    y, x = y or next(reversed(free), None), x or next(reversed(free), None)
    return (None, None, z) if y is None or x is None or y == x else (y, x, z)


def _put_in_order(
    file: NetcdfFile,
    variable: str,
    axes: tuple[str, str],
    cells: Cells | None,
    fixed: tuple[Direction, ...],
    where: str,
) -> GridMap:
    grid = file_grid(file, variable, *axes)
    if cells is not None and grid.south_first is None and cells.turned and grid.shape[0] > 1:
        _say_unturned(file.path)
    if cells is None or grid.shape != cells.whole_shape:  # whoever asked for another shape says so
        return turned(grid, where, fixed)
    return same_grid(grid, cells, where, assume=True, fixed=fixed)


def _say_unturned(file: Path) -> None:
    warnings.warn(
        f"{file}: has no coordinates and is read with the southern row first, whereas the rows of the domain's "
        "latitude begin in the north and were turned; is this file in that order, too?",
        InputNotice,
        stacklevel=2,
    )


def _check_entries(entries: tuple[int, int], count: int, source: str) -> None:
    first, stop = entries
    if not 0 <= first < stop <= count:
        taken = str(first) if stop == first + 1 else f"{first} to {stop - 1}"
        raise ConfigError(f"{source}: layers: {taken}: the file has {count} entries")


def _check_finite(values: Array, mask: NDArray[np.bool_] | None, source: str) -> None:
    bad = ~np.isfinite(values)
    if mask is not None:
        bad &= mask
    if bad.any():
        cell = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ConfigError(
            f"{source} is not finite in {int(bad.sum())} active cells, the first at {describe_cell(cell)}"
        )
