"""A linear reservoir in every column as the groundwater of a run: an example of a component of one's own.

See docs/add_component.md. With this folder on the import path::

    PYTHONPATH=docs/examples bmi-run docs/examples/coupled-linear-reservoir.yaml
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bmi_common import (
    Config,
    ConfigError,
    DeclaredBmi,
    Domain,
    DomainField,
    FieldConfig,
    Role,
    Setup,
    Variable,
    load_config,
    van_genuchten,
)
from bmi_common import groundwater as names
from bmi_common.grids import ROOT_ZONE, SCALAR, SUBSURFACE, SURFACE

Floats = NDArray[np.float64]

_SECONDS_PER_HOUR = 3600.0
_HOURS_PER_DAY = 24.0


class ReservoirConfig(Config):
    """The whole file: the domain that the land has, too, and the parameters of the reservoirs."""

    domain: DomainField
    water_table_depth: FieldConfig
    """At the start [m]."""
    drainage_depth: Annotated[float, Field(gt=0)] = 20.0
    """Depth [m] at which outflow ends: that of the streams' beds, say."""
    specific_yield: Annotated[float, Field(gt=0, lt=1)] = 0.1
    residence_time: Annotated[float, Field(gt=0)] = 1000.0
    """Days that water stays on average."""


class LinearReservoir(DeclaredBmi):
    """Groundwater of every column as a linear reservoir, with water at rest above and below the water table.

    Water S [m] above the drainage depth follows dS/dt = R - S / T with the net source R of the root zone and the
    residence time T, solved exactly for a constant R. The water table stands at the drainage depth less S / specific
    yield. What would rise above the ground leaves as overland flow in the same step; what sinks take below S = 0 is
    not there and is reported as unmet demand. Setting the water table depth replaces the state.
    """

    component_name = "Linear reservoir"
    variables = (
        Variable(names.NET_SOURCE, "h-1", ROOT_ZONE, Role.INPUT, "net water source per bulk volume, into the soil +"),
        Variable(names.WATER_TABLE_DEPTH, "m", SURFACE, Role.STATE, "water table depth", (0.0, 1.0e4)),
        Variable(names.PRESSURE_HEAD, "m", SUBSURFACE, Role.OUTPUT, "pressure head of water at rest"),
        Variable(names.SATURATION, "1", SUBSURFACE, Role.OUTPUT, "saturation, relative to porosity", (0.0, 1.0)),
        Variable(names.RUNOFF, "m s-1", SURFACE, Role.OUTPUT, "outflow of the reservoir and over the ground"),
        Variable(names.LAYER_THICKNESS, "m", SUBSURFACE, Role.STATIC, "layer thickness"),
        Variable(names.POROSITY, "1", SUBSURFACE, Role.STATIC, "porosity"),
        Variable(names.STORAGE_VOLUME, "m3", SCALAR, Role.OUTPUT, "water above the drainage depth, all columns"),
        Variable(names.UNMET_VOLUME, "m3", SCALAR, Role.OUTPUT, "demand of sinks that could not be met"),
    )

    def _initialize(self, config_file: Path) -> Setup:
        self._config = load_config(config_file, ReservoirConfig)
        self._domain = Domain.load(self._config.domain)
        bottom = float(self._domain.dz.sum())
        if self._config.drainage_depth > bottom:
            raise ConfigError(
                f"{self._config.drainage_depth:g} m is below the domain's bottom, {bottom:g} m",
                key="drainage_depth",
                file=config_file,
            )
        self._start_depth = self._config.water_table_depth.read(
            "water_table_depth", self._domain.surface.shape, "m", self._domain.mask, cells=self._domain.cells
        )
        return Setup(
            grids=self._domain.published_grids,
            time_step=_SECONDS_PER_HOUR,
            mask=self._domain.mask,
        )

    def _start(self) -> None:
        domain, values = self._domain, self.values
        values[names.LAYER_THICKNESS][:, domain.mask] = domain.thickness[:, domain.mask]
        values[names.POROSITY][:, domain.mask] = domain.porosity[:, domain.mask]
        values[names.WATER_TABLE_DEPTH][domain.mask] = self._start_depth[domain.mask]
        values[names.RUNOFF][domain.mask] = 0.0
        values[names.UNMET_VOLUME][...] = 0.0
        self._publish()

    def _update(self) -> None:
        # all that the next hour depends on is the water table depth, a value: state files need nothing more
        self.require_finite(names.NET_SOURCE, names.WATER_TABLE_DEPTH)
        config, domain, values = self._config, self._domain, self.values
        before = self._water()
        dz = domain.dz[-domain.root_zone_layers :, np.newaxis, np.newaxis]
        source = (values[names.NET_SOURCE] * dz).sum(axis=0)  # m in this hour
        hours = config.residence_time * _HOURS_PER_DAY
        kept = np.exp(-1.0 / hours)
        baseflow = np.maximum(before + source - (before * kept + source * hours * (1.0 - kept)), 0.0)
        left = before + source - baseflow
        water = np.clip(left, 0.0, config.drainage_depth * config.specific_yield)
        overland = np.maximum(left - water, 0.0)

        area = domain.dx * domain.dy
        values[names.WATER_TABLE_DEPTH][...] = config.drainage_depth - water / config.specific_yield
        values[names.RUNOFF][...] = (baseflow + overland) / _SECONDS_PER_HOUR
        values[names.UNMET_VOLUME][...] = np.nansum(np.maximum(water - left, 0.0)) * area
        self._publish()

    def _adopt_state(self, name: str) -> None:
        self._publish()

    def _water(self) -> Floats:
        """Water above the drainage depth [m] (ny, nx)."""
        height: Floats = self._config.drainage_depth - self.values[names.WATER_TABLE_DEPTH]
        return height * self._config.specific_yield

    def _publish(self) -> None:
        """Make what follows from the water table depth."""
        domain, values = self._domain, self.values
        below_ground = domain.dz.sum() - (np.cumsum(domain.dz) - 0.5 * domain.dz)
        head = below_ground[:, np.newaxis, np.newaxis] - values[names.WATER_TABLE_DEPTH]
        values[names.PRESSURE_HEAD][...] = head
        values[names.SATURATION][...] = van_genuchten.saturation(
            head, domain.alpha, domain.n, domain.residual_saturation, domain.maximum_saturation
        )
        values[names.STORAGE_VOLUME][...] = np.nansum(self._water()) * domain.dx * domain.dy
