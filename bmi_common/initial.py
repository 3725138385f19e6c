"""The `initial:` section that all groundwater components share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from bmi_common.config import Config, ConfigPath
from bmi_common.domain import Domain
from bmi_common.fields import FieldSpec


class InitialSpec(Config):
    """State at the start: pressure heads [m], water at rest below a water table at a depth [m], or a state file."""

    pressure_head: FieldSpec | None = None
    water_table_depth: FieldSpec | None = None
    state: ConfigPath | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> InitialSpec:
        given = [key for key in ("pressure_head", "water_table_depth", "state") if getattr(self, key) is not None]
        if len(given) != 1:
            got = f"; both {' and '.join(given)} are given" if given else ""
            raise ValueError(f"give either pressure_head, water_table_depth or state (a state file){got}")
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """Files that the state is read from."""
        own = () if self.state is None else (self.state,)
        return own + tuple(f for spec in (self.pressure_head, self.water_table_depth) if spec for f in spec.files)

    def read(self, domain: Domain) -> NDArray[np.float64]:
        """Pressure head [m] (nz, ny, nx); with a state file 0 m, which the state replaces before the first step."""
        if self.state is not None:
            return np.zeros(domain.subsurface.shape)
        if self.pressure_head is not None:
            return self.pressure_head.read("initial.pressure_head", domain.subsurface.shape, "m", domain.mask)
        assert self.water_table_depth is not None
        depth = self.water_table_depth.read("initial.water_table_depth", domain.surface.shape, "m", domain.mask)
        centres = np.cumsum(domain.dz) - 0.5 * domain.dz
        head: NDArray[np.float64] = (domain.dz.sum() - depth) - centres[:, np.newaxis, np.newaxis]
        return head
