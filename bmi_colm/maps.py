"""Parameters that differ from cell to cell, laid over those of land cover and soil classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bmi_colm.tables import Bounds
from bmi_colm.tables.schema import VEGETATION_BOUNDS
from bmi_common import Config, ConfigError, Domain, FieldConfig
from bmi_common.errors import describe_cell, out_of_range

Maps = dict[str, NDArray[np.float64]]
"""By parameter: (n,) or (n, layers) of the active columns, layers from the top; NaN leaves the value of the class."""

_ALBEDO = Bounds(0.0, 1.0, "1")
_CONDUCTIVITY = Bounds(0.01, 10.0, "W m-1 K-1")

SOIL_MAP_BOUNDS = {
    "colour": Bounds(1, 1000, "1"),
    "albedo_saturated_visible": _ALBEDO,
    "albedo_saturated_near_infrared": _ALBEDO,
    "albedo_dry_visible": _ALBEDO,
    "albedo_dry_near_infrared": _ALBEDO,
    "heat_capacity_solids": Bounds(1.0e5, 5.0e6, "J m-3 K-1"),
    "conductivity_dry": _CONDUCTIVITY,
    "conductivity_saturated": _CONDUCTIVITY,
    "conductivity_saturated_frozen": _CONDUCTIVITY,
}
THERMAL = ("heat_capacity_solids", "conductivity_dry", "conductivity_saturated", "conductivity_saturated_frozen")
"""Soil parameters with a value for each layer."""


class _Maps(Config):
    @property
    def given(self) -> dict[str, FieldConfig]:
        """The fields that the user gives, by parameter."""
        return {name: spec for name in type(self).model_fields if (spec := getattr(self, name)) is not None}

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that the maps are read from."""
        return tuple(file for spec in self.given.values() for file in spec.files)


class VegetationMaps(_Maps):
    """The ``vegetation_maps:`` section; units are those of ``tables/vegetation.yaml``."""

    canopy_height: FieldConfig | None = None
    leaf_angle: FieldConfig | None = None
    carboxylation_capacity: FieldConfig | None = None
    heat_stress_temperature: FieldConfig | None = None
    leaf_area_minimum: FieldConfig | None = None
    leaf_area_maximum: FieldConfig | None = None
    stem_area: FieldConfig | None = None
    root_depth_50: FieldConfig | None = None
    root_exponent: FieldConfig | None = None
    inverse_root_leaf_size: FieldConfig | None = None
    quantum_efficiency: FieldConfig | None = None
    heat_stress_slope: FieldConfig | None = None
    water_cost_of_carbon: FieldConfig | None = None
    initial_roughness_ratio: FieldConfig | None = None

    def read(self, domain: Domain) -> Maps:
        """Read what is given for the active columns."""
        return {
            name: _read(spec, f"vegetation_maps.{name}", domain, VEGETATION_BOUNDS[name])
            for name, spec in self.given.items()
        }


class SoilMaps(_Maps):
    """The ``soil_maps:`` section: colour class, albedo, and thermal properties of the layers of the root zone."""

    colour: FieldConfig | None = None
    albedo_saturated_visible: FieldConfig | None = None
    albedo_saturated_near_infrared: FieldConfig | None = None
    albedo_dry_visible: FieldConfig | None = None
    albedo_dry_near_infrared: FieldConfig | None = None
    heat_capacity_solids: FieldConfig | None = None
    conductivity_dry: FieldConfig | None = None
    conductivity_saturated: FieldConfig | None = None
    conductivity_saturated_frozen: FieldConfig | None = None

    def read(self, domain: Domain) -> Maps:
        """Read what is given for the active columns; thermal properties bottom first, as all fields with layers."""
        return {
            f"soil_{name}": _read(spec, f"soil_maps.{name}", domain, SOIL_MAP_BOUNDS[name], layered=name in THERMAL)
            for name, spec in self.given.items()
        }


def _read(spec: FieldConfig, key: str, domain: Domain, bounds: Bounds, layered: bool = False) -> NDArray[np.float64]:
    shape = domain.root_zone.shape if layered else domain.surface.shape
    nowhere = np.zeros(domain.mask.shape, dtype=bool)  # NaN is allowed in every cell
    values = spec.read(key, shape, bounds.units, nowhere, cells=domain.cells)
    bad = ~np.isnan(values) & ~((values >= bounds.low) & (values <= bounds.high)) & domain.mask
    if bad.any():
        cell = tuple(int(i) for i in np.argwhere(bad)[0])
        source = f"{spec.file}: " if spec.file else ""
        raise ConfigError(f"{source}{key} {out_of_range(values[cell], *bounds)} at {describe_cell(cell)}")
    if layered:
        return np.ascontiguousarray(values[::-1, domain.mask].T)
    return values[domain.mask]
