"""The YAML of the Richards component: the keys that all groundwater components share, and the section `richards`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from bmi_common import Config, ConfigError, ConfigPath, Domain, FieldConfig, load_config
from bmi_common.errors import InputNotice, Mistakes, errors_under
from bmi_common.fields import read_netcdf_variable
from bmi_common.gauges import Gauges
from bmi_common.groundwater import SECTIONS
from bmi_common.groundwater_config import GroundwaterConfig, Mode, PreparedGroundwater
from bmi_common.netcdf_file import NetcdfFile
from bmi_common.netcdf_time import entry_starts
from bmi_common.partition import Part
from bmi_common.places import PlaceConfig
from bmi_common.rates import first_entry
from bmi_common.units import conversion
from bmi_common.wells import Takes
from bmi_richards.options import CommonConfig, Drainage, PermeabilityTable, SolverConfig

Floats = NDArray[np.float64]


class TableConfig(Config):
    """Relative permeability from a table of `table` points between `min_head` [m] and 0, as ParFlow can be told to."""

    table: Annotated[int, Field(ge=2)]
    min_head: FieldConfig


class PrescribedDrainage(Config):
    """Drainage through the bottom from a NetCDF variable (time, y, x), one entry a step from the start of the run."""

    file: ConfigPath
    variable: str

    def read(self, domain: Domain, time_step: float, start: datetime | None = None) -> Floats:
        """Drainage [m h-1] (steps, ny, nx) for steps of `time_step` [h] from `start` (UTC) on."""
        values, units = read_netcdf_variable(self.file, self.variable, domain.cells)
        source = f"{self.file} ({self.variable})"
        if values.ndim != 3 or values.shape[1:] != domain.surface.shape:
            raise ConfigError(f"{source}: drainage has shape {values.shape}, needs (steps, *{domain.surface.shape})")
        if units is None:
            raise ConfigError(f"{source}: drainage has no attribute units; it should convert to m h-1")
        try:
            change = conversion(units, "m h-1")
        except ConfigError as error:
            raise ConfigError(f"{source}: drainage: {error}") from None
        step = timedelta(hours=time_step)
        with NetcdfFile(self.file) as file:
            times = entry_starts(file, self.variable, step)
        values = values[first_entry(times, start, source, step) :]
        if not np.isfinite(values[:, domain.mask]).all():
            raise ConfigError(f"{source}: drainage is not finite in all steps and active cells")
        return values * change.factor + change.offset


class RichardsSection(CommonConfig):
    """The section ``richards:``: options of the solver, those that name files included, and its step.

    ``gauges`` is where files of earlier versions have what stands beside the section now.
    """

    drainage: Literal["implicit", "lagged"] | PrescribedDrainage | None = None
    relative_permeability: Literal["analytic"] | TableConfig = "analytic"
    time_step: Annotated[float, Field(gt=0)] = 1.0
    gauges: dict[str, PlaceConfig] | None = None

    @model_validator(mode="after")
    def _drainage_needs_a_free_bottom(self) -> RichardsSection:
        if self.drainage is not None and self.mode is Mode.FULL:
            raise ValueError("drainage has no effect with `mode: full`; set `mode: free_drainage` or remove it")
        return self

    def build(self, domain: Domain) -> SolverConfig:
        """Options for the solver; reads the fields that they name."""
        table = None
        if isinstance(self.relative_permeability, TableConfig):
            spec = self.relative_permeability
            lowest = spec.min_head.read("min_head", domain.subsurface.shape, "m", domain.mask, cells=domain.cells)
            if np.any((lowest >= 0.0) & domain.mask):
                raise ConfigError("richards: relative_permeability: min_head must be below 0 m everywhere")
            table = PermeabilityTable(spec.table, np.where(domain.mask, lowest, -1.0))
        prescribed = isinstance(self.drainage, PrescribedDrainage)
        return SolverConfig(
            **{name: getattr(self, name) for name in CommonConfig.model_fields},
            drainage=Drainage.PRESCRIBED if prescribed else Drainage(self.drainage or "implicit"),
            table=table,
        )


class RichardsConfig(GroundwaterConfig):
    """The whole file."""

    richards: RichardsSection = RichardsSection()


@dataclass(frozen=True, kw_only=True)
class PreparedRichards(PreparedGroundwater):
    """What the configuration describes beside domain and state.

    Attributes
    ----------
    options : SolverConfig
    part : Part or None
        Of the domain, with the waves of its overland flow.
    drainage : (steps, ny, nx), optional
        Prescribed drainage [m h-1].
    time_step : float
        Length of a step [h].
    """

    options: SolverConfig
    part: Part | None
    drainage: Floats | None
    time_step: float


def prepare(config_file: Path) -> PreparedRichards:
    """Read and check a configuration and the fields that it names.

    Raises
    ------
    ConfigError
        For each mistake that can be known, naming file, line and key.
    """
    config = load_config(config_file, RichardsConfig, ignore=SECTIONS)
    domain = config.solver_domain("the Richards solver")
    drainage, own, mistakes, streams = None, [config_file], Mistakes(), None
    with mistakes.noted(), errors_under("streams", config_file):
        streams, domain = config.read_streams(domain)
    with mistakes.noted(), errors_under(file=config_file):
        conditions = config.read_conditions(domain)
        _require_meaning(config)
    with mistakes.noted():
        head = config.initial.read(domain, config_file)
    if isinstance(prescribed := config.richards.drainage, PrescribedDrainage):
        with mistakes.noted():
            drainage = prescribed.read(domain, config.richards.time_step, config.start)
        own.append(prescribed.file)
    with mistakes.noted():
        options = config.richards.build(domain)
    gauges = Gauges.none()
    with mistakes.noted(), errors_under(file=config_file):
        gauges = Gauges.read(_gauges(config, config_file), domain, config.surface.condition)
    mistakes.require_none()
    return PreparedRichards(
        domain=domain,
        head=head,
        options=options,
        part=domain.part_under(config.surface.condition),
        drainage=drainage,
        files=(*own, *conditions.files, *config.initial.files, *domain.files),
        conditions=conditions,
        time_step=config.richards.time_step,
        gauges=gauges,
        initial_state=config.initial.state,
        streams=streams,
    )


def _gauges(config: RichardsConfig, file: Path) -> dict[str, PlaceConfig]:
    """Return the section ``gauges``, or what stands in its place in files of earlier versions."""
    earlier = config.richards.gauges
    if earlier is None:
        return config.gauges
    if config.gauges:
        raise ConfigError("stands beside `gauges:` as well; keep that one alone", key="richards.gauges")
    warnings.warn(
        f"{file}: richards.gauges: is read as `gauges:` beside the sections, where every groundwater component finds "
        "it; move it there",
        InputNotice,
        stacklevel=2,
    )
    return earlier


def _require_meaning(config: RichardsConfig) -> None:
    """Refuse what has no meaning beside the options of the solver."""
    mistakes = Mistakes()
    if config.richards.mode is Mode.FREE_DRAINAGE:
        for number, boundary in enumerate(config.boundaries):
            if boundary.side == "bottom":
                mistakes.note(
                    ConfigError(
                        "the bottom drains freely with `richards: {mode: free_drainage}`",
                        key=f"boundaries.{number}.side",
                    )
                )
    if not config.surface.condition.has_water_standing:
        ground = config.surface.condition.ground
        for number, well in enumerate(config.wells):
            if well.takes is Takes.RIVER:
                mistakes.note(ConfigError(f"no water stands on {ground}", key=f"wells.{number}.takes"))
    mistakes.require_none()
