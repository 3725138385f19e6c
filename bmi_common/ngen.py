"""Components as modules of NOAA's ngen (NextGen Water Resources Modeling Framework).

ngen asks for more than BMI does (its document "BMI Conventions"): times are absolute seconds from 0, no name is both
input and output, every published input is supplied, and a name that a module does not know may be offered by
`set_value` and must be passed over. Components of this package keep the first two rules anyway; `NgenRules` adds the
rest, and ngen's draft of state serialization (its "BMI Serialization Protocol", version 0.1) over `save_state` and
`load_state`.
"""

from __future__ import annotations

import logging
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bmi_common.bmi_base import DeclaredBmi
from bmi_common.errors import ConfigError
from bmi_common.variables import Role

log = logging.getLogger("rootzone")

CREATE = "ngen::serialization_create"
FREE = "ngen::serialization_free"
SIZE = "ngen::serialization_size"
STATE = "ngen::serialization_state"

_MAGIC = b"rootzone"
_HEADER = struct.Struct("<8sQ")


@dataclass(frozen=True)
class Reserved:
    """Type and units of a reserved variable, as ngen compares them."""

    dtype: str
    units: str


RESERVED = {
    CREATE: Reserved("int32", "ngen::trigger"),
    FREE: Reserved("int32", "ngen::trigger"),
    SIZE: Reserved("int64", "bytes"),
    STATE: Reserved("uint8", "ngen::opaque"),
}
"""Variables that ngen drives the serialization by; in no list of names."""


class NgenRules(DeclaredBmi):
    """Put before a component's class, makes it a module of ngen: ``class Richards(NgenRules, BmiRichards)``.

    **Serialization.** Setting `CREATE` captures the state in a buffer, which `SIZE` and `STATE` give, and setting
    `FREE` drops it; neither changes the component. Setting `SIZE` announces the bytes that will come, setting
    `STATE` restores the component from them. What is restored before the first step starts the component at BMI time
    0, because ngen counts every simulation from there; what is restored later takes the clock back with it. Where
    `resumes` is true, the clock is always that of the state.
    """

    resumes: ClassVar[bool] = False
    optional: ClassVar[frozenset[str]] = frozenset()
    """Inputs that may be set, but mean nothing where they are not."""

    def _reset(self) -> None:
        super()._reset()
        self._reserved = {name: np.zeros(1, dtype=r.dtype) for name, r in RESERVED.items()}
        self._keep(b"")

    def _keep(self, content: bytes) -> None:
        self._reserved[STATE] = np.frombuffer(content, dtype=np.uint8).copy()
        self._reserved[SIZE][0] = len(content)

    # ------------------------------------------------------------------ names

    @property
    def forcing_is_read(self) -> bool:
        """Whether the component reads its forcing by itself, so that ngen need not supply it."""
        return False

    def get_input_var_names(self) -> tuple[str, ...]:  # type: ignore[override]  # bmipy says one name
        """Names of the inputs that ngen must supply; others may be set, if they are optional or read from files."""
        unpublished = Role.FORCING if self.forcing_is_read else None
        return tuple(
            v.name
            for v in self.variables
            if v.role.is_input and v.role is not unpublished and v.name not in self.optional
        )

    # ------------------------------------------------------------------ reserved variables

    def get_var_type(self, name: str) -> str:
        """Numpy name of the variable's type."""
        return RESERVED[name].dtype if name in RESERVED else super().get_var_type(name)

    def get_var_units(self, name: str) -> str:
        """Units of the variable."""
        return RESERVED[name].units if name in RESERVED else super().get_var_units(name)

    def get_var_itemsize(self, name: str) -> int:
        """Bytes of one value."""
        return np.dtype(RESERVED[name].dtype).itemsize if name in RESERVED else super().get_var_itemsize(name)

    def get_var_nbytes(self, name: str) -> int:
        """Bytes of all values; those of the buffer are known after a capture."""
        return int(self.get_value_ptr(name).nbytes) if name in RESERVED else super().get_var_nbytes(name)

    def get_value_ptr(self, name: str) -> NDArray[Any]:
        """Live flat array of the variable; the buffer is another one after each capture."""
        return self._reserved[name] if name in RESERVED else super().get_value_ptr(name)

    def set_value(self, name: str, src: NDArray[Any]) -> None:
        """Set an input or a state, or drive the serialization; names that the component does not know are ignored."""
        if name in RESERVED:
            self._drive(name, np.asarray(src))
        elif name in self._table:
            super().set_value(name, src)
        else:
            log.debug("%s: ngen offered %r, which it does not know", self.component_name, name)

    def _drive(self, name: str, src: NDArray[Any]) -> None:
        self._need("set_value")
        if name == CREATE:
            self._keep(self._captured())
        elif name == FREE:
            self._keep(b"")
        elif name == SIZE:
            self._keep(bytes(int(src.reshape(-1)[0])))
        else:
            self._restore(src.reshape(-1).astype(np.uint8, copy=False).tobytes())

    # ------------------------------------------------------------------ states

    def _captured(self) -> bytes:
        with tempfile.TemporaryDirectory(prefix="ngen-") as folder:
            path = Path(folder) / "state.nc"
            self.save_state(path)
            content = path.read_bytes()
        return _HEADER.pack(_MAGIC, len(content)) + content

    def _restore(self, payload: bytes) -> None:
        whole = len(payload) >= _HEADER.size
        magic, length = _HEADER.unpack_from(payload) if whole else (b"", 0)
        if magic != _MAGIC:
            raise ConfigError(f"{self.component_name}: {STATE}: {len(payload)} bytes that are no state of a component")
        content = payload[_HEADER.size : _HEADER.size + length]
        if len(content) != length:
            raise ConfigError(f"{self.component_name}: {STATE}: cut off, {len(content)} bytes of {length}")
        take: Callable[[Path], None] = self.start_from if self._is_at_start and not self.resumes else self.load_state
        with tempfile.TemporaryDirectory(prefix="ngen-") as folder:
            path = Path(folder) / "state.nc"
            path.write_bytes(content)
            try:
                take(path)
            except ConfigError as error:
                raise error.changed(file=STATE) from error

    @property
    def _is_at_start(self) -> bool:
        return self._steps_done == 0

    # ------------------------------------------------------------------ grids

    def get_grid_shape(self, grid: int, shape: NDArray[np.int_]) -> NDArray[np.int_]:
        """Shape of the grid; that of a scalar is left as it is, because ngen hands over one number for it."""
        return shape if self.get_grid_rank(grid) == 0 else super().get_grid_shape(grid, shape)
