"""The variables that land components publish."""

from __future__ import annotations

from bmi_colm.forcing import names as forcing
from bmi_colm.forcing.plausible import POSSIBLE
from bmi_common.grids import ROOT_ZONE, SCALAR, SURFACE
from bmi_common.groundwater import (
    CANOPY_IRRIGATION,
    GROUND_IRRIGATION,
    LAYER_THICKNESS,
    NET_SOURCE,
    POROSITY,
    POSSIBLE_IRRIGATION,
    PRESSURE_HEAD,
    ROOT_ZONE_SATURATED_FRACTION,
    SATURATION,
)
from bmi_common.variables import Role, Variable

__all__ = [
    "CANOPY_IRRIGATION",
    "CLAMPED_HEADS",
    "EVAPOTRANSPIRATION",
    "FORCING_VARIABLES",
    "GROUND_HEAT",
    "GROUND_IRRIGATION",
    "INFILTRATION",
    "IRRIGATION_VARIABLES",
    "LAND_OUTPUTS",
    "LATENT_HEAT",
    "LAYER_THICKNESS",
    "NET_SOURCE",
    "POROSITY",
    "PRESSURE_HEAD",
    "ROOT_ZONE_SATURATED_FRACTION",
    "SATURATED_GROUND",
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
    Variable(name, forcing.UNITS[name], SURFACE, Role.FORCING, forcing.MEANINGS[name], POSSIBLE[name])
    for name in forcing.FORCING_NAMES
)

SOIL_WATER_VARIABLES = (
    Variable(PRESSURE_HEAD, "m", ROOT_ZONE, Role.INPUT, "pressure head at layer centres", (-1.0e9, 1.0e4)),
    Variable(SATURATION, "1", ROOT_ZONE, Role.INPUT, "saturation, relative to porosity", (0.0, 1.0 + 1.0e-6)),
)

IRRIGATION_VARIABLES = tuple(
    Variable(name, "kg m-2 s-1", SURFACE, Role.FORCING, meaning, POSSIBLE_IRRIGATION)
    for name, meaning in (
        (CANOPY_IRRIGATION, "irrigation above the canopy (sprinklers); none unless it is set"),
        (GROUND_IRRIGATION, "irrigation on the ground (drip); none unless it is set"),
    )
)

