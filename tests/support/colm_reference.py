"""Reference runs of the published column physics, and our columns driven in the same way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bmi_colm.arrays import ColumnState
from bmi_colm.columns import ColumnConfig, ColumnModel, EvaporationFactor, FrozenSoil, WaterStress
from bmi_colm.soil import SoilTexture

Array = NDArray[np.float64]

THICKNESS = np.array([0.0175, 0.0276, 0.0455, 0.0749, 0.1236, 0.2038, 0.336, 0.5539, 0.9133, 1.137])
FORCING = (
    "shortwave",
    "longwave",
    "precipitation",
    "air_temperature",
    "wind_x",
    "wind_y",
    "pressure",
    "humidity",
)
OUTPUTS = {
    "eflx_lh": "latent_heat",
    "eflx_sh": "sensible_heat",
    "eflx_grnd": "ground_heat",
    "eflx_lwrad": "outgoing_longwave",
    "qflx_tot": "evapotranspiration",
    "qflx_soi": "ground_evaporation",
    "qflx_eveg": "canopy_evaporation",
    "qflx_tveg": "transpiration",
    "qflx_in": "infiltration",
    "t_g": "ground_temperature",
    "evap_trans": "source",
}
NUDGES = (0.0, 1.0e-4, -1.0e-4)
"""Of the air [K], see `Case.members`."""

# the reference is compared with in its own numerics
OPTIONS = ColumnConfig(frozen_soil=FrozenSoil.REFERENCE, published_numerics=True)


@cache
def load(path: Path) -> dict[str, NDArray]:
    with np.load(path) as data:
        return {name: data[name] for name in data.files}


def texture(inputs: dict[str, NDArray]) -> SoilTexture:
    """The eight levels of the reference feed layers 2 to 9; the outermost layers repeat their neighbours."""

    def layers(name: str, scale: float = 1.0) -> Array:
        levels = inputs[f"tex_{name}"]
        return np.concatenate([levels[:, :1], levels, levels[:, -1:]], axis=1) * scale

    return SoilTexture(
        sand=layers("sand"),
        clay=layers("clay"),
        gravel=layers("grav"),
        organic_carbon=layers("oc", 0.01),
        bulk_density=layers("bd", 0.01),
    )


@dataclass
class Case:
    """Inputs of a reference case."""

    inputs: dict[str, NDArray]
    forcing: Array
    head: Array
    saturation: Array
    start: datetime

    def columns(self, columns: Array) -> Case:
        """The same case for some of the columns."""
        per_column = {
            name: values[columns] if np.ndim(values) and len(values) == len(self.inputs["igbp"]) else values
            for name, values in self.inputs.items()
        }
        return Case(per_column, self.forcing, self.head[:, columns], self.saturation[:, columns], self.start)

    @classmethod
    def load(cls, folder: Path, name: str) -> Case:
        inputs = load(folder / f"{name}_inputs.npz")
        wetness = inputs["wetness"].astype(float)
        head = inputs["head0"] + inputs["head_amp"] * wetness[:, None, None]
        alpha, n, residual = (inputs[f"vg_{k}"][:, None] for k in ("alpha", "n", "sres"))
        suction = np.maximum(-head, 0.0)
        saturation = residual + (1 - residual) * (1 + (alpha * suction) ** n) ** -(1 - 1 / n)
        year, month, day, _ = inputs["start"]
        return cls(inputs, inputs["forcing"].astype(float), head, saturation, datetime(year, month, day))

    def members(self) -> list[Case]:
        """The case with air that differs by less than anyone measures.

        Over thin or melting snow, and where the leaf iteration has two ends, rounding decides single hours, here and in
        the reference; members show which differences are more than that.
        """
        air = np.arange(len(FORCING)) == FORCING.index("air_temperature")
        return [replace(self, forcing=self.forcing + nudge * air) for nudge in NUDGES]

    def model(
        self,
        options: ColumnConfig = OPTIONS,
        columns: Array | slice = slice(None),
        start: datetime | None = None,
        state: ColumnState | None = None,
        threads: int = 1,
    ) -> ColumnModel:
        t = texture(self.inputs)
        return ColumnModel(
            land_cover=self.inputs["igbp"][columns],
            texture=SoilTexture(*(getattr(t, f)[columns] for f in t.__dataclass_fields__)),
            thickness=THICKNESS,
            porosity=self.inputs["porosity"][columns],
            latitude=float(self.inputs["lat"]),
            longitude=float(self.inputs["lon"]),
            start=start or self.start,
            options=options,
            state=state,
            threads=threads,
        )


def run(
    model: ColumnModel, forcing: Array, head: Array, saturation: Array, state: tuple[str, ...] = ()
) -> dict[str, Array]:
    """Outputs and chosen states of all hours; head and saturation are (hours, n, 10)."""
    result: dict[str, list[Array]] = {name: [] for name in (*OUTPUTS, "t_soi", *state)}
    for hour, values in enumerate(forcing):
        fluxes = model.step(dict(zip(FORCING, values, strict=True)), head[hour], saturation[hour])
        for name, ours in OUTPUTS.items():
            result[name].append(getattr(fluxes, ours).copy())
        result["t_soi"].append(model.state.temperature[:, 5:].copy())
        for name in state:
            owner = model.state if hasattr(model.state, name) else fluxes
            result[name].append(getattr(owner, name).copy())
    return {name: np.array(values) for name, values in result.items()}


def sensitivity(case: Case, options: ColumnConfig, nudge: float = NUDGES[1]) -> Array:
    """Change of each hour's latent heat [W m-2] by air that is warmer by `nudge` [K], (hours, columns).

    Both airs find the state that the case's own has left, so that every hour counts for itself.
    """
    columns = case.inputs["igbp"].size
    twins = np.repeat(np.arange(columns), 2)
    warmer = np.tile([0.0, nudge], columns)
    model = case.model(options, columns=twins)
    changes = np.empty((len(case.forcing), columns))
    for hour, values in enumerate(case.forcing):
        weather = dict(zip(FORCING, values, strict=True))
        weather["air_temperature"] = weather["air_temperature"] + warmer
        latent = model.step(weather, case.head[hour][twins], case.saturation[hour][twins]).latent_heat
        changes[hour] = latent[1::2] - latent[::2]
        for array in model.state.arrays().values():
            array[1::2] = array[::2]
    return changes


def kling_gupta(simulated: Array, observed: Array) -> float:
    """Kling-Gupta efficiency (Gupta et al. 2009)."""
    s, o = simulated.astype(float), observed.astype(float)
    return float(
        1 - np.sqrt((np.corrcoef(s, o)[0, 1] - 1) ** 2 + (s.std() / o.std() - 1) ** 2 + (s.mean() / o.mean() - 1) ** 2)
    )


def rmse(simulated: Array, observed: Array) -> float:
    return float(np.sqrt(np.mean((simulated - observed) ** 2)))


def variant_case(folder: Path, variant: str) -> tuple[Case, ColumnConfig, dict[str, NDArray]]:
    """Six covers on loam under one choice of stress and evaporation, its options, and the reference results."""
    data = load(folder / "variants.npz")
    humid = Case.load(folder, "humid")
    loam = humid.inputs["soil"] == "loam"
    columns = np.array([int(np.flatnonzero(loam & (humid.inputs["igbp"] == cover))[0]) for cover in data["igbp"]])
    evaporation, stress, wilting_point, field_capacity, residual = data[f"{variant}_keys"]
    options = ColumnConfig(
        evaporation_factor=EvaporationFactor(int(evaporation)),
        water_stress=WaterStress(int(stress)),
        wilting_point=float(wilting_point),
        field_capacity=float(field_capacity),
        residual_saturation=float(residual),
        frozen_soil=OPTIONS.frozen_soil,
        published_numerics=OPTIONS.published_numerics,
    )
    shape = (len(data["forcing"]), len(columns), 10)
    case = replace(
        humid.columns(columns),
        forcing=data["forcing"].astype(float),
        head=np.broadcast_to(data["head"], shape),
        saturation=np.broadcast_to(data["saturation"], shape),
        start=datetime(2020, 6, 1),
    )
    return case, options, data


STATE_NAMES = {
    "temperature": "t_soisno",
    "liquid": "wliq_soisno",
    "ice": "wice_soisno",
    "leaf_temperature": "tleaf",
    "canopy_water": "ldew",
    "snow_water": "scv",
    "snow_depth": "snowdp",
    "snow_fraction": "fsno",
    "snow_age": "sag",
    "leaf_area": "tlai",
    "stem_area": "tsai",
    "exposed_fraction": "sigf",
    "roughness_length": "z0m",
    "cosine_zenith": "coszen",
    "albedo": "alb",
    "sunlit_absorption": "ssun",
    "shaded_absorption": "ssha",
    "longwave_gap": "thermk",
    "extinction_direct": "extkb",
    "extinction_diffuse": "extkd",
    "snow_thickness": "dz_sno",
}
REFERENCE_FREEZING_POINT = 273.160003662  # K, in single precision


def stored_state(folder: Path, name: str, hour: int) -> ColumnState:
    """State of the reference at the start of an hour."""
    data = load(folder / f"{name}_state.npz")
    state = ColumnState.empty(len(data[f"h{hour}_tleaf"]), 10)
    for ours, theirs in STATE_NAMES.items():
        getattr(state, ours)[...] = data[f"h{hour}_{theirs}"]
    state.snow_layers[:] = (state.snow_thickness > 0).sum(axis=1)
    # layers with ice and liquid are at the freezing point, which is tested against exactly
    state.temperature[np.abs(state.temperature - REFERENCE_FREEZING_POINT) < 1e-6] = 273.16
    return state
