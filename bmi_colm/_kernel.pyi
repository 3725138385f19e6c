"""Types of the Fortran extension."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]

def max_threads() -> int: ...
def advance(**arguments: Any) -> None: ...
def take_soil_water(
    cell: Integers,
    owner: Integers,
    share: Floats,
    head_map: Floats,
    saturation_map: Floats,
    capacity: Floats,
    driest: Floats,
    stiffness: Floats,
    floor: Floats,
    threads: int,
    head: Floats,
    saturation: Floats,
    available: Floats,
) -> None: ...
