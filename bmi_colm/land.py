"""What land components share: their variables, forcing from files or over BMI, and guards on inputs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bmi_colm import variables as names
from bmi_colm.config import PreparedLand
from bmi_colm.forcing import FORCING_NAMES, Forcing, open_forcing
from bmi_colm.forcing.plausible import looks_like
from bmi_colm.forcing.record import NoForcing
from bmi_common import BmiStateError, DeclaredBmi, ModelError, Setup
from bmi_common.bmi_base import FOREVER
from bmi_common.errors import errors_under, out_of_range
from bmi_common.hashing import hashes

WATER_DENSITY = 1000.0  # kg m-3


class ClampedHeadWarning(UserWarning):
    """Soil drier than the land component can use."""


class LandSurface(DeclaredBmi):
    """Base of land components: pressure head, saturation and forcing of an hour in, fluxes out.

    A subclass sets `_prepared` and `_forcing` in its `_initialize`, with the help of `_open` and `_setup_for`.
    """

    variables = (*names.SOIL_WATER_VARIABLES, *names.FORCING_VARIABLES, *names.LAND_OUTPUTS)
    takes_end = True
    may_change = ("carbon_dioxide", "forcing", "leaf_area.file", "leaf_area.missing", "threads")
    _prepared: PreparedLand
    _forcing: Forcing
    _warned: bool

    @property
    def start(self) -> datetime:
        """Calendar time of BMI time 0, UTC."""
        return self._prepared.config.start

    @property
    def provenance(self) -> Mapping[str, str]:
        """SHA-256 of each input file, forcing included, by path."""
        return hashes(self._prepared.files)

    def _open(self, prepared: PreparedLand, config_file: Path) -> None:
        """Open the forcing of a configuration and check it for the whole run."""
        config, domain = prepared.config, prepared.domain
        self._forcing = NoForcing()  # until there is another to be closed
        with errors_under(file=config_file):
            self._forcing = open_forcing(
                config.forcing,
                shape=domain.surface.shape,  # type: ignore[arg-type]
                start=config.start,
                end=config.end,
                latitude=domain.latitude,
                longitude=domain.longitude,
                northing=domain.cells.northing if domain.cells.has_corner else None,
                easting=domain.cells.easting if domain.cells.has_corner else None,
                elevation=domain.elevation,
                mask=domain.mask,
                part=domain.part,
            )
        self._prepared = prepared
        self._warned = False

    def _setup_for(self, time_step: float, *ends: datetime | None) -> Setup:
        """Describe the component; without an end of its own it lasts as long as its forcing and until the first end."""
        config, domain = self._prepared.config, self._prepared.domain
        end = config.end or min((e for e in (self._forcing.end, *ends) if e is not None), default=None)
        return Setup(
            grids=domain.published_grids,
            time_step=time_step,
            end_time=FOREVER if end is None else (end - config.start).total_seconds(),
            mask=domain.mask,
            georeference=domain.georeference,
            start=config.start,
            initial_state=config.initial.state if config.initial else None,
            part=domain.part,
        )

    def _fill_initial(self, surface_temperature: NDArray[np.float64] | float) -> None:
        mask = self._prepared.domain.mask
        for variable in (v for v in self.variables if not v.role.is_input and v.name not in self.on_demand):
            values = self.values[variable.name]
            values[(..., mask) if values.ndim >= 2 else ...] = 0.0
        root_zone = slice(-self._prepared.domain.root_zone_layers, None)
        self.values[names.LAYER_THICKNESS][:, mask] = self._prepared.domain.thickness[root_zone, mask]
        self.values[names.POROSITY][:, mask] = self._prepared.domain.porosity[root_zone, mask]
        self.values[names.SURFACE_TEMPERATURE][mask] = surface_temperature

    def _read_forcing(self) -> None:
        """Fill in from the files what has not been set for this step."""
        time = self.start + timedelta(seconds=self.time)
        wanted = [name for name in FORCING_NAMES if name not in self.supplied]
        if not wanted:
            return
        read = self._forcing.read(time)
        missing = [name for name in wanted if name not in read]
        if missing:
            raise BmiStateError(
                f"{self.component_name}.update: with external forcing every variable is set in every step; "
                f"not set for {time:%Y-%m-%d %H:%M}: {', '.join(missing)}"
            )
        for name in wanted:
            self.values[name][...] = read[name]

    def _check_inputs(self) -> None:
        mask = self._prepared.domain.mask
        for variable in (v for v in self.variables if v.role.is_input):
            assert variable.valid_range is not None
            low, high = variable.valid_range
            values = self.values[variable.name]
            if low <= values.min() and values.max() <= high:  # not of NaN
                continue
            bad = ~((values >= low) & (values <= high)) & mask  # NaN is bad, too
            if bad.any():
                cell = tuple(int(i) for i in np.argwhere(bad)[0])
                value = float(values[cell])
                hint = looks_like(variable.name, value, value) if variable in names.FORCING_VARIABLES else ""
                raise ModelError(
                    f"{self.component_name}, {self.start + timedelta(seconds=self.time):%Y-%m-%d %H:%M}: "
                    f"{variable.name} {out_of_range(value, low, high, variable.units)}{hint}",
                    cell,
                )

    def _report_clamped(self, count: int) -> None:
        part = self._prepared.domain.part
        if part is not None:
            count = int(part.world.sum(count)[0])
        self.values[names.CLAMPED_HEADS][...] = count
        if count and not self._warned:
            self._warned = True
            warnings.warn(
                f"{self.component_name}: pressure heads below {self._prepared.config.lowest_head:g} m in {count} cells "
                f"of the root zone are taken as that; {names.CLAMPED_HEADS} counts them in every step",
                ClampedHeadWarning,
                stacklevel=4,
            )
