"""Pairs of measured and simulated values as NetCDF, a group a station."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import netCDF4
import numpy as np

from rootzone.evaluation.observations.comparison import Comparison, StationComparison
from rootzone.evaluation.report.netcdf import word

_EPOCH = "hours since 1970-01-01 00:00:00"


def write(c: Comparison, path: Path) -> None:
    """Write the pairs; ``xarray.open_dataset(path, group="outlet")`` reads those of a station.

    A group has the name of its station, with underscores for what is no letter or digit, and its scores as attributes.
    """
    with netCDF4.Dataset(path, "w", format="NETCDF4") as data:
        data.setncatts(
            {
                "Conventions": "CF-1.11",
                "title": f"{c.run} beside measurements",
                "source": f"rootzone {version('rootzone')}",
                "history": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} bmi-evaluate",
            }
        )
        for station in c.stations:
            name = word(station.name)
            while name in data.groups:
                name += "_"
            _write_station(data.createGroup(name), station)


def _write_station(group: netCDF4.Group, s: StationComparison) -> None:
    group.setncatts({"station": s.name, "quantity": s.kind.title, "place": s.place, "read_as": s.reading})
    group.createDimension("time", len(s.observed))
    group.createDimension("bounds", 2)
    begin, end = (np.asarray((t - np.datetime64(0, "s")) / np.timedelta64(1, "h")) for t in (s.begin, s.end))
    clock = {"units": _EPOCH, "calendar": "standard", "units_metadata": "leap_seconds: none"}
    time = group.createVariable("time", "f8", ("time",))
    time.setncatts({"standard_name": "time", "long_name": "end of the interval, UTC", "axis": "T", **clock})
    time.bounds = "time_bounds"
    time[:] = end
    group.createVariable("time_bounds", "f8", ("time", "bounds"))[:] = np.stack([begin, end], axis=1)
    runs = {f"simulated_{word(run)}": (run, values) for run, values in s.simulated.items()}
    for name, (source, values) in {"observed": ("measured", s.observed), **runs}.items():
        variable = group.createVariable(name, "f8", ("time",))
        variable.setncatts(
            {"units": s.kind.units, "long_name": f"{s.kind.title}, {source}", "cell_methods": "time: mean"}
        )
        variable[:] = values
    rain = group.createVariable("rain_of_wettest_hour", "f8", ("time",), fill_value=np.nan)
    rain.setncatts({"units": "mm h-1", "long_name": "precipitation of the wettest hour, mean of the domain"})
    rain[:] = s.wettest
