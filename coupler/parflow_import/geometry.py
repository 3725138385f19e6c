"""ParFlow's geometries: which cells a name stands for, and fields that are given geometry by geometry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bmi_common.errors import ConfigError
from bmi_common.suggest import did_you_mean
from coupler.parflow_import.definition import Definition
from coupler.parflow_import.grid import Grid
from coupler.parflow_import.sources import Classes, Computed, Constant, Floats, Mask, Pfb, Source, simplest

SUPPORTED = "supported are Box and IndicatorField"


@dataclass(frozen=True)
class Indicator:
    """Cells of an indicator file that hold a class number."""

    file: Pfb
    number: int


@dataclass(frozen=True)
class Part:
    """Value that a field has in a geometry; later parts replace earlier ones, as in ParFlow."""

    geometry: str
    source: Source


class Geometries:
    """The geometries of ``GeomInput``.

    Attributes
    ----------
    domain : str
        Name of the domain's geometry.
    mask : ndarray of bool, shape (ny, nx)
        Columns of the domain.
    patches : list of str
        Patches of the domain: x lower, x upper, y lower, y upper, z lower, z upper.
    """

    def __init__(self, definition: Definition, grid: Grid) -> None:
        self._definition = definition
        self._grid = grid
        self._boxes: dict[str, Mask] = {}
        self._indicators: dict[str, Indicator] = {}
        self._unsupported: dict[str, ConfigError] = {}
        self._classes: dict[Path, Floats] = {}
        for name in definition.names("GeomInput.Names"):
            self._read_input(name)
        self.domain = definition.text("Domain.GeomName")
        self.mask = self._domain_mask()
        self.patches = self._patches()

    def _read_input(self, name: str) -> None:
        definition = self._definition
        own = f"GeomInput.{name}"
        kind = definition.text(f"{own}.InputType")
        names = [*definition.names(f"{own}.GeomNames", ""), *definition.names(f"{own}.GeomName", "")]
        match kind:
            case "Box":
                for geometry in names:
                    self._boxes[geometry] = self._box(geometry)
            case "IndicatorField":
                key = f"Geom.{name}.FileName"
                file = Pfb(definition.file(key), definition, key)
                for geometry in names:
                    number = definition.integer(f"GeomInput.{geometry}.Value")
                    self._indicators[geometry] = Indicator(file, number)
            case _:
                # an error only where the geometry is used
                error = definition.error(f"{own}.InputType", f"{kind} is not supported; {SUPPORTED}")
                definition.use(f"{own}.FileName", f"Geom.{name}.FileName")
                self._unsupported |= dict.fromkeys(names, error)

    def _box(self, name: str) -> Mask:
        grid = self._grid
        inside = []
        for axis, count, size, start in (
            ("Z", grid.nz, grid.dz, grid.z0),
            ("Y", grid.ny, grid.dy, grid.y0),
            ("X", grid.nx, grid.dx, grid.x0),
        ):
            low, high = (self._definition.number(f"Geom.{name}.{end}.{axis}") for end in ("Lower", "Upper"))
            centres = start + (np.arange(count) + 0.5) * size
            inside.append((centres > low) & (centres < high))
        z, y, x = inside
        return np.asarray(z[:, np.newaxis, np.newaxis] & y[:, np.newaxis] & x)

    def _domain_mask(self) -> Mask:
        key = "Domain.GeomName"
        if self.domain in self._unsupported:
            raise self._unsupported[self.domain]
        if self.domain not in self._boxes:
            raise self._definition.error(key, f"{self.domain!r} is no Box of GeomInput; the domain must be one")
        cells = self._boxes[self.domain]
        columns = cells.any(axis=0)
        if not columns.any():
            raise self._definition.error(key, f"the box {self.domain!r} holds no cell of the computational grid")
        if not cells[:, columns].all():
            raise self._definition.error(
                key, f"the box {self.domain!r} must reach from the lowest to the highest layer of the grid"
            )
        return np.asarray(columns)

    def _patches(self) -> list[str]:
        key = f"Geom.{self.domain}.Patches"
        patches = self._definition.names(key)
        if len(patches) != 6:
            raise self._definition.error(key, f"a Box has six patches, got {len(patches)}: {' '.join(patches)}")
        return patches

    @property
    def box_mask(self) -> Source | None:
        """The domain's columns as a field, None if it has all."""
        return None if self.mask.all() else Computed(self.mask.astype(np.float64))

    def cells(self, name: str, key: str) -> Mask:
        """Cells (nz, ny, nx) of a geometry; raises `ConfigError` naming `key` if there is none of that name."""
        self._check_name(name, key)
        if name in self._boxes:
            return self._boxes[name]
        indicator = self._indicators[name]
        return np.asarray(self._read_classes(indicator.file) == indicator.number)

    def _read_classes(self, file: Pfb) -> Floats:
        """Read an indicator file once: fields name its classes again and again."""
        if file.file not in self._classes:
            classes = file.values(self._grid.shape)
            if not np.array_equal(classes, np.round(classes)):
                raise self._definition.error(file.key, f"{file.file}: an indicator file holds whole numbers")
            self._classes[file.file] = classes
        return self._classes[file.file]

    def _check_name(self, name: str, key: str) -> None:
        if name in self._boxes or name in self._indicators:
            return
        if name in self._unsupported:
            raise self._definition.error(key, f"geometry {name!r}: {self._unsupported[name]}")
        known = [*self._boxes, *self._indicators, *self._unsupported]
        raise self._definition.error(key, f"unknown geometry {name!r}{did_you_mean(name, known)}")

    def field(self, parts: Sequence[Part], key: str) -> Source:
        """Put a field of the subsurface together.

        Raises
        ------
        ConfigError
            Naming `key`: no part, an unknown geometry, or cells of the domain without a value.
        """
        if not parts:
            raise self._definition.error(key, "no geometry is named")
        for part in parts:
            self._check_name(part.geometry, key)
        whole = [i for i, part in enumerate(parts) if self._covers_domain(part.geometry)]
        needed = parts[whole[-1] :] if whole else parts
        if len(needed) == 1 and whole:
            source = needed[0].source
            source.values(self._grid.shape)  # a file of another shape is found here
            return source
        classes = self._by_class(needed, bool(whole))
        return classes if classes is not None else simplest(self._overlay(needed, key), self.mask)

    def surface_field(self, parts: Sequence[Part], key: str) -> Source:
        """Put a field of the surface together; a geometry holds where its top layer does."""
        values = np.full(self._grid.surface, np.nan)
        for part in parts:
            top = self.cells(part.geometry, key)[-1]
            values[top] = part.source.values(self._grid.surface)[top]
        self._check_complete(values, key)
        return simplest(values, self.mask)

    def _covers_domain(self, name: str) -> bool:
        return name in self._boxes and bool(self._boxes[name][:, self.mask].all())

    def _by_class(self, parts: Sequence[Part], background: bool) -> Source | None:
        """Return a table by class, where constants on classes of one indicator file lie over a constant."""
        on_classes = parts[1:] if background else parts
        indicators = [self._indicators.get(part.geometry) for part in on_classes]
        values = [p.source.value for p in parts if isinstance(p.source, Constant) and isinstance(p.source.value, float)]
        files = {i.file.file for i in indicators if i is not None}
        if None in indicators or len(values) != len(parts) or len(files) != 1:
            return None
        file = next(i.file for i in indicators if i is not None)
        present = [int(v) for v in np.unique(self._read_classes(file))]
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
        return values

    def _check_complete(self, values: Floats, key: str) -> None:
        missing = int(np.isnan(values[..., self.mask]).sum())
        if missing:
            raise self._definition.error(key, f"{missing} cells of the domain are in none of the named geometries")
