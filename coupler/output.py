"""CF NetCDF files and Zarr stores of a run: appended step by step and flushed, so that a kill leaves them readable.

Where processes share the domain, process 0 puts a NetCDF file together and writes it; of a Zarr store each process
writes its tiles, and process 0 the rest.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import netCDF4
import numpy as np
from numpy.typing import NDArray

from bmi_common.errors import ConfigError
from bmi_common.georeference import Georeference
from bmi_common.grids import ROOT_ZONE
from bmi_common.groundwater import LAYER_THICKNESS
from bmi_common.netcdf_file import netcdf_name
from bmi_common.netcdf_text import add_texts
from bmi_common.owned_folder import OwnedFolder
from bmi_common.partition import Part, arrangement
from bmi_common.state_file import StateArray
from bmi_common.variables import Role
from bmi_common.world import current
from bmi_common.zarr_file import SUFFIX
from coupler.append import FilePosition, reopen
from coupler.component import Component
from coupler.compression import LARGEST_CHUNK, chunk, filters
from coupler.config import Endpoint, OutputConfig
from coupler.disk_space import require_room
from coupler.grids import NODE, GridInfo, cell_name
from coupler.tiles import Tiles
from coupler.whole import WholeComponent, layer_thickness, whole, window
from coupler.zarr_output import ZarrOutput, tile

log = logging.getLogger("rootzone")

_STANDARD_NAMES = {
    "land_surface_air_heat~net~latent__energy_flux": "surface_upward_latent_heat_flux",
    "land_surface_air_heat~net~sensible__energy_flux": "surface_upward_sensible_heat_flux",
    "land_surface_soil_heat~conduction__energy_flux": "downward_heat_flux_in_soil",
    "land_surface_water_evapotranspiration__mass_flux": "water_evapotranspiration_flux",
    "soil_water_sat-zone_top__depth": "water_table_depth",
    "land_surface__elevation": "surface_altitude",
    "land_surface__temperature": "surface_temperature",
}


_AXES = ("x", "y", "z", "root_zone_z")
_COORDINATES = frozenset({"time", "time_bounds", "layer_thickness", *_AXES})
"""Names that variables of components cannot have in a file."""
_LONGEST_NAME = 256

_TIMES_PER_CHUNK = 512
"""Of variables that have no other dimension."""


def column_names(spec: OutputConfig) -> list[str]:
    """Name the variables of a file, in their order."""
    plain = [netcdf_name(v.variable) for v in spec.variables]
    names: list[str] = []
    for end, name in zip(spec.variables, plain, strict=True):
        if plain.count(name) > 1 or name in _COORDINATES:
            name = f"{end.component}_{name}"
        while name in names:  # two names that differ in characters which CF does not have
            name += "_"
        names.append(name)
    return names


def require_distinct_names(key: str, spec: OutputConfig) -> None:
    """Refuse variables that would have one name in a file: with each other, or with a coordinate.

    Raises
    ------
    ConfigError
        Naming `key` and the variables.
    """
    known: dict[str, str] = dict.fromkeys(_COORDINATES, "a coordinate")
    for component in {end.component for end in spec.variables}:
        own = [*(f"{component}_{name}" for name in _AXES), *_point_names(f"{component}_point")]
        known.update(dict.fromkeys(own, f"a coordinate of {component}"))
    for end, name in zip(spec.variables, column_names(spec), strict=True):
        if name in known:
            raise ConfigError(
                f"{end} would have the name {name} in {spec.file}, as {known[name]} has; write it into another file",
                key=key,
            )
        if len(name) > _LONGEST_NAME:
            raise ConfigError(
                f"{str(end)[:80]}… has more than the {_LONGEST_NAME} characters that NetCDF allows",
                key=key,
            )
        known[name] = str(end)


@dataclass
class _Column:
    """One variable of a file and the values that its next record is made of."""

    end: Endpoint
    component: Component
    view: Component | WholeComponent  # of the whole domain, where processes share it
    name: str
    static: bool
    substeps: int  # of its component in a coupling step
    cells: NDArray[np.bool_] | None  # of this process (ny, nx)
    mask: NDArray[np.bool_] | None  # as far as the values go that are written together
    accumulated: NDArray[np.float64] | None = None
    told: bool = False  # that it has missing values in active cells


class OutputFile:
    """One NetCDF file or Zarr store with records at a fixed interval.

    Parameters
    ----------
    folder : OwnedFolder
        The run's folder.
    spec : OutputConfig
        File name, interval, variables, and whether a record is the mean over the interval or its last value.
    components : mapping
        Initialized components.
    substeps : mapping
        Steps that each component makes in a coupling step.
    masks : mapping
        By component, its cells (ny, nx), outside which values are missing, or None.
    start : datetime
        Calendar time (UTC) of the start of the run.
    step : timedelta
        Coupling step.
    attributes : mapping
        Global attributes.
    resume : FilePosition, optional
        Append to the file behind this position; a file that is not there is begun with the coming record.
    """

    def __init__(
        self,
        folder: OwnedFolder,
        spec: OutputConfig,
        components: Mapping[str, Component],
        substeps: Mapping[str, int],
        masks: Mapping[str, NDArray[np.bool_] | None],
        start: datetime,
        step: timedelta,
        attributes: Mapping[str, str],
        resume: FilePosition | None = None,
    ) -> None:
        self.path = folder.path / spec.file
        self._steps_per_record = spec.every // step
        self._every = spec.every
        self._mean = spec.method == "mean"
        position = resume or FilePosition()
        self._steps, self._records, self._first = position.steps, position.records, position.first
        self._columns = self._name_columns(spec, components, substeps, masks)
        self._filters = filters("output", spec)
        sizes = (math.prod((c.component if spec.is_store else c.view).shape(c.end.variable)) for c in self._columns)
        self._record_size = 8 * sum(sizes)
        self._world, self._in_tiles = current(), spec.is_store
        self._writes = self._world.leads
        self._tiles: dict[tuple[str, tuple[int, int]], Tiles] = {}
        self._type = "f4" if spec.precision == "single" else "f8"
        self._places: dict[tuple[str, ...], dict[str, str]] = {}
        self._depths: dict[str, str] = {}
        goes_on = self._world.shared(resume is not None and self.path.exists())
        if not goes_on:
            self._first = self._records
        self._data: Any = None
        if self._writes and goes_on:
            assert resume is not None
            self._data = reopen(self.path, resume, attributes)
        elif self._writes:
            self._data = _begin(
                self.path,
                start,
                "end of the interval, UTC",
                attributes,
                lambda name: folder.own(f"{spec.file}/{name}"),
            )
            self._make_time_bounds()
            self._make_variables()
            self._data.sync()
        if self._in_tiles:
            self._world.agree()  # that the store has been described
            self._data = self._data or ZarrOutput(self.path)
        if not goes_on:
            self._put({c.name: c.component.get(c.end.variable) for c in self._columns if c.static}, None)
            if self._writes:
                self._data.sync()

    @property
    def position(self) -> FilePosition:
        """How far the file has been written."""
        return FilePosition(self._steps, self._records, self._first)

    def state_dict(self) -> list[StateArray]:
        """Return the sums of the record under way, variable by variable; empty between two records."""
        summed = [(c, whole(c.component.part, c.accumulated)) for c in self._columns if c.accumulated is not None]
        return [
            StateArray(values, long_name=f"sum of {c.end} for {self.path.name}")
            for c, values in summed
            if values is not None
        ]

    def load_state_dict(self, state: Sequence[NDArray[np.float64]]) -> None:
        """Go on from what `state_dict` gave."""
        under_way = self._mean and self._steps % self._steps_per_record > 0
        summed = [c for c in self._columns if under_way and not c.static]
        if self._writes and len(summed) != len(state):
            raise ValueError(f"{len(state)} sums for {len(summed)} variables of {self.path.name}")
        for i, column in enumerate(summed):
            column.accumulated = window(column.component.part, state[i] if self._writes else None)

    def _make_time_bounds(self) -> None:
        self._data.createDimension("bounds", 2)
        self._data["time"].setncattr("bounds", "time_bounds")
        self._data.createVariable("time_bounds", "f8", ("time", "bounds"), chunksizes=(_TIMES_PER_CHUNK, 2))

    @staticmethod
    def _name_columns(
        spec: OutputConfig,
        components: Mapping[str, Component],
        substeps: Mapping[str, int],
        masks: Mapping[str, NDArray[np.bool_] | None],
    ) -> list[_Column]:
        columns = []
        views: dict[str, Component | WholeComponent] = {}
        for end in spec.variables:
            component = components[end.component]
            if component.name not in views and component.part is not None:
                views[component.name] = WholeComponent(component, masks[end.component], gathers=not spec.is_store)
        for end, name in zip(spec.variables, column_names(spec), strict=True):
            component = components[end.component]
            view, cells = views.get(component.name, component), masks[end.component]
            columns.append(
                _Column(
                    end,
                    component,
                    view,
                    name,
                    _is_static(component, end),
                    substeps[end.component],
                    cells,
                    (component if spec.is_store else view).cells_of(end.variable, cells),
                )
            )
        return columns

    def _make_variables(self) -> None:
        for column in self._columns:
            end, component, name, static = column.end, column.view, column.name, column.static
            declared = _declaration(component, end.variable)
            dimensions = self._dimensions(component, component.grid(end.variable))
            chunks = self._chunk(component.shape(end.variable))
            if not static:
                dimensions = ("time", *dimensions)
                chunks = (1, *chunks) if chunks else (_TIMES_PER_CHUNK,)
            variable = self._data.createVariable(
                name,
                self._type,
                dimensions,
                **self._filters,
                chunksizes=chunks,
                fill_value=netCDF4.default_fillvals[self._type],
            )
            attributes = {
                "long_name": getattr(declared, "long_name", "") or end.variable,
                "units": component.units(end.variable),
                "csdms_name": end.variable,
                "component": end.component,
            }
            if end.variable in _STANDARD_NAMES:
                attributes["standard_name"] = _STANDARD_NAMES[end.variable]
            if attributes["units"] == "K":
                attributes["units_metadata"] = "temperature: on_scale"
            if component.grid(end.variable).is_points:
                attributes["coordinates"] = " ".join(_point_names(dimensions[-1]))
            if not static:
                attributes["cell_methods"] = "time: mean" if self._mean else "time: point"
                if column.substeps > 1:
                    attributes["cell_methods"] += f" (interval: {component.time_step / 3600.0:g} hours)"
            attributes |= self._place(component, dimensions)
            variable.setncatts(attributes)

    def _chunk(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Chunk of a record of this shape; that of a Zarr store is about the part of a process."""
        size = np.dtype(self._type).itemsize
        if not self._in_tiles:
            return chunk(shape, size)
        divided = self._world.decomposition or arrangement(shape[-2:], self._world.size) if len(shape) > 1 else (1, 1)
        return tile(shape, size, divided, LARGEST_CHUNK)

    def _place(self, component: Component | WholeComponent, dimensions: tuple[str, ...]) -> dict[str, str]:
        """Attributes that lead to the place of the cells, which is described when it is first met."""
        place, horizontal = component.georeference, dimensions[-2:]
        found: dict[str, str] = {}
        if place is not None and len(horizontal) == 2 and all(d in self._data.variables for d in horizontal):
            if horizontal not in self._places:
                self._places[horizontal] = self._describe_place(place, horizontal)
            found |= self._places[horizontal]
        depth = self._depths.get(dimensions[-3]) if len(dimensions) > 2 else None
        if depth is not None:
            found["coordinates"] = " ".join(filter(None, (depth, found.get("coordinates"))))
        return found

    def _describe_place(self, place: Georeference, horizontal: tuple[str, ...]) -> dict[str, str]:
        mapping = self._data.createVariable(self._free("crs"), "i4", ())
        mapping.setncatts(dict(place.grid_mapping))
        area = self._data.createVariable(self._free("cell_area"), "f8", ())
        area[...] = place.cell_area
        area.setncatts({"standard_name": "cell_area", "long_name": "area of a cell", "units": "m2"})
        named = []
        for name, values, units in (
            ("latitude", place.latitude, "degrees_north"),
            ("longitude", place.longitude, "degrees_east"),
        ):
            if values is None:
                continue
            named.append(self._free(name))
            variable = self._data.createVariable(named[-1], "f8", horizontal, zlib=True, complevel=1)
            variable[...] = values
            variable.setncatts({"standard_name": name, "long_name": f"{name} of the cell centre", "units": units})
        found = {"grid_mapping": mapping.name}
        return {**found, "coordinates": " ".join(named)} if named else found

    def _free(self, name: str) -> str:
        """Return a name that no variable of the file has or will have."""
        while name in self._data.variables or any(name == column.name for column in self._columns):
            name += "_"
        return name

    def _dimensions(self, component: Component | WholeComponent, grid: GridInfo) -> tuple[str, ...]:
        if grid.is_points:
            return (self._points(component, grid),)
        if grid.location != NODE:
            return (self._elements(component, grid),)
        letters = ("z", "y", "x")[3 - len(grid.shape) :] if len(grid.shape) <= 3 else ()
        result = []
        for letter, size in zip(letters, grid.shape, strict=True):
            axis = getattr(grid, letter)
            name = "root_zone_z" if letter == "z" and grid.identifier == ROOT_ZONE else letter
            own = f"{component.name}_grid{grid.identifier}_{letter}"
            for other in (f"{component.name}_{name}", own):
                name = name if self._suits(name, size, axis) else other
            while not self._suits(name, size, axis):
                name += "_"
            if name not in self._data.dimensions:
                self._data.createDimension(name, size)
                if axis is not None and axis.ndim == 1:
                    self._make_axis(name, letter, axis)
                if letter == "z":
                    self._make_depth(component, name)
                if name == "z" and LAYER_THICKNESS in component.outputs:
                    self._make_thickness(component, name)
            result.append(name)
        return tuple(result)

    def _suits(self, name: str, size: int, axis: NDArray[np.float64] | None) -> bool:
        """Whether a dimension of that name is the grid's own, as far as is known, or is still to be made."""
        if any(name == column.name for column in self._columns):
            return False
        if name not in self._data.dimensions:
            return True
        known = self._data.variables.get(name)
        if axis is None or known is None:
            return len(self._data.dimensions[name]) == size
        return axis.shape == known.shape and bool(np.allclose(axis, known[:], rtol=1.0e-9, atol=1.0e-6))

    def _elements(self, component: Component | WholeComponent, grid: GridInfo) -> str:
        """Name of the dimension of values at edges or faces of a grid."""
        name = f"{component.name}_grid{grid.identifier}_{grid.location}"
        while not self._suits(name, grid.shape[0], None):
            name += "_"
        if name not in self._data.dimensions:
            self._data.createDimension(name, grid.shape[0])
        return name

    def _points(self, component: Component | WholeComponent, grid: GridInfo) -> str:
        """Name of the dimension of a component's points, which are described when they are first met."""
        dimension = f"{component.name}_point"
        if dimension in self._data.dimensions:
            return dimension
        self._data.createDimension(dimension, grid.shape[0])
        labels, x, y = _point_names(dimension)
        names = add_texts(self._data, labels, dimension, grid.labels or [str(i) for i in range(grid.shape[0])])
        names.setncatts({"long_name": "name of the point", "cf_role": "timeseries_id"})
        for name, values, direction in ((x, grid.x, "east"), (y, grid.y, "north")):
            variable = self._data.createVariable(name, "f8", (dimension,))
            if values is not None:
                variable[:] = values
            variable.setncatts({"long_name": f"distance {direction}ward", "units": "m"})
        return dimension

    def _make_axis(self, name: str, letter: str, values: NDArray[np.float64]) -> None:
        axis = self._data.createVariable(name, "f8", (name,))
        axis[:] = values
        described = {
            "x": {"standard_name": "projection_x_coordinate", "long_name": "distance eastward"},
            "y": {"standard_name": "projection_y_coordinate", "long_name": "distance northward"},
            "z": {"long_name": "height of the layer centre above the bottom of the column", "positive": "up"},
        }[letter]
        axis.setncatts({**described, "units": "m", "axis": letter.upper()})

    def _make_depth(self, component: Component | WholeComponent, dimension: str) -> None:
        """Depth below ground of the centres of layers, for readers who count from the top."""
        thickness = _thickness(component)
        if thickness is None or _has_uneven_layers(component):
            return  # where the ground rises and falls through the layers, they have no depth of their own
        # of the layers of this grid, which are the topmost
        thickness = thickness[-len(self._data.dimensions[dimension]) :]
        name = self._free("depth" if dimension == "z" else f"{dimension}_depth")
        variable = self._data.createVariable(name, "f8", (dimension,))
        variable[:] = np.cumsum(thickness[::-1])[::-1] - 0.5 * thickness
        variable.setncatts(
            {"standard_name": "depth", "long_name": "depth of the layer centre below ground", "units": "m",
             "positive": "down"}
        )  # fmt: skip
        self._depths[dimension] = name

    def _make_thickness(self, component: Component | WholeComponent, dimension: str) -> None:
        thickness = _thickness(component)
        if thickness is None or thickness.size != len(self._data.dimensions[dimension]):
            return
        variable = self._data.createVariable("layer_thickness", "f8", (dimension,))
        variable[:] = thickness
        variable.setncatts({"long_name": "layer thickness", "units": "m"})

    def add_substep(self, name: str) -> None:
        """Take the values of component `name` after each of its steps, where a mean is made of more than one."""
        if not self._mean:
            return
        for column in self._columns:
            if column.end.component != name or column.static or self._count(column) == 1:
                continue
            values = column.component.get(column.end.variable)
            if column.accumulated is None:
                column.accumulated = np.zeros(values.shape)
            column.accumulated += values

    def _count(self, column: _Column) -> int:
        """Return how many steps of its component a record of a variable is made of."""
        return self._steps_per_record * column.substeps

    def add_step(self) -> None:
        """Note the end of a coupling step; write a record when one is complete."""
        self._steps += 1
        if self._steps % self._steps_per_record == 0:
            self._write()

    def _write(self) -> None:
        if self._writes or self._in_tiles:
            require_room(self.path, self._record_size)
        n = self._records
        hours = self._every.total_seconds() / 3600.0
        values = {}
        for column in self._columns:
            if column.accumulated is not None:
                values[column.name] = column.accumulated / self._count(column)
                column.accumulated = None
            elif not column.static:
                values[column.name] = column.component.get(column.end.variable)
        self._put(values, n - self._first)
        self._records += 1
        if not self._writes:
            return
        self._data["time_bounds"][n - self._first, :] = (n * hours, (n + 1) * hours)
        self._data["time"][n - self._first] = (n + 1) * hours
        self._data.sync()

    def _put(self, values: Mapping[str, NDArray[Any]], record: int | None) -> None:
        """Write values by variable, those of a record or static ones; when process 0 is back, all have."""
        index = ... if record is None else record
        found = []
        for column in (c for c in self._columns if c.name in values):
            own, part = values[column.name], column.component.part
            if part is not None and self._in_tiles and _is_window(part, own):
                masked, lacking = _masked(own, column.mask, part)
                variable = self._data[column.name]
                for at, block in self._tiles_of(column).blocks(variable.stored(masked), variable.fill):
                    variable.write_chunk(record, at, block)
            else:
                together = whole(part, own)
                if together is None or not self._writes:
                    continue
                masked, lacking = _masked(together, column.mask)
                self._data[column.name][index] = masked
            found.append((column.name, lacking))
        reports = self._world.collected(found) if self._in_tiles else [found]
        for column in self._columns if reports is not None else ():
            self._tell(column, [lacking for report in reports or () for name, lacking in report if name == column.name])

    def _tiles_of(self, column: _Column) -> Tiles:
        """Return who writes which tile of a variable; all processes ask together."""
        part, size = column.component.part, self._data[column.name].tile
        assert part is not None
        key = column.component.name, size
        if key not in self._tiles:
            cells = part.own if column.cells is None else column.cells
            self._tiles[key] = Tiles(part, cells, size)
        return self._tiles[key]

    def _tell(self, column: _Column, found: Sequence[_Lacking]) -> None:
        """Tell once that active cells have no value."""
        count = sum(lacking.cells for lacking in found)
        if not count or column.told:
            return
        column.told = True
        first = min(lacking.first for lacking in found if lacking.first is not None)
        log.warning(
            "%s: %s has no finite value in %d of %d active cells%s; it is missing there, which is told once",
            self.path.name,
            column.end,
            count,
            sum(lacking.active for lacking in found),
            f", the first is {cell_name(first)}" if first else "",
        )

    def close(self) -> None:
        """Close the file."""
        if self._writes and self._data.isopen():
            self._data.close()

    def __enter__(self) -> OutputFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SeriesFile:
    """Numbers of every coupling step as a NetCDF time series.

    Parameters
    ----------
    path : Path
        The file.
    columns : mapping
        Meaning, units and cell methods by name.
    start : datetime
        Calendar time (UTC) of the start of the run.
    step : timedelta
        Coupling step.
    attributes : mapping
        Global attributes.
    resume : FilePosition, optional
        Append to the file behind this position.
    """

    _FLUSH_EVERY = 24

    def __init__(
        self,
        path: Path,
        columns: Mapping[str, tuple[str, str, str]],
        start: datetime,
        step: timedelta,
        attributes: Mapping[str, str],
        resume: FilePosition | None = None,
    ) -> None:
        self.path = path
        self._names = list(columns)
        self._hours = step.total_seconds() / 3600.0
        self._pending: list[dict[str, float]] = []
        self._sums: dict[str, float] = {}
        self._written = 0 if resume is None else resume.records
        self._first = 0 if resume is None else resume.first
        if resume is not None and self.path.exists():
            self._data = reopen(self.path, resume, attributes)
            return
        self._first = self._written
        self._data = _begin(self.path, start, "end of the step, UTC", attributes)
        for name, (meaning, units, methods) in columns.items():
            variable = self._data.createVariable(
                name, "f8", ("time",), chunksizes=(_TIMES_PER_CHUNK,), fill_value=np.nan
            )
            variable.setncatts({"long_name": meaning, "units": units, "cell_methods": methods})
        self._data.sync()

    def add(self, values: Mapping[str, float], sums: Mapping[str, float] | None = None) -> None:
        """Append one step; `sums` over all steps until now become attributes of the file."""
        self._pending.append(dict(values))
        self._sums = dict(sums or {})
        if len(self._pending) >= self._FLUSH_EVERY:
            self.flush()

    def flush(self) -> None:
        """Write what is pending."""
        if not self._pending:
            return
        require_room(self.path, 8 * len(self._pending) * len(self._names))
        a, b = self._written, self._written + len(self._pending)
        rows = slice(a - self._first, b - self._first)
        for name in self._names:
            self._data[name][rows] = [p[name] for p in self._pending]
        self._data["time"][rows] = (np.arange(a, b) + 1) * self._hours
        self._data.setncatts(self._sums)
        self._written = b
        self._pending.clear()
        self._data.sync()

    @property
    def position(self) -> FilePosition:
        """How far the file has been written; what is pending does not count."""
        return FilePosition(self._written, self._written, self._first)

    def close(self) -> None:
        """Write what is pending and close the file."""
        if self._data.isopen():
            try:
                self.flush()
            finally:
                self._data.close()


