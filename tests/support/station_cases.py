"""A run with stations: every quantity that can be measured, written every hour, and files of measurements."""

from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import yaml
from evaluation_cases import INACTIVE, Years, field

from bmi_common.groundwater import DISCHARGE
from bmi_common.run_records import SENSIBLE_HEAT

START = np.datetime64("2020-01-01T00:00", "s")
HOUR = np.timedelta64(3600, "s")
DAYS = 60
HOURS = 24 * DAYS
CELL = {"x": 2, "y": 1}


class Stations(Years):
    """A run of sixty days, and what was measured beside it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        rng = np.random.default_rng(0)
        hour = np.arange(1, HOURS + 1)
        self.rain = np.where(rng.random(HOURS) < 0.05, rng.exponential(2.0, HOURS), 0.0)
        self.discharge = 20.0 + np.convolve(self.rain, 30.0 * np.exp(-np.arange(200) / 40.0))[:HOURS]
        self.depth = 2.0 + 0.5 * np.sin(hour / 100.0)
        self.latent = 100.0 + 90.0 * np.sin(2.0 * np.pi * hour / 24.0)
        self.sensible = 30.0 + 60.0 * np.sin(2.0 * np.pi * hour / 24.0)
        self.run_folder = self.make_run("run")

    def make_run(self, name: str, discharge: np.ndarray | None = None, hours: slice = slice(None)) -> Path:
        shape = field(HOURS, 1.0)[hours]
        depth, latent = (s[hours, None, None] * shape for s in (self.depth, self.latent))
        first = str((START + HOUR * (hours.start or 0)).astype("datetime64[D]"))
        run = self.run(name, depth, latent, start=first, rain=self.rain[hours])
        with netCDF4.Dataset(run / "fluxes.nc", "a") as data:
            data.createDimension("point", 2)
            names = data.createVariable("point_name", str, ("point",))
            names[:] = np.array(["outlet", "bridge"], dtype=object)
            made = data.createVariable("q", "f8", ("time", "point"))
            made.setncatts({"csdms_name": DISCHARGE, "units": "m3 s-1"})
            outlet = self.discharge if discharge is None else discharge
            made[:] = np.stack([outlet[hours], 0.5 * outlet[hours]], axis=1)
            made = data.createVariable("h", "f8", ("time", "y", "x"), fill_value=1e30)
            made.setncatts({"csdms_name": SENSIBLE_HEAT, "units": "W m-2"})
            values = self.sensible[hours, None, None] * shape
            values[..., INACTIVE[0], INACTIVE[1]] = np.nan
            made[:] = np.ma.masked_invalid(values)
        return run

    def write(self, name: str, *lines: str) -> str:
        (self.folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return name

    def hours_csv(self, name: str, values: np.ndarray, first: np.datetime64 = START) -> str:
        """Write hourly values, each beside the begin of its hour; nothing where there is none."""
        rows = (f"{first + HOUR * i},{'' if np.isnan(v) else repr(float(v))}" for i, v in enumerate(values))
        return self.write(name, "time,value", *rows)

    def observations(self, *stations: dict[str, Any]) -> Path:
        path = self.folder / "observations.yaml"
        path.write_text(yaml.safe_dump({"stations": list(stations)}, sort_keys=False))
        return path
