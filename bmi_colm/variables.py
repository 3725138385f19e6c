"""The variables that land components publish."""

from __future__ import annotations

from bmi_colm.forcing import names as forcing
from bmi_colm.forcing.plausible import POSSIBLE
from bmi_common.grids import ROOT_ZONE, SCALAR, SURFACE
from bmi_common.groundwater import LAYER_THICKNESS, NET_SOURCE, POROSITY, PRESSURE_HEAD, SATURATION
from bmi_common.variables import Role, Variable

__all__ = [
    "CLAMPED_HEADS",
    "EVAPOTRANSPIRATION",
    "FORCING_VARIABLES",
    "GROUND_HEAT",
    "INFILTRATION",
    "LAND_OUTPUTS",
    "LATENT_HEAT",
    "LAYER_THICKNESS",
    "NET_SOURCE",
    "POROSITY",
    "PRESSURE_HEAD",
    "SATURATION",
    "SENSIBLE_HEAT",
    "SNOW_WATER",
    "SOIL_WATER_VARIABLES",
    "SURFACE_TEMPERATURE",
]

LATENT_HEAT = "land_surface_air_heat~net~latent__energy_flux"
SENSIBLE_HEAT = "land_surface_air_heat~net~sensible__energy_flux"
GROUND_HEAT = "land_surface_soil_heat~conduction__energy_flux"
EVAPOTRANSPIRATION = "land_surface_water_evapotranspiration__mass_flux"
INFILTRATION = "soil_surface_water_infiltration__volume_flux"
SURFACE_TEMPERATURE = "land_surface__temperature"
SNOW_WATER = "snowpack__liquid-equivalent_depth"
CLAMPED_HEADS = "soil_water__clamped_pressure_head_count"

FORCING_VARIABLES = tuple(
    Variable(name, forcing.UNITS[name], SURFACE, Role.FORCING, valid_range=POSSIBLE[name])
    for name in forcing.FORCING_NAMES
)

SOIL_WATER_VARIABLES = (
    Variable(PRESSURE_HEAD, "m", ROOT_ZONE, Role.INPUT, "pressure head at layer centres", (-1.0e9, 1.0e4)),
    Variable(SATURATION, "1", ROOT_ZONE, Role.INPUT, "saturation, relative to porosity", (0.0, 1.0 + 1.0e-6)),
)

LAND_OUTPUTS = (
    Variable(NET_SOURCE, "h-1", ROOT_ZONE, Role.OUTPUT, "net water source per bulk volume, into the soil positive"),
    Variable(LATENT_HEAT, "W m-2", SURFACE, Role.OUTPUT, "latent heat flux, upwards positive"),
    Variable(SENSIBLE_HEAT, "W m-2", SURFACE, Role.OUTPUT, "sensible heat flux, upwards positive"),
    Variable(GROUND_HEAT, "W m-2", SURFACE, Role.OUTPUT, "heat flux into snow or soil, downwards positive"),
    Variable(EVAPOTRANSPIRATION, "kg m-2 s-1", SURFACE, Role.OUTPUT, "evapotranspiration, upwards positive"),
    Variable(INFILTRATION, "m s-1", SURFACE, Role.OUTPUT, "water into the top layer, negative when it evaporates"),
    Variable(SURFACE_TEMPERATURE, "K", SURFACE, Role.OUTPUT, "radiative temperature of the land surface"),
    Variable(SNOW_WATER, "m", SURFACE, Role.OUTPUT, "snow water equivalent"),
    Variable(CLAMPED_HEADS, "1", SCALAR, Role.OUTPUT, "root-zone cells drier than the lowest head in the last step"),
    Variable(LAYER_THICKNESS, "m", ROOT_ZONE, Role.STATIC, "layer thickness"),
    Variable(POROSITY, "1", ROOT_ZONE, Role.STATIC, "porosity"),
)
