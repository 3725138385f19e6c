"""Checks of values: finite where they matter, possible, of a likely magnitude."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bmi_colm.forcing.humidity import FloatArray, relative_humidity
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
from bmi_common.calendar import Times, show
from bmi_common.errors import ConfigError

RECORD_DAILY_PRECIPITATION: Final = 1825.0 / 86400.0
"""Largest daily rain ever observed, 1825 mm in 24 h (WMO archive of extremes) [kg m-2 s-1]."""


LARGEST_YEAR_OF_PRECIPITATION: Final = 27000.0 / (365.0 * 86400.0)
"""Above the wettest year ever observed, 26461 mm (Cherrapunji 1860-61, WMO archive of extremes) [kg m-2 s-1]."""

SHORTEST_FOR_A_MEAN: Final = 30 * 24
"""Hours that a mean is judged from."""

WET_HOURS_OF_A_TOTAL: Final = 12
"""Hours of rain, none less than the one before anywhere, from which on they look like a running total."""

_HOURS_OF_A_DAY: Final = 24
_RELATIVE_HUMIDITY: Final = (0.02, 1.5)
"""No day and place is as dry in its moistest hour, or as moist in its driest one (over liquid water)."""


class ForcingWarning(UserWarning):
    """Forcing that is read and used, but looks as if its units were not what they are taken for."""


@dataclass(frozen=True)
class Range:
    """Magnitudes of one variable.

    Parameters
    ----------
    possible
        Values outside are refused.
    likely
        Values outside cause a warning.
    round_off
        Values below zero by no more than this become zero; None where values may be negative. Packed files have such
        values: 0.01 mm in the hour, 1 W m-2.
    lookalikes
        (lower, upper, what): a variable whose values all lie between these looks like `what`.
    """

    possible: tuple[float, float]
    likely: tuple[float, float]
    round_off: float | None = None
    lookalikes: tuple[tuple[float, float, str], ...] = ()


_JOULES: Final = "J m-2 in the hour, to be divided by 3600 for W m-2"
_WIND: Final = Range((-100.0, 100.0), (-60.0, 60.0), None, ((-400.0, 400.0, "km h-1"),))

RANGES: Final[dict[str, Range]] = {
    PRECIPITATION: Range(
        (0.0, 0.1), (0.0, 0.03), 0.01 / 3600.0, ((0.0, 500.0, "mm h-1, to be divided by 3600 for kg m-2 s-1"),)
    ),
    AIR_TEMPERATURE: Range(
        (150.0, 350.0),
        (180.0, 340.0),
        None,
        ((-95.0, 65.0, "degrees Celsius"), (-140.0, 150.0, "degrees Fahrenheit")),
    ),
    AIR_PRESSURE: Range((2.0e4, 1.2e5), (3.0e4, 1.1e5), 0.0, ((300.0, 1100.0, "hPa"), (30.0, 110.0, "kPa"))),
    SPECIFIC_HUMIDITY: Range(
        (0.0, 0.1),
        (0.0, 0.05),
        1e-6,
        (
            (0.0, 1.05, "g kg-1 or a relative humidity"),
            (0.0, 50.0, "g kg-1"),
            (0.0, 110.0, "a relative humidity in percent"),
        ),
    ),
    SHORTWAVE: Range((0.0, 2.0e3), (0.0, 1.5e3), 1.0, ((0.0, 5.4e6, _JOULES),)),
    LONGWAVE: Range(
        (0.0, 1.0e3),
        (40.0, 600.0),
        1.0,
        ((108000.0, 2.6e6, _JOULES), (0.0, 1500.0, "shortwave radiation, which is zero at night")),
    ),
    WIND_X: _WIND,
    WIND_Y: _WIND,
}

POSSIBLE: Final = MappingProxyType({name: expected.possible for name, expected in RANGES.items()})
"""What is possible of each variable; values outside are refused as wrong units or worse."""

_FILL_VALUES: Final = (-9999.0, -999.0, -99.0, 9999.0, 99999.0, -32767.0, -32768.0, 9.96921e36, 1.0e20)


def looks_like(name: str, low: float, high: float) -> str:
    """Return what values of `low` to `high` look like where they cannot be `name`, as ``"; this looks like hPa"``."""
    for value in (low, high):
        if any(np.isclose(value, code, rtol=1e-5, atol=0.0) for code in _FILL_VALUES):
            return f"; {value:g} looks like the code of a missing value, which the file should declare"
    what = next((what for a, b, what in RANGES[name].lookalikes if a <= low and high <= b), None)
    return f"; this looks like {what}" if what else ""


class Inspector:
    """Checks blocks of forcing, and warns at most once a variable.

    Parameters
    ----------
    mask
        Active cells (ny, nx); values elsewhere do not matter.
    source
        Says for a name and a time which variable of which file a value comes from.
    remedy
        How the user tells the reader of other units, as the end of a message.
    """

    def __init__(self, mask: NDArray[np.bool_], source: Callable[[str, np.datetime64], str], remedy: str = "") -> None:
        self._mask = mask
        self._source = source
        self._remedy = f"; {remedy}" if remedy else ""
        self._warned: set[str] = set()
        self._hours = 0
        self._amount: FloatArray = np.zeros(())
        self._first = np.datetime64("NaT", "s")
        self._last: FloatArray | None = None
        self._wet: NDArray[np.int64] = np.zeros((), dtype=np.int64)
        self._falls = self._rises = False
        self._driest, self._moistest = np.inf, -np.inf

    def __call__(self, name: str, times: Times, values: FloatArray) -> FloatArray:
        """Return `values` (n,) or (n, ny, nx) of the hours `times`, negative round-off set to zero.

        Raises
        ------
        ConfigError
            A value of an active cell is not finite or impossible.
        """
        self._check_finite(name, times, self._active(values))
        expected = RANGES[name]
        if expected.round_off is not None:
            # keeps the NaN of inactive cells
            values = np.where((values < 0.0) & (values >= -expected.round_off), 0.0, values)
        active = self._active(values)
        self._check_possible(name, times, active)
        self._check_likely(name, times, active)
        return values

    def count(self, times: Times, values: Mapping[str, FloatArray]) -> None:
        """Add the hours `times`, ascending from call to call, to what `judge` judges."""
        self._first = times[0] if self._hours == 0 else self._first
        self._hours += times.size
        precipitation = self._active(values[PRECIPITATION])
        self._amount = self._amount + precipitation.sum(axis=0)
        self._wet = self._wet + (precipitation > 0.0).sum(axis=0)
        hours = precipitation if self._last is None else np.vstack([self._last, precipitation])
        steps, rounding = np.diff(hours, axis=0), 1e-6 * hours[1:]
        self._falls |= bool((steps < -rounding).any())
        self._rises |= bool(((steps > rounding) & (hours[:-1] > 0.0)).any())
        self._last = precipitation[-1:]
        relative = relative_humidity(
            *(self._active(values[name]) for name in (SPECIFIC_HUMIDITY, AIR_PRESSURE, AIR_TEMPERATURE))
        )
        self._driest = min(self._driest, float(relative.min()))
        self._moistest = max(self._moistest, float(relative.max()))

    def judge(self) -> None:
        """Warn of what no hour shows alone.

        That is precipitation that is a running total or more than any place has, and air that is always far from
        saturation, on either side.
        """
        self._judge_precipitation()
        self._judge_humidity()

    def _judge_precipitation(self) -> None:
        if PRECIPITATION in self._warned:
            return
        period = f"{self._hours} hours from {show(self._first)}"
        if not self._falls and self._rises and self._wet.max() >= WET_HOURS_OF_A_TOTAL:
            assert self._last is not None
            self._warn(
                PRECIPITATION,
                self._first,
                f"in no place less than in the hour before in all the {period}, and {self._last.max():.3g} "
                f"{UNITS[PRECIPITATION]} in the last; this looks like a total since some start, such as RAINNC of WRF, "
                "whose differences are the precipitation of the hours",
                "",
            )
            return
        mean = float(np.max(self._amount)) / self._hours
        if self._hours >= SHORTEST_FOR_A_MEAN and mean > LARGEST_YEAR_OF_PRECIPITATION:
            self._warn(
                PRECIPITATION,
                self._first,
                f"the mean of the {period} is {mean:.3g} {UNITS[PRECIPITATION]}, "
                f"{mean * 365.0 * 86400.0:.0f} mm in a year, more than the wettest place has",
                "; are these mm h-1, or totals of more than an hour?",
            )

    def _judge_humidity(self) -> None:
        if self._hours < _HOURS_OF_A_DAY or SPECIFIC_HUMIDITY in self._warned:
            return
        dry, moist = _RELATIVE_HUMIDITY
        if self._moistest < dry:
            found = f"at most {100.0 * self._moistest:.2g} %"
            hint = "; are these fractions given as percentages, or kg kg-1 as g kg-1?"
        elif self._driest > moist:
            found = f"at least {100.0 * self._driest:.0f} %"
            hint = "; are these percentages given as fractions, or g kg-1 as kg kg-1?"
        else:
            return
        self._warn(
            SPECIFIC_HUMIDITY,
            self._first,
            f"the relative humidity is {found} in all the {self._hours} hours from {show(self._first)}",
            hint,
        )

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

    def _check_possible(self, name: str, times: Times, active: FloatArray) -> None:
        low, high = RANGES[name].possible
        bad = (active < low) | (active > high)
        if not bad.any():
            return
        hour = int(np.argmax(bad.any(axis=1)))
        cell = int(np.argmax(bad[hour]))
        place = ""
        if active.shape[1] == self._mask.sum() and self._mask.size > 1:
            j, i = np.argwhere(self._mask)[cell]
            place = f" at (row {j}, column {i})"
        value = float(active[hour, cell])
        reason = f"{low:g} to {high:g} {UNITS[name]} are possible"
        if value < 0.0 <= low:
            reason = f"negative values are impossible, {reason}"
        raise ConfigError(
            f"{self._source(name, times[hour])}: {value:g} {UNITS[name]}{place} in the hour from {show(times[hour])}: "
            f"{reason}{looks_like(name, float(active.min()), float(active.max()))}{self._remedy}"
        )

    def _check_likely(self, name: str, times: Times, active: FloatArray) -> None:
        if name in self._warned:
            return
        expected_low, expected_high = RANGES[name].likely
        low, high = float(active.min()), float(active.max())
        found = f"{low:g} to {high:g} {UNITS[name]} from {show(times[0])} on"
        if low < expected_low or high > expected_high:
            hint = looks_like(name, low, high)
            self._warn(name, times[0], f"{found}, {expected_low:g} to {expected_high:g} expected", hint)
        elif name == PRECIPITATION and times.size >= 24:
            day = float(active.mean(axis=0).max())
            if day > RECORD_DAILY_PRECIPITATION:
                self._warn(
                    name,
                    times[0],
                    f"{found}, in one place {day * 86400.0:.0f} mm in a day, more than the wettest day ever observed",
                    looks_like(name, low, high),
                )

    def _warn(self, name: str, time: np.datetime64, found: str, hint: str) -> None:
        self._warned.add(name)
        text = f"{self._source(name, time)}: {found}{hint}{self._remedy if hint else ''}"
        warnings.warn(text, ForcingWarning, stacklevel=2)
