"""What happens at the ground, the sides and the bottom: ``BCPressure`` of the patches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from rootzone.parflow_import.sources import Computed, Floats, Folder, Mask, Pfb, simplest

_CONDITIONS: Final = {
    "OverlandKinematic": "overland_kinematic",
    "OverlandFlow": "overland_flow",
    "OverlandFlowPFB": "overland_flow",
    "SeepageFace": "seepage_face",
    "FluxConst": "closed",
    "FluxFile": "closed",
}
"""Condition at the ground, by the type of its patch."""
_INSTEAD: Final = {
    "OverlandDiffusive": "the diffusive wave needs an iteration over all cells; use OverlandKinematic, which differs "
    "where water backs up",
    "FluxVolumetric": "a volume a time over the patch; give it as FluxConst, divided by the area of the patch",
    "ExactSolution": "a test function of ParFlow; give heads by DirEquilRefPatch",
    "PressureFile": "heads by cell of a side; give one head a patch by DirEquilRefPatch",
    "FluxFile": "fluxes by cell of a side; give one flux a patch by FluxConst",
}
_HELD: Final = ("DirEquilRefPatch", "DirEquilPLinear")
_HELD_GROUND: Final = (*_HELD, "PressureFile")
_CLOSED: Final = ("FluxConst", "FluxFile", *_HELD_GROUND)
"""Types under which no water stands on the ground or flows over it."""
_DAMPING: Final = tuple(f"{name}DampP{n}" for name in ("OverlandFlowSpinUp", "OverlandSpinup") for n in (1, 2))
"""Keys of the spin-up of overland flow, as pftools and as ParFlow's manual spell them."""
_LOWER: Final = ("west", "south", "bottom")
"""Sides at which a velocity along the axis flows in."""


@dataclass
class Boundaries:
    """Sections of ``groundwater.yaml``, and whether water flows over the ground."""

    surface: dict[str, Any] = field(default_factory=dict)
    boundaries: list[dict[str, Any]] = field(default_factory=list)
    overland: bool = True

    @property
    def spec(self) -> dict[str, Any]:
        """Keys of ``groundwater.yaml``."""
        result: dict[str, Any] = {"surface": self.surface} if self.surface else {}
        return {**result, "boundaries": self.boundaries} if self.boundaries else result


def read_boundaries(
    definition: Definition,
    grid: ParflowGrid,
    geometries: Geometries,
    layers: Sequence[float],
    folder: Folder,
    notes: Notes,
) -> Boundaries:
    """Read the conditions of all patches of the domain, whose `layers` [m] are those of the run, bottom first.

    Raises
    ------
    ConfigError
        For patches without a type, unknown cycles, missing values and files.
    """
    return _Reader(definition, grid, geometries, np.asarray(layers), sum(layers), folder, notes).read()


