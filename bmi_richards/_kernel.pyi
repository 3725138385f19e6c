from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

def max_threads() -> int: ...
def evaluate_state(
    soil_cells: Floats,
    kr_alpha: Floats,
    kr_n: Floats,
    minimum_head: Floats,
    own_permeability: bool,
    table_points: int,
    threads: int,
    state_cells: Floats,
) -> None: ...
def ground_water(soil_cells: Floats, threads: int, state_cells: Floats) -> Floats: ...
def advance(**arguments: Any) -> tuple[int, float, bool]: ...
