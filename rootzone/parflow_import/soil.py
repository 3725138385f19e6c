"""Hydraulic properties of the subsurface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bmi_common.domain import LIMITS
from bmi_common.errors import describe_cell
from rootzone.parflow_import.definition import Definition
from rootzone.parflow_import.geometry import FieldQuantity, Geometries, Part
from rootzone.parflow_import.grid import ParflowGrid
from rootzone.parflow_import.notices import Notes
from rootzone.parflow_import.sources import Classes, Constant, Folder, Pfb, Source, product, simplest

VAN_GENUCHTEN = {
    "alpha": ("Alpha", "m-1"),
    "n": ("N", "1"),
    "residual_saturation": ("SRes", "1"),
    "maximum_saturation": ("SSat", "1"),
}
"""ParFlow's name and the units of each parameter of the retention curve."""

_DEFAULT_SPECIFIC_STORAGE = 0.0
"""What ParFlow takes in cells of no named geometry [m-1]."""
_STORAGE_OF_ROCK = 1.0e-4
"""Outside the domain [m-1], where nothing flows: any value above 0 keeps heads there as they are."""


@dataclass(frozen=True)
class Table:
    """Relative permeability from a table of `points` between `lowest_head` [m] and 0."""

    points: int
    lowest_head: Source


@dataclass(frozen=True)
class ImportedSoil:
    """Fields of the subsurface; conductivity [m h-1] by axis; of relative permeability what retention has otherwise."""

    porosity: Source
    van_genuchten: dict[str, Source]
    relative_permeability: dict[str, Source]
    conductivity: dict[str, Source]
    specific_storage: Source
    table: Table | None

    def spec(self, folder: Folder) -> dict[str, Any]:
        """Keys of ``domain.yaml``."""

        def deep(source: Source, name: str, units: str) -> Any:
            return folder.in_layers(source.spec(name, units, folder))

        k = {axis: deep(s, f"conductivity_{axis}", "m h-1") for axis, s in self.conductivity.items()}
        if self.conductivity["y"] is self.conductivity["x"]:
            del k["y"]
        curve = {name: deep(s, name, VAN_GENUCHTEN[name][1]) for name, s in self.van_genuchten.items()}
        if self.relative_permeability:
            curve["relative_permeability"] = {
                name: deep(s, f"relative_permeability_{name}", VAN_GENUCHTEN[name][1])
                for name, s in self.relative_permeability.items()
            }
        return {
            "porosity": deep(self.porosity, "porosity", "1"),
            "van_genuchten": curve,
            "conductivity": k,
            "specific_storage": deep(self.specific_storage, "specific_storage", "m-1"),
        }


def read_soil(definition: Definition, grid: ParflowGrid, geometries: Geometries, notes: Notes) -> ImportedSoil:
    """Read porosity, retention, relative permeability, permeability and specific storage.

    Raises
    ------
    ConfigError
        For unknown geometries, missing files and values, and forms that are not supported.
    """
    reader = _Reader(definition, grid, geometries, notes)
    _check_units(definition, notes)
    retention = reader.retention()
    permeability, table = reader.relative_permeability(retention)
    return ImportedSoil(
        reader.porosity(), retention, permeability, reader.conductivity(), reader.specific_storage(), table
    )


def _check_units(definition: Definition, notes: Notes) -> None:
    """Refuse a density or gravity other than 1: pressure is head only then."""
    phases = definition.names("Phase.Names", "water")
    if not phases:
        raise definition.error("Phase.Names", "names no phase; here flows one, water")
    if len(phases) > 1:
        notes.refuse("Phase.Names", f"several phases ({', '.join(phases)}); here flows one, water")
    phase = _phase(definition)
    for key in ("Density", "Viscosity"):
        kind = f"Phase.{phase}.{key}.Type"
        if definition.text(kind, "Constant") != "Constant":
            raise definition.error(kind, "only Constant is supported: lengths and heads need a constant of 1")
    for key in ("Gravity", f"Phase.{phase}.Density.Value"):
        value = definition.number(key, 1.0)
        if value != 1.0:
            raise definition.error(
                key, f"is {value:g}; it must be 1, for pressure to be head [m] and permeability conductivity [m h-1]"
            )
    viscosity = definition.number(f"Phase.{phase}.Viscosity.Value", 1.0)
    if viscosity <= 0.0:
        raise definition.error(f"Phase.{phase}.Viscosity.Value", f"must be above 0, got {viscosity:g}")
    definition.use(*definition.below(f"Phase.{phase}.Mobility"))


