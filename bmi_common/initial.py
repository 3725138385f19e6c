"""The `initial:` section that all groundwater components share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from bmi_common.config import Config, ConfigPath
from bmi_common.domain import Domain
from bmi_common.errors import ConfigError, describe_cell, errors_under, out_of_range
from bmi_common.fields import FieldConfig
from bmi_common.groundwater import POSSIBLE_HEADS

HIGHEST_POND = 100.0
"""Water [m] above the ground; what stands higher is a wrong sign or an elevation taken for a pressure head."""


class InitialConfig(Config):
    """State at the start: pressure heads [m], water at rest below a water table at a depth [m], or a state file."""

    pressure_head: FieldConfig | None = None
    water_table_depth: FieldConfig | None = None
    state: ConfigPath | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> InitialConfig:
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

    def read(self, domain: Domain, config_file: Path) -> NDArray[np.float64]:
        """Pressure head [m] (nz, ny, nx); with a state file 0 m, which the state replaces before the first step.

        Raises
        ------
        ConfigError
            If a field cannot be read, a head is impossible, or water would stand higher above the ground than
            `HIGHEST_POND`; then naming the file that the section stands in.
        """
        if self.state is not None:
            return np.zeros(domain.subsurface.shape)
        if self.pressure_head is not None:
            key = "initial.pressure_head"
            head = self.pressure_head.read(key, domain.subsurface.shape, "m", domain.mask, cells=domain.cells)
        else:
            assert self.water_table_depth is not None
            key = "initial.water_table_depth"
            depth = self.water_table_depth.read(key, domain.surface.shape, "m", domain.mask, cells=domain.cells)
            centres = np.cumsum(domain.dz) - 0.5 * domain.dz
            # over level ground the sum of the layers, which has other last bits than their cumulative sum
            ground = domain.dz.sum() if domain.top_layer is None else domain.height_of_ground
            head = (ground - depth) - centres[:, np.newaxis, np.newaxis]
        with errors_under(key, config_file):
            require_possible(head, domain)
        pond = float(domain.at_ground(head)[domain.mask].max())
        if pond > HIGHEST_POND:
            raise ConfigError(
                f"water would stand {pond:.0f} m above the ground; the depth of the water table is positive "
                "downwards, pressure head is not counted from sea level",
                key=key,
                file=config_file,
            )
        return head


def require_possible(head: NDArray[np.float64], domain: Domain) -> None:
    """Refuse heads [m] (nz, ny, nx) that are no state of a soil.

    Raises
    ------
    ConfigError
        Naming value and cell.
    """
    low, high = POSSIBLE_HEADS
    bad = ((head < low) | (head > high)) & domain.cells_in_ground
    if bad.any():
        cell = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ConfigError(f"{out_of_range(head[cell], low, high, 'm')} at {describe_cell(cell)}")
