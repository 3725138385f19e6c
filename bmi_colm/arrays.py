"""The table of what the Fortran kernel exchanges with Python: name, units, meaning and shape, once.

The arrays of a block of columns are owned by Python and changed in place by the kernel. Python has the column first; in
memory it is the slowest, so that what a column needs lies together. Layers follow from the top: those of soil, or five
of snow (empty ones first) and then those of soil. How many of soil there are is known at run time.

The build makes the Fortran side, `colm_types.f90` and `colm_api.f90`, from the dataclasses of this module
(`tools/colm_interface.py`): a new argument is one line here.
"""

# ruff: noqa: RUF009 - `_scalar` and `_column` return dataclass fields

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

N_SNOW = 5
N_BAND = 2  # visible, near infrared
N_BEAM = 2  # direct, diffuse
COLD_START_TEMPERATURE = 283.0  # K

SOIL = "n_soil"
SOIL_AND_SNOW = f"n_soil + {N_SNOW}"
"""Extents of arrays that are known at run time, as the interface of the kernel calls them."""

Array = NDArray[np.float64]
Integers = NDArray[np.int32]


def _scalar(units: str, meaning: str) -> Any:
    return field(metadata={"units": units, "meaning": meaning, "shape": ()})


def _column(units: str, meaning: str, *shape: int | str, dtype: type = np.float64) -> Any:
    return field(metadata={"units": units, "meaning": meaning, "shape": shape, "dtype": dtype})


def _profile(units: str, meaning: str) -> Any:
    return field(metadata={"units": units, "meaning": meaning, "shape": (SOIL,), "dtype": np.float64, "shared": True})


@dataclass(frozen=True)
class StepOptions:
    """Choices and heights that hold for all columns, and the clock of the step."""

    time_step: float = _scalar("s", "length of the step")
    calendar_day: float = _scalar("d", "day of the year at the start of the step, UTC; 1 January 00 h is 1.0")
    calendar_day_end: float = _scalar("d", "the same at the end of the step")
    carbon_dioxide: float = _scalar("mol mol-1", "mole fraction of the air")
    height_wind: float = _scalar("m", "height above ground of the wind")
    height_temperature: float = _scalar("m", "height above ground of the air temperature")
    height_humidity: float = _scalar("m", "height above ground of the humidity")
    wilting_point: float = _scalar("m or 1", "head (stress by head) or saturation without uptake by roots")
    field_capacity: float = _scalar("m or 1", "head (stress by head) or saturation with full uptake by roots")
    residual_saturation: float = _scalar("1", "saturation at which the ground stops evaporating")
    lowest_head: float = _scalar("m", "lower heads are taken as this")
    evaporation_factor_type: int = _scalar("1", "`EvaporationFactor`: 0 none, 1 linear, 2 cosine")
    water_stress_type: int = _scalar("1", "`WaterStress`: 0 none, 1 pressure head, 2 saturation")
    conserve_frozen_water: bool = _scalar("1", "ice is part of the water that saturation stands for; nothing is lost")
    published_numerics: bool = _scalar("1", "reproduce oddities of the published library's numerics")
    settle_leaves: bool = _scalar("1", "iterate leaf temperature and stability until both have settled")
    first_step: bool = _scalar("1", "cold start: radiation and phenology have not been computed yet")
    update_phenology: bool = _scalar("1", "leaf area is renewed at the end of this step")


@dataclass
class ColumnArrays:
    """Base of the sets of arrays."""

    @classmethod
    def empty(cls, n: int, soil_layers: int) -> Self:
        """Zeros for `n` columns of so many soil layers."""
        extents = {SOIL: soil_layers, SOIL_AND_SNOW: soil_layers + N_SNOW}

        def zeros(shape: tuple[int | str, ...], dtype: type) -> NDArray[Any]:
            within = [extents[e] if isinstance(e, str) else e for e in shape]
            return np.moveaxis(np.zeros((*within, n), dtype=dtype, order="F"), -1, 0)

        return cls(**{f.name: zeros(f.metadata["shape"], f.metadata["dtype"]) for f in fields(cls)})

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name, not copied."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def for_kernel(self) -> dict[str, NDArray[Any]]:
        """Return the arrays by name as the kernel takes them, the column last and Fortran-contiguous; not copied."""
        return {name: np.moveaxis(array, 0, -1) for name, array in self.arrays().items()}


