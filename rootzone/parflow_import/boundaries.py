"""What happens at the ground, the sides and the bottom: ``BCPressure`` of the patches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from bmi_common.boundary_conditions import Side
from rootzone.parflow_import.cycles import rate_of, read_cycle
from rootzone.parflow_import.definition import Definition
from rootzone.parflow_import.geometry import Geometries
from rootzone.parflow_import.grid import ParflowGrid
from rootzone.parflow_import.notices import Notes
from rootzone.parflow_import.solid import Face
from rootzone.parflow_import.sources import Floats, Folder, Mask, Pfb, simplest

_CONDITIONS: Final = {
    "OverlandKinematic": "overland_kinematic",
    "OverlandFlow": "overland_flow",
    "OverlandFlowPFB": "overland_flow",
    "SeepageFace": "seepage_face",
    "FluxConst": "overland_kinematic",
    "FluxFile": "overland_kinematic",
}
"""Condition at the ground, by the type of its patch."""
_INSTEAD: Final = {
    "OverlandDiffusive": "the diffusive wave needs an iteration over all cells; use OverlandKinematic, which differs "
    "where water backs up",
    "FluxVolumetric": "a volume a time over the patch; give it as FluxConst, divided by the area of the patch",
    "ExactSolution": "a test function of ParFlow; give heads by DirEquilRefPatch",
    "PressureFile": "heads by cell; give one head a patch by DirEquilRefPatch",
    "FluxFile": "fluxes by cell of a side; give one flux a patch by FluxConst",
}
_HELD: Final = ("DirEquilRefPatch", "DirEquilPLinear")
_CLOSED: Final = ("FluxConst", "FluxFile")
"""Types under which no water flows over the ground."""
_LOWER: Final = ("west", "south", "bottom")
"""Sides at which a velocity along the axis flows in."""


@dataclass
class Boundaries:
    """Sections of ``groundwater.yaml``, and whether water flows over the ground."""

    surface: dict[str, Any] = field(default_factory=dict)
    boundaries: list[dict[str, Any]] = field(default_factory=list)
    overland: bool = True
    follows_ground: bool = False
    """Whether columns end at their own topmost layers; otherwise what lies above the ground is rock."""

    @property
    def spec(self) -> dict[str, Any]:
        """Keys of ``groundwater.yaml``."""
        result: dict[str, Any] = {"surface": self.surface} if self.surface else {}
        return {**result, "boundaries": self.boundaries} if self.boundaries else result


def read_boundaries(
    definition: Definition, grid: ParflowGrid, geometries: Geometries, depth: float, folder: Folder, notes: Notes
) -> Boundaries:
    """Read the conditions of all patches of the domain; `depth` [m] is that of all layers.

    Raises
    ------
    ConfigError
        For patches without a type, unknown cycles, missing values and files.
    """
    return _Reader(definition, grid, geometries, depth, folder, notes).read()


@dataclass
class _Reader:
    definition: Definition
    grid: ParflowGrid
    geometries: Geometries
    depth: float
    folder: Folder
    notes: Notes

    def read(self) -> Boundaries:
        definition, geometries = self.definition, self.geometries
        listed = definition.names("BCPressure.PatchNames")
        for patch in geometries.patches:
            if patch not in listed:
                raise definition.error("BCPressure.PatchNames", f"patch {patch!r} of {geometries.domain!r} is missing")
        kinds = {patch: definition.text(f"Patch.{patch}.BCPressure.Type") for patch in geometries.patches}
        tops = [name for name, patch in geometries.patches.items() if Face.TOP in patch.faces]
        if not tops:
            raise definition.error(
                f"Geom.{geometries.domain}.Patches", "none of the patches lies at the top of the domain"
            )
        result = Boundaries()
        self._ground(tops, kinds, result)
        for patch, kind in kinds.items():
            if patch not in tops:
                self._side(patch, kind, result)
        definition.use(*(k for p in geometries.patches for k in definition.below(f"Patch.{p}.BCPressure")))
        definition.use(*definition.below("Cycle"))
        what = "overland flow at the top" if result.overland else "nothing flows over the ground"
        self.notes.map("BCPressure.PatchNames, Patch.*.BCPressure", "groundwater.yaml", "surface", how=f": {what}")
        if result.boundaries:
            self.notes.map("BCPressure.PatchNames, Patch.*.BCPressure", "groundwater.yaml", "boundaries")
        return result

    # ----------------------------------------------------------------- ground

    def _ground(self, tops: list[str], kinds: dict[str, str], result: Boundaries) -> None:
        notes, top = self.notes, tops[0]
        key, kind = f"Patch.{top}.BCPressure.Type", kinds[top]
        result.overland = kind not in _CLOSED
        if kind not in _CONDITIONS:
            why = _INSTEAD.get(kind, "a head that is held at the ground")
            notes.refuse(key, f"{kind}: {why} (ignored: as with OverlandKinematic)")
            return
        fluxes = []
        for patch in tops:
            if kinds[patch] != kind:
                notes.refuse(
                    f"Patch.{patch}.BCPressure.Type",
                    f"{kinds[patch]} beside {kind} at {top!r}; here the ground has one condition (ignored: {kind})",
                )
                continue
            below = self.geometries.patches[patch].faces - {Face.TOP}
            if below:
                where = " and ".join(sorted(face.value for face in below))
                notes.refuse(
                    f"Patch.{patch}.BCPressure.Type",
                    f"{kind} at the {where}, too; here nothing flows there (ignored: nothing flows)",
                )
            fluxes.append(self._rain(patch, kind))
        condition = _CONDITIONS[kind]
        if condition != "overland_kinematic":
            result.surface["condition"] = condition
        if not result.overland:
            notes.notice(
                f"{key} is {kind}: no water comes or goes over the ground but what is prescribed, and heads may "
                "rise above it; here such water ponds, and hardly flows (roughness 1 h m-1/3, ParFlow's default)"
            )
        flux = fluxes[0] if fluxes else None
        if any(other != flux for other in fluxes):
            flux = self._of_patches(tops, fluxes)
        if flux is not None:
            result.surface["flux"] = flux
        if self.geometries.has_level_top:
            return
        result.follows_ground = bool(result.overland or result.surface)
        what = "columns end there" if result.follows_ground else "what lies above it is rock"
        notes.notice(f"the ground of {self.geometries.domain!r} rises and falls through the layers; {what}")

    def _of_patches(self, tops: list[str], fluxes: list[Any]) -> Any:
        """Return one rate for patches at the ground that differ: maps, in a cycle if a patch follows one."""
        patches = [self.geometries.patches[top] for top in tops]
        cycles = [flux for flux in fluxes if isinstance(flux, dict) and "cycle" in flux]
        times = [([entry["hours"] for entry in flux["cycle"]], flux["repeat"]) for flux in cycles]
        if any(isinstance(flux, str | dict) and flux not in cycles for flux in fluxes) or any(
            time != times[0] for time in times
        ):
            self.notes.refuse(
                f"Patch.{tops[0]}.BCPressure.Type",
                f"other maps or another cycle than at {' and '.join(tops[1:])}; patches at the ground may differ in "
                f"their values, not in their times (ignored: what is at {tops[0]!r})",
            )
            return fluxes[0]
        rates = []
        for number in range(len(times[0][0]) if times else 1):
            values = np.zeros(self.grid.surface)
            for patch, flux in zip(patches, fluxes, strict=True):
                values[patch.ground] = flux["cycle"][number]["rate"] if isinstance(flux, dict) else flux or 0.0
            name = f"surface_flux_{number}" if times else "surface_flux"
            rates.append(simplest(values, self.geometries.mask).spec(name, "m h-1", self.folder))
        if not times:
            return rates[0]
        hours, repeat = times[0]
        return {"cycle": [{"hours": h, "rate": r} for h, r in zip(hours, rates, strict=True)], "repeat": repeat}

    def _rain(self, patch: str, kind: str) -> Any:
        """Return the water onto the ground [m h-1], None if there is none."""
        if kind not in ("OverlandFlowPFB", "FluxFile"):
            return self._rate(patch, -1.0)
        own = f"Patch.{patch}.BCPressure"
        intervals = self.definition.names(f"Cycle.{self.definition.text(f'{own}.Cycle')}.Names")
        key = f"{own}.{intervals[0]}.FileName" if intervals else f"{own}.Cycle"
        if len(intervals) != 1:
            self.notes.refuse(f"{own}.Type", f"{kind} in a cycle of {len(intervals)} intervals (ignored: no rain)")
            return None
        file = Pfb(self.definition.file(key), self.definition, key)
        if kind == "FluxFile":  # has the whole grid, of which the cells at the patch count
            top = self.geometries.top_layer.astype(np.intp)[np.newaxis]
            values = np.take_along_axis(file.values(self.grid.shape)[self.geometries.layers], top, axis=0)[0]
        else:
            values = file.values(self.grid.surface)
        spec = simplest(-values, self.geometries.mask).spec("surface_flux", "m h-1", self.folder)
        return None if spec == 0.0 else spec

    # -------------------------------------------------------------- elsewhere

    def _side(self, patch: str, kind: str, result: Boundaries) -> None:
        key = f"Patch.{patch}.BCPressure.Type"
        if kind not in ("FluxConst", *_HELD):
            why = _INSTEAD.get(kind, "no condition of a side or the bottom")
            self.notes.refuse(key, f"{kind}: {why} (ignored: nothing flows)")
            return
        if kind == "FluxConst" and self._rate(patch, 1.0) is None:
            return
        if self.geometries.rock.any():
            self.notes.refuse(
                key, f"{kind} at a side or the bottom of a domain with an uneven bottom or top (ignored: nothing flows)"
            )
            return
        for side, mask in self._faces(patch).items():
            entry: dict[str, Any] = {"side": side}
            if mask is not None:
                entry["mask"] = simplest(mask.astype(np.float64), np.ones_like(mask)).spec(
                    f"{patch}_{side}", "1", self.folder
                )
            if kind == "FluxConst":
                entry["flux"] = self._rate(patch, 1.0 if side in _LOWER else -1.0)
            elif kind == "DirEquilRefPatch":
                above = self.depth - self.geometries.reference_depth(f"Patch.{patch}.BCPressure", self.depth)
                entry["head"] = self._rate(patch, 1.0, above)
            else:
                head = self._along_a_line(patch)
                entry["head"] = simplest(head, self.geometries.mask).spec(f"head_{patch}", "m", self.folder)
            result.boundaries.append(entry)

    def _faces(self, patch: str) -> dict[Side, Mask | None]:
        """Sides of the domain that a patch covers, and the columns where it is not all of them."""
        found = self.geometries.patches[patch].faces
        result: dict[Side, Mask | None] = {}
        if Face.BOTTOM in found:
            if self.geometries.sole_patch(Face.BOTTOM) != patch:
                key = f"Patch.{patch}.BCPressure.Type"
                raise self.definition.error(key, "a part of the bottom only; supported is one patch for all of it")
            result["bottom"] = None
        if Face.SIDE in found:
            for side, mask in self.geometries.side_faces(patch).items():
                whole = np.array_equal(mask, self.geometries.outer_faces(side))
                result[side] = None if whole else mask
        return result

    def _along_a_line(self, patch: str) -> Floats:
        """Head [m] above the bottom of the domain, (ny, nx), of ``DirEquilPLinear``."""
        definition, grid = self.definition, self.grid
        own = f"Patch.{patch}.BCPressure"
        intervals = definition.names(f"Cycle.{definition.text(f'{own}.Cycle')}.Names")
        if len(intervals) != 1:
            raise definition.error(f"{own}.Type", "DirEquilPLinear with one interval in its cycle is supported")
        (x0, y0), (x1, y1) = (
            tuple(definition.number(f"{own}.{intervals[0]}.{axis}{end}") for axis in "XY") for end in ("Lower", "Upper")
        )
        if (x0, y0) == (x1, y1):
            raise definition.error(f"{own}.{intervals[0]}.XUpper", "the line begins where it ends")
        points = range(definition.integer(f"{own}.{intervals[0]}.NumPoints"))
        if not points:
            raise definition.error(f"{own}.{intervals[0]}.NumPoints", "must be at least 1")
        places = [definition.number(f"{own}.{intervals[0]}.{k}.Location") for k in points]
        values = [definition.number(f"{own}.{intervals[0]}.{k}.Value") for k in points]
        x = grid.x0 + (np.arange(grid.nx) + 0.5) * grid.dx
        y = (grid.y0 + (np.arange(grid.ny) + 0.5) * grid.dy)[:, np.newaxis]
        along = ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / ((x1 - x0) ** 2 + (y1 - y0) ** 2)
        bottom = grid.z0 + self.geometries.layers.start * grid.dz
        return np.asarray(np.interp(along, places, values) - bottom)

    # ------------------------------------------------------------------ values

    def _rate(self, patch: str, sign: float, above: float | None = None) -> Any:
        """Return the values of a patch over time, times `sign`; None for no flux.

        With `above`, values are pressure heads [m] at this height, and the result is a hydraulic head.
        """
        definition, own = self.definition, f"Patch.{patch}.BCPressure"

        def value(name: str) -> float:
            found = sign * definition.number(f"{own}.{name}.Value")
            return float(f"{found + above:.12g}") if above is not None else found + 0.0  # no -0.0

        rate = rate_of(definition, f"{own}.Cycle", read_cycle(definition, f"{own}.Cycle", value))
        return None if rate == 0.0 and above is None else rate
