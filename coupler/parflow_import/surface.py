"""The land surface and the boundaries: slopes, roughness, overland flow, no flow elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from coupler.parflow_import.definition import Definition
from coupler.parflow_import.geometry import Geometries, Part
from coupler.parflow_import.grid import Grid
from coupler.parflow_import.notices import Notes
from coupler.parflow_import.sources import Constant, Folder, Pfb, Source

_TOP = 5
_OVERLAND = ("OverlandKinematic", "OverlandFlow")
_MANNING_UNITS = "h m-1/3"


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
        For missing files and values, unknown geometries, and boundaries without a type.
    """

    def field(group: str, above: str) -> Source:
        kind = definition.choice(f"{group}.Type", ("Constant", "PFBFile"))
        if kind == "PFBFile":
            definition.use(f"{group}.GeomNames")
            pfb = Pfb(definition.file(f"{group}.FileName"), definition, f"{group}.FileName")
            pfb.values(grid.surface)
            return pfb
        names = definition.names(f"{group}.GeomNames")
        parts = [Part(name, Constant(definition.number(f"{above}.{name}.Value"))) for name in names]
        return geometries.surface_field(parts, f"{group}.GeomNames")

    surface = Surface(
        field("TopoSlopesX", "TopoSlopesX.Geom"),
        field("TopoSlopesY", "TopoSlopesY.Geom"),
        field("Mannings", "Mannings.Geom"),
    )
    notes.map("TopoSlopesX, TopoSlopesY", "domain.yaml: slope")
    notes.map("Mannings", f"domain.yaml: manning, taken as {_MANNING_UNITS}")
    _check_slope_formulation(definition, grid, surface, notes)
    _check_boundaries(definition, geometries, notes)
    return surface


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


def _check_boundaries(definition: Definition, geometries: Geometries, notes: Notes) -> None:
    listed = definition.names("BCPressure.PatchNames")
    for side, patch in enumerate(geometries.patches):
        if patch not in listed:
            raise definition.error("BCPressure.PatchNames", f"patch {patch!r} of {geometries.domain!r} is missing")
        key = f"Patch.{patch}.BCPressure.Type"
        kind = definition.text(key)
        if side == _TOP:
            if kind not in _OVERLAND:
                notes.refuse(
                    key, f"{kind} at the top; here water ponds and flows off (ignored: as with OverlandKinematic)"
                )
                definition.use(*definition.below(f"Patch.{patch}.BCPressure"))
                continue
            if kind == "OverlandFlow":
                notes.notice(
                    f"{key} is OverlandFlow; here overland flow is OverlandKinematic's: slopes belong to the faces "
                    "between cells, and both slopes enter the friction slope, where OverlandFlow takes the slopes of "
                    "the cells, each for itself"
                )
        elif kind != "FluxConst":
            notes.refuse(key, f"{kind} at a side or at the bottom; here nothing flows there (ignored: nothing flows)")
            definition.use(*definition.below(f"Patch.{patch}.BCPressure"))
            continue
        _check_values(definition, patch, notes)
    notes.map("Patch.*.BCPressure", "no flow at sides and bottom, overland flow at the top")


def _check_values(definition: Definition, patch: str, notes: Notes) -> None:
    own = f"Patch.{patch}.BCPressure"
    cycle = definition.text(f"{own}.Cycle")
    for interval in definition.names(f"Cycle.{cycle}.Names"):
        key = f"{own}.{interval}.Value"
        value = definition.number(key)
        if value != 0.0:
            notes.refuse(key, f"a flux of {value:g} through {patch}; here none is prescribed (ignored: none)")
