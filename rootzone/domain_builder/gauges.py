"""Gauges on the river of the model."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bmi_common.errors import ConfigError, Mistakes
from rootzone.domain_builder.config import BasinConfig
from rootzone.domain_builder.grid import BasinGrid
from rootzone.domain_builder.ground import Ground
from rootzone.domain_builder.natural_flow import snap
from rootzone.domain_builder.region import in_crs, river_area

_SNAP_CELLS = 3.0


class Gauge(NamedTuple):
    """Cell of a gauge, what drains to it [m2], and how far it has been moved [m]."""

    cell: tuple[int, int]
    upstream_area: float
    moved: float


def place_gauges(config: BasinConfig, grid: BasinGrid, ground: Ground) -> dict[str, Gauge]:
    """Put each gauge on the cell of the river that drains what it should, or on the largest river near it.

    Raises
    ------
    ConfigError
        No river is near; all that is wrong with the gauges together.
    """
    if not config.gauges:
        return {}
    if ground.drainage is None:
        raise ConfigError("gauges are put on the river by upstream area, which needs elevation", key="gauges")
    found, mistakes = {}, Mistakes()
    for name, spec in config.gauges.items():
        key = f"gauges.{name}"
        with mistakes.noted():
            x, y = in_crs((spec.x, spec.y), spec.crs, grid, key)
            within = spec.snap if spec.snap is not None else _SNAP_CELLS * grid.dx
            wanted = None if spec.upstream_area is None else spec.upstream_area * 1e6
            area = ground.drainage.upstream_area
            cell = snap(area, grid, (x, y), within, wanted, key, river_area(config, grid))
            at = grid.centre(*cell)
            found[name] = Gauge(cell, float(area[cell]), float(np.hypot(at[0] - x, at[1] - y)))
    mistakes.require_none()
    return found
