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


def _column(units: str, *shape: int, dtype: type = np.float64) -> dict[str, Any]:
    return {"units": units, "shape": shape, "dtype": dtype}


@dataclass
class ColumnArrays:
    """Base of the sets of arrays."""

    @classmethod
    def empty(cls, n: int) -> Self:
        """Zeros for `n` columns."""
        return cls(
            **{f.name: np.zeros((n, *f.metadata["shape"]), dtype=f.metadata["dtype"], order="F") for f in fields(cls)}
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name, not copied."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass
class ColumnParameters(ColumnArrays):
    """Constants of the columns: place, vegetation, soil. Pairs are (visible, near infrared)."""

    latitude: Array = field(metadata=_column("rad"))
    longitude: Array = field(metadata=_column("rad"))
    canopy_height: Array = field(metadata=_column("m"))
    leaf_angle: Array = field(metadata=_column("1"))
    leaf_reflectance: Array = field(metadata=_column("1", 2))
    stem_reflectance: Array = field(metadata=_column("1", 2))
    leaf_transmittance: Array = field(metadata=_column("1", 2))
    stem_transmittance: Array = field(metadata=_column("1", 2))
    inverse_root_leaf_size: Array = field(metadata=_column("m-1/2"))
    carboxylation_capacity: Array = field(metadata=_column("mol m-2 s-1"))
    quantum_efficiency: Array = field(metadata=_column("mol mol-1"))
    heat_stress_slope: Array = field(metadata=_column("K-1"))
    heat_stress_temperature: Array = field(metadata=_column("K"))
    water_cost_of_carbon: Array = field(metadata=_column("mol mol-1"))
    initial_roughness_ratio: Array = field(metadata=_column("1"))
    leaf_area_maximum: Array = field(metadata=_column("m2 m-2"))
    leaf_area_minimum: Array = field(metadata=_column("m2 m-2"))
    stem_area_index: Array = field(metadata=_column("m2 m-2"))
    root_fraction: Array = field(metadata=_column("1", N_SOIL))
    albedo_saturated: Array = field(metadata=_column("1", 2))
    albedo_dry: Array = field(metadata=_column("1", 2))
    thickness: Array = field(metadata=_column("m", N_SOIL))
    porosity: Array = field(metadata=_column("1", N_SOIL))
    heat_capacity_solids: Array = field(metadata=_column("J m-3 K-1", N_SOIL))
    conductivity_dry: Array = field(metadata=_column("W m-1 K-1", N_SOIL))
    conductivity_saturated: Array = field(metadata=_column("W m-1 K-1", N_SOIL))
    conductivity_saturated_frozen: Array = field(metadata=_column("W m-1 K-1", N_SOIL))
    kersten_exponent_wet: Array = field(metadata=_column("1", N_SOIL))
    kersten_exponent_shape: Array = field(metadata=_column("1", N_SOIL))
    kersten_exponent_frozen: Array = field(metadata=_column("1", N_SOIL))
    kersten_beta: Array = field(metadata=_column("1", N_SOIL))
    ground: NDArray[np.int32] = field(metadata=_column("1", dtype=np.int32))


@dataclass
class ColumnState(ColumnArrays):
    """Everything that columns remember between steps; radiative properties hold for the coming step.

    `albedo` and the absorptions have the axes (column, beam direct/diffuse, band visible/near infrared).
    """

    temperature: Array = field(metadata=_column("K", N_LAYER))
    liquid: Array = field(metadata=_column("kg m-2", N_LAYER))
    ice: Array = field(metadata=_column("kg m-2", N_LAYER))
    snow_thickness: Array = field(metadata=_column("m", N_SNOW))
    snow_layers: NDArray[np.int32] = field(metadata=_column("1", dtype=np.int32))
    leaf_temperature: Array = field(metadata=_column("K"))
    canopy_water: Array = field(metadata=_column("kg m-2"))
    snow_water: Array = field(metadata=_column("kg m-2"))
    snow_depth: Array = field(metadata=_column("m"))
    snow_fraction: Array = field(metadata=_column("1"))
    snow_age: Array = field(metadata=_column("1"))
    leaf_area: Array = field(metadata=_column("m2 m-2"))
    stem_area: Array = field(metadata=_column("m2 m-2"))
    exposed_fraction: Array = field(metadata=_column("1"))
    roughness_length: Array = field(metadata=_column("m"))
    cosine_zenith: Array = field(metadata=_column("1"))
    albedo: Array = field(metadata=_column("1", 2, 2))
    sunlit_absorption: Array = field(metadata=_column("1", 2, 2))
    shaded_absorption: Array = field(metadata=_column("1", 2, 2))
    longwave_gap: Array = field(metadata=_column("1"))
    extinction_direct: Array = field(metadata=_column("1"))
    extinction_diffuse: Array = field(metadata=_column("1"))

    @classmethod
    def cold_start(cls, n: int, temperature: float = COLD_START_TEMPERATURE) -> Self:
        """All layers and leaves at one temperature [K]; no snow, ice or canopy water."""
        state = cls.empty(n)
        state.temperature[:, N_SNOW:] = temperature
        state.leaf_temperature[:] = temperature
        return state


@dataclass
class ColumnInputs(ColumnArrays):
    """Atmosphere over one step, the water of the soil at its start, and prescribed vegetation.

    `available_water` is what the groundwater lets each layer give in the step; infinite: all that the layer holds.
    Prescribed leaf and stem area are taken over when the model renews its own: at a cold start, and at the end of each
    step that starts at 00 UTC. NaN leaves them to the model.
    """

    shortwave: Array = field(metadata=_column("W m-2"))
    longwave: Array = field(metadata=_column("W m-2"))
    precipitation: Array = field(metadata=_column("kg m-2 s-1"))
    air_temperature: Array = field(metadata=_column("K"))
    wind_x: Array = field(metadata=_column("m s-1"))
    wind_y: Array = field(metadata=_column("m s-1"))
    pressure: Array = field(metadata=_column("Pa"))
    humidity: Array = field(metadata=_column("kg kg-1"))
    head: Array = field(metadata=_column("m", N_SOIL))
    saturation: Array = field(metadata=_column("1", N_SOIL))
    available_water: Array = field(metadata=_column("kg m-2", N_SOIL))
    prescribed_leaf_area: Array = field(metadata=_column("m2 m-2"))
    prescribed_stem_area: Array = field(metadata=_column("m2 m-2"))

    @classmethod
    def empty(cls, n: int) -> Self:
        """Zeros for `n` columns, no limit of available water and no prescribed vegetation."""
        inputs = super().empty(n)
        inputs.available_water[:] = np.inf
        inputs.prescribed_leaf_area[:] = inputs.prescribed_stem_area[:] = np.nan
        return inputs


@dataclass
class ColumnFluxes(ColumnArrays):
    """Results of one step.

    Heat and water fluxes to the air are positive upwards, ground heat and infiltration downwards; `source` is what
    each soil layer gains, top first. `infiltration` is negative when evaporation exceeds throughfall.
    """

    latent_heat: Array = field(metadata=_column("W m-2"))
    sensible_heat: Array = field(metadata=_column("W m-2"))
    ground_heat: Array = field(metadata=_column("W m-2"))
    outgoing_longwave: Array = field(metadata=_column("W m-2"))
    reflected_shortwave: Array = field(metadata=_column("W m-2"))
    precipitation_heat: Array = field(metadata=_column("W m-2"))
    evapotranspiration: Array = field(metadata=_column("kg m-2 s-1"))
    ground_evaporation: Array = field(metadata=_column("kg m-2 s-1"))
    canopy_evaporation: Array = field(metadata=_column("kg m-2 s-1"))
    liquid_evaporation: Array = field(metadata=_column("kg m-2 s-1"))
    transpiration: Array = field(metadata=_column("kg m-2 s-1"))
    infiltration: Array = field(metadata=_column("kg m-2 s-1"))
    ground_temperature: Array = field(metadata=_column("K"))
    radiative_temperature: Array = field(metadata=_column("K"))
    root_stress: Array = field(metadata=_column("1"))
    evaporation_factor: Array = field(metadata=_column("1"))
    interception: Array = field(metadata=_column("kg m-2 s-1"))
    runoff: Array = field(metadata=_column("kg m-2 s-1"))
    screen_temperature: Array = field(metadata=_column("K"))
    screen_humidity: Array = field(metadata=_column("kg kg-1"))
    groundwater_heat: Array = field(metadata=_column("W m-2"))
    canopy_phase_heat: Array = field(metadata=_column("W m-2"))
    body_gain: Array = field(metadata=_column("kg m-2 s-1"))
    energy_residual: Array = field(metadata=_column("W m-2"))
    water_residual: Array = field(metadata=_column("kg m-2 s-1"))
    source: Array = field(metadata=_column("h-1", N_SOIL))
    clamped_heads: NDArray[np.int32] = field(metadata=_column("1", dtype=np.int32))
    status: NDArray[np.int32] = field(metadata=_column("1", dtype=np.int32))
