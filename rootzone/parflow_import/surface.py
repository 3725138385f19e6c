"""The land surface: slopes, how they act on the groundwater, and roughness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from bmi_common.domain import LIMITS, Limits
from bmi_common.slopes import PARFLOW_NAMES, SlopeFormulation
from bmi_common.units import SECONDS_PER_HOUR
from rootzone.parflow_import.definition import Definition
from rootzone.parflow_import.geometry import FieldQuantity, Geometries, Part
from rootzone.parflow_import.grid import ParflowGrid
from rootzone.parflow_import.notices import Notes
from rootzone.parflow_import.sources import Constant, Folder, Netcdf, Pfb, Source

_MANNING_UNITS: Final = "h m-1/3"
_DEFAULT_SLOPE: Final = 0.0
_DEFAULT_MANNING: Final = 1.0
"""What ParFlow takes in columns that no named geometry has a cell in; the roughness in h m-1/3."""
_MANNING: Final = FieldQuantity(
    "Manning's roughness",
    Limits(_MANNING_UNITS, LIMITS["manning"].low / SECONDS_PER_HOUR, LIMITS["manning"].high / SECONDS_PER_HOUR),
)
_PLAUSIBLE: Final = (3.0e-8, 3.0e-4)
"""Roughness of real surfaces [h m-1/3]; one in s m-1/3 lies above it."""


@dataclass(frozen=True)
class Surface:
    """Fields of the surface; Manning's roughness in h m-1/3."""

    slope_x: Source
    slope_y: Source
    manning: Source
    formulation: SlopeFormulation

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
            "slope_formulation": self.formulation.value,
            "manning": manning,
        }


def read_surface(
    definition: Definition, grid: ParflowGrid, geometries: Geometries, flows: bool, notes: Notes
) -> Surface:
    """Read slopes and, where water `flows` over the ground, roughness.

    Raises
    ------
    ConfigError
        For missing files, unknown geometries, and values out of their range.
    """
    surface = Surface(
        _slope(definition, geometries, "X"),
        _slope(definition, geometries, "Y"),
        _manning(definition, grid, geometries, notes) if flows else _unused_manning(definition),
        _slope_formulation(definition, notes),
    )
    for axis in "xy":
        group = f"TopoSlopes{axis.upper()}"
        notes.map(f"{group}.GeomNames, {group}", "domain.yaml", f"slope.{axis}")
    if flows:
        notes.map("Mannings.GeomNames, Mannings", "domain.yaml", "manning", how=f", taken as {_MANNING_UNITS}")
    return surface


def _slope(definition: Definition, geometries: Geometries, axis: str) -> Source:
    group = f"TopoSlopes{axis}"
    quantity = FieldQuantity.of_domain(f"slope.{axis.lower()}")
    return geometries.surface_field(
        _parts(definition, geometries, group), f"{group}.GeomNames", quantity, _DEFAULT_SLOPE
    )


def _manning(definition: Definition, grid: ParflowGrid, geometries: Geometries, notes: Notes) -> Source:
    key = "Mannings.GeomNames"
    field = geometries.surface_field(_parts(definition, geometries, "Mannings"), key, _MANNING, _DEFAULT_MANNING)
    values = field.values(grid.surface)[geometries.mask]
    given = values[values != _DEFAULT_MANNING]
    odd = given[(given < _PLAUSIBLE[0]) | (given > _PLAUSIBLE[1])]
    if odd.size:
        notes.notice(
            f"{key}: a roughness of {odd[0]:g} {_MANNING_UNITS} is {odd[0] * SECONDS_PER_HOUR:g} s m-1/3, which no "
            f"real surface has ({_PLAUSIBLE[0] * SECONDS_PER_HOUR:g} to {_PLAUSIBLE[1] * SECONDS_PER_HOUR:g}); a value "
            "in s m-1/3 belongs divided by 3600"
        )
    bare = int((values == _DEFAULT_MANNING).sum())
    if bare:
        notes.notice(
            f"{key} gives {bare} columns no roughness; there it is ParFlow's default, "
            f"{_DEFAULT_MANNING:g} {_MANNING_UNITS}"
        )
    return field


def _parts(definition: Definition, geometries: Geometries, group: str) -> list[Part]:
    kind = definition.choice(f"{group}.Type", ("Constant", "PFBFile", "NCFile"), "Constant")
    if kind != "Constant":
        key = f"{group}.FileName"
        file = definition.file(key)
        variable = {"TopoSlopesX": "slopex", "TopoSlopesY": "slopey", "Mannings": "mannings"}[group]
        source = Pfb(file, definition, key) if kind == "PFBFile" else Netcdf(file, definition, key, variable)
        return [Part(geometries.domain, source, key)]
    keys = {name: f"{group}.Geom.{name}.Value" for name in definition.names(f"{group}.GeomNames", "")}
    return [Part(name, Constant(definition.number(key)), key) for name, key in keys.items()]


def _unused_manning(definition: Definition) -> Source:
    """Roughness where a definition asks for no overland flow: whatever it gives means nothing."""
    definition.use(*definition.below("Mannings"))
    return Constant(_DEFAULT_MANNING)


def _slope_formulation(definition: Definition, notes: Notes) -> SlopeFormulation:
    key = "Solver.TerrainFollowingGrid"
    form = definition.choice(f"{key}.SlopeUpwindFormulation", tuple(PARFLOW_NAMES), "Original")
    result = PARFLOW_NAMES[form] if definition.flag(key) else SlopeFormulation.LEVEL
    told = form if definition.flag(key) else "False: level layers, the slopes drive overland flow only"
    notes.map(f"{key}, SlopeUpwindFormulation", "domain.yaml", "slope_formulation", how=f": {result.value} ({told})")
    return result
