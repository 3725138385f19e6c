"""Where the diagnostic outputs of the land surface come from."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bmi_colm import variables as names
from bmi_colm.arrays import N_SNOW, Array, ColumnFluxes, ColumnInputs, ColumnState
from bmi_colm.soil_grid import SoilGrid

Source = Callable[[ColumnState, ColumnFluxes, ColumnInputs], Array]


def _albedo(state: ColumnState, fluxes: ColumnFluxes, inputs: ColumnInputs) -> Array:
    shortwave = np.maximum(inputs.shortwave, np.finfo(float).tiny)
    return np.where(inputs.shortwave > 0.0, fluxes.reflected_shortwave / shortwave, 1.0)


DIAGNOSTICS: dict[str, Source] = {
    names.NET_RADIATION: lambda s, f, i: i.shortwave - f.reflected_shortwave + i.longwave - f.outgoing_longwave,
    names.ABSORBED_SHORTWAVE: lambda s, f, i: i.shortwave - f.reflected_shortwave,
    names.REFLECTED_SHORTWAVE: lambda s, f, i: f.reflected_shortwave,
    names.OUTGOING_LONGWAVE: lambda s, f, i: f.outgoing_longwave,
    names.ALBEDO: _albedo,
    names.TRANSPIRATION: lambda s, f, i: f.transpiration,
    names.CANOPY_EVAPORATION: lambda s, f, i: f.canopy_evaporation - f.transpiration,
    names.INTERCEPTION: lambda s, f, i: f.interception,
    names.CANOPY_WATER: lambda s, f, i: s.canopy_water,
    names.SOIL_EVAPORATION: lambda s, f, i: f.ground_evaporation,
    names.SURFACE_RUNOFF: lambda s, f, i: f.runoff,
    names.LEAF_AREA: lambda s, f, i: s.leaf_area,
    names.STEM_AREA: lambda s, f, i: s.stem_area * s.exposed_fraction,
    names.ROOT_WATER_AVAILABILITY: lambda s, f, i: f.root_stress,
    names.GROUND_TEMPERATURE: lambda s, f, i: f.ground_temperature,
    names.LEAF_TEMPERATURE: lambda s, f, i: s.leaf_temperature,
    names.SNOW_DEPTH: lambda s, f, i: s.snow_depth,
    names.SNOW_FRACTION: lambda s, f, i: s.snow_fraction,
    names.SNOW_LAYERS: lambda s, f, i: s.snow_layers.astype(float),
    names.SCREEN_TEMPERATURE: lambda s, f, i: f.screen_temperature,
    names.SCREEN_HUMIDITY: lambda s, f, i: f.screen_humidity,
    names.PRECIPITATION_HEAT: lambda s, f, i: f.precipitation_heat,
    names.GROUNDWATER_HEAT: lambda s, f, i: f.groundwater_heat,
    names.CANOPY_PHASE_HEAT: lambda s, f, i: f.canopy_phase_heat,
    names.ICE_GAIN: lambda s, f, i: f.body_gain,
    names.ENERGY_RESIDUAL: lambda s, f, i: f.energy_residual,
    names.WATER_RESIDUAL: lambda s, f, i: f.water_residual,
}
"""Per column; all hold at or over the end of the last step."""

LAYERED_DIAGNOSTICS: dict[str, Callable[[ColumnState, SoilGrid], Array]] = {
    names.SOIL_TEMPERATURE: lambda s, grid: grid.mean(s.temperature[:, N_SNOW:]),
    names.SOIL_ICE: lambda s, grid: grid.add_up(s.ice[:, N_SNOW:]),
}
"""Of the root zone's layers, top first, at the end of the last step."""
