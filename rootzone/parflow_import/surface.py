"""The land surface and the boundaries: slopes, roughness, overland flow, no flow elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from bmi_common.domain import Limits
from rootzone.parflow_import.definition import Definition
from rootzone.parflow_import.geometry import Geometries, Part, Quantity
from rootzone.parflow_import.grid import Grid
from rootzone.parflow_import.notices import Notes
from rootzone.parflow_import.solid import Face
from rootzone.parflow_import.sources import Constant, Folder, Pfb, Source

_OVERLAND: Final = ("OverlandKinematic", "OverlandFlow")
_MANNING_UNITS: Final = "h m-1/3"
_DEFAULT_SLOPE: Final = 0.0
_DEFAULT_MANNING: Final = 1.0
"""What ParFlow takes in columns that no named geometry has a cell in; the roughness in h m-1/3."""
_MANNING: Final = Quantity("Manning's roughness", Limits(_MANNING_UNITS, 3.0e-8, 3.0e-3))
"""Range where it is given; a roughness in s m-1/3 lies above it."""


@dataclass(frozen=True)
class Surface:
    """Fields of the surface; Manning's roughness in h m-1/3."""

    slope_x: Source
    slope_y: Source
    manning: Source

    def spec(self, folder: Folder) -> dict[str, Any]:
        """Keys of ``domain.yaml``."""
        manning = self.manning.spec("manning", _MANNING_UNITS, folder)
        if not isinstance(manning, dict):
            manning = {"file" if isinstance(manning, str) else "value": manning, "units": _MANNING_UNITS}
        return {
            "slope": {
                "x": self.slope_x.spec("slope_x", "1", folder),
                "y": self.slope_y.spec("slope_y", "1", folder),
            },
            "manning": manning,
        }


def read_surface(definition: Definition, grid: Grid, geometries: Geometries, notes: Notes) -> Surface:
    """Read slopes and roughness, and check that boundaries and slope formulation are those of the Richards solver.

    Raises
    ------
    ConfigError
        For missing files, unknown geometries, values out of their range, and boundaries without a type.
    """
    flows = _check_boundaries(definition, geometries, notes)
    surface = Surface(
        _slope(definition, geometries, "X"),
        _slope(definition, geometries, "Y"),
        _manning(definition, grid, geometries, notes) if flows else _unused_manning(definition),
    )
    notes.map("TopoSlopesX, TopoSlopesY", "domain.yaml: slope")
    if flows:
        notes.map("Mannings", f"domain.yaml: manning, taken as {_MANNING_UNITS}")
    _check_slope_formulation(definition, grid, surface, notes)
    return surface


def _slope(definition: Definition, geometries: Geometries, axis: str) -> Source:
    group = f"TopoSlopes{axis}"
    quantity = Quantity.of_domain(f"slope.{axis.lower()}")
    return geometries.surface_field(
        _parts(definition, geometries, group), f"{group}.GeomNames", quantity, _DEFAULT_SLOPE
    )


def _manning(definition: Definition, grid: Grid, geometries: Geometries, notes: Notes) -> Source:
    key = "Mannings.GeomNames"
    field = geometries.surface_field(_parts(definition, geometries, "Mannings"), key, _MANNING, _DEFAULT_MANNING)
    bare = int((field.values(grid.surface)[geometries.mask] == _DEFAULT_MANNING).sum())
    if bare:
        notes.notice(
            f"{key} gives {bare} columns no roughness; there it is ParFlow's default, "
            f"{_DEFAULT_MANNING:g} {_MANNING_UNITS}"
        )
    return field


def _parts(definition: Definition, geometries: Geometries, group: str) -> list[Part]:
    if definition.choice(f"{group}.Type", ("Constant", "PFBFile"), "Constant") == "PFBFile":
        key = f"{group}.FileName"
        return [Part(geometries.domain, Pfb(definition.file(key), definition, key), key)]
    keys = {name: f"{group}.Geom.{name}.Value" for name in definition.names(f"{group}.GeomNames", "")}
    return [Part(name, Constant(definition.number(key)), key) for name, key in keys.items()]


