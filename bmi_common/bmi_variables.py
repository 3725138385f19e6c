"""BMI's functions that tell of variables, and that get and set their values."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from bmipy import Bmi
from numpy.typing import NDArray

from bmi_common.errors import BmiStateError, UnknownNameError
from bmi_common.suggest import did_you_mean
from bmi_common.variables import Role, Variable


class VariableFunctions(Bmi):
    """Component whose variables are declared in a table and whose values are arrays.

    Attributes
    ----------
    supplied : set of str
        Variables that have been set since the last step.
    """

    component_name: ClassVar[str]
    variables: ClassVar[tuple[Variable, ...]]

    def __init__(self) -> None:
        self._table: dict[str, Variable] = {v.name: v for v in self.variables}
        self._flat: dict[str, NDArray[Any]] = {}
        self.supplied: set[str] = set()

    @abstractmethod
    def _need(self, function: str) -> None:
        """Raise `BmiStateError` where `function` cannot be answered because there are no values."""

    @abstractmethod
    def _take(self, name: str) -> None:
        """Note that somebody asks for the values of `name`, which are in `_flat` from now on."""

    @abstractmethod
    def _adopt_state(self, name: str) -> None:
        """Make what follows from the state `name`, which has just been set."""

    def variable(self, name: str) -> Variable:
        """Return the declaration of `name`; raises `UnknownNameError` if there is none."""
        try:
            return self._table[name]
        except KeyError:
            raise UnknownNameError(
                f"{self.component_name} has no variable {name!r}{did_you_mean(name, self._table)}"
            ) from None

    def get_input_var_names(self) -> tuple[str, ...]:  # type: ignore[override]  # bmipy says one name
        """Names of the inputs, known before `initialize`."""
        return tuple(v.name for v in self.variables if v.role.is_input)

    def get_output_var_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the outputs, known before `initialize`."""
        return tuple(v.name for v in self.variables if not v.role.is_input)

    def get_input_item_count(self) -> int:
        """Count the inputs."""
        return len(self.get_input_var_names())

    def get_output_item_count(self) -> int:
        """Count the outputs."""
        return len(self.get_output_var_names())

    def get_var_grid(self, name: str) -> int:
        """Return the identifier of the variable's grid."""
        return int(self.variable(name).grid)

    def get_var_type(self, name: str) -> str:
        """Numpy name of the variable's type."""
        return self.variable(name).dtype

    def get_var_units(self, name: str) -> str:
        """Units of the variable, as udunits reads them."""
        return self.variable(name).units

    def get_var_itemsize(self, name: str) -> int:
        """Bytes of one value."""
        return int(np.dtype(self.variable(name).dtype).itemsize)

    def get_var_nbytes(self, name: str) -> int:
        """Bytes of all values."""
        self.variable(name)
        self._need("get_var_nbytes")
        return int(self.get_grid_size(self.get_var_grid(name))) * self.get_var_itemsize(name)

    def get_var_location(self, name: str) -> str:
        """Where on the grid values are: cells are described by their centres."""
        self.variable(name)
        return "node"

    def get_value_ptr(self, name: str) -> NDArray[Any]:
        """Live flat array of the variable; the same object until `finalize`."""
        self.variable(name)
        self._need("get_value_ptr")
        self._take(name)
        return self._flat[name]

    def get_value(self, name: str, dest: NDArray[Any]) -> NDArray[Any]:
        """Copy the variable into `dest` (flat or in grid shape) and return it."""
        source = self.get_value_ptr(name)
        self._check_size("get_value", name, dest.size, source.size)
        dest[...] = source.reshape(dest.shape)
        return dest

    def get_value_at_indices(self, name: str, dest: NDArray[Any], inds: NDArray[np.intp]) -> NDArray[Any]:
        """Copy the values at flat indices `inds` into `dest` and return it."""
        source = self.get_value_ptr(name)
        at = self._indices("get_value_at_indices", name, inds, dest.size)
        dest[...] = source[at].reshape(dest.shape)
        return dest

    def set_value(self, name: str, src: NDArray[Any]) -> None:
        """Set an input or a state from `src` (flat or in grid shape)."""
        target = self._settable("set_value", name)
        source = np.asarray(src)
        self._check_size("set_value", name, source.size, target.size)
        target[:] = source.reshape(-1)
        self._supplied(name)

    def set_value_at_indices(self, name: str, inds: NDArray[np.intp], src: NDArray[Any]) -> None:
        """Set the values at flat indices `inds` of an input or a state."""
        target = self._settable("set_value_at_indices", name)
        source = np.asarray(src).reshape(-1)
        target[self._indices("set_value_at_indices", name, inds, source.size)] = source
        self._supplied(name)

    def _supplied(self, name: str) -> None:
        self.supplied.add(name)
        if self.variable(name).role is Role.STATE:
            self._adopt_state(name)

    def _settable(self, function: str, name: str) -> NDArray[Any]:
        if not self.variable(name).role.is_settable:
            raise BmiStateError(
                f"{self.component_name}.{function}: {name!r} is made by this component and cannot be set"
            )
        return self.get_value_ptr(name)

    def _indices(self, function: str, name: str, inds: NDArray[np.intp], count: int) -> NDArray[np.intp]:
        at = np.asarray(inds).reshape(-1)
        size = self._flat[name].size
        if at.size != count:
            raise ValueError(f"{self.component_name}.{function}: {name!r}: {at.size} indices for {count} values")
        if at.size and (at.min() < 0 or at.max() >= size):
            raise ValueError(f"{self.component_name}.{function}: {name!r} has indices from 0 to {size - 1}")
        return at

    def _check_size(self, function: str, name: str, given: int, expected: int) -> None:
        if given != expected:
            raise ValueError(
                f"{self.component_name}.{function}: {name!r} has {expected} values, the array given has {given}"
            )
