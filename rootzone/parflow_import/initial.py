"""Pressure at the start."""

from __future__ import annotations

from typing import Any

import numpy as np

from bmi_common.errors import describe_cell
from rootzone.parflow_import.definition import Definition
from rootzone.parflow_import.geometry import Geometries, Part
from rootzone.parflow_import.grid import ParflowGrid
from rootzone.parflow_import.notices import Notes
from rootzone.parflow_import.solid import Face
from rootzone.parflow_import.sources import Constant, File, Folder, Netcdf, Pfb, Source, simplest

_FILES = ("PFBFile", "NCFile")
_KINDS = ("Constant", "HydroStaticPatch", "HydroStaticDepth", *_FILES)


def read_initial(
    definition: Definition,
    grid: ParflowGrid,
    geometries: Geometries,
    layers: list[float],
    folder: Folder,
    notes: Notes,
) -> dict[str, Any]:
    """Return the ``initial:`` section of ``groundwater.yaml``; `layers` [m] are those of the domain, bottom first.

    Where the ground rises and falls through the layers, the depth of the water table is counted from there.

    Raises
    ------
    ConfigError
        For missing files and values, and a reference patch that is neither top nor bottom of the domain.
    """
    kind = definition.choice("ICPressure.Type", _KINDS)
    names_key = "ICPressure.GeomNames"
    names = definition.names(names_key)
    own = f"Geom.{geometries.domain}.ICPressure"
    notes.map(f"{names_key}, ICPressure ({kind})", "groundwater.yaml", "initial")
    if kind in _FILES:
        definition.use(f"{own}.RefPatch", f"{own}.RefGeom")
        key = f"{own}.FileName"
        file = definition.file(key)
        if kind == "PFBFile":
            head: Source = Pfb(file, definition, key)
        else:
            head = Netcdf(file, definition, key, "pressure", definition.integer(f"{own}.TimeStep", 0))
        return {"pressure_head": _spec(head, grid, geometries, layers, folder)}
    if kind == "Constant":
        keys = {name: f"Geom.{name}.ICPressure.Value" for name in names}
        parts = [Part(name, Constant(definition.number(key)), key) for name, key in keys.items()]
        return {"pressure_head": _spec(geometries.field(parts, names_key), grid, geometries, layers, folder)}
    depth = sum(layers)
    if names == [geometries.domain]:
        table = _table_depth(definition, grid, geometries, geometries.domain, kind, depth)
        is_level = kind == "HydroStaticDepth" or definition.text(f"{own}.RefPatch") != geometries.sole_patch(Face.TOP)
        if geometries.has_level_top or not is_level:
            return {"water_table_depth": table}
        ground = np.cumsum(layers)[geometries.top_layer.astype(np.intp)]
        depths = simplest(ground - (depth - table), geometries.mask)
        return {"water_table_depth": depths.spec("water_table_depth", "m", folder)}
    centres = np.cumsum(layers) - 0.5 * np.array(layers)
    parts = []
    for name in names:
        patch = definition.text(f"Geom.{name}.ICPressure.RefPatch", "")
        if not geometries.has_level_top and patch == geometries.sole_patch(Face.TOP):
            raise definition.error(
                f"Geom.{name}.ICPressure.RefPatch", "the ground is not level; supported for one geometry, the domain"
            )
        table = _table_depth(definition, grid, geometries, name, kind, depth)
        profile = np.zeros(grid.nz)
        profile[geometries.layers] = depth - table - centres
        parts.append(Part(name, Constant(tuple(profile.tolist())), f"Geom.{name}.ICPressure.Value"))
    return {"pressure_head": _spec(geometries.field(parts, names_key), grid, geometries, layers, folder)}


def _spec(head: Source, grid: ParflowGrid, geometries: Geometries, layers: list[float], folder: Folder) -> Any:
    """Spell a field of heads; in rock, where ParFlow has none, water is at rest with the lowest cell of the domain."""
    values = head.values(grid.shape)
    missing = ~np.isfinite(values) & geometries.active
    if missing.any() and isinstance(head, File):
        where = describe_cell(tuple(int(i) for i in np.argwhere(missing)[0]))
        raise head.definition.error(
            head.key, f"{head.file}: no finite head in {int(missing.sum())} cells, first {where}"
        )
    if geometries.rock.any():
        own, rock = values[geometries.layers], geometries.rock[geometries.layers]
        centres = (np.cumsum(layers) - 0.5 * np.array(layers))[:, np.newaxis, np.newaxis]
        lowest = np.argmin(rock, axis=0)[np.newaxis]
        level = np.take_along_axis(own + centres, lowest, axis=0)
        values = values.copy()
        values[geometries.layers] = np.where(rock, level - centres, own)
        head = simplest(values, geometries.mask)
    return folder.in_layers(head.spec("pressure_head", "m", folder))


def _table_depth(
    definition: Definition, grid: ParflowGrid, geometries: Geometries, name: str, kind: str, depth: float
) -> float:
    """Depth [m] of the water table below the top of the domain that a geometry starts with."""
    own = f"Geom.{name}.ICPressure"
    if kind == "HydroStaticDepth":
        top = grid.z0 + geometries.layers.start * grid.dz + depth
        reference = top - definition.number(f"{own}.RefElevation")
    else:
        reference = geometries.reference_depth(own, depth)
    return float(f"{reference - definition.number(f'{own}.Value'):.12g}")
