"""A small NetCDF file of forcing, and how the program reads it."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import netCDF4
import numpy as np
from pydantic import TypeAdapter

from bmi_colm.forcing import open_forcing
from bmi_colm.forcing.config import ForcingConfig

FORCING = {
    "pr": ("precipitation_flux", "kg m-2 s-1", 1.0e-4),
    "tas": ("air_temperature", "K", 290.0),
    "ps": ("surface_air_pressure", "Pa", 1.0e5),
    "huss": ("specific_humidity", "1", 0.008),
    "rsds": ("surface_downwelling_shortwave_flux_in_air", "W m-2", 300.0),
    "rlds": ("surface_downwelling_longwave_flux_in_air", "W m-2", 320.0),
    "uas": ("eastward_wind", "m s-1", 2.0),
    "vas": ("northward_wind", "m s-1", 1.0),
}
LATITUDE, LONGITUDE = np.array([23.0, 23.1, 23.2]), np.array([113.0, 113.1, 113.2, 113.3])


def write_forcing(file: Path, hours: int = 6) -> None:
    with netCDF4.Dataset(file, "w") as nc:
        for name, values in (("lat", LATITUDE), ("lon", LONGITUDE)):
            nc.createDimension(name, values.size)
            nc.createVariable(name, "f8", (name,))[:] = values
            nc[name].units = {"lat": "degrees_north", "lon": "degrees_east"}[name]
        nc.createDimension("time", hours)
        nc.createDimension("nv", 2)
        nc.createVariable("time", "f8", ("time",))[:] = np.arange(hours)
        nc["time"].setncatts({"units": "hours since 2020-06-01 00:00", "calendar": "standard", "bounds": "bnds"})
        nc.createVariable("bnds", "f8", ("time", "nv"))[:] = np.arange(hours)[:, None] + np.array([0.0, 1.0])
        for name, (standard_name, units, value) in FORCING.items():
            nc.createVariable(name, "f8", ("time", "lat", "lon"))[:] = value
            nc[name].setncatts({"standard_name": standard_name, "units": units})


def read_forcing(file: Path) -> None:
    spec = TypeAdapter(ForcingConfig).validate_python({"type": "netcdf", "file": str(file)})
    latitude, longitude = np.meshgrid(LATITUDE, LONGITUDE, indexing="ij")
    start = datetime(2020, 6, 1)
    forcing = open_forcing(
        spec, shape=(3, 4), latitude=latitude, longitude=longitude, start=start, end=start + timedelta(hours=6)
    )
    try:
        for hour in range(6):
            forcing.read(start + timedelta(hours=hour))
    finally:
        forcing.close()
