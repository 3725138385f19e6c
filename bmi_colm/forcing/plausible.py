"""Checks of values: finite where they matter, not negative where that is impossible, of a likely magnitude."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bmi_colm.forcing.calendar import Times, show
from bmi_colm.forcing.humidity import FloatArray
from bmi_colm.forcing.names import (
    AIR_PRESSURE,
    AIR_TEMPERATURE,
    LONGWAVE,
    PRECIPITATION,
    SHORTWAVE,
    SPECIFIC_HUMIDITY,
    UNITS,
    WIND_X,
    WIND_Y,
)
from bmi_common.errors import ConfigError

RECORD_DAILY_PRECIPITATION: Final = 1825.0 / 86400.0
"""Largest daily rain ever observed, 1825 mm in 24 h (WMO archive of extremes) [kg m-2 s-1]."""


class ForcingWarning(UserWarning):
    """Forcing that is read and used, but looks as if its units were not what they are taken for."""


@dataclass(frozen=True)
class Range:
    """Likely magnitudes of one variable.

    Parameters
    ----------
    low, high
        Values outside cause a warning.
    round_off
        Values below zero by no more than this become zero, others are an error; None where values may be
        negative. Packed files have such values: 0.01 mm in the hour, 1 W m-2.
    lookalikes
        (lower, upper, what): a variable whose values all lie between these looks like `what`.
    """

    low: float
    high: float
    round_off: float | None = None
    lookalikes: tuple[tuple[float, float, str], ...] = ()


RANGES: Final[dict[str, Range]] = {
    PRECIPITATION: Range(0.0, 0.12, 0.01 / 3600.0, ((0.0, 500.0, "mm h-1, to be divided by 3600 for kg m-2 s-1"),)),
    AIR_TEMPERATURE: Range(
        180.0, 340.0, None, ((-95.0, 65.0, "degrees Celsius"), (-140.0, 150.0, "degrees Fahrenheit"))
    ),
    AIR_PRESSURE: Range(30000.0, 110000.0, 0.0, ((300.0, 1100.0, "hPa"), (30.0, 110.0, "kPa"))),
    SPECIFIC_HUMIDITY: Range(0.0, 0.05, 1e-6, ((0.0, 50.0, "g kg-1 (or relative humidity)"),)),
    SHORTWAVE: Range(0.0, 1500.0, 1.0, ((0.0, 5.4e6, "J m-2 in the hour, to be divided by 3600 for W m-2"),)),
    LONGWAVE: Range(30.0, 700.0, 1.0, ((108000.0, 2.6e6, "J m-2 in the hour, to be divided by 3600 for W m-2"),)),
    WIND_X: Range(-80.0, 80.0),
    WIND_Y: Range(-80.0, 80.0),
}


class Inspector:
    """Checks blocks of forcing, and warns at most once a variable.

    Parameters
    ----------
    mask
        Active cells (ny, nx); values elsewhere do not matter.
    source
        Says for a name and a time which variable of which file a value comes from.
    """

    def __init__(self, mask: NDArray[np.bool_], source: Callable[[str, np.datetime64], str]) -> None:
        self._mask = mask
        self._source = source
        self._warned: set[str] = set()

    def __call__(self, name: str, times: Times, values: FloatArray) -> FloatArray:
        """Return `values` (n,) or (n, ny, nx) of the hours `times`, negative round-off set to zero.

        Raises
        ------
        ConfigError
            A value of an active cell is not finite, or is negative where that is impossible.
        """
        self._check_finite(name, times, self._active(values))
        expected = RANGES[name]
        if expected.round_off is not None:
            active = self._active(values)
            lowest = float(active.min())
            if lowest < -expected.round_off:
                when = times[np.argmin(active.min(axis=1))]
                raise ConfigError(
                    f"{self._source(name, when)}: {lowest:g} {UNITS[name]} in the hour from {show(when)}: "
                    "negative values are impossible"
                )
            values = np.maximum(values, 0.0)  # keeps the NaN of inactive cells
        self._check_magnitude(name, times, self._active(values))
        return values

    def _active(self, values: FloatArray) -> FloatArray:
        """Return `values` of the active cells, (n, cells)."""
        return values[:, self._mask] if values.ndim == 3 else values[:, np.newaxis]

    def _check_finite(self, name: str, times: Times, active: FloatArray) -> None:
        finite = np.isfinite(active)
        if finite.all():
            return
        hour = int(np.argmin(finite.all(axis=1)))
        place = ""
        if active.shape[1] == self._mask.sum() and self._mask.size > 1:
            bad = np.flatnonzero(~finite[hour])
            j, i = np.argwhere(self._mask)[bad[0]]
            place = f" in {bad.size} of {active.shape[1]} active cells, first (row {j}, column {i})"
        raise ConfigError(
            f"{self._source(name, times[hour])}: values are missing or not finite{place} "
            f"in the hour from {show(times[hour])}; every active cell needs a number"
        )

    def _check_magnitude(self, name: str, times: Times, active: FloatArray) -> None:
        if name in self._warned:
            return
        expected = RANGES[name]
        low, high = float(active.min()), float(active.max())
        drenched = (
            name == PRECIPITATION and times.size >= 24 and float(active.mean(axis=0).max()) > RECORD_DAILY_PRECIPITATION
        )
        if expected.low <= low and high <= expected.high and not drenched:
            return
        looks = next((what for a, b, what in expected.lookalikes if a <= low and high <= b), None)
        hint = f"; this looks like {looks}" if looks else ""
        self._warned.add(name)
        warnings.warn(
            f"{self._source(name, times[0])}: {low:g} to {high:g} {UNITS[name]} from {show(times[0])} on, "
            f"{expected.low:g} to {expected.high:g} expected{hint}",
            ForcingWarning,
            stacklevel=2,
        )
