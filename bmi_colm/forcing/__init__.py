"""Meteorological forcing of the land component, by the hour.

A record of hours is described by a `ForcingConfig` (the ``forcing:`` section of the configuration) and opened with
`open_forcing`, which checks before anything runs that every hour is there and usable:

    with open_forcing(spec, latitude=lat, longitude=lon, shape=(ny, nx), start=start, end=end) as forcing:
        values = forcing.read(start)
"""

from bmi_colm.forcing.config import (
    ColumnForcing,
    Era5LandForcing,
    ExternalForcing,
    ForcingConfig,
    NetcdfForcing,
    ParflowForcing,
)
from bmi_colm.forcing.names import FORCING_NAMES, UNITS
from bmi_colm.forcing.opening import open_forcing
from bmi_colm.forcing.plausible import ForcingWarning
from bmi_colm.forcing.record import Forcing

__all__ = [
    "FORCING_NAMES",
    "UNITS",
    "ColumnForcing",
    "Era5LandForcing",
    "ExternalForcing",
    "Forcing",
    "ForcingConfig",
    "ForcingWarning",
    "NetcdfForcing",
    "ParflowForcing",
    "open_forcing",
]