def _phase(definition: Definition) -> str:
    """Name of the phase that flows."""
    return definition.names("Phase.Names", "water")[0]


@dataclass(frozen=True)
class _Reader:
    definition: Definition
    grid: ParflowGrid
    geometries: Geometries
    notes: Notes

    def _pfb(self, key: str) -> Pfb:
        return Pfb(self.definition.file(key), self.definition, key)

    def _whole(self, key: str, quantity: str) -> Source:
        """Read a file that has the values of the whole domain."""
        part = Part(self.geometries.domain, self._pfb(key), key)
        return self.geometries.field([part], key, FieldQuantity.of_domain(quantity))

    def _constants(
        self, names_key: str, below: str, quantity: str | None = None, default: float | None = None
    ) -> Source:
        """Values ``Geom.<name>.<below>`` of the geometries that `names_key` lists."""
        keys = {
            name: f"Geom.{name}.{below}" for name in self.definition.names(names_key, None if default is None else "")
        }
        parts = [Part(name, Constant(self.definition.number(key)), key) for name, key in keys.items()]
        limits = None if quantity is None else FieldQuantity.of_domain(quantity)
        return self.geometries.field(parts, names_key, limits, default)

    def _constants_and_files(self, names_key: str, group: str, quantity: str) -> Source:
        parts: list[Part] = []
        for name in self.definition.names(names_key):
            own = f"Geom.{name}.{group}"
            if self.definition.choice(f"{own}.Type", ("Constant", "PFBFile")) == "Constant":
                key = f"{own}.Value"
                parts.append(Part(name, Constant(self.definition.number(key)), key))
            else:
                key = f"{own}.FileName"
                parts.append(Part(name, self._pfb(key), key))
        return self.geometries.field(parts, names_key, FieldQuantity.of_domain(quantity))

    def porosity(self) -> Source:
        self.notes.map("Geom.Porosity.GeomNames, Geom.*.Porosity", "domain.yaml", "porosity")
        porosity = self._constants_and_files("Geom.Porosity.GeomNames", "Porosity", "porosity")
        return self._in_rock(porosity, LIMITS["porosity"].low)

    def conductivity(self) -> dict[str, Source]:
        """Conductivity by axis: the permeability times the factors of its tensor."""
        definition = self.definition
        permeability = self._constants_and_files("Geom.Perm.Names", "Perm", "conductivity.x")
        viscosity = definition.number(f"Phase.{_phase(definition)}.Viscosity.Value", 1.0)
        if viscosity != 1.0:
            permeability = product(Constant(1.0 / viscosity), permeability, self.grid.shape, self.geometries.mask)
        kind = definition.choice("Perm.TensorType", ("TensorByGeom", "TensorByFile"))
        result: dict[str, Source] = {}
        for axis in "xyz":
            if kind == "TensorByGeom":
                factor = self._constants("Geom.Perm.TensorByGeom.Names", f"Perm.TensorVal{axis.upper()}")
            else:
                factor = self._pfb(f"Geom.{self.geometries.domain}.Perm.TensorFile{axis.upper()}")
            key = factor.key if isinstance(factor, Pfb) else "Perm.TensorType"
            result[axis] = self._in_rock(product(permeability, factor, self.grid.shape, self.geometries.mask), 0.0)
            limits = LIMITS[f"conductivity.{axis}"]
            values = result[axis].values(self.grid.shape)
            cell = limits.find_outside(values, self.geometries.active)
            if cell is not None:
                where = f"{factor.file}: " if isinstance(factor, Pfb) else ""
                raise definition.error(
                    key,
                    f"{where}permeability in {axis} times its tensor {limits.refusal(values[cell])} "
                    f"at {describe_cell(cell)}",
                )
        if _same(result["x"], result["y"], self.grid.shape):
            result["y"] = result["x"]
        self.notes.map(
            f"Geom.Perm.Names, Geom.*.Perm, {kind}",
            "domain.yaml",
            "conductivity",
            how=" [m h-1], permeability times tensor",
        )
        return result

    def specific_storage(self) -> Source:
        definition, quantity = self.definition, "specific_storage"
        kind = definition.choice("SpecificStorage.Type", ("Constant", "PFBFile"), "Constant")
        self.notes.map("SpecificStorage.GeomNames, Geom.*.SpecificStorage", "domain.yaml", "specific_storage")
        if kind == "PFBFile":
            storage = self._whole(f"Geom.{self.geometries.domain}.SpecificStorage.FileName", quantity)
        else:
            storage = self._constants(
                "SpecificStorage.GeomNames", "SpecificStorage.Value", quantity, _DEFAULT_SPECIFIC_STORAGE
            )
        return self._in_rock(storage, _STORAGE_OF_ROCK)

    def _in_rock(self, field: Source, value: float) -> Source:
        """Put a value into the cells of its columns that are not the domain's."""
        rock = self.geometries.rock
        if not rock.any():
            return field
        return simplest(np.where(rock, value, field.values(self.grid.shape)), self.geometries.mask)

    def retention(self) -> dict[str, Source]:
        self.definition.choice("Phase.Saturation.Type", ("VanGenuchten",))
        self.notes.map("Phase.Saturation.GeomNames, Geom.*.Saturation", "domain.yaml", "van_genuchten")
        fields = {name: self._van_genuchten("Saturation", name) for name in VAN_GENUCHTEN}
        residual, maximum = (fields[f"{name}_saturation"].values(self.grid.shape) for name in ("residual", "maximum"))
        if ((maximum <= residual) & self.geometries.active).any():
            raise self.definition.error("Phase.Saturation.GeomNames", "SSat must exceed SRes in all geometries")
        return fields

    def _van_genuchten(self, group: str, name: str) -> Source:
        below, _ = VAN_GENUCHTEN[name]
        if self.definition.flag(f"Phase.{group}.VanGenuchten.File"):
            return self._whole(f"Geom.{self.geometries.domain}.{group}.{below}.Filename", f"van_genuchten.{name}")
        return self._constants(f"Phase.{group}.GeomNames", f"{group}.{below}", f"van_genuchten.{name}")

    def relative_permeability(self, retention: dict[str, Source]) -> tuple[dict[str, Source], Table | None]:
        """Return its parameters where they are not those of retention, and its table, if it has one."""
        self.definition.choice("Phase.RelPerm.Type", ("VanGenuchten",))
        every = {name: self._van_genuchten("RelPerm", name) for name in ("alpha", "n")}
        own = {name: s for name, s in every.items() if not _same(s, retention[name], self.grid.shape)}
        if own:
            self.notes.map(
                "Phase.RelPerm.GeomNames, Geom.*.RelPerm", "domain.yaml", "van_genuchten.relative_permeability"
            )
        return own, self._table()

    def _table(self) -> Table | None:
        definition = self.definition
        if definition.flag("Phase.RelPerm.VanGenuchten.File"):
            return None
        key = "Phase.RelPerm.GeomNames"
        names = definition.names(key)
        points = {name: definition.integer(f"Geom.{name}.RelPerm.NumSamplePoints", 0) for name in names}
        if not any(points.values()):
            return None
        odd = [name for name in names if points[name] != points[names[0]]]
        if odd:
            raise definition.error(
                f"Geom.{odd[0]}.RelPerm.NumSamplePoints",
                f"{points[odd[0]]}, but {points[names[0]]} in {names[0]}; all geometries must have tables as long",
            )
        forms = {definition.text(f"Geom.{name}.RelPerm.InterpolationMethod", "Spline") for name in names}
        if forms != {"Linear"}:
            self.notes.notice(
                f"RelPerm.InterpolationMethod: tables of {points[names[0]]} points are interpolated linearly, "
                f"in ParFlow by {' and '.join(sorted(forms))}"
            )
        lowest = self._constants(key, "RelPerm.MinPressureHead")
        self.notes.map(
            "Phase.RelPerm.GeomNames, Geom.*.RelPerm.NumSamplePoints",
            "groundwater.yaml",
            "richards.relative_permeability",
        )
        return Table(points[names[0]], lowest)


def _same(a: Source, b: Source, shape: tuple[int, ...]) -> bool:
    for form in (Constant, Classes):
        if isinstance(a, form) and isinstance(b, form) and a == b:
            return True
    return bool(np.array_equal(a.values(shape), b.values(shape)))
