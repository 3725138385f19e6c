"""BMI component of the land surface."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bmi_colm import _kernel
from bmi_colm import variables as names
from bmi_colm.available_water import AvailableWater
from bmi_colm.columns import BelowCanopy, ColumnModel, ReferenceHeight
from bmi_colm.config import PreparedLand, prepare
from bmi_colm.diagnostics import DIAGNOSTICS, LAYERED_DIAGNOSTICS
from bmi_colm.forcing import names as forcing_names
from bmi_colm.forcing.blending import Heights, Lifting
from bmi_colm.land import WATER_DENSITY, LandSurface
from bmi_colm.leaf_area import LeafArea
from bmi_colm.tables import require_carbon_dioxide
from bmi_common import ConfigError, Setup
from bmi_common.errors import Mistakes, errors_under
from bmi_common.state_file import SavedState, StateArray, fingerprint

_KERNEL_NAMES = {
    "shortwave": forcing_names.SHORTWAVE,
    "longwave": forcing_names.LONGWAVE,
    "precipitation": forcing_names.PRECIPITATION,
    "air_temperature": forcing_names.AIR_TEMPERATURE,
    "wind_x": forcing_names.WIND_X,
    "wind_y": forcing_names.WIND_Y,
    "pressure": forcing_names.AIR_PRESSURE,
    "humidity": forcing_names.SPECIFIC_HUMIDITY,
    "canopy_irrigation": names.CANOPY_IRRIGATION,
    "ground_irrigation": names.GROUND_IRRIGATION,
}


class CarbonDioxideWarning(UserWarning):
    """Carbon dioxide of years after those of the table."""


class BmiColm(LandSurface):
    """Land surface: energy, carbon and water of soil and vegetation, after the Common Land Model.

    Pressure head and saturation of the root zone are inputs at the start of the step; forcing acts over the step and
    comes from files unless it is set. Layers are ordered bottom first, as in every component. Where the root zone has
    few, the soil has layers of its own (`SoilGrid`); published are those of the root zone. Porosity is that of the
    shared domain; `residual_saturation` belongs to the evaporation of this component and is not the groundwater
    model's residual saturation.
    """

    component_name = "CoLM"
    starts_at_time_of_day = True
    runs_in_parts = True
    METADATA = str(Path(__file__).with_name("pymt"))  # where pymt looks
    on_demand = frozenset(DIAGNOSTICS) | frozenset(LAYERED_DIAGNOSTICS)
    variables = (*LandSurface.variables, *names.IRRIGATION_VARIABLES, names.SATURATED_GROUND, *names.DIAGNOSTICS)

    def _initialize(self, config_file: Path) -> Setup:
        prepared = prepare(config_file)
        self._prepared, self._leaf_area = prepared, None
        mistakes = Mistakes()
        with mistakes.noted(), errors_under(file=config_file):
            self._lifting = _lifting(prepared)
            self._columns = _column_model(prepared, self._lifting)
        self._available_water = AvailableWater.of(prepared.domain, prepared.config.floor_head)
        with mistakes.noted(), errors_under(file=config_file):
            self._announced = 0
            self._announce_extrapolation(prepared.config.end)
        with mistakes.noted():
            self._open(prepared, config_file)
        try:
            with mistakes.noted():
                self._leaf_area = self._open_leaf_area(config_file)
            mistakes.require_none()
        except BaseException:
            self._finalize()
            raise
        return self._setup_for(
            self._columns.options.time_step, None if self._leaf_area is None else self._leaf_area.end
        )

    def _start(self) -> None:
        mask = self._prepared.domain.mask
        # where the columns are in a flat surface
        self._where: slice | NDArray[np.intp] = slice(None) if mask.all() else np.flatnonzero(mask)
        self._cells = np.flatnonzero(mask).astype(np.int32) + 1
        self._fill_initial(self._columns.state.leaf_temperature)
        # what cells are made of is in the columns now
        self._prepared = self._prepared.without_properties()

    def _update(self) -> None:
        self._read_forcing()
        self._forget_what_was_not_given()
        self._check_inputs()
        self._prescribe_leaf_area()
        self._announce_extrapolation(None)
        columns, grid = self._columns, self._prepared.grid
        weather = {name: self._of_columns(name) for name in _KERNEL_NAMES.values()}
        if self._lifting is not None:
            weather = self._lifting(weather)
        for short, name in _KERNEL_NAMES.items():
            getattr(columns.forcing, short)[:] = weather[name]
        self._take_soil_water()
        fluxes = columns.advance()
        self._fill(names.NET_SOURCE, grid.mean(fluxes.source).T[::-1])
        self._fill(names.LATENT_HEAT, fluxes.latent_heat)
        self._fill(names.SENSIBLE_HEAT, fluxes.sensible_heat)
        self._fill(names.GROUND_HEAT, fluxes.ground_heat)
        self._fill(names.EVAPOTRANSPIRATION, fluxes.evapotranspiration)
        self._fill(names.INFILTRATION, fluxes.infiltration / WATER_DENSITY)
        self._fill(names.SURFACE_TEMPERATURE, fluxes.radiative_temperature)
        self._fill(names.SNOW_WATER, self._columns.state.snow_water / WATER_DENSITY)
        self._renew_on_demand()
        self._report_clamped(int(fluxes.clamped_heads.sum()))

    def _forget_what_was_not_given(self) -> None:
        """Set irrigation and saturated ground to nothing where they have not been set for this step."""
        for variable in (*names.IRRIGATION_VARIABLES, names.SATURATED_GROUND):
            if variable.name not in self.supplied:
                self.values[variable.name][..., self._prepared.domain.mask] = 0.0

    def _take_soil_water(self) -> None:
        """Take head and saturation of the ground that the land sees, and the water that it may take from the cell."""
        head, saturation = self._over_surface(names.PRESSURE_HEAD), self._over_surface(names.SATURATION)
        inputs = self._columns.forcing
        take = partial(
            self._available_water.take,
            cells=self._cells,
            grid=self._prepared.grid,
            inputs=inputs,
            threads=self._columns.threads,
        )
        if names.ROOT_ZONE_SATURATED_FRACTION not in self.supplied:
            take(head, saturation)
            return
        # equation (10i) of docs/theory.md; the water there is that of the cell, whoever sees it
        share = self._over_surface(names.ROOT_ZONE_SATURATED_FRACTION)
        take(
            (1.0 - share) * np.minimum(head, 0.0) + np.maximum(head, 0.0),
            saturation + share * np.maximum(1.0 - saturation, 0.0),
        )
        seen = inputs.head.copy(), inputs.saturation.copy()
        take(head, saturation)
        inputs.head[:], inputs.saturation[:] = seen

    def _derive(self, name: str, values: NDArray[np.float64]) -> None:
        columns = self._columns
        if name in DIAGNOSTICS:
            self._fill_map(values, DIAGNOSTICS[name](columns.state, columns.fluxes, columns.forcing))
        else:
            self._fill_map(values, LAYERED_DIAGNOSTICS[name](columns.state, self._prepared.grid).T[::-1])

    def _finalize(self) -> None:
        self._forcing.close()
        if self._leaf_area is not None:
            self._leaf_area.close()

    def _state_dict(self) -> Mapping[str, StateArray]:
        return self._columns.state_dict()

    def _load_state_dict(self, state: Mapping[str, NDArray[Any]]) -> None:
        self._columns.load_state_dict(state, self.start + timedelta(seconds=self.time))

    def _fingerprints(self) -> Mapping[str, str]:
        grid = self._prepared.grid
        return {} if grid.is_root_zone else {"division of the soil": fingerprint(grid.thickness)}

    def _check_start(self, saved: SavedState) -> None:
        # radiation of the coming hour is part of the state; at another time of day it would be that of another sun
        at = saved.header.calendar_time
        if at is not None and at.time() != self.start.time() and not saved.state_dict()["starts_cold"]:
            raise ConfigError(
                f"a state of {at:%Y-%m-%dT%H:%M} holds the sun of that time of day and cannot start a "
                f"run at {self.start:%Y-%m-%dT%H:%M}; start at {at:%H:%M}, or save a state of {self.start:%H:%M}",
                file=saved.path,
            )

    @property
    def columns(self) -> ColumnModel:
        """The columns of the active cells, in the order of ``mask.nonzero()``."""
        return self._columns

    def _of_columns(self, name: str) -> NDArray[np.float64]:
        """Values of the columns, (n,) or (layers, n) bottom first; a view where all cells have one."""
        values: NDArray[np.float64] = self._over_surface(name)[..., self._where]
        return values

    def _fill(self, name: str, values: NDArray[np.float64]) -> None:
        """Set a variable to the values of the columns, (n,) or (layers, n) bottom first."""
        self._fill_map(self.values[name], values)

    def _fill_map(self, target: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        _over_surface(target)[..., self._where] = values

    def _over_surface(self, name: str) -> NDArray[np.float64]:
        return _over_surface(self.values[name])

    def _open_leaf_area(self, config_file: Path) -> LeafArea | None:
        config = self._prepared.config
        if config.leaf_area is None:
            return None
        with errors_under("leaf_area", config_file):
            return LeafArea(config.leaf_area, self._prepared.domain, config.start, config.end)

    def _announce_extrapolation(self, end: datetime | None) -> None:
        """Warn of extrapolated carbon dioxide until `end`, without one in the coming step; refuse where there is none.

        Raises
        ------
        ConfigError
            Naming the year.
        """
        if self._prepared.config.carbon_dioxide is not None:
            return
        now = self.start + timedelta(seconds=self.time)
        last = now.year if end is None else (end - timedelta(microseconds=1)).year
        years = require_carbon_dioxide(now.year, last)
        if years and years[-1] > self._announced:
            self._announced = years[-1]
            which = f"{years[0]}-{years[-1]}" if len(years) > 1 else f"{years[0]}"
            warnings.warn(
                f"{self.component_name}: carbon dioxide of {which} is extrapolated from the table's last trend; "
                "`carbon_dioxide:` sets a constant",
                CarbonDioxideWarning,
                stacklevel=2,
            )

    def _prescribe_leaf_area(self) -> None:
        """Give the columns the areas of the step's day; they take them over when they renew their own."""
        if self._leaf_area is None:
            return
        leaf, stem = self._leaf_area.on(self.start + timedelta(seconds=self.time))
        self._columns.forcing.prescribed_leaf_area[:] = leaf
        if stem is not None:
            self._columns.forcing.prescribed_stem_area[:] = stem


