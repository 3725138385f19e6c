"""Gauges: named cells whose discharge is published."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bmi_common import Domain, grids
from bmi_common.errors import errors_under
from bmi_common.grids import Grid
from bmi_common.places import PlaceConfig


def locate(gauges: Mapping[str, PlaceConfig], domain: Domain) -> tuple[Grid, NDArray[np.intp]]:
    """Return the grid of the gauges and their flat cell indices.

    Raises
    ------
    ConfigError
        As `PlaceConfig.cell`, with the gauge's name.
    """
    cells: list[tuple[int, int]] = []
    for name, spec in gauges.items():
        with errors_under(f"richards.gauges.{name}"):
            cells.append(spec.cell(domain))
    return grids.points_in_cells(domain.surface, list(gauges), cells), np.array(
        [j * domain.nx + i for j, i in cells], dtype=np.intp
    )
