"""One component of a run: a BMI object by import path, known to the coupler through BMI functions only."""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from bmipy import Bmi
from numpy.typing import NDArray

from bmi_common.errors import ConfigError, RootzoneError
from bmi_common.georeference import Georeference
from bmi_common.partition import Part
from bmi_common.suggest import did_you_mean
from bmi_common.units import conversion
from bmi_common.world import OtherProcessFailed
from coupler import remote
from coupler.component_config import ComponentConfig, ComponentFile
from coupler.grids import NODE, GridInfo, first_cell, read_grid

Array = NDArray[Any]

_DIMENSIONLESS = ("", "-", "none", "dimensionless", "unitless")
"""What components write for the unit 1."""

_REPLACED = {
    "rootzone.parflow_import.no_land:NoLand": "bmi_common.prescribed:PrescribedSource, whose file says `recharge: 0.0`"
}
"""Classes that runs made by earlier versions name, and what is in their place."""

_SHORTEST_STEP, _LONGEST_STEP = 1.0e-6, 1.0e12  # s; what a timedelta holds
_CLOCK = 1.0e-6
"""Part of a step by which the clock of a component may be wrong."""


class ComponentError(RootzoneError):
    """A component failed; the message names component and time."""


@dataclass
class _Model:
    """A BMI object and all that is known of it, whatever its name in the run."""

    bmi: Bmi
    inputs: tuple[str, ...] = ()  # known from `initialize` on, because BMI promises no names before
    outputs: tuple[str, ...] = ()
    time_step: float = 0.0  # s
    to_seconds: float = 1.0
    grids: dict[tuple[int, str], GridInfo] = field(default_factory=dict)  # by identifier and location
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    pointers: dict[str, Array | None] = field(default_factory=dict)
    copies: dict[str, Array] = field(default_factory=dict)  # where there are no pointers, until it may have changed

    def read_names(self) -> None:
        """Ask for the names of the variables."""
        self.inputs = tuple(map(str, self.bmi.get_input_var_names()))
        self.outputs = tuple(map(str, self.bmi.get_output_var_names()))

    def forget_values(self) -> None:
        """Ask for all values anew; for pointers, too, because only careful components give the same array for good."""
        self.copies.clear()
        self.pointers = {variable: None for variable, live in self.pointers.items() if live is None}


