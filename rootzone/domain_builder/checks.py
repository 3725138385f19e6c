"""What building a basin has done to the maps, and what of that a user should look at."""

from __future__ import annotations

import numpy as np

from bmi_colm.tables import soil_table, vegetation_table
from bmi_common.domain_checks import Finding
from rootzone.domain_builder.basin import Basin
from rootzone.domain_builder.config import BasinConfig
from rootzone.domain_builder.region import river_area
from rootzone.domain_builder.terrain_statistics import TerrainStatistics

_MUCH_MOVED = 5.0  # m, mean over the basin
_FAR = 3.0  # cells
_SHOWN = 0.005
_COARSE_MAP = 1.1  # cells of the map, in fine cells


def examine_basin(config: BasinConfig, basin: Basin) -> list[Finding]:
    """Say what was done to the ground, the shares of covers and textures, and where gauges are."""
    found = []
    region, drainage = basin.region, basin.ground.drainage
    area = basin.mask.sum() * basin.grid.cell_area
    if region.left_out:
        found.append(
            Finding(f"{region.left_out} cells of the region are left out: no face connects them with the rest")
        )
    if drainage is not None and region.elevation is not None:
        for verb, volume in (("raised", drainage.raised), ("lowered", drainage.lowered)):
            if volume > 0.0:
                found.append(
                    Finding(
                        f"the ground was {verb} by {volume:.4g} m3 so that all of it drains, "
                        f"{volume / area:.3g} m in the mean",
                        volume / area > _MUCH_MOVED,
                    )
                )
        if drainage.banks:
            found.append(
                Finding(f"{drainage.banks} cells were added as banks of rivers on the western or southern rim")
            )
        if drainage.closed_faces:
            found.append(
                Finding(f"{drainage.closed_faces} faces into the western or southern rim are closed to overland flow")
            )
        found.append(
            Finding(
                f"rivers: {int(basin.ground.river.sum())} cells, from {river_area(config, basin.grid) / 1e6:.4g} km2 "
                "upstream on"
            )
        )
    if basin.terrain is not None:
        found += _terrain(basin.terrain)
    vegetation = {number: entry.name for number, entry in vegetation_table().items()}
    found.append(Finding("land cover: " + _shares(basin.cover.classes[basin.mask].astype(np.int64), vegetation)))
    if basin.soil.usda is not None:
        textures = {t.number: name for name, t in soil_table().textures.items()}
        found.append(Finding("texture of the top layer: " + _shares(basin.soil.usda, textures)))
    if basin.rock.any():
        depth = basin.soil.bottom
        found.append(Finding(f"soil is {depth.min():.3g} to {depth.max():.3g} m deep, below it rock"))
    for name, gauge in basin.gauges.items():
        moved = f", moved by {gauge.moved:.0f} m" if gauge.moved > 0.5 * basin.grid.dx else ""
        found.append(
            Finding(
                f"gauge {name}: x {gauge.cell[1]}, y {gauge.cell[0]}, "
                f"{gauge.upstream_area / 1e6:.4g} km2 upstream{moved}",
                gauge.moved > _FAR * basin.grid.dx,
            )
        )
    found.append(Finding(f"water table at the start: {config.initial.water_table_depth:g} m below ground"))
    return found


def _terrain(terrain: TerrainStatistics) -> list[Finding]:
    found = [
        Finding(
            f"terrain: {terrain.cells} cells of {terrain.cell:g} m, in the median {terrain.median_height:.3g} m above "
            f"their drainage, {1e3 * terrain.density:.3g} km of streams in a km2",
            terrain.density == 0.0,
        )
    ]
    if terrain.map_cell > _COARSE_MAP * terrain.cell:
        found.append(
            Finding(
                f"terrain: the elevation map has cells of {terrain.map_cell:.3g} m, wider than the {terrain.cell:g} m "
                "of terrain_statistics; between them the ground is interpolated, and smoother than it is",
                doubtful=True,
            )
        )
    return found


def _shares(classes: np.ndarray[tuple[int, ...], np.dtype[np.int64]], names: dict[int, str]) -> str:
    numbers, counts = np.unique(classes, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    told = [
        f"{names.get(int(numbers[k]), str(numbers[k]))} {100.0 * counts[k] / classes.size:.3g} %"
        for k in order
        if counts[k] >= _SHOWN * classes.size
    ]
    return ", ".join(told)