@dataclass
class ColumnParameters(ColumnArrays):
    """Constants of the columns: place, vegetation, soil. Pairs are (visible, near infrared).

    What the layers of the soil are made of is kept once for all columns in which it is the same: those arrays have the
    axes (profile, layer), and `profile` says which a column has.
    """

    latitude: Array = _column("rad", "positive to the north")
    longitude: Array = _column("rad", "positive to the east")
    canopy_height: Array = _column("m", "top of the canopy")
    leaf_angle: Array = _column("1", "departure of leaf angles from a spherical distribution")
    leaf_reflectance: Array = _column("1", "reflectance of leaves", N_BAND)
    stem_reflectance: Array = _column("1", "reflectance of stems", N_BAND)
    leaf_transmittance: Array = _column("1", "transmittance of leaves", N_BAND)
    stem_transmittance: Array = _column("1", "transmittance of stems", N_BAND)
    inverse_root_leaf_size: Array = _column("m-1/2", "inverse square root of the leaf size")
    carboxylation_capacity: Array = _column("mol m-2 s-1", "maximum carboxylation at 25 C of leaves at the top")
    quantum_efficiency: Array = _column("mol mol-1", "carbon dioxide per quanta")
    heat_stress_slope: Array = _column("K-1", "decline of carboxylation by heat")
    heat_stress_temperature: Array = _column("K", "temperature at which heat halves carboxylation")
    water_cost_of_carbon: Array = _column("mol mol-1", "marginal water cost of assimilation")
    initial_roughness_ratio: Array = _column("1", "roughness length over canopy height before the first step")
    leaf_area_maximum: Array = _column("m2 m-2", "leaf area index of the warm season")
    leaf_area_minimum: Array = _column("m2 m-2", "leaf area index of the cold season")
    stem_area_index: Array = _column("m2 m-2", "stem area index of the vegetation class")
    root_fraction: Array = _profile("1", "share of the roots")
    albedo_saturated: Array = _column("1", "albedo of saturated soil", N_BAND)
    albedo_dry: Array = _column("1", "albedo of dry soil", N_BAND)
    thickness: Array = _profile("m", "thickness of the soil layers")
    porosity: Array = _profile("1", "porosity")
    heat_capacity_solids: Array = _profile("J m-3 K-1", "heat capacity of the solids per bulk volume")
    conductivity_dry: Array = _profile("W m-1 K-1", "thermal conductivity of dry soil")
    conductivity_saturated: Array = _profile("W m-1 K-1", "thermal conductivity of saturated soil")
    conductivity_saturated_frozen: Array = _profile("W m-1 K-1", "the same of saturated frozen soil")
    kersten_exponent_wet: Array = _profile("1", "exponent of saturation in the Kersten number")
    kersten_exponent_shape: Array = _profile("1", "exponent of its logistic term")
    kersten_exponent_frozen: Array = _profile("1", "exponent of saturation in frozen soil")
    kersten_beta: Array = _profile("1", "slope of its logistic term")
    ground: Integers = _column("1", "what lies below the surface: 0 soil, 2 wetland, 3 ice, 4 water", dtype=np.int32)
    profile: Integers = _column("1", "number of the column's profile of soil, from 1", dtype=np.int32)

    @classmethod
    def empty(cls, n: int, soil_layers: int) -> Self:
        """Zeros for `n` columns of so many soil layers, each with a profile of its own."""
        parameters = super().empty(n, soil_layers)
        parameters.profile[:] = np.arange(1, n + 1)
        return parameters

    def of_columns(self, name: str) -> NDArray[Any]:
        """Values of a parameter with the column first, those of profiles as well."""
        values: NDArray[Any] = getattr(self, name)
        return values[self.profile - 1] if name in self._of_profiles() else values

    @classmethod
    def _of_profiles(cls) -> tuple[str, ...]:
        return tuple(f.name for f in fields(cls) if f.metadata.get("shared"))

    def share_profiles(self) -> None:
        """Keep profiles that are alike once."""
        names = self._of_profiles()
        random = np.random.default_rng(0)
        mixed = np.zeros(self.profile.size)  # all but surely another number for another profile
        for name in names:
            values = self.of_columns(name)
            mixed += values @ random.random(values.shape[1])
        _, first, which = np.unique(mixed, return_index=True, return_inverse=True)
        alike = np.ones(which.size, dtype=bool)
        for name in names:
            values = self.of_columns(name)
            alike &= (values == values[first[which]]).all(axis=1)
        others = np.flatnonzero(~alike)
        which[others] = first.size + np.arange(others.size)
        kept = np.concatenate([first, others])
        for name in names:
            setattr(self, name, self.of_columns(name)[kept])
        self.profile = (which + 1).astype(np.int32)


