"""Arrays of a block of columns, owned by Python and changed in place by the kernel.

All arrays are Fortran-contiguous with the column first, so that nothing is copied between Python and Fortran.
Layers follow from the top: ten of soil, or five for snow (empty ones first) and then ten of soil.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

N_SNOW = 5
N_SOIL = 10
N_LAYER = N_SNOW + N_SOIL
COLD_START_TEMPERATURE = 283.0  # K

Array = NDArray[np.float64]


def _per_column(*shape: int, units: str, dtype: type = np.float64) -> Any:
    return field(metadata={"shape": shape, "units": units, "dtype": dtype})


@dataclass
class ColumnArrays:
    """Base of the sets of arrays."""

    @classmethod
    def empty(cls, n: int) -> Self:
        """Zeros for `n` columns."""
        return cls(
            **{
                f.name: np.zeros((n, *f.metadata["shape"]), dtype=f.metadata["dtype"], order="F")
                for f in fields(cls)
            }
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name, not copied."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass
class ColumnParameters(ColumnArrays):
    """Constants of the columns: place, vegetation, soil. Pairs are (visible, near infrared)."""

    latitude: Array = _per_column(units="rad")
    longitude: Array = _per_column(units="rad")
    canopy_height: Array = _per_column(units="m")
    leaf_angle: Array = _per_column(units="1")
    leaf_reflectance: Array = _per_column(2, units="1")
    stem_reflectance: Array = _per_column(2, units="1")
    leaf_transmittance: Array = _per_column(2, units="1")
    stem_transmittance: Array = _per_column(2, units="1")
    inverse_root_leaf_size: Array = _per_column(units="m-1/2")
    carboxylation_capacity: Array = _per_column(units="mol m-2 s-1")
    quantum_efficiency: Array = _per_column(units="mol mol-1")
    heat_stress_slope: Array = _per_column(units="K-1")
    heat_stress_temperature: Array = _per_column(units="K")
    water_cost_of_carbon: Array = _per_column(units="mol mol-1")
    initial_roughness_ratio: Array = _per_column(units="1")
    leaf_area_maximum: Array = _per_column(units="m2 m-2")
    leaf_area_minimum: Array = _per_column(units="m2 m-2")
    stem_area_index: Array = _per_column(units="m2 m-2")
    root_fraction: Array = _per_column(N_SOIL, units="1")
    albedo_saturated: Array = _per_column(2, units="1")
    albedo_dry: Array = _per_column(2, units="1")
    thickness: Array = _per_column(N_SOIL, units="m")
    porosity: Array = _per_column(N_SOIL, units="1")
    heat_capacity_solids: Array = _per_column(N_SOIL, units="J m-3 K-1")
    conductivity_dry: Array = _per_column(N_SOIL, units="W m-1 K-1")
    conductivity_saturated: Array = _per_column(N_SOIL, units="W m-1 K-1")
    conductivity_saturated_frozen: Array = _per_column(N_SOIL, units="W m-1 K-1")
    kersten_exponent_wet: Array = _per_column(N_SOIL, units="1")
    kersten_exponent_shape: Array = _per_column(N_SOIL, units="1")
    kersten_exponent_frozen: Array = _per_column(N_SOIL, units="1")
    kersten_beta: Array = _per_column(N_SOIL, units="1")


@dataclass
class ColumnState(ColumnArrays):
    """Everything that columns remember between steps; radiative properties hold for the coming step.

    `albedo` and the absorptions have the axes (column, beam direct/diffuse, band visible/near infrared).
    """

    temperature: Array = _per_column(N_LAYER, units="K")
    liquid: Array = _per_column(N_LAYER, units="kg m-2")
    ice: Array = _per_column(N_LAYER, units="kg m-2")
    snow_thickness: Array = _per_column(N_SNOW, units="m")
    snow_layers: NDArray[np.int32] = _per_column(units="1", dtype=np.int32)
    leaf_temperature: Array = _per_column(units="K")
    canopy_water: Array = _per_column(units="kg m-2")
    snow_water: Array = _per_column(units="kg m-2")
    snow_depth: Array = _per_column(units="m")
    snow_fraction: Array = _per_column(units="1")
    snow_age: Array = _per_column(units="1")
    leaf_area: Array = _per_column(units="m2 m-2")
    stem_area: Array = _per_column(units="m2 m-2")
    exposed_fraction: Array = _per_column(units="1")
    roughness_length: Array = _per_column(units="m")
    cosine_zenith: Array = _per_column(units="1")
    albedo: Array = _per_column(2, 2, units="1")
    sunlit_absorption: Array = _per_column(2, 2, units="1")
    shaded_absorption: Array = _per_column(2, 2, units="1")
    longwave_gap: Array = _per_column(units="1")
    extinction_direct: Array = _per_column(units="1")
    extinction_diffuse: Array = _per_column(units="1")

    @classmethod
    def cold_start(cls, n: int) -> Self:
        """All layers and leaves at 283 K; no snow, ice or canopy water."""
        state = cls.empty(n)
        state.temperature[:, N_SNOW:] = COLD_START_TEMPERATURE
        state.leaf_temperature[:] = COLD_START_TEMPERATURE
        return state


@dataclass
class ColumnForcing(ColumnArrays):
    """Atmosphere over one step, and the water of the soil at its start."""

    shortwave: Array = _per_column(units="W m-2")
    longwave: Array = _per_column(units="W m-2")
    precipitation: Array = _per_column(units="kg m-2 s-1")
    air_temperature: Array = _per_column(units="K")
    wind_x: Array = _per_column(units="m s-1")
    wind_y: Array = _per_column(units="m s-1")
    pressure: Array = _per_column(units="Pa")
    humidity: Array = _per_column(units="kg kg-1")
    head: Array = _per_column(N_SOIL, units="m")
    saturation: Array = _per_column(N_SOIL, units="1")


@dataclass
class ColumnFluxes(ColumnArrays):
    """Results of one step.

    Heat and water fluxes to the air are positive upwards, ground heat and infiltration downwards; `source` is what
    each soil layer gains, top first. `infiltration` is negative when evaporation exceeds throughfall.
    """

    latent_heat: Array = _per_column(units="W m-2")
    sensible_heat: Array = _per_column(units="W m-2")
    ground_heat: Array = _per_column(units="W m-2")
    outgoing_longwave: Array = _per_column(units="W m-2")
    reflected_shortwave: Array = _per_column(units="W m-2")
    precipitation_heat: Array = _per_column(units="W m-2")
    evapotranspiration: Array = _per_column(units="kg m-2 s-1")
    ground_evaporation: Array = _per_column(units="kg m-2 s-1")
    canopy_evaporation: Array = _per_column(units="kg m-2 s-1")
    liquid_evaporation: Array = _per_column(units="kg m-2 s-1")
    transpiration: Array = _per_column(units="kg m-2 s-1")
    infiltration: Array = _per_column(units="kg m-2 s-1")
    ground_temperature: Array = _per_column(units="K")
    radiative_temperature: Array = _per_column(units="K")
    root_stress: Array = _per_column(units="1")
    evaporation_factor: Array = _per_column(units="1")
    energy_residual: Array = _per_column(units="W m-2")
    source: Array = _per_column(N_SOIL, units="h-1")
    clamped_heads: NDArray[np.int32] = _per_column(units="1", dtype=np.int32)
    status: NDArray[np.int32] = _per_column(units="1", dtype=np.int32)
