"""BMI names and units of the meteorological forcing."""

from types import MappingProxyType
from typing import Final

PRECIPITATION: Final = "atmosphere_water_precipitation__mass_flux"
AIR_TEMPERATURE: Final = "atmosphere_bottom_air__temperature"
AIR_PRESSURE: Final = "atmosphere_bottom_air__pressure"
SPECIFIC_HUMIDITY: Final = "atmosphere_bottom_air_water~vapor__specific_humidity"
SHORTWAVE: Final = "land_surface_radiation~incoming~shortwave__energy_flux"
LONGWAVE: Final = "land_surface_radiation~incoming~longwave__energy_flux"
WIND_X: Final = "land_surface_wind__x_component_of_velocity"
WIND_Y: Final = "land_surface_wind__y_component_of_velocity"

UNITS: Final = MappingProxyType(
    {
        PRECIPITATION: "kg m-2 s-1",
        AIR_TEMPERATURE: "K",
        AIR_PRESSURE: "Pa",
        SPECIFIC_HUMIDITY: "kg kg-1",
        SHORTWAVE: "W m-2",
        LONGWAVE: "W m-2",
        WIND_X: "m s-1",
        WIND_Y: "m s-1",
    }
)
"""Units of every forcing variable, by BMI name."""

MEANINGS: Final = MappingProxyType(
    {
        PRECIPITATION: "precipitation, rain and snow",
        AIR_TEMPERATURE: "air temperature at its reference height",
        AIR_PRESSURE: "air pressure",
        SPECIFIC_HUMIDITY: "specific humidity of the air at its reference height",
        SHORTWAVE: "incoming shortwave radiation",
        LONGWAVE: "incoming longwave radiation",
        WIND_X: "wind at its reference height, towards the east positive",
        WIND_Y: "wind at its reference height, towards the north positive",
    }
)
"""What every forcing variable is, for people and for output files."""

FORCING_NAMES: Final = tuple(UNITS)
"""The eight forcing variables of the land component."""