class Component:
    """A BMI object with its name in the run, its clock in seconds and the time it has used.

    Parameters
    ----------
    name : str
        Name in ``coupled.yaml``.
    bmi : Bmi
        The object, not yet initialized.
    static : bool
        Whether its values never change: it has no clock and makes no steps.
    """

    def __init__(self, name: str, bmi: Bmi, static: bool = False) -> None:
        self.name = name
        self.static = static
        self.seconds = 0.0
        self.behind = 0.0  # s that its own clock is behind the run's
        self._model = _Model(bmi)

    @classmethod
    def of(cls, name: str, spec: ComponentConfig, key: str = "") -> Component:
        """Create the component that `spec` describes; `key` is where it stands in ``coupled.yaml``.

        Raises
        ------
        ConfigError
            As `load`, or if its server or its process cannot be reached.
        """
        key = key or f"components.{name}"
        if spec.grpc is not None:
            return cls(name, remote.connect(spec.grpc, key, spec.timeout), spec.static)
        assert spec.class_path is not None
        if spec.isolate:
            return cls(name, remote.start(spec.class_path, key, spec.timeout), spec.static)
        return cls.load(name, spec.class_path, f"{key}.class", spec.static)

    @classmethod
    def load(cls, name: str, class_path: str, key: str = "", static: bool = False) -> Component:
        """Import ``package:Class`` and create an instance; `key` is where it stands in ``coupled.yaml``.

        Raises
        ------
        ConfigError
            If the package or class cannot be imported or is not a BMI class.
        """
        module_name, _, class_name = class_path.partition(":")
        key = key or f"components.{name}.class"
        if class_path in _REPLACED:
            raise ConfigError(f"{class_path} is now {_REPLACED[class_path]}", key=key)
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            raise ConfigError(f"cannot import {module_name!r}: {error}", key=key) from error
        except Exception as error:  # whatever the module does while it is imported
            raise ConfigError(f"{module_name!r} fails on import: {type(error).__name__}: {error}", key=key) from error
        try:
            found = getattr(module, class_name)
        except AttributeError:
            hint = did_you_mean(class_name, [n for n in dir(module) if isinstance(getattr(module, n), type)])
            raise ConfigError(f"{module_name!r} has no class {class_name!r}{hint}", key=key) from None
        if not (isinstance(found, type) and callable(getattr(found, "update_until", None))):
            raise ConfigError(f"{class_path} is not a BMI class", key=key)
        try:
            return cls(name, found(), static)
        except Exception as error:
            raise ConfigError(f"{class_path} cannot be created: {error}", key=key) from error

    def initialize(self, file: ComponentFile) -> None:
        """Initialize the component, read the names of its variables and, unless it is static, its clock.

        Raises
        ------
        ConfigError
            If the component refuses its configuration or tells no usable step.
        """
        try:
            with self._timed():
                self.bmi.initialize(str(file.path))
                self._model.read_names()
        except ConfigError as error:
            raise file.as_the_user_knows_it(error).changed(component=self.name) from error
        except OtherProcessFailed:  # which has nothing to do with this component
            raise
        except Exception as error:
            raise self.mistake(f"cannot be initialized from {file.user_path}: {_told(error)}") from error
        if not self.static:
            self._read_clock()

    def mistake(self, message: str) -> ConfigError:
        """Build the error of a mistake that shows in this component."""
        return ConfigError(message, component=self.name)

    def _read_clock(self) -> None:
        hint = f"if its values never change, write `static: true` under components.{self.name}"
        try:
            with self._timed():
                units = str(self.bmi.get_time_units()).split(" since ")[0]
                step = float(self.bmi.get_time_step())
        except Exception as error:
            raise self.mistake(f"has no time axis: {_told(error)}; {hint}") from error
        try:
            self._model.to_seconds = conversion(units, "s").factor
        except ConfigError as error:
            raise self.mistake(f"time units: {error}; {hint}") from error
        self._model.time_step = step * self._model.to_seconds
        if not _SHORTEST_STEP <= self.time_step <= _LONGEST_STEP:
            raise self.mistake(f"its time step is {self.time_step:g} s; it must be positive and finite; {hint}")

    def tells_names(self) -> bool:
        """Whether the names of the variables can be had, though `initialize` has failed; BMI does not promise it."""
        try:
            self._model.read_names()
        except Exception:
            return False
        return bool(self.inputs or self.outputs)

    def finalize(self) -> None:
        """Finalize the component."""
        with self._timed():
            self.bmi.finalize()

    @property
    def bmi(self) -> Bmi:
        """The BMI object."""
        return self._model.bmi

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the input variables."""
        return self._model.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the output variables."""
        return self._model.outputs

    @property
    def time_step(self) -> float:
        """Its own step [s]; 0 before `initialize`."""
        return self._model.time_step

    @property
    def time(self) -> float:
        """Time [s] that the component has reached since the start of the run."""
        return self._own_time + self.behind

    @property
    def _own_time(self) -> float:
        """Time [s] since the start by the clock of the model itself."""
        return (float(self.bmi.get_current_time()) - float(self.bmi.get_start_time())) * self._model.to_seconds

    def stands_at(self, seconds: float) -> bool:
        """Whether the component has reached this time [s], to the rounding of a clock that counts in any units."""
        return abs(self.time - seconds) <= min(1e-6 * max(1.0, seconds), 0.01 * self.time_step)

    @property
    def end_time(self) -> float:
        """Last time [s] that the component says it can reach; infinite where it has none."""
        end = self.bmi.get_end_time()
        if end is None or np.isnan(end):
            return np.inf
        return (float(end) - float(self.bmi.get_start_time())) * self._model.to_seconds + self.behind

    @property
    def ends_with(self) -> str:
        """Key of the component's configuration whose series ends at the end time, empty where none is named."""
        return str(getattr(self.bmi, "ends_with", ""))

    @property
    def takes_end(self) -> bool:
        """Whether the component reads the end of the run from its configuration, under the key ``end``."""
        return bool(getattr(self.bmi, "takes_end", False))

    @property
    def starts_at_time_of_day(self) -> bool:
        """Whether a state of the component can start a run only at the time of day that it is of."""
        return bool(getattr(self.bmi, "starts_at_time_of_day", False))

    @property
    def may_change(self) -> tuple[str, ...]:
        """Keys of the configuration, dotted, that may have another value when the component goes on from a state."""
        return tuple(getattr(self.bmi, "may_change", ()))

    @property
    def gives_away(self) -> tuple[str, ...]:
        """Outputs that hold water which the component has given up, so that another must take it."""
        return tuple(getattr(self.bmi, "gives_away", ()))

    @property
    def description(self) -> tuple[str, ...]:
        """Lines that the component tells of its configuration."""
        return tuple(getattr(self.bmi, "description", ()))

    @property
    def part(self) -> Part | None:
        """Part of the domain that this process has; None where it has the whole."""
        found = getattr(self.bmi, "part", None)
        return found if isinstance(found, Part) else None

    @property
    def runs_in_parts(self) -> bool:
        """Whether processes can share the component's domain, each with its own part."""
        return bool(getattr(self.bmi, "runs_in_parts", False))

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """Cells (ny, nx) that take part; None where the component does not say."""
        mask = getattr(self.bmi, "mask", None)
        return None if mask is None else np.asarray(mask, dtype=bool)

    def cells_of(self, variable: str, columns: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        """Cells (layers, ny, nx) that take part where not all of a column do, otherwise `columns` (ny, nx).

        A variable of fewer layers than the component has the topmost ones.
        """
        cells = getattr(self.bmi, "layer_mask", None)
        shape = self.shape(variable)
        if cells is None or len(shape) != 3 or shape[1:] != np.shape(cells)[1:] or shape[0] > len(cells):
            return columns
        return np.asarray(cells, dtype=bool)[-shape[0] :]

    @property
    def georeference(self) -> Georeference | None:
        """Where the cells of the horizontal grid lie on the earth; None where the component does not say."""
        found = getattr(self.bmi, "georeference", None)
        return found if isinstance(found, Georeference) else None

    @property
    def provenance(self) -> Mapping[str, str]:
        """SHA-256 of the files that the component read, as far as it tells."""
        found = getattr(self.bmi, "provenance", None)
        return dict(found) if isinstance(found, Mapping) else {}

    def swap_model(self, other: Component) -> None:
        """Swap the underlying models of two components, which keep their names and their times in the run.

        Both models must have the same grids and variables.
        """
        here, there = self.time, other.time
        self._model, other._model = other._model, self._model
        self.behind, other.behind = here - self._own_time, there - other._own_time

    def advance(self, until: float) -> None:
        """Advance to `until` seconds after the start.

        Raises
        ------
        ComponentError
            If the component fails or does not arrive at that time.
        """
        self._model.forget_values()
        try:
            with self._timed():
                reached, tolerance = self.time, _CLOCK * self.time_step
                if abs(reached + self.time_step - until) <= tolerance:
                    # not `update_until`, for which some components go a remainder of no length with a step more
                    self.bmi.update()
                    reached = self.time
                if reached < until - tolerance:
                    own = until - self.behind
                    self.bmi.update_until(own / self._model.to_seconds + float(self.bmi.get_start_time()))
                    reached = self.time
                arrived = self.stands_at(until)
        except OtherProcessFailed:  # which has nothing to do with this component
            raise
        except Exception as error:
            raise self._failed(error) from error
        if not arrived:
            raise ComponentError(f"{self.name}: was asked to advance to {until:g} s and stands at {reached:g} s")

    def skip(self, until: float) -> None:
        """Let time pass up to `until` seconds after the start without a step, if the component can do that.

        Raises
        ------
        ComponentError
            If the component fails.
        """
        if self.stands_at(until) or not self.has("skip_until"):
            return
        own = until - self.behind
        try:
            time = own / self._model.to_seconds + float(self.bmi.get_start_time())
            getattr(self.bmi, "skip_until")(time)  # noqa: B009  # no part of BMI
        except OtherProcessFailed:  # which has nothing to do with this component
            raise
        except Exception as error:
            raise self._failed(error) from error

    # ------------------------------------------------------------------ state files

    def has(self, function: str) -> bool:
        """Whether the component has a function that is no part of BMI, such as ``save_state``."""
        return callable(getattr(self.bmi, function, None))

    @property
    def saves_state(self) -> bool:
        """Whether the component has ``save_state``, and does not say that its files would not hold everything."""
        return self.has("save_state") and bool(getattr(self.bmi, "saves_state", True))

    def save_state(self, path: Path) -> None:
        """Let the component write its state.

        Raises
        ------
        ComponentError
            If it cannot.
        """
        try:
            with self._timed():
                getattr(self.bmi, "save_state")(str(path))  # noqa: B009  # no part of BMI
        except OtherProcessFailed:  # which has nothing to do with this component
            raise
        except Exception as error:
            raise self._failed(error) from error

    def load_state(self, path: Path) -> None:
        """Let the component go on from a state, at the time of that state.

        Raises
        ------
        ConfigError
            If it refuses the file.
        """
        self._take("load_state", path)

    def start_from(self, path: Path) -> None:
        """Let the component start from a state, at its own start time.

        Raises
        ------
        ConfigError
            If it refuses the file.
        """
        self._take("start_from", path)

    def _take(self, function: str, path: Path) -> None:
        self._model.forget_values()
        try:
            with self._timed():
                getattr(self.bmi, function)(str(path))
        except ConfigError as error:
            raise error.changed(component=self.name) from error
        except OtherProcessFailed:  # which has nothing to do with this component
            raise
        except Exception as error:
            where = "" if isinstance(error, RootzoneError) else f"{path}: "
            raise self.mistake(f"{where}{_told(error)}") from error

    def _failed(self, error: Exception) -> ComponentError:
        return ComponentError(f"{self.name}: {_told(error)}")

    # ------------------------------------------------------------------ values

    def units(self, variable: str) -> str:
        """Units of a variable, ``1`` for whatever else a component calls dimensionless.

        Raises
        ------
        ConfigError
            If the component does not tell them.
        """
        try:
            told = str(self.bmi.get_var_units(variable)).strip()
        except Exception as error:
            raise self.mistake(f"the units of {variable} cannot be read: {_told(error)}") from error
        return "1" if told.lower() in _DIMENSIONLESS else told

    def shape(self, variable: str) -> tuple[int, ...]:
        """Grid shape of a variable."""
        if variable not in self._model.shapes:
            self._model.shapes[variable] = self.grid(variable).shape
        return self._model.shapes[variable]

    def get(self, variable: str) -> Array:
        """Values in grid shape: the live array where the component has pointers, else a copy.

        Raises
        ------
        ComponentError
            If the component does not give them.
        """
        with self._timed():
            if variable not in self._model.pointers:
                self._model.pointers[variable] = self._live(variable)
            live = self._model.pointers[variable]
            if live is not None:
                return live
            if variable not in self._model.copies:
                self._model.copies[variable] = self._copied(variable)
            return self._model.copies[variable]

    def get_in(self, units: str, variable: str) -> Array:
        """Values in grid shape and in other units; live where these are the component's own, as `get`.

        Raises
        ------
        ComponentError
            If the component does not give them.
        ConfigError
            If its units do not convert.
        """
        change = conversion(self.units(variable), units)
        values = self.get(variable)
        return values if change.is_identity else values * change.factor + change.offset

    def _live(self, variable: str) -> Array | None:
        try:
            return np.asarray(self.bmi.get_value_ptr(variable)).reshape(self.shape(variable))
        except Exception:  # BMI leaves pointers optional, and each language refuses in its own way
            return None

    def _copied(self, variable: str) -> Array:
        try:
            shape = self.shape(variable)
            values = np.zeros(max(int(np.prod(shape)), 1), dtype=str(self.bmi.get_var_type(variable)))
            if np.issubdtype(values.dtype, np.floating):
                values.fill(np.nan)  # what a component leaves out must not pass for a number
            self.bmi.get_value(variable, values)
        except Exception as error:
            raise self._failed(error) from error
        return values.reshape(shape)

    def set(self, variable: str, values: Array) -> None:
        """Give values in the component's units.

        Raises
        ------
        ComponentError
            If the component refuses them.
        """
        self._model.forget_values()
        with self._timed():
            try:
                wanted = np.dtype(str(self.bmi.get_var_type(variable)))
                self.bmi.set_value(variable, np.ascontiguousarray(values, dtype=wanted).reshape(-1))
            except Exception as error:
                raise self._failed(error) from error

    def grid(self, variable: str) -> GridInfo:
        """Grid of a variable.

        Raises
        ------
        ConfigError
            If the component does not tell it, or tells what cannot be.
        """
        try:
            identifier = int(self.bmi.get_var_grid(variable))
            location = self._location(variable)
            grids = self._model.grids
            if (identifier, location) not in grids:
                grids[identifier, location] = self._read_grid(identifier, location, variable)
            return grids[identifier, location]
        except Exception as error:
            raise self.mistake(f"the grid of {variable} cannot be read: {_told(error)}") from error

    def _location(self, variable: str) -> str:
        try:
            location = str(self.bmi.get_var_location(variable))
        except (NotImplementedError, AttributeError):
            return NODE
        return location if location in ("edge", "face") else NODE

    def _read_grid(self, identifier: int, location: str, variable: str) -> GridInfo:
        grid = read_grid(self.bmi, identifier)
        if location == NODE:
            return grid
        count = int(self.bmi.get_var_nbytes(variable)) // int(self.bmi.get_var_itemsize(variable))
        if count == int(np.prod(grid.shape)):  # cells, which are as many as nodes: the values of a grid, after all
            return grid
        return GridInfo(identifier, grid.type, (count,), location=location)

    # ------------------------------------------------------------------ guards

    def check_values(
        self, variable: str, values: Array, limits: tuple[float, float] | None, mask: Array | None
    ) -> None:
        """Raise `ComponentError` naming component, variable and cell for values that are not finite or out of range.

        Cells outside a mask of the last dimensions of the values are not judged.
        """
        if np.issubdtype(values.dtype, np.integer):
            return
        good = np.isfinite(values)
        if limits is not None:
            good &= (values >= limits[0]) & (values <= limits[1])
        if mask is not None and values.ndim >= mask.ndim and values.shape[values.ndim - mask.ndim :] == mask.shape:
            good |= ~mask
        if good.all():
            return
        value = values[~good].reshape(-1)[0]
        allowed = f"; allowed: {limits[0]:g} to {limits[1]:g}" if limits is not None and np.isfinite(value) else ""
        where = f" at {first_cell(~good)}" if values.ndim else ""
        count = int((~good).sum())
        more = f" ({count} cells in all)" if count > 1 else ""
        found = f"{_in_full(float(value), limits)} [{self.units(variable)}]"
        raise ComponentError(f"{self.name}: {variable} is {found}{where}{more}{allowed}")

    def _timed(self) -> _Timed:
        return _Timed(self)


class _Timed:
    """Context that counts its time as the component's; a generator would take longer than most of what it counts."""

    __slots__ = ("_begin", "_component")

    def __init__(self, component: Component) -> None:
        self._component = component

    def __enter__(self) -> None:
        self._begin = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._component.seconds += time.perf_counter() - self._begin


def _in_full(value: float, limits: tuple[float, float] | None) -> str:
    short = f"{value:g}"
    return repr(float(value)) if limits is not None and limits[0] <= float(short) <= limits[1] else short


def _told(error: Exception) -> str:
    # errors of this package say all in their message
    return str(error) if isinstance(error, RootzoneError) else f"{type(error).__name__}: {error}"
