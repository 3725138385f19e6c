"""ParFlow's geometries: which cells a name stands for, and fields that are given geometry by geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from bmi_common.boundary_conditions import Side, outer_faces
from bmi_common.domain import LIMITS, Limits
from bmi_common.errors import ConfigError, describe_cell
from bmi_common.pfsol import read_solids
from bmi_common.suggest import did_you_mean
from rootzone.parflow_import.definition import Definition
from rootzone.parflow_import.grid import ParflowGrid
from rootzone.parflow_import.notices import Notes
from rootzone.parflow_import.solid import Face, Patch, Shape, outside, rasterise
from rootzone.parflow_import.sources import (
    Classes,
    Computed,
    Constant,
    File,
    Floats,
    Mask,
    Netcdf,
    Pfb,
    Source,
    simplest,
)

SUPPORTED = "supported are Box, SolidFile, IndicatorField and IndicatorFieldNC"

_TERRAIN_FOLLOWING = "Solver.TerrainFollowingGrid"
_BOX_PATCHES = "left right front back bottom top"
"""What ParFlow calls the patches of a box that names none: x lower, x upper, y lower, y upper, z lower, z upper."""


TOWARDS: dict[Side, tuple[int, int]] = {"west": (0, -1), "east": (0, 1), "south": (-1, 0), "north": (1, 0)}
"""Steps in j and i to the neighbour on each side."""


@dataclass(frozen=True)
class Indicator:
    """Cells of an indicator file that hold a class number."""

    file: File
    number: int


@dataclass(frozen=True)
class Part:
    """Value that a field has in a geometry, and the key that gives it; later parts replace earlier ones."""

    geometry: str
    source: Source
    key: str


class FieldQuantity(NamedTuple):
    """What a field is, and the range of its values in active cells."""

    name: str
    limits: Limits

    @classmethod
    def of_domain(cls, name: str) -> FieldQuantity:
        """Return a quantity that domains have (`bmi_common.domain.LIMITS`)."""
        return cls(name, LIMITS[name])


class Geometries:
    """The geometries of ``GeomInput``.

    Attributes
    ----------
    domain : str
        Name of the domain's geometry.
    mask : ndarray of bool, shape (ny, nx)
        Columns of the domain.
    layers : slice
        Layers of the computational grid between the lowest and the highest cell of the domain.
    rock : ndarray of bool, shape (nz, ny, nx)
        Cells of these columns and layers that are not the domain's.
    patches : dict of Patch, by name
        Patches of the domain.
    """

    def __init__(self, definition: Definition, grid: ParflowGrid, notes: Notes) -> None:
        self._definition = definition
        self._notes = notes
        self._grid = grid
        self._shapes: dict[str, Shape] = {}
        self._outside: dict[str, ConfigError] = {}
        self._indicators: dict[str, Indicator] = {}
        self._unsupported: dict[str, ConfigError] = {}
        self._classes: dict[Path, Floats] = {}
        for name in definition.names("GeomInput.Names"):
            self._read_input(name)
        self.domain = definition.text("Domain.GeomName")
        self.mask, self.layers, self.rock = self._domain_cells()
        self.patches = self._patches()

    def _read_input(self, name: str) -> None:
        definition = self._definition
        own = f"GeomInput.{name}"
        kind = definition.text(f"{own}.InputType")
        names = definition.names(f"{own}.GeomName" if kind == "Box" else f"{own}.GeomNames")
        match kind:
            case "Box":
                for geometry in names:
                    self._shapes[geometry] = self._box(geometry)
            case "SolidFile":
                self._read_solids(f"{own}.FileName", names)
            case "IndicatorField" | "IndicatorFieldNC":
                key = f"Geom.{name}.FileName"
                path = definition.file(key)
                file: File = Pfb(path, definition, key)
                if kind == "IndicatorFieldNC":
                    file = Netcdf(path, definition, key, "indicator")
                for geometry in names:
                    number = definition.integer(f"GeomInput.{geometry}.Value")
                    self._indicators[geometry] = Indicator(file, number)
            case _:
                # an error only where the geometry is used
                error = definition.error(f"{own}.InputType", f"{kind} is not supported; {SUPPORTED}")
                definition.use(f"{own}.FileName", f"Geom.{name}.FileName")
                self._unsupported |= dict.fromkeys(names, error)

    def _read_solids(self, key: str, names: Sequence[str]) -> None:
        definition = self._definition
        file = definition.file(key)
        try:
            solids = read_solids(file)
        except ConfigError as error:
            raise definition.error(key, str(error)) from None
        if len(solids) != len(names):
            raise definition.error(
                key, f"{file}: solids in the file: {len(solids)}, geometries that name them: {len(names)}"
            )
        for name, solid in zip(names, solids, strict=True):
            self._shapes[name] = rasterise(solid, self._grid)
            excess = outside(solid, self._grid)
            if excess:  # zones may reach over the grid, the domain may not
                self._outside[name] = definition.error(key, f"{file}: the solid {excess}")

    def _box(self, name: str) -> Shape:
        grid = self._grid
        inside, ends = [], []
        for axis, count, size, start in (
            ("Z", grid.nz, grid.dz, grid.z0),
            ("Y", grid.ny, grid.dy, grid.y0),
            ("X", grid.nx, grid.dx, grid.x0),
        ):
            low, high = (self._definition.number(f"Geom.{name}.{end}.{axis}") for end in ("Lower", "Upper"))
            centres = start + (np.arange(count) + 0.5) * size
            inside.append((centres > low) & (centres < high))
            ends.append((low, high))
        z, y, x = inside
        cells = np.asarray(z[:, np.newaxis, np.newaxis] & y[:, np.newaxis] & x)
        _, (south, north), (west, east) = ends
        sw, se, nw, ne = (west, south), (east, south), (west, north), (east, north)
        nowhere = np.zeros(grid.surface, dtype=bool)
        walls = [Patch({Face.SIDE}, np.array([wall]), nowhere) for wall in ((sw, nw), (se, ne), (sw, se), (nw, ne))]
        flat = [Patch({face}, np.empty((0, 2, 2)), nowhere | (face is Face.TOP)) for face in (Face.BOTTOM, Face.TOP)]
        return Shape(cells, [*walls, *flat], is_box=True)

    def _domain_cells(self) -> tuple[Mask, slice, Mask]:
        """Return columns, layers, and the cells of these that are not the domain's."""
        key = "Domain.GeomName"
        if self.domain in self._unsupported:
            raise self._unsupported[self.domain]
        if self.domain in self._outside:
            raise self._outside[self.domain]
        if self.domain not in self._shapes:
            raise self._definition.error(
                key, f"{self.domain!r} is no Box or SolidFile of GeomInput; the domain must be one"
            )
        shape = self._shapes[self.domain]
        columns = np.asarray(shape.cells.any(axis=0))
        if not columns.any():
            raise self._definition.error(key, f"{self.domain!r} holds no cell of the computational grid")
        held = np.flatnonzero(shape.cells.any(axis=(1, 2)))
        layers = slice(int(held[0]), int(held[-1]) + 1)
        whole = np.zeros_like(shape.cells)
        whole[layers] = columns
        rock = whole & ~shape.cells
        if rock[layers.stop - 1].any() and self._lacks_slanted_sides_only(rock, columns, shape):
            rock &= np.cumsum(shape.cells, axis=0) == 0
        self._shapes[self.domain] = Shape(whole, shape.patches, shape.is_box)
        if layers != slice(0, self._grid.nz):
            self._notes.notice(
                f"{self.domain!r} holds layers {layers.start} to {layers.stop - 1} of the computational grid's "
                f"0 to {self._grid.nz - 1}; the others are left out"
            )
        below = rock & (np.cumsum(shape.cells[::-1], axis=0)[::-1] > 0)
        if below.any():
            self._notes.notice(
                f"{int(below.sum())} cells in {int(below.any(axis=0).sum())} columns lie outside {self.domain!r}, "
                "between its lowest layer and its ground; here they are rock that holds hardly any water and lets "
                "none through"
            )
        return columns, layers, rock

    def _lacks_slanted_sides_only(self, rock: Mask, columns: Mask, shape: Shape) -> bool:
        """Whether the columns that lack upper layers are few, as under slanted sides; says that they get them."""
        lacking = int(rock.any(axis=0).sum())
        slanted = not shape.is_box and self._definition.flag(_TERRAIN_FOLLOWING) and 2 * lacking < columns.sum()
        if slanted:
            self._notes.notice(
                f"{lacking} of {int(columns.sum())} columns of {self.domain!r} lack layers, as under slanted sides; "
                "here they have all"
            )
        return bool(slanted)

    @property
    def active(self) -> Mask:
        """Cells (nz, ny, nx) that ParFlow computes; in all others files may hold anything."""
        return self._shapes[self.domain].cells & ~self.rock

    @property
    def has_level_top(self) -> bool:
        """Whether the domain reaches to the same layer in all its columns."""
        return not bool(self.rock[self.layers.stop - 1].any())

    @property
    def top_layer(self) -> Floats:
        """Topmost layer (ny, nx) of the domain's columns, counted from its lowest; the highest elsewhere."""
        from_above = np.argmin(self.rock[self.layers][::-1], axis=0)
        return np.asarray(self.layers.stop - self.layers.start - 1.0 - np.where(self.mask, from_above, 0))

    def _patches(self) -> dict[str, Patch]:
        key = f"Geom.{self.domain}.Patches"
        shape = self._shapes[self.domain]
        names = self._definition.names(key, _BOX_PATCHES if shape.is_box else None)
        if len(names) != len(shape.patches):
            raise self._definition.error(
                key,
                f"{self.domain!r} has {len(shape.patches)} patches, here are {len(names)} names: {' '.join(names)}",
            )
        return dict(zip(names, shape.patches, strict=True))

    def outer_faces(self, side: Side) -> Mask:
        """Columns (ny, nx) of the domain with no other one behind them on a side."""
        return outer_faces(self.mask, side)

    def side_faces(self, name: str) -> dict[Side, Mask]:
        """Columns (ny, nx) whose outer face on a side belongs to a patch: the wall next to the face is one of its."""
        walls = [(patch, wall) for patch, p in self.patches.items() for wall in p.walls]
        if not walls:
            return {}
        own = np.array([patch == name for patch, _ in walls])
        ends = np.array([wall for _, wall in walls])
        grid = self._grid
        result: dict[Side, Mask] = {}
        for side, (dj, di) in TOWARDS.items():
            outer = self.outer_faces(side)
            j, i = np.nonzero(outer)
            x = grid.x0 + (i + 0.5 + 0.5 * di) * grid.dx
            y = grid.y0 + (j + 0.5 + 0.5 * dj) * grid.dy
            nearest = [_distances(ends, np.array(point)).argmin() for point in zip(x, y, strict=True)]
            mask = np.zeros(grid.surface, dtype=bool)
            mask[j, i] = own[nearest]
            if mask.any():
                result[side] = mask
        return result

    def sole_patch(self, face: Face) -> str | None:
        """Name of the patch that is the whole top or bottom of the domain, None if it has several."""
        names = [name for name, patch in self.patches.items() if face in patch.faces]
        return names[0] if len(names) == 1 else None

    def reference_depth(self, own: str, depth: float) -> float:
        """Depth [m] below the top of the domain of the patch that ``<own>.RefPatch`` names; `depth` is the bottom's.

        Raises
        ------
        ConfigError
            If that is neither the whole top nor the whole bottom of the domain.
        """
        definition = self._definition
        geometry = definition.text(f"{own}.RefGeom", self.domain)
        if geometry != self.domain:
            raise definition.error(f"{own}.RefGeom", f"must be the domain {self.domain!r}, got {geometry!r}")
        patch = definition.text(f"{own}.RefPatch")
        depths = {self.sole_patch(Face.BOTTOM): depth, self.sole_patch(Face.TOP): 0.0}
        if patch not in depths:
            known = " or ".join(repr(name) for name in depths if name is not None)
            raise definition.error(f"{own}.RefPatch", f"must be the whole bottom or top, {known}, got {patch!r}")
        return depths[patch]

    @property
    def column_mask(self) -> Source | None:
        """The domain's columns as a field, None if it has all."""
        return None if self.mask.all() else Computed(self.mask.astype(np.float64))

    def cells(self, name: str, key: str) -> Mask:
        """Cells (nz, ny, nx) of a geometry; raises `ConfigError` naming `key` if there is none of that name."""
        self._check_name(name, key)
        if name in self._shapes:
            return self._shapes[name].cells
        indicator = self._indicators[name]
        return np.asarray(self._read_classes(indicator.file) == indicator.number)

    def _read_classes(self, file: File) -> Floats:
        """Read an indicator file once: fields name its classes again and again."""
        if file.file not in self._classes:
            classes = file.values(self._grid.shape)
            if not np.array_equal(classes[self.active], np.round(classes[self.active])):
                raise self._definition.error(file.key, f"{file.file}: an indicator file holds whole numbers")
            self._classes[file.file] = classes
        return self._classes[file.file]

    def _check_name(self, name: str, key: str) -> None:
        if name in self._shapes or name in self._indicators:
            return
        if name in self._unsupported:
            raise self._definition.error(key, f"geometry {name!r}: {self._unsupported[name]}")
        known = [*self._shapes, *self._indicators, *self._unsupported]
        raise self._definition.error(key, f"unknown geometry {name!r}{did_you_mean(name, known)}")

    def field(
        self, parts: Sequence[Part], key: str, quantity: FieldQuantity | None = None, default: float | None = None
    ) -> Source:
        """Put a field of the subsurface together; `default` is what ParFlow takes where no part holds.

        Raises
        ------
        ConfigError
            Naming `key`: an unknown geometry, or, without a default, no part or cells of the domain without a value.
            Naming the key of a part: values out of the range of the quantity.
        """
        if default is not None:
            parts = [Part(self.domain, Constant(default), key), *parts]
        if not parts:
            raise self._definition.error(key, "no geometry is named")
        for part in parts:
            self._check_name(part.geometry, key)
        field = self._put_together(parts, key)
        values = field.values(self._grid.shape)  # a file of another shape is found here
        if quantity is not None:
            self._check_range(values, parts, quantity, self.active)
            if quantity.limits.find_outside(values, self.rock) is not None:  # a fill value, which has no effect there
                values[self.rock] = values[self.active][0]
                return simplest(values, self.mask)
        return field

    def values(self, part: Part, quantity: FieldQuantity) -> Floats:
        """Read one part of a field (nz, ny, nx); errors of values in active cells are those of `field`."""
        values = part.source.values(self._grid.shape)
        self._check_range(values, [part], quantity, self.active)
        return values

    def surface_field(self, parts: Sequence[Part], key: str, quantity: FieldQuantity, default: float) -> Source:
        """Put a field of the surface together; a geometry holds in every column that it has a cell in, as in ParFlow.

        `default` is what ParFlow takes where no part holds; errors are those of `field`.
        """
        covered = np.zeros(self._grid.surface, dtype=bool)
        values = np.full(self._grid.surface, default)
        for part in parts:
            here = self.cells(part.geometry, key).any(axis=0)
            values[here] = part.source.values(self._grid.surface)[here]
            covered |= here
        self._check_range(values, parts, quantity, self.mask & covered)
        if parts and isinstance(parts[-1].source, File) and self._covers_domain(parts[-1].geometry):
            return parts[-1].source
        return simplest(values, self.mask)

    def _put_together(self, parts: Sequence[Part], key: str) -> Source:
        whole = [i for i, part in enumerate(parts) if self._covers_domain(part.geometry)]
        needed = parts[whole[-1] :] if whole else parts
        if len(needed) == 1 and whole:
            return needed[0].source
        classes = self._by_class(needed, bool(whole))
        return classes if classes is not None else simplest(self._overlay(needed, key), self.mask)

    def _check_range(self, values: Floats, parts: Sequence[Part], quantity: FieldQuantity, mask: Mask) -> None:
        cell = quantity.limits.find_outside(values, mask)
        if cell is None:
            return
        j, i = cell[-2:]
        layers = cell[0] if len(cell) == 3 else slice(None)
        part = next(p for p in reversed(parts) if self.cells(p.geometry, p.key)[layers, j, i].any())
        where = f"{part.source.file}: " if isinstance(part.source, File) else ""
        raise self._definition.error(
            part.key,
            f"{where}{quantity.name} {quantity.limits.refusal(values[cell])} at {describe_cell(cell)}",
        )

    def _covers_domain(self, name: str) -> bool:
        return name in self._shapes and bool(self._shapes[name].cells[self.layers, self.mask].all())

    def _by_class(self, parts: Sequence[Part], background: bool) -> Source | None:
        """Return a table by class, where constants on classes of one indicator file lie over a constant."""
        on_classes = parts[1:] if background else parts
        indicators = [self._indicators.get(part.geometry) for part in on_classes]
        values = [p.source.value for p in parts if isinstance(p.source, Constant) and isinstance(p.source.value, float)]
        files = {i.file.file for i in indicators if i is not None}
        if None in indicators or len(values) != len(parts) or len(files) != 1:
            return None
        file = next(i.file for i in indicators if i is not None)
        if not isinstance(file, Pfb):
            return None
        classes = np.unique(self._read_classes(file))
        if not np.array_equal(classes, np.round(classes)) or not np.isfinite(classes).all():  # outside the active cells
            return None
        present = [int(v) for v in classes]
        table = dict.fromkeys(present, values[0]) if background else {}
        for indicator, value in zip(indicators, values[1:] if background else values, strict=True):
            assert indicator is not None
            if indicator.number in present:
                table[indicator.number] = value
        if len(table) < len(present):
            return None
        if len(set(table.values())) == 1:
            return Constant(next(iter(table.values())))
        return Classes(file, table)

    def _overlay(self, parts: Sequence[Part], key: str) -> Floats:
        values = np.full(self._grid.shape, np.nan)
        for part in parts:
            here = self.cells(part.geometry, key)
            values[here] = part.source.values(self._grid.shape)[here]
        self._check_complete(values, key)
        if self.rock.any():  # what it is there has no effect
            given = np.isfinite(values) & self.active
            values[np.isnan(values) & self.rock] = values[given][0]
        return values

    def _check_complete(self, values: Floats, key: str) -> None:
        missing = int((np.isnan(values) & self.active).sum())
        if missing:
            raise self._definition.error(key, f"{missing} cells of the domain are in none of the named geometries")


def _distances(walls: Floats, point: Floats) -> Floats:
    """Distances of lines (n, 2, 2) from a point (x, y)."""
    start, along = walls[:, 0], walls[:, 1] - walls[:, 0]
    length = (along**2).sum(axis=1)
    share = np.clip(((point - start) * along).sum(axis=1) / np.where(length > 0.0, length, 1.0), 0.0, 1.0)
    return np.asarray(np.hypot(*(start + share[:, np.newaxis] * along - point).T))