SATURATED_GROUND = Variable(
    ROOT_ZONE_SATURATED_FRACTION,
    "1",
    ROOT_ZONE,
    Role.FORCING,
    "share of the cell's ground that is saturated, though its mean is not; none unless it is set",
    (0.0, 1.0),
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

NET_RADIATION = "land_surface_radiation~net~total__energy_flux"
ABSORBED_SHORTWAVE = "land_surface_radiation~net~shortwave__energy_flux"
REFLECTED_SHORTWAVE = "land_surface_radiation~reflected~shortwave__energy_flux"
OUTGOING_LONGWAVE = "land_surface_radiation~outgoing~longwave__energy_flux"
ALBEDO = "land_surface__albedo"
TRANSPIRATION = "land_vegetation_water_transpiration__mass_flux"
CANOPY_EVAPORATION = "land_vegetation_canopy_water_evaporation__mass_flux"
INTERCEPTION = "land_vegetation_canopy_water_interception__mass_flux"
CANOPY_WATER = "land_vegetation_canopy_water__mass-per-area_density"
SOIL_EVAPORATION = "soil_surface_water_evaporation__mass_flux"
SURFACE_RUNOFF = "land_surface_water_runoff~not-into-soil__mass_flux"
LEAF_AREA = "land_vegetation__leaf-area_index"
STEM_AREA = "land_vegetation__stem-area_index"
ROOT_WATER_AVAILABILITY = "soil_root-zone_water__availability_factor"
GROUND_TEMPERATURE = "ground_surface__temperature"
LEAF_TEMPERATURE = "land_vegetation_leaf__temperature"
SOIL_TEMPERATURE = "soil__temperature"
SOIL_ICE = "soil_water_ice__mass-per-area_density"
SNOW_DEPTH = "snowpack__depth"
SNOW_FRACTION = "snowpack__area_fraction"
SNOW_LAYERS = "snowpack_layer__count"
SCREEN_TEMPERATURE = "atmosphere_bottom_air_at-2m__temperature"
SCREEN_HUMIDITY = "atmosphere_bottom_air_water~vapor_at-2m__specific_humidity"
PRECIPITATION_HEAT = "land_surface_precipitation_heat__energy_flux"
GROUNDWATER_HEAT = "soil_water_heat~from-groundwater__energy_flux"
CANOPY_PHASE_HEAT = "land_vegetation_canopy_snow_heat~fusion__energy_flux"
ICE_GAIN = "land_ice__mass_gain_rate"
ENERGY_RESIDUAL = "land_surface_energy_balance__residual"
WATER_RESIDUAL = "land_surface_water_balance__residual"


def _surface(name: str, units: str, long_name: str) -> Variable:
    return Variable(name, units, SURFACE, Role.OUTPUT, long_name)


DIAGNOSTICS = (
    _surface(NET_RADIATION, "W m-2", "net radiation, downwards positive"),
    _surface(ABSORBED_SHORTWAVE, "W m-2", "absorbed shortwave radiation"),
    _surface(REFLECTED_SHORTWAVE, "W m-2", "reflected shortwave radiation"),
    _surface(OUTGOING_LONGWAVE, "W m-2", "longwave radiation emitted and reflected, upwards positive"),
    _surface(ALBEDO, "1", "reflected share of the shortwave radiation of the hour; 1 in the dark"),
    _surface(TRANSPIRATION, "kg m-2 s-1", "transpiration, upwards positive"),
    _surface(CANOPY_EVAPORATION, "kg m-2 s-1", "evaporation of intercepted water, negative for dew on leaves"),
    _surface(INTERCEPTION, "kg m-2 s-1", "precipitation kept by the canopy, negative when it drips"),
    _surface(CANOPY_WATER, "kg m-2", "water on the canopy"),
    _surface(SOIL_EVAPORATION, "kg m-2 s-1", "evaporation and sublimation of ground or snow, negative for dew, frost"),
    _surface(SURFACE_RUNOFF, "kg m-2 s-1", "water that leaves land ice, open water or wetland, not into the soil"),
    _surface(LEAF_AREA, "1", "leaf area index"),
    _surface(STEM_AREA, "1", "stem area index above the snow"),
    _surface(ROOT_WATER_AVAILABILITY, "1", "water stress of the roots, 1 unstressed"),
    _surface(GROUND_TEMPERATURE, "K", "temperature of the top layer of soil or snow"),
    _surface(LEAF_TEMPERATURE, "K", "leaf temperature"),
    Variable(SOIL_TEMPERATURE, "K", ROOT_ZONE, Role.OUTPUT, "soil temperature"),
    Variable(SOIL_ICE, "kg m-2", ROOT_ZONE, Role.OUTPUT, "ice in the soil layer"),
    _surface(SNOW_DEPTH, "m", "snow depth"),
    _surface(SNOW_FRACTION, "1", "fraction of the ground under snow"),
    _surface(SNOW_LAYERS, "1", "number of snow layers"),
    _surface(SCREEN_TEMPERATURE, "K", "air temperature 2 m above the level that exchanges heat"),
    _surface(SCREEN_HUMIDITY, "kg kg-1", "specific humidity at the same height"),
    _surface(PRECIPITATION_HEAT, "W m-2", "heat brought by precipitation"),
    _surface(GROUNDWATER_HEAT, "W m-2", "heat of water that groundwater gave or took since the last step"),
    _surface(CANOPY_PHASE_HEAT, "W m-2", "heat of fusion of snow that the canopy keeps, whose store has no phase"),
    _surface(ICE_GAIN, "kg m-2 s-1", "what the body of land ice gains"),
    _surface(ENERGY_RESIDUAL, "W m-2", "energy that no flux or store accounts for"),
    _surface(WATER_RESIDUAL, "kg m-2 s-1", "water that no flux or store accounts for"),
)
"""What `BmiColm` publishes beyond `LAND_OUTPUTS`, for people rather than for coupling."""
