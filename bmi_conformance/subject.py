"""The component under test: how it is made, and how the checks run and read it."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from bmipy import Bmi
from numpy.typing import NDArray

from bmi_conformance.outcome import Fault, optional, require

Array = NDArray[Any]
Values = dict[str, Array]

_C_TYPES = {
    "float": "float32",
    "int": "int32",
    "integer": "int32",
    "long": "int64",
    "real": "float32",
    "double precision": "float64",
}


class Instance:
    """One initialized component.

    Parameters
    ----------
    bmi : Bmi
        The component.
    inputs : mapping of str to float
        Value of every input that is supplied before each step.
    """

    def __init__(self, bmi: Bmi, inputs: Mapping[str, float]) -> None:
        self.bmi = bmi
        self._given = inputs
        self.finalized = False

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(self.bmi.get_input_var_names())

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(self.bmi.get_output_var_names())

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all variables, each once."""
        return tuple(dict.fromkeys((*self.inputs, *self.outputs)))

    # ------------------------------------------------------------------ running

    def supply(self, change: float = 1.0) -> None:
        """Set the inputs that the user gave, times `change`."""
        for name, value in self._given.items():
            self.set(name, np.full(self.count(name), change * value))

    def step(self, count: int = 1, change: float = 1.0) -> None:
        """Supply the inputs and update, `count` times."""
        for _ in range(count):
            self.supply(change)
            self.bmi.update()

    def finalize(self) -> None:
        """Finalize the component."""
        self.finalized = True
        self.bmi.finalize()

    # ------------------------------------------------------------------ values

    def dtype(self, name: str) -> np.dtype[Any]:
        """Numpy type of a variable; a name that numpy and C understand differently is decided by the item size.

        Raises
        ------
        Fault
            If the name is no type, or its values have another size.
        """
        kind, size = str(self.bmi.get_var_type(name)), int(self.bmi.get_var_itemsize(name))
        known: list[np.dtype[Any]] = []
        for candidate in (kind, _C_TYPES.get(kind.lower(), "")):
            if candidate:
                try:
                    known.append(np.dtype(candidate))
                except TypeError:
                    continue
        require(known, f"{name}: get_var_type gives {kind!r}, which is no type that numpy or C knows")
        for dtype in known:
            if dtype.itemsize == size:
                return dtype
        raise Fault(f"{name}: get_var_itemsize gives {size}, but a {kind} has {known[0].itemsize} bytes")

    def count(self, name: str) -> int:
        """Count the values, by `get_var_nbytes` and `get_var_itemsize`."""
        return int(self.bmi.get_var_nbytes(name)) // int(self.bmi.get_var_itemsize(name))

    def empty(self, name: str) -> Array:
        """Return an array that the values of a variable fit into."""
        return np.empty(self.count(name), dtype=self.dtype(name))

    def read(self, name: str) -> Array:
        """Copy of the values, flat; by the pointer where there is no `get_value`."""
        dest = self.empty(name)
        try:
            returned = self.bmi.get_value(name, dest)
        except NotImplementedError:
            returned = optional(self.bmi.get_value_ptr, name)
        return np.array(dest if returned is None else returned).reshape(-1)

    def read_all(self) -> Values:
        """Copy all outputs."""
        return {name: self.read(name) for name in self.outputs}

    def set(self, name: str, values: Array) -> None:
        """Set a variable; raises `NotApplicable` where there is no `set_value`."""
        optional(self.bmi.set_value, name, np.ascontiguousarray(values, dtype=self.dtype(name)))

    def other_values(self, name: str) -> Array:
        """Return values that differ from the present ones and are as plausible."""
        now = self.read(name)
        if np.issubdtype(now.dtype, np.integer):
            return np.asarray(now + 1, dtype=now.dtype)
        given = self._given.get(name, 1.0)
        now = np.where(np.isfinite(now), now, given)
        ramp = 1.0 - 1.0e-3 * (1.0 + np.arange(now.size) / max(now.size, 1))  # each value another, towards zero
        return np.where(now == 0.0, 1.0e-3, now * ramp).astype(self.dtype(name))

    def active(self, name: str, missing: float | None, first: Array) -> NDArray[np.bool_]:
        """Tell which values count.

        Cells outside an attribute `mask` (ny, nx) of the component do not, where it has one; with `missing` those
        that have this value in `first`, the values of the start, do not either.
        """
        count = np.ones(first.shape, dtype=bool)
        mask = getattr(self.bmi, "mask", None)
        if mask is not None:
            columns = np.asarray(mask, dtype=bool).reshape(-1)
            rank = int(self.bmi.get_grid_rank(self.bmi.get_var_grid(name)))
            if rank >= 2 and columns.size and first.size % columns.size == 0:
                count &= np.tile(columns, first.size // columns.size)
        if missing is not None:
            count &= ~(np.isnan(first) if np.isnan(missing) else first == missing)
        return count


@dataclass(frozen=True)
class Subject:
    """A component class and what is needed to run it.

    Attributes
    ----------
    create : callable
        Makes an instance, not yet initialized: the class itself.
    config : str
        Configuration file for `initialize`.
    inputs : mapping of str to float
        A uniform value for each input that must be supplied; it is set before every step.
    steps : int
        Steps that the checks take at a time, at least 1.
    missing : float, optional
        Value (NaN, too) that marks cells without values; it is accepted where it stands from the start.
    """

    create: Callable[[], Bmi]
    config: str
    inputs: Mapping[str, float] = field(default_factory=dict)
    steps: int = 3
    missing: float | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps: {self.steps}; the checks need at least 1 step")

    @contextmanager
    def running(self) -> Iterator[Instance]:
        """Initialize an instance, with its inputs supplied; it is finalized at the end."""
        instance = Instance(self.create(), self.inputs)
        instance.bmi.initialize(self.config)
        try:
            instance.supply()
            yield instance
        except BaseException:
            if not instance.finalized:
                with suppress(Exception):  # what the check found comes first
                    instance.finalize()
            raise
        if not instance.finalized:
            instance.finalize()


def load_class(path: str) -> Callable[[], Bmi]:
    """Import ``package:Class``.

    Raises
    ------
    ValueError
        If there is no such package or class; the message says which.
    """
    module_name, _, class_name = path.partition(":")
    if not module_name or not class_name:
        raise ValueError(f"{path!r} is no class; write package:Class, such as heat:BmiHeat")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise ValueError(f"{path}: cannot import {module_name!r}: {error}") from error
    found = getattr(module, class_name, None)
    if not isinstance(found, type):
        raise ValueError(f"{path}: {module_name!r} has no class {class_name!r}")
    create: Callable[[], Bmi] = found
    return create


def same(a: Values, b: Values) -> str:
    """Name the first variable whose values differ, or return an empty text; NaN equals NaN."""
    for name, values in a.items():
        if not np.array_equal(values, b[name], equal_nan=np.issubdtype(values.dtype, np.inexact)):
            return name
    return ""
