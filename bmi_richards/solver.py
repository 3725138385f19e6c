"""The embedded Richards solver as a NumPy object: state, one step, and the water balance of that step.

The equations are ParFlow's (Kollet and Maxwell, 2006; terrain-following grid of Maxwell, 2013), cell-centred finite
volumes with backward Euler, overland flow as a kinematic wave in the top cell. They are solved by the Fortran kernel,
column by column in the order of overland flow. Arrays are (z, y, x) with z index 0 at the bottom; lengths in m and
times in h.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bmi_common.boundary_conditions import Conditions
from bmi_common.errors import ModelError
from bmi_common.floor_head import reachable_floor
from bmi_common.flow_order import FlowNetwork, build_network
from bmi_common.groundwater_config import Mode
from bmi_common.overland import SurfaceCondition
from bmi_common.partition import Part
from bmi_common.slopes import SlopeFormulation, face_slopes
from bmi_common.state_file import StateArray, fingerprint
from bmi_common.units import SECONDS_PER_HOUR
from bmi_common.wells import WellWater
from bmi_common.world import World
from bmi_richards import _kernel
from bmi_richards.boundary_faces import BoundaryFaces, CellSoil
from bmi_richards.options import Convergence, Drainage, SolverConfig
from bmi_richards.shared_passes import SharedPasses

Floats = NDArray[np.float64]

_COLUMNS_WORTH_A_THREAD = 500
_LARGEST_LAST_CHANGE = 0.01
"""If the last of a fixed number of passes changes a head [m] or a saturation more, the step is repeated with passes to
a tolerance (on 1 km cells the second of two changes 1e-3)."""
_TOLERANCES = (Convergence(), Convergence(tolerance=1.0e-4))
"""Of such a repetition, in turn: some columns of fine grids swing by a few 1e-5 m for ever."""
_WAYS = 7
"""Ways that the kernel tries to solve a column, in turn."""
_SOIL = ("alpha", "n", "residual", "span", "pore", "elastic", "vertical", "floor_water")
"""Properties of the cells, in the order of the kernel, which wants those of a column together."""
_WORK_FIELDS = 3
"""Values of a cell that the kernel keeps during a step; the first is the head at the start."""
_MEMORY = (
    ("head", "m", "pressure head"),
    ("saturation", "1", "saturation"),
    ("kr", "1", "relative permeability"),
    ("dsaturation", "m-1", "derivative of saturation with head"),
    ("dkr", "m-1", "derivative of relative permeability with head"),
)
_GROUNDS = {SurfaceCondition.SEEPAGE_FACE: 1, SurfaceCondition.CLOSED: 2}
"""What the kernel is told of the ground; 0 where water stands on it."""
_DRAINAGE_KINDS = {Drainage.IMPLICIT: 1, Drainage.LAGGED: 2, Drainage.PRESCRIBED: 3}


class DomainLike(Protocol):
    """The properties of a domain that the solver needs, as :class:`bmi_common.Domain` has them."""

    @property
    def dx(self) -> float: ...  # noqa: D102
    @property
    def dy(self) -> float: ...  # noqa: D102
    @property
    def dz(self) -> Floats: ...  # noqa: D102
    @property
    def mask(self) -> NDArray[np.bool_]: ...  # noqa: D102
    @property
    def top_layer(self) -> NDArray[np.intp] | None: ...  # noqa: D102
    @property
    def porosity(self) -> Floats: ...  # noqa: D102
    @property
    def alpha(self) -> Floats: ...  # noqa: D102
    @property
    def n(self) -> Floats: ...  # noqa: D102
    @property
    def relative_permeability_alpha(self) -> Floats | None: ...  # noqa: D102
    @property
    def relative_permeability_n(self) -> Floats | None: ...  # noqa: D102
    @property
    def residual_saturation(self) -> Floats: ...  # noqa: D102
    @property
    def maximum_saturation(self) -> Floats: ...  # noqa: D102
    @property
    def conductivity_x(self) -> Floats | None: ...  # noqa: D102
    @property
    def conductivity_y(self) -> Floats | None: ...  # noqa: D102
    @property
    def conductivity_z(self) -> Floats | None: ...  # noqa: D102
    @property
    def specific_storage(self) -> Floats: ...  # noqa: D102
    @property
    def slope_x(self) -> Floats | None: ...  # noqa: D102
    @property
    def slope_y(self) -> Floats | None: ...  # noqa: D102
    @property
    def slope_formulation(self) -> SlopeFormulation: ...  # noqa: D102
    @property
    def manning(self) -> Floats | None: ...  # noqa: D102


@dataclass(frozen=True)
class NewtonCount:
    """What it took to solve the columns in one step, all passes together.

    Attributes
    ----------
    iterations : int
        Newton iterations of all columns.
    most : int
        Newton iterations of the column that needed most.
    columns : int
        Columns of the domain.
    rungs : tuple of int
        Columns by the last way that their hardest pass needed, where that is not the first (full steps): a wet start,
        backtracking from the old state, backtracking from a dry start, a head stretched near
        saturation, continuation with that head, continuation by cautious steps.
    """

    iterations: int
    most: int
    columns: int
    rungs: tuple[int, ...]

    @property
    def mean(self) -> float:
        """Newton iterations of a column, on average."""
        return self.iterations / self.columns

    def of_all(self, world: World) -> NewtonCount:
        """Put the counts of all parts of a domain together."""
        iterations, columns, *rungs = map(int, world.sum(self.iterations, self.columns, *self.rungs))
        return NewtonCount(iterations, int(world.largest(self.most)[0]), columns, tuple(rungs))

    @classmethod
    def of(cls, iterations: NDArray[np.int32], ways: NDArray[np.int32]) -> NewtonCount:
        """Sum up what the kernel counted for each column."""
        needed = np.bincount(ways, minlength=_WAYS + 1)
        return cls(int(iterations.sum()), int(iterations.max()), iterations.size, tuple(int(n) for n in needed[2:]))


@dataclass(frozen=True)
class HourBalance:
    """Water balance of one step over the active area; volumes in m3.

    Attributes
    ----------
    storage : float
        Water in the ground and ponded at the end.
    storage_change : float
        Change of ``storage`` over the step.
    ponding : float
        Ponded part of ``storage``.
    source : float
        Source as applied: what was asked for plus ``unmet_demand``. Into the soil positive.
    unmet_demand : float
        Sinks that were cut because their cells had no more water above the floor head; never negative.
    outflow : float
        Overland flow out of the domain.
    drainage : float
        Flow out through the bottom that drains freely.
    seepage : float
        Water that left through the ground where it is a seepage face.
    surface_flux : float
        Prescribed flux as applied, into the ground positive.
    boundary_inflow : float
        Net inflow through sides, bottom, and ground that is held at a head.
    unmet_outflow : float
        Prescribed fluxes out of the domain, through ground, sides and bottom, that were cut as sinks are; never
        negative.
    extraction : float
        Taken by wells and intakes, and gone from the model.
    irrigation_withdrawal : float
        Taken by wells and intakes for irrigation.
    injection : float
        Brought into the ground by wells.
    unmet_extraction : float
        What wells and intakes should have taken beyond that; never negative.
    newton : NewtonCount
        What it took to solve the columns.
    passes : int
        Passes over the domain that were made.
    last_change : float
        Largest change in the last pass, of a positive head [m] or of a saturation [-].
    """

    storage: float
    storage_change: float
    ponding: float
    source: float
    unmet_demand: float
    outflow: float
    drainage: float
    seepage: float
    surface_flux: float
    boundary_inflow: float
    unmet_outflow: float
    extraction: float
    irrigation_withdrawal: float
    injection: float
    unmet_extraction: float
    newton: NewtonCount
    passes: int
    last_change: float

    def of_all(self, world: World) -> HourBalance:
        """Put the balances of all parts of a domain together; what is of all of them already stays."""
        there = ["storage", "ponding", "newton", "passes", "last_change"]
        there += ["extraction", "irrigation_withdrawal", "injection", "unmet_extraction"]
        names = [f.name for f in fields(self) if f.name not in there]
        sums = dict(zip(names, world.sum(*(getattr(self, name) for name in names)), strict=True))
        return HourBalance(**{**vars(self), **sums, "newton": self.newton.of_all(world)})

    @property
    def residual(self) -> float:
        """Storage change that nothing explains [m3]."""
        gain = self.source + self.surface_flux + self.boundary_inflow
        gain += self.injection - self.extraction - self.irrigation_withdrawal
        return self.storage_change - (gain - self.outflow - self.drainage - self.seepage)


class RichardsSolver:
    """Variably saturated groundwater and overland flow on a grid of columns.

    Parameters
    ----------
    domain : DomainLike
        Geometry and properties, for example a :class:`bmi_common.Domain`.
    head : (nz, ny, nx)
        Initial pressure head [m].
    options : SolverConfig
    conditions : Conditions, optional
        What acts on ground, sides and bottom, wells, and flow barriers; by default the kinematic wave on the ground,
        and nothing else. Prescribed sources are part of the source of each step.
    part : Part, optional
        Of a domain that processes share; `domain` is its window then, and volumes are those of the whole domain. All
        processes call `set_head`, `step`, `storage` and `ponded_volume` together.

    Raises
    ------
    ValueError
        Where a property or the head is not usable, naming the first such cell.
    """

    def __init__(
        self,
        domain: DomainLike,
        head: ArrayLike,
        options: SolverConfig | None = None,
        conditions: Conditions | None = None,
        part: Part | None = None,
    ) -> None:
        self.options = options or SolverConfig()
        self._part = part
        self.conditions = conditions or Conditions()
        self._ponds = self.conditions.surface.has_water_standing
        own = np.asarray(domain.mask, dtype=bool)
        self._mask = own if part is None else own | part.halo
        self._dz = np.ascontiguousarray(domain.dz, dtype=np.float64)
        self._dx, self._dy = float(domain.dx), float(domain.dy)
        self._area = self._dx * self._dy
        if not self._mask.any():
            raise ValueError("the mask of the domain has no active cell")
        if not np.all(self._dz > 0.0):
            raise ValueError("the layer thicknesses dz must be above 0 m")
        self.network: FlowNetwork = build_network(
            self._mask,
            self._surface(domain.slope_x, "slope_x"),
            self._surface(domain.slope_y, "slope_y"),
            self._surface(domain.manning, "manning", above=0.0) / SECONDS_PER_HOUR,
            self._dx,
            self._dy,
            self.conditions.surface,
            None if part is None else own,
            None if part is None else part.wave,
        )
        self._own = slice(self.network.own)  # columns that are solved here; those of the halo follow
        self._cells = self.network.cells[self._own]
        self._number = np.zeros(self._mask.size, dtype=np.int32)
        self._number[self.network.cells] = np.arange(1, self.network.cells.size + 1)
        self._place_tops(domain.top_layer)
        self._own_permeability = domain.relative_permeability_alpha is not None
        self._soil_cells = np.zeros((self._dz.size, len(_SOIL), self.network.cells.size), order="F")
        self._soil = dict(zip(_SOIL, np.moveaxis(self._soil_cells, 1, 0), strict=True))
        self._statics = self._prepare(domain)
        self._place_barriers()
        self._boundary_faces = self._find_boundary_faces(domain)
        self._well_water = self._boundary_faces.well_water(0.0)
        shape = (self._dz.size, self.network.cells.size)
        self._state = np.zeros((shape[0], len(_MEMORY), shape[1]), order="F")
        self._head, self._saturation, self._kr, self._dsaturation, self._dkr = np.moveaxis(self._state, 1, 0)
        self._work = np.zeros((shape[0], _WORK_FIELDS, shape[1]), order="F")
        results = ("storage_change", "applied", "unmet", "left", "drained", "worst", "column_change")
        self._columns = {name: np.zeros(shape[1]) for name in results}
        self._iterations = np.zeros(shape[1], dtype=np.int32)
        self._depth = np.zeros(shape[1])
        self._last_dt = 1.0
        self._shared_passes = None if part is None else SharedPasses(part, self.network)
        self._soil["floor_water"][...] = self._floor_water()
        self.set_head(head)

    # ------------------------------------------------------------------ state

    @property
    def shape(self) -> tuple[int, int, int]:
        """(nz, ny, nx)."""
        return (self._dz.size, *self._mask.shape)

    @property
    def head(self) -> Floats:
        """Pressure head [m] (nz, ny, nx), NaN outside the mask. A copy: change it with :meth:`set_head`."""
        return self._scatter(self._head)

    @property
    def saturation(self) -> Floats:
        """Saturation [-] (nz, ny, nx), NaN outside the mask."""
        return self._scatter(self._saturation)

    @property
    def ponding(self) -> Floats:
        """Depth of ponded water [m] (ny, nx), NaN outside the mask; 0 on a seepage face and closed ground."""
        return self._scatter_surface(self._depth if self._ponds else np.zeros_like(self._depth))

    @property
    def outflow(self) -> Floats:
        """Overland flow out of the domain in the last step [m h-1 per cell area] (ny, nx), NaN outside the mask.

        What leaves through a seepage face is part of it.
        """
        left = self._columns["left"] if self._ponds else self._depth
        return self._scatter_surface(left / self._last_dt)

    @property
    def drainage(self) -> Floats:
        """Flow out through the bottom in the last step [m h-1] (ny, nx), NaN outside the mask."""
        return self._scatter_surface(self._columns["drained"] / self._last_dt)

    @property
    def unmet_demand(self) -> Floats:
        """Sinks that were cut in the last step [m h-1] (ny, nx), NaN outside the mask."""
        return self._scatter_surface(self._columns["unmet"] / self._last_dt)

    @property
    def well_water(self) -> WellWater:
        """What each well has taken in the last step; before the first step nothing."""
        return self._well_water

    @property
    def storage(self) -> float:
        """Water in the ground and ponded [m3]."""
        water = _kernel.ground_water(self._soil_cells, self._threads, self._state)[self._own]
        return self._sum(float(water.sum() * self._area)) + self.ponded_volume

    @property
    def ponded_volume(self) -> float:
        """Ponded water [m3], part of ``storage``."""
        return self._sum(float(self._depth[self._own].sum() * self._area)) if self._ponds else 0.0

    def _sum(self, volume: float) -> float:
        """Sum over all parts of the domain."""
        return volume if self._part is None else self._part.world.sum(volume)[0]

    def _renew_depth(self) -> None:
        """Set the water above the ground [m] (ncol): positive head of the topmost cells, where the ground is open."""
        if self.conditions.surface is SurfaceCondition.CLOSED:
            return
        head = self._head
        tops = head[-1] if self._above is None else head[self._top - 1, np.arange(self._top.size)]
        np.maximum(tops, 0.0, out=self._depth)

    def fill_maps(self, head: Floats, saturation: Floats) -> None:
        """Write pressure head [m] and saturation [-] into maps (nz, ny, nx), NaN where there is no cell."""
        maps = self._as_map(head), self._as_map(saturation)
        _kernel.fill_maps(self._number, self._cells.size, self._top, self._state, self._threads, *maps)

    def has_head(self, head: Floats) -> bool:
        """Whether a map (nz, ny, nx) is that of the pressure head [m], with NaN where there is no cell."""
        head = self._as_map(head)
        return bool(_kernel.has_head(self._number, self._cells.size, self._top, self._state, self._threads, head))

    def _as_map(self, field: Floats) -> Floats:
        """(layers, ny, nx) as the kernel takes it, (cells, layers)."""
        return field.reshape(field.shape[0], -1).T

    def set_head(self, head: ArrayLike) -> None:
        """Replace the state: pressure head [m] (nz, ny, nx); saturation follows from it.

        Raises
        ------
        ValueError
            If the shape is wrong or a head inside the mask is not finite.
        """
        own = self._gather_own(np.broadcast_to(np.asarray(head, dtype=np.float64), self.shape), "pressure head")
        self._head[:, self._own] = own
        self._evaluate()

    def state_dict(self) -> dict[str, StateArray]:
        """Return what the next step starts from, (nz, ny, nx): the head, and what the kernel last made of it."""
        return {
            name: StateArray(self._scatter(getattr(self, f"_{name}")), ("z", "y", "x"), units, meaning)
            for name, units, meaning in _MEMORY
        }

    def load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what `state_dict` gave."""
        for name, _, _ in _MEMORY:
            getattr(self, f"_{name}")[:, self._own] = self._gather_own(state[name], name)
        self._renew_depth()

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the properties that tie saturation and relative permeability to the head."""
        table = self.options.table
        soil = [self._soil[n] for n in ("alpha", "n", "residual", "span", "pore", "elastic")]
        lowest = self._statics["minimum_head"] if table else np.full(self._head.shape, -1.0)
        own = [self._statics[n] for n in ("kr_alpha", "kr_n")] if self._own_permeability else []
        fields = [*soil, lowest, *own]
        if self._part is not None:
            fields = [self._whole_columns(self._part, field) for field in fields]
        return fingerprint(str(table.points if table else 0), *fields)

    def _whole_columns(self, part: Part, columns: Floats) -> Floats:
        """(nz, ncol) of the whole domain, in the order that one process would have them, in process 0."""
        field = np.zeros((self.shape[0], self._mask.size))
        field[:, self._cells] = columns[:, self._own]
        whole, mask = part.whole(field.reshape(self.shape)), part.whole(part.mask)
        if whole is None or mask is None or part.order is None:
            return columns
        order = part.order if self._ponds else np.flatnonzero(mask)
        return np.asarray(whole.reshape(self.shape[0], -1)[:, order])

    # ------------------------------------------------------------------- step

    def step(
        self,
        source: ArrayLike,
        dt: float = 1.0,
        drainage: ArrayLike | None = None,
        time: float = 0.0,
        source_layers: int | None = None,
    ) -> HourBalance:
        """Advance by one step.

        Parameters
        ----------
        source : (source_layers, ny, nx)
            Net source of each cell over exactly this step [h-1: volume per bulk volume], into the soil positive.
        dt : float
            Length of the step [h]. Results of different steps differ: ParFlow's reference runs use 1 h.
        drainage : (ny, nx), optional
            Flow out through the bottom [m h-1]; needed with, and only with, prescribed drainage.
        time : float
            Start of the step [h] in the time that rates of the conditions are counted in.
        source_layers : int, optional
            The uppermost layers, which alone have a source; by default all have.

        Raises
        ------
        ModelError
            If a column could not be solved, or passes do not converge; it names the cell. The state is unchanged.
        ValueError
            If an argument has the wrong shape, is not finite inside the mask, or does not fit the options.
        """
        if not dt > 0.0:
            raise ValueError(f"dt must be above 0 h, not {dt}")
        columns_source = self._take_source(source, source_layers or self.shape[0])
        prescribed = self._prescribed(drainage)
        before = self._work[:, 0]  # the kernel sets it
        failed, ways = (np.zeros(self.network.cells.size, dtype=np.int32) for _ in range(2))
        # the kernel works in place; a failed step is taken back below
        advance = partial(self._advance, columns_source, prescribed, time, dt, failed_layer=failed, ways=ways)
        wanted = self.options.passes
        passes, change, converged, solved = advance(wanted)
        if isinstance(wanted, int) and wanted > 1 and solved and change > _LARGEST_LAST_CHANGE:
            for tolerance in _TOLERANCES:
                self._take_back(before)
                passes, change, converged, solved = advance(tolerance)
                if converged or not solved:
                    break
        error: ModelError | None = None
        if failed.any():
            error = self._describe_failure(failed, columns_source, before)
        elif solved and not converged and self._columns["column_change"][self._own].max() == change:
            error = self._describe_divergence(passes, change)
        if self._part is not None and not (solved and converged):  # in some part; all parts tell the same
            error = next(e for e in self._part.world.gathered(error) if e is not None)
        if error:
            self._take_back(before)
            raise error
        self._renew_depth()
        self._last_dt = dt
        self._well_water = self._boundary_faces.well_water(dt)
        if self._part is not None:
            self._well_water = self._well_water.of_all(self._part.world)
        volume = {name: float(depths[self._own].sum()) * self._area for name, depths in self._columns.items()}
        balance = HourBalance(
            storage=self.storage,
            storage_change=volume["storage_change"],
            ponding=self.ponded_volume,
            source=volume["applied"],
            unmet_demand=volume["unmet"],
            outflow=volume["left"],
            drainage=volume["drained"],
            seepage=0.0 if self._ponds else float(self._depth[self._own].sum()) * self._area,
            surface_flux=self._boundary_faces.surface_flux * self._area,
            boundary_inflow=self._boundary_faces.boundary_inflow * self._area,
            unmet_outflow=self._boundary_faces.unmet_outflow(dt) * self._area,
            extraction=self._well_water.extraction,
            irrigation_withdrawal=self._well_water.withdrawal,
            injection=self._well_water.injection,
            unmet_extraction=self._well_water.unmet_extraction,
            newton=NewtonCount.of(self._iterations[self._own], ways[self._own]),
            passes=int(passes),
            last_change=float(change),
        )
        return balance if self._part is None else balance.of_all(self._part.world)

    def _take_back(self, head: Floats) -> None:
        self._head[...] = head
        self._evaluate()

    def _advance(
        self,
        source: Floats,
        prescribed: Floats,
        time: float,
        dt: float,
        passes: int | Convergence,
        **counts: NDArray[np.int32],
    ) -> tuple[int, float, bool, bool]:
        """Make the passes; return how many, the largest last change, whether they converged, and had solutions."""
        options, network = self.options, self.network
        to_tolerance = isinstance(passes, Convergence)
        handle = _kernel.attach(
            dx=self._dx,
            dy=self._dy,
            top=self._top,
            soil_cells=self._soil_cells,
            **self._statics,
            east=network.east,
            west=network.west,
            north=network.north,
            south=network.south,
            level_start=network.level_start,
            group_start=network.group_start,
            donor=network.donor,
            inflow=network.inflow,
            outflow=network.outflow,
            boundary=network.boundary,
            dt=dt,
            tolerance=options.tolerance,
            pass_tolerance=passes.tolerance if isinstance(passes, Convergence) else 0.0,
            most_passes=passes.most if isinstance(passes, Convergence) else passes,
            drainage_kind=_DRAINAGE_KINDS[options.drainage] if options.mode is Mode.FREE_DRAINAGE else 0,
            own_permeability=self._own_permeability,
            table_points=options.table.points if options.table else 0,
            threads=self._threads,
            lateral=options.mode is Mode.FULL,
            ground=_GROUNDS.get(self.conditions.surface, 0),
            **self._boundary_faces.arguments(time, dt, self._depth),
            source=source,
            prescribed_drainage=prescribed,
            work_cells=self._work,
            state_cells=self._state,
            iterations=self._iterations,
            **counts,
            **self._columns,
        )
        try:
            if self._shared_passes is not None:
                return self._shared_passes.advance(handle, options.mode is Mode.FULL, to_tolerance, self._state)
            return *_kernel.advance(handle), not counts["failed_layer"].any()
        finally:
            _kernel.detach(handle)

    def _prescribed(self, drainage: ArrayLike | None) -> Floats:
        wanted = self.options.mode is Mode.FREE_DRAINAGE and self.options.drainage is Drainage.PRESCRIBED
        if wanted and drainage is None:
            raise ValueError("prescribed drainage needs the argument `drainage` in every step")
        if not wanted and drainage is not None:
            raise ValueError("`drainage` was given, but the options do not prescribe drainage")
        if drainage is None:
            return np.zeros(self.network.cells.size)
        return self._with_halo(self._surface(drainage, "drainage", own=True).ravel()[self._cells])

    def _describe_failure(self, failed: NDArray[np.int32], source: Floats, before: Floats) -> ModelError:
        column = int(np.flatnonzero(failed)[0])  # the most upstream: others may have failed because of it
        layer = int(failed[column]) - 1
        j, i = divmod(int(self.network.cells[column]), self._mask.shape[1])
        count = int(np.count_nonzero(failed))
        others = f" (and {count - 1} more)" if count > 1 else ""
        return ModelError(
            f"no solution for a column{others}: a residual of {self._columns['worst'][column]:.3g} m is left where the "
            f"head was {before[layer, column]:.4g} m and the source is {source[layer, column]:.4g} h-1",
            cell=(layer, j, i),
        )

    def _describe_divergence(self, passes: int, change: float) -> ModelError:
        column = int(np.argmax(self._columns["column_change"][self._own]))
        j, i = divmod(int(self.network.cells[column]), self._mask.shape[1])
        return ModelError(
            f"lateral groundwater flow has not converged: pass {passes} still changed a column "
            f"by {change:.3g} (m of positive head, or saturation); "
            "allow more passes or a shorter step",
            cell=(j, i),
        )

    # ------------------------------------------------------------ preparation

    @property
    def _threads(self) -> int:
        few_columns = self.network.cells.size // _COLUMNS_WORTH_A_THREAD + 1
        return self.options.threads or min(int(_kernel.max_threads()), few_columns)

    def _place_tops(self, top_layer: NDArray[np.intp] | None) -> None:
        """Set the number of layers of each column, and which cells lie above the ground, None where there are none."""
        layers, cells = self._dz.size, self.network.cells
        self._above: NDArray[np.bool_] | None = None
        self._top = np.full(cells.size, layers, dtype=np.int32)
        if top_layer is None:
            return
        if top_layer.shape != self._mask.shape:
            raise ValueError(f"top_layer has shape {top_layer.shape}, the domain is (ny, nx) = {self._mask.shape}")
        self._top[...] = top_layer.ravel()[cells] + 1
        if not np.all((self._top >= 1) & (self._top <= layers)):
            raise ValueError(f"top_layer must lie between 0 and {layers - 1} in all columns")
        above = np.arange(layers)[:, np.newaxis] >= self._top
        if above.any():
            self._above = above

    def _take_source(self, source: ArrayLike, layers: int) -> Floats:
        """Take the sources of the columns that are solved here; refuse them where there is no cell to take them."""
        given = np.ascontiguousarray(source, dtype=np.float64)
        if given.shape != (layers, *self._mask.shape):
            raise ValueError(f"source has shape {given.shape}, the domain is (nz, ny, nx) = {self.shape}")
        columns, finite = self._columns_of(given, self._cells.size)
        if not finite or self._above is not None:
            whole = np.zeros(self.shape)
            whole[-layers:] = given
            self._gather_own(whole, "source")  # names the cell
            self._require_ground(whole)
        return columns

    def _require_ground(self, source: Floats) -> None:
        """Refuse sources where there is no cell, which would be lost."""
        if self._above is None:
            return
        columns = source.reshape(self.shape[0], -1)[:, self._cells]
        lost = self._above[:, self._own] & (columns != 0.0) & ~np.isnan(columns)
        if lost.any():
            self._refuse(lost, columns, "source", "must be 0 above the ground")

    def _prepare(self, domain: DomainLike) -> dict[str, Floats]:
        """Set the properties of the cells as the kernel wants them; return those that do not lie in `_soil`."""
        dz = self._dz[:, np.newaxis]
        there = True if self._above is None else ~self._above

        def conductivity(axis: str) -> Floats:
            name = f"conductivity_{axis}"
            return np.asarray(self._gather(getattr(domain, name), name, at_least=0.0) * there)

        residual = self._gather(domain.residual_saturation, "residual_saturation", at_least=0.0)
        maximum = self._gather(domain.maximum_saturation, "maximum_saturation", above=0.0)
        if not np.all(maximum > residual):
            raise ValueError("maximum_saturation must be above residual_saturation everywhere")
        alpha, n = self._gather(domain.alpha, "alpha", above=0.0), self._gather(domain.n, "n", above=1.0)
        vertical = conductivity("z")
        network = self.network
        soil = {
            "alpha": alpha,
            "n": n,
            "residual": residual,
            "span": maximum - residual,
            "pore": dz * self._gather(domain.porosity, "porosity", above=0.0) * there,
            "elastic": dz * self._gather(domain.specific_storage, "specific_storage", at_least=0.0) * there,
            "vertical": _vertical_mean(vertical, dz),
        }
        for name, values in soil.items():
            self._soil[name][...] = values
        form = domain.slope_formulation
        slopes = {
            "x": face_slopes(self._surface(domain.slope_x, "slope_x"), form, -1),
            "y": face_slopes(self._surface(domain.slope_y, "slope_y"), form, -2),
        }
        return {
            "dz": self._dz,
            "gap": np.append(0.5 * (self._dz[1:] + self._dz[:-1]), 0.0),
            "bottom": np.ascontiguousarray(vertical[0]),
            "east_conductivity": np.asfortranarray(dz * _lateral_mean(conductivity("x"), network.east)),
            "north_conductivity": np.asfortranarray(dz * _lateral_mean(conductivity("y"), network.north)),
            **{f"slope_{axis}": face.fall.ravel()[network.cells] for axis, face in slopes.items()},
            **{f"cosine_{axis}": face.cosine.ravel()[network.cells] for axis, face in slopes.items()},
            **self._prepare_permeability(domain, alpha, n),
        }

    def _prepare_permeability(self, domain: DomainLike, alpha: Floats, n: Floats) -> dict[str, Floats]:
        """Return what relative permeability has of its own; one cell each where it has nothing."""
        table = self.options.table
        if not (self._own_permeability or table):
            return {name: np.ones((1, 1)) for name in ("kr_alpha", "kr_n", "minimum_head")}
        if self._own_permeability:
            alpha = self._gather(domain.relative_permeability_alpha, "relative_permeability_alpha", above=0.0)
            n = self._gather(domain.relative_permeability_n, "relative_permeability_n", above=1.0)
        lowest = np.broadcast_to(table.min_head if table else -1.0, self.shape)
        return {"kr_alpha": alpha, "kr_n": n, "minimum_head": self._gather(lowest, "min_head")}

    def _place_barriers(self) -> None:
        """Multiply the conductivities of the upper faces of the cells by the factors of the flow barriers."""
        barriers = self.conditions.barriers
        if barriers is None:
            return
        for conductivity, factor, name in (
            (self._statics["east_conductivity"], barriers.x, "barriers.x"),
            (self._statics["north_conductivity"], barriers.y, "barriers.y"),
            (self._soil["vertical"], barriers.z, "barriers.z"),
        ):
            conductivity *= self._gather(factor, name, at_least=0.0)

    def _find_boundary_faces(self, domain: DomainLike) -> BoundaryFaces:
        table = self.options.table
        soil = CellSoil(
            cells=self._soil_cells,
            **{name: self._statics[name] for name in ("kr_alpha", "kr_n", "minimum_head")},
            own_permeability=self._own_permeability,
            table_points=table.points if table else 0,
        )

        def conductivity(axis: str) -> Floats:
            return self._gather(getattr(domain, f"conductivity_{axis}"), axis)

        spacing, shape = (self._dx, self._dy), self._mask.shape
        return BoundaryFaces(self.conditions, self.network, self._top, self._dz, spacing, shape, soil, conductivity)

    def _floor_water(self) -> Floats:
        """Water [m] of each cell at the floor head, which sinks leave in it."""
        pore, elastic = self._soil["pore"], self._soil["elastic"]
        room = pore if self._above is None else np.where(self._above, 1.0, pore)
        self._head[...] = reachable_floor(self.options.floor_head, room, elastic)
        self._evaluate()
        return np.asarray((pore + elastic * self._head) * self._saturation)

    def _evaluate(self) -> None:
        """Bring saturation and relative permeability up to date with the head."""
        table = self.options.table
        _kernel.evaluate_state(
            self._soil_cells,
            self._statics["kr_alpha"],
            self._statics["kr_n"],
            self._statics["minimum_head"],
            self._own_permeability,
            table.points if table else 0,
            self._threads,
            self._state,
        )
        self._renew_depth()

    # ------------------------------------------------------- grids and columns

    def _columns_of(self, field: Floats, last: int) -> tuple[Floats, bool]:
        """Uppermost layers of the columns up to the `last` from a map, 0 elsewhere, and whether all are finite."""
        columns = np.zeros((self.shape[0], self.network.cells.size), order="F")
        finite = _kernel.take_map(self._number, last, self._top, self._as_map(field), self._threads, columns)
        return columns, bool(finite)

    def _gather_own(self, field: ArrayLike, name: str) -> Floats:
        """As `_gather`, of the columns that are solved here."""
        return self._gather(field, name, last=self._cells.size)[:, self._own]

    def _with_halo(self, own: Floats) -> Floats:
        """Values of the columns that are solved here, and 0 in those of the halo."""
        if self._part is None:
            return own
        columns = np.zeros((*own.shape[:-1], self.network.cells.size), order="F")
        columns[..., self._own] = own
        return columns

    def _gather(
        self,
        field: ArrayLike | None,
        name: str,
        above: float | None = None,
        at_least: float | None = None,
        last: int | None = None,
    ) -> Floats:
        """(nz, ny, nx) to (nz, ncol) in flow order, each column contiguous; what is above the ground has no effect."""
        values = np.ascontiguousarray(_present(field, name), dtype=np.float64)
        if values.shape != self.shape:
            raise ValueError(f"{name} has shape {values.shape}, the domain is (nz, ny, nx) = {self.shape}")
        last = last or self.network.cells.size
        columns, finite = self._columns_of(values, last)
        found = columns[:, :last]
        if above is not None and not np.all(found > above):
            self._refuse(~(found > above), found, name, f"must be above {above:g}")
        if at_least is not None and not np.all(found >= at_least):
            self._refuse(~(found >= at_least), found, name, f"must be at least {at_least:g}")
        if not finite:
            self._refuse(~np.isfinite(found), found, name, "must be finite inside the mask")
        return found

    def _refuse(self, bad: NDArray[np.bool_], columns: Floats, name: str, demand: str) -> None:
        layer, column = (int(index[0]) for index in np.nonzero(bad))
        j, i = divmod(int(self.network.cells[column]), self._mask.shape[1])
        raise ValueError(f"{name} is {columns[layer, column]:g} in cell (k, j, i) = ({layer}, {j}, {i}): it {demand}")

    def _surface(self, field: ArrayLike | None, name: str, above: float | None = None, own: bool = False) -> Floats:
        """Check a (ny, nx) field, with the columns of the halo or in the `own` ones alone."""
        values = np.asarray(_present(field, name), dtype=np.float64)
        mask = self._part.mask if own and self._part is not None else self._mask
        if values.shape != self._mask.shape:
            raise ValueError(f"{name} has shape {values.shape}, the domain is (ny, nx) = {self._mask.shape}")
        bad = ~np.isfinite(values) if above is None else ~(np.isfinite(values) & (values > above))
        if np.any(bad & mask):
            j, i = (int(index[0]) for index in np.nonzero(bad & mask))
            demand = "finite" if above is None else f"finite and above {above:g}"
            raise ValueError(f"{name} is {values[j, i]:g} in cell (j, i) = ({j}, {i}): it must be {demand}")
        return np.where(self._mask, values, 1.0)

    def _scatter(self, columns: Floats) -> Floats:
        field = np.full((self.shape[0], self._mask.size), np.nan)
        own = columns[:, self._own]
        field[:, self._cells] = own if self._above is None else np.where(self._above[:, self._own], np.nan, own)
        return field.reshape(self.shape)

    def _scatter_surface(self, columns: Floats) -> Floats:
        field = np.full(self._mask.size, np.nan)
        field[self._cells] = columns[self._own]
        return field.reshape(self._mask.shape)


def _present(field: ArrayLike | None, name: str) -> ArrayLike:
    if field is None:
        raise ValueError(f"{name} is missing; the Richards solver needs it")
    return field


def _vertical_mean(conductivity: Floats, dz: Floats) -> Floats:
    """Conductivity of the faces between layers k and k + 1, harmonic and weighted by thickness; 0 on the top face."""
    mean = np.zeros_like(conductivity)
    below, above = conductivity[:-1], conductivity[1:]
    resistance = above * dz[:-1] + below * dz[1:]
    np.divide((dz[:-1] + dz[1:]) * below * above, resistance, out=mean[:-1], where=resistance > 0.0)
    return mean


def _lateral_mean(conductivity: Floats, neighbour: NDArray[np.int32]) -> Floats:
    """Harmonic mean with a neighbouring column (numbers from 1; 0 is none, and gives 0)."""
    other = np.where(neighbour > 0, conductivity[:, neighbour - 1], 0.0)
    total = conductivity + other
    return np.divide(2.0 * conductivity * other, total, out=np.zeros_like(conductivity), where=total > 0.0)
