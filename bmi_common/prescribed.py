"""A source that is known beforehand in the place of a land component, to run or spin up the groundwater alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import ceil, inf, isclose
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from bmi_common import grids
from bmi_common import groundwater as names
from bmi_common.bmi_base import FOREVER, DeclaredBmi, Setup
from bmi_common.config import CalendarTime, Config, ConfigPath, load_config
from bmi_common.domain import Domain, DomainField
from bmi_common.errors import ConfigError, errors_under
from bmi_common.fields import FieldConfig, read_netcdf_variable
from bmi_common.hashing import hashes
from bmi_common.netcdf_file import NetcdfFile
from bmi_common.netcdf_time import entry_at, entry_starts
from bmi_common.units import SECONDS_PER_HOUR, conversion
from bmi_common.variables import Role, Variable

Floats = NDArray[np.float64]

_UNITS = "m h-1"


class SeriesConfig(Config):
    """Recharge (time) or (time, y, x) of a NetCDF file, one entry for each `interval` [h] from the start of the run.

    In a file with dates the first entry is the one that begins at `start` (UTC), by default the start of the run; in
    one without it is the first.
    """

    file: ConfigPath
    variable: str
    units: str | None = None
    interval: Annotated[float, Field(gt=0)] = 1.0
    start: CalendarTime | None = None

    def read(self, domain: Domain, start: datetime | None = None, hours: float = inf) -> Floats:
        """Return recharge [m h-1], (entries, 1, 1) or (entries, ny, nx), from the entry of the run's `start` on.

        It is finite in the first `hours`, where it is needed.
        """
        values, attribute = read_netcdf_variable(self.file, self.variable, domain.cells)
        values = values[self._first(start) :]
        source = f"{self.file} ({self.variable})"
        if values.ndim == 1:
            values = values[:, np.newaxis, np.newaxis]
        elif values.ndim != 3 or values.shape[1:] != domain.surface.shape:
            raise ConfigError(
                f"{source}: recharge has shape {values.shape}, needs (time) or (time, *{domain.surface.shape})"
            )
        units = self.units or attribute
        if units is None:
            raise ConfigError(f"{source}: recharge has no attribute units; say them with `units:`, such as {_UNITS}")
        try:
            change = conversion(units, _UNITS)
        except ConfigError as error:
            raise ConfigError(f"{source}: recharge: {error}") from None
        needed = values[: min(len(values), ceil(min(hours / self.interval, 1e9)))]
        missing = ~np.isfinite(np.broadcast_to(needed, (len(needed), *domain.surface.shape))) & domain.mask
        if missing.any():
            time = int(np.argwhere(missing)[0][0])
            raise ConfigError(f"{source}: recharge is not finite in active cells, first in entry {time}")
        return values * change.factor + change.offset

    def _first(self, start: datetime | None) -> int:
        """Return the entry that the run begins with, by the dates of the file."""
        with NetcdfFile(self.file) as file:
            times = entry_starts(file, self.variable, timedelta(hours=self.interval))
        begin = self.start or start
        if times is None:
            if self.start is not None:
                raise ConfigError(f"{self.file} ({self.variable}): series.start: without effect: the file has no dates")
            return 0
        if begin is None:
            return 0
        try:
            whose = f"the start of the {'run' if self.start is None else 'series'}"
            return entry_at(times, begin, whose, timedelta(hours=self.interval))
        except ConfigError as error:
            raise ConfigError(
                f"{self.file} ({self.variable}): {error}; series: {{start: …}} is the date of the entry that the run "
                "begins with",
                of_period=True,
            ) from None


class PrescribedConfig(Config):
    """The whole file: `recharge:` (constant in time) or `series:`, and where in the root zone the water goes.

    The `profile` has a share for each layer of the root zone, bottom first; without one all goes to the top layer.
    With `start` and `end` (UTC) no more of a series is looked at than lies between them.
    """

    start: CalendarTime | None = None
    end: CalendarTime | None = None
    domain: DomainField
    recharge: FieldConfig | None = None
    series: SeriesConfig | None = None
    profile: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1)] | None = None
    time_step: Annotated[float, Field(gt=0)] = 1.0

    @field_validator("profile")
    @classmethod
    def _shares_of_one(cls, profile: list[float] | None) -> list[float] | None:
        if profile is not None and not isclose(sum(profile), 1.0, rel_tol=1e-6):
            raise ValueError(f"the shares of the layers must add up to 1, not {sum(profile):g}")
        return profile

    @property
    def hours(self) -> float:
        """Length of the run [h], as far as it is known."""
        return inf if self.start is None or self.end is None else (self.end - self.start) / timedelta(hours=1)

    def shares(self, layers: int) -> Floats:
        """Shares of so many layers of the root zone, bottom first; raises `ConfigError` for a profile of others."""
        if self.profile is None:
            return np.array([0.0] * (layers - 1) + [1.0])
        if len(self.profile) != layers:
            raise ConfigError(f"{len(self.profile)} shares given, the root zone has {layers} layers", key="profile")
        return np.array(self.profile)

    @model_validator(mode="after")
    def _one_period(self) -> PrescribedConfig:
        for time in (self.start, self.end):
            if time is not None and time.tzinfo is not None:
                raise ValueError("write start and end without a zone; all times are UTC")
        if self.hours <= 0.0:
            raise ValueError(f"end ({self.end}) must be after start ({self.start})")
        return self

    @model_validator(mode="after")
    def _one_source_in_whole_steps(self) -> PrescribedConfig:
        if (self.recharge is None) == (self.series is None):
            raise ValueError("give either recharge (constant in time) or series")
        if self.series is not None:
            steps = self.series.interval / self.time_step
            if round(steps) < 1 or not isclose(steps, round(steps), rel_tol=1e-9):
                raise ConfigError(
                    f"{self.series.interval:g} h is no whole number of steps of {self.time_step:g} h",
                    key="series.interval",
                )
        return self


class PrescribedSource(DeclaredBmi):
    """Recharge from a file in the place of the land: it takes nothing and publishes the net source of the root zone.

    A recharge R [m h-1] becomes the source R w / dz [h-1] of a layer of thickness dz with the share w.
    """

    component_name = "Prescribed source"
    takes_end = True
    runs_in_parts = True
    may_change = ("series.file",)
    variables = (
        Variable(names.NET_SOURCE, "h-1", grids.ROOT_ZONE, Role.OUTPUT, "net water source, into the soil positive"),
    )

    def _initialize(self, config_file: Path) -> Setup:
        config = load_config(config_file, PrescribedConfig)
        domain = Domain.load(config.domain)
        if config.series is not None:
            self._recharge = config.series.read(domain, config.start, config.hours)
            self._steps_per_entry = round(config.series.interval / config.time_step)
            files: tuple[Path, ...] = (config.series.file,)
            end = len(self._recharge) * config.series.interval * SECONDS_PER_HOUR
        else:
            assert config.recharge is not None
            recharge = config.recharge.read("recharge", domain.surface.shape, _UNITS, domain.mask, cells=domain.cells)
            self._recharge = recharge[np.newaxis]
            self._steps_per_entry = 0
            files = config.recharge.files
            end = FOREVER
        with errors_under(file=config_file):
            if domain.top_layer is not None and np.any(self._recharge[..., domain.mask] != 0.0):
                raise ConfigError(
                    "layers of the root zone lie above the ground where it is uneven (`top_layer` of the domain); give "
                    "water at the ground as `surface: {flux: …}` of the groundwater",
                    key="recharge" if config.series is None else "series",
                )
            share = config.shares(domain.root_zone_layers) / domain.dz[-domain.root_zone_layers :]
        self._share: Floats = np.where(domain.mask, share[:, np.newaxis, np.newaxis], np.nan)
        self._files = (config_file, *files, *domain.files)
        return Setup(
            grids=domain.published_grids,
            time_step=config.time_step * SECONDS_PER_HOUR,
            end_time=end,
            ends_with="" if config.series is None else "series",
            mask=domain.mask,
            georeference=domain.georeference,
            part=domain.part,
        )

    def _start(self) -> None:
        self._publish(0)

    def _update(self) -> None:
        step = round(self.time / self._setup.time_step)
        self._publish(step // self._steps_per_entry if self._steps_per_entry else 0)

    def _publish(self, entry: int) -> None:
        self.values[names.NET_SOURCE][...] = self._share * self._recharge[entry]

    @property
    def provenance(self) -> dict[str, str]:
        """SHA-256 of each input file, by path."""
        return hashes(self._files)