def _begin(
    path: Path,
    start: datetime,
    meaning: str,
    attributes: Mapping[str, str],
    announce: Callable[[str], None] = lambda name: None,
) -> Any:
    """Create a file, or a store, that has a time axis [hours since `start`] and nothing else; see `ZarrOutput`."""
    require_room(path, 0)
    data = ZarrOutput(path, announce) if path.suffix == SUFFIX else netCDF4.Dataset(path, "w", format="NETCDF4")
    data.setncatts({"Conventions": "CF-1.11", **attributes})
    data.createDimension("time", None)
    data.createVariable("time", "f8", ("time",), chunksizes=(_TIMES_PER_CHUNK,)).setncatts(
        {
            "standard_name": "time",
            "long_name": meaning,
            "units": f"hours since {start:%Y-%m-%d %H:%M:%S}",
            "calendar": "standard",
            "units_metadata": "leap_seconds: none",
            "axis": "T",
        }
    )
    return data


class _Lacking(NamedTuple):
    """How many of so many active cells have no finite value, and the indices of the first of them in the domain."""

    cells: int
    active: int
    first: tuple[int, ...] | None


def _masked(values: NDArray[Any], mask: NDArray[np.bool_] | None, part: Part | None = None) -> tuple[Any, _Lacking]:
    """Mask values that are missing; of a `part`, only its own cells count."""
    missing = ~np.isfinite(values)
    outside = np.zeros(values.shape, dtype=bool)
    if mask is not None and values.ndim >= 2 and values.shape[-mask.ndim :] == mask.shape:
        outside |= ~mask
    if part is not None:
        outside |= ~part.own
    lacking = missing & ~outside
    first = None
    if lacking.any():
        offset = (0,) * values.ndim if part is None else (*(0 for _ in values.shape[:-2]), *part.offset)
        first = tuple(int(i) + at for i, at in zip(np.argwhere(lacking)[0], offset, strict=True))
    found = _Lacking(int(lacking.sum()), int((~outside).sum()), first)
    return np.ma.masked_where(missing | outside, values), found


def _is_window(part: Part, values: NDArray[Any]) -> bool:
    """Whether values are a map, of which a process has its window."""
    return values.ndim >= 2 and values.shape[-2:] == part.mask.shape


def _thickness(component: Component | WholeComponent) -> NDArray[np.float64] | None:
    return component.layer_thickness if isinstance(component, WholeComponent) else layer_thickness(component)


def _has_uneven_layers(component: Component | WholeComponent) -> bool:
    """Whether layers rise and fall with the ground, so that not all cells of a column are active."""
    one = component.component if isinstance(component, WholeComponent) else component
    return one.cells_of(LAYER_THICKNESS, None) is not None


def _point_names(dimension: str) -> tuple[str, str, str]:
    """Names of the coordinates of points: their names, x and y."""
    return f"{dimension}_name", f"{dimension}_x", f"{dimension}_y"


def _is_static(component: Component, end: Endpoint) -> bool:
    return component.static or getattr(_declaration(component, end.variable), "role", None) is Role.STATIC


def _declaration(component: Component | WholeComponent, variable: str) -> object:
    declared = getattr(component.bmi, "variable", None)
    return declared(variable) if callable(declared) else None
