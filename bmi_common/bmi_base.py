"""Base class from which a BMI component is declared, not coded."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from math import isclose
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bmi_common import grids as standard_grids
from bmi_common import state_file, whole_state
from bmi_common.bmi_grids import GridFunctions
from bmi_common.bmi_variables import VariableFunctions
from bmi_common.errors import BmiStateError, ConfigError, ModelError, describe_cell
from bmi_common.georeference import Georeference
from bmi_common.grids import Grid
from bmi_common.partition import Part
from bmi_common.state_file import SavedState, StateArray, StateHeader
from bmi_common.units import SECONDS_PER_HOUR
from bmi_common.variables import Role, Variable

FOREVER = float(np.finfo(np.float64).max)

_DIMENSIONS = {
    standard_grids.SURFACE: ("y", "x"),
    standard_grids.SUBSURFACE: ("z", "y", "x"),
    standard_grids.ROOT_ZONE: ("root_zone_z", "y", "x"),
    standard_grids.SCALAR: (),
}


class State(Enum):
    """Life of a component instance."""

    CREATED = "created"
    INITIALIZED = "initialized"
    FAILED = "failed"
    FINALIZED = "finalized"


@dataclass(frozen=True)
class Setup:
    """What a component knows once its configuration is read.

    Attributes
    ----------
    grids : mapping of int to Grid
        Every grid that the component's variables name.
    time_step : float
        Length of a step [s].
    end_time : float
        Last time [s] that the component can reach; without a limit of its own, `FOREVER`.
    ends_with : str
        Key of the configuration whose series ends then.
    mask : ndarray of bool, shape (ny, nx), optional
        Cells that take part; outputs elsewhere are NaN.
    layer_mask : ndarray of bool, shape (nz, ny, nx), optional
        Cells of the layers that take part, where these are not all of the columns of `mask`.
    start : datetime, optional
        Calendar time (UTC) of BMI time 0, if the component knows.
    initial_state : Path, optional
        State file to start from, as `DeclaredBmi.start_from` does.
    georeference : Georeference, optional
        Where the cells of the horizontal grid lie on the earth.
    part : Part, optional
        Of the domain, where processes share it: the grids are its window.
    """

    grids: Mapping[int, Grid]
    time_step: float = 3600.0
    end_time: float = FOREVER
    ends_with: str = ""
    mask: NDArray[np.bool_] | None = None
    layer_mask: NDArray[np.bool_] | None = None
    start: datetime | None = None
    initial_state: Path | None = None
    georeference: Georeference | None = None
    part: Part | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        """Cells in words: how many in which grid, and how many take part."""
        fields = [grid for grid in self.grids.values() if grid.rank >= 2 and not grid.is_points]
        if not fields:
            return ()
        *layers, rows, columns = max(fields, key=lambda grid: grid.size).shape
        sizes = dict.fromkeys(f"{size:g}" for grid in fields for size in grid.spacing)
        told = f"{rows} x {columns} cells" + (f" of {' x '.join(sizes)} m" if sizes else "")
        told = f"{layers[0]} layers of {told}" if layers else told
        return (told,) if self.mask is None else (told, f"{int(self.mask.sum())} active")


class _Values(dict[str, NDArray[Any]]):
    """Arrays of variables by name; to look one up is to take it, `get` returns what is there."""

    def __init__(self, take: Callable[[str], None]) -> None:
        self._take = take

    def __getitem__(self, name: str) -> NDArray[Any]:
        self._take(name)
        return super().__getitem__(name)


class DeclaredBmi(GridFunctions, VariableFunctions):
    """BMI 2.0 component made of a table of variables and four methods.

    A subclass sets `component_name` and `variables` and implements `_initialize`, `_start`, `_update` and
    `_finalize`. All getters, setters, sizes and pointers follow from the table; names are known before
    `initialize`. Values live in `values`, arrays in grid shape (z, y, x), C-contiguous; z index 0 is the bottom
    layer, y 0 the southern row, x 0 the western column. Instances are independent of each other.
    """

    on_demand: ClassVar[frozenset[str]] = frozenset()
    """Outputs on cells that follow from what the component has at hand. They cost neither time nor memory until
    somebody takes them; `_derive` makes them, and from then on the component keeps them up to date by
    `_renew_on_demand`."""

    without_consequence: ClassVar[frozenset[str]] = frozenset()
    """Further outputs that nothing follows from, so that a state may lack them."""

    saves_state: ClassVar[bool] = True
    """Whether state files hold all that the component remembers; where not, it refuses to write and to read them."""

    runs_in_parts: ClassVar[bool] = False
    """Whether processes can share the domain, each with its own part. Scalars and points that such a component
    publishes are those of the whole domain, in all processes."""

    takes_end: ClassVar[bool] = False
    """Whether the configuration has the keys ``start`` and ``end`` (UTC). A coupler writes the period of its run
    there, so that all that the run needs is checked before it starts, and no more; without an end the component goes
    on as long as its own data."""

    may_change: ClassVar[tuple[str, ...]] = ()
    """Keys of the configuration, dotted, that may have another value when a run goes on from a state: what changes no
    result, data of the coming time, and what messages advise to change. Keys below them may, too. ``*`` stands for the
    number of an entry of a list."""

    starts_at_time_of_day: ClassVar[bool] = False
    """Whether a state can start a run only at the time of day that it is of, so that repetitions last whole days."""

    @property
    def gives_away(self) -> tuple[str, ...]:
        """Outputs that hold water which the component has given up, so that another must take it; none by default."""
        return ()

    @property
    def description(self) -> tuple[str, ...]:
        """Lines of what a user should see of the configuration before a run; none by default."""
        return ()

    spans_steps: ClassVar[bool] = False
    """Whether `update_until` makes all its steps in one `_update_span` rather than one `_update` after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._reset()

    def _reset(self) -> None:
        self._state = State.CREATED
        self._setup = Setup({})
        self._steps_done = 0
        self.values: dict[str, NDArray[Any]] = _Values(self._take)
        self._flat = {}
        self._taken: set[str] = set()
        self.supplied = set()

    @property
    def ends_with(self) -> str:
        """Key of the configuration, dotted, whose series ends at the end time; empty if there is none to name."""
        return self._setup.ends_with

    # ------------------------------------------------------------------ what a component implements

    @abstractmethod
    def _initialize(self, config_file: Path) -> Setup:
        """Read and check the configuration, and prepare everything but the values."""

    @abstractmethod
    def _start(self) -> None:
        """Fill the initial values of outputs, states and statics in `values`."""

    @abstractmethod
    def _update(self) -> None:
        """Advance one step from `time`: read inputs from `values`, write outputs there."""

    def _update_span(self, steps: int) -> None:
        """Advance several steps at once with the inputs as they are; only where `spans_steps` says so."""
        raise NotImplementedError

    def _derive(self, name: str, values: NDArray[Any]) -> None:
        """Fill the active cells of `values` with what the output `name` of `on_demand` is now."""
        raise NotImplementedError

    def _adopt_state(self, name: str) -> None:
        """Make what follows from the state `name`, which has just been set; the default has nothing that does."""
        return

    def _finalize(self) -> None:
        """Release what was opened; the default has nothing to release."""
        return

    def _state_dict(self) -> Mapping[str, StateArray]:
        """All that the coming steps depend on beside `values` and `time`; the default has nothing more."""
        return {}

    def _load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `_state_dict` gave, after `values` and `time` have been."""

    def _make_up_for(self, missing: Sequence[str]) -> None:
        """Fill outputs that a state did not have, all NaN, after the state has been taken over; by default none."""
        return

    def _check_start(self, saved: SavedState) -> None:
        """Raise `ConfigError` for a state that fits, but that a run cannot start from; the default takes all."""
        return

    def _fingerprints(self) -> Mapping[str, str]:
        """Hashes of what a state depends on beside grid, mask and statics, by a word for messages."""
        return {}

    # ------------------------------------------------------------------ state

    def __repr__(self) -> str:
        """Class, grid and time: ``<BmiRichards: 11 layers of 48 x 64 cells of 1000 m, 2263 active, after 12 h>``."""
        name = type(self).__name__
        if self._state is not State.INITIALIZED:
            return f"<{name}: {'not initialized' if self._state is State.CREATED else self._state.value}>"
        start = self._setup.start
        now = None if start is None else start + timedelta(seconds=self.time)
        when = f"after {self.time / SECONDS_PER_HOUR:g} h" if now is None else f"at {now:%Y-%m-%dT%H:%M}"
        return f"<{name}: {', '.join((*self._setup.cells, when))}>"

    @property
    def state(self) -> State:
        """Where in its life the instance is."""
        return self._state

    @property
    def time(self) -> float:
        """BMI time [s] at the start of the step that comes next."""
        return self._steps_done * self._setup.time_step

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """Cells (ny, nx) that take part, or None where all do."""
        return self._setup.mask

    @property
    def part(self) -> Part | None:
        """Part of the domain that this process has; None where it has the whole."""
        return self._setup.part

    @property
    def layer_mask(self) -> NDArray[np.bool_] | None:
        """Cells (nz, ny, nx) of the layers that take part, or None where all of the columns of the mask do."""
        return self._setup.layer_mask

    @property
    def georeference(self) -> Georeference | None:
        """Where the cells of the horizontal grid lie on the earth, if the component knows."""
        return self._setup.georeference

    @property
    def provenance(self) -> Mapping[str, str]:
        """SHA-256 of each input file, by path, for the record of a run."""
        return {}

    def _need(self, function: str) -> None:
        if self._state is State.INITIALIZED:
            return
        why = {
            State.CREATED: "initialize(config_file) has not been called",
            State.FAILED: "an earlier call failed; call finalize() and initialize() again",
            State.FINALIZED: "the component is finalized; call initialize(config_file) again first",
        }[self._state]
        raise BmiStateError(f"{self.component_name}.{function}: {why}")

    def initialize(self, config_file: str) -> None:
        """Read the configuration and prepare the first step."""
        if self._state in (State.INITIALIZED, State.FAILED):
            raise BmiStateError(f"{self.component_name}.initialize: already initialized; call finalize() first")
        self._reset()
        self._setup = self._initialize(Path(config_file))
        try:
            for v in sorted(self.variables, key=lambda v: bool(v.part_of)):  # parts after what they are parts of
                if v.name not in self.on_demand:
                    self._allocate(v)
            self._start()
            if self._setup.initial_state is not None:
                self._start_warm(self._setup.initial_state)
        except BaseException:
            self._finalize()  # what _initialize opened; the user has nothing to finalize
            self._reset()
            raise
        self._state = State.INITIALIZED

    def _allocate(self, v: Variable) -> NDArray[Any]:
        """Make the array of a variable, in grid shape, without a value yet."""
        grid = self._setup.grids[v.grid]
        fill = np.nan if np.issubdtype(np.dtype(v.dtype), np.floating) else 0
        # layers are the slowest dimension, so that the uppermost ones lie side by side at the end
        flat = self._flat[v.part_of][-grid.size :] if v.part_of else np.full(grid.size, fill, dtype=v.dtype)
        self._flat[v.name] = flat
        values = self.values[v.name] = flat.reshape(grid.shape)
        return values

    def _take(self, name: str) -> None:
        if name not in self.on_demand or name in self._taken:
            return
        self._taken.add(name)
        if name not in self.values:
            self._derive(name, self._allocate(self._table[name]))

    def _renew_on_demand(self) -> None:
        """Bring the outputs that somebody has taken up to date; those that only a state brought along end with it."""
        for name in self.on_demand:
            if name in self._taken:
                self._derive(name, self.values[name])
            else:
                self.values.pop(name, None)
                self._flat.pop(name, None)

    def update(self) -> None:
        """Advance one step."""
        self._need("update")
        if self.time + 0.5 * self._setup.time_step > self._setup.end_time:
            raise BmiStateError(
                f"{self.component_name}.update: the end time, {self._setup.end_time:g} s, has been reached"
            )
        self._advance(1)

    def _advance(self, steps: int) -> None:
        self._require_inputs()
        try:
            if steps == 1:
                self._update()
            else:
                self._update_span(steps)
        except BaseException:
            self._state = State.FAILED
            raise
        self._steps_done += steps
        self.supplied.clear()

    def update_until(self, time: float) -> None:
        """Advance to `time` [s], a whole number of steps; a past time does nothing."""
        self._need("update_until")
        whole = self._steps_until(time, "update_until")
        if self.spans_steps and whole:
            self._advance(whole)
            return
        for _ in range(whole):
            self.update()

    def skip_until(self, time: float) -> None:
        """Let time pass up to `time` [s], a whole number of steps, without making them; a past time does nothing.

        The state stays as it is; what the configuration gives over time, series and cycles, is that of `time` from
        then on. For a component whose state another one replaces before the next step.

        Raises
        ------
        ValueError
            For a time after the end, or between two steps.
        """
        self._need("skip_until")
        self._steps_done += self._steps_until(time, "skip_until")

    def _steps_until(self, time: float, function: str) -> int:
        """Return the number of steps up to `time` [s], 0 for a past time."""
        steps = (time - self.time) / self._setup.time_step
        if steps <= 0:
            return 0
        if not time <= self._setup.end_time:  # NaN included; refused before the first step, not after the last
            raise ValueError(
                f"{self.component_name}.{function}: {time:g} s is not before the end time, {self._setup.end_time:g} s"
            )
        whole = round(steps)
        if not isclose(steps, whole, abs_tol=1e-9 * max(1.0, abs(time / self._setup.time_step))):
            step = self._setup.time_step
            before = self.time + int(steps) * step
            raise ValueError(
                f"{self.component_name}.{function}: {time:g} s is no whole number of steps of {step:g} s; "
                f"the nearest are {before:g} s and {before + step:g} s"
            )
        return whole

    def finalize(self) -> None:
        """Release resources; calling it again, or before `initialize`, does nothing."""
        if self._state in (State.INITIALIZED, State.FAILED):
            self._finalize()
            self._state = State.FINALIZED

    def _require_inputs(self) -> None:
        # judged by the values, because they may have been written through the pointer or only in part
        for name, v in self._table.items():
            if v.role is not Role.INPUT:
                continue
            missing = np.isnan(self.values[name])
            if self._setup.mask is not None and missing.ndim >= 2:
                missing &= self._setup.mask
            if missing.any():
                where = describe_cell(tuple(np.argwhere(missing)[0])) if missing.ndim else "scalar"
                raise BmiStateError(
                    f"{self.component_name}.update: {name!r} [{v.units}] has not been supplied in {int(missing.sum())} "
                    f"active cells, the first at {where}"
                )

    def require_finite(self, *names: str) -> None:
        """Raise `ModelError` naming variable and cell if an active cell of a variable is not finite."""
        for name in names:
            values = self.values[name]
            bad = ~np.isfinite(values)
            if self._setup.mask is not None and values.ndim >= 2:
                bad &= self._setup.mask
            if bad.any():
                cell = tuple(int(i) for i in np.argwhere(bad)[0])
                raise ModelError(f"{self.component_name}: {name} is {values[cell]} [{self._table[name].units}]", cell)

    # ------------------------------------------------------------------ state files

    def save_state(self, path: str | Path) -> None:
        """Write all that the coming steps depend on, and all BMI values, into a state file.

        Raises
        ------
        BmiStateError
            Before `initialize`, after `finalize`, or after a failure.
        ModelError
            If the file cannot be written.
        """
        self._need("save_state")
        calendar = None if self._setup.start is None else self._setup.start + timedelta(seconds=self.time)
        arrays = self._state_arrays()
        header = StateHeader(
            self.component_name, self.time, calendar, self._fingerprints(), {"supplied": sorted(self.supplied)}
        )
        part = self._setup.part
        if part is None:
            state_file.write_state(Path(path), header, arrays)
        else:
            whole_state.write(Path(path), header, part, arrays)

    def load_state(self, path: str | Path) -> None:
        """Go on from a state file at its BMI time, bit for bit as if there had been no stop.

        Raises
        ------
        BmiStateError
            Before `initialize`, after `finalize`, or after a failure.
        ConfigError
            If the file is damaged, or is a state of another component, grid, domain or time; nothing has changed then.
        """
        self._need("load_state")
        saved = self._read_state(Path(path))
        step, time = self._setup.time_step, saved.header.time
        steps = round(time / step)
        if not isclose(steps * step, time, rel_tol=1e-12) or time > self._setup.end_time:
            raise ConfigError(
                f"a state of {time:g} s, which is no time of this component: its steps are {step:g} s "
                f"and its end is {self._setup.end_time:g} s",
                file=Path(path),
            )
        calendar = saved.header.calendar_time
        if self._setup.start is not None and calendar is not None:
            here = self._setup.start + timedelta(seconds=time)
            if calendar != here:
                raise ConfigError(
                    f"a state of {calendar:%Y-%m-%dT%H:%M} after {time:g} s; this component starts at "
                    f"{self._setup.start:%Y-%m-%dT%H:%M} and would be at {here:%Y-%m-%dT%H:%M}",
                    file=Path(path),
                )
        self._steps_done = steps
        self._take_over(saved, goes_on=True)

    def start_from(self, path: str | Path) -> None:
        """Start warm: take over a state file as the state at BMI time 0, whatever time it is of.

        Raises
        ------
        BmiStateError
            After the first step, and as `load_state`.
        ConfigError
            As `load_state`, but for the time.
        """
        self._need("start_from")
        if self._steps_done:
            raise BmiStateError(f"{self.component_name}.start_from: the component has made {self._steps_done} steps")
        self._start_warm(Path(path))

    def _start_warm(self, path: Path) -> None:
        saved = self._read_state(path)
        self._check_start(saved)
        self._take_over(saved, goes_on=False)

    def _read_state(self, path: Path) -> SavedState:
        part, fingerprints = self._setup.part, self._fingerprints()
        expected, grid = self._state_arrays(), list(self._grid_arrays())
        statics = [_file_name(v.name) for v in self.variables if v.role is Role.STATIC]
        if part is None:
            saved = state_file.read_state(path, self.component_name)
            state_file.require_fitting(saved, expected, grid, statics)
        else:
            saved = whole_state.read(path, self.component_name, part, expected, grid, statics)
        for name in saved.header.details.get("supplied", ()):
            if _file_name(name) not in saved.arrays:
                raise ConfigError(f"damaged: it lacks {name}, which had been given", file=path)
        if part is None or part.world.leads:
            state_file.require_fingerprints(saved, fingerprints)
        return saved

    def _take_over(self, saved: SavedState, goes_on: bool) -> None:
        """Fill `values` and memory; where the run does not go on, inputs of its last step are no longer given."""
        try:
            for v in self._saved:
                if goes_on or not v.role.is_input:
                    values = self.values.get(v.name)
                    values = self._allocate(v) if values is None else values
                    values[...] = saved.arrays.get(_file_name(v.name), np.nan)  # unknown until the next step
            self.supplied = set(saved.header.details.get("supplied", ())) if goes_on else set()
            self._load_state_dict(saved.state_dict())
            self._make_up_for([v.name for v in self._saved if _file_name(v.name) not in saved.arrays])
        except BaseException:
            self._state = State.FAILED
            raise

    @property
    def _saved(self) -> tuple[Variable, ...]:
        """Variables of a state file: not parts of others, nor those at points, which a run chooses and which follow."""
        return tuple(v for v in self.variables if not v.part_of and not self._setup.grids[v.grid].is_points)

    def _state_arrays(self) -> dict[str, StateArray]:
        state = {state_file.MEMORY + n: a for n, a in self._state_dict().items()}  # may bring values up to date
        arrays = self._grid_arrays()
        for v in self._saved:
            dimensions = self._dimensions(v.grid)
            values = self.values.get(v.name)
            values = self._derived(v) if values is None else values
            # a state of a version that did not have these will do
            optional = v.role is Role.FORCING or v.name in self.on_demand | self.without_consequence
            name = v.long_name or v.name
            arrays[_file_name(v.name)] = StateArray(values, dimensions, v.units, name, optional=optional)
        return arrays | state

    def _derived(self, v: Variable) -> NDArray[Any]:
        """Values of an output that nobody has taken, which are not kept."""
        values = np.full(self._setup.grids[v.grid].shape, np.nan)
        self._derive(v.name, values)
        return values

    def _grid_arrays(self) -> dict[str, StateArray]:
        arrays: dict[str, StateArray] = {}
        for identifier, grid in self._setup.grids.items():
            if grid.is_points:
                continue
            for name, coordinate in zip(self._dimensions(identifier), grid.coordinates, strict=True):
                arrays.setdefault(name, StateArray(coordinate, (name,), "m", "coordinate of the cell centres"))
        if self._setup.mask is not None:
            dimensions = self._dimensions(standard_grids.SURFACE)
            arrays["active"] = StateArray(self._setup.mask, dimensions, long_name="cells that take part")
        return arrays

    def _dimensions(self, identifier: int) -> tuple[str, ...]:
        letters = ("z", "y", "x")[3 - self._setup.grids[identifier].rank :]
        return _DIMENSIONS.get(identifier) or tuple(f"grid{identifier}_{letter}" for letter in letters)

    # ------------------------------------------------------------------ name, time and grids

    def get_component_name(self) -> str:
        """Name of the component."""
        return self.component_name

    def get_start_time(self) -> float:
        """Start time [s], always 0."""
        return 0.0

    def get_current_time(self) -> float:
        """Time [s] reached."""
        self._need("get_current_time")
        return float(self.time)

    def get_end_time(self) -> float:
        """Last time [s] that can be reached."""
        self._need("get_end_time")
        return float(self._setup.end_time)

    def get_time_step(self) -> float:
        """Length of a step [s]."""
        self._need("get_time_step")
        return float(self._setup.time_step)

    def get_time_units(self) -> str:
        """Units of all times."""
        return "s"

    def _grids(self) -> Mapping[int, Grid]:
        self._need("get_grid")
        return self._setup.grids


def _file_name(variable: str) -> str:
    # what CF recommends, so that every tool can name it
    return re.sub(r"[^A-Za-z0-9_]", "_", variable)
