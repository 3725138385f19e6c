"""Land columns without BMI: the column physics of the Common Land Model on numpy arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from bmi_colm import _kernel
from bmi_colm.arrays import (
    COLD_START_TEMPERATURE,
    N_SNOW,
    ColumnFluxes,
    ColumnInputs,
    ColumnParameters,
    ColumnState,
    StepOptions,
)
from bmi_colm.maps import Maps
from bmi_colm.parameters import Cells, column_parameters
from bmi_colm.soil import SoilTexture
from bmi_colm.tables import SoilTable, Vegetation, carbon_dioxide
from bmi_common.config import Config
from bmi_common.errors import ConfigError, ModelError
from bmi_common.state_file import StateArray

ENERGY_TOLERANCE = 1e-6  # W m-2
WATER_TOLERANCE = 1e-12  # kg m-2 s-1, where frozen water is conserved
LOWEST_HEAD = -1.0e5  # m, about oven-dry (pF 7)


class EvaporationFactor(IntEnum):
    """How dryness of the top layer reduces evaporation from the ground."""

    NONE = 0
    LINEAR = 1
    COSINE = 2


class WaterStress(IntEnum):
    """What limits water uptake by roots."""

    NONE = 0
    PRESSURE_HEAD = 1
    SATURATION = 2


class FrozenSoil(StrEnum):
    """What the given saturation means where there is ice.

    ``REFERENCE``: liquid water alone, as the published ParFlow-CoLM does it; ice comes on top and can grow without
    bound, because the same water is given anew in every step, and roots under snow are tested for frost in the wrong
    layers. ``CONSERVING``: all water of the layer, ice included; energy and water are conserved.
    """

    REFERENCE = "reference"
    CONSERVING = "conserving"


class BelowCanopy(StrEnum):
    """What becomes of weather that holds below a canopy: it is lifted above all canopies, or refused."""

    PROFILE = "profile"
    REFUSE = "refuse"


class LeafIteration(StrEnum):
    """How leaf temperature is found.

    ``PUBLISHED``: damped steps, at most 40; air counts as neutral once its stability has changed sign four times.
    ``SETTLED``: secants, until temperature and stability have both settled. It leaves a quarter of the hours in which a
    change of 0.0001 K of the air changes the latent heat by more than 10 W m-2, and is farther from the published
    library where that gives up.
    """

    PUBLISHED = "published"
    SETTLED = "settled"


class ReferenceHeight(Config):
    """Heights [m] above the ground at which the forcing holds, and what to do where canopies are taller."""

    wind: Annotated[float, Field(gt=0)] = 50.0
    temperature: Annotated[float, Field(gt=0)] = 40.0
    humidity: Annotated[float, Field(gt=0)] = 40.0
    below_canopy: BelowCanopy = BelowCanopy.PROFILE


class PhysicsConfig(Config):
    """Choices that hold for all columns; the defaults are those of the published ParFlow-CoLM coupling.

    Attributes
    ----------
    reference_height : ReferenceHeight
        Of the forcing.
    evaporation_factor : EvaporationFactor
        Reduction of ground evaporation by dryness of the top layer.
    water_stress : WaterStress
        Variable that limits root water uptake.
    wilting_point, field_capacity : float
        No and full uptake: head [m] or saturation, as `water_stress` says.
    residual_saturation : float
        Saturation at which the ground stops evaporating. A parameter of its own, not the residual saturation of the
        groundwater model's retention curve.
    frozen_soil : FrozenSoil
        Meaning of saturation in frozen soil.
    published_numerics : bool
        Reproduce oddities of the published library, for comparisons with it: a wet-bulb iteration that leaves rain
        too warm in air above 299 K, dew on dry ground from unsaturated air, drip at the temperature of the
        precipitation, vapour that soil and air do not have, and a first step with ground that evaporates freely and
        the albedo of dry ground.
    leaf_iteration : LeafIteration
        How leaf temperature is found.
    carbon_dioxide : float, optional
        Constant [1e-6 mol mol-1] in place of the monthly table (2000-2024, with its last trend until 2030).
    lowest_head : float
        Heads [m] below are taken as this; the columns' `clamped_heads` count them.
    """

    reference_height: ReferenceHeight = ReferenceHeight()
    evaporation_factor: EvaporationFactor = EvaporationFactor.LINEAR
    water_stress: WaterStress = WaterStress.SATURATION
    wilting_point: float = 0.2
    field_capacity: float = 1.0
    residual_saturation: float = 0.2
    frozen_soil: FrozenSoil = FrozenSoil.CONSERVING
    published_numerics: bool = False
    leaf_iteration: LeafIteration = LeafIteration.PUBLISHED
    carbon_dioxide: Annotated[float, Field(gt=0, lt=1e4)] | None = None
    lowest_head: Annotated[float, Field(lt=0)] = LOWEST_HEAD


class ColumnConfig(PhysicsConfig):
    """What columns are told beside their soil and vegetation.

    Attributes
    ----------
    initial_temperature : float
        Of all layers and leaves at a cold start [K].
    time_step : float
        Length of a step [s].
    """

    initial_temperature: float = COLD_START_TEMPERATURE
    time_step: float = 3600.0

    def check(self, tallest_canopy: float) -> None:
        """Raise `ConfigError` for values that cannot work together."""
        if self.water_stress is not WaterStress.NONE and not self.field_capacity > self.wilting_point:
            raise ConfigError(
                f"field_capacity ({self.field_capacity:g}) must be above wilting_point ({self.wilting_point:g})"
            )
        if self.water_stress is WaterStress.PRESSURE_HEAD and self.field_capacity > 0:
            raise ConfigError(
                "with water_stress 1, wilting_point and field_capacity are pressure heads [m] below 0, "
                f"got {self.wilting_point:g} and {self.field_capacity:g}"
            )
        if self.water_stress is WaterStress.SATURATION and not 0 <= self.wilting_point < self.field_capacity <= 1:
            raise ConfigError(
                "with water_stress 2, wilting_point and field_capacity are saturations between 0 and 1, "
                f"got {self.wilting_point:g} and {self.field_capacity:g}"
            )
        if not 0 <= self.residual_saturation < 1:
            raise ConfigError(f"residual_saturation must be at least 0 and below 1, got {self.residual_saturation:g}")
        for name in ("wind", "temperature", "humidity"):
            height = getattr(self.reference_height, name)
            if height <= tallest_canopy:
                raise ConfigError(
                    f"reference height of {name} ({height:g} m) must be above the tallest canopy ({tallest_canopy:g} m)"
                )


class ColumnModel:
    """Columns of soil and vegetation that are advanced hour by hour.

    Parameters
    ----------
    land_cover : array_like of int, shape (n,)
        IGBP classes 1-17. Urban is vegetated soil; land ice and open water give nothing to the groundwater.
    texture : SoilTexture
        Texture of the soil, for its thermal properties.
    thickness, porosity : array_like
        Layer thickness [m] and porosity, top first, (layers,) or (n, layers); one porosity may stand for all.
    latitude, longitude : array_like
        Degrees, broadcast to (n,).
    start : datetime
        Time of the first step, UTC.
    options : ColumnConfig, optional
        Choices of physics.
    state : ColumnState, optional
        State to continue from; without it the columns start cold (without snow).
    threads : int
        Threads of the kernel; results do not depend on it.
    vegetation, soil : optional
        Tables in place of those that come with the package.
    cells : ndarray of int, shape (n, 2), optional
        (j, i) of the columns on a grid, for messages.
    maps : dict of ndarray, optional
        Parameters by column that take the place of those of the classes, see `column_parameters`.
    rooted : int, optional
        Number of layers, from the top, that roots reach; by default all.

    Attributes
    ----------
    state : ColumnState
        What the columns remember; changed in place.
    parameters : ColumnParameters
        Constants of the columns.
    time : datetime
        Start of the coming step, UTC.
    """

    def __init__(
        self,
        land_cover: ArrayLike,
        texture: SoilTexture,
        thickness: ArrayLike,
        porosity: ArrayLike,
        latitude: ArrayLike,
        longitude: ArrayLike,
        start: datetime,
        options: ColumnConfig | None = None,
        state: ColumnState | None = None,
        threads: int = 1,
        vegetation: dict[int, Vegetation] | None = None,
        soil: SoilTable | None = None,
        cells: Cells | None = None,
        maps: Maps | None = None,
        rooted: int | None = None,
    ) -> None:
        self.parameters: ColumnParameters = column_parameters(
            land_cover, texture, thickness, porosity, latitude, longitude, vegetation, soil, cells, maps, rooted
        )
        self._cells = cells
        self.options = options or ColumnConfig()
        self.n = self.parameters.latitude.size
        self.options.check(float(self.parameters.canopy_height.max(initial=0.0)))
        if threads < 1:
            raise ConfigError(f"threads must be at least 1, got {threads}")
        self.threads = threads
        self.time = start
        self._starts_cold = state is None
        # columns of one cover branch alike: what a block of the kernel has no column for, it skips
        self._order = 1 + np.argsort(np.broadcast_to(land_cover, self.n), kind="stable").astype(np.int32)
        layers = self.parameters.thickness.shape[1]
        self.state: ColumnState = state or ColumnState.cold_start(self.n, layers, self.options.initial_temperature)
        self.forcing: ColumnInputs = ColumnInputs.empty(self.n, layers)
        self.fluxes: ColumnFluxes = ColumnFluxes.empty(self.n, layers)
        top = N_SNOW - self.state.snow_layers
        self.fluxes.ground_temperature[:] = self.state.temperature[np.arange(self.n), top]
        self.fluxes.screen_temperature[:] = self.state.leaf_temperature
        self._arrays: dict[str, NDArray[Any]] = {
            **self.forcing.for_kernel(),
            **self.parameters.for_kernel(),
            **self.state.for_kernel(),
            **self.fluxes.for_kernel(),
        }

    def step(
        self,
        forcing: Mapping[str, ArrayLike],
        head: ArrayLike,
        saturation: ArrayLike,
        available_water: ArrayLike = np.inf,
    ) -> ColumnFluxes:
        """Advance all columns by one step.

        Parameters
        ----------
        forcing : mapping of str to array_like
            Means over the step, by the names of `ColumnInputs`, broadcast to (n,). Those that are not given keep the
            values of the last step.
        head, saturation : array_like, shape (n, layers)
            Pressure head [m] and saturation of the soil layers at the start of the step, top first. A positive head
            (ponding) is valid.
        available_water : array_like, shape (n, layers)
            Water that the layers can give to roots and air in the step [kg m-2], top first. They never give more than
            they hold, unless `published_numerics` is set.

        Returns
        -------
        ColumnFluxes
            Results of the step; the same arrays are filled again by the next one.

        Raises
        ------
        ModelError
            If a value is not finite, or if energy or, with frozen water conserved, water is not; it names the cell.
        """
        for name, values in forcing.items():
            getattr(self.forcing, name)[:] = values
        self.forcing.head[:] = head
        self.forcing.saturation[:] = saturation
        self.forcing.available_water[:] = available_water
        return self.advance()

    def advance(self) -> ColumnFluxes:
        """Advance with what `forcing` holds already; see `step`."""
        options = self._step_options()
        _kernel.advance(**vars(options), **self._arrays, order=self._order, threads=self.threads)
        self._check()
        self._starts_cold = False
        self.time += timedelta(seconds=options.time_step)
        return self.fluxes

    def _step_options(self) -> StepOptions:
        o = self.options
        return StepOptions(
            time_step=o.time_step,
            calendar_day=_calendar_day(self.time),
            calendar_day_end=_calendar_day(self.time + timedelta(seconds=o.time_step)),
            carbon_dioxide=(
                carbon_dioxide(self.time.year, self.time.month) if o.carbon_dioxide is None else 1e-6 * o.carbon_dioxide
            ),
            height_wind=o.reference_height.wind,
            height_temperature=o.reference_height.temperature,
            height_humidity=o.reference_height.humidity,
            wilting_point=o.wilting_point,
            field_capacity=o.field_capacity,
            residual_saturation=o.residual_saturation,
            lowest_head=o.lowest_head,
            evaporation_factor_type=o.evaporation_factor,
            water_stress_type=o.water_stress,
            conserve_frozen_water=o.frozen_soil is FrozenSoil.CONSERVING,
            published_numerics=o.published_numerics,
            settle_leaves=o.leaf_iteration is LeafIteration.SETTLED,
            first_step=self._starts_cold,
            update_phenology=_seconds_of_day(self.time) < o.time_step,
        )

    def state_dict(self) -> dict[str, StateArray]:
        """All that the next step depends on: the arrays of `state`, and whether it is the first of a cold start."""
        arrays = {
            f.name: StateArray(
                getattr(self.state, f.name),
                ("column", *(f"{f.name}_{axis}" for axis in range(1, 1 + len(f.metadata["shape"])))),
                f.metadata["units"],
                f.name.replace("_", " "),
            )
            for f in fields(self.state)
        }
        return {**arrays, "starts_cold": StateArray(np.array(self._starts_cold))}

    def load_state_dict(self, state: Mapping[str, NDArray[Any]], time: datetime) -> None:
        """Go on at `time` from what `state_dict` gave."""
        for f in fields(self.state):
            getattr(self.state, f.name)[...] = state[f.name]
        self._starts_cold = bool(state["starts_cold"])
        self.time = time

    def _check(self) -> None:
        f = self.fluxes
        if f.status.any():
            column = int(np.flatnonzero(f.status)[0])
            raise self._error("a flux is not finite", column)
        if self.n:
            column = int(np.argmax(np.abs(f.energy_residual)))
            residual = float(f.energy_residual[column])
            if abs(residual) > ENERGY_TOLERANCE:
                raise self._error(f"energy does not close, {residual:.3g} W m-2 are left over", column)
            if self.options.frozen_soil is FrozenSoil.CONSERVING:
                column = int(np.argmax(np.abs(f.water_residual)))
                residual = float(f.water_residual[column])
                if abs(residual) > WATER_TOLERANCE:
                    raise self._error(f"water does not close, {residual:.3g} kg m-2 s-1 are left over", column)

    def _error(self, message: str, column: int) -> ModelError:
        text = f"land, {self.time:%Y-%m-%d %H:%M}: {message}"
        if self._cells is None:
            return ModelError(f"{text}, column {column}")
        return ModelError(text, tuple(int(v) for v in self._cells[column]))


def _seconds_of_day(time: datetime) -> float:
    return time.hour * 3600.0 + time.minute * 60.0 + time.second + time.microsecond * 1e-6


def _calendar_day(time: datetime) -> float:
    """Day of the year with its fraction, 1 January 00 h = 1.0."""
    return time.timetuple().tm_yday + _seconds_of_day(time) / 86400.0
