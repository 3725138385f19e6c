"""Thickness of the layers: ``ComputationalGrid.DZ`` and ``dzScale``."""

from __future__ import annotations

import numpy as np

from rootzone.parflow_import.definition import Definition
from rootzone.parflow_import.geometry import Geometries, Part
from rootzone.parflow_import.grid import ParflowGrid
from rootzone.parflow_import.notices import Notes
from rootzone.parflow_import.sources import Constant, Floats, Pfb

SWITCH = "Solver.Nonlinear.VariableDz"
_DEFAULT_SCALE = 1.0
"""What ParFlow takes in cells of no named geometry."""


def read_layers(definition: Definition, grid: ParflowGrid, geometries: Geometries, notes: Notes) -> list[float]:
    """Thickness of each layer [m], bottom first.

    Raises
    ------
    ConfigError
        For missing or impossible multipliers, or multipliers that differ within a layer.
    """
    if not definition.flag(SWITCH):
        idle = [*definition.below("dzScale"), *(k for k in definition.below("Cell") if ".dzScale." in k)]
        definition.use(*idle)
        if idle:
            notes.notice(f"{SWITCH} is False, so ParFlow does not use dzScale; all layers are {grid.dz:g} m thick")
        notes.map("ComputationalGrid", "domain.yaml", "grid", "layers", how=f": {grid.nz} of {grid.dz:g} m")
        return [grid.dz] * grid.nz
    scale = _multipliers(definition, grid, geometries)
    own = scale[geometries.layers]
    if not (own > 0).all():
        raise definition.error("dzScale.Type", f"multipliers must be above 0, got {own.min():g}")
    deep = float(own.sum() * grid.dz)
    notes.map("ComputationalGrid, dzScale", "domain.yaml", "grid", "layers", how=f": {len(own)}, {deep:g} m deep")
    # 12 digits: 0.05 times 2 m should read 0.1
    return [float(f"{grid.dz * s:.12g}") for s in scale]


def _multipliers(definition: Definition, grid: ParflowGrid, geometries: Geometries) -> Floats:
    kind = definition.choice("dzScale.Type", ("Constant", "nzList", "PFBFile"))
    if kind == "nzList":
        count = definition.number("dzScale.nzListNumber")
        if count != grid.nz:
            raise definition.error("dzScale.nzListNumber", f"{count:g} multipliers for {grid.nz} layers")
        return np.array([definition.number(f"Cell.{k}.dzScale.Value") for k in range(grid.nz)])
    if kind == "PFBFile":
        key = f"Geom.{geometries.domain}.dzScale.FileName"
        values = Pfb(definition.file(key), definition, key).values(grid.shape)
    else:
        keys = {name: f"Geom.{name}.dzScale.Value" for name in definition.names("dzScale.GeomNames", "")}
        parts = [Part(name, Constant(definition.number(key)), key) for name, key in keys.items()]
        values = geometries.field(parts, "dzScale.GeomNames", default=_DEFAULT_SCALE).values(grid.shape)
    active = geometries.active
    scale = values[:, geometries.mask][:, 0].copy()
    for k in np.flatnonzero(active.any(axis=(1, 2))):
        layer = values[k][active[k]]
        if not (layer == layer[0]).all():
            raise definition.error(
                "dzScale.Type", "multipliers differ within a layer; layers must be as thick everywhere"
            )
        scale[k] = layer[0]
    return np.asarray(scale)
