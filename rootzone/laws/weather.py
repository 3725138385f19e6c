"""Weather of an experiment: the land's forcing by the step, and what experiments change in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bmi_colm.forcing.humidity import relative_humidity, saturation_vapour_pressure, specific_humidity
from bmi_colm.forcing.names import AIR_PRESSURE, AIR_TEMPERATURE, LONGWAVE, PRECIPITATION, SPECIFIC_HUMIDITY

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Weather:
    """Forcing of consecutive steps.

    Attributes
    ----------
    values : mapping of str to ndarray
        By BMI name, in the units of `bmi_colm.forcing.names.UNITS`: (steps, 1), the same in all cells, or
        (steps, ny * nx).
    """

    values: Mapping[str, Floats]

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.values[PRECIPITATION])

    def of_step(self, step: int, cells: int) -> dict[str, Floats]:
        """Return the values of a step, an array of `cells` each."""
        return {name: np.broadcast_to(values[step], (cells,)) for name, values in self.values.items()}

    def part(self, first: int, last: int) -> Weather:
        """Return the steps from `first` to before `last`."""
        return Weather({name: values[first:last] for name, values in self.values.items()})

    def then(self, other: Weather) -> Weather:
        """Return this weather and the other one after it."""
        return Weather(
            {name: np.concatenate(_of_one_width(values, other.values[name])) for name, values in self.values.items()}
        )

    def repeated(self, steps: int) -> Weather:
        """Return as many steps of this weather, repeated without end."""
        order = np.arange(steps) % self.steps
        return Weather({name: values[order] for name, values in self.values.items()})

    def steady(self, steps: int) -> Weather:
        """Return `steps` of its mean."""
        return Weather({n: np.repeat(v.mean(axis=0, keepdims=True), steps, axis=0) for n, v in self.values.items()})

    def with_rain(self, rain: Floats) -> Weather:
        """Return the weather with this precipitation [kg m-2 s-1] of each step in all cells."""
        return Weather({**self.values, PRECIPITATION: np.asarray(rain, dtype=np.float64).reshape(-1, 1)})

    def with_more_rain(self, rain: Floats) -> Weather:
        """Return the weather with this precipitation [kg m-2 s-1] beside its own."""
        own = self.values[PRECIPITATION]
        return Weather({**self.values, PRECIPITATION: own + np.asarray(rain, dtype=np.float64).reshape(-1, 1)})

    def with_rain_times(self, factor: float | Floats) -> Weather:
        """Return the weather with a multiple of its precipitation; a factor of each step or one of all."""
        return Weather({**self.values, PRECIPITATION: self.values[PRECIPITATION] * np.reshape(factor, (-1, 1))})

    def warmer_by(self, kelvin: float) -> Weather:
        """Return the weather warmer by so much, of the same relative humidity.

        Longwave radiation grows with the fourth power of the temperature, as that of a sky of unchanged emissivity.
        """
        return self.at_temperature(self.values[AIR_TEMPERATURE] + kelvin)

    def at_temperature(self, temperature: Floats) -> Weather:
        """Return the weather at other air temperatures [K], of its relative humidity and the emissivity of its sky."""
        before, pressure = self.values[AIR_TEMPERATURE], self.values[AIR_PRESSURE]
        relative = relative_humidity(self.values[SPECIFIC_HUMIDITY], pressure, before)
        vapour = relative * saturation_vapour_pressure(temperature)
        return Weather(
            {
                **self.values,
                AIR_TEMPERATURE: temperature,
                SPECIFIC_HUMIDITY: specific_humidity(vapour, pressure),
                LONGWAVE: self.values[LONGWAVE] * (temperature / before) ** 4,
            }
        )


def _of_one_width(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    width = max(first.shape[1], second.shape[1])
    return (
        np.broadcast_to(first, (len(first), width)),
        np.broadcast_to(second, (len(second), width)),
    )
