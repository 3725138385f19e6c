"""Pressure at the start."""

from __future__ import annotations

from typing import Any

from rootzone.parflow_import.definition import Definition
from rootzone.parflow_import.geometry import Geometries, Part
from rootzone.parflow_import.grid import Grid
from rootzone.parflow_import.notices import Notes
from rootzone.parflow_import.solid import Face
from rootzone.parflow_import.sources import Constant, Folder, Pfb

_KINDS = ("Constant", "PFBFile", "HydroStaticPatch", "HydroStaticDepth")


def read_initial(
    definition: Definition, grid: Grid, geometries: Geometries, depth: float, folder: Folder, notes: Notes
) -> dict[str, Any]:
    """Return the ``initial:`` section of ``groundwater.yaml``; `depth` [m] is that of all layers.

    Raises
    ------
    ConfigError
        For missing files and values, and a reference patch that is neither top nor bottom of the domain.
    """
    kind = definition.choice("ICPressure.Type", _KINDS)
    names = definition.names("ICPressure.GeomNames")
    own = f"Geom.{geometries.domain}.ICPressure"
    notes.map(f"ICPressure ({kind})", "groundwater.yaml: initial: pressure_head or water_table_depth")
    if kind == "PFBFile":
        definition.use(f"{own}.RefPatch", f"{own}.RefGeom")
        pfb = Pfb(definition.file(f"{own}.FileName"), definition, f"{own}.FileName")
        pfb.values(grid.shape)
        return {"pressure_head": folder.path(pfb.file, pfb.key)}
    if kind == "Constant":
        keys = {name: f"Geom.{name}.ICPressure.Value" for name in names}
        parts = [Part(name, Constant(definition.number(key)), key) for name, key in keys.items()]
        return {"pressure_head": geometries.field(parts, "ICPressure.GeomNames").spec("pressure_head", "m", folder)}
    if names != [geometries.domain]:
        raise definition.error(
            "ICPressure.GeomNames", f"with {kind} the domain {geometries.domain!r} alone is supported, got {names}"
        )
    head = definition.number(f"{own}.Value")
    if kind == "HydroStaticDepth":
        below_top = grid.z0 + depth - definition.number(f"{own}.RefElevation")
    else:
        below_top = _patch_depth(definition, geometries, own, depth)
    return {"water_table_depth": float(f"{below_top - head:.12g}")}


def _patch_depth(definition: Definition, geometries: Geometries, own: str, depth: float) -> float:
    geometry = definition.text(f"{own}.RefGeom", geometries.domain)
    if geometry != geometries.domain:
        raise definition.error(f"{own}.RefGeom", f"must be the domain {geometries.domain!r}, got {geometry!r}")
    patch = definition.text(f"{own}.RefPatch")
    depths = {geometries.sole_patch(Face.BOTTOM): depth, geometries.sole_patch(Face.TOP): 0.0}
    if patch not in depths:
        known = " or ".join(repr(name) for name in depths if name is not None)
        raise definition.error(f"{own}.RefPatch", f"must be the whole bottom or top, {known}, got {patch!r}")
    return depths[patch]
