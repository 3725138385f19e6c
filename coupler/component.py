"""One component of a run: a BMI object by import path, known to the coupler through BMI functions only."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from bmipy import Bmi
from numpy.typing import NDArray

from bmi_common.errors import ConfigError, RootzoneError, describe_cell
from bmi_common.suggest import did_you_mean
from bmi_common.units import conversion
from coupler import remote
from coupler.component_spec import ComponentSpec

Array = NDArray[Any]

_POINTS = ("points", "unstructured")

_SHORTEST_STEP, _LONGEST_STEP = 1.0e-6, 1.0e12  # s; what a timedelta holds


class ComponentError(RootzoneError):
    """A component failed; the message names component and time."""


@dataclass(frozen=True)
class GridInfo:
    """What the coupler needs of a component's grid.

    Attributes
    ----------
    identifier : int
        BMI grid identifier.
    type : str
        BMI grid type.
    shape : tuple of int
        Shape, slowest dimension first.
    x, y, z : ndarray or None
        Cell-centre coordinates [m]; None where the grid does not tell.
    labels : tuple of str
        Names of points, where the component tells them.
    """

    identifier: int
    type: str
    shape: tuple[int, ...]
    x: Array | None = None
    y: Array | None = None
    z: Array | None = None
    labels: tuple[str, ...] = ()

    @property
    def is_points(self) -> bool:
        """Whether the grid is a number of points."""
        return self.type in _POINTS

    def __str__(self) -> str:
        return f"grid {self.identifier} ({self.type}, {' x '.join(map(str, self.shape)) or '1 value'})"


@dataclass
class _Model:
    """A BMI object and all that is known of it, whatever its name in the run."""

    bmi: Bmi
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    time_step: float = 0.0  # s
    to_seconds: float = 1.0
    grids: dict[int, GridInfo] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    pointers: dict[str, Array | None] = field(default_factory=dict)
    copies: dict[str, Array] = field(default_factory=dict)  # where there are no pointers, until it may have changed


class Component:
    """A BMI object with its name in the run, its clock in seconds and the time it has used.

    Parameters
    ----------
    name : str
        Name in ``coupled.yaml``.
    bmi : Bmi
        The object, not yet initialized.
    """

    def __init__(self, name: str, bmi: Bmi) -> None:
        self.name = name
        self.seconds = 0.0
        self.behind = 0.0  # s that its own clock is behind the run's
        self._model = _Model(bmi, tuple(bmi.get_input_var_names()), tuple(bmi.get_output_var_names()))

    @classmethod
    def of(cls, name: str, spec: ComponentSpec, key: str = "") -> Component:
        """Create the component that `spec` describes; `key` is where it stands in ``coupled.yaml``.

        Raises
        ------
        ConfigError
            As `load`, or if its server or its process cannot be reached.
        """
        key = key or f"components.{name}"
        if spec.grpc is not None:
            return cls(name, remote.connect(spec.grpc, key, spec.timeout))
        assert spec.class_path is not None
        if spec.isolate:
            return cls(name, remote.start(spec.class_path, key, spec.timeout))
        return cls.load(name, spec.class_path, f"{key}.class")

    @classmethod
    def load(cls, name: str, class_path: str, key: str = "") -> Component:
        """Import ``package:Class`` and create an instance; `key` is where it stands in ``coupled.yaml``.

        Raises
        ------
        ConfigError
            If the package or class cannot be imported or is no BMI class.
        """
        module_name, _, class_name = class_path.partition(":")
        key = key or f"components.{name}.class"
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            raise ConfigError(f"{key}: cannot import {module_name!r}: {error}") from error
        except Exception as error:  # whatever the module does while it is imported
            raise ConfigError(f"{key}: {module_name!r} fails on import: {type(error).__name__}: {error}") from error
        try:
            found = getattr(module, class_name)
        except AttributeError:
            hint = did_you_mean(class_name, [n for n in dir(module) if isinstance(getattr(module, n), type)])
            raise ConfigError(f"{key}: {module_name!r} has no class {class_name!r}{hint}") from None
        if not (isinstance(found, type) and callable(getattr(found, "update_until", None))):
            raise ConfigError(f"{key}: {class_path} is no BMI class")
        try:
            return cls(name, found())
        except Exception as error:
            raise ConfigError(f"{key}: {class_path} cannot be created: {error}") from error

    def initialize(self, config: Path) -> None:
        """Initialize the component and read its clock.

        Raises
        ------
        ConfigError
            If the component refuses its configuration or tells no usable step.
        """
        try:
            with self._timed():
                self.bmi.initialize(str(config))
                units = str(self.bmi.get_time_units()).split(" since ")[0]
                step = float(self.bmi.get_time_step())
        except ConfigError as error:
            raise error.retold(lambda message: f"{self.name}: {message}") from error
        except Exception as error:
            raise ConfigError(f"{self.name}: cannot be initialized from {config}: {_told(error)}") from error
        try:
            self._model.to_seconds = conversion(units, "s").factor
        except ConfigError as error:
            raise ConfigError(f"{self.name}: time units: {error}") from error
        self._model.time_step = step * self._model.to_seconds
        if not _SHORTEST_STEP <= self.time_step <= _LONGEST_STEP:
            raise ConfigError(f"{self.name}: its time step is {self.time_step:g} s; it must be positive and finite")

    def initialize_from(self, config: Path, known_as: Path) -> None:
        """Initialize the component from a copy of a user's file, which messages name as the user knows it.

        Raises
        ------
        ConfigError
            As `initialize`.
        """
        try:
            self.initialize(config)
        except ConfigError as error:
            raise error.retold(lambda message: message.replace(str(config), str(known_as))) from error

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
        own = float(self.bmi.get_current_time()) - float(self.bmi.get_start_time())
        return own * self._model.to_seconds + self.behind

    def stands_at(self, seconds: float) -> bool:
        """Whether the component has reached this time [s], to the rounding of a clock that counts in any units."""
        return abs(self.time - seconds) <= min(1e-6 * max(1.0, seconds), 0.01 * self.time_step)

    @property
    def end_time(self) -> float:
        """Last time [s] that the component says it can reach."""
        own = float(self.bmi.get_end_time()) - float(self.bmi.get_start_time())
        return own * self._model.to_seconds + self.behind

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
    def mask(self) -> NDArray[np.bool_] | None:
        """Cells (ny, nx) that take part; None where the component does not say."""
        mask = getattr(self.bmi, "mask", None)
        return None if mask is None else np.asarray(mask, dtype=bool)

    @property
    def provenance(self) -> Mapping[str, str]:
        """SHA-256 of the files that the component read, as far as it tells."""
        found = getattr(self.bmi, "provenance", None)
        return dict(found) if isinstance(found, Mapping) else {}

    def change_places(self, other: Component) -> None:
        """Let the model of `other` stand under this name and the other way round, at the time of this component.

        Grids and variables of the two must be the same.
        """
        here, there = self.time, other.time
        self._model, other._model = other._model, self._model
        for component, seconds in ((self, here), (other, there)):
            component.behind = 0.0
            component.behind = seconds - component.time

    def advance(self, until: float) -> None:
        """Advance to `until` seconds after the start.

        Raises
        ------
        ComponentError
            If the component fails or does not arrive at that time.
        """
        self._model.copies.clear()
        try:
            with self._timed():
                own = until - self.behind
                self.bmi.update_until(own / self._model.to_seconds + float(self.bmi.get_start_time()))
            reached, arrived = self.time, self.stands_at(until)
        except Exception as error:
            raise self._failed(error) from error
        if not arrived:
            raise ComponentError(f"{self.name}: was asked to advance to {until:g} s and stands at {reached:g} s")

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
        self._model.copies.clear()
        self._model.pointers.clear()
        try:
            with self._timed():
                getattr(self.bmi, function)(str(path))
        except Exception as error:
            kind = "" if isinstance(error, RootzoneError) else f"{path}: {type(error).__name__}: "
            raise ConfigError(f"{self.name}: {kind}{error}") from error

    def _failed(self, error: Exception) -> ComponentError:
        return ComponentError(f"{self.name}: {_told(error)}")

    # ------------------------------------------------------------------ values

    def units(self, variable: str) -> str:
        """Units of a variable."""
        return str(self.bmi.get_var_units(variable))

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
        self._model.copies.clear()
        with self._timed():
            try:
                wanted = np.dtype(str(self.bmi.get_var_type(variable)))
                self.bmi.set_value(variable, np.ascontiguousarray(values, dtype=wanted).reshape(-1))
            except Exception as error:
                raise self._failed(error) from error

    def grid(self, variable: str) -> GridInfo:
        """Grid of a variable."""
        identifier = int(self.bmi.get_var_grid(variable))
        if identifier not in self._model.grids:
            self._model.grids[identifier] = self._read_grid(identifier)
        return self._model.grids[identifier]

    def _read_grid(self, identifier: int) -> GridInfo:
        kind = str(self.bmi.get_grid_type(identifier))
        rank = int(self.bmi.get_grid_rank(identifier))
        if kind == "scalar" or rank == 0:
            return GridInfo(identifier, "scalar", ())
        try:
            shape = tuple(int(n) for n in self.bmi.get_grid_shape(identifier, np.empty(rank, dtype=np.int64)))
        except (NotImplementedError, AttributeError):
            shape = (int(self.bmi.get_grid_size(identifier)),)
        axes: dict[str, Array] = {}
        lengths = shape * min(rank, 3) if kind in _POINTS else tuple(reversed(shape))
        for letter, length in zip("xyz", lengths, strict=False):
            try:
                axis = np.empty(length, dtype=np.float64)
                axes[letter] = np.array(getattr(self.bmi, f"get_grid_{letter}")(identifier, axis))
            except Exception:  # a coordinate that a component does not tell is not compared
                continue
        tell = getattr(self.bmi, "grid_labels", None)
        labels = tuple(tell(identifier)) if callable(tell) else ()
        return GridInfo(identifier, kind, shape, **axes, labels=labels)

    # ------------------------------------------------------------------ guards

    def check_values(
        self, variable: str, values: Array, limits: tuple[float, float] | None, mask: Array | None
    ) -> None:
        """Raise `ComponentError` naming component, variable and cell for values that are not finite or out of range."""
        if np.issubdtype(values.dtype, np.integer):
            return
        good = np.isfinite(values)
        if limits is not None:
            good &= (values >= limits[0]) & (values <= limits[1])
        if mask is not None and values.ndim >= 2 and values.shape[-2:] == mask.shape:
            good |= ~mask
        if good.all():
            return
        cell = tuple(int(i) for i in np.argwhere(~good)[0])
        value = values[cell] if cell else values[()]
        allowed = f"; allowed: {limits[0]:g} to {limits[1]:g}" if limits is not None and np.isfinite(value) else ""
        where = f" at {describe_cell(cell)}" if 1 < len(cell) <= 3 else f" at index {cell}" if cell else ""
        count = int((~good).sum())
        more = f" ({count} cells in all)" if count > 1 else ""
        found = f"{_in_full(float(value), limits)} [{self.units(variable)}]"
        raise ComponentError(f"{self.name}: {variable} is {found}{where}{more}{allowed}")

    @contextmanager
    def _timed(self) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - begin


def _in_full(value: float, limits: tuple[float, float] | None) -> str:
    short = f"{value:g}"
    return repr(float(value)) if limits is not None and limits[0] <= float(short) <= limits[1] else short


def _told(error: Exception) -> str:
    # errors of this package say all in their message
    return str(error) if isinstance(error, RootzoneError) else f"{type(error).__name__}: {error}"