@dataclass
class ColumnState(ColumnArrays):
    """Everything that columns remember between steps; radiative properties hold for the coming step.

    `albedo` and the absorptions have the axes (column, beam direct/diffuse, band visible/near infrared).
    """

    temperature: Array = _column("K", "temperature of the snow and soil layers", SOIL_AND_SNOW)
    liquid: Array = _column("kg m-2", "liquid water of the layers", SOIL_AND_SNOW)
    ice: Array = _column("kg m-2", "ice of the layers", SOIL_AND_SNOW)
    snow_thickness: Array = _column("m", "thickness of the snow layers", N_SNOW)
    snow_layers: Integers = _column("1", "number of snow layers", dtype=np.int32)
    leaf_temperature: Array = _column("K", "temperature of the leaves")
    canopy_water: Array = _column("kg m-2", "water on leaves and stems")
    snow_water: Array = _column("kg m-2", "snow water equivalent, in layers or in bulk")
    snow_depth: Array = _column("m", "depth of the snow")
    snow_fraction: Array = _column("1", "share of the ground under snow")
    snow_age: Array = _column("1", "age of the snow surface")
    leaf_area: Array = _column("m2 m-2", "leaf area index")
    stem_area: Array = _column("m2 m-2", "stem area index before burial by snow")
    exposed_fraction: Array = _column("1", "share of the stems that snow has not buried")
    roughness_length: Array = _column("m", "roughness length of momentum")
    cosine_zenith: Array = _column("1", "cosine of the sun's zenith angle at the start of the coming step")
    albedo: Array = _column("1", "albedo of the surface with its vegetation", N_BEAM, N_BAND)
    sunlit_absorption: Array = _column("1", "share of the incoming that sunlit leaves absorb", N_BEAM, N_BAND)
    shaded_absorption: Array = _column("1", "share of the incoming that shaded leaves absorb", N_BEAM, N_BAND)
    longwave_gap: Array = _column("1", "share of longwave radiation that passes the canopy")
    extinction_direct: Array = _column("1", "extinction of the direct beam per leaf and stem area")
    extinction_diffuse: Array = _column("1", "extinction of diffuse light per leaf and stem area")

    @classmethod
    def cold_start(cls, n: int, soil_layers: int, temperature: float = COLD_START_TEMPERATURE) -> Self:
        """All layers and leaves at one temperature [K]; no snow, ice or canopy water."""
        state = cls.empty(n, soil_layers)
        state.temperature[:, N_SNOW:] = temperature
        state.leaf_temperature[:] = temperature
        return state


