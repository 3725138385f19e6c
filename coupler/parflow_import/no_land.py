"""The land of runs that have none."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from bmi_common import Config, DeclaredBmi, Domain, DomainField, Setup, grids, load_config
from bmi_common.groundwater import NET_SOURCE
from bmi_common.variables import Role, Variable


class _NoLandConfig(Config):
    domain: DomainField
    start: datetime | None = None


class NoLand(DeclaredBmi):
    """No rain and no evapotranspiration: the net source is zero, as in ParFlow without a land model.

    Its configuration names the ``domain:`` alone.
    """

    component_name = "No land"
    variables = (Variable(NET_SOURCE, "h-1", grids.ROOT_ZONE, Role.OUTPUT, "net water source: none"),)

    def _initialize(self, config_file: Path) -> Setup:
        domain = Domain.load(load_config(config_file, _NoLandConfig).domain)
        self._mask = domain.mask
        return Setup(grids=domain.published_grids, mask=domain.mask)

    def _start(self) -> None:
        self.values[NET_SOURCE][:, self._mask] = 0.0

    def _update(self) -> None:
        pass
