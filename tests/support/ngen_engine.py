"""What ngen does with a Python module of BMI, call by call, as far as its public sources and conventions tell."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

CREATE, FREE, SIZE, STATE = (f"ngen::serialization_{word}" for word in ("create", "free", "size", "state"))
UNITS = {CREATE: "ngen::trigger", FREE: "ngen::trigger", SIZE: "bytes", STATE: "ngen::opaque"}
SIZES = {"int32": 4, "int64": 8, "float32": 4, "float64": 8, "uint8": 1}
"""Types for which ngen has one of C++."""


class Engine:
    """One formulation: a module, its inputs, and a clock that only goes forward.

    Parameters
    ----------
    python_type : str
        ``package.module.Class`` as in a realization.
    init_config : str
        The module's configuration file.
    """

    def __init__(self, python_type: str, init_config: str, step: float = 3600.0) -> None:
        module, _, name = python_type.rpartition(".")
        self.module = getattr(importlib.import_module(module), name)()
        self.module.initialize(init_config)
        self.inputs = tuple(self.module.get_input_var_names())
        self.outputs = tuple(self.module.get_output_var_names())
        assert len(self.inputs) == self.module.get_input_item_count()
        assert len(self.outputs) == self.module.get_output_item_count()
        assert not set(self.inputs) & set(self.outputs), "a name is both input and output"
        assert self.module.get_time_units() in ("s", "sec", "second", "seconds")
        assert self.module.get_start_time() == 0.0
        self.step, self.time = step, 0.0

    def length(self, name: str) -> int:
        """Count of values, as the adapter finds it before it hands over an array."""
        itemsize, dtype = self.module.get_var_itemsize(name), self.module.get_var_type(name)
        assert SIZES[dtype] == itemsize
        count: int = self.module.get_var_nbytes(name) // itemsize
        return count

    def set(self, name: str, values: NDArray[Any]) -> None:
        """Hand over an array of the module's length and type."""
        array = np.ascontiguousarray(values, dtype=self.module.get_var_type(name)).reshape(-1)
        assert array.size == self.length(name), f"{name}: {array.size} values for {self.length(name)}"
        self.module.set_value(name, array)

    def get(self, name: str) -> NDArray[Any]:
        """Read a variable the two ways of the adapter."""
        dest = np.zeros(self.length(name), dtype=self.module.get_var_type(name))
        self.module.get_value(name, dest)
        pointed = np.array(self.module.get_value_ptr(name))
        np.testing.assert_array_equal(dest, pointed)
        return dest

    def advance(self, given: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """One time step: every published input, then `update_until`, then every output."""
        missing = set(self.inputs) - set(given)
        assert not missing, f"no provider for {sorted(missing)}"
        for name in self.inputs:
            assert self.module.get_var_units(name)
            self.set(name, given[name])
        self.time += self.step
        self.module.update_until(self.time)
        return {name: self.get(name) for name in self.outputs}

    # ------------------------------------------------------------------ serialization

    def supports_serialization(self) -> bool:
        """Probe by metadata alone, as the protocol does."""
        try:
            return all(self.module.get_var_units(name) == units for name, units in UNITS.items())
        except Exception:
            return False

    def save(self) -> bytes:
        """Capture, size, read, free."""
        trigger = np.zeros(1, dtype=np.int32)
        self.module.set_value(CREATE, trigger)
        size = int(self.get(SIZE)[0])
        assert size > 0
        assert self.length(STATE) == size
        content = self.get(STATE).tobytes()
        self.module.set_value(FREE, trigger)
        return content

    def restore(self, content: bytes, announced: bool = True) -> None:
        """Hand over what `save` returned."""
        if announced:
            self.module.set_value(SIZE, np.array([len(content)]))
            assert self.length(STATE) == len(content)
        self.module.set_value(STATE, np.frombuffer(content, dtype=np.uint8))


class Formulation:
    """Modules in one formulation, `bmi_multi`, that hand arrays to each other by identifier.

    An identifier is the alias of ``variables_names_map``, or the name. ngen refuses two outputs of the same one, inputs
    that no output belongs to, and arrays of another length; what a later module gives is that of the step before.

    Parameters
    ----------
    params : mapping
        Those of the realization.
    file : callable
        Gives the path of an ``init_config``.
    """

    def __init__(self, params: Mapping[str, Any], file: Callable[[str], str]) -> None:
        self.modules = [m["params"] for m in params["modules"]]
        self.engines = [Engine(m["python_type"], file(m["init_config"])) for m in self.modules]
        self.providers: dict[str, tuple[Engine, str]] = {}
        for module, engine in zip(self.modules, self.engines, strict=True):
            for name in engine.outputs:
                identifier = module.get("variables_names_map", {}).get(name, name)
                assert identifier not in self.providers, f"a previous module is using {identifier}"
                self.providers[identifier] = (engine, name)
        assert params["main_output_variable"] in self.providers

    def advance(self) -> None:
        """One time step of all modules in their order."""
        for module, engine in zip(self.modules, self.engines, strict=True):
            given = {}
            for name in engine.inputs:
                provider, output = self.providers[module.get("variables_names_map", {}).get(name, name)]
                assert provider.module.get_var_units(output) == engine.module.get_var_units(name)
                given[name] = provider.get(output)
            engine.advance(given)
