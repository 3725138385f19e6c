"""Gauges: named cells whose discharge is published."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bmi_common import Domain, grids
from bmi_common.errors import ConfigError, errors_under
from bmi_common.grids import Grid
from bmi_common.partition import Part
from bmi_common.places import PlaceConfig


def locate(gauges: Mapping[str, PlaceConfig], domain: Domain) -> tuple[Grid, NDArray[np.intp]]:
    """Return the grid of the gauges and their flat cell indices, -1 in other parts of a domain.

    Raises
    ------
    ConfigError
        As `PlaceConfig.cell`, with the gauge's name.
    """
    if domain.part is not None:
        return _locate_in_parts(gauges, domain, domain.part)
    cells: list[tuple[int, int]] = []
    for name, spec in gauges.items():
        with errors_under(f"richards.gauges.{name}"):
            cells.append(spec.cell(domain))
    return grids.points_in_cells(domain.surface, list(gauges), cells), np.array(
        [j * domain.nx + i for j, i in cells], dtype=np.intp
    )


def _locate_in_parts(gauges: Mapping[str, PlaceConfig], domain: Domain, part: Part) -> tuple[Grid, NDArray[np.intp]]:
    """As `locate`; each gauge is where a part has its cell."""
    cells, places = [], []
    for name, spec in gauges.items():
        with errors_under(f"richards.gauges.{name}"):
            if spec.x is None or spec.y is None:
                raise ConfigError("name the cell by x and y: several processes cannot find it by its coordinates yet")
            ny, nx = part.shape
            if spec.x >= nx or spec.y >= ny:
                raise ConfigError(
                    f"cell x = {spec.x}, y = {spec.y} is outside the domain, which has x from 0 to {nx - 1} and "
                    f"y from 0 to {ny - 1}"
                )
            j, i = spec.y - part.rows.start, spec.x - part.columns.start
            inside = 0 <= j < domain.ny and 0 <= i < domain.nx and bool(part.own[j, i])
            if inside and not domain.mask[j, i]:
                raise ConfigError(
                    f"cell x = {spec.x}, y = {spec.y} takes no part: the mask of the domain leaves it out"
                )
            cells.append(j * domain.nx + i if inside else -1)
            y, x = domain.surface.coordinates
            places.append((float(y[j]), float(x[i])) if inside else (0.0, 0.0))
    told = part.world.sum(*(value for place in places for value in place)) if places else ()
    return grids.points(list(gauges), told[::2], told[1::2]), np.array(cells, dtype=np.intp)
