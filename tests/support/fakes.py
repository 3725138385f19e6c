"""A small component, made of the shared base, for tests of the base and of the conformance checks."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from bmi_common import Config, DeclaredBmi, Role, Setup, Variable, grids, load_config

RAIN = "atmosphere_water_precipitation__mass_flux"
WIND = "land_surface_wind__x_component_of_velocity"
DEPTH = "land_surface_water__depth"
HEAD = "soil_water__pressure_head"
THICKNESS = "soil_layer__thickness"
VOLUME = "model_domain_water__storage_volume"


class BucketConfig(Config):
    """Size and limits of the fake."""

    nx: int = 4
    ny: int = 3
    dry_column: bool = False
    end_time: float = 240 * 3600.0
    fail_at_start: bool = False


class Bucket(DeclaredBmi):
    """Collects rain in a bucket a cell; fails when the bucket overflows."""

    component_name = "Bucket"
    variables = (
        Variable(RAIN, "kg m-2 s-1", grids.SURFACE, Role.INPUT),
        Variable(WIND, "m s-1", grids.SURFACE, Role.FORCING),
        Variable(DEPTH, "m", grids.SURFACE, Role.OUTPUT),
        Variable(HEAD, "m", grids.SUBSURFACE, Role.STATE),
        Variable(THICKNESS, "m", grids.SUBSURFACE, Role.STATIC),
        Variable(VOLUME, "m3", grids.SCALAR, Role.OUTPUT),
    )
    released: ClassVar[list[Bucket]] = []
    seen_as_supplied: frozenset[str] = frozenset()

    def _initialize(self, config_file: Path) -> Setup:
        self._config = load_config(config_file, BucketConfig)
        surface = grids.surface(self._config.ny, self._config.nx, 100.0, 200.0)
        self.layers = np.linspace(10.0, 0.1, 11)
        mask = np.ones(surface.shape, dtype=bool)
        mask[0, 0] = not self._config.dry_column
        return Setup(
            grids={
                grids.SURFACE: surface,
                grids.SUBSURFACE: grids.layered(surface, self.layers),
                grids.ROOT_ZONE: grids.root_zone(surface, self.layers, 10),
                grids.SCALAR: grids.scalar(),
            },
            end_time=self._config.end_time,
            mask=mask,
        )

    def _start(self) -> None:
        if self._config.fail_at_start:
            raise MemoryError("no room to start")
        assert self.mask is not None
        self.values[DEPTH][self.mask] = 0.0
        self.values[HEAD][:, self.mask] = -1.0
        self.values[THICKNESS][...] = self.layers[:, np.newaxis, np.newaxis]
        self.values[VOLUME][...] = 0.0

    def _update(self) -> None:
        self.seen_as_supplied = frozenset(self.supplied)
        self.values[DEPTH][...] += self.values[RAIN] * 3600.0 / 1000.0
        self.values[VOLUME][...] = np.nansum(self.values[DEPTH]) * 100.0 * 200.0
        if np.nanmax(self.values[DEPTH]) > 100.0:
            self.values[DEPTH][1, 2] = np.inf
            self.require_finite(DEPTH)

    def _finalize(self) -> None:
        self.released.append(self)


class BucketWithWrongUnits(Bucket):
    """Breaks what a conformance check must find."""

    component_name = "BucketWithWrongUnits"

    def get_var_units(self, name: str) -> str:
        return "leagues_per_fortnite" if name == DEPTH else super().get_var_units(name)
