"""Gauges: named cells whose discharge is published."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bmi_common import Domain
from bmi_common.errors import errors_under
from bmi_common.grids import Grid
from bmi_common.places import PlaceConfig, points_at


def locate(gauges: Mapping[str, PlaceConfig], domain: Domain) -> tuple[Grid, NDArray[np.intp]]:
    """Return the grid of the gauges and their flat cell indices, -1 in other parts of a domain.

    Raises
    ------
    ConfigError
        As `PlaceConfig.cell`, with the gauge's name.
    """
    cells: list[tuple[int, int] | None] = []
    for name, spec in gauges.items():
        with errors_under(f"richards.gauges.{name}"):
            cells.append(spec.cell_here(domain))
    flat = [-1 if cell is None else cell[0] * domain.nx + cell[1] for cell in cells]
    return points_at(domain, list(gauges), cells), np.array(flat, dtype=np.intp)