def _unused_manning(definition: Definition) -> Source:
    """Roughness where a definition asks for no overland flow: whatever it gives means nothing."""
    definition.use(*definition.below("Mannings"))
    return Constant(_DEFAULT_MANNING)


def _check_slope_formulation(definition: Definition, grid: Grid, surface: Surface, notes: Notes) -> None:
    key = "Solver.TerrainFollowingGrid"
    on = definition.flag(key)
    form = definition.choice(f"{key}.SlopeUpwindFormulation", ("Original", "Upwind", "UpwindSine"), "Original")
    flat = all(not s.values(grid.surface).any() for s in (surface.slope_x, surface.slope_y))
    if flat:
        return
    if not on:
        notes.refuse(
            key,
            "False with slopes: ParFlow's layers are level then, and only overland flow follows the slopes; here "
            "layers follow the ground (ignored: they do)",
        )
    elif form != "Upwind":
        how = "averages the slopes of both cells at a face" if form == "Original" else "takes the slope's sine"
        notes.notice(
            f"{key}.SlopeUpwindFormulation is {form}, which {how}; here, as in Upwind, a cell's slope is that of its "
            "east or north face. Lateral groundwater flow between cells of different slopes differs"
        )


def _check_boundaries(definition: Definition, geometries: Geometries, notes: Notes) -> bool:
    """Check all patches; returns whether there is overland flow at the top."""
    listed = definition.names("BCPressure.PatchNames")
    for patch in geometries.patches:
        if patch not in listed:
            raise definition.error("BCPressure.PatchNames", f"patch {patch!r} of {geometries.domain!r} is missing")
    kinds = {patch: definition.text(f"Patch.{patch}.BCPressure.Type") for patch in geometries.patches}
    tops = {patch for patch, faces in geometries.patches.items() if Face.TOP in faces}
    if not tops:
        raise definition.error(f"Geom.{geometries.domain}.Patches", "none of the patches lies at the top of the domain")
    closed = all(kinds[patch] == "FluxConst" for patch in tops)
    for patch, faces in geometries.patches.items():
        key, kind = f"Patch.{patch}.BCPressure.Type", kinds[patch]
        if patch in tops and not closed:
            if not _is_overland(key, kind, notes):
                definition.use(*definition.below(f"Patch.{patch}.BCPressure"))
                continue
            below = faces - {Face.TOP}
            if below:
                where = " and ".join(sorted(face.value for face in below))
                notes.refuse(key, f"{kind} at the {where}, too; here nothing flows there (ignored: nothing flows)")
        elif kind != "FluxConst":
            notes.refuse(key, f"{kind} at a side or at the bottom; here nothing flows there (ignored: nothing flows)")
            definition.use(*definition.below(f"Patch.{patch}.BCPressure"))
            continue
        elif patch in tops:
            notes.notice(
                f"{key} is FluxConst: no water comes or goes over the ground, and heads may rise above it; here such "
                f"water ponds, and hardly flows (roughness {_DEFAULT_MANNING:g} {_MANNING_UNITS}, ParFlow's default)"
            )
        _check_values(definition, patch, notes)
    top = "nothing crosses the top" if closed else "overland flow at the top"
    notes.map("Patch.*.BCPressure", f"no flow at sides and bottom, {top}")
    return not closed


def _is_overland(key: str, kind: str, notes: Notes) -> bool:
    if kind not in _OVERLAND:
        notes.refuse(key, f"{kind} at the top; here water ponds and flows off (ignored: as with OverlandKinematic)")
        return False
    if kind == "OverlandFlow":
        notes.notice(
            f"{key} is OverlandFlow; here overland flow is OverlandKinematic's: slopes belong to the faces between "
            "cells, and both slopes enter the friction slope, where OverlandFlow takes the slopes of the cells, each "
            "for itself"
        )
    return True


def _check_values(definition: Definition, patch: str, notes: Notes) -> None:
    own = f"Patch.{patch}.BCPressure"
    cycle = definition.text(f"{own}.Cycle")
    for interval in definition.names(f"Cycle.{cycle}.Names"):
        key = f"{own}.{interval}.Value"
        value = definition.number(key)
        if value != 0.0:
            notes.refuse(key, f"a flux of {value:g} through {patch}; here none is prescribed (ignored: none)")
