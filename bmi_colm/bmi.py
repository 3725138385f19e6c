"""BMI component of the land surface."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bmi_colm import _kernel
from bmi_colm import variables as names
from bmi_colm.columns import ColumnModel
from bmi_colm.config import Prepared, prepare
from bmi_colm.forcing import FORCING_NAMES, Forcing, open_forcing
from bmi_colm.forcing import names as forcing_names
from bmi_colm.forcing.plausible import looks_like
from bmi_colm.leaf_area import LeafArea
from bmi_common import BmiStateError, ConfigError, DeclaredBmi, ModelError, Setup, grids
from bmi_common.bmi_base import FOREVER
from bmi_common.hashing import hashes

_KERNEL_NAMES = {
    "shortwave": forcing_names.SHORTWAVE,
    "longwave": forcing_names.LONGWAVE,
    "precipitation": forcing_names.PRECIPITATION,
    "air_temperature": forcing_names.AIR_TEMPERATURE,
    "wind_x": forcing_names.WIND_X,
    "wind_y": forcing_names.WIND_Y,
    "pressure": forcing_names.AIR_PRESSURE,
    "humidity": forcing_names.SPECIFIC_HUMIDITY,
}
_WATER_DENSITY = 1000.0  # kg m-3


class ClampedHeadWarning(UserWarning):
    """Soil drier than the land component can use."""


class BmiColm(DeclaredBmi):
    """Land surface: energy, carbon and water of soil and vegetation, after the Common Land Model.

    Pressure head and saturation of the root zone are inputs at the start of the step; forcing acts over the step and
    comes from files unless it is set. Layers are ordered bottom first, as in every component. Porosity is that of the
    shared domain; `residual_saturation` belongs to the evaporation of this component and is not the groundwater
    model's residual saturation.
    """

    component_name = "CoLM"
    variables = (*names.SOIL_WATER_VARIABLES, *names.FORCING_VARIABLES, *names.LAND_OUTPUTS)

    def _initialize(self, config_file: Path) -> Setup:
        prepared = prepare(config_file)
        config, domain = prepared.config, prepared.domain
        try:
            self._columns = _column_model(prepared)
            self._forcing: Forcing = open_forcing(
                config.forcing,
                shape=domain.surface.shape,  # type: ignore[arg-type]
                start=config.start,
                end=config.end,
                latitude=domain.latitude,
                longitude=domain.longitude,
                elevation=domain.elevation,
                mask=domain.mask,
            )
        except ConfigError as error:
            raise ConfigError(f"{config_file}: {error}") from error
        self._prepared = prepared
        self._leaf_area = self._open_leaf_area(config_file)
        ends = [self._forcing.end, None if self._leaf_area is None else self._leaf_area.end]
        end = config.end or min((e for e in ends if e is not None), default=None)
        self._warned = False
        return Setup(
            grids=domain.published_grids,
            time_step=self._columns.options.time_step,
            end_time=FOREVER if end is None else (end - config.start).total_seconds(),
            mask=domain.mask,
        )

    def _start(self) -> None:
        mask = self._prepared.domain.mask
        for variable in names.LAND_OUTPUTS:
            values = self.values[variable.name]
            values[(..., mask) if values.ndim >= 2 else ...] = 0.0
        root_zone = slice(-grids.ROOT_ZONE_LAYERS, None)
        self.values[names.LAYER_THICKNESS][:, mask] = self._prepared.domain.thickness[root_zone, mask]
        self.values[names.POROSITY][:, mask] = self._prepared.domain.porosity[root_zone, mask]
        self.values[names.SURFACE_TEMPERATURE][mask] = self._columns.state.leaf_temperature

    def _update(self) -> None:
        self._read_forcing()
        self._check_inputs()
        self._prescribe_leaf_area()
        mask = self._prepared.domain.mask
        fluxes = self._columns.step(
            {short: self.values[name][mask] for short, name in _KERNEL_NAMES.items()},
            head=self._top_first(names.PRESSURE_HEAD),
            saturation=self._top_first(names.SATURATION),
        )
        values = self.values
        values[names.NET_SOURCE][:, mask] = fluxes.source.T[::-1]
        values[names.LATENT_HEAT][mask] = fluxes.latent_heat
        values[names.SENSIBLE_HEAT][mask] = fluxes.sensible_heat
        values[names.GROUND_HEAT][mask] = fluxes.ground_heat
        values[names.EVAPOTRANSPIRATION][mask] = fluxes.evapotranspiration
        values[names.INFILTRATION][mask] = fluxes.infiltration / _WATER_DENSITY
        values[names.SURFACE_TEMPERATURE][mask] = fluxes.radiative_temperature
        values[names.SNOW_WATER][mask] = self._columns.state.snow_water / _WATER_DENSITY
        self._report_clamped(fluxes.clamped_heads)

    def _finalize(self) -> None:
        self._forcing.close()
        if self._leaf_area is not None:
            self._leaf_area.close()

    @property
    def columns(self) -> ColumnModel:
        """The columns of the active cells, in the order of ``mask.nonzero()``."""
        return self._columns

    @property
    def start(self) -> datetime:
        """Calendar time of BMI time 0, UTC."""
        return self._prepared.config.start

    @property
    def provenance(self) -> Mapping[str, str]:
        """SHA-256 of each input file, forcing included, by path."""
        return hashes(self._prepared.files)

    def _top_first(self, name: str) -> NDArray[np.float64]:
        values: NDArray[np.float64] = self.values[name][::-1, self._prepared.domain.mask].T
        return values

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

    def _open_leaf_area(self, config_file: Path) -> LeafArea | None:
        config = self._prepared.config
        if config.leaf_area is None:
            return None
        try:
            return LeafArea(config.leaf_area, self._prepared.domain, config.start, config.end)
        except ConfigError as error:
            self._forcing.close()
            raise ConfigError(f"{config_file}: leaf_area: {error}") from error

    def _prescribe_leaf_area(self) -> None:
        """Give the columns the areas of the step's day; they take them over when they renew their own."""
        if self._leaf_area is None:
            return
        leaf, stem = self._leaf_area.on(self.start + timedelta(seconds=self.time))
        self._columns.forcing.prescribed_leaf_area[:] = leaf
        if stem is not None:
            self._columns.forcing.prescribed_stem_area[:] = stem

    def _check_inputs(self) -> None:
        mask = self._prepared.domain.mask
        for variable in (*names.SOIL_WATER_VARIABLES, *names.FORCING_VARIABLES):
            assert variable.valid_range is not None
            low, high = variable.valid_range
            values = self.values[variable.name]
            bad = ~((values >= low) & (values <= high)) & mask  # NaN is bad, too
            if bad.any():
                cell = tuple(int(i) for i in np.argwhere(bad)[0])
                value = float(values[cell])
                hint = looks_like(variable.name, value, value) if variable in names.FORCING_VARIABLES else ""
                raise ModelError(
                    f"{self.component_name}, {self.start + timedelta(seconds=self.time):%Y-%m-%d %H:%M}: "
                    f"{variable.name} must be {low:g} to {high:g} {variable.units}, got {value:g}{hint}",
                    cell,
                )

    def _report_clamped(self, clamped: NDArray[np.int32]) -> None:
        count = int(clamped.sum())
        self.values[names.CLAMPED_HEADS][...] = count
        if count and not self._warned:
            self._warned = True
            warnings.warn(
                f"{self.component_name}: pressure heads below {self._columns.options.lowest_head:g} m in {count} cells "
                f"of the root zone are taken as that; {names.CLAMPED_HEADS} counts them in every step",
                ClampedHeadWarning,
                stacklevel=4,
            )


def _column_model(prepared: Prepared) -> ColumnModel:
    config, domain = prepared.config, prepared.domain
    assert domain.latitude is not None
    assert domain.longitude is not None
    return ColumnModel(
        land_cover=prepared.land_cover,
        texture=prepared.texture,
        thickness=prepared.thickness,
        porosity=prepared.porosity,
        latitude=domain.latitude[domain.mask],
        longitude=domain.longitude[domain.mask],
        start=config.start,
        options=config.options(),
        threads=config.threads or _kernel.max_threads(),
        vegetation=prepared.vegetation,
        soil=prepared.soil,
        cells=prepared.cells,
        maps=prepared.maps,
    )
