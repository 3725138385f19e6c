from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

def max_threads() -> int: ...
def evaluate_state(
    top: NDArray[np.int32],
    head: Floats,
    alpha: Floats,
    n: Floats,
    kr_alpha: Floats,
    kr_n: Floats,
    residual: Floats,
    span: Floats,
    minimum_head: Floats,
    own_permeability: bool,
    table_points: int,
    threads: int,
    saturation: Floats,
    kr: Floats,
    dsaturation: Floats,
    dkr: Floats,
) -> None: ...
def advance(**arguments: Any) -> tuple[int, float, bool]: ...
