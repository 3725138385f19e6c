"""Wells: ``Wells``, as ParFlow computes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rootzone.parflow_import.cycles import rate_of, read_cycle
from rootzone.parflow_import.definition import Definition
from rootzone.parflow_import.geometry import Geometries
from rootzone.parflow_import.grid import ParflowGrid
from rootzone.parflow_import.notices import Notes
from rootzone.parflow_import.soil import ImportedSoil
from rootzone.parflow_import.sources import Floats

_NAMES: Final = "Wells.Names"
_ACTIONS: Final = {"Extraction": "extraction", "Injection": "injection"}
_OTHER: Final = {"extraction": "injection", "injection": "extraction"}


def read_wells(
    definition: Definition,
    grid: ParflowGrid,
    geometries: Geometries,
    layers: Sequence[float],
    soil: ImportedSoil,
    notes: Notes,
) -> list[dict[str, Any]]:
    """Read the wells as the list `wells:` of ``groundwater.yaml``.

    ParFlow counts the depth of a well in cells of the nominal thickness ``ComputationalGrid.DZ``, shares its rate among
    them, and multiplies each part by the multiplier of the layer. The same parts come out here.

    Parameters
    ----------
    definition, grid, geometries, soil, notes
        What has been read of the run.
    layers : sequence of float
        Thickness of the layers of the domain [m], bottom first.

    Raises
    ------
    ConfigError
        For wells outside the domain, missing values, unknown cycles.
    """
    reader = _Reader(definition, grid, geometries, np.asarray(layers) / grid.dz, soil, notes)
    names = definition.names(_NAMES, "")
    wells = [well for name in names for well in reader.read(name)]
    definition.use(*definition.below("Wells"))
    if names:
        notes.map(_NAMES, "groundwater.yaml", "wells")
    return wells


@dataclass(frozen=True)
class _Reader:
    definition: Definition
    grid: ParflowGrid
    geometries: Geometries
    multipliers: Floats
    """Of the layers of the domain."""
    soil: ImportedSoil
    notes: Notes

    def read(self, name: str) -> list[dict[str, Any]]:
        definition, own = self.definition, f"Wells.{name}"
        if definition.text(f"{own}.InputType", "Vertical") != "Vertical":
            self.notes.refuse(f"{own}.InputType", "a well that takes and brings water (ignored: without it)")
            return []
        holds = definition.choice(f"{own}.Type", ("Flux", "Pressure"), "Flux") == "Pressure"
        action = _ACTIONS[definition.choice(f"{own}.Action", tuple(_ACTIONS))]
        method = definition.choice(f"{own}.Method", ("Standard", "Weighted"))
        cell = self._cell(own)
        lowest, highest = (self._index(f"{own}.Z{end}", self.grid.z0, self.grid.dz) for end in ("Lower", "Upper"))
        if highest < lowest:
            raise definition.error(f"{own}.ZUpper", "must not be below ZLower")
        if holds:
            return self._held(name, cell, self._inside(lowest, highest, cell, own))
        parts = self._parts(lowest, highest, cell, method == "Weighted", own)
        key = f"{own}.Cycle"
        phase = definition.names("Phase.Names", "water")[0]
        entries = read_cycle(definition, key, lambda at: definition.number(f"{own}.{at}.Flux.{phase}.Value"))
        values = [entry["rate"] for entry in entries]
        if max(values) > 0.0 > min(values):
            self.notes.refuse(f"{own}.Action", "a rate that changes its sign (ignored: without the well)")
            return []
        sign = -1.0 if min(values) < 0.0 else 1.0  # a negative injection is an extraction
        share = sum(parts.values())
        for entry in entries:
            entry["rate"] = sign * entry["rate"] * share
        self._explain(name, max(values, key=abs) * sign, share)
        well = {
            "name": name,
            "cell": {"x": cell[1], "y": cell[0]},
            "layers": parts,
            "rate": rate_of(definition, key, entries),
            "action": action if sign > 0.0 else _OTHER[action],
        }
        return [well]

    def _cell(self, own: str) -> tuple[int, int]:
        grid, definition = self.grid, self.definition
        i = self._index(f"{own}.X", grid.x0, grid.dx)
        j = self._index(f"{own}.Y", grid.y0, grid.dy)
        for key, index, count in ((f"{own}.X", i, grid.nx), (f"{own}.Y", j, grid.ny)):
            if not 0 <= index < count:
                raise definition.error(key, f"{definition.number(key):g} m is outside the computational grid")
        if not self.geometries.mask[j, i]:
            raise definition.error(f"{own}.X", f"the well, in cell x = {i}, y = {j}, is outside the domain")
        return j, i

    def _index(self, key: str, lower: float, size: float) -> int:
        """Find the cell as ParFlow does: that of the nearest centre, half-way the one farther from cell 0."""
        distance = (self.definition.number(key) - lower) / size - 0.5
        return int(distance + np.copysign(0.5, distance))

    def _inside(self, lowest: int, highest: int, cell: tuple[int, int], own: str) -> list[int]:
        """Layers of the computational grid, from the lowest to the highest of a well, that are the domain's."""
        first = self.geometries.layers.start
        inside = [k for k in range(lowest, highest + 1) if 0 <= k - first < len(self.multipliers)]
        inside = [k for k in inside if not self.geometries.rock[(k, *cell)]]
        if not inside:
            raise self.definition.error(f"{own}.ZLower", "the well is outside the layers of the domain")
        return inside

    def _held(self, name: str, cell: tuple[int, int], layers: list[int]) -> list[dict[str, Any]]:
        """Return wells that hold the layers of one at a pressure head: at the same in all of them, as ParFlow does."""
        key, first = f"Wells.{name}.Cycle", self.geometries.layers.start
        dz = self.multipliers * self.grid.dz
        centres = np.cumsum(dz) - 0.5 * dz
        wells = []
        for layer in (k - first for k in layers):
            height = float(centres[layer])

            def head(interval: str, height: float = height) -> float:
                pressure = self.definition.number(f"Wells.{name}.{interval}.Pressure.Value")
                return float(f"{pressure + height:.15g}")

            wells.append(
                {
                    "name": name if len(layers) == 1 else f"{name}_{layer}",
                    "cell": {"x": cell[1], "y": cell[0]},
                    "layers": {layer: 1.0},
                    "head": rate_of(self.definition, key, read_cycle(self.definition, key, head)),
                }
            )
        if len(layers) > 1:
            self.notes.notice(
                f"Wells.{name}: ParFlow holds every layer of the well at the same pressure head, whatever its height; "
                "so does the import, with a well for each layer. One well with a `head` has water at rest in its screen"
            )
        return wells

    def _parts(self, lowest: int, highest: int, cell: tuple[int, int], weighted: bool, own: str) -> dict[int, float]:
        """Part of the rate that each layer of the domain gets; together they are not 1."""
        first = self.geometries.layers.start
        inside = self._inside(lowest, highest, cell, own)
        count = highest - lowest + 1
        weights = self._weights(inside, count, cell, own) if weighted else np.ones(len(inside))
        return {
            k - first: float(weight * self.multipliers[k - first] / count)
            for k, weight in zip(inside, weights, strict=True)
        }

    def _weights(self, layers: list[int], count: int, cell: tuple[int, int], own: str) -> Floats:
        """Weights by permeability: in each direction that over the well's mean, weighted by nominal face areas."""
        grid = self.grid
        areas = {"x": grid.dy * grid.dz, "y": grid.dx * grid.dz, "z": grid.dx * grid.dy}
        result = np.zeros(len(layers))
        for axis, area in areas.items():
            conductivity = self.soil.conductivity[axis].values(grid.shape)[:, *cell][layers]
            mean = conductivity.sum() / count
            if not mean > 0.0:
                raise self.definition.error(f"{own}.Method", f"Weighted, but nothing flows along {axis} at the well")
            result += conductivity / mean * area / sum(areas.values())
        return result

    def _explain(self, name: str, rate: float, share: float) -> None:
        text = (
            f"Wells.{name}: ParFlow counts ZLower and ZUpper in cells of DZ, {self.grid.dz:g} m, whatever the "
            "thickness of the layers, and multiplies the rate of each by the layer's multiplier"
        )
        if not np.isclose(share, 1.0, rtol=1e-9):
            text += f"; {rate:g} m3/h are {float(f'{rate * share:.6g}'):g} m3/h there"
        if not (self.multipliers == 1.0).all() or not np.isclose(share, 1.0, rtol=1e-9):
            self.notes.notice(
                f"{text}. The import has the same; `screen: [top, bottom]` in metres below the ground and a `rate` in "
                "`wells:` of groundwater.yaml are true ones"
            )