def _over_surface(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(cells,) or (layers, cells) of a map; a view."""
    return values.reshape(*values.shape[:-2], -1)


class LiftedWeatherWarning(UserWarning):
    """Weather that holds below a canopy."""


def _lifting(prepared: PreparedLand) -> Lifting | None:
    """Say how weather gets above the canopies where it holds below one, and warn of it."""
    config = prepared.config
    heights = config.reference_height
    if heights.below_canopy is BelowCanopy.REFUSE or config.published_numerics:
        return None
    by_class = np.zeros(1 + max(prepared.vegetation))
    for number, entry in prepared.vegetation.items():
        by_class[number] = entry.canopy_height
    canopy = by_class[prepared.land_cover]
    own = prepared.maps.get("canopy_height")
    if own is not None:
        canopy = np.where(np.isfinite(own), own, canopy)
    tallest = float(canopy.max(initial=0.0))
    if prepared.domain.part is not None:
        tallest = prepared.domain.part.world.largest(tallest)[0]
    lifting = Lifting.above(tallest, Heights(heights.wind, heights.temperature, heights.humidity))
    if lifting is not None:
        warnings.warn(
            f"the tallest canopy has {tallest:g} m: the weather is lifted above it, {lifting}; "
            "`reference_height: {below_canopy: refuse}` refuses instead",
            LiftedWeatherWarning,
            stacklevel=2,
        )
    return lifting


def _column_model(prepared: PreparedLand, lifting: Lifting | None) -> ColumnModel:
    config, domain = prepared.config, prepared.domain
    options = config.build()
    if lifting is not None:
        lifted = ReferenceHeight(
            wind=lifting.lifted.wind, temperature=lifting.lifted.temperature, humidity=lifting.lifted.humidity
        )
        options = options.model_copy(update={"reference_height": lifted})
    assert domain.latitude is not None
    assert domain.longitude is not None
    return ColumnModel(
        land_cover=prepared.land_cover,
        texture=prepared.texture,
        thickness=prepared.grid.thickness,
        porosity=prepared.porosity,
        latitude=domain.latitude[domain.mask],
        longitude=domain.longitude[domain.mask],
        start=config.start,
        options=options,
        threads=config.threads or _kernel.max_threads(),
        vegetation=prepared.vegetation,
        soil=prepared.soil,
        cells=prepared.cells,
        maps=prepared.maps,
        rooted=prepared.grid.rooted,
    )