@dataclass
class _Reader:
    definition: Definition
    grid: ParflowGrid
    geometries: Geometries
    dz: Floats
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
        held = [patch for patch in tops if kinds[patch] in _HELD_GROUND]
        rest = [patch for patch in tops if patch not in held]
        top = (rest or held)[0]
        key, kind = f"Patch.{top}.BCPressure.Type", kinds[top]
        result.overland = kind not in _CLOSED
        if kind not in _CONDITIONS and top not in held:
            why = _INSTEAD.get(kind, "no condition of the ground")
            self.notes.refuse(key, f"{kind}: {why} (ignored: as with OverlandKinematic)")
            return
        condition = _CONDITIONS.get(kind, "closed")
        if self._spins_up(kind):
            condition = "seepage_face"
        if condition != "overland_kinematic":
            result.surface["condition"] = condition
        fluxes: dict[str, Any] = {}
        for patch in tops:
            if patch in held:
                self._hold(patch, kinds[patch], top, result)
                fluxes[patch] = None
            elif kinds[patch] != kind:
                self.notes.refuse(
                    f"Patch.{patch}.BCPressure.Type",
                    f"{kinds[patch]} beside {kind} at {top!r}; here the ground has one condition (ignored: {kind})",
                )
            else:
                fluxes[patch] = self._rain(patch, kind)
            self._refuse_below(patch, kinds[patch])
        flux = fluxes[top]
        uneven = not self.geometries.has_level_top and any(_is_number(f) for f in fluxes.values())
        if uneven or any(other != flux for other in fluxes.values()):
            flux = self._of_patches(fluxes)
        if flux is not None:
            result.surface["flux"] = flux
        if not self.geometries.has_level_top:
            self.notes.notice(
                f"the ground of {self.geometries.domain!r} rises and falls through the layers; columns end there"
            )

    def _with_steps(self) -> Floats:
        """Water that the topmost cells get (ny, nx) over that through the ground alone.

        ParFlow takes the flux of a patch for a velocity along the axis of each face, those of steps in the ground, too:
        rain flows in through a step that looks east or north, and out through one that looks west or south.
        """
        top, mask = self.geometries.top_layer, self.geometries.mask
        there = np.pad(mask, 1)
        tops = np.pad(top, 1)
        share = np.ones(self.grid.surface)
        inner = np.s_[1:-1]
        for j, i, sign, width in (
            (inner, np.s_[:-2], -1.0, self.grid.dx),
            (inner, np.s_[2:], 1.0, self.grid.dx),
            (np.s_[:-2], inner, -1.0, self.grid.dy),
            (np.s_[2:], inner, 1.0, self.grid.dy),
        ):
            rise = np.where(mask & there[j, i], top - tops[j, i], 0.0)
            share += np.where(rise > 0.0, sign * self.dz[top.astype(np.intp)] / width, 0.0)
            if (rise > 1.0).any():
                self.notes.notice(
                    f"steps of more than one layer in the ground of {self.geometries.domain!r}: the flux of the ground "
                    "goes through their topmost cells only, in ParFlow through all"
                )
        return share

    def _spins_up(self, kind: str) -> bool:
        """Whether water leaves the ground at once, as ParFlow's spin-up of overland flow has it."""
        definition, key = self.definition, "OverlandFlowSpinUp"
        if not definition.flag(key):
            return False
        if kind == "OverlandKinematic":
            self.notes.refuse(key, "a spin-up that ParFlow's manual tells of OverlandFlow only (ignored: without)")
            return False
        for name in _DAMPING:
            if name in definition and definition.number(name) != 0.0:
                self.notes.refuse(name, "damping of the spin-up by an exponential of the head (ignored: without)")
        return kind in ("OverlandFlow", "OverlandFlowPFB")

    def _refuse_below(self, patch: str, kind: str) -> None:
        """Refuse what a patch of the ground does elsewhere."""
        below = self.geometries.patches[patch].faces - {Face.TOP}
        if below:
            where = " and ".join(sorted(face.value for face in below))
            self.notes.refuse(
                f"Patch.{patch}.BCPressure.Type",
                f"{kind} at the {where}, too; here nothing flows there (ignored: nothing flows)",
            )

    def _hold(self, patch: str, kind: str, top: str, result: Boundaries) -> None:
        """Hold the ground of a patch at a head."""
        key = f"Patch.{patch}.BCPressure.Type"
        if result.overland:
            self.notes.refuse(
                key,
                f"{kind} beside overland flow at {top!r}; the ground has one condition (ignored: overland flow)",
            )
            return
        if not self.geometries.has_level_top:
            self.notes.refuse(
                key,
                f"{kind} on ground that rises and falls through the layers, whose steps are held, too (ignored: "
                "nothing flows)",
            )
            return
        entry: dict[str, Any] = {"side": "top"}
        columns = self.geometries.patches[patch].ground & self.geometries.mask
        if not np.array_equal(columns, self.geometries.mask):
            entry["mask"] = Computed(columns.astype(np.float64)).spec(f"{patch}_top", "1", self.folder)
        entry["head"] = self._head(patch, kind)
        result.boundaries.append(entry)

    def _of_patches(self, fluxes: dict[str, Any]) -> Any:
        """Return one rate for patches at the ground that differ: maps, in a cycle if a patch follows one."""
        given = list(fluxes.values())
        cycles = [flux for flux in given if isinstance(flux, dict) and "cycle" in flux]
        times = [([entry["hours"] for entry in flux["cycle"]], flux["repeat"]) for flux in cycles]
        maps = [flux for flux in given if isinstance(flux, str | dict) and flux not in cycles]
        maps += [entry["rate"] for flux in cycles for entry in flux["cycle"] if not isinstance(entry["rate"], float)]
        if maps or any(time != times[0] for time in times):
            top, *others = fluxes
            self.notes.refuse(
                f"Patch.{top}.BCPressure.Type",
                f"other maps or another cycle than at {' and '.join(others)}; patches at the ground may differ in "
                f"their values, not in their times (ignored: what is at {top!r})",
            )
            return given[0]
        rates = []
        steps = 1.0 if self.geometries.has_level_top else self._with_steps()
        for number in range(len(times[0][0]) if times else 1):
            values = np.zeros(self.grid.surface)
            for patch, flux in fluxes.items():
                rate = flux["cycle"][number]["rate"] if isinstance(flux, dict) else flux or 0.0
                values[self.geometries.patches[patch].ground] = rate
            name = f"surface_flux_{number}" if times else "surface_flux"
            rates.append(simplest(values * steps, self.geometries.mask).spec(name, "m h-1", self.folder))
        if not times:
            return rates[0]
        hours, repeat = times[0]
        return {"cycle": [{"hours": h, "rate": r} for h, r in zip(hours, rates, strict=True)], "repeat": repeat}

    def _rain(self, patch: str, kind: str) -> Any:
        """Return the water onto the ground [m h-1], None if there is none."""
        if kind not in ("OverlandFlowPFB", "FluxFile"):
            return self._rate(patch, -1.0)
        rain = self._from_files(patch, "surface_flux", "m h-1", lambda values: -values, surface=kind != "FluxFile")
        return None if rain == 0.0 else rain

    def _from_files(
        self, patch: str, name: str, units: str, change: Callable[[Floats], Floats], *, surface: bool
    ) -> Any:
        """Return the maps of a patch, (ny, nx) in each interval of its cycle, as a rate.

        Files that do not have the grid of the `surface` have the whole grid, of which the topmost cells count.
        """
        own, definition = f"Patch.{patch}.BCPressure", self.definition
        several = len(definition.names(f"Cycle.{definition.text(f'{own}.Cycle')}.Names")) > 1

        def spell(interval: str) -> Any:
            key = f"{own}.{interval}.FileName"
            file = Pfb(definition.file(key), definition, key)
            if surface:
                values = file.values(self.grid.surface)
            else:
                top = self.geometries.top_layer.astype(np.intp)[np.newaxis]
                values = np.take_along_axis(file.values(self.grid.shape)[self.geometries.layers], top, axis=0)[0]
            named = f"{name}_{interval}" if several else name
            return simplest(change(values) + 0.0, self.geometries.mask).spec(named, units, self.folder)

        return rate_of(definition, f"{own}.Cycle", read_cycle(definition, f"{own}.Cycle", spell))

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
            else:
                entry["head"] = self._head(patch, kind)
            result.boundaries.append(entry)

    def _head(self, patch: str, kind: str) -> Any:
        """Head [m] above the bottom of the domain that a patch is held at; by file only at the ground."""
        if kind == "DirEquilRefPatch":
            above = self.depth - self.geometries.reference_depth(f"Patch.{patch}.BCPressure", self.depth)
            return self._rate(patch, 1.0, above)
        if kind == "PressureFile":
            return self._from_files(patch, f"head_{patch}", "m", lambda values: values + self.depth, surface=False)
        head = self._along_a_line(patch)
        return simplest(head, self.geometries.mask).spec(f"head_{patch}", "m", self.folder)

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


def _is_number(rate: Any) -> bool:
    """Whether a rate is a number, or a cycle of numbers that are not all 0."""
    if isinstance(rate, dict):
        return all(isinstance(entry["rate"], float) for entry in rate.get("cycle", [{"rate": None}]))
    return isinstance(rate, float)