@dataclass
class ColumnInputs(ColumnArrays):
    """Atmosphere over one step, the water of the soil at its start, and prescribed vegetation.

    `available_water` is what the groundwater lets each layer give in the step; infinite: all that the layer holds.
    Prescribed leaf and stem area are taken over when the model renews its own: at a cold start, and at the end of each
    step that starts at 00 UTC. NaN leaves them to the model.
    """

    shortwave: Array = _column("W m-2", "downward shortwave radiation")
    longwave: Array = _column("W m-2", "downward longwave radiation")
    precipitation: Array = _column("kg m-2 s-1", "rain and snow")
    canopy_irrigation: Array = _column("kg m-2 s-1", "irrigation above the canopy")
    ground_irrigation: Array = _column("kg m-2 s-1", "irrigation on the ground")
    air_temperature: Array = _column("K", "air temperature at the reference height")
    wind_x: Array = _column("m s-1", "wind to the east")
    wind_y: Array = _column("m s-1", "wind to the north")
    pressure: Array = _column("Pa", "air pressure at the ground")
    humidity: Array = _column("kg kg-1", "specific humidity at the reference height")
    head: Array = _column("m", "pressure head of the soil layers", SOIL)
    saturation: Array = _column("1", "saturation of the soil layers", SOIL)
    available_water: Array = _column("kg m-2", "water that the groundwater can give in the step", SOIL)
    prescribed_leaf_area: Array = _column("m2 m-2", "leaf area index; NaN: that of the model")
    prescribed_stem_area: Array = _column("m2 m-2", "stem area index; NaN: that of the model")

    @classmethod
    def empty(cls, n: int, soil_layers: int) -> Self:
        """Zeros for `n` columns, no limit of available water and no prescribed vegetation."""
        inputs = super().empty(n, soil_layers)
        inputs.available_water[:] = np.inf
        inputs.prescribed_leaf_area[:] = inputs.prescribed_stem_area[:] = np.nan
        return inputs


@dataclass
class ColumnFluxes(ColumnArrays):
    """Results of one step.

    Heat and water fluxes to the air are positive upwards, ground heat and infiltration downwards; `source` is what
    each soil layer gains, top first. `infiltration` is negative when evaporation exceeds throughfall.
    """

    latent_heat: Array = _column("W m-2", "latent heat to the air")
    sensible_heat: Array = _column("W m-2", "sensible heat to the air")
    ground_heat: Array = _column("W m-2", "heat into snow and soil")
    outgoing_longwave: Array = _column("W m-2", "upward longwave radiation")
    reflected_shortwave: Array = _column("W m-2", "reflected shortwave radiation")
    precipitation_heat: Array = _column("W m-2", "heat that precipitation brings to leaves and ground")
    evapotranspiration: Array = _column("kg m-2 s-1", "all vapour to the air")
    ground_evaporation: Array = _column("kg m-2 s-1", "vapour from the ground, dew and frost negative")
    canopy_evaporation: Array = _column("kg m-2 s-1", "vapour from leaves, transpiration included")
    liquid_evaporation: Array = _column("kg m-2 s-1", "evaporation of liquid water from the ground")
    transpiration: Array = _column("kg m-2 s-1", "vapour through the stomata")
    infiltration: Array = _column("kg m-2 s-1", "water into the soil")
    ground_temperature: Array = _column("K", "temperature of the top layer, snow or soil")
    radiative_temperature: Array = _column("K", "temperature of a black body with the outgoing longwave radiation")
    root_stress: Array = _column("1", "water available to the roots, 0 none to 1 unstressed")
    evaporation_factor: Array = _column("1", "factor on the vapour conductance of the ground")
    interception: Array = _column("kg m-2 s-1", "precipitation that the canopy keeps, less what drips")
    runoff: Array = _column("kg m-2 s-1", "water that leaves wetland, ice and open water")
    screen_temperature: Array = _column("K", "air temperature 2 m above the surface")
    screen_humidity: Array = _column("kg kg-1", "specific humidity 2 m above the surface")
    groundwater_heat: Array = _column("W m-2", "heat of water that the groundwater gave or took")
    canopy_phase_heat: Array = _column("W m-2", "heat of fusion of snow that the canopy keeps as water")
    body_gain: Array = _column("kg m-2 s-1", "ice that a land ice body gains")
    energy_residual: Array = _column("W m-2", "what the energy balance leaves over")
    water_residual: Array = _column("kg m-2 s-1", "what the water balance leaves over")
    source: Array = _column("h-1", "net source of the soil layers, per bulk volume", SOIL)
    clamped_heads: Integers = _column("1", "number of layers with a head below the lowest", dtype=np.int32)
    leaf_iterations: Integers = _column("1", "iterations that leaf temperature took, 0 without leaves", dtype=np.int32)
    status: Integers = _column("1", "0, or 1 if a balance is not finite: the column keeps its state", dtype=np.int32)
