"""Weather that was observed below the canopy of the cells, as at 2 m and 10 m over short grass, lifted above it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from bmi_colm.forcing.humidity import saturation_vapour_pressure, specific_humidity
from bmi_colm.forcing.names import AIR_PRESSURE, AIR_TEMPERATURE, SPECIFIC_HUMIDITY, WIND_X, WIND_Y
from bmi_common.arrays import Array

ABOVE_CANOPY: Final = 10.0  # m, of the blending height above the tallest canopy
OPEN_TERRAIN: Final = 0.03  # m, roughness of the short grass that stations stand on
DRY_ADIABATIC_LAPSE: Final = 9.8e-3  # K m-1, as the kernel has it


@dataclass(frozen=True)
class Heights:
    """Heights above the ground [m] of wind, temperature and humidity."""

    wind: float
    temperature: float
    humidity: float


@dataclass(frozen=True)
class Lifting:
    """From the heights of the forcing to those above every canopy; equations (31a) and (31b) of docs/theory.md.

    Wind follows the logarithmic profile over open terrain, temperature keeps its potential temperature, and specific
    humidity stays, up to saturation.
    """

    given: Heights
    lifted: Heights

    @classmethod
    def above(cls, tallest_canopy: float, given: Heights) -> Lifting | None:
        """Lift what lies at or below the tallest canopy [m] to the blending height; None if nothing does."""
        blending = tallest_canopy + ABOVE_CANOPY
        heights = {name: getattr(given, name) for name in ("wind", "temperature", "humidity")}
        if all(height > tallest_canopy for height in heights.values()):
            return None
        return cls(given, Heights(**{n: blending if h <= tallest_canopy else h for n, h in heights.items()}))

    @property
    def wind_factor(self) -> float:
        """Wind at the new height over that at the given one."""
        below, above = max(self.given.wind, 2.0 * OPEN_TERRAIN), self.lifted.wind
        return float(np.log(above / OPEN_TERRAIN) / np.log(below / OPEN_TERRAIN)) if above > self.given.wind else 1.0

    def __call__(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """Return the weather of a step, by BMI name, at the new heights."""
        lifted = dict(values)
        for name in (WIND_X, WIND_Y):
            lifted[name] = values[name] * self.wind_factor
        temperature = values[AIR_TEMPERATURE] - DRY_ADIABATIC_LAPSE * (self.lifted.temperature - self.given.temperature)
        saturated = specific_humidity(saturation_vapour_pressure(temperature), values[AIR_PRESSURE])
        lifted[AIR_TEMPERATURE] = temperature
        lifted[SPECIFIC_HUMIDITY] = np.minimum(values[SPECIFIC_HUMIDITY], saturated)
        return lifted

    def __str__(self) -> str:
        parts = [
            f"{name} from {getattr(self.given, name):g} to {getattr(self.lifted, name):g} m"
            for name in ("wind", "temperature", "humidity")
            if getattr(self.given, name) != getattr(self.lifted, name)
        ]
        return f"{', '.join(parts)} (wind times {self.wind_factor:.3g})"
